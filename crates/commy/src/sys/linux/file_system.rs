//! What a file lies on: whether mappings of it are coherent, whether reserved storage stays reserved, and where
//! regions that need not outlive the machine go.

use std::ffi::{CStr, c_int, c_long};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::path::PathBuf;

use super::super::common::FileSystemKind;

const TMPFS: u32 = 0x0102_1994;
const EXT: u32 = 0xef53;
const XFS: u32 = 0x5846_5342;
const BTRFS: u32 = 0x9123_683e;

/// What the file behind a descriptor lies on; `Network` if the system does not say.
pub(super) fn kind_of(descriptor: RawFd) -> FileSystemKind {
    magic_of(descriptor).map_or(FileSystemKind::Network("unknown"), classify)
}

/// Is the file one whose mappings hold the description that they were made through? The kernel's own code sees to that
/// (`vm_file` of a mapping counts as a user), unless a file system puts another description there; these do not.
pub(super) fn maps_itself(descriptor: RawFd) -> bool {
    magic_of(descriptor).is_ok_and(|magic| matches!(magic, TMPFS | EXT | XFS | BTRFS))
}

/// The numbers are those of linux/magic.h and of the file systems' own sources. Unlisted means local.
fn classify(magic: u32) -> FileSystemKind {
    use FileSystemKind::{CopyOnWrite, Local, Memory, Network};
    match magic {
        TMPFS | 0x8584_58f6 => Memory, // the second: ramfs
        BTRFS => CopyOnWrite("btrfs"),
        0x2fc1_2fc1 => CopyOnWrite("zfs"),
        0xca45_1a4e => CopyOnWrite("bcachefs"),
        0x3434 => CopyOnWrite("nilfs2"),
        0x6969 => Network("nfs"),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Network("smb"),
        0x0102_1997 => Network("9p"),
        0x6573_5546 => Network("fuse"),
        0x00c3_6400 => Network("ceph"),
        0x5346_414f | 0x6b41_4653 => Network("afs"),
        0x7375_7245 => Network("coda"),
        0x564c => Network("ncp"),
        0x0116_1970 => Network("gfs2"),
        0x7461_636f => Network("ocfs2"),
        0x0bd0_0bd0 => Network("lustre"),
        0x4750_4653 => Network("gpfs"),
        0x1983_0326 => Network("beegfs"),
        0x2003_0528 => Network("orangefs"),
        0xaad7_aaea => Network("panfs"),
        0x786f_4256 => Network("vboxsf"),
        0xbacb_acbc => Network("vmhgfs"),
        0x7c7c_6673 => Network("prl_fs"),
        _ => Local,
    }
}

fn magic_of(descriptor: RawFd) -> io::Result<u32> {
    magic(|found| {
        // SAFETY: `found` is writable room for one `statfs`; a bad descriptor is an error.
        unsafe { libc::fstatfs(descriptor, found) }
    })
}

fn magic(mut call: impl FnMut(*mut libc::statfs) -> c_int) -> io::Result<u32> {
    let mut found = MaybeUninit::<libc::statfs>::zeroed();
    while call(found.as_mut_ptr()) != 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: plain integers, zeroed at first and filled by the successful call.
    let found = unsafe { found.assume_init() };
    // The field's width and sign differ between C libraries; the numbers have 32 bits.
    Ok(found.f_type as u32)
}

/// See [`super::File::disable_copy_on_write`].
pub(super) fn disable_copy_on_write(descriptor: RawFd) {
    const NO_COPY_ON_WRITE: c_long = 0x0080_0000;
    let mut flags: c_long = 0;
    // SAFETY: the kernel stores 32 bits into `flags`, which has more.
    if unsafe { libc::ioctl(descriptor, libc::FS_IOC_GETFLAGS, &raw mut flags) } == 0 {
        flags |= NO_COPY_ON_WRITE;
        // SAFETY: the kernel reads 32 bits of `flags`; a refusal changes nothing.
        unsafe { libc::ioctl(descriptor, libc::FS_IOC_SETFLAGS, &raw const flags) };
    }
}

/// Where regions live that need not survive the machine: `/dev/shm` if it is memory and we may write there, else the
/// directory for temporary files.
pub(crate) fn volatile_directory() -> PathBuf {
    const SHARED_MEMORY: &CStr = c"/dev/shm";
    let kind = magic(|found| {
        // SAFETY: the path ends in NUL and `found` is writable room for one `statfs`.
        unsafe { libc::statfs(SHARED_MEMORY.as_ptr(), found) }
    });
    // SAFETY: the path ends in NUL. The trailing flag asks for the rights that count, not those of the real user.
    let writable = unsafe {
        libc::faccessat(libc::AT_FDCWD, SHARED_MEMORY.as_ptr(), libc::W_OK | libc::X_OK, libc::AT_EACCESS) == 0
    };
    if writable && kind.is_ok_and(|magic| magic == TMPFS) { PathBuf::from("/dev/shm") } else { std::env::temp_dir() }
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::super::testing::Directory;
    use super::*;

    #[test]
    fn network_and_copying_file_systems_are_told_apart() {
        assert_eq!(classify(0x6969), FileSystemKind::Network("nfs"));
        assert_eq!(classify(0x9123_683e), FileSystemKind::CopyOnWrite("btrfs"));
        assert_eq!(classify(0xef53), FileSystemKind::Local);
        assert_eq!(kind_of(-1), FileSystemKind::Network("unknown"));
    }

    #[test]
    fn the_volatile_directory_takes_files() {
        let directory = volatile_directory();
        let file = File::create_unnamed(&directory.join("commy-never-linked"), 0o600).unwrap();
        file.allocate(0, 4096).unwrap();
        if directory == std::path::Path::new("/dev/shm") {
            assert_eq!(file.file_system(), FileSystemKind::Memory);
        }
    }

    #[test]
    fn asking_for_writes_in_place_never_hurts() {
        let directory = Directory::new();
        let file = File::create_unnamed(&directory.path().join("region"), 0o600).unwrap();
        file.disable_copy_on_write();
        file.allocate(0, 4096).unwrap();
    }
}
