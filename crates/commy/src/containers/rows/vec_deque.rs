//! `SharedVecDeque<T>`: a double-ended queue.

use std::marker::PhantomData;

use super::row::append_slice_in;
use super::vec::{slot_size, vector_descriptor};
use super::vec_deque_guard::{VecDequeReadGuard, VecDequeWriteGuard};
use crate::containers::Container;
use crate::containers::values::nested::no_value;
use crate::containers::values::reader::Reader;
use crate::containers::values::value::{Store, Value, store_over, store_whole, take_locked, take_torn};
use crate::engine::{Object, ReadLock, Region, WriteLock};
use crate::journal::{Context, Outcome, Single};
use crate::raw::{ContainerKind, Deque, Descriptor, Image, Owned, OwnedPart, detach, place_in_deque, release_blocks};
use crate::region::Space;
use crate::region::layout::RawHeader;
use crate::{Error, Result};

/// A double-ended queue shared between processes; `std::collections::VecDeque` with fallible, atomic calls.
///
/// ```
/// # fn main() -> commy::Result<()> {
/// # let path = std::env::temp_dir().join(format!("commy-doc-deque-{}", std::process::id()));
/// let region = commy::Region::create(&path)?;
/// let tasks: commy::SharedVecDeque<String> = region.object("tasks")?;
/// tasks.push_back("first")?;
/// tasks.push_back("second")?;
/// assert_eq!(tasks.pop_front()?.as_deref(), Some("first"));
/// # drop((tasks, region));
/// # commy::Region::remove(&path)
/// # }
/// ```
pub struct SharedVecDeque<T> {
    pub(in crate::containers) object: Object,
    marker: PhantomData<fn() -> T>,
}

impl<T> Clone for SharedVecDeque<T> {
    fn clone(&self) -> Self {
        SharedVecDeque { object: self.object.clone(), marker: PhantomData }
    }
}

impl<T> std::fmt::Debug for SharedVecDeque<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedVecDeque")
    }
}

/// An end of a queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::containers) enum Side {
    Front,
    Back,
}

/// The queue of `raw`.
#[inline(always)]
pub(in crate::containers) fn queue<'a, T: Value>(space: &'a Space, raw: &'a RawHeader) -> Deque<'a> {
    Deque::new(space, raw, slot_size::<T>())
}

#[cold]
fn full(queue: &Deque) -> Error {
    Error::Full { limit: queue.limit() }
}

/// Adds one value at an end; whole or not at all.
#[inline(always)]
pub(in crate::containers) fn push_in<T: Value>(
    context: &mut Context,
    raw: &RawHeader,
    side: Side,
    value: &impl Store<T>,
) -> Result<()> {
    let queue = queue::<T>(context.actor.space, raw);
    if queue.is_beyond_limit(1) {
        return Err(full(&queue));
    }
    match side {
        Side::Back => {
            let place = queue.next_back(context)?;
            store_whole::<T>(context, value, &place.target())?;
            queue.publish_back();
        }
        Side::Front => {
            let place = queue.next_front(context)?;
            store_whole::<T>(context, value, &place.target())?;
            queue.publish_front();
        }
    }
    Ok(())
}

/// Takes the value at an end.
#[inline(always)]
pub(in crate::containers) fn pop_in<T: Value>(context: &mut Context, raw: &RawHeader, side: Side) -> Result<Option<T>> {
    let space = context.actor.space;
    let queue = queue::<T>(space, raw);
    let Some(last) = queue.len().checked_sub(1) else { return Ok(None) };
    queue.touch(context)?;
    let place = queue.place(if side == Side::Front { 0 } else { last })?;
    let value = take_locked(space, place)?;
    if !T::OWNED.is_empty() {
        release_blocks(context, &place.owned_blocks(T::OWNED)?)?;
    }
    match side {
        Side::Front => queue.drop_front(1),
        Side::Back => queue.shorten(last),
    }
    Ok(Some(value))
}

/// Adds one value at an end, as a handle's whole change.
#[inline(always)]
pub(in crate::containers) fn push_to<T: Value>(object: &Object, side: Side, value: &impl Store<T>) -> Result<()> {
    object.change_with(
        const { T::OWNED.is_empty() },
        value,
        |single, space, raw, value| push_shortly::<T>(single, space, raw, side, *value),
        |context, raw, value| push_in::<T>(context, raw, side, *value),
    )
}

/// As `push_in` of a value that owns nothing, by the short way.
#[inline(always)]
fn push_shortly<T: Value>(
    single: &mut Single,
    space: &Space,
    raw: &RawHeader,
    side: Side,
    value: &impl Store<T>,
) -> Outcome<()> {
    let queue = queue::<T>(space, raw);
    let Some(place) = queue.vacant_place(side == Side::Front) else { return Outcome::Longer };
    if value.store(single.context(), &place.target()).is_err() {
        return Outcome::Longer;
    }
    match side {
        Side::Back => queue.publish_back(),
        Side::Front => {
            queue.record_front(single);
            queue.publish_front();
        }
    }
    Outcome::Changed(())
}

/// Takes the value at an end, as a handle's whole change.
#[inline(always)]
pub(in crate::containers) fn pop_from<T: Value>(object: &Object, side: Side) -> Result<Option<T>> {
    object.change_with(
        const { T::OWNED.is_empty() },
        (),
        |single, space, raw, ()| pop_shortly::<T>(single, space, raw, side),
        |context, raw, ()| pop_in::<T>(context, raw, side),
    )
}

/// As `pop_in` of a value that owns nothing, by the short way.
#[inline(always)]
fn pop_shortly<T: Value>(single: &mut Single, space: &Space, raw: &RawHeader, side: Side) -> Outcome<Option<T>> {
    let queue = queue::<T>(space, raw);
    let Some(last) = queue.len().checked_sub(1) else { return Outcome::Same(None) };
    let Some(place) = queue.end_place(side == Side::Front) else { return Outcome::Longer };
    let Ok(value) = take_locked(space, place) else { return Outcome::Longer };
    match side {
        Side::Front => {
            queue.record_front(single);
            queue.drop_front(1);
        }
        Side::Back => queue.shorten(last),
    }
    Outcome::Changed(Some(value))
}

/// The blocks that items `from .. from + count` own.
fn owned_in<T: Value>(queue: &Deque, from: u64, count: u64) -> Result<Vec<OwnedPart>> {
    let mut blocks = Vec::new();
    if !T::OWNED.is_empty() {
        for index in from..from + count {
            blocks.extend(queue.place(index)?.owned_blocks(T::OWNED)?);
        }
    }
    Ok(blocks)
}

/// Copies of items `from .. from + count`.
pub(in crate::containers) fn copies_in<T: Value>(
    space: &Space,
    queue: &Deque,
    from: u64,
    count: u64,
) -> Result<Vec<T>> {
    (from..from + count).map(|index| take_locked(space, queue.place(index)?)).collect()
}

/// Takes items `from .. from + count`, all of which are there.
pub(in crate::containers) fn take_range_in<T: Value>(
    context: &mut Context,
    raw: &RawHeader,
    from: u64,
    count: u64,
) -> Result<Vec<T>> {
    let space = context.actor.space;
    let queue = queue::<T>(space, raw);
    if count == 0 {
        return Ok(Vec::new());
    }
    queue.open_gap_to_close(context, from, count)?;
    let values = copies_in(space, &queue, from, count)?;
    let blocks = owned_in::<T>(&queue, from, count)?;
    release_blocks(context, &blocks)?;
    queue.close_gap(from, count)?;
    Ok(values)
}

/// Overwrites item `index`; false beyond the end.
pub(in crate::containers) fn set_in<T: Value>(
    context: &mut Context,
    raw: &RawHeader,
    index: u64,
    value: &impl Store<T>,
) -> Result<bool> {
    let queue = queue::<T>(context.actor.space, raw);
    if index >= queue.len() {
        return Ok(false);
    }
    queue.open(context, index, 1)?;
    let place = queue.place(index)?;
    let blocks = place.owned_blocks(T::OWNED)?;
    store_over::<T>(context, value, place, &blocks)?;
    Ok(true)
}

/// Inserts before item `index`.
pub(in crate::containers) fn insert_in<T: Value>(
    context: &mut Context,
    raw: &RawHeader,
    index: u64,
    value: &impl Store<T>,
) -> Result<()> {
    let queue = queue::<T>(context.actor.space, raw);
    if index > queue.len() {
        return Err(Error::InvalidArgument("insert beyond the end"));
    }
    if queue.is_beyond_limit(1) {
        return Err(full(&queue));
    }
    queue.reserve(context, 1)?;
    queue.open_gap(context, index)?;
    // Storing it may fail, moving it may not: it is made in private memory first.
    let mut image = Image::<T::Repr>::zeroed();
    store_whole::<T>(context, value, &image.target())?;
    queue.fill_gap(index, image.place())
}

/// Takes item `index`; `None` beyond the end.
pub(in crate::containers) fn remove_in<T: Value>(
    context: &mut Context,
    raw: &RawHeader,
    index: u64,
) -> Result<Option<T>> {
    if index >= raw.length() {
        return Ok(None);
    }
    Ok(take_range_in(context, raw, index, 1)?.pop())
}

/// Is a queue's ring possible, and no larger than the region?
pub(in crate::containers) fn measure<T: Value>(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
    queue::<T>(reader.space, raw).check_shape()?;
    reader.spend(raw.length().saturating_mul(slot_size::<T>().max(1)))
}

/// Proves that a queue may be lent.
pub(in crate::containers) fn prove_in<T: Value>(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
    measure::<T>(raw, reader)?;
    let queue = queue::<T>(reader.space, raw);
    reader.claim(raw.data_offset(), queue.body_size());
    if T::ANY_BYTES {
        return Ok(());
    }
    for index in 0..queue.len() {
        if !T::is_valid(queue.place(index)?.lend(reader.space), reader) {
            return Err(no_value(raw));
        }
    }
    Ok(())
}

/// Takes item `index`, in whose place comes the one at an end; `None` beyond the end.
pub(in crate::containers) fn swap_remove_in<T: Value>(
    context: &mut Context,
    raw: &RawHeader,
    index: u64,
    side: Side,
) -> Result<Option<T>> {
    let queue = queue::<T>(context.actor.space, raw);
    if index >= queue.len() {
        return Ok(None);
    }
    let end = if side == Side::Front { 0 } else { queue.len() - 1 };
    queue.open(context, index, 1)?;
    let place = queue.place(index)?;
    let value = take_locked(context.actor.space, place)?;
    let blocks = place.owned_blocks(T::OWNED)?;
    release_blocks(context, &blocks)?;
    if index != end {
        queue.shift(end, index, 1)?;
    }
    match side {
        Side::Front => queue.drop_front(1),
        Side::Back => queue.shorten(end),
    }
    Ok(Some(value))
}

/// Turns the queue so that the first `count` items come to stand last.
pub(in crate::containers) fn rotate_in<T: Value>(context: &mut Context, raw: &RawHeader, count: usize) -> Result<()> {
    let (queue, count) = (queue::<T>(context.actor.space, raw), count as u64);
    let Some(rest) = queue.len().checked_sub(count) else { return Err(Error::InvalidArgument("too far to turn")) };
    // The shorter way round.
    if count <= rest { queue.rotate_left(context, count) } else { queue.rotate_right(context, rest) }
}

/// Shortens to `len`.
pub(in crate::containers) fn truncate_in<T: Value>(context: &mut Context, raw: &RawHeader, len: u64) -> Result<()> {
    let queue = queue::<T>(context.actor.space, raw);
    if len == 0 && raw.data_offset() != 0 {
        queue.touch(context)?;
        return detach(context, raw, &Owned::words(T::OWNED));
    }
    if len >= queue.len() {
        return Ok(());
    }
    queue.touch(context)?;
    let blocks = owned_in::<T>(&queue, len, queue.len() - len)?;
    release_blocks(context, &blocks)?;
    queue.shorten(len);
    Ok(())
}

impl<T: Value> Container for SharedVecDeque<T> {
    type ReadGuard<'a> = VecDequeReadGuard<'a, T>;
    type WriteGuard<'a> = VecDequeWriteGuard<'a, T>;

    fn descriptor() -> Descriptor {
        vector_descriptor::<T>(ContainerKind::VecDeque, format!("SharedVecDeque<{}>", T::schema()))
    }

    fn from_object(object: Object) -> Self {
        SharedVecDeque { object, marker: PhantomData }
    }

    fn object(&self) -> &Object {
        &self.object
    }

    fn validate(object: &Object) -> Result<()> {
        if T::ANY_BYTES { Ok(()) } else { Reader::prove(object, prove_in::<T>) }
    }

    fn read_guard<'a>(lock: ReadLock<'a>) -> VecDequeReadGuard<'a, T> {
        VecDequeReadGuard::new(lock)
    }

    fn write_guard<'a>(lock: WriteLock<'a>) -> VecDequeWriteGuard<'a, T> {
        VecDequeWriteGuard::new(lock)
    }
}

impl<T: Value> SharedVecDeque<T> {
    /// Makes a queue without a name. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    ///
    /// # Crash
    /// Whoever notices that this process is dead frees it.
    pub fn new_in(region: &Region) -> Result<Self> {
        region.anonymous()
    }

    /// Sets the most values that may be in the queue and returns the handle: `region.object("tasks")?.with_limit(100)?`.
    /// The limit is the queue's, not the handle's: it holds for every process and stays. Values beyond a limit that comes
    /// later stay, too, and nothing can be added until there is room.
    ///
    /// # Errors
    /// `InvalidArgument` for 0; as [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// The old limit or the new one.
    pub fn with_limit(self, limit: usize) -> Result<Self> {
        self.set_limit(Some(limit))?;
        Ok(self)
    }

    /// Sets the most values that may be in the queue; `None`: as many as the region has room for.
    ///
    /// # Errors
    /// As [`with_limit`](Self::with_limit).
    ///
    /// # Crash
    /// The old limit or the new one.
    pub fn set_limit(&self, limit: Option<usize>) -> Result<()> {
        if limit == Some(0) {
            return Err(Error::InvalidArgument("a queue's limit is 1 at least"));
        }
        if self.limit()? == limit {
            return Ok(());
        }
        self.object
            .change(|context, raw| queue::<T>(context.actor.space, raw).set_limit(context, limit.unwrap_or(0) as u64))
    }

    /// The most values that may be in the queue, if there is a limit. Takes no lock.
    ///
    /// # Errors
    /// `Timeout`, `Removed`.
    pub fn limit(&self) -> Result<Option<usize>> {
        let space = self.object.space();
        let limit = self.object.peek(|_, raw| Some(Ok(queue::<T>(space, raw).limit())))?;
        Ok((limit != 0).then_some(limit as usize))
    }

    /// Adds a value at the back.
    ///
    /// # Errors
    /// `Full` at the queue's limit; `OutOfSpace`, `Timeout`, `Removed`, `ReadOnly`; `Deadlock` if this thread holds the
    /// queue's write guard.
    ///
    /// # Crash
    /// The value is there, or the queue is as before.
    #[inline]
    pub fn push_back(&self, value: impl Store<T>) -> Result<()> {
        push_to(&self.object, Side::Back, &value)
    }

    /// Adds a value at the front.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// As [`push_back`](Self::push_back).
    #[inline]
    pub fn push_front(&self, value: impl Store<T>) -> Result<()> {
        push_to(&self.object, Side::Front, &value)
    }

    /// As [`push_back`](Self::push_back); at the limit it answers `Ok(false)`.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    pub fn try_push_back(&self, value: impl Store<T>) -> Result<bool> {
        unless_full(self.push_back(value))
    }

    /// As [`push_front`](Self::push_front); at the limit it answers `Ok(false)`.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    pub fn try_push_front(&self, value: impl Store<T>) -> Result<bool> {
        unless_full(self.push_front(value))
    }

    /// Takes the first value, if there is one.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// The value is taken, or the queue is as before: a process that dies inside has not taken it.
    #[inline]
    pub fn pop_front(&self) -> Result<Option<T>> {
        pop_from(&self.object, Side::Front)
    }

    /// Takes the last value, if there is one.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// As [`pop_front`](Self::pop_front).
    #[inline]
    pub fn pop_back(&self) -> Result<Option<T>> {
        pop_from(&self.object, Side::Back)
    }

    /// Takes up to `most` of the first values as one change; fewer if there are fewer, none if there is none.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// All of them are taken or none.
    pub fn pop_front_many(&self, most: usize) -> Result<Vec<T>> {
        self.object.change(|context, raw| take_range_in(context, raw, 0, raw.length().min(most as u64)))
    }

    /// A copy of the first value. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn front(&self) -> Result<Option<T>> {
        self.get(0)
    }

    /// A copy of the last value. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn back(&self) -> Result<Option<T>> {
        self.get_by(|raw| raw.length().wrapping_sub(1))
    }

    /// A copy of the value at `index`, `None` beyond the end. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    #[inline]
    pub fn get(&self, index: usize) -> Result<Option<T>> {
        self.get_by(|_| index as u64)
    }

    #[inline(always)]
    fn get_by(&self, index: impl Fn(&RawHeader) -> u64) -> Result<Option<T>> {
        let space = self.object.space();
        self.object.peek(|attempt, raw| match place_in_deque(space, raw, slot_size::<T>(), index(raw)) {
            Ok(Some(place)) => Some(take_torn(attempt, space, place)?.map(Some)),
            Ok(None) => Some(Ok(None)),
            Err(error) => Some(Err(error)),
        })
    }

    /// Overwrites the value at `index`; `Ok(false)` beyond the end.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn set(&self, index: usize, value: impl Store<T>) -> Result<bool> {
        self.object.change(|context, raw| set_in(context, raw, index as u64, &value))
    }

    /// Changes the value at `index` by a function of it, as one atomic step. The function runs under the lock: it must be
    /// short and must not touch the queue itself. `None`: beyond the end.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn update<R>(&self, index: usize, change: impl FnOnce(&mut T) -> R) -> Result<Option<R>>
    where
        T: Store<T>,
    {
        self.object.change(|context, raw| {
            let space = context.actor.space;
            let queue = queue::<T>(space, raw);
            if index as u64 >= queue.len() {
                return Ok(None);
            }
            let mut value = take_locked(space, queue.place(index as u64)?)?;
            let result = change(&mut value);
            set_in(context, raw, index as u64, &value)?;
            Ok(Some(result))
        })
    }

    /// Inserts a value before `index`; the values of the nearer end move.
    ///
    /// # Errors
    /// `InvalidArgument` beyond the end; as [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// As [`push_back`](Self::push_back).
    pub fn insert(&self, index: usize, value: impl Store<T>) -> Result<()> {
        self.object.change(|context, raw| insert_in(context, raw, index as u64, &value))
    }

    /// Takes the value at `index`, `None` beyond the end; the values of the nearer end move up.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// As [`pop_front`](Self::pop_front).
    pub fn remove(&self, index: usize) -> Result<Option<T>> {
        self.object.change(|context, raw| remove_in(context, raw, index as u64))
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
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// All or none are gone.
    pub fn clear(&self) -> Result<()> {
        self.truncate(0)
    }

    /// Removes the values from `len` on.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// As [`clear`](Self::clear).
    pub fn truncate(&self, len: usize) -> Result<()> {
        self.object.change(|context, raw| truncate_in::<T>(context, raw, len as u64))
    }

    /// Adds all values at the back as one change.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back); then none of them is there.
    ///
    /// # Crash
    /// All or none are there.
    pub fn extend<S: Store<T>>(&self, values: impl IntoIterator<Item = S>) -> Result<()> {
        // User code runs before the lock is taken.
        let values: Vec<S> = values.into_iter().collect();
        self.object
            .change(|context, raw| append_slice_in::<T, S>(context, queue::<T>(context.actor.space, raw), &values))
    }

    /// Makes room for `more` values.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    pub fn reserve(&self, more: usize) -> Result<()> {
        self.object.change(|context, raw| queue::<T>(context.actor.space, raw).reserve(context, more as u64))
    }

    /// Is a value equal to `value` there?
    ///
    /// # Errors
    /// As [`to_vec`](Self::to_vec).
    pub fn contains(&self, value: &T) -> Result<bool>
    where
        T: PartialEq,
    {
        let space = self.object.space();
        if !space.writable {
            return Ok(self.to_vec()?.contains(value));
        }
        let lock = self.object.read()?;
        let queue = queue::<T>(space, lock.raw());
        queue.check_shape()?;
        for index in 0..queue.len() {
            if take_locked::<T>(space, queue.place(index)?)? == *value {
                return Ok(true);
            }
        }
        Ok(false)
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
            let (mut values, reader) = (Vec::new(), Reader::torn(space, attempt));
            for index in 0..raw.length() {
                let place = match place_in_deque(space, raw, slot_size::<T>(), index) {
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
    pub fn read(&self) -> Result<VecDequeReadGuard<'_, T>> {
        Ok(VecDequeReadGuard::new(self.object.read()?))
    }

    /// Locks for a change of any size: atomic when the guard is dropped, undone by
    /// [`rollback`](VecDequeWriteGuard::rollback) or a panic.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// Everything that was done through the guard is undone.
    pub fn write(&self) -> Result<VecDequeWriteGuard<'_, T>> {
        Ok(VecDequeWriteGuard::new(self.object.write()?))
    }
}

/// What a push answers, with a full queue as an answer and not as an error.
pub(in crate::containers) fn unless_full(pushed: Result<()>) -> Result<bool> {
    match pushed {
        Ok(()) => Ok(true),
        Err(Error::Full { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
