//! Appending to a vector through its handle, each value an atomic change, beside a vector in a mutex.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Rounds, each};
use crate::random::Random;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::SharedVec;
use std::hint::black_box;
use std::sync::Mutex;

const LIMIT: &str = "Mutex<Vec>";

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let scratch = Scratch::new()?;
    let shared: SharedVec<u64> = scratch.region.object("vector")?;
    let values = Random::new(arguments.seed).distinct(arguments.scaled(100_000));
    report.add(warm(arguments, &shared, &values)?);
    report.add(growing(arguments, &shared, &values)?);
    report.add(slices(arguments, &scratch)?);
    Ok(())
}

/// Both have room for everything, in pages that have been written before.
fn warm(arguments: &Arguments, shared: &SharedVec<u64>, values: &[u64]) -> Outcome<Line> {
    let private = Mutex::new(vec![0]);
    private.lock().unwrap().reserve(values.len());
    // One value always stays: an empty vector would give its memory back.
    shared.push(0)?;
    shared.reserve(values.len())?;
    let mut ours = || {
        let time = each(values.len(), || Ok(values.iter().try_for_each(|value| shared.push(*value))?));
        shared.truncate(1)?;
        time
    };
    let mut limit = || {
        let private = black_box(&private);
        let time = each(values.len(), || {
            values.iter().for_each(|value| private.lock().unwrap().push(*value));
            Ok(())
        });
        private.lock().unwrap().truncate(1);
        time
    };
    let rounds = Rounds::take(arguments.rounds(101), [&mut ours, &mut limit])?;
    Ok(Line::of_rounds("push, with room", &rounds, 1, LIMIT, Target::Ratio(1.3)))
}

/// Both begin empty and grow on the way.
fn growing(arguments: &Arguments, shared: &SharedVec<u64>, values: &[u64]) -> Outcome<Line> {
    let mut ours = || {
        shared.clear()?;
        each(values.len(), || Ok(values.iter().try_for_each(|value| shared.push(*value))?))
    };
    let mut limit = || {
        let private = Mutex::new(Vec::new());
        let private = black_box(&private);
        each(values.len(), || {
            values.iter().for_each(|value| private.lock().unwrap().push(*value));
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(51), [&mut ours, &mut limit])?;
    Ok(Line::of_rounds("push, growing from empty", &rounds, 1, LIMIT, Target::None))
}

/// Many bytes at once, into room that has been written before.
fn slices(arguments: &Arguments, scratch: &Scratch) -> Outcome<Line> {
    let shared: SharedVec<u8> = scratch.region.object("bytes")?;
    let (piece, count) = ([7; 4096], arguments.scaled(1000));
    let private = Mutex::new(vec![0]);
    private.lock().unwrap().reserve(count * piece.len());
    shared.push(0)?;
    shared.reserve(count * piece.len())?;
    let mut ours = || {
        let time = each(count, || Ok((0..count).try_for_each(|_| shared.extend_from_slice(black_box(&piece)))?));
        shared.truncate(1)?;
        time
    };
    let mut limit = || {
        let time = each(count, || {
            (0..count).for_each(|_| private.lock().unwrap().extend_from_slice(black_box(&piece)));
            Ok(())
        });
        private.lock().unwrap().truncate(1);
        time
    };
    let rounds = Rounds::take(arguments.rounds(51), [&mut ours, &mut limit])?;
    Ok(Line::of_rounds("extend_from_slice of 4096 bytes", &rounds, 1, LIMIT, Target::None))
}
