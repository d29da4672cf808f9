//! The in-flight word: {block/16:48 | class:7 | context:5 | operation:4}. Set before and cleared after each step that
//! moves a list of the lane, so that whoever adopts the lane can tell whether the step happened.

use crate::sys::atomic::AtomicU64;

use super::log::{CHUNK_HEAD, CHUNK_SIZE, Chunk, ChunkHead, HEAD_SIZE, Kind, Log};
use super::{CELL_CLASS, CELL_LINK_AT, CONTROL_CLASS, OBJECT_CLASS, Phase, SPILL_CLASS};
use crate::crash::crash_point;
use crate::process::Actor;
use crate::region::Space;
use crate::region::layout::*;
use crate::{Error, Result};

/// A step that moves a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// From a list into the hands of a context (Alloc record).
    Pop = 1,
    /// Back onto a list; the record that named the block goes.
    Push = 2,
    /// From a list to the end of a context's log.
    Spill = 3,
    /// From the end of a context's log back onto a list.
    Unspill = 4,
}

#[inline(always)]
fn encode(step: Step, context: usize, class: usize, block: u64) -> u64 {
    // Blocks are multiples of 16. Nothing overlaps: the sum is an address to the processor, worth fewer steps than "or".
    ((block * 8 + class as u64) << 9) + ((context as u64) << 4) + step as u64
}

fn decode(word: u64) -> Option<(Step, usize, usize, u64)> {
    let step = match word & 15 {
        1 => Step::Pop,
        2 => Step::Push,
        3 => Step::Spill,
        4 => Step::Unspill,
        _ => return None,
    };
    let (context, class) = ((word >> 4 & 31) as usize, (word >> 9 & 127) as usize);
    (context < CONTEXT_COUNT && class < LIST_COUNT).then_some((step, context, class, (word >> 16) << 4))
}

/// Where a free block of a class keeps its link: object headers must keep their lock part, segments of counters their
/// cells, channels their roles.
#[inline(always)]
pub(crate) fn link_offset(class: usize) -> u64 {
    match class {
        OBJECT_CLASS => OBJECT_LINK_AT,
        CELL_CLASS => CELL_LINK_AT,
        CONTROL_CLASS => CONTROL_LINK_AT,
        _ => 0,
    }
}

fn link<'a>(actor: &Actor<'a>, class: usize, block: u64) -> Result<&'a AtomicU64> {
    link_of(actor.space, class, block)
}

/// The link of a block whose offset is a multiple of 16, as those in a list head are.
#[inline(always)]
pub(crate) fn link_of(space: &Space, class: usize, block: u64) -> Result<&AtomicU64> {
    debug_assert!(block.is_multiple_of(16));
    let address = space.resolve(block.wrapping_add(link_offset(class)), 8)?;
    // SAFETY: R1, just resolved; 8-aligned, since links stand at multiples of 8.
    Ok(unsafe { AtomicU64::from_ptr(address.cast()) })
}

/// Moves the head of a list, which is `word` and not empty, to a context: `append` records it as Alloc.
#[inline(always)]
pub(crate) fn pop_to_record(
    space: &Space,
    lane: &Lane,
    context: usize,
    (class, word): (usize, u64),
    append: impl FnOnce(u64),
) -> Result<u64> {
    let list = &lane.lists[class];
    let block = pack::list_head(word);
    let next = link_of(space, class, block)?.peek();
    lane.inflight.put(encode(Step::Pop, context, class, block));
    crash_point!("pop: in flight");
    list.put(pack::list_popped(word, next));
    crash_point!("pop: off the list, not recorded");
    append(block);
    crash_point!("pop: recorded");
    lane.inflight.put(0);
    Ok(block)
}

fn push(actor: &Actor, class: usize, block: u64) -> Result<()> {
    push_linked(&actor.lane.lists[class], link(actor, class, block)?, block);
    Ok(())
}

/// Puts a block on a list unless it is there already (a step that is repeated).
#[inline(always)]
fn push_linked(list: &AtomicU64, link: &AtomicU64, block: u64) {
    let word = list.peek();
    if pack::list_head(word) != block {
        link.put(pack::list_head(word));
        crash_point!("push: linked");
        list.put(pack::list_pushed(word, block));
        crash_point!("push: on the list");
    }
}

/// Puts a block, whose link is `link`, back on its list and takes the record that named it, the newest one, off the log:
/// `drop` stores the cursor below it.
#[inline(always)]
pub(crate) fn push_and_drop_record(
    lane: &Lane,
    context: usize,
    class: usize,
    (block, link): (u64, &AtomicU64),
    drop: impl FnOnce(),
) {
    let list = &lane.lists[class];
    lane.inflight.put(encode(Step::Push, context, class, block));
    crash_point!("push: in flight");
    push_linked(list, link, block);
    drop();
    crash_point!("push: record gone");
    lane.inflight.put(0);
}

/// Appends the head of the spill list, which is not empty, to the log of a context as the chunk after `last`. `cursor` is
/// the position at which the log is left for it.
pub(crate) fn spill(actor: &Actor, context: usize, last: Option<Chunk>, cursor: u64) -> Result<()> {
    let log = Log::new(*actor, context);
    let list = &actor.lane.lists[SPILL_CLASS];
    let word = list.peek();
    let block = pack::list_head(word);
    let next = link(actor, SPILL_CLASS, block)?.peek();
    let head = actor.space.get::<ChunkHead>(block)?;
    actor.lane.inflight.put(encode(Step::Spill, context, SPILL_CLASS, block));
    crash_point!("spill: in flight");
    list.put(pack::list_popped(word, next));
    crash_point!("spill: off the list, not linked");
    head.next.put(0);
    head.prev.put(last.map_or(0, |chunk| chunk.block));
    head.base.put(last.map_or(0, |chunk| chunk.base + chunk.size));
    head.prev_used.put(cursor);
    match &last {
        Some(chunk) => log.next_word(chunk)?.put(block),
        None => actor.lane.contexts[context].first_chunk.put(block),
    }
    crash_point!("spill: linked");
    actor.lane.inflight.put(0);
    Ok(())
}

/// Takes `last`, the last chunk of a context's log and beyond its cursor, back onto the spill list; `before` is the stretch
/// that names it.
pub(crate) fn unspill(actor: &Actor, context: usize, before: &Chunk, last: &Chunk) -> Result<()> {
    let named = Log::new(*actor, context).next_word(before)?;
    actor.lane.inflight.put(encode(Step::Unspill, context, SPILL_CLASS, last.block));
    crash_point!("unspill: in flight");
    named.put(0);
    crash_point!("unspill: unlinked");
    push(actor, SPILL_CLASS, last.block)?;
    actor.lane.inflight.put(0);
    Ok(())
}

/// Makes the word that names chunk `block` 0, if one does.
fn unlink_chunk(actor: &Actor, context: usize, block: u64) -> Result<()> {
    let first = &actor.lane.contexts[context].first_chunk;
    if first.peek() == block {
        first.put(0);
        return Ok(());
    }
    let log = Log::new(*actor, context);
    for chunk in log.chunks()?.iter().filter(|chunk| chunk.block != 0) {
        let next = log.next_word(chunk)?;
        if next.peek() == block {
            next.put(0);
            return Ok(());
        }
    }
    Ok(())
}

/// Decides the step that was under way when the lane's owner died, and completes it or takes it back. May itself be
/// killed at any store and run again.
pub(crate) fn settle(actor: &Actor) -> Result<()> {
    let word = actor.lane.inflight.peek();
    if word == 0 {
        return Ok(());
    }
    let damaged = || Error::corrupt(actor.space.offset_of(actor.lane), "the in-flight word is malformed");
    let (step, context, class, block) = decode(word).ok_or_else(damaged)?;
    let at_head = pack::list_head(actor.lane.lists[class].peek()) == block;
    let log = Log::new(*actor, context);
    match step {
        // Still on the list, or recorded: nothing to do. Otherwise it is nobody's.
        Step::Pop => {
            let recorded = log.top()?.is_some_and(|top| top.kind == Kind::Alloc && top.offset == block);
            if !at_head && !recorded {
                push(actor, class, block)?;
            }
        }
        Step::Push => {
            push(actor, class, block)?;
            crash_point!("settle push: on the list");
            let phase = Phase::of(actor.lane.contexts[context].state.peek());
            let named = if phase == Phase::Committed { Kind::Free } else { Kind::Alloc };
            if let Some(top) = log.top()?
                && top.kind == named
                && top.offset == block
            {
                actor.lane.contexts[context].state.put(pack::context(top.below, phase as u64));
            }
        }
        Step::Spill => {
            let linked = log.chunks()?.iter().any(|chunk| chunk.block == block);
            if !at_head && !linked {
                push(actor, class, block)?;
            }
        }
        Step::Unspill => {
            unlink_chunk(actor, context, block)?;
            push(actor, class, block)?;
        }
    }
    crash_point!("settle: done, word still set");
    actor.lane.inflight.put(0);
    Ok(())
}

const _: () = assert!(CHUNK_HEAD + HEAD_SIZE < CHUNK_SIZE && size_of::<ChunkHead>() == CHUNK_HEAD as usize);
