//! A context as its thread uses it.
//!
//! ```text
//! begin      stamp counter + 1; context.stamp = it    killed: a number is wasted
//! intent     append Held(object)                      killed: the word does not name the lane: nothing to release
//! lock       CAS word 0 -> lane                       killed: Held names the word: recovery releases it
//! open       version -> odd                           killed: recovery makes it even and higher
//! change     append Save(old), then change            killed: undone while every word is held
//! commit     state = Committed                        killed before: undone; after: kept
//! close      generations, versions even               repeated by recovery where the word is still ours
//! release    word -= lane, wakes                      recovery wakes every word that Held names
//! free       records popped from the top              the in-flight word decides the step under way
//! idle       state = 0
//! ```

use crate::sys::atomic::{AtomicU64, Ordering, compiler_fence, fence};
use std::ptr::NonNull;

use super::inflight::link_offset;
use super::log::{Chunk, ChunkHead, HEAD_SIZE, Kind, Log, head_word};
use super::recover::object_at;
use super::{inflight, recover};
use crate::crash::{crash_point, is_variant};
use crate::lock::{self, Waiting, lock_class};
use crate::process::Actor;
use crate::region::Space;
use crate::region::layout::*;
use crate::{Error, Result, sys};

/// Where a context stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle = 0,
    Active = 1,
    Undone = 2,
    Committed = 3,
}

impl Phase {
    /// The phase in a context's state word.
    pub(crate) fn of(state: u64) -> Phase {
        match pack::phase(state) {
            0 => Phase::Idle,
            1 => Phase::Active,
            2 => Phase::Undone,
            _ => Phase::Committed,
        }
    }
}

/// A context of a thread. It stays where its lane has it and is used again and again: most of its words never change.
///
/// The lifetime of the mapping does not show in it: it lives in the lane of a thread, which is gone before the mapping
/// (T1), and hands out nothing that outlives an operation.
#[doc(hidden)]
pub struct Context {
    pub(crate) actor: &'static Actor<'static>,
    pub(crate) index: usize,
    /// Of the actor, at hand: its lane, its name in lock words, its space, and its part of a stamp.
    pub(super) lane: &'static Lane,
    pub(super) lock_id: u32,
    pub(crate) space: &'static Space,
    /// The object that the first record of the inline log intends to hold, if a single change wrote it last.
    pub(super) intent: *const ObjectHeader,
    stamp_base: u64,
    /// The stamp that marks what this context has saved.
    pub(crate) stamp: u64,
    state: &'static AtomicU64,
    /// The present stretch of the log: its first byte, where the next record goes, its end.
    start: *mut u8,
    at: *mut u8,
    end: *mut u8,
    /// Position of the next record = address of `at` + bias (wrapping).
    bias: u64,
    /// Position at which the stretch before was left: a stored cursor never rests on the beginning of a later one.
    left_at: u64,
    chunk_block: u64,
    /// Objects held, and the first of them: ending those needs no walk through the log. `BY_LOG` is added if an object
    /// retires.
    held: u32,
    few: [NonNull<ObjectHeader>; FEW],
    /// The present stretch of the log is not the first one.
    extended: bool,
    /// Are there records that ask for work after the commit or the rollback?
    frees: bool,
    allocs: bool,
    saves: bool,
    /// An operation failed half-way: this context can only be rolled back.
    pub(crate) doomed: bool,
    /// Ending it failed (the region is damaged): it must not begin again.
    pub(crate) broken: bool,
    /// Bytes that Save records have taken.
    pub(crate) logged: u64,
    /// Places that contexts have saved, a few of them: {offset, length} hashed to one entry each, with the stamp.
    saved: [(u64, u64); SAVED],
}

/// A place in the log of a context.
pub(crate) struct Mark {
    start: *mut u8,
    at: *mut u8,
    end: *mut u8,
    bias: u64,
    left_at: u64,
    chunk_block: u64,
    cursor: u64,
}

/// Places remembered as saved.
const SAVED: usize = 16;

/// Objects that are remembered as held.
const FEW: usize = 4;
/// Ending must look for records of the log.
const BY_LOG: u32 = 1 << 16;

impl Context {
    /// Context `index` of a lane, at rest.
    pub(crate) fn at_rest(actor: &'static Actor<'static>, index: usize) -> Context {
        let lane = actor.lane;
        let mut context = Context {
            actor,
            index,
            lane,
            lock_id: actor.lock_id(),
            space: actor.space,
            intent: std::ptr::null(),
            stamp_base: u64::from(actor.id) << 48,
            stamp: 0,
            state: &lane.contexts[index].state,
            start: std::ptr::null_mut(),
            at: std::ptr::null_mut(),
            end: std::ptr::null_mut(),
            bias: 0,
            left_at: 0,
            chunk_block: 0,
            held: 0,
            few: [NonNull::dangling(); FEW],
            extended: false,
            frees: false,
            allocs: false,
            saves: false,
            doomed: false,
            broken: false,
            logged: 0,
            saved: [(0, 0); SAVED],
        };
        context.rewind();
        context
    }

    /// Begins; everything else is as `end` has left it.
    #[inline(always)]
    pub(crate) fn begin(&mut self) {
        let counter = self.lane.stamp_counter.peek().wrapping_add(1) & ((1 << 48) - 1);
        // Raised before first use: a stamp never marks two contexts.
        self.lane.stamp_counter.put(counter);
        self.stamp = self.stamp_base | counter;
        self.intent = std::ptr::null();
        self.held = 0;
        self.logged = 0;
        (self.frees, self.allocs, self.saves, self.doomed) = (false, false, false, false);
    }

    /// Back to the beginning of the log. Context 0 begins in the lane; the others in their first chunk, once they have
    /// needed room.
    #[cold]
    fn rewind(&mut self) {
        let inline = self.actor.lane.inline_log.as_ptr().cast::<u8>().cast_mut();
        let (start, room) =
            if self.index == 0 { (inline, INLINE_LOG_SIZE as usize) } else { (std::ptr::null_mut(), 0) };
        (self.start, self.at, self.end) = (start, start, start.wrapping_add(room));
        (self.bias, self.left_at, self.chunk_block) = (0u64.wrapping_sub(start as u64), 0, 0);
        self.extended = false;
    }

    fn enter(&mut self, chunk: &Chunk) {
        self.left_at = self.resting();
        (self.start, self.at, self.chunk_block) = (chunk.records, chunk.records, chunk.block);
        self.end = chunk.records.wrapping_add(chunk.size as usize);
        self.bias = chunk.base.wrapping_sub(chunk.records as u64);
        self.extended = chunk.base != 0;
    }

    #[inline(always)]
    fn cursor(&self) -> u64 {
        (self.at as u64).wrapping_add(self.bias)
    }

    /// The cursor as it may be stored.
    #[inline(always)]
    fn resting(&self) -> u64 {
        if self.at == self.start { self.left_at } else { self.cursor() }
    }

    #[inline(always)]
    fn store(&self, phase: Phase) {
        self.state.put(pack::context(self.resting(), phase as u64));
    }

    /// Is there room for records of `size` bytes in all (heads included), in one stretch?
    #[inline(always)]
    pub(crate) fn has_room(&self, size: u64) -> bool {
        (self.end as u64).wrapping_sub(self.at as u64) >= size
    }

    /// Where the next record goes.
    #[cfg(feature = "crash-points")]
    pub(crate) fn log_address(&self) -> u64 {
        self.at as u64
    }

    /// Makes the context count as active before it has a record, so that the lane is not at rest.
    pub(crate) fn mark_active(&self) {
        self.state.store(pack::context(self.resting(), Phase::Active as u64), Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// Takes `mark_active` back if nothing was recorded.
    pub(crate) fn mark_idle(&self) {
        if self.resting() == 0 {
            self.state.put(0);
        }
    }

    /// Continues the log in its next chunk; false: there is none, `spill` one first.
    #[cold]
    pub(crate) fn next_chunk(&mut self) -> Result<bool> {
        let log = Log::new(*self.actor, self.index);
        let next = match self.present(&log)? {
            Some(present) => log.next(&present)?,
            None => log.first()?,
        };
        let Some(next) = next else { return Ok(false) };
        // Nobody reads a chunk that begins at or after the cursor.
        self.actor.space.get::<ChunkHead>(next.block)?.prev_used.put(self.resting());
        self.enter(&next);
        Ok(true)
    }

    /// The stretch that the log is in, if it has begun.
    fn present(&self, log: &Log) -> Result<Option<Chunk>> {
        if self.start.is_null() { Ok(None) } else { log.stretch(self.chunk_block) }
    }

    /// Adds a chunk from the lane's spill list, which is not empty, behind the present one, which is the last.
    #[cold]
    pub(crate) fn add_chunk(&mut self) -> Result<()> {
        let last = self.present(&Log::new(*self.actor, self.index))?;
        inflight::spill(self.actor, self.index, last, self.resting())
    }

    /// How many records without payload have room in the present stretch and in the chunks that follow it, and the last
    /// of these chunks.
    #[cold]
    pub(crate) fn room_ahead(&self) -> Result<(u64, Option<Chunk>)> {
        let log = Log::new(*self.actor, self.index);
        let mut last = self.present(&log)?;
        let mut room = (self.end as u64).wrapping_sub(self.at as u64) / HEAD_SIZE;
        loop {
            let next = match &last {
                Some(chunk) => log.next(chunk)?,
                None => log.first()?,
            };
            let Some(next) = next else { return Ok((room, last)) };
            room += next.size / HEAD_SIZE - 1;
            last = Some(next);
        }
    }

    /// Adds a chunk from the lane's spill list, which is not empty, behind `last`, the last one there is; says how many
    /// records without payload it has room for.
    #[cold]
    pub(crate) fn add_chunk_behind(&mut self, last: Option<Chunk>) -> Result<(u64, Option<Chunk>)> {
        inflight::spill(self.actor, self.index, last, self.resting())?;
        // It returns at the end, also if the log never comes to it.
        (self.frees, self.allocs) = (true, true);
        let log = Log::new(*self.actor, self.index);
        let added = match &last {
            Some(chunk) => log.next(chunk)?,
            None => log.first()?,
        };
        Ok((added.map_or(0, |chunk| chunk.size / HEAD_SIZE - 1), added))
    }

    /// Appends a record; there is room for it.
    #[inline(always)]
    fn append(&mut self, kind: Kind, flags: u8, offset: u64, payload: *const u8, len: u64) {
        let size = len.next_multiple_of(8) + HEAD_SIZE;
        debug_assert!(self.has_room(size), "log space is reserved before it is used");
        // SAFETY: J: `at .. end` is the unused end of this context's own log and size fits; `payload` is readable for
        // `len` bytes by the callers below.
        unsafe {
            copy_words(payload, self.at, len);
            let head = self.at.add((size - HEAD_SIZE) as usize).cast::<u64>();
            head.write(head_word(kind, flags, len as u32));
            head.add(1).write(offset);
            self.at = self.at.add(size as usize);
        }
        compiler_fence(Ordering::SeqCst);
        crash_point!("append: written, not counted");
        self.state.put(pack::context(self.cursor(), Phase::Active as u64));
        crash_point!("append: counted");
    }

    /// Records the intent to hold an object, takes its word, waits for its readers and makes the version odd.
    ///
    /// # Errors
    /// `Deadlock` if this lane holds it already (tested before the intent); time-out. The intent is then gone.
    #[inline(always)]
    pub(crate) fn lock(&mut self, header: &ObjectHeader) -> Result<()> {
        self.lock_over_reads(header, 0)
    }

    /// As `lock`, for an object that this lane reads `own_reads` times itself.
    #[inline(always)]
    pub(crate) fn lock_over_reads(&mut self, header: &ObjectHeader, own_reads: u64) -> Result<()> {
        self.lock_word(header, Waiting::new)?;
        if header.hint.load(Ordering::SeqCst) != 0 {
            self.drain(header, own_reads)?;
        }
        lock::open_version(header);
        crash_point!("lock: version odd");
        Ok(())
    }

    #[cold]
    fn drain(&mut self, header: &ObjectHeader, own_reads: u64) -> Result<()> {
        let drained = recover::drain_readers(self.actor, header, own_reads, &mut Waiting::new());
        drained.inspect_err(|_| self.unlock_last(header))
    }

    /// Makes the version odd and waits for the readers of an object whose word was taken with `lock_word` alone.
    pub(crate) fn begin_writing(&mut self, header: &ObjectHeader) -> Result<()> {
        recover::drain_readers(self.actor, header, 0, &mut Waiting::new())?;
        lock::open_version(header);
        Ok(())
    }

    /// Records the intent and takes the word; `waiting` says how it is waited for.
    #[inline(always)]
    pub(crate) fn lock_word(&mut self, header: &ObjectHeader, waiting: fn() -> Waiting) -> Result<()> {
        if lock::owner_of(&header.word) == self.lock_id {
            self.mark_idle();
            return Err(Error::Deadlock);
        }
        self.append(Kind::Held, 0, self.space.offset_of(header), std::ptr::null(), 0);
        crash_point!("lock: intent");
        if !lock::try_lock(&header.word, self.lock_id) {
            self.wait_for(header, waiting())?;
        }
        crash_point!("lock: word taken");
        if let Some(place) = self.few.get_mut(self.held as usize) {
            *place = NonNull::from(header);
        }
        self.held += 1;
        Ok(())
    }

    #[cold]
    fn wait_for(&mut self, header: &ObjectHeader, mut waiting: Waiting) -> Result<()> {
        let taken = recover::acquire(self.actor, &header.word, Some(&header.claims_ended), &mut waiting);
        taken.inspect_err(|_| self.drop_newest())
    }

    /// Lets the word that was locked last go, nothing having been changed under it.
    #[cold]
    pub(crate) fn unlock_last(&mut self, header: &ObjectHeader) {
        lock::close_version(header);
        lock::release(&header.word, self.actor.lock_id());
        crash_point!("unlock: released, intent stands");
        self.held -= 1;
        self.drop_newest();
    }

    /// Takes the newest record, a Held without payload, off the log.
    fn drop_newest(&mut self) {
        // SAFETY: the record just appended lies before `at` in the same stretch.
        self.at = unsafe { self.at.sub(HEAD_SIZE as usize) };
        self.store(if self.resting() == 0 { Phase::Idle } else { Phase::Active });
    }

    /// Records `len` bytes at `offset`, which were live when the context began; there is room.
    #[inline(always)]
    pub(crate) fn append_save(&mut self, offset: u64, bytes: *const u8, len: u64) {
        self.saves = true;
        self.logged += len;
        self.append(Kind::Save, 0, offset, bytes, len);
    }

    /// Was this place saved lately by this context? Remembers it as saved.
    #[inline(always)]
    pub(crate) fn remember_saved(&mut self, offset: u64, len: u64) -> bool {
        let key = ((offset << 16) | (len & 0xffff), self.stamp);
        let entry = &mut self.saved[(offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as usize % SAVED];
        std::mem::replace(entry, key) == key
    }

    /// What was remembered may not be in the log.
    pub(crate) fn forget_saved(&mut self) {
        self.saved = [(0, 0); SAVED];
    }

    /// Records that `block` of `class` is given back at commit; there is room.
    #[inline(always)]
    pub(crate) fn append_free(&mut self, class: usize, block: u64) {
        self.frees = true;
        self.append(Kind::Free, class as u8, block, std::ptr::null(), 0);
    }

    /// Records a detached container (what `raw::detach` writes about it); there is room.
    pub(crate) fn append_raze(&mut self, data: u64, image: &[u8]) {
        self.frees = true;
        self.append(Kind::Raze, 0, data, image.as_ptr(), image.len() as u64);
    }

    /// Records that the object, whose word is held, gets `generation` at commit; there is room.
    pub(crate) fn append_retire(&mut self, object: u64, generation: u64) {
        self.frees = true;
        self.held |= BY_LOG;
        self.append(Kind::Retire, 0, object, (&raw const generation).cast(), 8);
    }

    /// The lane's list of `class`.
    #[inline(always)]
    pub(crate) fn list(&self, class: usize) -> u64 {
        self.lane.lists[class].peek()
    }

    /// Takes a block off the lane's list of `class`, which is `list` and not empty, as Alloc; there is room.
    #[inline(always)]
    pub(crate) fn pop(&mut self, class: usize, list: u64) -> Result<u64> {
        self.allocs = true;
        let (space, lane, index) = (self.space, self.lane, self.index);
        inflight::pop_to_record(space, lane, index, (class, list), |block| {
            self.append(Kind::Alloc, class as u8, block, std::ptr::null(), 0);
        })
    }

    /// If the newest record is the Alloc of `block`, gives the block straight back.
    #[inline(always)]
    pub(crate) fn cancel_alloc(&mut self, class: usize, block: u64) -> Result<bool> {
        if self.at == self.start {
            return Ok(false);
        }
        // SAFETY: a record of this stretch ends at `at`, its head lies before it.
        let (head, offset) = unsafe {
            let head = self.at.sub(HEAD_SIZE as usize).cast::<u64>();
            (head.read(), head.add(1).read())
        };
        if head != head_word(Kind::Alloc, class as u8, 0) || offset != block {
            return Ok(false);
        }
        // SAFETY: as above.
        self.at = unsafe { self.at.sub(HEAD_SIZE as usize) };
        // SAFETY: R1: the block's link was resolved when this context took it.
        let link = unsafe { self.space.resolved(block + link_offset(class)) };
        let drop = || self.store(Phase::Active);
        inflight::push_and_drop_record(self.lane, self.index, class, (block, link), drop);
        Ok(true)
    }

    /// Where the log stands now.
    #[inline(always)]
    pub(crate) fn mark(&self) -> Mark {
        let Context { start, at, end, bias, left_at, chunk_block, .. } = *self;
        Mark { start, at, end, bias, left_at, chunk_block, cursor: self.resting() }
    }

    /// Takes back what was recorded since `mark`: something was being built in fresh blocks that nothing refers to, and
    /// cannot be completed. The blocks return to their lists, newest first.
    ///
    /// # Crash
    /// What is left of the records is undone with the context.
    #[cold]
    pub(crate) fn cancel_to(&mut self, mark: &Mark) -> Result<()> {
        let log = Log::new(*self.actor, self.index);
        let chunks = log.chunks()?;
        let mut cursor = self.resting();
        while cursor > mark.cursor
            && let Some(record) = log.below(&chunks, cursor)?
        {
            let drop = || self.state.put(pack::context(record.below, Phase::Active as u64));
            match record.kind {
                Kind::Alloc => {
                    let class = usize::from(record.flags);
                    let block = (record.offset, inflight::link_of(self.space, class, record.offset)?);
                    inflight::push_and_drop_record(self.lane, self.index, class, block, drop);
                }
                // A block that was taken and let go again since.
                Kind::Free | Kind::Raze => drop(),
                Kind::Held | Kind::Save | Kind::Retire => {
                    self.doomed = true;
                    return Err(Error::RolledBack);
                }
            }
            crash_point!("cancel: a record gone");
            cursor = record.below;
        }
        let Mark { start, at, end, bias, left_at, chunk_block, .. } = *mark;
        (self.start, self.at, self.end) = (start, at, end);
        (self.bias, self.left_at, self.chunk_block) = (bias, left_at, chunk_block);
        self.extended = (start as u64).wrapping_add(bias) != 0;
        if cursor == 0 {
            self.store(Phase::Idle);
        }
        Ok(())
    }

    /// The commit point, then versions, words and wakes. True: records are left that `finish` must pop.
    #[inline(always)]
    pub(crate) fn commit(&mut self) -> Result<bool> {
        self.store(Phase::Committed);
        crash_point!("commit: committed, words held");
        self.end(self.frees)
    }

    /// Undoes everything, then versions, words and wakes. True: records are left that `finish` must pop.
    #[cold]
    pub(crate) fn roll_back(&mut self) -> Result<bool> {
        if self.saves {
            recover::undo(self.actor, self.index)?;
        }
        self.store(Phase::Undone);
        crash_point!("rollback: undone, words held");
        self.end(self.allocs)
    }

    /// Has anything been recorded?
    #[inline(always)]
    pub(crate) fn is_active(&self) -> bool {
        self.resting() != 0
    }

    #[inline(always)]
    fn end(&mut self, work_left: bool) -> Result<bool> {
        if self.held == 1 {
            // SAFETY: R1: locked by this context; headers are type-stable.
            let header = unsafe { self.few[0].as_ref() };
            lock::close_version(header);
            crash_point!("end: version even, word held");
            // Who changed nothing leaves the waiters to who does.
            if lock::release(&header.word, self.lock_id) & lock::CHANGE != 0 && self.saves {
                wake_changes(header);
            }
        } else {
            self.end_several()?;
        }
        crash_point!("end: words free");
        let more = work_left || self.extended;
        if !more {
            self.state.put(0);
        } else if !work_left {
            // Chunks are left, but nobody need read them.
            let phase = pack::phase(self.state.peek());
            self.state.put(pack::context(0, phase));
            crash_point!("end: no records, chunks left");
        }
        // Nothing is left to be ended a second time, and the next one begins at the beginning.
        if self.extended {
            self.rewind();
        } else {
            self.at = self.start;
        }
        Ok(more)
    }

    /// Versions, words and wakes of none or more than one.
    #[inline(never)]
    fn end_several(&mut self) -> Result<()> {
        let Some(few) = self.few.get(..self.held as usize) else {
            close_and_release(self.actor, self.index)?;
            return wake_changed(self.actor, self.index);
        };
        // SAFETY: as in `end`.
        let headers = || few.iter().map(|header| unsafe { header.as_ref() });
        for header in headers() {
            lock::close_version(header);
            crash_point!("close: version even");
        }
        let mut flags = 0;
        for header in headers() {
            flags |= lock::release(&header.word, self.lock_id);
            crash_point!("close: word free");
        }
        if flags & lock::CHANGE != 0 && self.saves {
            headers().for_each(wake_changes);
        }
        Ok(())
    }
}

/// # Safety
/// `source` is readable and `target` writable for `len` bytes.
#[inline(always)]
pub(super) unsafe fn copy_words(source: *const u8, target: *mut u8, len: u64) {
    // Where the length is a constant, one of the usual ones becomes a few moves.
    // SAFETY: the caller's: readable and writable for `len` bytes.
    unsafe {
        match len {
            0 => {}
            8 => target.cast::<u64>().write_unaligned(source.cast::<u64>().read_unaligned()),
            16 => target.cast::<[u64; 2]>().write_unaligned(source.cast::<[u64; 2]>().read_unaligned()),
            64 => target.cast::<[u64; 8]>().write_unaligned(source.cast::<[u64; 8]>().read_unaligned()),
            _ => std::ptr::copy(source, target, len as usize),
        }
    }
}

/// Wakes those who wait for a change of the object, if any do.
#[cold]
pub(super) fn wake_changes(header: &ObjectHeader) {
    if header.word.load(Ordering::Relaxed) & lock::CHANGE == 0 {
        return;
    }
    crash_point!("wake: object free, nobody woken");
    header.word.fetch_and(!lock::CHANGE, Ordering::SeqCst);
    crash_point!("wake: flag cleared, nobody woken");
    if is_variant!(CountsLate) {
        sys::futex_wake(&header.change, i32::MAX, lock::change_class::CHANGE);
    }
    header.change.fetch_add(1, Ordering::SeqCst);
    crash_point!("wake: change counted, nobody woken");
    if !is_variant!(CountsLate) {
        sys::futex_wake(&header.change, i32::MAX, lock::change_class::CHANGE);
    }
}

/// Generations, then versions, then words of everything that the context's Held records name and the lane holds.
pub(crate) fn close_and_release(actor: &Actor, index: usize) -> Result<()> {
    let log = Log::new(*actor, index);
    let committed = Phase::of(actor.lane.contexts[index].state.peek()) == Phase::Committed;
    let (mut held, mut retired) = (Vec::new(), Vec::new());
    log.walk(|record| {
        match record.kind {
            Kind::Held => held.push(object_at(actor.space, record.offset)?),
            Kind::Retire if committed && record.len == 8 => {
                // SAFETY: the payload's 8 bytes lie in our log, 8-aligned.
                let generation = unsafe { record.payload.cast::<u64>().read() };
                retired.push((object_at(actor.space, record.offset)?, generation));
            }
            _ => {}
        }
        Ok(())
    })?;
    for (header, generation) in retired {
        if actor.holds(&header.word) {
            // Owner and descriptor go with it: whoever looks for what the dead left does not find it again.
            header.owner.put(0);
            header.descriptor.put(0);
            header.generation.put(generation);
            crash_point!("close: generation moved");
        }
    }
    for header in held.iter().filter(|header| actor.holds(&header.word)) {
        lock::close_version(header);
        crash_point!("close: version even");
    }
    for header in held.iter().filter(|header| actor.holds(&header.word)) {
        lock::release(&header.word, actor.lock_id());
        crash_point!("close: word free");
    }
    Ok(())
}

/// Wakes those who wait for a change of what the context held.
fn wake_changed(actor: &Actor, index: usize) -> Result<()> {
    Log::new(*actor, index).walk(|record| {
        if record.kind == Kind::Held {
            wake_changes(object_at(actor.space, record.offset)?);
        }
        Ok(())
    })
}

/// For the dead: wakes everybody who may wait for a word that the context held, whatever the bits say now (the dead
/// may have cleared one and not woken yet).
pub(crate) fn wake_all(actor: &Actor, index: usize) -> Result<()> {
    Log::new(*actor, index).walk(|record| {
        if record.kind == Kind::Held {
            wake_everybody(object_at(actor.space, record.offset)?);
        }
        Ok(())
    })
}

/// Wakes all waiters of an object, of whatever kind.
pub(crate) fn wake_everybody(header: &ObjectHeader) {
    if is_variant!(RecoversQuietly) {
        return;
    }
    sys::futex_wake(&header.word, i32::MAX, lock_class::LOCK | lock_class::AGED | lock_class::DRAIN);
    header.change.fetch_add(1, Ordering::SeqCst);
    sys::futex_wake(&header.change, i32::MAX, lock::change_class::CHANGE);
}

/// Is a lane at rest: no context, no inner step, nothing in flight?
///
/// Two looks and the same stamp counter: a context that began while another one was looked at is not missed. A single change,
/// which takes no stamp, is in context 0 alone: it is seen there, or sees what its freezer has set before the first look.
pub(crate) fn is_idle(lane: &Lane) -> bool {
    let at_rest = || {
        lane.contexts.iter().all(|context| context.state.load(Ordering::SeqCst) == 0)
            && [&lane.heap.state, &lane.heap.held_arena, &lane.heap.held_supply, &lane.inflight]
                .iter()
                .all(|word| word.load(Ordering::SeqCst) == 0)
    };
    let counter = lane.stamp_counter.load(Ordering::SeqCst);
    at_rest() && at_rest() && lane.stamp_counter.load(Ordering::SeqCst) == counter
}
