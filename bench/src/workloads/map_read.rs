//! Look-ups and iteration in a map that no cache holds, beside a map without a lock.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Rounds, each};
use crate::random::Random;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::SharedHashMap;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hint::black_box;

const LIMIT: &str = "HashMap, foldhash, no lock";

struct Maps {
    shared: SharedHashMap<u64, u64>,
    private: HashMap<u64, u64, RandomState>,
}

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let mut random = Random::new(arguments.seed);
    let keys = random.distinct(arguments.scaled(1_000_000));
    let absent = random.distinct(keys.len());
    let order = random.shuffled(&keys);
    let scratch = Scratch::new()?;
    let mut maps = Maps { shared: scratch.region.object("map")?, private: HashMap::default() };
    for (key, value) in keys.iter().zip(0u64..) {
        maps.shared.insert(*key, value)?;
        maps.private.insert(*key, value);
    }
    look_up(arguments, report, &maps, &order, ("get, key there", Target::Ratio(1.4)))?;
    look_up(arguments, report, &maps, &absent, ("get, key not there", Target::None))?;
    look_up_guarded(arguments, report, &maps, &order)?;
    iterate(arguments, report, &maps)
}

fn look_up(
    arguments: &Arguments,
    report: &mut Report,
    maps: &Maps,
    keys: &[u64],
    (what, target): (&str, Target),
) -> Outcome {
    let mut ours = || sum(keys, |key| Ok(maps.shared.get(key)?.unwrap_or(1)));
    let mut limit = || sum(keys, |key| Ok(maps.private.get(key).copied().unwrap_or(1)));
    let rounds = Rounds::take(arguments.rounds(21), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds(what, &rounds, 1, LIMIT, target));
    Ok(())
}

fn look_up_guarded(arguments: &Arguments, report: &mut Report, maps: &Maps, keys: &[u64]) -> Outcome {
    let guard = maps.shared.read()?;
    let mut ours = || sum(keys, |key| Ok(guard.get(key).copied().unwrap_or(1)));
    let mut limit = || sum(keys, |key| Ok(maps.private.get(key).copied().unwrap_or(1)));
    let rounds = Rounds::take(arguments.rounds(21), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("get under a read guard, key there", &rounds, 1, LIMIT, Target::None));
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
    let rounds = Rounds::take(arguments.rounds(21), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("iterate under a read guard", &rounds, 1, LIMIT, Target::None));
    Ok(())
}

/// Time of one look-up.
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
