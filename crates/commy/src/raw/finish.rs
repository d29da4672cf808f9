//! What comes after the commit or the undo: blocks go back to the lane's lists, detached containers are taken apart,
//! records are popped from the top. Never waits, never fails for lack of room; whoever owns the lane may do it.

use super::counter::release_segments;
use super::deque::whole_run;
use super::shape::{ContainerKind, Shape};
use super::table::{TABLE_GROUP, TableView, owned_block};
use super::tree::{RAZE_STACK, TreeLayout, detach_tree, raze_tree, release_leaf};
use crate::crash::crash_point;
use crate::heap::{block_size, class_for, trim};
use crate::journal::{self, Context, HEAD_SIZE, Inner, Kind, Log, Phase, RUN_CLASS, Record, SPILL_CLASS};
use crate::process::Actor;
use crate::region::layout::*;
use crate::{Error, Result};
use std::sync::atomic::AtomicU64;

/// A Raze payload: raw header image, how many owned strings have been dealt with (u64), then the offsets of a slot's
/// owned strings (u32 each). Of a tree, `RAZE_STACK` words stand before the offsets, and the progress is how many of them
/// are in use. It is complete: the object itself may be removed by somebody meanwhile.
const RAZE_HEAD: usize = RAW_SIZE as usize + 8;

/// Empties a container: its blocks go at commit. `owned`: where in a slot the strings are that it owns. Fails before
/// anything changes.
pub(crate) fn detach(context: &mut Context, raw: &RawHeader, owned: &[u32]) -> Result<()> {
    let offset = context.actor.space.offset_of(raw);
    let shape = Shape::of(raw, offset)?;
    context.save_header(raw, live_of(raw, &shape))?;
    if shape.kind == ContainerKind::Counter {
        release_segments(context, raw)?;
    }
    let stack = if shape.kind.is_tree() { RAZE_STACK * 8 } else { 0 };
    context.reserve_log((RAZE_HEAD + stack + owned.len() * 4).next_multiple_of(8) as u64 + HEAD_SIZE)?;
    let (data, size) = (raw.data.peek(), data_size(raw, &shape));
    if data != 0 && shape.kind.is_tree() && owned.is_empty() && raw.capacity.peek() == 1 {
        release_leaf(context, raw, &TreeLayout::of(&shape));
    } else if data != 0 && (shape.kind.is_tree() || !owned.is_empty() && raw.len.peek() != 0) {
        let words = [&raw.stamp, &raw.low_water, &raw.shape, &raw.data, &raw.len, &raw.capacity, &raw.aux0, &raw.aux1];
        let mut image: Vec<u8> = words.iter().flat_map(|word| word.peek().to_le_bytes()).collect();
        image.extend_from_slice(&0u64.to_le_bytes());
        if shape.kind.is_tree() {
            detach_tree(raw, &mut image);
        }
        image.extend(owned.iter().flat_map(|offset| offset.to_le_bytes()));
        context.append_raze(data, &image);
    } else if data != 0 {
        context.release(size, data);
    }
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
    let phase = Phase::of(state.peek());
    let log = Log::new(*actor, index);
    let chunks = log.chunks()?;
    let mut cursor = pack::cursor(state.peek());
    while let Some(record) = log.below(&chunks, cursor)? {
        match (phase, record.kind) {
            (Phase::Committed, Kind::Free) | (Phase::Undone, Kind::Alloc) => {
                let class = usize::from(record.flags);
                let is_class = class == RUN_CLASS || (class < LIST_COUNT && block_size(class) != 0);
                if !is_class || !record.offset.is_multiple_of(16) {
                    return Err(Error::corrupt(record.offset, "a record names no block of a class"));
                }
                let state = &actor.lane.contexts[index].state;
                journal::push_and_drop_record(actor.space, actor.lane, index, class, record.offset, || {
                    state.put(pack::context(record.below, pack::phase(state.peek())));
                })?;
                trim(actor, class)?;
            }
            (Phase::Committed, Kind::Raze) => raze(actor, index, &record)?,
            _ => {}
        }
        cursor = record.below;
    }
    crash_point!("finish: all popped");
    state.put(pack::context(0, phase as u64));
    // One chunk stays with contexts that have no inline log; the rest of the chain returns.
    let mut chunks = chunks;
    while let [.., before, last] = chunks[..] {
        journal::unspill(actor, index, &before, &last)?;
        chunks.pop();
        crash_point!("finish: a chunk returned");
        trim(actor, SPILL_CLASS)?;
    }
    state.put(0);
    crash_point!("finish: idle");
    Ok(())
}

/// Takes a detached container apart: each string's block and the progress behind it move in one inner step, so a kill
/// between two strings neither loses nor doubles one.
fn raze(actor: &Actor, index: usize, record: &Record) -> Result<()> {
    let len = record.len as usize;
    let malformed = || Error::corrupt(record.offset, "a record of a detached container is malformed");
    if len < RAZE_HEAD || !len.is_multiple_of(4) {
        return Err(malformed());
    }
    // SAFETY: the payload lies in our own log, 8-aligned, as long as was just checked; atomics only.
    let (raw, progress) =
        unsafe { (&*record.payload.cast::<RawHeader>(), &*record.payload.add(RAW_SIZE as usize).cast::<AtomicU64>()) };
    let shape = Shape::of(raw, record.offset)?;
    let stack = if shape.kind.is_tree() { RAZE_STACK } else { 0 };
    let owned = len.checked_sub(RAZE_HEAD + stack * 8).ok_or_else(malformed)?;
    // SAFETY: as above.
    let (stack, owned) = unsafe {
        let rest = record.payload.add(RAZE_HEAD);
        let offsets = rest.add(stack * 8).cast::<u32>();
        (std::slice::from_raw_parts(rest.cast::<AtomicU64>(), stack), std::slice::from_raw_parts(offsets, owned / 4))
    };
    if owned.iter().any(|at| u64::from(*at) + 16 > shape.slot_size) {
        return Err(malformed());
    }
    if shape.kind.is_tree() {
        let state = &actor.lane.contexts[index].state;
        let popped = pack::context(record.below, pack::phase(state.peek()));
        let last = |inner: &mut Inner| inner.set(state, popped);
        let levels = raw.capacity.peek();
        return raze_tree(actor, &TreeLayout::of(&shape), levels, (progress, stack), owned, last);
    }
    if owned.is_empty() {
        return Err(malformed());
    }
    let view = Detached::new(actor, raw, &shape)?;
    let fields = owned.len() as u64;
    let total = view.slots().checked_mul(fields).ok_or(Error::corrupt(record.offset, "a container is too large"))?;
    for number in progress.peek()..total {
        let Some(slot) = view.slot(number / fields) else { continue };
        let Some((block, len)) = owned_block(slot, owned[(number % fields) as usize])? else { continue };
        let class = class_for(len);
        give(actor, class, block, |inner| inner.set(progress, number + 1))?;
        crash_point!("raze: a string returned");
        trim(actor, class)?;
    }
    // The body last, together with the record.
    let class = class_for(data_size(raw, &shape));
    let state = &actor.lane.contexts[index].state;
    let popped = pack::context(record.below, pack::phase(state.peek()));
    give(actor, class, raw.data.peek(), |inner| inner.set(state, popped))?;
    trim(actor, class)
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

/// The slots of a detached container.
enum Detached<'a> {
    Array { first: *mut u8, len: u64, slot_size: u64 },
    Ring { body: *mut u8, head: u64, mask: u64, len: u64, slot_size: u64 },
    Table(TableView, std::marker::PhantomData<&'a ()>),
}

impl<'a> Detached<'a> {
    fn new(actor: &Actor<'a>, raw: &RawHeader, shape: &Shape) -> Result<Detached<'a>> {
        if shape.kind.is_table() {
            let view = TableView::read(actor.space, raw, shape.slot_size)?;
            let view = view.ok_or(Error::corrupt(raw.data.peek(), "a detached table is empty"))?;
            return Ok(Detached::Table(view, std::marker::PhantomData));
        }
        let len = raw.len.peek();
        let bytes = len.checked_mul(shape.slot_size).ok_or(Error::corrupt(0, "a container is too large"))?;
        if shape.kind == ContainerKind::VecDeque {
            let (capacity, head) = (raw.capacity.peek(), raw.aux0.peek());
            let wrong = || Error::corrupt(raw.data.peek(), "a detached queue is impossible");
            if !capacity.is_power_of_two() || len > capacity {
                return Err(wrong());
            }
            let size = capacity.checked_mul(shape.slot_size).ok_or_else(wrong)?;
            let body = actor.space.resolve(raw.data.peek(), size)?;
            return Ok(Detached::Ring { body, head, mask: capacity - 1, len, slot_size: shape.slot_size });
        }
        let first = actor.space.resolve(raw.data.peek(), bytes)?;
        Ok(Detached::Array { first, len, slot_size: shape.slot_size })
    }

    fn slots(&self) -> u64 {
        match self {
            Detached::Array { len, .. } | Detached::Ring { len, .. } => *len,
            Detached::Table(view, _) => view.slots(),
        }
    }

    /// Slot `number`, if it holds a value.
    fn slot(&self, number: u64) -> Option<*const u8> {
        match self {
            // SAFETY: R1: number < len, all of which was resolved.
            Detached::Array { first, slot_size, .. } => Some(unsafe { first.add((number * slot_size) as usize) }),
            Detached::Ring { body, head, mask, slot_size, .. } => {
                let place = head.wrapping_add(number) & mask;
                // SAFETY: R1: place <= mask, and all slots were resolved.
                Some(unsafe { body.add((place * slot_size) as usize) }.cast_const())
            }
            Detached::Table(view, _) => {
                let (group, index) = (number / TABLE_GROUP, (number % TABLE_GROUP) as u32);
                (view.full_slots(group) >> index & 1 == 1).then(|| view.slot_at(group, index).cast_const())
            }
        }
    }
}
