//! Helper of the unit tests: directories that vanish.

use std::path::{Path, PathBuf};

/// A directory of its own, removed with its content on drop.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> Directory {
        Directory::below(&std::env::temp_dir())
    }

    pub(super) fn below(folder: &Path) -> Directory {
        let name = format!("commy-sys-{}-{:016x}", std::process::id(), super::random_u64());
        let path = folder.join(name);
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A file of one page, not linked anywhere.
    pub(super) fn page(&self) -> super::File {
        let file = super::File::create_unnamed(&self.0.join("page"), 0o600).unwrap();
        file.allocate(0, 4096).unwrap();
        file
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
