//! The lock word: {readers:12 | DRAIN | RESERVED | CHANGE | WAITERS | lane + 1:16}, a futex.
//! Invariant L1: only the lane that the word names takes its name out, and touches no other bit with it; those are set
//! and cleared one by one, so none is lost at a release.

use crate::sys::atomic::{AtomicU32, Ordering};

use crate::crash::{crash_point, is_variant};
use crate::process::{Actor, slot_name};
use crate::region::Space;
use crate::region::layout::*;
use crate::{error::Holder, sys};

pub(crate) const OWNER: u32 = (1 << 16) - 1;
/// Somebody sleeps until the word is free.
pub(crate) const WAITERS: u32 = 1 << 16;
/// Somebody sleeps until the object changes.
pub(crate) const CHANGE: u32 = 1 << 17;
/// Only those who have waited long may take the word next.
pub(crate) const RESERVED: u32 = 1 << 18;
/// Number of those who sleep until they may publish a read; nobody newer than they takes the word before them.
pub(crate) const READERS: u32 = !0 << 20;
pub(crate) const ONE_READER: u32 = 1 << 20;
/// The owner sleeps until readers have gone.
pub(crate) const DRAIN: u32 = 1 << 19;

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

/// Takes the word if it is free and not reserved. Usually it is 0: asking for that first saves waiting for a look at
/// the half that the last release has just written.
#[inline(always)]
pub(crate) fn try_lock(word: &AtomicU32, lock_id: u32) -> bool {
    match word.compare_exchange(0, lock_id, Ordering::SeqCst, Ordering::Relaxed) {
        Ok(_) => true,
        Err(seen) => try_lock_flagged(word, lock_id, seen),
    }
}

/// As `try_lock`, keeping the flags in the word.
#[cold]
fn try_lock_flagged(word: &AtomicU32, lock_id: u32, seen: u32) -> bool {
    let claims = if is_variant!(IgnoresClaims) { 0 } else { RESERVED | READERS };
    seen & (OWNER | claims) == 0
        && word.compare_exchange(seen, seen | lock_id, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

/// Lets the word go and wakes who waits for it; the bits besides the owner.
///
/// On x86-64 the owner's half of the word is cleared by a plain store: half the price of a read-modify-write, and the
/// flags in the other half survive. The flags are looked at after the store but possibly before others see it, so a
/// waiter that sets its bit at that very moment is not woken; it finds the word free when the kernel compares it, or at
/// its next look some 150 us later. Who waits for a *change* must therefore not sleep while the word has an owner.
#[inline(always)]
pub(crate) fn release(word: &AtomicU32, lock_id: u32) -> u32 {
    let flags = clear_owner(word, lock_id);
    if flags != 0 {
        wake(word, flags);
    }
    flags
}

#[cfg(all(target_arch = "x86_64", not(miri), not(loom)))]
#[inline(always)]
fn clear_owner(word: &AtomicU32, _lock_id: u32) -> u32 {
    let flags: u32;
    // SAFETY: both halves belong to the word. Accesses of different sizes to one atomic are outside of the language's
    // model, so the compiler does not get to see them; x86-64 keeps stores in order and halves apart.
    unsafe {
        std::arch::asm!(
            "mov word ptr [{word}], 0",
            "movzx {flags:e}, word ptr [{word} + 2]",
            word = in(reg) word.as_ptr(), flags = out(reg) flags,
            options(nostack, preserves_flags)
        );
    }
    flags << 16
}

#[cfg(any(not(target_arch = "x86_64"), miri, loom))]
#[inline(always)]
fn clear_owner(word: &AtomicU32, lock_id: u32) -> u32 {
    if is_variant!(EarlyLook) {
        // As by the plain store of x86-64, at its worst: the flags are read before anybody sees the word free.
        let flags = word.load(Ordering::Relaxed) & !OWNER;
        word.fetch_and(!OWNER, Ordering::Release);
        return flags;
    }
    word.fetch_sub(lock_id, Ordering::SeqCst) & !OWNER
}

/// The owner in the word. A load of the very half that `release` stores: a wider one would have to wait until the store
/// is in the cache.
#[cfg(all(target_arch = "x86_64", not(miri), not(loom)))]
#[inline(always)]
pub(crate) fn owner_of(word: &AtomicU32) -> u32 {
    let owner: u32;
    // SAFETY: as in `clear_owner`.
    unsafe {
        std::arch::asm!(
            "movzx {owner:e}, word ptr [{word}]",
            word = in(reg) word.as_ptr(), owner = out(reg) owner,
            options(nostack, preserves_flags, readonly)
        );
    }
    owner
}

#[cfg(any(not(target_arch = "x86_64"), miri, loom))]
#[inline(always)]
pub(crate) fn owner_of(word: &AtomicU32) -> u32 {
    word.load(Ordering::Relaxed) & OWNER
}

#[cold]
fn wake(word: &AtomicU32, before: u32) {
    crash_point!("release: word free, nobody woken");
    if before & WAITERS == 0 || is_variant!(WakesNobody) {
        return;
    }
    if before & (RESERVED | READERS) != 0 && !is_variant!(ClearsForAll) {
        // Those who may come wake up; the bit stays for the others, whom the last of these lets in.
        sys::futex_wake(word, i32::MAX, lock_class::AGED);
        return;
    }
    // Whoever sleeps on and is not woken here sets the bit again when the woken one takes the word.
    word.fetch_and(!WAITERS, Ordering::SeqCst);
    match before & (RESERVED | READERS) {
        0 => sys::futex_wake(word, 1, lock_class::LOCK | lock_class::AGED),
        _ => sys::futex_wake(word, i32::MAX, lock_class::AGED),
    };
}

/// Who holds the word that names `lock_id`, in words.
#[cold]
pub(crate) fn holder(space: &Space, lock_id: u32) -> Holder {
    let unknown = Holder { pid: 0, thread: 0, name: "one after the other".into(), dead: false };
    let Some(lane) = lock_id.checked_sub(1).and_then(|id| space.lane(id)) else { return unknown };
    let owner = lane.owner.load(Ordering::Acquire);
    let slot = pack::owner_slot(owner);
    if slot >= space.geometry.slot_count {
        return unknown;
    }
    let slot = space.slot(slot);
    Holder { pid: slot.pid.peek() as u32, thread: lane.thread_id.peek() as u32, name: slot_name(slot), dead: false }
}

impl Actor<'_> {
    /// Does the word name this lane?
    #[inline(always)]
    pub(crate) fn holds(&self, word: &AtomicU32) -> bool {
        owner_of(word) == self.lock_id()
    }
}
