//! A growable array of equal slots: the body of vectors, strings and boxes.
//!
//! `low_water` slots are live since the context began and not in its log; a slot above it may be written freely.

use std::cell::Cell;
use std::marker::PhantomData;

use super::slot::SlotMut;
use crate::crash::crash_point;
use crate::heap::rounded;
use crate::journal::{Context, HEAD_SIZE};
use crate::region::Space;
use crate::region::layout::*;
use crate::{Error, Plain, Result};

/// Slots are logged one by one up to this many bytes; more moves the content into a fresh block, which needs no log.
const COPY_ABOVE: u64 = 2048;

/// A vector under a guard.
#[derive(Clone, Copy)]
pub(crate) struct Vector<'a> {
    pub(crate) space: &'a Space,
    pub(crate) raw: &'a RawHeader,
    pub(super) slot_size: u64,
    marker: PhantomData<*mut ()>,
}

/// Room behind a vector's last slot, known to be writable.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub struct Tail<'a> {
    /// Slot 0.
    first: *mut u8,
    /// The vector's length, which is the number of the next slot; the first slot that is not writable.
    len: u64,
    end: u64,
    /// Zero in a forked child, where no slot is writable; else all ones.
    ours: &'a Cell<u64>,
}

impl<'a> Tail<'a> {
    /// `left` free slots of `slot_size` at `next`, which continue a container of `len` slots in order.
    #[inline(always)]
    pub(super) fn new(next: *mut u8, slot_size: u64, len: u64, left: u64, ours: &'a Cell<u64>) -> Tail<'a> {
        Tail { first: next.wrapping_sub((len * slot_size) as usize), len, end: len + left, ours }
    }

    /// Writes one more plain value and makes it live; false: ask the slow way.
    #[inline(always)]
    pub(crate) fn push<T: Plain>(&mut self, raw: &RawHeader, value: &T) -> bool {
        if self.len >= self.end & self.ours.get() {
            return false;
        }
        // SAFETY: W1: the slots `len .. end` of T's size are free.
        unsafe { SlotMut::new(self.first.wrapping_add(self.len as usize * size_of::<T>())) }.put_plain(value);
        self.len += 1;
        raw.len.put(self.len);
        true
    }
}

impl<'a> Vector<'a> {
    /// The vector of `raw`, whose slots have `slot_size` bytes (0 counts as 1: a block is never without size).
    #[inline(always)]
    pub(crate) fn new(space: &'a Space, raw: &'a RawHeader, slot_size: u64) -> Vector<'a> {
        Vector { space, raw, slot_size, marker: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> u64 {
        self.raw.len.peek()
    }

    fn stride(&self) -> u64 {
        self.slot_size.max(1)
    }

    /// Bytes of `count` slots.
    pub(super) fn size_of(&self, count: u64) -> u64 {
        count.saturating_mul(self.slot_size)
    }

    /// The address of `count` slots from `index` on, inside the capacity.
    #[inline(always)]
    pub(crate) fn slots(&self, index: u64, count: u64) -> Result<*mut u8> {
        let size = self.slot_size;
        let (at, len) = (index.checked_mul(size), count.checked_mul(size));
        let (Some(at), Some(len)) = (at, len) else {
            return Err(Error::corrupt(self.raw.data.peek(), "a vector's length is impossible"));
        };
        let data = self.raw.data.peek();
        if data == 0 && count == 0 || size == 0 {
            return Ok(std::ptr::dangling_mut::<u128>().cast());
        }
        if !data.is_multiple_of(16) || index.saturating_add(count) > self.raw.capacity.peek() {
            return Err(Error::corrupt(data, "a vector's body is misplaced or too short"));
        }
        self.space.resolve(data.wrapping_add(at), len)
    }

    /// Makes room for `more` slots behind the present ones.
    ///
    /// # Errors
    /// `OutOfSpace`; nothing has changed then.
    #[inline(always)]
    pub(crate) fn reserve(&self, context: &mut Context, more: u64) -> Result<()> {
        context.save_header(self.raw, self.len())?;
        if self.raw.capacity.peek() - self.len().min(self.raw.capacity.peek()) >= more {
            return Ok(());
        }
        let wanted = self.len().checked_add(more).ok_or(Error::InvalidArgument("length"))?;
        self.move_to(context, wanted.max(self.len().saturating_mul(2)).max(4))
    }

    /// Moves the content to a fresh block for at least `capacity` slots.
    #[cold]
    pub(crate) fn move_to(&self, context: &mut Context, capacity: u64) -> Result<()> {
        context.save_header(self.raw, self.len())?;
        let limit = self.space.geometry.capacity;
        let size = capacity.checked_mul(self.stride()).filter(|size| *size <= limit);
        let size =
            size.ok_or(Error::OutOfSpace { requested: capacity.saturating_mul(self.stride()), capacity: limit })?;
        context.reserve_log(2 * HEAD_SIZE)?;
        let block = context.allocate(size)?;
        let len = self.len();
        let old = self.raw.data.peek();
        let old_size = self.raw.capacity.peek().saturating_mul(self.stride());
        let source = self.slots(0, len);
        let (source, target) = match (source, self.space.resolve(block, size)) {
            (Ok(source), Ok(target)) => (source, target),
            (Err(error), _) | (_, Err(error)) => {
                context.reserve_log(HEAD_SIZE)?;
                context.cancel(size, block);
                return Err(error);
            }
        };
        // SAFETY: R1: both were resolved. A crafted free list may make them overlap.
        unsafe { std::ptr::copy(source, target, (len * self.slot_size) as usize) };
        crash_point!("vector: copied, header not changed");
        if old != 0 {
            context.reserve_log(HEAD_SIZE)?;
            context.release(old_size, old);
        }
        // From here on nothing fails.
        self.raw.data.put(block);
        crash_point!("vector: data moved, capacity not");
        self.raw.capacity.put(rounded(size) / self.stride());
        // The whole block is fresh.
        self.raw.low_water.put(0);
        crash_point!("vector: moved");
        Ok(())
    }

    /// Logs what is needed so that slots `from .. len` may be written.
    #[inline(always)]
    pub(crate) fn open_from(&self, context: &mut Context, from: u64) -> Result<()> {
        context.save_header(self.raw, self.len())?;
        let live = self.raw.low_water.peek();
        if from >= live {
            return Ok(());
        }
        self.open_range(context, from, live)
    }

    #[cold]
    fn open_range(&self, context: &mut Context, from: u64, live: u64) -> Result<()> {
        let bytes = (live - from).saturating_mul(self.slot_size);
        if bytes > COPY_ABOVE {
            return self
                .move_to(context, self.len().max(self.raw.capacity.peek().min(self.len().saturating_mul(2))).max(1));
        }
        context.save(self.raw.data.peek() + from * self.slot_size, bytes)?;
        self.raw.low_water.put(from);
        Ok(())
    }

    /// Logs what is needed so that slot `index` alone may be written.
    #[inline(always)]
    pub(crate) fn open_one(&self, context: &mut Context, index: u64) -> Result<()> {
        context.save_header(self.raw, self.len())?;
        if index >= self.raw.low_water.peek() {
            return Ok(());
        }
        let body = self.len().saturating_mul(self.slot_size);
        if context.logged > body.saturating_add(COPY_ABOVE) {
            // So much has been logged one by one that a fresh copy, which needs no log, is cheaper.
            return self.move_to(context, self.raw.capacity.peek());
        }
        self.slots(index, 1)?;
        context.save_once(self.raw.data.peek() + index * self.slot_size, self.slot_size)
    }

    /// The place of the next slot, ready to be written; `publish_push` makes it live.
    #[inline(always)]
    pub(crate) fn prepare_push(&self, context: &mut Context) -> Result<*mut u8> {
        let len = self.len();
        context.save_header(self.raw, len)?;
        if len >= self.raw.capacity.peek() {
            self.grow_for_push(context)?;
        }
        let live = self.raw.low_water.peek();
        if len < live {
            // A slot that was live when the context began is filled again.
            self.open_range(context, len, live)?;
        }
        self.slots(len, 1)
    }

    #[cold]
    fn grow_for_push(&self, context: &mut Context) -> Result<()> {
        self.reserve(context, 1)
    }

    /// The slots behind the present ones that may be written and made live without asking again, as long as nothing
    /// else is done to the vector: a push was just done, so its header is saved.
    #[inline(always)]
    pub(crate) fn tail<'t>(&self, ours: &'t Cell<u64>) -> Option<Tail<'t>> {
        let (len, low) = (self.len(), self.raw.low_water.peek());
        let end = self.raw.capacity.peek();
        let first = self.slots(0, end).ok()?;
        (len >= low && self.slot_size != 0).then_some(Tail { first, len, end, ours })
    }

    /// Makes `count` written slots behind the present ones live.
    #[inline(always)]
    pub(crate) fn publish_push(&self, count: u64) {
        crash_point!("vector: slot written, not live");
        self.raw.len.put(self.len() + count);
        crash_point!("vector: slot live");
    }

    /// Makes the first `len` slots the live ones by one store, as a change by the short way: those that become live have
    /// been written, those that do not live on owned nothing.
    #[inline(always)]
    pub(crate) fn set_live(&self, len: u64) {
        crash_point!("vector: length about to change");
        self.raw.len.put(len);
        crash_point!("vector: length changed");
    }

    /// Shortens to `len`; what the slots beyond owned must have been released. The header is saved.
    #[inline(always)]
    pub(crate) fn set_len(&self, context: &mut Context, len: u64) -> Result<()> {
        context.save_header(self.raw, self.len())?;
        self.raw.len.put(len);
        crash_point!("vector: length set");
        Ok(())
    }

    /// Moves the last slot before slot `index`; all from `index` on are open.
    pub(crate) fn rotate_last_to(&self, index: u64) -> Result<()> {
        let first = self.slots(index, self.len() - index)?;
        let bytes = ((self.len() - index) * self.slot_size) as usize;
        // SAFETY: R1, W1: the slots from `index` to the end.
        unsafe { std::slice::from_raw_parts_mut(first, bytes) }.rotate_right(self.slot_size as usize);
        crash_point!("vector: slots shifted");
        Ok(())
    }

    /// Moves slots `from ..` to `to ..` (overlapping is fine); both ends lie inside the capacity and are open.
    pub(crate) fn shift(&self, from: u64, to: u64, count: u64) -> Result<()> {
        let source = self.slots(from, count)?;
        let target = self.slots(to, count)?;
        // SAFETY: R1, W1.
        unsafe { std::ptr::copy(source, target, (count * self.slot_size) as usize) };
        crash_point!("vector: slots shifted");
        Ok(())
    }
}
