//! `SharedVec<T>`: a growable array.

use std::marker::PhantomData;

use super::row::{append_slice_in, vector};
use super::vec_guard::{VecReadGuard, VecWriteGuard};
use crate::containers::Container;
use crate::containers::values::nested::no_value;
use crate::containers::values::reader::Reader;
use crate::containers::values::value::{
    Store, Value, is_short, store_over, store_over_shortly, store_whole, take_locked, take_torn,
};
use crate::engine::{Attempt, Object, ReadLock, Region, WriteLock};
use crate::journal::{Context, Outcome, Single};
use crate::raw::{
    BodyCache, ContainerKind, Descriptor, Owned, Place, Shape, Vector, detach, place_in_vector, release_blocks,
};
use crate::region::Space;
use crate::region::layout::RawHeader;
use crate::{Error, Result};

/// A growable array shared between processes; `std::vec::Vec` with fallible, atomic calls.
///
/// ```
/// # fn main() -> commy::Result<()> {
/// # let path = std::env::temp_dir().join(format!("commy-doc-vec-{}", std::process::id()));
/// let region = commy::Region::create(&path)?;
/// let numbers: commy::SharedVec<u64> = region.object("numbers")?;
/// numbers.push(1)?;
/// numbers.extend([2, 3])?;
/// assert_eq!(numbers.read()?.iter().sum::<u64>(), 6);
/// # drop((numbers, region));
/// # commy::Region::remove(&path)
/// # }
/// ```
pub struct SharedVec<T> {
    pub(in crate::containers) object: Object,
    cache: BodyCache,
    marker: PhantomData<fn() -> T>,
}

impl<T> SharedVec<T> {
    fn of(object: Object) -> Self {
        SharedVec { object, cache: BodyCache::new(), marker: PhantomData }
    }
}

impl<T> Clone for SharedVec<T> {
    fn clone(&self) -> Self {
        Self::of(self.object.clone())
    }
}

impl<T> std::fmt::Debug for SharedVec<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedVec")
    }
}

/// Bytes of a slot.
pub(in crate::containers) const fn slot_size<T: Value>() -> u64 {
    size_of::<T::Repr>() as u64
}

/// Appends one value; whole or not at all.
#[inline(always)]
pub(in crate::containers) fn push_in<T: Value>(
    context: &mut Context,
    raw: &RawHeader,
    value: &impl Store<T>,
) -> Result<()> {
    let vector = Vector::new(context.actor.space, raw, slot_size::<T>());
    let place = vector.next_place(context)?;
    store_whole::<T>(context, value, &place.target())?;
    vector.publish_push(1);
    Ok(())
}

/// As `push_in` for a value that owns nothing, by the short way: what makes the value live is one store.
#[inline(always)]
fn push_shortly<T: Value>(
    single: &mut Single,
    space: &Space,
    raw: &RawHeader,
    value: &mut impl Store<T>,
) -> Outcome<()> {
    let vector = Vector::new(space, raw, slot_size::<T>());
    let Some((len, place)) = vector.vacant_place() else { return Outcome::Longer };
    if value.store(single.context(), &place.target()).is_err() {
        return Outcome::Longer;
    }
    vector.set_live(len + 1);
    Outcome::Changed(())
}

/// As `pop_in` for a value that owns nothing, by the short way.
#[inline(always)]
fn pop_shortly<T: Value>(_: &mut Single, space: &Space, raw: &RawHeader, _: &mut ()) -> Outcome<Option<T>> {
    let vector = Vector::new(space, raw, slot_size::<T>());
    let Some(last) = vector.len().checked_sub(1) else { return Outcome::Same(None) };
    let Ok(place) = Place::in_vector(&vector, last) else { return Outcome::Longer };
    let Ok(value) = take_locked(space, place) else { return Outcome::Longer };
    vector.set_live(last);
    Outcome::Changed(Some(value))
}

/// As `set_in` by the short way.
#[inline(always)]
pub(in crate::containers) fn set_shortly<T: Value>(
    single: &mut Single,
    space: &Space,
    raw: &RawHeader,
    index: u64,
    value: &impl Store<T>,
) -> Outcome<bool> {
    let vector = Vector::new(space, raw, slot_size::<T>());
    if index >= vector.len() {
        return Outcome::Same(false);
    }
    let Ok(place) = Place::in_vector(&vector, index) else { return Outcome::Longer };
    if store_over_shortly::<T>(single, value, place, true) { Outcome::Changed(true) } else { Outcome::Longer }
}

/// Takes the last value.
pub(in crate::containers) fn pop_in<T: Value>(context: &mut Context, raw: &RawHeader) -> Result<Option<T>> {
    let space = context.actor.space;
    let vector = Vector::new(space, raw, slot_size::<T>());
    let Some(last) = vector.len().checked_sub(1) else { return Ok(None) };
    let place = Place::in_vector(&vector, last)?;
    let value = take_locked(space, place)?;
    let blocks = place.owned_blocks(T::OWNED)?;
    context.save_header(raw, vector.len())?;
    release_blocks(context, &blocks)?;
    vector.set_len(context, last)?;
    Ok(Some(value))
}

/// Overwrites slot `index`; false beyond the end.
pub(in crate::containers) fn set_in<T: Value>(
    context: &mut Context,
    raw: &RawHeader,
    index: u64,
    value: &impl Store<T>,
) -> Result<bool> {
    let vector = Vector::new(context.actor.space, raw, slot_size::<T>());
    if index >= vector.len() {
        return Ok(false);
    }
    vector.open_one(context, index)?;
    let place = Place::in_vector(&vector, index)?;
    let blocks = place.owned_blocks(T::OWNED)?;
    store_over::<T>(context, value, place, &blocks)?;
    Ok(true)
}

/// Inserts before slot `index`.
pub(in crate::containers) fn insert_in<T: Value>(
    context: &mut Context,
    raw: &RawHeader,
    index: u64,
    value: &impl Store<T>,
) -> Result<()> {
    let vector = Vector::new(context.actor.space, raw, slot_size::<T>());
    let len = vector.len();
    if index > len {
        return Err(Error::InvalidArgument("insert beyond the end"));
    }
    // The new value first, behind the end: storing it may fail, moving it may not.
    // In this order: opening may move the content to a block that has no room for more.
    vector.open_from(context, index)?;
    vector.reserve(context, 1)?;
    let place = Place::fresh(vector.slots(len, 1)?);
    store_whole::<T>(context, value, &place.target())?;
    vector.publish_push(1);
    vector.rotate_last_to(index)
}

/// Takes the value of slot `index`; those behind it move up, or the last one comes to its place.
pub(in crate::containers) fn take_in<T: Value>(
    context: &mut Context,
    raw: &RawHeader,
    index: u64,
    by_last: bool,
) -> Result<Option<T>> {
    let space = context.actor.space;
    let vector = Vector::new(space, raw, slot_size::<T>());
    let Some(last) = vector.len().checked_sub(1).filter(|last| index <= *last) else { return Ok(None) };
    vector.open_from(context, index)?;
    let place = Place::in_vector(&vector, index)?;
    let value = take_locked(space, place)?;
    let blocks = place.owned_blocks(T::OWNED)?;
    release_blocks(context, &blocks)?;
    match by_last {
        true if index < last => vector.shift(last, index, 1)?,
        true => {}
        false => vector.shift(index + 1, index, last - index)?,
    }
    vector.set_len(context, last)?;
    Ok(Some(value))
}

/// Shortens to `len`.
pub(in crate::containers) fn truncate_in<T: Value>(context: &mut Context, raw: &RawHeader, len: u64) -> Result<()> {
    let vector = Vector::new(context.actor.space, raw, slot_size::<T>());
    if len == 0 && raw.data_offset() != 0 {
        return detach(context, raw, &Owned::words(T::OWNED));
    }
    if len >= vector.len() {
        return Ok(());
    }
    let mut blocks = Vec::new();
    if !T::OWNED.is_empty() {
        for index in len..vector.len() {
            blocks.extend(Place::in_vector(&vector, index)?.owned_blocks(T::OWNED)?);
        }
    }
    context.save_header(raw, vector.len())?;
    release_blocks(context, &blocks)?;
    vector.set_len(context, len)
}

/// Proves the slots of a vector-shaped object valid, unless its type has nothing to prove.
pub(in crate::containers) fn validate_slots<T: Value>(object: &Object) -> Result<()> {
    if T::ANY_BYTES { Ok(()) } else { Reader::prove(object, prove_in::<T>) }
}

/// Is a vector's body where it can be, and no larger than the region?
pub(in crate::containers) fn measure<T: Value>(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
    Vector::new(reader.space, raw, slot_size::<T>()).slots(0, raw.length())?;
    reader.spend(raw.length().saturating_mul(slot_size::<T>().max(1)))
}

/// Proves that a vector may be lent.
pub(in crate::containers) fn prove_in<T: Value>(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
    measure::<T>(raw, reader)?;
    reader.claim(raw.data_offset(), raw.length().saturating_mul(slot_size::<T>()));
    if T::ANY_BYTES {
        return Ok(());
    }
    let vector = Vector::new(reader.space, raw, slot_size::<T>());
    for index in 0..vector.len() {
        if !T::is_valid(Place::in_vector(&vector, index)?.lend(reader.space), reader) {
            return Err(no_value(raw));
        }
    }
    Ok(())
}

/// The shape of a container of `T`s without keys.
pub(in crate::containers) const fn shape<T: Value>(kind: ContainerKind) -> Shape {
    Shape { kind, text_key: false, key_size: 0, slot_size: slot_size::<T>() }
}

pub(in crate::containers) fn vector_descriptor<T: Value>(kind: ContainerKind, text: String) -> Descriptor {
    const { assert!(Owned::fits(T::OWNED), "a value owns too much") }
    Descriptor { shape: shape::<T>(kind), owned: Owned::words(T::OWNED), order: Vec::new(), text }
}

impl<T: Value> Container for SharedVec<T> {
    type ReadGuard<'a> = VecReadGuard<'a, T>;
    type WriteGuard<'a> = VecWriteGuard<'a, T>;

    fn descriptor() -> Descriptor {
        vector_descriptor::<T>(ContainerKind::Vec, format!("SharedVec<{}>", T::schema()))
    }

    fn from_object(object: Object) -> Self {
        Self::of(object)
    }

    fn object(&self) -> &Object {
        &self.object
    }

    fn validate(object: &Object) -> Result<()> {
        validate_slots::<T>(object)
    }

    fn read_guard<'a>(lock: ReadLock<'a>) -> VecReadGuard<'a, T> {
        VecReadGuard::new(lock)
    }

    fn write_guard<'a>(lock: WriteLock<'a>) -> VecWriteGuard<'a, T> {
        VecWriteGuard::new(lock)
    }
}

impl<T: Value> SharedVec<T> {
    /// Makes a vector without a name. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    ///
    /// # Crash
    /// Whoever notices that this process is dead frees it.
    pub fn new_in(region: &Region) -> Result<Self> {
        region.anonymous()
    }

    /// Appends a value.
    ///
    /// # Errors
    /// `OutOfSpace`, `Timeout`, `Removed`, `ReadOnly`; `Deadlock` if this thread holds the vector's write guard.
    ///
    /// # Crash
    /// The value is there, or the vector is as before.
    #[inline]
    pub fn push(&self, value: impl Store<T>) -> Result<()> {
        let short = const { T::OWNED.is_empty() };
        self.object.change_with(short, value, push_shortly::<T>, |context, raw, value| push_in(context, raw, value))
    }

    /// Takes the last value, if there is one.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Crash
    /// As [`push`](Self::push).
    #[inline]
    pub fn pop(&self) -> Result<Option<T>> {
        let short = const { T::OWNED.is_empty() };
        self.object.change_with(short, (), pop_shortly, |context, raw, ()| pop_in(context, raw))
    }

    /// A copy of the value at `index`, `None` beyond the end. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    #[inline]
    pub fn get(&self, index: usize) -> Result<Option<T>> {
        if let Some(value) = self.get_cached(index) {
            return Ok(Some(value));
        }
        match self.get_uncached(index) {
            Some(value) => Ok(value),
            None => self.get_slowly(index),
        }
    }

    /// The usual case with the fewest instructions; `None`: anything else.
    #[inline(always)]
    fn get_cached(&self, index: usize) -> Option<T> {
        let current = || self.object.attempt();
        let (attempt, place) =
            self.cache.place(slot_size::<T>(), index as u64, current, |attempt| attempt.version())?;
        let value = take_torn::<T>(&attempt, self.object.space(), place)?.ok()?;
        attempt.holds().then_some(value)
    }

    /// The usual case of a vector that changes all the time; `None`: anything else. (A `Result` would be returned in memory,
    /// in other pieces than it is read from there.)
    #[inline(never)]
    fn get_uncached(&self, index: usize) -> Option<Option<T>> {
        if self.cache.is_missed_again(self.object.attempt().version()) {
            self.remember();
        }
        self.object.glance(|attempt, raw| self.look_at(attempt, raw, index)?.ok())
    }

    #[cold]
    fn get_slowly(&self, index: usize) -> Result<Option<T>> {
        self.object.peek(|attempt, raw| self.look_at(attempt, raw, index))
    }

    /// Copies a value of a vector whose words may be changing; `None`: they were seen to.
    #[inline(always)]
    fn look_at(&self, attempt: &Attempt, raw: &RawHeader, index: usize) -> Option<Result<Option<T>>> {
        let space = self.object.space();
        match place_in_vector(space, raw, slot_size::<T>(), index as u64) {
            Ok(Some(place)) => Some(take_torn(attempt, space, place)?.map(Some)),
            Ok(None) => Some(Ok(None)),
            Err(error) => Some(Err(error)),
        }
    }

    /// Remembers where the values are.
    #[cold]
    fn remember(&self) {
        self.cache.install(|| {
            self.object.glance(|attempt, raw| {
                let vector = Vector::new(self.object.space(), raw, slot_size::<T>());
                let len = vector.len();
                Some((attempt.version(), vector.slots(0, len).ok()?, len))
            })
        });
    }

    /// Overwrites the value at `index`; `Ok(false)` beyond the end.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn set(&self, index: usize, value: impl Store<T>) -> Result<bool> {
        self.object.change_with(
            const { is_short::<T>() },
            value,
            |single, space, raw, value| set_shortly::<T>(single, space, raw, index as u64, value),
            |context, raw, value| set_in(context, raw, index as u64, value),
        )
    }

    /// Number of values. Takes no lock.
    ///
    /// # Errors
    /// `Timeout`, `Removed`.
    pub fn len(&self) -> Result<usize> {
        self.object.peek(|_, raw| Some(Ok(raw.length() as usize)))
    }

    /// Has it no values?
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Removes all values and gives the memory back.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Crash
    /// All or none are gone.
    pub fn clear(&self) -> Result<()> {
        self.truncate(0)
    }

    /// Removes the values from `len` on.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Crash
    /// As [`clear`](Self::clear).
    pub fn truncate(&self, len: usize) -> Result<()> {
        self.object.change(|context, raw| truncate_in::<T>(context, raw, len as u64))
    }

    /// Appends all values as one change.
    ///
    /// # Errors
    /// As [`push`](Self::push); then none of them is there.
    ///
    /// # Crash
    /// All or none are there.
    pub fn extend<S: Store<T>>(&self, values: impl IntoIterator<Item = S>) -> Result<()> {
        // User code runs before the lock is taken.
        let values: Vec<S> = values.into_iter().collect();
        self.object
            .change(|context, raw| append_slice_in::<T, S>(context, vector::<T>(context.actor.space, raw), &values))
    }

    /// Makes room for `more` values.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn reserve(&self, more: usize) -> Result<()> {
        self.object.change(|context, raw| {
            Vector::new(context.actor.space, raw, slot_size::<T>()).reserve(context, more as u64)
        })
    }

    /// A copy of all values, as they are at one moment.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        let space = self.object.space();
        if space.writable {
            return self.read()?.to_vec();
        }
        self.object.peek(|attempt, raw| {
            let len = raw.length();
            let (mut values, reader) = (Vec::new(), Reader::torn(space, attempt));
            for index in 0..len {
                let place = match place_in_vector(space, raw, slot_size::<T>(), index) {
                    Ok(Some(place)) => place,
                    Ok(None) => return None,
                    Err(error) => return Some(Err(error)),
                };
                match reader.value(place)? {
                    Ok(value) => values.push(value),
                    Err(error) => return Some(Err(error)),
                }
                if index % 1024 == 0 && !attempt.holds() {
                    return None;
                }
            }
            Some(Ok(values))
        })
    }

    /// Lends the content; writers wait while the guard lives.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`, `ReadOnly` (a read-only mapping copies: [`get`](Self::get),
    /// [`to_vec`](Self::to_vec)).
    ///
    /// # Crash
    /// Writers that wait for a dead reader go on.
    pub fn read(&self) -> Result<VecReadGuard<'_, T>> {
        Ok(VecReadGuard::new(self.object.read()?))
    }

    /// Locks for a change of any size: atomic when the guard is dropped, undone by
    /// [`rollback`](VecWriteGuard::rollback) or a panic.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Crash
    /// Everything that was done through the guard is undone.
    pub fn write(&self) -> Result<VecWriteGuard<'_, T>> {
        Ok(VecWriteGuard::new(self.object.write()?))
    }
}
