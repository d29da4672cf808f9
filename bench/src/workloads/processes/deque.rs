//! One process adds to a bounded queue, another one takes from it: values a second, from end to end.

use super::role::{Player, QUEUE, Role};
use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::Samples;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::SharedVecDeque;
use std::time::{Duration, Instant};

/// Most values in the queue.
const LIMIT: usize = 1 << 16;
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    for (batch, count, target) in [
        (1, 500_000, Target::None),
        (64, 4_000_000, Target::Nanoseconds(100.0)),
        (1024, 8_000_000, Target::Nanoseconds(100.0)),
    ] {
        let count = arguments.scaled(count);
        let rounds = (0..arguments.rounds(11)).map(|_| transfer(batch, count));
        let each = Samples::new(rounds.collect::<Outcome<Vec<f64>>>()?);
        let what = match batch {
            1 => "one value, one call at either end".into(),
            _ => format!("one value, in batches of {batch}"),
        };
        report.add(Line::of_quantile(what, 0.5, &each, None, target));
    }
    Ok(())
}

/// Nanoseconds of the clock for each value.
fn transfer(batch: usize, count: usize) -> Outcome<f64> {
    let scratch = Scratch::new()?;
    let queue = scratch.region.object::<SharedVecDeque<u64>>(QUEUE)?.with_limit(LIMIT)?;
    let giver = Player::start(Role::Give { batch }, scratch.path())?;
    let mut next = take(&queue, batch, 0)?;
    let (start, first) = (Instant::now(), next);
    while next - first < count as u64 {
        next = take(&queue, batch, next)?;
    }
    let time = start.elapsed().as_nanos() as f64 / (next - first) as f64;
    giver.stop()?;
    Ok(time)
}

/// Takes some of the values, which are consecutive numbers; the number that comes next.
fn take(queue: &SharedVecDeque<u64>, batch: usize, next: u64) -> Outcome<u64> {
    let taken = match batch {
        1 => queue.pop_front_wait(PATIENCE)?.into_iter().collect(),
        _ => queue.pop_front_many_wait(batch, PATIENCE)?,
    };
    if taken.is_empty() || taken.iter().zip(next..).any(|(value, number)| *value != number) {
        return Err("values were lost, or came in another order".into());
    }
    Ok(next + taken.len() as u64)
}
