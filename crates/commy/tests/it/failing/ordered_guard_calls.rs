//! Calls under a write guard of a tree; see `guards`. Leaves of wide keys hold seven entries, their inner nodes sixteen
//! children; they are filled in order, so all but the last are full.

use super::guards::{Call, Guarded, call, dooming, repeated, try_all};
use crate::support::world::{Job, Sample, Wide};
use commy::{
    BTreeMapEntry, BTreeMapWriteGuard, Error, Lookup, OrderedKey, Result, SharedBTreeMap, SharedBTreeSet, Store,
    StoreKey, Value,
};
use std::collections::{BTreeMap, BTreeSet};

impl<K, V> Guarded for SharedBTreeMap<K, V>
where
    K: OrderedKey + StoreKey<K> + Lookup<K> + Sample,
    V: Value + Store<V> + Sample,
{
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<BTreeMap<K, V>> {
        guard.to_map()
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.remove(&K::sample(0))?;
        guard.insert(K::sample(101), V::sample(101))?;
        guard.remove(&K::sample(101))?;
        guard.insert(K::sample(0), V::sample(103)).map(drop)
    }

    fn stir_twin(twin: &mut BTreeMap<K, V>) {
        twin.insert(K::sample(0), V::sample(103));
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.insert(K::sample(0), V::sample(107)).map(drop)
    }

    fn add_twin(twin: &mut BTreeMap<K, V>) {
        twin.insert(K::sample(0), V::sample(107));
    }
}

impl<K: OrderedKey + StoreKey<K> + Lookup<K> + Sample> Guarded for SharedBTreeSet<K> {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<BTreeSet<K>> {
        guard.to_set()
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.remove(&K::sample(0))?;
        guard.insert(K::sample(101))?;
        guard.remove(&K::sample(101))?;
        guard.insert(K::sample(0)).map(drop)
    }

    fn stir_twin(twin: &mut BTreeSet<K>) {
        twin.insert(K::sample(0));
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.remove(&K::sample(0)).map(drop)
    }

    fn add_twin(twin: &mut BTreeSet<K>) {
        twin.remove(&K::sample(0));
    }
}

/// Entries of every third number.
fn spread<K: Sample + Ord, V: Sample>(count: u64) -> BTreeMap<K, V> {
    (0..count).map(|number| (K::sample(3 * number), V::sample(3 * number))).collect()
}

fn spread_keys<K: Sample + Ord>(count: u64) -> BTreeSet<K> {
    (0..count).map(|number| K::sample(3 * number)).collect()
}

#[rustfmt::skip]
fn maps_of<K, V>(kind: &str, leaf: u64, level: u64) -> Vec<Call>
where
    K: OrderedKey + StoreKey<K> + Lookup<K> + Sample,
    V: Value + Store<V> + Sample,
{
    type M<K, V> = SharedBTreeMap<K, V>;
    fn put<K: Sample + Ord, V: Sample>(map: &mut BTreeMap<K, V>, number: u64) {
        map.insert(K::sample(number), V::sample(number));
    }
    let name = |call: &str| format!("SharedBTreeMap<{kind}>: {call}");
    let few = || spread::<K, V>(4);
    vec![
        call::<M<K, V>>(name("insert"), few(), |m| put(m, 5), |m| m.insert(K::sample(5), V::sample(5)).map(drop)),
        call::<M<K, V>>(name("insert over another"), few(), |m| drop(m.insert(K::sample(3), V::sample(35))), |m| m.insert(K::sample(3), V::sample(35)).map(drop)),
        call::<M<K, V>>(name("insert with a split of the root"), spread(leaf), |m| put(m, 7), |m| m.insert(K::sample(7), V::sample(7)).map(drop)),
        call::<M<K, V>>(name("insert with a split of a leaf"), spread(2 * leaf), |m| put(m, 7), |m| m.insert(K::sample(7), V::sample(7)).map(drop)),
        call::<M<K, V>>(name("insert at the end with a split of a leaf"), spread(2 * leaf), |m| put(m, 9999), |m| m.insert(K::sample(9999), V::sample(9999)).map(drop)),
        call::<M<K, V>>(name("insert with a split of all levels"), spread(level), |m| put(m, 100), |m| m.insert(K::sample(100), V::sample(100)).map(drop)),
        call::<M<K, V>>(name("remove"), few(), |m| drop(m.remove(&K::sample(3))), |m| m.remove(&K::sample(3)).map(drop)),
        call::<M<K, V>>(name("remove with entries from the neighbour"), spread(leaf + 1), |m| drop(m.pop_last()), |m| m.pop_last().map(drop)),
        call::<M<K, V>>(name("remove the last leaf"), spread(3 * leaf + 1), |m| drop(m.pop_last()), |m| m.pop_last().map(drop)),
        call::<M<K, V>>(name("pop_first"), spread(2 * leaf), |m| drop(m.pop_first()), |m| m.pop_first().map(drop)),
        call::<M<K, V>>(name("clear"), spread(3 * leaf), BTreeMap::clear, |m| m.clear()),
        dooming::<M<K, V>>(name("extend"), few(), |m| (1..9).for_each(|number| put(m, number)), |m| m.extend((1..9).map(|number| (K::sample(number), V::sample(number))))),
        dooming::<M<K, V>>(name("retain"), spread(2 * leaf + 1), BTreeMap::clear, |m| m.retain(|_, _| false)),
        dooming::<M<K, V>>(name("split_off"), spread(2 * leaf + 1), |m| drop(m.split_off(&K::sample(6))), |m| m.split_off(&K::sample(6)).map(drop)),
        repeated::<M<K, V>>(name("removals at the front"), spread(3 * leaf), (leaf / 2, leaf), |m| drop(m.pop_first()), |m| m.pop_first().map(drop)),
        repeated::<M<K, V>>(name("removals at the back"), spread(3 * leaf), (leaf / 2, leaf), |m| drop(m.pop_last()), |m| m.pop_last().map(drop)),
    ]
}

#[rustfmt::skip]
fn plain_maps() -> Vec<Call> {
    type M = SharedBTreeMap<u64, u64>;
    type T = SharedBTreeMap<String, Wide>;
    const KEY: &str = "a key that needs a block";
    fn remove(guard: &mut BTreeMapWriteGuard<'_, u64, u64>) -> Result<()> {
        match guard.entry(9) {
            BTreeMapEntry::Occupied(entry) => entry.remove().map(drop),
            BTreeMapEntry::Vacant(_) => Err(Error::NotFound),
        }
    }
    vec![
        call::<M>("SharedBTreeMap<u64, u64>: entry, vacant", spread(62), |m| *m.entry(82).or_insert(2) += 5, |m| { *m.entry(82).or_insert(2)? += 5; Ok(()) }),
        call::<M>("SharedBTreeMap<u64, u64>: entry, occupied", spread(62), |m| *m.entry(9).or_insert(2) += 5, |m| { *m.entry(9).or_insert(2)? += 5; Ok(()) }),
        call::<M>("SharedBTreeMap<u64, u64>: entry, removed", spread(62), |m| assert!(m.remove(&9).is_some()), remove),
        call::<M>("SharedBTreeMap<u64, u64>: and_modify", spread(62), |m| { m.entry(9).and_modify(|value| *value = 5); }, |m| m.entry(9).and_modify(|value| *value = 5).map(drop)),
        call::<M>("SharedBTreeMap<u64, u64>: try_get_mut", spread(62), |m| { m.insert(9, 5); }, |m| { *m.try_get_mut(&9)?.ok_or(Error::NotFound)? = 5; Ok(()) }),
        call::<M>("SharedBTreeMap<u64, u64>: range_mut", spread(200), |m| m.range_mut(50..500).for_each(|(_, value)| *value += 7), |m| { m.range_mut::<u64>(50..500)?.for_each(|(_, value)| *value += 7); Ok(()) }),
        call::<M>("SharedBTreeMap<u64, u64>: values_mut", spread(200), |m| m.values_mut().for_each(|value| *value += 7), |m| { m.values_mut()?.for_each(|value| *value += 7); Ok(()) }),
        call::<T>("SharedBTreeMap<String, [u64; 64]>: entry, vacant", spread(7), |m| m.entry(KEY.into()).or_insert([1; 64])[0] = 5, |m| { m.entry(KEY).or_insert([1; 64])?[0] = 5; Ok(()) }),
        dooming::<T>("SharedBTreeMap<String, [u64; 64]>: retain", spread(21), |m| m.retain(|key, _| key.len() % 3 == 0), |m| m.retain(|key, _| key.len() % 3 == 0)),
    ]
}

/// Inner nodes share or become one.
#[rustfmt::skip]
fn tall_maps() -> Vec<Call> {
    type Tall = SharedBTreeMap<Wide, u64>;
    let name = |call: &str| format!("SharedBTreeMap<[u64; 64], u64>: {call}");
    vec![
        repeated::<Tall>(name("inner nodes share"), spread(113), (3, 3), |m| assert!(m.pop_last().is_some()), |m| m.pop_last().map(drop)),
        repeated::<Tall>(name("inner nodes become one"), spread(113), (33, 8), |m| assert!(m.pop_last().is_some()), |m| m.pop_last().map(drop)),
        repeated::<Tall>(name("inner nodes share from the front"), spread(203), (84, 4), |m| assert!(m.pop_first().is_some()), |m| m.pop_first().map(drop)),
    ]
}

#[test]
fn maps() {
    try_all(maps_of::<u64, u64>("u64, u64", 62, 62 * 2));
    try_all(maps_of::<String, String>("String, String", 63, 63 * 2));
    try_all(maps_of::<Wide, Option<String>>("[u64; 64], Option<String>", 7, 16 * 7));
    try_all(maps_of::<String, Wide>("String, [u64; 64]", 7, 63 * 7));
    try_all(maps_of::<u64, Job>("u64, Job", 28, 28 * 2));
    try_all(plain_maps());
    try_all(tall_maps());
}

#[rustfmt::skip]
fn sets_of<K: OrderedKey + StoreKey<K> + Lookup<K> + Sample>(kind: &str, leaf: u64) -> Vec<Call> {
    type S<K> = SharedBTreeSet<K>;
    let name = |call: &str| format!("SharedBTreeSet<{kind}>: {call}");
    vec![
        call::<S<K>>(name("insert"), spread_keys(4), |s| { s.insert(K::sample(5)); }, |s| s.insert(K::sample(5)).map(drop)),
        call::<S<K>>(name("insert with a split of a leaf"), spread_keys(2 * leaf), |s| { s.insert(K::sample(7)); }, |s| s.insert(K::sample(7)).map(drop)),
        call::<S<K>>(name("remove"), spread_keys(leaf), |s| { s.remove(&K::sample(3)); }, |s| s.remove(&K::sample(3)).map(drop)),
        call::<S<K>>(name("pop_first"), spread_keys(leaf), |s| drop(s.pop_first()), |s| s.pop_first().map(drop)),
        call::<S<K>>(name("pop_last"), spread_keys(leaf), |s| drop(s.pop_last()), |s| s.pop_last().map(drop)),
        call::<S<K>>(name("clear"), spread_keys(2 * leaf), BTreeSet::clear, |s| s.clear()),
        dooming::<S<K>>(name("extend"), spread_keys(4), |s| (1..9).for_each(|number| { s.insert(K::sample(number)); }), |s| s.extend((1..9).map(K::sample))),
        dooming::<S<K>>(name("retain"), spread_keys(leaf + 3), BTreeSet::clear, |s| s.retain(|_| false)),
        dooming::<S<K>>(name("split_off"), spread_keys(leaf + 3), |s| drop(s.split_off(&K::sample(6))), |s| s.split_off(&K::sample(6)).map(drop)),
    ]
}

#[test]
fn sets() {
    try_all(sets_of::<u64>("u64", 124));
    try_all(sets_of::<String>("String", 63));
    try_all(sets_of::<Wide>("[u64; 64]", 7));
}
