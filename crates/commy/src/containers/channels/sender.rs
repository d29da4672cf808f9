//! `Sender`: a kept sender's end.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::channel::slot_size;
use crate::engine::EndLock;
use crate::lock::Patience;
use crate::{Error, Plain, Result};

/// The sender's end of a [`SharedChannel`](crate::SharedChannel): nobody else sends while it lives.
pub struct Sender<'a, T> {
    end: EndLock<'a>,
    marker: PhantomData<fn(T)>,
}

/// A place for the next message, in the channel itself. Nobody sees it before [`commit`](Self::commit); dropped without,
/// nothing was sent.
pub struct Reserved<'s, 'a, T> {
    end: &'s mut EndLock<'a>,
    marker: PhantomData<&'s mut T>,
}

impl<T> std::fmt::Debug for Sender<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender")
    }
}

impl<'a, T: Plain> Sender<'a, T> {
    pub(super) fn new(end: EndLock<'a>) -> Self {
        Sender { end, marker: PhantomData }
    }

    #[inline(always)]
    fn send_in(&mut self, value: &T, patience: Patience) -> Result<()> {
        if !self.end.ready(patience)? {
            return Err(self.full());
        }
        self.end.end.place(slot_size::<T>()).target().put_plain(value);
        self.end.end.advance();
        Ok(())
    }

    #[cold]
    fn full(&self) -> Error {
        Error::Full { limit: self.end.end.channel.capacity.into() }
    }

    /// Sends a message; while the channel is full, sleeps until it is not.
    ///
    /// # Errors
    /// `Removed` (a sender that sleeps lets removers by); `Corrupt`; `Deadlock` if this thread keeps the receiver's end, so
    /// that it would wait for itself; `RolledBack` in a forked child, whose parent's the end is.
    ///
    /// # Crash
    /// The message is there whole or not at all. Who dies before it has woken a receiver delays it by some milliseconds at
    /// most.
    #[inline]
    pub fn send(&mut self, value: T) -> Result<()> {
        self.send_in(&value, Patience::Endless)
    }

    /// As [`send`](Self::send), without sleeping.
    ///
    /// # Errors
    /// `Full`; as [`send`](Self::send).
    ///
    /// # Crash
    /// As [`send`](Self::send).
    #[inline]
    pub fn try_send(&mut self, value: T) -> Result<()> {
        self.send_in(&value, Patience::None)
    }

    /// As [`send`](Self::send), for `timeout` at most.
    ///
    /// # Errors
    /// `Full` if it was all the time; as [`send`](Self::send).
    ///
    /// # Crash
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_timeout(&mut self, value: T, timeout: Duration) -> Result<()> {
        self.send_in(&value, Patience::Limited(timeout))
    }

    fn reserve_in(&mut self, patience: Patience) -> Result<Option<Reserved<'_, 'a, T>>> {
        const { assert!(T::ANY_BYTES, "what is reserved holds old bytes, which may be no value of this type: `send` it") }
        if !self.end.ready(patience)? {
            return Ok(None);
        }
        Ok(Some(Reserved { end: &mut self.end, marker: PhantomData }))
    }

    /// A place for the next message, to be written there: for large ones, which are not copied then. It holds old bytes.
    /// While the channel is full, sleeps until it is not.
    ///
    /// Only for types of which any bytes are a value: not for those with a `bool`, `char`, `NonZero` or enum inside.
    /// ```compile_fail,E0080
    /// # fn main() -> commy::Result<()> {
    /// # let region = commy::Region::volatile()?;
    /// let channel = commy::SharedChannel::<bool>::with_capacity(&region, "flags", 16)?;
    /// channel.sender()?.reserve()?.commit()
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Crash
    /// Nothing was sent before [`Reserved::commit`].
    pub fn reserve(&mut self) -> Result<Reserved<'_, 'a, T>> {
        match self.reserve_in(Patience::Endless)? {
            Some(reserved) => Ok(reserved),
            // Without a limit it waits until there is one.
            None => Err(Error::Full { limit: 0 }),
        }
    }

    /// As [`reserve`](Self::reserve), without sleeping; `None`: the channel is full.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Crash
    /// As [`reserve`](Self::reserve).
    pub fn try_reserve(&mut self) -> Result<Option<Reserved<'_, 'a, T>>> {
        self.reserve_in(Patience::None)
    }
}

impl<T: Plain> Reserved<'_, '_, T> {
    /// Sends the message that stands here now.
    ///
    /// # Errors
    /// `RolledBack` in a forked child.
    ///
    /// # Crash
    /// It is sent or not.
    #[inline]
    pub fn commit(self) -> Result<()> {
        if !self.end.is_ours() {
            return Err(Error::RolledBack);
        }
        self.end.end.advance();
        Ok(())
    }
}

impl<T: Plain> Deref for Reserved<'_, '_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.end.end.place(slot_size::<T>()).lend(self.end.space()).lend_plain()
    }
}

impl<T: Plain> DerefMut for Reserved<'_, '_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.end.end.place(slot_size::<T>()).lend_mut()
    }
}
