//! A regular file and the identity by which we know it again.
//!
//! A descriptor is only a number: `closefrom` of a daemonizer may close it and the next `open` of somebody else reuse
//! it. So a [`File`] remembers device and inode, can be asked whether the number still means them, and does not close
//! a number that became somebody else's (L2). Between question and use another thread may still interfere; what
//! remains is a window of one system call.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::super::common::{FileIdentity, FileMetadata, FileSystemKind};
use super::create::{self, Temporary};
use super::file_system;
use super::mapping::page_size;

/// An open regular file. Nothing ever takes a lock through its descriptor.
#[derive(Debug)]
pub(crate) struct File {
    /// Closed by `Drop` alone, and only while the number still names `identity`.
    file: ManuallyDrop<fs::File>,
    identity: FileIdentity,
    /// Where to look when `/proc` is of no use; absolute. Unset while the file has no name, and in a reopened file.
    path: OnceLock<PathBuf>,
    /// The provisional name, on file systems that cannot make files without one.
    temporary: Option<Temporary>,
    /// Whether a mapping keeps the open file description alive here: measured once by `byte_lock`.
    pub(super) mapping_pins: OnceLock<bool>,
}

impl File {
    /// Opens an existing regular file.
    ///
    /// # Errors
    /// Those of `open`; `InvalidInput` when the path names something else, which is never waited for (a pipe).
    pub(crate) fn open(path: &Path, writable: bool) -> io::Result<File> {
        let file = File::adopt(open_description(path, writable)?, None)?;
        if let Ok(absolute) = std::path::absolute(path) {
            let _ = file.path.set(absolute);
        }
        Ok(file)
    }

    /// Creates an empty file that has no name yet, in the directory of `final_path`; `mode` holds whatever the umask is.
    ///
    /// Where the file system cannot do so it gets a provisional hidden name there, removed when the file is linked or
    /// dropped; those of killed creators are swept by the next one.
    ///
    /// # Errors
    /// Those of `open`; `InvalidInput` when `final_path` has no file name.
    pub(crate) fn create_unnamed(final_path: &Path, mode: u32) -> io::Result<File> {
        create::create_unnamed(final_path, mode)
    }

    /// Gives a file made by [`File::create_unnamed`] its name, in one step, and never in place of another file.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken (by anything, a dangling link too); else those of `link`.
    pub(crate) fn link_to(&self, path: &Path) -> io::Result<()> {
        match &self.temporary {
            Some(temporary) => temporary.publish(self, path)?,
            None => create::link_description(self.descriptor(), path)?,
        }
        if let Ok(absolute) = std::path::absolute(path) {
            let _ = self.path.set(absolute);
        }
        Ok(())
    }

    /// Opens the same file once more: a fresh open file description, which shares no lock with this one.
    ///
    /// Goes through `/proc` and so works for renamed and unlinked files; without `/proc`, or when our descriptor was
    /// closed under us, the path is tried and believed only if it still names this file.
    ///
    /// # Errors
    /// Those of `open`, above all lost permission; `NotFound` when no way leads to this file any more.
    pub(crate) fn reopen(&self, writable: bool) -> io::Result<File> {
        let through = |whose| {
            let opened = with_descriptor_path(self.descriptor(), whose, |path| open_description(path, writable));
            opened.and_then(|file| self.adopt_same(file))
        };
        let by_descriptor = if self.still_same() {
            through(Whose::Process).or_else(|_| through(Whose::Thread))
        } else {
            Err(gone("the descriptor was closed by someone else"))
        };
        match by_descriptor {
            Ok(file) => Ok(file),
            Err(first) => match self.path.get().map(|path| open_description(path, writable)) {
                Some(Ok(file)) => self.adopt_same(file),
                _ => Err(first),
            },
        }
    }

    /// Device and inode, as seen when the file was opened.
    pub(crate) fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// Length, number of names and storage, as of now.
    pub(crate) fn metadata(&self) -> io::Result<FileMetadata> {
        let now = self.file.metadata()?;
        Ok(FileMetadata { len: now.len(), links: now.nlink(), allocated: now.blocks() * 512 })
    }

    /// Whether our descriptor number still means this file. Ask before anything that changes or maps it.
    pub(crate) fn still_same(&self) -> bool {
        identity_of(self.descriptor()) == Some(self.identity)
    }

    /// Whether `path` leads to this very file now; a missing path is `false`, not an error.
    pub(crate) fn path_names_this(&self, path: &Path) -> io::Result<bool> {
        match fs::metadata(path) {
            Ok(found) => Ok(self.identity == FileIdentity { device: found.dev(), inode: found.ino() }),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reserves storage for a range, and lengthens the file to its end, so that no store into it can fail later.
    ///
    /// The raw system call: an emulation would write bytes under the feet of other processes. Of whole pages: where blocks
    /// are smaller, the first store to a page wants storage for all of it.
    ///
    /// # Errors
    /// `StorageFull`; `Unsupported` where the file system has no such call. The file may then be longer than before.
    pub(crate) fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let page = page_size() as u64;
        let end = offset.checked_add(len).and_then(|end| end.checked_next_multiple_of(page));
        let end = end.ok_or(io::ErrorKind::InvalidInput)?;
        let mut at = offset / page * page;
        let mut step = end - at;
        while at < end {
            step = step.min(end - at);
            let (Ok(start), Ok(count)) = (i64::try_from(at), i64::try_from(step)) else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            // SAFETY: takes no pointers; a bad descriptor is an error.
            if unsafe { libc::fallocate(self.descriptor(), 0, start, count) } == 0 {
                at += step;
                continue;
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
            // Older tmpfs undoes an interrupted call: under a fast timer only smaller steps ever come to an end.
            step = (step / 2).max(64 * 1024);
        }
        Ok(())
    }

    /// Reads until `buffer` is full or the file ends, and returns the number of bytes read.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Writes all of `bytes`, lengthening the file where needed.
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    /// Do mappings of it hold the descriptions that they were made through, as far as that is known?
    pub(super) fn maps_itself(&self) -> bool {
        file_system::maps_itself(self.descriptor())
    }

    /// What the file lies on; when the system does not say, a network, because that is what gets refused.
    pub(crate) fn file_system(&self) -> FileSystemKind {
        file_system::kind_of(self.descriptor())
    }

    /// Asks the file system to overwrite this file in place (`FS_NOCOW_FL`): works only while it is empty. Best effort.
    pub(crate) fn disable_copy_on_write(&self) {
        file_system::disable_copy_on_write(self.descriptor());
    }

    /// The number, for system calls of this layer.
    pub(super) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Takes over an open file, if it is a regular one.
    pub(super) fn adopt(mut file: fs::File, temporary: Option<Temporary>) -> io::Result<File> {
        if file.as_raw_fd() <= libc::STDERR_FILENO {
            // A host that closed its standard streams: a stray print would go into the region.
            file = file.try_clone()?;
        }
        let found = status_of(file.as_raw_fd()).ok_or_else(io::Error::last_os_error)?;
        if found.st_mode & libc::S_IFMT != libc::S_IFREG {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let identity = FileIdentity { device: found.st_dev, inode: found.st_ino };
        let (path, mapping_pins) = (OnceLock::new(), OnceLock::new());
        Ok(File { file: ManuallyDrop::new(file), identity, path, temporary, mapping_pins })
    }

    /// Takes over `file` if it is the same one as this.
    fn adopt_same(&self, file: fs::File) -> io::Result<File> {
        let other = File::adopt(file, None)?;
        if other.identity == self.identity { Ok(other) } else { Err(gone("the path names another file now")) }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if self.still_same() {
            // SAFETY: dropped once, here, and not used afterwards; the number is still ours (L2).
            unsafe { ManuallyDrop::drop(&mut self.file) };
        }
    }
}

/// Device and inode of an open descriptor, `None` if it is closed. Makes no allocation: atfork handlers call it.
pub(super) fn identity_of(descriptor: RawFd) -> Option<FileIdentity> {
    let found = status_of(descriptor)?;
    Some(FileIdentity { device: found.st_dev, inode: found.st_ino })
}

fn status_of(descriptor: RawFd) -> Option<libc::stat> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the pointer is to writable room for one `stat`; a bad descriptor is an error.
    if unsafe { libc::fstat(descriptor, found.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: a successful call has filled it.
    Some(unsafe { found.assume_init() })
}

/// Whose descriptors are looked at. Those of the process are those of its first thread: they vanish when that has ended, and
/// are other ones than ours if a thread has parted from it. They are found in half the time.
#[derive(Clone, Copy)]
pub(super) enum Whose {
    Process,
    Thread,
}

/// Calls `use_path` with the path under `/proc` that leads to an open descriptor. Makes no allocation.
pub(super) fn with_descriptor_path<R>(descriptor: RawFd, whose: Whose, use_path: impl FnOnce(&Path) -> R) -> R {
    let folder = match whose {
        Whose::Process => "self",
        Whose::Thread => "thread-self",
    };
    let mut buffer = [0_u8; 48];
    let mut rest = &mut buffer[..];
    write!(rest, "/proc/{folder}/fd/{descriptor}").expect("a number fits");
    let unused = rest.len();
    let text = std::str::from_utf8(&buffer[..buffer.len() - unused]).expect("ASCII");
    use_path(Path::new(text))
}

/// Opens without ever waiting for the other end of a pipe and without taking over a terminal.
fn open_description(path: &Path, writable: bool) -> io::Result<fs::File> {
    OpenOptions::new().read(true).write(writable).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

fn gone(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, reason)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
