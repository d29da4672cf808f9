//! More of `SharedVec`: values in the middle, ends, copies of parts.

use std::ops::RangeBounds;

use super::row::{copies, look, permute_in, replace_in, resolve, sieve_in, turned, vector};
use super::vec::SharedVec;
use super::vec::{insert_in, pop_in, slot_size, take_in};
use crate::containers::values::value::{Store, Value, take_locked, take_torn};
use crate::raw::{Place, place_in_vector};
use crate::{Error, Result};

impl<T: Value> SharedVec<T> {
    /// Inserts a value before `index`.
    ///
    /// # Errors
    /// `InvalidArgument` beyond the end; as [`push`](Self::push).
    ///
    /// # Crash
    /// As [`push`](Self::push).
    pub fn insert(&self, index: usize, value: impl Store<T>) -> Result<()> {
        self.object.change(|context, raw| insert_in::<T>(context, raw, index as u64, &value))
    }

    /// Takes the value at `index`, `None` beyond the end; those behind it move up.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Crash
    /// The value is taken, or the vector is as before.
    pub fn remove(&self, index: usize) -> Result<Option<T>> {
        self.object.change(|context, raw| take_in(context, raw, index as u64, false))
    }

    /// Takes the value at `index`, `None` beyond the end; the last one comes to its place.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Crash
    /// As [`remove`](Self::remove).
    pub fn swap_remove(&self, index: usize) -> Result<Option<T>> {
        self.object.change(|context, raw| take_in(context, raw, index as u64, true))
    }

    /// Takes the last value if `condition` holds of it, which runs under the lock: it must be short and must not touch the
    /// vector itself.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Crash
    /// As [`remove`](Self::remove).
    pub fn pop_if(&self, condition: impl FnOnce(T::Ref<'_>) -> bool) -> Result<Option<T>> {
        self.object.change(|context, raw| match raw.length().checked_sub(1) {
            Some(last) if look::<T, bool>(vector::<T>(context.actor.space, raw), last, condition)? => {
                pop_in(context, raw)
            }
            _ => Ok(None),
        })
    }

    /// Takes the values of a range.
    ///
    /// # Errors
    /// `InvalidArgument` if the range is not inside of the vector; as [`push`](Self::push).
    ///
    /// # Crash
    /// All of them are taken or none.
    pub fn drain(&self, range: impl RangeBounds<usize>) -> Result<Vec<T>> {
        self.object.change(|context, raw| {
            let row = vector::<T>(context.actor.space, raw);
            let range = resolve(&range, row.len())?;
            let values = copies(row, range.clone())?;
            if !range.is_empty() {
                sieve_in::<T>(context, row, &[range])?;
            }
            Ok(values)
        })
    }

    /// Turns the vector so that the first `count` values come to stand last.
    ///
    /// # Errors
    /// `InvalidArgument` if there are fewer; as [`push`](Self::push).
    ///
    /// # Crash
    /// All values have moved or none.
    pub fn rotate_left(&self, count: usize) -> Result<()> {
        self.object.change(|context, raw| {
            let row = vector::<T>(context.actor.space, raw);
            permute_in(context, row, &turned(row, count)?)
        })
    }

    /// Turns the vector so that the last `count` values come to stand first.
    ///
    /// # Errors
    /// As [`rotate_left`](Self::rotate_left).
    ///
    /// # Crash
    /// As [`rotate_left`](Self::rotate_left).
    pub fn rotate_right(&self, count: usize) -> Result<()> {
        self.object.change(|context, raw| {
            let row = vector::<T>(context.actor.space, raw);
            let rest = (row.len() as usize).checked_sub(count).ok_or(Error::InvalidArgument("too far to turn"))?;
            permute_in(context, row, &turned(row, rest)?)
        })
    }

    /// Changes the value at `index` by a function of it, as one atomic step. The function runs under the lock: it must be
    /// short and must not touch the vector itself. `None`: beyond the end.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn update<R>(&self, index: usize, change: impl FnOnce(&mut T) -> R) -> Result<Option<R>>
    where
        T: Store<T>,
    {
        self.object.change(|context, raw| {
            let row = vector::<T>(context.actor.space, raw);
            if index as u64 >= row.len() {
                return Ok(None);
            }
            let mut value = take_locked(row.space, Place::in_vector(&row, index as u64)?)?;
            let result = change(&mut value);
            replace_in::<T>(context, row, index as u64, &value)?;
            Ok(Some(result))
        })
    }

    /// A copy of the first value. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn first(&self) -> Result<Option<T>> {
        self.get(0)
    }

    /// A copy of the last value. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn last(&self) -> Result<Option<T>> {
        let space = self.object.space();
        self.object.peek(|attempt, raw| {
            match place_in_vector(space, raw, slot_size::<T>(), raw.length().wrapping_sub(1)) {
                Ok(Some(place)) => Some(take_torn(attempt, space, place)?.map(Some)),
                Ok(None) => Some(Ok(None)),
                Err(error) => Some(Err(error)),
            }
        })
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
        let row = vector::<T>(space, lock.raw());
        for index in 0..row.len() {
            if take_locked::<T>(space, Place::in_vector(&row, index)?)? == *value {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
