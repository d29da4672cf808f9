//! Places of slots for the typed layer, which itself contains no unsafe code.
//!
//! Invariant PL: a `Place` lies inside the mapping (R1), or in an `Image` that outlives it, and has `slot_size` bytes of
//! the container it came from; the typed layer asks only for parts that its own layout constants put inside.

use std::cmp::Ordering;
use std::mem::MaybeUninit;

use super::bytes::{compare_content, same_content};
use super::finish::release_container;
use super::owned::Owned;
use super::slot::{Slot, SlotMut};
use super::table::{FoundSlot, TableView, owned_block};
use super::vector::Vector;
use crate::journal::{Context, HEAD_SIZE, Single};
use crate::region::layout::*;
use crate::region::{Space, copy_out, load_u64};
use crate::sys::atomic::AtomicU64;
use crate::{Plain, Result};

/// Where a slot is.
#[derive(Clone, Copy)]
#[doc(hidden)]
pub struct Place {
    at: *mut u8,
}

/// A private copy of (part of) a slot.
pub(crate) struct Image<R> {
    bytes: MaybeUninit<R>,
}

impl<R: Copy> Image<R> {
    /// A slot of our own, all zero, to write a value to before it has a place.
    #[inline(always)]
    pub(crate) fn zeroed() -> Image<R> {
        Image { bytes: MaybeUninit::zeroed() }
    }

    /// The slot to write to.
    #[inline(always)]
    pub(crate) fn target(&mut self) -> SlotMut {
        // SAFETY: ours, size_of::<R>() bytes.
        unsafe { SlotMut::new(self.bytes.as_mut_ptr().cast()) }
    }

    /// Where it is.
    #[inline(always)]
    pub(crate) fn address(&self) -> *const u8 {
        self.bytes.as_ptr().cast()
    }

    /// As a place that is only looked at.
    pub(crate) fn place(&self) -> Place {
        Place { at: self.address().cast_mut() }
    }

    /// The bytes of a copy.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: all bytes were zeroed or copied from the mapping, so they are initialised.
        unsafe { std::slice::from_raw_parts(self.address(), size_of::<R>()) }
    }

    /// The copy as a slot.
    #[inline(always)]
    pub(crate) fn slot<'a>(&'a self, space: &'a Space) -> Slot<'a> {
        // SAFETY: S1: all size_of::<R>() bytes were copied and are private. The type is whatever the caller reads.
        unsafe { Slot::new(space, self.bytes.as_ptr().cast()) }
    }
}

impl Place {
    #[inline(always)]
    pub(crate) fn of(found: &FoundSlot) -> Place {
        Place { at: found.slot }
    }

    /// Full slot `index` of `group`.
    #[inline(always)]
    pub(crate) fn in_table(view: &TableView, group: u64, index: u32) -> Place {
        Place { at: view.slot_at(group, index) }
    }

    /// Slot `index` of a vector.
    #[inline(always)]
    pub(crate) fn in_vector(vector: &Vector, index: u64) -> Result<Place> {
        Ok(Place { at: vector.slots(index, 1)? })
    }

    /// The slot of a value that is about to be made live.
    #[inline(always)]
    pub(crate) fn fresh(at: *mut u8) -> Place {
        Place { at }
    }

    /// Its first byte.
    pub(super) fn address(self) -> *const u8 {
        self.at
    }

    #[inline(always)]
    pub(crate) fn part(self, bytes: usize) -> Place {
        // SAFETY: PL.
        Place { at: unsafe { self.at.add(bytes) } }
    }

    /// Copies the bytes of an `R` out; others may be writing them.
    #[inline(always)]
    pub(crate) fn image<R: Copy>(self) -> Image<R> {
        let mut bytes = MaybeUninit::<R>::uninit();
        // SAFETY: PL; the target is ours.
        unsafe { copy_out(self.at, bytes.as_mut_ptr().cast(), size_of::<R>()) };
        Image { bytes }
    }

    /// The value here, for as long as the guard that the caller has keeps others away.
    #[inline(always)]
    pub(crate) fn lend<'a>(self, space: &'a Space) -> Slot<'a> {
        // SAFETY: S1 by W1.
        unsafe { Slot::new(space, self.at) }
    }

    /// The place to write a value to; its old bytes are logged or were not live.
    #[inline(always)]
    pub(crate) fn target(self) -> SlotMut {
        // SAFETY: PL, W1.
        unsafe { SlotMut::new(self.at) }
    }

    /// Writes the bytes of a value that was made elsewhere.
    #[inline(always)]
    pub(crate) fn fill<R: Copy>(self, image: &Image<R>) {
        // SAFETY: PL, W1: the slot has the size of its `R`.
        unsafe { std::ptr::copy_nonoverlapping(image.address(), self.at, size_of::<R>()) };
    }

    /// Writes the eight bytes of a value that was made elsewhere by one store: whoever dies has written all of them or none.
    #[inline(always)]
    pub(crate) fn fill_word<R: Copy>(self, image: &Image<R>) {
        debug_assert!(size_of::<R>() == 8 && (self.at as usize).is_multiple_of(8));
        // SAFETY: the image has that size; zeroed or copied, its bytes are initialised.
        let word = unsafe { image.address().cast::<u64>().read_unaligned() };
        // SAFETY: PL, W1: the slot has the size of its `R`, and the caller knows it to be 8-aligned.
        unsafe { AtomicU64::from_ptr(self.at.cast()) }.store(word, crate::sys::atomic::Ordering::Relaxed);
    }

    /// Records the slot of an `R`, for a change by the short way.
    #[inline(always)]
    pub(crate) fn record<R: Copy>(self, single: &mut Single) {
        // SAFETY: PL, W1: the slot has the size of its `R`.
        unsafe { single.record_bytes(self.at, size_of::<R>()) };
    }

    /// A plain value that may be changed in place; its old bytes are logged.
    #[inline(always)]
    pub(crate) fn lend_mut<'a, T: Plain>(self) -> &'a mut T {
        // SAFETY: PL, W1: the caller has the container's write guard and lends at most one such reference at a time
        // (its methods borrow the guard mutably); slots are aligned, and validated when opened.
        unsafe { &mut *self.at.cast::<T>() }
    }

    /// Is the key here, `key.len()` plain bytes, this one?
    #[inline(always)]
    pub(crate) fn same_plain(self, key: &[u8]) -> bool {
        if let Ok(word) = <[u8; 8]>::try_from(key) {
            // SAFETY: PL.
            return unsafe { load_u64(self.at) } == u64::from_ne_bytes(word);
        }
        let mut buffer = [0u8; 64];
        key.chunks(64).enumerate().all(|(index, part)| {
            let buffer = &mut buffer[..part.len()];
            // SAFETY: PL: key.len() is the size of the key's part of the slot.
            unsafe { copy_out(self.at.add(index * 64), buffer.as_mut_ptr(), part.len()) };
            buffer == part
        })
    }

    /// Is the text key here this one?
    #[inline(always)]
    pub(crate) fn same_text(self, space: &Space, key: &[u8]) -> bool {
        // SAFETY: PL.
        unsafe { same_content(space, self.at, key) }
    }

    /// How the text key here compares with `key`. Bounded by the key's length; the slot may be changing meanwhile.
    #[inline(always)]
    pub(crate) fn compare_text(self, space: &Space, key: &[u8]) -> Ordering {
        // SAFETY: PL.
        unsafe { compare_content(space, self.at, key) }
    }

    /// The raw header of the nested container here, under a guard.
    #[inline(always)]
    pub(crate) fn header<'a>(self) -> &'a RawHeader {
        debug_assert!(self.at.cast::<RawHeader>().is_aligned());
        // SAFETY: PL, W1; atomics only; the slots of nested containers are 8-aligned.
        unsafe { &*self.at.cast::<RawHeader>() }
    }

    /// Asks memory for the first block that the value here owns, if it is one of `fields`, which own blocks: it will be
    /// looked at soon. The slot may be changing.
    #[inline(always)]
    pub(crate) fn prefetch_owned(self, space: &Space, fields: &[Owned]) {
        if let Some(Owned::Text { at }) = fields.first() {
            // SAFETY: PL.
            let block = unsafe { load_u64(self.at.add(*at as usize)) };
            space.prefetch(block);
        }
    }

    /// What the value here owns, as it is now: to be let go once another one stands here, or none.
    #[inline(always)]
    pub(crate) fn owned_blocks(self, owned: &'static [Owned]) -> Result<Vec<OwnedPart>> {
        let mut parts = Vec::new();
        if !owned.is_empty() {
            self.collect_owned(owned, &mut parts)?;
        }
        Ok(parts)
    }

    fn collect_owned(self, owned: &'static [Owned], parts: &mut Vec<OwnedPart>) -> Result<()> {
        for field in owned {
            match *field {
                Owned::Text { at } => {
                    let block = owned_block(self.at, at)?;
                    parts.extend(block.map(|(block, len)| OwnedPart::Block(block, len)));
                }
                Owned::Part { at, fields } => self.part(at as usize).collect_owned(fields, parts)?,
                Owned::When { at, value, fields } => {
                    // SAFETY: PL.
                    if unsafe { self.at.add(at as usize).cast::<u32>().read_unaligned() } == value {
                        self.collect_owned(fields, parts)?;
                    }
                }
                Owned::Nested { at, fields, .. } => {
                    let image = self.part(at as usize).header().words();
                    if image[DATA_WORD] != 0 {
                        parts.push(OwnedPart::Container { image, fields });
                    }
                }
            }
        }
        Ok(())
    }
}

/// The word of a raw header that says where its body is.
const DATA_WORD: usize = 3;

/// Something that a value owned.
pub(crate) enum OwnedPart {
    /// A string's block and length.
    Block(u64, u64),
    /// A nested container: its raw header, and what each of its slots owns.
    Container { image: [u64; 8], fields: &'static [Owned] },
}

/// Log bytes that [`release_blocks`] takes at most.
pub(crate) fn release_room(parts: &[OwnedPart]) -> u64 {
    let room = |part: &OwnedPart| match part {
        OwnedPart::Block(..) => HEAD_SIZE,
        OwnedPart::Container { fields, .. } => {
            HEAD_SIZE + (RAW_SIZE + 4 * Owned::count(fields) as u64).next_multiple_of(8)
        }
    };
    parts.iter().map(room).sum()
}

/// So many log bytes are asked for in one stretch; records of more have room in the chunks that follow.
const IN_A_STRETCH: u64 = 4096;

/// Takes the log room that [`release_blocks`] needs, so that it cannot fail.
#[inline(always)]
pub(crate) fn reserve_release(context: &mut Context, parts: &[OwnedPart]) -> Result<()> {
    let room = release_room(parts);
    context.reserve_log(room.min(IN_A_STRETCH))?;
    // A record may leave the end of a chunk unused.
    if room > IN_A_STRETCH { context.reserve_heads((room + room / 4) / HEAD_SIZE) } else { Ok(()) }
}

/// Lets go at commit what a value owned.
///
/// # Errors
/// `OutOfSpace` without log room; nothing has changed then.
#[inline(always)]
pub(crate) fn release_blocks(context: &mut Context, parts: &[OwnedPart]) -> Result<()> {
    if parts.is_empty() { Ok(()) } else { release_parts(context, parts) }
}

fn release_parts(context: &mut Context, parts: &[OwnedPart]) -> Result<()> {
    reserve_release(context, parts)?;
    for (index, part) in parts.iter().enumerate() {
        let released = match part {
            OwnedPart::Block(block, len) => context.reserve_log(HEAD_SIZE).map(|()| context.release(*len, *block)),
            OwnedPart::Container { image, fields } => {
                let header = RawHeader::of_words(*image);
                release_container(context, &header, &Owned::words(fields))
            }
        };
        if let Err(error) = released {
            context.doomed |= index > 0;
            return Err(error);
        }
    }
    Ok(())
}

/// Slot `index` of a vector whose words may be changing. `None`: beyond the end.
#[inline(always)]
pub(crate) fn place_in_vector(space: &Space, raw: &RawHeader, slot_size: u64, index: u64) -> Result<Option<Place>> {
    if index >= raw.len.peek() {
        return Ok(None);
    }
    let Some(at) = index.checked_mul(slot_size) else { return Ok(None) };
    if slot_size == 0 {
        return Ok(Some(Place { at: std::ptr::dangling_mut::<u128>().cast() }));
    }
    Ok(Some(Place { at: space.resolve(raw.data.peek().wrapping_add(at), slot_size)? }))
}

/// Copies `len` bytes of a vector's body out; they may be changing (the caller has validated the length).
pub(crate) fn copy_bytes_out(space: &Space, data: u64, len: u64) -> Result<Vec<u8>> {
    if len == 0 {
        return Ok(Vec::new());
    }
    let source = space.resolve(data, len)?;
    let mut bytes = vec![0; len as usize];
    // SAFETY: R1; the vector has the length.
    unsafe { copy_out(source, bytes.as_mut_ptr(), len as usize) };
    Ok(bytes)
}

impl<'a> Vector<'a> {
    /// The content as plain values, under a guard.
    #[inline(always)]
    pub(crate) fn lend_slice<T: Plain>(&self) -> Result<&'a [T]> {
        let len = self.len();
        let first = self.slots(0, len)?;
        // SAFETY: R1, W1; aligned: blocks are 16-aligned and T at most that.
        Ok(unsafe { std::slice::from_raw_parts(first.cast(), len as usize) })
    }

    /// As [`lend_slice`](Self::lend_slice), to be changed in place: everything live is logged or fresh.
    #[inline(always)]
    pub(crate) fn lend_slice_mut<T: Plain>(&self) -> Result<&'a mut [T]> {
        let len = self.len();
        let first = self.slots(0, len)?;
        // SAFETY: as above; the caller has the write guard, borrowed mutably.
        Ok(unsafe { std::slice::from_raw_parts_mut(first.cast(), len as usize) })
    }

    /// The content as bytes, under a guard (slots of one byte).
    pub(crate) fn lend_bytes(&self) -> Result<&'a [u8]> {
        self.lend_slice::<u8>()
    }

    /// Writes `bytes`, which are `count` slots, over slots `index ..`, which are open.
    pub(crate) fn write(&self, index: u64, count: u64, bytes: &[u8]) -> Result<()> {
        let target = self.slots(index, count)?;
        debug_assert_eq!(bytes.len() as u64, self.size_of(count));
        // SAFETY: R1, W1; the callers hand in the bytes of `count` values of the vector's type.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
        crate::crash::crash_point!("vector: bytes written");
        Ok(())
    }

    /// Makes `bytes` the content of an empty vector that has room for them, as `count` slots.
    pub(crate) fn fill(&self, bytes: &[u8], count: u64) -> Result<()> {
        self.write(0, count, bytes)?;
        self.publish_push(count);
        Ok(())
    }

    /// The place behind the present slots, ready to be written.
    #[inline(always)]
    pub(crate) fn next_place(&self, context: &mut Context) -> Result<Place> {
        Ok(Place::fresh(self.prepare_push(context)?))
    }

    /// The number of slots and the place behind them, if there is room and nothing is wrong: it is not live, so a change by
    /// the short way may write it.
    #[inline(always)]
    pub(crate) fn vacant_place(&self) -> Option<(u64, Place)> {
        let (len, data, size) = (self.len(), self.raw.data.peek(), self.slot_size);
        if len >= self.raw.capacity.peek() || !data.is_multiple_of(16) || size == 0 {
            return None;
        }
        let at = self.space.resolve_known(data.wrapping_add(len.checked_mul(size)?), size)?;
        Some((len, Place::fresh(at)))
    }
}
