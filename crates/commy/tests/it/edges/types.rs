//! Two builds of one program whose types have the same names: the same layout is the same type, any other is refused, and
//! the error says what differs.

use super::is_clean;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, Result, SharedBox, SharedVec};

/// One build's idea of the types `Task`, `Level` and `Page`, and how it opens the objects of any build.
macro_rules! build {
    ($name:ident { $($fields:tt)* } { $($variants:tt)* } { $($owned:tt)* }) => {
        mod $name {
            use commy::{Plain, Region, Result, SharedBox, SharedHashMap, SharedVec, Value};

            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Plain)]
            #[repr(C)]
            pub struct Task { $($fields)* }

            #[derive(Clone, Copy, Debug, Default, PartialEq, Plain)]
            #[repr(u8)]
            pub enum Level { #[default] $($variants)* }

            #[derive(Clone, Debug, Default, PartialEq, Value)]
            pub struct Page { $($owned)* }

            pub fn open(region: &Region) -> [Result<()>; 5] {
                [
                    region.open_object::<SharedVec<Task>>("tasks").map(drop),
                    region.open_object::<SharedHashMap<Task, u64>>("by task").map(drop),
                    region.open_object::<SharedBox<Level>>("level").map(drop),
                    region.open_object::<SharedVec<Page>>("pages").map(drop),
                    region.open_object::<SharedVec<Vec<Level>>>("levels").map(drop),
                ]
            }

            pub fn make(region: &Region) {
                region.object::<SharedVec<Task>>("tasks").unwrap().push(Task::default()).unwrap();
                region.object::<SharedHashMap<Task, u64>>("by task").unwrap().insert(Task::default(), 1).unwrap();
                region.object::<SharedBox<Level>>("level").unwrap().set(Level::default()).unwrap();
                region.object::<SharedVec<Page>>("pages").unwrap().push(&Page::default()).unwrap();
                region.object::<SharedVec<Vec<Level>>>("levels").unwrap().push(&vec![Level::default()]).unwrap();
            }
        }
    };
}

build!(old { id: u64, weight: u32, tries: u32 } { Low = 1, High = 2 } { title: String, words: Vec<u64> });
build!(same { id: u64, weight: u32, tries: u32 } { Low = 1, High = 2 } { title: String, words: Vec<u64> });
build!(reordered { id: u64, tries: u32, weight: u32 } { Low = 1, High = 2 } { words: Vec<u64>, title: String });
build!(changed { id: u64, weight: i32, tries: u32 } { Low = 1, High = 3 } { title: String, words: Vec<u32> });
build!(added { id: u64, weight: u32, tries: u32, owner: u64 } { Low = 1, High = 2, Top = 3 } { title: String, words: Vec<u64>, seen: u64 });
build!(renamed { id: u64, weight: u32, attempts: u32 } { Low = 1, Tall = 2 } { heading: String, words: Vec<u64> });

#[test]
fn types_of_another_build_are_the_same_only_if_their_layout_is() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    old::make(&region);
    for (name, build) in [("old", old::open(&region)), ("same", same::open(&region))] {
        for (number, object) in build.into_iter().enumerate() {
            object.unwrap_or_else(|error| panic!("{name}, object {number}: {error}"));
        }
    }
    // What the difference must name: of the struct, of the enum, of the struct that owns memory.
    let builds = [
        ("reordered", reordered::open(&region), ["tries", "", "words"]),
        ("changed", changed::open(&region), ["weight", "High", "words"]),
        ("added", added::open(&region), ["owner", "Top", "seen"]),
        ("renamed", renamed::open(&region), ["attempts", "Tall", "heading"]),
    ];
    for (name, objects, [task, level, page]) in builds {
        for (object, culprit) in objects.into_iter().zip([task, task, level, page, level]) {
            match object {
                Err(Error::TypeMismatch { difference, expected, found }) => {
                    assert!(!culprit.is_empty() && difference.contains(culprit), "{name}: {difference}");
                    assert!(expected != found);
                    println!("{name}: {difference}");
                }
                Ok(()) => assert!(culprit.is_empty(), "{name}: {culprit} was not noticed"),
                Err(other) => panic!("{name}: {other:?}"),
            }
        }
    }
    // Each of them is right in a region of its own.
    for (make, open) in [
        (same::make as fn(&Region), same::open as fn(&Region) -> [Result<()>; 5]),
        (reordered::make, reordered::open),
        (changed::make, changed::open),
        (added::make, added::open),
        (renamed::make, renamed::open),
    ] {
        let temporary = Temporary::new();
        let region = quiet().create(temporary.region()).unwrap();
        make(&region);
        assert!(open(&region).iter().all(Result::is_ok));
    }
    // A read-only client is told the same.
    let reader = quiet().read_only(true).open(temporary.region()).unwrap();
    assert!(same::open(&reader).iter().all(Result::is_ok));
    assert!(matches!(&changed::open(&reader)[0], Err(Error::TypeMismatch { .. })));
    assert_eq!(region.open_object::<SharedVec<old::Task>>("tasks").unwrap().to_vec().unwrap(), [old::Task::default()]);
    assert_eq!(region.open_object::<SharedBox<old::Level>>("level").unwrap().get().unwrap(), old::Level::Low);
    is_clean(&region);
}
