//! Guards of `SharedVecDeque`.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut, RangeBounds};

use super::row::resolve;
use super::row_read::row_read;
use super::vec_deque::{
    Side, copies_in, insert_in, pop_in, push_in, queue, remove_in, rotate_in, set_in, swap_remove_in, take_range_in,
    truncate_in, unless_full,
};
use crate::containers::values::nested::view;
use crate::containers::values::value::{Opened, Store, Value};
use crate::engine::{ReadLock, WriteLock};
use crate::raw::{Deque, Tail};
use crate::region::Space;
use crate::region::layout::RawHeader;
use crate::{Error, Plain, Result};

/// Values lent by a read guard.
pub struct VecDequeReadGuard<'a, T> {
    lock: ReadLock<'a>,
    marker: PhantomData<(*mut (), T)>,
}

/// A queue that only the holder may change.
pub struct VecDequeWriteGuard<'a, T> {
    pub(in crate::containers) lock: WriteLock<'a>,
    /// Where the next push at the back may go without a question; whatever else is done forgets it.
    tail: Option<Tail<'a>>,
    marker: PhantomData<(*mut (), T)>,
}

view! {
    /// A `VecDeque` in a container, lent by a guard of that container.
    VecDequeRef, [T: Value], VecDequeIter, T::Ref<'a>
}

/// Iterator over lent values, from the front to the back.
pub struct VecDequeIter<'g, T> {
    queue: Deque<'g>,
    next: u64,
    end: u64,
    marker: PhantomData<(*mut (), T)>,
}

impl<'g, T: Value> Iterator for VecDequeIter<'g, T> {
    type Item = T::Ref<'g>;

    #[inline]
    fn next(&mut self) -> Option<T::Ref<'g>> {
        if self.next >= self.end {
            return None;
        }
        let place = self.queue.place(self.next).ok()?;
        self.next += 1;
        Some(T::lend(place.lend(self.queue.space)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end - self.next) as usize;
        (left, Some(left))
    }
}

impl<T: Value> DoubleEndedIterator for VecDequeIter<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        self.end -= 1;
        let place = self.queue.place(self.end).ok()?;
        Some(T::lend(place.lend(self.queue.space)))
    }
}

impl<T: Value> ExactSizeIterator for VecDequeIter<'_, T> {}

/// What guards and views can do.
macro_rules! lend {
    ($guard:ident, $life:lifetime) => {
        impl<'a, T: Value> $guard<'a, T> {
            fn queue(&self) -> Deque<'a> {
                queue::<T>(self.lock.space(), self.lock.raw())
            }

            /// Number of values.
            #[must_use]
            pub fn len(&self) -> usize {
                self.queue().len() as usize
            }

            /// Has it no values?
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// The value at `index`.
            #[must_use]
            pub fn get(&self, index: usize) -> Option<T::Ref<$life>> {
                let queue = self.queue();
                if index as u64 >= queue.len() {
                    return None;
                }
                Some(T::lend(queue.place(index as u64).ok()?.lend(self.lock.space())))
            }

            /// The most values that may be in the queue, if there is a limit.
            #[must_use]
            pub fn limit(&self) -> Option<usize> {
                let limit = self.queue().limit() as usize;
                (limit != 0).then_some(limit)
            }

            /// The first value.
            #[must_use]
            pub fn front(&self) -> Option<T::Ref<$life>> {
                self.get(0)
            }

            /// The last value.
            #[must_use]
            pub fn back(&self) -> Option<T::Ref<$life>> {
                self.get(self.len().checked_sub(1)?)
            }

            /// All values, in order.
            #[must_use]
            pub fn iter(&self) -> VecDequeIter<$life, T> {
                let queue = self.queue();
                // A damaged queue shows as an empty one rather than as a wild read.
                let end = if queue.check_shape().is_ok() { queue.len() } else { 0 };
                VecDequeIter { queue, next: 0, end, marker: PhantomData }
            }

            /// The values of a range, in order.
            ///
            /// # Errors
            /// `InvalidArgument` if the range is not inside of the queue.
            pub fn range(&self, range: impl RangeBounds<usize>) -> Result<VecDequeIter<'_, T>> {
                let mut all = self.iter();
                let range = resolve(&range, all.end)?;
                (all.next, all.end) = (range.start, range.end);
                Ok(all)
            }

            /// A copy of all values.
            ///
            /// # Errors
            /// `Corrupt`.
            pub fn to_vec_deque(&self) -> Result<VecDeque<T>> {
                self.to_vec().map(VecDeque::from)
            }

            /// A copy of all values.
            ///
            /// # Errors
            /// `Corrupt`.
            pub fn to_vec(&self) -> Result<Vec<T>> {
                let queue = self.queue();
                queue.check_shape()?;
                copies_in(self.lock.space(), &queue, 0, queue.len())
            }
        }

        impl<'a, T: Plain> $guard<'a, T> {
            /// The values in two rows: the second one continues the first.
            #[must_use]
            pub fn as_slices(&self) -> (&$life [T], &$life [T]) {
                self.queue().lend_slices().unwrap_or_default()
            }
        }

        impl<'g, T: Value> IntoIterator for &'g $guard<'_, T> {
            type Item = T::Ref<'g>;
            type IntoIter = VecDequeIter<'g, T>;

            fn into_iter(self) -> VecDequeIter<'g, T> {
                self.iter()
            }
        }

        impl<T: Plain> Index<usize> for $guard<'_, T> {
            type Output = T;

            fn index(&self, index: usize) -> &T {
                match self.get(index) {
                    Some(value) => value,
                    None => panic!("index {index} is beyond the end, {}", self.len()),
                }
            }
        }

        row_read!($guard, $life);
    };
}
lend!(VecDequeReadGuard, '_);
lend!(VecDequeWriteGuard, '_);
lend!(VecDequeRef, 'a);

impl<'a, T: Value> VecDequeReadGuard<'a, T> {
    pub(in crate::containers) fn new(lock: ReadLock<'a>) -> Self {
        VecDequeReadGuard { lock, marker: PhantomData }
    }
}

impl<'a, T: Value> VecDequeWriteGuard<'a, T> {
    pub(in crate::containers) fn new(lock: WriteLock<'a>) -> Self {
        VecDequeWriteGuard { lock, tail: None, marker: PhantomData }
    }

    /// Adds a value at the back.
    ///
    /// # Errors
    /// `Full` at the queue's limit, `OutOfSpace` (nothing has changed then), `RolledBack`.
    #[inline]
    pub fn push_back(&mut self, value: impl Store<T>) -> Result<()> {
        if let Some(tail) = &mut self.tail
            && value.append(tail, self.lock.raw())
        {
            return Ok(());
        }
        self.push_back_slowly(&value)
    }

    #[cold]
    fn push_back_slowly(&mut self, value: &impl Store<T>) -> Result<()> {
        let (_, raw) = self.other();
        self.lock.with(|context| push_in::<T>(context, raw, Side::Back, value))?;
        self.tail = self.queue().tail(self.lock.ours());
        Ok(())
    }

    /// Before anything but a push at the back.
    pub(in crate::containers) fn other(&mut self) -> (&'a Space, &'a RawHeader) {
        self.tail = None;
        (self.lock.space(), self.lock.raw())
    }

    /// Adds a value at the front.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    #[inline]
    pub fn push_front(&mut self, value: impl Store<T>) -> Result<()> {
        let (_, raw) = self.other();
        self.lock.with(|context| push_in::<T>(context, raw, Side::Front, &value))
    }

    /// As [`push_back`](Self::push_back); at the limit it answers `Ok(false)`.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    pub fn try_push_back(&mut self, value: impl Store<T>) -> Result<bool> {
        unless_full(self.push_back(value))
    }

    /// Sets the most values that may be in the queue; `None`: as many as the region has room for.
    ///
    /// # Errors
    /// `InvalidArgument` for 0; `OutOfSpace`, `RolledBack`.
    pub fn set_limit(&mut self, limit: Option<usize>) -> Result<()> {
        if limit == Some(0) {
            return Err(Error::InvalidArgument("a queue's limit is 1 at least"));
        }
        let (space, raw) = self.other();
        self.lock.with(|context| queue::<T>(space, raw).set_limit(context, limit.unwrap_or(0) as u64))
    }

    /// As [`push_front`](Self::push_front); at the limit it answers `Ok(false)`.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    pub fn try_push_front(&mut self, value: impl Store<T>) -> Result<bool> {
        unless_full(self.push_front(value))
    }

    /// Takes the first value.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    #[inline]
    pub fn pop_front(&mut self) -> Result<Option<T>> {
        let (_, raw) = self.other();
        self.lock.with(|context| pop_in(context, raw, Side::Front))
    }

    /// Takes the last value.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    #[inline]
    pub fn pop_back(&mut self) -> Result<Option<T>> {
        let (_, raw) = self.other();
        self.lock.with(|context| pop_in(context, raw, Side::Back))
    }

    /// Overwrites the value at `index`; `Ok(false)` beyond the end.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn set(&mut self, index: usize, value: impl Store<T>) -> Result<bool> {
        let (_, raw) = self.other();
        self.lock.with(|context| set_in(context, raw, index as u64, &value))
    }

    /// Inserts a value before `index`; the values of the nearer end move.
    ///
    /// # Errors
    /// `InvalidArgument` beyond the end; as [`push_back`](Self::push_back).
    pub fn insert(&mut self, index: usize, value: impl Store<T>) -> Result<()> {
        let (_, raw) = self.other();
        self.lock.with(|context| insert_in(context, raw, index as u64, &value))
    }

    /// Takes the value at `index`, `None` beyond the end; the values of the nearer end move up.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn remove(&mut self, index: usize) -> Result<Option<T>> {
        let (_, raw) = self.other();
        self.lock.with(|context| remove_in(context, raw, index as u64))
    }

    /// Takes the value at `index`, `None` beyond the end; the last one comes to its place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn swap_remove_back(&mut self, index: usize) -> Result<Option<T>> {
        let (_, raw) = self.other();
        self.lock.with(|context| swap_remove_in(context, raw, index as u64, Side::Back))
    }

    /// Takes the value at `index`, `None` beyond the end; the first one comes to its place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn swap_remove_front(&mut self, index: usize) -> Result<Option<T>> {
        let (_, raw) = self.other();
        self.lock.with(|context| swap_remove_in(context, raw, index as u64, Side::Front))
    }

    /// Takes the first value if `condition` holds of it.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn pop_front_if(&mut self, condition: impl FnOnce(T::Ref<'_>) -> bool) -> Result<Option<T>> {
        if self.front().is_some_and(condition) { self.pop_front() } else { Ok(None) }
    }

    /// Takes the last value if `condition` holds of it.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn pop_back_if(&mut self, condition: impl FnOnce(T::Ref<'_>) -> bool) -> Result<Option<T>> {
        if self.back().is_some_and(condition) { self.pop_back() } else { Ok(None) }
    }

    /// Takes the values of a range.
    ///
    /// # Errors
    /// `InvalidArgument` if the range is not inside of the queue; as [`truncate`](Self::truncate).
    pub fn drain(&mut self, range: impl RangeBounds<usize>) -> Result<Vec<T>> {
        let (_, raw) = self.other();
        let range = resolve(&range, raw.length())?;
        self.lock.with(|context| take_range_in(context, raw, range.start, range.end - range.start))
    }

    /// Exchanges the values at two places.
    ///
    /// # Errors
    /// `InvalidArgument` beyond the end; `OutOfSpace`, `RolledBack`.
    pub fn swap(&mut self, first: usize, second: usize) -> Result<()> {
        let (space, raw) = self.other();
        if first.max(second) >= self.len() {
            return Err(Error::InvalidArgument("swap beyond the end"));
        }
        self.lock.with(|context| queue::<T>(space, raw).swap(context, first as u64, second as u64))
    }

    /// Turns the queue so that the first `count` values come to stand last.
    ///
    /// # Errors
    /// `InvalidArgument` if there are fewer; `OutOfSpace` (the guard may then be rolled back at its end), `RolledBack`.
    pub fn rotate_left(&mut self, count: usize) -> Result<()> {
        let (_, raw) = self.other();
        self.lock.with(|context| rotate_in::<T>(context, raw, count))
    }

    /// Turns the queue so that the last `count` values come to stand first.
    ///
    /// # Errors
    /// As [`rotate_left`](Self::rotate_left).
    pub fn rotate_right(&mut self, count: usize) -> Result<()> {
        match self.len().checked_sub(count) {
            Some(rest) => self.rotate_left(rest),
            None => Err(Error::InvalidArgument("too far to turn")),
        }
    }

    /// Removes the values from `len` on.
    ///
    /// # Errors
    /// `OutOfSpace` (the guard may then be rolled back at its end if hundreds of values own blocks), `RolledBack`.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        let (_, raw) = self.other();
        self.lock.with(|context| truncate_in::<T>(context, raw, len as u64))
    }

    /// Removes all values.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn clear(&mut self) -> Result<()> {
        self.truncate(0)
    }

    /// Makes room for `more` values.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn reserve(&mut self, more: usize) -> Result<()> {
        let (space, raw) = self.other();
        self.lock.with(|context| queue::<T>(space, raw).reserve(context, more as u64))
    }

    /// The value at `index`, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn get_mut(&mut self, index: usize) -> Result<Option<T::Mut<'_>>> {
        let (space, raw) = self.other();
        let (queue, index) = (queue::<T>(space, raw), index as u64);
        if index >= queue.len() {
            return Ok(None);
        }
        if !T::LOGS_ITSELF {
            self.lock.with(|context| queue.open(context, index, 1))?;
        }
        Ok(Some(T::lend_mut(Opened::new(&self.lock, queue.place(index)?))))
    }

    /// The first value, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn front_mut(&mut self) -> Result<Option<T::Mut<'_>>> {
        self.get_mut(0)
    }

    /// The last value, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn back_mut(&mut self) -> Result<Option<T::Mut<'_>>> {
        self.get_mut(self.len().wrapping_sub(1))
    }

    /// Undoes everything that was done through this guard, or, if it lends a value of another container, through the
    /// guard of that.
    pub fn rollback(self) {
        self.lock.doom();
    }
}

impl<T: Plain> VecDequeWriteGuard<'_, T> {
    /// The values in two rows, to be changed in place: the second one continues the first.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn try_as_mut_slices(&mut self) -> Result<(&mut [T], &mut [T])> {
        let (space, raw) = self.other();
        let queue = queue::<T>(space, raw);
        self.lock.with(|context| queue.open(context, 0, queue.len()))?;
        self.queue().lend_slices_mut()
    }

    /// As [`try_as_mut_slices`](Self::try_as_mut_slices).
    ///
    /// # Panics
    /// When the region has no room for the log; the guard is then rolled back.
    pub fn as_mut_slices(&mut self) -> (&mut [T], &mut [T]) {
        match self.try_as_mut_slices() {
            Ok(slices) => slices,
            Err(error) => panic!("{error}"),
        }
    }

    /// Moves the values into one row and lends it, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn make_contiguous(&mut self) -> Result<&mut [T]> {
        let (space, raw) = self.other();
        let queue = queue::<T>(space, raw);
        self.lock.with(|context| {
            if !queue.is_contiguous() {
                queue.lay_anew(context, queue.len())?;
            }
            queue.open(context, 0, queue.len())
        })?;
        Ok(self.queue().lend_slices_mut()?.0)
    }

    /// The values in order, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn iter_mut(&mut self) -> Result<impl DoubleEndedIterator<Item = &mut T>> {
        let (first, second) = self.try_as_mut_slices()?;
        Ok(first.iter_mut().chain(second))
    }

    /// The values of a range, to be changed in place.
    ///
    /// # Errors
    /// `InvalidArgument` if the range is not inside of the queue; `OutOfSpace`, `RolledBack`.
    pub fn range_mut(&mut self, range: impl RangeBounds<usize>) -> Result<impl DoubleEndedIterator<Item = &mut T>> {
        let (space, raw) = self.other();
        let queue = queue::<T>(space, raw);
        let range = resolve(&range, queue.len())?;
        self.lock.with(|context| queue.open(context, range.start, range.end - range.start))?;
        let (first, second) = self.queue().lend_slices_mut::<T>()?;
        let split = first.len();
        let (from, end) = (range.start as usize, range.end as usize);
        let one = &mut first[from.min(split)..end.min(split)];
        Ok(one.iter_mut().chain(&mut second[from.max(split) - split..end.max(split) - split]))
    }
}

/// # Panics
/// Beyond the end; when the region has no room for the log (the guard is then rolled back).
impl<T: Plain> IndexMut<usize> for VecDequeWriteGuard<'_, T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        let len = self.len();
        match self.get_mut(index) {
            Ok(Some(value)) => value,
            Ok(None) => panic!("index {index} is beyond the end, {len}"),
            Err(error) => panic!("{error}"),
        }
    }
}
