//! Workloads of several processes. For Linux alone: one of the roles that the processes play holds the kernel's robust
//! mutex, which other systems lack.

mod channel;
mod contention;
mod deque;
mod queue;
mod recovery;
mod robust_mutex;
mod role;
mod together;

pub(crate) use role::{COMMAND, play};
pub(super) use together::scale;

use super::Workload;

pub(super) const DEQUE: Workload = Workload {
    name: "deque-two-processes",
    about: "values that go from one process to another through a queue",
    run: deque::run,
};
pub(super) const QUEUE: Workload =
    Workload { name: "queue", about: "one number from process to process, and there and back", run: queue::run };
pub(super) const CHANNEL: Workload = Workload {
    name: "channel",
    about: "messages from process to process, and there and back, through channels",
    run: channel::run,
};
pub(super) const RECOVERY: Workload =
    Workload { name: "recovery", about: "taking a lock whose holder is killed", run: recovery::run };
pub(super) const CONTENTION: Workload =
    Workload { name: "contention", about: "a read guard among eight hammering writers", run: contention::run };
pub(super) const MAP: Workload = Workload {
    name: "shared-map",
    about: "1, 2, 4, 8 processes look up and change one map of 1,000,000 entries",
    run: together::map,
};
pub(super) const STRESS: Workload = Workload {
    name: "stress",
    about: "processes that allocate, write, verify and free at once",
    run: together::stress,
};
pub(super) const MIXED: Workload =
    Workload { name: "mixed-allocation", about: "blocks of all sizes, by 1, 2, 4, 8 processes", run: together::mixed };
