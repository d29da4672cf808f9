//! What a context may ask of the heap. Everything that can fail comes before anything is applied: an operation
//! reserves log space and blocks, and then changes words.

use super::cache::{refill, refill_run, trim};
use super::class::{class_for, rounded, small_class};
use crate::journal::{Context, HEAD_SIZE, RUN_CLASS, SPILL_CLASS};
use crate::region::layout::*;
use crate::{Error, Result};

/// Longest payload of one Save record; longer stretches become several.
const SAVE_PIECE: u64 = 1024;

/// No container has more slots, groups or items: sizes multiply without overflow checks below it.
pub(crate) const MAX_ITEMS: u64 = 1 << 44;

impl Context {
    /// Makes room for records of `size` bytes in all, heads included (at most 4 KiB).
    #[inline(always)]
    pub(crate) fn reserve_log(&mut self, size: u64) -> Result<()> {
        #[cfg(feature = "crash-points")]
        crate::crash::asked_for_log(self.stamp, self.log_address(), size)?;
        let reserved = if self.has_room(size) { Ok(()) } else { self.extend_log(size) };
        self.count_on_log(size);
        reserved
    }

    /// There is room for `size` bytes, and no test may pretend otherwise until they are used.
    #[inline(always)]
    pub(crate) fn count_on_log(&self, _size: u64) {
        #[cfg(feature = "crash-points")]
        crate::crash::log_granted(self.stamp, self.log_address(), _size);
    }

    #[cold]
    fn extend_log(&mut self, size: u64) -> Result<()> {
        while !self.has_room(size) {
            if !self.next_chunk()? {
                if pack::list_head(self.actor.lane.lists[SPILL_CLASS].peek()) == 0 {
                    refill(self.actor, SPILL_CLASS)?;
                }
                self.add_chunk()?;
            }
        }
        Ok(())
    }

    /// Makes room for `count` records without payload, however many: what is appended after `reserve_log(HEAD_SIZE)` each
    /// finds it.
    #[inline(always)]
    pub(crate) fn reserve_heads(&mut self, count: u64) -> Result<()> {
        if self.has_room(count.saturating_mul(HEAD_SIZE)) { Ok(()) } else { self.extend_chain(count) }
    }

    #[cold]
    fn extend_chain(&mut self, count: u64) -> Result<()> {
        let (mut room, mut last) = self.room_ahead()?;
        while room < count {
            if pack::list_head(self.actor.lane.lists[SPILL_CLASS].peek()) == 0 {
                refill(self.actor, SPILL_CLASS)?;
            }
            let (more, added) = self.add_chunk_behind(last)?;
            if more == 0 {
                return Err(Error::corrupt(self.actor.space.offset_of(self.actor.lane), "a log cannot grow"));
            }
            (room, last) = (room + more, added);
        }
        Ok(())
    }

    /// A block of at least `size` bytes that belongs to this context until it commits. Its bytes are garbage.
    ///
    /// # Crash
    /// Before the commit it returns to its list.
    #[inline(always)]
    pub(crate) fn allocate(&mut self, size: u64) -> Result<u64> {
        match small_class(size) {
            Some(class) => self.allocate_class(class),
            None => self.allocate_large(size),
        }
    }

    /// (Apart, so that the class of a small size is known to be no other.)
    #[inline(never)]
    fn allocate_large(&mut self, size: u64) -> Result<u64> {
        match class_for(size) {
            RUN_CLASS => self.allocate_run(size),
            class => self.allocate_class(class),
        }
    }

    /// A block of `class`.
    #[inline(always)]
    pub(crate) fn allocate_class(&mut self, class: usize) -> Result<u64> {
        self.reserve_log(HEAD_SIZE)?;
        #[cfg(feature = "crash-points")]
        crate::crash::asked_for_block(super::class::block_size(class))?;
        let mut list = self.list(class);
        if pack::list_head(list) == 0 {
            refill(self.actor, class)?;
            list = self.list(class);
        }
        self.pop(class, list)
    }

    #[cold]
    fn allocate_run(&mut self, size: u64) -> Result<u64> {
        let capacity = self.actor.space.geometry.capacity;
        if size > capacity {
            return Err(Error::OutOfSpace { requested: size, capacity });
        }
        self.reserve_log(HEAD_SIZE)?;
        #[cfg(feature = "crash-points")]
        crate::crash::asked_for_block(size)?;
        refill_run(self.actor, size.div_ceil(PAGE))?;
        let block = self.pop(RUN_CLASS, self.list(RUN_CLASS))?;
        // All of it will be written at once (a grown vector, a new table).
        self.actor.space.populate(block, rounded(size));
        Ok(block)
    }

    /// Lets a block of `size` bytes go at commit; `reserve_log(HEAD_SIZE)` came before. Cannot fail.
    #[inline(always)]
    pub(crate) fn release(&mut self, size: u64, block: u64) {
        self.append_free(class_for(size), block);
    }

    /// Gives a block back that this context has just allocated and not used (an operation that cannot go on).
    /// `reserve_log(HEAD_SIZE)` came before.
    #[inline(always)]
    pub(crate) fn cancel(&mut self, size: u64, block: u64) {
        if !self.cancel_newest(size, block).unwrap_or(false) {
            self.release(size, block);
        }
    }

    /// Gives a block straight back if nothing was recorded since it was allocated.
    #[inline(always)]
    pub(crate) fn cancel_newest(&mut self, size: u64, block: u64) -> Result<bool> {
        match small_class(size) {
            Some(class) => self.cancel_alloc(class, block),
            None => self.cancel_large(size, block),
        }
    }

    #[inline(never)]
    fn cancel_large(&mut self, size: u64, block: u64) -> Result<bool> {
        self.cancel_alloc(class_for(size), block)
    }

    /// Runs a step that builds something in fresh blocks that nothing refers to yet. If it fails, the blocks return.
    ///
    /// # Errors
    /// Those of `build`; nothing has changed then, or the context can only be rolled back (and says so).
    #[inline(always)]
    pub(crate) fn whole<R>(&mut self, build: impl FnOnce(&mut Context) -> Result<R>) -> Result<R> {
        let mark = self.mark();
        let built = build(self);
        if built.is_err() {
            // Page runs stay in the lane's list on their way only.
            let cancelled = self.cancel_to(&mark).and_then(|()| trim(self.actor, RUN_CLASS, 1));
            self.doomed |= cancelled.is_err();
            cancelled?;
        }
        built
    }

    /// Records the present bytes at `offset .. offset + len`.
    #[inline(always)]
    pub(crate) fn save(&mut self, offset: u64, len: u64) -> Result<()> {
        let address = self.actor.space.resolve(offset, len)?;
        if len <= SAVE_PIECE {
            self.reserve_log(len.next_multiple_of(8) + HEAD_SIZE)?;
            self.append_save(offset, address, len);
            return Ok(());
        }
        self.save_long(offset, len)
    }

    /// As [`save`](Self::save), but not twice in a row for a place that is changed again and again.
    #[inline(always)]
    pub(crate) fn save_once(&mut self, offset: u64, len: u64) -> Result<()> {
        if self.remember_saved(offset, len) {
            return Ok(());
        }
        self.save(offset, len).inspect_err(|_| self.forget_saved())
    }

    #[cold]
    fn save_long(&mut self, offset: u64, len: u64) -> Result<()> {
        let mut at = 0;
        while at < len {
            let piece = SAVE_PIECE.min(len - at);
            self.save(offset + at, piece)?;
            at += piece;
        }
        Ok(())
    }

    /// Records a raw header unless this context has done so. `live` is how much of its data is live now.
    #[inline(always)]
    pub(crate) fn save_header(&mut self, raw: &RawHeader, live: u64) -> Result<()> {
        if raw.stamp.peek() == self.stamp {
            return Ok(());
        }
        self.reserve_log(RAW_SIZE + HEAD_SIZE)?;
        let offset = self.actor.space.offset_of(raw);
        if raw.capacity.peek() > MAX_ITEMS || raw.len.peek() > MAX_ITEMS {
            return Err(Error::corrupt(offset, "a container's size is impossible"));
        }
        self.append_save(offset, std::ptr::from_ref(raw).cast(), RAW_SIZE);
        raw.low_water.put(live);
        // From here on the header counts as saved.
        raw.stamp.put(self.stamp);
        Ok(())
    }
}
