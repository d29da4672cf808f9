//! What a caller hands in as a closure may panic: what it is part of is whole or absent all the same.

use crate::model::unwind;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, Result, SharedBTreeMap, SharedBTreeSet, SharedHashMap, SharedHashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The third time it is asked it panics.
fn third() -> impl FnMut() -> bool {
    let mut left = 3;
    move || {
        left -= 1;
        if left == 0 { unwind() } else { false }
    }
}

/// `call` unwinds, and `look` sees what it saw before.
#[track_caller]
fn changes_nothing<R, S: PartialEq + Debug>(region: &Region, look: impl Fn() -> S, call: impl FnOnce() -> Result<R>) {
    let before = look();
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err(), "it must panic");
    assert_eq!(look(), before);
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Calls that both kinds of maps have.
macro_rules! maps {
    ($map:ident, $region:expr) => {{
        let map: $map<String, String> = $region.object(stringify!($map)).unwrap();
        map.extend((0..40).map(|number| (format!("key {number}"), format!("a value that needs a block, {number}"))))
            .unwrap();
        let look = || map.to_map().unwrap().into_iter().collect::<BTreeMap<String, String>>();
        let mut ask = third();
        changes_nothing(&$region, look, || map.retain(|_, _| ask()));
        let mut ask = third();
        changes_nothing(&$region, look, || map.extract_if(|_, _| !ask()));
        changes_nothing(&$region, look, || map.get_or_insert_with("new", || -> String { unwind() }));
        changes_nothing(&$region, look, || map.update::<_, ()>("key 1", |_| unwind()));
        changes_nothing(&$region, look, || map.replace_if("key 1", "other", |_| unwind()));
        changes_nothing(&$region, look, || map.remove_if("key 1", |_| unwind()));
        // A guard whose call was left half-done by a panic that somebody caught goes no further.
        let mut guard = map.write().unwrap();
        guard.insert("before", "it").unwrap();
        let mut ask = third();
        assert!(catch_unwind(AssertUnwindSafe(|| guard.extract_if(|_, _| !ask()))).is_err());
        assert!(matches!(guard.insert("after", "it"), Err(Error::RolledBack)));
        drop(guard);
        assert!(look().len() == 40 && !map.contains_key("before").unwrap());
        // One whose call had changed nothing yet goes on.
        let mut guard = map.write().unwrap();
        let unwound =
            catch_unwind(AssertUnwindSafe(|| guard.get_or_insert_with("new", || -> String { unwind() }).map(drop)));
        assert!(unwound.is_err());
        guard.insert("after", "it").unwrap();
        drop(guard);
        assert!(look().len() == 41 && !map.contains_key("new").unwrap());

        let numbers: $map<u64, u64> = $region.object(concat!(stringify!($map), " of numbers")).unwrap();
        numbers.extend((0..200).map(|number| (number, number))).unwrap();
        let look = || numbers.to_map().unwrap().into_iter().collect::<BTreeMap<u64, u64>>();
        changes_nothing(&$region, look, || numbers.update::<_, ()>(&1, |_| unwind()));
        let mut ask = third();
        changes_nothing(&$region, look, || {
            numbers.write()?.retain_mut(|_, value| {
                *value += 1;
                ask()
            })
        });
        changes_nothing(&$region, look, || {
            let mut guard = numbers.write()?;
            for (_, value) in guard.iter_mut()?.take(150) {
                *value += 1;
            }
            unwind();
            #[allow(unreachable_code)]
            Ok(())
        });
    }};
}

macro_rules! sets {
    ($set:ident, $region:expr) => {{
        let set: $set<String> = $region.object(stringify!($set)).unwrap();
        set.extend((0..40).map(|number| format!("a key that needs a block, {number}"))).unwrap();
        let look = || set.to_set().unwrap().into_iter().collect::<BTreeSet<String>>();
        let mut ask = third();
        changes_nothing(&$region, look, || set.retain(|_| ask()));
        let mut ask = third();
        changes_nothing(&$region, look, || set.extract_if(|_| !ask()));
    }};
}

#[test]
fn a_closure_that_panics_changes_no_map() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    maps!(SharedHashMap, region);
    maps!(SharedBTreeMap, region);
}

#[test]
fn a_closure_that_panics_changes_no_set() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    sets!(SharedHashSet, region);
    sets!(SharedBTreeSet, region);
}

#[test]
fn a_closure_may_use_other_objects_but_not_its_own() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let map: SharedHashMap<u64, u64> = region.object("map").unwrap();
    let other: SharedHashMap<u64, u64> = region.object("other").unwrap();
    let value = map.get_or_insert_with(1, || {
        assert!(matches!(map.insert(2, 2), Err(Error::Deadlock)));
        other.insert(3, 3).unwrap();
        7
    });
    assert_eq!(value.unwrap(), 7);
    assert_eq!((map.len().unwrap(), other.get(&3).unwrap()), (1, Some(3)));
}

#[test]
fn of_many_who_ask_for_a_key_one_makes_its_value() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let hashed: SharedHashMap<u64, u64> = region.object("hashed").unwrap();
    let ordered: SharedBTreeMap<u64, u64> = region.object("ordered").unwrap();
    let made: SharedHashMap<(u64, u64), u64> = region.object("made").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (hashed, ordered, made) = (&hashed, &ordered, &made);
            scope.spawn(move || {
                for key in 0..500 {
                    let make = |kind: u64| {
                        made.extend([((kind, key), thread)]).unwrap();
                        made.insert((kind + 2, key), 0).unwrap().map_or(thread, |_| panic!("made twice"))
                    };
                    let one = hashed.get_or_insert_with(key, || make(0)).unwrap();
                    let other = ordered.get_or_insert_with(key, || make(1)).unwrap();
                    assert_eq!(made.get_many([&(0, key), &(1, key)]).unwrap(), [Some(one), Some(other)]);
                }
            });
        }
    });
    assert_eq!((hashed.len().unwrap(), ordered.len().unwrap(), made.len().unwrap()), (500, 500, 2000));
}
