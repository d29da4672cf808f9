//! Who waits for a change hears of it: nothing is lost, whoever is killed; nobody spins; limits and time-outs hold.

use crate::seeded::{Random, seed};
use crate::support::child::{self, Child, End, text};
use crate::support::killer::{Fate, last_death};
use crate::support::temporary::{self, QUICK, Temporary, quiet};
use commy::{Error, Region, Result, SharedBox, SharedHashMap, SharedVec, SharedVecDeque, crash};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(30);

fn region() -> (Temporary, Region) {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).expect("a region");
    (temporary, region)
}

#[test]
fn entry() {
    child::entry(|arguments| match arguments {
        ["push", path, fate, log] => Fate::live(fate, Path::new(log), |arm| {
            let (_region, queue) = queue(Path::new(path));
            arm();
            queue.push_back(7).expect("room");
            crash::disarm();
        }),
        ["pop", path, fate, log] => Fate::live(fate, Path::new(log), |arm| {
            let (_region, queue) = queue(Path::new(path));
            arm();
            queue.pop_front().expect("a queue");
            crash::disarm();
        }),
        ["wait", path] => {
            let (_region, queue) = queue(Path::new(path));
            child::tell("ready");
            if let Some(value) = queue.pop_front_wait(LONG).expect("a queue") {
                child::tell(&value.to_string());
            }
        }
        ["echo", path] => {
            let region = temporary::open(Path::new(path)).expect("a region");
            let (to, fro) = ends(&region);
            child::tell("ready");
            while let Some(value) = to.pop_front_wait(LONG).expect("a queue").filter(|value| *value != 0) {
                fro.push_back(value).expect("room");
            }
        }
        other => panic!("{other:?}"),
    });
}

fn queue(path: &Path) -> (Region, SharedVecDeque<u64>) {
    let region = temporary::open(path).expect("a region");
    let queue = region.object("queue").expect("a queue");
    (region, queue)
}

fn ends(region: &Region) -> (SharedVecDeque<u64>, SharedVecDeque<u64>) {
    (region.object("to").expect("a queue"), region.object("fro").expect("a queue"))
}

/// Lets a child act on the queue and die as `fate` says; where it died.
fn killed(what: &str, temporary: &Temporary, fate: &Fate) -> Option<String> {
    let log = temporary.file("deaths");
    let end = Child::spawn("waits::entry", &[what.into(), text(&temporary.region()), fate.encode(), text(&log)]).wait();
    match end {
        End::Killed => Some(last_death(&log).unwrap_or_default()),
        End::Finished => None,
        End::Failed(code) => panic!("a child failed with {code}"),
    }
}

/// Two waiters, one of whom gets what the child adds unless it dies before that is committed.
#[test]
fn a_value_whose_giver_is_killed_at_any_point_reaches_a_waiter() {
    let (temporary, region) = region();
    let queue: SharedVecDeque<u64> = region.object("queue").expect("a queue");
    let (mut slowest, mut lost) = (Duration::ZERO, 0);
    for nth in 1.. {
        let (send, receive) = mpsc::channel();
        let point = std::thread::scope(|scope| {
            for _ in 0..2 {
                let (send, queue) = (send.clone(), &queue);
                scope.spawn(move || send.send((queue.pop_front_wait(LONG), Instant::now())));
            }
            let point = killed("push", &temporary, &Fate::At(nth));
            let dead = Instant::now();
            // Looking settles what the dead has left: from here on its value is there, or taken, or never was.
            let left = queue.len().expect("a queue");
            let first = receive.recv_timeout(if left > 0 { QUICK } else { Duration::from_millis(50) });
            let mut answers = Vec::new();
            match first {
                Ok((value, at)) => {
                    slowest = slowest.max(at.saturating_duration_since(dead));
                    answers.push(value.expect("a queue"));
                }
                Err(RecvTimeoutError::Timeout) => {
                    assert_eq!(left, 0, "a value and sleeping waiters after a death at {point:?}");
                }
                Err(error) => panic!("{error}"),
            }
            // Whoever still waits is let go.
            (answers.len()..2).for_each(|_| queue.push_back(8).expect("room"));
            while answers.len() < 2 {
                answers.push(receive.recv_timeout(QUICK).expect("a waiter in time").0.expect("a queue"));
            }
            answers.sort();
            match answers[..] {
                [Some(7), Some(8)] => drop(queue.pop_front_many(2).expect("a queue")),
                [Some(8), Some(8)] => lost += 1,
                _ => panic!("{answers:?} after a death at {point:?}"),
            }
            point
        });
        assert!(queue.is_empty().expect("a queue"));
        let report = region.check().expect("a check");
        assert!(report.is_clean(), "after {point:?}: {report:#?}");
        if point.is_none() {
            println!("{} kills, {lost} before the value was there; slowest {slowest:?}", nth - 1);
            assert!(nth - 1 > lost && lost > 3, "{nth} kills, {lost} before the value was there");
            return;
        }
    }
}

#[test]
fn room_that_is_made_by_somebody_who_is_killed_reaches_a_waiter() {
    let (temporary, region) = region();
    let queue = region.object::<SharedVecDeque<u64>>("queue").and_then(|queue| queue.with_limit(2)).expect("a queue");
    queue.extend([1, 2]).expect("room");
    for name in ["wake: object free, nobody woken", "wake: flag cleared, nobody woken", "commit: committed, words held"]
    {
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.push_back_wait(3, LONG));
            // The flag is up when a wait with a time-out is over, whether or not the other one sleeps by now.
            assert!(!queue.push_back_wait(4, SHORT).expect("a queue"));
            let point = killed("pop", &temporary, &Fate::AtName(name.into(), 1));
            assert_eq!(point.as_deref(), Some(name));
            assert!(waiter.join().expect("a thread").expect("a queue"));
        });
        assert_eq!(queue.len().expect("a queue"), 2);
        assert!(region.check().expect("a check").is_clean());
    }
}

#[test]
fn a_killed_waiter_takes_nothing_with_it() {
    let (temporary, region) = region();
    let queue: SharedVecDeque<u64> = region.object("queue").expect("a queue");
    for round in 0..20 {
        let mut child = Child::spawn("waits::entry", &["wait".into(), text(&temporary.region())]);
        assert_eq!(child.hear().as_deref(), Some("ready"));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.pop_front_wait(LONG));
            if round % 2 == 0 {
                child.kill();
                queue.push_back(round).expect("room");
            } else {
                queue.push_back(round).expect("room");
                child.kill();
            }
            // The child may have been faster with the first; then it is gone with it, and this is for the other.
            drop(child);
            queue.push_back(100 + round).expect("room");
            let value = waiter.join().expect("a thread").expect("a queue");
            assert!(value == Some(round) || value == Some(100 + round), "{value:?} in round {round}");
        });
        let left = queue.pop_front_many(10).expect("a queue");
        assert!(left.is_empty() || left == [100 + round], "{left:?} in round {round}");
        assert!(region.check().expect("a check").is_clean());
    }
}

/// If a wake were lost in one turn of ten, this would take far longer.
#[test]
fn two_processes_that_wait_for_each_other_lose_no_wake() {
    let (temporary, region) = region();
    let (to, fro) = ends(&region);
    let mut child = Child::spawn("waits::entry", &["echo".into(), text(&temporary.region())]);
    assert_eq!(child.hear().as_deref(), Some("ready"));
    take_turns(|turn| {
        to.push_back(turn).expect("room");
        assert_eq!(fro.pop_front_wait(LONG).expect("a queue"), Some(turn));
    });
    to.push_back(0).expect("room");
    assert_eq!(child.wait(), End::Finished);
}

/// Sends and gets back what another process echoes, 5000 times; hardly ever late, as it would be if wakes were lost.
pub fn take_turns(mut send_and_receive: impl FnMut(u64)) {
    let (turns, begin) = (5000, Instant::now());
    let (mut late, mut random) = (0, Random::new(seed()));
    for turn in 1..=turns {
        // The other one looks around, is about to sleep, or sleeps.
        let pause = Duration::from_nanos(random.below(200_000));
        let idle = Instant::now();
        while idle.elapsed() < pause {
            std::hint::spin_loop();
        }
        let start = Instant::now();
        send_and_receive(turn);
        late += u64::from(start.elapsed() >= Duration::from_millis(9));
    }
    println!("{turns} turns in {:?}, {late} of them late", begin.elapsed());
    assert!(late < turns / 20, "{late} of {turns} turns were late");
}

#[test]
fn many_waiters_and_few_values_leave_nobody_behind() {
    let (_temporary, region) = region();
    let queue = region.object::<SharedVecDeque<u64>>("queue").and_then(|queue| queue.with_limit(3)).expect("a queue");
    let sum = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..6)
            .map(|number| {
                let queue = &queue;
                scope.spawn(move || {
                    let mut sum = 0;
                    loop {
                        let value = match number % 3 {
                            0 => queue.pop_front_wait(LONG).expect("a queue"),
                            1 => queue.pop_back_wait(LONG).expect("a queue"),
                            _ => queue.pop_front_many_wait(1, LONG).expect("a queue").pop(),
                        };
                        match value.expect("a value in time") {
                            0 => return sum,
                            value => sum += value,
                        }
                    }
                })
            })
            .collect();
        let givers: Vec<_> = (0..3)
            .map(|number| {
                let queue = &queue;
                scope.spawn(move || {
                    for value in 1..=400u64 {
                        let given = match number {
                            0 => queue.push_front_wait(value, LONG),
                            _ => queue.push_back_wait(value, LONG),
                        };
                        assert!(given.expect("a queue"));
                    }
                })
            })
            .collect();
        givers.into_iter().for_each(|giver| giver.join().expect("a thread"));
        // The last in the queue; whoever takes one ends.
        while !queue.is_empty().expect("a queue") {
            std::thread::yield_now();
        }
        (0..6).for_each(|_| assert!(queue.push_back_wait(0, LONG).expect("a queue")));
        takers.into_iter().map(|taker| taker.join().expect("a thread")).sum::<u64>()
    });
    assert_eq!(sum, 3 * 400 * 401 / 2);
}

#[test]
fn a_wait_ends_in_time() {
    let (_temporary, region) = region();
    let queue: SharedVecDeque<u64> = region.object("queue").expect("a queue");
    let start = Instant::now();
    assert_eq!(queue.pop_front_wait(SHORT).expect("a queue"), None);
    assert!(start.elapsed() >= SHORT);
    assert_eq!(queue.pop_back_wait(Duration::ZERO).expect("a queue"), None);
    queue.push_back(1).expect("room");
    assert_eq!(queue.pop_back_wait(Duration::ZERO).expect("a queue"), Some(1));
    // Also while somebody has the lock for long.
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let held = &queue;
        scope.spawn(move || {
            let guard = held.write().expect("a lock");
            send.send(()).expect("a receiver");
            let _ = ended.recv();
            drop(guard);
        });
        receive.recv().expect("a sender");
        let start = Instant::now();
        assert_eq!(queue.pop_front_wait(SHORT).expect("a queue"), None);
        assert!((SHORT..QUICK).contains(&start.elapsed()));
        drop(end);
    });
}

/// The processor time that this thread has had.
#[cfg(target_os = "linux")]
pub fn used_time() -> Duration {
    // SAFETY: the clock's value is written to a variable of its type.
    unsafe {
        let mut time = std::mem::zeroed::<libc::timespec>();
        assert_eq!(libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time), 0);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

/// The processor time that this thread has had.
#[cfg(windows)]
pub fn used_time() -> Duration {
    use windows_sys::Win32::Foundation::FILETIME;
    use windows_sys::Win32::System::Threading::{GetCurrentThread, GetThreadTimes};
    let [mut start, mut end, mut kernel, mut user] = [FILETIME::default(); 4];
    // SAFETY: four times are written; a thread may ask about itself.
    assert_ne!(unsafe { GetThreadTimes(GetCurrentThread(), &mut start, &mut end, &mut kernel, &mut user) }, 0);
    let ticks = |time: FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    Duration::from_nanos((ticks(kernel) + ticks(user)) * 100)
}

#[test]
fn who_waits_uses_no_processor() {
    let (_temporary, region) = region();
    let queue: SharedVecDeque<u64> = region.object("queue").expect("a queue");
    let before = used_time();
    assert_eq!(queue.pop_front_wait(Duration::from_millis(500)).expect("a queue"), None);
    let used = used_time() - before;
    assert!(used < Duration::from_millis(25), "{used:?} of 500 ms");
}

#[test]
fn who_keeps_others_out_does_not_wait_for_them() {
    let (_temporary, region) = region();
    let queue: SharedVecDeque<u64> = region.object("queue").expect("a queue");
    let guard = queue.write().expect("a lock");
    assert!(matches!(queue.pop_front_wait(LONG), Err(Error::Deadlock)));
    drop(guard);
    let guard = queue.read().expect("a lock");
    assert!(matches!(queue.pop_front_wait(LONG), Err(Error::Deadlock)));
    drop(guard);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| queue.pop_front_wait(LONG));
        assert_eq!(queue.pop_front_wait(SHORT).expect("a queue"), None);
        region.remove_object("queue").expect("an object");
        assert!(matches!(waiter.join().expect("a thread"), Err(Error::Removed)));
    });
}

#[test]
fn a_box_is_waited_for_by_its_value() {
    let (temporary, region) = region();
    let flag: SharedBox<u64> = region.object("flag").expect("a box");
    let reader = temporary::open_to_read(&temporary.region()).expect("a region");
    let mirror: SharedBox<u64> = reader.open_object("flag").expect("a box");
    assert_eq!(flag.wait_while(|value| *value == 0, SHORT).expect("a box"), None);
    assert_eq!(mirror.wait_while(|value| *value == 0, SHORT).expect("a box"), None);
    std::thread::scope(|scope| {
        let waiters = [&flag, &mirror].map(|handle| scope.spawn(|| handle.wait_while(|value| *value < 3, LONG)));
        (1..=3).for_each(|value| flag.set(value).expect("room"));
        for waiter in waiters {
            assert_eq!(waiter.join().expect("a thread").expect("a box"), Some(3));
        }
    });
}

/// Each change of each kind of object ends a wait that began before it, and one that begins after it.
fn changes<H: Sync>(
    handle: &H,
    version: fn(&H) -> Result<u64>,
    wait: fn(&H, u64, Duration) -> Result<Option<u64>>,
    change: fn(&H) -> Result<()>,
) {
    let seen = version(handle).expect("an object");
    assert_eq!(version(handle).expect("an object"), seen);
    assert_eq!(wait(handle, seen, SHORT).expect("an object"), None);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| wait(handle, seen, LONG));
        change(handle).expect("room");
        let found = waiter.join().expect("a thread").expect("an object").expect("a change");
        assert!(found > seen);
        assert_eq!(wait(handle, seen, Duration::ZERO).expect("an object"), Some(found));
    });
}

#[test]
fn every_object_tells_of_its_changes() {
    let (_temporary, region) = region();
    let vector: SharedVec<u64> = region.object("vector").expect("an object");
    changes(&vector, SharedVec::version, SharedVec::wait_changed, |vector| vector.push(1));
    changes(&vector, SharedVec::version, SharedVec::wait_changed, |vector| {
        let mut guard = vector.write()?;
        guard[0] += 1;
        Ok(())
    });
    let map: SharedHashMap<u64, u64> = region.object("map").expect("an object");
    changes(&map, SharedHashMap::version, SharedHashMap::wait_changed, |map| map.insert(1, 1).map(drop));
    let queue: SharedVecDeque<u64> = region.object("queue").expect("an object");
    changes(&queue, SharedVecDeque::version, SharedVecDeque::wait_changed, |queue| queue.push_front(1));
    // Two objects of one transaction.
    let other = SharedVec::<u64>::new_in(&region).expect("an object");
    let pair = (region.clone(), vector, other);
    changes(
        &pair,
        |pair| pair.1.version(),
        |pair, seen, timeout| pair.1.wait_changed(seen, timeout),
        |(region, vector, other)| {
            region.transaction(|tx| {
                tx.write(other)?.push(1)?;
                tx.write(vector)?.push(1)
            })
        },
    );
}
