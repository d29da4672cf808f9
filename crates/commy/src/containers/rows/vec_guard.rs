//! Guards of `SharedVec`.

use std::marker::PhantomData;
use std::ops::{
    Deref, DerefMut, Index, IndexMut, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo,
    RangeToInclusive,
};

use super::row::{copies, resolve, sieve_in, vector};
use super::row_read::row_read;
use super::vec::{insert_in, pop_in, push_in, set_in, slot_size, take_in, truncate_in};
use crate::containers::values::nested::view;
use crate::containers::values::value::{Opened, Store, Value, take_locked};
use crate::engine::{ReadLock, WriteLock};
use crate::raw::{Place, Tail, Vector};
use crate::region::Space;
use crate::region::layout::RawHeader;
use crate::{Plain, Result};

/// Values lent by a read guard.
pub struct VecReadGuard<'a, T> {
    lock: ReadLock<'a>,
    marker: PhantomData<(*mut (), T)>,
}

/// A vector that only the holder may change.
pub struct VecWriteGuard<'a, T> {
    pub(in crate::containers) lock: WriteLock<'a>,
    /// Where the next push may go without a question; whatever else is done forgets it.
    tail: Option<Tail<'a>>,
    marker: PhantomData<(*mut (), T)>,
}

view! {
    /// A `Vec` in a container, lent by a guard of that container.
    VecRef, [T: Value], VecIter, T::Ref<'a>
}

/// Iterator over lent values.
pub struct VecIter<'g, T> {
    vector: Vector<'g>,
    next: u64,
    end: u64,
    marker: PhantomData<(*mut (), T)>,
}

impl<'g, T: Value> Iterator for VecIter<'g, T> {
    type Item = T::Ref<'g>;

    #[inline]
    fn next(&mut self) -> Option<T::Ref<'g>> {
        if self.next >= self.end {
            return None;
        }
        let place = Place::in_vector(&self.vector, self.next).ok()?;
        self.next += 1;
        Some(T::lend(place.lend(self.vector.space)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end - self.next) as usize;
        (left, Some(left))
    }
}

impl<T: Value> DoubleEndedIterator for VecIter<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        self.end -= 1;
        let place = Place::in_vector(&self.vector, self.end).ok()?;
        Some(T::lend(place.lend(self.vector.space)))
    }
}

impl<T: Value> ExactSizeIterator for VecIter<'_, T> {}

/// What guards and views can do.
macro_rules! lend {
    ($guard:ident, $life:lifetime) => {
        impl<'a, T: Value> $guard<'a, T> {
            fn vector(&self) -> Vector<'a> {
                Vector::new(self.lock.space(), self.lock.raw(), slot_size::<T>())
            }

            /// Number of values.
            #[must_use]
            pub fn len(&self) -> usize {
                self.vector().len() as usize
            }

            /// Has it no values?
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// The value at `index`.
            #[must_use]
            pub fn get(&self, index: usize) -> Option<T::Ref<$life>> {
                let vector = self.vector();
                if index as u64 >= vector.len() {
                    return None;
                }
                let place = Place::in_vector(&vector, index as u64).ok()?;
                Some(T::lend(place.lend(self.lock.space())))
            }

            /// The first value.
            #[must_use]
            pub fn first(&self) -> Option<T::Ref<$life>> {
                self.get(0)
            }

            /// The last value.
            #[must_use]
            pub fn last(&self) -> Option<T::Ref<$life>> {
                self.get(self.len().checked_sub(1)?)
            }

            /// All values, in order.
            #[must_use]
            pub fn iter(&self) -> VecIter<$life, T> {
                let vector = self.vector();
                // A damaged length shows as an empty vector rather than as a wild read.
                let end = if vector.slots(0, vector.len()).is_ok() { vector.len() } else { 0 };
                VecIter { vector, next: 0, end, marker: PhantomData }
            }

            /// The values of a range, in order.
            ///
            /// # Errors
            /// `InvalidArgument` if the range is not inside of the vector.
            pub fn range(&self, range: impl RangeBounds<usize>) -> Result<VecIter<'_, T>> {
                let mut all = self.iter();
                let range = resolve(&range, all.end)?;
                (all.next, all.end) = (range.start, range.end);
                Ok(all)
            }

            /// A copy of all values.
            ///
            /// # Errors
            /// `Corrupt`.
            pub fn to_vec(&self) -> Result<Vec<T>> {
                let vector = self.vector();
                vector.slots(0, vector.len())?;
                (0..vector.len())
                    .map(|index| take_locked(self.lock.space(), Place::in_vector(&vector, index)?))
                    .collect()
            }
        }

        impl<T: Plain> Deref for $guard<'_, T> {
            type Target = [T];

            #[inline]
            fn deref(&self) -> &[T] {
                self.vector().lend_slice().unwrap_or_default()
            }
        }

        impl<T: Plain> AsRef<[T]> for $guard<'_, T> {
            fn as_ref(&self) -> &[T] {
                self
            }
        }

        impl<T: Plain> $guard<'_, T> {
            /// The values as a slice.
            #[must_use]
            pub fn as_slice(&self) -> &[T] {
                self
            }
        }

        impl<'g, T: Value> IntoIterator for &'g $guard<'_, T> {
            type Item = T::Ref<'g>;
            type IntoIter = VecIter<'g, T>;

            fn into_iter(self) -> VecIter<'g, T> {
                self.iter()
            }
        }

        row_read!($guard, $life);
    };
}
lend!(VecReadGuard, '_);
lend!(VecWriteGuard, '_);
lend!(VecRef, 'a);

impl<'a, T: Value> VecReadGuard<'a, T> {
    pub(in crate::containers) fn new(lock: ReadLock<'a>) -> Self {
        VecReadGuard { lock, marker: PhantomData }
    }
}

impl<'a, T: Value> VecWriteGuard<'a, T> {
    pub(in crate::containers) fn new(lock: WriteLock<'a>) -> Self {
        VecWriteGuard { lock, tail: None, marker: PhantomData }
    }

    /// Appends a value.
    ///
    /// # Errors
    /// `OutOfSpace` (nothing has changed then), `RolledBack`.
    #[inline]
    pub fn push(&mut self, value: impl Store<T>) -> Result<()> {
        if let Some(tail) = &mut self.tail
            && value.append(tail, self.lock.raw())
        {
            return Ok(());
        }
        self.push_slowly(&value)
    }

    #[cold]
    fn push_slowly(&mut self, value: &impl Store<T>) -> Result<()> {
        let raw = self.lock.raw();
        self.tail = None;
        self.lock.with(|context| push_in::<T>(context, raw, value))?;
        self.tail = self.vector().tail(self.lock.ours());
        Ok(())
    }

    /// Before anything but a push.
    pub(in crate::containers) fn other(&mut self) -> (&'a Space, &'a RawHeader) {
        self.tail = None;
        (self.lock.space(), self.lock.raw())
    }

    /// Takes the last value.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn pop(&mut self) -> Result<Option<T>> {
        let (_, raw) = self.other();
        self.lock.with(|context| pop_in(context, raw))
    }

    /// Overwrites the value at `index`; `Ok(false)` beyond the end.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn set(&mut self, index: usize, value: impl Store<T>) -> Result<bool> {
        let (_, raw) = self.other();
        self.lock.with(|context| set_in(context, raw, index as u64, &value))
    }

    /// Inserts a value before `index`.
    ///
    /// # Errors
    /// `InvalidArgument` beyond the end; as [`push`](Self::push).
    pub fn insert(&mut self, index: usize, value: impl Store<T>) -> Result<()> {
        let (_, raw) = self.other();
        self.lock.with(|context| insert_in::<T>(context, raw, index as u64, &value))
    }

    /// Takes the value at `index`; those behind it move up.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn remove(&mut self, index: usize) -> Result<Option<T>> {
        let (_, raw) = self.other();
        self.lock.with(|context| take_in::<T>(context, raw, index as u64, false))
    }

    /// Takes the value at `index`; the last one moves to its place.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn swap_remove(&mut self, index: usize) -> Result<Option<T>> {
        let (_, raw) = self.other();
        self.lock.with(|context| take_in::<T>(context, raw, index as u64, true))
    }

    /// Takes the last value if `condition` holds of it.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn pop_if(&mut self, condition: impl FnOnce(T::Ref<'_>) -> bool) -> Result<Option<T>> {
        if self.last().is_some_and(condition) { self.pop() } else { Ok(None) }
    }

    /// Takes the values of a range.
    ///
    /// # Errors
    /// `InvalidArgument` if the range is not inside of the vector; as [`push`](Self::push).
    pub fn drain(&mut self, range: impl RangeBounds<usize>) -> Result<Vec<T>> {
        let (space, raw) = self.other();
        let row = vector::<T>(space, raw);
        let range = resolve(&range, row.len())?;
        let values = copies(row, range.clone())?;
        if !range.is_empty() {
            self.lock.with(|context| sieve_in::<T>(context, row, &[range]))?;
        }
        Ok(values)
    }

    /// Removes the values from `len` on.
    ///
    /// # Errors
    /// As [`push`](Self::push); the guard may then be rolled back at its end if hundreds of values own blocks.
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        let (_, raw) = self.other();
        self.lock.with(|context| truncate_in::<T>(context, raw, len as u64))
    }

    /// Removes all values.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn clear(&mut self) -> Result<()> {
        self.truncate(0)
    }

    /// Makes room for `more` values.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn reserve(&mut self, more: usize) -> Result<()> {
        let (space, raw) = self.other();
        self.lock.with(|context| Vector::new(space, raw, slot_size::<T>()).reserve(context, more as u64))
    }

    /// The value at `index`, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn get_mut(&mut self, index: usize) -> Result<Option<T::Mut<'_>>> {
        self.other();
        let (vector, index) = (self.vector(), index as u64);
        if index >= vector.len() {
            return Ok(None);
        }
        if !T::LOGS_ITSELF {
            self.lock.with(|context| vector.open_one(context, index))?;
        }
        Ok(Some(T::lend_mut(Opened::new(&self.lock, Place::in_vector(&vector, index)?))))
    }

    /// The first value, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn first_mut(&mut self) -> Result<Option<T::Mut<'_>>> {
        self.get_mut(0)
    }

    /// The last value, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn last_mut(&mut self) -> Result<Option<T::Mut<'_>>> {
        self.get_mut(self.len().wrapping_sub(1))
    }

    /// Undoes everything that was done through this guard, or, if it lends a value of another container, through the
    /// guard of that.
    pub fn rollback(self) {
        self.lock.doom();
    }
}

/// Dooms a guard unless the call that made it comes to its end.
pub(in crate::containers) struct Bomb<'g, 'a>(pub(in crate::containers) &'g WriteLock<'a>);

impl Drop for Bomb<'_, '_> {
    fn drop(&mut self) {
        self.0.doom();
    }
}

impl<T: Plain> VecWriteGuard<'_, T> {
    /// The values, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn try_as_mut_slice(&mut self) -> Result<&mut [T]> {
        self.other();
        let vector = self.vector();
        self.lock.with(|context| vector.open_from(context, 0))?;
        self.vector().lend_slice_mut()
    }

    /// As [`try_as_mut_slice`](Self::try_as_mut_slice).
    ///
    /// # Panics
    /// When the region has no room for the log; the guard is then rolled back.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }
}

/// # Panics
/// When the region has no room for the log; the guard is then rolled back. See
/// [`try_as_mut_slice`](VecWriteGuard::try_as_mut_slice).
impl<T: Plain> DerefMut for VecWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self.try_as_mut_slice() {
            Ok(slice) => slice,
            Err(error) => panic!("{error}"),
        }
    }
}

impl<T: Plain> Index<usize> for VecReadGuard<'_, T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.deref()[index]
    }
}

impl<T: Plain> Index<usize> for VecWriteGuard<'_, T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.deref()[index]
    }
}

/// # Panics
/// Beyond the end; when the region has no room for the log (the guard is then rolled back).
impl<T: Plain> IndexMut<usize> for VecWriteGuard<'_, T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        let len = self.len();
        match self.get_mut(index) {
            Ok(Some(value)) => value,
            Ok(None) => panic!("index {index} is beyond the end, {len}"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Ranges, as slices have them.
macro_rules! index_ranges {
    ($($range:ty),*) => {$(
        impl<T: Plain> Index<$range> for VecReadGuard<'_, T> {
            type Output = [T];

            fn index(&self, range: $range) -> &[T] {
                &self.deref()[range]
            }
        }

        impl<T: Plain> Index<$range> for VecWriteGuard<'_, T> {
            type Output = [T];

            fn index(&self, range: $range) -> &[T] {
                &self.deref()[range]
            }
        }

        /// # Panics
        /// Beyond the end; when the region has no room for the log (the guard is then rolled back).
        impl<T: Plain> IndexMut<$range> for VecWriteGuard<'_, T> {
            fn index_mut(&mut self, range: $range) -> &mut [T] {
                &mut self.deref_mut()[range]
            }
        }
    )*};
}
index_ranges!(
    Range<usize>,
    RangeFrom<usize>,
    RangeTo<usize>,
    RangeInclusive<usize>,
    RangeToInclusive<usize>,
    RangeFull
);
