//! Promises of [`ByteLock`]: it lives exactly as long as the address space that took it.

use super::super::testing::{Child, Directory, Line, sleep_for_ever};
use super::*;

const BYTE: u64 = 1 << 62;

#[test]
fn a_process_sees_its_own_byte_as_held() {
    let directory = Directory::new();
    let file = directory.page();
    assert!(!byte_is_held(&file, BYTE).unwrap());
    let lock = ByteLock::try_hold(&file, BYTE).unwrap().unwrap();
    assert!(byte_is_held(&file, BYTE).unwrap());
    assert!(!byte_is_held(&file, BYTE + 1).unwrap());
    assert!(ByteLock::try_hold(&file, BYTE).unwrap().is_none());
    let other = ByteLock::try_hold(&file, BYTE + 1).unwrap().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(ByteLock::try_hold(&file, BYTE).unwrap().is_none()));
    });
    drop(lock);
    assert!(!byte_is_held(&file, BYTE).unwrap());
    assert!(byte_is_held(&file, BYTE + 1).unwrap());
    drop(other);
    assert!(ByteLock::try_hold(&file, BYTE + 1).unwrap().is_some());
}

#[test]
fn only_one_of_many_threads_gets_a_byte() {
    let directory = Directory::new();
    let file = directory.page();
    let attempt = || ByteLock::try_hold(&file, BYTE).unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(attempt)).collect();
        let locks: Vec<_> = threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(locks.len(), 1);
    });
}

#[test]
fn a_read_only_client_can_ask() {
    let directory = Directory::new();
    let path = directory.path().join("region");
    let file = File::create_unnamed(&path, 0o600).unwrap();
    file.link_to(&path).unwrap();
    let reader = File::open(&path, false).unwrap();
    let lock = ByteLock::try_hold(&file, BYTE).unwrap();
    assert!(byte_is_held(&reader, BYTE).unwrap());
    drop(lock);
    assert!(!byte_is_held(&reader, BYTE).unwrap());
}

fn is_stacked(file: &File) -> bool {
    // SAFETY: `found` is room for one `statfs`, of integers, which the call fills.
    let found = unsafe {
        let mut found = std::mem::zeroed::<libc::statfs>();
        assert_eq!(libc::fstatfs(file.descriptor(), &mut found), 0);
        found
    };
    found.f_type == libc::OVERLAYFS_SUPER_MAGIC
}

#[test]
fn whether_a_mapping_pins_is_measured_right() {
    let directory = Directory::new();
    let file = directory.page();
    assert_eq!(mapping_pins(&file).unwrap(), !is_stacked(&file));
}

#[test]
fn where_a_mapping_is_known_to_pin_it_does() {
    let mut known = 0;
    for folder in
        [std::env::temp_dir(), super::super::file_system::volatile_directory(), std::env::current_dir().unwrap()]
    {
        let directory = Directory::below(&folder);
        let file = directory.page();
        known += usize::from(file.maps_itself());
        assert!(!file.maps_itself() || mapping_pins(&file).unwrap(), "{}", folder.display());
    }
    println!("{known} of 3 folders are known");
}

#[test]
fn a_byte_outlives_every_descriptor_and_ends_with_its_process() {
    let directory = Directory::new();
    let file = directory.page();
    if is_stacked(&file) {
        return; // the documented exception
    }
    let child = Child::fork(|line| {
        let lock = ByteLock::try_hold(&file, BYTE);
        // SAFETY: takes no pointers; what a daemonizer does. The line is descriptor 0.
        let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) } == 0;
        line.send(u64::from(closed && matches!(lock, Ok(Some(_)))));
        sleep_for_ever()
    });
    assert_eq!(child.line.receive(), Some(1));
    assert!(byte_is_held(&file, BYTE).unwrap());
    assert!(ByteLock::hold(&file, BYTE, Duration::ZERO).unwrap().is_none());
    child.kill();
    assert!(ByteLock::hold(&file, BYTE, Duration::from_secs(30)).unwrap().is_some());
    assert_eq!(child.wait(), -libc::SIGKILL);
}

/// A process that holds the byte forks, is killed and reaped; the byte must be free although its child lives.
fn a_fork_does_not_inherit(hold: impl Fn() -> io::Result<Option<ByteLock>>, file: &File) {
    let holder = Child::fork(|line| {
        let lock = hold().unwrap().unwrap();
        // SAFETY: the grandchild never returns from the block below.
        if unsafe { libc::fork() } == 0 {
            grandchild(line, lock);
        }
        sleep_for_ever()
    });
    assert_eq!(holder.line.receive(), Some(1));
    assert!(byte_is_held(file, BYTE).unwrap(), "dropping the inherited copy must not let the byte go");
    holder.kill();
    assert_eq!(holder.wait(), -libc::SIGKILL);
    assert!(!byte_is_held(file, BYTE).unwrap());
    holder.line.send(2);
    assert_eq!(holder.line.receive(), Some(3), "the grandchild was alive all the time");
}

/// Uses the line that its dead parent left.
fn grandchild(line: &Line, inherited: ByteLock) -> ! {
    // SAFETY: takes no pointers; ends this process should the test hang.
    unsafe { libc::alarm(60) };
    drop(inherited);
    line.send(1);
    if line.receive() == Some(2) {
        line.send(3);
    }
    // SAFETY: ends the grandchild without the handlers of the harness.
    unsafe { libc::_exit(0) }
}

#[test]
fn a_forked_child_does_not_inherit_the_byte() {
    let directory = Directory::new();
    let file = directory.page();
    a_fork_does_not_inherit(|| ByteLock::try_hold(&file, BYTE), &file);
}

#[test]
fn a_forked_child_does_not_inherit_a_byte_kept_by_a_descriptor() {
    let directory = Directory::new();
    let file = directory.page();
    let hold = || {
        let _window = fork::descriptor_window();
        hold_through(file.reopen(true)?, BYTE, false)
    };
    a_fork_does_not_inherit(hold, &file);
    // And in one process it behaves like the other kind.
    let lock = hold().unwrap().unwrap();
    assert!(byte_is_held(&file, BYTE).unwrap());
    drop(lock);
    assert!(!byte_is_held(&file, BYTE).unwrap());
}

#[test]
fn the_copy_in_a_child_leaves_the_childs_own_things_alone() {
    let directory = Directory::new();
    let file = directory.page();
    let lock = hold_through(file.reopen(true).unwrap(), BYTE, true).unwrap().unwrap();
    let child = Child::fork(|_| {
        let Keeper::Page { _page: Page(address) } = &*lock.keeper else { return 1 };
        let address = address.as_ptr();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        // SAFETY: takes a free range or fails.
        let own = unsafe { libc::mmap(address, 4096, libc::PROT_READ, flags, -1, 0) };
        drop(lock);
        let mut resident = 0;
        // SAFETY: writes one byte for the one page asked about; a range that is not mapped is an error.
        let mapped = unsafe { libc::mincore(address, 4096, &mut resident) } == 0;
        if own == address && mapped { 0 } else { 2 }
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn forks_in_the_middle_of_taking_a_byte_leak_nothing() {
    let directory = Directory::new();
    let file = directory.page();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                drop(ByteLock::try_hold(&file, BYTE).unwrap());
            }
        });
        let children: Vec<_> = (0..100).map(|_| Child::fork(|_| sleep_for_ever())).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        // Were a description inherited with its lock, it would be held as long as that child lives.
        assert!(ByteLock::hold(&file, BYTE, Duration::from_secs(30)).unwrap().is_some());
        drop(children);
    });
}
