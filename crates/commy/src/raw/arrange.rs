//! Bringing the slots of a vector or a queue into another order, and smaller blocks for them. Slots are moved as bytes:
//! what they own goes with them.

use super::deque::Deque;
use super::place::Place;
use super::vector::Vector;
use crate::crash::crash_point;
use crate::heap::rounded;
use crate::journal::Context;
use crate::region::layout::Word;
use crate::{Error, Result};

/// Slots by number.
trait Slots {
    fn slot_size(&self) -> usize;
    fn len(&self) -> u64;
    /// The address of a slot inside the capacity.
    fn address(&self, index: u64) -> Result<*mut u8>;
    fn misplaced(&self) -> Error;
}

impl Slots for Vector<'_> {
    fn slot_size(&self) -> usize {
        self.slot_size as usize
    }

    fn len(&self) -> u64 {
        Vector::len(self)
    }

    fn address(&self, index: u64) -> Result<*mut u8> {
        self.slots(index, 1)
    }

    fn misplaced(&self) -> Error {
        Error::corrupt(self.space.offset_of(self.raw), "a vector's order is impossible")
    }
}

impl Slots for Deque<'_> {
    fn slot_size(&self) -> usize {
        self.slot_size as usize
    }

    fn len(&self) -> u64 {
        Deque::len(self)
    }

    fn address(&self, index: u64) -> Result<*mut u8> {
        Ok(self.place(index)?.address().cast_mut())
    }

    fn misplaced(&self) -> Error {
        Error::corrupt(self.space.offset_of(self.raw), "a queue's order is impossible")
    }
}

/// Slot `n` gets what stood in slot `order[n]`. All slots are open; the order names each slot once.
fn permute(slots: &impl Slots, order: &[u64]) -> Result<()> {
    let (size, len) = (slots.slot_size(), slots.len());
    if order.len() as u64 != len || order.iter().any(|index| *index >= len) {
        return Err(slots.misplaced());
    }
    let mut bytes = vec![0u8; size * order.len()];
    for (index, part) in order.iter().zip(bytes.chunks_exact_mut(size.max(1))) {
        let source = slots.address(*index)?;
        // SAFETY: R1: a slot of `size` bytes; `part` is ours and as long.
        unsafe { std::ptr::copy_nonoverlapping(source, part.as_mut_ptr(), size) };
    }
    crash_point!("arrange: slots copied out");
    for (number, part) in bytes.chunks_exact(size.max(1)).enumerate() {
        let target = slots.address(number as u64)?;
        // SAFETY: R1, W1: as above, the slots are open.
        unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), target, size) };
        crash_point!("arrange: a slot in its new place");
    }
    Ok(())
}

/// Overwrites slot `index`, which is open, with the slot at `image`, of the same type.
fn put(slots: &impl Slots, index: u64, image: Place) -> Result<()> {
    let target = slots.address(index)?;
    // SAFETY: R1, W1: a slot of the container; the image has its size (PL).
    unsafe { std::ptr::copy_nonoverlapping(image.address(), target, slots.slot_size()) };
    crash_point!("arrange: a slot put");
    Ok(())
}

impl Vector<'_> {
    /// Slot `n` gets what stood in slot `order[n]`. All slots are open; the order names each slot once.
    pub(crate) fn permute(&self, order: &[u64]) -> Result<()> {
        permute(self, order)
    }

    /// Overwrites slot `index`, which is open, with the slot at `image`, of the same type.
    pub(crate) fn put(&self, index: u64, image: Place) -> Result<()> {
        put(self, index, image)
    }

    /// Exchanges two slots.
    pub(crate) fn swap(&self, context: &mut Context, first: u64, second: u64) -> Result<()> {
        self.open_one(context, first)?;
        self.open_one(context, second)?;
        let (one, other) = (self.slots(first, 1)?, self.slots(second, 1)?);
        if first != second {
            // SAFETY: R1, W1: two different slots.
            unsafe { std::ptr::swap_nonoverlapping(one, other, self.slot_size as usize) };
        }
        crash_point!("vector: slots swapped");
        Ok(())
    }

    /// Moves the content to a block that has room for `least` slots and for the content, if that is a smaller one.
    pub(crate) fn shrink(&self, context: &mut Context, least: u64) -> Result<()> {
        let (stride, wanted) = (self.slot_size.max(1), self.len().max(least).max(1));
        if wanted >= self.raw.capacity.peek()
            || rounded(wanted.saturating_mul(stride)) / stride >= self.raw.capacity.peek()
        {
            return Ok(());
        }
        self.move_to(context, wanted)
    }
}

impl Deque<'_> {
    /// Item `n` becomes what item `order[n]` was. All slots are open; the order names each item once.
    pub(crate) fn permute(&self, order: &[u64]) -> Result<()> {
        permute(self, order)
    }

    /// Overwrites item `index`, which is open, with the slot at `image`, of the same type.
    pub(crate) fn put(&self, index: u64, image: Place) -> Result<()> {
        put(self, index, image)
    }

    /// Moves the items to a block that has room for `least` of them and for all that are there, if that is a smaller one.
    pub(crate) fn shrink(&self, context: &mut Context, least: u64) -> Result<()> {
        let wanted = self.len().max(least);
        if wanted.checked_next_power_of_two().is_none_or(|slots| slots.max(4) >= self.capacity()) {
            return Ok(());
        }
        self.lay_anew(context, wanted)
    }
}
