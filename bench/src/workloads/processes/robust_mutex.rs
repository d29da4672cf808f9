//! The kernel's own answer to a dead lock holder: a robust mutex in shared memory. It protects a lock and nothing
//! else, so it is the floor for what recovery can cost.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::NonNull;

const SIZE: usize = 4096;

// Linux's C libraries have these; the libc crate does not name them.
const PTHREAD_MUTEX_ROBUST: libc::c_int = 1;
unsafe extern "C" {
    fn pthread_mutexattr_setrobust(attributes: *mut libc::pthread_mutexattr_t, robust: libc::c_int) -> libc::c_int;
    fn pthread_mutex_consistent(mutex: *mut libc::pthread_mutex_t) -> libc::c_int;
}

/// A mutex at the start of a mapped file. Invariant M: the pointer is to a whole mapped page that holds an initialised
/// mutex; it is never unmapped, because a robust mutex must not go while it may be held.
pub(crate) struct RobustMutex(NonNull<libc::pthread_mutex_t>);

impl RobustMutex {
    /// Makes the file and the mutex in it.
    pub(crate) fn create(path: &Path) -> io::Result<RobustMutex> {
        File::create_new(path)?.set_len(SIZE as u64)?;
        let mutex = Self::map(path)?;
        // SAFETY: the attributes are initialised before use; the page is ours until others are told its path.
        unsafe {
            let mut attributes = std::mem::zeroed();
            checked(libc::pthread_mutexattr_init(&mut attributes))?;
            checked(libc::pthread_mutexattr_setpshared(&mut attributes, libc::PTHREAD_PROCESS_SHARED))?;
            checked(pthread_mutexattr_setrobust(&mut attributes, PTHREAD_MUTEX_ROBUST))?;
            checked(libc::pthread_mutex_init(mutex.0.as_ptr(), &attributes))?;
        }
        Ok(mutex)
    }

    /// Uses the mutex that [`create`](Self::create) made.
    pub(crate) fn open(path: &Path) -> io::Result<RobustMutex> {
        Self::map(path)
    }

    fn map(path: &Path) -> io::Result<RobustMutex> {
        let file = File::options().read(true).write(true).open(path)?;
        let (rights, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping at an address that the kernel chooses; nobody shortens the file.
        let page = unsafe { libc::mmap(std::ptr::null_mut(), SIZE, rights, shared, file.as_raw_fd(), 0) };
        if page == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(RobustMutex(NonNull::new(page.cast()).expect("a mapping is never at address 0")))
    }

    /// Takes the mutex; true: its last owner died with it.
    pub(crate) fn lock(&self) -> io::Result<bool> {
        // SAFETY: M.
        match unsafe { libc::pthread_mutex_lock(self.0.as_ptr()) } {
            libc::EOWNERDEAD => {
                // SAFETY: M, and we hold it.
                checked(unsafe { pthread_mutex_consistent(self.0.as_ptr()) })?;
                Ok(true)
            }
            code => checked(code).map(|()| false),
        }
    }

    /// Lets the mutex go, which this thread holds.
    pub(crate) fn unlock(&self) -> io::Result<()> {
        // SAFETY: M.
        checked(unsafe { libc::pthread_mutex_unlock(self.0.as_ptr()) })
    }
}

fn checked(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}
