//! Guards of `SharedHashMap`.

use std::collections::HashMap;
use std::hash::Hash;
use std::marker::PhantomData;

use super::hash_map::{Layout, clear_in, erase_in, insert_in, is_in, remove_in};
use super::hash_map_entry::{Entry, OccupiedEntry, VacantEntry};
use crate::Result;
use crate::containers::rows::vec_guard::Bomb;
use crate::containers::values::key::{Key, Lookup, StoreKey};
use crate::containers::values::nested::view;
use crate::containers::values::value::{Opened, Store, Value, take_locked};
use crate::engine::{ReadLock, WriteLock};
use crate::raw::{FoundSlot, Place, Table, TableView, hash_bytes, room_ahead};
use crate::region::Space;
use crate::region::layout::RawHeader;

/// Entries lent by a read guard.
pub struct HashMapReadGuard<'a, K, V> {
    lock: ReadLock<'a>,
    /// Where the table is, as long as nobody writes.
    view: Option<TableView>,
    marker: PhantomData<(*mut (), K, V)>,
}

/// A map that only the holder may change.
pub struct HashMapWriteGuard<'a, K, V> {
    pub(in crate::containers) lock: WriteLock<'a>,
    marker: PhantomData<(*mut (), K, V)>,
}

view! {
    /// A `HashMap` in a container, lent by a guard of that container.
    HashMapRef, [K: Key, V: Value], Iter, (K::Ref<'a>, V::Ref<'a>)
}

/// Iterator over lent entries.
pub struct Iter<'g, K, V> {
    space: &'g Space,
    view: Option<TableView>,
    group: u64,
    left: u32,
    entries: usize,
    marker: PhantomData<(*mut (), &'g K, V)>,
}

impl<'g, K: Key, V: Value> Iter<'g, K, V> {
    pub(in crate::containers) fn new(space: &'g Space, raw: &'g RawHeader) -> Self {
        // A damaged table shows as an empty one rather than as a wild read.
        let view = TableView::read(space, raw, Layout::<K, V>::SLOT).ok().flatten();
        let left = view.map_or(0, |view| view.full_slots(0));
        Iter { space, view, group: 0, left, entries: raw.length() as usize, marker: PhantomData }
    }
}

impl<'g, K: Key, V: Value> Iterator for Iter<'g, K, V> {
    type Item = (K::Ref<'g>, V::Ref<'g>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let view = self.view?;
        while self.left == 0 {
            self.group += 1;
            if self.group >= view.groups() {
                self.view = None;
                return None;
            }
            self.left = view.full_slots(self.group);
        }
        let place = Place::in_table(&view, self.group, self.left.trailing_zeros());
        self.left &= self.left - 1;
        self.entries = self.entries.saturating_sub(1);
        let value = place.part(Layout::<K, V>::VALUE_AT);
        Some((K::lend(place.lend(self.space)), V::lend(value.lend(self.space))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.entries, Some(self.entries))
    }
}

/// What guards and views can do.
macro_rules! lend {
    ($guard:ident, $life:lifetime) => {
        impl<'a, K: Key, V: Value> $guard<'a, K, V> {
            #[inline(always)]
            pub(in crate::containers) fn find(&self, key: &[u8]) -> Option<FoundSlot> {
                let (space, hash) = (self.lock.space(), hash_bytes(self.lock.raw().seed(), key));
                self.view()?.find(hash, |slot| is_in::<K, V>(space, slot, key))
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
            #[inline(always)]
            pub fn get<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Option<V::Ref<$life>> {
                let found = key.with_bytes(|bytes| self.find(bytes))?;
                Some(V::lend(Place::of(&found).part(Layout::<K, V>::VALUE_AT).lend(self.lock.space())))
            }

            /// The key that is equal to `key`, and its value.
            #[must_use]
            pub fn get_key_value<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Option<(K::Ref<$life>, V::Ref<$life>)> {
                let place = Place::of(&key.with_bytes(|bytes| self.find(bytes))?);
                let (space, value) = (self.lock.space(), place.part(Layout::<K, V>::VALUE_AT));
                Some((K::lend(place.lend(space)), V::lend(value.lend(space))))
            }

            /// Entries that there is room for without growth.
            #[must_use]
            pub fn capacity(&self) -> usize {
                self.lock.raw().table_room() as usize
            }

            /// Is the key there?
            #[must_use]
            pub fn contains_key<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> bool {
                key.with_bytes(|bytes| self.find(bytes)).is_some()
            }

            /// All entries, in no particular order.
            #[must_use]
            pub fn iter(&self) -> Iter<$life, K, V> {
                Iter::new(self.lock.space(), self.lock.raw())
            }

            /// All keys.
            pub fn keys(&self) -> impl Iterator<Item = K::Ref<$life>> {
                self.iter().map(|(key, _)| key)
            }

            /// All values.
            pub fn values(&self) -> impl Iterator<Item = V::Ref<$life>> {
                self.iter().map(|(_, value)| value)
            }

            /// A copy of all entries.
            ///
            /// # Errors
            /// `Corrupt`.
            pub fn to_map(&self) -> Result<HashMap<K, V>>
            where
                K: Eq + Hash,
            {
                let (space, raw) = (self.lock.space(), self.lock.raw());
                let mut map = HashMap::with_capacity(room_ahead::<(K, V)>(space, self.len()));
                let Some(view) = TableView::read(space, raw, Layout::<K, V>::SLOT)? else { return Ok(map) };
                for group in 0..view.groups() {
                    let mut left = view.full_slots(group);
                    while left != 0 {
                        let place = Place::in_table(&view, group, left.trailing_zeros());
                        left &= left - 1;
                        let value = take_locked(space, place.part(Layout::<K, V>::VALUE_AT))?;
                        map.insert(take_locked(space, place)?, value);
                    }
                }
                Ok(map)
            }
        }

        impl<'g, K: Key, V: Value> IntoIterator for &'g $guard<'_, K, V> {
            type Item = (K::Ref<'g>, V::Ref<'g>);
            type IntoIter = Iter<'g, K, V>;

            fn into_iter(self) -> Iter<'g, K, V> {
                self.iter()
            }
        }

        impl<K: Key, V: Value + PartialEq, S> PartialEq<HashMap<K, V, S>> for $guard<'_, K, V> {
            /// Keys are compared by their bytes, values by copies.
            fn eq(&self, other: &HashMap<K, V, S>) -> bool {
                let is_same = |(key, value): (&K, &V)| {
                    let found = K::with_lent_bytes(&key.lent(), |bytes| self.find(bytes));
                    found.is_some_and(|found| {
                        let place = Place::of(&found).part(Layout::<K, V>::VALUE_AT);
                        take_locked::<V>(self.lock.space(), place).is_ok_and(|lent| lent == *value)
                    })
                };
                self.len() == other.len() && other.iter().all(is_same)
            }
        }

        impl<K: Key, V: Value> PartialEq for $guard<'_, K, V>
        where
            for<'r> V::Ref<'r>: PartialEq,
        {
            fn eq(&self, other: &Self) -> bool {
                fn are_same<'s, K: Key, V: Value>(one: &'s $guard<'_, K, V>, other: &'s $guard<'_, K, V>) -> bool
                where
                    V::Ref<'s>: PartialEq,
                {
                    one.iter().all(|(key, value)| {
                        let found = K::with_lent_bytes(&key, |bytes| other.find(bytes));
                        found.is_some_and(|found| {
                            let place = Place::of(&found).part(Layout::<K, V>::VALUE_AT);
                            V::lend(place.lend(other.lock.space())) == value
                        })
                    })
                }
                self.len() == other.len() && are_same(self, other)
            }
        }

        impl<K: Key, V: Value> std::fmt::Debug for $guard<'_, K, V>
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
lend!(HashMapReadGuard, '_);
lend!(HashMapWriteGuard, '_);
lend!(HashMapRef, 'a);

impl<'a, K: Key, V: Value> HashMapReadGuard<'a, K, V> {
    pub(in crate::containers) fn new(lock: ReadLock<'a>) -> Self {
        let view = TableView::read(lock.space(), lock.raw(), Layout::<K, V>::SLOT).ok().flatten();
        HashMapReadGuard { lock, view, marker: PhantomData }
    }

    #[inline(always)]
    fn view(&self) -> Option<TableView> {
        self.view.map(|view| view.with_slot_size(Layout::<K, V>::SLOT))
    }
}

impl<K: Key, V: Value> HashMapRef<'_, K, V> {
    #[inline(always)]
    fn view(&self) -> Option<TableView> {
        TableView::read(self.lock.space(), self.lock.raw(), Layout::<K, V>::SLOT).ok().flatten()
    }
}

impl<'a, K: Key, V: Value> HashMapWriteGuard<'a, K, V> {
    pub(in crate::containers) fn new(lock: WriteLock<'a>) -> Self {
        HashMapWriteGuard { lock, marker: PhantomData }
    }

    #[inline(always)]
    fn view(&self) -> Option<TableView> {
        TableView::read(self.lock.space(), self.lock.raw(), Layout::<K, V>::SLOT).ok().flatten()
    }

    /// Inserts or overwrites; returns the value that was there.
    ///
    /// # Errors
    /// `OutOfSpace` (nothing has changed then), `RolledBack`.
    #[inline]
    pub fn insert(&mut self, key: impl StoreKey<K>, value: impl Store<V>) -> Result<Option<V>> {
        let raw = self.lock.raw();
        self.lock.with(|context| insert_in::<K, V>(context, raw, &key, &value))
    }

    /// Takes a key out; returns its value.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Result<Option<V>> {
        let raw = self.lock.raw();
        key.with_bytes(|bytes| self.lock.with(|context| remove_in::<K, V>(context, raw, bytes)))
    }

    /// Removes all entries.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn clear(&mut self) -> Result<()> {
        let raw = self.lock.raw();
        self.lock.with(|context| clear_in::<K, V>(context, raw))
    }

    /// Inserts all entries.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end, because some are there and some are not.
    pub fn extend<A: StoreKey<K>, B: Store<V>>(&mut self, entries: impl IntoIterator<Item = (A, B)>) -> Result<()> {
        let raw = self.lock.raw();
        let bomb = Bomb(&self.lock);
        for (key, value) in entries {
            self.lock.with(|context| insert_in::<K, V>(context, raw, &key, &value))?;
        }
        std::mem::forget(bomb);
        Ok(())
    }

    /// Makes room for `more` entries.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn reserve(&mut self, more: usize) -> Result<()> {
        let raw = self.lock.raw();
        self.lock.with(|context| Table::new(context.actor.space, raw, Layout::<K, V>::SLOT).grow(context, more as u64))
    }

    /// Keeps the entries for which `keep` says so. A panic in it undoes the whole guard.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end.
    pub fn retain(&mut self, mut keep: impl FnMut(K::Ref<'_>, V::Ref<'_>) -> bool) -> Result<()> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        let bomb = Bomb(&self.lock);
        if let Some(view) = TableView::read(space, raw, Layout::<K, V>::SLOT)? {
            for group in 0..view.groups() {
                let mut left = view.full_slots(group);
                while left != 0 {
                    let index = left.trailing_zeros();
                    left &= left - 1;
                    let place = Place::in_table(&view, group, index);
                    let value = place.part(Layout::<K, V>::VALUE_AT);
                    if !keep(K::lend(place.lend(space)), V::lend(value.lend(space))) {
                        let found = view.found_at(group, index);
                        self.lock.with(|context| erase_in::<K, V>(context, raw, found))?;
                    }
                }
            }
        }
        std::mem::forget(bomb);
        Ok(())
    }

    /// The place of a key, to look at, fill or change.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn entry<'g, Q: StoreKey<K>>(&'g mut self, key: Q) -> Entry<'g, 'a, K, V, Q> {
        match key.with_bytes(|bytes| self.find(bytes)) {
            Some(found) => Entry::Occupied(OccupiedEntry { guard: self, found }),
            None => Entry::Vacant(VacantEntry { guard: self, key }),
        }
    }

    /// Undoes everything that was done through this guard.
    pub fn rollback(self) {
        self.lock.doom();
    }

    /// Lends the value of a slot, to be changed in place.
    pub(super) fn lend_value(&self, found: &FoundSlot) -> Result<V::Mut<'_>> {
        let at = Layout::<K, V>::VALUE_AT;
        if !V::LOGS_ITSELF {
            let table = Table::new(self.lock.space(), self.lock.raw(), Layout::<K, V>::SLOT);
            let len = size_of::<V::Repr>() as u64;
            self.lock.with(|context| table.open_slot(context, found, at as u64, len))?;
        }
        Ok(V::lend_mut(Opened::new(&self.lock, Place::of(found).part(at))))
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
