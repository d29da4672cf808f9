//! Growth: what the first write of each page costs, and what is left of that when a container takes its pages at once
//! (a block larger than a page is populated when it is allocated).

use crate::Outcome;
use crate::arguments::Arguments;
use crate::machine;
use crate::measure::{Samples, each};
use crate::report::{Line, Report, Target};
use crate::rows::{Other, Unit};
use crate::scratch::Scratch;
use commy::SharedVec;
use std::hint::black_box;

/// MiB that the vector reaches.
const SIZES: [usize; 8] = [1, 4, 16, 64, 256, 1024, 2048, 4096];
/// MiB of memory for each MiB that is appended: a vector that doubles takes twice as much as it had and leaves what it had,
/// and the private one takes as much more.
const ROOM: usize = 3;
const PAGE: usize = 4096;
/// Numbers of a page, and those that are appended at a time.
const NUMBERS: usize = PAGE / size_of::<u64>();
const PIECE: usize = 16 * NUMBERS;

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    grow(arguments, report)?;
    faults(arguments, report)
}

/// A region that grows from nothing under a vector, and the same under private memory, once: only the first time is
/// like this.
fn grow(arguments: &Arguments, report: &mut Report) -> Outcome {
    let piece = [7u64; PIECE];
    let scratch = Scratch::new()?;
    let shared: SharedVec<u64> = scratch.region.object("vector")?;
    let mut private: Vec<u64> = Vec::new();
    let sizes = match arguments.quick {
        true => &SIZES[..2],
        false if cfg!(windows) => &SIZES[..5],
        false => &SIZES,
    };
    let mut reached = 0;
    for size in sizes {
        let free = machine::available_memory() >> 20;
        if !arguments.quick && free < (size - (reached >> 20)) * ROOM {
            report.note("growth", format!("to {} MiB only: {free} MiB of memory are free", reached >> 20));
            break;
        }
        let pieces = ((size << 20) - reached) / size_of_val(&piece);
        let pages = pieces * PIECE / NUMBERS;
        let ours = each(pages, || Ok((0..pieces).try_for_each(|_| shared.extend_from_slice(black_box(&piece)))?))?;
        let theirs = each(pages, || {
            (0..pieces).for_each(|_| private.extend_from_slice(black_box(&piece)));
            black_box(&private);
            Ok(())
        })?;
        reached = size << 20;
        let other = Other { name: "Vec".into(), figure: theirs, spread: 0.0, ratio: ours / theirs };
        let what = format!("a page appended, up to {size} MiB");
        report.add(Line::new(what, Unit::Nanoseconds, ours, Some(other), Target::None));
    }
    if shared.len()? != private.len() || shared.get(private.len() - 1)? != Some(7) {
        return Err("a vector did not grow".into());
    }
    Ok(())
}

/// The first write of each page of a vector that was given its room at once.
fn faults(arguments: &Arguments, report: &mut Report) -> Outcome {
    let pages = arguments.scaled(16_384);
    let (mut reserve, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds(7) {
        let scratch = Scratch::new()?;
        let shared: SharedVec<u64> = scratch.region.object("vector")?;
        reserve.push(each(pages, || Ok(shared.reserve((pages + 1) * NUMBERS)?))?);
        let piece = [7u64; NUMBERS];
        let fill = || each(pages, || Ok((0..pages).try_for_each(|_| shared.extend_from_slice(black_box(&piece)))?));
        first.push(fill()?);
        // An empty vector would give its memory back.
        shared.truncate(1)?;
        second.push(fill()?);
    }
    for (what, times) in [
        ("a page reserved (taken in advance)", reserve),
        ("a page filled for the first time after that", first),
        ("a page filled for the second time", second),
    ] {
        report.add(Line::of_samples(what, &Samples::new(times), None, Target::None));
    }
    Ok(())
}
