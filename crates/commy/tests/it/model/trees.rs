//! `SharedBTreeMap` beside `BTreeMap`, `SharedBTreeSet` beside `BTreeSet`.

use super::harness::{self, Model};
use super::vectors::{answer, any_text};
use commy::{
    BTreeMapEntry, BTreeMapReadGuard, BTreeMapWriteGuard, BTreeSetReadGuard, BTreeSetWriteGuard, Lookup, OrderedKey,
    Result, SharedBTreeMap, SharedBTreeSet, Store, StoreKey, Value,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::ops::Bound;

type Limits<K> = (Bound<K>, Bound<K>);

/// Keys and values of a map, and what only some maps can do.
pub trait Pair: 'static {
    type K: OrderedKey + StoreKey<Self::K> + Lookup<Self::K> + Clone + Debug + 'static;
    type V: Value + Store<Self::V> + Clone + PartialEq + Debug + 'static;

    fn key() -> BoxedStrategy<Self::K>;
    fn value() -> BoxedStrategy<Self::V>;
    fn own_key(lent: <Self::K as Value>::Ref<'_>) -> Self::K;
    fn own(lent: <Self::V as Value>::Ref<'_>) -> Self::V;
    /// Something small about a key, for a choice among them.
    fn number(key: &Self::K) -> usize;
    /// The entry interface, in one of several ways; the twin is `insert`.
    fn by_entry(guard: &mut BTreeMapWriteGuard<'_, Self::K, Self::V>, key: &Self::K, value: &Self::V) -> Result<()> {
        guard.insert(key.clone(), value.clone()).map(drop)
    }
    /// Puts a value at all keys of a range.
    fn fill(
        guard: &mut BTreeMapWriteGuard<'_, Self::K, Self::V>,
        range: Limits<Self::K>,
        value: &Self::V,
    ) -> Result<()> {
        let keys: Vec<Self::K> = guard.range::<Self::K>(range).map(|(key, _)| Self::own_key(key)).collect();
        keys.into_iter().try_for_each(|key| guard.insert(key, value.clone()).map(drop))
    }
    /// Overwrites all values and keeps the entries whose key's number `of` divides.
    fn change_all(guard: &mut BTreeMapWriteGuard<'_, Self::K, Self::V>, of: usize, value: &Self::V) -> Result<()> {
        guard.retain(|key, _| Self::number(&Self::own_key(key)).is_multiple_of(of))?;
        Self::fill(guard, (Bound::Unbounded, Bound::Unbounded), value)
    }
}

struct Numbers;
impl Pair for Numbers {
    type K = u64;
    type V = u64;

    fn key() -> BoxedStrategy<u64> {
        prop_oneof![6 => 0..600u64, 1 => any::<u64>()].boxed()
    }

    fn value() -> BoxedStrategy<u64> {
        any::<u64>().boxed()
    }

    fn own_key(lent: &u64) -> u64 {
        *lent
    }

    fn own(lent: &u64) -> u64 {
        *lent
    }

    fn number(key: &u64) -> usize {
        *key as usize
    }

    fn by_entry(guard: &mut BTreeMapWriteGuard<'_, u64, u64>, key: &u64, value: &u64) -> Result<()> {
        match value % 6 {
            0 => *guard.entry(*key).or_insert(7)? = *value,
            1 => *guard.entry(*key).and_modify(|old| *old = old.wrapping_add(1))?.or_default()? = *value,
            2 => match guard.entry(*key) {
                BTreeMapEntry::Occupied(mut entry) => {
                    let old = *entry.get();
                    assert_eq!(entry.key(), key);
                    assert_eq!(entry.insert(*value)?, old);
                }
                BTreeMapEntry::Vacant(entry) => *entry.insert(1)? = *value,
            },
            3 => {
                if let BTreeMapEntry::Occupied(entry) = guard.entry(*key) {
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

    fn fill(guard: &mut BTreeMapWriteGuard<'_, u64, u64>, range: Limits<u64>, value: &u64) -> Result<()> {
        let mut entries = guard.range_mut(range)?;
        while let Some((_, slot)) = entries.next() {
            *slot = *value;
            if let Some((_, slot)) = entries.next_back() {
                *slot = *value;
            }
        }
        Ok(())
    }

    fn change_all(guard: &mut BTreeMapWriteGuard<'_, u64, u64>, of: usize, value: &u64) -> Result<()> {
        guard.values_mut()?.for_each(|slot| *slot = value.wrapping_add(1));
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
        prop_oneof![3 => "[a-d]{0,4}", 3 => "[a-b]{14,24}", 1 => any_text()].boxed()
    }

    fn value() -> BoxedStrategy<String> {
        any_text().boxed()
    }

    fn own_key(lent: &str) -> String {
        lent.to_owned()
    }

    fn own(lent: &str) -> String {
        lent.to_owned()
    }

    fn number(key: &String) -> usize {
        key.len()
    }
}

/// Small nodes' worth of large entries, so that few of them make many levels; padding and options, too.
struct Wide;
impl Pair for Wide {
    type K = ([u64; 40], i8);
    type V = Option<Vec<u8>>;

    fn key() -> BoxedStrategy<Self::K> {
        (0..400u64, -2..2i8).prop_map(|(number, last)| ([number / 7; 40], last)).boxed()
    }

    fn value() -> BoxedStrategy<Self::V> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..40)).boxed()
    }

    fn own_key(lent: &Self::K) -> Self::K {
        *lent
    }

    fn own(lent: Option<&[u8]>) -> Self::V {
        lent.map(<[u8]>::to_vec)
    }

    fn number(key: &Self::K) -> usize {
        key.0[0] as usize
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
    DrainAll,
    /// Takes entries whose key's number this divides.
    ExtractIf(usize),
    /// All values become this one; entries whose key's number the first divides stay.
    ChangeAll(usize, V),
    Remove(K),
    PopFirst,
    PopLast,
    Clear,
    Extend(Vec<(K, V)>),
    /// So many in ascending order, behind what is there or in front.
    Fill(Limits<K>, V),
    Range(Limits<K>),
    SplitOff(K),
    /// Keeps entries whose key's number this divides.
    Retain(usize),
    /// Takes so many from an end.
    Drain(usize, bool),
}

struct Trees<P>(PhantomData<P>);
type Handle<P> = SharedBTreeMap<<P as Pair>::K, <P as Pair>::V>;
type Twin<P> = BTreeMap<<P as Pair>::K, <P as Pair>::V>;

/// A range that std accepts: it does not end before it begins, and is not empty by excluding one key twice.
fn limits<K: Ord + Clone + Debug + 'static>(
    key: impl Strategy<Value = K> + Clone + 'static,
) -> BoxedStrategy<Limits<K>> {
    (key.clone(), key, 0..3, 0..3)
        .prop_map(|(a, b, first, last)| {
            let (a, b) = if a <= b { (a, b) } else { (b, a) };
            let last = if first == 1 && a == b { 0 } else { last };
            let bound = |key, kind| match kind {
                0 => Bound::Included(key),
                1 => Bound::Excluded(key),
                _ => Bound::Unbounded,
            };
            (bound(a, first), bound(b, last))
        })
        .boxed()
}

impl<P: Pair> Trees<P> {
    fn ranged(twin: &Twin<P>, range: &Limits<P::K>) -> Vec<(P::K, P::V)> {
        twin.range(range.clone()).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn own(entry: (<P::K as Value>::Ref<'_>, <P::V as Value>::Ref<'_>)) -> (P::K, P::V) {
        (P::own_key(entry.0), P::own(entry.1))
    }
}

impl<P: Pair> Model for Trees<P> {
    type Handle = Handle<P>;
    type Twin = Twin<P>;
    type Op = Op<P::K, P::V>;

    fn ops() -> BoxedStrategy<Self::Op> {
        let entry = || (P::key(), P::value());
        let many = prop_oneof![4 => 0..6usize, 3 => 60..400usize];
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
            1 => Just(Op::DrainAll),
            1 => (1..4usize).prop_map(Op::ExtractIf),
            1 => (1..4usize, P::value()).prop_map(|(of, value)| Op::ChangeAll(of, value)),
            6 => P::key().prop_map(Op::Remove),
            2 => Just(Op::PopFirst),
            2 => Just(Op::PopLast),
            1 => Just(Op::Clear),
            4 => many.prop_map(Op::Extend),
            2 => (limits(P::key()), P::value()).prop_map(|(range, value)| Op::Fill(range, value)),
            3 => limits(P::key()).prop_map(Op::Range),
            1 => P::key().prop_map(Op::SplitOff),
            1 => (1..4usize).prop_map(Op::Retain),
            2 => (0..200usize, any::<bool>()).prop_map(|(count, last)| Op::Drain(count, last)),
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
            Op::DrainAll => return answer(std::mem::take(twin).into_iter().collect::<Vec<_>>()),
            Op::ExtractIf(of) => {
                let is_taken = |key: &P::K| P::number(key).is_multiple_of(*of);
                let (taken, kept) = std::mem::take(twin).into_iter().partition(|(key, _)| is_taken(key));
                *twin = kept;
                let taken: Vec<_> = BTreeMap::into_iter(taken).collect();
                return answer(taken);
            }
            Op::ChangeAll(of, value) => twin.retain(|key, slot| {
                slot.clone_from(value);
                P::number(key).is_multiple_of(*of)
            }),
            Op::Remove(key) => return answer(twin.remove(key)),
            Op::PopFirst => return answer(twin.pop_first()),
            Op::PopLast => return answer(twin.pop_last()),
            Op::Clear => twin.clear(),
            Op::Extend(entries) => twin.extend(entries.iter().cloned()),
            Op::Fill(range, value) => twin.range_mut(range.clone()).for_each(|(_, slot)| slot.clone_from(value)),
            Op::Range(range) => return answer(Self::ranged(twin, range)),
            Op::SplitOff(key) => return answer(twin.split_off(key)),
            Op::Retain(of) => twin.retain(|key, _| P::number(key).is_multiple_of(*of)),
            Op::Drain(count, last) => {
                (0..*count).for_each(|_| drop(if *last { twin.pop_last() } else { twin.pop_first() }));
            }
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
            Op::DrainAll => answer(handle.drain()?),
            Op::ExtractIf(of) => answer(handle.extract_if(|key, _| P::number(&P::own_key(key)).is_multiple_of(*of))?),
            Op::Retain(of) => answer(handle.retain(|key, _| P::number(&P::own_key(key)).is_multiple_of(*of))?),
            Op::SplitOff(key) => answer(handle.split_off(key)?),
            Op::Remove(key) => answer(handle.remove(key)?),
            Op::PopFirst => answer(handle.pop_first()?),
            Op::PopLast => answer(handle.pop_last()?),
            Op::Clear => answer(handle.clear()?),
            Op::Extend(entries) => answer(handle.extend(entries.iter().cloned())?),
            Op::Range(range) => answer(handle.range::<P::K>(range.clone())?),
            Op::Drain(count, last) => {
                for _ in 0..*count {
                    drop(if *last { handle.pop_last()? } else { handle.pop_first()? });
                }
                answer(())
            }
            _ => return Self::on_guard(&mut handle.write()?, op),
        })
    }

    fn on_guard(guard: &mut BTreeMapWriteGuard<'_, P::K, P::V>, op: &Self::Op) -> Result<String> {
        Ok(match op {
            Op::Insert(key, value) => answer(guard.insert(key.clone(), value.clone())?),
            Op::ByEntry(key, value) => answer(P::by_entry(guard, key, value)?),
            Op::Update(key, value) => answer(guard.update(key, |slot| std::mem::replace(slot, value.clone()))?),
            Op::GetOrInsert(key, value) => answer(P::own(guard.get_or_insert_with(key.clone(), || value.clone())?)),
            Op::InsertIfAbsent(key, value) => answer(guard.insert_if_absent(key.clone(), value.clone())?),
            Op::ReplaceIf(key, value, holds) => answer(guard.replace_if(key, value.clone(), |_| *holds)?),
            Op::RemoveIf(key, holds) => answer(guard.remove_if(key, |_| *holds)?),
            Op::RemoveEntry(key) => answer(guard.remove_entry(key)?),
            Op::GetMany(keys) => answer(keys.iter().map(|key| guard.get(key).map(P::own)).collect::<Vec<_>>()),
            Op::DrainAll => answer(guard.drain()?),
            Op::ExtractIf(of) => answer(guard.extract_if(|key, _| P::number(&P::own_key(key)).is_multiple_of(*of))?),
            Op::ChangeAll(of, value) => answer(P::change_all(guard, *of, value)?),
            Op::Remove(key) => answer(guard.remove(key)?),
            Op::PopFirst => answer(guard.pop_first()?),
            Op::PopLast => answer(guard.pop_last()?),
            Op::Clear => answer(guard.clear()?),
            Op::Extend(entries) => answer(guard.extend(entries.iter().cloned())?),
            Op::Fill(range, value) => answer(P::fill(guard, range.clone(), value)?),
            Op::Range(range) => {
                let forward: Vec<_> = guard.range::<P::K>(range.clone()).map(Self::own).collect();
                let mut backward: Vec<_> = guard.range::<P::K>(range.clone()).rev().map(Self::own).collect();
                backward.reverse();
                assert_eq!(forward, backward);
                answer(forward)
            }
            Op::SplitOff(key) => answer(guard.split_off(key)?),
            Op::Retain(of) => answer(guard.retain(|key, _| P::number(&P::own_key(key)).is_multiple_of(*of))?),
            Op::Drain(count, last) => {
                for _ in 0..*count {
                    drop(if *last { guard.pop_last()? } else { guard.pop_first()? });
                }
                answer(())
            }
        })
    }

    fn roll_back(guard: BTreeMapWriteGuard<'_, P::K, P::V>) {
        guard.rollback();
    }

    fn write(handle: &Handle<P>) -> Result<BTreeMapWriteGuard<'_, P::K, P::V>> {
        handle.write()
    }

    fn see_write_guard(guard: &BTreeMapWriteGuard<'_, P::K, P::V>, twin: &Twin<P>) {
        assert_eq!((guard.len(), guard.is_empty()), (twin.len(), twin.is_empty()));
        assert!(guard.iter().map(Self::own).eq(twin.iter().map(|(key, value)| (key.clone(), value.clone()))));
        assert!(twin.iter().all(|(key, value)| guard.get(key).is_some_and(|lent| P::own(lent) == *value)));
        assert!(guard == twin);
    }

    fn see_read_guard(guard: &BTreeMapReadGuard<'_, P::K, P::V>, twin: &Twin<P>) {
        let pairs = |twin: &Twin<P>| twin.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>();
        assert_eq!((guard.len(), guard.is_empty()), (twin.len(), twin.is_empty()));
        assert_eq!(guard.into_iter().map(Self::own).collect::<Vec<_>>(), pairs(twin));
        let mut backward: Vec<_> = guard.iter().rev().map(Self::own).collect();
        backward.reverse();
        assert_eq!(backward, pairs(twin));
        // From both ends in turns.
        let (mut ours, mut theirs) = (guard.iter(), twin.iter());
        for turn in 0.. {
            assert_eq!(ours.len(), theirs.len());
            let both =
                if turn % 3 == 0 { (ours.next_back(), theirs.next_back()) } else { (ours.next(), theirs.next()) };
            let (Some(lent), Some((key, value))) = both else {
                assert!(both.0.is_none() && both.1.is_none());
                break;
            };
            assert!(Self::own(lent) == (key.clone(), value.clone()));
        }
        assert_eq!((guard.keys().count(), guard.values().len()), (twin.len(), twin.len()));
        assert_eq!(&guard.to_map().unwrap(), twin);
        assert_eq!(guard.to_vec().unwrap(), pairs(twin));
        assert!(guard == twin);
        let mut other = twin.clone();
        if let Some((key, _)) = other.pop_last() {
            assert!(*guard != other && guard.get_key_value(&key).map(Self::own).is_some_and(|(lent, _)| lent == key));
        }
        assert!(twin.iter().all(|(key, value)| guard.get(key).is_some_and(|lent| P::own(lent) == *value)));
        let own = |entry: Option<_>| entry.map(Self::own);
        let clone = |entry: Option<(&P::K, &P::V)>| entry.map(|(key, value)| (key.clone(), value.clone()));
        assert_eq!(own(guard.first_key_value()), clone(twin.first_key_value()));
        assert_eq!(own(guard.last_key_value()), clone(twin.last_key_value()));
    }

    fn see(handle: &Handle<P>, twin: &Twin<P>) {
        assert_eq!((handle.len().unwrap(), handle.is_empty().unwrap()), (twin.len(), twin.is_empty()));
        assert_eq!(&handle.to_map().unwrap(), twin);
        for (key, value) in twin.iter().step_by(twin.len() / 16 + 1) {
            assert_eq!(handle.get(key).unwrap().as_ref(), Some(value));
            assert!(handle.contains_key(key).unwrap());
            assert_eq!(handle.get_key_value(key).unwrap(), Some((key.clone(), value.clone())));
            let from = handle.range::<P::K>((Bound::Excluded(key.clone()), Bound::Unbounded)).unwrap();
            assert_eq!(from.len(), twin.range((Bound::Excluded(key), Bound::Unbounded)).count());
        }
        let clone = |entry: Option<(&P::K, &P::V)>| entry.map(|(key, value)| (key.clone(), value.clone()));
        assert_eq!(handle.first_key_value().unwrap(), clone(twin.first_key_value()));
        assert_eq!(handle.last_key_value().unwrap(), clone(twin.last_key_value()));
        let many: Vec<&P::K> = twin.keys().take(40).collect();
        let values = handle.get_many(many.iter().copied()).unwrap();
        assert!(values.iter().map(Option::as_ref).eq(many.iter().map(|key| twin.get(*key))));
        assert!(handle.keys().unwrap().iter().eq(twin.keys()) && handle.values().unwrap().iter().eq(twin.values()));
        assert!(handle.to_vec().unwrap().iter().map(|(key, value)| (key, value)).eq(twin));
    }

    fn see_by_guard(handle: &Handle<P>, twin: &Twin<P>) {
        Self::see_read_guard(&handle.read().unwrap(), twin);
    }
}

/// A set, with a second one to compare with, which is made of every other key.
struct Sets;

#[derive(Clone, Debug)]
pub enum SetOp {
    Insert(String),
    Remove(String),
    Pop(bool),
    Extend(Vec<String>),
    Clear,
    Retain(usize),
    SplitOff(String),
    Range(Limits<String>),
    Take(String),
    Replace(String),
    GetOrInsert(String),
    Drain,
    ExtractIf(usize),
}

fn set_key() -> impl Strategy<Value = String> + Clone {
    prop_oneof![4 => "[a-e]{0,3}", 1 => "[a-b]{15,20}"]
}

impl Model for Sets {
    type Handle = SharedBTreeSet<String>;
    type Twin = BTreeSet<String>;
    type Op = SetOp;

    fn ops() -> BoxedStrategy<SetOp> {
        prop_oneof![
            6 => set_key().prop_map(SetOp::Insert),
            4 => set_key().prop_map(SetOp::Remove),
            2 => any::<bool>().prop_map(SetOp::Pop),
            3 => prop::collection::vec(set_key(), 0..150).prop_map(SetOp::Extend),
            1 => Just(SetOp::Clear),
            1 => (1..4usize).prop_map(SetOp::Retain),
            1 => set_key().prop_map(SetOp::SplitOff),
            2 => limits(set_key()).prop_map(SetOp::Range),
            3 => set_key().prop_map(SetOp::Take),
            2 => set_key().prop_map(SetOp::Replace),
            2 => set_key().prop_map(SetOp::GetOrInsert),
            1 => Just(SetOp::Drain),
            1 => (1..4usize).prop_map(SetOp::ExtractIf),
        ]
        .boxed()
    }

    fn on_twin(twin: &mut BTreeSet<String>, op: &SetOp) -> String {
        match op {
            SetOp::Insert(key) => return answer(twin.insert(key.clone())),
            SetOp::Remove(key) => return answer(twin.remove(key)),
            SetOp::Pop(true) => return answer(twin.pop_last()),
            SetOp::Pop(false) => return answer(twin.pop_first()),
            SetOp::Extend(keys) => twin.extend(keys.iter().cloned()),
            SetOp::Clear => twin.clear(),
            SetOp::Retain(of) => twin.retain(|key| key.len().is_multiple_of(*of)),
            SetOp::SplitOff(key) => return answer(twin.split_off(key)),
            SetOp::Range(range) => return answer(twin.range(range.clone()).cloned().collect::<Vec<_>>()),
            SetOp::Take(key) => return answer(twin.take(key)),
            SetOp::Replace(key) => return answer(twin.replace(key.clone())),
            SetOp::GetOrInsert(key) => drop(twin.insert(key.clone())),
            SetOp::Drain => return answer(std::mem::take(twin).into_iter().collect::<Vec<_>>()),
            SetOp::ExtractIf(of) => {
                let (taken, kept) = std::mem::take(twin).into_iter().partition(|key| key.len().is_multiple_of(*of));
                *twin = kept;
                let taken: Vec<String> = BTreeSet::into_iter(taken).collect();
                return answer(taken);
            }
        }
        answer(())
    }

    fn on_handle(handle: &SharedBTreeSet<String>, op: &SetOp) -> Result<String> {
        Ok(match op {
            SetOp::Insert(key) => answer(handle.insert(key)?),
            SetOp::Remove(key) => answer(handle.remove(key.as_str())?),
            SetOp::Pop(true) => answer(handle.pop_last()?),
            SetOp::Pop(false) => answer(handle.pop_first()?),
            SetOp::Extend(keys) => answer(handle.extend(keys)?),
            SetOp::Clear => answer(handle.clear()?),
            SetOp::Range(range) => answer(handle.range::<String>(range.clone())?),
            SetOp::Retain(of) => answer(handle.retain(|key| key.len().is_multiple_of(*of))?),
            SetOp::SplitOff(key) => answer(handle.split_off(key)?),
            SetOp::Take(key) => answer(handle.take(key)?),
            SetOp::Replace(key) => answer(handle.replace(key)?),
            SetOp::Drain => answer(handle.drain()?),
            SetOp::ExtractIf(of) => answer(handle.extract_if(|key| key.len().is_multiple_of(*of))?),
            _ => return Self::on_guard(&mut handle.write()?, op),
        })
    }

    fn on_guard(guard: &mut BTreeSetWriteGuard<'_, String>, op: &SetOp) -> Result<String> {
        Ok(match op {
            SetOp::Insert(key) => answer(guard.insert(key)?),
            SetOp::Remove(key) => answer(guard.remove(key)?),
            SetOp::Pop(true) => answer(guard.pop_last()?),
            SetOp::Pop(false) => answer(guard.pop_first()?),
            SetOp::Extend(keys) => answer(guard.extend(keys)?),
            SetOp::Clear => answer(guard.clear()?),
            SetOp::Retain(of) => answer(guard.retain(|key| key.len().is_multiple_of(*of))?),
            SetOp::SplitOff(key) => answer(guard.split_off(key)?),
            SetOp::Range(range) => answer(guard.range::<String>(range.clone()).collect::<Vec<_>>()),
            SetOp::Take(key) => answer(guard.take(key)?),
            SetOp::Replace(key) => answer(guard.replace(key)?),
            SetOp::GetOrInsert(key) => {
                assert_eq!(guard.get_or_insert(key)?, key);
                answer(())
            }
            SetOp::Drain => answer(guard.drain()?),
            SetOp::ExtractIf(of) => answer(guard.extract_if(|key| key.len().is_multiple_of(*of))?),
        })
    }

    fn roll_back(guard: BTreeSetWriteGuard<'_, String>) {
        guard.rollback();
    }

    fn write(handle: &SharedBTreeSet<String>) -> Result<BTreeSetWriteGuard<'_, String>> {
        handle.write()
    }

    fn see_write_guard(guard: &BTreeSetWriteGuard<'_, String>, twin: &BTreeSet<String>) {
        assert_eq!(guard.len(), twin.len());
        assert!(guard.iter().eq(twin.iter()));
        assert_eq!((guard.first(), guard.last()), (twin.first().map(String::as_str), twin.last().map(String::as_str)));
        assert!(twin.iter().all(|key| guard.contains(key) && guard.get(key.as_str()) == Some(key)));
    }

    fn see_read_guard(guard: &BTreeSetReadGuard<'_, String>, twin: &BTreeSet<String>) {
        assert!(guard.iter().rev().eq(twin.iter().rev()));
        let mut other: BTreeSet<String> = twin.iter().step_by(2).cloned().collect();
        assert!(guard.is_superset(&other) && guard.is_subset(guard) && guard.is_disjoint(&BTreeSet::new()));
        other.extend(["aa".to_string(), "zz".to_string()]);
        assert!(guard.union(&other).eq(twin.union(&other)));
        assert!(guard.intersection(&other).eq(twin.intersection(&other)));
        assert!(guard.difference(&other).eq(twin.difference(&other)));
        assert!(guard.symmetric_difference(&other).eq(twin.symmetric_difference(&other)));
        assert_eq!(guard.is_subset(&other), twin.is_subset(&other));
        assert_eq!(guard.is_superset(&other), twin.is_superset(&other));
        assert_eq!(guard.is_disjoint(&other), twin.is_disjoint(&other));
        assert_eq!(&guard.to_set().unwrap(), twin);
        assert!(guard.to_vec().unwrap().iter().eq(twin) && guard == twin && *guard != other);
        assert_eq!(format!("{guard:?}"), format!("{twin:?}"));
    }

    fn see(handle: &SharedBTreeSet<String>, twin: &BTreeSet<String>) {
        assert_eq!((handle.len().unwrap(), handle.is_empty().unwrap()), (twin.len(), twin.is_empty()));
        assert_eq!(&handle.to_set().unwrap(), twin);
        assert!(twin.iter().take(16).all(|key| handle.contains(key).unwrap()));
        assert!(!handle.contains("never there").unwrap() && handle.get("never there").unwrap().is_none());
        assert!(handle.to_vec().unwrap().iter().eq(twin));
        assert_eq!(handle.first().unwrap().map(|key| handle.get(&key).unwrap()), twin.first().cloned().map(Some));
        assert_eq!((handle.first().unwrap(), handle.last().unwrap()), (twin.first().cloned(), twin.last().cloned()));
    }

    fn see_by_guard(handle: &SharedBTreeSet<String>, twin: &BTreeSet<String>) {
        Self::see_read_guard(&handle.read().unwrap(), twin);
    }
}

#[test]
fn a_tree_of_numbers_is_a_btree_map() {
    harness::run::<Trees<Numbers>>(48);
}

#[test]
fn a_tree_of_texts_is_a_btree_map() {
    harness::run::<Trees<Texts>>(32);
}

#[test]
fn a_tree_of_wide_entries_is_a_btree_map() {
    harness::run::<Trees<Wide>>(32);
}

#[test]
fn a_set_of_texts_is_a_btree_set() {
    harness::run::<Sets>(32);
}

#[test]
fn two_shared_ordered_sets_combine_as_btree_sets_do() {
    let temporary = crate::support::temporary::Temporary::new();
    let region = crate::support::temporary::quiet().create(temporary.region()).unwrap();
    let (one, other): (SharedBTreeSet<String>, SharedBTreeSet<String>) =
        (region.object("one").unwrap(), region.object("other").unwrap());
    let keys = || prop::collection::vec(set_key(), 0..30);
    crate::seeded::check(100, &(keys(), keys()), |(first, second)| {
        for (set, keys) in [(&one, &first), (&other, &second)] {
            set.clear().unwrap();
            set.extend(keys).unwrap();
        }
        let (first, second): (BTreeSet<String>, BTreeSet<String>) =
            (first.into_iter().collect(), second.into_iter().collect());
        assert_eq!(one.union(&other).unwrap(), &first | &second);
        assert_eq!(one.intersection(&other).unwrap(), &first & &second);
        assert_eq!(one.difference(&other).unwrap(), &first - &second);
        assert_eq!(one.symmetric_difference(&other).unwrap(), &first ^ &second);
        assert_eq!(one.is_subset(&other).unwrap(), first.is_subset(&second));
        assert_eq!(one.is_superset(&other).unwrap(), first.is_superset(&second));
        assert_eq!(one.is_disjoint(&other).unwrap(), first.is_disjoint(&second));
        assert!(one.is_subset(&one).unwrap() && one.is_superset(&one).unwrap());
        assert_eq!(one.read().unwrap() == other.read().unwrap(), first == second);
    });
}
