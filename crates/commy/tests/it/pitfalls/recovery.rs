//! What recovery does, beyond what killing at every point shows.

#[cfg(target_os = "linux")]
mod shared_word;

use super::{die, is_clean, start, vector};
use crate::damaged::{Places, content, overwrite, word};
use crate::liveness::until;
use crate::refused;
use crate::support::child::End;
use crate::support::stop::{go_on, until_stopped};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedVec};
#[cfg(target_os = "linux")]
use shared_word::SharedWord;
use std::time::{Duration, Instant};

#[test]
fn a_waiter_does_not_pay_for_what_the_dead_left_to_free() {
    let temporary = Temporary::new();
    let region = quiet().capacity(256 << 20).create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    texts.extend((0..150_000).map(|number| format!("{number:>40}"))).unwrap();
    let full = region.stats().unwrap().allocated;
    // With the lock in its hands: whoever gets that next recovers.
    die("die clearing", &temporary, "commit: committed, words held", 1);
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
fn a_lock_word_that_names_nobody_is_damage_and_not_waited_for() {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(Duration::from_secs(20)).create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    a.push(1).unwrap();
    let header = header_of(&content(&temporary.region()), "SharedVec<u64>");
    let start = Instant::now();
    // A lane that nobody has; one that there is not yet; one that there never is.
    for lane in [9u16, 1000, 60_000] {
        overwrite(&temporary.region(), &(lane + 1).to_le_bytes(), header);
        refused!(a.push(2), Error::Corrupt { .. });
        refused!(a.read().map(drop), Error::Corrupt { .. });
        overwrite(&temporary.region(), &[0; 2], header);
    }
    assert!(start.elapsed() < Duration::from_secs(10));
    a.push(2).unwrap();
    is_clean(&region);
}

/// The header of the one object of this schema that has no name.
fn nameless_header(bytes: &[u8], schema: &str) -> u64 {
    let places = Places::of(bytes);
    let is_one = |at: &u64| {
        let (owner, block, len) = (word(bytes, at + 32), word(bytes, at + 40), word(bytes, at + 48));
        let fits = owner != 0 && block >= places.heap_at && len < 1000 && block + len <= places.committed_end;
        fits && bytes[block as usize..(block + len) as usize].ends_with(schema.as_bytes())
    };
    let mut found = (places.heap_at..places.committed_end - 192).step_by(64).filter(is_one);
    let header = found.next().unwrap_or_else(|| panic!("no nameless {schema}"));
    assert_eq!(found.next(), None);
    header
}

#[test]
fn a_late_reaper_does_not_remove_what_is_somebody_elses_now() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    vector(&region, "a");
    let nameless = || {
        let mut child = start("nameless", &temporary, "", 0);
        assert_eq!(child.hear().as_deref(), Some("made"));
        (child, nameless_header(&content(&temporary.region()), "SharedVec<String>"))
    };
    let (mut dead, first) = nameless();
    let mut late = start("stop reaping", &temporary, "lock: intent", 1);
    assert_eq!(late.hear().as_deref(), Some("ready"));
    dead.kill();
    let pid = dead.pid();
    assert_eq!(dead.wait(), End::Killed);
    assert!(late.send("reap"));
    until_stopped(&late);
    // It has seen that the object's owner is dead and is about to lock it. Somebody else reaps, and the same header in
    // the same process slot becomes the object of somebody who lives.
    let reaping = quiet().heartbeat(Duration::from_millis(1)).own_attachment().open(temporary.region()).unwrap();
    until("the dead one is gone", || reaping.processes().unwrap().iter().all(|process| process.pid != pid));
    drop(reaping);
    until("the one who reaped is gone", || region.processes().unwrap().len() == 2);
    let (mut next, second) = nameless();
    assert_eq!(second, first, "the header is used again");
    go_on(&late);
    assert_eq!(late.hear().as_deref(), Some("done"));
    assert!(next.send("go on"));
    assert_eq!(next.hear().as_deref(), Some("done"), "its object is still there");
    drop((late, next));
    is_clean(&region);
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

#[test]
#[cfg(target_os = "linux")]
fn a_wake_that_the_dead_owed_comes_from_recovery() {
    /// The bit and the futex class of those who wait for a change of an object. See the lock word in ARCHITECTURE.md.
    const CHANGE: u32 = 1 << 17;
    const CHANGE_CLASS: u32 = 4;
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let a = vector(&region, "a");
    let header = header_of(&content(&temporary.region()), "SharedVec<u64>");
    let [lock, change] = [0, 4].map(|at| SharedWord::of(&temporary, header + at));
    let woken_by = |what: &dyn Fn()| {
        let seen = change.get().load(std::sync::atomic::Ordering::SeqCst);
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| change.is_woken(seen, CHANGE_CLASS));
            what();
            sleeper.join().unwrap()
        })
    };
    // The lock was free again when its holder died, so nobody meets the dead there; the sleeper would sleep on.
    lock.get().fetch_or(CHANGE, std::sync::atomic::Ordering::SeqCst);
    let dies_before_waking = || {
        die("die pushing", &temporary, "release: word free, nobody woken", 1);
        is_clean(&region);
    };
    assert!(woken_by(&dies_before_waking), "nobody woke who waits for a change");
    lock.get().fetch_and(!CHANGE, std::sync::atomic::Ordering::SeqCst);
    // A waiter dies; perhaps the wake that went to it was meant for somebody else.
    let mut waiter = start("stop pushing", &temporary, "never", 1);
    assert_eq!(waiter.hear().as_deref(), Some("ready"));
    let guard = a.write().unwrap();
    assert!(waiter.send("push"));
    until("it waits", || {
        region.processes().unwrap().iter().any(|process| process.pid == waiter.pid() && process.waits_for.is_some())
    });
    waiter.kill();
    assert_eq!(waiter.wait(), End::Killed);
    drop(guard);
    assert!(woken_by(&|| is_clean(&region)), "nobody woke who waits beside the dead");
    assert_eq!(a.to_vec().unwrap(), [7]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_copy_with_holes_gets_its_storage_when_it_is_opened() {
    use std::os::unix::fs::MetadataExt;
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    vector(&region, "a").reserve(1_000_000).unwrap();
    drop(region);
    // As a copier does that leaves out what is zero. A store into a hole would be a signal once the disk is full.
    let bytes = content(&temporary.region());
    let copy = temporary.file("copy");
    let file = std::fs::File::create_new(&copy).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (number, page) in bytes.chunks(4096).enumerate().filter(|(_, page)| page.iter().any(|byte| *byte != 0)) {
        commy_lab::files::write_all_at(&file, page, number as u64 * 4096).unwrap();
    }
    let places = Places::of(&bytes);
    let heap = places.committed_end - places.heap_at;
    let storage = || file.metadata().unwrap().blocks() * 512;
    assert!(heap > 8_000_000 && storage() < heap / 2, "{} of {heap}", storage());
    let copied = quiet().open(&copy).unwrap();
    assert!(storage() >= heap, "{} of {heap}", storage());
    vector(&copied, "a").push(1).unwrap();
    is_clean(&copied);
}
