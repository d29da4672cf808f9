//! A process's view of a region's bytes, and growth.
//!
//! Invariant R1: an address handed out lies inside the mapping and before `committed_end`, and stays valid as long
//! as the `Space` lives (the mapping never moves, the file is never truncated).

use crate::sys::atomic::{AtomicU64, Ordering};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::layout::*;
use super::{Geometry, prefetch};
use crate::crash::crash_point;
#[cfg(loom)]
use crate::sys;
use crate::sys::{File, Leaver, Mapping};
use crate::{Error, Result};

/// Structures that consist of atomics alone, so that a shared reference to one is always sound.
///
/// # Safety
/// Implementors contain nothing but atomics and padding, and any bytes are a valid value.
pub(crate) unsafe trait Persisted {}
// SAFETY: atomics only, see `layout`.
unsafe impl Persisted for ObjectHeader {}
// SAFETY: as above.
unsafe impl Persisted for RawHeader {}
// SAFETY: as above.
unsafe impl Persisted for ChannelControl {}
// SAFETY: as above.
unsafe impl Persisted for AtomicU64 {}
// SAFETY: as above.
unsafe impl Persisted for crate::sys::atomic::AtomicU32 {}

/// A mapped region.
#[doc(hidden)]
pub struct Space {
    base: *mut u8,
    /// How many bytes from `heap_at` on are committed, as this process has checked it.
    reach: AtomicU64,
    pub(crate) geometry: Geometry,
    pub(crate) writable: bool,
    /// Up to where the pages of the heap have been asked for before anybody touches them.
    paged: AtomicU64,
    // In this order these are dropped.
    mapping: Mapping,
    file: Mutex<File>,
    _leaver: Leaver,
    path: PathBuf,
}

// SAFETY: R1; all access through `base` is by atomics or under the region's own locks.
unsafe impl Send for Space {}
// SAFETY: as above.
unsafe impl Sync for Space {}

/// At most this many bytes are committed in one step, so that no other process waits long for memory to be zeroed.
const MAX_STEP: u64 = 8 << 20;

impl Space {
    /// Wraps a mapped file whose header has been parsed into `geometry`.
    pub(crate) fn new(file: File, mapping: Mapping, geometry: Geometry, writable: bool, path: &Path) -> Result<Space> {
        let space = Space {
            base: mapping.base().as_ptr(),
            reach: AtomicU64::new(0),
            geometry,
            writable,
            paged: AtomicU64::new(geometry.heap_at),
            mapping,
            _leaver: Leaver::new(&file, path),
            file: Mutex::new(file),
            path: path.to_path_buf(),
        };
        space.refresh_end()?;
        // In this order: others raise `lanes_ready` first.
        let high = space.words().lanes_high.load(Ordering::Acquire);
        let ready = space.words().lanes_ready.load(Ordering::Acquire);
        if ready == 0 || ready > u64::from(geometry.lane_count) || high > ready {
            return Err(Error::corrupt(HEADER_WORDS_AT, "the number of lanes is out of range"));
        }
        Ok(space)
    }

    /// The file's name as it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `f` with the data file, reopened first if somebody closed our descriptor behind our back.
    pub(crate) fn with_file<R>(&self, f: impl FnOnce(&File) -> std::io::Result<R>) -> Result<R> {
        let mut file = self.file.lock().unwrap_or_else(|poison| poison.into_inner());
        if !file.still_same() {
            let fresh = File::open(&self.path, self.writable).map_err(|source| Error::io(&self.path, source))?;
            if fresh.identity() != file.identity() {
                return Err(Error::Unsupported {
                    path: self.path.clone(),
                    reason: "its descriptor was closed by somebody and the path names another file now".into(),
                });
            }
            *file = fresh;
        }
        #[cfg(loom)]
        if sys::model::is_running() {
            // Its threads take turns on one thread of the system, which must not meet its own mutex.
            let kept: *const File = &raw const *file;
            drop(file);
            // SAFETY: no model replaces the file, which stays where it is as long as the space.
            return f(unsafe { &*kept }).map_err(|source| Error::io(&self.path, source));
        }
        f(&file).map_err(|source| Error::io(&self.path, source))
    }

    /// The mutex around the data file, for the fork hooks.
    pub(crate) fn file_mutex(&self) -> &Mutex<File> {
        &self.file
    }

    /// Checks the shared `committed_end` against the geometry and the file, and adopts it.
    #[cold]
    fn refresh_end(&self) -> Result<u64> {
        let end = self.words().committed_end.load(Ordering::Acquire);
        if end.wrapping_sub(self.geometry.heap_at) == self.reach.load(Ordering::Relaxed) {
            return Ok(end);
        }
        if end < self.geometry.heap_at || end > self.geometry.end() || !end.is_multiple_of(PAGE) {
            return Err(Error::corrupt(HEADER_WORDS_AT, "committed_end is out of range"));
        }
        if self.with_file(|file| file.metadata())?.len < end {
            return Err(Error::corrupt(HEADER_WORDS_AT, "the file is shorter than committed_end"));
        }
        self.with_file(|file| self.mapping.ensure(file, end))?;
        self.reach.fetch_max(end - self.geometry.heap_at, Ordering::Release);
        if !self.writable && self.paged.load(Ordering::Relaxed) > self.geometry.heap_at {
            // Nobody does it later: who only reads has no background thread, and no lock that others wait for.
            self.page_ahead_to(end);
        }
        Ok(end)
    }

    /// Does to all that is committed, and was not yet when this was last called, what the region's opener asked for: brings
    /// it into this process's page tables, has it made of huge pages.
    pub(crate) fn page_ahead(&self) {
        if self.mapping.pages_ahead()
            && let Ok(end) = self.refresh_end()
        {
            self.page_ahead_to(end);
        }
    }

    fn page_ahead_to(&self, end: u64) {
        let start = self.paged.load(Ordering::Relaxed);
        if start >= end || !self.mapping.pages_ahead() {
            return;
        }
        let entry = |at: u64| self.page_map_entry((at - self.geometry.heap_at) / PAGE);
        let lanes = self.words().lanes_ready.load(Ordering::Acquire).min(u64::from(self.geometry.lane_count));
        self.mapping.page_ahead(0, 0, self.geometry.lanes_at + lanes * size_of::<Lane>() as u64);
        self.mapping.page_ahead(self.geometry.page_map_at, entry(start), entry(end));
        self.mapping.page_ahead(self.geometry.heap_at, start, end);
        self.paged.fetch_max(end, Ordering::Relaxed);
    }

    /// In a forked child: its page tables are its own.
    pub(crate) fn page_anew(&self) {
        self.paged.store(self.geometry.heap_at, Ordering::Relaxed);
    }

    /// Asks memory for the line at `offset`, which may be anything.
    #[inline(always)]
    pub(crate) fn prefetch(&self, offset: u64) {
        prefetch(self.base.wrapping_add(offset as usize));
    }

    /// The address of `len` bytes at `offset` inside the heap.
    ///
    /// # Errors
    /// `Corrupt` if they do not lie inside the committed heap.
    #[inline(always)]
    pub(crate) fn resolve(&self, offset: u64, len: u64) -> Result<*mut u8> {
        match self.resolve_known(offset, len) {
            Some(address) => Ok(address),
            None => self.resolve_grown(offset, len),
        }
    }

    /// As [`resolve`](Self::resolve), but knows only what this process has seen committed so far.
    #[inline(always)]
    pub(crate) fn resolve_known(&self, offset: u64, len: u64) -> Option<*mut u8> {
        // Of an offset before the heap this is more than any reach, or the end has no number.
        let end = offset.wrapping_sub(self.geometry.heap_at).checked_add(len)?;
        // SAFETY: R1, the range is checked first.
        (end <= self.reach.load(Ordering::Relaxed)).then(|| unsafe { self.base.add(offset as usize) })
    }

    #[cold]
    fn resolve_grown(&self, offset: u64, len: u64) -> Result<*mut u8> {
        let end = self.refresh_end()?;
        if offset < self.geometry.heap_at || offset > end || len > end - offset {
            return Err(Error::corrupt(offset, "an offset points outside the heap"));
        }
        // SAFETY: R1, the range was just checked.
        Ok(unsafe { self.base.add(offset as usize) })
    }

    /// A structure of atomics at `offset` in the heap.
    #[inline(always)]
    pub(crate) fn get<T: Persisted>(&self, offset: u64) -> Result<&T> {
        if !offset.is_multiple_of(align_of::<T>() as u64) {
            return Err(Error::corrupt(offset, "a structure is misaligned"));
        }
        let address = self.resolve(offset, size_of::<T>() as u64)?;
        // SAFETY: R1; aligned; T is atomics only.
        Ok(unsafe { &*address.cast::<T>() })
    }

    /// The word at an offset that is a multiple of 8, if this process has seen it committed so far.
    #[inline(always)]
    pub(crate) fn known_word(&self, offset: u64) -> Option<&AtomicU64> {
        debug_assert!(offset.is_multiple_of(8));
        // SAFETY: R1, just resolved; aligned, as the base is.
        self.resolve_known(offset, 8).map(|address| unsafe { AtomicU64::from_ptr(address.cast()) })
    }

    /// The word at an offset that was resolved before.
    ///
    /// # Safety
    /// This process has resolved its eight bytes, and it is a multiple of 8.
    #[inline(always)]
    pub(crate) unsafe fn resolved(&self, offset: u64) -> &AtomicU64 {
        debug_assert!(self.resolve_known(offset, 8).is_some());
        // SAFETY: R1, the caller's promise.
        unsafe { AtomicU64::from_ptr(self.base.add(offset as usize).cast()) }
    }

    /// A word at an offset that the caller took from a structure of this space.
    #[inline(always)]
    pub(crate) fn offset_of<T>(&self, place: &T) -> u64 {
        (std::ptr::from_ref(place) as usize).wrapping_sub(self.base as usize) as u64
    }

    /// The offset of an address inside the mapping.
    #[inline(always)]
    pub(crate) fn offset_of_address(&self, address: *const u8) -> u64 {
        (address as usize).wrapping_sub(self.base as usize) as u64
    }

    /// A structure in the tables before the heap.
    #[inline(always)]
    fn table<T>(&self, offset: u64) -> &T {
        debug_assert!(offset + size_of::<T>() as u64 <= self.geometry.heap_at);
        // SAFETY: G1: tables lie inside the mapping before the heap, aligned, atomics only; the callers check indices
        // and that the part is committed.
        unsafe { &*self.base.add(offset as usize).cast::<T>() }
    }

    /// The moving words of the header.
    #[inline(always)]
    pub(crate) fn words(&self) -> &HeaderWords {
        self.table(HEADER_WORDS_AT)
    }

    /// Process slot `index`; below `slot_count`.
    pub(crate) fn slot(&self, index: u32) -> &Slot {
        assert!(index < self.geometry.slot_count, "callers check slot numbers");
        self.table(SLOTS_AT + u64::from(index) * size_of::<Slot>() as u64)
    }

    /// Lane `index`, if its memory is committed.
    pub(crate) fn lane(&self, index: u32) -> Option<&Lane> {
        let ready = self.words().lanes_ready.load(Ordering::Acquire).min(u64::from(self.geometry.lane_count));
        let at = self.geometry.lanes_at + u64::from(index) * size_of::<Lane>() as u64;
        (u64::from(index) < ready).then(|| self.table(at))
    }

    /// The reader line of lane `index`; below `lane_count`.
    pub(crate) fn reader_line(&self, index: u32) -> &ReaderLine {
        assert!(index < self.geometry.lane_count, "callers check lane numbers");
        self.table(self.geometry.readers_at + u64::from(index) * size_of::<ReaderLine>() as u64)
    }

    /// Arena `index`.
    pub(crate) fn arena(&self, index: u64) -> &Arena {
        self.table(ARENAS_AT + (index % ARENA_COUNT) * size_of::<Arena>() as u64)
    }

    /// The supply of page runs.
    pub(crate) fn supply(&self) -> &Supply {
        self.table(SUPPLY_AT)
    }

    /// The map entry of a heap page that is committed.
    pub(crate) fn page(&self, page: u64) -> Result<&PageEntry> {
        if page >= self.geometry.pages() {
            return Err(Error::corrupt(page, "a page number is out of range"));
        }
        self.resolve(self.page_offset(page), PAGE)?;
        Ok(self.table(self.page_map_entry(page)))
    }

    /// Where the map entry of a heap page is.
    #[inline(always)]
    fn page_map_entry(&self, page: u64) -> u64 {
        self.geometry.page_map_at + page * size_of::<PageEntry>() as u64
    }

    /// The offset of heap page `page`. (A number out of range, from a damaged file, gives one that nothing resolves, or
    /// another page's.)
    #[inline(always)]
    pub(crate) fn page_offset(&self, page: u64) -> u64 {
        self.geometry.heap_at.wrapping_add(page.wrapping_mul(PAGE))
    }

    /// The heap page that holds `offset`.
    #[inline(always)]
    pub(crate) fn page_of(&self, offset: u64) -> u64 {
        offset.wrapping_sub(self.geometry.heap_at) / PAGE
    }

    /// Pages that are committed, as the shared header says now.
    pub(crate) fn committed_pages(&self) -> Result<u64> {
        Ok((self.refresh_end()? - self.geometry.heap_at) / PAGE)
    }

    /// One of the words that the inner log of `lane` may name: arenas, supply, page map, links of free blocks, and
    /// the lane's own words but its owner.
    pub(crate) fn logged_word(&self, lane: &Lane, offset: u64) -> Result<&AtomicU64> {
        let geometry = &self.geometry;
        let own = self.offset_of(lane);
        let map_end = geometry.page_map_at + self.committed_pages()? * size_of::<PageEntry>() as u64;
        let fits = offset.is_multiple_of(8)
            && ((ARENAS_AT..SLOTS_AT).contains(&offset)
                || (own + 8..own + size_of::<Lane>() as u64).contains(&offset)
                || (geometry.page_map_at..map_end).contains(&offset)
                || offset >= geometry.heap_at);
        if !fits {
            return Err(Error::corrupt(offset, "the heap's log names a word that it may not"));
        }
        if offset >= geometry.heap_at {
            return self.get(offset);
        }
        Ok(self.table(offset))
    }

    /// Makes sure that the heap has `pages` committed pages, in steps that others see one by one.
    ///
    /// # Errors
    /// `OutOfSpace` beyond the capacity or when the disk is full.
    ///
    /// # Crash
    /// Bytes that were allocated but not published are allocated again by the next grower.
    pub(crate) fn commit_pages(&self, pages: u64) -> Result<()> {
        let wanted = pages.checked_mul(PAGE).and_then(|bytes| bytes.checked_add(self.geometry.heap_at));
        let full = || Error::OutOfSpace { requested: pages.saturating_mul(PAGE), capacity: self.geometry.capacity };
        let wanted = wanted.filter(|end| *end <= self.geometry.end()).ok_or_else(full)?;
        loop {
            let end = self.refresh_end()?;
            if end >= wanted {
                self.page_ahead_to(end);
                return Ok(());
            }
            let size = end - self.geometry.heap_at;
            // At least an eighth of what is there, so that small steps do not add up.
            let step = (wanted - end).max(size / 8).clamp(UNIT, MAX_STEP);
            let next = (end + step).next_multiple_of(PAGE).min(self.geometry.end());
            self.commit_step(end, next)?;
        }
    }

    fn commit_step(&self, end: u64, next: u64) -> Result<()> {
        let entries = |end: u64| self.page_map_entry((end - self.geometry.heap_at) / PAGE);
        // Lengthened again, a file that somebody has cut off would read as zeros where data were.
        if self.with_file(|file| file.metadata())?.len < end {
            return Err(Error::corrupt(HEADER_WORDS_AT, "the file is shorter than committed_end"));
        }
        let allocated = self.with_file(|file| {
            crash_point!("grow: before the page map is committed");
            file.allocate(entries(end), entries(next) - entries(end))?;
            crash_point!("grow: page map committed, pages not");
            file.allocate(end, next - end)
        });
        allocated.map_err(|error| self.no_room(error, next - end))?;
        crash_point!("grow: pages committed, not published");
        self.words().committed_end.fetch_max(next, Ordering::AcqRel);
        crash_point!("grow: published");
        Ok(())
    }

    /// Makes sure that at least `count` lanes are backed by the file.
    pub(crate) fn commit_lanes(&self, count: u32) -> Result<()> {
        let limit = self.geometry.lane_count;
        if count > limit {
            return Err(Error::Exhausted { what: "lanes", limit: u64::from(limit) });
        }
        let ready = self.words().lanes_ready.load(Ordering::Acquire) as u32;
        if count <= ready {
            return Ok(());
        }
        let next = count.next_multiple_of(LANE_STEP).min(limit);
        let at = |lane: u32| self.geometry.lanes_at + u64::from(lane) * size_of::<Lane>() as u64;
        let size = at(next) - at(ready);
        self.with_file(|file| file.allocate(at(ready), size)).map_err(|error| self.no_room(error, size))?;
        crash_point!("lanes: committed, not published");
        self.words().lanes_ready.fetch_max(u64::from(next), Ordering::AcqRel);
        Ok(())
    }

    /// Backs everything that the header calls committed once more: a copied file may have come with holes.
    pub(crate) fn back_again(&self) -> Result<()> {
        let end = self.refresh_end()?;
        let lanes = self.words().lanes_ready.peek() * size_of::<Lane>() as u64;
        let pages = (end - self.geometry.heap_at) / PAGE;
        let backed = self.with_file(|file| {
            file.allocate(0, self.geometry.lanes_at + lanes)?;
            file.allocate(self.geometry.page_map_at, pages * size_of::<PageEntry>() as u64)?;
            file.allocate(self.geometry.heap_at, end - self.geometry.heap_at)
        });
        backed.map_err(|error| self.no_room(error, end))
    }

    /// What a refused allocation of `requested` bytes is called.
    fn no_room(&self, error: Error, requested: u64) -> Error {
        match error {
            Error::Io { source, .. } if is_full(&source) => {
                Error::OutOfSpace { requested, capacity: self.geometry.capacity }
            }
            other => other,
        }
    }

    /// Maps the pages of a range that is about to be written as a whole.
    pub(crate) fn populate(&self, offset: u64, len: u64) {
        if let Ok(address) = self.resolve(offset, len) {
            self.mapping.populate_write(address, len as usize);
        }
    }
}

/// Does the error mean that there is no room?
pub(crate) fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
