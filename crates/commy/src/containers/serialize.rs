//! `serde::Serialize` for what guards lend: sequences, maps, texts and values, without a copy of the container.

use serde::ser::{Error, Serialize, Serializer};

use super::{
    BTreeMapReadGuard, BTreeMapWriteGuard, BTreeSetReadGuard, BTreeSetWriteGuard, BoxReadGuard, BoxWriteGuard,
    HashMapReadGuard, HashMapWriteGuard, HashSetReadGuard, HashSetWriteGuard, Key, OrderedKey, StringReadGuard,
    StringWriteGuard, Value, VecDequeReadGuard, VecDequeWriteGuard, VecReadGuard, VecWriteGuard,
};

macro_rules! sequence {
    ($($guard:ident of $bound:ident),*) => {$(
        /// A sequence.
        impl<T: $bound> Serialize for $guard<'_, T>
        where
            for<'r> T::Ref<'r>: Serialize,
        {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.iter())
            }
        }
    )*};
}
sequence! {
    VecReadGuard of Value, VecWriteGuard of Value, VecDequeReadGuard of Value, VecDequeWriteGuard of Value,
    HashSetReadGuard of Key, HashSetWriteGuard of Key, BTreeSetReadGuard of OrderedKey, BTreeSetWriteGuard of OrderedKey
}

macro_rules! map {
    ($($guard:ident of $bound:ident),*) => {$(
        /// A map.
        impl<K: $bound, V: Value> Serialize for $guard<'_, K, V>
        where
            for<'r> K::Ref<'r>: Serialize,
            for<'r> V::Ref<'r>: Serialize,
        {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.iter())
            }
        }
    )*};
}
map! {
    HashMapReadGuard of Key, HashMapWriteGuard of Key, BTreeMapReadGuard of OrderedKey, BTreeMapWriteGuard of OrderedKey
}

macro_rules! value {
    ($($guard:ident),*) => {$(
        /// The value.
        impl<T: Value> Serialize for $guard<'_, T>
        where
            for<'r> T::Ref<'r>: Serialize,
        {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.get().map_err(S::Error::custom)?.serialize(serializer)
            }
        }
    )*};
}
value!(BoxReadGuard, BoxWriteGuard);

macro_rules! text {
    ($($guard:ident),*) => {$(
        /// A text.
        impl Serialize for $guard<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self)
            }
        }
    )*};
}
text!(StringReadGuard, StringWriteGuard);
