//! Promises of creation.

use super::super::super::testing::Directory;
use super::*;
use std::sync::Barrier;

fn names_in(directory: &Directory) -> Vec<OsString> {
    fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn one_of_sixteen_creators_wins() {
    let directory = Directory::new();
    let path = directory.path().join("region");
    let start = Barrier::new(16);
    let creator = || {
        let file = create_named(&path, 0o640).unwrap();
        file.write_at(&file.identity().inode.to_le_bytes(), 0).unwrap();
        start.wait();
        file.link_to(&path).map(|()| file.identity())
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(creator)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winners: Vec<_> = results.iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
    let file = File::open(&path, false).unwrap();
    assert_eq!(file.identity(), *winners[0]);
    let mut content = [0; 8];
    file.read_at(&mut content, 0).unwrap();
    assert_eq!(u64::from_le_bytes(content), winners[0].inode);
    assert_eq!(names_in(&directory), ["region"], "nothing provisional stays");
}

#[test]
fn a_name_is_never_replaced_by_a_move() {
    let directory = Directory::new();
    let (taken, free, folder) =
        (directory.path().join("taken"), directory.path().join("free"), directory.path().join("folder"));
    fs::write(&taken, "old").unwrap();
    fs::write(&free, "new").unwrap();
    fs::create_dir(&folder).unwrap();
    for target in [&taken, &folder] {
        assert_eq!(move_without_replacing(&free, target).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
    assert_eq!(fs::read(&taken).unwrap(), b"old");
}

#[test]
fn only_provisional_files_of_the_dead_are_swept() {
    let directory = Directory::new();
    let path = directory.path().join("region");
    let living = create_named(&path, 0o600).unwrap();
    let prefix = provisional_prefix(OsStr::new("region"));
    let mut abandoned = prefix.clone();
    abandoned.push("1-0123456789abcdef");
    fs::write(directory.path().join(&abandoned), "left").unwrap();
    sweep(directory.path(), &prefix);
    assert_eq!(names_in(&directory).len(), 1);
    living.link_to(&path).unwrap();
    assert_eq!(names_in(&directory), ["region"]);
}
