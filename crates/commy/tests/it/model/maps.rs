//! `SharedHashMap` beside `HashMap`.

use super::harness::{self, Model};
use super::vectors::{answer, any_text};
use commy::{Entry, HashMapReadGuard, HashMapWriteGuard, Key, Lookup, Result, SharedHashMap, Store, StoreKey, Value};
use proptest::prelude::*;
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

/// Keys and values of a map, and what only some maps can do.
pub trait Pair: 'static {
    type K: Key + StoreKey<Self::K> + Lookup<Self::K> + Clone + Eq + Hash + Debug + 'static;
    type V: Value + Store<Self::V> + Clone + PartialEq + Debug + 'static;

    fn key() -> BoxedStrategy<Self::K>;
    fn value() -> BoxedStrategy<Self::V>;
    fn are_lent(
        key: <Self::K as Value>::Ref<'_>,
        value: <Self::V as Value>::Ref<'_>,
        map: &HashMap<Self::K, Self::V>,
    ) -> bool;
    fn is_lent(lent: <Self::V as Value>::Ref<'_>, value: &Self::V) -> bool;
    /// Something small about a key, for a choice among them.
    fn number(key: &Self::K) -> usize;
    fn number_lent(key: <Self::K as Value>::Ref<'_>) -> usize;
    /// The entry interface, in one of several ways; the twin is `HashMap::insert`.
    fn by_entry(guard: &mut HashMapWriteGuard<'_, Self::K, Self::V>, key: &Self::K, value: &Self::V) -> Result<()> {
        guard.insert(key.clone(), value.clone()).map(drop)
    }
    /// `SharedHashMap::update`, if there is such; the twin overwrites a value that is there.
    fn update(handle: &SharedHashMap<Self::K, Self::V>, key: &Self::K, value: &Self::V) -> Result<()> {
        if handle.contains_key(key)? {
            handle.insert(key.clone(), value.clone())?;
        }
        Ok(())
    }
}

struct Numbers;
impl Pair for Numbers {
    type K = u64;
    type V = u64;

    fn key() -> BoxedStrategy<u64> {
        prop_oneof![3 => 0..100u64, 1 => any::<u64>()].boxed()
    }

    fn value() -> BoxedStrategy<u64> {
        any::<u64>().boxed()
    }

    fn are_lent(key: &u64, value: &u64, map: &HashMap<u64, u64>) -> bool {
        map.get(key) == Some(value)
    }

    fn is_lent(lent: &u64, value: &u64) -> bool {
        lent == value
    }

    fn number(key: &u64) -> usize {
        *key as usize
    }

    fn number_lent(key: &u64) -> usize {
        *key as usize
    }

    fn by_entry(guard: &mut HashMapWriteGuard<'_, u64, u64>, key: &u64, value: &u64) -> Result<()> {
        match value % 6 {
            0 => *guard.entry(*key).or_insert(7)? = *value,
            1 => *guard.entry(*key).and_modify(|old| *old = old.wrapping_add(1))?.or_default()? = *value,
            2 => match guard.entry(*key) {
                Entry::Occupied(mut entry) => {
                    let old = *entry.get();
                    assert_eq!(entry.insert(*value)?, old);
                }
                Entry::Vacant(entry) => *entry.insert(1)? = *value,
            },
            3 => {
                if let Entry::Occupied(entry) = guard.entry(*key) {
                    let old = *entry.get();
                    assert_eq!(entry.remove()?, old);
                }
                guard.insert(*key, *value)?;
            }
            4 => match guard.get_mut(key) {
                Some(slot) => *slot = *value,
                None => drop(guard.insert(*key, *value)?),
            },
            _ => *guard.entry(*key).or_insert_with(|| *value)? = *value,
        }
        Ok(())
    }

    fn update(handle: &SharedHashMap<u64, u64>, key: &u64, value: &u64) -> Result<()> {
        handle.update(key, |slot| *slot = *value).map(drop)
    }
}

struct Texts;
impl Pair for Texts {
    type K = String;
    type V = String;

    fn key() -> BoxedStrategy<String> {
        prop_oneof![3 => "[a-d]{0,2}", 2 => "[a-b]{14,18}", 1 => any_text()].boxed()
    }

    fn value() -> BoxedStrategy<String> {
        any_text().boxed()
    }

    fn are_lent(key: &str, value: &str, map: &HashMap<String, String>) -> bool {
        map.get(key).is_some_and(|expected| expected == value)
    }

    fn is_lent(lent: &str, value: &String) -> bool {
        lent == value
    }

    fn number(key: &String) -> usize {
        key.len()
    }

    fn number_lent(key: &str) -> usize {
        key.len()
    }
}

/// A key with padding, and values of any bytes.
struct Padded;
impl Pair for Padded {
    type K = (u32, u64);
    type V = Vec<u8>;

    fn key() -> BoxedStrategy<(u32, u64)> {
        (0..12u32, 0..8u64).boxed()
    }

    fn value() -> BoxedStrategy<Vec<u8>> {
        prop_oneof![6 => prop::collection::vec(any::<u8>(), 0..40), 1 => prop::collection::vec(any::<u8>(), 1000..5000)]
            .boxed()
    }

    fn are_lent(key: &(u32, u64), value: &[u8], map: &HashMap<(u32, u64), Vec<u8>>) -> bool {
        map.get(key).is_some_and(|expected| expected == value)
    }

    fn is_lent(lent: &[u8], value: &Vec<u8>) -> bool {
        lent == value
    }

    fn number(key: &(u32, u64)) -> usize {
        key.0 as usize
    }

    fn number_lent(key: &(u32, u64)) -> usize {
        key.0 as usize
    }
}

#[derive(Clone, Debug)]
pub enum Op<K, V> {
    Insert(K, V),
    ByEntry(K, V),
    Update(K, V),
    Remove(K),
    Clear,
    Extend(Vec<(K, V)>),
    Reserve(usize),
    /// Keeps entries whose key's number this divides.
    Retain(usize),
}

struct Maps<P>(PhantomData<P>);
type Handle<P> = SharedHashMap<<P as Pair>::K, <P as Pair>::V>;
type Twin<P> = HashMap<<P as Pair>::K, <P as Pair>::V>;

impl<P: Pair> Model for Maps<P> {
    type Handle = Handle<P>;
    type Twin = Twin<P>;
    type Op = Op<P::K, P::V>;

    fn ops() -> BoxedStrategy<Self::Op> {
        let entry = || (P::key(), P::value());
        let many = prop_oneof![4 => 0..6usize, 1 => 40..200usize];
        let many = many.prop_flat_map(move |count| prop::collection::vec(entry(), count..count + 1));
        prop_oneof![
            8 => entry().prop_map(|(key, value)| Op::Insert(key, value)),
            4 => entry().prop_map(|(key, value)| Op::ByEntry(key, value)),
            3 => entry().prop_map(|(key, value)| Op::Update(key, value)),
            6 => P::key().prop_map(Op::Remove),
            1 => Just(Op::Clear),
            2 => many.prop_map(Op::Extend),
            1 => (0..500usize).prop_map(Op::Reserve),
            1 => (1..4usize).prop_map(Op::Retain),
        ]
        .boxed()
    }

    fn on_twin(twin: &mut Twin<P>, op: &Self::Op) -> String {
        match op {
            Op::Insert(key, value) => return answer(twin.insert(key.clone(), value.clone())),
            Op::ByEntry(key, value) => drop(twin.insert(key.clone(), value.clone())),
            Op::Update(key, value) => {
                if let Some(slot) = twin.get_mut(key) {
                    slot.clone_from(value);
                }
            }
            Op::Remove(key) => return answer(twin.remove(key)),
            Op::Clear => twin.clear(),
            Op::Extend(entries) => twin.extend(entries.iter().cloned()),
            Op::Retain(of) => twin.retain(|key, _| P::number(key).is_multiple_of(*of)),
            Op::Reserve(_) => {}
        }
        answer(())
    }

    fn on_handle(handle: &Handle<P>, op: &Self::Op) -> Result<String> {
        Ok(match op {
            Op::Insert(key, value) => answer(handle.insert(key.clone(), value.clone())?),
            Op::Update(key, value) => answer(P::update(handle, key, value)?),
            Op::Remove(key) => answer(handle.remove(key)?),
            Op::Clear => answer(handle.clear()?),
            Op::Extend(entries) => answer(handle.extend(entries.iter().cloned())?),
            Op::Reserve(more) => answer(handle.reserve(*more)?),
            Op::ByEntry(..) | Op::Retain(_) => return Self::on_guard(&mut handle.write()?, op),
        })
    }

    fn on_guard(guard: &mut HashMapWriteGuard<'_, P::K, P::V>, op: &Self::Op) -> Result<String> {
        Ok(match op {
            Op::Insert(key, value) => answer(guard.insert(key.clone(), value.clone())?),
            Op::ByEntry(key, value) => answer(P::by_entry(guard, key, value)?),
            Op::Update(key, value) => {
                if guard.contains_key(key) {
                    guard.insert(key.clone(), value.clone())?;
                }
                answer(())
            }
            Op::Remove(key) => answer(guard.remove(key)?),
            Op::Clear => answer(guard.clear()?),
            Op::Extend(entries) => answer(guard.extend(entries.iter().cloned())?),
            Op::Reserve(more) => answer(guard.reserve(*more)?),
            Op::Retain(of) => answer(guard.retain(|key, _| P::number_lent(key).is_multiple_of(*of))?),
        })
    }

    fn roll_back(guard: HashMapWriteGuard<'_, P::K, P::V>) {
        guard.rollback();
    }

    fn write(handle: &Handle<P>) -> Result<HashMapWriteGuard<'_, P::K, P::V>> {
        handle.write()
    }

    fn see_write_guard(guard: &HashMapWriteGuard<'_, P::K, P::V>, twin: &Twin<P>) {
        assert_eq!((guard.len(), guard.is_empty()), (twin.len(), twin.is_empty()));
        assert_eq!(
            guard.iter().filter_map(|(key, value)| P::are_lent(key, value, twin).then_some(())).count(),
            twin.len()
        );
        assert!(twin.iter().all(|(key, value)| guard.get(key).is_some_and(|lent| P::is_lent(lent, value))));
    }

    fn see_read_guard(guard: &HashMapReadGuard<'_, P::K, P::V>, twin: &Twin<P>) {
        assert_eq!((guard.len(), guard.is_empty()), (twin.len(), twin.is_empty()));
        assert_eq!(
            guard.into_iter().filter_map(|(key, value)| P::are_lent(key, value, twin).then_some(())).count(),
            twin.len()
        );
        assert_eq!(
            (guard.iter().count(), guard.keys().count(), guard.values().count()),
            (twin.len(), twin.len(), twin.len())
        );
        assert_eq!(&guard.to_map().unwrap(), twin);
        assert!(twin.iter().all(|(key, value)| guard.get(key).is_some_and(|lent| P::is_lent(lent, value))));
    }

    fn see(handle: &Handle<P>, twin: &Twin<P>) {
        assert_eq!((handle.len().unwrap(), handle.is_empty().unwrap()), (twin.len(), twin.is_empty()));
        assert_eq!(&handle.to_map().unwrap(), twin);
        for (key, value) in twin.iter().take(16) {
            assert_eq!(handle.get(key).unwrap().as_ref(), Some(value));
            assert!(handle.contains_key(key).unwrap());
        }
    }

    fn see_by_guard(handle: &Handle<P>, twin: &Twin<P>) {
        Self::see_read_guard(&handle.read().unwrap(), twin);
    }
}

#[test]
fn a_map_of_numbers_is_a_hash_map() {
    harness::run::<Maps<Numbers>>(48);
}

#[test]
fn a_map_of_texts_is_a_hash_map() {
    harness::run::<Maps<Texts>>(32);
}

#[test]
fn a_map_of_padded_keys_is_a_hash_map() {
    harness::run::<Maps<Padded>>(32);
}
