//! The region in memory: addresses for its whole capacity, reserved once, so that none ever moves, and views of the
//! file from its beginning up to where this process has seen it end.
//!
//! Nothing is mapped beyond the end of the file. Whoever raises what it takes for committed calls [`Mapping::ensure`]
//! first.

use std::io;
use std::os::windows::io::OwnedHandle;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, PAGE_READONLY, PAGE_READWRITE, PrefetchVirtualMemory, WIN32_MEMORY_RANGE_ENTRY,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::File;
use super::handle::owned;
use super::parking;
use super::range::Range;
use crate::sys::Paging;

/// Views begin at multiples of this (the allocation granularity, the same on all Windows); files made here end at one.
pub(super) const GRANULE: u64 = 64 << 10;
const PAGE: usize = 4096;
/// How often other addresses are tried at the beginning.
const TRIES: u32 = 100;

/// Shared views of a file, unmapped on drop.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    #[cfg(test)]
    len: u64,
    writable: bool,
    paging: Paging,
    /// The `mapped` of `range`, for those who only ask.
    mapped: AtomicUsize,
    range: Mutex<Range>,
}

impl Mapping {
    /// Maps what there is of `file`, and reserves addresses for its first `len` bytes.
    ///
    /// # Errors
    /// Those of reserving and mapping; `InvalidInput` for a `len` of 0.
    pub(crate) fn paged(file: &File, len: u64, writable: bool, paging: Paging) -> io::Result<Mapping> {
        let reserved = len.checked_next_multiple_of(GRANULE).and_then(|len| usize::try_from(len).ok());
        let reserved = reserved.filter(|&len| len > 0).ok_or(io::ErrorKind::InvalidInput)?;
        let mut tries = TRIES;
        let mapping = loop {
            let range = Range::reserve(reserved)?;
            let mapping = Mapping {
                base: NonNull::new(range.base()).expect("a reservation is not at 0"),
                #[cfg(test)]
                len,
                writable,
                paging,
                mapped: AtomicUsize::new(0),
                range: Mutex::new(range),
            };
            match mapping.map_up_to(file, 1) {
                Ok(()) => break mapping,
                // Somebody was faster at these addresses; no view is bound to them yet, so others do as well.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy && tries > 0 => tries -= 1,
                Err(error) => return Err(error),
            }
        };
        let base = mapping.base;
        parking::register(base.as_ptr().addr(), reserved, file.identity());
        Ok(mapping)
    }

    #[cfg(test)]
    pub(crate) fn new(file: &File, len: u64, writable: bool) -> io::Result<Mapping> {
        Mapping::paged(file, len, writable, Paging::default())
    }

    /// Makes sure that the file is mapped up to `end`, where it does not end earlier.
    ///
    /// # Errors
    /// Those of mapping; `ResourceBusy` if the addresses were lost.
    pub(crate) fn ensure(&self, file: &File, end: u64) -> io::Result<()> {
        let end = usize::try_from(end).map_err(|_| io::ErrorKind::InvalidInput)?;
        if end <= self.mapped.load(Ordering::Acquire) { Ok(()) } else { self.map_up_to(file, end) }
    }

    /// Maps all that there is, if that is at least `end`.
    #[cold]
    fn map_up_to(&self, file: &File, end: usize) -> io::Result<()> {
        let mut range = self.range.lock().unwrap_or_else(PoisonError::into_inner);
        if end <= range.mapped() {
            return Ok(());
        }
        let mut file_len = file.metadata()?.len;
        if self.writable {
            // A view can only begin where the last one ended if that is such a multiple.
            let wanted = usize::try_from(file_len.next_multiple_of(GRANULE)).unwrap_or(usize::MAX);
            let wanted = range.ahead_of(wanted.min(range.len())) as u64;
            if wanted > file_len {
                // On a full disk what there is will do.
                let _ = Section::new(file, true, Some(wanted));
                file_len = file.metadata()?.len;
            }
        }
        // A file may be longer than the region that is in it.
        let target = usize::try_from(file_len).unwrap_or(usize::MAX).min(range.len()) / PAGE * PAGE;
        if target < end {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file is shorter than what it is said to hold",
            ));
        }
        let section = Section::new(file, self.writable, None)?;
        range.extend(section.handle(), target, self.writable)?;
        self.mapped.store(range.mapped(), Ordering::Release);
        Ok(())
    }

    /// Whether [`page_ahead`](Self::page_ahead) does anything.
    pub(crate) fn pages_ahead(&self) -> bool {
        self.paging.prefault
    }

    /// Has the bytes from `start` to `end`, as far as they are mapped, read from the disk in few large pieces; each page still
    /// comes into the working set when it is first touched. Files have no huge pages here. Best effort.
    pub(crate) fn page_ahead(&self, _floor: u64, start: u64, end: u64) {
        let end = end.min(self.mapped.load(Ordering::Acquire) as u64);
        if !self.paging.prefault || start >= end {
            return;
        }
        let first = self.base.as_ptr().wrapping_add(start as usize);
        let range = WIN32_MEMORY_RANGE_ENTRY { VirtualAddress: first.cast(), NumberOfBytes: (end - start) as usize };
        // SAFETY: reads one range; views of it stay as long as this mapping does, and no byte changes.
        unsafe { PrefetchVirtualMemory(GetCurrentProcess(), 1, &range, 0) };
    }

    /// The first byte; aligned to a page.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Number of bytes that have addresses, as asked for.
    #[cfg(test)]
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Faults pages in, where a system does so for files; here each does when it is first touched.
    pub(crate) fn populate_write(&self, _start: *mut u8, _len: usize) {}
}

impl Drop for Mapping {
    fn drop(&mut self) {
        parking::unregister(self.base.as_ptr().addr());
    }
}

/// A section of a file: what views are made of. Views outlive it.
pub(super) struct Section(OwnedHandle);

impl Section {
    /// A section of the whole file, which is lengthened to `len` first if it is shorter than that; a section never
    /// shortens one.
    pub(super) fn new(file: &File, writable: bool, len: Option<u64>) -> io::Result<Section> {
        let protection = if writable { PAGE_READWRITE } else { PAGE_READONLY };
        let len = len.unwrap_or(0);
        // SAFETY: an open file; the result is owned by nobody else.
        let section = unsafe {
            let (usual, no_name) = (ptr::null(), ptr::null());
            owned(CreateFileMappingW(file.handle(), usual, protection, (len >> 32) as u32, len as u32, no_name))
        };
        section.map(Section)
    }

    pub(super) fn handle(&self) -> &OwnedHandle {
        &self.0
    }
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
