//! A region's file in other hands, while it is in use: deleted, replaced, cut off; and names that lead nowhere.

#[cfg(target_os = "linux")]
use super::names;
use super::{is_clean, spawn};
use crate::damaged::{Places, content};
use crate::refused;
use crate::support::child::{self, End};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedVec};
use std::fs::{self, File};
use std::path::Path;

#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path] = arguments else { panic!("{arguments:?}") };
        let region = quiet().open(path).unwrap();
        let (numbers, texts) = (numbers(&region), texts(&region));
        child::tell("ready");
        child::listen();
        match *role {
            // Where there is no storage any more, an access is a signal. What it ends is a process like any other.
            "read what is cut off" => {
                let _ = numbers.to_vec();
                child::tell("read it all the same");
            }
            "grow" => {
                let pushed = texts.push("x".repeat(3 << 20));
                refused!(pushed, Error::Corrupt { rule: "the file is shorter than committed_end", .. });
                assert_eq!(texts.len().unwrap(), 1);
            }
            "go on" => {
                for number in 0..20 {
                    numbers.push(number).unwrap();
                    texts.push("x".repeat(1 << 20)).unwrap();
                }
                is_clean(&region);
            }
            other => panic!("{other}"),
        }
    });
}

fn numbers(region: &Region) -> SharedVec<u64> {
    region.object("numbers").unwrap()
}

fn texts(region: &Region) -> SharedVec<String> {
    region.object("texts").unwrap()
}

fn create(path: &Path) -> Region {
    let region = quiet().create(path).unwrap();
    numbers(&region).push(1).unwrap();
    texts(&region).push("first").unwrap();
    region
}

fn user(role: &str, path: &Path) -> child::Child {
    let mut child = spawn("files", &[role, path.to_str().unwrap()]);
    assert_eq!(child.hear().as_deref(), Some("ready"));
    child
}

/// Takes the name away, as any program may; Windows lets none but the library do so while the file is mapped.
fn delete(path: &Path) {
    if cfg!(windows) { Region::remove(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

/// Puts another file in place of the region's, which Windows does only after [`delete`].
fn replace(new: &Path, path: &Path) {
    if cfg!(windows) {
        delete(path);
    }
    fs::rename(new, path).unwrap();
}

/// Both go on with a file that has no name any more, together.
fn goes_on(region: &Region, mut other: child::Child) {
    let committed = region.stats().unwrap().committed;
    texts(region).push("x".repeat(9 << 20)).unwrap();
    assert!(region.stats().unwrap().committed > committed);
    other.send("go on");
    assert_eq!(other.wait(), End::Finished);
    assert_eq!(numbers(region).len().unwrap(), 21);
    assert_eq!(texts(region).len().unwrap(), 22);
    is_clean(region);
}

#[test]
fn a_region_whose_file_is_deleted_serves_those_who_have_it() {
    let temporary = Temporary::new();
    let region = create(&temporary.region());
    let other = user("go on", &temporary.region());
    delete(&temporary.region());
    refused!(quiet().open(temporary.region()), Error::NotFound);
    refused!(quiet().read_only(true).open(temporary.region()), Error::NotFound);
    goes_on(&region, other);
}

#[test]
fn a_region_whose_file_is_replaced_serves_those_who_have_it_and_newcomers_get_the_new_one() {
    let temporary = Temporary::new();
    let region = create(&temporary.region());
    let other = user("go on", &temporary.region());
    let new = create(&temporary.file("new"));
    numbers(&new).push(77).unwrap();
    replace(&temporary.file("new"), &temporary.region());
    let newcomer = quiet().own_attachment().open(temporary.region()).unwrap();
    assert_eq!(numbers(&newcomer).to_vec().unwrap(), [1, 77]);
    // In the process that has the old one open, too.
    assert_eq!(numbers(&quiet().open(temporary.region()).unwrap()).to_vec().unwrap(), [1, 77]);
    goes_on(&region, other);
    assert_eq!(numbers(&newcomer).to_vec().unwrap(), [1, 77]);
    is_clean(&newcomer);
    // Not a region at all.
    fs::write(temporary.file("new"), "nothing").unwrap();
    replace(&temporary.file("new"), &temporary.region());
    refused!(quiet().open(temporary.region()), Error::NotARegion { .. });
    assert_eq!(numbers(&region).len().unwrap(), 21);
}

#[test]
fn a_file_that_was_cut_off_is_not_grown_nor_opened() {
    let temporary = Temporary::new();
    drop(create(&temporary.region()));
    let places = Places::of(&content(&temporary.region()));
    let mut other = user("grow", &temporary.region());
    // The last page, which nothing lies in yet.
    let cut = places.committed_end - 4096;
    let file = File::options().write(true).open(temporary.region()).unwrap();
    let was_cut = file.set_len(cut);
    if cfg!(windows) {
        // The system does not allow it: ERROR_USER_MAPPED_FILE.
        assert_eq!(was_cut.unwrap_err().raw_os_error(), Some(1224));
        other.kill();
        file.set_len(cut).unwrap();
        refused!(quiet().open(temporary.region()), Error::Corrupt { .. });
        return;
    }
    was_cut.unwrap();
    other.send("go on");
    assert_eq!(other.wait(), End::Finished);
    assert_eq!(file.metadata().unwrap().len(), cut, "it is not made whole with zeros");
    for options in [quiet(), quiet().read_only(true)] {
        refused!(options.open(temporary.region()), Error::Corrupt { .. });
    }
}

#[test]
#[cfg(target_os = "linux")]
fn who_reads_what_was_cut_off_ends_by_a_signal_and_nobody_else() {
    let temporary = Temporary::new();
    let region = create(&temporary.region());
    numbers(&region).extend(0..100_000).unwrap();
    drop(region);
    let places = Places::of(&content(&temporary.region()));
    let mut other = user("read what is cut off", &temporary.region());
    File::options().write(true).open(temporary.region()).unwrap().set_len(places.heap_at + (64 << 10)).unwrap();
    other.send("go on");
    assert_eq!(other.hear(), None);
    assert_eq!(other.wait(), End::Failed(libc::SIGBUS));
    refused!(quiet().open(temporary.region()), Error::Corrupt { .. });
}

#[test]
#[cfg(target_os = "linux")]
fn a_link_that_leads_nowhere_is_an_error_and_no_endless_loop() {
    let temporary = Temporary::new();
    let link = temporary.file("link");
    std::os::unix::fs::symlink(temporary.region(), &link).unwrap();
    match quiet().open_or_create(&link) {
        Err(Error::Io { path, source }) => {
            assert!(path == link && source.to_string().contains("leads nowhere"), "{source}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(names(temporary.directory()), ["link"]);
    let region = create(&temporary.region());
    assert_eq!(numbers(&quiet().open_or_create(&link).unwrap()).to_vec().unwrap(), [1]);
    is_clean(&region);
}
