//! Who waits for whom, and what becomes of it: holders that are stopped, killed, forked, leaked; threads that end;
//! transactions in a circle; crowds.

mod crowds;
#[cfg(target_os = "linux")]
mod descriptors;
#[cfg(target_os = "linux")]
mod forks;
mod guards;
mod holders;
mod objects;
mod threads;
mod transactions;

use crate::support::child::Child;
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

/// The letter of a process's state in /proc.
#[cfg(target_os = "linux")]
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
