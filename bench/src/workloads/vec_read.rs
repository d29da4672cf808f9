//! Elements by index: through the handle, without a lock and without writing; under a read guard.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Rounds, each};
use crate::random::Random;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::SharedVec;
use std::hint::black_box;
use std::sync::Mutex;

/// As many as stay in the second-level cache with their order: the price of the call shows, not that of memory.
const COUNT: usize = 50_000;

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let mut random = Random::new(arguments.seed);
    let values = random.distinct(arguments.scaled(COUNT));
    let ascending: Vec<u32> = (0..values.len() as u32).collect();
    let shuffled = random.shuffled(&ascending);
    let scratch = Scratch::new()?;
    let shared: SharedVec<u64> = scratch.region.object("vector")?;
    shared.extend(values.iter().copied())?;
    for (order, name) in [(&ascending, "sequential"), (&shuffled, "random")] {
        through_the_handle(arguments, report, &shared, &values, order, name)?;
    }
    under_a_guard(arguments, report, &shared, &values, &shuffled)
}

fn through_the_handle(
    arguments: &Arguments,
    report: &mut Report,
    shared: &SharedVec<u64>,
    values: &[u64],
    order: &[u32],
    name: &str,
) -> Outcome {
    let locked = Mutex::new(values.to_vec());
    let plain = values.to_vec();
    let mut ours = || {
        let order = black_box(order);
        sum(order, |index| Ok(shared.get(index)?.ok_or("an element is missing")?))
    };
    let mut mutex = || {
        let (order, locked) = (black_box(order), black_box(&locked));
        sum(order, |index| Ok(locked.lock().unwrap()[index]))
    };
    let mut index = || {
        let (order, plain) = (black_box(order), black_box(&plain));
        sum(order, |index| Ok(plain[index]))
    };
    let rounds = Rounds::take(arguments.rounds(101), [&mut ours, &mut mutex, &mut index])?;
    let what = format!("get, {name}");
    report.add(Line::of_rounds(what.clone(), &rounds, 1, "Mutex<Vec>", Target::Nanoseconds(1.5)));
    report.add(Line::of_rounds(what, &rounds, 2, "Vec, no lock", Target::None));
    Ok(())
}

fn under_a_guard(
    arguments: &Arguments,
    report: &mut Report,
    shared: &SharedVec<u64>,
    values: &[u64],
    order: &[u32],
) -> Outcome {
    let guard = shared.read()?;
    let plain = values.to_vec();
    let mut ours = || {
        let (order, guard) = (black_box(order), black_box(&guard));
        sum(order, |index| Ok(guard[index]))
    };
    let mut limit = || {
        let (order, plain) = (black_box(order), black_box(&plain));
        sum(order, |index| Ok(plain[index]))
    };
    let rounds = Rounds::take(arguments.rounds(101), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("index under a read guard, random", &rounds, 1, "Vec, no lock", Target::None));
    Ok(())
}

/// Time of one look at an element.
#[inline(always)]
fn sum(order: &[u32], mut element: impl FnMut(usize) -> Outcome<u64>) -> Outcome<f64> {
    let mut sum = 0u64;
    let time = each(order.len(), || {
        for index in order {
            sum = sum.wrapping_add(element(*index as usize)?);
        }
        Ok(())
    });
    black_box(sum);
    time
}
