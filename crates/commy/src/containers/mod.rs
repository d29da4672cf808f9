//! The typed, std-shaped face: handles whose every call is atomic, read guards that lend, write guards that are one
//! atomic change.
//!
//! `plain` and `schema`: values that are their bytes. `values`: everything that may stand in a slot, and how it is stored,
//! lent, copied out and proved. `rows`, `tables`, `trees`, `cells`, `channels`, `telemetry`: the containers by what their
//! bodies are; `.._in` functions do the work in a context, `.._guard` is what guards and views can do, the file with the
//! container's name has its handle. `waiting` and `serialize` are about all of them.

mod cells;
mod channels;
pub(crate) mod plain;
mod rows;
pub(crate) mod schema;
#[cfg(feature = "serde")]
mod serialize;
mod tables;
mod telemetry;
mod trees;
mod values;
mod waiting;

pub use cells::boxed::{BoxReadGuard, BoxWriteGuard, SharedBox};
pub use cells::string::{SharedString, StringReadGuard, StringWriteGuard};
pub use channels::channel::{ChannelReadGuard, ChannelWriteGuard, SharedChannel};
pub use channels::receiver::{Message, Receiver};
pub use channels::sender::{Reserved, Sender};
pub use rows::row_guard::Owning;
pub use rows::vec::SharedVec;
pub use rows::vec_deque::SharedVecDeque;
pub use rows::vec_deque_guard::{VecDequeIter, VecDequeReadGuard, VecDequeRef, VecDequeWriteGuard};
pub use rows::vec_guard::{VecIter, VecReadGuard, VecRef, VecWriteGuard};
pub use tables::hash_map::SharedHashMap;
pub use tables::hash_map_entry::{Entry, OccupiedEntry, VacantEntry};
pub use tables::hash_map_guard::{HashMapReadGuard, HashMapRef, HashMapWriteGuard, Iter};
pub use tables::hash_map_whole::IterMut;
pub use tables::hash_set::SharedHashSet;
pub use tables::hash_set_guard::{HashSetReadGuard, HashSetRef, HashSetWriteGuard, SetIter, SetLike};
pub use telemetry::counter::{CounterReadGuard, CounterWriteGuard, SharedCounter};
pub use telemetry::gauge::{GaugeReadGuard, GaugeWriteGuard, SharedGauge};
pub use trees::btree_map::SharedBTreeMap;
pub use trees::btree_map_entry::{BTreeMapEntry, BTreeMapOccupiedEntry, BTreeMapVacantEntry};
pub use trees::btree_map_guard::{BTreeMapReadGuard, BTreeMapRef, BTreeMapWriteGuard};
pub use trees::btree_map_iter::{BTreeMapIter, BTreeMapRange, BTreeMapRangeMut};
pub use trees::btree_set::SharedBTreeSet;
pub use trees::btree_set_guard::{
    BTreeSetIter, BTreeSetRange, BTreeSetReadGuard, BTreeSetRef, BTreeSetWriteGuard, OrderedKeys,
};
pub use values::key::{Key, Lookup, StoreKey};
pub use values::nested::Nested;
pub use values::option::OptionMut;
pub use values::ordered_key::OrderedKey;
pub use values::reader::Reader;
pub use values::text_mut::{BytesMut, StringMut};
pub use values::value::{Opened, Row, Store, Value, invalid};

use crate::Result;
use crate::engine::{Object, ReadLock, WriteLock};
use crate::journal::Context;
use crate::raw::Descriptor;
use crate::region::layout::RawHeader;

/// A handle type that names an object of a region: `SharedVec<T>`, `SharedHashMap<K, V>`, ...
///
/// Sealed: the types of this crate implement it.
pub trait Container: Sized {
    /// What `read()` gives.
    type ReadGuard<'a>;
    /// What `write()` gives.
    type WriteGuard<'a>;

    #[doc(hidden)]
    fn descriptor() -> Descriptor;
    #[doc(hidden)]
    fn from_object(object: Object) -> Self;
    #[doc(hidden)]
    fn object(&self) -> &Object;
    /// Fills a new, empty object.
    #[doc(hidden)]
    fn init(_context: &mut Context, _raw: &RawHeader) -> Result<()> {
        Ok(())
    }
    /// Proves that everything in an object that came from a file may be lent as its type.
    #[doc(hidden)]
    fn validate(object: &Object) -> Result<()>;
    #[doc(hidden)]
    fn read_guard<'a>(lock: ReadLock<'a>) -> Self::ReadGuard<'a>;
    #[doc(hidden)]
    fn write_guard<'a>(lock: WriteLock<'a>) -> Self::WriteGuard<'a>;
}
