//! What comes after the commit or the undo: blocks go back to the lane's lists, detached containers are taken apart,
//! records are popped from the top. Never waits, never fails for lack of room; whoever owns the lane may do it.

use super::bytes::Content;
use super::channel::release_control;
use super::counter::release_segments;
use super::deque::whole_run;
use super::owned::{self, Field};
use super::shape::{ContainerKind, Shape};
use super::table::{TABLE_GROUP, TableView};
use super::tree::{TreeLayout, raze_tree, release_leaf};
use crate::crash::crash_point;
use crate::heap::{class_for, is_list, trim, trim_scattered};
use crate::journal::{self, Chunk, Context, HEAD_SIZE, Inner, Kind, Log, OBJECT_CLASS, Phase, Record, SPILL_CLASS};
use crate::process::Actor;
use crate::region::layout::*;
use crate::sys::atomic::AtomicU64;
use crate::{Error, Result};
use std::cell::Cell;

/// A Raze payload: the raw header as it was, then what each slot owns (`owned`). It is complete: the object itself may be
/// removed by somebody meanwhile.
const RAZE_HEAD: usize = RAW_SIZE as usize;

/// Empties a container: its blocks go at commit. `owned`: what its slots own. Fails before anything changes.
pub(crate) fn detach(context: &mut Context, raw: &RawHeader, owned: &[u32]) -> Result<()> {
    let offset = context.actor.space.offset_of(raw);
    let shape = Shape::of(raw, offset)?;
    context.save_header(raw, live_of(raw, &shape))?;
    if shape.kind == ContainerKind::Counter {
        release_segments(context, raw)?;
    }
    if shape.kind == ContainerKind::Channel {
        release_control(context, raw)?;
    }
    release_container(context, raw, owned)?;
    crash_point!("detach: recorded, header not changed");
    raw.data.put(0);
    raw.len.put(0);
    raw.capacity.put(0);
    raw.aux0.put(0);
    if shape.kind.is_tree() {
        raw.aux1.put(0);
    }
    // Nothing of the old data is reachable any more.
    raw.low_water.put(0);
    crash_point!("detach: done");
    Ok(())
}

/// Lets go at commit what a container has, whose header nobody will look at again. Fails before anything is recorded.
pub(super) fn release_container(context: &mut Context, raw: &RawHeader, owned: &[u32]) -> Result<()> {
    let data = raw.data.peek();
    let shape = Shape::of(raw, data)?;
    context.reserve_log((RAZE_HEAD + owned.len() * 4).next_multiple_of(8) as u64 + HEAD_SIZE)?;
    if data == 0 {
        return Ok(());
    }
    let is_tree = shape.kind.is_tree();
    if is_tree && owned.is_empty() && raw.capacity.peek() == 1 {
        release_leaf(context, raw, &TreeLayout::of(&shape));
    } else if is_tree || !owned.is_empty() && raw.len.peek() != 0 {
        let mut image: Vec<u8> = raw.words().iter().flat_map(|word| word.to_le_bytes()).collect();
        image.extend(owned.iter().flat_map(|word| word.to_le_bytes()));
        context.append_raze(data, &image);
    } else {
        context.release(data_size(raw, &shape), data);
    }
    Ok(())
}

/// What `low_water` is when a context touches the container for the first time.
fn live_of(raw: &RawHeader, shape: &Shape) -> u64 {
    match shape.kind {
        ContainerKind::HashMap | ContainerKind::HashSet => 1,
        ContainerKind::VecDeque => whole_run(raw),
        _ => raw.len.peek(),
    }
}

/// Bytes of the block at `raw.data`.
fn data_size(raw: &RawHeader, shape: &Shape) -> u64 {
    match shape.kind {
        ContainerKind::HashMap | ContainerKind::HashSet => {
            raw.capacity.peek().saturating_mul(TABLE_GROUP + TABLE_GROUP * shape.slot_size)
        }
        _ => raw.capacity.peek().saturating_mul(shape.slot_size.max(1)),
    }
}

/// Ends a context that is Committed or Undone: does what its records ask for and makes it idle.
#[cold]
pub(crate) fn finish(actor: &Actor, index: usize) -> Result<()> {
    let state = &actor.lane.contexts[index].state;
    let phase = pack::phase(state.peek());
    let let_go = match Phase::of(phase) {
        Phase::Committed => Some(Kind::Free),
        Phase::Undone => Some(Kind::Alloc),
        _ => None,
    };
    let log = Log::new(*actor, index);
    let chunks = log.chunks()?;
    let give_back = |class: usize, block: u64, above: u64, below: u64| {
        if !is_list(class) || !block.is_multiple_of(16) {
            return Err(Error::corrupt(block, "a record names no block of a class"));
        }
        // Whoever settles the step looks for the record at the top.
        if pack::cursor(state.peek()) != above {
            state.put(pack::context(above, phase));
            crash_point!("finish: records skipped");
        }
        let popped = || state.put(pack::context(below, phase));
        let linked = (block, journal::link_of(actor.space, class, block)?);
        journal::push_and_drop_record(actor.lane, index, class, linked, popped);
        trim(actor, class, 1)
    };
    let mut cursor = pack::cursor(state.peek());
    loop {
        if let Some(kind) = let_go
            && log.are_blocks(&chunks, cursor, MANY, kind)?
        {
            cursor = give_back_many(actor, (&log, &chunks), state, cursor, kind)?;
        }
        let Some(record) = log.below(&chunks, cursor)? else { break };
        match record.kind {
            kind if Some(kind) == let_go => give_back(record.flags.into(), record.offset, cursor, record.below)?,
            Kind::Raze if let_go == Some(Kind::Free) => raze(actor, index, &record)?,
            _ => {}
        }
        cursor = record.below;
    }
    crash_point!("finish: all popped");
    state.put(pack::context(0, phase));
    // One chunk stays with contexts that have no inline log; the rest of the chain returns.
    let mut chunks = chunks;
    while let [.., before, last] = chunks[..] {
        journal::unspill(actor, index, &before, &last)?;
        chunks.pop();
        crash_point!("finish: a chunk returned");
        trim(actor, SPILL_CLASS, 1)?;
    }
    state.put(0);
    crash_point!("finish: idle");
    Ok(())
}

/// So many blocks are worth a step of their own.
const MANY: u64 = 16;

/// Gives back the blocks that records from `cursor` down name, as one step: first each is linked to the one that goes
/// before it, then all lists and the cursor move together. Says where other records begin.
///
/// # Crash
/// Until the step is committed the records name the blocks, and nobody looks at their links.
fn give_back_many(
    actor: &Actor,
    (log, chunks): (&Log, &[Chunk]),
    state: &AtomicU64,
    cursor: u64,
    let_go: Kind,
) -> Result<u64> {
    let lists = &actor.lane.lists;
    let (mut heads, mut more) = ([0; OBJECT_CLASS], [0; OBJECT_CLASS]);
    (0..OBJECT_CLASS).for_each(|class| heads[class] = pack::list_head(lists[class].peek()));
    let below = log.blocks(chunks, cursor, let_go, |class, block| {
        // What is linked elsewhere, or lies where this process has not looked yet, goes one by one.
        let Some(head) = heads.get_mut(class).filter(|_| block.is_multiple_of(16)) else { return false };
        let Some(link) = actor.space.known_word(block) else { return false };
        link.put(std::mem::replace(head, block));
        more[class] += 1;
        true
    })?;
    crash_point!("finish: blocks linked, lists not moved");
    let mut inner = Inner::new(*actor);
    for class in (0..OBJECT_CLASS).filter(|class| more[*class] != 0) {
        let count = pack::list_count(lists[class].peek()) + more[class];
        inner.set(&lists[class], pack::list(heads[class], count))?;
    }
    inner.set(state, pack::context(below, pack::phase(state.peek())))?;
    inner.commit();
    for class in (0..OBJECT_CLASS).filter(|class| more[*class] != 0) {
        trim(actor, class, more[class])?;
    }
    Ok(below)
}

/// A slot that owns something has twice so many bytes at least; the other half is for the ways through trees.
const LEAST_SLOT: u64 = 8;

/// The store that becomes true together with a container's last block going back.
pub(super) type Done<'d> = (&'d AtomicU64, u64);

/// Taking apart what one record names.
pub(super) struct Work<'a> {
    pub(super) actor: &'a Actor<'a>,
    /// Slots that may still be looked at: no more fit into the region, whatever a damaged one says.
    left: Cell<u64>,
}

impl Work<'_> {
    /// One more slot or node is looked at.
    pub(super) fn step(&self) -> Result<()> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or(Error::corrupt(0, "a detached container has more slots than the region"))?);
        Ok(())
    }
}

/// Takes a detached container apart, and what its slots own, from the last slot to the first. Whatever has gone back is
/// no longer named by what is left: a kill between two steps neither loses nor doubles a block, and who comes after it
/// begins anew with what is there.
fn raze(actor: &Actor, index: usize, record: &Record) -> Result<()> {
    let len = record.len as usize;
    if len < RAZE_HEAD || !len.is_multiple_of(4) {
        return Err(Error::corrupt(record.offset, "a record of a detached container is malformed"));
    }
    // SAFETY: the payload lies in our own log, 8-aligned, as long as was just checked; the header is atomics only, and
    // the words behind it are not written any more.
    let (raw, owned) = unsafe {
        let words = record.payload.add(RAZE_HEAD).cast::<u32>();
        (&*record.payload.cast::<RawHeader>(), std::slice::from_raw_parts(words, (len - RAZE_HEAD) / 4))
    };
    let shape = Shape::of(raw, record.offset)?;
    owned::check(owned, shape.slot_size, record.offset)?;
    let state = &actor.lane.contexts[index].state;
    let popped = pack::context(record.below, pack::phase(state.peek()));
    let left = Cell::new(actor.space.committed_pages()? * (PAGE / LEAST_SLOT));
    take_apart(&Work { actor, left }, raw, &shape, owned, (state, popped))
}

/// Gives back what a container's slots own, then its body, together with which `done` becomes true. `owned` has been
/// checked; it bounds how deep this goes.
fn take_apart(work: &Work<'_>, raw: &RawHeader, shape: &Shape, owned: &[u32], done: Done<'_>) -> Result<()> {
    if shape.kind.is_tree() {
        return raze_tree(work, raw, &TreeLayout::of(shape), owned, done);
    }
    if !owned.is_empty() && raw.len.peek() != 0 {
        empty_slots(work, raw, shape, owned)?;
        // From here on nobody looks into the body again.
        raw.len.put(0);
        crash_point!("raze: slots empty, body not returned");
    }
    let class = class_for(data_size(raw, shape));
    give(work.actor, class, raw.data.peek(), |inner| inner.set(done.0, done.1))?;
    crash_point!("raze: a body returned");
    trim_scattered(work.actor, class)
}

/// Gives back what the slots of an array, a ring or a table own.
fn empty_slots(work: &Work<'_>, raw: &RawHeader, shape: &Shape, owned: &[u32]) -> Result<()> {
    let (data, size) = (raw.data.peek(), shape.slot_size);
    let wrong = || Error::corrupt(data, "a detached container is impossible");
    if shape.kind.is_table() {
        let view = TableView::read(work.actor.space, raw, size)?.ok_or_else(wrong)?;
        for group in 0..view.groups() {
            let mut left = view.full_slots(group);
            while left != 0 {
                let slot = work.actor.space.offset_of_address(view.slot_at(group, left.trailing_zeros()));
                left &= left - 1;
                empty_slot(work, owned, &|at| slot + at)?;
            }
        }
        return Ok(());
    }
    let (capacity, first) = (raw.capacity.peek(), raw.aux0.peek());
    let is_ring = shape.kind == ContainerKind::VecDeque;
    if raw.len.peek() > capacity || is_ring && !capacity.is_power_of_two() {
        return Err(wrong());
    }
    work.actor.space.resolve(data, capacity.checked_mul(size).ok_or_else(wrong)?)?;
    while let Some(last) = raw.len.peek().checked_sub(1) {
        let number = if is_ring { first.wrapping_add(last) & (capacity - 1) } else { last };
        let slot = data + number * size;
        empty_slot(work, owned, &|at| slot + at)?;
        raw.len.put(last);
        crash_point!("raze: a slot done");
    }
    Ok(())
}

/// Gives back what one slot owns; `place` says where its byte `at` is.
pub(super) fn empty_slot(work: &Work<'_>, owned: &[u32], place: &dyn Fn(u64) -> u64) -> Result<()> {
    work.step()?;
    for field in owned::fields(owned) {
        match field {
            Field::Text { at } => drop_string(work, place(at))?,
            Field::Nested { at, shape, fields } => {
                let header: &RawHeader = work.actor.space.get(place(at))?;
                if header.data.peek() != 0 {
                    take_apart(work, header, &shape, fields, (&header.data, 0))?;
                }
            }
            Field::When { at, value, fields } => {
                let tag = work.actor.space.get::<AtomicU64>(place(at & !7))?.peek();
                if (tag >> (at % 8 * 8)) as u32 == value {
                    empty_slot(work, fields, place)?;
                }
            }
        }
    }
    Ok(())
}

/// Gives the block of a string back and empties the string, in one step.
pub(super) fn drop_string(work: &Work<'_>, at: u64) -> Result<()> {
    let words = [work.actor.space.get::<AtomicU64>(at)?, work.actor.space.get::<AtomicU64>(at + 8)?];
    let Some((block, len)) = Content::of(words.map(|word| word.peek()))?.block() else { return Ok(()) };
    let class = class_for(len);
    give(work.actor, class, block, |inner| inner.set(words[1], 0))?;
    crash_point!("raze: a string returned");
    trim_scattered(work.actor, class)
}

/// Puts a block on the lane's list together with whatever else `with` changes.
pub(super) fn give(actor: &Actor, class: usize, block: u64, with: impl FnOnce(&mut Inner) -> Result<()>) -> Result<()> {
    let list = &actor.lane.lists[class];
    let head = list.peek();
    // The block's content is dead: its link needs no log.
    actor.space.get::<AtomicU64>(block)?.put(pack::list_head(head));
    let mut inner = Inner::new(*actor);
    with(&mut inner)?;
    inner.set(list, pack::list(block, pack::list_count(head) + 1))?;
    inner.commit();
    Ok(())
}
