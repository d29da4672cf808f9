//! Many who want the same.

use super::{is_clean, start, vector};
use crate::damaged::{Places, content, overwrite, word};
use crate::liveness::until;
use crate::refused;
use crate::support::child::{Child, End};
use crate::support::stop::{go_on, stop, until_stopped};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedHashMap, SharedVec};
use commy_lab::files::read_exact_at;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn waits(region: &Region, pid: u32, object: &str) -> bool {
    let processes = region.processes().unwrap();
    processes.iter().any(|process| process.pid == pid && process.waits_for.as_deref() == Some(object))
}

/// The last one who leaves, be it by a panic, stops the others.
struct Leave<'a>(&'a AtomicU64, &'a AtomicBool);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.0.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.1.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn no_writer_changes_what_a_reader_holds() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let row = vector(&region, "row");
    row.extend([0; 64]).unwrap();
    let (left, stop) = (AtomicU64::new(3), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for reader in 0..3 {
            let (row, left, stop) = (&row, &left, &stop);
            scope.spawn(move || {
                let _leave = Leave(left, stop);
                for round in 0..1500 {
                    let guard = row.read().unwrap();
                    let first = guard[0];
                    let again = (round % 7 == reader).then(|| row.read().unwrap());
                    assert!((0..3).all(|_| guard.iter().all(|number| *number == first)));
                    drop(guard);
                    // The second guard alone keeps writers away as well.
                    assert!(again.is_none_or(|guard| guard.iter().all(|number| *number == first)));
                }
            });
        }
        for writer in 0..2 {
            let (row, stop) = (&row, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut guard = row.write().unwrap();
                    for at in 0..64 {
                        guard[at] += 1;
                    }
                    if writer == 0 {
                        guard.rollback();
                    }
                }
            });
        }
    });
    is_clean(&region);
}

#[test]
fn what_is_read_without_a_lock_is_never_torn() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    let map: SharedHashMap<u64, String> = region.object("map").unwrap();
    // Each text is one letter, as often as the letter says; lengths are inline, in blocks, in page runs.
    let text = |letter: u64| {
        char::from(b'a' + letter as u8).to_string().repeat([3, 15, 16, 90, 700, 40_000][letter as usize % 6])
    };
    let whole = move |found: &str| (0..6).any(|letter| found == text(letter));
    texts.extend((0..8).map(|number| text(number % 6))).unwrap();
    (0..8).for_each(|key| drop(map.insert(key, text(key % 6)).unwrap()));
    let (left, stop, reads) = (AtomicU64::new(3), AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for reader in 0..3 {
            let (left, stop, reads, path) = (&left, &stop, &reads, temporary.region());
            scope.spawn(move || {
                let _leave = Leave(left, stop);
                let options = quiet().own_attachment().lock_timeout(Duration::from_secs(30));
                let region = options.read_only(reader == 0).open(path).unwrap();
                let texts: SharedVec<String> = region.open_object("texts").unwrap();
                let map: SharedHashMap<u64, String> = region.open_object("map").unwrap();
                for round in 0..600 {
                    if let Some(found) = texts.get(round % 10).unwrap() {
                        assert!(whole(&found), "{} bytes", found.len());
                    }
                    if let Some(found) = map.get(&(round as u64 % 9)).unwrap() {
                        assert!(whole(&found), "{} bytes", found.len());
                    }
                    assert!(texts.len().unwrap() >= 5);
                    reads.fetch_add(1, Ordering::Relaxed);
                    if round % 50 == 0 {
                        assert!(texts.to_vec().unwrap().iter().all(|found| whole(found)));
                    }
                }
            });
        }
        scope.spawn(|| {
            for round in 0u64.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                texts.set(round as usize % 6, text(round % 6)).unwrap();
                map.insert(round % 8, text((round / 3) % 6)).unwrap();
                match round % 16 {
                    3 => drop(texts.pop().unwrap()),
                    7 => texts.push(text(round % 6)).unwrap(),
                    9 => drop(map.remove(&(round % 8)).unwrap()),
                    11 => texts.truncate(6).unwrap(),
                    // The table and the vector's body move.
                    13 => map.reserve(round as usize % 300).unwrap(),
                    _ => {}
                }
                // Readers that cannot lock must have their chance: a few changes for each read of somebody.
                let seen = reads.load(Ordering::Relaxed);
                while round % 3 == 0 && reads.load(Ordering::Relaxed) == seen && !stop.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
            }
        });
    });
    is_clean(&region);
}

/// Other values in another block.
fn replace(numbers: &SharedVec<u64>, values: impl Iterator<Item = u64>) {
    let mut guard = numbers.write().unwrap();
    guard.clear().unwrap();
    guard.shrink_to_fit().unwrap();
    guard.extend(values).unwrap();
}

/// Threads share one handle, and so what it remembers of where the values are.
#[test]
fn what_a_handle_remembers_of_a_vector_is_never_of_two_bodies() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let (numbers, others) = (vector(&region, "numbers"), vector(&region, "others"));
    let (left, stop, reads) = (AtomicU64::new(2), AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for reader in 0..2u64 {
            let (numbers, left, stop, reads) = (&numbers, &left, &stop, &reads);
            scope.spawn(move || {
                let _leave = Leave(left, stop);
                for round in 0..300_000u64 {
                    let index = (round * 7919 + reader) % [2, 50, 900, 20_000][round as usize / 8 % 4];
                    let found = numbers.get(index as usize).unwrap();
                    assert!(found.is_none_or(|number| number % 100_000 == index), "{found:?} at {index}");
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            for round in 0u64.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let len = [1, 30, 1000, 15_000, 0, 200][round as usize % 6];
                replace(&numbers, (0..len).map(|index| round * 100_000 + index));
                // What was let go is somebody else's.
                replace(&others, (0..len * 2).map(|_| u64::MAX));
                let seen = reads.load(Ordering::Relaxed);
                while reads.load(Ordering::Relaxed) < seen + 20 && !stop.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
            }
        });
    });
    is_clean(&region);
}

#[test]
fn a_reader_paused_anywhere_in_a_copy_never_gives_out_half_of_it() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers = vector(&region, "a");
    let texts: SharedVec<String> = region.object("texts").unwrap();
    let text = |round: u64| format!("{round:>60}");
    numbers.extend(vec![0; 200_000]).unwrap();
    texts.extend(vec![text(0); 1000]).unwrap();
    let mut reader = start("read", &temporary, "", 0);
    assert_eq!(reader.hear().as_deref(), Some("ready"));
    let start = Instant::now();
    assert!(reader.send("read"));
    assert_eq!(reader.hear().as_deref(), Some("whole"));
    let once = start.elapsed();
    // Somewhere in it: the bytes that it copies are somebody else's when it goes on.
    for round in 1..60 {
        assert!(reader.send("read"));
        let start = Instant::now();
        while start.elapsed() < once * round as u32 / 60 {
            std::hint::spin_loop();
        }
        stop(&reader);
        for number in [1000 + round, 2000 + round, round] {
            let mut guard = numbers.write().unwrap();
            guard.clear().unwrap();
            guard.extend(vec![number; 200_000]).unwrap();
            drop(guard);
            let mut guard = texts.write().unwrap();
            guard.clear().unwrap();
            guard.extend(vec![text(number); 1000]).unwrap();
        }
        go_on(&reader);
        assert_eq!(reader.hear().as_deref(), Some("whole"));
    }
    drop(reader);
    is_clean(&region);
}

#[test]
fn a_reader_reads_again_while_a_writer_waits_for_it() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    let reading = a.read().unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| a.push(1));
        until("the writer waits", || waits(&region, std::process::id(), "a"));
        // The writer has the word and waits for us: whoever looked at the word here would wait for it.
        let start = Instant::now();
        for _ in 0..100 {
            assert!(a.read().unwrap().is_empty());
        }
        assert!(start.elapsed() < Duration::from_secs(2));
        drop(reading);
        writer.join().unwrap().unwrap();
    });
    assert_eq!(a.to_vec().unwrap(), [1]);
}

#[test]
fn nobody_starves_beside_threads_that_hammer() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    let stop = AtomicBool::new(false);
    let longest = |mut take: Box<dyn FnMut() + '_>| {
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..100 {
            let start = Instant::now();
            take();
            times.push(start.elapsed());
        }
        times.sort();
        times[99]
    };
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut guard = a.write().unwrap();
                    guard.push(1).unwrap();
                    guard.pop().unwrap();
                }
            });
        }
        let reader = longest(Box::new(|| assert!(a.read().unwrap().is_empty())));
        let writer = longest(Box::new(|| drop(a.write().unwrap())));
        let without_lock = longest(Box::new(|| assert_eq!(a.len().unwrap(), 0)));
        stop.store(true, Ordering::Relaxed);
        println!("longest of 100: read {reader:?}, write {writer:?}, len {without_lock:?}");
        assert!(reader.max(writer).max(without_lock) < Duration::from_secs(3));
    });
}

/// Waiters that are old keep the word for themselves. See the lock word in ARCHITECTURE.md.
const RESERVED: u32 = 1 << 18;

/// The lock word of the one object.
fn lock_word(temporary: &Temporary) -> u32 {
    let header = super::recovery::header_of(&content(&temporary.region()), "SharedVec<u64>");
    let mut word = [0; 4];
    read_exact_at(&std::fs::File::open(temporary.region()).unwrap(), &mut word, header).unwrap();
    u32::from_le_bytes(word)
}

/// A read that waits is counted there until it is served.
const READERS: u32 = !0 << 20;

#[test]
fn a_read_that_waits_comes_before_newcomers() {
    const ROUNDS: usize = 30;
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    let served_first = |round: &usize| {
        let guard = a.write().unwrap();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| a.read().unwrap().len());
            until("the read is counted", || lock_word(&temporary) & READERS != 0);
            drop(guard);
            // The newcomer is here, the reader has yet to wake up.
            a.push(1).unwrap();
            reader.join().unwrap() == *round
        })
    };
    // A reader that gets no processor for half a millisecond is overtaken.
    let first = (0..ROUNDS).filter(served_first).count();
    assert!(first >= ROUNDS / 2, "{first} of {ROUNDS} reads came before the push");
    assert_eq!(lock_word(&temporary) & READERS, 0);
    is_clean(&region);
}

#[test]
fn reads_that_wait_and_are_stopped_killed_or_give_up_stop_nobody() {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(Duration::from_millis(300)).create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    let claims = || (lock_word(&temporary) & READERS) >> 20;
    let mut children: Vec<Child> = (0..2).map(|_| start("stop reading", &temporary, "never", 1)).collect();
    children.iter_mut().for_each(|child| assert_eq!(child.hear().as_deref(), Some("ready")));
    let guard = a.write().unwrap();
    for (number, child) in children.iter_mut().enumerate() {
        assert!(child.send("read"));
        until("the read is counted", || claims() as usize == number + 1);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| refused!(a.read().map(drop), Error::Timeout { .. })).join().unwrap();
    });
    assert_eq!(claims(), 2, "who gives up takes its claim back");
    let mut killed = children.pop().unwrap();
    killed.kill();
    assert_eq!(killed.wait(), End::Killed);
    stop(&children[0]);
    drop(guard);
    let start = Instant::now();
    (0..100).for_each(|number| a.push(number).unwrap());
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(claims(), 0, "nobody comes, so nobody is waited for");
    go_on(&children[0]);
    assert_eq!(children[0].hear().as_deref(), Some("done"));
    assert_eq!((claims(), a.len().unwrap()), (0, 100));
    is_clean(&region);
}

#[test]
fn a_stopped_waiter_for_whom_the_lock_is_reserved_stops_nobody() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    let is_reserved = || lock_word(&temporary) & RESERVED != 0;
    let mut child = start("stop pushing", &temporary, "never", 1);
    assert_eq!(child.hear().as_deref(), Some("ready"));
    let mut guard = a.write().unwrap();
    assert!(child.send("push"));
    until("the lock is reserved", is_reserved);
    stop(&child);
    guard.push(1).unwrap();
    drop(guard);
    assert!(is_reserved(), "letting go takes no other bit with it");
    let start = Instant::now();
    a.push(3).unwrap();
    // Whoever comes later does not take it first, at once; and the reservation ends with the next owner.
    assert!(start.elapsed() >= Duration::from_micros(500), "{:?}", start.elapsed());
    assert!(!is_reserved());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| a.push(3).unwrap());
        }
    });
    println!("{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(1), "nobody waits for who is asleep");
    go_on(&child);
    assert_eq!(child.hear().as_deref(), Some("done"));
    assert_eq!(a.to_vec().unwrap(), [1, 3, 3, 3, 2]);
}

#[test]
fn a_write_looks_only_where_readers_said_they_are() {
    const LANES: usize = 6;
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(Duration::from_millis(300)).create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    // So many lanes have been used, and each of them might have a reader.
    let all = Barrier::new(LANES);
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                a.push(1).unwrap();
                all.wait();
            });
        }
    });
    let bytes = content(&temporary.region());
    let header = super::recovery::header_of(&bytes, "SharedVec<u64>");
    let hint = || word(&content(&temporary.region()), header + 16);
    assert_eq!(hint(), 0);
    // A line that says "reads" without a hint that says so: who looked at every line would find it, and wait.
    let line = Places::of(&bytes).readers_at + 64 * (LANES as u64 - 2);
    overwrite(&temporary.region(), &((header >> 4) << 16 | 1).to_le_bytes(), line);
    a.push(2).unwrap();
    overwrite(&temporary.region(), &[0; 8], line);
    // And where a reader was once, writers do not look for ever.
    drop(a.read().unwrap());
    assert_ne!(hint(), 0);
    a.push(3).unwrap();
    assert_eq!(hint(), 0);
    is_clean(&region);
}

#[test]
fn while_the_heap_must_stand_still_who_is_inside_goes_on_and_who_comes_waits() {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(Duration::from_millis(300)).create(temporary.region()).unwrap();
    let (a, b) = (vector(&region, "a"), vector(&region, "b"));
    let mut guard = a.write().unwrap();
    let checker = start("stop checking", &temporary, "freeze: set", 1);
    until_stopped(&checker);
    for number in 0..100 {
        guard.push(number).unwrap();
        // Were it to wait for the check, the check would wait for it.
        b.push(number).unwrap();
    }
    std::thread::scope(|scope| {
        let late = || {
            refused!(b.push(100), Error::Timeout { .. });
            refused!(b.write().map(drop), Error::Timeout { .. });
            refused!(region.object::<SharedVec<u64>>("c").map(drop), Error::Timeout { .. });
            refused!(SharedVec::<u64>::new_in(&region).map(drop), Error::Timeout { .. });
            refused!(region.transaction(|tx| tx.write(&b)?.push(100)), Error::Timeout { .. });
        };
        scope.spawn(late).join().unwrap();
    });
    drop(guard);
    go_on(&checker);
    let mut checker = checker;
    assert_eq!(checker.hear().as_deref(), Some("done"));
    b.push(100).unwrap();
    assert_eq!((a.len().unwrap(), b.len().unwrap()), (100, 101));
    is_clean(&region);
}

#[test]
fn a_check_beside_busy_processes_finds_nothing() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    let map: SharedHashMap<String, u64> = region.object("map").unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for worker in 0..3u64 {
            let (texts, map, region, stop) = (&texts, &map, &region, &stop);
            scope.spawn(move || {
                for round in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let mut guard = texts.write().unwrap();
                    guard.push(format!("{round:>60}")).unwrap();
                    // A nested change: it must not wait for the check that waits for this guard.
                    map.insert(format!("{:>30}", round % 50), worker).unwrap();
                    drop(guard);
                    if round % 20 == 19 {
                        texts.clear().unwrap();
                        let own: SharedVec<u64> = SharedVec::new_in(region).unwrap();
                        own.extend(0..1000).unwrap();
                    }
                }
            });
        }
        for _ in 0..25 {
            let report = region.check().unwrap();
            assert!(report.is_clean(), "{report}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    is_clean(&region);
}

#[test]
fn a_check_behind_a_long_guard_gives_up_and_lets_the_others_go_on() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let (b, c) = (vector(&region, "b"), vector(&region, "c"));
    let mut holder: Child = start("hold", &temporary, "", 0);
    assert_eq!(holder.hear().as_deref(), Some("held"));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let checker = scope.spawn(|| {
            let result = region.check();
            done.store(true, Ordering::Relaxed);
            result.map(drop)
        });
        let (mut longest, mut rounds) = (Duration::ZERO, 0);
        while !done.load(Ordering::Relaxed) {
            let start = Instant::now();
            let mut guard = b.write().unwrap();
            guard.push(1).unwrap();
            c.push(1).unwrap();
            drop(guard);
            (longest, rounds) = (longest.max(start.elapsed()), rounds + 1);
        }
        refused!(checker.join().unwrap(), Error::Timeout { .. });
        println!("{rounds} rounds, the longest {longest:?}");
        assert!(longest < Duration::from_secs(4));
    });
    b.push(2).unwrap();
    assert!(holder.send("go on"));
    assert_eq!(holder.hear().as_deref(), Some("done"));
    holder.send("end");
    assert_eq!(holder.wait(), End::Finished);
    is_clean(&region);
}

#[test]
fn a_read_only_client_is_told_of_a_dead_writer_and_reads_on_after_the_repair() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    vector(&region, "a").extend([1, 2]).unwrap();
    let options = quiet().lock_timeout(Duration::from_millis(150)).read_only(true);
    let reader = options.open(temporary.region()).unwrap();
    let a: SharedVec<u64> = reader.open_object("a").unwrap();
    let mut holder = start("hold", &temporary, "", 0);
    assert_eq!(holder.hear().as_deref(), Some("held"));
    drop(region);
    let pid = holder.pid();
    holder.kill();
    assert_eq!(holder.wait(), End::Killed);
    // Nobody is there who could repair.
    match a.get(0) {
        Err(Error::Timeout { holder, waited }) => assert!(holder.pid == pid && waited >= Duration::from_millis(150)),
        other => panic!("{other:?}"),
    }
    refused!(a.to_vec(), Error::Timeout { .. });
    refused!(a.push(3), Error::ReadOnly);
    refused!(a.read().map(drop), Error::ReadOnly);
    refused!(reader.check(), Error::ReadOnly);
    let region = quiet().open(temporary.region()).unwrap();
    assert_eq!(a.to_vec().unwrap(), [1, 2]);
    vector(&region, "a").push(3).unwrap();
    assert_eq!((a.len().unwrap(), a.get(2).unwrap()), (3, Some(3)));
}
