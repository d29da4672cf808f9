//! File systems and files that may not be written, and files of other users.

use super::{is_clean, mount, names, own_mounts, run, skip};
use crate::refused;
use crate::support::child;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedVec};
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Two users that are not root.
const ONE: u32 = 65_533;
const OTHER: u32 = 65_534;

#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path] = arguments else { panic!("{arguments:?}") };
        let path = Path::new(path);
        match *role {
            "read-only mount" => read_only_mount(path),
            "read-only file" => read_only_file(path),
            "sticky" => sticky(path),
            "create as another" => {
                become_user(ONE);
                let region = quiet().mode(0o644).create(path).unwrap();
                region.object::<SharedVec<u64>>("numbers").unwrap().extend(0..1000).unwrap();
            }
            other => panic!("{other}"),
        }
    });
}

fn become_user(user: u32) {
    // SAFETY: takes no pointers.
    if unsafe { libc::geteuid() != 0 || libc::setgid(user) != 0 || libc::setuid(user) != 0 } {
        skip("no other user", &std::io::Error::last_os_error());
    }
}

fn io_error<T>(result: commy::Result<T>, kind: ErrorKind) {
    match result {
        Err(Error::Io { source, path }) => {
            assert_eq!(source.kind(), kind);
            assert!(path.is_absolute());
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("nobody said no"),
    }
}

/// The region can be read, and every way to write it says no.
fn is_read_only(path: &Path, kind: ErrorKind) {
    let before = fs::read(path).unwrap();
    io_error(quiet().open(path), kind);
    io_error(quiet().own_attachment().open(path), kind);
    io_error(quiet().open_or_create(path), kind);
    let reader = quiet().read_only(true).open(path).unwrap();
    let numbers: SharedVec<u64> = reader.open_object("numbers").unwrap();
    assert_eq!(numbers.to_vec().unwrap(), (0..1000).collect::<Vec<_>>());
    refused!(numbers.push(1), Error::ReadOnly);
    refused!(reader.object::<SharedVec<u64>>("new"), Error::NotFound | Error::ReadOnly);
    refused!(reader.check(), Error::ReadOnly);
    assert!(reader.processes().unwrap().is_empty() && reader.stats().unwrap().allocated > 0);
    assert!(fs::read(path).unwrap() == before);
}

fn read_only_mount(path: &Path) {
    let directory = path.parent().unwrap();
    own_mounts();
    let bind = mount(directory.to_str().unwrap(), directory, "none", libc::MS_BIND, "")
        .and_then(|()| mount("none", directory, "none", libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY, ""));
    if let Err(error) = bind {
        skip("no bind mount", &error);
    }
    is_read_only(path, ErrorKind::ReadOnlyFilesystem);
    io_error(quiet().create(directory.join("new")), ErrorKind::ReadOnlyFilesystem);
    io_error(quiet().open_or_create(directory.join("new")), ErrorKind::ReadOnlyFilesystem);
    io_error(Region::remove(path), ErrorKind::ReadOnlyFilesystem);
    assert_eq!(names(directory), ["region"]);
}

fn read_only_file(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
    become_user(OTHER);
    is_read_only(path, ErrorKind::PermissionDenied);
}

fn sticky(path: &Path) {
    become_user(OTHER);
    is_read_only(path, ErrorKind::PermissionDenied);
    refused!(quiet().create(path), Error::AlreadyExists);
    io_error(Region::remove(path), ErrorKind::PermissionDenied);
    // One's own beside it is no different from anywhere else.
    let own = quiet().create(path.with_file_name("own")).unwrap();
    own.object::<SharedVec<u64>>("numbers").unwrap().push(1).unwrap();
    is_clean(&own);
}

fn numbers(path: &Path) -> Region {
    let region = quiet().create(path).unwrap();
    region.object::<SharedVec<u64>>("numbers").unwrap().extend(0..1000).unwrap();
    region
}

#[test]
fn a_region_on_a_read_only_file_system_can_be_read() {
    let temporary = Temporary::new();
    drop(numbers(&temporary.region()));
    run("mounts", "read-only mount", &temporary.region());
}

#[test]
fn a_region_whose_file_may_not_be_written_can_be_read() {
    let temporary = Temporary::new();
    drop(numbers(&temporary.region()));
    run("mounts", "read-only file", &temporary.region());
}

#[test]
fn another_users_region_in_a_common_directory_stays_theirs() {
    let temporary = Temporary::new();
    let directory = temporary.file("common");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o1777)).unwrap();
    let path = directory.join("region");
    run("mounts", "create as another", &path);
    if path.exists() {
        run("mounts", "sticky", &path);
        let region = Region::open(&path).unwrap();
        assert_eq!(region.object::<SharedVec<u64>>("numbers").unwrap().len().unwrap(), 1000);
        is_clean(&region);
    }
}
