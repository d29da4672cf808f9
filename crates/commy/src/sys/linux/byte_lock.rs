//! A kernel lock on one byte of a file that says "this process lives": it ends with the address space, never earlier
//! and never later (L1).
//!
//! The lock belongs to an open file description made for it alone. One page mapped through that description keeps it
//! alive; the descriptor is closed at once, so `closefrom` cannot hit it, `MADV_DONTFORK` keeps it from children, and
//! `exec` and death drop it. All threads have stopped by then: the last of them takes the memory down.
//!
//! Stacked file systems (overlayfs, the root of most containers) map the file *below* theirs, which pins nothing. That
//! is measured once for each file whose file system is not known to map as the kernel does; where it is so the descriptor
//! stays open, closed in children by a fork handler, and only `closefrom` in a living process can still take the lock away.

use std::ffi::{c_int, c_short, c_void};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;
use std::ptr::{self, NonNull};
use std::thread;
use std::time::{Duration, Instant};

use super::clock::random_u64;
use super::{File, fork};

/// Rounded up to a page by the kernel.
const MAPPED: usize = 1;
/// Bytes from here on serve to measure whether mappings pin; far from the lock bytes of any region.
const WITNESSES: u64 = 1 << 61;

/// An exclusive lock on one byte. Dropping it lets the byte go; a forked child's copy of it is inert.
#[derive(Debug)]
pub(crate) struct ByteLock {
    keeper: ManuallyDrop<Keeper>,
    fork_epoch: u64,
}

impl ByteLock {
    /// Takes the byte if nobody has it, this process included; `None` if somebody does.
    ///
    /// # Errors
    /// Those of [`File::reopen`] for writing, of the lock and of the mapping; the byte is free then.
    pub(crate) fn try_hold(file: &File, offset: u64) -> io::Result<Option<ByteLock>> {
        let _window = fork::descriptor_window();
        let pins = *file.mapping_pins.get_or_init(|| file.maps_itself() || mapping_pins(file).unwrap_or(false));
        hold_through(file.reopen(true)?, offset, pins)
    }

    /// As [`ByteLock::try_hold`], but waits up to `timeout`: polling, because a kernel wait needs a signal to end it.
    pub(crate) fn hold(file: &File, offset: u64, timeout: Duration) -> io::Result<Option<ByteLock>> {
        let start = Instant::now();
        let mut pause = Duration::from_micros(50);
        loop {
            if let Some(lock) = ByteLock::try_hold(file, offset)? {
                return Ok(Some(lock));
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(2));
        }
    }
}

impl Drop for ByteLock {
    fn drop(&mut self) {
        // In a child the page was never there (its address may be somebody's) and the descriptor is closed.
        if self.fork_epoch == fork::fork_epoch() {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.keeper) };
        }
    }
}

/// Whether anybody holds the byte, this process included.
///
/// Asks through the data file's own description, which holds no lock itself (one that did would not see its own). So
/// the question needs no descriptor: a process that has none left still learns who is dead. Asking about a write lock
/// needs no right to write, so read-only clients may ask too.
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
    is_held_besides(file, offset, count)
}

/// What keeps the description alive.
#[derive(Debug)]
enum Keeper {
    Page { _page: Page },
    Descriptor { _file: KeptFile },
}

/// A page mapped through the description, absent in children.
#[derive(Debug)]
struct Page(NonNull<c_void>);

// SAFETY: the page is never accessed; unmapping works from any thread.
unsafe impl Send for Page {}
// SAFETY: as above; there is nothing to do with a shared reference.
unsafe impl Sync for Page {}

impl Page {
    fn map(description: &File) -> io::Result<Page> {
        let descriptor = description.descriptor();
        // SAFETY: the kernel chooses a free range, so nobody's memory is replaced.
        let page = unsafe { libc::mmap(ptr::null_mut(), MAPPED, libc::PROT_READ, libc::MAP_SHARED, descriptor, 0) };
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let page = Page(NonNull::new(page).expect("the kernel does not map at 0 unasked"));
        // SAFETY: exactly the range mapped above, which nobody accesses.
        if unsafe { libc::madvise(page.0.as_ptr(), MAPPED, libc::MADV_DONTFORK) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: as above. Nothing to see in a core dump; a refusal does not matter.
        unsafe { libc::madvise(page.0.as_ptr(), MAPPED, libc::MADV_DONTDUMP) };
        Ok(page)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: the range mapped in `map`, in the process that mapped it (`ByteLock::drop` sees to that).
        unsafe { libc::munmap(self.0.as_ptr(), MAPPED) };
    }
}

/// A descriptor that children close.
#[derive(Debug)]
struct KeptFile(ManuallyDrop<File>);

impl Drop for KeptFile {
    fn drop(&mut self) {
        let _window = fork::descriptor_window();
        fork::forget_kept(self.0.descriptor());
        // SAFETY: dropped once, here; inside of the window, or a child could inherit what is no longer listed.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }
}

/// Locks through a description made for it and finds it a keeper. The caller is inside of the descriptor window.
fn hold_through(description: File, offset: u64, pins: bool) -> io::Result<Option<ByteLock>> {
    let fork_epoch = fork::fork_epoch();
    if !take(&description, offset)? {
        return Ok(None);
    }
    let keeper = if pins {
        Keeper::Page { _page: Page::map(&description)? }
    } else {
        fork::keep_from_children(description.descriptor(), description.identity());
        Keeper::Descriptor { _file: KeptFile(ManuallyDrop::new(description)) }
    };
    Ok(Some(ByteLock { keeper: ManuallyDrop::new(keeper), fork_epoch }))
}

/// Whether a mapping alone keeps a lock on this file: tried with a byte that nobody else chooses.
fn mapping_pins(file: &File) -> io::Result<bool> {
    let witness = WITNESSES + (random_u64() >> 8);
    let description = file.reopen(true)?;
    if !take(&description, witness)? {
        return Ok(false);
    }
    let page = Page::map(&description)?;
    drop(description);
    let held = is_held_besides(&file.reopen(false)?, witness, 1)?;
    drop(page);
    Ok(held)
}

/// Whether the byte was free for this description and is now locked by it.
fn take(description: &File, offset: u64) -> io::Result<bool> {
    let mut range = range_of(offset, 1)?;
    match lock_call(description.descriptor(), libc::F_OFD_SETLK, &mut range) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether any description but this one holds one of the bytes.
fn is_held_besides(description: &File, offset: u64, count: u64) -> io::Result<bool> {
    let mut range = range_of(offset, count)?;
    lock_call(description.descriptor(), libc::F_OFD_GETLK, &mut range)?;
    let held = range.l_type != libc::F_UNLCK as c_short;
    if !held && !description.still_same() {
        // "Free" condemns a process: it must not be the answer for a stranger's file.
        return Err(io::Error::other("the descriptor was closed by someone else"));
    }
    Ok(held)
}

fn lock_call(descriptor: RawFd, command: c_int, range: &mut libc::flock) -> io::Result<()> {
    // SAFETY: these commands read and write one `flock`.
    let result = unsafe { libc::fcntl(descriptor, command, range as *mut libc::flock) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn range_of(offset: u64, count: u64) -> io::Result<libc::flock> {
    Ok(libc::flock {
        l_type: libc::F_WRLCK as c_short,
        l_whence: libc::SEEK_SET as c_short,
        l_start: i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?,
        l_len: i64::try_from(count).map_err(|_| io::ErrorKind::InvalidInput)?,
        l_pid: 0, // demanded by the OFD commands
    })
}

#[cfg(test)]
#[path = "byte_lock_tests.rs"]
mod tests;
