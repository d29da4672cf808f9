//! Blocks of memory: Commy's, the C library's, mimalloc's; and what is done with them.

use crate::Outcome;
use crate::random::Random;
use commy::{AllocationProbe, Region};
use std::ffi::c_void;
use std::hint::black_box;

/// Blocks that live at once in [`mixed`].
pub(crate) const LIVE: usize = 1000;

/// An allocator.
pub(crate) trait Blocks {
    type Block: Copy + Default;

    fn allocate(&mut self, size: usize) -> Outcome<Self::Block>;

    /// # Safety
    /// The block is one of `allocate` for this size, and was not freed before.
    unsafe fn free(&mut self, size: usize, block: Self::Block) -> Outcome;

    /// Where its bytes are, which only the caller uses.
    fn address(&self, size: usize, block: Self::Block) -> Outcome<*mut u8>;

    /// What was freed so far is free to all from here on.
    fn settle(&mut self) -> Outcome {
        Ok(())
    }
}

/// Commy's allocator, without a container around it. A batch of allocations is one atomic change, a batch of frees is
/// another.
pub(crate) struct Probe<'a>(AllocationProbe<'a>);

impl<'a> Probe<'a> {
    pub(crate) fn new(region: &'a Region) -> Outcome<Probe<'a>> {
        Ok(Probe(region.allocation_probe()?))
    }

    /// As [`pairs`], with blocks that nobody else has seen: they return at once.
    #[inline(always)]
    pub(crate) fn pairs(&mut self, count: usize, size: usize) -> Outcome {
        Ok((0..count).try_for_each(|_| self.0.pair(black_box(size as u64)))?)
    }

    /// As [`stacks`].
    #[inline(always)]
    pub(crate) fn stacks<const LIVE: usize>(&mut self, count: usize, size: usize) -> Outcome {
        for _ in 0..count {
            let mut live = [0; LIVE];
            for block in &mut live {
                *block = self.0.allocate(black_box(size as u64))?;
            }
            for block in black_box(&live).iter().rev() {
                self.0.free(black_box(size as u64), *block)?;
            }
        }
        Ok(())
    }
}

impl Blocks for Probe<'_> {
    type Block = u64;

    #[inline(always)]
    fn allocate(&mut self, size: usize) -> Outcome<u64> {
        Ok(self.0.allocate(size as u64)?)
    }

    #[inline(always)]
    unsafe fn free(&mut self, size: usize, block: u64) -> Outcome {
        Ok(self.0.release(size as u64, block)?)
    }

    #[inline(always)]
    fn address(&self, size: usize, block: u64) -> Outcome<*mut u8> {
        Ok(self.0.address(size as u64, block)?)
    }

    fn settle(&mut self) -> Outcome {
        Ok(self.0.settle()?)
    }
}

/// The allocator of the C library.
#[derive(Clone, Copy, Default)]
pub(crate) struct Malloc;

// The standard library links the C library, whose names are the same everywhere.
mod c {
    use super::c_void;

    unsafe extern "C" {
        pub(super) fn malloc(size: usize) -> *mut c_void;
        pub(super) fn free(block: *mut c_void);
    }
}

/// A block of a process: an address, or 0.
#[derive(Clone, Copy)]
pub(crate) struct Private(*mut c_void);

impl Default for Private {
    fn default() -> Private {
        Private(std::ptr::null_mut())
    }
}

impl Blocks for Malloc {
    type Block = Private;

    #[inline(always)]
    fn allocate(&mut self, size: usize) -> Outcome<Private> {
        // SAFETY: any size may be asked for.
        Ok(Private(unsafe { c::malloc(size) }))
    }

    #[inline(always)]
    unsafe fn free(&mut self, _: usize, block: Private) -> Outcome {
        // SAFETY: the caller's promise.
        unsafe { c::free(block.0) };
        Ok(())
    }

    #[inline(always)]
    fn address(&self, _: usize, block: Private) -> Outcome<*mut u8> {
        if block.0.is_null() { Err("no memory".into()) } else { Ok(block.0.cast()) }
    }
}

/// mimalloc.
#[cfg(feature = "peers")]
#[derive(Clone, Copy, Default)]
pub(crate) struct Mimalloc;

#[cfg(feature = "peers")]
impl Blocks for Mimalloc {
    type Block = Private;

    #[inline(always)]
    fn allocate(&mut self, size: usize) -> Outcome<Private> {
        // SAFETY: any size may be asked for.
        Ok(Private(unsafe { libmimalloc_sys::mi_malloc(size) }))
    }

    #[inline(always)]
    unsafe fn free(&mut self, _: usize, block: Private) -> Outcome {
        // SAFETY: the caller's promise.
        unsafe { libmimalloc_sys::mi_free(block.0) };
        Ok(())
    }

    #[inline(always)]
    fn address(&self, _: usize, block: Private) -> Outcome<*mut u8> {
        if block.0.is_null() { Err("no memory".into()) } else { Ok(block.0.cast()) }
    }
}

/// A block allocated and freed, over and over.
#[inline(always)]
pub(crate) fn pairs<B: Blocks>(blocks: &mut B, count: usize, size: usize) -> Outcome {
    for _ in 0..count {
        let block = black_box(blocks.allocate(black_box(size))?);
        // SAFETY: it was just allocated.
        unsafe { blocks.free(black_box(size), block)? };
    }
    Ok(())
}

/// So many blocks allocated, then freed from the newest to the oldest; over and over.
#[inline(always)]
pub(crate) fn stacks<B: Blocks, const LIVE: usize>(blocks: &mut B, count: usize, size: usize) -> Outcome {
    for _ in 0..count {
        let mut live = [B::Block::default(); LIVE];
        for block in &mut live {
            *block = blocks.allocate(black_box(size))?;
        }
        for block in black_box(&live).iter().rev() {
            // SAFETY: it was just allocated, and each is freed once.
            unsafe { blocks.free(black_box(size), *block)? };
        }
    }
    Ok(())
}

/// Allocates blocks and writes all their bytes, then verifies and frees each; how many were right.
#[inline(always)]
pub(crate) fn stress<B: Blocks>(blocks: &mut B, count: usize, size: usize) -> Outcome<u64> {
    let mut live = vec![B::Block::default(); count];
    for (index, block) in live.iter_mut().enumerate() {
        *block = blocks.allocate(size)?;
        let address = blocks.address(size, *block)?;
        // SAFETY: a block of `size` bytes that nobody else has.
        unsafe { address.write_bytes(index as u8, size) };
    }
    blocks.settle()?;
    let mut verified = 0;
    for (index, block) in live.iter().enumerate() {
        // SAFETY: as above; its bytes were written.
        let bytes = unsafe { std::slice::from_raw_parts(blocks.address(size, *block)?, size) };
        verified += u64::from(bytes.iter().all(|byte| *byte == index as u8));
        // SAFETY: it was allocated above, and each is freed once.
        unsafe { blocks.free(size, *block)? };
    }
    blocks.settle()?;
    Ok(verified)
}

/// A thousand blocks of 16 to 1024 bytes, first and last word written, and verified when they are freed, in order or at
/// random; that so many times. How many were right.
#[inline(always)]
pub(crate) fn mixed<B: Blocks>(blocks: &mut B, rounds: u64, at_random: bool, seed: u64) -> Outcome<u64> {
    let mut random = Random::new(seed);
    let sizes: Vec<usize> = (0..LIVE).map(|_| 16 + (random.next() % 1009) as usize).collect();
    let order: Vec<usize> = (0..LIVE).collect();
    let order = if at_random { random.shuffled(&order) } else { order };
    let mut live = [B::Block::default(); LIVE];
    let mut verified = 0;
    for round in 0..rounds {
        for (index, block) in live.iter_mut().enumerate() {
            *block = blocks.allocate(sizes[index])?;
            let words: *mut u64 = blocks.address(sizes[index], *block)?.cast();
            // SAFETY: a block of at least 16 bytes that nobody else has, aligned to 8.
            unsafe {
                words.write(round + index as u64);
                words.add(sizes[index] / 8 - 1).write(round + index as u64);
            }
        }
        blocks.settle()?;
        for &index in &order {
            let words: *mut u64 = blocks.address(sizes[index], live[index])?.cast();
            // SAFETY: as above; both words were written.
            let found = unsafe { [words.read(), words.add(sizes[index] / 8 - 1).read()] };
            verified += u64::from(found == [round + index as u64; 2]);
            // SAFETY: it was allocated above, and each is freed once.
            unsafe { blocks.free(sizes[index], live[index])? };
        }
        blocks.settle()?;
    }
    Ok(verified)
}
