//! What a handle remembers of its object: addresses and numbers that were read and checked once serve until something is
//! written.
//!
//! Look-ups in much memory wait for it, and a processor has the more of them under way at once the fewer instructions each
//! has. One comparison of versions stands for all checks of the header.
//!
//! Invariant VC: while `version` is even, the other words were all seen under that version of the object, whose
//! generation was the handle's. They change under `installing` only, and only to what a later version says: a reader who
//! looks at the object's version after them, and has seen some of them of another version, sees that it has moved, too.

use crate::sys::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};

/// The version of no object: it is odd, and no count gets there. A damaged file may have it all the same.
const NOTHING: u64 = u64::MAX;

/// So many addresses and numbers of one version.
pub(super) struct Remembered<const ADDRESSES: usize, const NUMBERS: usize> {
    version: AtomicU64,
    addresses: [AtomicPtr<u8>; ADDRESSES],
    numbers: [AtomicU64; NUMBERS],
    /// The version that was asked for last and not there.
    missed: AtomicU64,
    installing: AtomicBool,
}

impl<const ADDRESSES: usize, const NUMBERS: usize> Remembered<ADDRESSES, NUMBERS> {
    /// Of no version yet. A damaged object may have that version, so the addresses must be good to be read from.
    pub(super) const fn nothing(addresses: [AtomicPtr<u8>; ADDRESSES]) -> Self {
        Remembered {
            version: AtomicU64::new(NOTHING),
            addresses,
            numbers: [const { AtomicU64::new(0) }; NUMBERS],
            missed: AtomicU64::new(NOTHING),
            installing: AtomicBool::new(false),
        }
    }

    /// What `current` finds to be the object's version, with what was remembered of that version; `None`: nothing. The
    /// caller looks at the object's version once more before it trusts what it found with them.
    #[inline(always)]
    pub(super) fn get<A>(
        &self,
        current: impl FnOnce() -> A,
        version_of: impl FnOnce(&A) -> u64,
    ) -> Option<(A, [*mut u8; ADDRESSES], [u64; NUMBERS])> {
        let version = self.version.load(Ordering::Acquire);
        let (addresses, numbers) = self.guess();
        // Pairs with the fence in `install`: if a word is of a later version, the object is seen to have that one, too.
        fence(Ordering::Acquire);
        let attempt = current();
        (version_of(&attempt) == version).then_some((attempt, addresses, numbers))
    }

    /// What was so at some time; parts of it perhaps at another.
    #[inline(always)]
    pub(super) fn guess(&self) -> ([*mut u8; ADDRESSES], [u64; NUMBERS]) {
        let addresses = self.addresses.each_ref().map(|address| address.load(Ordering::Relaxed));
        (addresses, self.numbers.each_ref().map(|number| number.load(Ordering::Relaxed)))
    }

    /// Is it worth to install this version? Not at the first miss: what changes all the time is not remembered.
    #[inline(always)]
    pub(super) fn is_missed_again(&self, version: u64) -> bool {
        self.missed.load(Ordering::Relaxed) == version || {
            self.missed.store(version, Ordering::Relaxed);
            false
        }
    }

    /// Keeps what `read` finds: a version and what was seen under it.
    #[cold]
    pub(super) fn install(&self, read: impl FnOnce() -> Option<(u64, [*mut u8; ADDRESSES], [u64; NUMBERS])>) {
        if self.installing.swap(true, Ordering::Acquire) {
            return;
        }
        if let Some((version, addresses, numbers)) = read() {
            self.version.store(NOTHING, Ordering::Relaxed);
            // Pairs with the fence in `get` (VC).
            fence(Ordering::Release);
            self.addresses.iter().zip(addresses).for_each(|(place, address)| place.store(address, Ordering::Relaxed));
            self.numbers.iter().zip(numbers).for_each(|(place, number)| place.store(number, Ordering::Relaxed));
            self.version.store(version, Ordering::Release);
        }
        self.installing.store(false, Ordering::Release);
    }
}
