//! What a process does with a region: attaching, lanes of its threads, objects, transactions, recovery of the dead.

mod attachment;
mod channel;
pub(crate) mod check;
mod directory;
mod freeze;
mod info;
#[cfg(all(test, loom))]
mod model_tests;
mod object;
mod options;
mod probe;
mod reaper;
mod region;
mod registry;
mod thread_lane;
mod transaction;
mod waiting;

pub use check::{Finding, Report};
pub use info::{ObjectInfo, ProcessInfo, ProcessState, Stats};
pub use options::RegionOptions;
pub use probe::AllocationProbe;
pub use region::Region;
pub use transaction::Transaction;

pub(crate) use channel::EndLock;
pub(crate) use object::Attempt;
pub use object::{Object, ReadLock, WriteLock};
