//! Operations on `SharedHashMap`.

use crate::scenario::{Scenario, scenario, silent};
use crate::world::{Record, Sample, entries};
use commy::{Error, Key, Lookup, SharedHashMap, Store, StoreKey, Value};
use std::collections::BTreeMap;
use std::hash::Hash;

pub fn maps() -> Vec<Scenario> {
    let mut scenarios = maps_of::<u64, u64>("u64, u64");
    scenarios.extend(maps_of::<String, String>("String, String"));
    scenarios.extend(maps_of::<String, Vec<u8>>("String, Vec<u8>"));
    scenarios.extend(maps_of::<Record, u64>("Record, u64"));
    scenarios.extend(particular_maps());
    scenarios.extend(super::conditional::hash_maps());
    scenarios
}

fn maps_of<K, V>(kind: &str) -> Vec<Scenario>
where
    K: Key + StoreKey<K> + Lookup<K> + Sample + Ord + Hash,
    V: Value + Store<V> + Sample,
{
    let name = |operation: &str| format!("SharedHashMap<{kind}>: {operation}");
    type Map<K, V> = SharedHashMap<K, V>;
    // Fourteen fill a group.
    let (few, full) = (|| entries::<K, V>(4), || entries::<K, V>(14));
    fn put<K: Sample + Ord, V: Sample>(map: &mut BTreeMap<K, V>, number: u64) {
        map.insert(K::sample(number), V::sample(number));
    }
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
            |m| put(m, 31),
            |m, _| m.insert(K::sample(31), V::sample(31)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("insert over another"),
            few(),
            |m| drop(m.insert(K::sample(1), V::sample(33))),
            |m, _| m.insert(K::sample(1), V::sample(33)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("insert with growth"),
            full(),
            |m| put(m, 31),
            |m, _| m.insert(K::sample(31), V::sample(31)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("remove"),
            full(),
            |m| drop(m.remove(&K::sample(3))),
            |m, _| m.remove(&K::sample(3)).map(drop),
        ),
        scenario::<Map<K, V>>(name("clear"), full(), BTreeMap::clear, |m, _| m.clear()),
        scenario::<Map<K, V>>(
            name("extend"),
            few(),
            |m| (2..6).for_each(|number| put(m, number)),
            |m, _| m.extend((2..6).map(|number| (K::sample(number), V::sample(number)))),
        ),
        scenario::<Map<K, V>>(
            name("guard of many calls"),
            full(),
            |m| {
                m.remove(&K::sample(1));
                put(m, 61);
                m.insert(K::sample(61), V::sample(63));
                put(m, 65);
                m.remove(&K::sample(65));
                put(m, 67);
                m.insert(K::sample(3), V::sample(69));
            },
            |m, _| {
                let mut guard = m.write()?;
                guard.remove(&K::sample(1))?;
                guard.insert(K::sample(61), V::sample(61))?;
                guard.insert(K::sample(61), V::sample(63))?;
                guard.insert(K::sample(65), V::sample(65))?;
                guard.remove(&K::sample(65))?;
                guard.insert(K::sample(67), V::sample(67))?;
                guard.insert(K::sample(3), V::sample(69)).map(drop)
            },
        ),
        silent::<Map<K, V>>(name("guard rolled back"), full(), |m, _| {
            let mut guard = m.write()?;
            guard.remove(&K::sample(2))?;
            guard.insert(K::sample(71), V::sample(71))?;
            guard.insert(K::sample(3), V::sample(73))?;
            guard.insert(K::sample(75), V::sample(75))?;
            guard.clear()?;
            guard.rollback();
            Ok(())
        }),
    ]
}

/// What needs plain values or types that are known.
fn particular_maps() -> Vec<Scenario> {
    type Numbers = SharedHashMap<u64, u64>;
    type Texts = SharedHashMap<String, String>;
    vec![
        scenario::<Numbers>(
            "SharedHashMap<u64, u64>: retain",
            entries(14),
            |m| m.retain(|key, _| !key.is_multiple_of(4)),
            |m, _| m.write()?.retain(|key, _| !key.is_multiple_of(4)),
        ),
        scenario::<Texts>(
            "SharedHashMap<String, String>: retain",
            entries(6),
            |m| m.retain(|key, _| key.starts_with("short")),
            |m, _| m.write()?.retain(|key, _| key.starts_with("short")),
        ),
        scenario::<SharedHashMap<String, Record>>(
            "SharedHashMap<String, Record>: update",
            entries(6),
            |m| m.values_mut().nth(2).into_iter().for_each(|value| value.weight = 8),
            |m, _| {
                let key = entries::<String, Record>(6).into_keys().nth(2).ok_or(Error::NotFound)?;
                m.update(&key, |value| value.weight = 8).map(drop)
            },
        ),
        scenario::<Numbers>(
            "SharedHashMap<u64, u64>: entries",
            entries(13),
            |m| {
                *m.entry(1).or_insert(0) += 5;
                *m.entry(81).or_insert(2) += 5;
                *m.entry(83).or_default() += 5;
                m.remove(&7);
            },
            |m, _| {
                let mut guard = m.write()?;
                *guard.entry(1).or_insert(0)? += 5;
                *guard.entry(81).or_insert(2)? += 5;
                *guard.entry(83).or_default()? += 5;
                if let commy::Entry::Occupied(entry) = guard.entry(7) {
                    entry.remove()?;
                }
                Ok(())
            },
        ),
    ]
}
