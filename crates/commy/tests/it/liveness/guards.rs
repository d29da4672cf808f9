//! Guards of one thread: in any order, during panics, without room.

use crate::model::unwind;
use crate::refused;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedBox, SharedHashMap, SharedString, SharedVec};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

fn is_clean(region: &Region) {
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn waiting_for_oneself_is_a_deadlock_at_once() {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(Duration::from_secs(60)).create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    // Another handle of the same object, and another attachment's, are the same object.
    let same: SharedVec<u64> = region.object("numbers").unwrap();
    numbers.push(1).unwrap();
    let start = Instant::now();
    let reading = numbers.read().unwrap();
    refused!(same.write().map(drop), Error::Deadlock);
    refused!(same.push(2), Error::Deadlock);
    refused!(same.extend([2, 3]), Error::Deadlock);
    refused!(region.remove_object("numbers"), Error::Deadlock);
    assert_eq!(same.read().unwrap().len(), 1, "reading again is fine");
    assert_eq!(&*reading, [1]);
    drop(reading);
    let mut writing = numbers.write().unwrap();
    writing.push(2).unwrap();
    refused!(same.write().map(drop), Error::Deadlock);
    refused!(same.read().map(drop), Error::Deadlock);
    refused!(same.push(3), Error::Deadlock);
    refused!(same.len(), Error::Deadlock);
    refused!(same.get(0), Error::Deadlock);
    refused!(region.remove_object("numbers"), Error::Deadlock);
    refused!(region.check(), Error::Deadlock);
    drop(writing);
    assert!(start.elapsed() < Duration::from_secs(5), "nobody waited");
    assert_eq!(same.to_vec().unwrap(), [1, 2]);
    is_clean(&region);
}

#[test]
fn reading_then_writing_is_a_deadlock_at_once_also_while_others_read() {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(Duration::from_secs(20)).create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    // This thread has a lower lane than the other one.
    let others = numbers.read().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            let _own = numbers.read().unwrap();
            refused!(numbers.write().map(drop), Error::Deadlock);
            assert!(start.elapsed() < Duration::from_secs(5), "nobody waited for the other reader");
        });
    });
    drop(others);
    numbers.push(1).unwrap();
}

#[test]
fn guards_of_one_thread_end_in_any_order() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a: SharedVec<String> = region.object("a").unwrap();
    let b: SharedHashMap<u64, String> = region.object("b").unwrap();
    let c: SharedString = region.object("c").unwrap();
    let text = |number: u64| format!("{number:>40}");
    for order in 0..6 {
        let len = a.len().unwrap();
        let mut first = a.write().unwrap();
        let mut second = b.write().unwrap();
        let mut third = c.write().unwrap();
        for number in 0..200 {
            first.push(text(number)).unwrap();
            second.insert(number, text(number + order)).unwrap();
            third.push_str("ä").unwrap();
        }
        // One of the three is undone, and that touches nothing of the others, before or after it.
        match order {
            0 => {
                drop(first);
                second.rollback();
                drop(third);
            }
            1 => {
                drop(third);
                first.rollback();
                drop(second);
            }
            2 => {
                second.rollback();
                drop(third);
                drop(first);
            }
            3 => {
                drop(second);
                drop(first);
                third.rollback();
            }
            4 => {
                third.rollback();
                drop(second);
                drop(first);
            }
            _ => {
                drop(second);
                first.rollback();
                drop(third);
            }
        }
        assert_eq!(a.len().unwrap(), if matches!(order, 1 | 5) { len } else { len + 200 });
        let last = b.get(&7).unwrap();
        assert_eq!(last == Some(text(7 + order)), !matches!(order, 0 | 2), "{order}");
        is_clean(&region);
    }
    assert_eq!(c.len().unwrap(), 4 * 200 * 2);
}

#[test]
fn an_operation_beside_a_guard_has_its_own_fate() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a: SharedVec<u64> = region.object("a").unwrap();
    let other: SharedVec<String> = region.object("other").unwrap();
    let mut guard = a.write().unwrap();
    for number in 0..100 {
        guard.push(number).unwrap();
        other.push("said, and so it is").unwrap();
    }
    guard.rollback();
    assert_eq!((a.len().unwrap(), other.len().unwrap()), (0, 100));
    let created: SharedBox<u64> = {
        let mut guard = a.write().unwrap();
        guard.push(1).unwrap();
        let created = region.create_object("created beside a guard").unwrap();
        region.rename_object("other", "renamed").unwrap();
        guard.rollback();
        created
    };
    created.set(5).unwrap();
    assert_eq!(region.open_object::<SharedVec<String>>("renamed").unwrap().len().unwrap(), 100);
    assert!(a.is_empty().unwrap());
    is_clean(&region);
}

#[test]
fn a_panic_undoes_a_guard() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    texts.extend((0..50).map(|number| format!("{number:>30}"))).unwrap();
    let before = texts.to_vec().unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = texts.write().unwrap();
        guard.clear().unwrap();
        guard.push("half").unwrap();
        unwind()
    }));
    ended.unwrap_err();
    assert_eq!(texts.to_vec().unwrap(), before);
    // A panic in user code that runs under the lock of one operation.
    let count: SharedBox<u64> = region.object("count").unwrap();
    catch_unwind(AssertUnwindSafe(|| count.update(|_| -> () { unwind() }))).unwrap_err();
    count.update(|count| *count += 1).unwrap();
    let map: SharedHashMap<u64, u64> = region.object("map").unwrap();
    map.insert(1, 1).unwrap();
    catch_unwind(AssertUnwindSafe(|| map.update(&1, |_| -> () { unwind() }))).unwrap_err();
    assert_eq!((count.get().unwrap(), map.get(&1).unwrap()), (1, Some(1)));
    is_clean(&region);
}

#[test]
fn a_panic_caught_while_the_guard_lives_undoes_it_too() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    let map: SharedHashMap<u64, String> = region.object("map").unwrap();
    for number in 0..40 {
        texts.push(format!("{number:>30}")).unwrap();
        map.insert(number, format!("{number:>30}")).unwrap();
    }
    let (before, map_before) = (texts.to_vec().unwrap(), map.to_map().unwrap());

    let mut guard = texts.write().unwrap();
    guard.push("before the panic").unwrap();
    let mut seen = 0;
    let half = catch_unwind(AssertUnwindSafe(|| {
        guard.retain(|_| {
            seen += 1;
            if seen == 20 { unwind() } else { seen % 2 == 0 }
        })
    }));
    half.unwrap_err();
    // All questions come before any value goes: a panic in one of them has changed nothing.
    assert_eq!(guard.len(), before.len() + 1);
    guard.push("after it").unwrap();
    guard.rollback();
    assert_eq!(texts.to_vec().unwrap(), before);

    let mut guard = map.write().unwrap();
    let mut seen = 0;
    let half = catch_unwind(AssertUnwindSafe(|| {
        guard.retain(|_, _| {
            seen += 1;
            if seen == 20 { unwind() } else { seen % 2 == 0 }
        })
    }));
    half.unwrap_err();
    refused!(guard.insert(1, "after it"), Error::RolledBack);
    drop(guard);
    assert_eq!(map.to_map().unwrap(), map_before);

    // An iterator of the user that panics half-way through `extend`.
    let mut guard = texts.write().unwrap();
    let half = catch_unwind(AssertUnwindSafe(|| guard.extend((0..9).map(|n| if n == 5 { unwind() } else { "more" }))));
    half.unwrap_err();
    drop(guard);
    assert_eq!(texts.to_vec().unwrap(), before);
    is_clean(&region);
}

#[test]
fn a_guard_made_and_dropped_during_another_unwinding_commits() {
    struct Witness<'a>(&'a SharedVec<u64>);
    impl Drop for Witness<'_> {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            let mut guard = self.0.write().unwrap();
            guard.push(1).unwrap();
            drop(guard);
            self.0.push(2).unwrap();
            // Explicitly undone stays undone.
            let mut guard = self.0.write().unwrap();
            guard.push(3).unwrap();
            guard.rollback();
        }
    }
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    let outer: SharedVec<u64> = region.object("outer").unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = outer.write().unwrap();
        guard.push(9).unwrap();
        let _witness = Witness(&numbers);
        unwind()
    }));
    ended.unwrap_err();
    assert_eq!(numbers.to_vec().unwrap(), [1, 2]);
    assert!(outer.is_empty().unwrap());
    is_clean(&region);
}

/// A region that is soon full, with the chance to make an object first.
fn tiny(temporary: &Temporary) -> Region {
    quiet().capacity(1 << 20).create(temporary.region()).unwrap()
}

#[test]
fn a_call_without_room_changes_nothing_and_the_guard_lives_on() {
    let temporary = Temporary::new();
    let region = tiny(&temporary);
    let texts: SharedVec<String> = region.object("texts").unwrap();
    let map: SharedHashMap<String, String> = region.object("map").unwrap();
    let text: SharedString = region.object("text").unwrap();
    let long = |number: usize| format!("{number:>900}");
    let mut levels = Vec::new();
    for _ in 0..3 {
        let (mut a, mut b, mut c) = (texts.write().unwrap(), map.write().unwrap(), text.write().unwrap());
        let mut full = [false; 3];
        for number in 0..10_000 {
            if full == [true; 3] {
                break;
            }
            let (len, entries, bytes) = (a.len(), b.len(), c.len());
            if a.push(long(number)).is_err() {
                full[0] = true;
                assert_eq!(a.len(), len);
                assert!(a.iter().enumerate().all(|(at, text)| text == long(at)));
            }
            if b.insert(long(number), long(number + 1)).is_err() {
                full[1] = true;
                assert_eq!(b.len(), entries);
                assert!(b.get(&long(number)).is_none());
                assert!((0..entries).all(|at| b.get(&long(at)) == Some(long(at + 1).as_str())));
            }
            if c.push_str(&long(number)).is_err() {
                full[2] = true;
                assert_eq!(c.len(), bytes);
            }
            // A full one takes no more until there is room.
            if full[0] && number % 7 == 0 {
                refused!(a.insert(0, long(0).repeat(2000)), Error::OutOfSpace { .. });
                assert!(a.iter().enumerate().all(|(at, text)| text == long(at)));
            }
        }
        assert_eq!(full, [true; 3], "the region is full");
        levels.push((a.len(), b.len(), c.len()));
        drop((a, b, c));
        is_clean(&region);
        let (len, entries, bytes) = *levels.last().unwrap();
        assert_eq!((texts.len().unwrap(), map.len().unwrap(), text.len().unwrap()), (len, entries, bytes));
        texts.clear().unwrap();
        map.clear().unwrap();
        text.clear().unwrap();
        is_clean(&region);
    }
    let sum = |level: &(usize, usize, usize)| level.0 * 900 + level.1 * 1800 + level.2;
    assert!(sum(&levels[2]) * 10 > sum(&levels[0]) * 9, "as much fits as at first: {levels:?}");
}

#[test]
fn a_handle_call_without_room_changes_nothing() {
    let temporary = Temporary::new();
    let region = tiny(&temporary);
    let texts: SharedVec<String> = region.object("texts").unwrap();
    let map: SharedHashMap<String, Option<String>> = region.object("map").unwrap();
    let mut count = 0;
    while texts.push("x".repeat(500 + count % 700)).is_ok() {
        map.insert(format!("{count:>70}"), Some("y".repeat(count % 90))).ok();
        count += 1;
    }
    let (before, map_before) = (texts.to_vec().unwrap(), map.to_map().unwrap());
    refused!(texts.extend((0..900).map(|_| "z".repeat(400))), Error::OutOfSpace { .. });
    refused!(texts.set(0, "z".repeat(40_000)), Error::OutOfSpace { .. });
    refused!(texts.reserve(1 << 30), Error::OutOfSpace { .. });
    refused!(map.extend((0..3000).map(|n| (format!("{n:>60}"), None::<String>))), Error::OutOfSpace { .. });
    refused!(map.reserve(1 << 30), Error::OutOfSpace { .. });
    refused!(
        region.transaction(|tx| {
            tx.write(&map)?.clear()?;
            tx.write(&texts)?.push("z".repeat(1 << 20))
        }),
        Error::OutOfSpace { .. }
    );
    assert_eq!((texts.to_vec().unwrap(), map.to_map().unwrap()), (before, map_before));
    is_clean(&region);
    // Giving something back makes room again.
    while texts.len().unwrap() > 5 {
        texts.pop().unwrap();
    }
    for number in 0..20 {
        texts.push(format!("{number:>500}")).unwrap();
    }
    is_clean(&region);
}
