//! Many at once: creators of one path, lanes, process slots.

use super::spawn;
use crate::refused;
use crate::seeded::{Random, seed};
use crate::support::child::{self, Child, End};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedHashMap, SharedVec};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn entry() {
    child::entry(|arguments| {
        let [path, number] = arguments else { panic!("{arguments:?}") };
        child::tell("ready");
        child::listen();
        let region = quiet().open_or_create(path).unwrap();
        let map: SharedHashMap<u64, u32> = region.object("map").unwrap();
        map.insert(number.parse::<u64>().unwrap(), std::process::id()).unwrap();
        child::tell("there");
        child::listen();
        // All of those who came see each other.
        child::tell(&map.len().unwrap().to_string());
    });
}

#[test]
fn of_sixteen_creators_one_creates_and_some_are_killed() {
    let seed = seed();
    println!("COMMY_SEED={seed}");
    let mut random = Random::new(seed);
    for _ in 0..6 {
        let temporary = Temporary::new();
        let path = temporary.region();
        let mut children: Vec<Child> =
            (0..16).map(|number| spawn("crowds", &[path.to_str().unwrap(), &number.to_string()])).collect();
        for child in &mut children {
            assert_eq!(child.hear().as_deref(), Some("ready"));
        }
        assert!(children.iter_mut().all(|child| child.send("go")));
        // Somewhere in what they do.
        for number in 0..4 {
            for _ in 0..random.below(200_000) {
                std::hint::spin_loop();
            }
            children[number * 4].kill();
        }
        let came: Vec<bool> = children.iter_mut().map(|child| child.hear().as_deref() == Some("there")).collect();
        for (number, child) in children.iter_mut().enumerate() {
            assert!(came[number] || number % 4 == 0, "{number} did not come");
            if number % 4 != 0 {
                child.send("look");
                let seen: usize = child.hear().unwrap().parse().unwrap();
                assert!(seen >= 12, "{number} sees {seen}");
            }
        }
        let region = Region::open(&path).unwrap();
        let map = region.object::<SharedHashMap<u64, u32>>("map").unwrap().to_map().unwrap();
        for (number, child) in children.iter().enumerate() {
            let there = map.get(&(number as u64)) == Some(&child.pid());
            assert!(there || !came[number], "{number} came and is not there");
        }
        let survivors = children.into_iter().enumerate().filter(|(number, _)| number % 4 != 0);
        survivors.for_each(|(_, child)| assert_eq!(child.wait(), End::Finished));
        let report = region.check().unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!(temporary.names_but_for_the_region(), [""; 0], "nobody left anything");
    }
}

/// Ends what goes on until then, also when an assertion fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_opener_never_joins_a_file_that_has_lost_its_name() {
    let temporary = Temporary::new();
    let path = temporary.region();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                drop(quiet().own_attachment().open_or_create(&path).unwrap());
                match Region::remove(&path) {
                    Ok(()) | Err(Error::NotFound | Error::Io { .. }) => {}
                    other => other.unwrap(),
                }
            }
        });
        let _stop = StopOnDrop(&stop);
        for _ in 0..100 {
            let region = quiet().own_attachment().open_or_create(&path).unwrap();
            let numbers: SharedVec<u64> = region.object("numbers").unwrap();
            numbers.push(1).unwrap();
            assert!(region.check().unwrap().is_clean());
        }
    });
}

#[test]
fn openers_of_a_region_that_grows_find_no_damage() {
    let temporary = Temporary::new();
    for round in 0..8 {
        let path = temporary.file(&format!("region {round}"));
        let region = quiet().capacity(128 << 20).create(&path).unwrap();
        let texts: SharedVec<String> = region.object("texts").unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for read_only in [true, true, false] {
                let (path, stop) = (&path, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        drop(quiet().own_attachment().read_only(read_only).open(path).unwrap());
                    }
                });
            }
            let _stop = StopOnDrop(&stop);
            let text = "x".repeat(100_000);
            while texts.push(&*text).is_ok() {}
        });
    }
}

#[test]
fn two_attachments_of_one_process_exclude_each_other() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let other = quiet().lock_timeout(Duration::from_millis(100)).own_attachment().open(temporary.region()).unwrap();
    let again = quiet().open(temporary.region()).unwrap();
    let [ours, theirs, same] =
        [&region, &other, &again].map(|region| region.object::<SharedVec<u64>>("numbers").unwrap());
    assert_eq!(region.stats().unwrap().processes, 2, "two opens share a slot unless told otherwise");
    let guard = ours.write().unwrap();
    match theirs.push(1) {
        Err(Error::Timeout { holder, .. }) => assert_eq!(holder.pid, std::process::id()),
        other => panic!("{other:?}"),
    }
    refused!(same.push(1), Error::Deadlock);
    drop(guard);
    theirs.push(1).unwrap();
    drop((theirs, other));
    assert_eq!(region.stats().unwrap().processes, 1);
    ours.push(2).unwrap();
    assert_eq!(same.to_vec().unwrap(), [1, 2]);
    assert!(region.check().unwrap().is_clean());
}

#[test]
fn a_thousand_lanes_work_and_the_last_thread_too_many_is_told() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    let before = region.stats().unwrap().lanes;
    let in_threads = |count: usize, work: &(dyn Fn(usize) + Sync)| {
        let barrier = Barrier::new(count);
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for number in 0..count {
                let barrier = &barrier;
                let body = move || {
                    work(number);
                    // Nobody gives his lane back before all have one.
                    barrier.wait();
                };
                threads.push(std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, body).unwrap());
            }
            // Joined one by one: a scope waits for the closures only, not for what thread-locals do afterwards.
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    };
    in_threads(1000, &|number| {
        numbers.push(number as u64).unwrap();
        assert!(numbers.read().unwrap().len() <= 1000);
    });
    let mut all = numbers.to_vec().unwrap();
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
    assert_eq!(region.stats().unwrap().lanes, before, "they have all gone back");
    let refused = std::sync::atomic::AtomicUsize::new(0);
    in_threads(2060, &|number| match numbers.push(number as u64) {
        Ok(()) => {}
        Err(Error::Exhausted { limit: 2048, .. }) => drop(refused.fetch_add(1, Ordering::Relaxed)),
        other => other.unwrap(),
    });
    assert_eq!(refused.load(Ordering::Relaxed), 2060 - 2048 + before as usize);
    assert_eq!(numbers.len().unwrap(), 1000 + 2048 - before as usize);
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn the_process_too_many_is_told_and_comes_in_when_another_leaves() {
    let temporary = Temporary::new();
    let options = quiet().own_attachment();
    let mut regions = vec![options.create(temporary.region()).unwrap()];
    let refused = loop {
        match options.open(temporary.region()) {
            Ok(region) => regions.push(region),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Exhausted { limit: 1024, .. }), "{refused:?}");
    assert_eq!(regions.len(), 1024);
    regions.swap_remove(500);
    let late = options.open(temporary.region()).unwrap();
    late.object::<SharedVec<u64>>("numbers").unwrap().push(1).unwrap();
    assert_eq!(regions[0].object::<SharedVec<u64>>("numbers").unwrap().len().unwrap(), 1);
    assert!(late.check().unwrap().is_clean());
}
