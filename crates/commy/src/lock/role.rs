//! Roles: the right to be the only one at an end of a channel. A role is a word of its own beside the object's, had by one
//! read-modify-write and given back by a store, and may be kept for long.
//!
//! Invariant L4: a role's word leaves 0 by its new owner's own step alone. It comes back to 0 by that owner; or, if that
//! owner is dead, under the object's word, whose last holder has been settled by then. So nobody has a role of an object
//! that somebody's commit has removed.
//!
//! The word names process and thread by itself, and not through the thread's lane: that is settled and serves somebody
//! else long before anybody needs the role.

use crate::sys::atomic::Ordering;
use std::time::Duration;

use super::pauses::Pauses;
use super::wait::{Waiting, nobody_has_just_probed};
use super::word::{holder, lock_class};
use crate::crash::crash_point;
use crate::process::{Actor, SlotState, is_dead};
use crate::region::Space;
use crate::region::layout::*;
use crate::sys::Instant;
use crate::{Error, Result, sys};

/// Processor hints before the first sleep: who has a role for a call has it for some 50 ns.
const HINTS: u32 = 200;

/// How long a call may wait: for ever, not at all, or so long. A clock is read only by who must wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Endless,
    None,
    Limited(Duration),
}

/// The wait of a call.
pub(crate) struct Limit {
    patience: Patience,
    started: Option<Instant>,
}

impl Limit {
    pub(crate) const fn of(patience: Patience) -> Limit {
        Limit { patience, started: None }
    }

    pub(crate) fn is_at_once(&self) -> bool {
        matches!(self.patience, Patience::None | Patience::Limited(Duration::ZERO))
    }

    /// What is left of it.
    pub(crate) fn left(&mut self) -> Duration {
        match self.patience {
            Patience::Endless => Duration::MAX,
            Patience::None => Duration::ZERO,
            Patience::Limited(whole) => whole.saturating_sub(self.started.get_or_insert_with(Instant::now).elapsed()),
        }
    }

    /// How long another wait of the same call may be.
    pub(crate) fn rest(&mut self) -> Patience {
        match self.patience {
            // Less than nothing would not be waited for at all.
            Patience::Limited(_) => Patience::Limited(self.left().max(Duration::from_nanos(1))),
            other => other,
        }
    }
}

/// The word of a role that this thread has, for a call or to keep.
#[inline(always)]
pub(crate) fn role_of(actor: &Actor, kept: bool) -> u64 {
    pack::role(actor.id, actor.me.slot, actor.me.incarnation, kept)
}

/// Do two words name the same thread?
pub(crate) fn is_same_thread(one: u64, other: u64) -> bool {
    const KEPT: u64 = 1 << 32;
    one & !KEPT == other & !KEPT
}

/// Takes a role that is free.
#[inline(always)]
pub(crate) fn try_take_role(role: &RoleWords, mine: u64) -> bool {
    role.owner.compare_exchange(0, mine, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

/// Lets a role go, and wakes who wants it. The look at that may come before the store is visible: who sleeps then looks
/// again soon, because it looks at the owner's life anyway.
#[inline(always)]
pub(crate) fn release_role(role: &RoleWords) {
    role.owner.put(0);
    crash_point!("role: free, nobody woken");
    if role.wanted.load(Ordering::Relaxed) != 0 {
        wake(role);
    }
}

/// Lets a role go that was taken of a channel which had been removed: its words may have become another channel's, which
/// has made the role free since.
#[cold]
pub(crate) fn withdraw_from_role(role: &RoleWords, mine: u64) {
    if role.owner.compare_exchange(mine, 0, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
        wake(role);
    }
}

#[cold]
fn wake(role: &RoleWords) {
    role.wanted.store(0, Ordering::SeqCst);
    role.turn.fetch_add(1, Ordering::SeqCst);
    sys::futex_wake(&role.turn, i32::MAX, lock_class::LOCK);
}

/// Is the process dead that a role's word names?
pub(crate) fn is_dead_owner(actor: &Actor, owner: u64) -> Result<bool> {
    let slot = pack::role_slot(owner);
    if slot >= actor.space.geometry.slot_count {
        return Err(Error::corrupt(actor.space.offset_of(actor.lane), "a role names no process"));
    }
    let (_, incarnation) = SlotState::of(actor.space.slot(slot).state.load(Ordering::Acquire));
    if incarnation & pack::ROLE_INCARNATION != pack::role_incarnation(owner) {
        // The slot has served another process since.
        return Ok(true);
    }
    is_dead(actor.space, Some(actor.me), slot, incarnation)
}

#[cold]
fn timeout(space: &Space, owner: u64, waited: Duration) -> Error {
    Error::Timeout { holder: Box::new(holder(space, pack::role_lock_id(owner))), waited }
}

/// Takes a role, sleeping as long as it must; `Some`: its owner, whom this names, is dead. `still` says whether there is
/// anything left to wait for.
///
/// # Errors
/// `Timeout` at the limit, after the time-out for locks, or at once if the limit is that and somebody keeps the role;
/// `Deadlock` if this thread has it.
#[cold]
pub(crate) fn take_role(
    actor: &Actor,
    role: &RoleWords,
    mine: u64,
    limit: &mut Limit,
    still: impl Fn() -> Result<()>,
) -> Result<Option<u64>> {
    let (mut waiting, mut pauses) = (Waiting::new(), Pauses::new(HINTS));
    loop {
        let seen = role.owner.load(Ordering::SeqCst);
        if seen == 0 {
            if try_take_role(role, mine) {
                return Ok(None);
            }
            continue;
        }
        still()?;
        // (The words of a channel that is gone may name this thread, if that has removed it.)
        if is_same_thread(seen, mine) {
            return Err(Error::Deadlock);
        }
        let at_once = limit.is_at_once() && pack::role_is_kept(seen);
        if !at_once && pauses.pause() {
            continue;
        }
        let due =
            waiting.is_due().is_some_and(|pause| nobody_has_just_probed(actor.space, pack::role_slot(seen), pause));
        if (at_once || due) && is_dead_owner(actor, seen)? {
            return Ok(Some(seen));
        }
        let (waited, left) = (waiting.elapsed(), limit.left());
        let over = left.is_zero() && !limit.is_at_once();
        if at_once || over || waited >= actor.me.timeout {
            return Err(timeout(actor.space, seen, waited));
        }
        let turn = role.turn.load(Ordering::SeqCst);
        role.wanted.store(1, Ordering::SeqCst);
        crash_point!("role: wanted");
        if role.owner.load(Ordering::SeqCst) == seen {
            let length = waiting.pause().min(actor.me.timeout - waited);
            let length = if limit.is_at_once() { length } else { length.min(left) };
            sys::futex_wait(&role.turn, turn, lock_class::LOCK, Some(length));
        }
    }
}
