//! Calls on a hash set that are about all of its keys, and look-ups that add.

use super::hash_map::{add_in, erase_in, find_in};
use super::hash_map_whole::{Slots, copies, shrink_in};
use super::hash_set::SharedHashSet;
use super::hash_set_guard::HashSetWriteGuard;
use crate::Result;
use crate::containers::Container;
use crate::containers::rows::vec_guard::Bomb;
use crate::containers::values::key::{Key, StoreKey};
use crate::containers::values::value::take_locked;
use crate::engine::Region;
use crate::raw::Place;

impl<K: Key> SharedHashSet<K> {
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

    /// Makes a set without a name that has room for `capacity` keys.
    ///
    /// # Errors
    /// As [`from_iter_in`](Self::from_iter_in).
    ///
    /// # Crash
    /// As [`from_iter_in`](Self::from_iter_in).
    pub fn with_capacity_in(region: &Region, capacity: usize) -> Result<Self> {
        let set = Self::new_in(region)?;
        set.reserve(capacity)?;
        Ok(set)
    }

    /// Copies of all keys, as they are at one moment, in no particular order.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn to_vec(&self) -> Result<Vec<K>> {
        copies::<K, (), K>(self.object(), take_locked, |reader, place| reader.value(place))
    }

    /// Keys that there is room for without growth. Takes no lock.
    ///
    /// # Errors
    /// `Timeout`, `Removed`.
    pub fn capacity(&self) -> Result<usize> {
        self.object().peek(|_, raw| Some(Ok(raw.table_room() as usize)))
    }

    /// Gives back memory that the present keys do not need.
    ///
    /// # Errors
    /// As [`insert`](Self::insert): keys move to a smaller block, which must be got first.
    ///
    /// # Crash
    /// The keys are the same; the memory is given back or not.
    pub fn shrink_to_fit(&self) -> Result<()> {
        self.shrink_to(0)
    }

    /// As [`shrink_to_fit`](Self::shrink_to_fit), but leaves room for `capacity` keys if there is so much.
    ///
    /// # Errors
    /// As [`shrink_to_fit`](Self::shrink_to_fit).
    ///
    /// # Crash
    /// As [`shrink_to_fit`](Self::shrink_to_fit).
    pub fn shrink_to(&self, capacity: usize) -> Result<()> {
        self.object().change(|context, raw| shrink_in::<K, ()>(context, raw, capacity))
    }

    /// Keeps the keys for which `keep` says so, as one atomic step. It runs under the set's lock; a panic in it changes
    /// nothing.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); nothing has changed then.
    ///
    /// # Crash
    /// All that were not kept are gone, or none.
    pub fn retain(&self, keep: impl FnMut(K::Ref<'_>) -> bool) -> Result<()> {
        self.write()?.retain(keep)
    }

    /// Takes all keys, as one atomic step.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// All or none are gone.
    pub fn drain(&self) -> Result<Vec<K>> {
        self.write()?.drain()
    }

    /// Takes the keys for which `which` says so, as one atomic step. It runs under the set's lock; a panic in it changes
    /// nothing.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); nothing has changed then.
    ///
    /// # Crash
    /// All that were chosen are gone, or none.
    pub fn extract_if(&self, which: impl FnMut(K::Ref<'_>) -> bool) -> Result<Vec<K>> {
        self.write()?.extract_if(which)
    }
}

impl<K: Key> HashSetWriteGuard<'_, K> {
    /// Takes the keys for which `which` says so. A panic in it undoes the whole guard.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end.
    pub fn extract_if(&mut self, mut which: impl FnMut(K::Ref<'_>) -> bool) -> Result<Vec<K>> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        let bomb = Bomb(&self.lock);
        let mut keys = Vec::new();
        for (view, group, index) in Slots::of::<K, ()>(space, raw)? {
            let place = Place::in_table(&view, group, index);
            if which(K::lend(place.lend(space))) {
                keys.push(take_locked(space, place)?);
                self.lock.with(|context| erase_in::<K, ()>(context, raw, view.found_at(group, index)))?;
            }
        }
        std::mem::forget(bomb);
        Ok(keys)
    }

    /// The key of the set that is equal to `key`, which is added if there is none.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn get_or_insert(&mut self, key: impl StoreKey<K>) -> Result<K::Ref<'_>> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        let found = StoreKey::with_bytes(&key, |bytes| match find_in::<K, ()>(space, raw, bytes)? {
            Some((_, found)) => Ok(found),
            None => self.lock.with(|context| add_in::<K, ()>(context, raw, bytes, &key, &())),
        })?;
        Ok(K::lend(Place::of(&found).lend(space)))
    }

    /// Gives back memory that the present keys do not need.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn shrink_to_fit(&mut self) -> Result<()> {
        self.shrink_to(0)
    }

    /// As [`shrink_to_fit`](Self::shrink_to_fit), but leaves room for `capacity` keys if there is so much.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn shrink_to(&mut self, capacity: usize) -> Result<()> {
        let raw = self.lock.raw();
        self.lock.with(|context| shrink_in::<K, ()>(context, raw, capacity))
    }
}
