//! How a region is created and opened.

use std::path::Path;
use std::time::Duration;

use super::region::Region;
use crate::sys::{self, Paging};
use crate::{Error, Result};

/// Options for creating and opening regions; see [`Region::options`].
#[derive(Debug, Clone)]
pub struct RegionOptions {
    pub(super) capacity: u64,
    pub(super) read_only: bool,
    pub(super) lock_timeout: Duration,
    pub(super) heartbeat: Duration,
    pub(super) mode: u32,
    pub(super) paging: Paging,
    pub(super) shared_attachment: bool,
}

impl Default for RegionOptions {
    fn default() -> Self {
        RegionOptions {
            capacity: 16 << 30,
            read_only: false,
            lock_timeout: Duration::from_secs(60),
            heartbeat: Duration::from_millis(250),
            mode: 0o600,
            paging: Paging::default(),
            shared_attachment: true,
        }
    }
}

impl RegionOptions {
    /// The most data that a new region may come to hold, in bytes (16 GiB unless set, at most 16 TiB). Address space is
    /// reserved for it; memory and disk are taken as needed.
    #[must_use]
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.capacity = bytes;
        self
    }

    /// Opens with a mapping that cannot be written. Such a client is invisible to others: it has no process slot.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// How long an operation waits for a lock whose holder is alive (60 s unless set).
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// How often this process says that it is alive and looks for dead ones (250 ms unless set).
    #[must_use]
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = interval.max(Duration::from_millis(1));
        self
    }

    /// Permissions of a new region's file (0600 unless set).
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Takes the page faults in advance (off unless set): all that the region has committed is in this process's page tables
    /// when opening returns, what the process itself makes it grow by when it has grown, and what others do about a heartbeat
    /// later (a read-only client: when it first meets it). Opening takes some 70 ms longer for each GiB that is in memory;
    /// after that the first touch of a page costs nothing. What a disk has is read, and pages nobody writes stay clean.
    ///
    /// Best effort and never an error: nothing happens on Linux before 5.14, and on Windows pages are only read from the disk.
    /// Of several opens of one file in a process the first decides.
    #[must_use]
    pub fn prefault(mut self, prefault: bool) -> Self {
        self.paging.prefault = prefault;
        self
    }

    /// Asks for huge pages (off unless set): the process needs fewer page faults and, for random access to more than a few
    /// MiB, far fewer entries of the processor's address cache. What is committed is made of huge pages when the region is
    /// opened, and as it grows: some 300 ms for each GiB, once for all processes.
    ///
    /// Best effort and never an error. Files in memory (`tmpfs`) have huge pages on Linux since 6.1, unless
    /// `/sys/kernel/mm/transparent_hugepage/shmem_enabled` says `deny`; on older kernels it or the mount option `huge` must
    /// allow them. Nothing happens with files of a disk, and on Windows. Of several opens of one file in a process the first
    /// decides.
    #[must_use]
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.paging.huge = huge_pages;
        self
    }

    /// A mapping, slot and lanes of its own, even if this process has the region open already: as another process.
    #[doc(hidden)]
    #[must_use]
    pub fn own_attachment(mut self) -> Self {
        self.shared_attachment = false;
        self
    }

    /// Creates the region `path`.
    ///
    /// # Errors
    /// `AlreadyExists` if there is a file of that name; `OutOfSpace`, `Unsupported`, `Io`.
    ///
    /// # Crash
    /// The file gets its name when it is complete: a killed creator leaves nothing.
    pub fn create(&self, path: impl AsRef<Path>) -> Result<Region> {
        Region::create_with(self, path.as_ref())
    }

    /// Opens the region `path`.
    ///
    /// # Errors
    /// `NotFound`, `NotARegion`, `Unsupported`, `Exhausted`, `Corrupt`, `Io`.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Region> {
        Region::open_with(self, path.as_ref())
    }

    /// Opens the region `path`, or creates it. Of many callers at once one creates, the others open.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`create`](Self::create).
    pub fn open_or_create(&self, path: impl AsRef<Path>) -> Result<Region> {
        let path = path.as_ref();
        loop {
            match self.open(path) {
                Err(Error::NotFound) if !self.read_only => {}
                other => return other,
            }
            match self.create(path) {
                Err(Error::AlreadyExists) if path.is_symlink() && !path.exists() => {
                    let leads_nowhere = std::io::Error::new(std::io::ErrorKind::NotFound, "a link that leads nowhere");
                    return Err(Error::io(path, leads_nowhere));
                }
                Err(Error::AlreadyExists) => {}
                other => return other,
            }
        }
    }

    /// Opens or creates the region `name` in memory: it does not survive a reboot.
    ///
    /// # Errors
    /// Those of [`open_or_create`](Self::open_or_create); `InvalidArgument` for a name that is no file name.
    pub fn volatile(&self, name: &str) -> Result<Region> {
        // What is a path, or the name of a stream, on any system.
        if name.is_empty() || name.contains(['/', '\\', ':', '\0']) || name == "." || name == ".." {
            return Err(Error::InvalidArgument("a volatile region's name must be a plain file name"));
        }
        self.open_or_create(sys::volatile_directory().join(name))
    }
}
