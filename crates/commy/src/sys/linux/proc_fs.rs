//! Reading `/proc/PID/task` without the heap: what the probe for dying processes looks at.

use std::ffi::{CStr, c_int};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The fields of a task's `stat` that matter here. See proc_pid_stat(5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TaskStat {
    /// Flag `PF_EXITING`, or a zombie, or dead: it executes no further instruction of its program.
    pub(super) exiting: bool,
    /// Number of tasks in its process that have not been reaped, zombies included; 0 when it is just being reaped.
    pub(super) thread_count: u64,
    /// When it was started, in clock ticks since boot. For a process, when its first task was.
    pub(super) start_time: u64,
}

impl TaskStat {
    /// The second field, the name, may contain anything; all after its last parenthesis are plain fields.
    pub(super) fn parse(text: &[u8]) -> Option<TaskStat> {
        const EXITING: u64 = 0x4; // PF_EXITING of linux/sched.h; no ABI, but never moved
        let name_end = text.iter().rposition(|&byte| byte == b')')?;
        let mut fields = text.get(name_end + 2..)?.split(|&byte| byte == b' ');
        let state = fields.next()?; // field 3
        let flags = number(fields.nth(5)?)?; // 9
        let thread_count = number(fields.nth(10)?)?; // 20
        let start_time = number(fields.nth(1)?)?; // 22
        let exiting = flags & EXITING != 0 || matches!(state, b"Z" | b"X" | b"x");
        Some(TaskStat { exiting, thread_count, start_time })
    }
}

/// The open `/proc/PID/task`. It stands for one process for ever: after that one is gone, a later process with the same
/// number is not found through it.
pub(super) struct TaskDirectory(OwnedFd);

impl TaskDirectory {
    /// `None` if there is no such process, or it cannot be seen.
    pub(super) fn open(pid: u32) -> Option<TaskDirectory> {
        let mut buffer = [0; 32];
        let path = formatted(&mut buffer, format_args!("/proc/{pid}/task"));
        open(libc::AT_FDCWD, path, libc::O_DIRECTORY).map(TaskDirectory)
    }

    /// What one task is now; `None` if it is not there or cannot be read.
    pub(super) fn stat(&self, thread_id: u32) -> Option<TaskStat> {
        let mut buffer = [0; 32];
        let path = formatted(&mut buffer, format_args!("{thread_id}/stat"));
        stat_in(self.0.as_raw_fd(), path)
    }

    /// Calls `visit` with the number of each task listed until it answers `false`. `None` if the list cannot be read to
    /// its end. A list is no snapshot: tasks come and go meanwhile, and none of that shows.
    pub(super) fn each_task(&self, mut visit: impl FnMut(u32) -> bool) -> Option<()> {
        let mut buffer = [0_u8; 4096];
        loop {
            let len = retry(|| {
                // SAFETY: writes at most as many bytes as `buffer` has; it has no alignment to keep, for the fields are
                // taken out byte by byte.
                unsafe {
                    libc::syscall(libc::SYS_getdents64, self.0.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) as i64
                }
            })?;
            if len == 0 {
                return Some(());
            }
            let mut rest = &buffer[..len];
            while !rest.is_empty() {
                // struct linux_dirent64: inode 8, offset 8, record length 2, type 1, name ending in NUL
                let record_len = usize::from(u16::from_ne_bytes(rest.get(16..18)?.try_into().ok()?));
                let name = CStr::from_bytes_until_nul(rest.get(19..record_len)?).ok()?.to_bytes();
                rest = rest.get(record_len..)?;
                if !name.starts_with(b".") && !visit(u32::try_from(number(name)?).ok()?) {
                    return Some(());
                }
            }
        }
    }
}

/// What the first task of a process is now.
pub(super) fn process_stat(pid: u32) -> Option<TaskStat> {
    let mut buffer = [0; 32];
    stat_in(libc::AT_FDCWD, formatted(&mut buffer, format_args!("/proc/{pid}/stat")))
}

/// Whether some task of a process certainly has memory, so that the process is not over. `false`: perhaps none has.
///
/// The kernel's "badness" of a process is 0 if none of its tasks has memory any more (and, of those that have, for the few
/// that are never to be chosen when memory runs out). Unlike `stat` it is found without a reference to that memory: whoever
/// lets the last one go takes the memory down himself, which for some GiB are milliseconds that a waiter does not have.
pub(super) fn has_memory(pid: u32) -> Option<bool> {
    let mut buffer = [0; 32];
    let path = formatted(&mut buffer, format_args!("/proc/{pid}/oom_score"));
    let mut text = [0_u8; 32];
    let len = read(libc::AT_FDCWD, path, &mut text)?;
    Some(number(&text[..len])? != 0)
}

fn stat_in(directory: c_int, path: &CStr) -> Option<TaskStat> {
    // Longer than all up to field 22 can be; that the end may be cut off does not matter.
    let mut text = [0_u8; 1024];
    let len = read(directory, path, &mut text)?;
    TaskStat::parse(&text[..len])
}

/// Reads the beginning of a file.
fn read(directory: c_int, path: &CStr, buffer: &mut [u8]) -> Option<usize> {
    let file = open(directory, path, 0)?;
    retry(|| {
        // SAFETY: writes at most as many bytes as `buffer` has.
        unsafe { libc::read(file.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) as i64 }
    })
}

/// A decimal number and nothing else.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.trim_end().parse().ok()
}

fn open(directory: c_int, path: &CStr, flags: c_int) -> Option<OwnedFd> {
    let descriptor = retry(|| {
        // SAFETY: the path ends in NUL and outlives the call.
        unsafe { libc::openat(directory, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC | flags).into() }
    })?;
    // SAFETY: just opened, and nobody else knows of it.
    Some(unsafe { OwnedFd::from_raw_fd(descriptor as c_int) })
}

/// The result of a system call, repeated while signals interrupt it; `None` for any other error.
fn retry(mut call: impl FnMut() -> i64) -> Option<usize> {
    loop {
        match usize::try_from(call()) {
            Ok(result) => return Some(result),
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

fn formatted<'a>(buffer: &'a mut [u8; 32], text: std::fmt::Arguments) -> &'a CStr {
    let (room, _nul) = buffer.split_at_mut(31);
    (&mut *room).write_fmt(text).expect("two short words and a number fit");
    CStr::from_bytes_until_nul(buffer).expect("the last byte is never written")
}

#[cfg(test)]
mod tests {
    use super::super::current_thread_id;
    use super::*;

    #[test]
    fn a_name_full_of_parentheses_does_not_mislead() {
        let text = b"12 (a) Z 4) (b) S 1 2 3 4 5 4194308 6 7 8 9 10 11 12 13 20 0 3 0 4242 99 1";
        let expected = TaskStat { exiting: true, thread_count: 3, start_time: 4242 };
        assert_eq!(TaskStat::parse(text), Some(expected));
        let alive = b"12 (x) S 1 2 3 4 5 4194304 6 7 8 9 10 11 12 13 20 0 3 0 4242 99 1";
        assert_eq!(TaskStat::parse(alive), Some(TaskStat { exiting: false, ..expected }));
        let zombie = b"12 (x) Z 1 2 3 4 5 0 6 7 8 9 10 11 12 13 20 0 3 0 4242\n";
        assert_eq!(TaskStat::parse(zombie), Some(expected));
        for cut in [&text[..10], &text[..30], b"", b"12 (x"] {
            assert_eq!(TaskStat::parse(cut), None);
        }
    }

    #[test]
    fn all_tasks_are_listed() {
        let tasks = TaskDirectory::open(std::process::id()).unwrap();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Mutex::new(wait);
        let ids = std::thread::scope(|scope| {
            let (send, receive) = std::sync::mpsc::channel();
            for _ in 0..400 {
                let (send, wait) = (send.clone(), &wait);
                let body = move || {
                    send.send(current_thread_id()).unwrap();
                    let _ = wait.lock().unwrap().recv();
                };
                std::thread::Builder::new().stack_size(64 * 1024).spawn_scoped(scope, body).unwrap();
            }
            let expected: Vec<u32> = receive.iter().take(400).collect();
            let mut listed = Vec::new();
            tasks.each_task(|id| {
                listed.push(id);
                true
            });
            drop(done);
            (expected, listed)
        });
        assert!(ids.0.iter().all(|id| ids.1.contains(id)), "several buffers full, none left out");
        let leader = tasks.stat(std::process::id()).unwrap();
        assert_eq!(leader.start_time, process_stat(std::process::id()).unwrap().start_time);
        assert!(!leader.exiting);
        assert_eq!(tasks.stat(0), None);
    }
}
