//! Calls under write guards of everything but trees: one line each.

use super::guards::{Call, call, dooming, try_all, try_few};
use crate::support::world::{Job, Record, Sample, Wide, entries, members, samples};
use commy::{
    Entry, Error, Key, Lookup, Result, SharedBox, SharedCounter, SharedGauge, SharedHashMap, SharedHashSet,
    SharedString, SharedVec, SharedVecDeque, Store, StoreKey, Value,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::Hash;

#[rustfmt::skip]
fn vectors_of<T: Value + Store<T> + Sample>(kind: &str) -> Vec<Call> {
    type V<T> = SharedVec<T>;
    let name = |call: &str| format!("SharedVec<{kind}>: {call}");
    let (few, full) = (|| samples::<T>(3), || samples::<T>(8));
    vec![
        call::<V<T>>(name("push"), few(), |v| v.push(T::sample(31)), |v| v.push(T::sample(31))),
        call::<V<T>>(name("push with growth"), full(), |v| v.push(T::sample(31)), |v| v.push(T::sample(31))),
        call::<V<T>>(name("pop"), full(), |v| drop(v.pop()), |v| v.pop().map(drop)),
        call::<V<T>>(name("set"), full(), |v| v[1] = T::sample(31), |v| v.set(1, T::sample(31)).map(drop)),
        call::<V<T>>(name("insert"), few(), |v| v.insert(1, T::sample(31)), |v| v.insert(1, T::sample(31))),
        call::<V<T>>(name("insert with growth"), full(), |v| v.insert(1, T::sample(31)), |v| v.insert(1, T::sample(31))),
        call::<V<T>>(name("remove"), full(), |v| drop(v.remove(1)), |v| v.remove(1).map(drop)),
        call::<V<T>>(name("swap_remove"), full(), |v| drop(v.swap_remove(1)), |v| v.swap_remove(1).map(drop)),
        call::<V<T>>(name("truncate"), full(), |v| v.truncate(2), |v| v.truncate(2)),
        call::<V<T>>(name("clear"), full(), Vec::clear, |v| v.clear()),
        call::<V<T>>(name("reserve"), full(), |_| (), |v| v.reserve(50)),
        dooming::<V<T>>(name("truncate many"), samples(600), |v| v.truncate(2), |v| v.truncate(2)),
        dooming::<V<T>>(name("extend"), few(), |v| v.extend(samples(9)), |v| v.extend(samples::<T>(9))),
        dooming::<V<T>>(name("retain"), full(), |v| every_third(|keep| v.retain(|_| keep())), |v| every_third(|keep| v.retain(|_| keep()))),
    ]
}

/// Runs something with a closure that says yes twice and then no.
pub fn every_third<R>(run: impl FnOnce(&mut dyn FnMut() -> bool) -> R) -> R {
    let mut count = 0;
    run(&mut || {
        count += 1;
        count % 3 != 0
    })
}

#[rustfmt::skip]
fn plain_vectors() -> Vec<Call> {
    type V = SharedVec<u64>;
    type W = SharedVec<Wide>;
    vec![
        call::<V>("SharedVec<u64>: get_mut", samples(8), |v| v[5] = 9, |v| { v.get_mut(5)?.into_iter().for_each(|value| *value = 9); Ok(()) }),
        call::<V>("SharedVec<u64>: index", samples(8), |v| v[5] = 9, |v| { v[5] = 9; Ok(()) }),
        call::<V>("SharedVec<u64>: try_as_mut_slice", samples(300), |v| v.reverse(), |v| { v.try_as_mut_slice()?.reverse(); Ok(()) }),
        call::<V>("SharedVec<u64>: sort", samples(300), |v| v.sort_by_key(|value| u64::MAX - value), |v| { v.sort_by_key(|value| u64::MAX - value); Ok(()) }),
        call::<V>("SharedVec<u64>: push with growth of a page run", samples(4608), |v| v.push(1), |v| v.push(1)),
        call::<V>("SharedVec<u64>: insert in front of many", samples(300), |v| v.insert(0, 1), |v| v.insert(0, 1)),
        call::<V>("SharedVec<u64>: remove in front of many", samples(300), |v| assert!(v.remove(0) < 300), |v| v.remove(0).map(drop)),
        call::<W>("SharedVec<[u64; 64]>: set", samples(21), |v| v[3] = Wide::sample(9), |v| v.set(3, Wide::sample(9)).map(drop)),
        call::<W>("SharedVec<[u64; 64]>: remove", samples(21), |v| assert!(v.remove(3)[0] < 300), |v| v.remove(3).map(drop)),
        call::<W>("SharedVec<[u64; 64]>: insert", samples(21), |v| v.insert(3, Wide::sample(9)), |v| v.insert(3, Wide::sample(9))),
    ]
}

#[test]
fn vectors() {
    try_all(vectors_of::<u64>("u64"));
    try_all(vectors_of::<String>("String"));
    try_all(vectors_of::<Option<String>>("Option<String>"));
    try_all(vectors_of::<Vec<u8>>("Vec<u8>"));
    try_all(vectors_of::<Job>("Job"));
    try_all(vectors_of_tables());
    try_all(plain_vectors());
}

#[rustfmt::skip]
fn queues_of<T: Value + Store<T> + Sample>(kind: &str) -> Vec<Call> {
    type Q<T> = SharedVecDeque<T>;
    let name = |call: &str| format!("SharedVecDeque<{kind}>: {call}");
    let (few, full) = (|| VecDeque::from(samples::<T>(6)), || VecDeque::from(samples::<T>(8)));
    vec![
        call::<Q<T>>(name("push_back"), few(), |q| q.push_back(T::sample(31)), |q| q.push_back(T::sample(31))),
        call::<Q<T>>(name("push_front"), few(), |q| q.push_front(T::sample(31)), |q| q.push_front(T::sample(31))),
        call::<Q<T>>(name("push_back with growth"), full(), |q| q.push_back(T::sample(31)), |q| q.push_back(T::sample(31))),
        call::<Q<T>>(name("push_front with growth"), full(), |q| q.push_front(T::sample(31)), |q| q.push_front(T::sample(31))),
        call::<Q<T>>(name("try_push_back"), full(), |q| q.push_back(T::sample(31)), |q| q.try_push_back(T::sample(31)).map(drop)),
        call::<Q<T>>(name("try_push_front"), full(), |q| q.push_front(T::sample(31)), |q| q.try_push_front(T::sample(31)).map(drop)),
        call::<Q<T>>(name("pop_back"), full(), |q| drop(q.pop_back()), |q| q.pop_back().map(drop)),
        call::<Q<T>>(name("pop_front"), full(), |q| drop(q.pop_front()), |q| q.pop_front().map(drop)),
        call::<Q<T>>(name("set"), full(), |q| q[5] = T::sample(31), |q| q.set(5, T::sample(31)).map(drop)),
        call::<Q<T>>(name("insert near the front"), few(), |q| q.insert(2, T::sample(31)), |q| q.insert(2, T::sample(31))),
        call::<Q<T>>(name("insert near the back, with growth"), full(), |q| q.insert(5, T::sample(31)), |q| q.insert(5, T::sample(31))),
        call::<Q<T>>(name("remove near the front"), full(), |q| drop(q.remove(3)), |q| q.remove(3).map(drop)),
        call::<Q<T>>(name("remove near the back"), full(), |q| drop(q.remove(5)), |q| q.remove(5).map(drop)),
        call::<Q<T>>(name("drain"), full(), |q| drop(q.drain(2..5)), |q| q.drain(2..5).map(drop)),
        call::<Q<T>>(name("swap"), full(), |q| q.swap(1, 6), |q| q.swap(1, 6)),
        call::<Q<T>>(name("truncate"), full(), |q| q.truncate(2), |q| q.truncate(2)),
        call::<Q<T>>(name("clear"), full(), VecDeque::clear, |q| q.clear()),
        call::<Q<T>>(name("reserve"), full(), |_| (), |q| q.reserve(50)),
        call::<Q<T>>(name("set_limit"), full(), |_| (), |q| q.set_limit(Some(9)).and_then(|()| q.set_limit(None))),
        dooming::<Q<T>>(name("truncate many"), samples(600).into(), |q| q.truncate(2), |q| q.truncate(2)),
        dooming::<Q<T>>(name("drain many"), samples(600).into(), |q| drop(q.drain(5..595)), |q| q.drain(5..595).map(drop)),
        dooming::<Q<T>>(name("rotate_left"), few(), |q| q.rotate_left(2), |q| q.rotate_left(2)),
        dooming::<Q<T>>(name("rotate_left of a full one"), full(), |q| q.rotate_left(2), |q| q.rotate_left(2)),
        dooming::<Q<T>>(name("rotate_right"), few(), |q| q.rotate_right(2), |q| q.rotate_right(2)),
        dooming::<Q<T>>(name("resize"), few(), |q| q.resize(12, T::sample(31)), |q| q.resize(12, T::sample(31))),
        dooming::<Q<T>>(name("extend"), few(), |q| q.extend(samples::<T>(9)), |q| q.extend(samples::<T>(9))),
        dooming::<Q<T>>(name("retain"), full(), |q| every_third(|keep| q.retain(|_| keep())), |q| every_third(|keep| q.retain(|_| keep()))),
    ]
}

#[rustfmt::skip]
fn plain_queues() -> Vec<Call> {
    type Q = SharedVecDeque<u64>;
    type W = SharedVecDeque<Wide>;
    let many = || VecDeque::from(samples::<u64>(300));
    vec![
        call::<Q>("SharedVecDeque<u64>: get_mut", many(), |q| q[5] = 9, |q| { q.get_mut(5)?.into_iter().for_each(|value| *value = 9); Ok(()) }),
        call::<Q>("SharedVecDeque<u64>: index", many(), |q| q[5] = 9, |q| { q[5] = 9; Ok(()) }),
        call::<Q>("SharedVecDeque<u64>: iter_mut", many(), |q| q.iter_mut().for_each(|value| *value += 9), |q| { q.iter_mut()?.for_each(|value| *value += 9); Ok(()) }),
        call::<Q>("SharedVecDeque<u64>: make_contiguous", many(), |q| q.make_contiguous().reverse(), |q| { q.make_contiguous()?.reverse(); Ok(()) }),
        call::<Q>("SharedVecDeque<u64>: insert in the middle of many", many(), |q| q.insert(140, 9), |q| q.insert(140, 9)),
        call::<Q>("SharedVecDeque<u64>: drain many", many(), |q| drop(q.drain(20..200)), |q| q.drain(20..200).map(drop)),
        call::<W>("SharedVecDeque<[u64; 64]>: insert", samples(15).into(), |q| q.insert(5, Wide::sample(9)), |q| q.insert(5, Wide::sample(9))),
        call::<W>("SharedVecDeque<[u64; 64]>: swap", samples(15).into(), |q| q.swap(1, 11), |q| q.swap(1, 11)),
        dooming::<W>("SharedVecDeque<[u64; 64]>: rotate", samples(15).into(), |q| q.rotate_left(6), |q| q.rotate_left(6)),
    ]
}

#[test]
fn queues() {
    try_all(queues_of::<u64>("u64"));
    try_all(queues_of::<String>("String"));
    try_all(queues_of::<Option<String>>("Option<String>"));
    try_all(queues_of::<Vec<String>>("Vec<String>"));
    try_all(plain_queues());
}

#[rustfmt::skip]
fn boxes() -> Vec<Call> {
    const LONG: &str = "a text of its own that needs a block";
    vec![
        call::<SharedBox<u64>>("SharedBox<u64>: set", 1, |b| *b = 9, |b| b.set(9)),
        call::<SharedBox<Record>>("SharedBox<Record>: in place", Record::sample(1), |b| b.weight = 9, |b| { b.weight = 9; Ok(()) }),
        call::<SharedBox<String>>("SharedBox<String>: set", String::sample(1), |b| *b = LONG.into(), |b| b.set(LONG)),
        call::<SharedBox<Option<String>>>("SharedBox<Option<String>>: set", Sample::sample(1), |b| *b = Some(LONG.into()), |b| b.set(Some(LONG))),
        call::<SharedBox<Option<String>>>("SharedBox<Option<String>>: set to nothing", Sample::sample(1), |b| *b = None, |b| b.set(None::<String>)),
        call::<SharedString>("SharedString: push_str", "ab".into(), |s| s.push_str(LONG), |s| s.push_str(LONG)),
        call::<SharedString>("SharedString: push", "0123456789abcdef".into(), |s| s.push('ß'), |s| s.push('ß')),
        call::<SharedString>("SharedString: insert_str", LONG.into(), |s| s.insert_str(3, LONG), |s| s.insert_str(3, LONG)),
        call::<SharedString>("SharedString: replace_range by less", LONG.repeat(100), |s| s.replace_range(3..1700, "x"), |s| s.replace_range(3..1700, "x")),
        call::<SharedString>("SharedString: replace_range by more", LONG.into(), |s| s.replace_range(3..9, &LONG.repeat(200)), |s| s.replace_range(3..9, &LONG.repeat(200))),
        call::<SharedString>("SharedString: truncate", LONG.into(), |s| s.truncate(4), |s| s.truncate(4)),
        call::<SharedString>("SharedString: pop", LONG.into(), |s| assert!(s.pop().is_some()), |s| s.pop().map(drop)),
        call::<SharedString>("SharedString: clear", LONG.into(), |s| s.clear(), |s| s.clear()),
    ]
}

#[test]
fn boxes_and_texts() {
    try_all(boxes());
}

#[rustfmt::skip]
fn maps_of<K, V>(kind: &str) -> Vec<Call>
where
    K: Key + StoreKey<K> + Lookup<K> + Sample + Ord + Hash,
    V: Value + Store<V> + Sample,
{
    type M<K, V> = SharedHashMap<K, V>;
    let name = |call: &str| format!("SharedHashMap<{kind}>: {call}");
    let (few, full) = (|| entries::<K, V>(4), || entries::<K, V>(14));
    vec![
        call::<M<K, V>>(name("insert"), few(), |m| drop(m.insert(K::sample(31), V::sample(31))), |m| m.insert(K::sample(31), V::sample(31)).map(drop)),
        call::<M<K, V>>(name("insert with growth"), full(), |m| drop(m.insert(K::sample(31), V::sample(31))), |m| m.insert(K::sample(31), V::sample(31)).map(drop)),
        call::<M<K, V>>(name("insert with a second growth"), entries(28), |m| drop(m.insert(K::sample(31), V::sample(31))), |m| m.insert(K::sample(31), V::sample(31)).map(drop)),
        call::<M<K, V>>(name("insert over another"), few(), |m| drop(m.insert(K::sample(3), V::sample(31))), |m| m.insert(K::sample(3), V::sample(31)).map(drop)),
        call::<M<K, V>>(name("remove"), full(), |m| drop(m.remove(&K::sample(3))), |m| m.remove(&K::sample(3)).map(drop)),
        call::<M<K, V>>(name("clear"), full(), BTreeMap::clear, |m| m.clear()),
        call::<M<K, V>>(name("reserve"), full(), |_| (), |m| m.reserve(100)),
        dooming::<M<K, V>>(name("extend"), few(), |m| m.extend(entries(20)), |m| m.extend(entries::<K, V>(20))),
        dooming::<M<K, V>>(name("retain"), full(), BTreeMap::clear, |m| m.retain(|_, _| false)),
    ]
}

#[rustfmt::skip]
fn plain_maps() -> Vec<Call> {
    type M = SharedHashMap<u64, u64>;
    type T = SharedHashMap<String, Wide>;
    fn remove(guard: &mut commy::HashMapWriteGuard<'_, u64, u64>) -> Result<()> {
        match guard.entry(7) {
            Entry::Occupied(entry) => entry.remove().map(drop),
            Entry::Vacant(_) => Err(Error::NotFound),
        }
    }
    vec![
        call::<M>("SharedHashMap<u64, u64>: entry, vacant", entries(14), |m| *m.entry(81).or_insert(2) += 5, |m| { *m.entry(81).or_insert(2)? += 5; Ok(()) }),
        call::<M>("SharedHashMap<u64, u64>: entry, occupied", entries(14), |m| *m.entry(7).or_insert(2) += 5, |m| { *m.entry(7).or_insert(2)? += 5; Ok(()) }),
        call::<M>("SharedHashMap<u64, u64>: entry, removed", entries(14), |m| assert!(m.remove(&7).is_some()), remove),
        call::<M>("SharedHashMap<u64, u64>: and_modify", entries(14), |m| { m.entry(7).and_modify(|value| *value = 5); }, |m| m.entry(7).and_modify(|value| *value = 5).map(drop)),
        call::<M>("SharedHashMap<u64, u64>: try_get_mut", entries(14), |m| { m.insert(7, 5); }, |m| { *m.try_get_mut(&7)?.ok_or(Error::NotFound)? = 5; Ok(()) }),
        dooming::<M>("SharedHashMap<u64, u64>: retain", entries(100), |m| m.retain(|key, _| key % 3 == 0), |m| m.retain(|key, _| key % 3 == 0)),
        call::<T>("SharedHashMap<String, [u64; 64]>: insert with growth", entries(14), |m| assert!(m.insert("a key that needs a block".into(), [1; 64]).is_none()), |m| m.insert("a key that needs a block", [1; 64]).map(drop)),
        call::<T>("SharedHashMap<String, [u64; 64]>: entry, vacant", entries(14), |m| m.entry("a key that needs a block".into()).or_insert([1; 64])[0] = 5, |m| { m.entry("a key that needs a block").or_insert([1; 64])?[0] = 5; Ok(()) }),
    ]
}

/// Values of which each takes many pieces.
#[rustfmt::skip]
fn vectors_of_tables() -> Vec<Call> {
    type V = SharedVec<HashMap<u64, Vec<String>>>;
    let name = |call: &str| format!("SharedVec<HashMap<u64, Vec<String>>>: {call}");
    vec![
        call::<V>(name("push with growth"), samples(4), |v| v.push(Sample::sample(5)), |v| v.push(HashMap::sample(5))),
        call::<V>(name("set"), samples(2), |v| v[1] = Sample::sample(5), |v| v.set(1, HashMap::sample(5)).map(drop)),
        call::<V>(name("insert"), samples(2), |v| v.insert(1, Sample::sample(5)), |v| v.insert(1, HashMap::sample(5))),
        call::<V>(name("remove"), samples(2), |v| drop(v.remove(1)), |v| v.remove(1).map(drop)),
    ]
}

/// Calls through what a guard lends.
#[rustfmt::skip]
fn nested_maps() -> Vec<Call> {
    type M = SharedHashMap<u64, BTreeMap<u32, Vec<String>>>;
    let name = |call: &str| format!("SharedHashMap<u64, BTreeMap<u32, Vec<String>>>: {call}");
    vec![
        call::<M>(name("push into a lent one"), entries(8),
            |m| m.get_mut(&7).unwrap().get_mut(&1).unwrap().push(String::sample(1)),
            |m| m.get_mut(&7).unwrap().get_mut(&1).unwrap().push(String::sample(1))),
        call::<M>(name("entry in a lent one"), entries(8),
            |m| drop(m.get_mut(&7).unwrap().insert(50, Vec::sample(4))),
            |m| m.get_mut(&7).unwrap().entry(50).or_insert(Vec::<String>::sample(4)).map(drop)),
        call::<M>(name("insert over a lent one's"), entries(8),
            |m| drop(m.get_mut(&7).unwrap().insert(1, Vec::sample(4))),
            |m| m.get_mut(&7).unwrap().insert(1, Vec::<String>::sample(4)).map(drop)),
        call::<M>(name("remove from a lent one"), entries(8),
            |m| drop(m.get_mut(&7).unwrap().remove(&1)),
            |m| m.get_mut(&7).unwrap().remove(&1).map(drop)),
        call::<M>(name("clear a lent one"), entries(8),
            |m| m.get_mut(&7).unwrap().clear(),
            |m| m.get_mut(&7).unwrap().clear()),
        call::<M>(name("a new one by entry"), entries(8),
            |m| assert!(m.entry(50).or_default().is_empty()),
            |m| m.entry(50).or_default().map(drop)),
    ]
}

#[test]
fn maps() {
    try_all(maps_of::<u64, u64>("u64, u64"));
    try_all(maps_of::<String, String>("String, String"));
    try_all(maps_of::<u64, Option<String>>("u64, Option<String>"));
    try_all(maps_of::<String, Vec<u8>>("String, Vec<u8>"));
    try_all(maps_of::<String, Job>("String, Job"));
    try_all(maps_of::<u64, BTreeMap<u32, Vec<String>>>("u64, BTreeMap<u32, Vec<String>>"));
    try_all(nested_maps());
    try_all(plain_maps());
}

#[rustfmt::skip]
fn sets_of<K: Key + StoreKey<K> + Lookup<K> + Sample + Ord + Hash>(kind: &str) -> Vec<Call> {
    type S<K> = SharedHashSet<K>;
    let name = |call: &str| format!("SharedHashSet<{kind}>: {call}");
    let (few, full) = (|| members::<K>(4), || members::<K>(14));
    vec![
        call::<S<K>>(name("insert"), few(), |s| { s.insert(K::sample(31)); }, |s| s.insert(K::sample(31)).map(drop)),
        call::<S<K>>(name("insert with growth"), full(), |s| { s.insert(K::sample(31)); }, |s| s.insert(K::sample(31)).map(drop)),
        call::<S<K>>(name("replace"), full(), |_| (), |s| s.replace(K::sample(3)).map(drop)),
        call::<S<K>>(name("replace with growth"), full(), |s| { s.insert(K::sample(31)); }, |s| s.replace(K::sample(31)).map(drop)),
        call::<S<K>>(name("remove"), full(), |s| { s.remove(&K::sample(3)); }, |s| s.remove(&K::sample(3)).map(drop)),
        call::<S<K>>(name("take"), full(), |s| { s.remove(&K::sample(3)); }, |s| s.take(&K::sample(3)).map(drop)),
        call::<S<K>>(name("clear"), full(), BTreeSet::clear, |s| s.clear()),
        call::<S<K>>(name("drain"), full(), BTreeSet::clear, |s| s.drain().map(drop)),
        call::<S<K>>(name("reserve"), full(), |_| (), |s| s.reserve(100)),
        dooming::<S<K>>(name("extend"), few(), |s| s.extend(members::<K>(20)), |s| s.extend(members::<K>(20))),
        dooming::<S<K>>(name("retain"), full(), BTreeSet::clear, |s| s.retain(|_| false)),
    ]
}

#[test]
fn sets() {
    try_all(sets_of::<u64>("u64"));
    try_all(sets_of::<String>("String"));
    try_all(sets_of::<Record>("Record"));
}

/// They need no memory but for the first time, which a handle's calls are tried at.
#[test]
fn counters_and_gauges() {
    try_few(vec![
        call::<SharedCounter>("SharedCounter: reset", 5, |counter| *counter = 0, |counter| counter.reset().map(drop)),
        call::<SharedGauge>("SharedGauge: add", 5, |gauge| *gauge += 2, |gauge| gauge.add(2).map(drop)),
    ]);
}
