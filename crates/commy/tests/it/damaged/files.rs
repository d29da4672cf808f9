//! Whole files: foreign, cut off, with another header.

use super::{Places, checksum, content, overwrite, word};
use crate::refused;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, RegionOptions, SharedVec};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

fn options() -> RegionOptions {
    quiet().capacity(1 << 20)
}

/// A closed region with something in it.
fn region(temporary: &Temporary) -> Vec<u8> {
    let region = options().create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    texts.extend((0..300).map(|number| format!("{number:>50}"))).unwrap();
    drop((texts, region));
    content(&temporary.region())
}

/// Each way to open a file says no, in time; removing it as a region does, too.
fn assert_refused(path: &Path, what: &str) {
    let start = Instant::now();
    for result in [
        options().open(path),
        options().read_only(true).open(path),
        options().open_or_create(path),
        options().own_attachment().open(path),
    ] {
        match result {
            Err(Error::NotARegion { path: named, reason }) => assert!(named == path && !reason.is_empty()),
            Err(Error::Io { path: named, .. } | Error::Unsupported { path: named, .. }) => assert_eq!(named, path),
            Err(Error::Corrupt { .. }) => {}
            Err(other) => panic!("{what}: {other:?}"),
            Ok(_) => panic!("{what}: opened"),
        }
    }
    refused!(options().create(path), Error::AlreadyExists);
    assert!(start.elapsed() < Duration::from_secs(5), "{what}");
}

#[test]
fn foreign_files_are_refused_and_stay_as_they_are() {
    let temporary = Temporary::new();
    let path = temporary.file("foreign");
    let text = b"#!/bin/sh\necho not a region\n".repeat(4000);
    for len in [0, 1, 7, 8, 100, 191, 192, 193, 4096, 100_000] {
        for bytes in [&vec![0; len], &vec![0xff; len], &text[..len].to_vec()] {
            fs::write(&path, bytes).unwrap();
            assert_refused(&path, &format!("{len} bytes"));
            refused!(Region::remove(&path), Error::NotARegion { .. });
            assert_eq!(&content(&path), bytes);
        }
    }
}

#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let temporary = Temporary::new();
    let directory = temporary.file("directory");
    fs::create_dir(&directory).unwrap();
    let paths = [directory].into_iter();
    #[cfg(target_os = "linux")]
    let (paths, _listener) = {
        let (others, listener) = pipe_and_socket(&temporary);
        (paths.chain(others), listener)
    };
    for path in &paths.collect::<Vec<_>>() {
        assert_refused(path, path.to_str().unwrap());
        assert!(Region::remove(path).is_err());
        assert!(path.exists());
    }
    refused!(options().open(temporary.file("missing")), Error::NotFound);
    refused!(Region::remove(temporary.file("missing")), Error::NotFound);
}

/// Others whose opening would wait for somebody.
#[cfg(target_os = "linux")]
fn pipe_and_socket(temporary: &Temporary) -> ([std::path::PathBuf; 2], std::os::unix::net::UnixListener) {
    let [pipe, socket] = ["pipe", "socket"].map(|name| temporary.file(name));
    let name = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
    // SAFETY: the path ends in NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    refused!(options().open("/dev/null"), Error::Io { .. } | Error::NotARegion { .. });
    ([pipe, socket], listener)
}

#[test]
#[cfg(target_os = "linux")]
fn a_link_that_leads_nowhere_is_no_region_and_not_replaced() {
    let temporary = Temporary::new();
    let dangling = temporary.file("dangling");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    refused!(options().open(&dangling), Error::NotFound);
    refused!(options().create(&dangling), Error::AlreadyExists);
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_without_permission_says_so() {
    let temporary = Temporary::new();
    let bytes = region(&temporary);
    let mut permissions = fs::metadata(temporary.region()).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o000);
    fs::set_permissions(temporary.region(), permissions).unwrap();
    // Root may open anything; then there is nothing to see here.
    match options().open(temporary.region()) {
        Err(Error::Io { source, .. }) => assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied),
        Ok(_) => return,
        other => panic!("{other:?}"),
    }
    assert_eq!(content(&temporary.region()), bytes);
}

#[test]
fn a_truncated_region_is_refused_and_stays_as_it_is() {
    let temporary = Temporary::new();
    let bytes = region(&temporary);
    let places = Places::of(&bytes);
    let cut = temporary.file("cut");
    let lengths = [
        0,
        1,
        100,
        191,
        192,
        300,
        4096,
        places.slots_at,
        places.lanes_at + 1,
        places.page_map_at,
        places.heap_at - 1,
        places.heap_at,
        places.heap_at + 1,
        places.heap_at + 4095,
        places.heap_at + 4096,
        places.committed_end - 65536,
        places.committed_end - 4096,
        places.committed_end - 1,
    ];
    for len in lengths {
        let part = &bytes[..len as usize];
        fs::write(&cut, part).unwrap();
        assert_refused(&cut, &format!("{len} bytes"));
        assert_eq!(content(&cut), part, "{len} bytes");
    }
    // Windows maps some of what will be committed, which lengthens the file.
    let ahead = cfg!(windows) || bytes.len() as u64 == places.committed_end;
    assert!(ahead, "every length before the end was tried at its borders");
}

#[test]
fn each_flipped_bit_of_the_header_is_refused() {
    let temporary = Temporary::new();
    let bytes = region(&temporary);
    let path = temporary.region();
    for bit in 0..192 * 8 {
        let at = bit / 8;
        overwrite(&path, &[bytes[at] ^ 1 << (bit % 8)], at as u64);
        refused!(options().open(&path), Error::NotARegion { .. });
        refused!(options().read_only(true).open(&path), Error::NotARegion { .. });
        refused!(Region::remove(&path), Error::NotARegion { .. });
        overwrite(&path, &bytes[at..=at], at as u64);
    }
    assert!(content(&path) == bytes);
    Region::open(&path).unwrap();
}

#[test]
fn a_header_that_is_consistent_but_impossible_is_refused() {
    let temporary = Temporary::new();
    let bytes = region(&temporary);
    let path = temporary.region();
    let wide = [0, 1, 4095, 4096, 65536, 1 << 32, 1 << 44, (1 << 44) + 1, 1 << 62, 1 << 63, u64::MAX];
    let fields = [64, 72, 80, 88, 96, 104, 128, 136];
    let halves = [8, 12, 112, 116, 120, 124];
    let mut changes: Vec<(usize, Vec<u8>)> = Vec::new();
    for at in fields {
        let own = word(&bytes, at);
        for value in wide.into_iter().chain([own + 1, own - 1]) {
            changes.push((at as usize, value.to_le_bytes().to_vec()));
        }
    }
    for at in halves {
        let own = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        for value in [0, 1, own.wrapping_add(1), own.wrapping_sub(1), u32::MAX, 1 << 31] {
            changes.push((at, value.to_le_bytes().to_vec()));
        }
    }
    // Features that must be known.
    changes.push((16, 1u64.to_le_bytes().to_vec()));
    changes.push((16, (1u64 << 63).to_le_bytes().to_vec()));
    for (at, value) in changes {
        let mut header = bytes[..192].to_vec();
        header[at..at + value.len()].copy_from_slice(&value);
        if header == bytes[..192] {
            continue;
        }
        let sum = checksum(&header);
        header[56..64].copy_from_slice(&sum.to_le_bytes());
        overwrite(&path, &header, 0);
        for result in [options().open(&path), options().read_only(true).open(&path)] {
            match result {
                Err(Error::NotARegion { reason, .. }) => assert!(!reason.is_empty()),
                // Another capacity may fit the tables, and contradict what is committed only.
                Err(Error::Corrupt { offset: 192, .. }) if at == 64 => {}
                other => panic!("field at {at}, value {value:?}: {other:?}"),
            }
        }
        overwrite(&path, &bytes[..192], 0);
    }
    assert!(content(&path) == bytes, "nothing was written to a refused file");
    // What may be ignored is, and so is another name of the region.
    for at in [32, 40] {
        let mut header = bytes[..192].to_vec();
        header[at] ^= 1;
        let sum = checksum(&header);
        header[56..64].copy_from_slice(&sum.to_le_bytes());
        overwrite(&path, &header, 0);
        assert!(Region::open(&path).unwrap().check().unwrap().is_clean());
    }
    // Features that only writers must know keep writers out.
    let mut header = content(&path)[..192].to_vec();
    header[24] ^= 1;
    let sum = checksum(&header);
    header[56..64].copy_from_slice(&sum.to_le_bytes());
    overwrite(&path, &header, 0);
    refused!(options().open(&path), Error::NotARegion { .. });
}

#[test]
fn hostile_values_of_the_moving_words_are_survived() {
    let temporary = Temporary::new();
    let bytes = region(&temporary);
    let path = temporary.region();
    let places = Places::of(&bytes);
    let values = [
        0,
        1,
        2,
        15,
        16,
        17,
        4096,
        places.heap_at - 1,
        places.heap_at,
        places.heap_at + 4096,
        places.committed_end - 4096,
        places.committed_end + 4096,
        places.heap_at + places.capacity,
        places.heap_at + places.capacity + 4096,
        2047,
        2048,
        2049,
        u64::from(u32::MAX),
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ];
    let start = Instant::now();
    for at in (192..264).step_by(8) {
        for value in values {
            fs::write(&path, &bytes).unwrap();
            overwrite(&path, &u64::to_le_bytes(value), at);
            let before = content(&path);
            for read_only in [true, false] {
                let opened = options().lock_timeout(Duration::from_millis(100)).read_only(read_only).open(&path);
                match opened {
                    Ok(region) => {
                        if let Ok(texts) = region.object::<SharedVec<String>>("texts") {
                            let _ = (texts.len(), texts.get(7), texts.to_vec(), texts.push("more"), texts.pop());
                        }
                        let _ = (region.objects(), region.processes(), region.stats(), region.check());
                    }
                    Err(Error::Corrupt { offset: 192, .. }) => {
                        assert!(
                            content(&path) == before,
                            "what is refused for its header is not touched: {at}, {value}"
                        );
                    }
                    Err(Error::Corrupt { .. } | Error::OutOfSpace { .. }) => {}
                    Err(other) => panic!("word {at}, value {value}: {other:?}"),
                }
            }
        }
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_region_that_is_damaged_can_still_be_removed() {
    let temporary = Temporary::new();
    region(&temporary);
    overwrite(&temporary.region(), &u64::MAX.to_le_bytes(), 192);
    refused!(Region::open(temporary.region()), Error::Corrupt { .. });
    Region::remove(temporary.region()).unwrap();
    refused!(Region::open(temporary.region()), Error::NotFound);
}

#[test]
fn a_copy_of_a_region_is_a_region() {
    let temporary = Temporary::new();
    let original = options().create(temporary.region()).unwrap();
    let texts: SharedVec<String> = original.object("texts").unwrap();
    texts.extend((0..300).map(|number| format!("{number:>50}"))).unwrap();
    let mut guard = texts.write().unwrap();
    guard.truncate(10).unwrap();
    // In the middle of a change: the copy has its log, and nobody who holds its locks.
    let copy = temporary.file("copy");
    fs::copy(temporary.region(), &copy).unwrap();
    let copied = options().open(&copy).unwrap();
    let report = copied.check().unwrap();
    assert!(report.is_clean(), "{report}");
    let their_texts: SharedVec<String> = copied.object("texts").unwrap();
    assert_eq!(their_texts.len().unwrap(), 300, "the change was undone in the copy");
    their_texts.clear().unwrap();
    assert_eq!(guard.len(), 10);
    drop(guard);
    assert_eq!(texts.len().unwrap(), 10);
    assert!(original.check().unwrap().is_clean());
}
