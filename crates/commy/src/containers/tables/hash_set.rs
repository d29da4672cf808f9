//! `SharedHashSet<K>`: a hash table of keys.

use std::collections::HashSet;
use std::hash::Hash;

use super::finder::Finder;
use super::hash_map::{Layout, add_in, clear_in, erase_in, find_in, insert_shortly, prove_in, remove_shortly};
use super::hash_set_guard::{HashSetReadGuard, HashSetWriteGuard};
use crate::Result;
use crate::containers::Container;
use crate::containers::values::key::{Key, Lookup, StoreKey};
use crate::containers::values::reader::Reader;
use crate::containers::values::value::{take_locked, take_torn};
use crate::engine::{Object, ReadLock, Region, WriteLock};
use crate::journal::Context;
use crate::raw::{ContainerKind, Descriptor, Place, Table, TableView};
use crate::region::layout::RawHeader;

/// A set shared between processes; `std::collections::HashSet` with fallible, atomic calls.
///
/// ```
/// # fn main() -> commy::Result<()> {
/// # let path = std::env::temp_dir().join(format!("commy-doc-set-{}", std::process::id()));
/// let region = commy::Region::create(&path)?;
/// let seen: commy::SharedHashSet<String> = region.object("seen")?;
/// assert!(seen.insert("a")?);
/// assert!(!seen.insert("a")?);
/// assert!(seen.contains("a")?);
/// # drop((seen, region));
/// # commy::Region::remove(&path)
/// # }
/// ```
pub struct SharedHashSet<K> {
    object: Object,
    finder: Finder<K, ()>,
}

impl<K> SharedHashSet<K> {
    fn of(object: Object) -> Self {
        SharedHashSet { object, finder: Finder::new() }
    }
}

impl<K> Clone for SharedHashSet<K> {
    fn clone(&self) -> Self {
        Self::of(self.object.clone())
    }
}

impl<K> std::fmt::Debug for SharedHashSet<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedHashSet")
    }
}

/// Adds a key; false: it is there.
#[inline(always)]
pub(in crate::containers) fn insert_in<K: Key>(
    context: &mut Context,
    raw: &RawHeader,
    key: &impl StoreKey<K>,
) -> Result<bool> {
    let space = context.actor.space;
    key.with_bytes(|bytes| match find_in::<K, ()>(space, raw, bytes)? {
        Some(_) => Ok(false),
        None => add_in::<K, ()>(context, raw, bytes, key, &()).map(|_| true),
    })
}

/// Adds a key; the equal one that is there.
pub(in crate::containers) fn replace_in<K: Key>(
    context: &mut Context,
    raw: &RawHeader,
    key: &impl StoreKey<K>,
) -> Result<Option<K>> {
    let space = context.actor.space;
    key.with_bytes(|bytes| match find_in::<K, ()>(space, raw, bytes)? {
        // Keys are equal if their bytes are: there is nothing to replace it by.
        Some((_, found)) => take_locked(space, Place::of(&found)).map(Some),
        None => add_in::<K, ()>(context, raw, bytes, key, &()).map(|_| None),
    })
}

/// Takes a key out; was it there?
pub(in crate::containers) fn remove_in<K: Key>(context: &mut Context, raw: &RawHeader, key: &[u8]) -> Result<bool> {
    match find_in::<K, ()>(context.actor.space, raw, key)? {
        Some((_, found)) => erase_in::<K, ()>(context, raw, found).map(|()| true),
        None => Ok(false),
    }
}

/// Takes a key out and returns it.
pub(in crate::containers) fn take_in<K: Key>(context: &mut Context, raw: &RawHeader, key: &[u8]) -> Result<Option<K>> {
    let space = context.actor.space;
    let Some((_, found)) = find_in::<K, ()>(space, raw, key)? else { return Ok(None) };
    let taken = take_locked(space, Place::of(&found))?;
    erase_in::<K, ()>(context, raw, found)?;
    Ok(Some(taken))
}

impl<K: Key> Container for SharedHashSet<K> {
    type ReadGuard<'a> = HashSetReadGuard<'a, K>;
    type WriteGuard<'a> = HashSetWriteGuard<'a, K>;

    fn descriptor() -> Descriptor {
        Layout::<K, ()>::descriptor(ContainerKind::HashSet, format!("SharedHashSet<{}>", K::schema()))
    }

    fn from_object(object: Object) -> Self {
        Self::of(object)
    }

    fn object(&self) -> &Object {
        &self.object
    }

    fn validate(object: &Object) -> Result<()> {
        if K::ANY_BYTES { Ok(()) } else { Reader::prove(object, prove_in::<K, ()>) }
    }

    fn read_guard<'a>(lock: ReadLock<'a>) -> HashSetReadGuard<'a, K> {
        HashSetReadGuard::new(lock)
    }

    fn write_guard<'a>(lock: WriteLock<'a>) -> HashSetWriteGuard<'a, K> {
        HashSetWriteGuard::new(lock)
    }
}

impl<K: Key> SharedHashSet<K> {
    /// Makes a set without a name. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    ///
    /// # Crash
    /// Whoever notices that this process is dead frees it.
    pub fn new_in(region: &Region) -> Result<Self> {
        region.anonymous()
    }

    /// Adds a key; `Ok(false)`: it was there already, and nothing has changed.
    ///
    /// # Errors
    /// `OutOfSpace`, `Timeout`, `Removed`, `ReadOnly`; `Deadlock` if this thread holds the set's write guard.
    ///
    /// # Crash
    /// The key is there, or the set is as before.
    #[inline]
    pub fn insert(&self, key: impl StoreKey<K>) -> Result<bool> {
        StoreKey::with_bytes(&key, |bytes| self.finder.expect(&self.object, bytes));
        self.object.change_with(
            const { K::OWNED.is_empty() },
            key,
            |single, space, raw, key| insert_shortly::<K, ()>(single, space, raw, key, &()).map(|old| old.is_none()),
            |context, raw, key| insert_in::<K>(context, raw, key),
        )
    }

    /// Adds a key; returns the equal one that was there.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`insert`](Self::insert).
    pub fn replace(&self, key: impl StoreKey<K>) -> Result<Option<K>> {
        self.object.change(|context, raw| replace_in::<K>(context, raw, &key))
    }

    /// Is the key there? Takes no lock and writes nothing.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    #[inline]
    pub fn contains<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<bool> {
        key.with_bytes(|bytes| Ok(self.finder.find(&self.object, bytes, |_, _, _| Some(Ok(())))?.is_some()))
    }

    /// A copy of the key that is there and equal. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn get<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<Option<K>> {
        key.with_bytes(|bytes| self.finder.find(&self.object, bytes, take_torn::<K>))
    }

    /// Takes a key out; was it there?
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// The key is gone or there.
    pub fn remove<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<bool> {
        key.with_bytes(|bytes| {
            self.finder.expect(&self.object, bytes);
            self.object.change_with(
                const { K::OWNED.is_empty() },
                bytes,
                |single, space, raw, bytes| remove_shortly::<K, ()>(single, space, raw, bytes).map(|key| key.is_some()),
                |context, raw, bytes| remove_in::<K>(context, raw, bytes),
            )
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
        key.with_bytes(|bytes| self.object.change(|context, raw| take_in(context, raw, bytes)))
    }

    /// Number of keys. Takes no lock.
    ///
    /// # Errors
    /// `Timeout`, `Removed`.
    pub fn len(&self) -> Result<usize> {
        self.object.peek(|_, raw| Some(Ok(raw.length() as usize)))
    }

    /// Has it no keys?
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Removes all keys and gives the memory back.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// All or none are gone.
    pub fn clear(&self) -> Result<()> {
        self.object.change(|context, raw| clear_in::<K, ()>(context, raw))
    }

    /// Adds all keys as one change.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); then none of them is added.
    ///
    /// # Crash
    /// All or none are there.
    pub fn extend<A: StoreKey<K>>(&self, keys: impl IntoIterator<Item = A>) -> Result<()> {
        // User code runs before the lock is taken.
        let keys: Vec<A> = keys.into_iter().collect();
        self.object.change(|context, raw| keys.iter().try_for_each(|key| insert_in::<K>(context, raw, key).map(|_| ())))
    }

    /// Makes room for `more` keys.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn reserve(&self, more: usize) -> Result<()> {
        self.object.change(|context, raw| {
            Table::new(context.actor.space, raw, Layout::<K, ()>::SLOT).grow(context, more as u64)
        })
    }

    /// Lends the keys; writers wait while the guard lives.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`; `ReadOnly` (a read-only mapping copies: [`contains`](Self::contains),
    /// [`to_set`](Self::to_set)).
    ///
    /// # Crash
    /// Writers that wait for a dead reader go on.
    pub fn read(&self) -> Result<HashSetReadGuard<'_, K>> {
        Ok(HashSetReadGuard::new(self.object.read()?))
    }

    /// Locks for a change of any size: atomic when the guard is dropped, undone by
    /// [`rollback`](HashSetWriteGuard::rollback) or a panic.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// Everything that was done through the guard is undone.
    pub fn write(&self) -> Result<HashSetWriteGuard<'_, K>> {
        Ok(HashSetWriteGuard::new(self.object.write()?))
    }
}

impl<K: Key + Eq + Hash> SharedHashSet<K> {
    /// A copy of all keys, as they are at one moment.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn to_set(&self) -> Result<HashSet<K>> {
        let space = self.object.space();
        if space.writable {
            return self.read()?.to_set();
        }
        self.object.peek(|attempt, raw| {
            let view = match TableView::read(space, raw, Layout::<K, ()>::SLOT) {
                Ok(Some(view)) => view,
                Ok(None) => return Some(Ok(HashSet::new())),
                Err(error) => return Some(Err(error)),
            };
            let mut set = HashSet::new();
            for group in 0..view.groups() {
                let mut left = view.full_slots(group);
                while left != 0 {
                    let place = Place::in_table(&view, group, left.trailing_zeros());
                    left &= left - 1;
                    let key = take_torn::<K>(attempt, space, place)?;
                    // A key's `Hash` and `Eq` are user code: they see whole values only.
                    if !attempt.holds() {
                        return None;
                    }
                    match key {
                        Ok(key) => set.insert(key),
                        Err(error) => return Some(Err(error)),
                    };
                }
            }
            Some(Ok(set))
        })
    }

    /// The keys of both sets; each set as it is at one moment. Without a copy: guards, or a transaction.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn union(&self, other: &SharedHashSet<K>) -> Result<HashSet<K>> {
        let mut keys = self.to_set()?;
        keys.extend(other.to_set()?);
        Ok(keys)
    }

    /// The keys that both sets have; each set as it is at one moment.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn intersection(&self, other: &SharedHashSet<K>) -> Result<HashSet<K>> {
        let (mut keys, others) = (self.to_set()?, other.to_set()?);
        keys.retain(|key| others.contains(key));
        Ok(keys)
    }

    /// The keys of this set that the other one has not; each set as it is at one moment.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn difference(&self, other: &SharedHashSet<K>) -> Result<HashSet<K>> {
        let (mut keys, others) = (self.to_set()?, other.to_set()?);
        keys.retain(|key| !others.contains(key));
        Ok(keys)
    }

    /// The keys that one of the sets has and the other one has not; each set as it is at one moment.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn symmetric_difference(&self, other: &SharedHashSet<K>) -> Result<HashSet<K>> {
        let (mut keys, others) = (self.to_set()?, other.to_set()?);
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
    pub fn is_subset(&self, other: &SharedHashSet<K>) -> Result<bool> {
        Ok(self.to_set()?.is_subset(&other.to_set()?))
    }

    /// Has this set all keys of the other one? Each set as it is at one moment.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn is_superset(&self, other: &SharedHashSet<K>) -> Result<bool> {
        other.is_subset(self)
    }

    /// Have the two sets no key in common? Each set as it is at one moment.
    ///
    /// # Errors
    /// As [`to_set`](Self::to_set).
    pub fn is_disjoint(&self, other: &SharedHashSet<K>) -> Result<bool> {
        Ok(self.to_set()?.is_disjoint(&other.to_set()?))
    }
}
