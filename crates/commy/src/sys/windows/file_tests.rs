//! Promises of [`File`] and of removal.

use super::super::super::testing::Directory;
use super::super::remove::remove_file;
use super::super::{ByteLock, Mapping, byte_is_held};
use super::*;

#[test]
fn a_file_is_known_again_by_what_it_is() {
    let directory = Directory::new();
    let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    let file = File::create_unnamed(&old, 0o600).unwrap();
    file.link_to(&old).unwrap();
    file.write_at(b"here", 0).unwrap();
    assert_eq!(File::open(&old, false).unwrap().identity(), file.identity());
    fs::rename(&old, &new).unwrap();
    fs::write(&old, "other").unwrap();
    assert!(!file.path_names_this(&old).unwrap());
    assert!(file.path_names_this(&new).unwrap());
    assert!(!file.path_names_this(&directory.path().join("none")).unwrap());
    let reader = File::open(&new, false).unwrap();
    let mut content = [0; 8];
    assert_eq!(reader.read_at(&mut content, 0).unwrap(), 4);
    assert_eq!(&content[..4], b"here");
    assert!(reader.write_at(b"x", 0).is_err(), "opened for reading only");
}

#[test]
fn what_is_mapped_and_locked_elsewhere_loses_its_name_at_once_and_nothing_else() {
    let directory = Directory::new();
    let path = directory.path().join("region");
    let file = File::create_unnamed(&path, 0o600).unwrap();
    file.allocate(0, 4096).unwrap();
    file.link_to(&path).unwrap();
    let mapping = Mapping::new(&file, 4096, true).unwrap();
    // SAFETY: inside of the file.
    unsafe { mapping.base().write(7) };
    let held = ByteLock::try_hold(&file, 5).unwrap().unwrap();
    remove_file(&path).unwrap();
    assert!(!file.path_names_this(&path).unwrap());
    assert_eq!(remove_file(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    // The name is free.
    let other = File::create_unnamed(&path, 0o600).unwrap();
    other.link_to(&path).unwrap();
    assert!(other.path_names_this(&path).unwrap());
    // Locks can be asked about, let go and taken; the bytes are there.
    assert!(byte_is_held(&file, 5).unwrap() && !byte_is_held(&file, 6).unwrap());
    drop(held);
    assert!(ByteLock::try_hold(&file, 5).unwrap().is_some());
    let mut byte = [0];
    assert_eq!(file.read_at(&mut byte, 0).unwrap(), 1);
    assert_eq!(byte, [7]);
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let directory = Directory::new();
    for writable in [false, true] {
        assert_eq!(File::open(directory.path(), writable).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
    assert_eq!(File::open(Path::new("NUL"), false).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let missing = File::open(&directory.path().join("none"), true);
    assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn allocating_lengthens_and_never_shortens() {
    let directory = Directory::new();
    let file = File::create_unnamed(&directory.path().join("region"), 0o600).unwrap();
    file.allocate(GRANULE, 1).unwrap();
    assert_eq!(file.metadata().unwrap().len, 2 * GRANULE);
    file.allocate(0, 100).unwrap();
    assert_eq!(file.metadata().unwrap().len, 2 * GRANULE);
    let (least, most) = (GRANULE * 8, GRANULE * 64);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let file = &file;
            scope.spawn(move || {
                for step in (thread..64).step_by(8) {
                    file.allocate(step * GRANULE, 1).unwrap();
                    assert!(file.metadata().unwrap().len > step * GRANULE);
                }
            });
        }
    });
    assert!((least..=most).contains(&file.metadata().unwrap().len));
    assert!(file.allocate(u64::MAX - 5, 3).is_err());
}

#[test]
fn a_path_longer_than_260_characters_is_a_path() {
    let directory = Directory::new();
    let deep = directory.path().join("d".repeat(120)).join("e".repeat(120));
    fs::create_dir_all(&deep).unwrap();
    let path = deep.join("region");
    let file = File::create_unnamed(&path, 0o600).unwrap();
    file.link_to(&path).unwrap();
    assert!(file.path_names_this(&path).unwrap());
    drop(file);
    remove_file(&path).unwrap();
}
