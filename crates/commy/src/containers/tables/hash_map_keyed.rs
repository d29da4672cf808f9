//! Calls on a hash map that look at one entry before they change it, and look-ups of several keys.
//!
//! What a caller hands in runs under the map's lock, but never while the log is written: a panic in it changes nothing.

use super::hash_map::{Layout, SharedHashMap, add_in, erase_in, find_in, set_value_in};
use super::hash_map_guard::HashMapWriteGuard;
use crate::Result;
use crate::containers::Container;
use crate::containers::values::key::{Key, Lookup, StoreKey};
use crate::containers::values::value::{Store, Value, take_locked, take_torn};
use crate::engine::Attempt;
use crate::raw::{FoundSlot, Place};
use crate::region::Space;

impl<K: Key, V: Value> SharedHashMap<K, V> {
    /// A copy of the key that is equal to `key`, and of its value. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_key_value<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<Option<(K, V)>> {
        let take = |attempt: &Attempt, space: &Space, place: Place| {
            let key = take_torn::<K>(attempt, space, place)?;
            let value = take_torn::<V>(attempt, space, place.part(Layout::<K, V>::VALUE_AT))?;
            Some(key.and_then(|key| Ok((key, value?))))
        };
        key.with_bytes(|bytes| self.find(bytes, take))
    }

    /// Copies of the values of several keys, in their order, as they are at one moment. Takes no lock unless writers are
    /// in the way all the time.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_many<'q, Q>(&self, keys: impl IntoIterator<Item = &'q Q>) -> Result<Vec<Option<V>>>
    where
        Q: Lookup<K> + ?Sized + 'q,
    {
        let space = self.object().space();
        let keys: Vec<&Q> = keys.into_iter().collect();
        self.object().peek(|attempt, raw| {
            let mut values = Vec::with_capacity(keys.len());
            for key in &keys {
                let value = key.with_bytes(|bytes| match find_in::<K, V>(space, raw, bytes) {
                    Ok(Some((_, found))) => {
                        let place = Place::of(&found).part(Layout::<K, V>::VALUE_AT);
                        Some(take_torn::<V>(attempt, space, place)?.map(Some))
                    }
                    Ok(None) => Some(Ok(None)),
                    Err(error) => Some(Err(error)),
                });
                match value? {
                    Ok(value) => values.push(value),
                    Err(error) => return Some(Err(error)),
                }
            }
            Some(Ok(values))
        })
    }

    /// A copy of the value of `key`; if the key is not there, it is inserted with what `value` returns. That is called at
    /// most once, and by one process only, however many ask for the key: it runs under the map's lock. If the key is
    /// there, nobody is locked out.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`insert`](Self::insert).
    pub fn get_or_insert_with<S: Store<V>>(&self, key: impl StoreKey<K>, value: impl FnOnce() -> S) -> Result<V> {
        if let Some(value) = StoreKey::with_bytes(&key, |bytes| self.get_by_bytes(bytes))? {
            return Ok(value);
        }
        let mut guard = self.write()?;
        let found = guard.find_or_add(key, value)?;
        guard.copy_of(&found)
    }

    /// Inserts if the key is not there. Returns a copy of the value that is there, in which case nothing has changed;
    /// `None`: inserted.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`insert`](Self::insert).
    pub fn insert_if_absent(&self, key: impl StoreKey<K>, value: impl Store<V>) -> Result<Option<V>> {
        if let Some(value) = StoreKey::with_bytes(&key, |bytes| self.get_by_bytes(bytes))? {
            return Ok(Some(value));
        }
        self.write()?.insert_if_absent(key, value)
    }

    /// Overwrites the value of `key` if `condition` holds for the one that is there, as one atomic step. `Ok(old)`:
    /// overwritten; `Err(Some(value))`: refused, and a copy of what is there; `Err(None)`: the key is not there.
    ///
    /// ```
    /// # fn main() -> commy::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("commy-doc-replace-{}", std::process::id()));
    /// # let region = commy::Region::create(&path)?;
    /// let owners: commy::SharedHashMap<String, u32> = region.object("owners")?;
    /// owners.insert("disk", 0)?;
    /// assert_eq!(owners.replace_if("disk", 7, |owner| *owner == 0)?, Ok(0));
    /// assert_eq!(owners.replace_if("disk", 8, |owner| *owner == 0)?, Err(Some(7)));
    /// assert_eq!(owners.replace_if("tape", 8, |owner| *owner == 0)?, Err(None));
    /// # drop((owners, region));
    /// # commy::Region::remove(&path)
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`insert`](Self::insert).
    pub fn replace_if<Q: Lookup<K> + ?Sized>(
        &self,
        key: &Q,
        value: impl Store<V>,
        condition: impl FnOnce(V::Ref<'_>) -> bool,
    ) -> Result<std::result::Result<V, Option<V>>> {
        self.write()?.replace_if(key, value, condition)
    }

    /// Takes a key out; returns it with its value.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`remove`](Self::remove).
    pub fn remove_entry<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<Option<(K, V)>> {
        self.write()?.remove_entry(key)
    }

    /// Takes a key out if `condition` holds for its value, as one atomic step; returns the value. `None`: the key is not
    /// there, or the condition does not hold.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`remove`](Self::remove).
    pub fn remove_if<Q: Lookup<K> + ?Sized>(
        &self,
        key: &Q,
        condition: impl FnOnce(V::Ref<'_>) -> bool,
    ) -> Result<Option<V>> {
        self.write()?.remove_if(key, condition)
    }
}

impl<K: Key, V: Value> HashMapWriteGuard<'_, K, V> {
    fn lend_at(&self, found: &FoundSlot) -> V::Ref<'_> {
        V::lend(Place::of(found).part(Layout::<K, V>::VALUE_AT).lend(self.lock.space()))
    }

    pub(in crate::containers) fn copy_of(&self, found: &FoundSlot) -> Result<V> {
        take_locked(self.lock.space(), Place::of(found).part(Layout::<K, V>::VALUE_AT))
    }

    fn set_at(&mut self, found: &FoundSlot, value: &impl Store<V>) -> Result<()> {
        let raw = self.lock.raw();
        self.lock.with(|context| set_value_in::<K, V>(context, raw, found, value))
    }

    fn erase_at(&mut self, found: FoundSlot) -> Result<()> {
        let raw = self.lock.raw();
        self.lock.with(|context| erase_in::<K, V>(context, raw, found))
    }

    pub(in crate::containers) fn find_or_add<S: Store<V>>(
        &mut self,
        key: impl StoreKey<K>,
        value: impl FnOnce() -> S,
    ) -> Result<FoundSlot> {
        if let Some(found) = StoreKey::with_bytes(&key, |bytes| self.find(bytes)) {
            return Ok(found);
        }
        let (value, raw) = (value(), self.lock.raw());
        let add = |bytes: &[u8]| self.lock.with(|context| add_in::<K, V>(context, raw, bytes, &key, &value));
        StoreKey::with_bytes(&key, add)
    }

    /// The value of `key`; if the key is not there, it is inserted with what `value` returns.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn get_or_insert_with<S: Store<V>>(
        &mut self,
        key: impl StoreKey<K>,
        value: impl FnOnce() -> S,
    ) -> Result<V::Ref<'_>> {
        let found = self.find_or_add(key, value)?;
        Ok(self.lend_at(&found))
    }

    /// Inserts if the key is not there. Returns a copy of the value that is there, in which case nothing has changed;
    /// `None`: inserted.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn insert_if_absent(&mut self, key: impl StoreKey<K>, value: impl Store<V>) -> Result<Option<V>> {
        match StoreKey::with_bytes(&key, |bytes| self.find(bytes)) {
            Some(found) => self.copy_of(&found).map(Some),
            None => self.find_or_add(key, || value).map(|_| None),
        }
    }

    /// Changes the value of `key` by a function of it. `None`: the key is not there.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn update<Q: Lookup<K> + ?Sized, R>(&mut self, key: &Q, change: impl FnOnce(&mut V) -> R) -> Result<Option<R>>
    where
        V: Store<V>,
    {
        let Some(found) = key.with_bytes(|bytes| self.find(bytes)) else { return Ok(None) };
        let mut value = self.copy_of(&found)?;
        let result = change(&mut value);
        self.set_at(&found, &value)?;
        Ok(Some(result))
    }

    /// Overwrites the value of `key` if `condition` holds for the one that is there. `Ok(old)`: overwritten;
    /// `Err(Some(value))`: refused, and a copy of what is there; `Err(None)`: the key is not there.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn replace_if<Q: Lookup<K> + ?Sized>(
        &mut self,
        key: &Q,
        value: impl Store<V>,
        condition: impl FnOnce(V::Ref<'_>) -> bool,
    ) -> Result<std::result::Result<V, Option<V>>> {
        let Some(found) = key.with_bytes(|bytes| self.find(bytes)) else { return Ok(Err(None)) };
        let old = self.copy_of(&found)?;
        if !condition(self.lend_at(&found)) {
            return Ok(Err(Some(old)));
        }
        self.set_at(&found, &value)?;
        Ok(Ok(old))
    }

    /// Takes a key out; returns it with its value.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove_entry<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Result<Option<(K, V)>> {
        let Some(found) = key.with_bytes(|bytes| self.find(bytes)) else { return Ok(None) };
        let entry = (take_locked(self.lock.space(), Place::of(&found))?, self.copy_of(&found)?);
        self.erase_at(found)?;
        Ok(Some(entry))
    }

    /// Takes a key out if `condition` holds for its value; returns the value. `None`: the key is not there, or the
    /// condition does not hold.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove_if<Q: Lookup<K> + ?Sized>(
        &mut self,
        key: &Q,
        condition: impl FnOnce(V::Ref<'_>) -> bool,
    ) -> Result<Option<V>> {
        let Some(found) = key.with_bytes(|bytes| self.find(bytes)) else { return Ok(None) };
        if !condition(self.lend_at(&found)) {
            return Ok(None);
        }
        let value = self.copy_of(&found)?;
        self.erase_at(found)?;
        Ok(Some(value))
    }
}
