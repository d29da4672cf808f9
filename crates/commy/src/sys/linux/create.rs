//! Making a file complete before it has a name, so that nobody ever opens half of one, and naming it without
//! replacing another: of any number of creators exactly one wins.
//!
//! Where `O_TMPFILE` is refused a hidden file `.{name}.commy-{pid}-{random}` stands in. Its maker holds `flock` on it;
//! whoever gets that lock instead knows that the maker is dead and removes the file. A maker looks at the name again
//! once it has the lock: a sweeper may have been faster.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::clock::random_u64;
use super::file::{File, Whose, with_descriptor_path};
use super::fork;

/// A provisional name, removed on drop by the process that made it (a forked child must not).
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    present: AtomicBool,
    fork_epoch: u64,
}

impl Temporary {
    /// Moves the file from its provisional name to `path`, which must not exist.
    pub(super) fn publish(&self, file: &File, path: &Path) -> io::Result<()> {
        match fs::hard_link(&self.path, path) {
            Ok(()) => self.remove(),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // File systems without second names (FAT): a move that refuses to replace.
            Err(_) => {
                move_without_replacing(&self.path, path)?;
                self.present.store(false, Ordering::Relaxed);
            }
        }
        // SAFETY: takes no pointers. The provisional name is gone, so its lock has nothing left to guard.
        unsafe { libc::flock(file.descriptor(), libc::LOCK_UN) };
        Ok(())
    }

    fn remove(&self) {
        if self.present.swap(false, Ordering::Relaxed) && self.fork_epoch == fork::fork_epoch() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.remove();
    }
}

/// See [`File::create_unnamed`].
pub(super) fn create_unnamed(final_path: &Path, mode: u32) -> io::Result<File> {
    let (directory, _) = split(final_path)?;
    let created = OpenOptions::new().read(true).write(true).custom_flags(libc::O_TMPFILE).mode(mode).open(directory);
    match created {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(mode))?;
            File::adopt(file, None)
        }
        Err(error) => match error.raw_os_error() {
            Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL | libc::ENOSYS) => create_named(final_path, mode),
            _ => Err(error),
        },
    }
}

/// Creates the file under a provisional name.
fn create_named(final_path: &Path, mode: u32) -> io::Result<File> {
    let (directory, name) = split(final_path)?;
    let prefix = temporary_prefix(name);
    sweep(directory, &prefix);
    fork::ensure_hooks();
    for _ in 0..64 {
        let mut name = prefix.clone();
        name.push(format!("{}-{:016x}", std::process::id(), random_u64()));
        let path = directory.join(name);
        let file = match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        let (present, fork_epoch) = (AtomicBool::new(true), fork::fork_epoch());
        let temporary = Temporary { path: path.clone(), present, fork_epoch };
        // Without such locks on this file system nobody sweeps either.
        let free =
            try_flock(file.as_raw_fd()).map_or_else(|error| error.kind() != io::ErrorKind::WouldBlock, |()| true);
        file.set_permissions(Permissions::from_mode(mode))?;
        let file = File::adopt(file, Some(temporary))?;
        if free && file.path_names_this(&path)? {
            return Ok(file);
        }
        // A sweeper came between creation and lock; it removes what it got, we start over.
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free provisional name"))
}

/// Removes the provisional files that killed creators of the same name left behind. Best effort.
fn sweep(directory: &Path, prefix: &OsStr) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        if entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
            let path = entry.path();
            if let Ok(file) = File::open(&path, false) {
                let abandoned = try_flock(file.descriptor()).is_ok() && file.path_names_this(&path).unwrap_or(false);
                if abandoned {
                    let _ = fs::remove_file(&path);
                }
            }
        }
    }
}

/// Takes the lock of a provisional file; `WouldBlock` if its maker lives.
fn try_flock(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: takes no pointers; a bad descriptor is an error.
    let result = unsafe { libc::flock(descriptor, libc::LOCK_EX | libc::LOCK_NB) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Gives an unnamed file its first name.
pub(super) fn link_description(descriptor: RawFd, path: &Path) -> io::Result<()> {
    let target = c_path(path)?;
    let through_proc = with_descriptor_path(descriptor, Whose::Thread, |source| {
        link(libc::AT_FDCWD, &c_path(source)?, &target, libc::AT_SYMLINK_FOLLOW)
    });
    match through_proc {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // Without /proc there is a direct way, for the privileged or (since Linux 6.10) the opener.
            link(descriptor, c"", &target, libc::AT_EMPTY_PATH).map_err(|second| match second.kind() {
                io::ErrorKind::AlreadyExists => second,
                _ => error,
            })
        }
        outcome => outcome,
    }
}

fn link(directory: RawFd, source: &std::ffi::CStr, target: &CString, flags: i32) -> io::Result<()> {
    // SAFETY: both strings end in NUL and outlive the call.
    let result = unsafe { libc::linkat(directory, source.as_ptr(), libc::AT_FDCWD, target.as_ptr(), flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn move_without_replacing(source: &Path, target: &Path) -> io::Result<()> {
    let (source, target) = (c_path(source)?, c_path(target)?);
    let here = libc::AT_FDCWD;
    // SAFETY: both strings end in NUL and outlive the call.
    let result = unsafe { libc::renameat2(here, source.as_ptr(), here, target.as_ptr(), libc::RENAME_NOREPLACE) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Directory and name of a path; the directory of a bare name is the current one.
fn split(path: &Path) -> io::Result<(&Path, &OsStr)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((directory, name))
}

/// `.{name}.commy-`, with long names cut so that the whole fits into a directory entry.
fn temporary_prefix(name: &OsStr) -> OsString {
    let bytes = name.as_bytes();
    let mut prefix = vec![b'.'];
    prefix.extend_from_slice(&bytes[..bytes.len().min(200)]);
    prefix.extend_from_slice(b".commy-");
    OsString::from_vec(prefix)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Directory;
    use super::*;
    use std::sync::Barrier;

    fn names_in(directory: &Directory) -> Vec<OsString> {
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    fn one_of_sixteen_creators_wins(create: fn(&Path, u32) -> io::Result<File>) {
        let directory = Directory::new();
        let path = directory.path().join("region");
        let start = Barrier::new(16);
        let creator = || {
            let file = create(&path, 0o640).unwrap();
            file.write_at(&file.identity().inode.to_le_bytes(), 0).unwrap();
            start.wait();
            file.link_to(&path).map(|()| file.identity())
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(creator)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winners: Vec<_> = results.iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        }
        let file = File::open(&path, false).unwrap();
        assert_eq!(file.identity(), *winners[0]);
        let mut content = [0; 8];
        file.read_at(&mut content, 0).unwrap();
        assert_eq!(u64::from_le_bytes(content), winners[0].inode);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(names_in(&directory), ["region"], "nothing provisional stays");
    }

    #[test]
    fn one_of_sixteen_unnamed_creators_wins() {
        one_of_sixteen_creators_wins(create_unnamed);
    }

    #[test]
    fn one_of_sixteen_provisional_creators_wins() {
        one_of_sixteen_creators_wins(create_named);
    }

    #[test]
    fn a_name_is_never_replaced_by_a_move() {
        let directory = Directory::new();
        let (taken, free) = (directory.path().join("taken"), directory.path().join("free"));
        fs::write(&taken, "old").unwrap();
        fs::write(&free, "new").unwrap();
        assert_eq!(move_without_replacing(&free, &taken).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&taken).unwrap(), b"old");
    }

    #[test]
    fn only_provisional_files_of_the_dead_are_swept() {
        let directory = Directory::new();
        let path = directory.path().join("region");
        let living = create_named(&path, 0o600).unwrap();
        let prefix = temporary_prefix(OsStr::new("region"));
        let mut abandoned = prefix.clone();
        abandoned.push("1-0123456789abcdef");
        fs::write(directory.path().join(&abandoned), "left").unwrap();
        sweep(directory.path(), &prefix);
        assert_eq!(names_in(&directory).len(), 1);
        living.link_to(&path).unwrap();
        assert_eq!(names_in(&directory), ["region"]);
    }
}
