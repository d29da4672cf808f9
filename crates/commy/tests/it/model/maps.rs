//! `SharedHashMap` beside `HashMap`.

use super::harness::{self, Model};
use super::vectors::{answer, any_text};
use commy::{Entry, HashMapReadGuard, HashMapWriteGuard, Key, Lookup, Result, SharedHashMap, Store, StoreKey, Value};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

/// Keys and values of a map, and what only some maps can do.
pub trait Pair: 'static {
    type K: Key + StoreKey<Self::K> + Lookup<Self::K> + Clone + Ord + Hash + Debug + 'static;
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
    /// Overwrites all values and keeps the entries whose key's number `of` divides.
    fn change_all(guard: &mut HashMapWriteGuard<'_, Self::K, Self::V>, of: usize, value: &Self::V) -> Result<()> {
        guard.retain(|key, _| Self::number_lent(key).is_multiple_of(of))?;
        let mut keys = guard.to_map()?.into_keys();
        keys.try_for_each(|key| guard.insert(key, value.clone()).map(drop))
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

    fn change_all(guard: &mut HashMapWriteGuard<'_, u64, u64>, of: usize, value: &u64) -> Result<()> {
        if of == 1 {
            let entries = guard.len();
            let mut changed = 0;
            for (key, slot) in guard.iter_mut()? {
                *slot = key.wrapping_add(1);
                changed += 1;
            }
            assert_eq!(changed, entries);
            guard.values_mut()?.for_each(|slot| *slot = *value);
            return Ok(());
        }
        guard.retain_mut(|key, slot| {
            *slot = *value;
            (*key as usize).is_multiple_of(of)
        })
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
    GetOrInsert(K, V),
    InsertIfAbsent(K, V),
    /// Whether the condition holds.
    ReplaceIf(K, V, bool),
    RemoveIf(K, bool),
    RemoveEntry(K),
    GetMany(Vec<K>),
    Drain,
    /// Takes entries whose key's number this divides.
    ExtractIf(usize),
    /// All values become this one; entries whose key's number the first divides stay.
    ChangeAll(usize, V),
    Shrink(usize),
    Remove(K),
    Clear,
    Extend(Vec<(K, V)>),
    Reserve(usize),
    /// Keeps entries whose key's number this divides.
    Retain(usize),
}

fn sorted<K: Ord, V>(mut entries: Vec<(K, V)>) -> Vec<(K, V)> {
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries
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
            2 => entry().prop_map(|(key, value)| Op::GetOrInsert(key, value)),
            2 => entry().prop_map(|(key, value)| Op::InsertIfAbsent(key, value)),
            2 => (entry(), any::<bool>()).prop_map(|((key, value), holds)| Op::ReplaceIf(key, value, holds)),
            2 => (P::key(), any::<bool>()).prop_map(|(key, holds)| Op::RemoveIf(key, holds)),
            2 => P::key().prop_map(Op::RemoveEntry),
            1 => prop::collection::vec(P::key(), 0..8).prop_map(Op::GetMany),
            1 => Just(Op::Drain),
            1 => (1..4usize).prop_map(Op::ExtractIf),
            1 => (1..4usize, P::value()).prop_map(|(of, value)| Op::ChangeAll(of, value)),
            2 => (0..200usize).prop_map(Op::Shrink),
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
                let updated = twin.get_mut(key).map(|slot| {
                    let old = slot.clone();
                    slot.clone_from(value);
                    old
                });
                return answer(updated);
            }
            Op::GetOrInsert(key, value) => return answer(twin.entry(key.clone()).or_insert(value.clone()).clone()),
            Op::InsertIfAbsent(key, value) => {
                let there = twin.get(key).cloned();
                twin.entry(key.clone()).or_insert(value.clone());
                return answer(there);
            }
            Op::ReplaceIf(key, value, holds) => {
                return answer(match twin.get_mut(key) {
                    Some(slot) if *holds => Ok(std::mem::replace(slot, value.clone())),
                    slot => Err(slot.cloned()),
                });
            }
            Op::RemoveIf(key, holds) => return answer(if *holds { twin.remove(key) } else { None }),
            Op::RemoveEntry(key) => return answer(twin.remove_entry(key)),
            Op::GetMany(keys) => return answer(keys.iter().map(|key| twin.get(key).cloned()).collect::<Vec<_>>()),
            Op::Drain => return answer(sorted(twin.drain().collect())),
            Op::ExtractIf(of) => {
                return answer(sorted(twin.extract_if(|key, _| P::number(key).is_multiple_of(*of)).collect()));
            }
            Op::ChangeAll(of, value) => twin.retain(|key, slot| {
                slot.clone_from(value);
                P::number(key).is_multiple_of(*of)
            }),
            Op::Shrink(_) => {}
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
            Op::Update(key, value) => answer(handle.update(key, |slot| std::mem::replace(slot, value.clone()))?),
            Op::GetOrInsert(key, value) => answer(handle.get_or_insert_with(key.clone(), || value.clone())?),
            Op::InsertIfAbsent(key, value) => answer(handle.insert_if_absent(key.clone(), value.clone())?),
            Op::ReplaceIf(key, value, holds) => answer(handle.replace_if(key, value.clone(), |_| *holds)?),
            Op::RemoveIf(key, holds) => answer(handle.remove_if(key, |_| *holds)?),
            Op::RemoveEntry(key) => answer(handle.remove_entry(key)?),
            Op::GetMany(keys) => answer(handle.get_many(keys)?),
            Op::Drain => answer(sorted(handle.drain()?)),
            Op::ExtractIf(of) => answer(sorted(handle.extract_if(|key, _| P::number_lent(key).is_multiple_of(*of))?)),
            Op::Shrink(least) => answer(handle.shrink_to(*least)?),
            Op::Retain(of) => answer(handle.retain(|key, _| P::number_lent(key).is_multiple_of(*of))?),
            Op::Remove(key) => answer(handle.remove(key)?),
            Op::Clear => answer(handle.clear()?),
            Op::Extend(entries) => answer(handle.extend(entries.iter().cloned())?),
            Op::Reserve(more) => answer(handle.reserve(*more)?),
            Op::ByEntry(..) | Op::ChangeAll(..) => return Self::on_guard(&mut handle.write()?, op),
        })
    }

    fn on_guard(guard: &mut HashMapWriteGuard<'_, P::K, P::V>, op: &Self::Op) -> Result<String> {
        Ok(match op {
            Op::Insert(key, value) => answer(guard.insert(key.clone(), value.clone())?),
            Op::ByEntry(key, value) => answer(P::by_entry(guard, key, value)?),
            Op::Update(key, value) => answer(guard.update(key, |slot| std::mem::replace(slot, value.clone()))?),
            Op::GetOrInsert(key, value) => {
                let is_new = P::is_lent(guard.get_or_insert_with(key.clone(), || value.clone())?, value);
                let copy = guard.to_map()?.remove(key).expect("a value");
                assert_eq!(is_new, copy == *value);
                answer(copy)
            }
            Op::InsertIfAbsent(key, value) => answer(guard.insert_if_absent(key.clone(), value.clone())?),
            Op::ReplaceIf(key, value, holds) => answer(guard.replace_if(key, value.clone(), |_| *holds)?),
            Op::RemoveIf(key, holds) => answer(guard.remove_if(key, |_| *holds)?),
            Op::RemoveEntry(key) => answer(guard.remove_entry(key)?),
            Op::GetMany(keys) => {
                let map = guard.to_map()?;
                answer(keys.iter().map(|key| map.get(key).cloned()).collect::<Vec<_>>())
            }
            Op::Drain => answer(sorted(guard.drain()?)),
            Op::ExtractIf(of) => answer(sorted(guard.extract_if(|key, _| P::number_lent(key).is_multiple_of(*of))?)),
            Op::ChangeAll(of, value) => answer(P::change_all(guard, *of, value)?),
            Op::Shrink(least) => answer(guard.shrink_to(*least)?),
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
        assert!(guard == twin && guard.capacity() >= guard.len());
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
        assert!(guard == twin && guard.capacity() >= guard.len());
        let mut other = twin.clone();
        if let Some(key) = twin.keys().next() {
            let (key, value) = guard.get_key_value(key).expect("the key");
            assert!(P::are_lent(key, value, twin));
            other.remove(twin.keys().next().expect("the key"));
            assert!(*guard != other);
        }
        assert!(twin.iter().all(|(key, value)| guard.get(key).is_some_and(|lent| P::is_lent(lent, value))));
    }

    fn see(handle: &Handle<P>, twin: &Twin<P>) {
        assert_eq!((handle.len().unwrap(), handle.is_empty().unwrap()), (twin.len(), twin.is_empty()));
        assert_eq!(&handle.to_map().unwrap(), twin);
        for (key, value) in twin.iter().take(16) {
            assert_eq!(handle.get(key).unwrap().as_ref(), Some(value));
            assert!(handle.contains_key(key).unwrap());
            assert_eq!(handle.get_key_value(key).unwrap(), Some((key.clone(), value.clone())));
        }
        assert!(handle.capacity().unwrap() >= twin.len());
        let many: Vec<&P::K> = twin.keys().take(40).collect();
        let values = handle.get_many(many.iter().copied()).unwrap();
        assert!(values.iter().map(Option::as_ref).eq(many.iter().map(|key| twin.get(*key))));
        let keys: HashSet<P::K> = handle.keys().unwrap().into_iter().collect();
        assert!(keys.len() == twin.len() && twin.keys().all(|key| keys.contains(key)));
        assert_eq!(handle.values().unwrap().len(), twin.len());
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
