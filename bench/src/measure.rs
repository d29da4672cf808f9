//! Rounds, medians, spreads.
//!
//! Sides are measured in turns, so that what else runs on the machine meets all of them; a ratio is the median of the
//! ratios of the rounds. Work of one thread is measured in processor time of that thread, where the system counts it
//! finely: what others got of the core does not count. What waits is measured by the clock.

use crate::{Outcome, machine};
use std::time::{Duration, Instant};

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

/// One of those in a race.
pub(crate) trait Runner {
    fn name(&self) -> &str;

    /// A slow one takes part in few rounds: enough for a median, and the others need not wait for it.
    fn is_slow(&self) -> bool {
        false
    }
}

impl<R: Runner> Runner for &mut R {
    fn name(&self) -> &str {
        R::name(self)
    }

    fn is_slow(&self) -> bool {
        R::is_slow(self)
    }
}

/// Rounds of a slow runner, and the least that anybody has.
const FEW: usize = 3;
/// A race that has taken longer ends: a whole run is to be a matter of minutes on any machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all runners of a race found, round by round.
pub(crate) struct Standings {
    names: Vec<String>,
    values: Vec<Vec<f64>>,
    /// How many of them, from the first on, are Commy in several ways.
    ours: usize,
    /// Why those who are not Commy and failed did.
    failures: Vec<Option<String>>,
}

impl Standings {
    /// As [`Rounds::take`], for any number of runners of which the first `ours` are Commy; fewer rounds if they take long.
    /// A peer that fails runs no more.
    ///
    /// # Errors
    /// Commy failed.
    pub(crate) fn take<R: Runner>(
        rounds: usize,
        ours: usize,
        runners: &mut [R],
        mut round: impl FnMut(&mut R) -> Outcome<f64>,
    ) -> Outcome<Standings> {
        let names: Vec<String> = runners.iter().map(|runner| runner.name().to_string()).collect();
        let mut values = vec![Vec::new(); runners.len()];
        let mut failures = vec![None; runners.len()];
        let begin = Instant::now();
        // The first of them does not count.
        for number in 0..=rounds {
            if number > FEW && begin.elapsed() > PATIENCE {
                break;
            }
            for turn in 0..runners.len() {
                let side = (number + turn) % runners.len();
                if failures[side].is_some() {
                    continue;
                }
                // A slow one is not warmed up, either: the median leaves out what its first round has cost.
                if (number == 0 || number > FEW) && runners[side].is_slow() {
                    continue;
                }
                match round(&mut runners[side]) {
                    Ok(value) if number > 0 => values[side].push(value),
                    Ok(_) => {}
                    Err(error) if side < ours => return Err(format!("{}: {error}", names[side]).into()),
                    Err(error) => failures[side] = Some(error.to_string()),
                }
            }
        }
        Ok(Standings { names, values, ours, failures })
    }

    pub(crate) fn samples(&self, side: usize) -> Samples {
        Samples::new(self.values[side].clone())
    }

    /// Who is not Commy and ran to the end.
    pub(crate) fn others(&self) -> impl Iterator<Item = (usize, &str)> {
        let others = self.names.iter().map(String::as_str).enumerate().skip(self.ours);
        others.filter(|(side, _)| self.failures[*side].is_none())
    }

    /// Who failed, and why.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.names.iter().zip(&self.failures);
        all.filter_map(|(name, failure)| Some((name.as_str(), failure.as_deref()?)))
    }

    /// How many times `side` takes as long as `other`, in the rounds that both have run.
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

    #[test]
    fn a_peer_that_fails_leaves_the_race() {
        struct Named(&'static str);
        impl Runner for Named {
            fn name(&self) -> &str {
                self.0
            }
        }
        let mut runners = [Named("ours"), Named("fails"), Named("runs")];
        let race = |runners: &mut [Named; 3], failing: &str| {
            Standings::take(3, 1, runners, |runner| if runner.0 == failing { Err("lost".into()) } else { Ok(1.0) })
        };
        let standings = race(&mut runners, "fails").unwrap();
        assert_eq!(standings.others().collect::<Vec<_>>(), [(2, "runs")]);
        assert_eq!(standings.failures().collect::<Vec<_>>(), [("fails", "lost")]);
        assert_eq!(race(&mut runners, "ours").err().unwrap().to_string(), "ours: lost");
    }
}
