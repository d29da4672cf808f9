//! The region in memory: one shared mapping of its whole capacity, made once, so that no address ever moves.
//!
//! It may reach beyond the end of the file, where an access is a `SIGBUS`; the layer above lets none through that lies
//! behind what has been allocated.

use std::ffi::c_void;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use super::File;
use crate::sys::Paging;

/// So many bytes are made of huge pages in one call: some two milliseconds.
const COLLAPSED_AT_ONCE: usize = 8 << 20;

/// Not in every version of the bindings.
const MADV_COLLAPSE: i32 = 25;

/// A shared mapping of the first `len` bytes of a file, unmapped on drop.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
    paging: Paging,
}

// SAFETY: the mapping belongs to the process, not to a thread; it hands out an address and is immutable itself.
unsafe impl Send for Mapping {}
// SAFETY: as above; what is done through the address is the business of those who do it.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes from the start of `file`, which may be shorter. Core dumps leave the mapping out: they would
    /// hold a dying process's locks for as long as they take to write.
    ///
    /// # Errors
    /// Those of `mmap`; `InvalidInput` for a `len` of 0, `NotFound` when the descriptor no longer means this file.
    pub(crate) fn paged(file: &File, len: u64, writable: bool, paging: Paging) -> io::Result<Mapping> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        if !file.still_same() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the descriptor was closed by someone else"));
        }
        let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        let base =
            if paging.huge { map_aligned(file, len, protection) } else { map(ptr::null_mut(), len, protection, file) }?;
        for advice in [libc::MADV_DONTDUMP, libc::MADV_HUGEPAGE].into_iter().take(if paging.huge { 2 } else { 1 }) {
            // SAFETY: exactly the range mapped above; the advice changes nothing that a program can see.
            unsafe { libc::madvise(base, len, advice) };
        }
        let base = NonNull::new(base.cast()).expect("the kernel does not map at 0 unasked");
        Ok(Mapping { base, len, paging })
    }

    #[cfg(test)]
    pub(crate) fn new(file: &File, len: u64, writable: bool) -> io::Result<Mapping> {
        Mapping::paged(file, len, writable, Paging::default())
    }

    /// Makes sure that the file is mapped up to `end`: here all of it is, from the beginning.
    pub(crate) fn ensure(&self, _file: &File, _end: u64) -> io::Result<()> {
        Ok(())
    }

    /// Whether [`page_ahead`](Self::page_ahead) does anything.
    pub(crate) fn pages_ahead(&self) -> bool {
        self.paging != Paging::default()
    }

    /// Does to the bytes from `start` to `end`, which the file has come to have, what was asked for when it was mapped; those
    /// from `floor` on it had before. Best effort: what a kernel, a file system or its administrator does not allow is left
    /// alone.
    ///
    /// Reading pages in is enough: those in memory are writable from then on, and those of a disk stay clean until they are
    /// written.
    pub(crate) fn page_ahead(&self, floor: u64, start: u64, end: u64) {
        let [floor, start, end] = [floor, start, end].map(|at| at.min(self.len as u64) as usize);
        if self.paging.huge {
            let huge = huge_page_size();
            // Those that the file has as a whole: the first of them may have begun before `start`.
            let first = (start / huge * huge).max(floor.next_multiple_of(huge));
            let end = end / huge * huge;
            // Who is killed in a call ends when it returns, and others may wait for that.
            let step = COLLAPSED_AT_ONCE.max(huge);
            for at in (first..end).step_by(step) {
                self.advise(at, end.min(at + step), MADV_COLLAPSE);
            }
        }
        if self.paging.prefault {
            self.advise(start, end, libc::MADV_POPULATE_READ);
        }
    }

    /// About the pages of these bytes, which lie inside of the mapping.
    fn advise(&self, start: usize, end: usize, advice: i32) {
        let [start, end] = [start / page_size() * page_size(), end.next_multiple_of(page_size())];
        if start < end {
            // SAFETY: whole pages of this mapping; neither advice changes a byte.
            unsafe { libc::madvise(self.base.as_ptr().add(start).cast(), end - start, advice) };
        }
    }

    /// The first byte; aligned to a page.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Number of bytes mapped, as asked for.
    #[cfg(test)]
    pub(crate) fn len(&self) -> u64 {
        self.len as u64
    }

    /// Faults the whole pages of a range in, writable, in one call. Best effort: older kernels do nothing, and what
    /// lies outside of the mapping or behind the end of the file is left alone.
    pub(crate) fn populate_write(&self, start: *mut u8, len: usize) {
        let page = page_size();
        let base = self.base.as_ptr().addr();
        let end = start.addr().saturating_add(len).min(base + self.len) & !(page - 1);
        let start = start.addr().max(base).next_multiple_of(page);
        if start < end {
            let first = self.base.as_ptr().with_addr(start).cast::<c_void>();
            // SAFETY: whole pages inside of this mapping (clamped above); faulting in changes no byte.
            unsafe { libc::madvise(first, end - start, libc::MADV_POPULATE_WRITE) };
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the range mapped in `new`; whoever lent an address from it borrows `self`.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// Maps the beginning of a file at an address, or where the kernel likes.
fn map(address: *mut c_void, len: usize, protection: i32, file: &File) -> io::Result<*mut c_void> {
    let fixed = if address.is_null() { 0 } else { libc::MAP_FIXED };
    let flags = libc::MAP_SHARED | libc::MAP_NORESERVE | fixed;
    // SAFETY: the kernel chooses a free range, or it is one that the caller has reserved: nobody's memory is replaced.
    let base = unsafe { libc::mmap(address, len, protection, flags, file.descriptor(), 0) };
    if base == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(base) }
}

/// The same at a multiple of the size of huge pages: only there can the file's be mapped as such.
fn map_aligned(file: &File, len: usize, protection: i32) -> io::Result<*mut c_void> {
    let huge = huge_page_size();
    let reserved = len.checked_next_multiple_of(page_size()).and_then(|len| len.checked_add(huge));
    let reserved = reserved.filter(|_| len > 0).ok_or(io::ErrorKind::InvalidInput)?;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: the kernel chooses a free range, so nobody's memory is replaced.
    let start = unsafe { libc::mmap(ptr::null_mut(), reserved, libc::PROT_NONE, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let skipped = start.addr().next_multiple_of(huge) - start.addr();
    // SAFETY: less than a huge page behind the start of a longer range.
    let aligned = unsafe { start.byte_add(skipped) };
    let mapped = map(aligned, len, protection, file);
    let kept = if mapped.is_ok() { reserved - huge } else { 0 };
    for (at, len) in [(0, skipped), (skipped + kept, reserved - skipped - kept)] {
        if len > 0 {
            // SAFETY: parts of the range reserved above, before and behind the file.
            unsafe { libc::munmap(start.byte_add(at), len) };
        }
    }
    mapped
}

/// Bytes of a huge page. 2 MiB where the kernel does not say: then it has none, and any number will do.
fn huge_page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        let said = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
        let size = said.ok().and_then(|text| text.trim().parse::<usize>().ok());
        size.filter(|size| size.is_power_of_two() && *size >= page_size()).unwrap_or(2 << 20)
    })
}

/// What the kernel maps and backs as a whole.
pub(super) fn page_size() -> usize {
    // SAFETY: takes no pointers; this name is known to every Linux.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("pages have a size")
}

#[cfg(test)]
mod tests {
    use super::super::testing::Directory;
    use super::*;

    #[test]
    fn capacity_may_lie_behind_the_end_of_the_file() {
        let directory = Directory::new();
        let file = File::create_unnamed(&directory.path().join("region"), 0o600).unwrap();
        file.allocate(0, 8192).unwrap();
        let mapping = Mapping::new(&file, 1 << 30, true).unwrap();
        assert_eq!(mapping.len(), 1 << 30);
        // Far more than the file has: must neither lengthen it nor be an error.
        mapping.populate_write(mapping.base().as_ptr(), 1 << 24);
        assert_eq!(file.metadata().unwrap().len, 8192);
        // SAFETY: byte 5000 is inside of the 8192 bytes allocated.
        unsafe { mapping.base().add(5000).write(7) };
        let mut byte = [0];
        assert_eq!(file.read_at(&mut byte, 5000).unwrap(), 1);
        assert_eq!(byte, [7]);
        // Growth shows in the same mapping.
        file.allocate(8192, 65536).unwrap();
        file.write_at(&[9], 70_000).unwrap();
        // SAFETY: byte 70,000 is inside of what has been allocated now.
        assert_eq!(unsafe { mapping.base().add(70_000).read() }, 9);
    }

    #[test]
    fn an_empty_mapping_is_an_error() {
        let directory = Directory::new();
        let file = File::create_unnamed(&directory.path().join("region"), 0o600).unwrap();
        assert_eq!(Mapping::new(&file, 0, true).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
