//! Filling, changing and emptying an ordered map, under a write guard and through its handle, beside a map without a
//! lock.

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

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let mut random = Random::new(arguments.seed);
    let keys = random.distinct(arguments.scaled(1_000_000));
    let order = random.shuffled(&keys);
    let scratch = Scratch::new()?;
    let shared: SharedBTreeMap<u64, u64> = scratch.region.object("tree")?;
    let mut private = BTreeMap::new();
    let mut ascending = keys.clone();
    ascending.sort_unstable();
    let random_keys = ("insert under a guard, from empty", Target::Ratio(1.0));
    insert_guarded(arguments, report, &shared, &mut private, &keys, random_keys)?;
    let in_order = ("insert in order under a guard, from empty", Target::None);
    insert_guarded(arguments, report, &shared, &mut private, &ascending, in_order)?;
    insert(arguments, report, &shared, &mut private, &keys)?;
    update(arguments, report, &shared, &mut private, &order)?;
    remove(arguments, report, &shared, &mut private, (&keys, &order))
}

fn fill(shared: &SharedBTreeMap<u64, u64>, keys: &[u64]) -> Outcome {
    let mut guard = shared.write()?;
    for key in keys {
        guard.insert(*key, *key)?;
    }
    Ok(())
}

fn fill_private(private: &mut BTreeMap<u64, u64>, keys: &[u64]) {
    for key in keys {
        black_box(&mut *private).insert(*key, *key);
    }
}

fn insert_guarded(
    arguments: &Arguments,
    report: &mut Report,
    shared: &SharedBTreeMap<u64, u64>,
    private: &mut BTreeMap<u64, u64>,
    keys: &[u64],
    (what, target): (&str, Target),
) -> Outcome {
    let mut ours = || {
        shared.clear()?;
        each(keys.len(), || fill(shared, keys))
    };
    let mut limit = || {
        private.clear();
        each(keys.len(), || {
            fill_private(private, keys);
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(5), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds(what, &rounds, 1, LIMIT, target));
    Ok(())
}

fn insert(
    arguments: &Arguments,
    report: &mut Report,
    shared: &SharedBTreeMap<u64, u64>,
    private: &mut BTreeMap<u64, u64>,
    keys: &[u64],
) -> Outcome {
    let mut ours = || {
        shared.clear()?;
        each(keys.len(), || {
            for key in keys {
                shared.insert(*key, *key)?;
            }
            Ok(())
        })
    };
    let mut limit = || {
        private.clear();
        each(keys.len(), || {
            fill_private(private, keys);
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(5), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("insert through the handle, from empty", &rounds, 1, LIMIT, Target::None));
    Ok(())
}

fn update(
    arguments: &Arguments,
    report: &mut Report,
    shared: &SharedBTreeMap<u64, u64>,
    private: &mut BTreeMap<u64, u64>,
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
            for key in order {
                let value = black_box(&mut *private).get_mut(key).ok_or("a key is missing")?;
                *value = value.wrapping_add(1);
            }
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(5), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("update through the handle", &rounds, 1, LIMIT, Target::None));
    Ok(())
}

/// Both are filled again before each round.
fn remove(
    arguments: &Arguments,
    report: &mut Report,
    shared: &SharedBTreeMap<u64, u64>,
    private: &mut BTreeMap<u64, u64>,
    (keys, order): (&[u64], &[u64]),
) -> Outcome {
    let mut ours = || {
        fill(shared, keys)?;
        each(order.len(), || {
            let mut guard = shared.write()?;
            for key in order {
                guard.remove(key)?.ok_or("a key is missing")?;
            }
            Ok(())
        })
    };
    let mut limit = || {
        fill_private(private, keys);
        each(order.len(), || {
            for key in order {
                black_box(&mut *private).remove(key).ok_or("a key is missing")?;
            }
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(5), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("remove under a guard", &rounds, 1, LIMIT, Target::None));
    Ok(())
}
