//! A word of a region, and a futex, as another program of the system would have them.

use crate::support::temporary::Temporary;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::AtomicU32;

/// A word of a region's file, in memory as the library has it.
pub struct SharedWord {
    page: *mut u8,
    within: usize,
}

// SAFETY: used as an atomic only.
unsafe impl Sync for SharedWord {}

impl SharedWord {
    pub fn of(temporary: &Temporary, offset: u64) -> SharedWord {
        let file = File::options().read(true).write(true).open(temporary.region()).unwrap();
        let (start, within) = (offset / 4096 * 4096, (offset % 4096) as usize);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let (descriptor, start) = (file.as_raw_fd(), start as libc::off_t);
        // SAFETY: a new mapping of one page of the file, wherever there is room.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, libc::MAP_SHARED, descriptor, start) };
        assert_ne!(page, libc::MAP_FAILED);
        SharedWord { page: page.cast(), within }
    }

    pub fn get(&self) -> &AtomicU32 {
        // SAFETY: inside of the page, aligned, and mapped as long as `self` lives.
        unsafe { AtomicU32::from_ptr(self.page.add(self.within).cast()) }
    }

    /// Sleeps in a futex class while the word is `seen`, until a wake comes; false: none did.
    pub fn is_woken(&self, seen: u32, class: u32) -> bool {
        let mut end = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: writes one `timespec`.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut end) };
        end.tv_sec += 20;
        let nobody = std::ptr::null::<u32>();
        // SAFETY: the word and the `timespec` live longer than the call.
        let result = unsafe {
            let word = self.get().as_ptr();
            libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT_BITSET, seen, &raw const end, nobody, class)
        };
        result == 0 || std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN)
    }
}

impl Drop for SharedWord {
    fn drop(&mut self) {
        // SAFETY: the page mapped in `of`.
        unsafe { libc::munmap(self.page.cast(), 4096) };
    }
}
