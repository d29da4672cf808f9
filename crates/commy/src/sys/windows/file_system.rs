//! What a file lies on, and where regions go that need not outlive the machine.

use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::ptr;

use windows_sys::Win32::Storage::FileSystem::{
    COMPRESSION_FORMAT_NONE, FILE_ATTRIBUTE_COMPRESSED, FILE_REMOTE_PROTOCOL_INFO, FileRemoteProtocolInfo,
    GetFileInformationByHandleEx, GetVolumeInformationByHandleW,
};
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Ioctl::FSCTL_SET_COMPRESSION;

use super::super::common::FileSystemKind;
use super::File;
use super::file::information;

/// What the file lies on; `Network` if the system does not say.
pub(super) fn kind_of(file: &File) -> FileSystemKind {
    if let Some(protocol) = remote_protocol(file) {
        return FileSystemKind::Network(protocol);
    }
    let mut name = [0_u16; 64];
    // SAFETY: the name has room for 64 units; the other results are not asked for.
    let told = unsafe {
        let (file, no_name) = (file.handle(), ptr::null_mut());
        let [serial, longest, flags] = [const { ptr::null_mut() }; 3];
        GetVolumeInformationByHandleW(file, no_name, 0, serial, longest, flags, name.as_mut_ptr(), name.len() as u32)
    };
    if told == 0 {
        return FileSystemKind::Network("unknown");
    }
    let len = name.iter().position(|&unit| unit == 0).unwrap_or(name.len());
    match classify(&String::from_utf16_lossy(&name[..len])) {
        FileSystemKind::Local if is_compressed(file) => FileSystemKind::CopyOnWrite("compressed NTFS"),
        kind => kind,
    }
}

/// By the name that a volume gives its file system. FAT and its kin know no rights, and others may be served by a program.
fn classify(name: &str) -> FileSystemKind {
    match name.to_ascii_lowercase().as_str() {
        "ntfs" => FileSystemKind::Local,
        "refs" => FileSystemKind::CopyOnWrite("refs"),
        _ => FileSystemKind::Network("a file system other than NTFS and ReFS"),
    }
}

/// The network protocol behind an open file; the question fails for a local one.
fn remote_protocol(file: &File) -> Option<&'static str> {
    let mut found = MaybeUninit::<FILE_REMOTE_PROTOCOL_INFO>::zeroed();
    let size = size_of::<FILE_REMOTE_PROTOCOL_INFO>() as u32;
    // SAFETY: writes at most `size` bytes into room for them.
    let told =
        unsafe { GetFileInformationByHandleEx(file.handle(), FileRemoteProtocolInfo, found.as_mut_ptr().cast(), size) };
    if told == 0 {
        return None;
    }
    // SAFETY: integers, zeroed at first and filled by the successful call.
    Some(match unsafe { found.assume_init() }.Protocol {
        0x0002_0000 => "smb",
        0x002e_0000 => "webdav",
        0x0042_0000 => "nfs",
        _ => "a network file system",
    })
}

fn is_compressed(file: &File) -> bool {
    information(file.handle()).is_ok_and(|found| found.dwFileAttributes & FILE_ATTRIBUTE_COMPRESSED != 0)
}

/// Compressed pieces move when they are written, and may not find a new place. See [`File::disable_copy_on_write`].
pub(super) fn disable_compression(file: &File) {
    let (format, mut returned) = (COMPRESSION_FORMAT_NONE, 0);
    // SAFETY: reads the two bytes of `format`; a refusal changes nothing; the handle is synchronous.
    unsafe {
        let question = (&raw const format).cast();
        let (size, nothing) = (size_of_val(&format) as u32, ptr::null_mut());
        DeviceIoControl(
            file.handle(),
            FSCTL_SET_COMPRESSION,
            question,
            size,
            nothing,
            0,
            &mut returned,
            ptr::null_mut(),
        );
    }
}

/// Where regions live that need not survive the machine: there is no file system in memory, so it is the directory for
/// temporary files, with a hint at each file.
pub(crate) fn volatile_directory() -> PathBuf {
    std::env::temp_dir()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Directory;
    use super::*;

    #[test]
    fn network_and_copying_file_systems_are_told_apart() {
        assert_eq!(classify("NTFS"), FileSystemKind::Local);
        assert_eq!(classify("ReFS"), FileSystemKind::CopyOnWrite("refs"));
        for other in ["9P", "exFAT", "FUSE-sshfs", ""] {
            assert!(matches!(classify(other), FileSystemKind::Network(_)), "{other}");
        }
    }

    #[test]
    fn the_volatile_directory_takes_files_on_a_local_disk() {
        let file = File::create_unnamed(&volatile_directory().join("commy-never-linked"), 0o600).unwrap();
        file.allocate(0, 4096).unwrap();
        assert!(!matches!(file.file_system(), FileSystemKind::Network(_)), "{:?}", file.file_system());
        let directory = Directory::new();
        directory.page().disable_copy_on_write();
    }
}
