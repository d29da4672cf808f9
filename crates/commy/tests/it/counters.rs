//! Counters keep what the dead have counted, gauges do not; nobody's counts go to another counter.

use crate::support::child::{self, Child, End, text};
use crate::support::temporary::{self, Temporary, quiet};
use commy::{Error, Region, SharedCounter, SharedGauge};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn region() -> (Temporary, Region) {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).expect("a region");
    (temporary, region)
}

fn is_clean(region: &Region) {
    let report = region.check().expect("a check");
    assert!(report.is_clean(), "{report:#?}");
}

#[test]
fn entry() {
    child::entry(|arguments| match arguments {
        ["count", path] => {
            let region = temporary::open(Path::new(path)).expect("a region");
            let counter: SharedCounter = region.object("counter").expect("a counter");
            for round in 1.. {
                (0..1000).for_each(|_| counter.increment().expect("a counter"));
                child::tell(&(round * 1000).to_string());
            }
        }
        ["contribute", path, amount] => {
            let region = temporary::open(Path::new(path)).expect("a region");
            let gauge: SharedGauge = region.object("gauge").expect("a gauge");
            gauge.add(amount.parse().expect("a number")).expect("room");
            child::tell("done");
            child::listen();
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn what_the_dead_have_counted_stays() {
    let (temporary, region) = region();
    let counter: SharedCounter = region.object("counter").expect("a counter");
    let mut least = 0;
    for round in 0..12 {
        let mut child = Child::spawn("counters::entry", &["count".into(), text(&temporary.region())]);
        let mut told = 0;
        for _ in 0..=round {
            told = child.hear().expect("a living child").parse().expect("a number");
        }
        child.kill();
        while let Some(line) = child.hear() {
            told = line.parse().expect("a number");
        }
        assert_eq!(child.wait(), End::Killed);
        least += told;
        let sum = counter.get().expect("a counter");
        // It may have died in the middle of the next thousand.
        assert!((least..=least + 1000).contains(&sum), "{sum}, but {least} were told of");
        least = sum;
        counter.add(5).expect("a counter");
        least += 5;
        is_clean(&region);
        assert_eq!(counter.get().expect("a counter"), least);
    }
    let reader = temporary::open_to_read(&temporary.region()).expect("a region");
    let mirror: SharedCounter = reader.open_object("counter").expect("a counter");
    assert_eq!(mirror.get().expect("a counter"), least);
    assert!(matches!(mirror.increment(), Err(Error::ReadOnly)));
}

#[test]
fn threads_count_without_meeting_and_leave_their_counts_behind() {
    let (_temporary, region) = region();
    let counter = SharedCounter::new_in(&region).expect("a counter");
    // More at once than one segment serves, and in turns on the same lanes.
    for _ in 0..3 {
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| (0..1000).for_each(|_| counter.increment().expect("a counter")));
            }
        });
    }
    assert_eq!(counter.get().expect("a counter"), 120_000);
    is_clean(&region);
}

#[test]
fn a_reset_loses_nothing() {
    let (_temporary, region) = region();
    let counter: SharedCounter = region.object("counter").expect("a counter");
    let mut sum = 0;
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..2).map(|_| scope.spawn(|| (0..200_000).for_each(|_| counter.add(3).expect("a counter")))).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            sum += counter.reset().expect("a counter");
        }
    });
    sum += counter.write().expect("a lock").reset().expect("room");
    assert_eq!((sum, counter.get().expect("a counter")), (1_200_000, 0));
    counter.add(4).expect("a counter");
    let mut guard = counter.write().expect("a lock");
    assert_eq!(guard.reset().expect("room"), 4);
    guard.rollback();
    assert_eq!(counter.read().expect("a lock").get().expect("a counter"), 4);
}

/// Threads go on counting on a counter that is removed again and again; its memory comes to serve the next one.
#[test]
fn late_counts_on_a_removed_counter_go_nowhere() {
    let (_temporary, region) = region();
    let (ended, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let Ok(counter) = region.open_object::<SharedCounter>("removed") else { continue };
                    while counter.add(1_000_000).is_ok() {}
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..300 {
            let removed: SharedCounter = region.object("removed").expect("a counter");
            removed.increment().expect("a counter");
            region.remove_object("removed").expect("a counter");
            assert!(matches!(removed.increment(), Err(Error::Removed)));
            let other: SharedCounter = region.object("other").expect("a counter");
            assert_eq!(other.get().expect("a counter"), 0);
            other.add(7).expect("a counter");
            std::thread::yield_now();
            assert_eq!(other.get().expect("a counter"), 7);
            region.remove_object("other").expect("a counter");
        }
        ended.store(true, Ordering::Relaxed);
    });
    is_clean(&region);
}

#[test]
fn what_a_process_contributes_ends_with_it() {
    let (temporary, region) = region();
    let gauge: SharedGauge = region.object("gauge").expect("a gauge");
    let reader = temporary::open_to_read(&temporary.region()).expect("a region");
    let mirror: SharedGauge = reader.open_object("gauge").expect("a gauge");
    let total = || {
        let total = gauge.get().expect("a gauge");
        assert_eq!(mirror.get().expect("a gauge"), total);
        assert_eq!(gauge.read().expect("a lock").get().expect("a gauge"), total);
        total
    };
    assert_eq!(gauge.add(2).expect("room"), 2);
    for round in 0..10 {
        let mut children: Vec<Child> = [100, 1000, -30]
            .iter()
            .map(|amount| {
                let arguments = ["contribute".into(), text(&temporary.region()), amount.to_string()];
                Child::spawn("counters::entry", &arguments)
            })
            .collect();
        for child in &mut children {
            assert_eq!(child.hear().as_deref(), Some("done"));
        }
        assert_eq!(total(), 1072);
        children[1].kill();
        let [first, second, third] = <[Child; 3]>::try_from(children).ok().expect("three");
        assert_eq!(second.wait(), End::Killed);
        assert_eq!(total(), 72);
        if round % 2 == 0 {
            is_clean(&region);
        }
        let mut ended = third;
        assert!(ended.send("end"));
        assert_eq!(ended.wait(), End::Finished);
        assert_eq!(total(), 102);
        drop(first);
        assert_eq!(total(), 2);
    }
    assert_eq!(gauge.set(-5).expect("room"), 2);
    assert_eq!((gauge.own().expect("a gauge"), total()), (-5, -5));
    // The places of the dead serve the next ones.
    let info = region.objects().expect("objects");
    assert_eq!((info[0].kind, info[0].name.as_str()), ("SharedGauge", "gauge"));
    assert!(info[0].len <= 8, "{info:?}");
    let mut guard = gauge.write().expect("a lock");
    assert_eq!(guard.add(10).expect("room"), 5);
    guard.rollback();
    assert_eq!(total(), -5);
    is_clean(&region);
}
