//! What broke earlier drafts of the design, as far as no other module shows it. The table in docs/crash-safety.md says
//! which test belongs to which hole.

mod contention;
mod hostile;
mod memory;
mod objects;
mod paused;
pub mod recovery;
#[cfg(target_os = "linux")]
mod systems;
mod values;

use crate::support::child::{self, Child};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedVec, crash};
use std::path::Path;

/// Children of these tests: they prepare what `role` says, then stop or die at a point.
#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path, point, nth] = arguments else { panic!("{arguments:?}") };
        let region = quiet().open(path).unwrap();
        let arm = |act: Act| match act {
            Act::Stop => crash::stop_at(point, nth.parse().unwrap()),
            Act::Die => crash::arm_at(point, nth.parse().unwrap(), &Path::new(path).with_file_name("deaths")),
        };
        roles(role, &region, &arm);
        child::tell("done");
        child::listen();
    });
}

#[derive(Clone, Copy)]
enum Act {
    Stop,
    Die,
}

fn roles(role: &str, region: &Region, arm: &dyn Fn(Act)) {
    match role {
        "hold" => {
            let a = vector(region, "a");
            let mut guard = a.write().unwrap();
            guard.push(7).unwrap();
            child::tell("held");
            child::listen();
            guard.push(8).unwrap();
            drop(guard);
        }
        "die pushing" => {
            let a = vector(region, "a");
            arm(Act::Die);
            a.push(7).unwrap();
        }
        "die holding" => {
            let a = vector(region, "a");
            let mut guard = a.write().unwrap();
            guard.push(7).unwrap();
            arm(Act::Die);
            guard.extend(0..100).unwrap();
        }
        "die removing" => {
            arm(Act::Die);
            region.remove_object("a").unwrap();
        }
        "stop removing" => {
            arm(Act::Stop);
            assert!(matches!(region.remove_object("a"), Err(Error::NotFound)));
        }
        "stop with the directory" => {
            region.remove_object("a").unwrap();
            arm(Act::Stop);
            vector(region, "b").push(1).unwrap();
        }
        "die clearing" => {
            let texts: SharedVec<String> = region.object("texts").unwrap();
            arm(Act::Die);
            texts.clear().unwrap();
        }
        "die refused" => {
            // The intent of a call that is refused must never be written: it would name a lock that an outer guard has.
            let a = vector(region, "a");
            let mut guard = a.write().unwrap();
            guard.push(7).unwrap();
            arm(Act::Die);
            assert!(a.push(8).is_err() && a.read().is_err());
            crash::disarm();
            drop(guard);
        }
        "leave caches" => {
            let texts: SharedVec<String> = region.object("texts").unwrap();
            memory::use_many_classes(&texts);
            arm(Act::Die);
            region.object::<SharedVec<u64>>("a").unwrap().push(1).unwrap();
        }
        "stop refilling" => {
            let texts: SharedVec<String> = region.object("texts").unwrap();
            texts.reserve(1000).unwrap();
            // The span is there, and the first batch of it is in use.
            (0..10).for_each(|_| texts.push("x".repeat(100)).unwrap());
            arm(Act::Stop);
            (0..200).for_each(|_| texts.push("x".repeat(100)).unwrap());
        }
        "stop taking pages" => {
            let texts: SharedVec<String> = region.object("texts").unwrap();
            texts.reserve(10).unwrap();
            arm(Act::Stop);
            texts.push("x".repeat(100_000)).unwrap();
        }
        "stop growing" => {
            let texts: SharedVec<String> = region.object("texts").unwrap();
            arm(Act::Stop);
            texts.push("x".repeat(1 << 20)).unwrap();
        }
        "stop growing far" => {
            let texts: SharedVec<String> = region.object("texts").unwrap();
            arm(Act::Stop);
            texts.push("x".repeat(40_000_000)).unwrap();
        }
        "stop creating" => {
            arm(Act::Stop);
            let new = quiet().open_or_create(region.path().with_file_name("new")).unwrap();
            vector(&new, "a").push(7).unwrap();
        }
        "stop opening" => {
            arm(Act::Stop);
            let own = quiet().own_attachment().open(region.path()).unwrap();
            vector(&own, "a").push(7).unwrap();
        }
        "read" => {
            // One that cannot lock, or it might be stopped with a lock.
            let reader = quiet().read_only(true).open(region.path()).unwrap();
            let numbers: SharedVec<u64> = reader.open_object("a").unwrap();
            let texts: SharedVec<String> = reader.open_object("texts").unwrap();
            child::tell("ready");
            while child::listen() == "read" {
                let row = numbers.to_vec().unwrap();
                assert!(row[1..] == row[..row.len() - 1], "torn numbers");
                let row = texts.to_vec().unwrap();
                assert!(row[1..] == row[..row.len() - 1], "torn texts");
                child::tell("whole");
            }
        }
        "stop closing" => {
            let own = quiet().own_attachment().open(region.path()).unwrap();
            arm(Act::Stop);
            drop(own);
        }
        "stop checking" => {
            arm(Act::Stop);
            is_clean(region);
        }
        "nameless" => {
            let texts = SharedVec::<String>::new_in(region).unwrap();
            child::tell("made");
            child::listen();
            texts.push("still ours").unwrap();
            assert_eq!(texts.to_vec().unwrap(), ["still ours"]);
        }
        "stop reaping" => {
            vector(region, "a").push(1).unwrap();
            child::tell("ready");
            child::listen();
            arm(Act::Stop);
            is_clean(region);
        }
        "stop pushing" => {
            let a = vector(region, "a");
            child::tell("ready");
            child::listen();
            arm(Act::Stop);
            a.push(2).unwrap();
        }
        "stop reading" => {
            let a = vector(region, "a");
            child::tell("ready");
            child::listen();
            drop(a.read().unwrap());
        }
        other => panic!("{other}"),
    }
}

fn vector(region: &Region, name: &str) -> SharedVec<u64> {
    region.object(name).unwrap()
}

fn start(role: &str, temporary: &Temporary, point: &str, nth: u32) -> Child {
    let path = child::text(&temporary.region());
    Child::spawn("pitfalls::entry", &[role.into(), path, point.into(), nth.to_string()])
}

/// A child that dies at a point.
fn die(role: &str, temporary: &Temporary, point: &str, nth: u32) {
    assert_eq!(start(role, temporary, point, nth).wait(), child::End::Killed, "{role} reaches {point}");
}

fn is_clean(region: &Region) {
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}
