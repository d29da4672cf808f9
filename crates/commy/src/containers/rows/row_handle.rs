//! What the handles of vectors and queues can do alike, each call as one atomic change. Code of a user runs under the
//! lock, before anything is changed: it must be short and must not touch the object itself; a panic in it changes nothing.

use std::cmp::Ordering;
use std::ops::RangeBounds;

use super::row::{
    append_in, append_slice_in, as_many, copies, copies_of_runs, look, order_by, order_by_keys, permute_in, replace_in,
    resolve, reversed, runs_of, runs_of_repeated, sieve_in, splice_in, swap_in, vector,
};
use super::vec::SharedVec;
use super::vec_deque::SharedVecDeque;
use super::vec_deque::queue;
use crate::containers::values::value::{Store, Value};
use crate::region::layout::Word;
use crate::{Region, Result};

macro_rules! row_handle {
    ($handle:ident, $row:ident) => {
        impl<T: Value> $handle<T> {
            /// Makes one without a name, with these values. It lives as long as its handles, or as this process.
            ///
            /// # Errors
            /// `ReadOnly`, `OutOfSpace`, `Timeout`.
            ///
            /// # Crash
            /// Whoever notices that this process is dead frees it.
            pub fn from_iter_in<S: Store<T>>(region: &Region, values: impl IntoIterator<Item = S>) -> Result<Self> {
                let new = Self::new_in(region)?;
                new.extend(values)?;
                Ok(new)
            }

            /// For how many values there is room without another block. Takes no lock.
            ///
            /// # Errors
            /// `Timeout`, `Removed`.
            pub fn capacity(&self) -> Result<usize> {
                self.object.peek(|_, raw| Some(Ok(raw.capacity.peek() as usize)))
            }

            /// Appends the values of a slice as one change.
            ///
            /// # Errors
            /// As [`extend`](Self::extend).
            ///
            /// # Crash
            /// All or none are there.
            pub fn extend_from_slice<S: Store<T>>(&self, values: &[S]) -> Result<()> {
                self.object.change(|context, raw| {
                    append_slice_in::<T, S>(context, $row::<T>(context.actor.space, raw), values)
                })
            }

            /// Appends copies of the values of a range as one change.
            ///
            /// # Errors
            /// `InvalidArgument` if the range is not inside; as [`extend`](Self::extend).
            ///
            /// # Crash
            /// All or none are there.
            pub fn extend_from_within(&self, range: impl RangeBounds<usize>) -> Result<()>
            where
                T: Store<T>,
            {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    let values = copies::<T>(row, resolve(&range, row.len())?)?;
                    append_slice_in::<T, T>(context, row, &values)
                })
            }

            /// Moves all values of a vector here, to the end, as one change; it is empty then. After an error it is as it
            /// was.
            ///
            /// # Errors
            /// As [`extend`](Self::extend).
            ///
            /// # Crash
            /// All or none are there.
            pub fn append<S: Store<T>>(&self, values: &mut Vec<S>) -> Result<()> {
                self.extend_from_slice(values)?;
                values.clear();
                Ok(())
            }

            /// Brings the number of values to `len`: takes from the end, or adds `value` there as often as is needed.
            ///
            /// # Errors
            /// As [`extend`](Self::extend).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn resize(&self, len: usize, value: impl Store<T>) -> Result<()> {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    match (len as u64).checked_sub(row.len()) {
                        Some(more) => append_in::<T, _>(context, row, std::iter::repeat_n(&value, more as usize)),
                        None => sieve_in::<T>(context, row, &[len as u64..row.len()]),
                    }
                })
            }

            /// As [`resize`](Self::resize), with values that `make` makes, under the lock.
            ///
            /// # Errors
            /// As [`extend`](Self::extend).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn resize_with<S: Store<T>>(&self, len: usize, make: impl FnMut() -> S) -> Result<()> {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    let Some(more) = (len as u64).checked_sub(row.len()) else {
                        return sieve_in::<T>(context, row, &[len as u64..row.len()]);
                    };
                    let values: Vec<S> = std::iter::repeat_with(make).take(more as usize).collect();
                    append_slice_in::<T, S>(context, row, &values)
                })
            }

            /// Takes the values from `at` on.
            ///
            /// # Errors
            /// `InvalidArgument` beyond the end; as [`clear`](Self::clear).
            ///
            /// # Crash
            /// All of them are taken or none.
            pub fn split_off(&self, at: usize) -> Result<Vec<T>> {
                self.drain(at..)
            }

            /// Takes all values.
            ///
            /// # Errors
            /// As [`clear`](Self::clear).
            ///
            /// # Crash
            /// All of them are taken or none.
            pub fn take(&self) -> Result<Vec<T>> {
                self.drain(..)
            }

            /// Puts `values` in the place of those in `range`, and returns these.
            ///
            /// # Errors
            /// `InvalidArgument` if the range is not inside; as [`extend`](Self::extend).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn splice<S: Store<T>>(
                &self,
                range: impl RangeBounds<usize>,
                values: impl IntoIterator<Item = S>,
            ) -> Result<Vec<T>> {
                let values: Vec<S> = values.into_iter().collect();
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    let range = resolve(&range, row.len())?;
                    let old = copies(row, range.clone())?;
                    splice_in::<T, S>(context, row, range, values.iter())?;
                    Ok(old)
                })
            }

            /// Overwrites the value at `index` and returns the old one; `None` beyond the end.
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// The old value or the new one.
            pub fn replace(&self, index: usize, value: impl Store<T>) -> Result<Option<T>> {
                self.replace_if(index, value, |_| true)
            }

            /// As [`replace`](Self::replace) if `condition` holds of the old value, under the lock; else `None`, and nothing
            /// changes.
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// The old value or the new one.
            pub fn replace_if(
                &self,
                index: usize,
                value: impl Store<T>,
                condition: impl FnOnce(T::Ref<'_>) -> bool,
            ) -> Result<Option<T>> {
                self.object.change(|context, raw| {
                    let (row, index) = ($row::<T>(context.actor.space, raw), index as u64);
                    if index >= row.len() || !look::<T, bool>(row, index, condition)? {
                        return Ok(None);
                    }
                    replace_in::<T>(context, row, index, &value).map(Some)
                })
            }

            /// Exchanges the values at two places.
            ///
            /// # Errors
            /// `InvalidArgument` beyond the end; as [`set`](Self::set).
            ///
            /// # Crash
            /// Both have moved or none.
            pub fn swap(&self, first: usize, second: usize) -> Result<()> {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    swap_in(context, row, first, second)
                })
            }

            /// Overwrites all values with `value`.
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn fill(&self, value: impl Store<T>) -> Result<()> {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    let values = std::iter::repeat_n(&value, row.len() as usize);
                    splice_in::<T, _>(context, row, 0..row.len(), values)
                })
            }

            /// Overwrites each value with one that `make` makes, under the lock.
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn fill_with<S: Store<T>>(&self, make: impl FnMut() -> S) -> Result<()> {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    let values = as_many(row, make)?;
                    splice_in::<T, S>(context, row, 0..row.len(), values.iter())
                })
            }

            /// Keeps the values for which `keep` says so. It runs under the lock, before any value goes: it must be short
            /// and must not touch the object itself.
            ///
            /// # Errors
            /// As [`clear`](Self::clear).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn retain(&self, mut keep: impl FnMut(T::Ref<'_>) -> bool) -> Result<()> {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    let runs = runs_of::<T>(row, &.., |value| !keep(value))?;
                    sieve_in::<T>(context, row, &runs)
                })
            }

            /// Takes the values of `range` for which `goes` says so, which runs under the lock as in
            /// [`retain`](Self::retain).
            ///
            /// # Errors
            /// `InvalidArgument` if the range is not inside; as [`clear`](Self::clear).
            ///
            /// # Crash
            /// All of them are taken or none.
            pub fn extract_if(
                &self,
                range: impl RangeBounds<usize>,
                goes: impl FnMut(T::Ref<'_>) -> bool,
            ) -> Result<Vec<T>> {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    let runs = runs_of::<T>(row, &range, goes)?;
                    let values = copies_of_runs(row, &runs)?;
                    sieve_in::<T>(context, row, &runs)?;
                    Ok(values)
                })
            }

            /// Takes out each value that is equal to the one before it.
            ///
            /// # Errors
            /// As [`clear`](Self::clear).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn dedup(&self) -> Result<()>
            where
                for<'r> T::Ref<'r>: PartialEq,
            {
                self.dedup_by(|value, before| value == before)
            }

            /// Takes out each value that has the same key as the one before it; `key` runs under the lock as in
            /// [`retain`](Self::retain).
            ///
            /// # Errors
            /// As [`clear`](Self::clear).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn dedup_by_key<K: PartialEq>(&self, mut key: impl FnMut(T::Ref<'_>) -> K) -> Result<()> {
                self.dedup_by(|value, before| key(value) == key(before))
            }

            /// Takes out each value that is the same as the one before it, as `same(value, before)` has it, which runs under
            /// the lock as in [`retain`](Self::retain).
            ///
            /// # Errors
            /// As [`clear`](Self::clear).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn dedup_by(&self, same: impl for<'r> FnMut(T::Ref<'r>, T::Ref<'r>) -> bool) -> Result<()> {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    let runs = runs_of_repeated::<T>(row, same)?;
                    sieve_in::<T>(context, row, &runs)
                })
            }

            /// Sorts; equal values keep their order.
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn sort(&self) -> Result<()>
            where
                for<'r> T::Ref<'r>: Ord,
            {
                self.sort_by(|one, other| one.cmp(&other))
            }

            /// As [`sort`](Self::sort), by a comparison, which runs under the lock as in [`retain`](Self::retain).
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn sort_by(&self, compare: impl for<'r> FnMut(T::Ref<'r>, T::Ref<'r>) -> Ordering) -> Result<()> {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    let order = order_by::<T>(row, compare)?;
                    permute_in(context, row, &order)
                })
            }

            /// As [`sort`](Self::sort), by a key, which is made once of each value, under the lock as in
            /// [`retain`](Self::retain).
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn sort_by_key<K: Ord>(&self, key: impl FnMut(T::Ref<'_>) -> K) -> Result<()> {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    let order = order_by_keys::<T, K>(row, key)?;
                    permute_in(context, row, &order)
                })
            }

            /// As [`sort`](Self::sort).
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn sort_unstable(&self) -> Result<()>
            where
                for<'r> T::Ref<'r>: Ord,
            {
                self.sort()
            }

            /// As [`sort_by`](Self::sort_by).
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn sort_unstable_by(
                &self,
                compare: impl for<'r> FnMut(T::Ref<'r>, T::Ref<'r>) -> Ordering,
            ) -> Result<()> {
                self.sort_by(compare)
            }

            /// As [`sort_by_key`](Self::sort_by_key).
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn sort_unstable_by_key<K: Ord>(&self, key: impl FnMut(T::Ref<'_>) -> K) -> Result<()> {
                self.sort_by_key(key)
            }

            /// As [`sort_by_key`](Self::sort_by_key).
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn sort_by_cached_key<K: Ord>(&self, key: impl FnMut(T::Ref<'_>) -> K) -> Result<()> {
                self.sort_by_key(key)
            }

            /// Turns the order round.
            ///
            /// # Errors
            /// As [`set`](Self::set).
            ///
            /// # Crash
            /// All of it has happened or nothing.
            pub fn reverse(&self) -> Result<()> {
                self.object.change(|context, raw| {
                    let row = $row::<T>(context.actor.space, raw);
                    let order = reversed(row)?;
                    permute_in(context, row, &order)
                })
            }

            /// Gives back what memory is not needed.
            ///
            /// # Errors
            /// As [`reserve`](Self::reserve).
            ///
            /// # Crash
            /// Nobody sees a difference.
            pub fn shrink_to_fit(&self) -> Result<()> {
                self.shrink_to(0)
            }

            /// Gives back what memory is not needed for as many values as there are, and for `least`.
            ///
            /// # Errors
            /// As [`reserve`](Self::reserve).
            ///
            /// # Crash
            /// Nobody sees a difference.
            pub fn shrink_to(&self, least: usize) -> Result<()> {
                self.object.change(|context, raw| $row::<T>(context.actor.space, raw).shrink(context, least as u64))
            }

            /// Looks for a value in values that are sorted: where it is, or where it would be. Reads under the lock of
            /// readers; a read-only region copies.
            ///
            /// # Errors
            /// As [`to_vec`](Self::to_vec).
            pub fn binary_search(&self, value: &T) -> Result<Result<usize, usize>>
            where
                T: Ord,
            {
                let space = self.object.space();
                if !space.writable {
                    return Ok(self.to_vec()?.binary_search(value));
                }
                let lock = self.object.read()?;
                let row = $row::<T>(space, lock.raw());
                let (mut from, mut end) = (0, row.len());
                while from < end {
                    let middle = from + (end - from) / 2;
                    let found = copies::<T>(row, middle..middle + 1)?;
                    match found[0].cmp(value) {
                        Ordering::Equal => return Ok(Ok(middle as usize)),
                        Ordering::Less => from = middle + 1,
                        Ordering::Greater => end = middle,
                    }
                }
                Ok(Err(from as usize))
            }

            /// As [`binary_search`](Self::binary_search), by how values compare with what is looked for.
            ///
            /// # Errors
            /// `Timeout`, `Removed`, `Deadlock`, `ReadOnly`.
            pub fn binary_search_by(
                &self,
                compare: impl FnMut(T::Ref<'_>) -> Ordering,
            ) -> Result<Result<usize, usize>> {
                Ok(self.read()?.binary_search_by(compare))
            }

            /// As [`binary_search`](Self::binary_search), by a key.
            ///
            /// # Errors
            /// `Timeout`, `Removed`, `Deadlock`, `ReadOnly`.
            pub fn binary_search_by_key<K: Ord>(
                &self,
                wanted: &K,
                key: impl FnMut(T::Ref<'_>) -> K,
            ) -> Result<Result<usize, usize>> {
                Ok(self.read()?.binary_search_by_key(wanted, key))
            }

            /// How many values stand before the first one of which `first_part` does not hold; those of which it holds come
            /// first.
            ///
            /// # Errors
            /// `Timeout`, `Removed`, `Deadlock`, `ReadOnly`.
            pub fn partition_point(&self, first_part: impl FnMut(T::Ref<'_>) -> bool) -> Result<usize> {
                Ok(self.read()?.partition_point(first_part))
            }
        }
    };
}
row_handle!(SharedVec, vector);
row_handle!(SharedVecDeque, queue);
