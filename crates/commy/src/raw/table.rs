//! A hash table: groups of 16 control bytes, densely, then their slots; probed group by group (triangular steps).
//!
//! The control bytes and the matching of seven hash bits are those of Swiss tables
//! (Kulukundis, CppCon 2017; <https://abseil.io/about/design/swisstables>). Groups are aligned, so no control byte stands
//! twice. (Slots beside their group were tried: at a million entries the control bytes then no longer fit a cache.)
//!
//! ```text
//! control[groups][16]  slot[groups][16]      control: 0..=127 full (top hash bits) · 0x80 deleted · 0xff empty
//! ```
//! Raw header: `capacity` groups (a power of two), `aux0` empty slots that may still be filled, `aux1` seed,
//! `low_water` 0 if the table's block is fresh in the context that the stamp names.

mod moves;

use crate::sys::atomic::AtomicU64;
use std::marker::PhantomData;
use std::num::NonZeroU16;

use super::bytes::{Content, lend};
use super::hash::hash_bytes;
use super::shape::Shape;
use crate::crash::crash_point;
use crate::heap::MAX_ITEMS;
use crate::journal::{Context, HEAD_SIZE, Single};
use crate::region::layout::*;
use crate::region::{Space, load_16, load_u64, prefetch};
use crate::{Error, Result, sys};

/// Slots of a group.
pub(crate) const TABLE_GROUP: u64 = 16;
pub(super) const EMPTY: u8 = 0xff;
const DELETED: u8 = 0x80;

/// A slot that was found or claimed.
#[derive(Clone, Copy)]
pub(crate) struct FoundSlot {
    pub(crate) slot: *mut u8,
    control: *mut u8,
}

/// What one group says of a key.
pub(crate) enum InRow {
    Found(FoundSlot),
    /// The key's way ends here without it.
    Ends,
    GoesOn,
}

/// Where a key is or may be put.
pub(crate) enum Spot {
    Found(FoundSlot),
    Vacant(FoundSlot),
    Nowhere,
}

/// A table's words, read once and checked against the region's bounds.
#[derive(Clone, Copy)]
pub(crate) struct TableView {
    data: *mut u8,
    slots: *mut u8,
    /// Selects the number of a group's first slot, which is also where its control bytes are.
    mask: u64,
    slot_size: u64,
}

#[inline(always)]
fn group_size(slot_size: u64) -> u64 {
    16 + 16 * slot_size
}

#[inline(always)]
fn tag_of(hash: u64) -> u8 {
    (hash >> 57) as u8
}

/// Bit n: control byte n equals `byte`.
#[inline(always)]
fn matches(group: [u8; 16], byte: u8) -> u16 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set1_epi32};
        // By a multiplication: SSE2 has no shorter way to repeat a byte.
        let row = u32::from(byte) * 0x0101_0101;
        // SAFETY: SSE2 belongs to every x86-64; both sides are 16 plain bytes.
        unsafe {
            let group = std::mem::transmute::<[u8; 16], std::arch::x86_64::__m128i>(group);
            _mm_movemask_epi8(_mm_cmpeq_epi8(group, _mm_set1_epi32(row as i32))) as u16
        }
    }
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    {
        group.iter().enumerate().fold(0, |bits, (at, control)| bits | (u16::from(*control == byte) << at))
    }
}

/// Bit n: slot n is full.
#[inline(always)]
fn full(group: [u8; 16]) -> u32 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::_mm_movemask_epi8;
        // SAFETY: as above.
        unsafe {
            !(_mm_movemask_epi8(std::mem::transmute::<[u8; 16], std::arch::x86_64::__m128i>(group)) as u32) & 0xffff
        }
    }
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    {
        group.iter().enumerate().fold(0, |bits, (at, control)| bits | (u32::from(*control < 0x80) << at))
    }
}

impl TableView {
    /// Reads the header. `None`: the table has no groups. The words may be changing; bounds hold whatever they say.
    #[inline(always)]
    pub(crate) fn read(space: &Space, raw: &RawHeader, slot_size: u64) -> Result<Option<TableView>> {
        let groups = raw.capacity.peek();
        if groups == 0 {
            return Ok(None);
        }
        if !groups.is_power_of_two() || groups >> 40 != 0 {
            return Err(Error::corrupt(raw.data.peek(), "a table has an impossible size"));
        }
        let offset = raw.data.peek();
        if !offset.is_multiple_of(16) {
            return Err(Error::corrupt(offset, "a table's body is misplaced"));
        }
        let data = space.resolve(offset, groups.saturating_mul(group_size(slot_size)))?;
        Ok(Some(Self::at(data, groups, slot_size)))
    }

    #[inline(always)]
    fn at(data: *mut u8, groups: u64, slot_size: u64) -> TableView {
        let slots = data.wrapping_add((groups * TABLE_GROUP) as usize);
        TableView { data, slots, mask: (groups - 1) * TABLE_GROUP, slot_size }
    }

    /// A view of parts that `read` made once.
    #[inline(always)]
    pub(super) fn from_parts(data: *mut u8, slots: *mut u8, mask: u64, slot_size: u64) -> TableView {
        TableView { data, slots, mask, slot_size }
    }

    /// The same for a caller who knows the size of a slot as a constant.
    #[inline(always)]
    pub(crate) fn with_slot_size(self, slot_size: u64) -> TableView {
        TableView { slot_size, ..self }
    }

    /// The parts to keep.
    pub(super) fn parts(&self) -> (*mut u8, *mut u8, u64) {
        (self.data, self.slots, self.mask)
    }

    /// Asks memory for the slots that are filled first in a group, so that they are not waited for only after its control
    /// bytes.
    #[inline(always)]
    fn prefetch_slots(&self, row: u64) {
        let first = self.slots.wrapping_add((row * self.slot_size) as usize);
        for line in 0..(self.slot_size / 8).clamp(1, 4) {
            prefetch(first.wrapping_add(line as usize * 64));
        }
    }

    /// Asks memory for what a key's look-up will touch.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        prefetch(self.data.wrapping_add((hash & self.mask) as usize));
        self.prefetch_slots(hash & self.mask);
    }

    /// The control bytes of the group whose first slot is number `row`.
    #[inline(always)]
    fn row(&self, row: u64) -> [u8; 16] {
        debug_assert!(row & !self.mask == 0);
        // SAFETY: R1: `read` resolved the rows of all groups.
        unsafe { load_16(self.data, row as usize) }
    }

    #[inline(always)]
    fn slot(&self, row: u64, index: u32) -> FoundSlot {
        let number = row + u64::from(index);
        // SAFETY: R1: row <= mask, index < 16.
        unsafe {
            let slot = self.slots.add((number * self.slot_size) as usize);
            FoundSlot { slot, control: self.data.add(number as usize) }
        }
    }

    /// The slot for which `same` holds among those whose control byte matches. Ends after all groups at the latest.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, mut same: impl FnMut(*const u8) -> bool) -> Option<FoundSlot> {
        // Nearly always the first group is all that is looked at; what only the others need is not to cost anything there.
        let first = hash & self.mask;
        match self.find_in_row(first, hash, &mut same) {
            InRow::Found(found) => return Some(found),
            InRow::Ends => return None,
            InRow::GoesOn => {}
        }
        let (mut row, mut step) = (first, 0);
        while step < self.mask {
            step += TABLE_GROUP;
            row = (row + step) & self.mask;
            match self.find_in_row(row, hash, &mut same) {
                InRow::Found(found) => return Some(found),
                InRow::Ends => return None,
                InRow::GoesOn => {}
            }
        }
        None
    }

    /// What the first group on a key's way says.
    #[inline(always)]
    pub(crate) fn find_in_first(&self, hash: u64, mut same: impl FnMut(*const u8) -> bool) -> InRow {
        self.find_in_row(hash & self.mask, hash, &mut same)
    }

    #[inline(always)]
    fn find_in_row(&self, row: u64, hash: u64, same: &mut impl FnMut(*const u8) -> bool) -> InRow {
        self.prefetch_slots(row);
        let group = self.row(row);
        let mut hits = matches(group, tag_of(hash));
        while let Some(hit) = NonZeroU16::new(hits) {
            let found = self.slot(row, hit.trailing_zeros());
            if same(found.slot) {
                return InRow::Found(found);
            }
            hits &= hits - 1;
        }
        if matches(group, EMPTY) != 0 { InRow::Ends } else { InRow::GoesOn }
    }

    /// As `find`; if there is none, the first slot on the key's way that is not full.
    #[inline(always)]
    pub(crate) fn find_or_vacant(&self, hash: u64, mut same: impl FnMut(*const u8) -> bool) -> Spot {
        let tag = tag_of(hash);
        let mut row = hash & self.mask;
        let mut step = 0;
        let mut vacant = None;
        loop {
            let group = self.row(row);
            let mut hits = matches(group, tag);
            while let Some(hit) = NonZeroU16::new(hits) {
                let found = self.slot(row, hit.trailing_zeros());
                if same(found.slot) {
                    return Spot::Found(found);
                }
                hits &= hits - 1;
            }
            if vacant.is_none() {
                let open = !full(group) & 0xffff;
                vacant = (open != 0).then(|| self.slot(row, open.trailing_zeros()));
            }
            if matches(group, EMPTY) != 0 || step >= self.mask {
                return vacant.map_or(Spot::Nowhere, Spot::Vacant);
            }
            step += TABLE_GROUP;
            row = (row + step) & self.mask;
        }
    }

    /// The first slot on the key's way that is not full.
    #[inline(always)]
    fn vacant(&self, hash: u64) -> Option<FoundSlot> {
        let mut row = hash & self.mask;
        let mut step = 0;
        loop {
            let open = !full(self.row(row)) & 0xffff;
            if open != 0 {
                return Some(self.slot(row, open.trailing_zeros()));
            }
            if step >= self.mask {
                return None;
            }
            step += TABLE_GROUP;
            row = (row + step) & self.mask;
        }
    }

    /// Bytes of its block.
    pub(crate) fn size(&self) -> u64 {
        self.groups().saturating_mul(group_size(self.slot_size))
    }

    /// Number of slots.
    pub(crate) fn slots(&self) -> u64 {
        self.mask + TABLE_GROUP
    }

    /// The full slots of a group; bit n stands for slot n.
    #[inline(always)]
    pub(crate) fn full_slots(&self, group: u64) -> u32 {
        if group >= self.groups() {
            return 0;
        }
        full(self.row(group * TABLE_GROUP))
    }

    /// Slot `index` of `group`.
    #[inline(always)]
    pub(crate) fn slot_at(&self, group: u64, index: u32) -> *mut u8 {
        self.found_at(group, index).slot
    }

    /// Slot `index` of `group`, which is full.
    #[inline(always)]
    pub(crate) fn found_at(&self, group: u64, index: u32) -> FoundSlot {
        self.slot((group * TABLE_GROUP) & self.mask, index & 15)
    }

    /// Number of groups.
    #[inline(always)]
    pub(crate) fn groups(&self) -> u64 {
        self.slots() / TABLE_GROUP
    }
}

/// A table under a write guard.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(crate) space: &'a Space,
    pub(crate) raw: &'a RawHeader,
    slot_size: u64,
    marker: PhantomData<*mut ()>,
}

impl<'a> Table<'a> {
    #[inline(always)]
    pub(crate) fn new(space: &'a Space, raw: &'a RawHeader, slot_size: u64) -> Table<'a> {
        Table { space, raw, slot_size, marker: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn view(&self) -> Result<Option<TableView>> {
        TableView::read(self.space, self.raw, self.slot_size)
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> u64 {
        self.raw.len.peek()
    }

    /// Is the table's block fresh in this context (nothing in it needs a log)?
    #[inline(always)]
    fn is_fresh(&self) -> bool {
        self.raw.low_water.peek() == 0
    }

    #[inline(always)]
    fn touch(&self, context: &mut Context) -> Result<()> {
        context.save_header(self.raw, 1)
    }

    /// A slot for a new key, ready to be written: logged, and with room for it in the table. `publish` makes it live.
    ///
    /// # Errors
    /// `OutOfSpace`; the content is unchanged then.
    #[inline(always)]
    pub(crate) fn claim(&self, context: &mut Context, hash: u64) -> Result<FoundSlot> {
        self.touch(context)?;
        if self.raw.aux0.peek() == 0 {
            self.grow(context, 1)?;
        }
        let damaged = || Error::corrupt(self.raw.data.peek(), "a table is fuller than its header says");
        let view = self.view()?.ok_or_else(damaged)?;
        let found = view.vacant(hash).ok_or_else(damaged)?;
        self.log_control(context, &found)?;
        Ok(found)
    }

    /// Records what `publish` and `erase` change, by the short way: the slot itself is not live before the one and not used
    /// again after the other. False: the table is damaged.
    #[inline(always)]
    pub(crate) fn record(&self, single: &mut Single, found: &FoundSlot) -> bool {
        if self.len() > MAX_ITEMS {
            return false;
        }
        // SAFETY: R1: rows of control bytes are 16-aligned, and under the object's word nobody else writes them.
        let control = unsafe { AtomicU64::from_ptr(found.control.map_addr(|at| at & !7).cast()) };
        single.record_words([control, &self.raw.len, &self.raw.aux0]);
        true
    }

    /// Makes a written slot live. Cannot fail.
    #[inline(always)]
    pub(crate) fn publish(&self, hash: u64, found: FoundSlot) {
        crash_point!("table: slot written, not live");
        // SAFETY: W1; a control byte of the table.
        let before = unsafe { found.control.read() };
        // SAFETY: as above.
        unsafe { found.control.write(tag_of(hash)) };
        crash_point!("table: control set, not counted");
        self.raw.len.put(self.len() + 1);
        if before == EMPTY {
            self.raw.aux0.put(self.raw.aux0.peek().saturating_sub(1));
        }
        crash_point!("table: counted");
    }

    /// Logs the word of control bytes that a slot belongs to.
    #[inline(always)]
    fn log_control(&self, context: &mut Context, found: &FoundSlot) -> Result<()> {
        if self.is_fresh() {
            return Ok(());
        }
        let offset = self.offset_of(found.control) & !7;
        context.save_once(offset, 8)
    }

    #[inline(always)]
    fn offset_of(&self, place: *mut u8) -> u64 {
        self.space.offset_of_address(place)
    }

    /// Logs `len` bytes at `at` of a slot, so that they may be overwritten.
    #[inline(always)]
    pub(crate) fn open_slot(&self, context: &mut Context, found: &FoundSlot, at: u64, len: u64) -> Result<()> {
        self.touch(context)?;
        if self.is_fresh() {
            return Ok(());
        }
        context.save_once(self.offset_of(found.slot) + at, len)
    }

    /// Logs all that `erase` changes.
    pub(crate) fn open_erase(&self, context: &mut Context, found: &FoundSlot) -> Result<()> {
        // The whole slot: another key may come to stand there in the same context.
        self.open_slot(context, found, 0, self.slot_size)?;
        self.log_control(context, found)
    }

    /// Takes a slot out; `open_erase` came before. Cannot fail.
    #[inline(always)]
    pub(crate) fn erase(&self, found: FoundSlot) {
        // SAFETY: W1: control bytes lie in rows of 16, 16-aligned as blocks are.
        let group = unsafe { found.control.sub(found.control as usize % TABLE_GROUP as usize) };
        // SAFETY: R1.
        let has_empty = matches(unsafe { load_16(group, 0) }, EMPTY) != 0;
        crash_point!("table: erase begins");
        // Probing ends at a group with an empty slot anyway, so another one there hides nothing.
        // SAFETY: W1.
        unsafe { found.control.write(if has_empty { EMPTY } else { DELETED }) };
        if has_empty {
            self.raw.aux0.put(self.raw.aux0.peek().saturating_add(1));
        }
        crash_point!("table: control cleared, not counted");
        self.raw.len.put(self.len().saturating_sub(1));
        crash_point!("table: erased");
    }

    /// Makes room for `more` keys: a new block, everything moved, header switched.
    #[cold]
    pub(crate) fn grow(&self, context: &mut Context, more: u64) -> Result<()> {
        self.touch(context)?;
        let wanted = self.len().checked_add(more).ok_or(Error::InvalidArgument("length"))?;
        if self.raw.aux0.peek() >= more {
            return Ok(());
        }
        let mut groups = 1u64;
        // Seven eighths of the slots may be full.
        while groups.saturating_mul(14) < wanted {
            groups = groups.checked_mul(2).ok_or(Error::InvalidArgument("length"))?;
        }
        // A table full of the living doubles, so that growth is paid for by inserts.
        if self.len() > self.raw.capacity.peek().saturating_mul(7) && groups <= self.raw.capacity.peek() {
            groups = self.raw.capacity.peek().saturating_mul(2);
        }
        self.rebuild(context, groups)
    }

    /// Moves everything to a fresh block of `groups` groups; the header is logged.
    fn rebuild(&self, context: &mut Context, groups: u64) -> Result<()> {
        let limit = self.space.geometry.capacity;
        let size = groups.checked_mul(group_size(self.slot_size)).filter(|size| *size <= limit);
        let size = size.ok_or(Error::OutOfSpace { requested: u64::MAX, capacity: limit })?;
        let old = self.view()?;
        let old_size = self.raw.capacity.peek().saturating_mul(group_size(self.slot_size));
        context.reserve_log(2 * HEAD_SIZE)?;
        let block = context.allocate(size)?;
        let moved = self.fill(block, groups, old);
        context.reserve_log(HEAD_SIZE)?;
        if let Err(error) = moved {
            context.cancel(size, block);
            return Err(error);
        }
        if old.is_some() {
            context.release(old_size, self.raw.data.peek());
        }
        crash_point!("table: moved, header not changed");
        if self.raw.aux1.peek() == 0 {
            self.raw.aux1.put(sys::random_u64() | 1);
        }
        self.raw.data.put(block);
        crash_point!("table: data switched, size not");
        self.raw.capacity.put(groups);
        self.raw.aux0.put((groups * 14).saturating_sub(self.len()));
        self.raw.low_water.put(0);
        crash_point!("table: grown");
        Ok(())
    }

    /// Copies all slots into a fresh block of `groups` groups.
    fn fill(&self, block: u64, groups: u64, old: Option<TableView>) -> Result<()> {
        let data = self.space.resolve(block, groups * group_size(self.slot_size))?;
        let new = TableView::at(data, groups, self.slot_size);
        // SAFETY: R1; the block is fresh.
        unsafe { std::ptr::write_bytes(data, EMPTY, (groups * TABLE_GROUP) as usize) };
        let Some(old) = old else { return Ok(()) };
        let shape = Shape::of(self.raw, self.space.offset_of(self.raw))?;
        let (space, seed) = (self.space, self.raw.aux1.peek());
        // SAFETY: R1: a full slot has the 8 bytes of its key.
        let hash_word = |slot: *const u8| Ok(hash_bytes(seed, &unsafe { load_u64(slot) }.to_ne_bytes()));
        // The usual sizes as constants: each entry that comes in has moved once by the time a table is full.
        let moved = match (shape.is_word_key(), self.slot_size) {
            (true, 16) => move_slots(old, new, 16, hash_word),
            (true, size) => move_slots(old, new, size, hash_word),
            (false, 32) => move_slots(old, new, 32, |slot| slot_hash(space, &shape, seed, slot)),
            (false, size) => move_slots(old, new, size, |slot| slot_hash(space, &shape, seed, slot)),
        }?;
        if moved { Ok(()) } else { Err(Error::corrupt(block, "a table is fuller than its header says")) }
    }
}

/// Copies all full slots of a table into an empty one; false: they do not fit.
#[inline(always)]
fn move_slots(old: TableView, new: TableView, slot_size: u64, hash: impl Fn(*const u8) -> Result<u64>) -> Result<bool> {
    let (old, new) = (old.with_slot_size(slot_size), new.with_slot_size(slot_size));
    for group in 0..old.groups() {
        let mut left = old.full_slots(group);
        while left != 0 {
            let source = old.slot_at(group, left.trailing_zeros());
            left &= left - 1;
            let hash = hash(source)?;
            let Some(found) = new.vacant(hash) else { return Ok(false) };
            // SAFETY: R1: both are slots of their tables. A crafted free list may make them overlap.
            unsafe {
                std::ptr::copy(source, found.slot, slot_size as usize);
                found.control.write(tag_of(hash));
            }
        }
    }
    Ok(true)
}

/// The hash of the key that stands in a slot, by its canonical bytes.
pub(crate) fn slot_hash(space: &Space, shape: &Shape, seed: u64, slot: *const u8) -> Result<u64> {
    if shape.text_key {
        // SAFETY: W1: a full slot under the object's word.
        return Ok(hash_bytes(seed, unsafe { lend(space, slot) }?));
    }
    if shape.is_word_key() {
        // SAFETY: R1.
        return Ok(hash_bytes(seed, &unsafe { load_u64(slot) }.to_ne_bytes()));
    }
    // SAFETY: R1: key_size <= slot_size bytes of a full slot.
    Ok(hash_bytes(seed, unsafe { std::slice::from_raw_parts(slot, shape.key_size as usize) }))
}

/// The string that a slot owns at `at`, if it has a block.
pub(crate) fn owned_block(slot: *const u8, at: u32) -> Result<Option<(u64, u64)>> {
    // SAFETY: W1: `at` is the place of an owned string inside a full slot.
    let words = unsafe { slot.add(at as usize).cast::<[u64; 2]>().read_unaligned() };
    Ok(Content::of(words)?.block())
}
