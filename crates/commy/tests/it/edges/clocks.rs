//! Clocks that differ: a process in a time namespace of its own, whose monotonic clock is a year ahead or has hardly begun.
//! (The clock that people set is not asked at all: `layers::time_is_what_the_monotonic_clock_says`.)

use super::{is_clean, run, skip, spawn};
use crate::liveness::until;
use crate::support::child;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedVec, SharedVecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

/// Of the moment at which a set of time namespaces begins; see time_namespaces(7).
const CLONE_NEWTIME: libc::c_int = 0x80;

#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path] = arguments else { panic!("{arguments:?}") };
        let path = Path::new(path);
        match *role {
            "ahead" => elsewhere(path, "monotonic 31536000 0\nboottime 31536000 0\n"),
            "behind" => {
                // So far that hardly a second is left.
                let now = std::fs::read_to_string("/proc/uptime").unwrap();
                let seconds: u64 = now.split('.').next().unwrap().parse().unwrap();
                elsewhere(path, &format!("monotonic -{0} 0\nboottime -{0} 0\n", seconds.saturating_sub(2)));
            }
            "hold" => {
                let region = open(path);
                let numbers = numbers(&region);
                let mut guard = numbers.write().unwrap();
                guard.push(7).unwrap();
                child::tell(&now().to_string());
                child::listen();
                drop(guard);
                // What is sent after a time is waited for by this clock.
                let queue: SharedVecDeque<u64> = region.object("queue").unwrap();
                let start = Instant::now();
                assert_eq!(queue.pop_front_wait(Duration::from_millis(50)).unwrap(), None);
                assert!(start.elapsed() < Duration::from_secs(10));
                child::tell("waited");
                assert_eq!(queue.pop_front_wait(Duration::from_secs(20)).unwrap(), Some(5));
                let mut guard = numbers.write().unwrap();
                guard.push(8).unwrap();
                child::tell("held again");
                child::listen();
            }
            other => panic!("{other}"),
        }
    });
}

fn open(path: &Path) -> Region {
    quiet().heartbeat(Duration::from_millis(20)).lock_timeout(Duration::from_millis(300)).open(path).unwrap()
}

fn numbers(region: &Region) -> SharedVec<u64> {
    region.object("numbers").unwrap()
}

fn now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for one `timespec`.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64
}

/// Works with a child whose clock is offset.
fn elsewhere(path: &Path, offsets: &str) {
    // SAFETY: takes no pointers; children of this thread live in the new namespace.
    if unsafe { libc::unshare(CLONE_NEWTIME) } != 0 {
        skip("no clock of our own", &std::io::Error::last_os_error());
    }
    // Under the number of the thread: the process's own entry means its first thread.
    // SAFETY: takes nothing.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    if let Err(error) = std::fs::write(format!("/proc/{thread}/timens_offsets"), offsets) {
        skip("no offset of the clock", &error);
    }
    let region = open(path);
    let numbers = numbers(&region);
    let mut other = spawn("clocks", &["hold", path.to_str().unwrap()]);
    let theirs: u64 = other.hear().unwrap().parse().unwrap();
    assert!(theirs.abs_diff(now()) > 10, "the clocks differ: {theirs}, {}", now());
    // Neither condemned for a heartbeat of another time nor for a start at another time.
    for _ in 0..3 {
        match numbers.push(1) {
            Err(Error::Timeout { holder, waited }) => {
                assert_eq!((holder.pid, holder.dead), (other.pid(), false));
                assert!(waited < Duration::from_secs(10), "{waited:?}");
            }
            result => panic!("{result:?}"),
        }
    }
    assert_eq!(region.processes().unwrap().len(), 2);
    other.send("go on");
    assert_eq!(other.hear().as_deref(), Some("waited"));
    region.object::<SharedVecDeque<u64>>("queue").unwrap().push_back(5).unwrap();
    assert_eq!(other.hear().as_deref(), Some("held again"));
    other.kill();
    until("the lock of the dead is had", || numbers.push(2).is_ok());
    assert_eq!(numbers.to_vec().unwrap(), [7, 2]);
    is_clean(&region);
}

#[test]
fn processes_whose_clocks_differ_share_a_region() {
    for role in ["ahead", "behind"] {
        let temporary = Temporary::new();
        drop(quiet().create(temporary.region()).unwrap());
        run("clocks", role, &temporary.region());
    }
}
