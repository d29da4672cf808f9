//! Who this process and this thread are, in words that another process can check.

use std::ffi::{CStr, OsStr};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::common::{ProcessIdentity, cut_name};

impl ProcessIdentity {
    /// This process. A forked child is another one: ask again.
    ///
    /// When it started is left out: nobody needs it (see the probe), and it takes long to read. Places in `/proc` are made when
    /// they are first looked at, which takes 20 to 30 us each in a process that has just started; this one, half of that more.
    pub(crate) fn current() -> ProcessIdentity {
        ProcessIdentity { pid: std::process::id(), start_time: 0, pid_namespace: pid_namespace().unwrap_or(0) }
    }
}

/// The namespace of our process numbers; `None` unless `/proc` is known to show the same numbers. What is mounted there is
/// asked each time, what kind of numbers it shows once (it takes 20 us, while somebody waits for a lock).
pub(super) fn current_pid_namespace() -> Option<u64> {
    /// Which `/proc` has shown our own numbers to a process of which number, and the namespace of both: stored before.
    static SHOWN: AtomicU64 = AtomicU64::new(0);
    static NAMESPACE: AtomicU64 = AtomicU64::new(0);

    let pid = std::process::id();
    if fs::read_link("/proc/self").ok()?.to_str()?.parse() != Ok(pid) {
        return None;
    }
    // (Devices without a disk have numbers below 2^32. A child that no handler has told that it is one: its number is another,
    // or its `/proc` is, or it does not have this number there.)
    let shown = fs::metadata("/proc").ok()?.dev() << 32 | u64::from(pid);
    if SHOWN.load(Ordering::Acquire) == shown {
        return Some(NAMESPACE.load(Ordering::Relaxed));
    }
    // (Of the first task, which may have ended: it is there as long as the process.)
    let namespace = shows_only(&fs::read_to_string("/proc/self/status").ok()?, pid).then(pid_namespace)??;
    NAMESPACE.store(namespace, Ordering::Relaxed);
    SHOWN.store(shown, Ordering::Release);
    Some(namespace)
}

/// Is this the one number that a task has between the namespace of the `/proc` that says so and its own? Then they are one
/// namespace. That it is *a* number would not prove it: others may show the same by chance.
fn shows_only(status: &str, pid: u32) -> bool {
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers.is_some_and(|numbers| numbers.trim().parse() == Ok(pid))
}

/// The namespace of our process numbers, whosever numbers `/proc` shows. Asked each time: no handler tells a child made by a
/// bare `clone` that it is in another one.
fn pid_namespace() -> Option<u64> {
    // The first task may have ended, and this is gone from /proc/self then. (To follow the link takes the kernel longer.)
    let link = fs::read_link("/proc/self/ns/pid").or_else(|_| fs::read_link("/proc/thread-self/ns/pid"));
    link.ok()?.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
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
    telling_name(Path::new(OsStr::from_bytes(path.to_bytes())))
}

fn telling_name(path: &Path) -> Option<String> {
    if path.starts_with("/proc") || path.starts_with("/dev") { None } else { name_of(path) }
}

fn name_of(program: &Path) -> Option<String> {
    program.file_name().map(|name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Child;
    use super::*;

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
    fn a_number_of_several_namespaces_proves_nothing() {
        let status = |numbers: &str| format!("Name:\tx\nPid:\t7\nNSpid:{numbers}\nNSsid:\t7\n");
        assert!(shows_only(&status("\t7"), 7));
        for (numbers, pid) in [("\t7", 8), ("\t7\t7", 7), ("\t7\t1", 1), ("\t12\t7", 7), ("", 7)] {
            assert!(!shows_only(&status(numbers), pid), "{numbers}");
        }
        assert!(!shows_only("Pid:\t7\n", 7), "a kernel that does not say");
    }

    #[test]
    fn the_name_fits_its_slot() {
        let name = process_name();
        assert!(!name.is_empty() && name.len() <= 32);
        assert_eq!(name, cut_name(&name_of(&std::env::current_exe().unwrap()).unwrap()));
    }

    #[test]
    fn a_link_to_the_program_is_no_name_for_it() {
        let name = |path| telling_name(Path::new(path));
        assert_eq!(name("tools/worker.py").as_deref(), Some("worker.py"));
        for path in ["/proc/self/exe", "/proc/7/fd/3", "/dev/fd/5", "", "/"] {
            assert_eq!(name(path), None, "{path}");
        }
    }
}
