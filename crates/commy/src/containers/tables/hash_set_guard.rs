//! Guards of `SharedHashSet`, and what sets do with each other.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;

use super::hash_map::{Layout, clear_in, erase_in, find_in};
use super::hash_map_guard::Iter;
use super::hash_set::{insert_in, remove_in, replace_in, take_in};
use crate::Result;
use crate::containers::rows::vec_guard::Bomb;
use crate::containers::values::key::{Key, Lookup, StoreKey};
use crate::containers::values::nested::view;
use crate::containers::values::value::take_locked;
use crate::engine::{ReadLock, WriteLock};
use crate::raw::{Place, Table, TableView, room_ahead};

/// Keys lent by a read guard.
pub struct HashSetReadGuard<'a, K> {
    lock: ReadLock<'a>,
    marker: PhantomData<(*mut (), K)>,
}

/// A set that only the holder may change.
pub struct HashSetWriteGuard<'a, K> {
    pub(in crate::containers) lock: WriteLock<'a>,
    marker: PhantomData<(*mut (), K)>,
}

view! {
    /// A `HashSet` in a container, lent by a guard of that container.
    HashSetRef, [K: Key], SetIter, K::Ref<'a>
}

/// Iterator over lent keys.
pub struct SetIter<'g, K>(Iter<'g, K, ()>);

impl<'g, K: Key> Iterator for SetIter<'g, K> {
    type Item = K::Ref<'g>;

    #[inline]
    fn next(&mut self) -> Option<K::Ref<'g>> {
        self.0.next().map(|(key, _)| key)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// A set that a guard can be compared and combined with: another guard of a [`SharedHashSet`](crate::SharedHashSet), or a
/// `std::collections::HashSet`.
pub trait SetLike<K: Key> {
    /// Is the lent key in it?
    #[doc(hidden)]
    fn has(&self, key: &K::Ref<'_>) -> bool;
    /// All keys.
    #[doc(hidden)]
    fn all(&self) -> impl Iterator<Item = K::Ref<'_>>;
    /// How many.
    #[doc(hidden)]
    fn count(&self) -> usize;
}

impl<K: Key + Eq + Hash, S: BuildHasher> SetLike<K> for HashSet<K, S> {
    fn has(&self, key: &K::Ref<'_>) -> bool {
        K::is_in(key, self)
    }

    fn all(&self) -> impl Iterator<Item = K::Ref<'_>> {
        self.iter().map(K::lent)
    }

    fn count(&self) -> usize {
        self.len()
    }
}

/// What guards and views can do.
macro_rules! lend {
    ($guard:ident, $life:lifetime) => {
        impl<K: Key> SetLike<K> for $guard<'_, K> {
            fn has(&self, key: &K::Ref<'_>) -> bool {
                K::with_lent_bytes(key, |bytes| self.has_bytes(bytes))
            }

            fn all(&self) -> impl Iterator<Item = K::Ref<'_>> {
                self.iter()
            }

            fn count(&self) -> usize {
                self.len()
            }
        }

        impl<'a, K: Key> $guard<'a, K> {
            fn has_bytes(&self, key: &[u8]) -> bool {
                find_in::<K, ()>(self.lock.space(), self.lock.raw(), key).is_ok_and(|found| found.is_some())
            }

            /// Number of keys.
            #[must_use]
            pub fn len(&self) -> usize {
                self.lock.raw().length() as usize
            }

            /// Has it no keys?
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Keys that there is room for without growth.
            #[must_use]
            pub fn capacity(&self) -> usize {
                self.lock.raw().table_room() as usize
            }

            /// Is the key there?
            #[must_use]
            pub fn contains<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> bool {
                key.with_bytes(|bytes| self.has_bytes(bytes))
            }

            /// The key that is there and equal.
            #[must_use]
            pub fn get<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Option<K::Ref<$life>> {
                let (space, raw) = (self.lock.space(), self.lock.raw());
                let found = key.with_bytes(|bytes| find_in::<K, ()>(space, raw, bytes)).ok().flatten();
                found.map(|(_, found)| K::lend(Place::of(&found).lend(space)))
            }

            /// All keys, in no particular order.
            #[must_use]
            pub fn iter(&self) -> SetIter<$life, K> {
                SetIter(Iter::new(self.lock.space(), self.lock.raw()))
            }

            /// A copy of all keys.
            ///
            /// # Errors
            /// `Corrupt`.
            pub fn to_set(&self) -> Result<HashSet<K>>
            where
                K: Eq + Hash,
            {
                let (space, raw) = (self.lock.space(), self.lock.raw());
                let mut set = HashSet::with_capacity(room_ahead::<K>(space, self.len()));
                let Some(view) = TableView::read(space, raw, Layout::<K, ()>::SLOT)? else { return Ok(set) };
                for group in 0..view.groups() {
                    let mut left = view.full_slots(group);
                    while left != 0 {
                        let place = Place::in_table(&view, group, left.trailing_zeros());
                        left &= left - 1;
                        set.insert(take_locked(space, place)?);
                    }
                }
                Ok(set)
            }

            /// The keys of both sets, each once.
            pub fn union<'s>(&'s self, other: &'s impl SetLike<K>) -> impl Iterator<Item = K::Ref<'s>> {
                self.iter().chain(other.all().filter(|key| !self.has(key)))
            }

            /// The keys that both sets have.
            pub fn intersection<'s>(&'s self, other: &'s impl SetLike<K>) -> impl Iterator<Item = K::Ref<'s>> {
                self.iter().filter(|key| other.has(key))
            }

            /// The keys of this set that the other one has not.
            pub fn difference<'s>(&'s self, other: &'s impl SetLike<K>) -> impl Iterator<Item = K::Ref<'s>> {
                self.iter().filter(|key| !other.has(key))
            }

            /// The keys that one of the sets has and the other one has not.
            pub fn symmetric_difference<'s>(&'s self, other: &'s impl SetLike<K>) -> impl Iterator<Item = K::Ref<'s>> {
                self.difference(other).chain(other.all().filter(|key| !self.has(key)))
            }

            /// Has the other set all keys of this one?
            #[must_use]
            pub fn is_subset(&self, other: &impl SetLike<K>) -> bool {
                self.len() <= other.count() && self.iter().all(|key| other.has(&key))
            }

            /// Has this set all keys of the other one?
            #[must_use]
            pub fn is_superset(&self, other: &impl SetLike<K>) -> bool {
                other.count() <= self.len() && other.all().all(|key| self.has(&key))
            }

            /// Have the two sets no key in common?
            #[must_use]
            pub fn is_disjoint(&self, other: &impl SetLike<K>) -> bool {
                !self.iter().any(|key| other.has(&key))
            }
        }

        impl<'g, K: Key> IntoIterator for &'g $guard<'_, K> {
            type Item = K::Ref<'g>;
            type IntoIter = SetIter<'g, K>;

            fn into_iter(self) -> SetIter<'g, K> {
                self.iter()
            }
        }

        impl<K: Key, S: SetLike<K>> PartialEq<S> for $guard<'_, K> {
            /// Keys are compared by their bytes.
            fn eq(&self, other: &S) -> bool {
                self.len() == other.count() && self.iter().all(|key| other.has(&key))
            }
        }

        impl<K: Key> std::fmt::Debug for $guard<'_, K>
        where
            for<'r> K::Ref<'r>: std::fmt::Debug,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_set().entries(self.iter()).finish()
            }
        }
    };
}
lend!(HashSetReadGuard, '_);
lend!(HashSetWriteGuard, '_);
lend!(HashSetRef, 'a);

impl<'a, K: Key> HashSetReadGuard<'a, K> {
    pub(in crate::containers) fn new(lock: ReadLock<'a>) -> Self {
        HashSetReadGuard { lock, marker: PhantomData }
    }
}

impl<'a, K: Key> HashSetWriteGuard<'a, K> {
    pub(in crate::containers) fn new(lock: WriteLock<'a>) -> Self {
        HashSetWriteGuard { lock, marker: PhantomData }
    }

    /// Adds a key; `Ok(false)`: it was there already.
    ///
    /// # Errors
    /// `OutOfSpace` (nothing has changed then), `RolledBack`.
    #[inline]
    pub fn insert(&mut self, key: impl StoreKey<K>) -> Result<bool> {
        let raw = self.lock.raw();
        self.lock.with(|context| insert_in::<K>(context, raw, &key))
    }

    /// Adds a key; returns the equal one that was there.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn replace(&mut self, key: impl StoreKey<K>) -> Result<Option<K>> {
        let raw = self.lock.raw();
        self.lock.with(|context| replace_in::<K>(context, raw, &key))
    }

    /// Takes a key out; was it there?
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Result<bool> {
        let raw = self.lock.raw();
        key.with_bytes(|bytes| self.lock.with(|context| remove_in::<K>(context, raw, bytes)))
    }

    /// Takes a key out and returns it.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn take<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Result<Option<K>> {
        let raw = self.lock.raw();
        key.with_bytes(|bytes| self.lock.with(|context| take_in(context, raw, bytes)))
    }

    /// Removes all keys.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn clear(&mut self) -> Result<()> {
        let raw = self.lock.raw();
        self.lock.with(|context| clear_in::<K, ()>(context, raw))
    }

    /// Takes all keys.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn drain(&mut self) -> Result<Vec<K>> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        let mut keys = Vec::new();
        if let Some(view) = TableView::read(space, raw, Layout::<K, ()>::SLOT)? {
            for group in 0..view.groups() {
                let mut left = view.full_slots(group);
                while left != 0 {
                    keys.push(take_locked(space, Place::in_table(&view, group, left.trailing_zeros()))?);
                    left &= left - 1;
                }
            }
        }
        self.clear()?;
        Ok(keys)
    }

    /// Adds all keys.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end, because some are there and some are not.
    pub fn extend<A: StoreKey<K>>(&mut self, keys: impl IntoIterator<Item = A>) -> Result<()> {
        let raw = self.lock.raw();
        let bomb = Bomb(&self.lock);
        for key in keys {
            self.lock.with(|context| insert_in::<K>(context, raw, &key))?;
        }
        std::mem::forget(bomb);
        Ok(())
    }

    /// Makes room for `more` keys.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn reserve(&mut self, more: usize) -> Result<()> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        self.lock.with(|context| Table::new(space, raw, Layout::<K, ()>::SLOT).grow(context, more as u64))
    }

    /// Keeps the keys for which `keep` says so. A panic in it undoes the whole guard.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end.
    pub fn retain(&mut self, mut keep: impl FnMut(K::Ref<'_>) -> bool) -> Result<()> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        let bomb = Bomb(&self.lock);
        if let Some(view) = TableView::read(space, raw, Layout::<K, ()>::SLOT)? {
            for group in 0..view.groups() {
                let mut left = view.full_slots(group);
                while left != 0 {
                    let index = left.trailing_zeros();
                    left &= left - 1;
                    if !keep(K::lend(Place::in_table(&view, group, index).lend(space))) {
                        let found = view.found_at(group, index);
                        self.lock.with(|context| erase_in::<K, ()>(context, raw, found))?;
                    }
                }
            }
        }
        std::mem::forget(bomb);
        Ok(())
    }

    /// Undoes everything that was done through this guard.
    pub fn rollback(self) {
        self.lock.doom();
    }
}
