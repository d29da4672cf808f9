//! Attachments and threads: nothing is found under an address or a number that was somebody else's.

use super::{is_clean, vector};
use crate::damaged::{content, overwrite};
use crate::refused;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, SharedBox, SharedHashMap, SharedString, SharedVec};
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[test]
fn a_thread_finds_its_lane_by_the_attachment_not_by_its_address() {
    let temporary = Temporary::new();
    let path = temporary.region();
    for round in 0..60 {
        // In the same place of memory as the one before, most likely, with the same thread's lane cached.
        let region = quiet().own_attachment().open_or_create(&path).unwrap();
        let other = quiet().own_attachment().open_or_create(temporary.file("other")).unwrap();
        for _ in 0..3 {
            vector(&region, "a").push(round).unwrap();
            vector(&other, "a").push(round).unwrap();
        }
        assert_eq!(vector(&region, "a").len().unwrap(), 3 * (round as usize + 1));
        assert_eq!((region.stats().unwrap().lanes, other.stats().unwrap().lanes), (1, 1));
    }
    is_clean(&quiet().open(&path).unwrap());
}

#[test]
fn closing_a_region_gives_the_lanes_of_all_its_threads_back() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    // Somebody stays, or the next one to open would settle all lanes.
    let other = quiet().own_attachment().open(temporary.region()).unwrap();
    let (done, ready) = mpsc::channel();
    let (end, wait) = mpsc::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    let threads: Vec<_> = (0..5)
        .map(|_| {
            let (numbers, done, wait) = (vector(&region, "a"), done.clone(), wait.clone());
            std::thread::spawn(move || {
                numbers.push(1).unwrap();
                drop(numbers);
                done.send(()).unwrap();
                // The thread lives on, with its lane in its thread-locals.
                let _ = wait.lock().unwrap().recv();
            })
        })
        .collect();
    (0..5).for_each(|_| ready.recv().unwrap());
    assert_eq!(region.stats().unwrap().lanes, 6);
    drop(region);
    assert_eq!(other.stats().unwrap().processes, 1);
    assert_eq!(other.stats().unwrap().lanes, 0, "those of the closed attachment are free");
    let region = quiet().open(temporary.region()).unwrap();
    vector(&region, "a").push(1).unwrap();
    drop(end);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(other);
    is_clean(&region);
}

#[test]
fn user_code_under_a_lock_that_touches_the_same_object_is_told_at_once() {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(Duration::from_secs(60)).create(temporary.region()).unwrap();
    let one: SharedBox<u64> = region.object("one").unwrap();
    let map: SharedHashMap<u64, u64> = region.object("map").unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    map.insert(1, 1).unwrap();
    texts.extend(["a", "b", "c"]).unwrap();
    let start = Instant::now();
    one.update(|value| {
        refused!(one.get(), Error::Deadlock);
        refused!(one.set(3), Error::Deadlock);
        // Another object is fine.
        texts.push("d").unwrap();
        *value += 1;
    })
    .unwrap();
    map.update(&1, |value| {
        refused!(map.get(&1), Error::Deadlock);
        refused!(map.insert(2, 2), Error::Deadlock);
        *value += 1;
    })
    .unwrap();
    let mut guard = texts.write().unwrap();
    guard
        .retain(|text| {
            refused!(texts.len(), Error::Deadlock);
            refused!(texts.push("x"), Error::Deadlock);
            text != "b"
        })
        .unwrap();
    drop(guard);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!((one.get().unwrap(), map.get(&1).unwrap()), (1, Some(2)));
    assert_eq!(texts.to_vec().unwrap(), ["a", "c", "d"]);
    is_clean(&region);
}

#[test]
fn sixteen_guards_of_one_thread_and_not_one_more() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let texts: Vec<SharedString> = (0..20).map(|number| region.object(&format!("text {number}")).unwrap()).collect();
    let mut guards = Vec::new();
    for text in &texts {
        match text.write() {
            Ok(mut guard) => {
                guard.push_str("changed").unwrap();
                guards.push(guard);
            }
            Err(error) => assert!(matches!(error, Error::Exhausted { limit: 16, .. }), "{error:?}"),
        }
    }
    assert_eq!(guards.len(), 16);
    refused!(texts[19].push('x'), Error::Exhausted { .. });
    guards.swap_remove(7).rollback();
    texts[19].push('x').unwrap();
    drop(guards);
    let lengths: Vec<usize> = texts.iter().map(|text| text.len().unwrap()).collect();
    assert_eq!((lengths[7], lengths[15], lengths[16], lengths[19]), (0, 7, 0, 1));
    is_clean(&region);
}

#[test]
fn nine_read_guards_of_one_thread_are_one_too_many() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let objects: Vec<_> = (0..9).map(|number| vector(&region, &format!("object {number}"))).collect();
    let mut guards: Vec<_> = objects[..8].iter().map(|object| object.read().unwrap()).collect();
    refused!(objects[8].read().map(drop), Error::Exhausted { limit: 8, .. });
    // One more of an object that is read already needs no cell.
    let again: Vec<_> = (0..100).map(|_| objects[0].read().unwrap()).collect();
    guards.pop();
    drop(objects[8].read().unwrap());
    drop((guards, again));
    objects.iter().for_each(|object| object.push(1).unwrap());
    is_clean(&region);
}

#[test]
fn a_version_from_a_damaged_file_is_not_taken_for_what_a_handle_remembers() {
    for version in [1, 3, u64::MAX] {
        let temporary = Temporary::new();
        let region = quiet().lock_timeout(Duration::from_millis(100)).create(temporary.region()).unwrap();
        let map: SharedHashMap<u64, u64> = region.object("map").unwrap();
        map.insert(1, 2).unwrap();
        let header = super::recovery::header_of(&content(&temporary.region()), "SharedHashMap<u64, u64>");
        overwrite(&temporary.region(), &version.to_le_bytes(), header + 8);
        // A handle that has looked nothing up yet: a value or an error, but an end.
        let looked = map.clone().get(&1);
        println!("version {version}: {looked:?}");
        assert!(matches!(looked, Ok(Some(2)) | Err(_)));
        let numbers: SharedVec<u64> = region.object("numbers").unwrap();
        numbers.push(7).unwrap();
        let header = super::recovery::header_of(&content(&temporary.region()), "SharedVec<u64>");
        overwrite(&temporary.region(), &version.to_le_bytes(), header + 8);
        let looked = numbers.clone().get(0);
        println!("version {version}: {looked:?}");
        assert!(matches!(looked, Ok(Some(7)) | Err(_)));
    }
}
