//! `SharedHashMap<K, V>`: a hash table.

use std::collections::HashMap;
use std::hash::Hash;
use std::marker::PhantomData;
use std::mem::offset_of;

use super::finder::Finder;
use super::hash_map_guard::{HashMapReadGuard, HashMapWriteGuard};
use crate::containers::Container;
use crate::containers::values::key::{Key, Lookup, StoreKey};
use crate::containers::values::nested::no_value;
use crate::containers::values::reader::Reader;
use crate::containers::values::value::{
    Store, Value, invalid, is_short, store_over, store_over_shortly, take_locked, take_torn,
};
use crate::engine::{Attempt, Object, ReadLock, Region, WriteLock};
use crate::journal::{Context, Outcome, Single};
use crate::raw::{
    ContainerKind, Descriptor, FoundSlot, Owned, Place, Shape, Spot, Table, TableView, detach, hash_bytes,
    release_blocks,
};
use crate::region::Space;
use crate::region::layout::RawHeader;
use crate::{Error, Result};

/// A hash table shared between processes; `std::collections::HashMap` with fallible, atomic calls.
pub struct SharedHashMap<K, V> {
    object: Object,
    finder: Finder<K, V>,
}

impl<K, V> SharedHashMap<K, V> {
    fn of(object: Object) -> Self {
        SharedHashMap { object, finder: Finder::new() }
    }
}

impl<K, V> Clone for SharedHashMap<K, V> {
    fn clone(&self) -> Self {
        Self::of(self.object.clone())
    }
}

impl<K, V> std::fmt::Debug for SharedHashMap<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedHashMap")
    }
}

/// What stands in a slot.
#[repr(C)]
struct EntryRepr<K: Value, V: Value> {
    key: K::Repr,
    value: V::Repr,
}

/// Numbers of a map type's slots.
pub(in crate::containers) struct Layout<K, V>(PhantomData<(K, V)>);

impl<K: Value, V: Value> Layout<K, V> {
    pub(in crate::containers) const SLOT: u64 = size_of::<EntryRepr<K, V>>() as u64;
    pub(in crate::containers) const VALUE_AT: usize = offset_of!(EntryRepr<K, V>, value);
    /// Can all changes of one entry go the short way?
    const SHORT: bool = K::OWNED.is_empty() && is_short::<V>();
    /// Do values stand in places for words?
    const WORDS: bool = Self::VALUE_AT.is_multiple_of(8) && Self::SLOT.is_multiple_of(8);

    pub(in crate::containers) const OWNED: &'static [Owned] =
        &[Owned::Part { at: 0, fields: K::OWNED }, Owned::Part { at: Self::VALUE_AT as u32, fields: V::OWNED }];
}

impl<K: Key, V: Value> Layout<K, V> {
    /// The shape of such a table.
    pub(in crate::containers) const fn shape(kind: ContainerKind) -> Shape {
        let key_size = size_of::<K::Repr>() as u64;
        Shape { kind, text_key: K::TEXT, key_size, slot_size: Self::SLOT }
    }

    pub(in crate::containers) fn descriptor(kind: ContainerKind, text: String) -> Descriptor {
        const { assert!(size_of::<K::Repr>() <= 0xffff, "a key is too large") };
        const { assert!(Owned::fits(Self::OWNED), "a value owns too much") }
        Descriptor { shape: Self::shape(kind), owned: Owned::words(Self::OWNED), order: Vec::new(), text }
    }
}

/// Proves that a table may be lent.
pub(in crate::containers) fn prove_in<K: Key, V: Value>(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
    let Some(view) = TableView::read(reader.space, raw, Layout::<K, V>::SLOT)? else { return Ok(()) };
    reader.claim(raw.data_offset(), view.size());
    reader.spend(view.size())?;
    if K::ANY_BYTES && V::ANY_BYTES {
        return Ok(());
    }
    for group in 0..view.groups() {
        let mut left = view.full_slots(group);
        while left != 0 {
            let place = Place::in_table(&view, group, left.trailing_zeros());
            left &= left - 1;
            let value = place.part(Layout::<K, V>::VALUE_AT);
            let space = reader.space;
            if !K::is_valid(place.lend(space), reader) || !V::is_valid(value.lend(space), reader) {
                return Err(no_value(raw));
            }
        }
    }
    Ok(())
}

/// Is the key in this slot? A value that lies elsewhere is asked for before keys are compared, so that it is not waited
/// for only after them.
#[inline(always)]
pub(super) fn is_in<K: Key, V: Value>(space: &Space, slot: *const u8, key: &[u8]) -> bool {
    let place = Place::fresh(slot.cast_mut());
    place.part(Layout::<K, V>::VALUE_AT).prefetch_owned(space, V::OWNED);
    K::is_at(space, place, key)
}

/// The slot of a key, in a table whose words may be changing.
#[inline(always)]
pub(in crate::containers) fn find_in<K: Key, V: Value>(
    space: &Space,
    raw: &RawHeader,
    key: &[u8],
) -> Result<Option<(TableView, FoundSlot)>> {
    let Some(view) = TableView::read(space, raw, Layout::<K, V>::SLOT)? else { return Ok(None) };
    let hash = hash_bytes(raw.seed(), key);
    let found = view.find(hash, |slot| is_in::<K, V>(space, slot, key));
    Ok(found.map(|found| (view, found)))
}

/// Overwrites the value of a slot.
pub(in crate::containers) fn set_value_in<K: Key, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    found: &FoundSlot,
    value: &impl Store<V>,
) -> Result<()> {
    let table = Table::new(context.actor.space, raw, Layout::<K, V>::SLOT);
    let place = Place::of(found).part(Layout::<K, V>::VALUE_AT);
    let blocks = place.owned_blocks(V::OWNED)?;
    table.open_slot(context, found, Layout::<K, V>::VALUE_AT as u64, size_of::<V::Repr>() as u64)?;
    store_over::<V>(context, value, place, &blocks)
}

/// Adds a key that is not there.
#[inline(always)]
pub(in crate::containers) fn add_in<K: Key, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    bytes: &[u8],
    key: &impl Store<K>,
    value: &impl Store<V>,
) -> Result<FoundSlot> {
    let table = Table::new(context.actor.space, raw, Layout::<K, V>::SLOT);
    if raw.seed() == 0 {
        // The first growth chooses the seed that the hash depends on.
        table.grow(context, 1)?;
    }
    let hash = hash_bytes(raw.seed(), bytes);
    let found = table.claim(context, hash)?;
    let place = Place::of(&found);
    let store = |context: &mut Context| {
        key.store(context, &place.target())?;
        value.store(context, &place.part(Layout::<K, V>::VALUE_AT).target())
    };
    if const { K::OWNED.is_empty() && V::OWNED.is_empty() } {
        store(context)?
    } else {
        context.whole(store)?
    }
    table.publish(hash, found);
    Ok(found)
}

/// Inserts or overwrites; the old value.
#[inline(always)]
pub(in crate::containers) fn insert_in<K: Key, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    key: &impl StoreKey<K>,
    value: &impl Store<V>,
) -> Result<Option<V>> {
    let space = context.actor.space;
    key.with_bytes(|bytes| match find_in::<K, V>(space, raw, bytes)? {
        Some((_, found)) => {
            let old = take_locked(space, Place::of(&found).part(Layout::<K, V>::VALUE_AT))?;
            set_value_in::<K, V>(context, raw, &found, value)?;
            Ok(Some(old))
        }
        None => add_in::<K, V>(context, raw, bytes, key, value).map(|_| None),
    })
}

/// As `insert_in` of what owns nothing, by the short way.
#[inline(always)]
pub(super) fn insert_shortly<K: Key, V: Value>(
    single: &mut Single,
    space: &Space,
    raw: &RawHeader,
    key: &impl StoreKey<K>,
    value: &impl Store<V>,
) -> Outcome<Option<V>> {
    key.with_bytes(|bytes| {
        let Ok(Some(view)) = TableView::read(space, raw, Layout::<K, V>::SLOT) else { return Outcome::Longer };
        let hash = hash_bytes(raw.seed(), bytes);
        let same = |slot: *const u8| K::is_at(space, Place::fresh(slot.cast_mut()), bytes);
        match view.find_or_vacant(hash, same) {
            Spot::Found(found) => overwrite_shortly::<K, V>(single, space, &found, value),
            Spot::Vacant(found) if raw.can_add() => {
                // What owns nothing asks for nothing, so storing it does not fail.
                let place = Place::of(&found);
                let stored = key.store(single.context(), &place.target()).is_ok()
                    && value.store(single.context(), &place.part(Layout::<K, V>::VALUE_AT).target()).is_ok();
                let table = Table::new(space, raw, Layout::<K, V>::SLOT);
                if !stored || !table.record(single, &found) {
                    return Outcome::Longer;
                }
                table.publish(hash, found);
                Outcome::Changed(None)
            }
            _ => Outcome::Longer,
        }
    })
}
/// Overwrites the value of a slot by the short way; the old one.
#[inline(always)]
fn overwrite_shortly<K: Key, V: Value>(
    single: &mut Single,
    space: &Space,
    found: &FoundSlot,
    value: &impl Store<V>,
) -> Outcome<Option<V>> {
    let place = Place::of(found).part(Layout::<K, V>::VALUE_AT);
    let Ok(old) = take_locked(space, place) else { return Outcome::Longer };
    if size_of::<V::Repr>() == 0 {
        return Outcome::Same(Some(old));
    }
    match store_over_shortly::<V>(single, value, place, Layout::<K, V>::WORDS) {
        true => Outcome::Changed(Some(old)),
        false => Outcome::Longer,
    }
}

/// As `remove_in` of what owns nothing, by the short way.
#[inline(always)]
pub(super) fn remove_shortly<K: Key, V: Value>(
    single: &mut Single,
    space: &Space,
    raw: &RawHeader,
    key: &[u8],
) -> Outcome<Option<V>> {
    let found = match find_in::<K, V>(space, raw, key) {
        Ok(Some((_, found))) => found,
        Ok(None) => return Outcome::Same(None),
        Err(_) => return Outcome::Longer,
    };
    let value = take_locked(space, Place::of(&found).part(Layout::<K, V>::VALUE_AT));
    let table = Table::new(space, raw, Layout::<K, V>::SLOT);
    match value {
        Ok(value) if table.record(single, &found) => {
            table.erase(found);
            Outcome::Changed(Some(value))
        }
        _ => Outcome::Longer,
    }
}

/// As `update_in` by the short way; takes the function if it asks it.
#[inline(always)]
fn update_shortly<K: Key, V: Value + Store<V>, R>(
    single: &mut Single,
    space: &Space,
    raw: &RawHeader,
    key: &[u8],
    change: &mut Option<impl FnOnce(&mut V) -> R>,
) -> Outcome<Option<R>> {
    let found = match find_in::<K, V>(space, raw, key) {
        Ok(Some((_, found))) => found,
        Ok(None) => return Outcome::Same(None),
        Err(_) => return Outcome::Longer,
    };
    let place = Place::of(&found).part(Layout::<K, V>::VALUE_AT);
    let Ok(mut value) = take_locked(space, place) else { return Outcome::Longer };
    let change = change.take().expect("the function is asked once");
    let result = change(&mut value);
    // The function may have forked.
    if single.context().doomed {
        return Outcome::Failed(Error::RolledBack);
    }
    match store_over_shortly::<V>(single, &value, place, Layout::<K, V>::WORDS) {
        true => Outcome::Changed(Some(result)),
        false => Outcome::Failed(invalid()),
    }
}

/// Changes the value of a key by a function of it.
fn update_in<K: Key, V: Value + Store<V>, R>(
    context: &mut Context,
    raw: &RawHeader,
    key: &[u8],
    change: &mut Option<impl FnOnce(&mut V) -> R>,
) -> Result<Option<R>> {
    let space = context.space;
    let Some((_, found)) = find_in::<K, V>(space, raw, key)? else { return Ok(None) };
    let mut value = take_locked(space, Place::of(&found).part(Layout::<K, V>::VALUE_AT))?;
    let change = change.take().expect("the function is asked once");
    let result = change(&mut value);
    // The function may have forked.
    if context.doomed {
        return Err(Error::RolledBack);
    }
    set_value_in::<K, V>(context, raw, &found, &value)?;
    Ok(Some(result))
}

/// Takes a key out.
pub(in crate::containers) fn remove_in<K: Key, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    key: &[u8],
) -> Result<Option<V>> {
    let space = context.actor.space;
    let Some((_, found)) = find_in::<K, V>(space, raw, key)? else { return Ok(None) };
    let value = take_locked(space, Place::of(&found).part(Layout::<K, V>::VALUE_AT))?;
    erase_in::<K, V>(context, raw, found)?;
    Ok(Some(value))
}

/// Takes a slot out.
pub(in crate::containers) fn erase_in<K: Key, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    found: FoundSlot,
) -> Result<()> {
    let table = Table::new(context.actor.space, raw, Layout::<K, V>::SLOT);
    let place = Place::of(&found);
    let mut blocks = place.owned_blocks(K::OWNED)?;
    blocks.extend(place.part(Layout::<K, V>::VALUE_AT).owned_blocks(V::OWNED)?);
    table.open_erase(context, &found)?;
    release_blocks(context, &blocks)?;
    table.erase(found);
    Ok(())
}

/// Removes everything.
pub(in crate::containers) fn clear_in<K: Key, V: Value>(context: &mut Context, raw: &RawHeader) -> Result<()> {
    detach(context, raw, &Owned::words(Layout::<K, V>::OWNED))
}

impl<K: Key, V: Value> Container for SharedHashMap<K, V> {
    type ReadGuard<'a> = HashMapReadGuard<'a, K, V>;
    type WriteGuard<'a> = HashMapWriteGuard<'a, K, V>;

    fn descriptor() -> Descriptor {
        let text = format!("SharedHashMap<{}, {}>", K::schema(), V::schema());
        Layout::<K, V>::descriptor(ContainerKind::HashMap, text)
    }

    fn from_object(object: Object) -> Self {
        Self::of(object)
    }

    fn object(&self) -> &Object {
        &self.object
    }

    fn validate(object: &Object) -> Result<()> {
        if K::ANY_BYTES && V::ANY_BYTES { Ok(()) } else { Reader::prove(object, prove_in::<K, V>) }
    }

    fn read_guard<'a>(lock: ReadLock<'a>) -> HashMapReadGuard<'a, K, V> {
        HashMapReadGuard::new(lock)
    }

    fn write_guard<'a>(lock: WriteLock<'a>) -> HashMapWriteGuard<'a, K, V> {
        HashMapWriteGuard::new(lock)
    }
}

impl<K: Key, V: Value> SharedHashMap<K, V> {
    /// Makes a map without a name. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    pub fn new_in(region: &Region) -> Result<Self> {
        region.anonymous()
    }

    /// Inserts or overwrites; returns the value that was there.
    ///
    /// # Errors
    /// `OutOfSpace`, `Timeout`, `Removed`, `ReadOnly`; `Deadlock` if this thread holds the map's write guard.
    ///
    /// # Crash
    /// The entry is there as a whole, or the map is as before.
    #[inline]
    pub fn insert(&self, key: impl StoreKey<K>, value: impl Store<V>) -> Result<Option<V>> {
        StoreKey::with_bytes(&key, |bytes| self.finder.expect(&self.object, bytes));
        self.object.change_with(
            const { Layout::<K, V>::SHORT },
            (key, value),
            |single, space, raw, (key, value)| insert_shortly::<K, V>(single, space, raw, key, value),
            |context, raw, (key, value)| insert_in::<K, V>(context, raw, key, value),
        )
    }

    /// A copy of the value of `key`. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    #[inline]
    pub fn get<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<Option<V>> {
        key.with_bytes(|bytes| self.get_by_bytes(bytes))
    }

    #[inline(always)]
    pub(in crate::containers) fn get_by_bytes(&self, key: &[u8]) -> Result<Option<V>> {
        let take = |attempt: &Attempt, space: &Space, place: Place| {
            take_torn::<V>(attempt, space, place.part(Layout::<K, V>::VALUE_AT))
        };
        self.find(key, take)
    }

    /// As [`Finder::find`].
    #[inline(always)]
    pub(super) fn find<R>(
        &self,
        key: &[u8],
        take: impl Fn(&Attempt, &Space, Place) -> Option<Result<R>> + Copy,
    ) -> Result<Option<R>> {
        self.finder.find(&self.object, key, take)
    }

    /// Is the key there? Takes no lock.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn contains_key<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<bool> {
        key.with_bytes(|bytes| Ok(self.find(bytes, |_, _, _| Some(Ok(())))?.is_some()))
    }

    /// Takes a key out; returns its value.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// The entry is gone as a whole or there as a whole.
    pub fn remove<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Result<Option<V>> {
        key.with_bytes(|bytes| {
            self.finder.expect(&self.object, bytes);
            self.object.change_with(
                const { Layout::<K, V>::SHORT },
                bytes,
                |single, space, raw, bytes| remove_shortly::<K, V>(single, space, raw, bytes),
                |context, raw, bytes| remove_in::<K, V>(context, raw, bytes),
            )
        })
    }

    /// Number of entries. Takes no lock.
    ///
    /// # Errors
    /// `Timeout`, `Removed`.
    pub fn len(&self) -> Result<usize> {
        self.object.peek(|_, raw| Some(Ok(raw.length() as usize)))
    }

    /// Has it no entries?
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Removes all entries and gives the memory back.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// All or none are gone.
    pub fn clear(&self) -> Result<()> {
        self.object.change(|context, raw| clear_in::<K, V>(context, raw))
    }

    /// Inserts all entries as one change.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); then none of them is there.
    ///
    /// # Crash
    /// All or none are there.
    pub fn extend<A: StoreKey<K>, B: Store<V>>(&self, entries: impl IntoIterator<Item = (A, B)>) -> Result<()> {
        // User code runs before the lock is taken.
        let entries: Vec<(A, B)> = entries.into_iter().collect();
        self.object.change(|context, raw| {
            entries.iter().try_for_each(|(key, value)| insert_in::<K, V>(context, raw, key, value).map(|_| ()))
        })
    }

    /// Makes room for `more` entries.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn reserve(&self, more: usize) -> Result<()> {
        self.object.change(|context, raw| {
            Table::new(context.actor.space, raw, Layout::<K, V>::SLOT).grow(context, more as u64)
        })
    }

    /// A copy of all entries, as they are at one moment.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn to_map(&self) -> Result<HashMap<K, V>>
    where
        K: Eq + Hash,
    {
        let space = self.object.space();
        if space.writable {
            return self.read()?.to_map();
        }
        self.object.peek(|attempt, raw| {
            let view = match TableView::read(space, raw, Layout::<K, V>::SLOT) {
                Ok(Some(view)) => view,
                Ok(None) => return Some(Ok(HashMap::new())),
                Err(error) => return Some(Err(error)),
            };
            let (mut map, reader) = (HashMap::new(), Reader::torn(space, attempt));
            for group in 0..view.groups() {
                let mut left = view.full_slots(group);
                while left != 0 {
                    let place = Place::in_table(&view, group, left.trailing_zeros());
                    left &= left - 1;
                    let key = reader.value::<K>(place)?;
                    let value = reader.value::<V>(place.part(Layout::<K, V>::VALUE_AT))?;
                    // A key's `Hash` and `Eq` are user code: they see whole values only.
                    if !attempt.holds() {
                        return None;
                    }
                    match (key, value) {
                        (Ok(key), Ok(value)) => map.insert(key, value),
                        (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
                    };
                }
            }
            Some(Ok(map))
        })
    }

    /// Lends the entries; writers wait while the guard lives.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`; `ReadOnly` (a read-only mapping copies: [`get`](Self::get),
    /// [`to_map`](Self::to_map)).
    ///
    /// # Crash
    /// Writers that wait for a dead reader go on.
    pub fn read(&self) -> Result<HashMapReadGuard<'_, K, V>> {
        Ok(HashMapReadGuard::new(self.object.read()?))
    }

    /// Locks for a change of any size: atomic when the guard is dropped, undone by
    /// [`rollback`](HashMapWriteGuard::rollback) or a panic.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// Everything that was done through the guard is undone.
    pub fn write(&self) -> Result<HashMapWriteGuard<'_, K, V>> {
        Ok(HashMapWriteGuard::new(self.object.write()?))
    }
}

impl<K: Key, V: Value + Store<V>> SharedHashMap<K, V> {
    /// Changes the value of `key` by a function of it, as one atomic step. The function runs under the lock: it must be
    /// short and must not touch the map itself; a panic in it changes nothing. `None`: the key is not there.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn update<Q: Lookup<K> + ?Sized, R>(&self, key: &Q, change: impl FnOnce(&mut V) -> R) -> Result<Option<R>> {
        key.with_bytes(|bytes| {
            self.finder.expect(&self.object, bytes);
            // Asked once at most, here or there.
            self.object.change_with(
                const { is_short::<V>() },
                Some(change),
                |single, space, raw, change| update_shortly::<K, V, R>(single, space, raw, bytes, change),
                |context, raw, change| update_in::<K, V, R>(context, raw, bytes, change),
            )
        })
    }
}
