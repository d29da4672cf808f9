//! Promises of [`ByteLock`]: it lives exactly as long as the process that took it.

use super::super::testing::{BYTE, Directory, Role};
use super::*;

#[test]
fn a_process_sees_its_own_byte_as_held() {
    let directory = Directory::new();
    let file = directory.page();
    assert!(!byte_is_held(&file, BYTE).unwrap());
    let lock = ByteLock::try_hold(&file, BYTE).unwrap().unwrap();
    assert!(byte_is_held(&file, BYTE).unwrap());
    assert!(!byte_is_held(&file, BYTE + 1).unwrap());
    assert!(bytes_are_held(&file, BYTE - 5, 10).unwrap());
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

#[test]
fn those_who_ask_are_in_nobodys_way() {
    let directory = Directory::new();
    let path = directory.path().join("region");
    let file = File::create_unnamed(&path, 0o600).unwrap();
    file.link_to(&path).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let asker = File::open(&path, false).unwrap();
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    assert!(!byte_is_held(&asker, BYTE + 7).unwrap(), "another asker is no holder");
                    bytes_are_held(&asker, BYTE, 2).unwrap();
                }
            });
        }
        let held = (0..200).filter(|_| ByteLock::try_hold(&file, BYTE).unwrap().is_some()).count();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(held, 200, "an asker is no holder");
    });
}

#[test]
fn a_byte_ends_with_its_process() {
    let directory = Directory::new();
    let path = directory.path().join("region");
    let file = File::create_unnamed(&path, 0o600).unwrap();
    file.link_to(&path).unwrap();
    let mut child = Role::start("hold", &path);
    assert_eq!(child.says(), "held");
    assert!(byte_is_held(&file, BYTE).unwrap());
    assert!(ByteLock::hold(&file, BYTE, Duration::ZERO).unwrap().is_none());
    child.kill();
    assert!(ByteLock::hold(&file, BYTE, Duration::from_secs(30)).unwrap().is_some());
}
