//! The public handle of a region.

use std::path::Path;
use std::sync::Arc;

use super::attachment::Attachment;
use super::check::Report;
use super::directory::{self, Want};
use super::info::{self, ObjectInfo, ProcessInfo, Stats};
use super::options::RegionOptions;
use super::transaction::{self, Transaction};
use crate::containers::Container;
use crate::journal::Context;
use crate::region::layout::RawHeader;
use crate::{Error, Result};

/// A memory-mapped file full of collections that any process can open.
///
/// Cloning is cheap; a clone means the same region. Two opens of one file in a process share everything.
#[derive(Clone)]
pub struct Region {
    attachment: Arc<Attachment>,
}

/// What fills a new object, under its word.
pub(crate) trait Init: Fn(&mut Context, &RawHeader) -> Result<()> + Copy {}
impl<F: Fn(&mut Context, &RawHeader) -> Result<()> + Copy> Init for F {}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl Region {
    /// Options other than the usual ones.
    #[must_use]
    pub fn options() -> RegionOptions {
        RegionOptions::default()
    }

    /// Creates a region; the file must not exist.
    ///
    /// # Errors
    /// See [`RegionOptions::create`].
    pub fn create(path: impl AsRef<Path>) -> Result<Region> {
        Self::options().create(path)
    }

    /// Opens a region.
    ///
    /// # Errors
    /// See [`RegionOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Region> {
        Self::options().open(path)
    }

    /// Opens a region, or creates it.
    ///
    /// # Errors
    /// See [`RegionOptions::open_or_create`].
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Region> {
        Self::options().open_or_create(path)
    }

    /// Opens or creates a region in memory, for data that need not survive a reboot.
    ///
    /// # Errors
    /// See [`RegionOptions::volatile`].
    pub fn volatile(name: &str) -> Result<Region> {
        Self::options().volatile(name)
    }

    /// Removes a region's file. Processes that have it open keep what they have; the memory goes with the last one.
    ///
    /// # Errors
    /// `NotFound`; `NotARegion` if the file is something else (it stays); `Io`.
    pub fn remove(path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match crate::region::open_existing(path, false, crate::sys::Paging::default()) {
            Ok(_) | Err(Error::Corrupt { .. }) => {}
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NotFound);
            }
            Err(error) => return Err(error),
        }
        crate::sys::remove_file(path).map_err(|source| Error::io(path, source))
    }

    pub(super) fn create_with(options: &RegionOptions, path: &Path) -> Result<Region> {
        let attachment = Attachment::create(path, options, directory::found)?;
        Ok(Region { attachment })
    }

    pub(super) fn open_with(options: &RegionOptions, path: &Path) -> Result<Region> {
        let attachment = Attachment::open(path, options)?;
        directory::root(&attachment)?;
        Ok(Region { attachment })
    }

    /// The path that this region was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.attachment.space().path()
    }

    /// Opens the object `name`, or creates it empty.
    ///
    /// # Errors
    /// `TypeMismatch` if it exists with another type; `ReadOnly`, `OutOfSpace`, `Timeout`, `InvalidArgument`; `Corrupt` if its
    /// bytes are no values of the type, or the region is damaged so that a block has two owners: then there are no new
    /// objects, and only those of numbers can be opened for writing.
    ///
    /// # Crash
    /// The object exists wholly or not at all.
    pub fn object<C: Container>(&self, name: &str) -> Result<C> {
        self.named(name, Want::Either)
    }

    /// Creates the object `name`, empty.
    ///
    /// # Errors
    /// `AlreadyExists`; otherwise as [`object`](Self::object).
    pub fn create_object<C: Container>(&self, name: &str) -> Result<C> {
        self.create_object_with(name, C::init)
    }

    /// Opens the object `name`.
    ///
    /// # Errors
    /// `NotFound`; otherwise as [`object`](Self::object).
    pub fn open_object<C: Container>(&self, name: &str) -> Result<C> {
        self.named(name, Want::Existing)
    }

    fn named<C: Container>(&self, name: &str, want: Want) -> Result<C> {
        self.named_with(name, want, C::init)
    }

    /// Opens the object `name`, or creates it as `init` makes it.
    pub(crate) fn object_with<C: Container>(&self, name: &str, init: impl Init) -> Result<C> {
        self.named_with(name, Want::Either, init)
    }

    /// Creates the object `name` as `init` makes it.
    pub(crate) fn create_object_with<C: Container>(&self, name: &str, init: impl Init) -> Result<C> {
        if !self.attachment.space().writable {
            return Err(Error::ReadOnly);
        }
        self.named_with(name, Want::New, init)
    }

    fn named_with<C: Container>(&self, name: &str, want: Want, init: impl Init) -> Result<C> {
        loop {
            let object = directory::open(&self.attachment, name, want, &C::descriptor(), init)?;
            match C::validate(&object) {
                // Removed meanwhile: there may be another one, or none.
                Err(Error::Removed) => {}
                other => return other.map(|()| C::from_object(object)),
            }
        }
    }

    /// Makes an object without a name.
    pub(crate) fn anonymous<C: Container>(&self) -> Result<C> {
        self.anonymous_with(C::init)
    }

    /// Makes an object without a name as `init` makes it.
    pub(crate) fn anonymous_with<C: Container>(&self, init: impl Init) -> Result<C> {
        Ok(C::from_object(directory::anonymous(&self.attachment, &C::descriptor(), init)?))
    }

    /// Removes the object `name` and everything in it. Handles that others have say `Removed` from then on.
    ///
    /// # Errors
    /// `NotFound`; `Deadlock` if the calling thread has it locked; `Timeout` while somebody else has.
    ///
    /// # Crash
    /// It is gone wholly or still there wholly.
    pub fn remove_object(&self, name: &str) -> Result<()> {
        directory::remove(&self.attachment, name)
    }

    /// Gives the object `from` the name `to`; handles stay valid.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`.
    pub fn rename_object(&self, from: &str, to: &str) -> Result<()> {
        directory::rename(&self.attachment, from, to)
    }

    /// All named objects, by name.
    ///
    /// # Errors
    /// `Corrupt`, `Timeout`.
    pub fn objects(&self) -> Result<Vec<ObjectInfo>> {
        info::objects(&self.attachment)
    }

    /// All attached processes.
    ///
    /// # Errors
    /// `Corrupt`, `Timeout`, `Io`.
    pub fn processes(&self) -> Result<Vec<ProcessInfo>> {
        info::processes(&self.attachment)
    }

    /// Sizes and counts.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn stats(&self) -> Result<Stats> {
        info::stats(&self.attachment)
    }

    /// The bare allocator, for benchmarks.
    #[doc(hidden)]
    pub fn allocation_probe(&self) -> Result<super::AllocationProbe<'_>> {
        super::AllocationProbe::new(&self.attachment)
    }

    /// Runs `body`, which may lock several objects; what it changes happens wholly when it returns `Ok`, and not at
    /// all when it returns an error or panics. When transactions wait for each other in a circle, one of them is
    /// undone and `body` runs again: it must have no other effects than on the region.
    ///
    /// Creating, removing and renaming objects inside `body` is not part of the transaction.
    ///
    /// # Errors
    /// What `body` returns; `RolledBack` if it ignored a deadlock error; `Timeout`.
    ///
    /// # Crash
    /// Nothing of it has happened, or everything.
    pub fn transaction<R>(&self, body: impl FnMut(&Transaction<'_>) -> Result<R>) -> Result<R> {
        transaction::run(&self.attachment, body)
    }

    /// Walks the whole region and proves that each block is free, cached or reachable exactly once, and that every
    /// container is well-formed. The dead are reaped first; writers wait meanwhile.
    ///
    /// # Errors
    /// `Timeout` if somebody stays inside a change for more than a second; `Deadlock` if the calling thread holds a
    /// write guard itself. Damage is not an error: the report says it.
    pub fn check(&self) -> Result<Report> {
        if !self.attachment.space().writable {
            return Err(Error::ReadOnly);
        }
        self.attachment.reap()?;
        // Also what a process left that could not remove an object of its own in time.
        super::reaper::reap_anonymous(&self.attachment)?;
        let _frozen = self.attachment.freeze()?;
        Ok(super::check::check(self.attachment.space()))
    }
}
