//! Calls on an ordered set that return keys of it, and those about many or all of its keys.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use super::btree::{ALL, Layout, Peek, add_in, copy_locked, find_in};
use super::btree_set::SharedBTreeSet;
use super::btree_set_guard::BTreeSetWriteGuard;
use crate::Result;
use crate::containers::Container;
use crate::containers::values::key::{Lookup, StoreKey};
use crate::containers::values::ordered_key::OrderedKey;
use crate::containers::values::value::{take_locked, take_torn};
use crate::engine::Region;
use crate::raw::Search;

impl<K: OrderedKey> SharedBTreeSet<K> {
    /// Makes a set without a name that has these keys. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    ///
    /// # Crash
    /// Whoever notices that this process is dead frees it.
    pub fn from_iter_in<A: StoreKey<K>>(region: &Region, keys: impl IntoIterator<Item = A>) -> Result<Self> {
        let set = Self::new_in(region)?;
        set.extend(keys)?;
        Ok(set)
    }

    /// A copy of the key that is there and equal. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn get<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<Option<K>> {
        let peek = Peek::<K, ()>(self.object(), PhantomData);
        key.with_bytes(|bytes| {
            peek.find(bytes, |attempt, space, position| take_torn(attempt, space, Layout::<K, ()>::key(position)))
        })
    }

    /// Takes a key out and returns it.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`remove`](Self::remove).
    pub fn take<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<Option<K>> {
        self.write()?.take(key)
    }

    /// Adds a key; returns the equal one that was there.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`insert`](Self::insert).
    pub fn replace(&self, key: impl StoreKey<K>) -> Result<Option<K>> {
        self.write()?.replace(key)
    }

    /// Copies of all keys, as they are at one moment, in order.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn to_vec(&self) -> Result<Vec<K>> {
        let object = self.object();
        if !object.space().writable {
            let entries = Peek::<K, ()>(object, PhantomData).range(ALL)?;
            return Ok(entries.into_iter().map(|(key, ())| key).collect());
        }
        let lock = object.read()?;
        let mut keys = Vec::new();
        copy_locked::<K, ()>(object.space(), lock.raw(), ALL, |key, ()| keys.push(key))?;
        Ok(keys)
    }

    /// Keeps the keys for which `keep` says so, as one atomic step. It is asked in order, under the set's lock; a panic in
    /// it changes nothing.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); nothing has changed then.
    ///
    /// # Crash
    /// All that were not kept are gone, or none.
    pub fn retain(&self, keep: impl FnMut(K::Ref<'_>) -> bool) -> Result<()> {
        self.write()?.retain(keep)
    }

    /// Takes all keys, as one atomic step; they come in order.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// All or none are gone.
    pub fn drain(&self) -> Result<Vec<K>> {
        self.write()?.drain()
    }

    /// Takes the keys for which `which` says so, as one atomic step. It is asked in order, under the set's lock; a panic in
    /// it changes nothing.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); nothing has changed then.
    ///
    /// # Crash
    /// All that were chosen are gone, or none.
    pub fn extract_if(&self, which: impl FnMut(K::Ref<'_>) -> bool) -> Result<Vec<K>> {
        self.write()?.extract_if(which)
    }

    /// Takes the keys from `key` on out, as one atomic step, and returns them.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); nothing has changed then.
    ///
    /// # Crash
    /// All of them are gone, or none.
    pub fn split_off<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<BTreeSet<K>> {
        self.write()?.split_off(key)
    }

    /// The keys of both sets; each set as it is at one moment. Without a copy: guards, or a transaction.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn union(&self, other: &SharedBTreeSet<K>) -> Result<BTreeSet<K>> {
        let mut keys = self.to_set()?;
        keys.extend(other.to_vec()?);
        Ok(keys)
    }

    /// The keys that both sets have; each set as it is at one moment.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn intersection(&self, other: &SharedBTreeSet<K>) -> Result<BTreeSet<K>> {
        let (mut keys, others) = (self.to_set()?, other.to_set()?);
        keys.retain(|key| others.contains(key));
        Ok(keys)
    }

    /// The keys of this set that the other one has not; each set as it is at one moment.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn difference(&self, other: &SharedBTreeSet<K>) -> Result<BTreeSet<K>> {
        let (mut keys, others) = (self.to_set()?, other.to_set()?);
        keys.retain(|key| !others.contains(key));
        Ok(keys)
    }

    /// The keys that one of the sets has and the other one has not; each set as it is at one moment.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn symmetric_difference(&self, other: &SharedBTreeSet<K>) -> Result<BTreeSet<K>> {
        let (mut keys, others) = (self.to_set()?, other.to_vec()?);
        for key in others {
            if !keys.remove(&key) {
                keys.insert(key);
            }
        }
        Ok(keys)
    }

    /// Has the other set all keys of this one? Each set as it is at one moment.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn is_subset(&self, other: &SharedBTreeSet<K>) -> Result<bool> {
        Ok(self.to_set()?.is_subset(&other.to_set()?))
    }

    /// Has this set all keys of the other one? Each set as it is at one moment.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn is_superset(&self, other: &SharedBTreeSet<K>) -> Result<bool> {
        other.is_subset(self)
    }

    /// Have the two sets no key in common? Each set as it is at one moment.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn is_disjoint(&self, other: &SharedBTreeSet<K>) -> Result<bool> {
        Ok(self.to_set()?.is_disjoint(&other.to_set()?))
    }
}

impl<K: OrderedKey> BTreeSetWriteGuard<'_, K> {
    /// Takes a key out and returns it.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn take<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Result<Option<K>> {
        Ok(self.map.remove_entry(key)?.map(|(key, ())| key))
    }

    /// Adds a key; returns the equal one that was there.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn replace(&mut self, key: impl StoreKey<K>) -> Result<Option<K>> {
        let (space, raw) = (self.map.lock.space(), self.map.lock.raw());
        StoreKey::with_bytes(&key, |bytes| match find_in::<K, ()>(space, raw, bytes)? {
            // Keys are equal if their bytes are: there is nothing to replace it by.
            Search::Found(found) => take_locked(space, Layout::<K, ()>::key(&found)).map(Some),
            search => {
                self.map.lock.with(|context| add_in::<K, ()>(context, raw, &search, bytes, &key, &()))?;
                Ok(None)
            }
        })
    }

    /// The key of the set that is equal to `key`, which is added if there is none.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn get_or_insert(&mut self, key: impl StoreKey<K>) -> Result<K::Ref<'_>> {
        let found = self.map.find_or_add(key, || ())?;
        Ok(K::lend(Layout::<K, ()>::key(&found).lend(self.map.lock.space())))
    }

    /// Takes all keys; they come in order.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn drain(&mut self) -> Result<Vec<K>> {
        let keys = self.to_vec()?;
        self.clear()?;
        Ok(keys)
    }

    /// Takes the keys for which `which` says so, asked in order. A panic in it undoes the whole guard.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end.
    pub fn extract_if(&mut self, mut which: impl FnMut(K::Ref<'_>) -> bool) -> Result<Vec<K>> {
        Ok(self.map.extract_if(|key, _| which(key))?.into_iter().map(|(key, ())| key).collect())
    }
}
