//! Ordinary collections shared between processes through one memory-mapped file.
//!
//! Any process may be killed at any machine instruction: the others go on, each operation has happened wholly or not at
//! all, and nothing leaks.
//!
//! ```
//! # fn main() -> commy::Result<()> {
//! use commy::{Region, SharedHashMap, SharedVec};
//!
//! # let path = std::env::temp_dir().join(format!("commy-doc-lib-{}", std::process::id()));
//! let region = Region::create(&path)?; // any process may open it
//! let numbers: SharedVec<i32> = region.object("numbers")?;
//! numbers.push(10)?; // atomic
//! assert_eq!(numbers.get(0)?, Some(10));
//!
//! let config: SharedHashMap<String, u64> = region.object("config")?;
//! config.insert("timeout", 30)?;
//! *config.write()?.entry("timeout").or_insert(0)? += 1; // atomic, too
//! assert_eq!(config.get("timeout")?, Some(31));
//! # drop((numbers, config, region));
//! # Region::remove(&path)
//! # }
//! ```
//!
//! The layers, the layout of the file and the protocols are in `ARCHITECTURE.md`.

mod containers;
#[doc(hidden)]
pub mod crash;
mod engine;
mod error;
mod heap;
mod journal;
mod lock;
mod process;
mod raw;
mod region;
mod sys;

pub use commy_derive::{Plain, Value};
pub use containers::plain::Plain;
pub use containers::schema::{Field, Schema, SchemaKind, Variant};
pub use containers::{
    BTreeMapEntry, BTreeMapIter, BTreeMapOccupiedEntry, BTreeMapRange, BTreeMapRangeMut, BTreeMapReadGuard,
    BTreeMapRef, BTreeMapVacantEntry, BTreeMapWriteGuard, BTreeSetIter, BTreeSetRange, BTreeSetReadGuard, BTreeSetRef,
    BTreeSetWriteGuard, OrderedKey, OrderedKeys, SharedBTreeMap, SharedBTreeSet,
};
pub use containers::{
    BoxReadGuard, BoxWriteGuard, BytesMut, Container, CounterReadGuard, CounterWriteGuard, Entry, GaugeReadGuard,
    GaugeWriteGuard, HashMapReadGuard, HashMapRef, HashMapWriteGuard, HashSetReadGuard, HashSetRef, HashSetWriteGuard,
    Iter, IterMut, Key, Lookup, OccupiedEntry, OptionMut, Owning, SetIter, SetLike, SharedBox, SharedCounter,
    SharedGauge, SharedHashMap, SharedHashSet, SharedString, SharedVec, SharedVecDeque, Store, StoreKey, StringMut,
    StringReadGuard, StringWriteGuard, VacantEntry, Value, VecDequeIter, VecDequeReadGuard, VecDequeRef,
    VecDequeWriteGuard, VecIter, VecReadGuard, VecRef, VecWriteGuard,
};
pub use containers::{ChannelReadGuard, ChannelWriteGuard, Message, Receiver, Reserved, Sender, SharedChannel};
#[doc(hidden)]
pub use engine::AllocationProbe;
pub use engine::{Finding, ObjectInfo, ProcessInfo, ProcessState, Region, RegionOptions, Report, Stats, Transaction};
pub use error::{Error, Holder, Result};

/// What the README shows compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// As for the README.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide.md")]
struct Guide;

#[doc(hidden)]
pub mod __private {
    pub use crate::containers::plain::{checked_align, copy_bytes, field_is_valid, field_mut};
    pub use crate::containers::schema::{Field, Schema, SchemaKind, Variant};
    pub use crate::containers::{Nested, Opened, Reader, Row, invalid};
    pub use crate::journal::Context;
    pub use crate::raw::{Owned, Slot, SlotMut};
    pub use core::mem::{offset_of, size_of};
}
