//! A text or byte string as a value: 16 bytes, up to 15 of them content, else a block.
//!
//! ```text
//! byte 15 = n <= 15:  bytes 0..n are the content, the rest is zero
//! byte 15 = 0x80:     bytes 0..8 block, bytes 8..15 length (>= 16)
//! ```
//! All zero is the empty string and owns nothing.

use std::cmp::Ordering;

use crate::heap::rounded;
use crate::journal::Context;
use crate::region::layout::Word;
use crate::region::{Space, copy_out, load_16, load_u8, load_u64};
use crate::{Error, Result};

/// The slot's 16 bytes.
pub(crate) type BytesSlot = [u64; 2];

const HEAP: u64 = 0x80 << 56;
const INLINE: usize = 15;

/// Where a string's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Inline { len: u64 },
    Block { block: u64, len: u64 },
}

impl Content {
    /// Reads a slot.
    #[inline(always)]
    pub(crate) fn of(slot: BytesSlot) -> Result<Content> {
        let tag = slot[1] >> 56;
        if tag <= INLINE as u64 {
            return Ok(Content::Inline { len: tag });
        }
        let len = slot[1] & !(0xff << 56);
        if tag != 0x80 || len <= INLINE as u64 || slot[0] == 0 {
            return Err(Error::corrupt(slot[0], "a string slot is malformed"));
        }
        Ok(Content::Block { block: slot[0], len })
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> u64 {
        match self {
            Content::Inline { len } | Content::Block { len, .. } => *len,
        }
    }

    /// The block that the string owns and its size, if it has one.
    pub(crate) fn block(&self) -> Option<(u64, u64)> {
        match self {
            Content::Inline { .. } => None,
            Content::Block { block, len } => Some((*block, *len)),
        }
    }
}

/// Is a length possible in this region? (Asked before anything is allocated by it.)
pub(crate) fn valid_len(space: &Space, len: u64) -> bool {
    len <= space.geometry.capacity
}

/// For how many items of a type room may be made ahead when a file says that there are `len`: what a damaged file says
/// asks for no more memory than the region has, be it for a table with its spare room.
pub(crate) fn room_ahead<T>(space: &Space, len: usize) -> usize {
    let bytes = space.words().committed_end.peek().min(space.geometry.end()) as usize;
    len.min(bytes / 4 / size_of::<T>().max(1))
}

/// Makes the slot of a new string; its block, if it needs one, belongs to the context.
#[inline]
pub(crate) fn encode(context: &mut Context, bytes: &[u8]) -> Result<BytesSlot> {
    if bytes.len() <= INLINE {
        let mut slot = [0u8; 16];
        slot[..bytes.len()].copy_from_slice(bytes);
        slot[15] = bytes.len() as u8;
        let (low, high) = slot.split_at(8);
        let word = |half: &[u8]| u64::from_ne_bytes(half.try_into().expect("eight bytes"));
        return Ok([word(low), word(high)]);
    }
    let len = bytes.len() as u64;
    let block = context.allocate(len)?;
    let target = context.actor.space.resolve(block, rounded(len))?;
    // SAFETY: R1: the block was resolved and holds len bytes; it is fresh, nobody else knows it.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
    Ok([block, len | HEAP])
}

/// The bytes of a string that lies at `at`, under a guard.
///
/// # Safety
/// `at` is a string slot that nobody changes for `'a`.
#[inline]
pub(crate) unsafe fn lend(space: &Space, at: *const u8) -> Result<&[u8]> {
    // SAFETY: the caller's.
    let slot = unsafe { at.cast::<BytesSlot>().read_unaligned() };
    match Content::of(slot)? {
        // SAFETY: the first len <= 15 bytes of the slot.
        Content::Inline { len } => Ok(unsafe { std::slice::from_raw_parts(at, len as usize) }),
        Content::Block { block, len } => {
            let start = space.resolve(block, len)?;
            // SAFETY: R1; the block belongs to the slot, which nobody changes.
            Ok(unsafe { std::slice::from_raw_parts(start, len as usize) })
        }
    }
}

/// Copies the content of a slot image out; the block may be changing meanwhile (the caller validates afterwards).
pub(crate) fn copy_out_content(space: &Space, slot: BytesSlot) -> Result<Vec<u8>> {
    let content = Content::of(slot)?;
    let len = content.len();
    if !valid_len(space, len) {
        return Err(Error::corrupt(slot[0], "a string is longer than the region"));
    }
    match content {
        Content::Inline { len } => {
            let bytes: Vec<u8> = slot.iter().flat_map(|word| word.to_ne_bytes()).take(len as usize).collect();
            Ok(bytes)
        }
        Content::Block { block, len } => {
            let source = space.resolve(block, len)?;
            let mut bytes = Vec::with_capacity(len as usize);
            // SAFETY: R1 for the source; the vector has room for `len` bytes, all of which are written.
            unsafe {
                copy_out(source, bytes.as_mut_ptr(), len as usize);
                bytes.set_len(len as usize);
            }
            Ok(bytes)
        }
    }
}

/// Is the content of the slot at `at` equal to `key`? Bounded by the key's length; the slot may be changing meanwhile.
///
/// # Safety
/// `at` is readable for 16 bytes.
#[inline(always)]
pub(crate) unsafe fn same_content(space: &Space, at: *const u8, key: &[u8]) -> bool {
    // SAFETY: the caller's.
    let slot = unsafe { [load_u64(at), load_u64(at.add(8))] };
    if key.len() <= INLINE {
        if slot[1] >> 56 != key.len() as u64 {
            return false;
        }
        // SAFETY: the caller's; at most 15 bytes.
        return unsafe { equal(at, key) };
    }
    if slot[1] != (key.len() as u64 | HEAP) {
        return false;
    }
    let start = match space.resolve_known(slot[0], key.len() as u64) {
        Some(start) => Some(start),
        None => resolve_grown(space, slot[0], key.len() as u64),
    };
    // SAFETY: R1.
    start.is_some_and(|start| unsafe { equal(start, key) })
}

#[cold]
fn resolve_grown(space: &Space, offset: u64, len: u64) -> Option<*mut u8> {
    space.resolve(offset, len).ok()
}

/// How the content of the slot at `at` compares with `key`, byte by byte. Bounded by the key's length; the slot may be
/// changing meanwhile, and one that cannot be read compares somehow.
///
/// # Safety
/// `at` is readable for 16 bytes.
pub(crate) unsafe fn compare_content(space: &Space, at: *const u8, key: &[u8]) -> Ordering {
    // SAFETY: the caller's.
    let slot = unsafe { [load_u64(at), load_u64(at.add(8))] };
    let Ok(content) = Content::of(slot) else { return Ordering::Less };
    let common = content.len().min(key.len() as u64);
    let start = match content {
        Content::Inline { .. } => at,
        Content::Block { block, .. } => match space.resolve(block, common) {
            Ok(start) => start.cast_const(),
            Err(_) => return Ordering::Less,
        },
    };
    // SAFETY: R1, or the slot itself: `common` bytes.
    let order = unsafe { compare(start, &key[..common as usize]) };
    order.then(content.len().cmp(&(key.len() as u64)))
}

/// # Safety
/// `at` is readable for as many bytes as `key` has.
#[inline(always)]
unsafe fn compare(at: *const u8, key: &[u8]) -> Ordering {
    let mut place = at;
    let mut words = key.chunks_exact(8);
    for word in &mut words {
        // SAFETY: the caller's.
        let ours = unsafe { load_u64(place) };
        let theirs = u64::from_ne_bytes(word.try_into().expect("eight bytes"));
        if ours != theirs {
            return ours.swap_bytes().cmp(&theirs.swap_bytes());
        }
        place = place.wrapping_add(8);
    }
    for (index, byte) in words.remainder().iter().enumerate() {
        // SAFETY: the caller's.
        let ours = unsafe { load_u8(place.add(index)) };
        if ours != *byte {
            return ours.cmp(byte);
        }
    }
    Ordering::Equal
}

/// # Safety
/// `at` is readable for as many bytes as `key` has.
#[inline(always)]
unsafe fn equal(at: *const u8, key: &[u8]) -> bool {
    let len = key.len();
    // The last part ends where the key does, and may look at some bytes once more.
    // SAFETY: the caller's: `at` is readable for len bytes.
    unsafe {
        if len >= 16 {
            let same = |from: usize| {
                let theirs: [u8; 16] = key[from..from + 16].try_into().expect("sixteen bytes");
                u128::from_ne_bytes(load_16(at, from)) == u128::from_ne_bytes(theirs)
            };
            let mut from = 0;
            while from + 16 < len {
                if !same(from) {
                    return false;
                }
                from += 16;
            }
            same(len - 16)
        } else if len >= 8 {
            let same = |from: usize| {
                let theirs: [u8; 8] = key[from..from + 8].try_into().expect("eight bytes");
                load_u64(at.add(from)) == u64::from_ne_bytes(theirs)
            };
            same(0) && same(len - 8)
        } else {
            key.iter().enumerate().all(|(index, byte)| load_u8(at.add(index)) == *byte)
        }
    }
}
