//! A ring of equal slots: the body of double-ended queues.
//!
//! Raw header: `capacity` slots (a power of two, 0 without a body), `aux0` the number of the first item's slot, `aux1`
//! the most items that may be in it (0: any number). Item `i` stands in slot `(aux0 + i) % capacity`.
//!
//! `low_water` is `{count:32 | first:32}`: the run of slots, round the ring, that were live when the context of the stamp
//! began and are not in its log yet. It begins as the whole content and is cut from either end, because that is where
//! pops free slots that pushes fill again. A slot outside of it may be written freely.

use std::cell::Cell;
use std::marker::PhantomData;

use super::place::Place;
use super::vector::Tail;
use crate::crash::crash_point;
use crate::journal::{Context, HEAD_SIZE, Single};
use crate::region::Space;
use crate::region::layout::*;
use crate::{Error, Plain, Result};

/// Slots are logged one by one up to this many bytes; more moves the content into a fresh block, which needs no log.
const COPY_ABOVE: u64 = 2048;
/// Most slots of a ring: numbers of slots fit into half of `low_water`.
const MAX_SLOTS: u64 = 1 << 31;
const LEAST_SLOTS: u64 = 4;

/// A run of slots as `low_water` has it.
#[inline(always)]
fn pack_run(first: u64, count: u64) -> u64 {
    pack::pair(first, count)
}

/// What `low_water` is for a ring that no context has touched.
pub(super) fn whole_run(raw: &RawHeader) -> u64 {
    pack_run(raw.aux0.peek(), raw.len.peek())
}

/// What a ring's header says.
struct Ring {
    data: u64,
    head: u64,
    len: u64,
    /// Its capacity less one.
    mask: u64,
}

/// A double-ended queue under a guard.
#[derive(Clone, Copy)]
pub(crate) struct Deque<'a> {
    pub(crate) space: &'a Space,
    pub(crate) raw: &'a RawHeader,
    pub(super) slot_size: u64,
    marker: PhantomData<*mut ()>,
}

impl<'a> Deque<'a> {
    #[inline(always)]
    pub(crate) fn new(space: &'a Space, raw: &'a RawHeader, slot_size: u64) -> Deque<'a> {
        Deque { space, raw, slot_size, marker: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> u64 {
        self.raw.len.peek()
    }

    /// The most items that may be in it; 0: any number.
    #[inline(always)]
    pub(crate) fn limit(&self) -> u64 {
        self.raw.aux1.peek()
    }

    /// Is there no room for `more` items below the limit?
    #[inline(always)]
    pub(crate) fn is_beyond_limit(&self, more: u64) -> bool {
        let limit = self.limit();
        limit != 0 && self.len().saturating_add(more) > limit
    }

    /// Bytes of its body.
    pub(crate) fn body_size(&self) -> u64 {
        self.capacity().saturating_mul(self.slot_size)
    }

    fn stride(&self) -> u64 {
        self.slot_size.max(1)
    }

    #[inline(always)]
    pub(crate) fn capacity(&self) -> u64 {
        self.raw.capacity.peek()
    }

    #[inline(always)]
    fn mask(&self) -> u64 {
        self.capacity().wrapping_sub(1)
    }

    /// The number of the slot of item `index`; `u64::MAX` is the one before the first.
    #[inline(always)]
    fn number(&self, index: u64) -> u64 {
        self.raw.aux0.peek().wrapping_add(index) & self.mask()
    }

    /// The address of `count` slots from number `first` on.
    #[inline(always)]
    fn at(&self, first: u64, count: u64) -> Result<*mut u8> {
        let size = self.slot_size;
        let data = self.raw.data.peek();
        if data == 0 && count == 0 || size == 0 {
            return Ok(std::ptr::dangling_mut::<u128>().cast());
        }
        let (at, len) = (first.checked_mul(size), count.checked_mul(size));
        let (Some(at), Some(len)) = (at, len) else { return Err(self.misshapen()) };
        if !data.is_multiple_of(16) || first.saturating_add(count) > self.capacity() {
            return Err(self.misshapen());
        }
        self.space.resolve(data.wrapping_add(at), len)
    }

    #[cold]
    fn misshapen(&self) -> Error {
        Error::corrupt(self.space.offset_of(self.raw), "a queue's ring is impossible")
    }

    /// The address of item `index`, or of a place beside the items.
    #[inline(always)]
    fn slot(&self, index: u64) -> Result<*mut u8> {
        self.at(self.number(index), 1)
    }

    /// Item `index`, which is there.
    #[inline(always)]
    pub(crate) fn place(&self, index: u64) -> Result<Place> {
        Ok(Place::fresh(self.slot(index)?))
    }

    /// Do the words of the header belong together?
    #[inline(always)]
    pub(crate) fn check_shape(&self) -> Result<()> {
        let (capacity, head, len) = (self.capacity(), self.raw.aux0.peek(), self.len());
        let possible = capacity.is_power_of_two() && capacity <= MAX_SLOTS && head < capacity && len <= capacity;
        if possible || (capacity | head | len) == 0 { Ok(()) } else { Err(self.misshapen()) }
    }

    /// The words of the header, read once; `None`: they do not belong together, or there is no body.
    #[inline(always)]
    fn ring(&self) -> Option<Ring> {
        let ring = Ring { data: self.raw.data.peek(), head: self.raw.aux0.peek(), len: self.len(), mask: self.mask() };
        let possible = ring.mask < MAX_SLOTS
            && ring.mask & ring.mask.wrapping_add(1) == 0
            && ring.head <= ring.mask
            && ring.len <= ring.mask + 1
            && ring.data.is_multiple_of(16)
            && self.slot_size != 0;
        possible.then_some(ring)
    }

    /// The slot of item `index` of a ring.
    #[inline(always)]
    fn slot_of(&self, ring: &Ring, index: u64) -> Option<Place> {
        let number = ring.head.wrapping_add(index) & ring.mask;
        let at = self.space.resolve_known(ring.data.wrapping_add(number * self.slot_size), self.slot_size)?;
        Some(Place::fresh(at))
    }

    /// The place behind the last item or before the first, for a change by the short way. `None`: there is no room, or
    /// something is wrong.
    #[inline(always)]
    pub(crate) fn vacant_place(&self, front: bool) -> Option<Place> {
        let ring = self.ring()?;
        if ring.len > ring.mask || self.is_beyond_limit(1) {
            return None;
        }
        self.slot_of(&ring, if front { u64::MAX } else { ring.len })
    }

    /// The place of the first item or the last, if there is one; as [`vacant_place`](Self::vacant_place).
    #[inline(always)]
    pub(crate) fn end_place(&self, front: bool) -> Option<Place> {
        let ring = self.ring()?;
        self.slot_of(&ring, if front { 0 } else { ring.len.checked_sub(1)? })
    }

    /// Records what a change at the front changes, by the short way; at the back it is one store.
    #[inline(always)]
    pub(crate) fn record_front(&self, single: &mut Single) {
        single.record_words([&self.raw.aux0, &self.raw.len]);
    }

    /// Puts the header into the log, once.
    #[inline(always)]
    pub(crate) fn touch(&self, context: &mut Context) -> Result<()> {
        if self.raw.stamp.peek() == context.stamp {
            return Ok(());
        }
        self.check_shape()?;
        context.save_header(self.raw, whole_run(self.raw))
    }

    /// Items `index .. index + count` as at most two runs of slots: {first slot, count}.
    fn runs(&self, index: u64, count: u64) -> [(u64, u64); 2] {
        let first = self.number(index);
        let straight = count.min(self.capacity().saturating_sub(first));
        [(first, straight), (0, count - straight)]
    }

    /// Makes room for `more` items.
    ///
    /// # Errors
    /// `OutOfSpace`; nothing has changed then.
    #[inline(always)]
    pub(crate) fn reserve(&self, context: &mut Context, more: u64) -> Result<()> {
        self.touch(context)?;
        let wanted = self.len().checked_add(more).ok_or(Error::InvalidArgument("length"))?;
        if wanted <= self.capacity() { Ok(()) } else { self.lay_anew(context, wanted) }
    }

    /// Moves the items to a fresh block for at least `slots` of them, the first one at its beginning.
    #[cold]
    pub(crate) fn lay_anew(&self, context: &mut Context, slots: u64) -> Result<()> {
        self.touch(context)?;
        let limit = self.space.geometry.capacity;
        let len = self.len();
        let capacity = slots.max(len).max(LEAST_SLOTS).checked_next_power_of_two().filter(|slots| *slots <= MAX_SLOTS);
        let size = capacity.and_then(|slots| slots.checked_mul(self.stride())).filter(|size| *size <= limit);
        let (Some(capacity), Some(size)) = (capacity, size) else {
            return Err(Error::OutOfSpace { requested: slots.saturating_mul(self.stride()), capacity: limit });
        };
        context.reserve_log(2 * HEAD_SIZE)?;
        let block = context.allocate(size)?;
        let old = self.raw.data.peek();
        let old_size = self.capacity().saturating_mul(self.stride());
        if let Err(error) = self.copy_to(block, size) {
            context.reserve_log(HEAD_SIZE)?;
            context.cancel(size, block);
            return Err(error);
        }
        crash_point!("deque: copied, header not changed");
        if old != 0 {
            context.reserve_log(HEAD_SIZE)?;
            context.release(old_size, old);
        }
        // From here on nothing fails.
        self.raw.data.put(block);
        crash_point!("deque: data moved, capacity not");
        self.raw.capacity.put(capacity);
        self.raw.aux0.put(0);
        // The whole block is fresh.
        self.raw.low_water.put(0);
        crash_point!("deque: moved");
        Ok(())
    }

    /// Copies all items to the beginning of a fresh block.
    fn copy_to(&self, block: u64, size: u64) -> Result<()> {
        let mut target = self.space.resolve(block, size)?;
        for (first, count) in self.runs(0, self.len()) {
            let (source, bytes) = (self.at(first, count)?, (count * self.slot_size) as usize);
            // SAFETY: R1: both were resolved; the runs together are `len` <= `size` / stride slots. A crafted free list
            // may make them overlap.
            unsafe {
                std::ptr::copy(source, target, bytes);
                target = target.add(bytes);
            }
        }
        Ok(())
    }

    /// Logs what is needed so that the slots of items `index .. index + count` may be written; they may lie beside the
    /// present ones, inside the capacity. The content may move: slots are looked up after this.
    #[inline(always)]
    pub(crate) fn open(&self, context: &mut Context, index: u64, count: u64) -> Result<()> {
        self.touch(context)?;
        let low = self.raw.low_water.peek();
        let live = pack::high(low);
        if live == 0 || count == 0 {
            return Ok(());
        }
        let distance = self.number(index).wrapping_sub(pack::low(low)) & self.mask();
        if distance >= live && distance + count <= self.capacity() {
            return Ok(());
        }
        self.open_live(context, index, count)
    }

    #[cold]
    fn open_live(&self, context: &mut Context, index: u64, count: u64) -> Result<()> {
        let bytes = count.saturating_mul(self.slot_size);
        let body = self.len().saturating_mul(self.slot_size);
        if bytes > COPY_ABOVE || context.logged > body.saturating_add(COPY_ABOVE) {
            // A fresh copy, which needs no log, is cheaper.
            return self.lay_anew(context, self.capacity());
        }
        for (first, count) in self.runs(index, count) {
            if count != 0 && self.slot_size != 0 {
                self.at(first, count)?;
                context.save_once(self.raw.data.peek() + first * self.slot_size, count * self.slot_size)?;
            }
        }
        let low = self.raw.low_water.peek();
        let (mut start, mut live) = (pack::low(low), pack::high(low));
        let distance = self.number(index).wrapping_sub(start) & self.mask();
        let beyond = (distance + count).saturating_sub(self.capacity());
        // Cut off what is logged where it reaches an end of the run; in its middle it stays, and is logged once more
        // if it is opened again, which does no harm: undoing goes backwards.
        if distance != 0 && distance < live && distance + count >= live {
            live = distance;
        }
        let from_start = if distance == 0 { count } else { beyond }.min(live);
        start = (start + from_start) & self.mask();
        live -= from_start;
        self.raw.low_water.put(pack_run(start, live));
        Ok(())
    }

    /// The place behind the last item, ready to be written; `publish_back` makes it live.
    #[inline(always)]
    pub(crate) fn next_back(&self, context: &mut Context) -> Result<Place> {
        self.touch(context)?;
        let len = self.len();
        if len >= self.capacity() {
            self.lay_anew(context, len + 1)?;
        }
        self.open(context, len, 1)?;
        self.place(len)
    }

    /// The place before the first item, ready to be written; `publish_front` makes it live.
    #[inline(always)]
    pub(crate) fn next_front(&self, context: &mut Context) -> Result<Place> {
        self.touch(context)?;
        let len = self.len();
        if len >= self.capacity() {
            self.lay_anew(context, len + 1)?;
        }
        self.open(context, u64::MAX, 1)?;
        self.place(u64::MAX)
    }

    /// Makes the written slot behind the last item live.
    #[inline(always)]
    pub(crate) fn publish_back(&self) {
        crash_point!("deque: back written, not live");
        self.raw.len.put(self.len() + 1);
        crash_point!("deque: back live");
    }

    /// Makes the written slot before the first item live.
    #[inline(always)]
    pub(crate) fn publish_front(&self) {
        crash_point!("deque: front written, not live");
        self.raw.aux0.put(self.number(u64::MAX));
        crash_point!("deque: head moved back, not counted");
        self.raw.len.put(self.len() + 1);
        crash_point!("deque: front live");
    }

    /// Drops the first `count` items, which are there; what they owned is released. The header is saved.
    #[inline(always)]
    pub(crate) fn drop_front(&self, count: u64) {
        self.raw.aux0.put(self.number(count));
        crash_point!("deque: head moved on, not counted");
        self.raw.len.put(self.len() - count);
        crash_point!("deque: front dropped");
    }

    /// Drops all but the first `len` items; what they owned is released. The header is saved.
    #[inline(always)]
    pub(crate) fn shorten(&self, len: u64) {
        self.raw.len.put(len);
        crash_point!("deque: shortened");
    }

    /// Sets the most items that may be in it; 0: any number.
    pub(crate) fn set_limit(&self, context: &mut Context, limit: u64) -> Result<()> {
        self.touch(context)?;
        self.raw.aux1.put(limit);
        crash_point!("deque: limit set");
        Ok(())
    }

    /// Writes `bytes`, which are `count` slots, over the slots of items `index ..`, which are open.
    pub(crate) fn write(&self, index: u64, count: u64, bytes: &[u8]) -> Result<()> {
        debug_assert_eq!(bytes.len() as u64, count * self.slot_size);
        let mut rest = bytes;
        for (first, count) in self.runs(index, count) {
            let target = self.at(first, count)?;
            let piece;
            (piece, rest) = rest.split_at((count * self.slot_size) as usize);
            // SAFETY: R1, W1; the callers hand in the bytes of `count` values of the queue's type.
            unsafe { std::ptr::copy_nonoverlapping(piece.as_ptr(), target, piece.len()) };
            crash_point!("deque: bytes written");
        }
        Ok(())
    }

    /// Copies slot `from` to slot `to`, which is open or not live.
    fn copy_slot(&self, from: u64, to: u64) -> Result<()> {
        let (source, target) = (self.slot(from)?, self.slot(to)?);
        // SAFETY: R1, W1: two slots of the ring, or one and the same.
        unsafe { std::ptr::copy(source, target, self.slot_size as usize) };
        Ok(())
    }

    /// Moves items `from .. from + count` to `to ..`; the slots there are open or not live. The ranges may overlap.
    pub(crate) fn shift(&self, from: u64, to: u64, count: u64) -> Result<()> {
        let straight = |first: u64| first + count <= self.capacity();
        let (source, target) = (self.number(from), self.number(to));
        if straight(source) && straight(target) {
            let (source, target) = (self.at(source, count)?, self.at(target, count)?);
            // SAFETY: R1, W1.
            unsafe { std::ptr::copy(source, target, (count * self.slot_size) as usize) };
        } else if to.wrapping_sub(from) > u64::MAX / 2 {
            (0..count).try_for_each(|step| self.copy_slot(from.wrapping_add(step), to.wrapping_add(step)))?;
        } else {
            (0..count).rev().try_for_each(|step| self.copy_slot(from.wrapping_add(step), to.wrapping_add(step)))?;
        }
        crash_point!("deque: slots shifted");
        Ok(())
    }

    /// Opens a gap of one slot before item `index`, from the end that is nearer, for a value whose slot is made at
    /// `image`; there is room, and the slots are open (`open_gap`).
    pub(crate) fn fill_gap(&self, index: u64, image: Place) -> Result<()> {
        let len = self.len();
        if index < len / 2 {
            self.shift(0, u64::MAX, index)?;
            self.raw.aux0.put(self.number(u64::MAX));
        } else {
            self.shift(index, index + 1, len - index)?;
        }
        crash_point!("deque: gap open, not counted");
        let target = self.slot(index)?;
        // SAFETY: R1, W1: a slot of the ring; the image has its size (PL).
        unsafe { std::ptr::copy_nonoverlapping(image.address(), target, self.slot_size as usize) };
        crash_point!("deque: gap filled, not counted");
        self.raw.len.put(len + 1);
        crash_point!("deque: gap live");
        Ok(())
    }

    /// Logs what `fill_gap` changes; there is room for one more.
    pub(crate) fn open_gap(&self, context: &mut Context, index: u64) -> Result<()> {
        let len = self.len();
        if index < len / 2 {
            self.open(context, u64::MAX, index + 1)
        } else {
            self.open(context, index, len - index + 1)
        }
    }

    /// Logs what `close_gap` changes.
    pub(crate) fn open_gap_to_close(&self, context: &mut Context, from: u64, count: u64) -> Result<()> {
        let behind = self.len() - from - count;
        if from < behind { self.open(context, count, from) } else { self.open(context, from, behind) }
    }

    /// Closes the gap of items `from .. from + count`, whose content was taken or released.
    pub(crate) fn close_gap(&self, from: u64, count: u64) -> Result<()> {
        let len = self.len();
        let behind = len - from - count;
        if from < behind {
            self.shift(0, count, from)?;
            self.drop_front(count);
        } else {
            self.shift(from + count, from, behind)?;
            self.shorten(len - count);
        }
        Ok(())
    }

    /// Exchanges two items, which are there.
    pub(crate) fn swap(&self, context: &mut Context, first: u64, second: u64) -> Result<()> {
        self.open(context, first, 1)?;
        self.open(context, second, 1)?;
        let (one, other) = (self.slot(first)?, self.slot(second)?);
        if one != other {
            // SAFETY: R1, W1: two different slots.
            unsafe { std::ptr::swap_nonoverlapping(one, other, self.slot_size as usize) };
        }
        crash_point!("deque: items swapped");
        Ok(())
    }

    /// Turns the ring so that the first `count` items come to stand last; `count` <= length.
    ///
    /// # Errors
    /// `OutOfSpace`; if some have moved by then the context can only be rolled back.
    pub(crate) fn rotate_left(&self, context: &mut Context, count: u64) -> Result<()> {
        self.touch(context)?;
        for step in 0..count {
            let len = self.len();
            if len < self.capacity() {
                self.open(context, len, 1).inspect_err(|_| context.doomed |= step > 0)?;
                self.copy_slot(0, len)?;
            }
            self.raw.aux0.put(self.number(1));
        }
        crash_point!("deque: turned left");
        Ok(())
    }

    /// As [`rotate_left`](Self::rotate_left), the last `count` items to the front.
    pub(crate) fn rotate_right(&self, context: &mut Context, count: u64) -> Result<()> {
        self.touch(context)?;
        for step in 0..count {
            let len = self.len();
            if len < self.capacity() {
                self.open(context, u64::MAX, 1).inspect_err(|_| context.doomed |= step > 0)?;
                self.copy_slot(len - 1, u64::MAX)?;
            }
            self.raw.aux0.put(self.number(u64::MAX));
        }
        crash_point!("deque: turned right");
        Ok(())
    }

    /// Do all items stand in one row?
    pub(crate) fn is_contiguous(&self) -> bool {
        self.raw.aux0.peek().saturating_add(self.len()) <= self.capacity()
    }

    /// The slots behind the last item that may be written and made live without asking again, as long as nothing else is
    /// done: a push at the back was just done, so the header is saved.
    #[inline(always)]
    pub(crate) fn tail<'t>(&self, ours: &'t Cell<u64>) -> Option<Tail<'t>> {
        let (len, capacity, low) = (self.len(), self.capacity(), self.raw.low_water.peek());
        let number = self.number(len);
        let mut free = capacity.saturating_sub(len).min(capacity.saturating_sub(number));
        if self.limit() != 0 {
            free = free.min(self.limit().saturating_sub(len));
        }
        if pack::high(low) != 0 {
            let distance = number.wrapping_sub(pack::low(low)) & self.mask();
            free = if distance < pack::high(low) { 0 } else { free.min(capacity - distance) };
        }
        let next = self.at(number, free).ok()?;
        (free != 0 && self.slot_size != 0).then(|| Tail::new(next, self.slot_size, len, free, ours))
    }

    /// The items as plain values, in two rows, under a guard.
    pub(crate) fn lend_slices<T: Plain>(&self) -> Result<(&'a [T], &'a [T])> {
        self.check_shape()?;
        let [one, two] = self.runs(0, self.len());
        let (first, second) = (self.at(one.0, one.1)?, self.at(two.0, two.1)?);
        // SAFETY: R1, W1; aligned: blocks are 16-aligned and T at most that.
        unsafe {
            let first = std::slice::from_raw_parts(first.cast(), one.1 as usize);
            Ok((first, std::slice::from_raw_parts(second.cast(), two.1 as usize)))
        }
    }

    /// As [`lend_slices`](Self::lend_slices), to be changed in place: everything live is logged or fresh.
    pub(crate) fn lend_slices_mut<T: Plain>(&self) -> Result<(&'a mut [T], &'a mut [T])> {
        self.check_shape()?;
        let [one, two] = self.runs(0, self.len());
        let (first, second) = (self.at(one.0, one.1)?, self.at(two.0, two.1)?);
        // SAFETY: as above, and the two do not overlap: len <= capacity. The caller has the write guard, borrowed
        // mutably.
        unsafe {
            let first = std::slice::from_raw_parts_mut(first.cast(), one.1 as usize);
            Ok((first, std::slice::from_raw_parts_mut(second.cast(), two.1 as usize)))
        }
    }
}

/// Item `index` of a queue whose words may be changing. `None`: beyond the end, or torn.
#[inline(always)]
pub(crate) fn place_in_deque(space: &Space, raw: &RawHeader, slot_size: u64, index: u64) -> Result<Option<Place>> {
    let (capacity, len) = (raw.capacity.peek(), raw.len.peek());
    if index >= len || capacity == 0 {
        return Ok(None);
    }
    if len > capacity {
        return Err(Error::corrupt(space.offset_of(raw), "a queue's ring is impossible"));
    }
    if slot_size == 0 {
        return Ok(Some(Place::fresh(std::ptr::dangling_mut::<u128>().cast())));
    }
    let number = raw.aux0.peek().wrapping_add(index) & (capacity - 1);
    let Some(at) = number.checked_mul(slot_size) else { return Ok(None) };
    Ok(Some(Place::fresh(space.resolve(raw.data.peek().wrapping_add(at), slot_size)?)))
}
