//! Filling, updating and emptying a map through its handle, beside a map in a mutex.

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
use std::sync::Mutex;

const LIMIT: &str = "Mutex<HashMap>, foldhash";

type Private = Mutex<HashMap<u64, u64, RandomState>>;

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let mut random = Random::new(arguments.seed);
    let keys = random.distinct(arguments.scaled(1_000_000));
    let order = random.shuffled(&keys);
    let scratch = Scratch::new()?;
    let shared: SharedHashMap<u64, u64> = scratch.region.object("map")?;
    let private = Private::default();
    insert(arguments, report, &shared, &private, &keys)?;
    update(arguments, report, &shared, &private, &order)?;
    remove(arguments, report, &shared, &private, (&keys, &order))
}

fn fill(shared: &SharedHashMap<u64, u64>, keys: &[u64]) -> Outcome {
    for key in keys {
        shared.insert(*key, *key)?;
    }
    Ok(())
}

fn fill_private(private: &Private, keys: &[u64]) {
    for key in keys {
        private.lock().unwrap().insert(*key, *key);
    }
}

/// Both grow from empty, and are full at the end.
fn insert(
    arguments: &Arguments,
    report: &mut Report,
    shared: &SharedHashMap<u64, u64>,
    private: &Private,
    keys: &[u64],
) -> Outcome {
    let mut ours = || {
        shared.clear()?;
        each(keys.len(), || fill(shared, keys))
    };
    let mut limit = || {
        *private.lock().unwrap() = HashMap::default();
        each(keys.len(), || {
            fill_private(black_box(private), keys);
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(11), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("insert, growing from empty", &rounds, 1, LIMIT, Target::Ratio(1.6)));
    Ok(())
}

fn update(
    arguments: &Arguments,
    report: &mut Report,
    shared: &SharedHashMap<u64, u64>,
    private: &Private,
    order: &[u64],
) -> Outcome {
    let mut ours = || {
        each(order.len(), || {
            for key in order {
                shared.update(key, |value| *value = value.wrapping_add(1))?.ok_or("a key is missing")?;
            }
            Ok(())
        })
    };
    let mut limit = || {
        each(order.len(), || {
            let private = black_box(private);
            for key in order {
                let mut map = private.lock().unwrap();
                let value = map.get_mut(key).ok_or("a key is missing")?;
                *value = value.wrapping_add(1);
            }
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(11), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("update", &rounds, 1, LIMIT, Target::None));
    Ok(())
}

/// Both are filled again before each round.
fn remove(
    arguments: &Arguments,
    report: &mut Report,
    shared: &SharedHashMap<u64, u64>,
    private: &Private,
    (keys, order): (&[u64], &[u64]),
) -> Outcome {
    let mut ours = || {
        fill(shared, keys)?;
        each(order.len(), || {
            for key in order {
                shared.remove(key)?.ok_or("a key is missing")?;
            }
            Ok(())
        })
    };
    let mut limit = || {
        fill_private(private, keys);
        each(order.len(), || {
            let private = black_box(private);
            for key in order {
                private.lock().unwrap().remove(key).ok_or("a key is missing")?;
            }
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(11), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("remove", &rounds, 1, LIMIT, Target::None));
    Ok(())
}
