//! Regions and files in memory that go when their owner does.

use crate::Outcome;
use commy::Region;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A name in the directory for volatile data that no other run uses.
fn fresh_name() -> String {
    format!("commy-bench-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A region that is removed at the end.
pub(crate) struct Scratch {
    pub(crate) region: Region,
}

impl Scratch {
    pub(crate) fn new() -> Outcome<Scratch> {
        Ok(Scratch { region: Region::options().capacity(8 << 30).volatile(&fresh_name())? })
    }

    pub(crate) fn path(&self) -> &Path {
        self.region.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Another name is all that could be left.
        let _ = Region::remove(self.path());
    }
}

/// A path beside the scratch regions; the file there is removed at the end.
pub(crate) struct ScratchFile(pub(crate) PathBuf);

impl ScratchFile {
    pub(crate) fn beside(scratch: &Scratch) -> ScratchFile {
        ScratchFile(scratch.path().with_file_name(fresh_name()))
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
