//! What a handle remembers of its table: addresses that were read and checked once serve until something is written.
//!
//! Look-ups in a large table wait for memory, and a processor has the more of them under way at once the fewer
//! instructions each has. With the cache, one comparison of versions stands for all checks of the header.
//!
//! Invariant VC: while `version` is even, the other words were all seen under that version of the object, whose
//! generation was the handle's. They change under `installing` only, and only to what a later version says: a reader who
//! looks at the object's version after them, and has seen some of them of another version, sees that it has moved, too.

use crate::sys::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};

use super::table::{EMPTY, TABLE_GROUP, TableView};

/// The version of no object: it is odd, and no count gets there. A damaged file may have it all the same.
const NOTHING: u64 = u64::MAX;

/// What a look-up finds before anything was remembered: a table without a key.
static NO_KEYS: Row = Row([EMPTY; TABLE_GROUP as usize]);

#[repr(align(16))]
struct Row([u8; TABLE_GROUP as usize]);

/// See the module.
pub(crate) struct ViewCache {
    version: AtomicU64,
    data: AtomicPtr<u8>,
    slots: AtomicPtr<u8>,
    mask: AtomicU64,
    seed: AtomicU64,
    /// Offset of `data`.
    offset: AtomicU64,
    /// The version that was asked for last and not there.
    missed: AtomicU64,
    installing: AtomicBool,
}

impl ViewCache {
    pub(crate) const fn new() -> ViewCache {
        ViewCache {
            version: AtomicU64::new(NOTHING),
            // Only read: a look-up writes nothing, and finds no slot here to hand out.
            data: AtomicPtr::new(NO_KEYS.0.as_ptr().cast_mut()),
            slots: AtomicPtr::new(std::ptr::dangling_mut()),
            mask: AtomicU64::new(0),
            seed: AtomicU64::new(0),
            offset: AtomicU64::new(0),
            missed: AtomicU64::new(NOTHING),
            installing: AtomicBool::new(false),
        }
    }

    /// What `current` finds to be the object's version, with the table and its seed as they were under it; `None`: they are
    /// not remembered. The caller looks at the object's version once more before it trusts what it found with them.
    #[inline(always)]
    pub(crate) fn get<A>(
        &self,
        slot_size: u64,
        current: impl FnOnce() -> A,
        version_of: impl FnOnce(&A) -> u64,
    ) -> Option<(A, TableView, u64)> {
        let version = self.version.load(Ordering::Acquire);
        let (view, seed) = (self.guess(slot_size), self.seed.load(Ordering::Relaxed));
        // Pairs with the fence in `install`: if a word is of a later version, the object is seen to have that one, too.
        fence(Ordering::Acquire);
        let attempt = current();
        (version_of(&attempt) == version).then_some((attempt, view, seed))
    }

    /// The table as it was at some time; parts of it perhaps as at another.
    #[inline(always)]
    fn guess(&self, slot_size: u64) -> TableView {
        let (data, slots) = (self.data.load(Ordering::Relaxed), self.slots.load(Ordering::Relaxed));
        TableView::from_parts(data, slots, self.mask.load(Ordering::Relaxed), slot_size)
    }

    /// Asks memory for what a key's look-up will touch. A hint, good or not; touches nothing itself.
    #[inline(always)]
    pub(crate) fn prefetch(&self, slot_size: u64, hash: impl FnOnce(u64) -> u64) {
        self.guess(slot_size).prefetch(hash(self.seed.load(Ordering::Relaxed)));
    }

    /// Is this the table's place, as far as the cache knows?
    #[inline(always)]
    pub(crate) fn is_of(&self, offset: u64) -> bool {
        self.offset.load(Ordering::Relaxed) == offset
    }

    /// Is it worth to install this version? Not at the first miss: a table that changes all the time is not cached.
    #[inline(always)]
    pub(crate) fn is_missed_again(&self, version: u64) -> bool {
        self.missed.load(Ordering::Relaxed) == version || {
            self.missed.store(version, Ordering::Relaxed);
            false
        }
    }

    /// Keeps what `read` finds: the version, offset and view of a table and its seed, all seen under that version.
    #[cold]
    pub(crate) fn install(&self, read: impl FnOnce() -> Option<(u64, u64, TableView, u64)>) {
        if self.installing.swap(true, Ordering::Acquire) {
            return;
        }
        if let Some((version, offset, view, seed)) = read() {
            self.version.store(NOTHING, Ordering::Relaxed);
            // Pairs with the fence in `get` (VC).
            fence(Ordering::Release);
            let (data, slots, mask) = view.parts();
            self.data.store(data, Ordering::Relaxed);
            self.slots.store(slots, Ordering::Relaxed);
            self.mask.store(mask, Ordering::Relaxed);
            self.seed.store(seed, Ordering::Relaxed);
            self.offset.store(offset, Ordering::Relaxed);
            self.version.store(version, Ordering::Release);
        }
        self.installing.store(false, Ordering::Release);
    }
}
