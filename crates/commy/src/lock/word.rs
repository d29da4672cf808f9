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
/// Who does not wait already may not take a word with one of these.
const CLAIMS: u32 = RESERVED | READERS;
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

/// Takes the word if it is free and not claimed. A claim that is made between the look and the taking does not count yet:
/// it is as if the word had been taken before it.
#[inline(always)]
pub(crate) fn try_lock(word: &AtomicU32, lock_id: u32) -> bool {
    take_unless(word, lock_id, if is_variant!(IgnoresClaims) { 0 } else { CLAIMS })
}

/// Takes the word if it is free, whoever claims it: for words of which there are many, so that nobody depends on one. A
/// claim outlives who made it until somebody else waits for the word, and for these nobody might ever do.
#[inline(always)]
pub(crate) fn try_lock_past_claims(word: &AtomicU32, lock_id: u32) -> bool {
    take_unless(word, lock_id, 0)
}

/// Takes the word if it is free and has none of the flags.
///
/// On x86-64 a read-modify-write of the very half that `release` stores: where the last store to the word is narrower, a
/// processor cannot begin before that store is in the cache (3.3 ns more for a lock and its release on a Zen 4).
#[cfg(all(target_arch = "x86_64", not(miri), not(loom)))]
#[inline(always)]
fn take_unless(word: &AtomicU32, lock_id: u32, flags: u32) -> bool {
    if flags != 0 && half_of::<2>(word) << 16 & flags != 0 {
        return false;
    }
    let before: u16;
    // SAFETY: as in `clear_owner`. Locked instructions of different sizes on one line come one after the other, and each is
    // a full barrier; not `nomem`, so the compiler keeps all accesses on their side.
    unsafe {
        std::arch::asm!(
            "lock cmpxchg word ptr [{word}], {id:x}",
            word = in(reg) word.as_ptr(), id = in(reg) lock_id, inout("ax") 0u16 => before,
            options(nostack)
        );
    }
    before == 0
}

#[cfg(any(not(target_arch = "x86_64"), miri, loom))]
#[inline(always)]
fn take_unless(word: &AtomicU32, lock_id: u32, flags: u32) -> bool {
    let mut seen = word.load(Ordering::Relaxed);
    if seen & flags != 0 {
        return false;
    }
    // As there: only the owner's half decides from here on.
    while seen & OWNER == 0 {
        match word.compare_exchange(seen, seen | lock_id, Ordering::SeqCst, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(now) => seen = now,
        }
    }
    false
}

/// Lets the word go and wakes who waits for it; the bits besides the owner.
///
/// On x86-64 the owner's half of the word is cleared by a plain store: half the price of a read-modify-write, and the
/// flags in the other half survive. The flags are looked at after the store but possibly before others see it, so a
/// waiter that sets its bit at that very moment is not woken; it finds the word free when the kernel compares it, or at
/// its next look some 150 us later. Who waits for a *change* must therefore not sleep while the word has an owner.
#[inline(always)]
pub(crate) fn release(word: &AtomicU32, lock_id: u32) -> u32 {
    try_release(word, lock_id).map_or_else(|flags| wake(word, flags), |()| 0)
}

/// Lets the word go. `Err`: the bits besides the owner, if any are set, for [`wake`].
#[inline(always)]
pub(crate) fn try_release(word: &AtomicU32, lock_id: u32) -> std::result::Result<(), Flags> {
    match clear_owner(word, lock_id) {
        0 => Ok(()),
        half => Err(Flags { half }),
    }
}

/// What a word was let go with.
#[derive(Clone, Copy)]
pub(crate) struct Flags {
    half: u32,
}

/// Clears the owner's half of the word; the other half.
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
    flags
}

/// Clears the owner's half of the word; the other half.
#[cfg(any(not(target_arch = "x86_64"), miri, loom))]
#[inline(always)]
fn clear_owner(word: &AtomicU32, lock_id: u32) -> u32 {
    if is_variant!(EarlyLook) {
        // As by the plain store of x86-64, at its worst: the flags are read before anybody sees the word free.
        let flags = word.load(Ordering::Relaxed) >> 16;
        word.fetch_and(!OWNER, Ordering::Release);
        return flags;
    }
    word.fetch_sub(lock_id, Ordering::SeqCst) >> 16
}

/// The owner in the word. A load of the very half that `release` stores: a wider one would have to wait until the store
/// is in the cache.
#[cfg(all(target_arch = "x86_64", not(miri), not(loom)))]
#[inline(always)]
pub(crate) fn owner_of(word: &AtomicU32) -> u32 {
    half_of::<0>(word)
}

#[cfg(any(not(target_arch = "x86_64"), miri, loom))]
#[inline(always)]
pub(crate) fn owner_of(word: &AtomicU32) -> u32 {
    word.load(Ordering::Relaxed) & OWNER
}

/// The half of a word at byte `AT` of it.
#[cfg(all(target_arch = "x86_64", not(miri), not(loom)))]
#[inline(always)]
fn half_of<const AT: usize>(word: &AtomicU32) -> u32 {
    let half: u32;
    // SAFETY: as in `clear_owner`.
    unsafe {
        std::arch::asm!(
            "movzx {half:e}, word ptr [{word} + {at}]",
            word = in(reg) word.as_ptr(), half = out(reg) half, at = const AT,
            options(nostack, preserves_flags, readonly)
        );
    }
    half
}

/// Wakes those who wait for the word, which was let go with these bits; the bits.
#[cold]
pub(crate) fn wake(word: &AtomicU32, flags: Flags) -> u32 {
    let before = flags.half << 16;
    crash_point!("release: word free, nobody woken");
    if before & WAITERS == 0 || is_variant!(WakesNobody) {
        return before;
    }
    if before & CLAIMS != 0 && !is_variant!(ClearsForAll) {
        // Those who may come wake up; the bit stays for the others, whom the last of these lets in.
        sys::futex_wake(word, i32::MAX, lock_class::AGED);
        return before;
    }
    // Whoever sleeps on and is not woken here sets the bit again when the woken one takes the word.
    word.fetch_and(!WAITERS, Ordering::SeqCst);
    match before & CLAIMS {
        0 => sys::futex_wake(word, 1, lock_class::LOCK | lock_class::AGED),
        _ => sys::futex_wake(word, i32::MAX, lock_class::AGED),
    };
    before
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
