//! The lock word: {spare:8 | DRAIN | RESERVED | CHANGE | WAITERS | lane + 1:20}, a futex.
//! Invariant L1: only the lane that the word names subtracts itself; all other bits are set and cleared one by one, so
//! none is lost at a release.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::{Actor, slot_name};
use crate::region::Space;
use crate::region::layout::*;
use crate::{crash::crash_point, error::Holder, sys};

pub(crate) const OWNER: u32 = (1 << 20) - 1;
/// Somebody sleeps until the word is free.
pub(crate) const WAITERS: u32 = 1 << 20;
/// Somebody sleeps until the object changes.
pub(crate) const CHANGE: u32 = 1 << 21;
/// Only those who have waited long may take the word next.
pub(crate) const RESERVED: u32 = 1 << 22;
/// The owner sleeps until readers have gone.
pub(crate) const DRAIN: u32 = 1 << 23;

/// Futex classes, so that a wake for one kind of waiter never goes to another.
pub(crate) mod lock_class {
    pub(crate) const LOCK: u32 = 1;
    /// Those for whom the word is reserved.
    pub(crate) const AGED: u32 = 8;
    pub(crate) const DRAIN: u32 = 2;
}
/// The class of those who wait for a change (on `ObjectHeader::change`).
pub(crate) mod change_class {
    pub(crate) const CHANGE: u32 = 4;
}

/// Takes the word if it is free and not reserved.
#[inline(always)]
pub(crate) fn try_lock(word: &AtomicU32, lock_id: u32) -> bool {
    let seen = word.load(Ordering::Relaxed);
    seen & (OWNER | RESERVED) == 0
        && word.compare_exchange(seen, seen | lock_id, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

/// Lets the word go and wakes who waits for it; the word as it was.
#[inline(always)]
pub(crate) fn release(word: &AtomicU32, lock_id: u32) -> u32 {
    let before = word.fetch_sub(lock_id, Ordering::SeqCst);
    if before & !OWNER != 0 {
        wake(word, before);
    }
    before
}

#[cold]
fn wake(word: &AtomicU32, before: u32) {
    crash_point!("release: word free, nobody woken");
    if before & WAITERS != 0 {
        // Whoever sleeps on and is not woken here sets the bit again when the woken one takes the word.
        word.fetch_and(!WAITERS, Ordering::SeqCst);
        match before & RESERVED {
            0 => sys::futex_wake(word, 1, lock_class::LOCK | lock_class::AGED),
            _ => sys::futex_wake(word, i32::MAX, lock_class::AGED),
        };
    }
}

/// Who holds the word that names `lock_id`, in words.
#[cold]
pub(crate) fn holder(space: &Space, lock_id: u32) -> Holder {
    let unknown = Holder { pid: 0, thread: 0, name: "unknown".into() };
    let Some(lane) = lock_id.checked_sub(1).and_then(|id| space.lane(id)) else { return unknown };
    let owner = lane.owner.load(Ordering::Acquire);
    let slot = pack::owner_slot(owner);
    if slot >= space.geometry.slot_count {
        return unknown;
    }
    let slot = space.slot(slot);
    Holder { pid: slot.pid.peek() as u32, thread: lane.thread_id.peek() as u32, name: slot_name(slot) }
}

impl Actor<'_> {
    /// Does the word name this lane?
    #[inline(always)]
    pub(crate) fn holds(&self, word: &AtomicU32) -> bool {
        word.load(Ordering::Relaxed) & OWNER == self.lock_id()
    }
}
