//! More of `SharedBox`: changes that look at the old value.

use super::boxed::{BoxReadGuard, BoxWriteGuard, SharedBox, empty};
use crate::containers::rows::row::{Row, look, replace_in, vector};
use crate::containers::values::value::{Store, Value, take_locked};
use crate::journal::Context;
use crate::raw::{Place, Vector};
use crate::region::layout::RawHeader;
use crate::{Plain, Region, Result};

/// The box's value in its vector of one.
fn content<'a, T: Value>(context: &Context, raw: &'a RawHeader) -> Result<Vector<'a>> {
    let vector = vector::<T>(context.actor.space, raw);
    if vector.len() == 1 { Ok(vector) } else { Err(empty()) }
}

impl<T: Value + Store<T> + Default> SharedBox<T> {
    /// Makes a box without a name, holding `value`. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    ///
    /// # Crash
    /// Whoever notices that this process is dead frees it.
    pub fn from_value_in(region: &Region, value: impl Store<T>) -> Result<Self> {
        let new = Self::new_in(region)?;
        new.set(value)?;
        Ok(new)
    }

    /// Overwrites the value and returns the old one.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn replace(&self, value: impl Store<T>) -> Result<T> {
        self.object.change(|context, raw| replace_in(context, content::<T>(context, raw)?, 0, &value))
    }

    /// Puts `T::default()` there and returns the old value.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn take(&self) -> Result<T> {
        self.replace(T::default())
    }

    /// Exchanges the value with `other`. After an error both are as they were.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn swap(&self, other: &mut T) -> Result<()> {
        let old = self.object.change(|context, raw| replace_in(context, content::<T>(context, raw)?, 0, &*other))?;
        *other = old;
        Ok(())
    }

    /// Overwrites the value if `condition` holds of the old one, and returns that; else `None`, and nothing changes. The
    /// condition runs under the lock: it must be short and must not touch the box itself.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn replace_if(&self, value: impl Store<T>, condition: impl FnOnce(T::Ref<'_>) -> bool) -> Result<Option<T>> {
        self.object.change(|context, raw| {
            let row = content::<T>(context, raw)?;
            if !look::<T, bool>(row, 0, condition)? {
                return Ok(None);
            }
            replace_in(context, row, 0, &value).map(Some)
        })
    }

    /// Overwrites the value if it is equal to `current`. Within: the old value if it was overwritten, else the one that is
    /// there.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn compare_exchange(&self, current: &T, value: impl Store<T>) -> Result<Result<T, T>>
    where
        T: PartialEq,
    {
        self.object.change(|context, raw| {
            let row = content::<T>(context, raw)?;
            let old: T = take_locked(row.space, Place::in_vector(&row, 0)?)?;
            if old != *current {
                return Ok(Err(old));
            }
            replace_in(context, row, 0, &value).map(Ok)
        })
    }

    /// Puts there what `change` makes of the old value, unless that is `None`. Within: the old value, or the one that stays.
    /// The function runs under the lock: it must be short and must not touch the box itself.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn fetch_update(&self, change: impl FnOnce(&T) -> Option<T>) -> Result<Result<T, T>> {
        self.object.change(|context, raw| {
            let row = content::<T>(context, raw)?;
            let old: T = take_locked(row.space, Place::in_vector(&row, 0)?)?;
            match change(&old) {
                Some(value) => replace_in(context, row, 0, &value).map(Ok),
                None => Ok(Err(old)),
            }
        })
    }
}

impl<T: Value> BoxWriteGuard<'_, T> {
    /// Overwrites the value and returns the old one.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`; nothing has changed then.
    pub fn replace(&mut self, value: impl Store<T>) -> Result<T> {
        let raw = self.lock.raw();
        self.lock.with(|context| replace_in(context, content::<T>(context, raw)?, 0, &value))
    }

    /// Overwrites the value if `condition` holds of the old one, and returns that; else `None`, and nothing changes.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    pub fn replace_if(
        &mut self,
        value: impl Store<T>,
        condition: impl FnOnce(T::Ref<'_>) -> bool,
    ) -> Result<Option<T>> {
        if condition(self.get()?) { self.replace(value).map(Some) } else { Ok(None) }
    }

    /// Exchanges the value with `other`. After an error both are as they were.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    pub fn swap(&mut self, other: &mut T) -> Result<()>
    where
        T: Store<T>,
    {
        let raw = self.lock.raw();
        *other = self.lock.with(|context| replace_in(context, content::<T>(context, raw)?, 0, &*other))?;
        Ok(())
    }

    /// Puts `T::default()` there and returns the old value.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    pub fn take(&mut self) -> Result<T>
    where
        T: Store<T> + Default,
    {
        self.replace(T::default())
    }

    /// Changes the value by a function of it. If it panics nothing has changed.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Result<R>
    where
        T: Store<T>,
    {
        let mut value = self.to_owned()?;
        let result = change(&mut value);
        self.set(value)?;
        Ok(result)
    }
}

impl<T: Plain> BoxWriteGuard<'_, T> {
    /// The value, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn try_as_mut(&mut self) -> Result<&mut T> {
        let raw = self.lock.raw();
        let place = self.lock.with(|context| {
            let row = content::<T>(context, raw)?;
            row.open_one(context, 0)?;
            Row::place(&row, 0)
        });
        Ok(place?.lend_mut())
    }
}

/// What both guards can do.
macro_rules! lend_one {
    ($guard:ident) => {
        impl<T: Value> $guard<'_, T> {
            /// A copy of the value.
            ///
            /// # Errors
            /// `Corrupt`.
            pub fn to_owned(&self) -> Result<T> {
                let row = vector::<T>(self.lock.space(), self.lock.raw());
                take_locked(self.lock.space(), Place::in_vector(&row, 0)?)
            }
        }

        impl<T: Value> std::fmt::Debug for $guard<'_, T>
        where
            for<'r> T::Ref<'r>: std::fmt::Debug,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.get() {
                    Ok(value) => std::fmt::Debug::fmt(&value, f),
                    Err(error) => std::fmt::Debug::fmt(&error, f),
                }
            }
        }

        impl<T: Value> PartialEq for $guard<'_, T>
        where
            for<'r> T::Ref<'r>: PartialEq,
        {
            fn eq(&self, other: &Self) -> bool {
                matches!((self.get(), other.get()), (Ok(one), Ok(other)) if one == other)
            }
        }

        impl<T: Plain> AsRef<T> for $guard<'_, T> {
            fn as_ref(&self) -> &T {
                self
            }
        }
    };
}
lend_one!(BoxReadGuard);
lend_one!(BoxWriteGuard);
