//! The lane of a thread, as the process sees it.
//!
//! Invariant T1: a `ThreadLane` is used by its own thread alone; it outlives every guard of that thread, because a lane
//! with live guards is never given up before the region is closed.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::sync::Weak;

use super::attachment::Attachment;
use super::transaction::Entry;
use crate::journal::Context;
use crate::process::Actor;
use crate::region::layout::{CONTEXT_COUNT, Word};
use crate::{Error, Result, sys};

/// One thread's lane in one region.
pub(crate) struct ThreadLane {
    pub(crate) actor: &'static Actor<'static>,
    /// Context 0 is in use, as nearly always one is. Beside the others: a bit among theirs would be stored as a byte and
    /// loaded as a word, which has to wait until the store is in the cache.
    first_busy: Cell<bool>,
    /// Bit n: context n is in use, of the others.
    busy: Cell<u32>,
    /// Guards and operations that are alive.
    pub(super) live: Cell<u32>,
    pub(super) thread_id: u32,
    /// The thread has ended as far as the library can learn from it. Used under the attachment's mutex only.
    pub(super) orphan: Cell<bool>,
    contexts: [UnsafeCell<Context>; CONTEXT_COUNT],
    /// Zero in a child that was forked while the lane was there; else all ones.
    pub(super) ours: Cell<u64>,
    /// The room of a transaction that has ended, for the next one.
    pub(super) entries: Cell<Vec<Entry>>,
}

impl Drop for ThreadLane {
    fn drop(&mut self) {
        // SAFETY: made by `Box::leak` in `new`; the contexts, which alone refer to it, are not used any more.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self.actor).cast_mut()) });
    }
}

/// A lane in the attachment's list. `Send`: only the owning thread, or one that knows it has ended, touches the inside.
pub(super) struct Registered(pub(super) Box<ThreadLane>);
// SAFETY: T1.
unsafe impl Send for Registered {}

#[derive(Clone, Copy)]
struct Current {
    attachment: u64,
    lane: *const ThreadLane,
}

impl Current {
    const NONE: Current = Current { attachment: 0, lane: std::ptr::null() };

    /// The place of an attachment's lane.
    #[inline(always)]
    fn place(of: &[Cell<Current>; CACHED], attachment: u64) -> &Cell<Current> {
        &of[attachment as usize % CACHED]
    }
}

struct Owned {
    attachment: Weak<Attachment>,
    id: u64,
    lane: *const ThreadLane,
    fork_epoch: u64,
}

/// The lanes of a thread; dropped when it ends.
struct OwnedLanes(RefCell<Vec<Owned>>);

/// So many regions a thread can use in turns with each lane one look away.
const CACHED: usize = 4;

thread_local! {
    /// The lanes used last, each at the place of its attachment's number; has no destructor, so it can be read at any time.
    static CURRENT: [Cell<Current>; CACHED] = const { [const { Cell::new(Current::NONE) }; CACHED] };
    static OWNED: OwnedLanes = const { OwnedLanes(RefCell::new(Vec::new())) };
}

impl Drop for OwnedLanes {
    fn drop(&mut self) {
        forget_current();
        for owned in self.0.take() {
            if owned.fork_epoch == sys::fork_epoch()
                && let Some(attachment) = owned.attachment.upgrade()
                && !attachment.process_is_ending()
            {
                attachment.thread_ended(owned.lane);
            }
        }
    }
}

/// Forgets the cached lanes (a forked child must not use its parent's).
pub(super) fn forget_current() {
    CURRENT.with(|current| current.iter().for_each(|place| place.set(Current::NONE)));
}

impl ThreadLane {
    pub(super) fn new(actor: Actor<'static>, thread_id: u32, orphan: bool) -> ThreadLane {
        let actor: &'static Actor<'static> = Box::leak(Box::new(actor));
        let contexts = std::array::from_fn(|index| UnsafeCell::new(Context::at_rest(actor, index)));
        ThreadLane {
            actor,
            first_busy: Cell::new(false),
            busy: Cell::new(0),
            live: Cell::new(0),
            thread_id,
            orphan: Cell::new(orphan),
            contexts,
            ours: Cell::new(u64::MAX),
            entries: Cell::new(Vec::new()),
        }
    }

    /// The lane of this thread in `attachment`.
    #[inline(always)]
    pub(super) fn current(attachment: &Attachment) -> Result<&ThreadLane> {
        match Self::cached(attachment) {
            Some(lane) => Ok(lane),
            None => Self::find(attachment),
        }
    }

    /// As [`current`](Self::current), if it is one of the lanes that this thread used last.
    #[inline(always)]
    pub(super) fn cached(attachment: &Attachment) -> Option<&ThreadLane> {
        let current = CURRENT.with(|current| Current::place(current, attachment.id).get());
        // SAFETY: T1: the cache is this thread's, ids are never reused, and lanes live as long as the attachment.
        (current.attachment == attachment.id).then(|| unsafe { &*current.lane })
    }

    #[cold]
    fn find(attachment: &Attachment) -> Result<&ThreadLane> {
        let epoch = sys::fork_epoch();
        let known = OWNED.try_with(|owned| {
            let owned = owned.0.borrow();
            owned.iter().find(|lane| lane.id == attachment.id && lane.fork_epoch == epoch).map(|lane| lane.lane)
        });
        let lane = match known {
            Ok(Some(lane)) => lane,
            Ok(None) => {
                let lane = attachment.claim_thread_lane(false)?;
                let entry = Owned { attachment: attachment.weak(), id: attachment.id, lane, fork_epoch: epoch };
                OWNED.with(|owned| {
                    let mut owned = owned.0.borrow_mut();
                    owned.retain(|old| old.fork_epoch == epoch && old.attachment.strong_count() > 0);
                    owned.push(entry);
                });
                lane
            }
            // This thread is ending and its lanes are gone: one more, until somebody notices that it has ended.
            Err(_) => attachment.claim_thread_lane(true)?,
        };
        CURRENT.with(|current| Current::place(current, attachment.id).set(Current { attachment: attachment.id, lane }));
        // SAFETY: T1.
        Ok(unsafe { &*lane })
    }

    /// Makes every context one that can only be rolled back. For a forked child, in which no other thread is left.
    pub(super) fn doom(&self) {
        self.ours.set(0);
        for context in &self.contexts {
            // SAFETY: T1: the lane is this thread's, or that of a thread which does not exist here.
            unsafe { (*context.get()).doomed = true };
        }
    }

    /// Is this the process that claimed the lane, and not a child forked since?
    #[inline(always)]
    pub(crate) fn is_ours(&self) -> bool {
        self.ours.get() != 0
    }

    /// Is any context of this thread in use?
    #[inline(always)]
    pub(crate) fn is_at_rest(&self) -> bool {
        !self.first_busy.get() && self.busy.get() == 0
    }

    /// Is the thread inside no change but, perhaps, that of context `index`?
    pub(crate) fn is_alone(&self, index: usize) -> bool {
        let contexts = &self.actor.lane.contexts;
        (0..CONTEXT_COUNT).all(|other| other == index || contexts[other].state.peek() == 0)
    }

    /// Takes a context that is not in use: nearly always the first.
    #[inline(always)]
    pub(crate) fn take_context(&self) -> Result<usize> {
        if self.take_first_context() { Ok(0) } else { self.take_another_context() }
    }

    /// Takes the first context if it is not in use.
    #[inline(always)]
    pub(crate) fn take_first_context(&self) -> bool {
        !self.first_busy.replace(true)
    }

    #[cold]
    fn take_another_context(&self) -> Result<usize> {
        let index = (!(self.busy.get() | 1)).trailing_zeros() as usize;
        if index >= CONTEXT_COUNT {
            return Err(Error::Exhausted { what: "guards of one thread", limit: CONTEXT_COUNT as u64 });
        }
        self.busy.set(self.busy.get() | 1 << index);
        Ok(index)
    }

    /// Gives a context back; its words are idle.
    #[inline(always)]
    pub(crate) fn drop_context(&self, index: usize) {
        match index {
            0 => self.drop_first_context(),
            _ => self.busy.set(self.busy.get() & !(1 << index)),
        }
    }

    /// As [`drop_context`](Self::drop_context) for the first.
    #[inline(always)]
    pub(crate) fn drop_first_context(&self) {
        self.first_busy.set(false);
    }

    /// The place of the context of a guard.
    pub(crate) fn context_cell(&self, index: usize) -> &UnsafeCell<Context> {
        &self.contexts[index]
    }
}
