//! `Receiver`: a kept receiver's end.

use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use super::channel::{no_message, slot_size};
use crate::engine::EndLock;
use crate::lock::Patience;
use crate::{Plain, Result};

/// The receiver's end of a [`SharedChannel`](crate::SharedChannel): nobody else receives while it lives.
pub struct Receiver<'a, T> {
    end: EndLock<'a>,
    marker: PhantomData<fn() -> T>,
}

/// The next message, lent where it stands. Dropping it takes it off the channel; until then it is there, also if its
/// receiver dies or panics: whoever receives next gets it again.
pub struct Message<'r, 'a, T> {
    end: &'r mut EndLock<'a>,
    was_panicking: bool,
    marker: PhantomData<&'r T>,
}

impl<T> std::fmt::Debug for Receiver<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receiver")
    }
}

/// Takes the message that an end is ready for.
#[inline(always)]
pub(super) fn taken<T: Plain>(end: &mut EndLock<'_>) -> Result<T> {
    let Some(value) = end.end.place(slot_size::<T>()).lend(end.space()).read_plain::<T>() else {
        return Err(no_message(end.object()));
    };
    end.end.advance();
    Ok(value)
}

impl<'a, T: Plain> Receiver<'a, T> {
    pub(super) fn new(end: EndLock<'a>) -> Self {
        Receiver { end, marker: PhantomData }
    }

    #[inline(always)]
    fn recv_in(&mut self, patience: Patience) -> Result<Option<T>> {
        if self.end.ready(patience)? { taken(&mut self.end).map(Some) } else { Ok(None) }
    }

    /// Takes the next message; while there is none, sleeps until there is one.
    ///
    /// # Errors
    /// `Removed` (a receiver that sleeps lets removers by); `Corrupt` if the bytes are no value of the type (the message
    /// stays); `Deadlock` if this thread keeps the sender's end, so that it would wait for itself; `RolledBack` in a
    /// forked child, whose parent's the end is.
    ///
    /// # Crash
    /// The message is taken, and gone with who took it, or the channel is as before.
    #[inline]
    pub fn recv(&mut self) -> Result<T> {
        loop {
            if let Some(value) = self.recv_in(Patience::Endless)? {
                return Ok(value);
            }
        }
    }

    /// Takes the next message, if there is one.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Crash
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&mut self) -> Result<Option<T>> {
        self.recv_in(Patience::None)
    }

    /// As [`recv`](Self::recv), for `timeout` at most. `None`: there was no message.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Crash
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<T>> {
        self.recv_in(Patience::Limited(timeout))
    }

    /// Takes all messages that wait, one after the other.
    ///
    /// # Errors
    /// As [`recv`](Self::recv); what was taken before is lost.
    ///
    /// # Crash
    /// As [`recv`](Self::recv), each of them.
    pub fn drain(&mut self) -> Result<Vec<T>> {
        let mut all = Vec::new();
        // No more than there can be at one moment: senders may go on for ever.
        for _ in 0..self.end.end.channel.capacity {
            match self.try_recv()? {
                Some(value) => all.push(value),
                None => break,
            }
        }
        Ok(all)
    }

    /// Lends the message that the end is ready for.
    fn lend(&mut self) -> Result<Message<'_, 'a, T>> {
        if !self.end.end.place(slot_size::<T>()).lend(self.end.space()).is_plain::<T>() {
            return Err(no_message(self.end.object()));
        }
        Ok(Message { end: &mut self.end, was_panicking: std::thread::panicking(), marker: PhantomData })
    }

    /// Lends the next message where it stands; dropping what it returns takes it. While there is none, sleeps until there
    /// is one.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Crash
    /// Until it is dropped the message is there for whoever receives next: none is lost, and one may be seen twice.
    pub fn recv_ref(&mut self) -> Result<Message<'_, 'a, T>> {
        while !self.end.ready(Patience::Endless)? {}
        self.lend()
    }

    /// As [`recv_ref`](Self::recv_ref), without sleeping. `None`: there is no message.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Crash
    /// As [`recv_ref`](Self::recv_ref).
    pub fn try_recv_ref(&mut self) -> Result<Option<Message<'_, 'a, T>>> {
        if self.end.ready(Patience::None)? { self.lend().map(Some) } else { Ok(None) }
    }

    /// Lends the next message, if there is one, and leaves it there.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn peek(&mut self) -> Result<Option<&T>> {
        match self.try_recv_ref()? {
            Some(message) => message.leave(),
            None => return Ok(None),
        }
        Ok(Some(self.end.end.place(slot_size::<T>()).lend(self.end.space()).lend_plain()))
    }
}

impl<T: Plain> Message<'_, '_, T> {
    /// Leaves the message where it is: it is the next one again.
    pub fn leave(self) {
        std::mem::forget(self);
    }
}

impl<T: Plain> Deref for Message<'_, '_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.end.end.place(slot_size::<T>()).lend(self.end.space()).lend_plain()
    }
}

impl<T> Drop for Message<'_, '_, T> {
    fn drop(&mut self) {
        let unwinding = std::thread::panicking() && !self.was_panicking;
        if self.end.is_ours() && !unwinding {
            self.end.end.advance();
        }
    }
}
