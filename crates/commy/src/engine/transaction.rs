//! Several objects, one fate.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::attachment::Attachment;
use super::object::{GuardContext, Object, ReadLock, WriteLock, enter, lock_first};
use crate::containers::Container;
use crate::journal::HEAD_SIZE;
use crate::lock::{self, Published};
use crate::region::layout::*;
use crate::{Error, Result, sys};

/// A transaction under way; see [`Region::transaction`](crate::Region::transaction).
///
/// Objects stay locked until the closure has returned, also after their guards were dropped.
pub struct Transaction<'r> {
    attachment: &'r Arc<Attachment>,
    // Dropped first: commit or undo, then the reads end.
    guard: GuardContext<'r>,
    objects: Objects<'r>,
}

/// The objects that a transaction has locked.
struct Objects<'r> {
    attachment: &'r Attachment,
    entries: RefCell<Vec<Entry>>,
    deadlock: std::cell::Cell<bool>,
    fork_epoch: u64,
}

pub(super) struct Entry {
    /// Offset of the object's header.
    header: u64,
    written: bool,
    published: Option<Published>,
    readers: u32,
    writer: bool,
}

/// One live guard of a transaction, by the rules of `RefCell`.
pub(crate) struct Borrow<'t> {
    objects: &'t Objects<'t>,
    index: usize,
    write: bool,
}

impl Drop for Borrow<'_> {
    fn drop(&mut self) {
        let entry = &mut self.objects.entries.borrow_mut()[self.index];
        if self.write {
            entry.writer = false;
        } else {
            entry.readers -= 1;
        }
    }
}

impl Drop for Objects<'_> {
    fn drop(&mut self) {
        if self.fork_epoch != sys::fork_epoch() {
            return;
        }
        let Ok(lane) = self.attachment.lane() else { return };
        let mut entries = self.entries.take();
        for entry in entries.drain(..) {
            if let (Some(published), Ok(header)) = (entry.published, self.attachment.space().get(entry.header)) {
                lock::unpublish(lane.actor, header, published);
            }
        }
        lane.entries.set(entries);
    }
}

impl<'r> Transaction<'r> {
    fn begin(attachment: &'r Arc<Attachment>) -> Result<Transaction<'r>> {
        let lane = attachment.lane()?;
        let guard = GuardContext::begin(lane)?;
        let deadlock = std::cell::Cell::new(false);
        let fork_epoch = sys::fork_epoch();
        let objects = Objects { attachment, entries: RefCell::new(lane.entries.take()), deadlock, fork_epoch };
        Ok(Transaction { attachment, guard, objects })
    }

    /// Locks an object for reading until the transaction ends.
    ///
    /// # Errors
    /// `Borrowed` while a write guard of the same object lives; `Deadlock` (the transaction is then retried);
    /// `Timeout`, `Removed`, `RolledBack`.
    pub fn read<'t, C: Container>(&'t self, object: &C) -> Result<C::ReadGuard<'t>>
    where
        'r: 't,
    {
        let object = object.object();
        let known = self.find(object)?;
        let index = match known {
            Some(index) => index,
            None => self.publish(object)?,
        };
        let mut entries = self.objects.entries.borrow_mut();
        let entry = &mut entries[index];
        if entry.writer {
            return Err(Error::Borrowed);
        }
        entry.readers += 1;
        let space = self.attachment.space();
        let borrow = Borrow { objects: &self.objects, index, write: false };
        Ok(C::read_guard(ReadLock::in_transaction(space.get(entry.header)?, space, borrow)))
    }

    /// Locks an object for writing until the transaction ends.
    ///
    /// # Errors
    /// As [`read`](Self::read); `Borrowed` while any guard of the same object lives.
    pub fn write<'t, C: Container>(&'t self, object: &C) -> Result<C::WriteGuard<'t>>
    where
        'r: 't,
    {
        let object = object.object();
        let index = match self.find(object)? {
            Some(index) => {
                self.upgrade(index)?;
                index
            }
            None => self.lock(object)?,
        };
        let mut entries = self.objects.entries.borrow_mut();
        let entry = &mut entries[index];
        entry.writer = true;
        let space = self.attachment.space();
        let borrow = Borrow { objects: &self.objects, index, write: true };
        Ok(C::write_guard(WriteLock::in_transaction(space.get(entry.header)?, space, &self.guard, borrow)))
    }

    fn find(&self, object: &Object) -> Result<Option<usize>> {
        if self.guard.is_doomed() {
            return Err(Error::RolledBack);
        }
        if !Arc::ptr_eq(object.attachment(), self.attachment) {
            return Err(Error::InvalidArgument("the object belongs to another region"));
        }
        object.check_generation()?;
        let entries = self.objects.entries.borrow();
        let offset = self.attachment.space().offset_of(object.header());
        Ok(entries.iter().position(|entry| entry.header == offset))
    }

    /// The object's header for as long as the region lives.
    fn header_of(&self, object: &Object) -> Result<&'r ObjectHeader> {
        let space = self.attachment.space();
        space.get(space.offset_of(object.header()))
    }

    /// Another guard of this thread, outside of the transaction, is in the way: no retry can help.
    fn refuse_own(&self, header: &ObjectHeader, reads: u64) -> Result<()> {
        let actor = self.guard.lane().actor;
        let in_the_way = actor.holds(&header.word) || lock::own_reads(actor, header) > reads;
        if in_the_way { Err(Error::Deadlock) } else { Ok(()) }
    }

    fn lock(&self, object: &Object) -> Result<usize> {
        let header = self.header_of(object)?;
        self.refuse_own(header, 0)?;
        let lane = self.guard.lane();
        let locked = self.guard.with(|context| {
            if context.is_active() {
                context.reserve_log(HEAD_SIZE)?;
                context.lock(header)?;
            } else {
                lock_first(self.attachment, lane, context, header)?;
            }
            object.check_generation().inspect_err(|_| context.unlock_last(header))
        });
        self.note(locked)?;
        Ok(self.add(header, true, None))
    }

    fn publish(&self, object: &Object) -> Result<usize> {
        let header = self.header_of(object)?;
        let actor = self.guard.lane().actor;
        if actor.holds(&header.word) {
            return Err(Error::Deadlock);
        }
        if let Some(published) = lock::publish_again(actor, self.attachment.space().offset_of(header)) {
            return Ok(self.add(header, false, Some(published)));
        }
        let published = self.guard.with(|context| {
            enter(self.attachment, self.guard.lane(), context)?;
            context.lock_word(header, lock::Waiting::reader)?;
            let published = object.check_generation().and_then(|()| match lock::publish(actor, header) {
                // More objects than a lane can publish: the word itself stays ours.
                Err(Error::Exhausted { .. }) => Ok(None),
                other => other.map(Some),
            });
            if !matches!(published, Ok(None)) {
                context.unlock_last(header);
            }
            published
        });
        let published = self.note(published)?;
        Ok(self.add(header, published.is_none(), published))
    }

    fn upgrade(&self, index: usize) -> Result<()> {
        let (header, written, published) = {
            let entries = self.objects.entries.borrow();
            let entry = &entries[index];
            if entry.writer || entry.readers > 0 {
                return Err(Error::Borrowed);
            }
            (self.attachment.space().get(entry.header)?, entry.written, entry.published)
        };
        if written && published.is_none() {
            // Perhaps held for reading only, so far: writing begins now. Does nothing if it has begun.
            let begun = self.guard.with(|context| context.begin_writing(header));
            return self.note(begun);
        }
        if written {
            return Ok(());
        }
        self.refuse_own(header, 1)?;
        let locked = self.guard.with(|context| {
            context.reserve_log(HEAD_SIZE)?;
            context.lock_over_reads(header, 1)
        });
        self.note(locked)?;
        self.objects.entries.borrow_mut()[index].written = true;
        Ok(())
    }

    fn add(&self, header: &ObjectHeader, written: bool, published: Option<Published>) -> usize {
        let header = self.attachment.space().offset_of(header);
        let mut entries = self.objects.entries.borrow_mut();
        entries.push(Entry { header, written, published, readers: 0, writer: false });
        entries.len() - 1
    }

    /// A deadlock ends the transaction; the closure is told at each further call.
    fn note<R>(&self, result: Result<R>) -> Result<R> {
        if matches!(result, Err(Error::Deadlock)) {
            self.objects.deadlock.set(true);
            self.guard.doom();
        }
        result
    }
}

/// Runs `body` until it ends without a deadlock; commits if it says `Ok`, undoes if it fails or panics.
pub(super) fn run<R>(attachment: &Arc<Attachment>, mut body: impl FnMut(&Transaction<'_>) -> Result<R>) -> Result<R> {
    let mut start = None;
    for attempt in 0u32.. {
        let transaction = Transaction::begin(attachment)?;
        let result = body(&transaction);
        let deadlock = transaction.objects.deadlock.get();
        let doomed = transaction.guard.is_doomed();
        match result {
            Ok(value) if !doomed => {
                transaction.guard.commit_now()?;
                return Ok(value);
            }
            Ok(_) if !deadlock => return Err(Error::RolledBack),
            Err(error) if !deadlock => {
                transaction.guard.doom();
                return Err(error);
            }
            _ => {}
        }
        drop(transaction);
        // Nearly none comes here: the clock is not asked before.
        if start.get_or_insert_with(Instant::now).elapsed() > attachment.timeout() {
            return Err(Error::Deadlock);
        }
        // Whoever met the deadlock steps back for a random while, so that the same two do not meet again.
        std::thread::sleep(Duration::from_micros(sys::random_u64() % (50 << attempt.min(8))));
    }
    unreachable!("attempts are counted up to u32::MAX only in theory");
}
