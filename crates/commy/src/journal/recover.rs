//! Stage 1 of recovery: what a waiter does for a dead lane before it goes on. Takes no lock, is bounded by the lane's
//! logs, and may itself be killed anywhere: the recoverer is then just the dead owner of the lane.

use crate::sys::atomic::{AtomicU32, AtomicU64};

use super::OBJECT_CLASS;
use super::context::{Phase, close_and_release, wake_all, wake_everybody};
use super::inflight::settle;
use super::inner::undo_inner;
use super::log::{Kind, Log};
use crate::crash::crash_point;
use crate::lock::{self, Blocked, Waiting};
use crate::process::{Actor, Identity, LaneState, adopt, dead_owner};
use crate::region::Space;
use crate::region::layout::*;
use crate::{Error, Result};

/// Pages of a span of object headers.
const SPAN_HEADER_PAGES: u64 = 4;

/// Kind of a page that belongs to a span.
pub(crate) const SPAN_PAGE: u64 = 5;

/// The object header at `offset`, if that is where one can be.
pub(crate) fn object_at(space: &Space, offset: u64) -> Result<&ObjectHeader> {
    let wrong = || Error::corrupt(offset, "an object offset points at no object header");
    let start = object_span(space, offset)?.ok_or_else(wrong)?;
    if !(offset - start).is_multiple_of(OBJECT_SIZE) {
        return Err(wrong());
    }
    space.get(offset)
}

/// The start of the header span that `offset` lies in, if it does.
fn object_span(space: &Space, offset: u64) -> Result<Option<u64>> {
    if offset < space.geometry.heap_at {
        return Ok(None);
    }
    let page = space.page_of(offset);
    let entry = space.page(page)?.a.peek();
    let is_header = pack::page_kind(entry) == SPAN_PAGE && pack::page_class(entry) == OBJECT_CLASS as u64;
    let first = page.checked_sub(pack::page_value(entry));
    let Some(first) = first.filter(|first| is_header && page - first < SPAN_HEADER_PAGES) else { return Ok(None) };
    // An inner entry may be left of a span that was never committed; the first page's was logged.
    let head = space.page(first)?.a.peek();
    let begins = pack::page_kind(head) == SPAN_PAGE
        && pack::page_class(head) == OBJECT_CLASS as u64
        && pack::page_value(head) == 0;
    Ok(begins.then(|| space.page_offset(first)))
}

/// Waits for a word as [`lock::wait_for_word`], settling dead owners on the way.
pub(crate) fn acquire(
    actor: &Actor,
    word: &AtomicU32,
    claims_ended: Option<&AtomicU64>,
    waiting: &mut Waiting,
) -> Result<()> {
    loop {
        match lock::wait_for_word(actor, word, claims_ended, waiting) {
            Ok(()) => return Ok(()),
            Err(Blocked::OwnerDead { lane, owner }) => stage_one_of(actor.space, actor.me, lane, owner)?,
            Err(Blocked::Failed(error)) => {
                waiting.stop(actor);
                waiting.withdraw(word);
                return Err(error);
            }
        }
    }
}

/// Settles the holder of an object's word if it is dead; waits for nobody.
pub(crate) fn help(actor: &Actor, header: &ObjectHeader) -> Result<()> {
    match lock::probe(actor, header) {
        Ok(()) => Ok(()),
        Err(Blocked::OwnerDead { lane, owner }) => stage_one_of(actor.space, actor.me, lane, owner),
        Err(Blocked::Failed(error)) => Err(error),
    }
}

/// Waits for the readers of an object whose word is held, settling dead ones.
pub(crate) fn drain_readers(actor: &Actor, header: &ObjectHeader, own_reads: u64, waiting: &mut Waiting) -> Result<()> {
    loop {
        match lock::drain(actor, header, own_reads, waiting) {
            Ok(()) => return Ok(()),
            Err(Blocked::OwnerDead { lane, owner }) => stage_one_of(actor.space, actor.me, lane, owner)?,
            Err(Blocked::Failed(error)) => {
                waiting.stop(actor);
                return Err(error);
            }
        }
    }
}

/// Marks the lane as damaged if recovery ends in any way but success, so that nobody waits for it.
struct Unfinished<'a, 'b>(&'b Actor<'a>);

impl Drop for Unfinished<'_, '_> {
    fn drop(&mut self) {
        self.0.set_state(LaneState::Damaged);
    }
}

/// Adopts lane `id` if its owner is dead, and frees all that it keeps others from. What remains (blocks to give back)
/// is stage 2, for which the lane is left in state `Salvage`.
///
/// # Errors
/// `Corrupt` if the lane's words or logs are damaged; the lane is marked so and its waiters fail at once.
pub(crate) fn stage_one(space: &Space, me: Identity, id: u32) -> Result<()> {
    match dead_owner(space, me, id)? {
        Some(owner) => stage_one_of(space, me, id, owner),
        None => Ok(()),
    }
}

/// As `stage_one`, for an owner word that is known to name a dead process.
fn stage_one_of(space: &Space, me: Identity, id: u32, owner: u64) -> Result<()> {
    match adopt(space, me, id, owner)? {
        Some(actor) => settle_lane(&actor),
        None => Ok(()),
    }
}

/// The steps of stage 1, for a lane that is ours.
pub(crate) fn settle_lane(actor: &Actor) -> Result<()> {
    // Whoever did stage 2 before us may have died inside a step of the heap, with its words held.
    let salvage = LaneState::of(actor.lane.owner.peek()) == LaneState::Salvage;
    let unfinished = Unfinished(actor);
    let contexts = &actor.lane.contexts;
    let indices =
        |phase: Phase| (0..CONTEXT_COUNT).filter(move |index| Phase::of(contexts[*index].state.peek()) == phase);
    // 1. The heap stands still again: no list is half moved.
    undo_inner(actor)?;
    crash_point!("stage 1: heap undone");
    settle(actor)?;
    crash_point!("stage 1: in-flight settled");
    if salvage {
        // The contexts have been through the rest.
        std::mem::forget(unfinished);
        return Ok(());
    }
    // 2. Everything that was not committed is undone, while every word is still held.
    for index in indices(Phase::Active) {
        undo(actor, index)?;
    }
    crash_point!("stage 1: undone, phases not moved");
    // 3. From here on no undo is repeated.
    for index in indices(Phase::Active) {
        let state = &contexts[index].state;
        state.put(pack::context(pack::cursor(state.peek()), Phase::Undone as u64));
        crash_point!("stage 1: a phase moved");
    }
    // 4. Only now others may come in.
    for index in indices(Phase::Undone).chain(indices(Phase::Committed)) {
        close_and_release(actor, index)?;
        crash_point!("stage 1: a context released");
        wake_all(actor, index)?;
    }
    lock::clear_line(actor, |offset| object_at(actor.space, offset).ok());
    wake_waited_for(actor);
    crash_point!("stage 1: all woken");
    // 5. Blocks are given back later.
    std::mem::forget(unfinished);
    actor.set_state(LaneState::Salvage);
    crash_point!("stage 1: done");
    Ok(())
}

/// A wake that was meant for the dead may have reached it: pass it on.
fn wake_waited_for(actor: &Actor) {
    let offset = actor.lane.waiting_for.peek();
    if offset >= actor.space.geometry.heap_at
        && let Ok(header) = object_at(actor.space, offset)
    {
        wake_everybody(header);
    }
    actor.lane.waiting_for.put(0);
}

/// Puts back what the Save records of a context say, newest first. May be repeated.
pub(crate) fn undo(actor: &Actor, index: usize) -> Result<()> {
    Log::new(*actor, index).walk(|record| {
        if record.kind != Kind::Save {
            return Ok(());
        }
        let len = u64::from(record.len);
        let target = actor.space.resolve(record.offset, len)?;
        if let Some(start) = object_span(actor.space, record.offset)? {
            let within = (record.offset - start) % OBJECT_SIZE;
            if within < OBJECT_LOCK_PART || within + len > OBJECT_LINK_AT {
                return Err(Error::corrupt(record.offset, "an undo record names the lock part of an object"));
            }
        }
        // SAFETY: R1: both ranges were checked; J2: we hold the words of everything the context changed.
        unsafe { std::ptr::copy(record.payload, target, record.len as usize) };
        crash_point!("undo: a record restored");
        Ok(())
    })
}
