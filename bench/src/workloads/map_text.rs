//! A map from texts to texts: keys of 32 bytes, values of 100, each of which has a block of its own.

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

const LIMIT: &str = "Mutex<HashMap>, foldhash, malloc";

type Shared = SharedHashMap<String, String>;
type Private = Mutex<HashMap<String, String, RandomState>>;

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let mut random = Random::new(arguments.seed);
    let numbers = random.distinct(arguments.scaled(300_000));
    let texts: Vec<(String, String)> = numbers.iter().map(|number| text_of(*number)).collect();
    let order = random.shuffled(&(0..texts.len()).collect::<Vec<_>>());
    let order: Vec<&str> = order.into_iter().map(|index| texts[index].0.as_str()).collect();
    let scratch = Scratch::new()?;
    let shared: Shared = scratch.region.object("texts")?;
    let private = Private::default();
    let handle = "insert of 32 + 100 bytes through the handle";
    insert(arguments, report, &shared, &private, &texts, handle, fill)?;
    let guard = "insert of 32 + 100 bytes under a guard";
    insert(arguments, report, &shared, &private, &texts, guard, fill_guarded)?;
    look_up(arguments, report, &shared, &private, &order)?;
    look_up_guarded(arguments, report, &shared, &private, &order)
}

/// A key of 32 bytes and a value of 100.
fn text_of(number: u64) -> (String, String) {
    (format!("{number:032x}"), format!("{number:0100x}"))
}

fn fill(shared: &Shared, texts: &[(String, String)]) -> Outcome {
    for (key, value) in texts {
        shared.insert(key, value)?;
    }
    Ok(())
}

fn fill_guarded(shared: &Shared, texts: &[(String, String)]) -> Outcome {
    let mut guard = shared.write()?;
    for (key, value) in texts {
        guard.insert(key, value)?;
    }
    Ok(())
}

/// Both grow from empty, and are full at the end.
fn insert(
    arguments: &Arguments,
    report: &mut Report,
    shared: &Shared,
    private: &Private,
    texts: &[(String, String)],
    what: &str,
    fill: fn(&Shared, &[(String, String)]) -> Outcome,
) -> Outcome {
    let mut ours = || {
        shared.clear()?;
        each(texts.len(), || fill(shared, texts))
    };
    let mut limit = || {
        *private.lock().unwrap() = HashMap::default();
        each(texts.len(), || {
            let private = black_box(private);
            for (key, value) in texts {
                private.lock().unwrap().insert(key.clone(), value.clone());
            }
            Ok(())
        })
    };
    let rounds = Rounds::take(arguments.rounds(11), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds(what, &rounds, 1, LIMIT, Target::Ratio(1.3)));
    Ok(())
}

/// Copies of values.
fn look_up(arguments: &Arguments, report: &mut Report, shared: &Shared, private: &Private, order: &[&str]) -> Outcome {
    let mut ours = || sum(order, |key| Ok(shared.get(key)?.ok_or("a key is missing")?.len()));
    let mut limit = || {
        sum(order, |key| {
            let value = black_box(private).lock().unwrap().get(key).cloned();
            Ok(value.ok_or("a key is missing")?.len())
        })
    };
    let rounds = Rounds::take(arguments.rounds(11), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("a copy of a value, without a lock", &rounds, 1, LIMIT, Target::None));
    Ok(())
}

/// Values as they stand there.
fn look_up_guarded(
    arguments: &Arguments,
    report: &mut Report,
    shared: &Shared,
    private: &Private,
    order: &[&str],
) -> Outcome {
    let guard = shared.read()?;
    let private = private.lock().unwrap();
    let mut ours = || sum(order, |key| Ok(last_byte(guard.get(key).ok_or("a key is missing")?)));
    let mut limit = || sum(order, |key| Ok(last_byte(private.get(key).ok_or("a key is missing")?)));
    let rounds = Rounds::take(arguments.rounds(11), [&mut ours, &mut limit])?;
    report.add(Line::of_rounds("get under a read guard", &rounds, 1, "HashMap, foldhash, no lock", Target::Ratio(1.0)));
    Ok(())
}

fn last_byte(text: &str) -> usize {
    text.as_bytes().last().map_or(0, |byte| usize::from(*byte))
}

/// Time of one look-up.
#[inline(always)]
fn sum(keys: &[&str], mut value: impl FnMut(&str) -> Outcome<usize>) -> Outcome<f64> {
    let mut sum = 0;
    let time = each(keys.len(), || {
        for key in keys {
            sum += value(key)?;
        }
        Ok(())
    });
    black_box(sum);
    time
}
