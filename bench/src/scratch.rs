//! Regions and files in memory that go when their owner does.

use crate::Outcome;
use commy::{Region, RegionOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A region's capacity: more than any workload needs.
const CAPACITY: u64 = if cfg!(windows) {
    // Where Windows has no placeholders for addresses, this much is mapped at once, and more could fail to grow.
    1 << 30
} else {
    16 << 30
};

/// Where files are in memory.
#[cfg(target_os = "linux")]
const MEMORY: &str = "/dev/shm";

/// A file in the directory for volatile data; it is removed at the end.
pub(crate) struct ScratchFile(PathBuf);

impl ScratchFile {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A folder in the same place; it is removed at the end, with all that is in it.
#[cfg(target_os = "linux")]
pub(crate) struct ScratchFolder(PathBuf);

#[cfg(target_os = "linux")]
impl ScratchFolder {
    pub(crate) fn new() -> Outcome<ScratchFolder> {
        let path = Path::new(MEMORY).join(fresh_name());
        std::fs::create_dir(&path)?;
        Ok(ScratchFolder(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

#[cfg(target_os = "linux")]
impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // What cannot be removed stays until the machine restarts; there is nobody to tell.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A region of which only this process and its children know.
pub(crate) struct Scratch {
    pub(crate) region: Region,
    file: ScratchFile,
}

impl Scratch {
    pub(crate) fn new() -> Outcome<Scratch> {
        Scratch::with(Region::options())
    }

    /// Opened in another way than the usual one.
    pub(crate) fn with(options: RegionOptions) -> Outcome<Scratch> {
        let region = options.capacity(CAPACITY).volatile(&fresh_name())?;
        let file = ScratchFile(region.path().to_path_buf());
        Ok(Scratch { region, file })
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The name of another file in the same place.
    #[cfg(target_os = "linux")]
    pub(crate) fn sibling(&self) -> ScratchFile {
        ScratchFile(self.path().with_file_name(fresh_name()))
    }

    /// The file alone: this process no longer has the region open, unless an object of it lives.
    pub(crate) fn close(self) -> ScratchFile {
        self.file
    }
}

/// Removes what killed runs have left: it would stay in memory.
#[cfg(target_os = "linux")]
pub(crate) fn sweep() -> Outcome {
    for entry in std::fs::read_dir(MEMORY)? {
        let entry = entry?;
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            let path = entry.path();
            // Another run may be doing the same.
            let _ =
                if entry.file_type()?.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        }
    }
    Ok(())
}

const PREFIX: &str = "commy-bench-";

/// A name that no other run uses.
fn fresh_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
