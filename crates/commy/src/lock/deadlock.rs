//! Does somebody we wait for wait for us? A walk over `waiting_for` edges: from a word to its owner, and from a word
//! that is being drained to the lanes that read the object.

use crate::sys::atomic::{AtomicU32, Ordering};
use std::collections::BTreeMap;

use super::readers::readers_of;
use super::word::OWNER;
use crate::process::Actor;

/// Is the caller part of a cycle? A cycle counts only if a second walk meets the same waits.
pub(super) fn waits_for_itself(actor: &Actor) -> bool {
    match (walk(actor), walk(actor)) {
        (Some(first), Some(second)) => first == second,
        _ => false,
    }
}

/// The wait sequences of all lanes reachable from the caller's wait, if the caller is among them.
fn walk(actor: &Actor) -> Option<BTreeMap<u32, u64>> {
    let mut met = BTreeMap::new();
    let mut open = vec![actor.id];
    let mut closed = false;
    while let Some(id) = open.pop() {
        let Some(lane) = actor.space.lane(id) else { continue };
        let offset = lane.waiting_for.load(Ordering::SeqCst);
        if offset == 0 {
            continue;
        }
        if met.insert(id, lane.wait_sequence.load(Ordering::SeqCst)).is_some() {
            continue;
        }
        for next in blockers(actor, id, offset) {
            closed |= next == actor.id;
            open.push(next);
        }
    }
    closed.then_some(met)
}

/// The lanes that `id` waits for at `offset`.
fn blockers(actor: &Actor, id: u32, offset: u64) -> Vec<u32> {
    // Heap words are held for moments and never while waiting for an object: only objects have edges.
    let word = actor.space.get::<AtomicU32>(offset).ok().map(|word| word.load(Ordering::SeqCst));
    match word.map(|word| word & OWNER) {
        // The owner itself waits here: for the readers to go.
        Some(owner) if owner == id + 1 => readers_of(actor, offset).into_iter().filter(|lane| *lane != id).collect(),
        Some(0) | None => Vec::new(),
        Some(owner) => vec![owner - 1],
    }
}
