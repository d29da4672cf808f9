//! A value in at one end and one out at the other, each an atomic change through the handle, beside a queue in a mutex;
//! and counting, beside an atomic number.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Rounds, each};
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::{SharedCounter, SharedVecDeque};
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const LIMIT: &str = "Mutex<VecDeque>";
/// Values that are in the queue all the time.
const STANDING: u64 = 1000;

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let scratch = Scratch::new()?;
    let pairs = arguments.scaled(100_000);
    let shared: SharedVecDeque<u64> = scratch.region.object("queue")?;
    shared.extend(0..STANDING)?;
    let private = Mutex::new((0..STANDING).collect::<VecDeque<u64>>());
    let mut ours = || {
        each(pairs, || {
            for value in 0..pairs as u64 {
                shared.push_back(black_box(value))?;
                black_box(shared.pop_front()?);
            }
            Ok(())
        })
    };
    let mut limit = || {
        let private = black_box(&private);
        each(pairs, || {
            for value in 0..pairs as u64 {
                private.lock().unwrap().push_back(black_box(value));
                black_box(private.lock().unwrap().pop_front());
            }
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(101), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("push_back and pop_front", &rounds, 1, LIMIT, Target::Ratio(3.0)));

    let counter: SharedCounter = scratch.region.object("counter")?;
    let number = AtomicU64::new(0);
    let mut ours = || each(pairs, || Ok((0..pairs).try_for_each(|_| counter.add(black_box(1)))?));
    let mut limit = || {
        let number = black_box(&number);
        each(pairs, || {
            for _ in 0..pairs {
                black_box(number.fetch_add(black_box(1), Ordering::Relaxed));
            }
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(101), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("counter, add", &rounds, 1, "AtomicU64", Target::None));
    Ok(())
}
