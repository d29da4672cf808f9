//! Linux: `fallocate`, `O_TMPFILE`, open-file-description locks, shared futexes, `/proc`.
//!
//! Invariants kept here and relied upon above:
//! * L1: a held [`ByteLock`] ends only by being dropped or with this address space; it is never inherited.
//! * L2: no function touches a descriptor number that somebody else has taken over in the meantime without noticing.
//! * L3: [`all_tasks_exiting`] never answers `true` for a process that can still execute one of its instructions.

mod byte_lock;
mod clock;
mod create;
mod file;
mod file_system;
mod fork;
mod futex;
mod identity;
mod mapping;
mod probe;
mod proc_fs;
#[cfg(test)]
mod testing;

/// Dies by SIGKILL, here and now.
#[cfg(feature = "crash-points")]
pub(crate) fn kill_self() -> ! {
    // SAFETY: neither call touches memory.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    loop {
        std::hint::spin_loop();
    }
}

/// Stops until somebody sends SIGCONT.
#[cfg(feature = "crash-points")]
pub(crate) fn stop_self() {
    // SAFETY: takes no pointers. Sent to this thread, so it does not execute another instruction before the stop.
    unsafe { libc::raise(libc::SIGSTOP) };
}

/// What the last user of a file does that has lost its name: nothing, the file goes by itself.
#[derive(Debug)]
pub(crate) struct Leaver;

impl Leaver {
    pub(crate) fn new(_file: &File, _path: &std::path::Path) -> Leaver {
        Leaver
    }
}

pub(crate) use byte_lock::{ByteLock, byte_is_held, bytes_are_held};
pub(crate) use clock::{boot_id, monotonic_ns, random_u64};
pub(crate) use file::File;
pub(crate) use file_system::volatile_directory;
pub(crate) use fork::{fork_epoch, install_fork_hooks};
pub(crate) use futex::{futex_wait, futex_wake};
pub(crate) use identity::{current_processor, current_thread_id, process_name, thread_is_gone};
pub(crate) use mapping::Mapping;
pub(crate) use probe::all_tasks_exiting;
/// Mappings and open descriptors of others keep the file; its name is gone at once.
pub(crate) use std::fs::remove_file;
