//! `SharedString`: a growable text.

use std::marker::PhantomData;
use std::ops::Deref;

use crate::containers::Container;
use crate::containers::rows::vec::vector_descriptor;
use crate::engine::{Object, ReadLock, Region, WriteLock};
use crate::journal::Context;
use crate::raw::{ContainerKind, Descriptor, Vector, copy_bytes_out, detach};
use crate::region::layout::RawHeader;
use crate::{Error, Result};

/// A growable UTF-8 text shared between processes; `String` with fallible, atomic calls.
#[derive(Clone)]
pub struct SharedString {
    pub(in crate::containers) object: Object,
}

impl std::fmt::Debug for SharedString {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedString")
    }
}

/// The text, lent as a `&str`.
pub struct StringReadGuard<'a> {
    pub(in crate::containers) lock: ReadLock<'a>,
    marker: PhantomData<*mut ()>,
}

/// A text that only the holder may change.
pub struct StringWriteGuard<'a> {
    pub(in crate::containers) lock: WriteLock<'a>,
    marker: PhantomData<*mut ()>,
}

pub(in crate::containers) fn text<'a>(vector: &Vector<'a>) -> &'a str {
    // Validated when it was opened, and changed by whole texts only; a damaged one shows as empty.
    std::str::from_utf8(vector.lend_bytes().unwrap_or_default()).unwrap_or_default()
}

fn push_in(context: &mut Context, raw: &RawHeader, more: &str) -> Result<()> {
    let space = context.actor.space;
    let vector = Vector::new(space, raw, 1);
    let (len, count) = (vector.len(), more.len() as u64);
    // In this order: opening may move the text to a block that has no room for more.
    vector.open_from(context, len)?;
    vector.reserve(context, count)?;
    vector.write(len, more.len() as u64, more.as_bytes())?;
    vector.publish_push(count);
    Ok(())
}

/// Replaces bytes `start .. end`, both on character boundaries, by `with`.
pub(in crate::containers) fn splice_in(
    context: &mut Context,
    raw: &RawHeader,
    start: u64,
    end: u64,
    with: &str,
) -> Result<()> {
    let space = context.actor.space;
    let vector = Vector::new(space, raw, 1);
    let (len, count) = (vector.len(), with.len() as u64);
    // In this order: opening may move the text to a block that has no room for more.
    vector.open_from(context, start)?;
    vector.reserve(context, count)?;
    vector.shift(end, start + count, len - end)?;
    vector.write(start, with.len() as u64, with.as_bytes())?;
    vector.set_len(context, len - (end - start) + count)
}

impl Container for SharedString {
    type ReadGuard<'a> = StringReadGuard<'a>;
    type WriteGuard<'a> = StringWriteGuard<'a>;

    fn descriptor() -> Descriptor {
        vector_descriptor::<u8>(ContainerKind::String, "SharedString".into())
    }

    fn from_object(object: Object) -> Self {
        SharedString { object }
    }

    fn object(&self) -> &Object {
        &self.object
    }

    fn validate(object: &Object) -> Result<()> {
        object.validate_once(|space, raw| {
            let bytes = Vector::new(space, raw, 1).lend_bytes()?;
            let damaged = |_| Error::corrupt(raw.data_offset(), "a text is not UTF-8");
            std::str::from_utf8(bytes).map(|_| ()).map_err(damaged)
        })
    }

    fn read_guard<'a>(lock: ReadLock<'a>) -> StringReadGuard<'a> {
        StringReadGuard { lock, marker: PhantomData }
    }

    fn write_guard<'a>(lock: WriteLock<'a>) -> StringWriteGuard<'a> {
        StringWriteGuard { lock, marker: PhantomData }
    }
}

impl SharedString {
    /// Makes a text without a name. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    pub fn new_in(region: &Region) -> Result<Self> {
        region.anonymous()
    }

    /// Appends a text.
    ///
    /// # Errors
    /// `OutOfSpace`, `Timeout`, `Removed`, `ReadOnly`, `Deadlock`.
    ///
    /// # Crash
    /// It is there as a whole, or the text is as before.
    pub fn push_str(&self, more: &str) -> Result<()> {
        self.object.change(|context, raw| push_in(context, raw, more))
    }

    /// Appends a character.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn push(&self, character: char) -> Result<()> {
        self.push_str(character.encode_utf8(&mut [0; 4]))
    }

    /// Replaces the whole text.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn set(&self, text: &str) -> Result<()> {
        self.object.change(|context, raw| splice_in(context, raw, 0, raw.length(), text))
    }

    /// Removes the text and gives its memory back.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn clear(&self) -> Result<()> {
        self.object.change(|context, raw| detach(context, raw, &[]))
    }

    /// Length in bytes. Takes no lock.
    ///
    /// # Errors
    /// `Timeout`, `Removed`.
    pub fn len(&self) -> Result<usize> {
        self.object.peek(|_, raw| Some(Ok(raw.length() as usize)))
    }

    /// Is it empty?
    ///
    /// # Errors
    /// As [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// A copy of the text, as it is at one moment.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn get(&self) -> Result<String> {
        let space = self.object.space();
        self.object.peek(|attempt, raw| {
            let (data, len) = (raw.data_offset(), raw.length());
            if !attempt.holds() {
                return None;
            }
            let bytes = copy_bytes_out(space, data, len);
            let damaged = |_| Error::corrupt(data, "a text is not UTF-8");
            attempt.holds().then(|| bytes.and_then(|bytes| String::from_utf8(bytes).map_err(damaged)))
        })
    }

    /// Lends the text; writers wait while the guard lives.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`, `ReadOnly`.
    pub fn read(&self) -> Result<StringReadGuard<'_>> {
        Ok(Self::read_guard(self.object.read()?))
    }

    /// Locks the text for a change that is atomic when the guard is dropped.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn write(&self) -> Result<StringWriteGuard<'_>> {
        Ok(Self::write_guard(self.object.write()?))
    }
}

impl Deref for StringReadGuard<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        text(&Vector::new(self.lock.space(), self.lock.raw(), 1))
    }
}

impl Deref for StringWriteGuard<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        text(&Vector::new(self.lock.space(), self.lock.raw(), 1))
    }
}

impl std::fmt::Debug for StringReadGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl std::fmt::Debug for StringWriteGuard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl StringWriteGuard<'_> {
    /// Appends a text.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn push_str(&mut self, more: &str) -> Result<()> {
        let raw = self.lock.raw();
        self.lock.with(|context| push_in(context, raw, more))
    }

    /// Appends a character.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn push(&mut self, character: char) -> Result<()> {
        self.push_str(character.encode_utf8(&mut [0; 4]))
    }

    /// Removes the text.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn clear(&mut self) -> Result<()> {
        let raw = self.lock.raw();
        self.lock.with(|context| detach(context, raw, &[]))
    }

    /// Undoes everything that was done through this guard.
    pub fn rollback(self) {
        self.lock.doom();
    }
}
