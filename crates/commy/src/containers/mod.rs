//! The typed, std-shaped face: handles whose every call is atomic, read guards that lend, write guards that are one
//! atomic change.

mod boxed;
mod boxed_more;
mod btree;
mod btree_map;
mod btree_map_entry;
mod btree_map_guard;
mod btree_map_iter;
mod btree_map_keyed;
mod btree_map_whole;
mod btree_set;
mod btree_set_guard;
mod btree_set_whole;
mod counter;
mod gauge;
mod hash_map;
mod hash_map_guard;
mod hash_map_keyed;
mod hash_map_whole;
mod hash_set;
mod hash_set_guard;
mod hash_set_whole;
mod key;
mod nested;
mod option;
mod ordered_key;
pub(crate) mod plain;
mod reader;
mod row;
mod row_guard;
mod row_handle;
mod row_read;
pub(crate) mod schema;
#[cfg(feature = "serde")]
mod serialize;
mod string;
mod string_more;
mod text_mut;
mod value;
mod vec;
mod vec_deque;
mod vec_deque_guard;
mod vec_deque_more;
mod vec_guard;
mod vec_more;
mod waiting;

pub use boxed::{BoxReadGuard, BoxWriteGuard, SharedBox};
pub use btree_map::SharedBTreeMap;
pub use btree_map_entry::{BTreeMapEntry, BTreeMapOccupiedEntry, BTreeMapVacantEntry};
pub use btree_map_guard::{BTreeMapReadGuard, BTreeMapRef, BTreeMapWriteGuard};
pub use btree_map_iter::{BTreeMapIter, BTreeMapRange, BTreeMapRangeMut};
pub use btree_set::SharedBTreeSet;
pub use btree_set_guard::{
    BTreeSetIter, BTreeSetRange, BTreeSetReadGuard, BTreeSetRef, BTreeSetWriteGuard, OrderedKeys,
};
pub use counter::{CounterReadGuard, CounterWriteGuard, SharedCounter};
pub use gauge::{GaugeReadGuard, GaugeWriteGuard, SharedGauge};
pub use hash_map::SharedHashMap;
pub use hash_map_guard::{Entry, HashMapReadGuard, HashMapRef, HashMapWriteGuard, Iter, OccupiedEntry, VacantEntry};
pub use hash_map_whole::IterMut;
pub use hash_set::SharedHashSet;
pub use hash_set_guard::{HashSetReadGuard, HashSetRef, HashSetWriteGuard, SetIter, SetLike};
pub use key::{Key, Lookup, StoreKey};
pub use nested::Nested;
pub use option::OptionMut;
pub use ordered_key::OrderedKey;
pub use reader::Reader;
pub use row_guard::Owning;
pub use string::{SharedString, StringReadGuard, StringWriteGuard};
pub use text_mut::{BytesMut, StringMut};
pub use value::{Opened, Row, Store, Value, invalid};
pub use vec::SharedVec;
pub use vec_deque::SharedVecDeque;
pub use vec_deque_guard::{VecDequeIter, VecDequeReadGuard, VecDequeRef, VecDequeWriteGuard};
pub use vec_guard::{VecIter, VecReadGuard, VecRef, VecWriteGuard};

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
