//! `fork`: the child is another process that happens to have copies of its parent's guards and handles.
//!
//! Each test runs in a child of its own (P), which forks in its turn (G).

use super::spawn;
use crate::refused;
use crate::support::child::{self, Child, End};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, Result, SharedBox, SharedHashMap, SharedVec, Transaction};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path] = arguments else { panic!("{arguments:?}") };
        let region = quiet().open(path).unwrap();
        match *role {
            "drop copies" => drop_copies(&region),
            "leave a child" => leave_a_child(&region),
            "busy" => fork_while_busy(&region),
            "in a transaction" => fork_in_a_transaction(&region),
            "in a call" => fork_in_a_call(&region),
            "use copies" => use_copies(&region),
            "grandchildren" => grandchildren(&region),
            "a child dies" => a_child_dies(&region),
            other => panic!("{other}"),
        }
    });
}

fn run(role: &str, path: &Path) -> Child {
    spawn("forks", &[role, path.to_str().unwrap()])
}

fn vector(region: &Region, name: &str) -> SharedVec<u64> {
    region.object(name).unwrap()
}

/// Forks; G runs `body` and ends with 0, or 101 after a panic.
fn fork(body: impl FnOnce()) -> i32 {
    // SAFETY: G ends inside of the block below. The library under test promises that it works after a fork.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: takes no pointers; ends G should it hang.
        unsafe { libc::alarm(30) };
        let code = if catch_unwind(AssertUnwindSafe(body)).is_ok() { 0 } else { 101 };
        // SAFETY: ends G without the destructors of P.
        unsafe { libc::_exit(code) };
    }
    assert!(pid > 0, "{}", std::io::Error::last_os_error());
    pid
}

fn assert_ends_well(pid: i32) {
    let mut status = 0;
    // SAFETY: writes one status word.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "G ended with {status:#x}");
}

/// The test's side: P runs to its end, and the region is whole.
fn ends_well(role: &str) -> (Temporary, Region) {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    assert_eq!(run(role, &temporary.region()).wait(), End::Finished);
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
    (temporary, region)
}

fn drop_copies(region: &Region) {
    let [written, read, free] = ["written", "read", "free"].map(|name| vector(region, name));
    let hasty = quiet().lock_timeout(Duration::from_millis(100)).own_attachment().open(region.path()).unwrap();
    let [their_written, their_read] = ["written", "read"].map(|name| vector(&hasty, name));
    let anonymous = SharedVec::<u64>::new_in(region).unwrap();
    anonymous.extend(0..1000).unwrap();
    read.push(1).unwrap();
    let mut writing = written.write().unwrap();
    writing.push(1).unwrap();
    let reading = read.read().unwrap();
    let mut guards = Some((writing, reading));
    let mut handle = Some(anonymous);
    for round in 0..3 {
        let pid = fork(|| {
            // A copy says nothing about the original.
            drop(guards.take());
            drop(handle.take());
            // The region itself works: under a slot and lanes of G's own.
            free.push(round).unwrap();
            free.write().unwrap().push(round).unwrap();
            assert_eq!(free.read().unwrap().last(), Some(&round));
            let pids: Vec<u32> = region.processes().unwrap().iter().map(|process| process.pid).collect();
            // SAFETY: takes nothing.
            let parent = unsafe { libc::getppid() } as u32;
            assert!(pids.contains(&std::process::id()) && pids.contains(&parent), "{pids:?}");
            SharedVec::<u64>::new_in(region).unwrap().push(1).unwrap();
        });
        assert_ends_well(pid);
    }
    let (mut writing, reading) = guards.take().unwrap();
    // Nothing of P's was touched: not committed, not released, not freed.
    refused!(their_written.push(9), Error::Timeout { .. });
    refused!(their_read.push(9), Error::Timeout { .. });
    assert_eq!(&*reading, [1]);
    writing.push(2).unwrap();
    drop((writing, reading));
    let anonymous = handle.take().unwrap();
    assert_eq!(anonymous.to_vec().unwrap(), (0..1000).collect::<Vec<_>>());
    their_read.push(9).unwrap();
    assert_eq!(written.to_vec().unwrap(), [1, 2]);
    assert_eq!(free.to_vec().unwrap(), [0, 0, 1, 1, 2, 2]);
}

#[test]
fn a_forked_child_that_drops_its_copies_disturbs_nobody() {
    let (_temporary, region) = ends_well("drop copies");
    assert_eq!(region.check().unwrap().objects, 3, "anonymous ones went with P");
}

fn leave_a_child(region: &Region) {
    let [written, read] = ["written", "read"].map(|name| vector(region, name));
    let mut writing = written.write().unwrap();
    writing.push(1).unwrap();
    let _reading = read.read().unwrap();
    fork(|| {
        // SAFETY: takes no pointers: no more alarm, the end of P's standard input ends us.
        unsafe { libc::alarm(0) };
        child::tell("forked");
        child::listen();
    });
    child::listen();
}

#[test]
fn the_locks_of_a_killed_parent_are_free_while_its_child_lives() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let mut parent = run("leave a child", &temporary.region());
    assert_eq!(parent.hear().as_deref(), Some("forked"));
    parent.kill();
    vector(&region, "written").push(5).unwrap();
    vector(&region, "read").push(5).unwrap();
    assert_eq!(vector(&region, "written").to_vec().unwrap(), [5]);
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

fn fork_while_busy(region: &Region) {
    let (numbers, stop) = (vector(region, "numbers"), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (numbers, stop) = (&numbers, &stop);
            scope.spawn(move || {
                // Everything that takes a mutex of the process: lanes, attachments, descriptors.
                while !stop.load(Ordering::Relaxed) {
                    numbers.push(1).unwrap();
                    drop(quiet().open(region.path()).unwrap());
                    if thread == 1 {
                        std::thread::scope(|scope| drop(scope.spawn(|| numbers.pop().unwrap())));
                        region.processes().unwrap();
                    }
                }
            });
        }
        for _ in 0..40 {
            assert_ends_well(fork(|| {
                numbers.push(2).unwrap();
                drop(quiet().own_attachment().open(region.path()).unwrap());
            }));
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_process_forks_while_its_threads_are_busy() {
    ends_well("busy");
}

fn fork_in_a_transaction(region: &Region) {
    let [a, b, c] = ["a", "b", "c"].map(|name| vector(region, name));
    let mut pid = 0;
    let body = |tx: &Transaction<'_>| -> Result<()> {
        assert!(tx.read(&b)?.is_empty());
        tx.write(&a)?.push(1)?;
        // Not by `fork` above: G, too, comes back from the closure.
        // SAFETY: G ends right after the transaction.
        pid = unsafe { libc::fork() };
        if pid == 0 {
            // What G would lock, it would lock in P's name.
            let calls = [tx.write(&c).map(drop), tx.read(&c).map(drop), tx.write(&a).map(drop)];
            if !calls.iter().all(|call| matches!(call, Err(Error::RolledBack))) {
                // SAFETY: ends G.
                unsafe { libc::_exit(2) };
            }
        }
        Ok(())
    };
    let result = region.transaction(body);
    if pid == 0 {
        let code = if result.is_err() { 0 } else { 1 };
        // SAFETY: ends G.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: writes one status word.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    result.unwrap();
    assert_eq!(status, 0, "G was not told that its transaction is no transaction");
    c.push(1).unwrap();
}

#[test]
fn a_transaction_is_not_committed_by_a_forked_copy() {
    let (_temporary, region) = ends_well("in a transaction");
    assert_eq!(vector(&region, "a").to_vec().unwrap(), [1]);
}

fn fork_in_a_call(region: &Region) {
    let map: SharedHashMap<u64, u64> = region.object("map").unwrap();
    map.insert(1, 1).unwrap();
    let mut pid = 0;
    let result = map.update(&1, |value| {
        // SAFETY: G ends right after the call.
        pid = unsafe { libc::fork() };
        *value = if pid == 0 { 2 } else { 3 };
    });
    if pid == 0 {
        let code = if matches!(result, Err(Error::RolledBack)) { 0 } else { 1 };
        // SAFETY: ends G.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: writes one status word.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    result.unwrap();
    assert_eq!(status, 0, "G was not told that the call is its parent's");
    map.insert(2, 2).unwrap();
}

#[test]
fn a_call_is_not_completed_by_a_forked_copy() {
    let (_temporary, region) = ends_well("in a call");
    let map: SharedHashMap<u64, u64> = region.object("map").unwrap();
    assert_eq!(map.to_map().unwrap(), HashMap::from([(1, 3), (2, 2)]));
}

fn use_copies(region: &Region) {
    let [written, read] = ["written", "read"].map(|name| vector(region, name));
    read.push(1).unwrap();
    let mut writing = written.write().unwrap();
    writing.push(1).unwrap();
    assert_ends_well(fork(|| {
        // Through a copy of P's guard: whatever needs the log is refused, and nothing of P's log is touched.
        refused!(writing.pop(), Error::RolledBack);
        refused!(writing.set(0, 2), Error::RolledBack);
        refused!(writing.insert(0, 2), Error::RolledBack);
        refused!(writing.clear(), Error::RolledBack);
    }));
    writing.push(3).unwrap();
    drop(writing);
    assert_eq!(written.to_vec().unwrap(), [1, 3]);
}

#[test]
fn a_forked_copy_of_a_write_guard_changes_nothing() {
    ends_well("use copies");
}

fn a_child_dies(region: &Region) {
    let (numbers, own) = (vector(region, "numbers"), vector(region, "own"));
    let mut guard = own.write().unwrap();
    guard.push(1).unwrap();
    let pid = fork(|| {
        let mut guard = numbers.write().unwrap();
        guard.push(2).unwrap();
        // SAFETY: takes no pointers.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    });
    let mut status = 0;
    // SAFETY: writes one status word.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFSIGNALED(status));
    // What G held it held in its own name: it is dead, and P is not.
    numbers.push(3).unwrap();
    guard.push(4).unwrap();
    drop(guard);
    assert_eq!((numbers.to_vec().unwrap(), own.to_vec().unwrap()), (vec![3], vec![1, 4]));
}

#[test]
fn what_a_forked_child_held_ends_with_it_and_not_with_its_parent() {
    ends_well("a child dies");
}

fn grandchildren(region: &Region) {
    let numbers = vector(region, "numbers");
    let own: SharedBox<u64> = SharedBox::new_in(region).unwrap();
    assert_ends_well(fork(|| {
        numbers.push(1).unwrap();
        let mine: SharedBox<u64> = SharedBox::new_in(region).unwrap();
        let mut guard = numbers.write().unwrap();
        guard.push(2).unwrap();
        assert_ends_well(fork(|| {
            mine.set(7).unwrap();
            own.set(8).unwrap();
            // The thread-local lane is neither P's nor G's.
            let lanes = region.stats().unwrap();
            assert!(lanes.processes >= 3, "{lanes:?}");
            vector(region, "others").push(3).unwrap();
        }));
        guard.push(4).unwrap();
        drop(guard);
        assert_eq!(mine.get().unwrap(), 7);
    }));
    assert_eq!((own.get().unwrap(), numbers.to_vec().unwrap()), (8, vec![1, 2, 4]));
}

#[test]
fn children_of_forked_children_are_processes_of_their_own() {
    ends_well("grandchildren");
}
