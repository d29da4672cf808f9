//! How the price of an operation grows with entries, with objects, and with attached processes.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Rounds, Samples, each};
use crate::random::Random;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::{SharedCounter, SharedHashMap};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hint::black_box;

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    for power in 3..=if arguments.quick { 5 } else { 7 } {
        entries(arguments, report, 10usize.pow(power))?;
    }
    for power in 0..=if arguments.quick { 3 } else { 5 } {
        objects(arguments, report, 10usize.pow(power))?;
    }
    #[cfg(target_os = "linux")]
    super::processes::scale(arguments, report)?;
    Ok(())
}

/// Look-ups and updates in a map of so many entries, beside a map without a lock.
fn entries(arguments: &Arguments, report: &mut Report, count: usize) -> Outcome {
    let mut random = Random::new(arguments.seed);
    let keys = random.distinct(count);
    let order = random.shuffled(&keys);
    let order = &order[..count.min(200_000)];
    let scratch = Scratch::new()?;
    let shared: SharedHashMap<u64, u64> = scratch.region.object("map")?;
    shared.extend(keys.iter().map(|key| (*key, *key)))?;
    let mut private: HashMap<u64, u64, RandomState> = keys.iter().map(|key| (*key, *key)).collect();
    let expected = order.iter().fold(0, |sum: u64, key| sum.wrapping_add(*key));
    let sum = |get: &mut dyn FnMut(&u64) -> Outcome<u64>| -> Outcome<f64> {
        let mut sum = 0u64;
        let time =
            each(order.len(), || order.iter().try_for_each(|key| get(key).map(|value| sum = sum.wrapping_add(value))))?;
        if sum == expected { Ok(time) } else { Err("a wrong value".into()) }
    };
    let mut ours = || sum(&mut |key| Ok(shared.get(key)?.unwrap_or(0)));
    let mut limit = || sum(&mut |key| Ok(black_box(&private).get(key).copied().unwrap_or(0)));
    let rounds = Rounds::take(arguments.rounds(7), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds(format!("get, {count} entries"), &rounds, 1, "HashMap", Target::None));
    let mut ours = || sum(&mut |key| Ok(shared.insert(*key, *key)?.unwrap_or(0)));
    let mut limit = || sum(&mut |key| Ok(black_box(&mut private).insert(*key, *key).unwrap_or(0)));
    let rounds = Rounds::take(arguments.rounds(7), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds(format!("overwrite, {count} entries"), &rounds, 1, "HashMap", Target::None));
    Ok(())
}

/// Making an object among so many, opening one of them, changing it.
fn objects(arguments: &Arguments, report: &mut Report, count: usize) -> Outcome {
    let scratch = Scratch::new()?;
    let name = |number: usize| format!("object {number}");
    for number in 0..count {
        scratch.region.object::<SharedCounter>(&name(number))?.add(1)?;
    }
    let mut random = Random::new(arguments.seed);
    let tries = arguments.scaled(1_000).max(10);
    let (mut make, mut open, mut change) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds(7) {
        make.push(each(tries, || {
            (count..count + tries).try_for_each(|number| {
                let object: SharedCounter = scratch.region.create_object(&name(number))?;
                drop(object);
                Ok(())
            })
        })?);
        (count..count + tries).try_for_each(|number| scratch.region.remove_object(&name(number)))?;
        let names: Vec<String> = (0..tries).map(|_| name((random.next() % count as u64) as usize)).collect();
        let mut opened: Vec<SharedCounter> = Vec::with_capacity(tries);
        open.push(each(tries, || {
            names.iter().try_for_each(|name| {
                opened.push(scratch.region.open_object(name)?);
                Ok(())
            })
        })?);
        change.push(each(tries, || Ok(opened.iter().try_for_each(|counter| counter.add(1).map(drop))?))?);
    }
    for (what, times) in [("make one", make), ("open one", open), ("change one", change)] {
        report.add(Line::of_samples(format!("{what}, {count} objects"), &Samples::new(times), None, Target::None));
    }
    Ok(())
}
