//! Rounds, medians, spreads.
//!
//! Sides are measured in turns, so that what else runs on the machine meets all of them; a ratio is the median of the
//! ratios of the rounds. Work of one thread is measured in processor time of that thread, where the system counts it
//! finely: what others got of the core does not count. What waits is measured by the clock.

use crate::{Outcome, machine};
use std::time::Duration;

/// Measured values of one thing.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    sorted: Vec<f64>,
}

impl Samples {
    pub(crate) fn new(mut values: Vec<f64>) -> Samples {
        assert!(!values.is_empty(), "a figure needs a sample");
        values.sort_unstable_by(f64::total_cmp);
        Samples { sorted: values }
    }

    /// Nanoseconds of each.
    pub(crate) fn of_times(times: impl IntoIterator<Item = Duration>) -> Samples {
        Samples::new(times.into_iter().map(|time| time.as_nanos() as f64).collect())
    }

    /// The value below which a share `part` (0 to 1) of the samples lies.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let last = self.sorted.len() - 1;
        self.sorted[(last as f64 * part).round() as usize]
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The width of the middle half of the samples, as a share of the median.
    pub(crate) fn spread(&self) -> f64 {
        (self.quantile(0.75) - self.quantile(0.25)) / self.median()
    }
}

/// One side of a comparison: runs a round and tells what it found, in any unit.
pub(crate) type Side<'a> = &'a mut dyn FnMut() -> Outcome<f64>;

/// What the sides of a comparison found, round by round.
pub(crate) struct Rounds<const SIDES: usize> {
    values: [Vec<f64>; SIDES],
}

impl<const SIDES: usize> Rounds<SIDES> {
    /// Runs all sides `rounds` times in turns, each time another one first, after one round that does not count.
    pub(crate) fn take(rounds: usize, mut sides: [Side; SIDES]) -> Outcome<Rounds<SIDES>> {
        let mut values = [const { Vec::new() }; SIDES];
        for side in &mut sides {
            side()?;
        }
        for round in 0..rounds {
            for turn in 0..SIDES {
                let side = (round + turn) % SIDES;
                values[side].push(sides[side]()?);
            }
        }
        Ok(Rounds { values })
    }

    pub(crate) fn samples(&self, side: usize) -> Samples {
        Samples::new(self.values[side].clone())
    }

    /// How many times `side` takes as long as `other`.
    pub(crate) fn ratio(&self, side: usize, other: usize) -> f64 {
        let pairs = self.values[side].iter().zip(&self.values[other]);
        Samples::new(pairs.map(|(side, other)| side / other).collect()).median()
    }
}

/// Nanoseconds of processor time that each of the `count` operations in `work` takes.
#[inline(always)]
pub(crate) fn each(count: usize, work: impl FnOnce() -> Outcome) -> Outcome<f64> {
    let start = machine::thread_time();
    work()?;
    Ok((machine::thread_time() - start).as_nanos() as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_sample() {
        let samples = Samples::new(vec![3.0, 1.0, 2.0, 5.0, 4.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|part| samples.quantile(part)), [1.0, 3.0, 5.0]);
        assert_eq!(samples.spread(), 2.0 / 3.0);
    }

    #[test]
    fn a_ratio_pairs_what_ran_in_the_same_round() {
        let (mut ours, mut noise) = (0.0, 0.0);
        let mut slow = || {
            ours += 10.0;
            Ok(2.0 * ours)
        };
        let mut fast = || {
            noise += 10.0;
            Ok(noise)
        };
        let rounds = Rounds::take(5, [&mut slow, &mut fast]).unwrap();
        assert_eq!(rounds.ratio(0, 1), 2.0);
        assert_eq!(rounds.samples(1).median(), 40.0);
    }
}
