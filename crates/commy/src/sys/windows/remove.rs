//! Taking the name from a file that others may have open and mapped.
//!
//! A deletion with POSIX semantics takes the name at once and leaves the file to its handles. Where the system refuses
//! (a mapping, a file system without it), the file moves to a hidden provisional name, so that its own is free at once,
//! and is deleted as soon as that works: now, by its last user ([`Leaver`]), or by the next creator of a region of this
//! name.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_DISPOSITION_FLAG_DELETE, FILE_DISPOSITION_FLAG_POSIX_SEMANTICS, FILE_DISPOSITION_INFO_EX,
    FILE_FLAG_OPEN_REPARSE_POINT, FileDispositionInfoEx, SetFileInformationByHandle,
};

use super::super::common::FileIdentity;
use super::File;
use super::create::{move_without_replacing, provisional_path, provisional_prefix, split, sweep};
use super::file::SHARE_ALL;
use super::handle::{check, patiently};

/// Removes the name `path`; whoever has the file open or mapped keeps it.
///
/// # Errors
/// Those of `CreateFile` and `MoveFileEx`.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    let refused = match unlink(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => error,
        other => return other,
    };
    let (directory, name) = split(path)?;
    let hidden = provisional_path(directory, &provisional_prefix(name));
    move_without_replacing(path, &hidden).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => error,
        _ => refused,
    })?;
    discard(&hidden);
    Ok(())
}

/// Dropped by a user of a file after its views and handles. If the file has lost its name it may lie under a hidden one, and
/// this may have been its last user.
#[derive(Debug)]
pub(crate) struct Leaver {
    path: PathBuf,
    identity: FileIdentity,
}

impl Leaver {
    pub(crate) fn new(file: &File, path: &Path) -> Leaver {
        // Whatever the current folder is by then.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Leaver { path, identity: file.identity() }
    }
}

impl Drop for Leaver {
    fn drop(&mut self) {
        let is_there = File::open(&self.path, false).is_ok_and(|found| found.identity() == self.identity);
        if !is_there && let Ok((directory, name)) = split(&self.path) {
            sweep(directory, &provisional_prefix(name));
        }
    }
}

/// Deletes a file of a provisional name, if that is possible.
pub(super) fn discard(path: &Path) {
    // The second works where only POSIX semantics are missing; the name may then last as long as the handles.
    if unlink(path).is_err() {
        let _ = fs::remove_file(path);
    }
}

/// Deletes with POSIX semantics: afterwards the name is gone, whoever has the file open.
fn unlink(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.access_mode(DELETE).share_mode(SHARE_ALL).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    let file = patiently(|| options.open(path))?;
    let how = FILE_DISPOSITION_INFO_EX { Flags: FILE_DISPOSITION_FLAG_DELETE | FILE_DISPOSITION_FLAG_POSIX_SEMANTICS };
    let size = size_of::<FILE_DISPOSITION_INFO_EX>() as u32;
    // SAFETY: reads one structure of that size.
    check(unsafe {
        SetFileInformationByHandle(file.as_raw_handle(), FileDispositionInfoEx, (&raw const how).cast(), size)
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Directory;
    use super::super::Mapping;
    use super::*;

    #[test]
    fn the_last_user_of_a_removed_file_leaves_nothing() {
        let directory = Directory::new();
        let path = directory.path().join("region");
        let file = File::create_unnamed(&path, 0o600).unwrap();
        file.allocate(0, 4096).unwrap();
        file.link_to(&path).unwrap();
        let users = [(); 2].map(|()| {
            let file = File::open(&path, true).unwrap();
            let leaver = Leaver::new(&file, &path);
            (Mapping::new(&file, 4096, true).unwrap(), file, leaver)
        });
        drop(file);
        remove_file(&path).unwrap();
        // Another one of that name is nothing to its leavers.
        let other = File::create_unnamed(&path, 0o600).unwrap();
        other.link_to(&path).unwrap();
        drop(users);
        let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["region"]);
        assert!(other.path_names_this(&path).unwrap());
    }
}
