//! Keys: hashed and compared by canonical bytes, so that a table works from processes that do not know the type.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};

use super::value::{Store, Value};
use crate::Plain;
use crate::containers::plain::with_canonical_bytes;
use crate::raw::Place;
use crate::region::Space;

/// A value that may be a key: every [`Plain`] type that is `Eq` (no floats), `String`, `Vec<u8>`.
///
/// Equality is that of the bytes: a `Plain` type whose `Eq` says otherwise must not be a key.
pub trait Key: Value {
    /// Is it a string slot?
    #[doc(hidden)]
    const TEXT: bool;
    #[doc(hidden)]
    fn is_at(space: &Space, place: Place, bytes: &[u8]) -> bool;
    /// As a guard would lend it.
    #[doc(hidden)]
    fn lent(&self) -> Self::Ref<'_>;
    /// Runs `f` with the canonical bytes of a lent key.
    #[doc(hidden)]
    fn with_lent_bytes<R>(lent: &Self::Ref<'_>, f: impl FnOnce(&[u8]) -> R) -> R;
    /// Has a set of this process the lent key?
    #[doc(hidden)]
    fn is_in<S: BuildHasher>(lent: &Self::Ref<'_>, set: &HashSet<Self, S>) -> bool
    where
        Self: Eq + Hash;
}

/// Something to look a key up by: `"name"` for a `String` key, `&7` for a `u64` key.
pub trait Lookup<K: Key> {
    /// Runs `f` with the key's canonical bytes.
    #[doc(hidden)]
    fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R;
}

/// Something that can be inserted as a key.
pub trait StoreKey<K: Key>: Store<K> {
    /// Runs `f` with the key's canonical bytes.
    #[doc(hidden)]
    fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R;
}

impl<T: Plain + Eq> Key for T {
    const TEXT: bool = false;

    #[inline(always)]
    fn is_at(_space: &Space, place: Place, bytes: &[u8]) -> bool {
        place.same_plain(bytes)
    }

    fn lent(&self) -> &T {
        self
    }

    #[inline(always)]
    fn with_lent_bytes<R>(lent: &&T, f: impl FnOnce(&[u8]) -> R) -> R {
        with_canonical_bytes(*lent, f)
    }

    fn is_in<S: BuildHasher>(lent: &&T, set: &HashSet<T, S>) -> bool
    where
        T: Hash,
    {
        set.contains(*lent)
    }
}

impl<T: Plain + Eq> Lookup<T> for T {
    #[inline(always)]
    fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        with_canonical_bytes(self, f)
    }
}

impl<T: Plain + Eq> StoreKey<T> for T {
    #[inline(always)]
    fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        Lookup::with_bytes(self, f)
    }
}

macro_rules! text_key {
    ($key:ty, lookup: $($lookup:ty),*; store: $($store:ty),*; $bytes:ident) => {
        impl Key for $key {
            const TEXT: bool = true;

            #[inline(always)]
            fn is_at(space: &Space, place: Place, bytes: &[u8]) -> bool {
                place.same_text(space, bytes)
            }

            fn lent(&self) -> Self::Ref<'_> {
                self
            }

            #[inline(always)]
            fn with_lent_bytes<R>(lent: &Self::Ref<'_>, f: impl FnOnce(&[u8]) -> R) -> R {
                f(lent.as_ref())
            }

            fn is_in<S: BuildHasher>(lent: &Self::Ref<'_>, set: &HashSet<Self, S>) -> bool {
                set.contains(*lent)
            }
        }
        $(impl Lookup<$key> for $lookup {
            #[inline(always)]
            fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
                f(self.$bytes())
            }
        })*
        $(impl StoreKey<$key> for $store {
            #[inline(always)]
            fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
                f(self.$bytes())
            }
        })*
    };
}
text_key!(String, lookup: String, str; store: String, &String, &str; as_bytes);
text_key!(Vec<u8>, lookup: Vec<u8>, [u8]; store: Vec<u8>, &Vec<u8>, &[u8]; as_ref);
