//! One write while 1,000 threads have lanes in the region and do nothing, beside one while they have none there.
//!
//! Both regions are measured in turns in the same process, so the threads' mere existence weighs on both.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Rounds, each};
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::SharedVec;
use std::sync::{Barrier, Mutex};
use std::thread;

const THREADS: usize = 1000;
const STACK: usize = 64 << 10;
const LIMIT: &str = "Commy without them";

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let (crowded, empty) = (Scratch::new()?, Scratch::new()?);
    let (in_crowded, in_empty) = (vector(&crowded)?, vector(&empty)?);
    let threads = arguments.scaled(THREADS);
    let (ready, end) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
    let failure = Mutex::new(None);
    thread::scope(|scope| {
        let idle = || {
            let operation = in_crowded.push(0).and_then(|()| in_crowded.read().map(drop));
            if let Err(error) = operation {
                *failure.lock().unwrap() = Some(error);
            }
            ready.wait();
            end.wait();
        };
        for _ in 0..threads {
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, idle)?;
        }
        ready.wait();
        let measured = match failure.lock().unwrap().take() {
            Some(error) => Err(error.into()),
            None => measure(arguments, report, &in_crowded, &in_empty, threads),
        };
        end.wait();
        measured
    })
}

fn vector(scratch: &Scratch) -> Outcome<SharedVec<u64>> {
    let vector: SharedVec<u64> = scratch.region.object("vector")?;
    vector.push(0)?;
    vector.reserve(THREADS)?;
    Ok(vector)
}

fn measure(
    arguments: &Arguments,
    report: &mut Report,
    crowded: &SharedVec<u64>,
    empty: &SharedVec<u64>,
    threads: usize,
) -> Outcome {
    let count = arguments.scaled(20_000);
    let write = |vector: &SharedVec<u64>| {
        each(count, || Ok((0..count as u64).try_for_each(|value| vector.set(0, value).map(|_| ()))?))
    };
    let rounds = Rounds::take(arguments.rounds(101), [&mut || write(crowded), &mut || write(empty)])?;
    report.add(Line::of_rounds(format!("set, {threads} idle lanes"), &rounds, 1, LIMIT, Target::Ratio(1.3)));

    let read_and_write = |vector: &SharedVec<u64>| {
        each(count, || {
            for value in 0..count as u64 {
                drop(vector.read()?);
                vector.set(0, value)?;
            }
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(51), [&mut || read_and_write(crowded), &mut || read_and_write(empty)])?;
    report.add(Line::of_rounds("read guard, then set", &rounds, 1, LIMIT, Target::None));
    Ok(())
}
