//! Promises of sleeping and waking, in one process and across two.

use super::super::clock::monotonic_ns;
use super::super::testing::{Directory, Role};
use super::super::{File, Mapping};
use super::*;

const LOCK: u32 = 1;
const CHANGE: u32 = 2;

#[test]
fn a_wake_reaches_its_class_only() {
    let word = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            while word.load(Ordering::Relaxed) == 0 {
                futex_wait(&word, 0, LOCK, Some(Duration::from_secs(10)));
            }
        });
        // Each round offers the wrong class first: if it woke sleepers, one of these would count one.
        let mut slept = 0;
        while slept < 100 {
            assert_eq!(futex_wake(&word, i32::MAX, CHANGE), 0);
            slept += futex_wake(&word, 1, LOCK);
        }
        word.store(1, Ordering::Relaxed);
        futex_wake(&word, 1, LOCK);
        waiter.join().unwrap();
    });
}

#[test]
fn no_more_are_woken_than_asked_for() {
    let word = AtomicU32::new(0);
    let woken = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while word.load(Ordering::Relaxed) == 0 {
                    futex_wait(&word, 0, LOCK, Some(Duration::from_secs(10)));
                }
                woken.fetch_add(1, Ordering::Relaxed);
            });
        }
        for _ in 0..50 {
            assert!(futex_wake(&word, 1, LOCK) <= 1);
            assert!(futex_wake(&word, 3, LOCK) <= 3);
            assert_eq!(futex_wake(&word, 0, LOCK), 0);
        }
        word.store(1, Ordering::SeqCst);
        futex_wake(&word, i32::MAX, LOCK);
    });
    assert_eq!(woken.into_inner(), 4);
}

#[test]
fn a_wait_ends_by_change_or_time() {
    let word = AtomicU32::new(5);
    assert_eq!(futex_wait(&word, 4, LOCK, None), WaitResult::Changed);
    let before = monotonic_ns();
    let mut result = WaitResult::Woken;
    while result == WaitResult::Woken {
        result = futex_wait(&word, 5, LOCK, Some(Duration::from_millis(2)));
    }
    assert_eq!(result, WaitResult::TimedOut);
    assert!(monotonic_ns() - before >= 2_000_000);
    assert_eq!(futex_wait(&word, 4, LOCK, Some(Duration::MAX)), WaitResult::Changed);
    // However long the caller would wait: it looks again after a while.
    assert_eq!(futex_wait(&word, 5, LOCK, None), WaitResult::Woken);
}

#[test]
fn the_places_of_a_file_can_be_had() {
    let directory = Directory::new();
    let parking = parking::of_file(directory.page().identity()).unwrap();
    assert_eq!(parking.take_place().unwrap().number(), 0);
}

#[test]
fn sleepers_are_found_by_file_not_by_address() {
    let directory = Directory::new();
    let file = directory.page();
    let (ours, theirs) = (Mapping::new(&file, 4096, true).unwrap(), Mapping::new(&file, 4096, false).unwrap());
    // SAFETY: aligned, inside of the file, and only ever accessed as an atomic; the second is only loaded from.
    let (here, there) =
        unsafe { (ours.base().cast::<AtomicU32>().as_ref(), theirs.base().cast::<AtomicU32>().as_ref()) };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while there.load(Ordering::Relaxed) == 0 {
                futex_wait(there, 0, LOCK, Some(Duration::from_secs(10)));
            }
        });
        while futex_wake(here, 1, LOCK) == 0 {
            std::thread::yield_now();
        }
        here.store(1, Ordering::Relaxed);
        futex_wake(here, 1, LOCK);
    });
}

#[test]
fn another_process_is_woken_and_leaves_its_place_when_it_is_killed() {
    let directory = Directory::new();
    let path = directory.path().join("region");
    let file = File::create_unnamed(&path, 0o600).unwrap();
    file.allocate(0, 4096).unwrap();
    file.link_to(&path).unwrap();
    let mapping = Mapping::new(&file, 4096, true).unwrap();
    // SAFETY: aligned, inside of the file, and only ever accessed as an atomic.
    let word = unsafe { mapping.base().cast::<AtomicU32>().as_ref() };
    let (mut first, mut second) = (Role::start("park", &path), Role::start("park", &path));
    assert_eq!((first.says(), second.says()), ("parking".into(), "parking".into()));
    let (parking, key) = parking::find(word.as_ptr().addr()).unwrap();
    let start = Instant::now();
    while parking.sleepers(key) < 2 {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::yield_now();
    }
    first.kill();
    first.wait();
    word.store(1, Ordering::SeqCst);
    let stored = Instant::now();
    futex_wake(word, i32::MAX, LOCK);
    assert_eq!(second.says(), "woken");
    assert!(stored.elapsed() < Duration::from_secs(5));
    // The dead one's place serves again.
    let places: Vec<_> = (0..2).map(|_| parking.take_place().unwrap()).collect();
    assert!(places.iter().all(|parked| parked.number() < 2), "nobody else has used one");
}
