//! What the write guards of vectors and queues can do alike. See `row` for why a failing call changes nothing.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::ops::RangeBounds;

use super::row::{
    Row, Runs, add_to_runs, append_in, append_slice_in, as_many, copies, copies_of_runs, order_by, order_by_keys,
    permute_in, replace_in, resolve, reversed, runs_of, runs_of_repeated, sieve_in, splice_in, swap_in, turned, vector,
};
use super::vec_deque::queue;
use super::vec_deque_guard::VecDequeWriteGuard;
use super::vec_guard::{Bomb, VecWriteGuard};
use crate::containers::values::key::Key;
use crate::containers::values::ordered_key::OrderedKey;
use crate::containers::values::value::{Store, Value};
use crate::{Error, Plain, Result};

/// Values of an iterator that are appended at once.
const BATCH: usize = 1024;

macro_rules! row_guard {
    ($guard:ident, $row:ident) => {
        impl<'a, T: Value> $guard<'a, T> {
            /// Appends all values. A panic of the iterator undoes the whole guard.
            ///
            /// # Errors
            /// `OutOfSpace`, `RolledBack`, of a queue `Full` at its limit: none of the values is there then. (If more than a
            /// thousand were given and the region has not even room to let those go that came before, the guard is rolled
            /// back at its end.)
            pub fn extend<S: Store<T>>(&mut self, values: impl IntoIterator<Item = S>) -> Result<()> {
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                let (before, mut values, mut bomb) = (row.len(), values.into_iter(), None);
                loop {
                    let batch: Vec<S> = values.by_ref().take(BATCH).collect();
                    let added = row.len() - before;
                    let done = self.lock.with(|context| append_slice_in::<T, S>(context, row, &batch));
                    if done.is_err() && added > 0 {
                        let undone = self.lock.with(|context| sieve_in::<T>(context, row, &[before..row.len()]));
                        if undone.is_err() {
                            self.lock.doom();
                        }
                    }
                    if done.is_err() || batch.len() < BATCH {
                        std::mem::forget(bomb);
                        return done;
                    }
                    bomb.get_or_insert_with(|| Bomb(&self.lock));
                }
            }

            /// Appends the values of a slice.
            ///
            /// # Errors
            /// `OutOfSpace`, `RolledBack`, of a queue `Full` at its limit; nothing has changed then.
            pub fn extend_from_slice<S: Store<T>>(&mut self, values: &[S]) -> Result<()> {
                let (space, raw) = self.other();
                self.lock.with(|context| append_slice_in::<T, S>(context, $row::<T>(space, raw), values))
            }

            /// Appends copies of the values of a range.
            ///
            /// # Errors
            /// `InvalidArgument` if the range is not inside; as [`extend_from_slice`](Self::extend_from_slice).
            pub fn extend_from_within(&mut self, range: impl RangeBounds<usize>) -> Result<()>
            where
                T: Store<T>,
            {
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                let values = copies::<T>(row, resolve(&range, row.len())?)?;
                self.extend_from_slice(&values)
            }

            /// Moves all values of a vector here, to the end; it is empty then. After an error it is as it was.
            ///
            /// # Errors
            /// As [`extend_from_slice`](Self::extend_from_slice).
            pub fn append<S: Store<T>>(&mut self, values: &mut Vec<S>) -> Result<()> {
                self.extend_from_slice(values)?;
                values.clear();
                Ok(())
            }

            /// Brings the number of values to `len`: takes from the end, or adds `value` there as often as is needed.
            ///
            /// # Errors
            /// As [`extend_from_slice`](Self::extend_from_slice).
            pub fn resize(&mut self, len: usize, value: impl Store<T>) -> Result<()> {
                let Some(more) = len.checked_sub(self.len()).filter(|more| *more > 0) else {
                    return self.truncate(len);
                };
                let (space, raw) = self.other();
                let values = std::iter::repeat_n(&value, more);
                self.lock.with(|context| append_in::<T, _>(context, $row::<T>(space, raw), values))
            }

            /// As [`resize`](Self::resize), with values that `make` makes.
            ///
            /// # Errors
            /// As [`extend`](Self::extend).
            pub fn resize_with<S: Store<T>>(&mut self, len: usize, mut make: impl FnMut() -> S) -> Result<()> {
                match len.checked_sub(self.len()).filter(|more| *more > 0) {
                    Some(more) => self.extend((0..more).map(|_| make())),
                    None => self.truncate(len),
                }
            }

            /// Takes the values from `at` on.
            ///
            /// # Errors
            /// `InvalidArgument` beyond the end; `OutOfSpace`, `RolledBack`; nothing has changed then.
            pub fn split_off(&mut self, at: usize) -> Result<Vec<T>> {
                self.drain(at..)
            }

            /// Takes all values.
            ///
            /// # Errors
            /// `OutOfSpace`, `RolledBack`; nothing has changed then.
            pub fn take(&mut self) -> Result<Vec<T>> {
                self.drain(..)
            }

            /// Puts `values` in the place of those in `range`, and returns these.
            ///
            /// # Errors
            /// `InvalidArgument` if the range is not inside; as [`extend_from_slice`](Self::extend_from_slice).
            pub fn splice<S: Store<T>>(
                &mut self,
                range: impl RangeBounds<usize>,
                values: impl IntoIterator<Item = S>,
            ) -> Result<Vec<T>> {
                let values: Vec<S> = values.into_iter().collect();
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                let range = resolve(&range, row.len())?;
                let old = copies(row, range.clone())?;
                self.lock.with(|context| splice_in::<T, S>(context, row, range, values.iter()))?;
                Ok(old)
            }

            /// Overwrites the value at `index` and returns the old one; `None` beyond the end.
            ///
            /// # Errors
            /// `OutOfSpace`, `RolledBack`; nothing has changed then.
            pub fn replace(&mut self, index: usize, value: impl Store<T>) -> Result<Option<T>> {
                self.replace_if(index, value, |_| true)
            }

            /// As [`replace`](Self::replace) if `condition` holds of the old value; else `None`, and nothing changes.
            ///
            /// # Errors
            /// As [`replace`](Self::replace).
            pub fn replace_if(
                &mut self,
                index: usize,
                value: impl Store<T>,
                condition: impl FnOnce(T::Ref<'_>) -> bool,
            ) -> Result<Option<T>> {
                if !self.get(index).is_some_and(condition) {
                    return Ok(None);
                }
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                self.lock.with(|context| replace_in::<T>(context, row, index as u64, &value)).map(Some)
            }

            /// Keeps the values for which `keep` says so. It is asked about all of them before any goes.
            ///
            /// # Errors
            /// `OutOfSpace`, `RolledBack`; nothing has changed then.
            pub fn retain(&mut self, mut keep: impl FnMut(T::Ref<'_>) -> bool) -> Result<()> {
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                let runs = runs_of::<T>(row, &.., |value| !keep(value))?;
                self.lock.with(|context| sieve_in::<T>(context, row, &runs))
            }

            /// Takes the values of `range` for which `goes` says so. It is asked about all of them before any goes.
            ///
            /// # Errors
            /// `InvalidArgument` if the range is not inside; `OutOfSpace`, `RolledBack`; nothing has changed then.
            pub fn extract_if(
                &mut self,
                range: impl RangeBounds<usize>,
                goes: impl FnMut(T::Ref<'_>) -> bool,
            ) -> Result<Vec<T>> {
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                let runs = runs_of::<T>(row, &range, goes)?;
                let values = copies_of_runs(row, &runs)?;
                self.lock.with(|context| sieve_in::<T>(context, row, &runs))?;
                Ok(values)
            }

            /// Takes out each value that is equal to the one before it.
            ///
            /// # Errors
            /// As [`retain`](Self::retain).
            pub fn dedup(&mut self) -> Result<()>
            where
                for<'r> T::Ref<'r>: PartialEq,
            {
                self.dedup_by(|value, before| value == before)
            }

            /// Takes out each value that has the same key as the one before it.
            ///
            /// # Errors
            /// As [`retain`](Self::retain).
            pub fn dedup_by_key<K: PartialEq>(&mut self, mut key: impl FnMut(T::Ref<'_>) -> K) -> Result<()> {
                self.dedup_by(|value, before| key(value) == key(before))
            }

            /// Takes out each value that is the same as the one before it, as `same(value, before)` has it.
            ///
            /// # Errors
            /// As [`retain`](Self::retain).
            pub fn dedup_by(&mut self, same: impl for<'r> FnMut(T::Ref<'r>, T::Ref<'r>) -> bool) -> Result<()> {
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                let runs = runs_of_repeated::<T>(row, same)?;
                self.lock.with(|context| sieve_in::<T>(context, row, &runs))
            }

            /// Gives back what memory is not needed.
            ///
            /// # Errors
            /// `OutOfSpace`, `RolledBack`; nothing has changed then.
            pub fn shrink_to_fit(&mut self) -> Result<()> {
                self.shrink_to(0)
            }

            /// Gives back what memory is not needed for as many values as there are, and for `least`.
            ///
            /// # Errors
            /// As [`shrink_to_fit`](Self::shrink_to_fit).
            pub fn shrink_to(&mut self, least: usize) -> Result<()> {
                let (space, raw) = self.other();
                self.lock.with(|context| $row::<T>(space, raw).shrink(context, least as u64))
            }
        }

        impl<T: Plain> $guard<'_, T> {
            /// Keeps the values for which `keep` says so, which may change them. A panic in it undoes the whole guard.
            ///
            /// # Errors
            /// `OutOfSpace`, `RolledBack`.
            pub fn retain_mut(&mut self, mut keep: impl FnMut(&mut T) -> bool) -> Result<()> {
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                self.lock.with(|context| row.prepare(context, 0, 0))?;
                let (mut runs, bomb) = (Runs::new(), Bomb(&self.lock));
                for index in 0..row.len() {
                    if !keep(row.place(index)?.lend_mut()) {
                        add_to_runs(&mut runs, index);
                    }
                }
                self.lock.with(|context| sieve_in::<T>(context, row, &runs))?;
                std::mem::forget(bomb);
                Ok(())
            }
        }
    };
}
row_guard!(VecWriteGuard, vector);
row_guard!(VecDequeWriteGuard, queue);

/// A value that is not plain: it owns blocks, or is lent as a view. A guard lends no slice of such values, so what slices
/// can do with their values is done by methods of `VecWriteGuard`, which may fail.
pub trait Owning: Value {}

impl Owning for String {}
impl<V: Value> Owning for Option<V> {}
impl<T: Value> Owning for Vec<T> {}
impl<T: Value> Owning for VecDeque<T> {}
impl<K: Key + Eq + Hash, V: Value> Owning for HashMap<K, V> {}
impl<K: Key + Eq + Hash> Owning for HashSet<K> {}
impl<K: OrderedKey, V: Value> Owning for BTreeMap<K, V> {}
impl<K: OrderedKey> Owning for BTreeSet<K> {}

/// What slices can do. Of a vector of plain values the guard lends one, and these names are the slice's.
macro_rules! order_guard {
    ($guard:ident, $row:ident, $bound:ident) => {
        impl<'a, T: $bound> $guard<'a, T> {
            /// Overwrites all values with `value`.
            ///
            /// # Errors
            /// `OutOfSpace`, `RolledBack`; nothing has changed then.
            pub fn fill(&mut self, value: impl Store<T>) -> Result<()> {
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                let values = std::iter::repeat_n(&value, row.len() as usize);
                self.lock.with(|context| splice_in::<T, _>(context, row, 0..row.len(), values))
            }

            /// Overwrites each value with one that `make` makes.
            ///
            /// # Errors
            /// As [`fill`](Self::fill).
            pub fn fill_with<S: Store<T>>(&mut self, make: impl FnMut() -> S) -> Result<()> {
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                let values = as_many(row, make)?;
                self.lock.with(|context| splice_in::<T, S>(context, row, 0..row.len(), values.iter()))
            }

            /// Sorts; equal values keep their order. All comparisons come before any value moves.
            ///
            /// # Errors
            /// `OutOfSpace`, `RolledBack`; nothing has changed then.
            pub fn sort(&mut self) -> Result<()>
            where
                for<'r> T::Ref<'r>: Ord,
            {
                self.sort_by(|one, other| one.cmp(&other))
            }

            /// As [`sort`](Self::sort), by a comparison.
            ///
            /// # Errors
            /// As [`sort`](Self::sort).
            pub fn sort_by(&mut self, compare: impl for<'r> FnMut(T::Ref<'r>, T::Ref<'r>) -> Ordering) -> Result<()> {
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                let order = order_by::<T>(row, compare)?;
                self.lock.with(|context| permute_in(context, row, &order))
            }

            /// As [`sort`](Self::sort), by a key, which is made once of each value.
            ///
            /// # Errors
            /// As [`sort`](Self::sort).
            pub fn sort_by_key<K: Ord>(&mut self, key: impl FnMut(T::Ref<'_>) -> K) -> Result<()> {
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                let order = order_by_keys::<T, K>(row, key)?;
                self.lock.with(|context| permute_in(context, row, &order))
            }

            /// As [`sort_by_key`](Self::sort_by_key).
            ///
            /// # Errors
            /// As [`sort`](Self::sort).
            pub fn sort_by_cached_key<K: Ord>(&mut self, key: impl FnMut(T::Ref<'_>) -> K) -> Result<()> {
                self.sort_by_key(key)
            }

            /// As [`sort`](Self::sort). Plain values can be sorted in place: `make_contiguous()?.sort_unstable()`.
            ///
            /// # Errors
            /// As [`sort`](Self::sort).
            pub fn sort_unstable(&mut self) -> Result<()>
            where
                for<'r> T::Ref<'r>: Ord,
            {
                self.sort()
            }

            /// As [`sort_by`](Self::sort_by).
            ///
            /// # Errors
            /// As [`sort`](Self::sort).
            pub fn sort_unstable_by(
                &mut self,
                compare: impl for<'r> FnMut(T::Ref<'r>, T::Ref<'r>) -> Ordering,
            ) -> Result<()> {
                self.sort_by(compare)
            }

            /// As [`sort_by_key`](Self::sort_by_key).
            ///
            /// # Errors
            /// As [`sort`](Self::sort).
            pub fn sort_unstable_by_key<K: Ord>(&mut self, key: impl FnMut(T::Ref<'_>) -> K) -> Result<()> {
                self.sort_by_key(key)
            }

            /// Turns the order round.
            ///
            /// # Errors
            /// As [`sort`](Self::sort).
            pub fn reverse(&mut self) -> Result<()> {
                let (space, raw) = self.other();
                let row = $row::<T>(space, raw);
                let order = reversed(row)?;
                self.lock.with(|context| permute_in(context, row, &order))
            }
        }
    };
}
order_guard!(VecWriteGuard, vector, Owning);
order_guard!(VecDequeWriteGuard, queue, Value);

impl<T: Owning> VecWriteGuard<'_, T> {
    /// Exchanges the values at two places.
    ///
    /// # Errors
    /// `InvalidArgument` beyond the end; as [`push`](Self::push).
    pub fn swap(&mut self, first: usize, second: usize) -> Result<()> {
        let (space, raw) = self.other();
        self.lock.with(|context| swap_in(context, vector::<T>(space, raw), first, second))
    }

    /// Turns the vector so that the first `count` values come to stand last.
    ///
    /// # Errors
    /// `InvalidArgument` if there are fewer; as [`push`](Self::push).
    pub fn rotate_left(&mut self, count: usize) -> Result<()> {
        let (space, raw) = self.other();
        let row = vector::<T>(space, raw);
        let order = turned(row, count)?;
        self.lock.with(|context| permute_in(context, row, &order))
    }

    /// Turns the vector so that the last `count` values come to stand first.
    ///
    /// # Errors
    /// As [`rotate_left`](Self::rotate_left).
    pub fn rotate_right(&mut self, count: usize) -> Result<()> {
        match self.len().checked_sub(count) {
            Some(rest) => self.rotate_left(rest),
            None => Err(Error::InvalidArgument("too far to turn")),
        }
    }
}
