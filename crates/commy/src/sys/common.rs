//! What is said about files, processes and sleeps in the same words on every system.

/// What a file is, whatever it is called: no other file of this machine has the same pair at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct FileIdentity {
    /// The file system: `st_dev`, or the serial number of the volume.
    pub(crate) device: u64,
    /// The file in it: `st_ino`, or the file index.
    pub(crate) inode: u64,
}

/// The facts about a file that move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileMetadata {
    /// Length in bytes.
    pub(crate) len: u64,
    /// Number of names; 0 after the last one was removed, or before the first was given.
    pub(crate) links: u64,
    /// Bytes of storage in use, without the holes.
    pub(crate) allocated: u64,
}

/// How far a file system can be trusted with a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileSystemKind {
    /// An ordinary disk file system.
    Local,
    /// Pages only; gone with the machine's power.
    #[cfg_attr(windows, expect(dead_code, reason = "no such file system comes with the system"))]
    Memory,
    /// Writes go to new places: even reserved storage may run out at a store. Its name.
    CopyOnWrite(&'static str),
    /// Served by another machine or by a program: neither mappings nor locks can be relied upon. Its name.
    Network(&'static str),
}

/// What is to happen to a mapping's pages before they are touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Paging {
    /// They come into the page tables of this process.
    pub(crate) prefault: bool,
    /// They are made of huge pages, where the system has such for the file.
    pub(crate) huge: bool,
}

/// How a wait came to its end. Every one of them is only a reason to look again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WaitResult {
    /// Woken, or for no reason at all.
    Woken,
    /// The time is over.
    TimedOut,
    /// The word did not hold the expected value: there was no sleep.
    Changed,
}

/// The class of sleepers, and of wakes, on a word of which there is no more than one kind.
pub(crate) const EVERY_CLASS: u32 = 0xff;

/// A process.
///
/// `start_time` is 0 if nobody has asked or the system does not say; `pid_namespace` is 0 if the system does not say, and then the process is never
/// believed to be dying.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ProcessIdentity {
    /// The number, as the process itself sees it.
    pub(crate) pid: u32,
    /// When it started, in units of the system.
    pub(crate) start_time: u64,
    /// Which numbers these are: on Linux the inode of the namespace.
    pub(crate) pid_namespace: u64,
}

/// The beginning of a process's name, cut at a character to what a slot has room for.
pub(super) fn cut_name(name: &str) -> String {
    let cut = (0..=name.len().min(32)).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0);
    name[..cut].to_owned()
}

/// Sixteen bytes that nobody else has drawn.
pub(crate) fn random_id() -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&super::random_u64().to_le_bytes());
    id[8..].copy_from_slice(&super::random_u64().to_le_bytes());
    id
}

/// Differs between processes and moments: unique, but no secret. For systems that refuse to draw.
pub(super) fn makeshift_random(thread_id: u32, now_ns: u64) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one((std::process::id(), thread_id, now_ns))
}
