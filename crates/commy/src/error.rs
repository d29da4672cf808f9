//! The one error type: what a caller can act on, as data.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who holds what was waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Process id in the holder's pid namespace; 0 if unknown.
    pub pid: u32,
    /// Thread id of the holding thread; 0 if unknown.
    pub thread: u32,
    /// Name of the process; without a process id, what is known instead.
    pub name: String,
    /// It has died, and the one who waits may not write: only a process that may repairs what it has left.
    pub dead: bool,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str(&self.name);
        }
        write!(f, "process {} ({}), thread {}", self.pid, self.name, self.thread)?;
        if self.dead { f.write_str(", which is dead; a process that may write must repair it") } else { Ok(()) }
    }
}

/// Why an operation did not happen. A failed operation has changed nothing unless its documentation says otherwise.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The lock could not be had in time; its holder is alive (a dead one would have been recovered). A process that may
    /// only read waits in vain for a dead one, too, while no other is there ([`Holder::dead`] says so), and for writers
    /// that leave no pause between their changes.
    Timeout {
        /// Who holds it.
        holder: Box<Holder>,
        /// How long this call waited.
        waited: Duration,
    },
    /// The object exists with another kind, element type or layout.
    TypeMismatch {
        /// Schema of the type asked for.
        expected: Box<str>,
        /// Schema stored in the region.
        found: Box<str>,
        /// Where they first differ.
        difference: Box<str>,
    },
    /// The queue holds as many items as it may.
    Full {
        /// How many that is.
        limit: u64,
    },
    /// Neither the region's capacity nor the disk has room.
    OutOfSpace {
        /// Bytes asked for.
        requested: u64,
        /// Capacity of the region in bytes.
        capacity: u64,
    },
    /// The region's bytes break a rule; nothing was done.
    Corrupt {
        /// Where, as an offset into the file.
        offset: u64,
        /// Which rule.
        rule: &'static str,
    },
    /// The file is no region, or not one this version can use.
    NotARegion {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// The file system cannot carry a region.
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: Box<str>,
    },
    /// The region was opened read-only.
    ReadOnly,
    /// The object behind this handle was removed.
    Removed,
    /// There is no such object or entry.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// Waiting would never end: the holder waits, directly or through others, for the caller, or is the caller.
    Deadlock,
    /// An earlier call of this guard or transaction failed half-way; everything since its begin is undone.
    RolledBack,
    /// The object is borrowed by another guard of the same transaction.
    Borrowed,
    /// A fixed table is full: process slots, lanes, guards of one thread.
    Exhausted {
        /// Which table.
        what: &'static str,
        /// How many there are.
        limit: u64,
    },
    /// An argument is out of range.
    InvalidArgument(&'static str),
    /// The operating system said no.
    Io {
        /// The file in question.
        path: PathBuf,
        /// Its answer.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Error {
        Error::Io { path: path.to_path_buf(), source }
    }

    #[cold]
    pub(crate) fn corrupt(offset: u64, rule: &'static str) -> Error {
        Error::Corrupt { offset, rule }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Timeout { holder, waited } => write!(f, "waited {waited:?} for a lock held by {holder}"),
            Error::TypeMismatch { expected, found, difference } => {
                write!(f, "the object has another type: {difference} (expected `{expected}`, found `{found}`)")
            }
            Error::OutOfSpace { requested, capacity } => {
                write!(f, "no room for {requested} bytes: capacity {capacity} bytes or the disk is used up")
            }
            Error::Full { limit } => write!(f, "the queue is full: it holds {limit} items, its limit"),
            Error::Corrupt { offset, rule } => write!(f, "the region is damaged at offset {offset}: {rule}"),
            Error::NotARegion { path, reason } => write!(f, "{} is not a usable region: {reason}", path.display()),
            Error::Unsupported { path, reason } => write!(f, "{} cannot hold a region: {reason}", path.display()),
            Error::ReadOnly => f.write_str("the region was opened read-only"),
            Error::Removed => f.write_str("the object was removed"),
            Error::NotFound => f.write_str("not found"),
            Error::AlreadyExists => f.write_str("already exists"),
            Error::Deadlock => f.write_str("waiting would be a deadlock; release other guards first"),
            Error::RolledBack => f.write_str("an earlier call failed half-way; the guard's changes are undone"),
            Error::Borrowed => f.write_str("another guard of this transaction borrows the object"),
            Error::Exhausted { what, limit } => write!(f, "all {limit} {what} are in use"),
            Error::InvalidArgument(what) => write!(f, "invalid argument: {what}"),
            Error::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
