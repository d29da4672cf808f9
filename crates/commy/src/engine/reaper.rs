//! Stage 2 of recovery and everything else that may come later: blocks of the dead, their anonymous objects, their
//! slots; and the background thread that sees to it.

use crate::sys::atomic::{Ordering, fence};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, PoisonError, Weak};

use super::attachment::Attachment;
use super::object::Object;
use crate::crash::crash_point;
use crate::journal::{self, Phase, stage_one};
use crate::lock::Waiting;
use crate::process::{Actor, Identity, LaneState, SlotState, is_dead, release_lane, slot_byte};
use crate::region::Space;
use crate::region::layout::*;
use crate::sys::{self, ByteLock};
use crate::{Error, Result, heap, raw};

/// Does work on the lists of a lane that has no context in use, unless somebody wants the heap to stand still.
pub(super) fn maintain(actor: &Actor, work: impl FnOnce(&Actor) -> Result<()>) -> Result<()> {
    let mark = &actor.lane.contexts[0].state;
    if mark.peek() != 0 {
        return Err(Error::Deadlock);
    }
    // An active context without records: the lane is not at rest. Pairs with the freezer's look at the lanes.
    mark.store(pack::context(0, Phase::Active as u64), Ordering::SeqCst);
    fence(Ordering::SeqCst);
    crash_point!("maintain: marked");
    let result = if actor.space.words().freeze.load(Ordering::SeqCst) == 0 { work(actor) } else { Ok(()) };
    mark.put(0);
    result
}

/// Gives back what the contexts of a lane hold after stage 1, and frees the lane. The lane is ours.
pub(super) fn stage_two(actor: &Actor) -> Result<()> {
    for index in 0..CONTEXT_COUNT {
        if actor.lane.contexts[index].state.peek() != 0 {
            raw::finish(actor, index)?;
            crash_point!("stage 2: a context finished");
        }
    }
    maintain(actor, heap::flush_all)?;
    crash_point!("stage 2: lists flushed");
    release_lane(actor);
    crash_point!("stage 2: lane free");
    Ok(())
}

/// Stage 2 of the lanes that this identity has adopted.
fn salvage_adopted(space: &Space, me: Identity) -> Result<()> {
    for id in 0..space.words().lanes_high.load(Ordering::Acquire) as u32 {
        let actor = Actor::new(space, me, id)?;
        let ours = pack::owner(me.slot, me.incarnation, LaneState::Salvage as u64);
        if actor.lane.owner.load(Ordering::Acquire) == ours
            && let Err(error) = stage_two(&actor)
        {
            actor.set_state(LaneState::Damaged);
            return Err(error);
        }
    }
    Ok(())
}

/// Adopts and settles every lane of a dead process; damage in one does not stop the others.
fn settle_dead_lanes(space: &Space, me: Identity) -> Result<()> {
    let mut result = Ok(());
    for id in 0..space.words().lanes_high.load(Ordering::Acquire) as u32 {
        let owner = space.lane(id).map_or(0, |lane| lane.owner.load(Ordering::Acquire));
        let foreign = pack::owner_slot(owner) != me.slot || pack::owner_incarnation(owner) != me.incarnation;
        if matches!(LaneState::of(owner), LaneState::Owned | LaneState::Recovering | LaneState::Salvage) && foreign {
            result = result.and(stage_one(space, me, id));
        }
    }
    result.and(salvage_adopted(space, me))
}

impl Attachment {
    /// Settles the lanes of the dead.
    pub(super) fn settle_dead(&self) -> Result<()> {
        let me = self.identity()?;
        let _one = self.salvage.lock().unwrap_or_else(PoisonError::into_inner);
        settle_dead_lanes(self.space(), me)
    }

    /// Settles all that dead processes left: lanes, anonymous objects, slots.
    pub(super) fn reap(&self) -> Result<()> {
        self.settle_dead()?;
        let me = self.identity()?;
        let space = self.space();
        let dead = dead_slots(space, me)?;
        if dead.is_empty() {
            return Ok(());
        }
        reap_anonymous(self)?;
        for (slot, incarnation) in dead {
            free_slot(space, slot, incarnation)?;
        }
        Ok(())
    }
}

/// Claimed slots whose processes are dead.
fn dead_slots(space: &Space, me: Identity) -> Result<Vec<(u32, u64)>> {
    let mut dead = Vec::new();
    for slot in (0..space.geometry.slot_count).filter(|slot| *slot != me.slot) {
        let (state, incarnation) = SlotState::of(space.slot(slot).state.load(Ordering::Acquire));
        if state == SlotState::Claimed && is_dead(space, Some(me), slot, incarnation)? {
            dead.push((slot, incarnation));
        }
    }
    Ok(dead)
}

/// Frees the slot of a dead process, which has nothing any more; if its byte is not to be had yet, the next round does.
fn free_slot(space: &Space, slot: u32, incarnation: u64) -> Result<()> {
    let Some(byte) = space.with_file(|file| ByteLock::try_hold(file, slot_byte(space, slot)))? else { return Ok(()) };
    let state = &space.slot(slot).state;
    if SlotState::of(state.load(Ordering::Acquire)) == (SlotState::Claimed, incarnation) {
        state.store(incarnation << 8, Ordering::Release);
    }
    drop(byte);
    Ok(())
}

/// What the former owners of a slot left, before the slot serves `me`.
pub(super) fn reap_before_claim(space: &Space, me: Identity) -> Result<()> {
    settle_dead_lanes(space, me)
}

/// The offsets of all object headers, taken while nobody can add a span.
pub(super) fn all_headers(attachment: &Attachment) -> Result<Vec<u64>> {
    let space = attachment.space();
    let supply = space.supply();
    let lane = attachment.lane()?;
    // The word is held without an intent only between two loads of this thread; its holder is named by the word, and
    // recovery of a lane releases the supply by `held_supply`.
    let held = &lane.actor.lane.heap.held_supply;
    held.put(space.offset_of(supply));
    let taken = journal::acquire(lane.actor, &supply.word, None, &mut Waiting::new());
    let spans = taken.and_then(|()| {
        crash_point!("headers: supply held");
        let spans = header_spans(space);
        crate::lock::release(&supply.word, lane.actor.lock_id());
        spans
    });
    held.put(0);
    let per_span = heap::span_pages(journal::OBJECT_CLASS) * PAGE / OBJECT_SIZE;
    let headers = |page: u64| (0..per_span).map(move |index| space.page_offset(page) + index * OBJECT_SIZE);
    Ok(spans?.into_iter().flat_map(headers).collect())
}

fn header_spans(space: &Space) -> Result<Vec<u64>> {
    let mut spans = Vec::new();
    let mut next = space.supply().header_spans.peek();
    while let Some(page) = next.checked_sub(1) {
        spans.push(page);
        if spans.len() as u64 > space.committed_pages()? {
            return Err(Error::corrupt(space.page_offset(page), "the list of header spans has no end"));
        }
        next = space.page(page.saturating_add(3))?.b.peek();
    }
    Ok(spans)
}

/// Removes the anonymous objects of dead processes.
pub(super) fn reap_anonymous(attachment: &Attachment) -> Result<()> {
    let me = attachment.identity()?;
    let space = attachment.space();
    for offset in all_headers(attachment)? {
        let header = space.get::<ObjectHeader>(offset)?;
        let owner = header.owner.load(Ordering::Acquire);
        if owner != 0
            && is_dead(space, Some(me), pack::owner_slot(owner), pack::owner_incarnation(owner))?
            && let Some(myself) = attachment.weak().upgrade()
        {
            Object::remove_anonymous(&myself, offset, owner)?;
        }
    }
    Ok(())
}

/// A process that leaves lets go of lanes that it adopted and has not finished; the next adopter does.
pub(super) fn release_adopted(space: &Space, me: Identity) {
    let _ = salvage_adopted(space, me);
}

/// Starts the thread that stamps the heartbeat and looks for the dead. It ends with the attachment.
pub(super) fn start(attachment: &Arc<Attachment>) {
    let weak = Arc::downgrade(attachment);
    let (alarm, interval) = (attachment.alarm.clone(), attachment.heartbeat);
    let epoch = sys::fork_epoch();
    attachment.background.store(0, Ordering::Release);
    let background = Background(attachment.background.clone());
    let body = move || {
        background.0.store(sys::current_thread_id(), Ordering::Release);
        let (stop, wake) = &*alarm;
        loop {
            let stopped = stop.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = wake.wait_timeout_while(stopped, interval, |stop| !*stop);
            let stopped = waited.unwrap_or_else(PoisonError::into_inner).0;
            if *stopped || epoch != sys::fork_epoch() {
                return;
            }
            drop(stopped);
            if !tick(&weak) {
                return;
            }
        }
    };
    // Without the thread everything still works; what the dead left only waits for somebody who needs it.
    let _ = std::thread::Builder::new().name("commy".into()).spawn(body);
}

/// Says that the background thread has ended by itself.
struct Background(Arc<AtomicU32>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

fn tick(attachment: &Weak<Attachment>) -> bool {
    let Some(attachment) = attachment.upgrade() else { return false };
    if let Ok(me) = attachment.identity() {
        attachment.space().slot(me.slot).heartbeat_ns.store(sys::monotonic_ns(), Ordering::Release);
        // Damage is not this thread's to report: whoever touches the damaged lane is told.
        let _ = attachment.reap();
        // What others have committed; nobody waits for it here.
        attachment.space().page_ahead();
    }
    true
}
