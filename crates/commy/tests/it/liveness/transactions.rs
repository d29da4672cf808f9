//! Transactions: circles of waits, borrows, what ends with them.

use super::{spawn, until};
use crate::model::unwind;
use crate::refused;
use crate::support::child::{self, End};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, Result, SharedHashMap, SharedVec, Transaction};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What a transaction does, with a place to meet the other one in it.
type Body<'b> = dyn Fn(&Transaction<'_>, &dyn Fn()) -> Result<()> + Sync + 'b;

#[test]
fn entry() {
    child::entry(|arguments| {
        let [path, first, second] = arguments else { panic!("{arguments:?}") };
        let region = quiet().open(path).unwrap();
        let (first, second) = (vector(&region, first), vector(&region, second));
        // An object that somebody has locked cannot be opened: first everybody opens.
        child::tell("opened");
        child::listen();
        let mut attempts = 0;
        let done = region.transaction(|tx| {
            attempts += 1;
            tx.write(&first)?.push(1)?;
            if attempts == 1 {
                child::tell("first locked");
                child::listen();
            }
            tx.write(&second)?.push(1)
        });
        done.unwrap();
        child::tell("done");
    });
}

fn vector(region: &Region, name: &str) -> SharedVec<u64> {
    region.object(name).unwrap()
}

struct Circle {
    _temporary: Temporary,
    region: Region,
    a: SharedVec<u64>,
    b: SharedVec<u64>,
}

impl Circle {
    fn new() -> Circle {
        let temporary = Temporary::new();
        let region = quiet().lock_timeout(Duration::from_secs(20)).create(temporary.region()).unwrap();
        let (a, b) = (vector(&region, "a"), vector(&region, "b"));
        Circle { _temporary: temporary, region, a, b }
    }

    /// Runs two transactions at once that meet after their first steps, the first time.
    fn run(
        &self,
        one: impl Fn(&Transaction<'_>, &dyn Fn()) -> Result<()> + Sync,
        other: impl Fn(&Transaction<'_>, &dyn Fn()) -> Result<()> + Sync,
    ) -> u32 {
        let (barrier, attempts) = (Barrier::new(2), AtomicU32::new(0));
        let start = Instant::now();
        let both = |body: &Body<'_>| {
            let mut met = false;
            let result = self.region.transaction(|tx| {
                attempts.fetch_add(1, Ordering::Relaxed);
                let first_time = !std::mem::replace(&mut met, true);
                body(tx, &|| {
                    if first_time {
                        barrier.wait();
                    }
                })
            });
            result.unwrap();
        };
        std::thread::scope(|scope| {
            scope.spawn(|| both(&one));
            scope.spawn(|| both(&other));
        });
        assert!(start.elapsed() < Duration::from_secs(10), "found out long before the time-out");
        let report = self.region.check().unwrap();
        assert!(report.is_clean(), "{report}");
        attempts.load(Ordering::Relaxed)
    }

    fn contents(&self) -> (Vec<u64>, Vec<u64>) {
        (self.a.to_vec().unwrap(), self.b.to_vec().unwrap())
    }
}

#[test]
fn two_transactions_in_a_circle_both_come_through() {
    let circle = Circle::new();
    let (a, b) = (&circle.a, &circle.b);
    let attempts = circle.run(
        |tx, meet| {
            tx.write(a)?.push(1)?;
            meet();
            tx.write(b)?.push(1)
        },
        |tx, meet| {
            tx.write(b)?.push(2)?;
            meet();
            tx.write(a)?.push(2)
        },
    );
    assert!(attempts >= 3, "one of them was undone and ran again");
    let (a, b) = circle.contents();
    assert_eq!((a.len(), a.iter().sum::<u64>()), (2, 3));
    assert_eq!(a, b, "one wholly after the other");
}

#[test]
fn a_circle_through_readers_is_found() {
    let circle = Circle::new();
    let (a, b) = (&circle.a, &circle.b);
    let attempts = circle.run(
        |tx, meet| {
            assert!(tx.read(a)?.len() < 2);
            meet();
            tx.write(b)?.push(1)
        },
        |tx, meet| {
            tx.write(b)?.push(2)?;
            meet();
            tx.write(a)?.push(2)
        },
    );
    assert!(attempts >= 3);
    assert_eq!((circle.contents().0, circle.contents().1.len()), (vec![2], 2));
}

#[test]
fn two_that_turn_their_reads_into_writes_both_come_through() {
    let circle = Circle::new();
    let a = &circle.a;
    let body = |tx: &Transaction<'_>, meet: &dyn Fn()| {
        let len = tx.read(a)?.len() as u64;
        meet();
        tx.write(a)?.push(len)
    };
    assert!(circle.run(body, body) >= 3);
    assert_eq!(circle.contents().0, [0, 1], "none was lost");
}

#[test]
fn a_closure_that_swallows_the_deadlock_commits_nothing_of_that_attempt() {
    let circle = Circle::new();
    let (a, b) = (&circle.a, &circle.b);
    circle.run(
        |tx, meet| {
            tx.write(a)?.push(1)?;
            meet();
            // Whatever came of it: each later call says that it is over.
            if let Err(error) = tx.write(b).and_then(|mut b| b.push(1)) {
                assert!(matches!(error, Error::Deadlock));
                refused!(tx.write(a).map(drop), Error::RolledBack);
                refused!(tx.read(b).map(drop), Error::RolledBack);
            }
            Ok(())
        },
        |tx, meet| {
            tx.write(b)?.push(2)?;
            meet();
            if let Err(error) = tx.write(a).and_then(|mut a| a.push(2)) {
                assert!(matches!(error, Error::Deadlock));
            }
            Ok(())
        },
    );
    let (a, b) = circle.contents();
    assert_eq!((a.len(), &a), (2, &b));
}

#[test]
fn a_circle_of_processes_is_found() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let path = temporary.region();
    let circle = |first, second| spawn("transactions", &[path.to_str().unwrap(), first, second]);
    let (a, b) = (vector(&region, "a"), vector(&region, "b"));
    for round in 1..4 {
        let mut children = [circle("a", "b"), circle("b", "a")];
        for child in &mut children {
            assert_eq!(child.hear().as_deref(), Some("opened"));
        }
        assert!(children.iter_mut().all(|child| child.send("begin")));
        for child in &mut children {
            assert_eq!(child.hear().as_deref(), Some("first locked"));
        }
        assert!(children.iter_mut().all(|child| child.send("go on")));
        for mut child in children {
            assert_eq!(child.hear().as_deref(), Some("done"));
            assert_eq!(child.wait(), End::Finished);
        }
        assert_eq!((a.len().unwrap(), b.len().unwrap()), (2 * round, 2 * round));
    }
    assert!(region.check().unwrap().is_clean());
}

#[test]
fn a_deadlock_outside_of_transactions_is_an_error_that_changes_nothing() {
    let circle = Circle::new();
    let barrier = Barrier::new(2);
    let start = Instant::now();
    let hold_and_want = |held: &SharedVec<u64>, wanted: &SharedVec<u64>| {
        let mut guard = held.write().unwrap();
        guard.push(5).unwrap();
        barrier.wait();
        let refused = matches!(wanted.push(6), Err(Error::Deadlock));
        // The guard is the caller's, and still good.
        guard.push(7).unwrap();
        refused
    };
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| hold_and_want(&circle.b, &circle.a));
        (hold_and_want(&circle.a, &circle.b), other.join().unwrap())
    });
    assert!(one || other);
    assert!(start.elapsed() < Duration::from_secs(10));
    let (a, b) = circle.contents();
    for (content, got) in [(a, !other), (b, !one)] {
        assert_eq!(content, if got { vec![5, 7, 6] } else { vec![5, 7] });
    }
}

#[test]
fn borrows_in_a_transaction_follow_the_rules_of_a_cell() {
    let circle = Circle::new();
    let (a, same) = (&circle.a, vector(&circle.region, "a"));
    let done = circle.region.transaction(|tx| {
        let reading = tx.read(a)?;
        let again = tx.read(&same)?;
        refused!(tx.write(&same).map(drop), Error::Borrowed);
        drop(reading);
        refused!(tx.write(a).map(drop), Error::Borrowed);
        drop(again);
        let mut writing = tx.write(a)?;
        writing.push(1)?;
        refused!(tx.write(&same).map(drop), Error::Borrowed);
        refused!(tx.read(&same).map(drop), Error::Borrowed);
        // The lock is this thread's already: neither granted twice nor waited for.
        refused!(same.push(2), Error::Deadlock);
        refused!(same.read().map(drop), Error::Deadlock);
        drop(writing);
        assert_eq!(&*tx.read(&same)?, [1]);
        tx.write(&same)?.push(2)
    });
    done.unwrap();
    assert_eq!(circle.contents().0, [1, 2]);
}

#[test]
fn what_a_transaction_read_stays_as_it_was_until_its_end() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let hasty = quiet().lock_timeout(Duration::from_millis(60)).own_attachment().open(temporary.region()).unwrap();
    let (a, b) = (vector(&region, "a"), vector(&region, "b"));
    let (their_a, their_b) = (vector(&hasty, "a"), vector(&hasty, "b"));
    region
        .transaction(|tx| {
            // Guards that are gone at the end of the statement.
            assert_eq!(tx.read(&a)?.len(), 0);
            tx.write(&b)?.push(1)?;
            std::thread::scope(|scope| {
                let pushed = scope.spawn(|| (their_a.push(9), their_b.push(9)));
                let (read, written) = pushed.join().unwrap();
                refused!(read, Error::Timeout { .. });
                refused!(written, Error::Timeout { .. });
            });
            assert_eq!(tx.read(&a)?.len(), 0);
            Ok(())
        })
        .unwrap();
    their_a.push(9).unwrap();
    their_b.push(9).unwrap();
    assert_eq!(b.to_vec().unwrap(), [1, 9]);
}

#[test]
fn a_transaction_reads_more_objects_than_a_lane_publishes() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let objects: Vec<_> = (0..30).map(|number| vector(&region, &format!("object {number}"))).collect();
    let hasty = quiet().lock_timeout(Duration::from_millis(20)).own_attachment().open(temporary.region()).unwrap();
    for round in 0..3 {
        region
            .transaction(|tx| {
                for object in &objects {
                    assert_eq!(tx.read(object)?.len(), round);
                }
                std::thread::scope(|scope| {
                    let push = || {
                        objects.iter().step_by(9).enumerate().all(|(at, _)| {
                            let name = format!("object {}", at * 9);
                            matches!(vector(&hasty, &name).push(9), Err(Error::Timeout { .. }))
                        })
                    };
                    assert!(scope.spawn(push).join().unwrap(), "all of them are held");
                });
                objects.iter().try_for_each(|object| tx.write(object)?.push(1))
            })
            .unwrap();
    }
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn objects_of_another_region_are_refused() {
    let (one, other) = (Circle::new(), Circle::new());
    refused!(one.region.transaction(|tx| tx.write(&other.a).map(drop)), Error::InvalidArgument(_));
}

#[test]
fn directory_calls_inside_a_transaction_are_not_part_of_it() {
    let circle = Circle::new();
    let refused = circle.region.transaction(|tx| {
        tx.write(&circle.a)?.push(1)?;
        vector(&circle.region, "made inside").push(1)?;
        refused!(circle.region.remove_object("a"), Error::Deadlock);
        Err::<(), _>(Error::NotFound)
    });
    refused!(refused, Error::NotFound);
    assert!(circle.a.is_empty().unwrap());
    assert_eq!(vector(&circle.region, "made inside").to_vec().unwrap(), [1]);
    assert!(circle.region.check().unwrap().is_clean());
}

#[test]
fn a_panic_in_a_transaction_undoes_all_of_it() {
    let circle = Circle::new();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        circle.region.transaction(|tx| -> Result<()> {
            tx.write(&circle.a)?.push(1)?;
            let mut b = tx.write(&circle.b)?;
            b.push(1)?;
            unwind()
        })
    }));
    ended.unwrap_err();
    assert_eq!(circle.contents(), (vec![], vec![]));
    // A panic that the closure catches, half-way through one call, dooms the whole.
    circle.a.extend([1, 2, 3, 4]).unwrap();
    let doomed = circle.region.transaction(|tx| {
        tx.write(&circle.b)?.push(1)?;
        let mut a = tx.write(&circle.a)?;
        catch_unwind(AssertUnwindSafe(|| a.retain_mut(|number| if *number == 3 { unwind() } else { false })))
            .unwrap_err();
        Ok(())
    });
    refused!(doomed, Error::RolledBack);
    assert_eq!(circle.contents(), (vec![1, 2, 3, 4], vec![]));
    assert!(circle.region.check().unwrap().is_clean());
}

#[test]
fn nobody_sees_half_of_a_transaction() {
    let circle = Circle::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..400 {
                let end = circle.region.transaction(|tx| {
                    tx.write(&circle.a)?.push(number)?;
                    tx.write(&circle.b)?.push(number)?;
                    if number % 3 == 0 { Err(Error::NotFound) } else { Ok(()) }
                });
                assert_eq!(end.is_err(), number % 3 == 0);
            }
            stop.store(true, Ordering::Relaxed);
        });
        let mut looks = 0;
        until("all is written", || {
            looks += 1;
            let both =
                circle.region.transaction(|tx| Ok((tx.read(&circle.b)?.to_vec()?, tx.read(&circle.a)?.to_vec()?)));
            let (b, a) = both.unwrap();
            assert_eq!(a, b);
            assert!(a.iter().all(|number| number % 3 != 0));
            stop.load(Ordering::Relaxed)
        });
        println!("{looks} looks");
    });
}

#[test]
fn a_transaction_that_has_failed_is_forgotten_by_the_next_change() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let map: SharedHashMap<u64, u64> = region.object("map").unwrap();
    let vector: SharedVec<u64> = region.object("vector").unwrap();
    map.insert(1, 1).unwrap();
    vector.extend([1, 2]).unwrap();
    for round in 0..4 {
        // It has taken no lock, has read, has changed something, has unwound.
        let failed = catch_unwind(AssertUnwindSafe(|| {
            region.transaction(|tx| {
                match round {
                    0 => {}
                    1 => drop(tx.read(&map)?),
                    2 => tx.write(&vector)?.push(7)?,
                    _ => unwind(),
                }
                Err::<(), _>(Error::NotFound)
            })
        }));
        assert!(!matches!(failed, Ok(Ok(()))));
        assert_eq!(map.update(&1, |value| *value += 1).unwrap(), Some(()));
        vector.push(3).unwrap();
        assert_eq!(vector.pop().unwrap(), Some(3));
        assert!(vector.set(0, round).unwrap());
    }
    assert_eq!(map.get(&1).unwrap(), Some(5));
    assert_eq!(vector.to_vec().unwrap(), [3, 2]);
    assert!(region.check().unwrap().is_clean());
}
