//! Counters: a cell for each lane, which its thread alone writes, by plain stores and without a lock.
//!
//! ```text
//! body:     one word for each 16 lanes: their segment's offset, 0 while none of them has counted
//! segment:  16 cells of 64 bytes {value, tag, 6 unused}: the cell of lane n is number n % 16 of segment n / 16
//! ```
//! Raw header: `capacity` words at `data`, `len` of them not 0, `aux0` what is taken off the sum (a reset), `aux1` tag.
//!
//! Nobody keeps a counter from being removed while a thread is about to store to its cell. That does no harm: segments
//! are blocks of a class of their own, whose memory never serves anything else (invariant K1), and a cell counts for the
//! counter whose tag, a random number, it has. So a late store goes to a cell that counts for nobody, or is about to be
//! written by the same thread for another counter, which comes after it. Segments of a removed counter are used again as
//! they are: a cell with another tag is 0.

use crate::sys::atomic::{AtomicU64, Ordering};

use crate::crash::crash_point;
use crate::heap::{block_size, page_kind, span_pages};
use crate::journal::{CELL_CLASS, CELL_LANES, Context, HEAD_SIZE};
use crate::region::layout::*;
use crate::region::{Persisted, Space, load_u64};
use crate::{Error, Result, sys};

/// Bytes of a cell: a cache line of its own.
const CELL: u64 = 64;
const _: () = assert!(block_size(CELL_CLASS) == CELL * CELL_LANES);

/// A lane's cell. Only the thread that owns the lane stores to it.
#[repr(C)]
struct Cell {
    value: AtomicU64,
    tag: AtomicU64,
    unused: [AtomicU64; 6],
}
const _: () = assert!(size_of::<Cell>() as u64 == CELL);
// SAFETY: atomics only, any bytes are a cell.
unsafe impl Persisted for Cell {}

/// The words of a counter that may be changing.
#[derive(Clone, Copy)]
pub(crate) struct Counter<'a, 'r> {
    space: &'a Space,
    raw: &'r RawHeader,
}

impl<'a, 'r> Counter<'a, 'r> {
    pub(crate) fn new(space: &'a Space, raw: &'r RawHeader) -> Counter<'a, 'r> {
        Counter { space, raw }
    }

    /// Makes an empty object a counter.
    pub(crate) fn found(&self, context: &mut Context) -> Result<()> {
        context.save_header(self.raw, 0)?;
        let segments = u64::from(self.space.geometry.lane_count).div_ceil(CELL_LANES);
        let size = segments * 8;
        context.reserve_log(2 * HEAD_SIZE)?;
        let block = context.allocate(size)?;
        let target = self.space.resolve(block, size)?;
        // SAFETY: R1; the block is fresh.
        unsafe { std::ptr::write_bytes(target, 0, size as usize) };
        self.raw.data.put(block);
        self.raw.capacity.put(segments);
        self.raw.aux1.put(sys::random_u64() | 1);
        crash_point!("counter: founded");
        Ok(())
    }

    /// The offset of segment `number`; 0: there is none.
    fn segment(&self, number: u64) -> Result<u64> {
        if number >= self.raw.capacity.peek() {
            return Err(Error::corrupt(self.space.offset_of(self.raw), "a counter has too few segments"));
        }
        let word = self.space.resolve(self.raw.data.peek().wrapping_add(number * 8), 8)?;
        // SAFETY: R1.
        Ok(unsafe { load_u64(word) })
    }

    fn cell(&self, segment: u64, lane: u64) -> Result<&'a Cell> {
        self.space.get(segment.wrapping_add(lane % CELL_LANES * CELL))
    }

    /// Finds the cell of `lane` for [`Mine::add`]. `None`: it has none, or the words were torn.
    #[inline]
    pub(crate) fn mine(&self, lane: u32) -> Option<Mine<'a>> {
        let segment = self.segment(u64::from(lane) / CELL_LANES).ok().filter(|segment| *segment != 0)?;
        let cell = self.cell(segment, u64::from(lane)).ok()?;
        Some(Mine { cell, tag: self.raw.aux1.peek() })
    }

    /// Makes the segment of `lane`, unless there is one. The counter's word is held.
    #[cold]
    pub(crate) fn make_segment(&self, context: &mut Context, lane: u32) -> Result<()> {
        let number = u64::from(lane) / CELL_LANES;
        if self.segment(number)? != 0 {
            return Ok(());
        }
        context.save_header(self.raw, self.raw.len.peek())?;
        let word = self.raw.data.peek() + number * 8;
        context.save(word, 8)?;
        context.reserve_log(2 * HEAD_SIZE)?;
        let block = context.allocate_class(CELL_CLASS)?;
        self.space.get::<AtomicU64>(word)?.put(block);
        crash_point!("counter: segment linked, not counted");
        self.raw.len.put(self.raw.len.peek() + 1);
        crash_point!("counter: segment linked");
        Ok(())
    }

    /// All segments that there are.
    pub(super) fn segments(&self) -> Result<Vec<u64>> {
        let most = u64::from(self.space.geometry.lane_count);
        if self.raw.capacity.peek() > most {
            return Err(Error::corrupt(self.space.offset_of(self.raw), "a counter has too many segments"));
        }
        let all = (0..self.raw.capacity.peek()).map(|number| self.segment(number)).collect::<Result<Vec<u64>>>()?;
        Ok(all.into_iter().filter(|segment| *segment != 0).collect())
    }

    /// What has been counted by all since the last reset. The words may be changing: the caller validates.
    pub(crate) fn sum(&self) -> Result<u64> {
        let tag = self.raw.aux1.peek();
        let mut sum = 0u64.wrapping_sub(self.raw.aux0.peek());
        for segment in self.segments()? {
            for lane in 0..CELL_LANES {
                let cell = self.cell(segment, lane)?;
                // In this order: a cell gets its tag after its value has become 0.
                if cell.tag.load(Ordering::Acquire) == tag {
                    sum = sum.wrapping_add(cell.value.load(Ordering::Acquire));
                }
            }
        }
        Ok(sum)
    }

    /// Begins at 0 again; what was counted until now. The counter's word is held; nobody who counts meanwhile is lost.
    pub(crate) fn reset(&self, context: &mut Context) -> Result<u64> {
        context.save_header(self.raw, self.raw.len.peek())?;
        let counted = self.sum()?;
        self.raw.aux0.put(self.raw.aux0.peek().wrapping_add(counted));
        crash_point!("counter: reset");
        Ok(counted)
    }

    /// Do all segments lie where only segments lie?
    pub(crate) fn check_segments(&self) -> Result<()> {
        for segment in self.segments()? {
            let wrong = || Error::corrupt(segment, "a counter's segment is no segment");
            let page = segment.checked_sub(self.space.geometry.heap_at).ok_or_else(wrong)? / PAGE;
            let entry = self.space.page(page)?.a.peek();
            let first = page.checked_sub(pack::page_value(entry)).ok_or_else(wrong)?;
            let is_cells = pack::page_kind(entry) == page_kind::SPAN && pack::page_class(entry) == CELL_CLASS as u64;
            let within = segment - self.space.page_offset(first);
            let fits = page - first < span_pages(CELL_CLASS) && within.is_multiple_of(CELL * CELL_LANES);
            if !is_cells || !fits {
                return Err(wrong());
            }
        }
        Ok(())
    }
}

/// The cell of the calling thread's lane.
#[derive(Clone, Copy)]
pub(crate) struct Mine<'a> {
    cell: &'a Cell,
    tag: u64,
}

impl Mine<'_> {
    /// Adds to what this lane has counted. Nobody else stores to the cell.
    #[inline(always)]
    pub(crate) fn add(self, count: u64) {
        if self.cell.tag.peek() != self.tag {
            // Left by another counter. The value first: with the tag it counts.
            self.cell.value.put(0);
            crash_point!("counter: cell empty, not ours");
            self.cell.tag.put(self.tag);
            crash_point!("counter: cell ours");
        }
        self.cell.value.put(self.cell.value.peek().wrapping_add(count));
        crash_point!("counter: counted");
    }
}

/// Lets all segments of a counter go at commit.
pub(super) fn release_segments(context: &mut Context, raw: &RawHeader) -> Result<()> {
    let counter = Counter::new(context.actor.space, raw);
    // The object may be removed without ever having been opened, and validated, by its type.
    counter.check_segments()?;
    let segments = counter.segments()?;
    for (index, segment) in segments.into_iter().enumerate() {
        context.reserve_log(HEAD_SIZE).inspect_err(|_| context.doomed |= index > 0)?;
        context.append_free(CELL_CLASS, segment);
    }
    Ok(())
}
