//! Who this process and this thread are, in words that another process can check.

use std::ffi::{CStr, OsStr};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::common::{ProcessIdentity, cut_name};
use super::fork;

impl ProcessIdentity {
    /// This process. A forked child is another one: ask again.
    ///
    /// When it started is left out: nobody needs it (see the probe), and to read it takes 50 us in a process that has just
    /// started, because the kernel makes the places in `/proc` when they are first looked at.
    pub(crate) fn current() -> ProcessIdentity {
        ProcessIdentity { pid: std::process::id(), start_time: 0, pid_namespace: pid_namespace().unwrap_or(0) }
    }
}

/// What never changes in a process, and is another in its children: asked for once in each.
struct OncePerProcess {
    /// Fork epoch + 1, stored after `value`: who finds the epoch finds what belongs to it.
    epoch: AtomicU64,
    value: AtomicU64,
}

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

/// The namespace of our process numbers, whoever's numbers `/proc` has.
fn pid_namespace() -> Option<u64> {
    // The first thread of the process may have ended, and this is gone from /proc/self then.
    let look = || fs::read_link("/proc/self/ns/pid").or_else(|_| fs::read_link("/proc/thread-self/ns/pid"));
    // (To follow the link takes the kernel longer than to say where it leads.)
    PID_NAMESPACE.get(|| look().ok()?.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok())
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

/// A name for people: the program's file, or the script's; cut to 32 bytes at a character; may be empty.
pub(crate) fn process_name() -> String {
    let name = named_at_start().or_else(|| name_of(&std::env::current_exe().ok()?));
    let name = name.or_else(|| fs::read_to_string("/proc/self/comm").ok()).unwrap_or_default();
    cut_name(name.trim_end_matches(" (deleted)").trim())
}

/// By what path the program was started, if that says anything: some are started by a link or number that leads to them.
fn named_at_start() -> Option<String> {
    // SAFETY: takes nothing.
    let address = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const std::ffi::c_char;
    // SAFETY: the kernel puts a string there, or says 0; it stays as long as the process.
    let path = (!address.is_null()).then(|| unsafe { CStr::from_ptr(address) })?;
    let path = Path::new(OsStr::from_bytes(path.to_bytes()));
    if path.starts_with("/proc") || path.starts_with("/dev") { None } else { name_of(path) }
}

fn name_of(program: &Path) -> Option<String> {
    program.file_name().map(|name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Child;
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_process_stays_itself_and_its_child_is_another() {
        let ours = ProcessIdentity::current();
        assert_eq!(ours, ProcessIdentity::current());
        assert_eq!(ours.pid_namespace, fs::metadata("/proc/self/ns/pid").unwrap().ino());
        let child = Child::fork(|_| {
            let theirs = ProcessIdentity::current();
            i32::from(theirs.pid == ours.pid || theirs.pid_namespace != ours.pid_namespace)
        });
        assert_eq!(child.wait(), 0);
    }

    #[test]
    fn the_name_fits_its_slot() {
        let name = process_name();
        assert!(!name.is_empty() && name.len() <= 32);
    }
}
