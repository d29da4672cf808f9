//! What a handle remembers of its table.

use crate::sys::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::remembered::Remembered;
use super::table::{EMPTY, TABLE_GROUP, TableView};

/// What a look-up finds before anything was remembered: a table without a key.
static NO_KEYS: Row = Row([EMPTY; TABLE_GROUP as usize]);

#[repr(align(16))]
struct Row([u8; TABLE_GROUP as usize]);

/// See the module.
pub(crate) struct ViewCache {
    /// Where groups and slots are; mask and seed.
    table: Remembered<2, 2>,
    /// The table's offset. A hint by itself, not among what each look-up loads.
    offset: AtomicU64,
}

impl ViewCache {
    pub(crate) const fn new() -> ViewCache {
        // Only read: a look-up writes nothing, and finds no slot here to hand out.
        let no_keys = NO_KEYS.0.as_ptr().cast_mut();
        let places = [AtomicPtr::new(no_keys), AtomicPtr::new(std::ptr::dangling_mut())];
        ViewCache { table: Remembered::nothing(places), offset: AtomicU64::new(0) }
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
        let (attempt, [data, slots], [mask, seed]) = self.table.get(current, version_of)?;
        Some((attempt, TableView::from_parts(data, slots, mask, slot_size), seed))
    }

    /// Asks memory for what a key's look-up will touch. A hint, good or not; touches nothing itself.
    #[inline(always)]
    pub(crate) fn prefetch(&self, slot_size: u64, hash: impl FnOnce(u64) -> u64) {
        let ([data, slots], [mask, seed]) = self.table.guess();
        TableView::from_parts(data, slots, mask, slot_size).prefetch(hash(seed));
    }

    /// Is this the table's place, as far as the cache knows?
    #[inline(always)]
    pub(crate) fn is_of(&self, offset: u64) -> bool {
        self.offset.load(Ordering::Relaxed) == offset
    }

    /// Is it worth to install this version? Not at the first miss: a table that changes all the time is not cached.
    #[inline(always)]
    pub(crate) fn is_missed_again(&self, version: u64) -> bool {
        self.table.is_missed_again(version)
    }

    /// Keeps what `read` finds: the version, offset and view of a table and its seed, all seen under that version.
    #[cold]
    pub(crate) fn install(&self, read: impl FnOnce() -> Option<(u64, u64, TableView, u64)>) {
        self.table.install(|| {
            let (version, offset, view, seed) = read()?;
            let (data, slots, mask) = view.parts();
            self.offset.store(offset, Ordering::Relaxed);
            Some((version, [data, slots], [mask, seed]))
        });
    }
}
