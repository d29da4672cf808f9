//! The first leaf of a tree, and splits.

use std::cmp::Ordering;

use super::change::{Tree, Way, copy};
use super::layout::MAX_LEVELS;
use super::{Node, Position};
use crate::crash::crash_point;
use crate::journal::Context;
use crate::raw::bytes::{BytesSlot, Content, encode, lend};
use crate::region::Space;
use crate::region::layout::*;
use crate::{Error, Result};

/// Log room for the blocks of an operation that changes several nodes, and for taking them back.
pub(crate) const BLOCKS_ROOM: u64 = 2048;

/// How a full leaf is split.
struct Cut {
    /// Entries that stay in the left half.
    left: usize,
    /// Does the new entry go to the right half?
    right: bool,
    /// At the very end of the tree: the left half stays full, so that ascending keys fill all leaves.
    appends: bool,
}

impl Tree<'_> {
    fn cut(&self, position: &Position, way: &Way) -> Cut {
        let capacity = self.layout.leaf_capacity;
        let is_last = |level: &usize| way.children[*level - 1] + 1 == self.count(way.nodes[*level - 1], *level);
        let appends = position.index >= capacity && (1..self.levels()).all(|level| is_last(&level));
        let right = appends || position.index > capacity / 2;
        let left = if appends { capacity } else { capacity / 2 + usize::from(right) };
        Cut { left, right, appends }
    }

    /// Levels whose node on the way is full, from the leaf up.
    fn full_levels(&self, way: &Way) -> usize {
        let is_full = |level: &usize| self.count(way.nodes[*level - 1], *level) == self.layout.inner_capacity;
        1 + (1..self.levels()).take_while(is_full).count()
    }

    /// Logs what a split changes.
    #[cold]
    pub(super) fn open_split(&self, context: &mut Context, position: &Position, way: Way) -> Result<()> {
        let full = self.full_levels(&way);
        if !self.cut(position, &way).appends {
            self.open_whole(context, position.leaf, 0)?;
        }
        for level in 1..full {
            self.open_whole(context, way.nodes[level - 1], level)?;
        }
        if full < self.levels() {
            let (node, child) = (way.nodes[full - 1], way.children[full - 1]);
            let [(keys, keys_len), _] = self.stretches(node, full, child);
            let [_, (children, children_len)] = self.stretches(node, full, child + 1);
            self.open_part(context, node, full, [(keys, keys_len), (children, children_len)])?;
        }
        Ok(())
    }

    /// Inserts an entry into a full leaf; `open_insert` and `reserve_log(BLOCKS_ROOM)` came before. `bytes` is the key's
    /// content if it is a text. Where the entry stands then.
    ///
    /// # Errors
    /// `OutOfSpace`; nothing has changed then.
    #[cold]
    pub(crate) fn insert_with_split(
        &self,
        context: &mut Context,
        position: &Position,
        compare: impl Fn(*const u8) -> Ordering,
        bytes: &[u8],
        (key, value): (*const u8, *const u8),
    ) -> Result<Position> {
        let way = self.way_to(position, compare)?;
        let (full, levels) = (self.full_levels(&way), self.levels());
        let cut = self.cut(position, &way);
        if full == levels && levels == MAX_LEVELS {
            return Err(Error::OutOfSpace { requested: 1, capacity: self.space.geometry.capacity });
        }
        let mut fresh = Fresh::new();
        let got = self.blocks_for_split(context, &mut fresh, full, position, &cut, bytes);
        let text = match got {
            Ok(text) => text,
            Err(error) => {
                fresh.cancel(context);
                return Err(error);
            }
        };
        // From here on nothing fails.
        let leaf = position.leaf;
        let (new_leaf, new_offset) = fresh.node(0);
        new_leaf.begin(context.stamp, 0, 0);
        self.move_entries(leaf, cut.left, new_leaf);
        crash_point!("tree: leaf split, parent not");
        let place = if cut.right { Position { leaf: new_leaf, index: position.index - cut.left } } else { *position };
        self.put(place.leaf, place.index, key, value);
        self.raw.aux0.put(self.raw.aux0.peek() + 1);
        let separator = if self.layout.text { (&raw const text).cast() } else { new_leaf.key(&self.layout, 0) };
        self.insert_children(context, &way, &fresh, full, cut.appends, (separator, new_offset));
        self.raw.len.put(self.len() + 1);
        crash_point!("tree: split and counted");
        Ok(place)
    }

    /// Blocks for the new nodes; the separator of the halves if keys are texts.
    fn blocks_for_split(
        &self,
        context: &mut Context,
        fresh: &mut Fresh,
        full: usize,
        position: &Position,
        cut: &Cut,
        bytes: &[u8],
    ) -> Result<BytesSlot> {
        fresh.allocate(context, self.layout.leaf_size)?;
        let grows = usize::from(full == self.levels());
        for _ in 1..full + grows {
            fresh.allocate(context, self.layout.inner_size)?;
        }
        if !self.layout.text {
            return Ok([0; 2]);
        }
        let content = |index: usize| {
            // SAFETY: W1, TN1: a live key of the leaf.
            unsafe { lend(self.space, position.leaf.key(&self.layout, index)) }
        };
        let at_cut = position.index == cut.left;
        let last = if at_cut && !cut.right { bytes } else { content(cut.left - 1)? };
        let first = if at_cut && cut.right { bytes } else { content(cut.left)? };
        let slot = encode(context, separator_of(last, first))?;
        fresh.remember_text(slot);
        Ok(slot)
    }

    /// Moves entries `from ..` behind those of another leaf.
    pub(super) fn move_entries(&self, leaf: Node, from: usize, to: Node) {
        let (layout, at) = (&self.layout, self.count(to, 0));
        let [(keys, keys_len), (values, values_len)] = self.stretches(leaf, 0, from);
        let moved = self.count(leaf, 0) - from;
        copy(keys, to.key(layout, at), keys_len);
        copy(values, to.value(layout, at), values_len);
        crash_point!("tree: entries copied, leaves not counted");
        to.set_count(at + moved);
        if moved != 0 {
            leaf.set_count(from);
        }
    }

    /// Puts a new child and its separator into the parents, which are split as far as they are full.
    fn insert_children(
        &self,
        context: &Context,
        way: &Way,
        fresh: &Fresh,
        full: usize,
        appends: bool,
        (mut separator, mut child): (*const u8, u64),
    ) {
        let (layout, levels) = (&self.layout, self.levels());
        for level in 1..full {
            let (node, at) = (way.nodes[level - 1], way.children[level - 1]);
            let (new, offset) = fresh.node(level);
            let stay = if appends { layout.inner_capacity - 1 } else { layout.inner_capacity / 2 };
            let moved = layout.inner_capacity - stay;
            new.begin(context.stamp, level, moved);
            let [(keys, keys_len), _] = self.stretches(node, level, stay);
            let [_, (children, children_len)] = self.stretches(node, level, stay);
            copy(keys, new.key(layout, 0), keys_len);
            copy(children, new.byte(layout.children_at), children_len);
            // The separator between the halves goes up. Until then it stands where the new node needs none yet.
            let up = new.key(layout, layout.inner_capacity - 2);
            copy(node.key(layout, stay - 1), up, layout.key_size);
            node.set_count(stay);
            crash_point!("tree: inner node split");
            match at.checked_sub(stay) {
                None => self.put_child(node, level, at, separator, child),
                Some(at) => self.put_child(new, level, at, separator, child),
            }
            (separator, child) = (up, offset);
        }
        if full < levels {
            self.raw.aux1.put(self.raw.aux1.peek() + full as u64 - 1);
            return self.put_child(way.nodes[full - 1], full, way.children[full - 1], separator, child);
        }
        let (root, offset) = fresh.node(full);
        root.begin(context.stamp, full, 2);
        root.set_child(layout, 0, self.raw.data.peek());
        root.set_child(layout, 1, child);
        copy(separator, root.key(layout, 0), layout.key_size);
        self.raw.data.put(offset);
        crash_point!("tree: root switched, levels not counted");
        self.raw.capacity.put(levels as u64 + 1);
        self.raw.aux1.put(self.raw.aux1.peek() + full as u64);
    }

    /// Puts a child behind child `at`, and its separator between them.
    fn put_child(&self, node: Node, level: usize, at: usize, separator: *const u8, child: u64) {
        let layout = &self.layout;
        let count = self.count(node, level);
        let [(keys, keys_len), _] = self.stretches(node, level, at);
        let [_, (children, children_len)] = self.stretches(node, level, at + 1);
        copy(keys, node.key(layout, at + 1), keys_len);
        copy(children, node.byte(layout.children_at + (at + 2) * 8), children_len);
        copy(separator, node.key(layout, at), layout.key_size);
        node.set_child(layout, at + 1, child);
        crash_point!("tree: child written, parent not counted");
        node.set_count(count + 1);
    }

    /// Makes the first leaf, with one entry; `touch` and `reserve_log` of 256 came before.
    ///
    /// # Errors
    /// `OutOfSpace`; nothing has changed then.
    #[cold]
    pub(crate) fn plant(&self, context: &mut Context, (key, value): (*const u8, *const u8)) -> Result<Position> {
        let mut fresh = Fresh::new();
        fresh.allocate(context, self.layout.leaf_size)?;
        let (leaf, offset) = fresh.node(0);
        leaf.begin(context.stamp, 0, 0);
        let position = Position { leaf, index: 0 };
        self.put(leaf, 0, key, value);
        self.raw.data.put(offset);
        crash_point!("tree: planted, levels not counted");
        self.raw.capacity.put(1);
        self.raw.aux0.put(1);
        self.raw.len.put(1);
        Ok(position)
    }
}

/// The shortest text that is greater than `last` and not greater than `first`.
pub(super) fn separator_of<'t>(last: &[u8], first: &'t [u8]) -> &'t [u8] {
    let common = last.iter().zip(first).take_while(|(a, b)| a == b).count();
    &first[..first.len().min(common + 1)]
}

/// Blocks that an operation has taken and not used yet.
pub(super) struct Fresh {
    nodes: [(Node, u64, u64); MAX_LEVELS + 1],
    count: usize,
    text: Option<(u64, u64)>,
}

impl Fresh {
    pub(super) fn new() -> Fresh {
        Fresh { nodes: [(Node(std::ptr::null_mut()), 0, 0); MAX_LEVELS + 1], count: 0, text: None }
    }

    /// Number `index` and its offset.
    fn node(&self, index: usize) -> (Node, u64) {
        let (node, offset, _) = self.nodes[index];
        (node, offset)
    }

    fn allocate(&mut self, context: &mut Context, size: u64) -> Result<()> {
        let offset = context.allocate(size)?;
        self.nodes[self.count] = (Node(std::ptr::null_mut()), offset, size);
        self.count += 1;
        let space: &Space = context.actor.space;
        self.nodes[self.count - 1].0 = Node(space.resolve(offset, size)?);
        Ok(())
    }

    pub(super) fn remember_text(&mut self, slot: BytesSlot) {
        self.text = Content::of(slot).ok().and_then(|content| content.block());
    }

    /// Gives all back, newest first; there is log room.
    pub(super) fn cancel(&self, context: &mut Context) {
        if let Some((block, len)) = self.text {
            context.cancel(len, block);
        }
        for (_, offset, size) in self.nodes[..self.count].iter().rev() {
            context.cancel(*size, *offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::separator_of;

    #[test]
    fn separators_are_short_and_between() {
        let texts: [&[u8]; 7] = [b"", b"a", b"a\0", b"aa", b"abcdef", b"abd", b"b"];
        for (index, last) in texts.iter().enumerate() {
            for first in &texts[index + 1..] {
                let separator = separator_of(last, first);
                assert!(*last < separator && separator <= *first, "{last:?} {separator:?} {first:?}");
            }
        }
        assert_eq!(separator_of(b"common, then a", b"common, then b and more"), b"common, then b");
    }
}
