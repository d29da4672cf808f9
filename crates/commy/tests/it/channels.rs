//! Channels: a queue with two ends, each of which one at a time has; what becomes of ends and messages when somebody dies.

mod deaths;
mod ends;
#[cfg(target_os = "linux")]
mod forks;
mod traffic;

use crate::support::child::{self, text};
use crate::support::temporary::{self, Temporary, quiet};
use commy::{Region, SharedChannel};
use std::path::Path;
use std::time::Duration;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(30);

type Numbers = SharedChannel<u64>;

fn region() -> (Temporary, Region) {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).expect("a region");
    (temporary, region)
}

fn numbers(region: &Region) -> Numbers {
    region.object("numbers").expect("a channel")
}

fn open(path: &str) -> Region {
    temporary::open(Path::new(path)).expect("a region")
}

fn spawn(temporary: &Temporary, arguments: &[&str]) -> child::Child {
    let mut all = vec![arguments[0].to_string(), text(&temporary.region())];
    all.extend(arguments[1..].iter().map(ToString::to_string));
    child::Child::spawn("channels::entry", &all)
}

#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path, more @ ..] = arguments else { panic!("{arguments:?}") };
        let region = open(path);
        match *role {
            "keep" => ends::keep(&region, more),
            "act" => deaths::act(&region, more),
            "echo" => traffic::echo(&region),
            "send" => traffic::send(&region, more),
            "receive" => traffic::receive(&region, more),
            #[cfg(target_os = "linux")]
            "fork" => forks::fork_with_ends(&region),
            other => panic!("{other}"),
        }
    });
}

#[track_caller]
fn is_clean(region: &Region) {
    let report = region.check().expect("a check");
    assert!(report.is_clean(), "{report}");
}
