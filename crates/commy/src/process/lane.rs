//! Lanes: one for each thread that writes. Invariant P2: all words of a lane but `owner` are stored to only by the
//! thread that its owner word names, be it the lane's own or a recoverer that adopted it.

use crate::sys::atomic::Ordering;

use super::{Identity, is_dead};
use crate::crash::{crash_point, is_variant};
use crate::region::Space;
use crate::region::layout::*;
use crate::{Error, Result};

/// State of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LaneState {
    /// Nobody's; its lists serve the next owner.
    Free,
    /// A thread's.
    Owned,
    /// Adopted; stage 1 of recovery is under way.
    Recovering,
    /// Adopted; locks are released, blocks are still to be given back.
    Salvage,
    /// Recovery found damage.
    Damaged,
}

impl LaneState {
    /// The state in an owner word.
    pub(crate) fn of(word: u64) -> LaneState {
        match pack::owner_state(word) {
            0 => LaneState::Free,
            1 => LaneState::Owned,
            2 => LaneState::Recovering,
            3 => LaneState::Salvage,
            _ => LaneState::Damaged,
        }
    }
}

/// Somebody who works as a lane: its own thread, or a recoverer after adoption.
#[derive(Clone, Copy)]
pub(crate) struct Actor<'a> {
    pub(crate) space: &'a Space,
    pub(crate) me: Identity,
    pub(crate) id: u32,
    pub(crate) lane: &'a Lane,
}

impl<'a> Actor<'a> {
    /// Acts as lane `id`, which the caller has claimed or adopted.
    pub(crate) fn new(space: &'a Space, me: Identity, id: u32) -> Result<Actor<'a>> {
        let lane = space.lane(id).ok_or_else(|| Error::corrupt(u64::from(id), "a lane number is out of range"))?;
        Ok(Actor { space, me, id, lane })
    }

    /// The lane's number as lock words have it (0 means unlocked).
    #[inline(always)]
    pub(crate) fn lock_id(&self) -> u32 {
        self.id + 1
    }

    /// Publishes a state of a lane that we own.
    pub(crate) fn set_state(&self, state: LaneState) {
        let word = pack::owner(self.me.slot, self.me.incarnation, state as u64);
        self.lane.owner.store(word, Ordering::Release);
    }
}

/// Claims a free lane for a thread of this process.
pub(crate) fn claim_lane(space: &Space, me: Identity, thread_id: u32) -> Result<u32> {
    let owned = pack::owner(me.slot, me.incarnation, LaneState::Owned as u64);
    let words = space.words();
    let mut next = 0;
    loop {
        space.commit_lanes(next + 1)?;
        let lane = space.lane(next).ok_or_else(|| Error::corrupt(u64::from(next), "a lane is not committed"))?;
        let owner = lane.owner.load(Ordering::Acquire);
        if LaneState::of(owner) == LaneState::Free
            && lane.owner.compare_exchange(owner, owned, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        {
            crash_point!("lane: owned, not counted");
            words.lanes_high.fetch_max(u64::from(next) + 1, Ordering::AcqRel);
            lane.thread_id.put(u64::from(thread_id));
            crash_point!("lane: claimed");
            return Ok(next);
        }
        next += 1;
    }
}

/// Claims lane `id` if it is nobody's, to work on its lists; `release_lane` gives it back.
///
/// # Crash
/// The lane then belongs to a dead process, and is adopted.
pub(crate) fn claim_free<'a>(space: &'a Space, me: Identity, id: u32) -> Result<Option<Actor<'a>>> {
    let actor = Actor::new(space, me, id)?;
    let owner = actor.lane.owner.load(Ordering::Acquire);
    let owned = pack::owner(me.slot, me.incarnation, LaneState::Owned as u64);
    let free = LaneState::of(owner) == LaneState::Free;
    let won = free && actor.lane.owner.compare_exchange(owner, owned, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    crash_point!("lane: borrowed");
    Ok(won.then_some(actor))
}

/// Gives a lane back; its contexts are idle. What its lists hold serves the next owner.
pub(crate) fn release_lane(actor: &Actor) {
    actor.lane.waiting_for.put(0);
    actor.lane.thread_id.put(0);
    actor.lane.owner.store(0, Ordering::Release);
}

/// The owner word of lane `id`, if it names a dead process. `None`: its owner lives, or it has none.
pub(crate) fn dead_owner(space: &Space, me: Identity, id: u32) -> Result<Option<u64>> {
    let owner = Actor::new(space, me, id)?.lane.owner.load(Ordering::Acquire);
    match LaneState::of(owner) {
        LaneState::Free => return Ok(None),
        LaneState::Damaged => return Err(Error::corrupt(u64::from(id), "a lane is marked as damaged")),
        _ => {}
    }
    let dead = is_dead(space, Some(me), pack::owner_slot(owner), pack::owner_incarnation(owner))?;
    Ok(dead.then_some(owner))
}

/// Tries to take over lane `id`, whose owner word was seen to name a dead process (which it does for ever). `None`:
/// another was faster.
///
/// # Crash
/// The lane then belongs to a dead adopter, and is adopted in its turn.
pub(crate) fn adopt<'a>(space: &'a Space, me: Identity, id: u32, owner: u64) -> Result<Option<Actor<'a>>> {
    let actor = Actor::new(space, me, id)?;
    // Expecting the whole word, incarnation included: a late recoverer cannot rob the lane's next owner.
    let state = if LaneState::of(owner) == LaneState::Salvage { LaneState::Salvage } else { LaneState::Recovering };
    let ours = pack::owner(me.slot, me.incarnation, state as u64);
    crash_point!("adopt: found dead");
    let expected = if is_variant!(AdoptsAnyone) { actor.lane.owner.peek() } else { owner };
    let won = actor.lane.owner.compare_exchange(expected, ours, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    crash_point!("adopt: owner word taken");
    Ok(won.then_some(actor))
}
