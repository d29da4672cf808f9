//! Addresses for the whole of a region, reserved once; their beginning is mapped, view by view.
//!
//! Invariant W1: `[base, base + mapped)` consists of views of the file from its beginning on, without a gap, and none of
//! them goes before the range does.
//!
//! Without placeholders a piece of the range has to be given back before a view can take its place, and another thread's
//! allocation may be faster. Then that piece can perhaps never be mapped in this process: growth fails here with an
//! error of its own, and others are not concerned. To make it rare, pieces are large and whole pieces are mapped.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr;
use std::thread;

use windows_sys::Win32::Foundation::ERROR_INVALID_ADDRESS;
use windows_sys::Win32::System::Memory::{
    FILE_MAP_READ, FILE_MAP_WRITE, MEM_RELEASE, MEM_RESERVE, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFileEx,
    PAGE_NOACCESS, UnmapViewOfFile, VirtualAlloc, VirtualFree,
};

use super::mapping::GRANULE;
use super::placeholders::Placeholders;

/// Regions up to this size are mapped at once where there are no placeholders, and have one piece.
const AT_ONCE: usize = (1 << 30) + (64 << 20);
/// Of larger ones this much is mapped ahead.
const PIECE: usize = 64 << 20;
/// Larger pieces rather than more of them.
const MOST_PIECES: usize = 512;
/// How often a lost race is run again.
const TRIES: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Range {
    base: *mut u8,
    len: usize,
    mapped: usize,
    /// Where views begin, from `base` on.
    views: Vec<usize>,
    rest: Rest,
}

/// How the addresses behind the views are kept.
#[derive(Debug)]
enum Rest {
    /// One placeholder, if there is a rest.
    Placeholder(Placeholders),
    /// Reservations, from and to, in order; what was lost to somebody else is missing.
    Pieces(Vec<(usize, usize)>),
}

// SAFETY: the addresses belong to the process, not to a thread.
unsafe impl Send for Range {}

impl Range {
    /// Reserves `len` bytes, a multiple of [`GRANULE`].
    pub(super) fn reserve(len: usize) -> io::Result<Range> {
        if let Some(placeholders) = Placeholders::find()
            && let Ok(base) = placeholders.reserve(len)
        {
            return Ok(Range { base, len, mapped: 0, views: Vec::new(), rest: Rest::Placeholder(placeholders) });
        }
        Range::reserve_in_pieces(len)
    }

    /// The classic way, without placeholders.
    fn reserve_in_pieces(len: usize) -> io::Result<Range> {
        let mut outcome = Err(taken());
        for _ in 0..TRIES {
            outcome = reserve_pieces(len);
            if outcome.is_ok() {
                break;
            }
        }
        let (base, pieces) = outcome?;
        Ok(Range { base, len, mapped: 0, views: Vec::new(), rest: Rest::Pieces(pieces) })
    }

    pub(super) fn base(&self) -> *mut u8 {
        self.base
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn mapped(&self) -> usize {
        self.mapped
    }

    /// How much is better mapped when `target` bytes must be: at least these, at most all.
    pub(super) fn ahead_of(&self, target: usize) -> usize {
        match self.rest {
            Rest::Placeholder(_) => target,
            Rest::Pieces(_) if self.len <= AT_ONCE => self.len,
            Rest::Pieces(_) => target.next_multiple_of(PIECE).min(self.len),
        }
    }

    /// Maps a section from where the views end up to `target`.
    ///
    /// # Errors
    /// `ResourceBusy` if the addresses were lost; `InvalidInput` if the last view ended at an odd place, where none can
    /// begin; else those of mapping.
    pub(super) fn extend(&mut self, section: &OwnedHandle, target: usize, writable: bool) -> io::Result<()> {
        if target <= self.mapped {
            return Ok(());
        }
        let (from, len) = (self.mapped, target - self.mapped);
        let place = self.base.wrapping_add(from);
        match &mut self.rest {
            Rest::Placeholder(placeholders) => {
                let rest = self.len - from;
                // SAFETY: W1, behind the views lies one placeholder of that size.
                unsafe { placeholders.map(section.as_raw_handle(), place, from as u64, len, rest, writable) }?;
            }
            // A view that replaces a placeholder may begin at any page, others may not.
            Rest::Pieces(_) if !from.is_multiple_of(GRANULE as usize) => {
                let reason = "the file grew from a length that is no multiple of 64 KiB; open it again";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
            Rest::Pieces(pieces) => map_over(self.base, pieces, section, from, target, writable)?,
        }
        self.views.push(from);
        self.mapped = target;
        Ok(())
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        for &view in &self.views {
            let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.base.wrapping_add(view).cast::<c_void>() };
            // SAFETY: a view of ours, unmapped once; whoever lent an address from it borrows the mapping.
            unsafe { UnmapViewOfFile(view) };
        }
        match &self.rest {
            Rest::Placeholder(_) if self.mapped == self.len => {}
            Rest::Placeholder(_) => release(self.base, self.mapped),
            Rest::Pieces(pieces) => pieces.iter().for_each(|&(start, _)| release(self.base, start)),
        }
    }
}

/// Finds a free range and reserves it piece by piece.
fn reserve_pieces(len: usize) -> io::Result<(*mut u8, Vec<(usize, usize)>)> {
    let piece = if len <= AT_ONCE { len } else { (len / MOST_PIECES).next_multiple_of(PIECE) };
    // SAFETY: the system chooses a free range, so nobody's memory is replaced.
    let base = unsafe { VirtualAlloc(ptr::null(), len, MEM_RESERVE, PAGE_NOACCESS) }.cast::<u8>();
    if base.is_null() {
        return Err(io::Error::last_os_error());
    }
    release(base, 0);
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < len {
        let end = (start + piece).min(len);
        if !reserve_at(base, start, end) {
            pieces.iter().for_each(|&(start, _)| release(base, start));
            return Err(taken());
        }
        pieces.push((start, end));
        start = end;
    }
    Ok((base, pieces))
}

/// Maps `[from, target)` over the pieces that lie there, and reserves what is left of the last one again.
fn map_over(
    base: *mut u8,
    pieces: &mut Vec<(usize, usize)>,
    section: &OwnedHandle,
    from: usize,
    target: usize,
    writable: bool,
) -> io::Result<()> {
    let covered = pieces.iter().take_while(|&&(start, _)| start < target).count();
    let given_up: Vec<_> = pieces.drain(..covered).collect();
    let reaches = |pieces: &[(usize, usize)]| {
        let end = pieces.iter().fold(from, |end, &(start, next)| if start == end { next } else { end });
        end >= target
    };
    let was_whole = reaches(&given_up);
    given_up.iter().for_each(|&(start, _)| release(base, start));
    let access = FILE_MAP_READ | if writable { FILE_MAP_WRITE } else { 0 };
    let place = base.wrapping_add(from).cast::<c_void>();
    let mut failure = None;
    for _ in 0..TRIES {
        let (high, low) = ((from as u64 >> 32) as u32, from as u32);
        // SAFETY: an open section; the call maps at `place` only if all of that range is free.
        let view = unsafe { MapViewOfFileEx(section.as_raw_handle(), access, high, low, target - from, place) };
        if !view.Value.is_null() {
            failure = None;
            break;
        }
        failure = Some(io::Error::last_os_error());
        thread::yield_now();
    }
    let Some(failure) = failure else {
        if let Some(&(_, end)) = given_up.last()
            && end > target
            && reserve_at(base, target, end)
        {
            pieces.insert(0, (target, end));
        }
        return Ok(());
    };
    // What can be had again is kept for the next attempt; what was lost earlier may be free by now.
    let again: Vec<_> = given_up.into_iter().filter(|&(start, end)| reserve_at(base, start, end)).collect();
    let is_whole = reaches(&again);
    pieces.splice(0..0, again);
    // With all the addresses at hand it was something else, or whoever had them for a while has let them go.
    let were_taken = failure.raw_os_error() == Some(ERROR_INVALID_ADDRESS as i32);
    Err(if was_whole && is_whole && !were_taken { failure } else { taken() })
}

fn reserve_at(base: *mut u8, start: usize, end: usize) -> bool {
    let place = base.wrapping_add(start).cast::<c_void>();
    // SAFETY: reserves only if all of the range is free.
    unsafe { VirtualAlloc(place, end - start, MEM_RESERVE, PAGE_NOACCESS) == place }
}

fn release(base: *mut u8, start: usize) {
    // SAFETY: a reservation of ours begins there, and nothing in it is accessed.
    unsafe { VirtualFree(base.wrapping_add(start).cast::<c_void>(), 0, MEM_RELEASE) };
}

fn taken() -> io::Error {
    let reason = "the addresses that the region would grow into were taken by another part of this process";
    io::Error::new(io::ErrorKind::ResourceBusy, reason)
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
