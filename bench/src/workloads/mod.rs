//! The workloads, one a file.

mod allocation;
pub(crate) mod attach;
mod deque;
mod growth;
mod idle_lanes;
mod map;
mod map_text;
mod memory;
mod paging;
#[cfg(target_os = "linux")]
pub(crate) mod processes;
mod scale;
mod transaction;
mod vec_guard;
mod vec_push;
mod vec_read;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::report::Report;

/// Something to measure.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Arguments, &mut Report) -> Outcome,
}

/// All of them, in the order in which they run.
pub(crate) const WORKLOADS: &[Workload] = &[
    Workload { name: "vec-push", about: "appending through the handle, one atomic change each", run: vec_push::run },
    Workload { name: "vec-guard", about: "appending under a write guard", run: vec_guard::run },
    Workload { name: "vec-read", about: "elements by index, without a lock", run: vec_read::run },
    Workload {
        name: "deque",
        about: "a value in at one end of a queue, one out at the other; counting",
        run: deque::run,
    },
    #[cfg(target_os = "linux")]
    processes::DEQUE,
    #[cfg(target_os = "linux")]
    processes::QUEUE,
    #[cfg(target_os = "linux")]
    processes::CHANNEL,
    Workload {
        name: "map",
        about: "filling, reading, changing, emptying a map of 1,000,000 entries",
        run: map::hashed,
    },
    Workload { name: "map-text", about: "inserting and looking up 300,000 texts by texts", run: map_text::run },
    Workload { name: "tree", about: "the same in order", run: map::ordered },
    Workload { name: "allocation", about: "allocating and freeing a block", run: allocation::run },
    #[cfg(target_os = "linux")]
    processes::MIXED,
    #[cfg(target_os = "linux")]
    processes::STRESS,
    #[cfg(target_os = "linux")]
    processes::MAP,
    Workload { name: "memory", about: "bytes for each entry of a map", run: memory::run },
    Workload { name: "transaction", about: "one atomic change of two objects", run: transaction::run },
    Workload { name: "growth", about: "the first write of each page, up to 4 GiB in a vector", run: growth::run },
    Workload {
        name: "paging",
        about: "page faults, and what `prefault` and huge pages make of them",
        run: paging::run,
    },
    Workload { name: "scale", about: "by entries, objects, size of the region, processes", run: scale::run },
    Workload { name: "idle-lanes", about: "one write while 1,000 threads have lanes", run: idle_lanes::run },
    Workload { name: "attach", about: "opening a region that exists, and the first operation", run: attach::run },
    #[cfg(target_os = "linux")]
    processes::RECOVERY,
    #[cfg(target_os = "linux")]
    processes::CONTENTION,
];
