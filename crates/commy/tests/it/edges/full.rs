//! Disks without room, at each step in which a file takes some: nothing has changed, reads go on, and with room again
//! everything goes on. Never a signal.

use super::{is_clean, limit, mount, names, own_mounts, run, skip};
use crate::refused;
use crate::support::child;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, RegionOptions, SharedVec, crash};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;

const PAGE: u64 = 4096;

#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path] = arguments else { panic!("{arguments:?}") };
        let path = Path::new(path);
        let room = match *role {
            "limited" => Room::limited(path),
            role if role.starts_with("ext4") => Room::ext4(path),
            _ => Room::tmpfs(path),
        };
        match role.split(' ').next_back().unwrap() {
            "creation" => creation(&room),
            "growth" | "limited" => growth(&room),
            "lanes" => lanes(&room),
            "copy" => copy(&room),
            other => panic!("{other}"),
        }
    });
}

/// How much a region may take is ours to say: by a file that takes the rest of the disk, or by a limit on the sizes of files.
struct Room {
    directory: PathBuf,
    ballast: Option<File>,
    /// What was taken comes back to the last byte.
    exact: bool,
}

impl Room {
    fn tmpfs(directory: &Path) -> Room {
        own_mounts();
        if let Err(error) = mount("none", directory, "tmpfs", 0, "size=400m") {
            skip("no tmpfs of our own", &error);
        }
        let ballast = File::create(directory.join("ballast")).unwrap();
        Room { directory: directory.into(), ballast: Some(ballast), exact: true }
    }

    /// A disk in a file beside the directory. Its device goes with the mount.
    fn ext4(directory: &Path) -> Room {
        own_mounts();
        let image = directory.with_extension("image");
        File::create(&image).unwrap().set_len(400 << 20).unwrap();
        let commands: [&[&str]; 2] = [
            &["mkfs.ext4", "-q", "-F", "-m", "0", image.to_str().unwrap()],
            &["mount", "-o", "loop", image.to_str().unwrap(), directory.to_str().unwrap()],
        ];
        for command in commands {
            match Command::new(command[0]).args(&command[1..]).output() {
                Ok(output) if output.status.success() => {}
                Ok(output) => skip(command[0], &std::io::Error::other(String::from_utf8_lossy(&output.stderr).trim())),
                Err(error) => skip(command[0], &error),
            }
        }
        let ballast = File::create(directory.join("ballast")).unwrap();
        Room { directory: directory.into(), ballast: Some(ballast), exact: false }
    }

    fn limited(directory: &Path) -> Room {
        // SAFETY: takes no memory of ours: too large a file is an error now, and no signal.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        Room { directory: directory.into(), ballast: None, exact: false }
    }

    fn region(&self) -> PathBuf {
        self.directory.join("region")
    }

    fn available(&self) -> u64 {
        let mut found = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
        let descriptor = self.ballast.as_ref().unwrap().as_raw_fd();
        // SAFETY: fills one structure of integers.
        let found = unsafe {
            assert_eq!(libc::fstatvfs(descriptor, found.as_mut_ptr()), 0);
            found.assume_init()
        };
        found.f_bavail * found.f_frsize
    }

    /// Leaves room for so many bytes.
    fn leave(&self, bytes: u64) {
        self.free();
        let Some(ballast) = &self.ballast else {
            limit(libc::RLIMIT_FSIZE, Some(std::fs::metadata(self.region()).unwrap().len() + bytes));
            return;
        };
        for _ in 0..1000 {
            let size = ballast.metadata().unwrap().len();
            let more = self.available().saturating_sub(bytes);
            // SAFETY: takes no pointers.
            if more == 0 || unsafe { libc::fallocate(ballast.as_raw_fd(), 0, size as i64, more as i64) } != 0 {
                return;
            }
        }
    }

    fn free(&self) {
        match &self.ballast {
            Some(ballast) => ballast.set_len(0).unwrap(),
            None => drop(limit(libc::RLIMIT_FSIZE, None)),
        }
    }
}

fn options() -> RegionOptions {
    quiet().capacity(300 << 20)
}

fn creation(room: &Room) {
    let mut refusals = 0;
    let region = loop {
        room.leave(refusals * PAGE);
        match options().create(room.region()) {
            Ok(region) => break region,
            Err(Error::OutOfSpace { .. } | Error::Io { .. }) => refusals += 1,
            Err(error) => panic!("{refusals} pages: {error:?}"),
        }
        assert!(names(&room.directory).iter().all(|name| name != "region" && !name.contains("commy")));
        assert!(!room.exact || room.available() == (refusals - 1) * PAGE, "something was left");
        assert!(refusals < 10_000);
    };
    child::tell(&format!("{refusals} sizes of a disk are too small for a region"));
    assert!(refusals > 20);
    is_clean(&region);
    // On a disk that a new region fills there is room for what fits into the region.
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    let refused = loop {
        if let Err(error) = numbers.push(1) {
            break error;
        }
    };
    assert!(matches!(refused, Error::OutOfSpace { .. }), "{refused:?}");
    let count = numbers.len().unwrap();
    is_clean(&region);
    room.free();
    numbers.push(1).unwrap();
    assert_eq!(numbers.len().unwrap(), count + 1);
}

/// The last point that an attempt to grow came to.
const POINTS: [&str; 2] = ["grow: page map committed, pages not", "grow: before the page map is committed"];

fn growth(room: &Room) {
    let region = options().create(room.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    texts.reserve(20_000).unwrap();
    let reader = options().read_only(true).open(room.region()).unwrap();
    let seen: SharedVec<String> = reader.open_object("texts").unwrap();
    let mut twin: Vec<String> = vec!["first".repeat(10), "second".repeat(10)];
    texts.extend(&twin).unwrap();
    let (mut failed_at, mut steps) = (BTreeMap::new(), BTreeSet::new());
    for size in [500, 30_000, 100_000, 1 << 20, 3 << 20, 9 << 20, 17 << 20] {
        for left in [0, PAGE, 2 * PAGE, size / 2 / PAGE * PAGE] {
            room.leave(left);
            loop {
                let text = char::from(b'a' + (twin.len() % 26) as u8).to_string().repeat(size as usize);
                crash::record();
                let result = texts.push(&*text);
                let points = crash::recorded();
                match result {
                    Ok(()) => twin.push(text),
                    Err(Error::OutOfSpace { requested, capacity }) => {
                        assert_eq!(capacity, 300 << 20);
                        if !points.contains("grow: published") {
                            let last = POINTS.iter().find(|point| points.contains(**point));
                            let last = last.unwrap_or_else(|| panic!("{size} bytes, {left} left: {points:?}"));
                            *failed_at.entry(*last).or_insert(0) += 1;
                            steps.insert(requested);
                        }
                        break;
                    }
                    Err(error) => panic!("{size} bytes, {left} left: {error:?}"),
                }
            }
            is_clean(&region);
            assert_eq!(texts.len().unwrap(), twin.len());
            let last = twin.len() - 1;
            for reading in [&texts, &seen] {
                assert!(reading.get(last).unwrap().as_deref() == Some(&twin[last]), "{size} bytes, {left} left");
            }
            // What needs no more than there is works.
            assert!(texts.pop().unwrap().unwrap() == twin.pop().unwrap());
            room.free();
            let text = "z".repeat(size as usize);
            texts.push(&*text).unwrap();
            twin.push(text);
        }
    }
    assert!(seen.to_vec().unwrap() == twin);
    is_clean(&region);
    child::tell(&format!("failed {failed_at:?}, for want of {steps:?} bytes"));
    assert!(steps.len() > 5 && steps.first() < Some(&(64 << 10)) && steps.last() > Some(&(16 << 20)));
    assert!(room.ballast.is_none() || failed_at.len() == 2, "the page map and the pages have each had no room");
}

fn lanes(room: &Room) {
    let region = options().create(room.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    numbers.reserve(1000).unwrap();
    room.leave(0);
    let at_once = |count: usize| -> usize {
        let barrier = Barrier::new(count);
        let push = || {
            let result = numbers.push(1);
            // Nobody gives his lane back before all have asked for one.
            barrier.wait();
            match result {
                Ok(()) => true,
                Err(Error::OutOfSpace { .. }) => false,
                Err(error) => panic!("{error:?}"),
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..count).map(|_| scope.spawn(push)).collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        })
    };
    let came = at_once(40);
    assert!((1..40).contains(&came), "{came} of 40 threads had a lane");
    assert_eq!(numbers.len().unwrap(), came);
    is_clean(&region);
    room.free();
    assert_eq!(at_once(40), 40);
    is_clean(&region);
}

fn copy(room: &Room) {
    let region = options().create(room.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    texts.extend((0..3000).map(|number| number.to_string().repeat(100))).unwrap();
    texts.push("x".repeat(3 << 20)).unwrap();
    texts.pop().unwrap();
    let twin = texts.to_vec().unwrap();
    drop((texts, region));
    // Zeros become holes, as `cp --sparse` does it.
    let (original, copied) = (File::open(room.region()).unwrap(), room.directory.join("copied"));
    let copy = File::create(&copied).unwrap();
    let len = original.metadata().unwrap().len();
    copy.set_len(len).unwrap();
    let mut page = [0; PAGE as usize];
    for at in (0..len).step_by(PAGE as usize) {
        original.read_exact_at(&mut page, at).unwrap();
        if page.iter().any(|byte| *byte != 0) {
            copy.write_all_at(&page, at).unwrap();
        }
    }
    copy.sync_all().unwrap();
    for pages in [0, 1, 100] {
        room.leave(pages * PAGE);
        refused!(options().open(&copied), Error::OutOfSpace { .. });
    }
    room.free();
    let region = Region::open(&copied).unwrap();
    is_clean(&region);
    assert!(region.object::<SharedVec<String>>("texts").unwrap().to_vec().unwrap() == twin);
}

/// A directory for a disk that a child mounts on it.
fn on_a_disk(role: &str) {
    let temporary = Temporary::new();
    let directory = temporary.file("disk");
    std::fs::create_dir(&directory).unwrap();
    run("full", role, &directory);
}

#[test]
fn a_region_that_does_not_fit_on_the_disk_leaves_nothing() {
    on_a_disk("tmpfs creation");
}

#[test]
fn every_step_of_growth_may_find_a_full_memory_file_system() {
    on_a_disk("tmpfs growth");
}

#[test]
fn every_step_of_growth_may_find_a_full_disk() {
    on_a_disk("ext4 growth");
}

#[test]
fn a_region_that_does_not_fit_on_a_disk_leaves_nothing_there() {
    on_a_disk("ext4 creation");
}

#[test]
fn every_step_of_growth_may_find_the_limit_of_file_sizes() {
    on_a_disk("limited");
}

#[test]
fn threads_that_find_no_room_for_a_lane_are_told() {
    on_a_disk("tmpfs lanes");
    on_a_disk("ext4 lanes");
}

#[test]
fn a_copy_with_holes_that_the_disk_cannot_fill_is_not_opened() {
    on_a_disk("tmpfs copy");
    on_a_disk("ext4 copy");
}
