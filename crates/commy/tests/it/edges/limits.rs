//! What a process may have: address space, descriptors.

use super::{is_clean, limit, names, run, spawn};
use crate::liveness::until;
use crate::support::child;
use crate::support::stop::slot_is_held;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedVec};
use std::path::Path;
use std::time::Duration;

#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path] = arguments else { panic!("{arguments:?}") };
        let path = Path::new(path);
        match *role {
            "address space" => address_space(path),
            "descriptors" => descriptors(path),
            "hold" => {
                let region = quiet().open(path).unwrap();
                let numbers = numbers(&region);
                let mut guard = numbers.write().unwrap();
                guard.push(7).unwrap();
                child::tell("held");
                child::listen();
            }
            other => panic!("{other}"),
        }
    });
}

fn numbers(region: &Region) -> SharedVec<u64> {
    region.object("numbers").unwrap()
}

/// Bytes of address space in use.
fn in_use() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

fn no_memory<T>(result: commy::Result<T>) {
    match result {
        Err(Error::Io { source, .. }) => assert_eq!(source.kind(), std::io::ErrorKind::OutOfMemory),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("there was enough"),
    }
}

fn address_space(path: &Path) {
    let directory = path.parent().unwrap();
    let large = || quiet().capacity(16 << 30);
    drop(large().create(path).unwrap());
    limit(libc::RLIMIT_AS, Some(in_use() + (1 << 30)));
    let before = in_use();
    for _ in 0..3 {
        no_memory(large().open(path));
        no_memory(large().open_or_create(path));
        no_memory(large().read_only(true).open(path));
        no_memory(large().create(directory.join("new")));
    }
    assert_eq!(names(directory), ["region"], "nothing is left behind");
    assert!(in_use() < before + (256 << 20), "mappings are left behind");
    assert!(!slot_is_held(path, 0), "a slot is left behind");
    // What fits works beside it.
    drop(quiet().create(directory.join("small")).unwrap());
    limit(libc::RLIMIT_AS, None);
    let region = large().open(path).unwrap();
    numbers(&region).push(1).unwrap();
    is_clean(&region);
}

fn no_descriptors<T>(result: commy::Result<T>) {
    match result {
        Err(Error::Io { source, .. }) => assert_eq!(source.raw_os_error(), Some(libc::EMFILE)),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("there was one"),
    }
}

fn descriptors(path: &Path) {
    let region = quiet().lock_timeout(Duration::from_millis(300)).create(path).unwrap();
    let numbers = numbers(&region);
    let texts: SharedVec<String> = region.object("texts").unwrap();
    let mut holder = spawn("limits", &["hold", path.to_str().unwrap()]);
    assert_eq!(holder.hear().as_deref(), Some("held"));
    limit(libc::RLIMIT_NOFILE, Some(0));
    // Who lives is not condemned, and not waited for without an end.
    match numbers.push(1) {
        Err(Error::Timeout { holder: named, waited }) => {
            assert_eq!((named.pid, named.dead), (holder.pid(), false));
            assert!(waited < Duration::from_secs(5));
        }
        other => panic!("{other:?}"),
    }
    // Growth takes no descriptor.
    let committed = region.stats().unwrap().committed;
    (0..20).for_each(|_| texts.push("x".repeat(1 << 20)).unwrap());
    assert!(region.stats().unwrap().committed > committed);
    assert_eq!(region.processes().unwrap().len(), 2);
    for _ in 0..3 {
        no_descriptors(quiet().own_attachment().open(path));
        no_descriptors(quiet().read_only(true).open(path));
        no_descriptors(quiet().create(path.with_file_name("new")));
    }
    // Who dies is seen to be dead.
    holder.kill();
    until("the lock of the dead is had", || match numbers.push(2) {
        Ok(()) => true,
        Err(Error::Timeout { .. }) => false,
        Err(error) => panic!("{error:?}"),
    });
    assert_eq!(numbers.to_vec().unwrap(), [2]);
    limit(libc::RLIMIT_NOFILE, None);
    let other = quiet().own_attachment().open(path).unwrap();
    self::numbers(&other).push(3).unwrap();
    is_clean(&region);
    assert_eq!(region.stats().unwrap().processes, 2, "the dead one's slot is free");
    assert_eq!(names(path.parent().unwrap()), ["region"]);
}

#[test]
fn without_address_space_for_its_capacity_a_region_is_not_opened() {
    let temporary = Temporary::new();
    run("limits", "address space", &temporary.region());
}

#[test]
fn a_process_without_descriptors_goes_on_and_neither_hangs_nor_robs() {
    let temporary = Temporary::new();
    run("limits", "descriptors", &temporary.region());
}

#[test]
fn what_is_used_up_is_named() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let objects: Vec<SharedVec<u64>> = (0..20).map(|number| region.object(&number.to_string()).unwrap()).collect();
    let readers: Vec<_> = objects.iter().map(SharedVec::read).take_while(Result::is_ok).collect();
    assert_eq!(readers.len(), 8);
    let error = objects[8].read().map(drop).unwrap_err();
    assert_eq!(error.to_string(), "all 8 read guards of one thread are in use");
    assert!(matches!(error, Error::Exhausted { what: "read guards of one thread", limit: 8 }));
    drop(readers);
    drop(objects[8].read().unwrap());
    let writers: Vec<_> = objects.iter().map(SharedVec::write).take_while(Result::is_ok).collect();
    assert_eq!(writers.len(), 16);
    let error = objects[16].write().map(drop).unwrap_err();
    assert_eq!(error.to_string(), "all 16 guards of one thread are in use");
    assert!(matches!(error, Error::Exhausted { what: "guards of one thread", limit: 16 }));
    drop(writers);
    objects[16].push(1).unwrap();
    is_clean(&region);
}
