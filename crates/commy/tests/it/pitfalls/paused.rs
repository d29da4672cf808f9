//! A process is stopped at the worst moment: the others go on, or are told whom they wait for.

use super::{is_clean, start, vector};
use crate::liveness::{signal, until, until_stopped};
use crate::refused;
use crate::support::child::{Child, End};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedVec};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(300);

fn region() -> (Temporary, Region, SharedVec<String>) {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(SHORT).create(temporary.region()).unwrap();
    // The objects of the children, and ours.
    region.object::<SharedVec<String>>("texts").unwrap();
    vector(&region, "a");
    let ours = region.object("ours").unwrap();
    (temporary, region, ours)
}

fn stopped(role: &str, temporary: &Temporary, point: &str, nth: u32) -> Child {
    let child = start(role, temporary, point, nth);
    until_stopped(&child);
    child
}

fn goes_on(mut child: Child) {
    signal(&child, libc::SIGCONT);
    assert_eq!(child.hear().as_deref(), Some("done"));
    child.send("end");
    assert_eq!(child.wait(), End::Finished);
}

#[test]
fn a_process_paused_in_a_refill_stops_nobody() {
    for (point, nth) in [("inner: arena locked", 1), ("inner: changed", 1), ("inner: committed, words held", 1)] {
        let (temporary, region, ours) = region();
        let child = stopped("stop refilling", &temporary, point, nth);
        let start = Instant::now();
        for number in 0..1500 {
            ours.push("y".repeat(number % 500)).unwrap();
        }
        ours.push("z".repeat(200_000)).unwrap();
        ours.clear().unwrap();
        assert!(start.elapsed() < Duration::from_secs(20), "nobody waits for it");
        goes_on(child);
        is_clean(&region);
        assert_eq!(region.object::<SharedVec<String>>("texts").unwrap().len().unwrap(), 210);
    }
}

#[test]
fn nobody_waits_after_a_commit_for_a_process_paused_with_the_supply() {
    let (temporary, region, ours) = region();
    let long = |number: usize| "y".repeat(40_000 + number);
    ours.extend((0..20).map(long)).unwrap();
    ours.extend((0..2000).map(|number| "small, but with a block".repeat(1 + number % 9))).unwrap();
    let numbers = vector(&region, "a");
    numbers.extend(0..50_000).unwrap();
    let child = stopped("stop taking pages", &temporary, "inner: changed", 1);
    let start = Instant::now();
    // What happens here gives pages and thousands of blocks back.
    numbers.clear().unwrap();
    for _ in 0..1000 {
        ours.pop().unwrap().unwrap();
    }
    ours.truncate(15).unwrap();
    ours.set(0, "short").unwrap();
    assert!(start.elapsed() < SHORT, "freeing waits for nobody: {:?}", start.elapsed());
    // What needs pages is told who has them, and has changed nothing.
    match ours.push(long(0)) {
        Err(Error::Timeout { holder, .. }) => assert_eq!(holder.pid, child.pid()),
        other => panic!("{other:?}"),
    }
    assert_eq!((ours.len().unwrap(), ours.get(14).unwrap()), (15, Some(long(14))));
    goes_on(child);
    ours.push(long(1)).unwrap();
    ours.clear().unwrap();
    is_clean(&region);
}

#[test]
fn a_process_paused_while_it_grows_the_region_stops_nobody() {
    let points = [
        "grow: before the page map is committed",
        "grow: page map committed, pages not",
        "grow: pages committed, not published",
        "grow: published",
    ];
    for point in points {
        let (temporary, region, ours) = region();
        let child = stopped("stop growing", &temporary, point, 1);
        for number in 0..10 {
            ours.push("y".repeat(1_000_000 + number)).unwrap();
        }
        goes_on(child);
        let texts: SharedVec<String> = region.object("texts").unwrap();
        assert!(texts.get(0).unwrap().unwrap().bytes().all(|byte| byte == b'x'));
        assert!((0..10).all(|at| ours.get(at).unwrap().unwrap().len() == 1_000_000 + at));
        is_clean(&region);
    }
}

#[test]
fn who_waits_for_a_recovery_is_told_who_is_stuck_in_it() {
    let (temporary, region, _) = region();
    let a = vector(&region, "a");
    for point in ["adopt: owner word taken", "stage 1: heap undone", "stage 1: undone, phases not moved"] {
        let len = a.len().unwrap();
        let mut recoverer = start_pushing(&temporary, point);
        let mut dead = start("hold", &temporary, "", 0);
        assert_eq!(dead.hear().as_deref(), Some("held"));
        dead.kill();
        assert!(recoverer.send("push"));
        until_stopped(&recoverer);
        match a.push(1) {
            Err(Error::Timeout { holder, .. }) => assert_eq!(holder.pid, recoverer.pid(), "{point}"),
            other => panic!("{point}: {other:?}"),
        }
        goes_on(recoverer);
        assert_eq!((a.len().unwrap(), a.get(len).unwrap()), (len + 1, Some(2)));
        is_clean(&region);
    }
}

/// A child that will stop at `point` when it pushes to `a`. It opens the object before anybody dies, or the opening
/// would be what recovers.
fn start_pushing(temporary: &Temporary, point: &str) -> Child {
    let mut child = start("stop pushing", temporary, point, 1);
    assert_eq!(child.hear().as_deref(), Some("ready"));
    child
}

#[test]
fn a_late_recoverer_does_not_rob_the_lanes_next_owner() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    let mut late = start_pushing(&temporary, "adopt: found dead");
    let mut dead = start("hold", &temporary, "", 0);
    assert_eq!(dead.hear().as_deref(), Some("held"));
    assert!(late.send("push"));
    until("the late one waits", || {
        region.processes().unwrap().iter().any(|process| process.pid == late.pid() && process.waits_for.is_some())
    });
    dead.kill();
    until_stopped(&late);
    // It knows that the holder is dead. Before it says so, somebody else recovers, and the lane gets a new owner.
    a.push(1).unwrap();
    let reaping = quiet().heartbeat(Duration::from_millis(1)).own_attachment().open(temporary.region()).unwrap();
    until("the dead one's lane is free", || reaping.processes().unwrap().iter().all(|it| it.pid != dead.pid()));
    let lanes = region.stats().unwrap().lanes;
    let mut next = start("hold", &temporary, "", 0);
    assert_eq!(next.hear().as_deref(), Some("held"));
    assert_eq!(region.stats().unwrap().lanes, lanes + 1);
    signal(&late, libc::SIGCONT);
    until("the late one looks again", || {
        region.processes().unwrap().iter().any(|process| process.pid == late.pid() && process.waits_for.is_some())
    });
    let hasty = quiet().lock_timeout(SHORT).own_attachment().open(temporary.region()).unwrap();
    refused!(hasty.object::<SharedVec<u64>>("a").map(drop), Error::Timeout { .. });
    assert!(next.send("go on"));
    assert_eq!(next.hear().as_deref(), Some("done"));
    assert_eq!(late.hear().as_deref(), Some("done"));
    assert_eq!(a.to_vec().unwrap(), [1, 7, 8, 2]);
    drop((next, late));
    is_clean(&region);
}
