//! Operations on `SharedBTreeMap` and `SharedBTreeSet`. Leaves of wide keys hold seven entries, their inner nodes
//! sixteen children; leaves of numbers 62 entries. They are filled in order, so all but the last are full.

use crate::scenario::{Scenario, scenario, silent, steps};
use crate::temporary;
use crate::world::{Record, Sample, Wide};
use commy::{
    BTreeMapEntry, BTreeMapWriteGuard, Lookup, OrderedKey, Result, SharedBTreeMap, SharedBTreeSet, Store, StoreKey,
    Value,
};
use std::collections::{BTreeMap, BTreeSet};

/// A leaf of wide entries.
const LEAF: u64 = 7;
/// So many make two inner nodes below the root: fifteen full leaves in the one, a full one and one of one entry in the
/// other.
const THREE_LEVELS: u64 = 16 * LEAF + 1;

pub fn trees() -> Vec<Scenario> {
    let mut scenarios = trees_of::<u64, u64>("u64, u64", 62);
    scenarios.extend(trees_of::<String, String>("String, String", 63));
    scenarios.extend(trees_of::<Wide, Option<String>>("[u64; 64], Option<String>", LEAF));
    scenarios.extend(trees_of::<String, Wide>("String, [u64; 64]", LEAF));
    scenarios.extend(particular_trees());
    scenarios.extend(tall_trees());
    scenarios.extend(sets());
    scenarios.extend(super::conditional::ordered());
    scenarios
}

/// So many removals at the end until the inner nodes share, and until they are one.
const SHARING: u64 = 6;
const JOINING: u64 = 41;
/// At the front, where the first of two full inner nodes must lose twelve leaves.
const FRONT_SHARING: u64 = 88;

/// Entries of every third number.
fn spread<K: Sample + Ord, V: Sample>(count: u64) -> BTreeMap<K, V> {
    (0..count).map(|number| (K::sample(3 * number), V::sample(3 * number))).collect()
}

fn put<K: Sample + Ord, V: Sample>(map: &mut BTreeMap<K, V>, number: u64) {
    map.insert(K::sample(number), V::sample(number));
}

/// Takes all but so many entries out, from both ends in turns.
fn drain<K: OrderedKey, V: Value>(guard: &mut BTreeMapWriteGuard<'_, K, V>, leave: usize) -> Result<()> {
    for turn in 0.. {
        if guard.len() <= leave {
            break;
        }
        if turn % 3 == 0 {
            guard.pop_first()?
        } else {
            guard.pop_last()?
        };
    }
    Ok(())
}

fn pop<K: OrderedKey, V: Value>(guard: &mut BTreeMapWriteGuard<'_, K, V>, count: u64) -> Result<()> {
    (0..count).try_for_each(|_| guard.pop_last().map(drop))
}

fn pop_front<K: OrderedKey, V: Value>(guard: &mut BTreeMapWriteGuard<'_, K, V>, count: u64) -> Result<()> {
    (0..count).try_for_each(|_| guard.pop_first().map(drop))
}

fn drain_twin<K: Ord, V>(map: &mut BTreeMap<K, V>, leave: usize) {
    for turn in 0.. {
        if map.len() <= leave {
            break;
        }
        if turn % 3 == 0 {
            map.pop_first()
        } else {
            map.pop_last()
        };
    }
}

fn pop_first<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    map.pop_first();
}

fn pop_last<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    map.pop_last();
}

fn trees_of<K, V>(kind: &str, leaf: u64) -> Vec<Scenario>
where
    K: OrderedKey + StoreKey<K> + Lookup<K> + Sample,
    V: Value + Store<V> + Sample,
{
    let name = |operation: &str| format!("SharedBTreeMap<{kind}>: {operation}");
    type Map<K, V> = SharedBTreeMap<K, V>;
    let few = || spread::<K, V>(4);
    vec![
        scenario::<Map<K, V>>(
            name("insert into an empty one"),
            BTreeMap::new(),
            |m| put(m, 1),
            |m, _| m.insert(K::sample(1), V::sample(1)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("insert"),
            few(),
            |m| put(m, 5),
            |m, _| m.insert(K::sample(5), V::sample(5)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("insert over another"),
            few(),
            |m| drop(m.insert(K::sample(3), V::sample(35))),
            |m, _| m.insert(K::sample(3), V::sample(35)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("insert with a split of the root"),
            spread(leaf),
            |m| put(m, 7),
            |m, _| m.insert(K::sample(7), V::sample(7)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("insert with a split of a leaf"),
            spread(2 * leaf),
            |m| put(m, 7),
            |m, _| m.insert(K::sample(7), V::sample(7)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("remove"),
            few(),
            |m| drop(m.remove(&K::sample(3))),
            |m, _| m.remove(&K::sample(3)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("remove with entries from the neighbour"),
            spread(leaf + 1),
            |m| drop(m.pop_last()),
            |m, _| m.pop_last().map(drop),
        ),
        scenario::<Map<K, V>>(name("remove the only one"), spread(1), BTreeMap::clear, |m, _| {
            m.remove(&K::sample(0)).map(drop)
        }),
        scenario::<Map<K, V>>(name("clear"), spread(3 * LEAF), BTreeMap::clear, |m, _| m.clear()),
        scenario::<Map<K, V>>(
            name("extend"),
            few(),
            |m| (1..9).for_each(|number| put(m, number)),
            |m, _| m.extend((1..9).map(|number| (K::sample(number), V::sample(number)))),
        ),
        scenario::<Map<K, V>>(
            name("guard of many calls"),
            spread(leaf),
            |m| {
                m.pop_last();
                m.remove(&K::sample(3));
                put(m, 61);
                m.insert(K::sample(61), V::sample(63));
                (100..108).for_each(|number| put(m, number));
                m.remove(&K::sample(61));
                m.pop_first();
            },
            |m, _| {
                let mut guard = m.write()?;
                guard.pop_last()?;
                guard.remove(&K::sample(3))?;
                guard.insert(K::sample(61), V::sample(61))?;
                guard.insert(K::sample(61), V::sample(63))?;
                guard.extend((100..108).map(|number| (K::sample(number), V::sample(number))))?;
                guard.remove(&K::sample(61))?;
                guard.pop_first().map(drop)
            },
        ),
        silent::<Map<K, V>>(name("guard rolled back"), spread(leaf + 3), |m, _| {
            let mut guard = m.write()?;
            guard.pop_last()?;
            guard.insert(K::sample(71), V::sample(71))?;
            guard.insert(K::sample(3), V::sample(73))?;
            (0..4).try_for_each(|_| guard.pop_last().map(drop))?;
            guard.clear()?;
            guard.insert(K::sample(75), V::sample(75))?;
            guard.rollback();
            Ok(())
        }),
    ]
}

/// What needs plain values or types that are known.
fn particular_trees() -> Vec<Scenario> {
    type Numbers = SharedBTreeMap<u64, u64>;
    type Texts = SharedBTreeMap<String, Wide>;
    vec![
        scenario::<Texts>(
            "SharedBTreeMap<String, [u64; 64]>: retain",
            spread(3 * LEAF),
            |m| m.retain(|key, _| key.len() % 3 == 0),
            |m, _| m.write()?.retain(|key, _| key.len() % 3 == 0),
        ),
        scenario::<Texts>(
            "SharedBTreeMap<String, [u64; 64]>: a range taken out",
            spread(3 * LEAF),
            |m| drop(m.split_off("a text that needs a block, 21")),
            |m, _| m.write()?.split_off("a text that needs a block, 21").map(drop),
        ),
        scenario::<Texts>(
            "SharedBTreeMap<String, [u64; 64]>: guard that empties it nearly",
            spread(2 * LEAF + 1),
            |m| drain_twin(m, 1),
            |m, _| drain(&mut m.write()?, 1),
        ),
        scenario::<SharedBTreeMap<String, Record>>(
            "SharedBTreeMap<String, Record>: update",
            spread(6),
            |m| m.first_entry().into_iter().for_each(|mut entry| entry.get_mut().weight = 8),
            |m, _| {
                let key = spread::<String, Record>(6).into_keys().next().unwrap_or_default();
                m.update(&key, |value| value.weight = 8).map(drop)
            },
        ),
        scenario::<Numbers>(
            "SharedBTreeMap<u64, u64>: entries and values in place",
            spread(63),
            |m| {
                *m.entry(1).or_insert(0) += 5;
                *m.entry(81).or_insert(2) += 5;
                *m.entry(83).or_default() += 5;
                m.remove(&9);
                m.values_mut().for_each(|value| *value += 7);
            },
            |m, _| {
                let mut guard = m.write()?;
                *guard.entry(1).or_insert(0)? += 5;
                *guard.entry(81).or_insert(2)? += 5;
                *guard.entry(83).or_default()? += 5;
                if let BTreeMapEntry::Occupied(entry) = guard.entry(9) {
                    entry.remove()?;
                }
                guard.values_mut()?.for_each(|value| *value += 7);
                Ok(())
            },
        ),
        // Each is a change of its own: leaves that share, leaves that become one, a root that goes.
        steps::<SharedBTreeMap<Wide, u64>>(
            "SharedBTreeMap<[u64; 64], u64>: removals one by one",
            spread(LEAF + 2),
            &[pop_last as fn(&mut BTreeMap<Wide, u64>); LEAF as usize + 2],
            |m, _| (0..LEAF + 2).try_for_each(|_| m.pop_last().map(drop)),
        ),
        steps::<Texts>(
            "SharedBTreeMap<String, [u64; 64]>: removals one by one",
            spread(LEAF + 2),
            &[pop_first as fn(&mut BTreeMap<String, Wide>); LEAF as usize + 2],
            |m, _| (0..LEAF + 2).try_for_each(|_| m.pop_first().map(drop)),
        ),
    ]
}

/// Where inner nodes are split, share and become one.
fn tall_trees() -> Vec<Scenario> {
    type Tall = SharedBTreeMap<Wide, u64>;
    let name = |operation: &str| format!("SharedBTreeMap<[u64; 64], u64>: {operation}");
    vec![
        scenario::<Tall>(
            name("insert with a split of the root above leaves"),
            spread(16 * LEAF),
            |m| put(m, 100),
            |m, _| m.insert(Wide::sample(100), 100).map(drop),
        ),
        scenario::<Tall>(
            name("insert at the end with a split of the root above leaves"),
            spread(16 * LEAF),
            |m| put(m, 1000),
            |m, _| m.insert(Wide::sample(1000), 1000).map(drop),
        ),
        // They share when the first leaf of the second one goes; ten entries later little is left.
        scenario::<Tall>(
            name("inner nodes share"),
            spread(THREE_LEVELS),
            |m| (0..SHARING).for_each(|_| pop_last(m)),
            |m, _| pop(&mut m.write()?, SHARING),
        )
        .done_by(|path, watch| {
            let tree: Tall = temporary::open(path)?.open_object("object")?;
            let mut guard = tree.write()?;
            pop(&mut guard, SHARING - 3)?;
            watch.begin();
            pop(&mut guard, 3)?;
            drop(guard);
            watch.end();
            Ok(())
        }),
        scenario::<Tall>(
            name("inner nodes become one"),
            spread(THREE_LEVELS),
            |m| (0..JOINING).for_each(|_| pop_last(m)),
            |m, _| pop(&mut m.write()?, JOINING),
        )
        .done_by(|path, watch| {
            let tree: Tall = temporary::open(path)?.open_object("object")?;
            let mut guard = tree.write()?;
            pop(&mut guard, JOINING - 8)?;
            watch.begin();
            pop(&mut guard, 8)?;
            drop(guard);
            watch.end();
            Ok(())
        }),
        scenario::<Tall>(
            name("inner nodes share from the front"),
            spread(29 * LEAF),
            |m| (0..FRONT_SHARING).for_each(|_| pop_first(m)),
            |m, _| pop_front(&mut m.write()?, FRONT_SHARING),
        )
        .done_by(|path, watch| {
            let tree: Tall = temporary::open(path)?.open_object("object")?;
            let mut guard = tree.write()?;
            pop_front(&mut guard, FRONT_SHARING - 4)?;
            watch.begin();
            pop_front(&mut guard, 4)?;
            drop(guard);
            watch.end();
            Ok(())
        }),
        scenario::<Tall>(name("clear three levels"), spread(THREE_LEVELS), BTreeMap::clear, |m, _| m.clear()),
        scenario::<SharedBTreeMap<String, Wide>>(
            "SharedBTreeMap<String, [u64; 64]>: insert with a split of the root above leaves",
            spread(63 * LEAF),
            |m| put(m, 100),
            |m, _| m.insert(String::sample(100), Wide::sample(100)).map(drop),
        ),
    ]
}

fn sets() -> Vec<Scenario> {
    type Set = SharedBTreeSet<String>;
    let set = |count: u64| (0..count).map(String::sample).collect::<BTreeSet<String>>();
    vec![
        scenario::<Set>(
            "SharedBTreeSet<String>: insert",
            set(4),
            |s| assert!(s.insert(String::sample(31))),
            |s, _| s.insert(String::sample(31)).map(drop),
        ),
        scenario::<Set>(
            "SharedBTreeSet<String>: remove",
            set(5),
            |s| assert!(s.remove(&String::sample(3))),
            |s, _| s.remove(&String::sample(3)).map(drop),
        ),
        scenario::<Set>("SharedBTreeSet<String>: clear", set(5), BTreeSet::clear, |s, _| s.clear()),
        scenario::<Set>(
            "SharedBTreeSet<String>: guard",
            set(9),
            |s| {
                s.retain(|key| key.starts_with('a'));
                s.insert(String::sample(31));
                s.pop_first();
            },
            |s, _| {
                let mut guard = s.write()?;
                guard.retain(|key| key.starts_with('a'))?;
                guard.insert(String::sample(31))?;
                guard.pop_first().map(drop)
            },
        ),
        scenario::<Set>(
            "SharedBTreeSet<String>: split_off",
            set(9),
            |s| drop(s.split_off(&String::sample(4))),
            |s, _| s.split_off(&String::sample(4)).map(drop),
        ),
    ]
}
