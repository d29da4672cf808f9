//! How the price of an operation grows with entries, with objects, with the region, and with attached processes.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Rounds, Samples, each};
use crate::random::Random;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::{Region, RegionOptions, SharedCounter, SharedHashMap, SharedVec};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let most = if arguments.large { 8 } else { 7 };
    for power in 3..=if arguments.quick { 5 } else { most } {
        entries(arguments, report, 10usize.pow(power))?;
    }
    for power in 0..=if arguments.quick { 3 } else { 5 } {
        objects(arguments, report, 10usize.pow(power))?;
    }
    regions(arguments, report)?;
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
    // In one piece: while a table doubles there are two, and the largest has room beside none.
    shared.reserve(count)?;
    shared.extend(keys.iter().map(|key| (*key, *key)))?;
    let mut private: HashMap<u64, u64, RandomState> = HashMap::with_capacity_and_hasher(count, RandomState::default());
    private.extend(keys.iter().map(|key| (*key, *key)));
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
    let mut guarded = || {
        let guard = shared.read()?;
        sum(&mut |key| Ok(guard.get(key).copied().unwrap_or(0)))
    };
    let rounds = Rounds::take(arguments.rounds(7), [&mut guarded, &mut limit])?;
    let what = format!("get under a guard, {count} entries");
    report.add(Line::of_rounds(what, &rounds, 1, "HashMap", Target::None));
    let mut ours = || sum(&mut |key| Ok(shared.insert(*key, *key)?.unwrap_or(0)));
    let mut limit = || sum(&mut |key| Ok(black_box(&mut private).insert(*key, *key).unwrap_or(0)));
    let rounds = Rounds::take(arguments.rounds(7), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds(format!("overwrite, {count} entries"), &rounds, 1, "HashMap", Target::None));
    Ok(())
}

/// MiB of a region that is opened, read and written.
const SIZES: [usize; 7] = [1, 4, 16, 64, 256, 1024, 4096];
/// Up to so many a region of huge pages stands beside it.
const TWICE: usize = 1024;

/// Opening a region of so many MiB, and an element of it at random.
fn regions(arguments: &Arguments, report: &mut Report) -> Outcome {
    let sizes = match arguments.quick {
        true => &SIZES[..3],
        false if cfg!(windows) => &SIZES[..5],
        false => &SIZES,
    };
    for size in sizes {
        let small = vector(Region::options(), *size)?;
        let opening = || {
            let start = Instant::now();
            let region = Region::options().own_attachment().open(small.0.path())?;
            let _opened: SharedVec<u64> = region.open_object("vector")?;
            Ok(start.elapsed())
        };
        let opening = (0..arguments.rounds(31)).map(|_| opening()).collect::<Outcome<Vec<_>>>()?;
        let what = format!("open the region and an object, {size} MiB");
        report.add(Line::of_samples(what, &Samples::of_times(opening), None, Target::None));

        let len = small.1.len()? as u64;
        let mut random = Random::new(arguments.seed);
        let order: Vec<usize> = (0..arguments.scaled(100_000)).map(|_| (random.next() % len) as usize).collect();
        let get = |vector: &SharedVec<u64>| {
            each(order.len(), || Ok(order.iter().try_for_each(|at| vector.get(*at).map(drop))?))
        };
        let set = |vector: &SharedVec<u64>| {
            each(order.len(), || Ok(order.iter().try_for_each(|at| vector.set(*at, 7u64).map(drop))?))
        };
        let huge = (*size <= TWICE).then(|| vector(Region::options().huge_pages(true), *size)).transpose()?;
        for (what, act) in
            [("get an element", &get as &dyn Fn(&SharedVec<u64>) -> Outcome<f64>), ("set an element", &set)]
        {
            let what = format!("{what}, {size} MiB");
            let mut ours = || act(&small.1);
            let line = match &huge {
                Some(huge) => {
                    let rounds = Rounds::take(arguments.rounds(7), [&mut ours, &mut || act(&huge.1)])?;
                    Line::of_rounds(what, &rounds, 1, "Commy, huge pages", Target::None)
                }
                None => {
                    let rounds = Rounds::take(arguments.rounds(7), [&mut ours])?;
                    Line::of_samples(what, &rounds.samples(0), None, Target::None)
                }
            };
            report.add(line);
        }
    }
    Ok(())
}

/// A region with a vector of so many MiB.
fn vector(options: RegionOptions, size: usize) -> Outcome<(Scratch, SharedVec<u64>)> {
    let scratch = Scratch::with(options)?;
    let vector: SharedVec<u64> = scratch.region.object("vector")?;
    // All at once: a vector that doubles takes twice the room.
    vector.resize((size << 20) / size_of::<u64>(), 7)?;
    Ok((scratch, vector))
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
