//! Look-ups, ranges and iteration in an ordered map that no cache holds, beside a map without a lock.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Rounds, each};
use crate::random::Random;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::SharedBTreeMap;
use std::collections::BTreeMap;
use std::hint::black_box;

const LIMIT: &str = "BTreeMap, no lock";
/// Entries of one range.
const RANGE: usize = 100;

struct Maps {
    shared: SharedBTreeMap<u64, u64>,
    private: BTreeMap<u64, u64>,
}

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let mut random = Random::new(arguments.seed);
    let keys = random.distinct(arguments.scaled(1_000_000));
    let order = random.shuffled(&keys);
    let scratch = Scratch::new()?;
    let mut maps = Maps { shared: scratch.region.object("tree")?, private: BTreeMap::new() };
    maps.shared.write()?.extend(keys.iter().copied().zip(0u64..))?;
    maps.private.extend(keys.iter().copied().zip(0u64..));
    look_up(arguments, report, &maps, &order)?;
    look_up_guarded(arguments, report, &maps, &order)?;
    scan(arguments, report, &maps, &order[..order.len() / 10])?;
    iterate(arguments, report, &maps)
}

fn look_up(arguments: &Arguments, report: &mut Report, maps: &Maps, keys: &[u64]) -> Outcome {
    let mut ours = || sum(keys, |key| Ok(maps.shared.get(key)?.unwrap_or(1)));
    let mut limit = || sum(keys, |key| Ok(maps.private.get(key).copied().unwrap_or(1)));
    let rounds = Rounds::take(arguments.rounds(7), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("get without a lock", &rounds, 1, LIMIT, Target::None));
    Ok(())
}

fn look_up_guarded(arguments: &Arguments, report: &mut Report, maps: &Maps, keys: &[u64]) -> Outcome {
    let guard = maps.shared.read()?;
    let mut ours = || sum(keys, |key| Ok(guard.get(key).copied().unwrap_or(1)));
    let mut limit = || sum(keys, |key| Ok(maps.private.get(key).copied().unwrap_or(1)));
    let rounds = Rounds::take(arguments.rounds(7), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("get under a read guard", &rounds, 1, LIMIT, Target::Ratio(1.0)));
    Ok(())
}

fn scan(arguments: &Arguments, report: &mut Report, maps: &Maps, starts: &[u64]) -> Outcome {
    let guard = maps.shared.read()?;
    let add = |sum: u64, (key, value): (&u64, &u64)| sum.wrapping_add(*key ^ *value);
    let mut ours = || sum(starts, |start| Ok(guard.range(*start..).take(RANGE).fold(0, add)));
    let mut limit = || sum(starts, |start| Ok(maps.private.range(*start..).take(RANGE).fold(0, add)));
    let rounds = Rounds::take(arguments.rounds(7), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("range of 100 under a read guard", &rounds, 1, LIMIT, Target::Ratio(0.6)));
    Ok(())
}

fn iterate(arguments: &Arguments, report: &mut Report, maps: &Maps) -> Outcome {
    let mut ours = || {
        let mut sum = 0u64;
        let time = each(maps.private.len(), || {
            let guard = maps.shared.read()?;
            guard.iter().for_each(|(key, value)| sum = sum.wrapping_add(*key ^ *value));
            Ok(())
        });
        black_box(sum);
        time
    };
    let mut limit = || {
        let mut sum = 0u64;
        let time = each(maps.private.len(), || {
            maps.private.iter().for_each(|(key, value)| sum = sum.wrapping_add(*key ^ *value));
            Ok(())
        });
        black_box(sum);
        time
    };
    let rounds = Rounds::take(arguments.rounds(7), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("iterate under a read guard", &rounds, 1, LIMIT, Target::Ratio(0.4)));
    Ok(())
}

/// Time of one call.
#[inline(always)]
fn sum(keys: &[u64], mut value: impl FnMut(&u64) -> Outcome<u64>) -> Outcome<f64> {
    let mut sum = 0u64;
    let time = each(keys.len(), || {
        for key in keys {
            sum = sum.wrapping_add(value(key)?);
        }
        Ok(())
    });
    black_box(sum);
    time
}
