//! Calls on an ordered map that are about many or all of its entries.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::Bound;

use super::btree::{ALL, Layout, Peek, copy_locked, walk};
use super::btree_map::SharedBTreeMap;
use super::btree_map_guard::{BTreeMapWriteGuard, remove_quietly};
use crate::containers::Container;
use crate::containers::rows::vec_guard::Bomb;
use crate::containers::values::key::{Lookup, StoreKey};
use crate::containers::values::ordered_key::OrderedKey;
use crate::containers::values::value::{Store, Value, take_locked};
use crate::engine::Region;
use crate::raw::Place;
use crate::{Plain, Result};

impl<K: OrderedKey, V: Value> SharedBTreeMap<K, V> {
    /// Makes a map without a name that has these entries. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    ///
    /// # Crash
    /// Whoever notices that this process is dead frees it.
    pub fn from_iter_in<A: StoreKey<K>, B: Store<V>>(
        region: &Region,
        entries: impl IntoIterator<Item = (A, B)>,
    ) -> Result<Self> {
        let map = Self::new_in(region)?;
        map.extend(entries)?;
        Ok(map)
    }

    /// Copies of all entries, as they are at one moment, in the order of their keys.
    ///
    /// # Errors
    /// As [`to_map`](Self::to_map).
    pub fn to_vec(&self) -> Result<Vec<(K, V)>> {
        self.copies(|key, value| (key, value))
    }

    /// Copies of all keys, as they are at one moment, in order.
    ///
    /// # Errors
    /// As [`to_map`](Self::to_map).
    pub fn keys(&self) -> Result<Vec<K>> {
        self.copies(|key, _| key)
    }

    /// Copies of all values, as they are at one moment, in the order of their keys.
    ///
    /// # Errors
    /// As [`to_map`](Self::to_map).
    pub fn values(&self) -> Result<Vec<V>> {
        self.copies(|_, value| value)
    }

    fn copies<R>(&self, of: impl Fn(K, V) -> R) -> Result<Vec<R>> {
        let object = self.object();
        if !object.space().writable {
            let entries = Peek::<K, V>(object, PhantomData).range(ALL)?;
            return Ok(entries.into_iter().map(|(key, value)| of(key, value)).collect());
        }
        let lock = object.read()?;
        let mut copies = Vec::new();
        copy_locked::<K, V>(object.space(), lock.raw(), ALL, |key, value| copies.push(of(key, value)))?;
        Ok(copies)
    }

    /// Keeps the entries for which `keep` says so, as one atomic step. It is asked in the order of the keys, under the
    /// map's lock; a panic in it changes nothing.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); nothing has changed then.
    ///
    /// # Crash
    /// All that were not kept are gone, or none.
    pub fn retain(&self, keep: impl FnMut(K::Ref<'_>, V::Ref<'_>) -> bool) -> Result<()> {
        self.write()?.retain(keep)
    }

    /// Takes all entries, as one atomic step; they come in the order of their keys.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// All or none are gone.
    pub fn drain(&self) -> Result<Vec<(K, V)>> {
        self.write()?.drain()
    }

    /// Takes the entries for which `which` says so, as one atomic step. It is asked in the order of the keys, under the
    /// map's lock; a panic in it changes nothing.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); nothing has changed then.
    ///
    /// # Crash
    /// All that were chosen are gone, or none.
    pub fn extract_if(&self, which: impl FnMut(K::Ref<'_>, V::Ref<'_>) -> bool) -> Result<Vec<(K, V)>> {
        self.write()?.extract_if(which)
    }

    /// Takes the entries from `key` on out, as one atomic step, and returns them.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); nothing has changed then.
    ///
    /// # Crash
    /// All of them are gone, or none.
    pub fn split_off<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<BTreeMap<K, V>> {
        self.write()?.split_off(key)
    }
}

impl<K: OrderedKey, V: Value> BTreeMapWriteGuard<'_, K, V> {
    /// Takes all entries; they come in the order of their keys.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn drain(&mut self) -> Result<Vec<(K, V)>> {
        let entries = self.to_vec()?;
        self.clear()?;
        Ok(entries)
    }

    /// Takes the entries for which `which` says so, asked in the order of the keys. A panic in it undoes the whole guard.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end.
    pub fn extract_if(&mut self, mut which: impl FnMut(K::Ref<'_>, V::Ref<'_>) -> bool) -> Result<Vec<(K, V)>> {
        let space = self.lock.space();
        let mut entries = Vec::new();
        self.remove_where(|key, value| {
            if !which(K::lend(key.lend(space)), V::lend(value.lend(space))) {
                return Ok(false);
            }
            entries.push((take_locked(space, key)?, take_locked(space, value)?));
            Ok(true)
        })?;
        Ok(entries)
    }

    /// Takes the entries out for whose places `is_unwanted` says so. A panic or an error in it undoes the whole guard.
    fn remove_where(&mut self, mut is_unwanted: impl FnMut(Place, Place) -> Result<bool>) -> Result<()> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        let bomb = Bomb(&self.lock);
        let mut last: Option<Vec<u8>> = None;
        loop {
            let start = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut ends = walk::<K, V>(space, raw, (start, Bound::Unbounded));
            let unwanted = loop {
                let Some((key, value)) = ends.as_mut().and_then(|ends| ends.next(Layout::<K, V>::TREE)) else {
                    break None;
                };
                if is_unwanted(key, value)? {
                    break Some(K::with_stored(space, key, <[u8]>::to_vec)?);
                }
            };
            let Some(key) = unwanted else { break };
            self.lock.with(|context| remove_quietly::<K, V>(context, raw, &key))?;
            last = Some(key);
        }
        std::mem::forget(bomb);
        Ok(())
    }
}

impl<K: OrderedKey, V: Plain> BTreeMapWriteGuard<'_, K, V> {
    /// Keeps the entries for which `keep` says so, asked in the order of the keys; it may change the values. A panic in it
    /// undoes the whole guard.
    ///
    /// # Errors
    /// As [`iter_mut`](Self::iter_mut); the guard is then rolled back at its end.
    pub fn retain_mut(&mut self, mut keep: impl FnMut(K::Ref<'_>, &mut V) -> bool) -> Result<()> {
        let space = self.lock.space();
        // Logs all leaves.
        self.iter_mut()?;
        self.remove_where(|key, value| Ok(!keep(K::lend(key.lend(space)), value.lend_mut())))
    }
}
