//! Read guards publish their object in their lane's line while they hold the word for a moment.
//! Invariant L2: a cell is set only under the object's word and never moves while its count is not 0; so a writer
//! that has the word sees every reader that may still be inside.

use crate::sys::atomic::Ordering;

use super::wait::{Blocked, Waiting};
use super::word::{DRAIN, lock_class};
use crate::crash::is_variant;
use crate::process::{Actor, LaneState, is_dead};
use crate::region::layout::*;
use crate::{Error, sys};

/// A published cell of this lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Published {
    cell: usize,
}

const COUNT: u64 = 0xffff;

fn pack_cell(object: u64, count: u64) -> u64 {
    ((object >> 4) << 16) | count
}

fn cell_object(word: u64) -> u64 {
    (word >> 16) << 4
}

/// Counts one more read of an object that this lane reads already; needs no word.
pub(crate) fn publish_again(actor: &Actor, object: u64) -> Option<Published> {
    let line = actor.space.reader_line(actor.id);
    let cell = line.cells.iter().position(|cell| reads(cell.peek(), object))?;
    let word = line.cells[cell].peek();
    if word & COUNT == COUNT {
        return None;
    }
    line.cells[cell].store(word + 1, Ordering::Release);
    Some(Published { cell })
}

fn reads(cell: u64, object: u64) -> bool {
    cell & COUNT != 0 && cell_object(cell) == object
}

/// Publishes a read; the caller holds the object's word.
pub(crate) fn publish(actor: &Actor, header: &ObjectHeader) -> Result<Published, Error> {
    debug_assert!(actor.holds(&header.word));
    let object = actor.space.offset_of(header);
    let line = actor.space.reader_line(actor.id);
    let Some(cell) = line.cells.iter().position(|cell| cell.peek() & COUNT == 0) else {
        return Err(Error::Exhausted { what: "read guards of one thread", limit: READER_CELLS as u64 });
    };
    line.cells[cell].store(pack_cell(object, 1), Ordering::SeqCst);
    // Under the word, so a plain read and write lose nothing.
    header.hint.store(header.hint.peek() | hint_bit(actor.id), Ordering::SeqCst);
    Ok(Published { cell })
}

fn hint_bit(lane: u32) -> u64 {
    1 << (lane % 64)
}

/// Takes one read back; wakes a writer that waits for it.
pub(crate) fn unpublish(actor: &Actor, header: &ObjectHeader, published: Published) {
    let cell = &actor.space.reader_line(actor.id).cells[published.cell];
    let word = cell.peek();
    if word & COUNT > 1 {
        cell.store(word - 1, Ordering::Release);
        return;
    }
    cell.store(0, Ordering::SeqCst);
    wake_drainer(header);
}

fn wake_drainer(header: &ObjectHeader) {
    if header.word.load(Ordering::SeqCst) & DRAIN != 0 {
        // Clearing the bit changes the word, so a drainer that is about to sleep on it does not.
        header.word.fetch_and(!DRAIN, Ordering::SeqCst);
        sys::futex_wake(&header.word, i32::MAX, lock_class::DRAIN);
    }
}

/// Clears the line of a dead lane and wakes the drainers of what it read; `header_at` knows where headers can be.
pub(crate) fn clear_line<'a>(actor: &Actor<'a>, header_at: impl Fn(u64) -> Option<&'a ObjectHeader>) {
    for cell in &actor.space.reader_line(actor.id).cells {
        let word = cell.peek();
        if word == 0 {
            continue;
        }
        cell.store(0, Ordering::SeqCst);
        if let Some(header) = header_at(cell_object(word)) {
            wake_drainer(header);
        }
    }
}

/// Waits until no lane reads the object; the caller holds its word. `own_reads`: reads of the caller's own lane that
/// may stay (a transaction that turns its read into a write).
#[inline(always)]
pub(crate) fn drain(
    actor: &Actor,
    header: &ObjectHeader,
    own_reads: u64,
    waiting: &mut Waiting,
) -> Result<(), Blocked> {
    if header.hint.load(Ordering::SeqCst) == 0 || is_variant!(DrainsNobody) {
        return Ok(());
    }
    drain_slow(actor, header, own_reads, waiting)
}

#[cold]
fn drain_slow(actor: &Actor, header: &ObjectHeader, own_reads: u64, waiting: &mut Waiting) -> Result<(), Blocked> {
    let object = actor.space.offset_of(header);
    // Asked before anybody is waited for: however many others read, they are not what this would end by.
    if reads_of(actor, actor.id, object) > own_reads {
        return Err(Blocked::Failed(Error::Deadlock));
    }
    loop {
        let Some(reader) = next_reader(actor, header, object) else {
            waiting.stop(actor);
            return Ok(());
        };
        let seen = header.word.fetch_or(DRAIN, Ordering::SeqCst) | DRAIN;
        if next_reader(actor, header, object).is_none() {
            continue;
        }
        let lane = actor.space.lane(reader).ok_or(Blocked::Failed(Error::corrupt(object, "a reader has no lane")))?;
        waiting.sleep(actor, &header.word, seen, lock_class::DRAIN, Some(reader + 1))?;
        if waiting.time_to_probe(actor, reader) {
            let owner = lane.owner.load(Ordering::Acquire);
            if LaneState::of(owner) == LaneState::Damaged {
                return Err(Blocked::Failed(Error::corrupt(object, "a reader's lane is damaged")));
            }
            let free = LaneState::of(owner) == LaneState::Free;
            let (slot, incarnation) = (pack::owner_slot(owner), pack::owner_incarnation(owner));
            if !free && is_dead(actor.space, Some(actor.me), slot, incarnation).map_err(Blocked::Failed)? {
                return Err(Blocked::OwnerDead { lane: reader, owner });
            }
        }
    }
}

/// How often a lane reads the object.
fn reads_of(actor: &Actor, lane: u32, object: u64) -> u64 {
    let cells = actor.space.reader_line(lane).cells.iter().map(|cell| cell.load(Ordering::SeqCst));
    cells.filter(|cell| reads(*cell, object)).map(|cell| cell & COUNT).sum()
}

/// Another lane that reads the object; clears the hint bits of groups in which nobody does.
fn next_reader(actor: &Actor, header: &ObjectHeader, object: u64) -> Option<u32> {
    let hint = header.hint.load(Ordering::SeqCst);
    let high = actor.space.words().lanes_high.load(Ordering::Acquire).min(u64::from(actor.space.geometry.lane_count));
    let mut left = hint;
    while left != 0 {
        let bit = left.trailing_zeros();
        left &= left - 1;
        let mut found = false;
        for lane in (u64::from(bit)..high).step_by(64) {
            let reading = reads_of(actor, lane as u32, object) > 0;
            if reading && lane != u64::from(actor.id) {
                return Some(lane as u32);
            }
            found |= reading;
        }
        if !found {
            header.hint.store(header.hint.peek() & !(1 << bit), Ordering::SeqCst);
        }
    }
    None
}

/// How often the caller's own lane reads the object.
#[inline]
pub(crate) fn own_reads(actor: &Actor, header: &ObjectHeader) -> u64 {
    // The hint names every lane that reads, and perhaps some more.
    if header.hint.load(Ordering::Relaxed) & hint_bit(actor.id) == 0 {
        return 0;
    }
    let object = actor.space.offset_of(header);
    let cells = &actor.space.reader_line(actor.id).cells;
    cells.iter().map(|cell| cell.peek()).filter(|cell| reads(*cell, object)).map(|cell| cell & COUNT).sum()
}

/// The lanes that read `object`, for the deadlock walk.
pub(super) fn readers_of(actor: &Actor, object: u64) -> Vec<u32> {
    let high = actor.space.words().lanes_high.peek().min(u64::from(actor.space.geometry.lane_count)) as u32;
    let published = |lane: &u32| actor.space.reader_line(*lane).cells.iter().any(|cell| reads(cell.peek(), object));
    (0..high).filter(published).collect()
}
