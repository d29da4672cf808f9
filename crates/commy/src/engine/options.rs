//! How a region is created and opened.

use std::path::Path;
use std::time::Duration;

use super::region::Region;
use crate::{Error, Result, sys};

/// Options for creating and opening regions; see [`Region::options`].
#[derive(Debug, Clone)]
pub struct RegionOptions {
    pub(super) capacity: u64,
    pub(super) read_only: bool,
    pub(super) lock_timeout: Duration,
    pub(super) heartbeat: Duration,
    pub(super) mode: u32,
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
