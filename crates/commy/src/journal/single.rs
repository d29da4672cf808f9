//! The short way of a change: one object, and one store, or a few words that are recorded.
//!
//! ```text
//! intent     Held(object) in context 0, state = Active    killed: the word does not name the lane: nothing to release
//! lock       CAS word 0 -> lane                           killed: Held names the word: recovery releases it
//! open       version -> odd                               killed: recovery makes it even and higher
//! store      one store makes the change                   killed before: nothing; after: all of it, nothing to undo
//! close      version even                                 repeated by recovery while the word is ours
//! release    word -= lane, wakes                          recovery wakes every word that Held names
//! idle       state = 0
//! ```
//! A change of more than one word records them after `open`, all by one store of the state, and has a commit point as any
//! other context: state = Committed before `close`.
//!
//! It goes this way only where nothing is in its way. Whatever else there is (the word is taken or claimed, somebody reads,
//! the log would have to grow, anything is damaged) it leaves as it was and to the long way, a [`Context`], which knows how
//! to wait and what to say; so there is no error here.
//!
//! This is what a handle's small operations cost, so it writes as little as it can: a stamp marks what a context has saved,
//! and nothing here is marked; the Held record is that of the last change as a rule, and what a `Context` remembers is not
//! touched. While a change waits for memory a processor keeps all stores that follow it, its own and those of the next
//! changes, and when it can keep no more of them it waits, too. It also never loads a wider word than the last store to it
//! was: that would wait for the store to reach the cache.

use crate::sys::atomic::{AtomicU64, Ordering, compiler_fence};

use super::context::{Context, Phase, copy_words, wake_changes};
use super::log::{HEAD_SIZE, Kind, head_word};
use super::recover;
use crate::crash::{crash_point, is_variant};
use crate::lock;
use crate::region::layout::*;
use crate::{Error, Result};

/// Such a change, from the lock to the commit.
#[doc(hidden)]
pub struct Single<'a> {
    context: &'a mut Context,
    header: &'a ObjectHeader,
    /// The object's version while it is being changed.
    odd: u64,
    /// The end of its records.
    cursor: u64,
}

/// What came of it.
pub(crate) enum Outcome<R> {
    /// The object has changed.
    Changed(R),
    /// There was nothing to change.
    Same(R),
    /// Nothing has changed or been recorded: the long way is to be gone.
    Longer,
    /// Nothing has changed or been recorded, and the long way would fare no better.
    Failed(Error),
}

/// What stands in the way of a change by the short way, which is therefore to go the long one.
#[must_use]
pub(crate) struct Rest {
    /// The object's word is held, and has to be let go first.
    held: bool,
}

impl Rest {
    /// Nothing has been begun.
    pub(crate) const NONE: Rest = Rest { held: false };
    /// The object's word is held for a change that has neither recorded nor stored anything.
    pub(crate) const HELD: Rest = Rest { held: true };

    /// Is context 0 still in use for this?
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }
}

impl<R> Outcome<R> {
    /// The same, of something made of it.
    #[inline(always)]
    pub(crate) fn map<S>(self, make: impl FnOnce(R) -> S) -> Outcome<S> {
        match self {
            Outcome::Changed(result) => Outcome::Changed(make(result)),
            Outcome::Same(result) => Outcome::Same(make(result)),
            Outcome::Longer => Outcome::Longer,
            Outcome::Failed(error) => Outcome::Failed(error),
        }
    }
}

impl<'a> Single<'a> {
    /// Begins with context 0 of a lane, which is not in use: intent, word, version.
    #[inline(always)]
    pub(crate) fn begin(context: &'a mut Context, header: &'a ObjectHeader) -> std::result::Result<Single<'a>, Rest> {
        debug_assert!(context.index == 0 && !context.doomed);
        let (lane, lock_id) = (context.lane, context.lock_id);
        let state = &lane.contexts[0].state;
        if lock::owner_of(&header.word) == lock_id {
            // Before the intent: recovery would let the word go that another context of this lane holds.
            return Err(Rest::NONE);
        }
        // By this those who wait for the lane see that it gets on.
        lane.single_counter.put(lane.single_counter.peek().wrapping_add(1));
        if !std::ptr::eq(context.intent, header) {
            lane.inline_log[0].put(head_word(Kind::Held, 0, 0));
            lane.inline_log[1].put(context.space.offset_of(header));
            context.intent = header;
        }
        crash_point!("append: written, not counted");
        state.put(pack::context(HEAD_SIZE, Phase::Active as u64));
        crash_point!("append: counted");
        crash_point!("lock: intent");
        if !lock::try_lock(&header.word, lock_id) {
            state.put(0);
            return Err(Rest::NONE);
        }
        crash_point!("lock: word taken");
        if header.hint.load(Ordering::SeqCst) != 0 && !is_variant!(DrainsNobody) {
            return Err(Rest::HELD);
        }
        let odd = lock::open_version(header);
        crash_point!("lock: version odd");
        Ok(Single { context, header, odd, cursor: HEAD_SIZE })
    }

    /// Ends one that came to nothing but has the word.
    pub(crate) fn leave(context: &mut Context, header: &ObjectHeader) {
        lock::close_version(header);
        lock::release(&header.word, context.lock_id);
        crash_point!("unlock: released, intent stands");
        context.lane.contexts[0].state.put(0);
    }

    #[inline(always)]
    fn set_state(&self, phase: Phase) {
        self.context.lane.contexts[0].state.put(pack::context(self.cursor, phase as u64));
    }

    /// What a value is stored with that owns nothing: such a one asks it for nothing.
    #[inline(always)]
    pub(crate) fn context(&mut self) -> &mut Context {
        self.context
    }

    /// Records the present values of words. Once, before the first change.
    #[inline(always)]
    pub(crate) fn record_words<const N: usize>(&mut self, words: [&AtomicU64; N]) {
        const { assert!(N * WORD_RECORD <= ROOM) };
        let log = &self.context.lane.inline_log;
        for (index, word) in words.into_iter().enumerate() {
            let at = (HEAD_SIZE as usize + index * WORD_RECORD) / 8;
            log[at].put(word.peek());
            log[at + 1].put(head_word(Kind::Save, 0, 8));
            log[at + 2].put(self.context.space.offset_of(word));
        }
        self.count((N * WORD_RECORD) as u64);
    }

    /// Records `len` bytes at an address in the heap, at most `MOST_BYTES`. As [`record_words`](Self::record_words).
    ///
    /// # Safety
    /// They are in the heap, and under the object's word.
    #[inline(always)]
    pub(crate) unsafe fn record_bytes(&mut self, place: *const u8, len: usize) {
        const { assert!(MOST_BYTES + HEAD_SIZE as usize <= ROOM) };
        debug_assert!(len <= MOST_BYTES);
        let log = &self.context.lane.inline_log;
        let first = HEAD_SIZE as usize / 8;
        let head = first + len.div_ceil(8);
        // SAFETY: J: the log has room for them; the caller's for the other side.
        unsafe { copy_words(place, log[first..].as_ptr().cast::<u8>().cast_mut(), len as u64) };
        log[head].put(head_word(Kind::Save, 0, len as u32));
        log[head + 1].put(self.context.space.offset_of_address(place.cast_mut()));
        self.count(len.next_multiple_of(8) as u64 + HEAD_SIZE);
    }

    #[inline(always)]
    fn count(&mut self, size: u64) {
        debug_assert_eq!(self.cursor, HEAD_SIZE, "recorded once");
        self.cursor = HEAD_SIZE + size;
        compiler_fence(Ordering::SeqCst);
        crash_point!("append: words written, not counted");
        self.set_state(Phase::Active);
        crash_point!("append: words counted");
    }

    /// Ends it, all but waking. Who has not `changed` anything leaves those who wait for a change to who does.
    #[inline(always)]
    pub(crate) fn commit(self, changed: bool) -> Option<Wakes<'a>> {
        if self.cursor != HEAD_SIZE {
            self.set_state(Phase::Committed);
            crash_point!("commit: committed, words held");
        }
        self.close(changed)
    }

    #[inline(always)]
    fn close(self, changed: bool) -> Option<Wakes<'a>> {
        self.header.version.put(self.odd.wrapping_add(1));
        crash_point!("end: version even, word held");
        let state = &self.context.lane.contexts[0].state;
        match lock::try_release(&self.header.word, self.context.lock_id) {
            Ok(()) => {
                crash_point!("end: words free");
                state.put(0);
                None
            }
            Err(flags) => Some(Wakes { header: self.header, state, flags, changed }),
        }
    }

    /// Ends it as if nothing had been done.
    ///
    /// # Errors
    /// `Corrupt`: the log is damaged, and the context stays as it is.
    #[cold]
    pub(crate) fn undo(self) -> Result<()> {
        if self.cursor != HEAD_SIZE {
            recover::undo(self.context.actor, 0)?;
        }
        self.set_state(Phase::Undone);
        crash_point!("rollback: undone, words held");
        if let Some(wakes) = self.close(false) {
            wakes.wake();
        }
        Ok(())
    }
}

/// The end of a change whose object somebody waits for. Until they are woken the context stands, so that recovery would.
#[must_use]
pub(crate) struct Wakes<'a> {
    header: &'a ObjectHeader,
    state: &'static AtomicU64,
    flags: lock::Flags,
    changed: bool,
}

impl Wakes<'_> {
    /// Wakes those who wait for the word, or for a change, and lets the context rest.
    pub(crate) fn wake(self) {
        if lock::wake(&self.header.word, self.flags) & lock::CHANGE != 0 && self.changed {
            wake_changes(self.header);
        }
        crash_point!("end: words free");
        self.state.put(0);
    }
}

/// Bytes that the record of a word takes.
const WORD_RECORD: usize = 8 + HEAD_SIZE as usize;
/// Bytes of the inline log behind the intent.
const ROOM: usize = (INLINE_LOG_SIZE - HEAD_SIZE) as usize;
/// The most bytes that can be recorded.
pub(crate) const MOST_BYTES: usize = 256;
