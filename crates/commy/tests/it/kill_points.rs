//! An operation is whole or absent, and nothing leaks, wherever its process is killed.

use crate::kill_recovery::{kill_in_a_crowd, kill_recoverers_at_names};
use crate::seeded::{every, sampled, sampled_in_scenario};
use crate::support::child::{self, Child, End, text};
use crate::support::killer::{Failure, Fate, Ground, kill_all, kill_at_names, kill_everywhere, last_death, performer};
use crate::support::scenario::Scenario;
use crate::support::temporary::{self, Temporary};
use crate::support::{catalogue, sources};
use commy::{Error, SharedVec, crash};
use std::path::Path;

#[test]
fn vectors_survive_a_kill_at_every_point() {
    kill_all(&catalogue::vectors());
}

#[test]
fn deques_survive_a_kill_at_every_point() {
    kill_all(&catalogue::deques());
}

#[test]
fn rows_in_deques_survive_a_kill_at_every_point() {
    kill_all(&catalogue::rows_in_deques());
}

#[test]
fn rows_in_vectors_survive_a_kill_at_every_point() {
    kill_all(&catalogue::rows_in_vectors());
}

#[test]
fn boxes_survive_a_kill_at_every_point() {
    kill_all(&catalogue::boxes());
}

#[test]
fn strings_survive_a_kill_at_every_point() {
    kill_all(&catalogue::strings());
}

#[test]
fn maps_survive_a_kill_at_every_point() {
    kill_all(&catalogue::maps());
}

#[test]
fn sets_survive_a_kill_at_every_point() {
    kill_all(&catalogue::sets());
}

#[test]
fn nested_values_survive_a_kill_at_every_point() {
    kill_all(&catalogue::nested());
}

#[test]
fn counters_and_gauges_survive_a_kill_at_every_point() {
    kill_all(&catalogue::counters());
}

#[test]
fn channels_survive_a_kill_at_every_point() {
    kill_all(&catalogue::channels());
}

#[test]
fn trees_survive_a_kill_at_every_point() {
    kill_all(&catalogue::trees());
}

#[test]
fn further_calls_survive_a_kill_at_every_point() {
    kill_all(&catalogue::further());
}

#[test]
fn transactions_survive_a_kill_at_every_point() {
    kill_all(&catalogue::transactions());
}

#[test]
fn guards_survive_a_kill_at_every_point() {
    kill_all(&catalogue::guards());
}

#[test]
fn objects_survive_a_kill_at_every_point() {
    kill_all(&catalogue::objects());
}

#[test]
fn threads_survive_a_kill_at_every_point() {
    kill_all(&catalogue::threads());
}

#[test]
fn regions_survive_a_kill_at_every_point() {
    kill_all(&catalogue::regions());
}

/// The entry point of creators.
#[test]
fn create() {
    child::entry(|arguments| {
        let [path, fate, log] = arguments else { panic!("wrong arguments") };
        Fate::live(fate, Path::new(log), |arm| {
            arm();
            let region = temporary::quiet().create(path).expect("a region");
            let vector: SharedVec<String> = region.object("object").expect("an object");
            vector.push("content").expect("room");
            crash::disarm();
        });
    });
}

/// Lets a creator die as `fate` says: there is a whole region or none at all, and nothing else. Where it died.
fn kill_creator(fate: &Fate) -> Option<String> {
    let temporary = Temporary::new();
    let (path, log) = (temporary.region(), temporary.file("deaths"));
    let end = Child::spawn("kill_points::create", &[text(&path), fate.encode(), text(&log)]).wait();
    let point = last_death(&log);
    let was_there = path.exists();
    assert!(was_there || matches!(temporary::open(&path), Err(Error::NotFound)));
    let extra = temporary.names_but_for_the_region();
    assert!(extra.iter().all(|name| name == "deaths"), "a creator that died at {point:?} leaves {extra:?}");
    let region = temporary::quiet().open_or_create(&path).expect("a region");
    let vector: SharedVec<String> = region.object("object").expect("an object");
    let content = vector.to_vec().expect("a read");
    assert!(content.is_empty() || content == ["content"], "{content:?} after {point:?}");
    vector.push("more").expect("room");
    let report = region.check().expect("a check");
    assert!(report.is_clean(), "after {point:?}: {report:#?}");
    match end {
        End::Killed => point,
        End::Finished => None,
        End::Failed(code) => panic!("a creator failed with {code}"),
    }
}

#[test]
fn a_killed_creator_leaves_a_whole_region_or_none() {
    let deaths = sampled("create", 1..1000).map_while(|nth| kill_creator(&Fate::At(nth))).count() as u64;
    println!("{deaths} kills");
    assert!((10 / every()..999 / every()).contains(&deaths), "{deaths} deaths");
}

#[test]
fn a_handle_knows_whether_a_killed_remover_has_removed() -> Result<(), Failure> {
    let scenario = catalogue::find("objects: remove");
    let mut ground = Ground::new(&scenario)?;
    let (mut gone, mut there) = (0, 0);
    for nth in 1.. {
        ground.renew()?;
        let vector: SharedVec<String> = ground.region().open_object("old").expect("the vector");
        let Some(point) = ground.kill(&Fate::At(nth))? else { break };
        match (vector.len(), ground.region().open_object::<SharedVec<String>>("old")) {
            (Ok(8), Ok(_)) => there += 1,
            (Err(Error::Removed), Err(Error::NotFound)) => gone += 1,
            (handle, name) => panic!("after a death at `{point}`: {handle:?}, {name:?}"),
        }
        ground.verify()?;
    }
    assert!(gone > 3 && there > 3, "{gone} removed, {there} not");
    Ok(())
}

/// A child that waits for an object which somebody else has.
fn waiting_child(ground: &Ground, scenario: &Scenario) -> Child {
    let child = performer(scenario, &ground.path(), &Fate::At(u64::MAX / 4), &ground.log(&Fate::At(1)));
    let waits = || {
        let processes = ground.region().processes().expect("processes");
        processes.iter().any(|process| process.pid == child.pid() && process.waits_for.is_some())
    };
    while !waits() {
        std::thread::yield_now();
    }
    child
}

fn kill(mut child: Child) {
    child.kill();
    assert_eq!(child.wait(), End::Killed);
}

#[test]
fn a_killed_waiter_stops_nobody() -> Result<(), Failure> {
    let scenario = catalogue::find("SharedVec<String>: push");
    let mut ground = Ground::new(&scenario)?;
    for round in 0..10 {
        ground.renew()?;
        let vector: SharedVec<String> = ground.region().open_object("object").expect("the vector");
        let guard = vector.write().expect("a lock");
        let mut child = waiting_child(&ground, &scenario);
        // Each other time the lock is free before the waiter is dead: it may be woken, or have it.
        if round % 2 == 0 {
            kill(child);
            drop(guard);
        } else {
            drop(guard);
            child.kill();
            assert!(matches!(child.wait(), End::Killed | End::Finished));
        }
        ground.verify()?;
    }
    Ok(())
}

#[test]
fn a_killed_writer_who_waited_for_readers_stops_nobody() -> Result<(), Failure> {
    let scenario = catalogue::find("SharedVec<String>: push");
    let mut ground = Ground::new(&scenario)?;
    for _ in 0..10 {
        ground.renew()?;
        let vector: SharedVec<String> = ground.region().open_object("object").expect("the vector");
        let guard = vector.read().expect("a lock");
        kill(waiting_child(&ground, &scenario));
        // The dead has the word, and the readers stay.
        let beside = || vector.read().map(|guard| guard.len());
        let read = std::thread::scope(|scope| scope.spawn(beside).join().expect("a thread"));
        assert_eq!(read.expect("a lock"), guard.len());
        drop(guard);
        ground.verify()?;
    }
    Ok(())
}

/// Each, unless only a sample is wanted: then some of the scenarios are looked at, and what others reach stays.
#[test]
fn every_point_of_the_sources_is_killed_at() {
    let mut wanted = sources::crash_points();
    for scenario in catalogue::all() {
        if sampled_in_scenario(&scenario.name, 0..1).is_some() {
            kill_at_names(&scenario, &mut wanted).unwrap_or_else(|failure| panic!("{failure}"));
        }
    }
    if every() > 1 {
        return;
    }
    kill_recoverers_at_names(&mut wanted).unwrap_or_else(|failure| panic!("{failure}"));
    // What a creator or an opener without a slot reaches is not known before: they are asked for all that is left.
    wanted.retain(|name| kill_creator(&Fate::AtName(name.clone(), 1)).is_none());
    wanted.retain(|name| kill_in_a_crowd(&Fate::AtName(name.clone(), 1)).is_none());
    assert!(wanted.is_empty(), "nobody was killed at {wanted:#?}");
}

fn is_noticed(canary: usize, sign: &str) {
    let failure = kill_everywhere(&catalogue::canaries()[canary]).expect_err("a canary must not be survived");
    assert!(failure.contains(sign), "{failure}");
}

#[test]
fn half_an_operation_is_noticed() {
    is_noticed(0, "neither before nor after: [1, 2] instead of");
}

#[test]
fn a_leak_is_noticed() {
    is_noticed(1, "bytes in use");
}

#[test]
fn a_lock_that_stays_is_noticed() {
    is_noticed(2, "waiting would be a deadlock");
}
