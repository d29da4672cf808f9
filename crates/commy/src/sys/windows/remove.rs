//! Taking the name from a file that others may have open and mapped.
//!
//! A deletion with POSIX semantics takes the name at once and leaves the file to its handles. Where the system refuses
//! (a mapping, a file system without it), the file moves to a hidden provisional name, so that its own is free at once,
//! and is deleted as soon as that works: now, or by the next creator of a region of this name.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_DISPOSITION_FLAG_DELETE, FILE_DISPOSITION_FLAG_POSIX_SEMANTICS, FILE_DISPOSITION_INFO_EX,
    FILE_FLAG_OPEN_REPARSE_POINT, FileDispositionInfoEx, SetFileInformationByHandle,
};

use super::create::{move_without_replacing, provisional_path, provisional_prefix, split};
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
    move_without_replacing(path, &hidden).map_err(|_| refused)?;
    discard(&hidden);
    Ok(())
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
