//! What is asked for ahead is there ahead: pages in the page tables of the process (`prefault`), huge pages. Where a system
//! has none of it, nothing else differs.

use crate::support::temporary::{Temporary, quiet};
use commy::{Region, RegionOptions, SharedHashMap, SharedVec};

/// Numbers of the vector: 8 MiB of it.
const NUMBERS: u64 = 1 << 20;
/// Texts of the map, each in a small block.
const TEXTS: u64 = 20_000;

fn text(number: u64) -> String {
    format!("{number:0200}")
}

/// Fills a region with small and large blocks.
fn fill(region: &Region) {
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    numbers.extend(0..NUMBERS).unwrap();
    let texts: SharedHashMap<u64, String> = region.object("texts").unwrap();
    for number in 0..TEXTS {
        texts.insert(number, text(number)).unwrap();
    }
}

/// All of it is there, and nothing else.
fn assert_filled(region: &Region) {
    let numbers: SharedVec<u64> = region.open_object("numbers").unwrap();
    assert!(numbers.to_vec().unwrap().into_iter().eq(0..NUMBERS));
    let texts: SharedHashMap<u64, String> = region.open_object("texts").unwrap();
    assert_eq!(texts.len().unwrap() as u64, TEXTS);
    assert!((0..TEXTS).all(|number| texts.get(&number).unwrap() == Some(text(number))));
}

/// The ways to ask.
fn ways() -> [RegionOptions; 3] {
    [quiet().prefault(true), quiet().huge_pages(true), quiet().prefault(true).huge_pages(true)]
}

#[test]
fn what_is_asked_for_ahead_changes_nothing_else() {
    for options in ways() {
        let temporary = Temporary::new();
        let region = options.create(temporary.region()).unwrap();
        fill(&region);
        assert_filled(&region);
        let report = region.check().unwrap();
        assert!(report.is_clean(), "{report}");
        drop(region);
        for options in ways() {
            assert_filled(&options.open(temporary.region()).unwrap());
            assert_filled(&options.read_only(true).open(temporary.region()).unwrap());
        }
    }
}

#[test]
fn a_file_on_a_disk_may_be_asked_for_ahead() {
    // Wherever that is: some file systems are refused, and then so is the region without any of it.
    let path = std::env::temp_dir().join(format!("commy-it-paging-{}", std::process::id()));
    for options in ways() {
        let _ = std::fs::remove_file(&path);
        if quiet().create(&path).is_err() {
            continue;
        }
        Region::remove(&path).unwrap();
        let region = options.create(&path).unwrap();
        fill(&region);
        assert_filled(&region);
        drop(region);
        assert_filled(&options.open(&path).unwrap());
        Region::remove(&path).unwrap();
    }
}

#[cfg(target_os = "linux")]
mod page_tables {
    use super::*;
    use crate::support::temporary::{QUICK, open};
    use commy::SharedBox;
    use std::os::unix::fs::MetadataExt;
    use std::time::{Duration, Instant};

    /// A region that somebody has filled and left.
    fn filled() -> Temporary {
        let temporary = Temporary::new();
        fill(&quiet().create(temporary.region()).unwrap());
        temporary
    }

    /// Bytes of a file that this process has mapped, in pages of any size and in huge ones, by the kernel's own account.
    fn mapped(region: &Region) -> [u64; 2] {
        let inode = std::fs::metadata(region.path()).unwrap().ino().to_string();
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let (mut ours, mut found) = (false, [0; 2]);
        for line in maps.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let bytes = || words[1].parse::<u64>().unwrap() << 10;
            match words[0] {
                "Rss:" if ours => found[0] += bytes(),
                "ShmemPmdMapped:" | "FilePmdMapped:" if ours => found[1] += bytes(),
                // A range of addresses.
                first if !first.ends_with(':') => ours = words[4] == inode,
                _ => {}
            }
        }
        found
    }

    fn assert_there(region: &Region) {
        let (mapped, committed) = (mapped(region)[0], region.stats().unwrap().committed);
        assert!(mapped >= committed, "{mapped} of {committed} bytes are in the page tables");
    }

    fn assert_not_there(region: &Region) {
        let (mapped, committed) = (mapped(region)[0], region.stats().unwrap().committed);
        assert!(mapped < committed / 2, "{mapped} of {committed} bytes are in the page tables without a cause");
    }

    #[test]
    fn opening_brings_in_what_is_there() {
        let temporary = filled();
        assert_not_there(&open(&temporary.region()).unwrap());
        assert_not_there(&quiet().read_only(true).open(temporary.region()).unwrap());
        assert_there(&quiet().prefault(true).open(temporary.region()).unwrap());
        assert_there(&quiet().prefault(true).read_only(true).open(temporary.region()).unwrap());
    }

    /// The oracle that counts: no page that is there faults when it is written, either.
    #[test]
    fn what_is_there_does_not_fault() {
        let temporary = filled();
        let faults_of = |options: RegionOptions| {
            let region = options.open(temporary.region()).unwrap();
            let numbers: SharedVec<u64> = region.open_object("numbers").unwrap();
            numbers.set(0, 0u64).unwrap();
            let before = faults();
            for number in (0..NUMBERS).step_by(512) {
                numbers.set(number as usize, number).unwrap();
            }
            faults() - before
        };
        let pages = NUMBERS / 512;
        let (with, without) = (faults_of(quiet().prefault(true)), faults_of(quiet()));
        // A read brings in up to sixteen pages at once.
        assert!(without >= pages / 20, "{without} faults for {pages} pages");
        assert!(with < pages / 64, "{with} faults for {pages} pages that were there");
    }

    /// Page faults of this thread.
    fn faults() -> u64 {
        // SAFETY: numbers alone, for which zeros are right.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: room for one.
        assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) }, 0);
        usage.ru_minflt as u64 + usage.ru_majflt as u64
    }

    /// A child's page tables are its own.
    #[test]
    fn a_forked_child_brings_in_what_it_has_not() {
        let temporary = filled();
        let options = quiet().prefault(true).heartbeat(Duration::from_millis(1));
        let region = options.open(temporary.region()).unwrap();
        // SAFETY: the child ends inside of the block below, and the library works after a fork.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: takes no pointers; ends the child should it hang.
            unsafe { libc::alarm(30) };
            let there = std::panic::catch_unwind(|| {
                // Its first change makes it a process of its own.
                region.object::<SharedBox<u64>>("box").unwrap();
                while mapped(&region)[0] < region.stats().unwrap().committed {
                    std::thread::yield_now();
                }
            });
            // SAFETY: ends the child without the destructors of the parent.
            unsafe { libc::_exit(if there.is_ok() { 0 } else { 101 }) };
        }
        assert!(child > 0, "{}", std::io::Error::last_os_error());
        let mut status = 0;
        // SAFETY: writes one status word.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "how the child ended");
    }

    #[test]
    fn growth_brings_in_what_it_commits() {
        let temporary = Temporary::new();
        let region = quiet().prefault(true).create(temporary.region()).unwrap();
        assert_there(&region);
        let texts: SharedHashMap<u64, String> = region.object("texts").unwrap();
        for number in 0..TEXTS {
            texts.insert(number, text(number)).unwrap();
            if number % 1000 == 0 {
                assert_there(&region);
            }
        }
    }

    #[test]
    fn what_others_commit_comes_in_by_and_by() {
        let temporary = Temporary::new();
        let grower = quiet().create(temporary.region()).unwrap();
        grower.object::<SharedBox<u64>>("box").unwrap();
        let options = quiet().own_attachment().prefault(true);
        let region = options.clone().heartbeat(Duration::from_millis(1)).open(temporary.region()).unwrap();
        let reader = options.read_only(true).open(temporary.region()).unwrap();
        fill(&grower);
        drop(grower);
        // One who reads only has nobody who does it for him: when he comes to it.
        let texts: SharedHashMap<u64, String> = reader.open_object("texts").unwrap();
        assert_eq!(texts.get(&0).unwrap(), Some(text(0)));
        let committed = region.stats().unwrap().committed;
        let end = Instant::now() + QUICK;
        // Both are mapped.
        while mapped(&region)[0] < 2 * committed {
            assert!(Instant::now() < end, "{} of twice {committed} bytes", mapped(&region)[0]);
            std::thread::yield_now();
        }
    }

    /// Whether the kernel gives huge pages to a file in this directory when asked.
    fn has_huge_pages(temporary: &Temporary) -> bool {
        const HUGE: usize = 2 << 20;
        let path = temporary.file("huge");
        let file = std::fs::File::options().read(true).write(true).create_new(true).open(path).unwrap();
        file.set_len(HUGE as u64).unwrap();
        let (rights, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping of twice the size, a part of it replaced; removed below.
        unsafe {
            let start = libc::mmap(std::ptr::null_mut(), 2 * HUGE, rights, flags, -1, 0);
            let at = start.byte_add(start.addr().next_multiple_of(HUGE) - start.addr());
            let flags = libc::MAP_SHARED | libc::MAP_FIXED;
            libc::mmap(at, HUGE, rights, flags, std::os::fd::AsRawFd::as_raw_fd(&file), 0);
            at.cast::<u8>().write(1);
            let collapsed = libc::madvise(at, HUGE, 25);
            libc::munmap(start, 2 * HUGE);
            collapsed == 0
        }
    }

    #[test]
    fn huge_pages_are_used_where_there_are_any() {
        let temporary = filled();
        let expected = if has_huge_pages(&temporary) { 8 << 20 } else { 0 };
        for options in [quiet().huge_pages(true), quiet().huge_pages(true).read_only(true)] {
            let region = options.open(temporary.region()).unwrap();
            assert_filled(&region);
            let huge = mapped(&region)[1];
            assert!(huge >= expected, "{huge} bytes in huge pages");
        }
        let (temporary, plain) = (Temporary::new(), Temporary::new());
        let grown = quiet().huge_pages(true).create(temporary.region()).unwrap();
        fill(&grown);
        assert!(mapped(&grown)[1] >= expected, "{} bytes in huge pages", mapped(&grown)[1]);
        let grown = quiet().create(plain.region()).unwrap();
        fill(&grown);
        let always = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/shmem_enabled").unwrap_or_default();
        assert!(mapped(&grown)[1] == 0 || !always.contains("[never]"), "nobody has asked for huge pages");
    }
}
