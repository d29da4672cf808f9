//! Making a file complete before it has its name, so that nobody ever opens half of one, and naming it without
//! replacing another: of any number of creators exactly one wins.
//!
//! Meanwhile it is called `.{name}.commy-{pid}-{random}`. Its maker holds a byte of it; whoever gets that byte instead
//! knows that the maker is dead, or that a removed region left the file, and deletes it. A maker looks at the name again
//! once it has the byte: a sweeper may have been faster.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use windows_sys::Win32::Storage::FileSystem::{
    CREATE_NEW, CreateFileW, FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_TEMPORARY, MoveFileExW,
};

use super::byte_lock::{WITNESS, let_go, take};
use super::clock::random_u64;
use super::file::{File, READ_AND_WRITE, SHARE_ALL};
use super::file_system::volatile_directory;
use super::handle::{check, owned, patiently, wide_path};
use super::remove::discard;
use super::security::Descriptor;

/// A provisional name, removed on drop.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    present: AtomicBool,
}

impl Temporary {
    /// Moves the file from its provisional name to `path`, which must not exist.
    pub(super) fn publish(&self, file: &File, path: &Path) -> io::Result<()> {
        move_without_replacing(&self.path, path)?;
        self.present.store(false, Ordering::Relaxed);
        // The provisional name is gone, so its byte has nothing left to guard.
        let_go(file.handle(), WITNESS, 1);
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if *self.present.get_mut() {
            discard(&self.path);
        }
    }
}

/// See [`File::create_unnamed`].
pub(super) fn create_named(final_path: &Path, mode: u32) -> io::Result<File> {
    // Whatever the current folder is by the time it gets its name.
    let final_path = std::path::absolute(final_path)?;
    let (directory, name) = split(&final_path)?;
    let prefix = provisional_prefix(name);
    sweep(directory, &prefix);
    for _ in 0..64 {
        let path = provisional_path(directory, &prefix);
        let created = match create_new(&path, mode) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            created => created?,
        };
        let temporary = Temporary { path: path.clone(), present: AtomicBool::new(true) };
        let file = File::adopt(created, Some(temporary))?;
        if take(file.handle(), WITNESS, 1, true)? && file.path_names_this(&path)? {
            // While nobody can be in the way.
            file.locker()?;
            return Ok(file);
        }
        // A sweeper came between creation and lock; it removes what it got, we start over.
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free provisional name"))
}

fn create_new(path: &Path, mode: u32) -> io::Result<fs::File> {
    let (name, descriptor) = (wide_path(path)?, Descriptor::for_file(mode)?);
    let attributes = descriptor.attributes();
    // What need not outlive the machine need not be written to the disk early.
    let hint = if path.parent().is_some_and(|parent| parent == volatile_directory()) {
        FILE_ATTRIBUTE_TEMPORARY
    } else {
        FILE_ATTRIBUTE_NORMAL
    };
    // SAFETY: the name ends in zero, name and descriptor live across the call; the result is owned by nobody else.
    let handle = unsafe {
        let no_template = ptr::null_mut();
        owned(CreateFileW(name.as_ptr(), READ_AND_WRITE, SHARE_ALL, &attributes, CREATE_NEW, hint, no_template))
    };
    Ok(fs::File::from(handle?))
}

/// Removes what killed creators and removed regions of the same name left behind. Best effort: what is still mapped
/// somewhere stays.
pub(super) fn sweep(directory: &Path, prefix: &OsStr) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let prefix: Vec<u16> = prefix.encode_wide().collect();
    for entry in entries.flatten() {
        let name: Vec<u16> = entry.file_name().encode_wide().collect();
        if name.starts_with(&prefix) {
            let path = entry.path();
            if let Ok(file) = File::open(&path, false)
                && take(file.handle(), WITNESS, 1, true).unwrap_or(false)
                && file.path_names_this(&path).unwrap_or(false)
            {
                discard(&path);
            }
        }
    }
}

/// Gives a file another name, unless that is taken.
pub(super) fn move_without_replacing(source: &Path, target: &Path) -> io::Result<()> {
    let (from, to) = (wide_path(source)?, wide_path(target)?);
    patiently(|| {
        // SAFETY: both names end in zero and outlive the call.
        check(unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), 0) }).map_err(|error| {
            // A folder in the way is reported as access that is denied.
            let taken = error.kind() == io::ErrorKind::PermissionDenied && fs::symlink_metadata(target).is_ok();
            if taken { io::ErrorKind::AlreadyExists.into() } else { error }
        })
    })
}

/// Directory and name of a path; the directory of a bare name is the current one. A name with a colon would be that of a
/// stream in another file.
pub(super) fn split(path: &Path) -> io::Result<(&Path, &OsStr)> {
    let is_plain = |name: &&OsStr| !name.encode_wide().any(|unit| unit == u16::from(b':'));
    let name = path.file_name().filter(is_plain).ok_or(io::ErrorKind::InvalidInput)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((directory, name))
}

/// `.{name}.commy-`, with long names cut so that the whole fits into a directory entry.
pub(super) fn provisional_prefix(name: &OsStr) -> OsString {
    let units: Vec<u16> = name.encode_wide().collect();
    let mut prefix = OsString::from(".");
    prefix.push(OsString::from_wide(&units[..units.len().min(180)]));
    prefix.push(".commy-");
    prefix
}

/// A name that nobody else draws.
pub(super) fn provisional_path(directory: &Path, prefix: &OsStr) -> PathBuf {
    let mut name = prefix.to_os_string();
    name.push(format!("{}-{:016x}", std::process::id(), random_u64()));
    directory.join(name)
}

#[cfg(test)]
#[path = "create_tests.rs"]
mod tests;
