//! A place of a value inside a container, for the typed layer: it reads and writes whole values and cannot be
//! aimed at anything else.

use std::marker::PhantomData;

use super::bytes::{self, BytesSlot};
use crate::Plain;
use crate::Result;
use crate::journal::Context;
use crate::region::Space;
use crate::region::layout::RawHeader;

/// A value's bytes, under a guard or in a private copy. Invariant S1: readable for the size of the value's slot and not
/// written by anybody for `'a`; what was stored there is a value of the type that the container was opened with.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Slot<'a> {
    at: *const u8,
    space: &'a Space,
    marker: PhantomData<*mut ()>,
}

impl<'a> Slot<'a> {
    /// # Safety
    /// S1.
    #[inline(always)]
    pub(crate) unsafe fn new(space: &'a Space, at: *const u8) -> Slot<'a> {
        Slot { at, space, marker: PhantomData }
    }

    /// The slot `bytes` further on, inside the same value.
    #[doc(hidden)]
    #[inline(always)]
    pub fn part(self, bytes: usize) -> Slot<'a> {
        // SAFETY: S1: value types ask for parts of themselves.
        Slot { at: unsafe { self.at.add(bytes) }, ..self }
    }

    #[inline(always)]
    pub(crate) fn word(self) -> u64 {
        // SAFETY: S1.
        unsafe { self.at.cast::<u64>().read_unaligned() }
    }

    /// The number that tells the variants of an enum apart.
    #[doc(hidden)]
    #[inline(always)]
    pub fn tag(self) -> u32 {
        // SAFETY: S1.
        unsafe { self.at.cast::<u32>().read_unaligned() }
    }

    /// The raw header of a nested container, as it is now.
    pub(crate) fn header_words(self) -> [u64; 8] {
        // SAFETY: S1.
        unsafe { self.at.cast::<[u64; 8]>().read_unaligned() }
    }

    /// The raw header of a nested container, under a guard.
    #[inline(always)]
    pub(crate) fn header(self) -> &'a RawHeader {
        debug_assert!(self.at.cast::<RawHeader>().is_aligned());
        // SAFETY: S1; atomics only; the slots of nested containers are 8-aligned.
        unsafe { &*self.at.cast::<RawHeader>() }
    }

    #[inline(always)]
    pub(crate) fn space(self) -> &'a Space {
        self.space
    }

    #[inline(always)]
    pub(crate) fn bytes_slot(self) -> BytesSlot {
        [self.word(), self.part(8).word()]
    }

    /// The plain value that stands here.
    #[inline(always)]
    pub(crate) fn lend_plain<T: Plain>(self) -> &'a T {
        debug_assert!(self.at.cast::<T>().is_aligned());
        // SAFETY: S1; slots are placed at multiples of their alignment; objects are validated when opened.
        unsafe { &*self.at.cast::<T>() }
    }

    /// A copy of the plain value, if its bytes are one (they come from a file).
    #[inline(always)]
    pub(crate) fn read_plain<T: Plain>(self) -> Option<T> {
        if !T::ANY_BYTES && !T::is_valid(self.raw(size_of::<T>())) {
            return None;
        }
        // SAFETY: S1; just validated.
        Some(unsafe { self.at.cast::<T>().read_unaligned() })
    }

    /// Are the bytes a value of this type?
    pub(crate) fn is_plain<T: Plain>(self) -> bool {
        T::ANY_BYTES || T::is_valid(self.raw(size_of::<T>()))
    }

    #[inline(always)]
    fn raw(self, len: usize) -> &'a [u8] {
        // SAFETY: S1.
        unsafe { std::slice::from_raw_parts(self.at, len) }
    }

    /// The string that stands here.
    #[inline]
    pub(crate) fn lend_bytes(self) -> Result<&'a [u8]> {
        // SAFETY: S1.
        unsafe { bytes::lend(self.space, self.at) }
    }

    /// As [`lend_bytes`](Self::lend_bytes), for text that was validated when the object was opened.
    #[inline]
    pub(crate) fn lend_text(self) -> Result<&'a str> {
        let bytes = self.lend_bytes()?;
        // SAFETY: S1: only whole texts are stored into a text slot by the typed layer, and an object that comes from
        // a file is validated whole before it is first lent, in a region where each block has one owner
        // (`engine::object`).
        Ok(unsafe { std::str::from_utf8_unchecked(bytes) })
    }
}

/// A place for a value that nobody sees yet, or whose old bytes are in the log.
#[doc(hidden)]
pub struct SlotMut {
    at: *mut u8,
}

impl SlotMut {
    /// # Safety
    /// Writable for the slot of the value that will be stored, under the object's word.
    #[inline(always)]
    pub(crate) unsafe fn new(at: *mut u8) -> SlotMut {
        SlotMut { at }
    }

    /// The slot `bytes` further on, inside the same value.
    #[doc(hidden)]
    #[inline(always)]
    pub fn part(&self, bytes: usize) -> SlotMut {
        // SAFETY: as for `Slot::part`.
        SlotMut { at: unsafe { self.at.add(bytes) } }
    }

    /// Writes a plain value; padding becomes zero.
    #[inline(always)]
    pub(crate) fn put_plain<T: Plain>(&self, value: &T) {
        // SAFETY: the contract of `new`.
        unsafe {
            if T::HAS_PADDING {
                let target = std::slice::from_raw_parts_mut(self.at, size_of::<T>());
                target.fill(0);
                value.write_to(target);
            } else {
                std::ptr::copy_nonoverlapping(std::ptr::from_ref(value).cast(), self.at, size_of::<T>());
            }
        }
    }

    #[inline(always)]
    pub(crate) fn put_word(&self, word: u64) {
        // SAFETY: the contract of `new`.
        unsafe { self.at.cast::<u64>().write_unaligned(word) };
    }

    /// Writes a string, allocating its block from the context first.
    #[inline(always)]
    pub(crate) fn put_bytes(&self, context: &mut Context, content: &[u8]) -> Result<()> {
        let slot = bytes::encode(context, content)?;
        self.put_word(slot[0]);
        self.part(8).put_word(slot[1]);
        Ok(())
    }

    /// Zeroes the first bytes.
    #[doc(hidden)]
    pub fn zero(&self, len: usize) {
        // SAFETY: the contract of `new`.
        unsafe { std::ptr::write_bytes(self.at, 0, len) };
    }

    /// Writes the number that tells the variants of an enum apart.
    #[doc(hidden)]
    pub fn put_tag(&self, tag: u32) {
        // SAFETY: the contract of `new`.
        unsafe { self.at.cast::<u32>().write_unaligned(tag) };
    }

    /// Writes the raw header of a new, empty container. It counts as saved by the context: nothing of it was live before.
    pub(crate) fn put_header<'s>(&'s self, context: &Context, shape: u64) -> &'s RawHeader {
        let words = [context.stamp, 0, shape, 0, 0, 0, 0, 0];
        debug_assert!(self.at.cast::<RawHeader>().is_aligned());
        // SAFETY: the contract of `new`; the slots of nested containers are 8-aligned.
        unsafe {
            self.at.cast::<[u64; 8]>().write(words);
            &*self.at.cast::<RawHeader>()
        }
    }
}
