//! One object as a handle sees it: optimistic reads, read locks, write locks, one-operation changes.

use crate::sys::atomic::{Ordering, fence};
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Instant;

use super::attachment::Attachment;
use super::channel::Closed;
use super::thread_lane::ThreadLane;
use super::transaction::Borrow;
use crate::crash::crash_point;
use crate::journal::{Context, HEAD_SIZE, OBJECT_CLASS, Outcome, Rest, Single, Wakes, object_at};
use crate::lock::{self, OWNER, Published, holder, is_stable};
use crate::process::is_dead;
use crate::raw::{self, Channel, Descriptor};
use crate::region::Space;
use crate::region::layout::*;
use crate::{Error, Result, sys};

/// A reference to an object; cheap to clone, `Send + Sync`.
#[derive(Clone)]
#[doc(hidden)]
pub struct Object {
    header: NonNull<ObjectHeader>,
    generation: u64,
    attachment: Arc<Attachment>,
    /// Anonymous objects end with their last handle.
    _anonymous: Option<Arc<Anonymous>>,
}

// SAFETY: the header consists of atomics, lies in the mapping that the attachment keeps, and is type-stable.
unsafe impl Send for Object {}
// SAFETY: as above.
unsafe impl Sync for Object {}

/// Removes an anonymous object when its last handle goes.
struct Anonymous {
    attachment: Arc<Attachment>,
    offset: u64,
    owner: u64,
    fork_epoch: u64,
}

impl Drop for Anonymous {
    fn drop(&mut self) {
        // A child's copy of the handle is not an owner.
        if self.fork_epoch == sys::fork_epoch() {
            // What cannot be removed now (a leaked guard) goes with the process.
            let _ = Object::remove_anonymous(&self.attachment, self.offset, self.owner);
        }
    }
}

/// One try of an optimistic read.
pub(crate) struct Attempt<'a> {
    header: &'a ObjectHeader,
    before: u64,
}

impl<'a> Attempt<'a> {
    #[inline(always)]
    pub(super) fn begin(header: &'a ObjectHeader) -> Attempt<'a> {
        Attempt { header, before: header.version.load(Ordering::Acquire) }
    }

    /// The object's version as the try found it; odd: it is being written.
    #[inline(always)]
    pub(crate) fn version(&self) -> u64 {
        self.before
    }

    /// Has nothing been written since the try began? Asked before a copy is trusted: before an allocation of its
    /// length, an error, a panic.
    #[inline(always)]
    pub(crate) fn holds(&self) -> bool {
        fence(Ordering::Acquire);
        self.header.version.load(Ordering::Relaxed) == self.before
    }
}

/// Tries before an optimistic reader waits for the writer.
const TRIES: u32 = 64;

impl Object {
    pub(super) fn new(attachment: Arc<Attachment>, header: &ObjectHeader, generation: u64) -> Object {
        Object { header: NonNull::from(header), generation, attachment, _anonymous: None }
    }

    #[inline(always)]
    pub(crate) fn header(&self) -> &ObjectHeader {
        // SAFETY: see `Send`.
        unsafe { self.header.as_ref() }
    }

    /// Offset of its header.
    pub(crate) fn offset(&self) -> u64 {
        self.space().offset_of(self.header())
    }

    #[inline(always)]
    pub(crate) fn attachment(&self) -> &Arc<Attachment> {
        &self.attachment
    }

    #[inline(always)]
    pub(crate) fn space(&self) -> &Space {
        self.attachment.space()
    }

    #[inline(always)]
    pub(super) fn check_generation(&self) -> Result<()> {
        if self.is_current() { Ok(()) } else { Err(Error::Removed) }
    }

    /// Is the object still the handle's?
    #[inline(always)]
    fn is_current(&self) -> bool {
        self.header().generation.load(Ordering::Relaxed) == self.generation
    }

    /// Begins an optimistic try; whether the object is stable and still the handle's is the caller's to know.
    #[inline(always)]
    pub(crate) fn attempt(&self) -> Attempt<'_> {
        Attempt::begin(self.header())
    }

    /// One optimistic try of the usual case; `None`: anything else, ask [`peek`](Self::peek). Small results stay in
    /// registers this way.
    #[inline(always)]
    pub(crate) fn glance<R>(&self, copy: impl FnOnce(&Attempt, &RawHeader) -> Option<R>) -> Option<R> {
        let header = self.header();
        let attempt = Attempt::begin(header);
        if !is_stable(attempt.before) || !self.is_current() {
            return None;
        }
        let result = copy(&attempt, &header.raw)?;
        attempt.holds().then_some(result)
    }

    /// Reads without a lock: `copy` may see torn bytes and is asked again until it has seen none. `None` from it: try
    /// again (it noticed by itself).
    ///
    /// An error is one only at the second asking. So what is usual is no `Result` on its way, which would be put down in
    /// memory and picked up in other pieces, some 12 ns later.
    #[inline(always)]
    pub(crate) fn peek<R>(&self, mut copy: impl FnMut(&Attempt, &RawHeader) -> Option<Result<R>>) -> Result<R> {
        match self.glance(|attempt, raw| copy(attempt, raw)?.ok()) {
            Some(result) => Ok(result),
            None => self.peek_slowly(&mut copy),
        }
    }

    #[inline(always)]
    fn try_peek<R>(&self, copy: &mut impl FnMut(&Attempt, &RawHeader) -> Option<Result<R>>) -> Option<Result<R>> {
        let header = self.header();
        let attempt = Attempt::begin(header);
        if !is_stable(attempt.before) {
            return None;
        }
        let result = match self.check_generation() {
            Ok(()) => copy(&attempt, &header.raw)?,
            Err(error) => Err(error),
        };
        attempt.holds().then_some(result)
    }

    /// As [`peek`](Self::peek), without waiting for anybody. `None`: no try has succeeded.
    pub(crate) fn peek_at_once<R>(
        &self,
        mut copy: impl FnMut(&Attempt, &RawHeader) -> Option<Result<R>>,
    ) -> Option<Result<R>> {
        let mut pauses = lock::Pauses::new(TRIES);
        loop {
            if let Some(result) = self.try_peek(&mut copy) {
                return Some(result);
            }
            if !pauses.pause() {
                return None;
            }
        }
    }

    #[cold]
    fn peek_slowly<R>(&self, copy: &mut impl FnMut(&Attempt, &RawHeader) -> Option<Result<R>>) -> Result<R> {
        for _ in 0..TRIES {
            if let Some(result) = self.try_peek(copy) {
                return result;
            }
            std::hint::spin_loop();
        }
        if self.space().writable {
            let lock = self.read()?;
            let header = self.header();
            let attempt = Attempt { header, before: header.version.load(Ordering::Relaxed) };
            let corrupt = || Err(Error::corrupt(self.space().offset_of(self.header()), "a read never succeeds"));
            return copy(&attempt, lock.raw()).unwrap_or_else(corrupt);
        }
        self.peek_until_timeout(copy)
    }

    /// A reader that cannot lock waits for the writer to finish; nobody but a writable process repairs a dead one.
    fn peek_until_timeout<R>(&self, copy: &mut impl FnMut(&Attempt, &RawHeader) -> Option<Result<R>>) -> Result<R> {
        let start = Instant::now();
        loop {
            if let Some(result) = self.try_peek(copy) {
                return result;
            }
            if start.elapsed() >= self.attachment.timeout() {
                let owner = self.header().word.load(Ordering::Relaxed) & OWNER;
                let mut holder = Box::new(holder(self.space(), owner));
                holder.dead = is_dead_owner(self.space(), owner);
                return Err(Error::Timeout { holder, waited: start.elapsed() });
            }
            std::thread::sleep(std::time::Duration::from_micros(50));
        }
    }

    /// One atomic change: takes the lock, runs `change`, commits; on an error or a panic everything is undone.
    #[inline(always)]
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Context, &RawHeader) -> Result<R>) -> Result<R> {
        let lane = self.attachment.lane()?;
        let mut operation = Operation::begin(&self.attachment, lane)?;
        operation.lock(self.header())?;
        self.check_generation()?;
        let result = change(operation.context, &self.header().raw)?;
        operation.commit()?;
        Ok(result)
    }

    /// One atomic change `with` something, by the short way if it is `short` and nothing is in the way, else at length. On
    /// an error or a panic everything is undone.
    #[inline(always)]
    pub(crate) fn change_with<W, R>(
        &self,
        short: bool,
        mut with: W,
        shortly: impl FnOnce(&mut Single, &Space, &RawHeader, &mut W) -> Outcome<R>,
        at_length: impl FnOnce(&mut Context, &RawHeader, &mut W) -> Result<R>,
    ) -> Result<R> {
        let mut rest = Rest::NONE;
        if short {
            match self.change_shortly(|single, space, raw| shortly(single, space, raw, &mut with)) {
                Ok(result) => return result,
                Err(left) => rest = left,
            }
        }
        self.change_at_length(rest, with, at_length)
    }

    /// As [`change_with`](Self::change_with), by the short way. `Err`: nothing has been done.
    #[inline(always)]
    fn change_shortly<R>(
        &self,
        change: impl FnOnce(&mut Single, &Space, &RawHeader) -> Outcome<R>,
    ) -> std::result::Result<Result<R>, Rest> {
        let (space, header) = (self.space(), self.header());
        let lane = self.attachment.current_lane().ok_or(Rest::NONE)?;
        let mut operation = Short::begin(lane, header)?;
        if space.words().freeze.load(Ordering::SeqCst) != 0 || !self.is_current() {
            return Err(operation.rest());
        }
        match change(&mut operation.single, space, &header.raw) {
            Outcome::Changed(result) => {
                operation.commit(true);
                Ok(Ok(result))
            }
            Outcome::Same(result) => {
                operation.commit(false);
                Ok(Ok(result))
            }
            Outcome::Longer => Err(operation.rest()),
            // It may have been begun by this process' parent, which alone may end it then.
            Outcome::Failed(error) => Ok(Err(error)),
        }
    }

    /// As [`change_with`](Self::change_with), where the short way has been tried. By itself, so that the short way has no
    /// registers to save for it.
    #[inline(never)]
    fn change_at_length<W, R>(
        &self,
        rest: Rest,
        mut with: W,
        change: impl FnOnce(&mut Context, &RawHeader, &mut W) -> Result<R>,
    ) -> Result<R> {
        if rest.is_held() {
            let lane = self.attachment.lane()?;
            // SAFETY: T1: in use for the change that has come to nothing, and this is what is left of it.
            Single::leave(unsafe { &mut *lane.context_cell(0).get() }, self.header());
            lane.drop_first_context();
        }
        // Dropped after the commit, not under the lock.
        self.change(|context, raw| change(context, raw, &mut with))
    }

    /// Takes a write lock.
    pub(crate) fn write(&self) -> Result<WriteLock<'_>> {
        let lane = self.attachment.lane()?;
        let guard = GuardContext::begin(lane)?;
        guard.with(|context| lock_first(&self.attachment, lane, context, self.header()))?;
        self.check_generation()?;
        Ok(WriteLock { raw: &self.header().raw, space: self.space(), session: Session::Own(guard) })
    }

    /// Publishes a read.
    pub(crate) fn read(&self) -> Result<ReadLock<'_>> {
        let lane = self.attachment.lane()?;
        let header = self.header();
        let offset = self.space().offset_of(header);
        if lane.actor.holds(&header.word) {
            return Err(Error::Deadlock);
        }
        if let Some(published) = lock::publish_again(lane.actor, offset) {
            return Ok(ReadLock::new(header, self.space(), lane, published));
        }
        let guard = GuardContext::begin(lane)?;
        // The word is held for a moment only, so no writer can be inside while the read is published.
        let published = guard.with(|context| {
            if !context.has_room(RESERVE) {
                enter(&self.attachment, lane, context)?;
            }
            context.lock_word(header, lock::Waiting::reader)?;
            let published = self.check_generation().and_then(|()| lock::publish(lane.actor, header));
            crash_point!("read: published, word held");
            context.unlock_last(header);
            published
        })?;
        drop(guard);
        Ok(ReadLock::new(header, self.space(), lane, published))
    }

    /// Runs a proof that the content may be lent, unless somebody has done so since the last opener found nobody there
    /// (a crafted file cannot know that epoch).
    pub(crate) fn validate_once(&self, proof: impl Fn(&Space, &RawHeader) -> Result<()>) -> Result<()> {
        let epoch = self.space().words().epoch.load(Ordering::Acquire);
        let header = self.header();
        if header.validated_epoch.load(Ordering::Acquire) == epoch {
            return Ok(());
        }
        if !self.space().writable {
            // Nobody keeps writers away; what they write is a value, so only a stable state can be a bad one. A reader
            // of a read-only mapping copies and checks each copy anyway.
            return Ok(());
        }
        must_be_sound(self.space())?;
        let lock = self.read()?;
        proof(self.space(), lock.raw())?;
        header.validated_epoch.store(epoch, Ordering::Release);
        Ok(())
    }

    /// Removes an anonymous object if it still belongs to `owner`.
    pub(super) fn remove_anonymous(attachment: &Arc<Attachment>, offset: u64, owner: u64) -> Result<()> {
        let header = object_at(attachment.space(), offset)?;
        let lane = attachment.lane()?;
        let mut operation = Operation::begin(attachment, lane)?;
        operation.lock(header)?;
        if header.owner.load(Ordering::Acquire) != owner {
            return Ok(());
        }
        let closed = super::channel::close(lane.actor, header)?;
        retire(operation.context, header)?;
        let closed = closed.map(Closed::keep);
        operation.commit().inspect(|()| closed.iter().for_each(Channel::wake_all))
    }

    /// Makes the anonymous object that `header` has just become.
    pub(super) fn with_anonymous_owner(mut self, owner: u64) -> Object {
        self._anonymous = Some(Arc::new(Anonymous {
            attachment: self.attachment.clone(),
            offset: self.space().offset_of(self.header()),
            owner,
            fork_epoch: sys::fork_epoch(),
        }));
        self
    }

    /// The object's descriptor.
    pub(super) fn descriptor(&self) -> Result<Descriptor> {
        self.peek(|attempt, _| read_descriptor(attempt, self.space(), self.header()))
    }
}

/// Is the process dead whose lane a lock word names? Asked by somebody who cannot repair anything.
fn is_dead_owner(space: &Space, lock_id: u32) -> bool {
    let Some(lane) = lock_id.checked_sub(1).and_then(|id| space.lane(id)) else { return false };
    let owner = lane.owner.load(Ordering::Acquire);
    is_dead(space, None, pack::owner_slot(owner), pack::owner_incarnation(owner)).unwrap_or(false)
}

/// Reads an object's descriptor inside an optimistic try.
pub(super) fn read_descriptor(attempt: &Attempt, space: &Space, header: &ObjectHeader) -> Option<Result<Descriptor>> {
    let (block, len) = (header.descriptor.peek(), header.descriptor_len.peek());
    if !attempt.holds() {
        return None;
    }
    let descriptor = raw::read_descriptor(space, block, len);
    attempt.holds().then_some(descriptor)
}

/// Records everything an object owns as free, and its generation as moved. The object's word is held.
pub(super) fn retire(context: &mut Context, header: &ObjectHeader) -> Result<()> {
    let space = context.actor.space;
    let offset = space.offset_of(header);
    let (block, len) = (header.descriptor.peek(), header.descriptor_len.peek());
    let descriptor = raw::read_descriptor(space, block, len)?;
    context.reserve_log(3 * HEAD_SIZE + 8)?;
    context.append_free(OBJECT_CLASS, offset);
    context.release(len, block);
    context.append_retire(offset, header.generation.peek().wrapping_add(1));
    raw::detach(context, &header.raw, &descriptor.owned)
}

/// Takes an object's lock as the first of a context, unless somebody wants the heap to stand still.
#[inline(always)]
pub(super) fn lock_first(
    attachment: &Attachment,
    lane: &ThreadLane,
    context: &mut Context,
    header: &ObjectHeader,
) -> Result<()> {
    if !context.has_room(RESERVE) {
        enter(attachment, lane, context)?;
    }
    context.count_on_log(RESERVE);
    context.lock(header)?;
    if attachment.space().words().freeze.load(Ordering::SeqCst) != 0 && lane.is_alone(context.index) {
        return wait_frozen(attachment, context, header);
    }
    Ok(())
}

#[cold]
fn wait_frozen(attachment: &Attachment, context: &mut Context, header: &ObjectHeader) -> Result<()> {
    while attachment.space().words().freeze.load(Ordering::SeqCst) != 0 {
        context.unlock_last(header);
        attachment.wait_for_thaw()?;
        context.lock(header)?;
    }
    Ok(())
}

/// Log space that a context has when it begins.
pub(super) const RESERVE: u64 = 256;

/// Makes a context active and gives it log space before it has a lock. That moves blocks, so it waits while the heap must
/// stand still, unless the thread is inside a change already.
#[cold]
pub(super) fn enter(attachment: &Attachment, lane: &ThreadLane, context: &mut Context) -> Result<()> {
    if context.is_active() {
        return context.reserve_log(RESERVE);
    }
    let freeze = &attachment.space().words().freeze;
    context.mark_active();
    while freeze.load(Ordering::SeqCst) != 0 && lane.is_alone(context.index) {
        context.mark_idle();
        attachment.wait_for_thaw()?;
        context.mark_active();
    }
    context.reserve_log(RESERVE).inspect_err(|_| context.mark_idle())
}

/// One handle operation. Dropping it undoes what was not committed.
pub(super) struct Operation<'a> {
    pub(super) context: &'a mut Context,
    attachment: &'a Attachment,
    lane: &'a ThreadLane,
}

impl<'a> Operation<'a> {
    #[inline(always)]
    pub(super) fn begin(attachment: &'a Attachment, lane: &'a ThreadLane) -> Result<Operation<'a>> {
        let index = lane.take_context()?;
        // SAFETY: T1: the context was not in use, so this is the only reference until `drop_context`.
        let context = unsafe { &mut *lane.context_cell(index).get() };
        context.begin();
        Ok(Operation { context, attachment, lane })
    }

    #[inline(always)]
    pub(super) fn lock(&mut self, header: &ObjectHeader) -> Result<()> {
        lock_first(self.attachment, self.lane, self.context, header)
    }

    #[inline(always)]
    pub(super) fn commit(self) -> Result<()> {
        let mut operation = ManuallyDrop::new(self);
        if !operation.lane.is_ours() {
            return Err(Error::RolledBack);
        }
        commit(operation.context)?;
        operation.lane.drop_context(operation.context.index);
        Ok(())
    }

    /// Commits, and begins the next one in the same context.
    pub(super) fn commit_and_begin(&mut self) -> Result<()> {
        if !self.lane.is_ours() {
            return Err(Error::RolledBack);
        }
        commit(self.context)?;
        self.context.begin();
        Ok(())
    }
}

impl Drop for Operation<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.lane.is_ours() {
            undo(self.context);
            if !self.context.broken {
                self.lane.drop_context(self.context.index);
            }
        }
    }
}

/// A handle operation by the short way. Dropping it undoes what was not committed.
struct Short<'a> {
    single: ManuallyDrop<Single<'a>>,
    lane: &'a ThreadLane,
}

impl<'a> Short<'a> {
    /// Begins in context 0.
    #[inline(always)]
    fn begin(lane: &'a ThreadLane, header: &'a ObjectHeader) -> std::result::Result<Short<'a>, Rest> {
        if !lane.take_first_context() {
            return Err(Rest::NONE);
        }
        // SAFETY: T1: the context was not in use, so this is the only reference until `drop_first_context`.
        let context = unsafe { &mut *lane.context_cell(0).get() };
        match Single::begin(context, header) {
            Ok(single) => Ok(Short { single: ManuallyDrop::new(single), lane }),
            Err(rest) => {
                if !rest.is_held() {
                    lane.drop_first_context();
                }
                Err(rest)
            }
        }
    }

    #[inline(always)]
    fn commit(self, changed: bool) {
        let mut operation = ManuallyDrop::new(self);
        // SAFETY: taken once: the operation is not dropped.
        match unsafe { ManuallyDrop::take(&mut operation.single) }.commit(changed) {
            None => operation.lane.drop_first_context(),
            Some(wakes) => wake(operation.lane, wakes),
        }
    }

    /// Leaves it to the long way, nothing having been recorded or changed.
    #[inline(always)]
    fn rest(self) -> Rest {
        std::mem::forget(self);
        Rest::HELD
    }
}

#[cold]
#[inline(never)]
fn wake(lane: &ThreadLane, wakes: Wakes) {
    wakes.wake();
    lane.drop_first_context();
}

impl Drop for Short<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: taken once, here; handed on by its parts, so that it need not have an address before.
        undo_short(unsafe { ManuallyDrop::take(&mut self.single) }, self.lane);
    }
}

#[cold]
fn undo_short(single: Single, lane: &ThreadLane) {
    if lane.is_ours() {
        match single.undo() {
            Ok(()) => lane.drop_first_context(),
            // SAFETY: T1: the change that had it is gone.
            Err(_) => break_down(unsafe { &mut *lane.context_cell(0).get() }),
        }
    }
}

/// Commits, and does what the records ask for.
#[inline(always)]
fn commit(context: &mut Context) -> Result<()> {
    let ended = context.commit();
    finish(context, ended)
}

/// Does what the records ask for after a commit, if any do.
#[inline(always)]
fn finish(context: &mut Context, ended: Result<bool>) -> Result<()> {
    // Errors are large: where there is none nothing is to be moved about.
    let ended = match ended {
        Ok(false) => return Ok(()),
        Ok(true) => raw::finish(context.actor, context.index),
        Err(error) => Err(error),
    };
    if ended.is_err() {
        break_down(context);
    }
    ended
}

/// A context that could not be ended stays as it is: its lane says so, and nobody waits for it or uses it again.
#[cold]
fn break_down(context: &mut Context) {
    context.broken = true;
    context.actor.set_state(crate::process::LaneState::Damaged);
}

/// Rolls a context back, whether there is anything to undo or not; it is not doomed any more: the next change, if it goes the
/// short way, does not begin it anew. If that finds damage, the lane says so and nobody waits for it.
#[cold]
fn undo(context: &mut Context) {
    if context.is_active() {
        let undone = context.roll_back().and_then(|more| match more {
            true => raw::finish(context.actor, context.index),
            false => Ok(()),
        });
        if undone.is_err() {
            break_down(context);
        }
    } else {
        // It may have been marked and then refused the lock that it was made for.
        context.mark_idle();
    }
    context.doomed = false;
}

/// The context of a guard or a transaction, kept in the thread's lane.
pub(super) struct GuardContext<'a> {
    lane: &'a ThreadLane,
    index: usize,
    /// Was a panic under way when the guard was made? Only one that began later undoes it.
    panicking: bool,
    fork_epoch: u64,
    /// User code never runs inside `with`; this makes sure.
    in_use: Cell<bool>,
}

impl<'a> GuardContext<'a> {
    pub(super) fn begin(lane: &'a ThreadLane) -> Result<GuardContext<'a>> {
        let index = lane.take_context()?;
        // SAFETY: T1: the context was not in use, so nobody refers to its cell.
        unsafe { &mut *lane.context_cell(index).get() }.begin();
        lane.live.set(lane.live.get() + 1);
        let fork_epoch = sys::fork_epoch();
        Ok(GuardContext { lane, index, panicking: std::thread::panicking(), fork_epoch, in_use: Cell::new(false) })
    }

    /// Works with the context.
    #[inline(always)]
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Context) -> R) -> R {
        assert!(!self.in_use.replace(true), "no user code runs while the log is written");
        // SAFETY: T1; `in_use` makes this the only reference.
        let result = work(unsafe { &mut *self.lane.context_cell(self.index).get() });
        self.in_use.set(false);
        result
    }

    /// Undoes everything at the end.
    pub(super) fn doom(&self) {
        if self.is_ours() {
            // Also while a panic unwinds out of `with`.
            let interrupted = self.interrupted();
            self.with(|context| context.doomed = true);
            self.in_use.set(interrupted);
        }
    }

    pub(super) fn is_doomed(&self) -> bool {
        self.with(|context| context.doomed)
    }

    pub(super) fn lane(&self) -> &'a ThreadLane {
        self.lane
    }

    /// Is this the process that began it, and not a child forked meanwhile?
    #[inline(always)]
    pub(super) fn is_ours(&self) -> bool {
        self.fork_epoch == sys::fork_epoch()
    }

    /// Commits what there is so far; dropping then does nothing more.
    pub(super) fn commit_now(&self) -> Result<()> {
        if !self.is_ours() {
            return Err(Error::RolledBack);
        }
        self.with(|context| if context.is_active() { commit(context) } else { Ok(()) })
    }

    /// A half-done call (a panic inside `with`) leaves the flag set.
    fn interrupted(&self) -> bool {
        self.in_use.replace(false)
    }
}

impl Drop for GuardContext<'_> {
    fn drop(&mut self) {
        if self.fork_epoch != sys::fork_epoch() {
            return;
        }
        let unwinding = std::thread::panicking() && !self.panicking;
        let interrupted = self.interrupted();
        self.with(|context| {
            if context.doomed || unwinding || interrupted || !context.is_active() {
                undo(context);
            } else {
                // Nobody is left to be told; whoever touches the lane is.
                let _ = commit(context);
            }
        });
        self.lane.live.set(self.lane.live.get() - 1);
        if !self.with(|context| context.broken) {
            self.lane.drop_context(self.index);
        }
    }
}

/// Whose context a write lock belongs to.
enum Session<'a> {
    Own(GuardContext<'a>),
    /// Of a container inside one that is locked.
    Nested(&'a GuardContext<'a>),
    Transaction {
        guard: &'a GuardContext<'a>,
        _borrow: Borrow<'a>,
    },
}

/// An object that only we may change. Dropping it commits, unless it is a transaction's.
#[doc(hidden)]
pub struct WriteLock<'a> {
    raw: &'a RawHeader,
    space: &'a Space,
    session: Session<'a>,
}

impl<'a> WriteLock<'a> {
    pub(super) fn in_transaction(
        header: &'a ObjectHeader,
        space: &'a Space,
        guard: &'a GuardContext<'a>,
        borrow: Borrow<'a>,
    ) -> WriteLock<'a> {
        WriteLock { raw: &header.raw, space, session: Session::Transaction { guard, _borrow: borrow } }
    }

    /// A container that stands in a slot of this one. What is done to it belongs to the same change.
    pub(crate) fn nested(&'a self, raw: &'a RawHeader) -> WriteLock<'a> {
        WriteLock { raw, space: self.space, session: Session::Nested(self.guard()) }
    }

    #[inline(always)]
    fn guard(&self) -> &GuardContext<'a> {
        match &self.session {
            Session::Own(guard) => guard,
            Session::Nested(guard) | Session::Transaction { guard, .. } => guard,
        }
    }

    #[inline(always)]
    pub(crate) fn raw(&self) -> &'a RawHeader {
        self.raw
    }

    #[inline(always)]
    pub(crate) fn space(&self) -> &'a Space {
        self.space
    }

    /// Works with the context.
    ///
    /// # Errors
    /// `RolledBack` if an earlier call of this guard or its transaction failed half-way.
    #[inline(always)]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Context) -> Result<R>) -> Result<R> {
        if !self.is_ours() {
            return Err(Error::RolledBack);
        }
        self.guard().with(|context| if context.doomed { Err(Error::RolledBack) } else { work(context) })
    }

    /// Is this the process that locked it, and not a child forked meanwhile?
    #[inline(always)]
    pub(crate) fn is_ours(&self) -> bool {
        self.guard().is_ours()
    }

    /// As [`is_ours`](Self::is_ours), to be asked again and again: zero in a forked child, else all ones.
    pub(crate) fn ours(&self) -> &'a Cell<u64> {
        &self.guard().lane.ours
    }

    /// What was begun cannot be completed: everything since the guard's or transaction's begin will be undone.
    pub(crate) fn doom(&self) {
        self.guard().doom();
    }
}

/// An object that nobody changes while this lives.
#[doc(hidden)]
pub struct ReadLock<'a> {
    header: &'a ObjectHeader,
    space: &'a Space,
    hold: Hold<'a>,
}

/// What keeps writers away.
enum Hold<'a> {
    Cell { lane: &'a ThreadLane, published: Published, fork_epoch: u64 },
    Transaction { _borrow: Borrow<'a> },
}

impl<'a> ReadLock<'a> {
    fn new(header: &'a ObjectHeader, space: &'a Space, lane: &'a ThreadLane, published: Published) -> ReadLock<'a> {
        lane.live.set(lane.live.get() + 1);
        ReadLock { header, space, hold: Hold::Cell { lane, published, fork_epoch: sys::fork_epoch() } }
    }

    pub(super) fn in_transaction(header: &'a ObjectHeader, space: &'a Space, borrow: Borrow<'a>) -> ReadLock<'a> {
        ReadLock { header, space, hold: Hold::Transaction { _borrow: borrow } }
    }

    #[inline(always)]
    pub(crate) fn raw(&self) -> &'a RawHeader {
        &self.header.raw
    }

    #[inline(always)]
    pub(crate) fn space(&self) -> &'a Space {
        self.space
    }
}

impl Drop for ReadLock<'_> {
    fn drop(&mut self) {
        if let Hold::Cell { lane, published, fork_epoch } = &self.hold
            && *fork_epoch == sys::fork_epoch()
        {
            lock::unpublish(lane.actor, self.header, *published);
            lane.live.set(lane.live.get() - 1);
        }
    }
}

/// Refuses what relies on each block having one owner, where the first opener found one with two.
///
/// A text that is lent would change under its reader if it were somebody else's block, too, or a free one that is given
/// out again. So damaged regions lend numbers, which any bytes are, and give copies to read-only processes.
///
/// # Errors
/// `Corrupt`.
pub(super) fn must_be_sound(space: &Space) -> Result<()> {
    let words = space.words();
    if words.sound_epoch.load(Ordering::Acquire) == words.epoch.load(Ordering::Acquire) {
        return Ok(());
    }
    let at = space.offset_of(&words.sound_epoch);
    Err(Error::corrupt(at, "blocks of the region have two owners, or none that may have them (`check` tells which)"))
}
