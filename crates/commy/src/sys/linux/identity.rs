//! Who this process and this thread are, in words that another process can check.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::common::{ProcessIdentity, cut_name};
use super::fork;
use super::proc_fs::own_stat;

impl ProcessIdentity {
    /// This process. A forked child is another one: ask again.
    pub(crate) fn current() -> ProcessIdentity {
        let start_time = START_TIME.get(|| Some(own_stat()?.start_time)).unwrap_or(0);
        let pid_namespace = current_pid_namespace().unwrap_or(0);
        ProcessIdentity { pid: std::process::id(), start_time, pid_namespace }
    }
}

/// What never changes in a process, and is another in its children: asked for once in each.
struct OncePerProcess {
    /// Fork epoch + 1, stored after `value`: who finds the epoch finds what belongs to it.
    epoch: AtomicU64,
    value: AtomicU64,
}

static START_TIME: OncePerProcess = OncePerProcess::new();
static PID_NAMESPACE: OncePerProcess = OncePerProcess::new();

impl OncePerProcess {
    const fn new() -> OncePerProcess {
        OncePerProcess { epoch: AtomicU64::new(0), value: AtomicU64::new(0) }
    }

    fn get(&self, ask: impl FnOnce() -> Option<u64>) -> Option<u64> {
        fork::ensure_hooks();
        let epoch = fork::fork_epoch().wrapping_add(1);
        if self.epoch.load(Ordering::Acquire) == epoch {
            return Some(self.value.load(Ordering::Relaxed));
        }
        let value = ask()?;
        self.value.store(value, Ordering::Relaxed);
        self.epoch.store(epoch, Ordering::Release);
        Some(value)
    }
}

/// The namespace of our process numbers; `None` unless `/proc` is known to use the same numbers, which is asked each time:
/// another one may be mounted there.
pub(super) fn current_pid_namespace() -> Option<u64> {
    let seen = fs::read_link("/proc/self").ok()?;
    (seen.to_str()?.parse::<u32>().ok()? == std::process::id()).then(pid_namespace)?
}

/// The namespace of our process numbers.
fn pid_namespace() -> Option<u64> {
    // The first thread of the process may have ended, and this is gone from /proc/self then.
    let look = || fs::metadata("/proc/self/ns/pid").or_else(|_| fs::metadata("/proc/thread-self/ns/pid"));
    PID_NAMESPACE.get(|| Some(look().ok()?.ino()))
}

/// The kernel's number of this thread, as in `/proc` and in debuggers.
pub(crate) fn current_thread_id() -> u32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// The number of the processor that this thread runs on, perhaps no longer.
pub(crate) fn current_processor() -> u32 {
    // SAFETY: takes nothing.
    unsafe { libc::sched_getcpu() as u32 }
}

/// Whether this process has no thread of this number any more. A later thread may have it again: then the answer is no.
pub(crate) fn thread_is_gone(thread_id: u32) -> bool {
    // SAFETY: takes no pointers; signal 0 only asks.
    let found = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread_id, 0) };
    found != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

/// A name for people: the program's file, cut to 32 bytes at a character; may be empty.
pub(crate) fn process_name() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let name = name.or_else(|| fs::read_to_string("/proc/self/comm").ok()).unwrap_or_default();
    cut_name(name.trim_end_matches(" (deleted)").trim())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Child;
    use super::*;

    #[test]
    fn a_process_stays_itself_and_its_child_is_another() {
        let ours = ProcessIdentity::current();
        assert_eq!(ours, ProcessIdentity::current());
        assert!(ours.start_time > 0 && ours.pid_namespace > 0);
        let child = Child::fork(|_| {
            let theirs = ProcessIdentity::current();
            let differs = theirs.pid != ours.pid && theirs.pid_namespace == ours.pid_namespace;
            if differs && theirs.start_time >= ours.start_time { 0 } else { 1 }
        });
        assert_eq!(child.wait(), 0);
    }

    #[test]
    fn the_name_fits_its_slot() {
        let name = process_name();
        assert!(!name.is_empty() && name.len() <= 32);
    }
}
