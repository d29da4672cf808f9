//! The entry interface of `SharedBTreeMap`'s write guard.

use super::btree::{Layout, add_in, erase_in, set_value_in};
use super::btree_map_guard::BTreeMapWriteGuard;
use crate::Result;
use crate::containers::values::key::StoreKey;
use crate::containers::values::ordered_key::OrderedKey;
use crate::containers::values::value::{Opened, Store, Value, take_locked};
use crate::raw::{Position, Search};

/// The place of a key in an ordered map.
pub enum BTreeMapEntry<'g, 'a, K, V, Q> {
    /// The key is there.
    Occupied(BTreeMapOccupiedEntry<'g, 'a, K, V>),
    /// The key is not there.
    Vacant(BTreeMapVacantEntry<'g, 'a, K, V, Q>),
}

/// An entry that is there.
pub struct BTreeMapOccupiedEntry<'g, 'a, K, V> {
    pub(in crate::containers) guard: &'g mut BTreeMapWriteGuard<'a, K, V>,
    pub(in crate::containers) found: Position,
}

/// A place for an entry.
pub struct BTreeMapVacantEntry<'g, 'a, K, V, Q> {
    pub(in crate::containers) guard: &'g mut BTreeMapWriteGuard<'a, K, V>,
    pub(in crate::containers) key: Q,
    pub(in crate::containers) search: Result<Search>,
}

impl<'g, K: OrderedKey, V: Value> BTreeMapOccupiedEntry<'g, '_, K, V> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> K::Ref<'_> {
        K::lend(Layout::<K, V>::key(&self.found).lend(self.guard.lock.space()))
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> V::Ref<'_> {
        V::lend(Layout::<K, V>::value(&self.found).lend(self.guard.lock.space()))
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
        let guard: &'g BTreeMapWriteGuard<'_, K, V> = self.guard;
        guard.lend_value(&self.found)
    }

    /// Overwrites the value; returns the old one.
    ///
    /// # Errors
    /// `OutOfSpace` (nothing has changed then), `RolledBack`.
    pub fn insert(&mut self, value: impl Store<V>) -> Result<V> {
        let (space, raw) = (self.guard.lock.space(), self.guard.lock.raw());
        let old = take_locked(space, Layout::<K, V>::value(&self.found))?;
        self.guard.lock.with(|context| set_value_in::<K, V>(context, raw, &self.found, &value))?;
        Ok(old)
    }

    /// Takes the entry out; returns its value.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn remove(self) -> Result<V> {
        let value = take_locked(self.guard.lock.space(), Layout::<K, V>::value(&self.found))?;
        self.erase()?;
        Ok(value)
    }

    /// Takes the entry out.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    pub fn remove_entry(self) -> Result<(K, V)> {
        let space = self.guard.lock.space();
        let key = take_locked(space, Layout::<K, V>::key(&self.found))?;
        let value = take_locked(space, Layout::<K, V>::value(&self.found))?;
        self.erase()?;
        Ok((key, value))
    }

    fn erase(self) -> Result<()> {
        let (space, raw) = (self.guard.lock.space(), self.guard.lock.raw());
        K::with_stored(space, Layout::<K, V>::key(&self.found), |bytes| {
            self.guard.lock.with(|context| erase_in::<K, V>(context, raw, &self.found, bytes))
        })?
    }
}

impl<'g, K: OrderedKey, V: Value, Q: StoreKey<K>> BTreeMapVacantEntry<'g, '_, K, V, Q> {
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
        let guard: &'g BTreeMapWriteGuard<'_, K, V> = self.guard;
        let (key, raw, search) = (self.key, guard.lock.raw(), self.search?);
        let add = |bytes: &[u8]| guard.lock.with(|context| add_in::<K, V>(context, raw, &search, bytes, &key, &value));
        let position = StoreKey::with_bytes(&key, add)?;
        // The entry was not live before: it needs no log.
        Ok(V::lend_mut(Opened::new(&guard.lock, Layout::<K, V>::value(&position))))
    }
}

impl<'g, 'a, K: OrderedKey, V: Value, Q: StoreKey<K>> BTreeMapEntry<'g, 'a, K, V, Q> {
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
            BTreeMapEntry::Occupied(entry) => entry.into_mut(),
            BTreeMapEntry::Vacant(entry) => entry.insert(value()),
        }
    }

    /// The value, which becomes what `value` makes of the key if that is not there.
    ///
    /// # Errors
    /// As [`or_insert`](Self::or_insert).
    pub fn or_insert_with_key<S: Store<V>>(self, value: impl FnOnce(&Q) -> S) -> Result<V::Mut<'g>> {
        match self {
            BTreeMapEntry::Occupied(entry) => entry.into_mut(),
            BTreeMapEntry::Vacant(entry) => {
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
        if let BTreeMapEntry::Occupied(entry) = &mut self {
            change(entry.get_mut()?);
        }
        Ok(self)
    }
}
