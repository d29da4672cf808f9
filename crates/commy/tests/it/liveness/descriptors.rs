//! `closefrom(3)` in a process that is attached: its locks stay, and growth does not write into strangers' files.

use super::spawn;
use crate::refused;
use crate::support::child::{self, End};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedVec};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path] = arguments else { panic!("{arguments:?}") };
        let region = quiet().open(path).unwrap();
        let held: SharedVec<u64> = region.object("held").unwrap();
        let texts: SharedVec<String> = region.object("texts").unwrap();
        let mut guard = held.write().unwrap();
        guard.push(1).unwrap();
        // SAFETY: closes numbers that belong to nobody who would close them again without looking.
        assert_eq!(unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) }, 0);
        child::tell("closed");
        child::listen();
        // Files of somebody else, under the numbers that the library had.
        let directory = Path::new(path).parent().unwrap();
        let strangers: Vec<File> =
            (0..20).map(|number| File::create(directory.join(format!("stranger {number}"))).unwrap()).collect();
        assert!(strangers[0].as_raw_fd() == 3);
        if *role == "unlinked" {
            fs::rename(path, directory.join("elsewhere")).unwrap();
        }
        let committed = region.stats().unwrap().committed;
        let mut grown = Ok(());
        for number in 0..400 {
            grown = grown.and_then(|()| texts.push("x".repeat(40_000 + number)));
        }
        match *role {
            "named" => {
                grown.unwrap();
                assert!(region.stats().unwrap().committed > committed);
            }
            _ => refused!(grown, Error::Unsupported { .. } | Error::Io { .. }),
        }
        guard.push(2).unwrap();
        drop(guard);
        // What needs no growth still works.
        held.push(3).unwrap();
        assert!(
            strangers.iter().all(|stranger| stranger.metadata().unwrap().len() == 0),
            "a stranger's file was touched"
        );
        drop((held, texts, region));
        assert!(strangers.iter().all(|stranger| stranger.metadata().is_ok()), "a stranger's file was closed");
    });
}

fn closed_from_three(role: &str) {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let held: SharedVec<u64> = region.object("held").unwrap();
    let path = temporary.region();
    let hasty = quiet().lock_timeout(Duration::from_millis(200)).own_attachment().open(&path).unwrap();
    let theirs: SharedVec<u64> = hasty.object("held").unwrap();
    let mut child = spawn("descriptors", &[role, path.to_str().unwrap()]);
    assert_eq!(child.hear().as_deref(), Some("closed"));
    match theirs.push(9) {
        Err(Error::Timeout { holder, .. }) => assert_eq!(holder.pid, child.pid()),
        other => panic!("a living process was robbed: {other:?}"),
    }
    drop((theirs, hasty));
    child.send("go on");
    assert_eq!(child.wait(), End::Finished);
    assert_eq!(held.to_vec().unwrap(), [1, 2, 3]);
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
    drop((held, region));
    if role == "named" {
        let region = Region::open(&path).unwrap();
        assert_eq!(region.object::<SharedVec<String>>("texts").unwrap().len().unwrap(), 400);
    }
}

#[test]
fn a_process_that_closed_all_descriptors_keeps_its_locks_and_grows() {
    closed_from_three("named");
}

#[test]
fn a_process_that_closed_all_descriptors_of_a_moved_region_gets_an_error() {
    closed_from_three("unlinked");
}
