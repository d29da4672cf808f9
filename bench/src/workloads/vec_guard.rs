//! Appending under a write guard, one atomic change for all values, beside a plain vector.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Rounds, each};
use crate::random::Random;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::SharedVec;
use std::hint::black_box;

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let scratch = Scratch::new()?;
    let shared: SharedVec<u64> = scratch.region.object("vector")?;
    let values = Random::new(arguments.seed).distinct(arguments.scaled(100_000));
    let mut private: Vec<u64> = Vec::with_capacity(values.len() + 1);
    shared.push(0)?;
    shared.reserve(values.len())?;
    let mut ours = || {
        // The guard's own begin and commit belong to the work.
        let time = each(values.len(), || {
            let mut guard = shared.write()?;
            values.iter().try_for_each(|value| guard.push(*value))?;
            Ok(())
        });
        shared.truncate(1)?;
        time
    };
    let mut limit = || {
        private.truncate(1);
        let private = black_box(&mut private);
        each(values.len(), || {
            values.iter().for_each(|value| private.push(*value));
            black_box(private);
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(101), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("push under a write guard", &rounds, 1, "Vec", Target::Ratio(2.5)));
    Ok(())
}
