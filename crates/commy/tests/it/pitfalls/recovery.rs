//! What recovery does, beyond what killing at every point shows.

use super::{die, is_clean, start, vector};
use crate::damaged::{Places, content, overwrite, word};
use crate::refused;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedVec};
use std::time::{Duration, Instant};

#[test]
fn a_waiter_does_not_pay_for_what_the_dead_left_to_free() {
    let temporary = Temporary::new();
    let region = quiet().capacity(256 << 20).create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    texts.extend((0..150_000).map(|number| format!("{number:>40}"))).unwrap();
    let full = region.stats().unwrap().allocated;
    die("die clearing", &temporary, "raze: a string returned", 3);
    let start = Instant::now();
    texts.push("first").unwrap();
    let waited = start.elapsed();
    assert_eq!(texts.to_vec().unwrap(), ["first"]);
    let left = region.stats().unwrap().allocated;
    assert!(left > full / 2, "freeing them is still to be done");
    let start = Instant::now();
    is_clean(&region);
    let all = start.elapsed();
    assert!(region.stats().unwrap().allocated < full / 10, "now it is done");
    println!("the lock after {waited:?}, all freed after {all:?}");
    assert!(waited < Duration::from_millis(500) && waited < all);
}

#[test]
fn a_removal_that_is_undone_leaves_the_handles_good() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    a.extend(0..500).unwrap();
    for point in ["remove: name gone", "remove: retired, not committed", "detach: done"] {
        die("die removing", &temporary, point, 1);
        // The generation has not moved, or every handle would say `Removed` of an object that lives.
        a.push(1).unwrap();
        assert_eq!(vector(&region, "a").len().unwrap(), a.len().unwrap());
        is_clean(&region);
    }
    die("die removing", &temporary, "commit: committed, words held", 1);
    refused!(a.push(1), Error::Removed);
    refused!(region.open_object::<SharedVec<u64>>("a"), Error::NotFound);
    is_clean(&region);
}

#[test]
fn a_refused_call_writes_no_intent() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    // Were it written, this child would die at it, and recovery release the lock of its guard too early.
    let mut child = start("die refused", &temporary, "lock: intent", 1);
    assert_eq!(child.hear().as_deref(), Some("done"));
    drop(child);
    assert_eq!(a.to_vec().unwrap(), [7]);
    is_clean(&region);
}

/// The offset of the first header whose object has this schema.
pub fn header_of(bytes: &[u8], schema: &str) -> u64 {
    let places = Places::of(bytes);
    let headers = (0..80).map(|number| places.heap_at + number * 192);
    let has_schema = |header: &u64| {
        let (block, len) = (word(bytes, header + 40), word(bytes, header + 48));
        block != 0 && bytes[block as usize..(block + len) as usize].ends_with(schema.as_bytes())
    };
    headers.into_iter().find(has_schema).unwrap_or_else(|| panic!("no {schema}"))
}

#[test]
fn the_version_of_an_object_only_grows() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    let at = header_of(&content(&temporary.region()), "SharedVec<u64>");
    let words = || {
        let bytes = content(&temporary.region());
        (word(&bytes, at + 8), word(&bytes, at + 24))
    };
    let (mut version, mut generation) = words();
    let mut moved = |what: &str, more: u64| {
        let (now, number) = words();
        assert!(now > version && now % 2 == 0, "{what}: version {version}, then {now}");
        assert_eq!(number, generation + more, "{what}: generation");
        (version, generation) = (now, number);
    };
    a.push(1).unwrap();
    moved("a change", 0);
    let mut guard = a.write().unwrap();
    guard.push(2).unwrap();
    guard.rollback();
    moved("a change that is undone", 0);
    for point in
        ["lock: version odd", "vector: slot live", "commit: committed, words held", "end: version even, word held"]
    {
        die("die pushing", &temporary, point, 1);
        a.len().unwrap();
        is_clean(&region);
        moved(point, 0);
    }
    die("die holding", &temporary, "append: counted", 2);
    a.push(3).unwrap();
    moved("a guard of the dead", 0);
    region.remove_object("a").unwrap();
    is_clean(&region);
    // The header's memory may serve another object at once, and neither word begins anew.
    let b = vector(&region, "b");
    assert_eq!(header_of(&content(&temporary.region()), "SharedVec<u64>"), at, "the header is used again");
    moved("a removal", 1);
    b.push(1).unwrap();
    moved("a change of the next object", 0);
    refused!(a.len(), Error::Removed);
}

#[test]
fn damage_in_the_log_of_the_dead_is_told_at_once_and_stops_nothing_else() {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(Duration::from_secs(10)).create(temporary.region()).unwrap();
    let (a, b) = (vector(&region, "a"), vector(&region, "b"));
    let mut child = start("hold", &temporary, "", 0);
    assert_eq!(child.hear().as_deref(), Some("held"));
    child.kill();
    drop(child);
    // The second lane's log; the first is ours.
    let places = Places::of(&content(&temporary.region()));
    overwrite(&temporary.region(), &[0xee; 256], places.lanes_at + 4096 + 2048);
    let start = Instant::now();
    for _ in 0..3 {
        refused!(a.push(1), Error::Corrupt { .. });
        refused!(a.read().map(drop), Error::Corrupt { .. });
    }
    b.push(1).unwrap();
    let other = quiet().own_attachment().open(temporary.region()).unwrap();
    vector(&other, "b").push(2).unwrap();
    refused!(other.object::<SharedVec<u64>>("a").map(drop), Error::Corrupt { .. });
    assert!(start.elapsed() < Duration::from_secs(5), "nobody waited for the dead");
    match region.check() {
        Ok(report) => assert!(!report.is_clean()),
        Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{error:?}"),
    }
}

#[test]
fn a_boot_id_counts_only_when_nobody_is_there() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    a.push(1).unwrap();
    let hasty = quiet().lock_timeout(Duration::from_millis(100)).own_attachment();
    let theirs = vector(&hasty.open(temporary.region()).unwrap(), "a");
    let mut guard = a.write().unwrap();
    guard.push(2).unwrap();
    // As another container may see it.
    overwrite(&temporary.region(), &[0x55; 16], 232);
    let other = hasty.open(temporary.region()).unwrap();
    refused!(other.object::<SharedVec<u64>>("a").map(drop), Error::Timeout { .. });
    refused!(theirs.push(9), Error::Timeout { .. });
    guard.push(3).unwrap();
    drop(guard);
    assert_eq!(a.to_vec().unwrap(), [1, 2, 3]);
    is_clean(&region);
}

#[test]
fn after_a_crash_of_the_machine_a_damaged_region_is_found_out_at_opening() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    texts.extend((0..100).map(|number| format!("{number:>40}"))).unwrap();
    drop((texts, region));
    let bytes = content(&temporary.region());
    // The length of a list in the first lane: harmless to whoever opens, and wrong.
    let lists = Places::of(&bytes).lanes_at + 832;
    let list = (0..40).map(|class| lists + class * 8).find(|at| word(&bytes, *at) != 0).unwrap_or(lists);
    overwrite(&temporary.region(), &(word(&bytes, list) ^ 1 << 60).to_le_bytes(), list);
    // Of this boot: believed.
    drop(Region::open(temporary.region()).unwrap());
    std::fs::write(temporary.region(), &bytes).unwrap();
    overwrite(&temporary.region(), &(word(&bytes, list) ^ 1 << 60).to_le_bytes(), list);
    overwrite(&temporary.region(), &[0x55; 16], 232);
    refused!(Region::open(temporary.region()), Error::Corrupt { .. });
    // Another boot alone is no damage.
    std::fs::write(temporary.region(), &bytes).unwrap();
    overwrite(&temporary.region(), &[0x55; 16], 232);
    let region = Region::open(temporary.region()).unwrap();
    assert_eq!(region.object::<SharedVec<String>>("texts").unwrap().len().unwrap(), 100);
}
