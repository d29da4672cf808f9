//! Windows: sections mapped piece by piece, `LockFileEx`, parking places in a named section, process handles.
//!
//! Invariants kept here and relied upon above:
//! * L1: a held [`ByteLock`] ends only by being dropped or with this process; handles made here are never inherited.
//!   When a process is terminated the system lets its locks go "depending upon available system resources": that may be
//!   later than its last instruction, never earlier. [`all_tasks_exiting`] knows when the process object is signalled,
//!   which is documented as the last step of its end.
//! * L2: handles are not numbers that somebody else takes over: nothing closes the handles of a living process unasked.
//! * L3: [`all_tasks_exiting`] never answers `true` for a process that can still execute one of its instructions.
//!
//! There is no `fork`, so there is one epoch and no hook is ever called. Documented Win32 alone is called.

mod boot;
mod byte_lock;
mod clock;
mod create;
mod file;
mod file_system;
mod futex;
mod handle;
mod identity;
mod mapping;
mod parking;
mod placeholders;
mod range;
mod remove;
mod security;
mod sleep;
#[cfg(feature = "crash-points")]
mod stop;
#[cfg(test)]
mod testing;

/// A number that would be another one in a forked child; nothing forks here.
#[inline]
pub(crate) const fn fork_epoch() -> u64 {
    0
}

/// Nothing forks here, so the hooks are never called.
pub(crate) fn install_fork_hooks(_prepare: fn(), _parent: fn(), _child: fn()) {}

pub(crate) use boot::boot_id;
pub(crate) use byte_lock::{ByteLock, byte_is_held, bytes_are_held};
pub(crate) use clock::{monotonic_ns, random_u64};
pub(crate) use file::File;
pub(crate) use file_system::volatile_directory;
pub(crate) use futex::{futex_wait, futex_wake};
pub(crate) use identity::{all_tasks_exiting, current_processor, current_thread_id, process_name, thread_is_gone};
pub(crate) use mapping::Mapping;
pub(crate) use remove::{Leaver, remove_file};
#[cfg(feature = "crash-points")]
pub(crate) use stop::{kill_self, stop_self};
