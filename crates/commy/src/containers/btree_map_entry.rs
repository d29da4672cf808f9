//! The entry interface of `SharedBTreeMap`'s write guard.

use super::btree::{Layout, add_in, erase_in};
use super::btree_map_guard::BTreeMapWriteGuard;
use super::key::StoreKey;
use super::ordered_key::OrderedKey;
use super::value::Value;
use crate::raw::{Position, Search};
use crate::{Plain, Result};

/// The place of a key in an ordered map.
pub enum BTreeMapEntry<'g, 'a, K, V, Q> {
    /// The key is there.
    Occupied(BTreeMapOccupiedEntry<'g, 'a, K, V>),
    /// The key is not there.
    Vacant(BTreeMapVacantEntry<'g, 'a, K, V, Q>),
}

/// An entry that is there.
pub struct BTreeMapOccupiedEntry<'g, 'a, K, V> {
    pub(super) guard: &'g mut BTreeMapWriteGuard<'a, K, V>,
    pub(super) found: Position,
}

/// A place for an entry.
pub struct BTreeMapVacantEntry<'g, 'a, K, V, Q> {
    pub(super) guard: &'g mut BTreeMapWriteGuard<'a, K, V>,
    pub(super) key: Q,
    pub(super) search: Result<Search>,
}

impl<'g, K: OrderedKey, V: Plain> BTreeMapOccupiedEntry<'g, '_, K, V> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> K::Ref<'_> {
        K::lend(Layout::<K, V>::key(&self.found).lend(self.guard.lock.space()))
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> &V {
        V::lend(Layout::<K, V>::value(&self.found).lend(self.guard.lock.space()))
    }

    /// The value, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn into_mut(self) -> Result<&'g mut V> {
        Ok(self.guard.open_value(&self.found)?.lend_mut())
    }

    /// Overwrites the value; returns the old one.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn insert(&mut self, value: V) -> Result<V> {
        Ok(std::mem::replace(self.guard.open_value(&self.found)?.lend_mut(), value))
    }

    /// Takes the entry out; returns its value.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn remove(self) -> Result<V> {
        let value = *self.get();
        let (space, raw) = (self.guard.lock.space(), self.guard.lock.raw());
        K::with_stored(space, Layout::<K, V>::key(&self.found), |bytes| {
            self.guard.lock.with(|context| erase_in::<K, V>(context, raw, &self.found, bytes))
        })??;
        Ok(value)
    }
}

impl<'g, K: OrderedKey, V: Plain, Q: StoreKey<K>> BTreeMapVacantEntry<'g, '_, K, V, Q> {
    /// Fills the entry.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn insert(self, value: V) -> Result<&'g mut V> {
        let (key, raw, search) = (self.key, self.guard.lock.raw(), self.search?);
        let add =
            |bytes: &[u8]| self.guard.lock.with(|context| add_in::<K, V>(context, raw, &search, bytes, &key, &value));
        let position = StoreKey::with_bytes(&key, add)?;
        // The entry was not live before: it needs no log.
        Ok(Layout::<K, V>::value(&position).lend_mut())
    }
}

impl<'g, 'a, K: OrderedKey, V: Plain, Q: StoreKey<K>> BTreeMapEntry<'g, 'a, K, V, Q> {
    /// The value, which becomes `value` if the key is not there.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn or_insert(self, value: V) -> Result<&'g mut V> {
        self.or_insert_with(|| value)
    }

    /// The value, which becomes what `value` returns if the key is not there.
    ///
    /// # Errors
    /// As [`or_insert`](Self::or_insert).
    pub fn or_insert_with(self, value: impl FnOnce() -> V) -> Result<&'g mut V> {
        match self {
            BTreeMapEntry::Occupied(entry) => entry.into_mut(),
            BTreeMapEntry::Vacant(entry) => entry.insert(value()),
        }
    }

    /// The value, which becomes `V::default()` if the key is not there.
    ///
    /// # Errors
    /// As [`or_insert`](Self::or_insert).
    pub fn or_default(self) -> Result<&'g mut V>
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }

    /// Changes the value if the key is there.
    ///
    /// # Errors
    /// As [`or_insert`](Self::or_insert).
    pub fn and_modify(mut self, change: impl FnOnce(&mut V)) -> Result<Self> {
        if let BTreeMapEntry::Occupied(entry) = &mut self {
            change(entry.guard.open_value(&entry.found)?.lend_mut());
        }
        Ok(self)
    }
}
