//! Moving blocks between a lane's lists, the spans and the supply. Each step is one inner transaction; a kill
//! anywhere leaves it whole or absent.

use super::class::{KEPT, batch, block_size, is_type_stable};
use super::run;
use super::span::Span;
use crate::journal::{Inner, RUN_CLASS, link_offset};
use crate::process::{Actor, LaneState, claim_free, release_lane};
use crate::region::layout::*;
use crate::sys::atomic::{AtomicU64, Ordering};
use crate::{Error, Result};
use std::time::{Duration, Instant};

/// Fills the lane's list of `class` (a block class, list empty) with a batch.
#[cold]
pub(crate) fn refill(actor: &Actor, class: usize) -> Result<()> {
    debug_assert!(block_size(class) != 0 && pack::list_head(actor.lane.lists[class].peek()) == 0);
    let filled = retry_with_growth(actor, super::class::span_pages(class), |inner| {
        let index = lock_some_arena(actor, inner)?;
        let span = match actor.space.arena(index).partial[class].peek().checked_sub(1) {
            Some(page) => Span::at(actor.space, page)?,
            None => {
                inner.lock_supply()?;
                match Span::create(actor.space, inner, class, index)? {
                    Some(span) => span,
                    None => return Ok(false),
                }
            }
        };
        span.give_batch(actor, inner)?;
        Ok(true)
    });
    match filled {
        Err(Error::OutOfSpace { .. }) if refill_elsewhere(actor, class)? => Ok(()),
        filled => filled,
    }
}

/// Fills the lane's list from whichever arena has blocks of the class.
#[cold]
fn refill_elsewhere(actor: &Actor, class: usize) -> Result<bool> {
    for index in 0..ARENA_COUNT {
        let arena = actor.space.arena(index);
        let mut inner = Inner::new(*actor);
        if arena.partial[class].peek() == 0 || !inner.try_lock_arena(arena) {
            continue;
        }
        if let Some(page) = arena.partial[class].peek().checked_sub(1) {
            Span::at(actor.space, page)?.give_batch(actor, &mut inner)?;
            inner.commit();
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives the pages of spans without a block in use to the supply, as far as nobody is in the way: what one class keeps
/// serves another before anybody is told that there is no room.
#[cold]
fn give_back_spans(actor: &Actor) -> Result<()> {
    for index in 0..ARENA_COUNT {
        let arena = actor.space.arena(index);
        let mut inner = Inner::new(*actor);
        if !inner.try_lock_arena(arena) || !inner.try_lock_supply() {
            continue;
        }
        for class in (0..LIST_COUNT).filter(|class| block_size(*class) != 0 && !is_type_stable(*class)) {
            let first = arena.partial[class].peek().checked_sub(1);
            let mut next = first.map(|page| Span::at(actor.space, page)).transpose()?;
            // A list that a damaged file closes to a circle ends, too.
            let mut left = actor.space.committed_pages()?;
            while let Some(span) = next.filter(|_| left > 0) {
                (next, left) = (span.next()?, left - 1);
                if span.is_empty()? {
                    span.put_back(&mut inner)?;
                    inner.commit();
                }
            }
        }
    }
    Ok(())
}

/// How long one arena is waited for before the next one is.
const TURN: Duration = Duration::from_millis(2);

/// Arenas are tried in turn, so that a paused holder stops nobody; when all are taken each is waited for a little.
fn lock_some_arena(actor: &Actor, inner: &mut Inner) -> Result<u64> {
    let first = u64::from(actor.id) % ARENA_COUNT;
    let start = Instant::now();
    for step in 0.. {
        let index = (first + step) % ARENA_COUNT;
        let arena = actor.space.arena(index);
        if inner.try_lock_arena(arena) {
            return Ok(index);
        }
        if step < ARENA_COUNT {
            continue;
        }
        let left = actor.me.timeout.saturating_sub(start.elapsed());
        match inner.lock_arena(arena, left.min(TURN)) {
            Err(Error::Timeout { .. }) if left > TURN => {}
            Err(Error::Timeout { holder, .. }) => return Err(Error::Timeout { holder, waited: start.elapsed() }),
            locked => return locked.map(|()| index),
        }
    }
    unreachable!("some arena is had, or the time is over")
}

/// Puts a run of `pages` pages on top of the lane's list of runs.
#[cold]
pub(crate) fn refill_run(actor: &Actor, pages: u64) -> Result<()> {
    give_back_runs(actor)?;
    retry_with_growth(actor, pages, |inner| {
        inner.lock_supply()?;
        let Some(page) = run::take(actor.space, inner, pages)? else { return Ok(false) };
        run::mark(actor.space, inner, page, pages)?;
        let list = &actor.lane.lists[RUN_CLASS];
        let block = actor.space.page_offset(page);
        // The run is nobody's yet: its link needs no log.
        actor.space.get::<AtomicU64>(block)?.put(pack::list_head(list.peek()));
        inner.set(list, pack::list(block, pack::list_count(list.peek()) + 1))?;
        Ok(true)
    })
}

/// Runs `step` as an inner transaction; while it says that the supply is out of pages, the region grows outside all
/// locks. If it cannot, the caches of this lane and of lanes without an owner are given back once, and all empty spans.
fn retry_with_growth(actor: &Actor, pages: u64, mut step: impl FnMut(&mut Inner) -> Result<bool>) -> Result<()> {
    let mut flushed = false;
    loop {
        let mut inner = Inner::new(*actor);
        let done = step(&mut inner)?;
        if done {
            inner.commit();
        }
        drop(inner);
        if done {
            return Ok(());
        }
        let wanted = actor.space.supply().supplied.peek().saturating_add(pages);
        match actor.space.commit_pages(wanted) {
            Ok(()) => {}
            Err(Error::OutOfSpace { capacity, .. }) if flushed => {
                return Err(Error::OutOfSpace { requested: pages * PAGE, capacity });
            }
            Err(Error::OutOfSpace { .. }) => {
                flushed = true;
                flush_all(actor)?;
                flush_free_lanes(actor)?;
                give_back_spans(actor)?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// A list of the lane has got `more` blocks: gives blocks of it back to their spans if it has more than its due and all
/// lists of the lane together have.
#[inline(always)]
pub(crate) fn trim(actor: &Actor, class: usize, more: u64) -> Result<()> {
    let (size, kept) = KEPT[class];
    if pack::list_count(actor.lane.lists[class].peek()) <= kept.into() {
        return Ok(());
    }
    match actor.lane.heap.allowance.peek().checked_sub(more * u64::from(size)) {
        Some(left) if class != RUN_CLASS => {
            actor.lane.heap.allowance.put(left);
            Ok(())
        }
        _ => trim_counted(actor, class),
    }
}

/// As [`trim`] for a block of a container that is taken apart: the list keeps its due alone. Such blocks are many and lie
/// everywhere. A few of each span, kept here, would keep the spans from becoming empty, and who allocates afterwards would
/// get what lies scattered in old spans instead of one block beside the other in new ones.
pub(crate) fn trim_scattered(actor: &Actor, class: usize) -> Result<()> {
    if pack::list_count(actor.lane.lists[class].peek()) <= KEPT[class].1.into() {
        return Ok(());
    }
    if class == RUN_CLASS { give_back_runs(actor) } else { flush(actor, class, batch(class)) }
}

/// What the lists of a lane may have in all, unless each has its due alone.
const MOST: u64 = 1 << 20;
/// The part of a region's capacity that the lists of all lanes may have so.
const PART: u64 = 16;

#[cold]
fn trim_counted(actor: &Actor, class: usize) -> Result<()> {
    if class == RUN_CLASS {
        return give_back_runs(actor);
    }
    let lanes = actor.space.words().lanes_high.load(Ordering::Relaxed).max(1);
    let most = MOST.min(actor.space.geometry.capacity / PART / lanes);
    let count = |class: usize| pack::list_count(actor.lane.lists[class].peek());
    let bytes = |class: usize| count(class) * block_size(class);
    let has: u64 = (0..LIST_COUNT).map(bytes).sum();
    actor.lane.heap.allowance.put(most.saturating_sub(has));
    if has <= most {
        return Ok(());
    }
    let goes = (has - most).div_ceil(block_size(class)).max(batch(class));
    flush(actor, class, count(class).saturating_sub(goes).max(batch(class)))
}

/// So many blocks go back to spans of an arena before its word is free for others.
const TURN_BLOCKS: u64 = 256;

/// Gives blocks back until `keep` are left or an arena is busy.
#[cold]
fn flush(actor: &Actor, class: usize, keep: u64) -> Result<()> {
    let list = &actor.lane.lists[class];
    let mut left = pack::list_count(list.peek());
    let wanted = |left: u64| pack::list_head(list.peek()) != 0 && (left > keep || keep == 0);
    while wanted(left) {
        let mut span = Span::of_block(actor.space, pack::list_head(list.peek()), class)?;
        let mut inner = Inner::new(*actor);
        if !inner.try_lock_arena(actor.space.arena(span.arena)) {
            return Ok(());
        }
        let (arena, mut turn) = (span.arena, TURN_BLOCKS);
        while turn > 0 && span.arena == arena {
            let most = if keep == 0 { turn } else { turn.min(left - keep) };
            let taken = span.take_back(actor, &mut inner, most)?;
            inner.commit();
            (turn, left) = (turn.saturating_sub(taken), left.saturating_sub(taken));
            // Nobody is to wait for the supply longer than for one span.
            if inner.has_supply() || !wanted(left) {
                break;
            }
            span = Span::of_block(actor.space, pack::list_head(list.peek()), class)?;
        }
    }
    Ok(())
}

/// Gives the lane's page runs back to the supply unless somebody holds its word; never waits.
pub(crate) fn give_back_runs(actor: &Actor) -> Result<()> {
    let list = &actor.lane.lists[RUN_CLASS];
    loop {
        let block = pack::list_head(list.peek());
        if block == 0 {
            return Ok(());
        }
        let pages = run::len_of(actor.space, block)?;
        let next = actor.space.get::<AtomicU64>(block + link_offset(RUN_CLASS))?.peek();
        let mut inner = Inner::new(*actor);
        if !inner.try_lock_supply() {
            return Ok(());
        }
        inner.set(list, pack::list(next, pack::list_count(list.peek()).wrapping_sub(1)))?;
        run::put_back(actor.space, &mut inner, actor.space.page_of(block), pages)?;
        inner.commit();
    }
}

/// Gives back what lanes without an owner still have: a thread that ends while an arena is busy leaves its blocks of it
/// in its lane.
#[cold]
fn flush_free_lanes(actor: &Actor) -> Result<()> {
    let space = actor.space;
    for id in 0..space.words().lanes_high.load(Ordering::Acquire) as u32 {
        let keeps = |lane: &Lane| lane.lists.iter().any(|list| pack::list_head(list.peek()) != 0);
        if !space.lane(id).is_some_and(keeps) {
            continue;
        }
        if let Some(borrowed) = claim_free(space, actor.me, id)? {
            flush_all(&borrowed).inspect_err(|_| borrowed.set_state(LaneState::Damaged))?;
            release_lane(&borrowed);
        }
    }
    Ok(())
}

/// Gives everything in the lane's lists back, as far as nobody is in the way.
pub(crate) fn flush_all(actor: &Actor) -> Result<()> {
    for class in (0..LIST_COUNT).filter(|class| block_size(*class) != 0) {
        flush(actor, class, 0)?;
    }
    give_back_runs(actor)
}
