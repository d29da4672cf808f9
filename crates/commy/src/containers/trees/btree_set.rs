//! `SharedBTreeSet<K>`: a set in order. It is a tree of keys without values.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::ops::RangeBounds;

use super::btree::{ALL, Layout, Peek, add_in, find_in, pop_in, remove_in, validate, with_bounds};
use super::btree_set_guard::{BTreeSetReadGuard, BTreeSetWriteGuard};
use crate::Result;
use crate::containers::Container;
use crate::containers::values::key::{Lookup, StoreKey};
use crate::containers::values::ordered_key::OrderedKey;
use crate::engine::{Object, ReadLock, Region, WriteLock};
use crate::journal::Context;
use crate::raw::{ContainerKind, Descriptor, Owned, Search, detach};
use crate::region::layout::RawHeader;

/// An ordered set shared between processes; `std::collections::BTreeSet` with fallible, atomic calls.
///
/// ```
/// # fn main() -> commy::Result<()> {
/// # let path = std::env::temp_dir().join(format!("commy-doc-tree-set-{}", std::process::id()));
/// # let region = commy::Region::create(&path)?;
/// use commy::SharedBTreeSet;
///
/// let ranks: SharedBTreeSet<i64> = region.object("ranks")?;
/// ranks.extend([3, -1, 2])?;
/// assert!(!ranks.insert(2)?);
/// assert_eq!(ranks.read()?.iter().copied().collect::<Vec<_>>(), [-1, 2, 3]);
/// # drop((ranks, region));
/// # commy::Region::remove(&path)
/// # }
/// ```
pub struct SharedBTreeSet<K> {
    object: Object,
    marker: PhantomData<fn() -> K>,
}

impl<K> Clone for SharedBTreeSet<K> {
    fn clone(&self) -> Self {
        SharedBTreeSet { object: self.object.clone(), marker: PhantomData }
    }
}

impl<K> std::fmt::Debug for SharedBTreeSet<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedBTreeSet")
    }
}

/// Adds a key; false: it is there.
#[inline(always)]
pub(in crate::containers) fn add_key_in<K: OrderedKey>(
    context: &mut Context,
    raw: &RawHeader,
    bytes: &[u8],
    key: &impl StoreKey<K>,
) -> Result<bool> {
    let search = find_in::<K, ()>(context.actor.space, raw, bytes)?;
    if let Search::Found(_) = search {
        return Ok(false);
    }
    add_in::<K, ()>(context, raw, &search, bytes, key, &()).map(|_| true)
}

impl<K: OrderedKey> Container for SharedBTreeSet<K> {
    type ReadGuard<'a> = BTreeSetReadGuard<'a, K>;
    type WriteGuard<'a> = BTreeSetWriteGuard<'a, K>;

    fn descriptor() -> Descriptor {
        let text = format!("SharedBTreeSet<{}>", K::schema());
        Layout::<K, ()>::descriptor(ContainerKind::BTreeSet, text)
    }

    fn from_object(object: Object) -> Self {
        SharedBTreeSet { object, marker: PhantomData }
    }

    fn object(&self) -> &Object {
        &self.object
    }

    fn validate(object: &Object) -> Result<()> {
        validate::<K, ()>(object)
    }

    fn read_guard<'a>(lock: ReadLock<'a>) -> BTreeSetReadGuard<'a, K> {
        BTreeSetReadGuard::new(lock)
    }

    fn write_guard<'a>(lock: WriteLock<'a>) -> BTreeSetWriteGuard<'a, K> {
        BTreeSetWriteGuard::new(lock)
    }
}

impl<K: OrderedKey> SharedBTreeSet<K> {
    /// Makes a set without a name. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    pub fn new_in(region: &Region) -> Result<Self> {
        region.anonymous()
    }

    fn peek(&self) -> Peek<'_, K, ()> {
        Peek(&self.object, PhantomData)
    }

    /// Inserts a key; `Ok(false)` if it is there.
    ///
    /// # Errors
    /// `OutOfSpace`, `Timeout`, `Removed`, `ReadOnly`; `Deadlock` if this thread holds the set's write guard.
    ///
    /// # Crash
    /// The key is there as a whole, or the set is as before.
    #[inline]
    pub fn insert(&self, key: impl StoreKey<K>) -> Result<bool> {
        key.with_bytes(|bytes| self.object.change(|context, raw| add_key_in::<K>(context, raw, bytes, &key)))
    }

    /// Is the key there? Takes no lock.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn contains<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<bool> {
        key.with_bytes(|bytes| {
            let found = self.peek().find(bytes, |_, _, _| Some(Ok(())));
            Ok(found?.is_some())
        })
    }

    /// Takes a key out; `Ok(false)` if it was not there.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// The key is gone as a whole or there as a whole.
    pub fn remove<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<bool> {
        key.with_bytes(|bytes| {
            self.object.change(|context, raw| Ok(remove_in::<K, ()>(context, raw, bytes)?.is_some()))
        })
    }

    /// A copy of the least key. Takes no lock.
    ///
    /// # Errors
    /// As [`contains`](Self::contains).
    pub fn first(&self) -> Result<Option<K>> {
        Ok(self.peek().outermost(false)?.map(|(key, ())| key))
    }

    /// A copy of the greatest key. Takes no lock.
    ///
    /// # Errors
    /// As [`contains`](Self::contains).
    pub fn last(&self) -> Result<Option<K>> {
        Ok(self.peek().outermost(true)?.map(|(key, ())| key))
    }

    /// Takes the least key out.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`remove`](Self::remove).
    pub fn pop_first(&self) -> Result<Option<K>> {
        Ok(self.object.change(|context, raw| pop_in::<K, ()>(context, raw, false))?.map(|(key, ())| key))
    }

    /// Takes the greatest key out.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// As [`remove`](Self::remove).
    pub fn pop_last(&self) -> Result<Option<K>> {
        Ok(self.object.change(|context, raw| pop_in::<K, ()>(context, raw, true))?.map(|(key, ())| key))
    }

    /// Copies of the keys in a range, as they are at one moment. Takes no lock unless writers are in the way all the
    /// time. A range that ends before it begins has no keys.
    ///
    /// # Errors
    /// As [`contains`](Self::contains).
    pub fn range<Q: Lookup<K> + ?Sized>(&self, range: impl RangeBounds<Q>) -> Result<Vec<K>> {
        let entries = with_bounds::<K, Q, _>(&range, |bounds| self.peek().range(bounds))?;
        Ok(entries.into_iter().map(|(key, ())| key).collect())
    }

    /// Number of keys. Takes no lock.
    ///
    /// # Errors
    /// `Timeout`, `Removed`.
    pub fn len(&self) -> Result<usize> {
        self.peek().len()
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
        self.object.change(|context, raw| detach(context, raw, &Owned::words(Layout::<K, ()>::OWNED)))
    }

    /// Inserts all keys as one change.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); then none of them is there that was not before.
    ///
    /// # Crash
    /// All or none are there.
    pub fn extend<A: StoreKey<K>>(&self, keys: impl IntoIterator<Item = A>) -> Result<()> {
        // User code runs before the lock is taken.
        let keys: Vec<A> = keys.into_iter().collect();
        self.object.change(|context, raw| {
            keys.iter().try_for_each(|key| key.with_bytes(|bytes| add_key_in::<K>(context, raw, bytes, key)).map(drop))
        })
    }

    /// A copy of all keys, as they are at one moment.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn to_set(&self) -> Result<BTreeSet<K>> {
        if self.object.space().writable {
            return self.read()?.to_set();
        }
        Ok(self.peek().range(ALL)?.into_iter().map(|(key, ())| key).collect())
    }

    /// Lends the keys; writers wait while the guard lives.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`; `ReadOnly` (a read-only mapping copies: [`contains`](Self::contains),
    /// [`range`](Self::range), [`to_set`](Self::to_set)).
    ///
    /// # Crash
    /// Writers that wait for a dead reader go on.
    pub fn read(&self) -> Result<BTreeSetReadGuard<'_, K>> {
        Ok(BTreeSetReadGuard::new(self.object.read()?))
    }

    /// Locks for a change of any size: atomic when the guard is dropped, undone by
    /// [`rollback`](BTreeSetWriteGuard::rollback) or a panic.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// Everything that was done through the guard is undone.
    pub fn write(&self) -> Result<BTreeSetWriteGuard<'_, K>> {
        Ok(BTreeSetWriteGuard::new(self.object.write()?))
    }
}
