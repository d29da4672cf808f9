//! Promises of [`Mapping`]: it grows without moving.

use super::super::super::testing::Directory;
use super::*;

fn grows_in_place(len: u64, paging: Paging) {
    let directory = Directory::new();
    let path = directory.path().join("region");
    let file = File::create_unnamed(&path, 0o600).unwrap();
    file.allocate(0, 8192).unwrap();
    file.link_to(&path).unwrap();
    let mapping = Mapping::paged(&file, len, true, paging).unwrap();
    let reader = File::open(&path, false).unwrap();
    let seen = Mapping::paged(&reader, len, false, paging).unwrap();
    assert_eq!(mapping.len(), len);
    // SAFETY: byte 5000 is inside of what was there from the beginning.
    let first = unsafe { (mapping.base().add(5000), seen.base().add(5000)) };
    // SAFETY: as above.
    unsafe { first.0.write(7) };
    // Across the pieces of the classic way, too.
    for step in 1..24_u64 {
        let at = (step * 17 << 20).min(len - 4096);
        file.allocate(at, 4096).unwrap();
        mapping.ensure(&file, at + 4096).unwrap();
        seen.ensure(&reader, at + 4096).unwrap();
        // Also what it has not: all that there is to it is that nothing happens.
        mapping.page_ahead(0, at, at + (1 << 30));
        seen.page_ahead(0, 0, at + 4096);
        // SAFETY: both mappings have been told to reach to the end of this page, and the base has not moved.
        unsafe {
            mapping.base().add(at as usize).write(step as u8);
            assert_eq!(seen.base().add(at as usize).read(), step as u8);
            assert_eq!(first.1.read(), 7);
        }
    }
    let mut byte = [0];
    assert_eq!(file.read_at(&mut byte, 5000).unwrap(), 1);
    assert_eq!(byte, [7]);
}

#[test]
fn a_large_region_grows_in_place() {
    grows_in_place(8 << 30, Paging::default());
}

#[test]
fn pages_may_be_asked_for_ahead() {
    grows_in_place(8 << 30, Paging { prefault: true, huge: true });
}

#[test]
fn a_small_region_grows_in_place() {
    grows_in_place((500 << 20) + 4096, Paging::default());
}

#[test]
fn what_a_file_does_not_have_is_not_mapped() {
    let directory = Directory::new();
    let path = directory.path().join("region");
    let file = File::create_unnamed(&path, 0o600).unwrap();
    file.allocate(0, 4096).unwrap();
    let reader = {
        file.link_to(&path).unwrap();
        File::open(&path, false).unwrap()
    };
    let mapping = Mapping::new(&reader, 1 << 30, false).unwrap();
    mapping.ensure(&reader, GRANULE).unwrap();
    assert_eq!(mapping.ensure(&reader, GRANULE + 1).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(file.metadata().unwrap().len, GRANULE, "asking has not lengthened it");
}

#[test]
fn an_empty_mapping_is_an_error() {
    let directory = Directory::new();
    let file = directory.page();
    assert_eq!(Mapping::new(&file, 0, true).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let empty = File::create_unnamed(&directory.path().join("region"), 0o600).unwrap();
    assert!(Mapping::new(&empty, 4096, false).is_err());
}
