//! A table's move to a smaller block, and to one that needs no log. As with growth, everything is copied before the header,
//! which is logged, is switched; the old block goes at commit.

use super::{Table, group_size};
use crate::Result;
use crate::crash::crash_point;
use crate::journal::{Context, HEAD_SIZE};
use crate::region::layout::*;

impl Table<'_> {
    /// Moves everything to the smallest block that holds it and `least` entries, if that is smaller.
    pub(crate) fn shrink(&self, context: &mut Context, least: u64) -> Result<()> {
        let wanted = self.len().max(least);
        let mut groups = 1u64;
        while groups.saturating_mul(14) < wanted && groups < self.raw.capacity.peek() {
            groups *= 2;
        }
        if groups >= self.raw.capacity.peek() {
            return Ok(());
        }
        self.touch(context)?;
        self.rebuild(context, groups)
    }

    /// Moves everything as it is to a fresh block, so that no change of a value needs a log.
    pub(crate) fn freshen(&self, context: &mut Context) -> Result<()> {
        self.touch(context)?;
        let Some(old) = self.view()?.filter(|_| !self.is_fresh()) else { return Ok(()) };
        let size = old.groups() * group_size(self.slot_size);
        context.reserve_log(3 * HEAD_SIZE)?;
        let block = context.allocate(size)?;
        let data = match self.space.resolve(block, size) {
            Ok(data) => data,
            Err(error) => {
                context.cancel(size, block);
                return Err(error);
            }
        };
        // SAFETY: R1: both have that size. A crafted free list may make them overlap.
        unsafe { std::ptr::copy(old.data, data, size as usize) };
        crash_point!("table: copied, header not changed");
        context.release(size, self.raw.data.peek());
        self.raw.data.put(block);
        self.raw.low_water.put(0);
        crash_point!("table: data switched to a copy");
        Ok(())
    }
}
