//! The heap's inner transaction: a bounded number of words changes as one, under an arena's and the supply's word.
//!
//! ```text
//! intent     held_arena / held_supply = word      killed: recovery looks whether the word names the lane
//! lock       CAS word 0 -> lane
//! log        log[n] = {offset, old}; state = active | n + 1
//! change     word = new                           killed: undone
//! commit     state = 0                            after it: kept
//! release    word -= lane; intent = 0
//! ```

use crate::sys::atomic::AtomicU64;
use std::time::Duration;

use super::recover::acquire;
use crate::crash::crash_point;
use crate::lock::{self, Waiting};
use crate::process::{Actor, Identity};
use crate::region::layout::*;
use crate::{Error, Result};

/// An inner transaction under way. Dropping it without `commit` undoes it.
pub(crate) struct Inner<'a> {
    actor: Actor<'a>,
    count: u64,
}

impl<'a> Inner<'a> {
    /// Begins; takes no lock yet.
    pub(crate) fn new(actor: Actor<'a>) -> Inner<'a> {
        debug_assert_eq!(actor.lane.heap.state.peek(), 0);
        Inner { actor, count: 0 }
    }

    /// Takes an arena's word if nobody has it.
    pub(crate) fn try_lock_arena(&mut self, arena: &Arena) -> bool {
        let heap = &self.actor.lane.heap;
        heap.held_arena.put(self.actor.space.offset_of(arena));
        crash_point!("inner: arena intent");
        let got = lock::try_lock_past_claims(&arena.word, self.actor.lock_id());
        crash_point!("inner: arena locked");
        if !got {
            heap.held_arena.put(0);
        }
        got
    }

    /// Waits for an arena's word, at most for `timeout`.
    pub(crate) fn lock_arena(&mut self, arena: &Arena, timeout: Duration) -> Result<()> {
        let heap = &self.actor.lane.heap;
        heap.held_arena.put(self.actor.space.offset_of(arena));
        let patient = Actor { me: Identity { timeout, ..self.actor.me }, ..self.actor };
        acquire(&patient, &arena.word, None, &mut Waiting::new()).inspect_err(|_| heap.held_arena.put(0))
    }

    /// Waits for the supply's word.
    pub(crate) fn lock_supply(&mut self) -> Result<()> {
        let heap = &self.actor.lane.heap;
        let supply = self.actor.space.supply();
        heap.held_supply.put(self.actor.space.offset_of(supply));
        crash_point!("inner: supply intent");
        acquire(&self.actor, &supply.word, None, &mut Waiting::new()).inspect_err(|_| heap.held_supply.put(0))
    }

    /// Takes the supply's word if nobody has it.
    pub(crate) fn try_lock_supply(&mut self) -> bool {
        let heap = &self.actor.lane.heap;
        let supply = self.actor.space.supply();
        heap.held_supply.put(self.actor.space.offset_of(supply));
        let got = lock::try_lock(&supply.word, self.actor.lock_id());
        if !got {
            heap.held_supply.put(0);
        }
        got
    }

    /// Is the supply's word taken?
    pub(crate) fn has_supply(&self) -> bool {
        self.actor.lane.heap.held_supply.peek() != 0
    }

    /// Changes a word of the lane, an arena, the supply or the page map.
    pub(crate) fn set(&mut self, word: &AtomicU64, value: u64) -> Result<()> {
        let heap = &self.actor.lane.heap;
        let offset = self.actor.space.offset_of(word);
        let Some(entry) = heap.log.get(self.count as usize) else {
            return Err(Error::corrupt(offset, "an inner step of the heap changes too many words"));
        };
        entry.offset.put(offset);
        entry.old.put(word.peek());
        crash_point!("inner: logged, not counted");
        self.count += 1;
        heap.state.put(HEAP_ACTIVE | self.count);
        crash_point!("inner: counted, not changed");
        word.put(value);
        crash_point!("inner: changed");
        Ok(())
    }

    /// All changes so far are kept; the words stay locked for a next step.
    pub(crate) fn commit(&mut self) {
        self.actor.lane.heap.state.put(0);
        self.count = 0;
        crash_point!("inner: committed, words held");
    }
}

impl Drop for Inner<'_> {
    fn drop(&mut self) {
        // What was not committed is undone: an error on the way leaves nothing behind.
        if undo_inner(&self.actor).is_err() {
            self.actor.set_state(crate::process::LaneState::Damaged);
        }
    }
}

/// Undoes an inner transaction that did not commit and releases its words; by its owner or by an adopter.
pub(crate) fn undo_inner(actor: &Actor) -> Result<()> {
    let heap = &actor.lane.heap;
    let state = heap.state.peek();
    if state & HEAP_ACTIVE != 0 {
        let count = (state & !HEAP_ACTIVE) as usize;
        let entries = heap.log.get(..count);
        let entries =
            entries.ok_or_else(|| Error::corrupt(actor.space.offset_of(heap), "the heap's log is too long"))?;
        for entry in entries.iter().rev() {
            actor.space.logged_word(actor.lane, entry.offset.peek())?.put(entry.old.peek());
            crash_point!("inner undo: word restored");
        }
    }
    if state != 0 {
        heap.state.put(0);
    }
    release_held(actor, &heap.held_supply)?;
    release_held(actor, &heap.held_arena)
}

fn release_held(actor: &Actor, held: &AtomicU64) -> Result<()> {
    let offset = held.peek();
    if offset == 0 {
        return Ok(());
    }
    let supply = actor.space.supply();
    let word = if offset == actor.space.offset_of(supply) {
        &supply.word
    } else if (ARENAS_AT..SUPPLY_AT).contains(&offset) && (offset - ARENAS_AT).is_multiple_of(size_of::<Arena>() as u64)
    {
        &actor.space.arena((offset - ARENAS_AT) / size_of::<Arena>() as u64).word
    } else {
        return Err(Error::corrupt(offset, "a heap lock that does not exist"));
    };
    if actor.holds(word) {
        lock::release(word, actor.lock_id());
        crash_point!("inner: released, intent stands");
    }
    held.put(0);
    Ok(())
}
