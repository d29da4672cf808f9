//! A regular file and the identity by which we know it again.
//!
//! All handles share everything, deletion too, so that nobody is in the way of anybody. A file is dense: a section
//! lengthens it, never an end of file that is set, which would cut off what another process has added meanwhile.

use std::fs::{self, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;
use std::sync::{Arc, OnceLock};

use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE, HANDLE};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_SPARSE_FILE, FILE_FLAG_BACKUP_SEMANTICS, FILE_READ_ATTRIBUTES,
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_STANDARD_INFO, FILE_TYPE_DISK, FileStandardInfo,
    GetFileInformationByHandle, GetFileInformationByHandleEx, GetFileType, ReOpenFile, SECURITY_ANONYMOUS,
};
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Ioctl::FSCTL_SET_SPARSE;

use super::super::common::{FileIdentity, FileMetadata, FileSystemKind};
use super::create::{self, Temporary};
use super::file_system;
use super::handle::{check, owned, patiently};
use super::mapping::{GRANULE, Section};

pub(super) const SHARE_ALL: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// An open regular file. No lock of a region is taken through its own handle, so that it sees those of this process.
#[derive(Debug)]
pub(crate) struct File {
    file: fs::File,
    identity: FileIdentity,
    /// Through which all byte locks on this file are taken: made with the first one, while the file has a name.
    locker: OnceLock<Arc<OwnedHandle>>,
    /// The provisional name.
    temporary: Option<Temporary>,
}

impl File {
    /// Opens an existing regular file.
    ///
    /// # Errors
    /// Those of `CreateFile`; `IsADirectory`; `InvalidInput` when the path names something else (a pipe, a device).
    pub(crate) fn open(path: &Path, writable: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(writable).share_mode(SHARE_ALL).security_qos_flags(SECURITY_ANONYMOUS);
        let opened = patiently(|| match options.open(path) {
            Err(_) if fs::metadata(path).is_ok_and(|found| found.is_dir()) => Err(io::ErrorKind::IsADirectory.into()),
            opened => opened,
        });
        File::adopt(opened?, None)
    }

    /// Creates an empty file that has a provisional hidden name in the directory of `final_path`, removed when the file is
    /// linked or dropped; those of killed creators are swept by the next one. `mode` is translated by `security`.
    ///
    /// # Errors
    /// Those of `CreateFile`; `InvalidInput` when `final_path` has no file name.
    pub(crate) fn create_unnamed(final_path: &Path, mode: u32) -> io::Result<File> {
        create::create_named(final_path, mode)
    }

    /// Gives a file made by [`File::create_unnamed`] its name, in one step, and never in place of another file.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken (by anything); else those of `MoveFileEx`.
    pub(crate) fn link_to(&self, path: &Path) -> io::Result<()> {
        let temporary = self.temporary.as_ref().ok_or(io::ErrorKind::InvalidInput)?;
        temporary.publish(self, path)
    }

    /// Volume and index, as seen when the file was opened.
    pub(crate) fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// Length, number of names and storage, as of now.
    pub(crate) fn metadata(&self) -> io::Result<FileMetadata> {
        let mut found = FILE_STANDARD_INFO::default();
        let (room, size) = ((&raw mut found).cast(), size_of::<FILE_STANDARD_INFO>() as u32);
        // SAFETY: writes at most `size` bytes into room for them.
        check(unsafe { GetFileInformationByHandleEx(self.handle(), FileStandardInfo, room, size) })?;
        let links = if found.DeletePending { 0 } else { u64::from(found.NumberOfLinks) };
        let (len, allocated) = (found.EndOfFile.cast_unsigned(), found.AllocationSize.cast_unsigned());
        Ok(FileMetadata { len, links, allocated })
    }

    /// Always: no other part of a process closes handles that it does not own.
    pub(crate) fn still_same(&self) -> bool {
        true
    }

    /// Whether `path` leads to this very file now; a missing path is `false`, not an error.
    pub(crate) fn path_names_this(&self, path: &Path) -> io::Result<bool> {
        let mut options = OpenOptions::new();
        options.access_mode(FILE_READ_ATTRIBUTES).share_mode(SHARE_ALL).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
        match patiently(|| options.open(path)).and_then(|found| identity_of(found.as_raw_handle())) {
            Ok(found) => Ok(self.identity == found),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            // A name whose file is on its way out can be opened no more.
            Err(_) if self.metadata().is_ok_and(|now| now.links == 0) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lengthens the file to the end of a range, so that no store into it can fail later: there are no holes here, so all
    /// that lies before the end has storage, too.
    ///
    /// # Errors
    /// `StorageFull`. The file may then be longer than before.
    pub(crate) fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let end = offset.checked_add(len).and_then(|end| end.checked_next_multiple_of(GRANULE));
        let end = end.ok_or(io::ErrorKind::InvalidInput)?;
        self.fill_holes()?;
        // Looked at again, because no document says that of two who do this at once neither makes it shorter.
        for _ in 0..3 {
            if self.metadata()?.len >= end {
                return Ok(());
            }
            Section::new(self, true, Some(end))?;
        }
        if self.metadata()?.len >= end { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    /// A copy may have come with holes; a file without that attribute has none.
    fn fill_holes(&self) -> io::Result<()> {
        if information(self.handle())?.dwFileAttributes & FILE_ATTRIBUTE_SPARSE_FILE == 0 {
            return Ok(());
        }
        let (sparse, mut returned) = (0_u8, 0);
        let question = (&raw const sparse).cast();
        // SAFETY: reads the one byte of FILE_SET_SPARSE_BUFFER; the handle is synchronous, so no OVERLAPPED is needed.
        check(unsafe {
            let (nothing, no_size, no_wait) = (ptr::null_mut(), 0, ptr::null_mut());
            DeviceIoControl(self.handle(), FSCTL_SET_SPARSE, question, 1, nothing, no_size, &mut returned, no_wait)
        })
    }

    /// Reads until `buffer` is full or the file ends, and returns the number of bytes read.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.seek_read(&mut buffer[filled..], offset + filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// Writes all of `bytes`, lengthening the file where needed.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            match self.file.seek_write(&bytes[written..], offset + written as u64)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => written += count,
            }
        }
        Ok(())
    }

    /// What the file lies on.
    pub(crate) fn file_system(&self) -> FileSystemKind {
        file_system::kind_of(self)
    }

    /// Asks the file system to overwrite this file in place. Best effort.
    pub(crate) fn disable_copy_on_write(&self) {
        file_system::disable_compression(self);
    }

    /// For system calls of this layer; valid as long as `self`.
    pub(super) fn handle(&self) -> HANDLE {
        self.file.as_raw_handle()
    }

    /// The handle that byte locks are taken through. It is opened by the file's handle, not by its name, and only once:
    /// a file that has lost its name cannot be opened any more, but its processes go on.
    pub(super) fn locker(&self) -> io::Result<Arc<OwnedHandle>> {
        if let Some(locker) = self.locker.get() {
            return Ok(locker.clone());
        }
        let locker = Arc::new(self.open_again(GENERIC_READ)?);
        Ok(self.locker.get_or_init(|| locker).clone())
    }

    fn open_again(&self, access: u32) -> io::Result<OwnedHandle> {
        patiently(|| {
            // SAFETY: an open handle, and the result is checked and owned by nobody else.
            unsafe { owned(ReOpenFile(self.handle(), access, SHARE_ALL, 0)) }
        })
    }

    /// Takes over an open file, if it is a regular one.
    pub(super) fn adopt(file: fs::File, temporary: Option<Temporary>) -> io::Result<File> {
        // SAFETY: an open handle.
        if unsafe { GetFileType(file.as_raw_handle()) } != FILE_TYPE_DISK {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let identity = identity_of(file.as_raw_handle())?;
        Ok(File { file, identity, locker: OnceLock::new(), temporary })
    }
}

/// What a created file is opened for.
pub(super) const READ_AND_WRITE: u32 = GENERIC_READ | GENERIC_WRITE;

/// Attributes and numbers of an open file.
pub(super) fn information(handle: HANDLE) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    let mut found = MaybeUninit::<BY_HANDLE_FILE_INFORMATION>::zeroed();
    // SAFETY: writable room for one structure; a bad handle is an error.
    check(unsafe { GetFileInformationByHandle(handle, found.as_mut_ptr()) })?;
    // SAFETY: integers, zeroed at first and filled by the successful call.
    Ok(unsafe { found.assume_init() })
}

/// Volume and index. (On ReFS these 64 bits may be the same for two files; it is not what regions lie on.)
fn identity_of(handle: HANDLE) -> io::Result<FileIdentity> {
    let found = information(handle)?;
    let inode = u64::from(found.nFileIndexHigh) << 32 | u64::from(found.nFileIndexLow);
    Ok(FileIdentity { device: u64::from(found.dwVolumeSerialNumber), inode })
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
