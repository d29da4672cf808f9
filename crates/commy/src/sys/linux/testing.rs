//! Helpers of the unit tests: children that can be talked to and killed.

use std::cell::Cell;
use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) use crate::sys::testing::Directory;

/// One end of a line between a test and a process it forked; ends when the other side does.
pub(super) struct Line(RawFd);

impl Line {
    pub(super) fn send(&self, message: u64) {
        let bytes = message.to_ne_bytes();
        // SAFETY: reads the 8 bytes of `bytes`.
        let sent = unsafe { libc::send(self.0, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
        assert_eq!(sent, 8);
    }

    pub(super) fn receive(&self) -> Option<u64> {
        let mut bytes = [0; 8];
        // SAFETY: writes at most the 8 bytes of `bytes`.
        let got = unsafe { libc::recv(self.0, bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        (got == 8).then(|| u64::from_ne_bytes(bytes))
    }
}

/// A forked child, killed and reaped on drop. Its line is descriptor 0 there, out of reach of `closefrom(3)`.
pub(super) struct Child {
    pub(super) pid: u32,
    pub(super) line: Line,
    reaped: Cell<bool>,
}

impl Child {
    /// Runs `body` in a child that ends with its result. The harness has other threads: `body` should make system calls
    /// and little else.
    pub(super) fn fork(body: impl FnOnce(&Line) -> i32) -> Child {
        let mut ends = [0; 2];
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        // SAFETY: writes two descriptors into room for two.
        assert_eq!(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) }, 0);
        // SAFETY: the child never returns from the block below.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: own descriptors and settings of the child; the alarm ends it should it hang.
            unsafe {
                libc::dup2(ends[1], 0);
                libc::close(ends[0]);
                libc::close(ends[1]);
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::alarm(60);
            }
            let code = catch_unwind(AssertUnwindSafe(|| body(&Line(0)))).unwrap_or(101);
            // SAFETY: ends the child without the handlers of the harness.
            unsafe { libc::_exit(code) };
        }
        assert!(pid > 0, "{}", io::Error::last_os_error());
        // SAFETY: the child's end, in the parent.
        unsafe { libc::close(ends[1]) };
        Child { pid: pid as u32, line: Line(ends[0]), reaped: Cell::new(false) }
    }

    pub(super) fn kill(&self) {
        // SAFETY: takes no pointers; our child, not reaped yet, so the number is its own.
        assert_eq!(unsafe { libc::kill(self.pid as i32, libc::SIGKILL) }, 0);
    }

    /// Waits for its end and returns its exit code, or minus the signal that killed it.
    pub(super) fn wait(&self) -> i32 {
        let mut status = 0;
        // SAFETY: writes one status word.
        while unsafe { libc::waitpid(self.pid as i32, &mut status, 0) } != self.pid as i32 {
            assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::Interrupted);
        }
        self.reaped.set(true);
        if libc::WIFSIGNALED(status) { -libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped.get() {
            self.kill();
            self.wait();
        }
        // SAFETY: our end of the line, closed once.
        unsafe { libc::close(self.line.0) };
    }
}

/// Ends only by a signal.
pub(super) fn sleep_for_ever() -> ! {
    loop {
        // SAFETY: takes nothing.
        unsafe { libc::pause() };
    }
}
