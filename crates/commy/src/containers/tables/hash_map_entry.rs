//! The entry interface of `SharedHashMap`'s write guard.

use super::hash_map::{Layout, add_in, erase_in, set_value_in};
use super::hash_map_guard::HashMapWriteGuard;
use crate::Result;
use crate::containers::values::key::{Key, StoreKey};
use crate::containers::values::value::{Opened, Store, Value, take_locked};
use crate::raw::{FoundSlot, Place};

/// The place of a key in a map.
pub enum Entry<'g, 'a, K, V, Q> {
    /// The key is there.
    Occupied(OccupiedEntry<'g, 'a, K, V>),
    /// The key is not there.
    Vacant(VacantEntry<'g, 'a, K, V, Q>),
}

/// An entry that is there.
pub struct OccupiedEntry<'g, 'a, K, V> {
    pub(super) guard: &'g mut HashMapWriteGuard<'a, K, V>,
    pub(super) found: FoundSlot,
}

/// A place for an entry.
pub struct VacantEntry<'g, 'a, K, V, Q> {
    pub(super) guard: &'g mut HashMapWriteGuard<'a, K, V>,
    pub(super) key: Q,
}

impl<'g, K: Key, V: Value> OccupiedEntry<'g, '_, K, V> {
    fn value(&self) -> Place {
        Place::of(&self.found).part(Layout::<K, V>::VALUE_AT)
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> K::Ref<'_> {
        K::lend(Place::of(&self.found).lend(self.guard.lock.space()))
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> V::Ref<'_> {
        V::lend(self.value().lend(self.guard.lock.space()))
    }

    /// The value, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn get_mut(&mut self) -> Result<V::Mut<'_>> {
        self.guard.lend_value(&self.found)
    }

    /// As [`get_mut`](Self::get_mut), for as long as the guard is borrowed.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn into_mut(self) -> Result<V::Mut<'g>> {
        let guard: &'g HashMapWriteGuard<'_, K, V> = self.guard;
        guard.lend_value(&self.found)
    }

    /// Overwrites the value; returns the old one.
    ///
    /// # Errors
    /// `OutOfSpace` (nothing has changed then), `RolledBack`.
    pub fn insert(&mut self, value: impl Store<V>) -> Result<V> {
        let (space, raw) = (self.guard.lock.space(), self.guard.lock.raw());
        let old = take_locked(space, self.value())?;
        self.guard.lock.with(|context| set_value_in::<K, V>(context, raw, &self.found, &value))?;
        Ok(old)
    }

    /// Takes the entry out; returns its value.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn remove(self) -> Result<V> {
        let value = take_locked(self.guard.lock.space(), self.value())?;
        self.erase()?;
        Ok(value)
    }

    /// Takes the entry out.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    pub fn remove_entry(self) -> Result<(K, V)> {
        let space = self.guard.lock.space();
        let entry = (take_locked(space, Place::of(&self.found))?, take_locked(space, self.value())?);
        self.erase()?;
        Ok(entry)
    }

    fn erase(self) -> Result<()> {
        let raw = self.guard.lock.raw();
        self.guard.lock.with(|context| erase_in::<K, V>(context, raw, self.found))
    }
}

impl<'g, K: Key, V: Value, Q: StoreKey<K>> VacantEntry<'g, '_, K, V, Q> {
    /// The key that is not there.
    pub fn key(&self) -> &Q {
        &self.key
    }

    /// The key that is not there.
    pub fn into_key(self) -> Q {
        self.key
    }

    /// Fills the entry.
    ///
    /// # Errors
    /// `OutOfSpace` (nothing has changed then), `RolledBack`.
    pub fn insert(self, value: impl Store<V>) -> Result<V::Mut<'g>> {
        let guard: &'g HashMapWriteGuard<'_, K, V> = self.guard;
        let (key, raw) = (self.key, guard.lock.raw());
        let add = |bytes: &[u8]| guard.lock.with(|context| add_in::<K, V>(context, raw, bytes, &key, &value));
        let found = StoreKey::with_bytes(&key, add)?;
        // The slot was not live before: it needs no log.
        Ok(V::lend_mut(Opened::new(&guard.lock, Place::of(&found).part(Layout::<K, V>::VALUE_AT))))
    }
}

impl<'g, 'a, K: Key, V: Value, Q: StoreKey<K>> Entry<'g, 'a, K, V, Q> {
    /// The value, which becomes `value` if the key is not there.
    ///
    /// # Errors
    /// `OutOfSpace` (nothing has changed then), `RolledBack`.
    pub fn or_insert(self, value: impl Store<V>) -> Result<V::Mut<'g>> {
        self.or_insert_with(|| value)
    }

    /// The value, which becomes what `value` returns if the key is not there.
    ///
    /// # Errors
    /// As [`or_insert`](Self::or_insert).
    pub fn or_insert_with<S: Store<V>>(self, value: impl FnOnce() -> S) -> Result<V::Mut<'g>> {
        match self {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(value()),
        }
    }

    /// The value, which becomes what `value` makes of the key if that is not there.
    ///
    /// # Errors
    /// As [`or_insert`](Self::or_insert).
    pub fn or_insert_with_key<S: Store<V>>(self, value: impl FnOnce(&Q) -> S) -> Result<V::Mut<'g>> {
        match self {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let value = value(entry.key());
                entry.insert(value)
            }
        }
    }

    /// The value, which becomes `V::default()` if the key is not there.
    ///
    /// # Errors
    /// As [`or_insert`](Self::or_insert).
    pub fn or_default(self) -> Result<V::Mut<'g>>
    where
        V: Default + Store<V>,
    {
        self.or_insert_with(V::default)
    }

    /// Changes the value if the key is there.
    ///
    /// # Errors
    /// As [`or_insert`](Self::or_insert).
    pub fn and_modify(mut self, change: impl FnOnce(V::Mut<'_>)) -> Result<Self> {
        if let Entry::Occupied(entry) = &mut self {
            change(entry.get_mut()?);
        }
        Ok(self)
    }
}
