//! Contexts: what an operation, a guard or a transaction has changed and how it is undone.
//!
//! Invariants: J1 a byte that was live when the context began changes only after its old value is in the log, or by one
//! store that is all of the change (`single`). J2 undo
//! runs only in phase Active and only while every word that the context took is still held. J3 the in-flight word is
//! settled before any list of its lane moves.

mod context;
mod inflight;
mod inner;
mod log;
mod recover;
mod single;

pub use context::Context;
pub(crate) use context::{Phase, is_idle};
pub(crate) use inflight::{link_of, link_offset, push_and_drop_record, unspill};
pub(crate) use inner::Inner;
pub(crate) use log::{CHUNK_HEAD, CHUNK_SIZE, Chunk, HEAD_SIZE, Kind, Log, Record};
pub(crate) use recover::{SPAN_PAGE, acquire, help, object_at, settle_lane, stage_one};
pub use single::Single;
pub(crate) use single::{MOST_BYTES, Outcome, Rest, Wakes};

/// Class of the blocks that logs spill into (8 KiB).
pub(crate) const SPILL_CLASS: usize = 31;
/// Class of object headers, whose memory is type-stable.
pub(crate) const OBJECT_CLASS: usize = 40;
/// Class of counters' segments, whose memory is type-stable, too: `CELL_LANES` cells each.
pub(crate) const CELL_CLASS: usize = 41;
/// Lanes whose cells lie in one segment of a counter.
pub(crate) const CELL_LANES: u64 = 16;
/// Where a free segment keeps its link: beside the words that a late count may still be stored to.
pub(crate) const CELL_LINK_AT: u64 = 16;
/// Class of the words of channels that move, whose memory is type-stable, too.
pub(crate) const CONTROL_CLASS: usize = 42;
/// The "class" of page runs: a lane's list of runs on their way between contexts and the supply.
pub(crate) const RUN_CLASS: usize = 47;
