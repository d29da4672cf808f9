//! The region in memory: one shared mapping of its whole capacity, made once, so that no address ever moves.
//!
//! It may reach beyond the end of the file, where an access is a `SIGBUS`; the layer above lets none through that lies
//! behind what has been allocated.

use std::ffi::c_void;
use std::io;
use std::ptr::{self, NonNull};

use super::File;

/// A shared mapping of the first `len` bytes of a file, unmapped on drop.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
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
    pub(crate) fn new(file: &File, len: u64, writable: bool) -> io::Result<Mapping> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        if !file.still_same() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the descriptor was closed by someone else"));
        }
        let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
        // SAFETY: the kernel chooses a free range, so nobody's memory is replaced.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, file.descriptor(), 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: exactly the range mapped above; the advice changes nothing that a program can see.
        unsafe { libc::madvise(base, len, libc::MADV_DONTDUMP) };
        let base = NonNull::new(base.cast()).expect("the kernel does not map at 0 unasked");
        Ok(Mapping { base, len })
    }

    /// Makes sure that the file is mapped up to `end`: here all of it is, from the beginning.
    pub(crate) fn ensure(&self, _file: &File, _end: u64) -> io::Result<()> {
        Ok(())
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
