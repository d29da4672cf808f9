//! One object of each kind, changed by steps that keep an invariant: everything in it is of one generation, and the next step
//! brings the next one. So whoever looks can tell a whole state from a torn one, and a later one from an earlier one.

use commy::{
    Container, Error, Region, Result, SharedBTreeMap, SharedBTreeSet, SharedBox, SharedCounter, SharedGauge,
    SharedHashMap, SharedHashSet, SharedString, SharedVec, SharedVecDeque,
};
use std::iter::repeat_n;

type Step = Box<dyn Fn() -> Result<()>>;
type Look = Box<dyn Fn() -> Result<u64>>;
type Read = (&'static str, Box<dyn Fn() -> Result<()>>);

/// See the module.
pub struct Watched {
    pub name: &'static str,
    step: Step,
    look: Look,
    /// Every call that only reads.
    pub reads: Vec<Read>,
}

impl Watched {
    /// Brings the next generation.
    pub fn step(&self) -> Result<()> {
        (self.step)()
    }

    /// The generation, of which everything is.
    pub fn look(&self) -> Result<u64> {
        (self.look)()
    }
}

/// What a process that stays contributes to the gauge, and what all others do.
pub const STANDING: i64 = 100;
const SHARE: i64 = 7;

/// Sets what this process contributes; its steps leave it so.
pub fn contribute(region: &Region, amount: i64) -> Result<()> {
    region.object::<SharedGauge>("gauge")?.set(amount).map(drop)
}

/// How an object is found.
type Find = fn(&Region, &'static str) -> Result<Watched>;

pub const ALL: &[(&str, Find)] = &[
    ("vector", vector),
    ("vector of texts", vector_of_texts),
    ("queue", queue),
    ("queue of texts", queue_of_texts),
    ("text", one_text),
    ("box", one_box),
    ("box of a text", box_of_a_text),
    ("map", map),
    ("map of texts", map_of_texts),
    ("set", set),
    ("set of texts", set_of_texts),
    ("tree", tree),
    ("tree of texts", tree_of_texts),
    ("ordered set", ordered_set),
    ("counter", counter),
    ("gauge", gauge),
];

/// All of them; made, if the region can be written.
pub fn watched(region: &Region) -> Result<Vec<Watched>> {
    ALL.iter().map(|(name, find)| find(region, name)).collect()
}

fn open<C: Container>(region: &Region, name: &str) -> Result<C> {
    match region.open_object(name) {
        Err(Error::NotFound) => region.object(name),
        other => other,
    }
}

/// A watched object from a handle: its step, its look, its reads.
macro_rules! watch {
    ($name:ident, $handle:ident, $step:expr, $look:expr, [$($read:literal => $call:expr),* $(,)?]) => {
        Ok(Watched {
            name: $name,
            step: { let $handle = $handle.clone(); Box::new(move || $step) },
            look: { let $handle = $handle.clone(); Box::new(move || $look) },
            reads: vec![$(($read, { let $handle = $handle.clone(); Box::new(move || $call.map(drop)) })),*],
        })
    };
}

fn text(generation: u64, number: u64) -> String {
    format!("generation {generation:08}, number {number}")
}

fn generation_of(text: &str) -> u64 {
    text["generation ".len()..][..8].parse().expect("a generation")
}

fn key(number: u64) -> String {
    format!("the key of {number:05}")
}

/// Every element is `wanted` of the first one's generation, and there are as many as there should be.
fn all_of_one<T: PartialEq + std::fmt::Debug>(
    values: &[T],
    generation: fn(&T) -> u64,
    wanted: impl Fn(u64) -> Vec<T>,
) -> u64 {
    let generation = generation(values.first().expect("it is never empty"));
    assert!(values == wanted(generation), "{values:?} is not of generation {generation}");
    generation
}

fn numbers(generation: u64) -> Vec<u64> {
    vec![generation; 20 + (generation % 60) as usize]
}

fn vector(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedVec<u64> = open(region, name)?;
    let step = |object: &SharedVec<u64>| {
        let mut guard = object.write()?;
        let next = guard.first().map_or(1, |first| first + 1);
        let wanted = numbers(next);
        if next.is_multiple_of(5) {
            guard.clear()?;
        }
        guard.truncate(wanted.len())?;
        guard.try_as_mut_slice()?.fill(next);
        guard.extend(repeat_n(next, wanted.len() - guard.len()))
    };
    let look = |object: &SharedVec<u64>| {
        let (first, len) = (object.get(3)?.expect("the fourth"), object.len()?);
        let generation = all_of_one(&object.to_vec()?, |value| *value, numbers);
        assert!(first <= generation && (20..80).contains(&len) && !object.is_empty()?);
        Ok(generation)
    };
    watch!(name, object, step(&object), look(&object), [
        "get" => object.get(0), "len" => object.len(), "is_empty" => object.is_empty(), "to_vec" => object.to_vec(),
    ])
}

fn texts(generation: u64) -> Vec<String> {
    vec![text(generation, 0); 5 + (generation % 20) as usize]
}

fn vector_of_texts(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedVec<String> = open(region, name)?;
    let step = |object: &SharedVec<String>| {
        let mut guard = object.write()?;
        let next = guard.first().map_or(1, |first| generation_of(first) + 1);
        let wanted = texts(next);
        guard.truncate(wanted.len())?;
        for (index, value) in wanted.iter().enumerate() {
            if !guard.set(index, value)? {
                guard.push(value)?;
            }
        }
        Ok(())
    };
    let look = |object: &SharedVec<String>| {
        let first = generation_of(&object.get(0)?.expect("the first"));
        let generation = all_of_one(&object.to_vec()?, |value| generation_of(value), texts);
        assert!(first <= generation);
        Ok(generation)
    };
    watch!(name, object, step(&object), look(&object), [
        "get" => object.get(0), "len" => object.len(), "is_empty" => object.is_empty(), "to_vec" => object.to_vec(),
    ])
}

fn row(first: u64) -> Vec<u64> {
    (first..first + 40).collect()
}

fn queue(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedVecDeque<u64> = open(region, name)?;
    let step = |object: &SharedVecDeque<u64>| {
        let mut guard = object.write()?;
        let next = guard.front().map_or(1, |first| first + 1);
        if guard.is_empty() {
            return guard.extend(row(next));
        }
        guard.pop_front()?;
        guard.push_back(next + 39)?;
        if next.is_multiple_of(3) {
            guard.rotate_left(10)?;
            guard.rotate_right(10)?;
        }
        if next.is_multiple_of(7) {
            guard.clear()?;
            guard.extend(row(next))?;
        }
        Ok(())
    };
    let look = |object: &SharedVecDeque<u64>| {
        let (front, back) = (object.front()?.expect("the first"), object.back()?.expect("the last"));
        let generation = all_of_one(&object.to_vec()?, |value| *value, row);
        assert!(front <= back && back < generation + 40 && object.len()? == 40 && !object.contains(&0)?);
        Ok(generation)
    };
    watch!(name, object, step(&object), look(&object), [
        "get" => object.get(0), "front" => object.front(), "back" => object.back(), "len" => object.len(),
        "is_empty" => object.is_empty(), "contains" => object.contains(&3), "limit" => object.limit(),
        "to_vec" => object.to_vec(),
    ])
}

fn queue_of_texts(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedVecDeque<String> = open(region, name)?;
    let step = |object: &SharedVecDeque<String>| {
        let mut guard = object.write()?;
        let next = guard.front().map_or(1, |first| generation_of(first) + 1);
        guard.clear()?;
        let wanted = texts(next);
        for (index, value) in wanted.iter().enumerate() {
            if index % 2 == 0 { guard.push_front(value)? } else { guard.push_back(value)? }
        }
        Ok(())
    };
    let look = |object: &SharedVecDeque<String>| {
        let front = generation_of(&object.front()?.expect("the first"));
        let generation = all_of_one(&object.to_vec()?, |value| generation_of(value), texts);
        assert!(front <= generation && !object.contains(&text(0, 0))?);
        Ok(generation)
    };
    watch!(name, object, step(&object), look(&object), [
        "get" => object.get(0), "front" => object.front(), "back" => object.back(), "len" => object.len(),
        "contains" => object.contains(&text(0, 0)), "to_vec" => object.to_vec(),
    ])
}

fn lines(generation: u64) -> String {
    text(generation, 0).repeat(5 + (generation % 30) as usize)
}

fn one_text(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedString = open(region, name)?;
    let step = |object: &SharedString| {
        let mut guard = object.write()?;
        let next = if guard.is_empty() { 1 } else { generation_of(&guard) + 1 };
        let all = guard.len();
        guard.replace_range(0..all, "")?;
        guard.push_str(&lines(next))
    };
    let look = |object: &SharedString| {
        let seen = object.get()?;
        let generation = generation_of(&seen);
        assert!(seen == lines(generation) && object.len()? > 100 && !object.is_empty()?, "{seen}");
        Ok(generation)
    };
    watch!(name, object, step(&object), look(&object), [
        "get" => object.get(), "len" => object.len(), "is_empty" => object.is_empty(),
    ])
}

fn one_box(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedBox<[u64; 32]> = open(region, name)?;
    let step = |object: &SharedBox<[u64; 32]>| object.update(|value| *value = [value[0] + 1; 32]);
    let look = |object: &SharedBox<[u64; 32]>| {
        let seen = object.get()?;
        assert!(seen == [seen[0]; 32], "{seen:?}");
        Ok(seen[0])
    };
    watch!(name, object, step(&object), look(&object), ["get" => object.get()])
}

fn box_of_a_text(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedBox<String> = open(region, name)?;
    let next = |seen: &str| lines(if seen.is_empty() { 1 } else { generation_of(seen) + 1 });
    let step = move |object: &SharedBox<String>| object.update(|value| *value = next(value));
    let look = |object: &SharedBox<String>| {
        let seen = object.get()?;
        assert!(seen == lines(generation_of(&seen)), "{seen}");
        Ok(generation_of(&seen))
    };
    watch!(name, object, step(&object), look(&object), ["get" => object.get()])
}

/// How many entries a map has.
fn entries(generation: u64) -> u64 {
    20 + generation * 7 % 150
}

fn map(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedHashMap<String, u64> = open(region, name)?;
    let step = |object: &SharedHashMap<String, u64>| {
        let mut guard = object.write()?;
        let (len, next) = (guard.len() as u64, guard.get(&key(0)).map_or(1, |value| value + 1));
        if next.is_multiple_of(5) {
            guard.clear()?;
        }
        (entries(next)..len).try_for_each(|number| guard.remove(&key(number)).map(drop))?;
        guard.extend((0..entries(next)).map(|number| (key(number), next)))
    };
    let look = |object: &SharedHashMap<String, u64>| {
        let first = object.get(&key(0))?.expect("the first key");
        let mut all: Vec<(String, u64)> = object.to_map()?.into_iter().collect();
        all.sort();
        let wanted = |generation| (0..entries(generation)).map(|number| (key(number), generation)).collect();
        let generation = all_of_one(&all, |entry| entry.1, wanted);
        assert!(first <= generation && object.contains_key(&key(19))? && !object.contains_key(&key(999))?);
        assert!(object.len()? >= 20 && !object.is_empty()?);
        Ok(generation)
    };
    watch!(name, object, step(&object), look(&object), [
        "get" => object.get(&key(0)), "get what is not there" => object.get("no key"), "len" => object.len(),
        "contains_key" => object.contains_key("no key"), "is_empty" => object.is_empty(), "to_map" => object.to_map(),
    ])
}

fn map_of_texts(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedHashMap<u64, String> = open(region, name)?;
    let step = |object: &SharedHashMap<u64, String>| {
        let mut guard = object.write()?;
        let next = guard.get(&0).map_or(1, |value| generation_of(value) + 1);
        guard.retain(|number, _| *number < entries(next))?;
        guard.extend((0..entries(next)).map(|number| (number, text(next, number))))
    };
    let look = |object: &SharedHashMap<u64, String>| {
        let first = generation_of(&object.get(&0)?.expect("the first key"));
        let mut all: Vec<(u64, String)> = object.to_map()?.into_iter().collect();
        all.sort();
        let wanted = |generation| (0..entries(generation)).map(|number| (number, text(generation, number))).collect();
        let generation = all_of_one(&all, |entry| generation_of(&entry.1), wanted);
        assert!(first <= generation && object.contains_key(&19)? && !object.contains_key(&999)?);
        Ok(generation)
    };
    watch!(name, object, step(&object), look(&object), [
        "get" => object.get(&0), "len" => object.len(), "contains_key" => object.contains_key(&999),
        "to_map" => object.to_map(),
    ])
}

fn group(generation: u64) -> Vec<u64> {
    (0..entries(generation)).map(|number| generation * 1000 + number).collect()
}

fn set(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedHashSet<u64> = open(region, name)?;
    let step = |object: &SharedHashSet<u64>| {
        let mut guard = object.write()?;
        let next = guard.iter().next().map_or(1, |member| member / 1000 + 1);
        if next.is_multiple_of(2) {
            guard.clear()?
        } else {
            guard.retain(|_| false)?
        }
        guard.extend(group(next))
    };
    let look = |object: &SharedHashSet<u64>| {
        let mut all: Vec<u64> = object.to_set()?.into_iter().collect();
        all.sort_unstable();
        assert!(!object.contains(&0)? && object.get(&0)?.is_none() && object.len()? >= 20 && !object.is_empty()?);
        Ok(all_of_one(&all, |member| member / 1000, group))
    };
    watch!(name, object, step(&object), look(&object), [
        "get" => object.get(&0), "contains" => object.contains(&0), "len" => object.len(),
        "is_empty" => object.is_empty(), "to_set" => object.to_set(), "is_subset" => object.is_subset(&object),
    ])
}

fn set_of_texts(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedHashSet<String> = open(region, name)?;
    let members = |generation| (10..60).map(|number| text(generation, number)).collect::<Vec<String>>();
    let step = move |object: &SharedHashSet<String>| {
        let mut guard = object.write()?;
        let next = guard.iter().next().map_or(1, |member| generation_of(member) + 1);
        guard.drain()?;
        guard.extend(members(next))
    };
    let look = move |object: &SharedHashSet<String>| {
        let mut all: Vec<String> = object.to_set()?.into_iter().collect();
        all.sort_unstable();
        assert!(!object.contains("no member")? && object.len()? == 50);
        Ok(all_of_one(&all, |member| generation_of(member), members))
    };
    watch!(name, object, step(&object), look(&object), [
        "get" => object.get("no member"), "contains" => object.contains("no member"), "len" => object.len(),
        "to_set" => object.to_set(),
    ])
}

fn tree(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedBTreeMap<u64, String> = open(region, name)?;
    let step = |object: &SharedBTreeMap<u64, String>| {
        let mut guard = object.write()?;
        let next = guard.get(&0).map_or(1, |value| generation_of(value) + 1);
        if next.is_multiple_of(9) {
            guard.clear()?;
        }
        while guard.len() as u64 > entries(next) {
            guard.pop_last()?;
        }
        guard.extend((0..entries(next)).map(|number| (number, text(next, number))))
    };
    let look = |object: &SharedBTreeMap<u64, String>| {
        let first = generation_of(&object.get(&0)?.expect("the first key"));
        let of = |generation, numbers: std::ops::Range<u64>| {
            numbers.map(|number| (number, text(generation, number))).collect::<Vec<_>>()
        };
        let part = object.range(5..17)?;
        let in_part = all_of_one(&part, |entry| generation_of(&entry.1), |generation| of(generation, 5..17));
        let (ends, last) = (object.first_key_value()?, object.last_key_value()?.expect("the last key"));
        let in_ends = generation_of(&ends.expect("the first key").1);
        assert!(generation_of(&last.1) >= in_ends && last.1 == text(generation_of(&last.1), last.0));
        let all: Vec<(u64, String)> = object.to_map()?.into_iter().collect();
        let generation =
            all_of_one(&all, |entry| generation_of(&entry.1), |generation| of(generation, 0..entries(generation)));
        assert!(first <= in_part && in_part <= in_ends && in_ends <= generation);
        assert!(object.contains_key(&19)? && !object.contains_key(&999)? && object.len()? >= 20 && !object.is_empty()?);
        Ok(generation)
    };
    watch!(name, object, step(&object), look(&object), [
        "get" => object.get(&0), "contains_key" => object.contains_key(&999), "len" => object.len(),
        "is_empty" => object.is_empty(), "first_key_value" => object.first_key_value(),
        "last_key_value" => object.last_key_value(), "range" => object.range(2..5), "to_map" => object.to_map(),
    ])
}

fn tree_of_texts(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedBTreeMap<String, u64> = open(region, name)?;
    let step = |object: &SharedBTreeMap<String, u64>| {
        let mut guard = object.write()?;
        let next = guard.first_key_value().map_or(1, |(_, value)| value + 1);
        let (len, wanted) = (guard.len() as u64, entries(next));
        (wanted..len).try_for_each(|number| guard.remove(&key(number)).map(drop))?;
        guard.values_mut()?.for_each(|value| *value = next);
        (len..wanted).try_for_each(|number| guard.insert(key(number), next).map(drop))
    };
    let look = |object: &SharedBTreeMap<String, u64>| {
        let of = |generation, numbers: std::ops::Range<u64>| {
            numbers.map(|number| (key(number), generation)).collect::<Vec<_>>()
        };
        let part = object.range(key(3)..key(9))?;
        let in_part = all_of_one(&part, |entry| entry.1, |generation| of(generation, 3..9));
        let all: Vec<(String, u64)> = object.to_map()?.into_iter().collect();
        let generation = all_of_one(&all, |entry| entry.1, |generation| of(generation, 0..entries(generation)));
        assert!(in_part <= generation && object.contains_key(&key(19))? && !object.contains_key("no key")?);
        Ok(generation)
    };
    watch!(name, object, step(&object), look(&object), [
        "get" => object.get("no key"), "contains_key" => object.contains_key("no key"), "len" => object.len(),
        "first_key_value" => object.first_key_value(), "last_key_value" => object.last_key_value(),
        "range" => object.range::<str>(..), "to_map" => object.to_map(),
    ])
}

fn ordered_set(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedBTreeSet<u64> = open(region, name)?;
    let step = |object: &SharedBTreeSet<u64>| {
        let mut guard = object.write()?;
        let next = guard.first().map_or(1, |member| member / 1000 + 1);
        // Each member goes at one end and comes back at the other, as long as there are as many as before.
        for member in group(next) {
            guard.insert(member)?;
            if guard.first().is_some_and(|member| member / 1000 < next) {
                guard.pop_first()?;
            }
        }
        while guard.first().is_some_and(|member| member / 1000 < next) {
            guard.pop_first()?;
        }
        Ok(())
    };
    let look = |object: &SharedBTreeSet<u64>| {
        let (first, last) = (object.first()?.expect("the first"), object.last()?.expect("the last"));
        let in_range = all_of_one(&object.range::<u64>(..)?, |member| member / 1000, group);
        let all: Vec<u64> = object.to_set()?.into_iter().collect();
        let generation = all_of_one(&all, |member| member / 1000, group);
        assert!(first < last && last / 1000 <= in_range && in_range <= generation);
        assert!(!object.contains(&0)? && object.len()? >= 20 && !object.is_empty()?);
        Ok(generation)
    };
    watch!(name, object, step(&object), look(&object), [
        "contains" => object.contains(&0), "first" => object.first(), "last" => object.last(), "len" => object.len(),
        "is_empty" => object.is_empty(), "range" => object.range::<u64>(..), "to_set" => object.to_set(),
    ])
}

fn counter(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedCounter = open(region, name)?;
    let step = |object: &SharedCounter| {
        // Counting itself takes no lock.
        drop(object.write()?);
        object.add(2)
    };
    let look = |object: &SharedCounter| {
        let seen = object.get()?;
        assert!(seen.is_multiple_of(2), "{seen}");
        Ok(seen / 2)
    };
    watch!(name, object, step(&object), look(&object), ["get" => object.get()])
}

/// The living contribute what they always do, the dead nothing. It has no generations.
fn gauge(region: &Region, name: &'static str) -> Result<Watched> {
    let object: SharedGauge = open(region, name)?;
    let step = |object: &SharedGauge| {
        let share = if object.own()? == STANDING { STANDING } else { SHARE };
        object.set(share).map(drop)
    };
    let look = |object: &SharedGauge| {
        let seen = object.get()?;
        assert!([0, SHARE, STANDING, STANDING + SHARE].contains(&seen), "{seen}");
        Ok(u64::MAX)
    };
    watch!(name, object, step(&object), look(&object), ["get" => object.get()])
}
