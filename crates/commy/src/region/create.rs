//! Creating and opening the file, up to a mapped [`Space`].

use crate::sys::atomic::Ordering;
use std::path::Path;

use super::layout::*;
use super::{Geometry, Space};
use crate::sys::{self, File, FileSystemKind, Mapping, Paging};
use crate::{Error, Result};

/// What a new region looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CreateOptions {
    pub(crate) capacity: u64,
    pub(crate) mode: u32,
    pub(crate) paging: Paging,
}

/// Makes a region that has no name yet; its heap is empty. `link` gives it its name once it is complete.
pub(crate) fn create_unnamed(path: &Path, options: CreateOptions) -> Result<Space> {
    let io = |source| Error::io(path, source);
    let geometry = Geometry::plan(options.capacity, sys::random_id()).ok_or(Error::InvalidArgument("capacity"))?;
    let file = File::create_unnamed(path, options.mode).map_err(io)?;
    check_file_system(&file, path, true)?;
    let full = |source: std::io::Error| {
        if super::space::is_full(&source) {
            return Error::OutOfSpace { requested: UNIT, capacity: geometry.capacity };
        }
        if source.kind() == std::io::ErrorKind::Unsupported {
            let reason = "the file system cannot allocate blocks ahead (fallocate)".into();
            return Error::Unsupported { path: path.to_path_buf(), reason };
        }
        Error::io(path, source)
    };
    let first_end = geometry.heap_at + UNIT;
    file.allocate(0, geometry.lanes_at + u64::from(LANE_STEP) * size_of::<Lane>() as u64).map_err(full)?;
    file.allocate(geometry.page_map_at, UNIT / PAGE * size_of::<PageEntry>() as u64).map_err(full)?;
    file.allocate(geometry.heap_at, UNIT).map_err(full)?;
    let mut header = geometry.encode().to_vec();
    for word in [first_end, 0, 0, u64::from(LANE_STEP), 0] {
        header.extend_from_slice(&word.to_le_bytes());
    }
    file.write_at(&header, 0).map_err(io)?;
    let mapping = Mapping::paged(&file, geometry.end(), true, options.paging).map_err(full)?;
    let space = Space::new(file, mapping, geometry, true, path)?;
    stamp_origin(&space)?;
    Ok(space)
}

/// Maps the region that `path` names.
pub(crate) fn open_existing(path: &Path, writable: bool, paging: Paging) -> Result<Space> {
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::IsADirectory => not_a_region(path, "it is a directory"),
        _ => Error::io(path, source),
    };
    let file = File::open(path, writable).map_err(io)?;
    // The header, and the end of what is committed.
    let mut header = [0u8; HEADER_WORDS_AT as usize + 8];
    let read = file.read_at(&mut header, 0).map_err(io)?;
    let (header, end) = header.split_at(HEADER_WORDS_AT as usize);
    // Where mapping makes a file longer, what somebody has cut off would be zeros afterwards. The length is asked for after
    // the end was read: who grows the region makes the file longer first.
    let len = file.metadata().map_err(io)?.len;
    let geometry =
        Geometry::parse(&header[..read.min(header.len())], len).map_err(|reason| not_a_region(path, &reason))?;
    if writable && geometry.unknown_to_writers != 0 {
        let unknown = geometry.unknown_to_writers;
        let reason = format!("features {unknown:#x} must be known to write (must_know_to_write), and are not");
        return Err(not_a_region(path, &(reason + ": open it read-only")));
    }
    check_file_system(&file, path, false)?;
    if len < u64::from_le_bytes(end.try_into().expect("eight bytes")) {
        return Err(Error::corrupt(HEADER_WORDS_AT, "the file is shorter than committed_end"));
    }
    let mapping = Mapping::paged(&file, geometry.end(), writable, paging).map_err(io)?;
    Space::new(file, mapping, geometry, writable, path)
}

fn not_a_region(path: &Path, reason: &str) -> Error {
    Error::NotARegion { path: path.to_path_buf(), reason: reason.into() }
}

fn check_file_system(file: &File, path: &Path, new: bool) -> Result<()> {
    match file.file_system() {
        FileSystemKind::Network(name) => {
            let reason = format!("{name} is not known to keep mappings, locks and rights as they must be").into();
            Err(Error::Unsupported { path: path.to_path_buf(), reason })
        }
        FileSystemKind::CopyOnWrite(_) if new => {
            file.disable_copy_on_write();
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Records under which boot and on which device this file was last used.
pub(crate) fn stamp_origin(space: &Space) -> Result<()> {
    let boot = sys::boot_id();
    let identity = space.with_file(|file| Ok(file.identity()))?;
    let words = space.words();
    for (half, word) in words.boot_id.iter().enumerate() {
        let bytes: [u8; 8] = boot[half * 8..half * 8 + 8].try_into().expect("eight bytes");
        word.store(u64::from_le_bytes(bytes), Ordering::Release);
    }
    words.device.store(identity.device, Ordering::Release);
    words.inode.store(identity.inode, Ordering::Release);
    Ok(())
}

/// Was the file last used under this boot and as this inode?
pub(crate) fn same_origin(space: &Space) -> Result<bool> {
    let boot = sys::boot_id();
    let identity = space.with_file(|file| Ok(file.identity()))?;
    let words = space.words();
    let same_boot =
        words.boot_id.iter().zip(boot.chunks_exact(8)).all(|(word, bytes)| word.peek().to_le_bytes() == bytes);
    Ok(same_boot && words.device.peek() == identity.device && words.inode.peek() == identity.inode)
}
