//! What a handle remembers of its vector.

use crate::sys::atomic::AtomicPtr;

use super::place::Place;
use super::remembered::Remembered;

/// Where the slots are, and how many of them are live.
pub(crate) struct BodyCache(Remembered<1, 1>);

impl BodyCache {
    pub(crate) const fn new() -> BodyCache {
        BodyCache(Remembered::nothing([AtomicPtr::new(std::ptr::dangling_mut())]))
    }

    /// What `current` finds to be the object's version, with the place of slot `index` as it was under it; `None`: it is not
    /// remembered, or there is none. The caller looks at the object's version once more before it trusts what is there.
    #[inline(always)]
    pub(crate) fn place<A>(
        &self,
        slot_size: u64,
        index: u64,
        current: impl FnOnce() -> A,
        version_of: impl FnOnce(&A) -> u64,
    ) -> Option<(A, Place)> {
        let (attempt, [first], [len]) = self.0.get(current, version_of)?;
        // PL: `first` and `len` are of one version (VC), under which all slots were resolved.
        (index < len).then(|| (attempt, Place::fresh(first.wrapping_add((index * slot_size) as usize))))
    }

    /// Is it worth to install this version? Not at the first miss: a vector that changes all the time is not cached.
    #[inline(always)]
    pub(crate) fn is_missed_again(&self, version: u64) -> bool {
        self.0.is_missed_again(version)
    }

    /// Keeps what `read` finds: a version, the first slot and their number, all seen under that version and resolved.
    #[cold]
    pub(crate) fn install(&self, read: impl FnOnce() -> Option<(u64, *mut u8, u64)>) {
        self.0.install(|| {
            let (version, first, len) = read()?;
            Some((version, [first], [len]))
        });
    }
}
