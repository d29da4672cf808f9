//! Size classes: multiples of 16 up to 128, then four per doubling up to 32 KiB. Class table number 1 of the header.

use crate::journal::{CELL_CLASS, CELL_LANES, CHUNK_SIZE, CONTROL_CLASS, OBJECT_CLASS, RUN_CLASS, SPILL_CLASS};
use crate::region::layout::*;

/// Largest block; what is larger is a page run.
const MAX_BLOCK: u64 = 32768;

/// The class of sizes up to here is looked up.
const SMALL: u64 = 1024;
const SMALL_CLASSES: [u8; (SMALL / 16) as usize + 1] = {
    let (mut classes, mut index) = ([0; (SMALL / 16) as usize + 1], 1);
    while index < classes.len() {
        classes[index] = computed_class(index as u64 * 16) as u8;
        index += 1;
    }
    classes
};

/// The class that serves blocks of `size` bytes, if that is a small one.
#[inline(always)]
pub(super) const fn small_class(size: u64) -> Option<usize> {
    if size > SMALL {
        return None;
    }
    let class = SMALL_CLASSES[size.div_ceil(16) as usize] as usize;
    // SAFETY: the table ascends, and its last class is below, as is asserted.
    unsafe { std::hint::assert_unchecked(class < OBJECT_CLASS) };
    Some(class)
}
const _: () = assert!(computed_class(SMALL) < OBJECT_CLASS);

/// The list that serves blocks of `size` bytes: a class, or `RUN_CLASS`.
#[inline(always)]
pub(crate) const fn class_for(size: u64) -> usize {
    match small_class(size) {
        Some(class) => class,
        None => computed_class(size),
    }
}

const fn computed_class(size: u64) -> usize {
    if size <= 128 {
        return (if size == 0 { 0 } else { (size - 1) / 16 }) as usize;
    }
    if size > MAX_BLOCK {
        return RUN_CLASS;
    }
    let last = size - 1;
    let top = 63 - last.leading_zeros() as usize;
    8 + (top - 7) * 4 + ((last >> (top - 2)) & 3) as usize
}

/// Bytes of a block of `class`; 0 for page runs, which have their own size each.
#[inline(always)]
pub(crate) const fn block_size(class: usize) -> u64 {
    match class {
        0..8 => (class as u64 + 1) * 16,
        8..40 => {
            let (group, step) = ((class - 8) / 4, (class - 8) % 4);
            (128 << group) + (step as u64 + 1) * (32 << group)
        }
        OBJECT_CLASS => OBJECT_SIZE,
        CELL_CLASS => CELL_LANES * 64,
        CONTROL_CLASS => CONTROL_SIZE,
        _ => 0,
    }
}

/// Is there a list of `class`?
#[inline(always)]
pub(crate) fn is_list(class: usize) -> bool {
    class == RUN_CLASS || class < LIST_COUNT && block_size(class) != 0
}

/// Of each list the bytes of a block and how many blocks it may always have: two batches. Runs go back to the supply at
/// once.
pub(super) const KEPT: [(u32, u32); LIST_COUNT] = {
    let (mut kept, mut class) = ([(0, 0); LIST_COUNT], 0);
    while class < LIST_COUNT {
        if block_size(class) != 0 {
            kept[class] = (block_size(class) as u32, 2 * batch(class) as u32);
        }
        class += 1;
    }
    kept
};

/// Does the memory of a class serve nothing else for ever? Somebody may still look at, or store to, what was freed.
pub(super) const fn is_type_stable(class: usize) -> bool {
    matches!(class, OBJECT_CLASS | CELL_CLASS | CONTROL_CLASS)
}

/// The bytes that a request for `size` really gets.
#[inline(always)]
pub(crate) const fn rounded(size: u64) -> u64 {
    match class_for(size) {
        RUN_CLASS => size.div_ceil(PAGE) * PAGE,
        class => block_size(class),
    }
}

/// Pages of a span of `class`: at least eight blocks, at least the four pages whose map entries are its header.
pub(crate) const fn span_pages(class: usize) -> u64 {
    match block_size(class) {
        0..=1024 => 4,
        1025..=4096 => 16,
        _ => 64,
    }
}

/// Blocks moved at once between a lane and the spans.
pub(super) const fn batch(class: usize) -> u64 {
    let count = 8192 / block_size(class);
    if count < 2 {
        2
    } else if count > 64 {
        64
    } else {
        count
    }
}

const _: () = assert!(block_size(SPILL_CLASS) == CHUNK_SIZE && class_for(CHUNK_SIZE) == SPILL_CLASS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_gets_the_smallest_class_that_holds_it() {
        for size in 0..=MAX_BLOCK {
            let class = class_for(size);
            assert!(block_size(class) >= size.max(1), "{size}");
            assert!(class == 0 || block_size(class - 1) < size, "{size}");
            assert!(block_size(class).is_multiple_of(16));
        }
        assert_eq!(class_for(MAX_BLOCK + 1), RUN_CLASS);
        assert_eq!(rounded(MAX_BLOCK + 1), 36864);
    }
}
