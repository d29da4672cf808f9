//! Who waits for whom, and what becomes of it: holders that are stopped, killed, forked, leaked; threads that end;
//! transactions in a circle; crowds.

mod crowds;
mod descriptors;
mod forks;
mod guards;
mod holders;
mod objects;
mod threads;
mod transactions;

use crate::support::child::Child;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Looks until `holds` does. A test that fails here waits for something that never comes.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "never came true: {what}");
        std::thread::yield_now();
    }
}

/// A child that runs the entry point of one of the modules here.
pub fn spawn(module: &str, arguments: &[&str]) -> Child {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    Child::spawn(&format!("liveness::{module}::entry"), &arguments)
}

/// Sends a signal to a child that has not been waited for.
pub fn signal(child: &Child, signal: i32) {
    // SAFETY: takes no pointers; the child is ours and not reaped, so the number is its own.
    assert_eq!(unsafe { libc::kill(child.pid() as i32, signal) }, 0);
}

/// Returns when a child has stopped (or ended).
pub fn until_stopped(child: &Child) {
    let mut status = 0;
    // SAFETY: writes one status word. With WUNTRACED and the child alive this reaps nothing.
    let found = unsafe { libc::waitpid(child.pid() as i32, &raw mut status, libc::WUNTRACED) };
    assert!(found == child.pid() as i32 && libc::WIFSTOPPED(status), "the child has stopped: {status:#x}");
}

/// Stops a child and returns when it has stopped.
pub fn stop(child: &Child) {
    signal(child, libc::SIGSTOP);
    until_stopped(child);
}

/// Does anybody hold the lock byte of process slot `slot`? Asked as anybody may: through a description of its own.
pub fn slot_is_held(path: &Path, slot: u64) -> bool {
    let file = File::open(path).unwrap();
    let mut base = [0; 8];
    file.read_exact_at(&mut base, 136).unwrap();
    // SAFETY: a structure of integers.
    let mut range = unsafe { std::mem::zeroed::<libc::flock>() };
    (range.l_type, range.l_whence) = (libc::F_WRLCK as libc::c_short, libc::SEEK_SET as libc::c_short);
    (range.l_start, range.l_len) = ((u64::from_le_bytes(base) + 1 + slot) as libc::off_t, 1);
    // SAFETY: reads and writes one `flock`.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut range) }, 0);
    range.l_type != libc::F_UNLCK as libc::c_short
}

/// The letter of a process's state in /proc.
pub fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// Asserts on a result that must be an error of one kind.
#[macro_export]
macro_rules! refused {
    ($result:expr, $pattern:pat) => {
        match $result {
            Err($pattern) => {}
            Err(other) => panic!("expected {}, not {other:?}", stringify!($pattern)),
            Ok(_) => panic!("expected {}, not success", stringify!($pattern)),
        }
    };
}
