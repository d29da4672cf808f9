//! Promises of [`File`]: it is found again, and it never touches what has become somebody else's.

use std::os::unix::ffi::OsStrExt;

use super::super::testing::{Child, Directory};
use super::*;

#[test]
fn a_stranger_behind_our_number_survives_the_drop() {
    let directory = Directory::new();
    let strange = directory.path().join("strange");
    fs::write(&strange, "untouched").unwrap();
    let region = directory.path().join("region");
    File::create_unnamed(&region, 0o600).unwrap().link_to(&region).unwrap();
    // In a child: other tests must not open files while a number changes hands.
    let child = Child::fork(|_| {
        let file = File::open(&region, true).unwrap();
        let number = file.descriptor();
        let stranger = fs::File::open(&strange).unwrap();
        // SAFETY: `dup2` closes the region's descriptor and puts a stranger there, as `closefrom` and `open` would.
        unsafe { libc::dup2(stranger.as_raw_fd(), number) };
        let noticed = !file.still_same();
        // Our descriptor is gone, the path still leads to the file.
        let found = file.reopen(true).is_ok_and(|again| again.identity() == file.identity());
        // And no longer, once another file has its name.
        let replaced = fs::rename(&strange, &region).is_ok() && file.reopen(true).is_err();
        drop(file);
        let open = identity_of(number) == identity_of(stranger.as_raw_fd());
        i32::from(!noticed) + 2 * i32::from(!found) + 4 * i32::from(!open) + 8 * i32::from(!replaced)
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn a_file_is_reopened_after_rename_and_unlink_but_not_by_a_name_that_moved_on() {
    let directory = Directory::new();
    let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    let file = File::create_unnamed(&old, 0o600).unwrap();
    file.link_to(&old).unwrap();
    file.write_at(b"here", 0).unwrap();
    fs::rename(&old, &new).unwrap();
    fs::write(&old, "other").unwrap();
    assert!(!file.path_names_this(&old).unwrap());
    assert!(file.path_names_this(&new).unwrap());
    fs::remove_file(&new).unwrap();
    assert!(!file.path_names_this(&new).unwrap());
    assert_eq!(file.metadata().unwrap().links, 0);
    let again = file.reopen(false).unwrap();
    let mut content = [0; 8];
    assert_eq!(again.read_at(&mut content, 0).unwrap(), 4);
    assert_eq!(&content[..4], b"here");
    assert!(again.write_at(b"x", 0).is_err(), "opened for reading only");
}

#[test]
fn the_mode_holds_whatever_the_umask_is() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::new();
    let path = directory.path().join("region");
    let child = Child::fork(|_| {
        // SAFETY: the umask of the child alone.
        unsafe { libc::umask(0o777) };
        let created = File::create_unnamed(&path, 0o666).and_then(|file| file.link_to(&path));
        i32::from(created.is_err())
    });
    assert_eq!(child.wait(), 0);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o666);
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let directory = Directory::new();
    let pipe = directory.path().join("pipe");
    let name = std::ffi::CString::new(pipe.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path ends in NUL and outlives the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    for path in [pipe.as_path(), directory.path(), Path::new("/dev/null")] {
        assert_eq!(File::open(path, false).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn standard_streams_are_never_the_region() {
    let directory = Directory::new();
    let file = directory.page();
    let child = Child::fork(|_| {
        // SAFETY: the child's own standard output, which it does not use.
        unsafe { libc::close(1) };
        i32::from(file.reopen(true).is_ok_and(|again| again.descriptor() <= 2))
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn allocating_reserves_storage_even_under_a_storm_of_signals() {
    extern "C" fn nothing(_: i32) {}
    const LEN: u64 = 64 << 20;
    let directory = Directory::new();
    let memory = File::create_unnamed(&super::super::volatile_directory().join("commy-storm"), 0o600).unwrap();
    let disk = File::create_unnamed(&directory.path().join("storm"), 0o600).unwrap();
    let child = Child::fork(|_| {
        let every = libc::timeval { tv_sec: 0, tv_usec: 200 };
        let timer = libc::itimerval { it_interval: every, it_value: every };
        // SAFETY: a handler without SA_RESTART that does nothing, and a timer, in the child alone.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(i32) as libc::sighandler_t;
            libc::sigaction(libc::SIGPROF, &action, ptr_null());
            libc::sigaction(libc::SIGALRM, &action, ptr_null());
            libc::setitimer(libc::ITIMER_REAL, &timer, ptr_null());
        }
        i32::from(memory.allocate(0, LEN).is_err()) + 2 * i32::from(disk.allocate(0, LEN).is_err())
    });
    assert_eq!(child.wait(), 0);
    for file in [memory, disk] {
        let now = file.metadata().unwrap();
        assert_eq!(now.len, LEN);
        assert!(now.allocated >= LEN);
    }
}

fn ptr_null<T>() -> *mut T {
    std::ptr::null_mut()
}
