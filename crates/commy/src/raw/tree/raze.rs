//! Taking a detached tree apart after the commit, in steps that a kill leaves whole or absent. A node's count says how
//! many of its children are left; so whoever comes next finds the way by itself: always to the last child.

use crate::sys::atomic::AtomicU64;

use super::layout::HEAD;
use super::{MAX_LEVELS, TreeLayout, damaged};
use crate::Result;
use crate::crash::crash_point;
use crate::heap::{class_for, trim_scattered};
use crate::journal::Context;
use crate::raw::finish::{Done, Work, drop_string, empty_slot, give};
use crate::region::layout::*;

/// Gives back all nodes of a tree and what their slots own; `done` becomes true together with the last.
pub(in crate::raw) fn raze_tree(
    work: &Work<'_>,
    raw: &RawHeader,
    layout: &TreeLayout,
    owned: &[u32],
    done: Done<'_>,
) -> Result<()> {
    let space = work.actor.space;
    let (root, levels) = (raw.data.peek(), raw.capacity.peek());
    let wrong = || damaged(root);
    if levels == 0 || levels > MAX_LEVELS as u64 {
        return Err(wrong());
    }
    loop {
        let (mut offset, mut level, mut parent) = (root, levels - 1, None);
        let (size, count) = loop {
            work.step()?;
            let size = if level == 0 { layout.leaf_size } else { layout.inner_size };
            space.resolve(offset, size)?;
            let word = space.get::<AtomicU64>(offset + 8)?;
            let count = word.peek() & 0xffff;
            let capacity = if level == 0 { layout.leaf_capacity } else { layout.inner_capacity } as u64;
            if count > capacity || !offset.is_multiple_of(16) {
                return Err(wrong());
            }
            let Some(last) = count.checked_sub(1).filter(|_| level > 0) else { break (size, count) };
            if layout.text && last > 0 {
                // The separator before a child goes with it.
                drop_string(work, offset + HEAD as u64 + (last - 1) * layout.key_size as u64)?;
            }
            parent = Some(word);
            offset = space.get::<AtomicU64>(offset + layout.children_at as u64 + last * 8)?.peek();
            level -= 1;
        };
        if level == 0 {
            empty_entries(work, layout, offset, count, owned)?;
        }
        let class = class_for(size);
        give(work.actor, class, offset, |inner| match parent {
            Some(word) => inner.set(word, word.peek() - 1),
            None => inner.set(done.0, done.1),
        })?;
        crash_point!("raze: a node returned");
        trim_scattered(work.actor, class)?;
        if parent.is_none() {
            return Ok(());
        }
    }
}

/// Gives back what the entries of a leaf own.
fn empty_entries(work: &Work<'_>, layout: &TreeLayout, leaf: u64, count: u64, owned: &[u32]) -> Result<()> {
    if owned.is_empty() {
        return Ok(());
    }
    let value_at = TreeLayout::value_at(layout.key_size as u64);
    let (keys, values) = (leaf + HEAD as u64, leaf + layout.values_at as u64);
    for index in 0..count {
        empty_slot(work, owned, &|at| match at.checked_sub(value_at) {
            Some(at) => values + index * layout.value_size as u64 + at,
            None => keys + index * layout.key_size as u64 + at,
        })?;
    }
    Ok(())
}

/// Lets go what a tree without strings and inner nodes has: one leaf. The record for it would be longer.
pub(in crate::raw) fn release_leaf(context: &mut Context, raw: &RawHeader, layout: &TreeLayout) {
    context.release(layout.leaf_size, raw.data.peek());
}
