//! Promises about identities: who is alive is never believed dead.

use std::time::{Duration, Instant};

use super::super::testing::{Directory, Role};
use super::*;

#[test]
fn a_process_stays_itself_and_the_dead_are_known() {
    let ours = ProcessIdentity::current();
    assert_eq!(ours, ProcessIdentity::current());
    assert!(ours.start_time > 0 && !all_tasks_exiting(&ours));
    let directory = Directory::new();
    let mut child = Role::start("identity", directory.path());
    let said = child.says();
    let (pid, start_time) = said.split_once(' ').unwrap();
    let theirs = ProcessIdentity { pid: pid.parse().unwrap(), start_time: start_time.parse().unwrap(), ..ours };
    assert!(theirs.pid != ours.pid && theirs.start_time >= ours.start_time);
    let namesake = ProcessIdentity { start_time: theirs.start_time + 1, ..theirs };
    let stranger = ProcessIdentity { pid_namespace: 1, ..theirs };
    assert!(!all_tasks_exiting(&theirs));
    assert!(!process_is_gone(theirs.pid, theirs.start_time as u32));
    child.kill();
    let start = Instant::now();
    while !all_tasks_exiting(&theirs) {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::yield_now();
    }
    // It has its number as long as somebody has a handle.
    assert!(!all_tasks_exiting(&namesake) && !all_tasks_exiting(&stranger));
    assert!(process_is_gone(theirs.pid, theirs.start_time as u32));
    child.wait();
    drop(child);
    assert!(!all_tasks_exiting(&ProcessIdentity { pid: 0xffff_fff0, ..theirs }), "absence proves nothing");
}

#[test]
fn a_thread_is_gone_when_it_has_ended() {
    assert!(!thread_is_gone(current_thread_id()));
    let thread = std::thread::spawn(current_thread_id);
    let ended = thread.join().unwrap();
    let start = Instant::now();
    while !thread_is_gone(ended) {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::yield_now();
    }
}

#[test]
fn the_name_fits_its_slot() {
    let name = process_name();
    assert!(!name.is_empty() && name.len() <= 32);
}
