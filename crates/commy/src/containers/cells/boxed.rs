//! `SharedBox<T>`: one value.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::containers::Container;
use crate::containers::rows::vec::{prove_in, push_in, set_in, set_shortly, slot_size, vector_descriptor};
use crate::containers::values::reader::Reader;
use crate::containers::values::value::{Opened, Store, Value, is_short, take_locked, take_torn};
use crate::engine::{Object, ReadLock, Region, WriteLock};
use crate::journal::Context;
use crate::raw::{ContainerKind, Descriptor, Place, Vector, place_in_vector};
use crate::region::layout::RawHeader;
use crate::{Error, Plain, Result};

/// One value shared between processes. A new one holds `T::default()`.
pub struct SharedBox<T> {
    pub(in crate::containers) object: Object,
    marker: PhantomData<fn() -> T>,
}

impl<T> Clone for SharedBox<T> {
    fn clone(&self) -> Self {
        SharedBox { object: self.object.clone(), marker: PhantomData }
    }
}

impl<T> std::fmt::Debug for SharedBox<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedBox")
    }
}

/// The value, lent.
pub struct BoxReadGuard<'a, T> {
    pub(in crate::containers) lock: ReadLock<'a>,
    marker: PhantomData<(*mut (), T)>,
}

/// The value, to be changed.
pub struct BoxWriteGuard<'a, T> {
    pub(in crate::containers) lock: WriteLock<'a>,
    marker: PhantomData<(*mut (), T)>,
}

pub(in crate::containers) fn empty() -> Error {
    Error::corrupt(0, "a box is empty")
}

impl<T: Value + Store<T> + Default> Container for SharedBox<T> {
    type ReadGuard<'a> = BoxReadGuard<'a, T>;
    type WriteGuard<'a> = BoxWriteGuard<'a, T>;

    fn descriptor() -> Descriptor {
        vector_descriptor::<T>(ContainerKind::Box, format!("SharedBox<{}>", T::schema()))
    }

    fn from_object(object: Object) -> Self {
        SharedBox { object, marker: PhantomData }
    }

    fn object(&self) -> &Object {
        &self.object
    }

    fn init(context: &mut Context, raw: &RawHeader) -> Result<()> {
        push_in::<T>(context, raw, &T::default())
    }

    fn validate(object: &Object) -> Result<()> {
        Reader::prove(object, |raw, reader| {
            if raw.length() != 1 {
                return Err(empty());
            }
            prove_in::<T>(raw, reader)
        })
    }

    fn read_guard<'a>(lock: ReadLock<'a>) -> BoxReadGuard<'a, T> {
        BoxReadGuard { lock, marker: PhantomData }
    }

    fn write_guard<'a>(lock: WriteLock<'a>) -> BoxWriteGuard<'a, T> {
        BoxWriteGuard { lock, marker: PhantomData }
    }
}

impl<T: Value + Store<T> + Default> SharedBox<T> {
    /// Makes a box without a name, holding `T::default()`. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    pub fn new_in(region: &Region) -> Result<Self> {
        region.anonymous()
    }

    /// A copy of the value. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    #[inline]
    pub fn get(&self) -> Result<T> {
        let space = self.object.space();
        self.object.peek(|attempt, raw| match place_in_vector(space, raw, slot_size::<T>(), 0) {
            Ok(Some(place)) => take_torn(attempt, space, place),
            Ok(None) => Some(Err(empty())),
            Err(error) => Some(Err(error)),
        })
    }

    /// Overwrites the value.
    ///
    /// # Errors
    /// `OutOfSpace`, `Timeout`, `Removed`, `ReadOnly`, `Deadlock`.
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn set(&self, value: impl Store<T>) -> Result<()> {
        let set = self.object.change_with(
            const { is_short::<T>() },
            value,
            |single, space, raw, value| set_shortly::<T>(single, space, raw, 0, value),
            |context, raw, value| set_in(context, raw, 0, value),
        );
        if set? { Ok(()) } else { Err(empty()) }
    }

    /// Changes the value by a function of it, as one atomic step. The function runs under the lock: it must be short
    /// and must not touch the box itself. If it panics nothing has changed.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    ///
    /// # Crash
    /// The old value or the new one.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R> {
        self.object.change(|context, raw| {
            let space = context.actor.space;
            let vector = Vector::new(space, raw, slot_size::<T>());
            let mut value = take_locked(space, Place::in_vector(&vector, 0)?)?;
            let result = change(&mut value);
            set_in(context, raw, 0, &value)?;
            Ok(result)
        })
    }

    /// Lends the value; writers wait while the guard lives.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`, `ReadOnly`.
    pub fn read(&self) -> Result<BoxReadGuard<'_, T>> {
        Ok(Self::read_guard(self.object.read()?))
    }

    /// Locks the value for a change that is atomic when the guard is dropped.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn write(&self) -> Result<BoxWriteGuard<'_, T>> {
        Ok(Self::write_guard(self.object.write()?))
    }
}

impl<T: Value> BoxReadGuard<'_, T> {
    /// The value.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn get(&self) -> Result<T::Ref<'_>> {
        let vector = Vector::new(self.lock.space(), self.lock.raw(), slot_size::<T>());
        Ok(T::lend(Place::in_vector(&vector, 0)?.lend(self.lock.space())))
    }
}

impl<T: Plain> Deref for BoxReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self.get() {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }
}

impl<T: Value> BoxWriteGuard<'_, T> {
    /// The value.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn get(&self) -> Result<T::Ref<'_>> {
        let vector = Vector::new(self.lock.space(), self.lock.raw(), slot_size::<T>());
        Ok(T::lend(Place::in_vector(&vector, 0)?.lend(self.lock.space())))
    }

    /// Overwrites the value.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn set(&mut self, value: impl Store<T>) -> Result<()> {
        let raw = self.lock.raw();
        match self.lock.with(|context| set_in(context, raw, 0, &value))? {
            true => Ok(()),
            false => Err(empty()),
        }
    }

    /// The value, to be changed in place.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`, `Corrupt`.
    pub fn get_mut(&mut self) -> Result<T::Mut<'_>> {
        let vector = Vector::new(self.lock.space(), self.lock.raw(), slot_size::<T>());
        if !T::LOGS_ITSELF {
            self.lock.with(|context| vector.open_one(context, 0))?;
        }
        Ok(T::lend_mut(Opened::new(&self.lock, Place::in_vector(&vector, 0)?)))
    }

    /// Undoes everything that was done through this guard.
    pub fn rollback(self) {
        self.lock.doom();
    }
}

impl<T: Plain> Deref for BoxWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self.get() {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }
}

/// # Panics
/// When the region has no room for the log; the guard is then rolled back. See
/// [`try_as_mut`](BoxWriteGuard::try_as_mut).
impl<T: Plain> DerefMut for BoxWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match self.try_as_mut() {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }
}
