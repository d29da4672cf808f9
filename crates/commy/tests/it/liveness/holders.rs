//! A lock's holder is stopped, killed, huge, a zombie.

#[cfg(target_os = "linux")]
use super::state_of;
use super::{spawn, until};
use crate::refused;
use crate::support::child::{self, Child, End};
#[cfg(target_os = "linux")]
use crate::support::stop::slot_is_held;
use crate::support::stop::{go_on, stop};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, ProcessState, Region, SharedVec};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(150);

#[test]
fn entry() {
    child::entry(|arguments| match arguments {
        ["hold", path] => hold(open(path), 0),
        ["hold large", path] => hold(open(path), 512 << 20),
        ["push", path] => {
            let region = open(path);
            let numbers = numbers(&region);
            child::tell("ready");
            child::listen();
            numbers.push(2).unwrap();
            child::tell("pushed");
        }
        #[cfg(target_os = "linux")]
        ["hold without leader", path] => hold_without_leader(path),
        #[cfg(target_os = "linux")]
        ["hold and share", path] => hold_and_share(path),
        other => panic!("{other:?}"),
    });
}

fn open(path: &str) -> Region {
    quiet().heartbeat(Duration::from_millis(20)).open(path).unwrap()
}

fn numbers(region: &Region) -> SharedVec<u64> {
    region.object("numbers").unwrap()
}

/// Holds a write guard with a change under way until told to let go.
fn hold(region: Region, touched: usize) {
    let memory = black_box(vec![1u8; touched]);
    let numbers = numbers(&region);
    let mut guard = numbers.write().unwrap();
    guard.push(7).unwrap();
    child::tell("held");
    assert_eq!(child::listen(), "go on");
    guard.push(8).unwrap();
    drop(guard);
    child::tell("released");
    drop(memory);
}

/// Forks a process whose first thread ends while the second one holds.
#[cfg(target_os = "linux")]
fn hold_without_leader(path: &str) {
    // SAFETY: the child uses nothing of this process but its standard streams.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let path = path.to_string();
        std::thread::spawn(move || {
            child::tell(&std::process::id().to_string());
            hold(open(&path), 0);
            std::process::exit(0);
        });
        // SAFETY: ends this thread alone; nothing of it is used by the other.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
    let mut status = 0;
    // SAFETY: writes one status word.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0);
}

/// Holds, while another process uses the same memory, as between `vfork` and `exec`: it does not go with this one.
#[cfg(target_os = "linux")]
fn hold_and_share(path: &str) {
    extern "C" fn sleep(_: *mut libc::c_void) -> libc::c_int {
        // SAFETY: takes no pointers; ends this process should the test hang.
        unsafe { libc::alarm(60) };
        loop {
            // SAFETY: as above. Nothing of the shared memory is used.
            unsafe { libc::pause() };
        }
    }
    let region = open(path);
    let numbers = numbers(&region);
    let mut guard = numbers.write().unwrap();
    guard.push(7).unwrap();
    let stack = Box::leak(vec![0u128; 4096].into_boxed_slice());
    // SAFETY: the stack is the other process's alone, who does nothing but sleep on it.
    let pid = unsafe { libc::clone(sleep, stack.as_mut_ptr_range().end.cast(), libc::CLONE_VM, std::ptr::null_mut()) };
    assert!(pid > 0, "{}", std::io::Error::last_os_error());
    child::tell(&pid.to_string());
    child::listen();
}

fn holder(role: &str, path: &Path) -> Child {
    let mut child = spawn("holders", &[role, path.to_str().unwrap()]);
    assert_eq!(child.hear().as_deref(), Some("held"));
    child
}

fn end_in_peace(mut child: Child) {
    assert!(child.send("go on"));
    assert_eq!(child.hear().as_deref(), Some("released"));
    assert_eq!(child.wait(), End::Finished);
}

/// Nobody gets what `child` holds; the error names it.
fn is_not_robbed(numbers: &SharedVec<u64>, pid: u32) {
    let start = Instant::now();
    let waited = match numbers.push(1) {
        Err(Error::Timeout { holder, waited }) => {
            assert_eq!(holder.pid, pid);
            assert_ne!(holder.thread, 0);
            waited
        }
        other => panic!("{other:?}"),
    };
    assert!(waited >= SHORT && start.elapsed() >= SHORT);
}

#[test]
fn a_stopped_holder_is_never_robbed() {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(SHORT).create(temporary.region()).unwrap();
    let numbers = numbers(&region);
    numbers.push(0).unwrap();
    let child = holder("hold", &temporary.region());
    stop(&child);
    let pid = child.pid();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| is_not_robbed(&numbers, pid));
        }
    });
    refused!(numbers.write().map(drop), Error::Timeout { .. });
    refused!(numbers.read().map(drop), Error::Timeout { .. });
    refused!(numbers.get(0), Error::Timeout { .. });
    refused!(region.object::<SharedVec<u64>>("numbers"), Error::Timeout { .. });
    refused!(region.remove_object("numbers"), Error::Timeout { .. });
    match region.check() {
        Err(Error::Timeout { holder, .. }) => assert_eq!(holder.pid, child.pid()),
        other => panic!("{other:?}"),
    }
    until("a stopped process is unresponsive, not dead", || {
        let processes = region.processes().unwrap();
        let it = processes.iter().find(|process| process.pid == child.pid()).unwrap();
        assert_ne!(it.state, ProcessState::Dead);
        it.state == ProcessState::Unresponsive
    });
    go_on(&child);
    end_in_peace(child);
    numbers.push(1).unwrap();
    assert_eq!(numbers.to_vec().unwrap(), [0, 7, 8, 1]);
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Median and worst time from a kill until somebody else has the lock. `waiting`: he waits already when it happens.
fn recovery_times(role: &str, rounds: u32, waiting: bool) -> (Duration, Duration) {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(Duration::from_secs(20)).create(temporary.region()).unwrap();
    let numbers = numbers(&region);
    let mut times = Vec::new();
    for round in 0..rounds {
        let mut child = holder(role, &temporary.region());
        let time = std::thread::scope(|scope| {
            let push = || {
                numbers.push(u64::from(round)).unwrap();
                Instant::now()
            };
            let waiter = waiting.then(|| scope.spawn(push));
            if waiting {
                let waits = |process: &commy::ProcessInfo| process.waits_for.as_deref() == Some("numbers");
                until("somebody waits", || region.processes().unwrap().iter().any(waits));
            }
            let killed = Instant::now();
            child.kill();
            waiter.map_or_else(push, |waiter| waiter.join().unwrap()) - killed
        });
        times.push(time);
    }
    assert_eq!(numbers.to_vec().unwrap(), (0..u64::from(rounds)).collect::<Vec<_>>(), "nothing of the dead is there");
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
    times.sort();
    println!("{role}, waiting: {waiting}: median {:?}, worst {:?}", times[times.len() / 2], times[times.len() - 1]);
    (times[times.len() / 2], times[times.len() - 1])
}

#[test]
fn the_lock_of_a_killed_holder_is_had_soon() {
    for waiting in [true, false] {
        let (median, worst) = recovery_times("hold", 25, waiting);
        assert!(median < Duration::from_millis(100) && worst < Duration::from_secs(3), "{median:?}, {worst:?}");
    }
}

#[test]
fn the_lock_of_a_killed_holder_with_much_memory_is_had_soon() {
    let (median, worst) = recovery_times("hold large", 4, true);
    assert!(median < Duration::from_millis(300) && worst < Duration::from_secs(3), "{median:?}, {worst:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_locks_of_the_dead_are_had_while_their_memory_is_still_there() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers = numbers(&region);
    let mut child = spawn("holders", &["hold and share", temporary.region().to_str().unwrap()]);
    let sleeper: i32 = child.hear().unwrap().parse().unwrap();
    child.kill();
    numbers.push(1).unwrap();
    assert!(slot_is_held(&temporary.region(), 1), "the kernel's lock goes with the memory, which is still there");
    assert_eq!(numbers.to_vec().unwrap(), [1]);
    // SAFETY: takes no pointers; the process was made by our child and sleeps, so the number is its own.
    assert_eq!(unsafe { libc::kill(sleeper, libc::SIGKILL) }, 0);
    until("the memory is gone", || !slot_is_held(&temporary.region(), 1));
    assert!(region.check().unwrap().is_clean());
    assert_eq!(region.processes().unwrap().len(), 1);
}

#[test]
#[cfg(target_os = "linux")]
fn a_zombie_holds_nothing() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let mut child = holder("hold", &temporary.region());
    child.kill();
    until("the child is a zombie", || state_of(child.pid()) == Some('Z'));
    numbers(&region).push(1).unwrap();
    assert_eq!(numbers(&region).to_vec().unwrap(), [1]);
    assert_eq!(state_of(child.pid()), Some('Z'), "it was one all the while");
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_whose_first_thread_has_ended_is_not_dead() {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(SHORT).create(temporary.region()).unwrap();
    let numbers = numbers(&region);
    let mut child = spawn("holders", &["hold without leader", temporary.region().to_str().unwrap()]);
    let pid: u32 = child.hear().unwrap().parse().unwrap();
    assert_eq!(child.hear().as_deref(), Some("held"));
    until("the leader is a zombie", || state_of(pid) == Some('Z'));
    for _ in 0..3 {
        is_not_robbed(&numbers, pid);
    }
    assert_eq!(state_of(pid), Some('Z'));
    end_in_peace(child);
    assert_eq!(numbers.to_vec().unwrap(), [7, 8]);
}

#[test]
fn processes_tell_who_holds_and_who_waits() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    numbers(&region);
    let find = |child: &Child| {
        let mut all = region.processes().unwrap();
        all.iter().position(|process| process.pid == child.pid()).map(|at| all.swap_remove(at))
    };
    let mut second = spawn("holders", &["push", temporary.region().to_str().unwrap()]);
    assert_eq!(second.hear().as_deref(), Some("ready"));
    let mut first = holder("hold", &temporary.region());
    assert!(second.send("go"));
    let mut waiting = None;
    until("the second waits", || {
        waiting = find(&second).filter(|process| process.waits_for.is_some());
        waiting.is_some()
    });
    let waiting = waiting.unwrap();
    // On a busy machine a heartbeat may be late: not dead is all that is sure.
    assert_eq!(waiting.waits_for.as_deref(), Some("numbers"));
    assert_ne!(waiting.state, ProcessState::Dead);
    assert!(waiting.holds.is_empty() && !waiting.name.is_empty());
    let holding = find(&first).unwrap();
    assert_eq!((holding.holds, holding.waits_for), (vec!["numbers".to_string()], None));
    assert_ne!(holding.state, ProcessState::Dead);
    let us = region.processes().unwrap().into_iter().find(|process| process.pid == std::process::id()).unwrap();
    assert!(us.holds.is_empty());
    assert_eq!(region.stats().unwrap().processes, 3);
    first.kill();
    assert_eq!(second.hear().as_deref(), Some("pushed"));
    assert_eq!(second.wait(), End::Finished);
    // Whoever is dead is seen to be, and goes with the next reaping.
    assert!(find(&first).is_none_or(|process| process.state == ProcessState::Dead));
    // (Its place is free once the kernel has let its byte go, which may take longer than its death shows.)
    until("the dead one is gone", || {
        assert!(region.check().unwrap().is_clean());
        find(&first).is_none()
    });
    assert_eq!(numbers(&region).to_vec().unwrap(), [2]);
}
