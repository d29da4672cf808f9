//! A look at the bare price of the allocator, for benchmarks.

use super::attachment::Attachment;
use super::object::Operation;
use crate::Result;
use crate::journal::HEAD_SIZE;

/// Allocates and frees blocks in a context of its own; what was not settled is given back when it is dropped.
#[doc(hidden)]
pub struct AllocationProbe<'a> {
    operation: Operation<'a>,
}

impl<'a> AllocationProbe<'a> {
    pub(super) fn new(attachment: &'a Attachment) -> Result<Self> {
        Ok(AllocationProbe { operation: Operation::begin(attachment, attachment.lane()?)? })
    }

    /// A block of at least `bytes` bytes.
    #[inline]
    pub fn allocate(&mut self, bytes: u64) -> Result<u64> {
        self.operation.context.allocate(bytes)
    }

    /// Gives a block back: at once if it is the newest, else at the end.
    #[inline(always)]
    pub fn free(&mut self, bytes: u64, block: u64) -> Result<()> {
        if self.operation.context.cancel_newest(bytes, block)? { Ok(()) } else { self.release_apart(bytes, block) }
    }

    /// (Apart: with it, [`free`](Self::free) would be a call, and its `Result` be passed in memory.)
    #[inline(never)]
    fn release_apart(&mut self, bytes: u64, block: u64) -> Result<()> {
        self.release(bytes, block)
    }

    /// Lets a block go when this settles, as an object does.
    #[inline]
    pub fn release(&mut self, bytes: u64, block: u64) -> Result<()> {
        self.operation.context.reserve_log(HEAD_SIZE)?;
        self.operation.context.release(bytes, block);
        Ok(())
    }

    /// Where a block's bytes are, which are the caller's alone.
    #[inline]
    pub fn address(&self, bytes: u64, block: u64) -> Result<*mut u8> {
        self.operation.context.space.resolve(block, bytes)
    }

    /// Commits, and goes on: what is allocated stays, what was released is free.
    ///
    /// # Crash
    /// Blocks that stay belong to no object: they are lost until the region is.
    pub fn settle(&mut self) -> Result<()> {
        self.operation.commit_and_begin()
    }

    /// Allocates a block and gives it back.
    #[inline]
    pub fn pair(&mut self, bytes: u64) -> Result<()> {
        let block = std::hint::black_box(self.allocate(bytes)?);
        self.free(bytes, block)
    }
}
