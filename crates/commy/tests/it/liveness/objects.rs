//! Objects that go: removed under live handles, anonymous ones with their last handle or their process.

use super::{spawn, until};
use crate::refused;
use crate::support::child;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedBox, SharedHashMap, SharedString, SharedVec};
use std::time::Duration;

#[test]
fn entry() {
    child::entry(|arguments| {
        let [path] = arguments else { panic!("{arguments:?}") };
        let region = quiet().open(path).unwrap();
        let _owned = anonymous(&region);
        child::tell("made");
        child::listen();
    });
}

type Anonymous = (SharedVec<String>, SharedHashMap<String, u64>, SharedString, SharedBox<u64>);

/// Anonymous objects of each kind with something in them.
fn anonymous(region: &Region) -> Anonymous {
    let objects: Anonymous = (
        SharedVec::new_in(region).unwrap(),
        SharedHashMap::new_in(region).unwrap(),
        SharedString::new_in(region).unwrap(),
        SharedBox::new_in(region).unwrap(),
    );
    for number in 0..300 {
        objects.0.push(format!("{number:>50}")).unwrap();
        objects.1.insert(format!("{number:>20}"), number).unwrap();
        objects.2.push_str("text, text, text, ").unwrap();
        objects.3.set(number).unwrap();
    }
    objects
}

fn allocated(region: &Region) -> u64 {
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
    report.allocated_bytes
}

#[test]
fn handles_of_a_removed_object_say_so() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let keep: SharedVec<u64> = region.object("keep").unwrap();
    let baseline = allocated(&region);
    for round in 0..3 {
        let texts: SharedVec<String> = region.object("gone").unwrap();
        texts.extend((0..100).map(|number| format!("{number:>40}"))).unwrap();
        let theirs: SharedVec<String> =
            quiet().own_attachment().open(temporary.region()).unwrap().object("gone").unwrap();
        region.remove_object("gone").unwrap();
        // The header is used again at once, for another type.
        let numbers: SharedHashMap<u64, u64> = region.object("gone").unwrap();
        numbers.insert(round, round).unwrap();
        for handle in [&texts, &theirs] {
            refused!(handle.get(0), Error::Removed);
            refused!(handle.len(), Error::Removed);
            refused!(handle.push("x"), Error::Removed);
            refused!(handle.pop(), Error::Removed);
            refused!(handle.clear(), Error::Removed);
            refused!(handle.extend(["x"]), Error::Removed);
            refused!(handle.to_vec(), Error::Removed);
            refused!(handle.read().map(drop), Error::Removed);
            refused!(handle.write().map(drop), Error::Removed);
        }
        refused!(region.transaction(|tx| tx.write(&texts)?.push("x")), Error::Removed);
        refused!(region.transaction(|tx| Ok(tx.read(&texts)?.len())), Error::Removed);
        assert_eq!(numbers.to_map().unwrap(), [(round, round)].into());
        region.remove_object("gone").unwrap();
        refused!(region.remove_object("gone"), Error::NotFound);
        refused!(region.open_object::<SharedVec<String>>("gone"), Error::NotFound);
        keep.push(round).unwrap();
        keep.pop().unwrap();
        keep.clear().unwrap();
        assert_eq!(allocated(&region), baseline);
    }
}

#[test]
fn an_object_is_removed_only_when_nobody_works_on_it() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    numbers.extend(0..1000).unwrap();
    let hasty = quiet().lock_timeout(Duration::from_millis(50)).own_attachment().open(temporary.region()).unwrap();
    let reading = numbers.read().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| refused!(hasty.remove_object("numbers"), Error::Timeout { .. }));
    });
    assert_eq!(reading.len(), 1000);
    drop(reading);
    // The failed attempt left name and object as they were.
    assert_eq!(hasty.open_object::<SharedVec<u64>>("numbers").unwrap().len().unwrap(), 1000);
    // A reader waits; what it was told about is removed; it learns of that.
    let patient: SharedVec<u64> = region.object("numbers").unwrap();
    let writing = numbers.write().unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| patient.push(1));
        until("somebody waits", || {
            region.processes().unwrap().iter().any(|process| process.waits_for.as_deref() == Some("numbers"))
        });
        drop(writing);
        waiter.join().unwrap().unwrap();
    });
    region.remove_object("numbers").unwrap();
    refused!(patient.push(1), Error::Removed);
    assert!(region.check().unwrap().is_clean());
}

#[test]
fn a_renamed_object_keeps_its_handles() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("before").unwrap();
    region.object::<SharedString>("taken").unwrap();
    refused!(region.rename_object("before", "taken"), Error::AlreadyExists);
    refused!(region.rename_object("missing", "free"), Error::NotFound);
    refused!(region.rename_object("before", ""), Error::InvalidArgument(_));
    region.rename_object("before", &"long name ".repeat(20)).unwrap();
    numbers.push(1).unwrap();
    refused!(region.open_object::<SharedVec<u64>>("before"), Error::NotFound);
    let found: SharedVec<u64> = region.open_object(&"long name ".repeat(20)).unwrap();
    assert_eq!(found.to_vec().unwrap(), [1]);
    assert!(region.check().unwrap().is_clean());
}

#[test]
fn an_anonymous_object_ends_with_its_last_handle() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    drop(anonymous(&region));
    let baseline = allocated(&region);
    for _ in 0..3 {
        let objects = anonymous(&region);
        let copy = objects.0.clone();
        assert_eq!(region.check().unwrap().objects, 4);
        drop(objects);
        assert_eq!(region.check().unwrap().objects, 1, "one handle is left");
        assert_eq!(copy.len().unwrap(), 300);
        std::thread::spawn(move || drop(copy)).join().unwrap();
        assert_eq!(allocated(&region), baseline);
    }
    assert!(region.objects().unwrap().is_empty(), "they never had a name");
}

#[test]
fn an_anonymous_object_ends_with_its_process() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let baseline = allocated(&region);
    let made = || {
        let mut child = spawn("objects", &[temporary.region().to_str().unwrap()]);
        assert_eq!(child.hear().as_deref(), Some("made"));
        child
    };
    let (mut killed, living) = (made(), made());
    assert_eq!(region.check().unwrap().objects, 8);
    killed.kill();
    until("the dead one's objects are gone", || region.check().unwrap().objects == 4);
    // An own one is nobody else's business, nor that of a process that still lives.
    let own = anonymous(&region);
    assert_eq!(region.check().unwrap().objects, 8);
    drop(living);
    until("the other's, too", || region.check().unwrap().objects == 4);
    assert_eq!(own.0.len().unwrap(), 300);
    drop(own);
    assert_eq!(allocated(&region), baseline);
}

#[test]
fn anonymous_objects_are_gone_after_the_last_process() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let baseline = allocated(&region);
    drop(region);
    let mut child = spawn("objects", &[temporary.region().to_str().unwrap()]);
    assert_eq!(child.hear().as_deref(), Some("made"));
    child.kill();
    child.wait();
    let region = quiet().open(temporary.region()).unwrap();
    assert_eq!(allocated(&region), baseline);
}
