//! `SharedBTreeMap<K, V>`: a map in the order of its keys.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::RangeBounds;

use super::btree::{
    ALL, Layout, Peek, copy_locked, find_in, insert_in, pop_in, remove_in, set_value_in, validate, with_bounds,
};
use super::btree_map_guard::{BTreeMapReadGuard, BTreeMapWriteGuard};
use crate::Result;
use crate::containers::Container;
use crate::containers::values::key::{Lookup, StoreKey};
use crate::containers::values::ordered_key::OrderedKey;
use crate::containers::values::value::{Store, Value, take_locked, take_torn};
use crate::engine::{Object, ReadLock, Region, WriteLock};
use crate::raw::{ContainerKind, Descriptor, Owned, Search, detach};

/// An ordered map shared between processes; `std::collections::BTreeMap` with fallible, atomic calls.
///
/// ```
/// # fn main() -> commy::Result<()> {
/// # let path = std::env::temp_dir().join(format!("commy-doc-tree-{}", std::process::id()));
/// # let region = commy::Region::create(&path)?;
/// use commy::SharedBTreeMap;
///
/// let series: SharedBTreeMap<(u32, u64), f64> = region.object("series")?;
/// for second in 0..100u64 {
///     series.insert((7, second), second as f64)?;
/// }
/// let view = series.read()?;
/// let window: Vec<f64> = view.range((7, 10)..(7, 13)).map(|(_, value)| *value).collect();
/// assert_eq!(window, [10.0, 11.0, 12.0]);
/// assert_eq!(view.last_key_value().map(|(key, _)| *key), Some((7, 99)));
/// # drop(view);
/// # drop((series, region));
/// # commy::Region::remove(&path)
/// # }
/// ```
pub struct SharedBTreeMap<K, V> {
    object: Object,
    marker: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for SharedBTreeMap<K, V> {
    fn clone(&self) -> Self {
        SharedBTreeMap { object: self.object.clone(), marker: PhantomData }
    }
}

impl<K, V> std::fmt::Debug for SharedBTreeMap<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedBTreeMap")
    }
}

impl<K: OrderedKey, V: Value> Container for SharedBTreeMap<K, V> {
    type ReadGuard<'a> = BTreeMapReadGuard<'a, K, V>;
    type WriteGuard<'a> = BTreeMapWriteGuard<'a, K, V>;

    fn descriptor() -> Descriptor {
        let text = format!("SharedBTreeMap<{}, {}>", K::schema(), V::schema());
        Layout::<K, V>::descriptor(ContainerKind::BTreeMap, text)
    }

    fn from_object(object: Object) -> Self {
        SharedBTreeMap { object, marker: PhantomData }
    }

    fn object(&self) -> &Object {
        &self.object
    }

    fn validate(object: &Object) -> Result<()> {
        validate::<K, V>(object)
    }

    fn read_guard<'a>(lock: ReadLock<'a>) -> BTreeMapReadGuard<'a, K, V> {
        BTreeMapReadGuard::new(lock)
    }

    fn write_guard<'a>(lock: WriteLock<'a>) -> BTreeMapWriteGuard<'a, K, V> {
        BTreeMapWriteGuard::new(lock)
    }
}

impl<K: OrderedKey, V: Value> SharedBTreeMap<K, V> {
    /// Makes a map without a name. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    pub fn new_in(region: &Region) -> Result<Self> {
        region.anonymous()
    }

    fn peek(&self) -> Peek<'_, K, V> {
        Peek(&self.object, PhantomData)
    }

    /// Inserts or overwrites; returns the value that was there.
    ///
    /// # Errors
    /// `OutOfSpace`, `Timeout`, `Removed`, `ReadOnly`; `Deadlock` if this thread holds the map's write guard.
    ///
    /// # Crash
    /// The entry is there as a whole, or the map is as before.
    #[inline]
    pub fn insert(&self, key: impl StoreKey<K>, value: impl Store<V>) -> Result<Option<V>> {
        key.with_bytes(|bytes| self.object.change(|context, raw| insert_in::<K, V>(context, raw, bytes, &key, &value)))
    }

    /// A copy of the value of `key`. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    #[inline]
    pub fn get<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<Option<V>> {
        key.with_bytes(|bytes| {
            self.peek()
                .find(bytes, |attempt, space, position| take_torn(attempt, space, Layout::<K, V>::value(position)))
        })
    }

    /// Is the key there? Takes no lock.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn contains_key<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<bool> {
        key.with_bytes(|bytes| {
            let found = self.peek().find(bytes, |_, _, _| Some(Ok(())));
            Ok(found?.is_some())
        })
    }

    /// Takes a key out; returns its value.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// The entry is gone as a whole or there as a whole.
    pub fn remove<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<Option<V>> {
        key.with_bytes(|bytes| self.object.change(|context, raw| remove_in::<K, V>(context, raw, bytes)))
    }

    /// A copy of the entry with the least key. Takes no lock.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn first_key_value(&self) -> Result<Option<(K, V)>> {
        self.peek().outermost(false)
    }

    /// A copy of the entry with the greatest key. Takes no lock.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn last_key_value(&self) -> Result<Option<(K, V)>> {
        self.peek().outermost(true)
    }

    /// Takes the entry with the least key out.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`remove`](Self::remove).
    pub fn pop_first(&self) -> Result<Option<(K, V)>> {
        self.object.change(|context, raw| pop_in(context, raw, false))
    }

    /// Takes the entry with the greatest key out.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`remove`](Self::remove).
    pub fn pop_last(&self) -> Result<Option<(K, V)>> {
        self.object.change(|context, raw| pop_in(context, raw, true))
    }

    /// Copies of the entries in a range of keys, as they are at one moment. Takes no lock unless writers are in the way
    /// all the time. A range that ends before it begins has no entries.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn range<Q: Lookup<K> + ?Sized>(&self, range: impl RangeBounds<Q>) -> Result<Vec<(K, V)>> {
        with_bounds::<K, Q, _>(&range, |bounds| self.peek().range(bounds))
    }

    /// Number of entries. Takes no lock.
    ///
    /// # Errors
    /// `Timeout`, `Removed`.
    pub fn len(&self) -> Result<usize> {
        self.peek().len()
    }

    /// Has it no entries?
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Removes all entries and gives the memory back.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// All or none are gone.
    pub fn clear(&self) -> Result<()> {
        self.object.change(|context, raw| detach(context, raw, &Owned::words(Layout::<K, V>::OWNED)))
    }

    /// Inserts all entries as one change.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); then none of them is there.
    ///
    /// # Crash
    /// All or none are there.
    pub fn extend<A: StoreKey<K>, B: Store<V>>(&self, entries: impl IntoIterator<Item = (A, B)>) -> Result<()> {
        // User code runs before the lock is taken.
        let entries: Vec<(A, B)> = entries.into_iter().collect();
        self.object.change(|context, raw| {
            entries.iter().try_for_each(|(key, value)| {
                key.with_bytes(|bytes| insert_in::<K, V>(context, raw, bytes, key, value)).map(drop)
            })
        })
    }

    /// A copy of all entries, as they are at one moment.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn to_map(&self) -> Result<BTreeMap<K, V>> {
        if self.object.space().writable {
            return self.read()?.to_map();
        }
        Ok(self.peek().range(ALL)?.into_iter().collect())
    }

    /// Lends the entries; writers wait while the guard lives.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`; `ReadOnly` (a read-only mapping copies: [`get`](Self::get),
    /// [`range`](Self::range), [`to_map`](Self::to_map)).
    ///
    /// # Crash
    /// Writers that wait for a dead reader go on.
    pub fn read(&self) -> Result<BTreeMapReadGuard<'_, K, V>> {
        Ok(BTreeMapReadGuard::new(self.object.read()?))
    }

    /// Locks for a change of any size: atomic when the guard is dropped, undone by
    /// [`rollback`](BTreeMapWriteGuard::rollback) or a panic.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// Everything that was done through the guard is undone.
    pub fn write(&self) -> Result<BTreeMapWriteGuard<'_, K, V>> {
        Ok(BTreeMapWriteGuard::new(self.object.write()?))
    }
}

impl<K: OrderedKey, V: Value + Store<V>> SharedBTreeMap<K, V> {
    /// Changes the value of `key` by a function of it, as one atomic step. The function runs under the lock: it must be
    /// short and must not touch the map itself; a panic in it changes nothing. `None`: the key is not there.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn update<Q: Lookup<K> + ?Sized, R>(&self, key: &Q, change: impl FnOnce(&mut V) -> R) -> Result<Option<R>> {
        key.with_bytes(|bytes| {
            self.object.change(|context, raw| {
                let space = context.actor.space;
                let Search::Found(position) = find_in::<K, V>(space, raw, bytes)? else { return Ok(None) };
                let mut value: V = take_locked(space, Layout::<K, V>::value(&position))?;
                let result = change(&mut value);
                set_value_in::<K, V>(context, raw, &position, &value)?;
                Ok(Some(result))
            })
        })
    }
}

/// All entries of a tree that nobody changes.
pub(in crate::containers) fn to_map_in<K: OrderedKey, V: Value>(
    space: &crate::region::Space,
    raw: &crate::region::layout::RawHeader,
) -> Result<BTreeMap<K, V>> {
    let mut entries = Vec::new();
    copy_locked(space, raw, ALL, |key, value| entries.push((key, value)))?;
    Ok(entries.into_iter().collect())
}
