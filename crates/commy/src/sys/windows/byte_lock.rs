//! A lock on one byte of a file that says "this process lives": it ends with the process, never earlier (L1).
//!
//! Locks belong to the handle that they were taken through. All of a file's are taken through one handle made for them
//! alone; whoever asks does so through another one, and so sees those of its own process. To ask is to take a *shared*
//! lock for a moment: many may ask at once, no asker looks like a holder to another asker, and a claimer that finds
//! nobody but askers in its way waits for them. How long after a kill a lock is let go depends on the system; the probe
//! of the process knows earlier.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, ERROR_LOCK_VIOLATION, HANDLE};
use windows_sys::Win32::Storage::FileSystem::{
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx, UnlockFileEx,
};
use windows_sys::Win32::System::IO::{OVERLAPPED, OVERLAPPED_0, OVERLAPPED_0_0};

use super::File;

/// The byte that guards a provisional name; far from the lock bytes of any region.
pub(super) const WITNESS: u64 = 1 << 61;
/// How long a claimer waits for those who only ask; each of them needs two system calls, and a processor. (One that was
/// stopped between them makes the byte look held, which costs its claimer another byte, or another turn.)
const ASKERS_NEED: Duration = Duration::from_millis(20);

/// An exclusive lock on one byte. Dropping it lets the byte go.
#[derive(Debug)]
pub(crate) struct ByteLock {
    locker: Arc<OwnedHandle>,
    offset: u64,
}

impl ByteLock {
    /// Takes the byte if nobody has it, this process included; `None` if somebody does.
    ///
    /// # Errors
    /// Those of opening the file once more and of the lock; the byte is free then.
    pub(crate) fn try_hold(file: &File, offset: u64) -> io::Result<Option<ByteLock>> {
        let locker = file.locker()?;
        let start = Instant::now();
        loop {
            if take(locker.as_raw_handle(), offset, 1, true)? {
                return Ok(Some(ByteLock { locker, offset }));
            }
            // A holder refuses the question, too; those who ask do not.
            if byte_is_held(file, offset)? || start.elapsed() >= ASKERS_NEED {
                return Ok(None);
            }
            thread::yield_now();
        }
    }

    /// As [`ByteLock::try_hold`], but waits up to `timeout`: polling, because a wait of the system has no end.
    pub(crate) fn hold(file: &File, offset: u64, timeout: Duration) -> io::Result<Option<ByteLock>> {
        let start = Instant::now();
        loop {
            if let Some(lock) = ByteLock::try_hold(file, offset)? {
                return Ok(Some(lock));
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            thread::sleep(left.min(Duration::from_millis(1)));
        }
    }
}

impl Drop for ByteLock {
    fn drop(&mut self) {
        let_go(self.locker.as_raw_handle(), self.offset, 1);
    }
}

/// Whether anybody holds the byte, this process included.
///
/// Asks through the data file's own handle, which holds no lock of a region itself. That needs no new handle, works for
/// a file that has lost its name, and for read-only clients.
///
/// # Errors
/// When the question could not be asked. That proves nothing: treat the byte as held.
pub(crate) fn byte_is_held(file: &File, offset: u64) -> io::Result<bool> {
    bytes_are_held(file, offset, 1)
}

/// Whether anybody holds any of `count` bytes from `offset` on, as [`byte_is_held`].
///
/// # Errors
/// As [`byte_is_held`].
pub(crate) fn bytes_are_held(file: &File, offset: u64, count: u64) -> io::Result<bool> {
    let free = take(file.handle(), offset, count, false)?;
    if free {
        let_go(file.handle(), offset, count);
    }
    Ok(!free)
}

/// Whether the bytes were free for this handle and are now locked through it.
pub(super) fn take(handle: HANDLE, offset: u64, count: u64, exclusive: bool) -> io::Result<bool> {
    let mut place = place_of(offset);
    let flags = LOCKFILE_FAIL_IMMEDIATELY | if exclusive { LOCKFILE_EXCLUSIVE_LOCK } else { 0 };
    // SAFETY: the place lives across the call, which does not outlast itself: it fails at once instead of waiting.
    if unsafe { LockFileEx(handle, flags, 0, count as u32, (count >> 32) as u32, &mut place) } != 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_LOCK_VIOLATION | ERROR_IO_PENDING) => Ok(false),
        _ => Err(error),
    }
}

/// Takes [`take`] back.
pub(super) fn let_go(handle: HANDLE, offset: u64, count: u64) {
    let mut place = place_of(offset);
    // SAFETY: the place lives across the call; what was not locked is an error that changes nothing.
    unsafe { UnlockFileEx(handle, 0, count as u32, (count >> 32) as u32, &mut place) };
}

fn place_of(offset: u64) -> OVERLAPPED {
    let halves = OVERLAPPED_0_0 { Offset: offset as u32, OffsetHigh: (offset >> 32) as u32 };
    OVERLAPPED { Anonymous: OVERLAPPED_0 { Anonymous: halves }, ..OVERLAPPED::default() }
}

#[cfg(test)]
#[path = "byte_lock_tests.rs"]
mod tests;
