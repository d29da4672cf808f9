//! A look at the bare price of the allocator, for benchmarks.

use super::attachment::Attachment;
use super::object::Operation;
use crate::Result;
use crate::journal::HEAD_SIZE;

/// Allocates and frees blocks in a context of its own; everything is given back when it is dropped.
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
    #[inline]
    pub fn free(&mut self, bytes: u64, block: u64) -> Result<()> {
        self.operation.context.reserve_log(HEAD_SIZE)?;
        self.operation.context.cancel(bytes, block);
        Ok(())
    }

    /// Allocates a block and gives it back.
    #[inline]
    pub fn pair(&mut self, bytes: u64) -> Result<()> {
        let block = std::hint::black_box(self.allocate(bytes)?);
        self.free(bytes, block)
    }
}
