//! Strings and byte strings inside a container, to be changed in place.

use std::fmt::{Debug, Formatter};
use std::ops::Deref;

use super::value::{Opened, Store, Value};
use crate::Result;

macro_rules! text_mut {
    ($(#[$doc:meta])* $name:ident, $value:ty, $lent:ty, push $push:ident $piece:ty) => {
        $(#[$doc])*
        pub struct $name<'a> {
            slot: Opened<'a>,
        }

        impl<'a> $name<'a> {
            pub(in crate::containers) fn new(slot: Opened<'a>) -> Self {
                $name { slot }
            }

            /// Overwrites it.
            ///
            /// # Errors
            /// `OutOfSpace` (nothing has changed then), `RolledBack`.
            pub fn set(&mut self, value: impl Store<$value>) -> Result<()> {
                self.slot.set::<$value>(&value)
            }

            /// Appends. Strings in containers have no room to spare: all of it is copied.
            ///
            /// # Errors
            /// As [`set`](Self::set).
            pub fn $push(&mut self, piece: &$piece) -> Result<()> {
                let mut whole: $value = self.to_owned();
                whole.extend_from(piece);
                self.slot.set::<$value>(&whole)
            }

            /// Changes it as one of this process, which is then stored.
            ///
            /// # Errors
            /// As [`set`](Self::set).
            pub fn update<R>(&mut self, change: impl FnOnce(&mut $value) -> R) -> Result<R> {
                let mut whole: $value = self.to_owned();
                let result = change(&mut whole);
                self.slot.set::<$value>(&whole)?;
                Ok(result)
            }

            /// Empties it.
            ///
            /// # Errors
            /// As [`set`](Self::set).
            pub fn clear(&mut self) -> Result<()> {
                self.slot.set::<$value>(&<$value>::new())
            }
        }

        impl Deref for $name<'_> {
            type Target = $lent;

            fn deref(&self) -> &$lent {
                <$value>::lend(self.slot.slot())
            }
        }

        impl Debug for $name<'_> {
            fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                self.deref().fmt(f)
            }
        }
    };
}

text_mut! {
    /// A `String` in a container under a write guard, to be changed in place. It is a `str` to look at.
    StringMut, String, str, push push_str str
}
text_mut! {
    /// A `Vec<u8>` in a container under a write guard, to be changed in place. It is a `[u8]` to look at.
    BytesMut, Vec<u8>, [u8], push extend_from_slice [u8]
}

/// `push_str` and `extend_from_slice` by one name.
trait ExtendFrom<P: ?Sized> {
    fn extend_from(&mut self, piece: &P);
}

impl ExtendFrom<str> for String {
    fn extend_from(&mut self, piece: &str) {
        self.push_str(piece);
    }
}

impl ExtendFrom<[u8]> for Vec<u8> {
    fn extend_from(&mut self, piece: &[u8]) {
        self.extend_from_slice(piece);
    }
}
