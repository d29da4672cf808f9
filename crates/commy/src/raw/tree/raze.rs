//! Taking a detached tree apart after the commit, in steps that a kill leaves whole or absent. The record remembers the
//! way to the present node; a node's count says how many of its children are left.

use std::sync::atomic::AtomicU64;

use super::layout::HEAD;
use super::{MAX_LEVELS, TreeLayout, damaged};
use crate::Result;
use crate::crash::crash_point;
use crate::heap::{class_for, trim};
use crate::journal::{Context, Inner};
use crate::process::Actor;
use crate::raw::bytes::Content;
use crate::raw::finish::give;
use crate::region::layout::*;

/// Words of the way in a record, behind the raw header and the number of words in use.
pub(in crate::raw) const RAZE_STACK: usize = MAX_LEVELS;

/// Hands a tree over to the record that takes it apart: `image` is the payload so far (raw header, progress).
pub(in crate::raw) fn detach_tree(raw: &RawHeader, image: &mut Vec<u8>) {
    let mut way = [0u64; RAZE_STACK];
    way[0] = raw.data.peek();
    image.extend(way.iter().flat_map(|word| word.to_le_bytes()));
}

/// A string's two words: while the second one is not 0 the string owns what it names.
fn string_at(actor: &Actor, at: u64) -> Result<Option<(u64, u64)>> {
    let words = [actor.space.get::<AtomicU64>(at)?.peek(), actor.space.get::<AtomicU64>(at + 8)?.peek()];
    Ok(Content::of(words)?.block())
}

/// Gives the block of a string back and empties the string, in one step.
fn drop_string(actor: &Actor, at: u64) -> Result<()> {
    let Some((block, len)) = string_at(actor, at)? else { return Ok(()) };
    let class = class_for(len);
    let word = actor.space.get::<AtomicU64>(at + 8)?;
    give(actor, class, block, |inner| inner.set(word, 0))?;
    crash_point!("raze: a string of a tree returned");
    trim(actor, class)
}

/// Takes a tree apart. `progress` says how much of `way` is in use, less one; `popped` pops the record with the last
/// node. `owned`: where strings are in the slot that a descriptor speaks of.
pub(in crate::raw) fn raze_tree(
    actor: &Actor,
    layout: &TreeLayout,
    levels: u64,
    (progress, way): (&AtomicU64, &[AtomicU64]),
    owned: &[u32],
    popped: impl Fn(&mut Inner) -> Result<()>,
) -> Result<()> {
    let space = actor.space;
    let wrong = || damaged(way[0].peek());
    if levels == 0 || levels > MAX_LEVELS as u64 {
        return Err(wrong());
    }
    loop {
        let depth = progress.peek();
        if depth >= levels {
            return Err(wrong());
        }
        let (level, offset) = ((levels - 1 - depth) as usize, way[depth as usize].peek());
        let size = if level == 0 { layout.leaf_size } else { layout.inner_size };
        space.resolve(offset, size)?;
        let word = space.get::<AtomicU64>(offset + 8)?;
        let count = word.peek() & 0xffff;
        if level > 0 && count > 0 {
            if count > layout.inner_capacity as u64 {
                return Err(wrong());
            }
            let last = count - 1;
            if layout.text && last > 0 {
                drop_string(actor, offset + HEAD as u64 + (last - 1) * layout.key_size as u64)?;
            }
            let child = space.get::<AtomicU64>(offset + layout.children_at as u64 + last * 8)?.peek();
            let mut inner = Inner::new(*actor);
            inner.set(word, word.peek() - 1)?;
            inner.set(&way[depth as usize + 1], child)?;
            inner.set(progress, depth + 1)?;
            inner.commit();
            crash_point!("raze: down to a child");
            continue;
        }
        if level == 0 {
            raze_entries(actor, layout, offset, count.min(layout.leaf_capacity as u64), owned)?;
        }
        let class = class_for(size);
        give(actor, class, offset, |inner| match depth.checked_sub(1) {
            Some(above) => inner.set(progress, above),
            None => popped(inner),
        })?;
        crash_point!("raze: a node returned");
        trim(actor, class)?;
        if depth == 0 {
            return Ok(());
        }
    }
}

/// Gives back what the entries of a leaf own.
fn raze_entries(actor: &Actor, layout: &TreeLayout, leaf: u64, count: u64, owned: &[u32]) -> Result<()> {
    let value_at = TreeLayout::value_at(layout.key_size as u64);
    for index in 0..count {
        for at in owned.iter().map(|at| u64::from(*at)) {
            let place = match at.checked_sub(value_at) {
                Some(at) => layout.values_at as u64 + index * layout.value_size as u64 + at,
                None => HEAD as u64 + index * layout.key_size as u64 + at,
            };
            drop_string(actor, leaf + place)?;
        }
    }
    Ok(())
}

/// Lets go what a tree without strings and inner nodes has: one leaf. The record for it would be longer.
pub(in crate::raw) fn release_leaf(context: &mut Context, raw: &RawHeader, layout: &TreeLayout) {
    context.release(layout.leaf_size, raw.data.peek());
}
