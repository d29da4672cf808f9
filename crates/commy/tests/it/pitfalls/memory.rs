//! Memory comes back, and a log does not grow without end.

use super::{die, is_clean};
use crate::support::temporary::{Temporary, quiet};
use commy::{Region, SharedBox, SharedHashMap, SharedVec};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Leaves free blocks of every class in the lists of this thread.
pub fn use_many_classes(texts: &SharedVec<String>) {
    for len in (20..30_000).step_by(300).chain((20..700).step_by(15)) {
        texts.push("x".repeat(len)).unwrap();
    }
    while texts.pop().unwrap().is_some() {}
}

const THREADS: usize = 9;

/// How many texts fit.
fn fill(region: &Region) -> usize {
    let texts: SharedVec<String> = region.object("filler").unwrap();
    let count = fill_up(&texts);
    region.remove_object("filler").unwrap();
    count
}

fn fill_up(texts: &SharedVec<String>) -> usize {
    let mut count = 0;
    while texts.push("y".repeat(900)).is_ok() {
        count += 1;
    }
    count
}

#[test]
fn what_ended_threads_and_dead_processes_cached_serves_others() {
    let temporary = Temporary::new();
    let region = quiet().capacity(48 << 20).create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    let at_first = fill(&region);
    for _ in 0..2 {
        let barrier = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|number| {
                    let (region, barrier) = (&region, &barrier);
                    scope.spawn(move || {
                        let own: SharedVec<String> = region.object(&format!("own {number}")).unwrap();
                        use_many_classes(&own);
                        barrier.wait();
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        let again = fill(&region);
        assert!(again * 100 >= at_first * 95, "{again} instead of {at_first} after threads");
        println!("{at_first} texts fit at first, {again} after threads; {:?}", region.check());
    }
    for _ in 0..3 {
        die("leave caches", &temporary, "append: counted", 1);
    }
    texts.push("z").unwrap();
    // The dead are reaped by whoever checks.
    is_clean(&region);
    let again = fill(&region);
    assert!(again * 100 >= at_first * 95, "{again} instead of {at_first} after processes");
    is_clean(&region);
}

#[test]
fn blocks_that_are_free_in_every_arena_serve_one_thread() {
    let temporary = Temporary::new();
    let region = quiet().capacity(16 << 20).create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    // Only the blocks of the texts themselves are to be had from spans.
    texts.reserve(20_000).unwrap();
    let at_first = fill_up(&texts);
    while texts.pop().unwrap().is_some() {}
    let barrier = Barrier::new(8);
    let shares: Vec<SharedVec<String>> =
        (0..8).map(|number| region.object(&format!("share {number}")).unwrap()).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = shares
            .iter()
            .map(|share| {
                let barrier = &barrier;
                scope.spawn(move || {
                    // Each thread has a lane, and so an arena, of its own.
                    share.push("y".repeat(900)).unwrap();
                    barrier.wait();
                    while share.push("y".repeat(900)).is_ok() {}
                    barrier.wait();
                    // Every second block goes: no span is empty.
                    for at in (0..share.len().unwrap()).step_by(2) {
                        share.set(at, "inline").unwrap();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let kept: usize = shares.iter().map(|share| share.len().unwrap() / 2).sum();
    is_clean(&region);
    let again = fill_up(&texts);
    println!("{at_first} texts fit at first; beside {kept}: {again}");
    assert!((kept + again) * 100 >= at_first * 85);
    is_clean(&region);
}

#[test]
fn a_guard_that_changes_the_same_again_and_again_logs_it_once() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    let map: SharedHashMap<u64, u64> = region.object("map").unwrap();
    let one: SharedBox<u64> = region.object("one").unwrap();
    numbers.extend(0..2000).unwrap();
    map.extend((0..2000).map(|number| (number, 0))).unwrap();
    let before = region.stats().unwrap();
    let start = Instant::now();
    let (mut a, mut b, mut c) = (numbers.write().unwrap(), map.write().unwrap(), one.write().unwrap());
    for round in 0..100_000u64 {
        a[7] += 1;
        a[(round % 2000) as usize] ^= 1;
        *b.get_mut(&7).unwrap() += 1;
        *c += 1;
        if round % 100 == 0 {
            a.swap(3, 1500);
            a.sort_unstable();
        }
    }
    let inside = region.stats().unwrap();
    println!("{:?}, {} bytes more in use", start.elapsed(), inside.allocated as i64 - before.allocated as i64);
    assert!(inside.allocated < before.allocated + (1 << 20), "{before:?}, then {inside:?}");
    assert!(start.elapsed() < Duration::from_secs(20));
    a.rollback();
    b.rollback();
    c.rollback();
    assert_eq!(numbers.to_vec().unwrap(), (0..2000).collect::<Vec<_>>());
    assert!(map.to_map().unwrap().values().all(|value| *value == 0));
    assert_eq!(one.get().unwrap(), 0);
    is_clean(&region);
}

#[test]
fn a_guard_that_touches_many_inner_vectors_logs_each_once() {
    let temporary = Temporary::new();
    let region = quiet().capacity(256 << 20).create(temporary.region()).unwrap();
    let rows: SharedVec<Vec<u64>> = region.object("rows").unwrap();
    rows.extend((0..100_000).map(|number| vec![number; 4])).unwrap();
    // What a guard has in use for its log, after it has touched so many of the rows, each twice.
    let logged = |touched: usize| {
        let before = region.stats().unwrap().allocated;
        let start = Instant::now();
        let mut guard = rows.write().unwrap();
        for _ in 0..2 {
            for at in 0..touched {
                let mut row = guard.get_mut(at).unwrap().expect("a row");
                row[0] += 1;
                row[3] = 7;
            }
        }
        let bytes = region.stats().unwrap().allocated - before;
        println!("{touched} rows: {bytes} bytes of log, {:?}", start.elapsed());
        guard.rollback();
        assert!(start.elapsed() < Duration::from_secs(30));
        bytes
    };
    logged(1000);
    let [few, many] = [logged(10_000), logged(100_000)];
    // A row's header and its body, each once: some 200 bytes.
    assert!(many <= few * 11 && many < 100_000 * 400, "{few} bytes for 10,000 rows, {many} for 100,000");
    assert_eq!(rows.get(99_999).unwrap().as_deref(), Some(&[99_999; 4][..]));
    is_clean(&region);
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_free_again_keeps_its_storage() {
    use std::os::unix::fs::MetadataExt;
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    let mut largest = 0;
    for round in 0..3 {
        texts.extend((0..500).map(|number| "x".repeat(number * 100))).unwrap();
        texts.push("x".repeat(9 << 20)).unwrap();
        let blocks = || std::fs::metadata(temporary.region()).unwrap().blocks();
        largest = largest.max(blocks());
        match round {
            0 => texts.clear().unwrap(),
            1 => texts.truncate(3).unwrap(),
            _ => region.remove_object("texts").unwrap(),
        }
        if round < 2 {
            texts.shrink_to_fit().unwrap();
        }
        is_clean(&region);
        assert!(blocks() >= largest, "{} of {largest} blocks are left", blocks());
    }
}

#[test]
fn pushing_a_million_items_in_a_guard_logs_a_few_words() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    numbers.reserve(1_000_000).unwrap();
    let before = region.stats().unwrap();
    let mut guard = numbers.write().unwrap();
    (0..1_000_000).for_each(|number| guard.push(number).unwrap());
    let inside = region.stats().unwrap();
    assert!(inside.allocated <= before.allocated + 8192, "{before:?}, then {inside:?}");
    guard.rollback();
    assert!(numbers.is_empty().unwrap());
    is_clean(&region);
}

#[test]
fn a_log_that_finds_no_room_panics_where_it_cannot_say_so_and_undoes_all() {
    let temporary = Temporary::new();
    let region = quiet().capacity(2 << 20).create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    numbers.extend(0..100_000).unwrap();
    let texts: SharedVec<String> = region.object("filler").unwrap();
    while texts.push("y".repeat(3000)).is_ok() {}
    while texts.push("y".repeat(30)).is_ok() {}
    let mut guard = numbers.write().unwrap();
    assert!(guard.try_as_mut_slice().is_err(), "a copy of the body does not fit");
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        guard.set(5, 0).unwrap();
        guard.sort_unstable_by(|a, b| b.cmp(a));
    }));
    assert!(ended.is_err());
    assert_eq!(numbers.to_vec().unwrap(), (0..100_000).collect::<Vec<_>>());
    is_clean(&region);
}
