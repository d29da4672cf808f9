//! Guards of `SharedBTreeMap`.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};

use super::btree::{
    ALL, Bounds, Layout, copy_locked, damaged, erase_in, find_in, insert_in, outermost_in, pop_in, remove_in, walk,
    with_bounds,
};
use super::btree_map::to_map_in;
use super::btree_map_entry::{BTreeMapEntry, BTreeMapOccupiedEntry, BTreeMapVacantEntry};
use super::btree_map_iter::{BTreeMapIter, BTreeMapRange, BTreeMapRangeMut};
use super::btree_set::add_key_in;
use crate::containers::rows::vec_guard::Bomb;
use crate::containers::values::key::{Lookup, StoreKey};
use crate::containers::values::nested::view;
use crate::containers::values::ordered_key::OrderedKey;
use crate::containers::values::value::{Opened, Store, Value, take_locked};
use crate::engine::{ReadLock, WriteLock};
use crate::raw::{Ends, Owned, Position, Search, detach, room_ahead};
use crate::region::layout::RawHeader;
use crate::{Plain, Result};

/// Entries lent by a read guard.
pub struct BTreeMapReadGuard<'a, K, V> {
    lock: ReadLock<'a>,
    marker: PhantomData<(*mut (), K, V)>,
}

/// An ordered map that only the holder may change.
pub struct BTreeMapWriteGuard<'a, K, V> {
    pub(in crate::containers) lock: WriteLock<'a>,
    marker: PhantomData<(*mut (), K, V)>,
}

view! {
    /// A `BTreeMap` in a container, lent by a guard of that container.
    BTreeMapRef, [K: OrderedKey, V: Value], BTreeMapIter, (K::Ref<'a>, V::Ref<'a>)
}

/// What guards and views can do.
macro_rules! lend {
    ($guard:ident, $life:lifetime) => {
        impl<'a, K: OrderedKey, V: Value> $guard<'a, K, V> {
            #[inline(always)]
            pub(in crate::containers) fn find(&self, key: &[u8]) -> Option<Position> {
                match find_in::<K, V>(self.lock.space(), self.lock.raw(), key) {
                    Ok(Search::Found(position)) => Some(position),
                    _ => None,
                }
            }

            fn entry_at(&self, position: &Position) -> (K::Ref<$life>, V::Ref<$life>) {
                let space = self.lock.space();
                let (key, value) = (Layout::<K, V>::key(position), Layout::<K, V>::value(position));
                (K::lend(key.lend(space)), V::lend(value.lend(space)))
            }

            /// Number of entries.
            #[must_use]
            pub fn len(&self) -> usize {
                self.lock.raw().length() as usize
            }

            /// Has it no entries?
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// The value of `key`.
            #[must_use]
            #[inline]
            pub fn get<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Option<V::Ref<$life>> {
                let position = key.with_bytes(|bytes| self.find(bytes))?;
                Some(V::lend(Layout::<K, V>::value(&position).lend(self.lock.space())))
            }

            /// The key that is equal to `key`, and its value.
            #[must_use]
            pub fn get_key_value<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Option<(K::Ref<$life>, V::Ref<$life>)> {
                let position = key.with_bytes(|bytes| self.find(bytes))?;
                Some(self.entry_at(&position))
            }

            /// Is the key there?
            #[must_use]
            pub fn contains_key<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> bool {
                key.with_bytes(|bytes| self.find(bytes)).is_some()
            }

            /// The entry with the least key.
            #[must_use]
            pub fn first_key_value(&self) -> Option<(K::Ref<$life>, V::Ref<$life>)> {
                let position = outermost_in::<K, V>(self.lock.space(), self.lock.raw(), false).ok()??;
                Some(self.entry_at(&position))
            }

            /// The entry with the greatest key.
            #[must_use]
            pub fn last_key_value(&self) -> Option<(K::Ref<$life>, V::Ref<$life>)> {
                let position = outermost_in::<K, V>(self.lock.space(), self.lock.raw(), true).ok()??;
                Some(self.entry_at(&position))
            }

            /// All entries, in the order of their keys.
            #[must_use]
            pub fn iter(&self) -> BTreeMapIter<$life, K, V> {
                BTreeMapIter::new(self.lock.space(), self.lock.raw())
            }

            /// The entries in a range of keys. A range that ends before it begins has none.
            #[must_use]
            pub fn range<Q: Lookup<K> + ?Sized>(&self, range: impl RangeBounds<Q>) -> BTreeMapRange<$life, K, V> {
                with_bounds::<K, Q, _>(&range, |bounds| BTreeMapRange::new(self.lock.space(), self.lock.raw(), bounds))
            }

            /// All keys, in order.
            pub fn keys(&self) -> impl DoubleEndedIterator<Item = K::Ref<$life>> + ExactSizeIterator {
                self.iter().map(|(key, _)| key)
            }

            /// All values, in the order of their keys.
            pub fn values(&self) -> impl DoubleEndedIterator<Item = V::Ref<$life>> + ExactSizeIterator {
                self.iter().map(|(_, value)| value)
            }

            /// A copy of all entries, in the order of their keys.
            ///
            /// # Errors
            /// `Corrupt`.
            pub fn to_vec(&self) -> Result<Vec<(K, V)>> {
                let mut entries = Vec::with_capacity(room_ahead::<(K, V)>(self.lock.space(), self.len()));
                copy_locked(self.lock.space(), self.lock.raw(), ALL, |key, value| entries.push((key, value)))?;
                Ok(entries)
            }

            /// A copy of all entries.
            ///
            /// # Errors
            /// `Corrupt`.
            pub fn to_map(&self) -> Result<BTreeMap<K, V>> {
                to_map_in(self.lock.space(), self.lock.raw())
            }
        }

        impl<'g, K: OrderedKey, V: Value> IntoIterator for &'g $guard<'_, K, V> {
            type Item = (K::Ref<'g>, V::Ref<'g>);
            type IntoIter = BTreeMapIter<'g, K, V>;

            fn into_iter(self) -> BTreeMapIter<'g, K, V> {
                self.iter()
            }
        }

        impl<K: OrderedKey, V: Value + PartialEq> PartialEq<BTreeMap<K, V>> for $guard<'_, K, V> {
            /// Values are compared by copies.
            fn eq(&self, other: &BTreeMap<K, V>) -> bool {
                let space = self.lock.space();
                let Some(mut ends) = walk::<K, V>(space, self.lock.raw(), ALL) else { return false };
                let is_same = |(key, value): (&K, &V)| {
                    let Some(place) = ends.next(Layout::<K, V>::TREE) else { return false };
                    K::compare_lent(&K::lend(place.0.lend(space)), &key.as_lent()).is_eq()
                        && take_locked::<V>(space, place.1).is_ok_and(|lent| lent == *value)
                };
                self.len() == other.len() && other.iter().all(is_same)
            }
        }

        impl<K: OrderedKey, V: Value> PartialEq for $guard<'_, K, V>
        where
            for<'r> V::Ref<'r>: PartialEq,
        {
            fn eq(&self, other: &Self) -> bool {
                fn are_same<'s, K: OrderedKey, V: Value>(one: &'s $guard<'_, K, V>, other: &'s $guard<'_, K, V>) -> bool
                where
                    V::Ref<'s>: PartialEq,
                {
                    let is_same = |(a, b): ((K::Ref<'s>, V::Ref<'s>), (K::Ref<'s>, V::Ref<'s>))| {
                        K::compare_lent(&a.0, &b.0).is_eq() && a.1 == b.1
                    };
                    one.iter().zip(other.iter()).all(is_same)
                }
                self.len() == other.len() && are_same(self, other)
            }
        }

        impl<K: OrderedKey, V: Value> std::fmt::Debug for $guard<'_, K, V>
        where
            for<'r> K::Ref<'r>: std::fmt::Debug,
            for<'r> V::Ref<'r>: std::fmt::Debug,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_map().entries(self.iter()).finish()
            }
        }
    };
}
lend!(BTreeMapReadGuard, '_);
lend!(BTreeMapWriteGuard, '_);
lend!(BTreeMapRef, 'a);

impl<'a, K: OrderedKey, V: Value> BTreeMapReadGuard<'a, K, V> {
    pub(in crate::containers) fn new(lock: ReadLock<'a>) -> Self {
        BTreeMapReadGuard { lock, marker: PhantomData }
    }
}

impl<'a, K: OrderedKey, V: Value> BTreeMapWriteGuard<'a, K, V> {
    pub(in crate::containers) fn new(lock: WriteLock<'a>) -> Self {
        BTreeMapWriteGuard { lock, marker: PhantomData }
    }

    /// Inserts or overwrites; returns the value that was there.
    ///
    /// # Errors
    /// `OutOfSpace` (nothing has changed then), `RolledBack`.
    #[inline]
    pub fn insert(&mut self, key: impl StoreKey<K>, value: impl Store<V>) -> Result<Option<V>> {
        let raw = self.lock.raw();
        key.with_bytes(|bytes| self.lock.with(|context| insert_in::<K, V>(context, raw, bytes, &key, &value)))
    }

    /// Takes a key out; returns its value.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Result<Option<V>> {
        let raw = self.lock.raw();
        key.with_bytes(|bytes| self.lock.with(|context| remove_in::<K, V>(context, raw, bytes)))
    }

    /// Takes the entry with the least key out.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn pop_first(&mut self) -> Result<Option<(K, V)>> {
        let raw = self.lock.raw();
        self.lock.with(|context| pop_in(context, raw, false))
    }

    /// Takes the entry with the greatest key out.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn pop_last(&mut self) -> Result<Option<(K, V)>> {
        let raw = self.lock.raw();
        self.lock.with(|context| pop_in(context, raw, true))
    }

    /// Removes all entries.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn clear(&mut self) -> Result<()> {
        let raw = self.lock.raw();
        self.lock.with(|context| detach(context, raw, &Owned::words(Layout::<K, V>::OWNED)))
    }

    /// Inserts all entries.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end, because some are there and some are not.
    pub fn extend<A: StoreKey<K>, B: Store<V>>(&mut self, entries: impl IntoIterator<Item = (A, B)>) -> Result<()> {
        let raw = self.lock.raw();
        let bomb = Bomb(&self.lock);
        for (key, value) in entries {
            let insert =
                |bytes: &[u8]| self.lock.with(|context| insert_in::<K, V>(context, raw, bytes, &key, &value)).map(drop);
            StoreKey::with_bytes(&key, insert)?;
        }
        std::mem::forget(bomb);
        Ok(())
    }

    /// Keeps the entries for which `keep` says so, asked in the order of their keys. A panic in it undoes the whole
    /// guard.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end.
    pub fn retain(&mut self, mut keep: impl FnMut(K::Ref<'_>, V::Ref<'_>) -> bool) -> Result<()> {
        let bomb = Bomb(&self.lock);
        let mut last: Option<Vec<u8>> = None;
        loop {
            let start = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let Some(key) = self.next_refused((start, Bound::Unbounded), &mut keep)? else { break };
            self.lock.with(|context| remove_quietly::<K, V>(context, self.lock.raw(), &key))?;
            last = Some(key);
        }
        std::mem::forget(bomb);
        Ok(())
    }

    /// The first key of a range that `keep` does not want.
    fn next_refused(
        &self,
        bounds: Bounds<'_>,
        keep: &mut impl FnMut(K::Ref<'_>, V::Ref<'_>) -> bool,
    ) -> Result<Option<Vec<u8>>> {
        let space = self.lock.space();
        let Some(mut ends) = walk::<K, V>(space, self.lock.raw(), bounds) else { return Ok(None) };
        while let Some((key, value)) = ends.next(Layout::<K, V>::TREE) {
            if !keep(K::lend(key.lend(space)), V::lend(value.lend(space))) {
                return K::with_stored(space, key, <[u8]>::to_vec).map(Some);
            }
        }
        Ok(None)
    }

    /// Takes the entries from `key` on out and returns them.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end.
    pub fn split_off<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Result<BTreeMap<K, V>> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        let bomb = Bomb(&self.lock);
        let mut entries = Vec::new();
        key.with_bytes(|start| {
            let bounds = (Bound::Included(start), Bound::Unbounded);
            while let Some((key, value)) =
                walk::<K, V>(space, raw, bounds).and_then(|mut ends| ends.next_back(Layout::<K, V>::TREE))
            {
                entries.push((take_locked(space, key)?, take_locked(space, value)?));
                self.lock.with(|context| pop_in::<K, V>(context, raw, true))?;
            }
            Ok(())
        })?;
        std::mem::forget(bomb);
        Ok(entries.into_iter().collect())
    }

    /// Moves all entries of another map here; values of keys that are in both become the other's. Each of the two
    /// guards is a change of its own, unless both belong to one transaction.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); both guards are then rolled back at their end.
    pub fn append(&mut self, other: &mut BTreeMapWriteGuard<'_, K, V>) -> Result<()>
    where
        K: StoreKey<K>,
        V: Store<V>,
    {
        let bombs = (Bomb(&self.lock), Bomb(&other.lock));
        let raw = self.lock.raw();
        let mut ends = walk::<K, V>(other.lock.space(), other.lock.raw(), ALL);
        while let Some((key, value)) = ends.as_mut().and_then(|ends| ends.next(Layout::<K, V>::TREE)) {
            let (key, value): (K, V) = (take_locked(other.lock.space(), key)?, take_locked(other.lock.space(), value)?);
            StoreKey::with_bytes(&key, |bytes| {
                self.lock.with(|context| insert_in::<K, V>(context, raw, bytes, &key, &value)).map(drop)
            })?;
        }
        let raw = other.lock.raw();
        other.lock.with(|context| detach(context, raw, &Owned::words(Layout::<K, V>::OWNED)))?;
        std::mem::forget(bombs);
        Ok(())
    }

    /// The place of a key, to look at, fill or change.
    pub fn entry<'g, Q: StoreKey<K>>(&'g mut self, key: Q) -> BTreeMapEntry<'g, 'a, K, V, Q> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        match key.with_bytes(|bytes| find_in::<K, V>(space, raw, bytes)) {
            Ok(Search::Found(found)) => BTreeMapEntry::Occupied(BTreeMapOccupiedEntry { guard: self, found }),
            search => BTreeMapEntry::Vacant(BTreeMapVacantEntry { guard: self, key, search }),
        }
    }

    /// Undoes everything that was done through this guard.
    pub fn rollback(self) {
        self.lock.doom();
    }

    /// Lends the value at a position, to be changed in place.
    pub(in crate::containers) fn lend_value(&self, position: &Position) -> Result<V::Mut<'_>> {
        if !V::LOGS_ITSELF {
            let tree = Layout::<K, V>::tree(self.lock.space(), self.lock.raw());
            self.lock.with(|context| tree.open_value(context, position))?;
        }
        Ok(V::lend_mut(Opened::new(&self.lock, Layout::<K, V>::value(position))))
    }

    /// The value of `key`, to be changed in place. `None` also when the region has no room for the log; see
    /// [`try_get_mut`](Self::try_get_mut).
    pub fn get_mut<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Option<V::Mut<'_>> {
        self.try_get_mut(key).ok().flatten()
    }

    /// The value of `key`, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn try_get_mut<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Result<Option<V::Mut<'_>>> {
        let Some(found) = key.with_bytes(|bytes| self.find(bytes)) else { return Ok(None) };
        self.lend_value(&found).map(Some)
    }
}

impl<K: OrderedKey> BTreeMapWriteGuard<'_, K, ()> {
    /// Adds a key of a set; false: it is there.
    #[inline]
    pub(in crate::containers) fn add_key(&mut self, key: &impl StoreKey<K>) -> Result<bool> {
        let raw = self.lock.raw();
        key.with_bytes(|bytes| self.lock.with(|context| add_key_in::<K>(context, raw, bytes, key)))
    }
}

/// Takes a key out that is there, without a look at its value.
pub(in crate::containers) fn remove_quietly<K: OrderedKey, V: Value>(
    context: &mut crate::journal::Context,
    raw: &RawHeader,
    bytes: &[u8],
) -> Result<()> {
    match find_in::<K, V>(context.actor.space, raw, bytes)? {
        Search::Found(position) => erase_in::<K, V>(context, raw, &position, bytes),
        // A walk has met it, so a search would find it if keys were in order.
        _ => Err(damaged(raw)),
    }
}

impl<K: OrderedKey, V: Plain> BTreeMapWriteGuard<'_, K, V> {
    /// The entries in a range of keys, their values to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`: what may be changed is logged before it is lent. `RolledBack`.
    pub fn range_mut<Q: Lookup<K> + ?Sized>(
        &mut self,
        range: impl RangeBounds<Q>,
    ) -> Result<BTreeMapRangeMut<'_, K, V>> {
        with_bounds::<K, Q, _>(&range, |bounds| self.range_mut_of(bounds))
    }

    /// All entries, their values to be changed in place.
    ///
    /// # Errors
    /// As [`range_mut`](Self::range_mut).
    pub fn iter_mut(&mut self) -> Result<BTreeMapRangeMut<'_, K, V>> {
        self.range_mut_of(ALL)
    }

    /// All values, to be changed in place.
    ///
    /// # Errors
    /// As [`range_mut`](Self::range_mut).
    pub fn values_mut(&mut self) -> Result<impl DoubleEndedIterator<Item = &mut V>> {
        Ok(self.range_mut_of(ALL)?.map(|(_, value)| value))
    }

    fn range_mut_of(&mut self, bounds: Bounds<'_>) -> Result<BTreeMapRangeMut<'_, K, V>> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        let tree = Layout::<K, V>::tree(space, raw);
        let ends = walk::<K, V>(space, raw, bounds);
        let mut leaves = ends;
        while let Some(leaf) = leaves.as_mut().and_then(Ends::next_leaf) {
            self.lock.with(|context| tree.open_leaf(context, &leaf))?;
        }
        Ok(BTreeMapRangeMut::new(space, ends))
    }
}
