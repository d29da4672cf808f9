//! A process is stopped at the worst moment: the others go on, or are told whom they wait for.

use super::{is_clean, start, vector};
use crate::damaged::{Places, content, word};
use crate::liveness::until;
use crate::refused;
use crate::support::child::{Child, End};
use crate::support::stop::{go_on, slot_is_held, until_stopped};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedVec};
use std::sync::{Barrier, Mutex};
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
    go_on(&child);
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
        // So many lanes at once that each arena is somebody's first choice, the paused one's among them.
        let (all, turn) = (Barrier::new(LANES), Mutex::new(()));
        std::thread::scope(|scope| {
            for own in (0..LANES).map(|number| region.object::<SharedVec<String>>(&format!("own {number}")).unwrap()) {
                let (all, turn) = (&all, &turn);
                scope.spawn(move || {
                    let first = own.read().map(drop);
                    all.wait();
                    first.unwrap();
                    // One after another: an arena that is taken is the paused one's.
                    let _turn = turn.lock();
                    (0..300).for_each(|number| own.push("y".repeat(number)).unwrap());
                    own.clear().unwrap();
                });
            }
        });
        ours.push("z".repeat(200_000)).unwrap();
        ours.clear().unwrap();
        assert!(start.elapsed() < Duration::from_secs(20), "nobody waits for it");
        goes_on(child);
        is_clean(&region);
        assert_eq!(region.object::<SharedVec<String>>("texts").unwrap().len().unwrap(), 210);
    }
}

/// More than there are arenas.
const LANES: usize = 9;

#[test]
fn growth_is_published_step_by_step() {
    let (temporary, region, ours) = region();
    let before = region.stats().unwrap().committed;
    let child = stopped("stop growing far", &temporary, "grow: published", 1);
    let grown = region.stats().unwrap().committed - before;
    assert!(grown > 0 && grown <= 16 << 20, "{grown} bytes at once, of forty million wanted");
    // The part that is there serves others meanwhile.
    (0..5).for_each(|_| ours.push("y".repeat(1_000_000)).unwrap());
    goes_on(child);
    is_clean(&region);
}

#[test]
fn an_opener_paused_while_the_name_moves_on_joins_the_file_that_has_it() {
    let (temporary, region, _) = region();
    let child = stopped("stop opening", &temporary, "open: open byte held", 1);
    Region::remove(temporary.region()).unwrap();
    let other = quiet().own_attachment().create(temporary.region()).unwrap();
    goes_on(child);
    assert_eq!(vector(&other, "a").to_vec().unwrap(), [7]);
    assert!(vector(&region, "a").is_empty().unwrap(), "nobody joins a file that has lost its name");
    is_clean(&other);
}

#[test]
fn a_remover_paused_until_the_header_is_somebody_elses_is_in_nobodys_way() {
    let (temporary, region, _) = region();
    let mut late = stopped("stop removing", &temporary, "lock: intent", 1);
    // The name is gone, its header is the next one to be used, and the directory is locked for that.
    let creator = stopped("stop with the directory", &temporary, "lock: word taken", 1);
    go_on(&late);
    // Were it to keep the header and wait for the directory, the creator would wait for the header: a deadlock.
    assert_eq!(late.hear().as_deref(), Some("done"), "there is nothing to remove");
    goes_on(creator);
    drop(late);
    assert_eq!(vector(&region, "b").to_vec().unwrap(), [1]);
    is_clean(&region);
}

#[test]
fn a_creator_paused_before_it_names_its_file_replaces_nobodys() {
    let (temporary, _, _) = region();
    let child = stopped("stop creating", &temporary, "create: complete, without a name", 1);
    let faster = quiet().create(temporary.file("new")).unwrap();
    vector(&faster, "a").push(1).unwrap();
    goes_on(child);
    assert_eq!(vector(&faster, "a").to_vec().unwrap(), [1, 7], "both are in one region");
    is_clean(&faster);
}

#[test]
fn a_slot_is_free_before_its_byte_is() {
    let (temporary, region, _) = region();
    // Process slots: ours, the child's, and the one that the child leaves.
    let child = stopped("stop closing", &temporary, "slot: state free, byte still held", 1);
    let slot = Places::of(&content(&temporary.region())).slots_at + 2 * 128;
    let state = || word(&content(&temporary.region()), slot) & 0xff;
    assert_eq!(state(), 0);
    // Were the byte free first, somebody could claim the slot, and the leaver's store would take it from him.
    assert!(slot_is_held(&temporary.region(), 2));
    let third = quiet().own_attachment().open(temporary.region()).unwrap();
    vector(&third, "a").push(1).unwrap();
    assert_eq!(state(), 0, "it went past the slot whose byte is held");
    goes_on(child);
    assert!(!slot_is_held(&temporary.region(), 2));
    drop(third);
    is_clean(&region);
}

#[test]
fn an_opener_paused_in_a_slot_of_the_dead_does_not_go_by_their_number() {
    let (temporary, region, _) = region();
    let mut crowd = Child::spawn("kill_recovery::crowd", &[temporary.region().to_str().unwrap().into()]);
    assert_eq!(crowd.hear().as_deref(), Some("1023"));
    crowd.kill();
    assert_eq!(crowd.wait(), End::Killed);
    let child = stopped("stop opening", &temporary, "slot: dead incarnation ended, not reaped", 1);
    // Whoever has that number by now may be dying: those who wait for the opener must not take him for it.
    let bytes = content(&temporary.region());
    let slot = |number| Places::of(&bytes).slots_at + 128 * number;
    let nobodys = |number: &u64| word(&bytes, slot(*number)) & 0xff == 1 && word(&bytes, slot(*number) + 24) == 0;
    assert_eq!((0..1024).filter(nobodys).count(), 1);
    goes_on(child);
    is_clean(&region);
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
        // There is room below what is in use: it needs no growth any more, and what it publishes late takes none back.
        assert!((0..9).all(|at| ours.set(at, "short").unwrap()));
        goes_on(child);
        let texts: SharedVec<String> = region.object("texts").unwrap();
        assert!(texts.get(0).unwrap().unwrap().bytes().all(|byte| byte == b'x'));
        assert_eq!(ours.get(9).unwrap().unwrap().len(), 1_000_009);
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
    let reaping = quiet().heartbeat(Duration::from_millis(1)).own_attachment().open(temporary.region()).unwrap();
    until("the dead one's lane is free", || reaping.processes().unwrap().iter().all(|it| it.pid != dead.pid()));
    // It has a lane of its own, perhaps that one.
    drop(reaping);
    until("it is gone", || region.processes().unwrap().len() == 2);
    a.push(1).unwrap();
    let bytes = content(&temporary.region());
    let states = |bytes: &[u8]| [0, 1, 2].map(|lane| word(bytes, Places::of(bytes).lanes_at + 4096 * lane) & 0xff);
    assert_eq!(states(&bytes), [1, 0, 1], "ours, the dead one's, the late one's");
    let mut next = start("hold", &temporary, "", 0);
    assert_eq!(next.hear().as_deref(), Some("held"));
    assert_eq!(states(&content(&temporary.region())), [1, 1, 1]);
    go_on(&late);
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
