//! `SharedChannel<T>`: messages from senders to receivers, of which each message reaches one.

use std::marker::PhantomData;
use std::sync::OnceLock;
use std::time::Duration;

use super::receiver::{Receiver, taken};
use super::sender::Sender;
use crate::containers::Container;
use crate::engine::{EndLock, Object, ReadLock, Region, WriteLock};
use crate::journal::Context;
use crate::lock::Patience;
use crate::raw::{ChannelView, ContainerKind, Descriptor, Image, Shape, Side, found_channel};
use crate::region::layout::RawHeader;
use crate::{Error, Plain, Result};

/// Slots of a channel for which nobody has said how many.
const USUAL_CAPACITY: u64 = 1024;

/// A bounded channel between processes: each message of a [`Plain`] type reaches one receiver, in the order in which they
/// were sent. There may be any number of senders and receivers, of which one at a time is at either end.
///
/// A call of the channel itself takes its end for as long as it lasts. [`sender`](Self::sender) and
/// [`receiver`](Self::receiver) keep an end; through them a message costs no more than its copy and two stores of words.
///
/// ```
/// # fn main() -> commy::Result<()> {
/// # let path = std::env::temp_dir().join(format!("commy-doc-channel-{}", std::process::id()));
/// let region = commy::Region::create(&path)?;
/// let ticks: commy::SharedChannel<u64> = region.object("ticks")?; // of 1024 messages
/// ticks.send(1)?; // from any process
/// let mut sender = ticks.sender()?; // nobody else sends while it lives
/// (2..5).try_for_each(|tick| sender.send(tick))?;
/// drop(sender);
/// assert_eq!(ticks.recv()?, 1); // sleeps while there is none
/// assert_eq!(ticks.receiver()?.drain()?, [2, 3, 4]);
/// assert_eq!(ticks.try_recv()?, None);
/// # drop((ticks, region));
/// # commy::Region::remove(&path)
/// # }
/// ```
///
/// # Crash
/// A message is sent whole or not at all. One that a process took is gone with it; to lose none, use
/// [`Receiver::recv_ref`], which takes a message when it has been dealt with. An end that a dead process had is free for
/// whoever wants it. Sending and receiving are no part of a transaction, and nothing undoes them.
pub struct SharedChannel<T> {
    object: Object,
    view: OnceLock<ChannelView>,
    marker: PhantomData<fn() -> T>,
}

impl<T> Clone for SharedChannel<T> {
    fn clone(&self) -> Self {
        SharedChannel { object: self.object.clone(), view: self.view.clone(), marker: PhantomData }
    }
}

impl<T> std::fmt::Debug for SharedChannel<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedChannel")
    }
}

/// A channel that nobody removes while this lives. Messages come and go.
pub struct ChannelReadGuard<'a, T> {
    lock: ReadLock<'a>,
    marker: PhantomData<fn() -> T>,
}

/// As [`ChannelReadGuard`], and nobody else has a guard of the channel. Messages come and go.
pub struct ChannelWriteGuard<'a, T> {
    lock: WriteLock<'a>,
    marker: PhantomData<fn() -> T>,
}

/// Bytes of a slot.
pub(super) const fn slot_size<T>() -> u64 {
    size_of::<T>() as u64
}

impl<T: Plain> Container for SharedChannel<T> {
    type ReadGuard<'a> = ChannelReadGuard<'a, T>;
    type WriteGuard<'a> = ChannelWriteGuard<'a, T>;

    fn descriptor() -> Descriptor {
        let shape = Shape { kind: ContainerKind::Channel, text_key: false, key_size: 0, slot_size: slot_size::<T>() };
        Descriptor { shape, owned: Vec::new(), order: Vec::new(), text: format!("SharedChannel<{}>", T::SCHEMA) }
    }

    fn from_object(object: Object) -> Self {
        SharedChannel { object, view: OnceLock::new(), marker: PhantomData }
    }

    fn object(&self) -> &Object {
        &self.object
    }

    fn init(context: &mut Context, raw: &RawHeader) -> Result<()> {
        found_channel(context, raw, slot_size::<T>(), USUAL_CAPACITY)
    }

    fn validate(object: &Object) -> Result<()> {
        view_of::<T>(object)?;
        // Each message is looked at when it is taken; what is lent must have no other owner meanwhile.
        if T::ANY_BYTES { Ok(()) } else { object.validate_once(|_, _| Ok(())) }
    }

    fn read_guard<'a>(lock: ReadLock<'a>) -> ChannelReadGuard<'a, T> {
        ChannelReadGuard { lock, marker: PhantomData }
    }

    fn write_guard<'a>(lock: WriteLock<'a>) -> ChannelWriteGuard<'a, T> {
        ChannelWriteGuard { lock, marker: PhantomData }
    }
}

fn view_of<T: Plain>(object: &Object) -> Result<ChannelView> {
    let space = object.space();
    object.peek(|attempt, raw| {
        let view = ChannelView::read(space, raw, slot_size::<T>());
        attempt.holds().then_some(view)
    })
}

fn check_capacity(capacity: usize) -> Result<u64> {
    match capacity {
        0 => Err(Error::InvalidArgument("a channel has room for one message at least")),
        capacity => Ok(capacity as u64),
    }
}

impl<T: Plain> SharedChannel<T> {
    /// Makes a channel without a name, of 1024 messages. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    pub fn new_in(region: &Region) -> Result<Self> {
        region.anonymous()
    }

    /// As [`new_in`](Self::new_in), with room for `capacity` messages, or more: for the next power of two.
    ///
    /// # Errors
    /// As [`new_in`](Self::new_in); `InvalidArgument` for 0.
    pub fn with_capacity_in(region: &Region, capacity: usize) -> Result<Self> {
        let capacity = check_capacity(capacity)?;
        region.anonymous_with(move |context, raw| found_channel(context, raw, slot_size::<T>(), capacity))
    }

    /// Opens the channel `name`, or creates it with room for `capacity` messages, or more: for the next power of two.
    /// ([`Region::object`] creates it with room for 1024 of them, and opens any.)
    ///
    /// # Errors
    /// As [`Region::object`]; `TypeMismatch` if there is one of another capacity; `InvalidArgument` for 0.
    pub fn with_capacity(region: &Region, name: &str, capacity: usize) -> Result<Self> {
        let wanted = check_capacity(capacity)?;
        let channel: Self =
            region.object_with(name, move |context, raw| found_channel(context, raw, slot_size::<T>(), wanted))?;
        let found = channel.capacity()?;
        if found == capacity.next_power_of_two() {
            return Ok(channel);
        }
        let text = |capacity: usize| format!("SharedChannel<{}> of {capacity} messages", T::SCHEMA).into();
        Err(Error::TypeMismatch {
            expected: text(capacity.next_power_of_two()),
            found: text(found),
            difference: format!("room for {found} messages").into(),
        })
    }

    /// Creates the channel `name` with room for `capacity` messages, or more: for the next power of two.
    ///
    /// # Errors
    /// As [`Region::create_object`]; `InvalidArgument` for 0.
    pub fn create(region: &Region, name: &str, capacity: usize) -> Result<Self> {
        let capacity = check_capacity(capacity)?;
        region.create_object_with(name, move |context, raw| found_channel(context, raw, slot_size::<T>(), capacity))
    }

    /// Where its parts are; they stay there.
    #[inline(always)]
    fn view(&self) -> Result<ChannelView> {
        match self.view.get() {
            Some(view) => Ok(*view),
            None => self.find_view(),
        }
    }

    #[cold]
    fn find_view(&self) -> Result<ChannelView> {
        let view = view_of::<T>(&self.object)?;
        Ok(*self.view.get_or_init(|| view))
    }

    #[inline(always)]
    fn end(&self, side: Side, kept: bool, patience: Patience) -> Result<EndLock<'_>> {
        self.object.lock_end(self.view()?, slot_size::<T>(), side, kept, patience)
    }

    #[inline(always)]
    fn send_in(&self, value: &T, patience: Patience) -> Result<()> {
        let mut end = self.end(Side::Sender, false, patience)?;
        if !end.ready(end.patience)? {
            return Err(self.full()?);
        }
        end.end.place(slot_size::<T>()).target().put_plain(value);
        end.end.advance();
        Ok(())
    }

    #[cold]
    fn full(&self) -> Result<Error> {
        Ok(Error::Full { limit: self.capacity()? as u64 })
    }

    #[inline(always)]
    fn recv_in(&self, patience: Patience) -> Result<Option<T>> {
        let mut end = self.end(Side::Receiver, false, patience)?;
        if !end.ready(end.patience)? {
            return Ok(None);
        }
        taken(&mut end).map(Some)
    }

    /// Sends a message; while the channel is full, sleeps until it is not.
    ///
    /// # Errors
    /// `Timeout` if another one keeps the sender's end for longer than locks are waited for, it says who; `Removed`;
    /// `ReadOnly`; `Corrupt`; `Deadlock` if this thread keeps an end, so that it would wait for itself.
    ///
    /// # Crash
    /// The message is there whole or not at all. Who dies before it has woken a receiver delays it by some milliseconds at
    /// most; who dies inside keeps nobody from sending.
    #[inline]
    pub fn send(&self, value: T) -> Result<()> {
        self.send_in(&value, Patience::Endless)
    }

    /// As [`send`](Self::send), without sleeping.
    ///
    /// # Errors
    /// `Full`; as [`send`](Self::send), but `Timeout` at once if another one keeps the sender's end.
    ///
    /// # Crash
    /// As [`send`](Self::send).
    #[inline]
    pub fn try_send(&self, value: T) -> Result<()> {
        self.send_in(&value, Patience::None)
    }

    /// As [`send`](Self::send), for `timeout` at most.
    ///
    /// # Errors
    /// `Full` if it was all the time; as [`send`](Self::send).
    ///
    /// # Crash
    /// As [`send`](Self::send).
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<()> {
        self.send_in(&value, Patience::Limited(timeout))
    }

    /// Takes the next message; while there is none, sleeps until there is one.
    ///
    /// # Errors
    /// `Timeout` if another one keeps the receiver's end for longer than locks are waited for, it says who; `Removed`;
    /// `ReadOnly`; `Corrupt` if the bytes are no value of the type (the message stays); `Deadlock` if this thread keeps an
    /// end, so that it would wait for itself.
    ///
    /// # Crash
    /// The message is taken, and gone with who took it, or the channel is as before. Who dies inside keeps nobody from
    /// receiving, and takes no message with it that it had not taken.
    #[inline]
    pub fn recv(&self) -> Result<T> {
        loop {
            if let Some(value) = self.recv_in(Patience::Endless)? {
                return Ok(value);
            }
        }
    }

    /// Takes the next message, if there is one.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), but `Timeout` at once if another one keeps the receiver's end.
    ///
    /// # Crash
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&self) -> Result<Option<T>> {
        self.recv_in(Patience::None)
    }

    /// As [`recv`](Self::recv), for `timeout` at most. `None`: there was no message.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Crash
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<T>> {
        self.recv_in(Patience::Limited(timeout))
    }

    /// Keeps the sender's end: nobody else sends while the guard lives.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Crash
    /// The end of a dead sender is free for whoever wants it; what it has sent stays.
    pub fn sender(&self) -> Result<Sender<'_, T>> {
        Ok(Sender::new(self.end(Side::Sender, true, Patience::Endless)?))
    }

    /// Keeps the receiver's end: nobody else receives while the guard lives.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Crash
    /// The end of a dead receiver is free for whoever wants it; what it has not taken stays.
    pub fn receiver(&self) -> Result<Receiver<'_, T>> {
        Ok(Receiver::new(self.end(Side::Receiver, true, Patience::Endless)?))
    }

    /// Number of messages that wait. Takes nothing.
    ///
    /// # Errors
    /// `Removed`, `Corrupt`.
    pub fn len(&self) -> Result<usize> {
        Ok(self.object.channel_len(self.view()?, slot_size::<T>())? as usize)
    }

    /// Waits no message?
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// How many messages it has room for.
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub fn capacity(&self) -> Result<usize> {
        Ok(self.view()?.capacity as usize)
    }

    /// Copies of the messages that wait, the next one first. Takes none of them; those that others take meanwhile are not
    /// among them.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), but for `Deadlock` and `ReadOnly`.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        let space = self.object.space();
        let images: Vec<Image<T>> =
            self.object.channel_copies(self.view()?, slot_size::<T>(), |place| place.image())?;
        images.iter().map(|image| image.slot(space).read_plain::<T>().ok_or_else(|| no_message(&self.object))).collect()
    }

    /// Keeps others from removing the channel while the guard lives.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`, `ReadOnly`.
    pub fn read(&self) -> Result<ChannelReadGuard<'_, T>> {
        Ok(Self::read_guard(self.object.read()?))
    }

    /// As [`read`](Self::read), and nobody else has a guard.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn write(&self) -> Result<ChannelWriteGuard<'_, T>> {
        Ok(Self::write_guard(self.object.write()?))
    }
}

#[cold]
pub(super) fn no_message(object: &Object) -> Error {
    Error::corrupt(object.offset(), "the bytes of a message are no value of its type")
}

impl<T: Plain> ChannelReadGuard<'_, T> {
    /// How many messages the channel has room for.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn capacity(&self) -> Result<usize> {
        Ok(ChannelView::read(self.lock.space(), self.lock.raw(), slot_size::<T>())?.capacity as usize)
    }
}

impl<T: Plain> ChannelWriteGuard<'_, T> {
    /// How many messages the channel has room for.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn capacity(&self) -> Result<usize> {
        Ok(ChannelView::read(self.lock.space(), self.lock.raw(), slot_size::<T>())?.capacity as usize)
    }

    /// There is nothing to undo; what the guard's transaction does elsewhere is undone.
    pub fn rollback(self) {
        self.lock.doom();
    }
}
