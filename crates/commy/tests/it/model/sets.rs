//! `SharedHashSet` beside `HashSet`.

use super::harness::{self, Model};
use super::vectors::{answer, any_text};
use commy::{HashSetReadGuard, HashSetWriteGuard, Key, Lookup, Result, SharedHashSet, StoreKey};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

trait Member: Key + StoreKey<Self> + Lookup<Self> + Clone + Ord + Hash + Debug + 'static {
    fn any_key() -> BoxedStrategy<Self>;
    fn owned(lent: Self::Ref<'_>) -> Self;
    /// Something small about a key, for a choice among them.
    fn number(&self) -> usize;
}

impl Member for u64 {
    fn any_key() -> BoxedStrategy<u64> {
        prop_oneof![3 => 0..100u64, 1 => any::<u64>()].boxed()
    }

    fn owned(lent: &u64) -> u64 {
        *lent
    }

    fn number(&self) -> usize {
        *self as usize
    }
}

impl Member for String {
    fn any_key() -> BoxedStrategy<String> {
        prop_oneof![3 => "[a-d]{0,2}", 2 => "[a-b]{14,18}", 1 => any_text()].boxed()
    }

    fn owned(lent: &str) -> String {
        lent.into()
    }

    fn number(&self) -> usize {
        self.len()
    }
}

/// With padding.
impl Member for (u8, u32) {
    fn any_key() -> BoxedStrategy<(u8, u32)> {
        (0..12u8, 0..8u32).boxed()
    }

    fn owned(lent: &(u8, u32)) -> (u8, u32) {
        *lent
    }

    fn number(&self) -> usize {
        self.1 as usize
    }
}

#[derive(Clone, Debug)]
enum Op<K> {
    Insert(K),
    Replace(K),
    Remove(K),
    Take(K),
    Extend(Vec<K>),
    /// What keys are compared with: union, intersection, ...
    Combine(Vec<K>),
    /// Keeps those whose number is a multiple of this.
    Retain(usize),
    Drain,
    /// Takes those whose number is a multiple of this.
    ExtractIf(usize),
    GetOrInsert(K),
    Shrink(usize),
    Clear,
    Reserve(usize),
}

struct Sets<K>(PhantomData<K>);

/// All that two sets answer about each other.
fn combined<K: Member>(one: &HashSet<K>, other: &HashSet<K>) -> String {
    let sorted = |keys: Vec<&K>| keys.into_iter().cloned().collect::<BTreeSet<K>>();
    answer((
        sorted(one.union(other).collect()),
        sorted(one.intersection(other).collect()),
        sorted(one.difference(other).collect()),
        sorted(one.symmetric_difference(other).collect()),
        (one.is_subset(other), one.is_superset(other), one.is_disjoint(other)),
    ))
}

/// The same of a guard; `$other` may be any set.
macro_rules! combined_by_guard {
    ($guard:expr, $other:expr) => {{
        let (guard, other) = ($guard, $other);
        let sorted = |keys: Vec<K::Ref<'_>>| {
            let all: Vec<K> = keys.into_iter().map(K::owned).collect();
            let unique: BTreeSet<K> = all.iter().cloned().collect();
            assert_eq!(all.len(), unique.len(), "a key comes twice");
            unique
        };
        answer((
            sorted(guard.union(other).collect()),
            sorted(guard.intersection(other).collect()),
            sorted(guard.difference(other).collect()),
            sorted(guard.symmetric_difference(other).collect()),
            (guard.is_subset(other), guard.is_superset(other), guard.is_disjoint(other)),
        ))
    }};
}

impl<K: Member> Model for Sets<K> {
    type Handle = SharedHashSet<K>;
    type Twin = HashSet<K>;
    type Op = Op<K>;

    fn ops() -> BoxedStrategy<Op<K>> {
        let key = K::any_key;
        let many = prop_oneof![4 => 0..8usize, 1 => 40..200usize];
        let many = many.prop_flat_map(move |count| prop::collection::vec(key(), count..count + 1));
        prop_oneof![
            8 => key().prop_map(Op::Insert),
            1 => key().prop_map(Op::Replace),
            4 => key().prop_map(Op::Remove),
            3 => key().prop_map(Op::Take),
            3 => many.prop_map(Op::Extend),
            2 => prop::collection::vec(key(), 0..30).prop_map(Op::Combine),
            1 => (1..4usize).prop_map(Op::Retain),
            1 => Just(Op::Drain),
            1 => (1..4usize).prop_map(Op::ExtractIf),
            2 => key().prop_map(Op::GetOrInsert),
            2 => (0..200usize).prop_map(Op::Shrink),
            1 => Just(Op::Clear),
            1 => (0..500usize).prop_map(Op::Reserve),
        ]
        .boxed()
    }

    fn on_twin(twin: &mut HashSet<K>, op: &Op<K>) -> String {
        match op {
            Op::Insert(key) => return answer(twin.insert(key.clone())),
            Op::Replace(key) => return answer(twin.replace(key.clone())),
            Op::Remove(key) => return answer(twin.remove(key)),
            Op::Take(key) => return answer(twin.take(key)),
            Op::Extend(keys) => twin.extend(keys.iter().cloned()),
            Op::Combine(keys) => return combined(twin, &keys.iter().cloned().collect()),
            Op::Retain(of) => twin.retain(|key| key.number().is_multiple_of(*of)),
            Op::Drain => return answer(twin.drain().collect::<BTreeSet<K>>()),
            Op::ExtractIf(of) => {
                return answer(twin.extract_if(|key| key.number().is_multiple_of(*of)).collect::<BTreeSet<K>>());
            }
            Op::GetOrInsert(key) => drop(twin.insert(key.clone())),
            Op::Shrink(_) => {}
            Op::Clear => twin.clear(),
            Op::Reserve(_) => {}
        }
        answer(())
    }

    fn on_handle(handle: &SharedHashSet<K>, op: &Op<K>) -> Result<String> {
        Ok(match op {
            Op::Insert(key) => answer(handle.insert(key.clone())?),
            Op::Replace(key) => answer(handle.replace(key.clone())?),
            Op::Remove(key) => answer(handle.remove(key)?),
            Op::Take(key) => answer(handle.take(key)?),
            Op::Extend(keys) => answer(handle.extend(keys.iter().cloned())?),
            Op::Clear => answer(handle.clear()?),
            Op::Reserve(more) => answer(handle.reserve(*more)?),
            Op::Retain(of) => answer(handle.retain(|key| K::owned(key).number().is_multiple_of(*of))?),
            Op::Drain => answer(handle.drain()?.into_iter().collect::<BTreeSet<K>>()),
            Op::ExtractIf(of) => {
                let taken = handle.extract_if(|key| K::owned(key).number().is_multiple_of(*of))?;
                answer(taken.into_iter().collect::<BTreeSet<K>>())
            }
            Op::Shrink(least) => answer(handle.shrink_to(*least)?),
            _ => return Self::on_guard(&mut handle.write()?, op),
        })
    }

    fn on_guard(guard: &mut HashSetWriteGuard<'_, K>, op: &Op<K>) -> Result<String> {
        Ok(match op {
            Op::Insert(key) => answer(guard.insert(key.clone())?),
            Op::Replace(key) => answer(guard.replace(key.clone())?),
            Op::Remove(key) => answer(guard.remove(key)?),
            Op::Take(key) => answer(guard.take(key)?),
            Op::Extend(keys) => answer(guard.extend(keys.iter().cloned())?),
            Op::Combine(keys) => {
                let other: HashSet<K> = keys.iter().cloned().collect();
                combined_by_guard!(&*guard, &other)
            }
            Op::Retain(of) => answer(guard.retain(|key| K::owned(key).number().is_multiple_of(*of))?),
            Op::Drain => answer(guard.drain()?.into_iter().collect::<BTreeSet<K>>()),
            Op::ExtractIf(of) => {
                let taken = guard.extract_if(|key| K::owned(key).number().is_multiple_of(*of))?;
                answer(taken.into_iter().collect::<BTreeSet<K>>())
            }
            Op::GetOrInsert(key) => {
                assert_eq!(&K::owned(guard.get_or_insert(key.clone())?), key);
                answer(())
            }
            Op::Shrink(least) => answer(guard.shrink_to(*least)?),
            Op::Clear => answer(guard.clear()?),
            Op::Reserve(more) => answer(guard.reserve(*more)?),
        })
    }

    fn roll_back(guard: HashSetWriteGuard<'_, K>) {
        guard.rollback();
    }

    fn write(handle: &SharedHashSet<K>) -> Result<HashSetWriteGuard<'_, K>> {
        handle.write()
    }

    fn see_write_guard(guard: &HashSetWriteGuard<'_, K>, twin: &HashSet<K>) {
        assert_eq!((guard.len(), guard.is_empty()), (twin.len(), twin.is_empty()));
        assert_eq!(&guard.to_set().unwrap(), twin);
    }

    fn see_read_guard(guard: &HashSetReadGuard<'_, K>, twin: &HashSet<K>) {
        assert_eq!((guard.len(), guard.is_empty()), (twin.len(), twin.is_empty()));
        assert_eq!(guard.iter().size_hint().0, twin.len());
        assert_eq!(&guard.into_iter().map(K::owned).collect::<HashSet<K>>(), twin);
        assert!(guard == twin && guard.eq(guard) && guard.capacity() >= guard.len());
        let mut other = twin.clone();
        if let Some(key) = twin.iter().next() {
            other.remove(key);
            assert!(*guard != other);
        }
        for key in twin.iter().take(20) {
            assert!(guard.contains(key));
            assert_eq!(guard.get(key).map(K::owned).as_ref(), Some(key));
        }
    }

    fn see(handle: &SharedHashSet<K>, twin: &HashSet<K>) {
        assert_eq!((handle.len().unwrap(), handle.is_empty().unwrap()), (twin.len(), twin.is_empty()));
        assert_eq!(&handle.to_set().unwrap(), twin);
        assert_eq!(handle.to_vec().unwrap().into_iter().collect::<BTreeSet<K>>(), twin.iter().cloned().collect());
        assert!(handle.capacity().unwrap() >= twin.len());
        for key in twin.iter().take(20) {
            assert!(handle.contains(key).unwrap());
            assert_eq!(handle.get(key).unwrap().as_ref(), Some(key));
        }
    }

    fn see_by_guard(handle: &SharedHashSet<K>, twin: &HashSet<K>) {
        Self::see_read_guard(&handle.read().unwrap(), twin);
    }
}

#[test]
fn a_set_of_numbers_is_a_hash_set() {
    harness::run::<Sets<u64>>(48);
}

#[test]
fn a_set_of_texts_is_a_hash_set() {
    harness::run::<Sets<String>>(48);
}

#[test]
fn a_set_of_padded_keys_is_a_hash_set() {
    harness::run::<Sets<(u8, u32)>>(32);
}

fn two_shared_sets<K: Member>() {
    let temporary = crate::support::temporary::Temporary::new();
    let region = crate::support::temporary::quiet().create(temporary.region()).unwrap();
    let (one, other): (SharedHashSet<K>, SharedHashSet<K>) =
        (region.object("one").unwrap(), region.object("other").unwrap());
    let keys = || prop::collection::vec(K::any_key(), 0..30);
    crate::seeded::check(100, &(keys(), keys()), |(first, second)| {
        one.clear().unwrap();
        one.extend(first.iter().cloned()).unwrap();
        other.clear().unwrap();
        other.extend(second.iter().cloned()).unwrap();
        let (first, second): (HashSet<K>, HashSet<K>) = (first.into_iter().collect(), second.into_iter().collect());
        let expected = combined(&first, &second);
        let (lent, others) = (one.read().unwrap(), other.read().unwrap());
        assert_eq!(combined_by_guard!(&lent, &others), expected);
        assert_eq!(combined_by_guard!(&lent, &second), expected);
        let copies = [
            one.union(&other).unwrap(),
            one.intersection(&other).unwrap(),
            one.difference(&other).unwrap(),
            one.symmetric_difference(&other).unwrap(),
        ];
        let [union, intersection, difference, symmetric] = copies.map(|copy| copy.into_iter().collect::<BTreeSet<K>>());
        let relations =
            (one.is_subset(&other).unwrap(), one.is_superset(&other).unwrap(), one.is_disjoint(&other).unwrap());
        assert_eq!(answer((union, intersection, difference, symmetric, relations)), expected);
    });
}

#[test]
fn two_shared_sets_combine_as_hash_sets_do() {
    two_shared_sets::<u64>();
    two_shared_sets::<String>();
}
