//! Maps and sets made of iterators, and the room that they take and give back.

use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedBTreeMap, SharedBTreeSet, SharedHashMap, SharedHashSet, SharedVec};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

fn region(temporary: &Temporary, capacity: u64) -> Region {
    quiet().capacity(capacity).create(temporary.region()).unwrap()
}

#[test]
fn maps_and_sets_are_made_of_iterators() {
    let temporary = Temporary::new();
    let region = region(&temporary, 16 << 20);
    // The first time, what the region itself and this thread's lane take comes with it.
    let left: Vec<u64> = (0..3).map(|_| make_maps_and_sets(&region)).collect();
    assert_eq!(left, [left[0]; 3], "anonymous objects go with their handles");
}

/// Bytes that are in use afterwards.
fn make_maps_and_sets(region: &Region) -> u64 {
    let entries = || (0..500u64).map(|number| (format!("key {}", number % 400), number));
    let keys = || entries().map(|(key, _)| key);
    let hashed = SharedHashMap::<String, u64>::from_iter_in(region, entries()).unwrap();
    assert_eq!(hashed.read().unwrap(), entries().collect::<HashMap<_, _>>());
    let ordered = SharedBTreeMap::<String, u64>::from_iter_in(region, entries()).unwrap();
    assert_eq!(ordered.read().unwrap(), entries().collect::<BTreeMap<_, _>>());
    let hash_set = SharedHashSet::<String>::from_iter_in(region, keys()).unwrap();
    assert_eq!(hash_set.read().unwrap(), keys().collect::<HashSet<_>>());
    let ordered_set = SharedBTreeSet::<String>::from_iter_in(region, keys()).unwrap();
    assert_eq!(ordered_set.read().unwrap(), keys().collect::<BTreeSet<_>>());
    // Guards of one kind are compared with each other, too.
    let other = SharedHashMap::<String, u64>::from_iter_in(region, entries()).unwrap();
    assert!(hashed.read().unwrap() == other.read().unwrap());
    other.insert("key 1", 0).unwrap();
    assert!(hashed.read().unwrap() != other.read().unwrap());
    let other = SharedBTreeMap::<String, u64>::from_iter_in(region, entries()).unwrap();
    assert!(ordered.read().unwrap() == other.read().unwrap());
    other.remove("key 1").unwrap();
    assert!(ordered.read().unwrap() != other.read().unwrap());
    assert!(hash_set.read().unwrap() == hash_set.read().unwrap());
    drop((hashed, ordered, hash_set, ordered_set, other));
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
    report.allocated_bytes
}

#[test]
fn what_is_reserved_is_given_back() {
    let temporary = Temporary::new();
    let region = region(&temporary, 64 << 20);
    let bytes = || {
        let report = region.check().unwrap();
        assert!(report.is_clean(), "{report}");
        report.allocated_bytes
    };
    let map = SharedHashMap::<u64, u64>::with_capacity_in(&region, 10_000).unwrap();
    let set = SharedHashSet::<String>::with_capacity_in(&region, 10_000).unwrap();
    assert!(map.capacity().unwrap() >= 10_000 && set.capacity().unwrap() >= 10_000);
    map.extend((0..100).map(|number| (number, number))).unwrap();
    set.extend((0..100).map(|number| number.to_string())).unwrap();
    let (many, twin) = (bytes(), map.to_map().unwrap());
    map.shrink_to(1000).unwrap();
    assert!((1000..5000).contains(&map.capacity().unwrap()));
    map.shrink_to_fit().unwrap();
    set.shrink_to_fit().unwrap();
    assert!((100..300).contains(&map.capacity().unwrap()) && (100..300).contains(&set.capacity().unwrap()));
    assert!(bytes() + 10_000 * 30 < many, "{} of {many} bytes are left", bytes());
    assert_eq!(map.to_map().unwrap(), twin);
    assert!((0..100u64).all(|number| set.contains(&number.to_string()).unwrap()));
    // To grow again is no different.
    map.extend((0..5000).map(|number| (number, number))).unwrap();
    assert_eq!(map.len().unwrap(), 5000);
    map.clear().unwrap();
    set.retain(|_| false).unwrap();
    set.shrink_to_fit().unwrap();
    assert_eq!((map.capacity().unwrap(), set.capacity().unwrap()), (0, 0));
    bytes();
}

#[test]
fn without_room_to_change_values_nothing_has_changed() {
    let temporary = Temporary::new();
    let region = region(&temporary, 4 << 20);
    let map: SharedHashMap<u64, u64> = region.object("map").unwrap();
    let filler: commy::SharedVec<String> = region.object("filler").unwrap();
    map.extend((0..8000).map(|number| (number, number))).unwrap();
    let twin = map.to_map().unwrap();
    let fill = |len: usize| while filler.push("x".repeat(len)).is_ok() {};
    fill(30_000);
    fill(3_000);
    let mut guard = map.write().unwrap();
    assert!(matches!(guard.iter_mut().map(drop), Err(Error::OutOfSpace { .. })));
    assert!(matches!(guard.values_mut().map(drop), Err(Error::OutOfSpace { .. })));
    drop(guard);
    assert!(matches!(map.write().unwrap().retain_mut(|_, _| true), Err(Error::OutOfSpace { .. })));
    assert_eq!(map.to_map().unwrap(), twin);
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_large_region_grows_under_those_who_have_it_open() {
    let temporary = Temporary::new();
    // So much that no system maps all of it at once.
    let open = || quiet().capacity(4 << 30).own_attachment().open_or_create(temporary.region()).unwrap();
    let texts_in = |region: &Region| region.object::<SharedVec<String>>("texts").unwrap();
    let (first, second) = (open(), open());
    let reader = quiet().read_only(true).open(temporary.region()).unwrap();
    let (own, others) = (texts_in(&first), texts_in(&second));
    let read = reader.open_object::<SharedVec<String>>("texts").unwrap();
    for number in 0..30_usize {
        let text = format!("{number}").repeat(3 << 20);
        own.push(&*text).unwrap();
        for seen in [&others, &read] {
            assert!(seen.get(number).unwrap().as_deref() == Some(&*text), "{number}");
        }
    }
    assert!(first.stats().unwrap().committed > 90 << 20);
    assert!(second.check().unwrap().is_clean());
}
