//! A block allocated and freed, beside the allocator of the C library: glibc's on Linux, msvcrt's on Windows.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Rounds, each};
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use std::ffi::c_void;
use std::hint::black_box;

const LIMIT: &str = "malloc, free";
const SIZE: u64 = 64;
/// Blocks that live at once in the second figure.
const STACK: usize = 32;

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let scratch = Scratch::new()?;
    let pairs = arguments.scaled(200_000);
    let mut probe = scratch.region.allocation_probe()?;

    let mut ours = || each(pairs, || Ok((0..pairs).try_for_each(|_| probe.pair(black_box(SIZE)))?));
    let mut limit = || {
        each(pairs, || {
            (0..pairs).for_each(|_| free(black_box(allocate(black_box(SIZE)))));
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(101), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("allocate and free 64 bytes", &rounds, 1, LIMIT, Target::Ratio(1.5)));

    let stacks = pairs / STACK;
    let mut ours = || {
        each(stacks * STACK, || {
            for _ in 0..stacks {
                let mut blocks = [0; STACK];
                for block in &mut blocks {
                    *block = probe.allocate(black_box(SIZE))?;
                }
                for block in black_box(&blocks).iter().rev() {
                    probe.free(black_box(SIZE), *block)?;
                }
            }
            Ok(())
        })
    };
    let mut limit = || {
        each(stacks * STACK, || {
            for _ in 0..stacks {
                let mut blocks = [std::ptr::null_mut(); STACK];
                blocks.iter_mut().for_each(|block| *block = allocate(black_box(SIZE)));
                black_box(&blocks).iter().rev().for_each(|block| free(*block));
            }
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(101), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("the same, 32 blocks at a time", &rounds, 1, LIMIT, Target::None));
    Ok(())
}

// The standard library links the C library, whose names are the same everywhere.
mod c {
    use super::c_void;

    unsafe extern "C" {
        pub(super) fn malloc(size: usize) -> *mut c_void;
        pub(super) fn free(block: *mut c_void);
    }
}

#[inline(always)]
fn allocate(size: u64) -> *mut c_void {
    // SAFETY: any size may be asked for.
    unsafe { c::malloc(size as usize) }
}

#[inline(always)]
fn free(block: *mut c_void) {
    // SAFETY: every caller passes a block of `allocate`, once.
    unsafe { c::free(block) }
}
