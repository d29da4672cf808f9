//! Processes that stand still: children that are stopped from outside, or have stopped themselves at a crash point; and
//! the lock bytes of processes, asked for as anybody may.

pub use system::{go_on, slot_is_held, stop, until_stopped};

/// Where the lock byte of process slot `slot` lies.
fn byte_of(file: &std::fs::File, slot: u64) -> u64 {
    let mut base = [0; 8];
    commy_lab::files::read_exact_at(file, &mut base, 136).unwrap();
    u64::from_le_bytes(base) + 1 + slot
}

#[cfg(target_os = "linux")]
mod system {
    use crate::support::child::Child;
    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::path::Path;

    fn signal(child: &Child, signal: i32) {
        // SAFETY: takes no pointers; the child is ours and not reaped, so the number is its own.
        assert_eq!(unsafe { libc::kill(child.pid() as i32, signal) }, 0);
    }

    /// Returns when a child has stopped itself (or ended).
    pub fn until_stopped(child: &Child) {
        let mut status = 0;
        // SAFETY: writes one status word. With WUNTRACED and the child alive this reaps nothing.
        let found = unsafe { libc::waitpid(child.pid() as i32, &raw mut status, libc::WUNTRACED) };
        assert!(found == child.pid() as i32 && libc::WIFSTOPPED(status), "the child has stopped: {status:#x}");
    }

    /// Stops a child and returns when it has stopped.
    pub fn stop(child: &Child) {
        signal(child, libc::SIGSTOP);
        until_stopped(child);
    }

    /// Lets a child go on that was stopped, or has stopped itself.
    pub fn go_on(child: &Child) {
        signal(child, libc::SIGCONT);
    }

    /// Does anybody hold the lock byte of process slot `slot`? Asked through a description of its own.
    pub fn slot_is_held(path: &Path, slot: u64) -> bool {
        let file = File::open(path).unwrap();
        // SAFETY: a structure of integers.
        let mut range = unsafe { std::mem::zeroed::<libc::flock>() };
        (range.l_type, range.l_whence) = (libc::F_WRLCK as libc::c_short, libc::SEEK_SET as libc::c_short);
        (range.l_start, range.l_len) = (super::byte_of(&file, slot) as libc::off_t, 1);
        // SAFETY: reads and writes one `flock`.
        assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut range) }, 0);
        range.l_type != libc::F_UNLCK as libc::c_short
    }
}

#[cfg(windows)]
mod system {
    use crate::support::child::Child;
    use std::fs::File;
    use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
    use std::path::Path;
    use windows_sys::Win32::Foundation::{FALSE, HANDLE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0};
    use windows_sys::Win32::Storage::FileSystem::{LOCKFILE_FAIL_IMMEDIATELY, LockFileEx};
    use windows_sys::Win32::System::Diagnostics::ToolHelp::{
        CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
    };
    use windows_sys::Win32::System::IO::{OVERLAPPED, OVERLAPPED_0, OVERLAPPED_0_0};
    use windows_sys::Win32::System::Threading::{
        CreateEventW, OpenThread, ResumeThread, SetEvent, SuspendThread, THREAD_SUSPEND_RESUME, WaitForSingleObject,
    };

    fn owned(handle: HANDLE) -> OwnedHandle {
        assert!(!handle.is_null() && handle != INVALID_HANDLE_VALUE, "{}", std::io::Error::last_os_error());
        // SAFETY: just opened, and nobody else's.
        unsafe { OwnedHandle::from_raw_handle(handle) }
    }

    /// The event by which a child says that it has stopped itself, or is told to go on.
    fn event(what: &str, child: &Child) -> OwnedHandle {
        let name: Vec<u16> = format!("Local\\commy-{what}-{}\0", child.pid()).encode_utf16().collect();
        // SAFETY: the name ends in zero and lives across the call.
        owned(unsafe { CreateEventW(std::ptr::null(), FALSE, FALSE, name.as_ptr()) })
    }

    fn each_thread(child: &Child, what: impl Fn(HANDLE)) {
        // SAFETY: takes no pointers.
        let all = owned(unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) });
        // SAFETY: a structure of integers, which says its size.
        let mut entry: THREADENTRY32 = unsafe { std::mem::zeroed() };
        entry.dwSize = size_of::<THREADENTRY32>() as u32;
        // SAFETY: one entry that says its size.
        let mut more = unsafe { Thread32First(all.as_raw_handle(), &raw mut entry) };
        while more != FALSE {
            if entry.th32OwnerProcessID == child.pid() {
                // SAFETY: takes no pointers.
                let thread = unsafe { OpenThread(THREAD_SUSPEND_RESUME, FALSE, entry.th32ThreadID) };
                // One that has ended since the snapshot needs no stop.
                if !thread.is_null() {
                    what(owned(thread).as_raw_handle());
                }
            }
            // SAFETY: as above.
            more = unsafe { Thread32Next(all.as_raw_handle(), &raw mut entry) };
        }
    }

    /// Returns when a child has stopped itself.
    pub fn until_stopped(child: &Child) {
        // SAFETY: an open handle.
        let result = unsafe { WaitForSingleObject(event("stopped", child).as_raw_handle(), 30_000) };
        assert_eq!(result, WAIT_OBJECT_0, "the child has stopped");
    }

    /// Stops a child, thread by thread.
    pub fn stop(child: &Child) {
        each_thread(child, |thread| {
            // SAFETY: an open handle with that right.
            assert_ne!(unsafe { SuspendThread(thread) }, u32::MAX);
        });
    }

    /// Lets a child go on that was stopped, or has stopped itself.
    pub fn go_on(child: &Child) {
        // SAFETY: an open handle.
        unsafe { SetEvent(event("continue", child).as_raw_handle()) };
        each_thread(child, |thread| {
            // SAFETY: an open handle with that right. What was not stopped stays as it is.
            assert_ne!(unsafe { ResumeThread(thread) }, u32::MAX);
        });
    }

    /// Does anybody hold the lock byte of process slot `slot`? Asked through a handle of its own, which lets go at once what
    /// it may get.
    pub fn slot_is_held(path: &Path, slot: u64) -> bool {
        let file = File::open(path).unwrap();
        let at = super::byte_of(&file, slot);
        let place = OVERLAPPED_0_0 { Offset: at as u32, OffsetHigh: (at >> 32) as u32 };
        // SAFETY: a structure of integers and a null handle.
        let mut range: OVERLAPPED = unsafe { std::mem::zeroed() };
        range.Anonymous = OVERLAPPED_0 { Anonymous: place };
        // SAFETY: an open handle, and a structure that lives across the call, which does not wait.
        unsafe { LockFileEx(file.as_raw_handle(), LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &raw mut range) == FALSE }
    }
}
