//! Removal that leaves a node too empty: it takes from its neighbour, or becomes one with it, and so on upwards.

use std::cmp::Ordering;

use super::change::{Tree, Way, copy};
use super::grow::separator_of;
use super::{Node, Position};
use crate::Result;
use crate::crash::crash_point;
use crate::journal::Context;
use crate::raw::bytes::{BytesSlot, encode, lend};
use crate::raw::table::owned_block;
use crate::region::layout::*;

/// A node that lost something, its neighbour, and what is above.
struct Pair {
    left: Node,
    right: Node,
    right_offset: u64,
    parent: Node,
    /// The separator between them is the parent's number `at`.
    at: usize,
    /// Which of the two lost something?
    lost_right: bool,
}

impl Tree<'_> {
    /// The node of `level` on the way, and its right neighbour, or the left one if it is the last.
    fn pair(&self, way: &Way, leaf: Node, level: usize) -> Result<Pair> {
        let view = self.view()?;
        let node = if level == 0 { leaf } else { way.nodes[level - 1] };
        let (parent, child) = (way.nodes[level], way.children[level]);
        let lost_right = child + 1 >= self.count(parent, level + 1);
        let other = if lost_right { child.checked_sub(1) } else { Some(child + 1) };
        let other = other.ok_or_else(|| self.damage())?;
        let offset = parent.child(&self.layout, other);
        let (other_node, _) = match level {
            0 => view.leaf(offset),
            _ => view.inner(offset),
        }
        .ok_or_else(|| self.damage())?;
        let own_offset = parent.child(&self.layout, child);
        Ok(match lost_right {
            true => Pair { left: other_node, right: node, right_offset: own_offset, parent, at: other, lost_right },
            false => Pair { left: node, right: other_node, right_offset: offset, parent, at: child, lost_right },
        })
    }

    /// Do both fit into one node, with room for what is to come? `lost`: what one of them still has to lose.
    fn merges(&self, pair: &Pair, level: usize, lost: usize) -> bool {
        let capacity = if level == 0 { self.layout.leaf_capacity } else { self.layout.inner_capacity };
        let sum = self.count(pair.left, level) + self.count(pair.right, level);
        sum.saturating_sub(lost) <= capacity * 3 / 4
    }

    /// Logs what `remove_and_balance` changes.
    #[cold]
    pub(super) fn open_balance(&self, context: &mut Context, position: &Position, way: Way) -> Result<()> {
        for level in 0..self.levels() - 1 {
            let pair = self.pair(&way, position.leaf, level)?;
            self.open_whole(context, pair.left, level)?;
            self.open_whole(context, pair.right, level)?;
            self.open_whole(context, pair.parent, level + 1)?;
            let is_root = level + 2 == self.levels();
            let enough = self.count(pair.parent, level + 1) > self.layout.inner_least();
            if !self.merges(&pair, level, 1) || is_root || enough {
                break;
            }
        }
        Ok(())
    }

    /// Takes an entry out of a leaf that becomes too empty; `open_remove` and `reserve_log(BLOCKS_ROOM)` came before.
    ///
    /// # Errors
    /// `OutOfSpace`; nothing has changed then.
    #[cold]
    pub(crate) fn remove_and_balance(
        &self,
        context: &mut Context,
        position: &Position,
        compare: impl Fn(*const u8) -> Ordering,
    ) -> Result<()> {
        if self.levels() == 1 {
            self.remove(position);
            context.release(self.layout.leaf_size, self.raw.data.peek());
            self.raw.data.put(0);
            crash_point!("tree: emptied, levels not counted");
            self.raw.capacity.put(0);
            self.raw.aux0.put(0);
            return Ok(());
        }
        let way = self.way_to(position, compare)?;
        let first = self.pair(&way, position.leaf, 0)?;
        // The separator for the case that the leaves share what they have.
        let text = match self.layout.text && !self.merges(&first, 0, 1) {
            true => self.shared_separator(context, &first, position)?,
            false => [0; 2],
        };
        // From here on nothing fails but by damage, which dooms the context.
        self.remove(position);
        let balanced = self.balance(context, &way, position.leaf, &text);
        balanced.inspect_err(|_| context.doomed = true)
    }

    fn balance(&self, context: &mut Context, way: &Way, leaf: Node, text: &BytesSlot) -> Result<()> {
        for level in 0..self.levels() - 1 {
            let pair = self.pair(way, leaf, level)?;
            if !self.merges(&pair, level, 0) {
                return match level {
                    0 => self.share_entries(context, &pair, text),
                    _ => self.share_children(&pair, level),
                };
            }
            self.merge(context, &pair, level)?;
            let above = self.count(pair.parent, level + 1);
            if level + 2 == self.levels() {
                if above == 1 {
                    self.lower_root(context, pair.parent);
                }
                return Ok(());
            }
            if above >= self.layout.inner_least() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// How many entries the left leaf has after sharing, of `sum`.
    fn share(sum: usize) -> usize {
        sum / 2
    }

    /// The separator between two leaves that are going to share what they have after a removal.
    fn shared_separator(&self, context: &mut Context, pair: &Pair, position: &Position) -> Result<BytesSlot> {
        let left = self.count(pair.left, 0);
        let gone = if pair.lost_right { left + position.index } else { position.index };
        let content = |number: usize| {
            let number = number + usize::from(number >= gone);
            let key = match number.checked_sub(left) {
                None => pair.left.key(&self.layout, number),
                Some(number) => pair.right.key(&self.layout, number),
            };
            // SAFETY: W1, TN1: a live key of one of the leaves.
            unsafe { lend(self.space, key) }
        };
        let stays = Self::share(left + self.count(pair.right, 0) - 1);
        let (last, first) = (content(stays.saturating_sub(1))?, content(stays)?);
        encode(context, separator_of(last, first))
    }

    /// Lets the block of a separator that nobody needs any more go.
    fn drop_separator(&self, context: &mut Context, separator: *const u8) -> Result<()> {
        if self.layout.text
            && let Some((block, len)) = owned_block(separator, 0)?
        {
            context.release(len, block);
        }
        Ok(())
    }

    fn merge(&self, context: &mut Context, pair: &Pair, level: usize) -> Result<()> {
        let layout = &self.layout;
        let (left, right, parent, at) = (pair.left, pair.right, pair.parent, pair.at);
        if level == 0 {
            self.drop_separator(context, parent.key(layout, at))?;
            let [(keys, keys_len), (values, values_len)] = self.stretches(right, 0, 0);
            let (have, more) = (self.count(left, 0), self.count(right, 0));
            copy(keys, left.key(layout, have), keys_len);
            copy(values, left.value(layout, have), values_len);
            crash_point!("tree: leaf copied to its neighbour");
            left.set_count(have + more);
            context.release(layout.leaf_size, pair.right_offset);
            self.raw.aux0.put(self.raw.aux0.peek().saturating_sub(1));
        } else {
            let (have, more) = (self.count(left, level), self.count(right, level));
            copy(parent.key(layout, at), left.key(layout, have - 1), layout.key_size);
            let [(keys, keys_len), (children, children_len)] = self.stretches(right, level, 0);
            copy(keys, left.key(layout, have), keys_len);
            copy(children, left.byte(layout.children_at + have * 8), children_len);
            crash_point!("tree: inner node copied to its neighbour");
            left.set_count(have + more);
            context.release(layout.inner_size, pair.right_offset);
            self.raw.aux1.put(self.raw.aux1.peek().saturating_sub(1));
        }
        // Out of the parent go the separator and the right child.
        let count = self.count(parent, level + 1);
        let [(keys, keys_len), _] = self.stretches(parent, level + 1, at + 1);
        let [_, (children, children_len)] = self.stretches(parent, level + 1, at + 2);
        copy(keys, parent.key(layout, at), keys_len);
        copy(children, parent.byte(layout.children_at + (at + 1) * 8), children_len);
        parent.set_count(count - 1);
        crash_point!("tree: merged");
        Ok(())
    }

    /// A root with one child makes place for it.
    fn lower_root(&self, context: &mut Context, root: Node) {
        let old = self.raw.data.peek();
        self.raw.data.put(root.child(&self.layout, 0));
        crash_point!("tree: root lowered, levels not counted");
        self.raw.capacity.put(self.raw.capacity.peek() - 1);
        self.raw.aux1.put(self.raw.aux1.peek().saturating_sub(1));
        context.release(self.layout.inner_size, old);
    }

    /// Two leaves get half of their entries each.
    fn share_entries(&self, context: &mut Context, pair: &Pair, text: &BytesSlot) -> Result<()> {
        let layout = &self.layout;
        let (left, right) = (pair.left, pair.right);
        let (have, other) = (self.count(left, 0), self.count(right, 0));
        let stays = Self::share(have + other);
        self.drop_separator(context, pair.parent.key(layout, pair.at))?;
        if stays >= have {
            let moved = stays - have;
            copy(right.key(layout, 0), left.key(layout, have), moved * layout.key_size);
            copy(right.value(layout, 0), left.value(layout, have), moved * layout.value_size);
            left.set_count(stays);
            crash_point!("tree: entries shared to the left, right not closed up");
            let [(keys, keys_len), (values, values_len)] = self.stretches(right, 0, moved);
            copy(keys, right.key(layout, 0), keys_len);
            copy(values, right.value(layout, 0), values_len);
            right.set_count(other - moved);
        } else {
            let moved = have - stays;
            let [(keys, keys_len), (values, values_len)] = self.stretches(right, 0, 0);
            copy(keys, right.key(layout, moved), keys_len);
            copy(values, right.value(layout, moved), values_len);
            crash_point!("tree: right opened, entries not shared");
            let [(keys, keys_len), (values, values_len)] = self.stretches(left, 0, stays);
            copy(keys, right.key(layout, 0), keys_len);
            copy(values, right.value(layout, 0), values_len);
            right.set_count(other + moved);
            left.set_count(stays);
        }
        crash_point!("tree: entries shared, separator not changed");
        let separator = if layout.text { std::ptr::from_ref(text).cast() } else { right.key(layout, 0).cast_const() };
        copy(separator, pair.parent.key(layout, pair.at), layout.key_size);
        crash_point!("tree: entries shared");
        Ok(())
    }

    /// Two inner nodes get half of their children each; separators move through the parent.
    fn share_children(&self, pair: &Pair, level: usize) -> Result<()> {
        let layout = &self.layout;
        let (left, right) = (pair.left, pair.right);
        let between = pair.parent.key(layout, pair.at);
        let (have, other) = (self.count(left, level), self.count(right, level));
        let stays = Self::share(have + other);
        let child = |node: Node, index: usize| node.byte(layout.children_at + index * 8);
        if stays > have {
            let moved = stays - have;
            copy(between, left.key(layout, have - 1), layout.key_size);
            copy(right.key(layout, 0), left.key(layout, have), (moved - 1) * layout.key_size);
            copy(right.key(layout, moved - 1), between, layout.key_size);
            copy(child(right, 0), child(left, have), moved * 8);
            crash_point!("tree: children shared to the left, right not closed up");
            let [(keys, keys_len), (children, children_len)] = self.stretches(right, level, moved);
            copy(keys, right.key(layout, 0), keys_len);
            copy(children, child(right, 0), children_len);
            right.set_count(other - moved);
            left.set_count(stays);
        } else if stays < have {
            let moved = have - stays;
            let [(keys, keys_len), (children, children_len)] = self.stretches(right, level, 0);
            copy(keys, right.key(layout, moved), keys_len);
            copy(children, child(right, moved), children_len);
            copy(between, right.key(layout, moved - 1), layout.key_size);
            copy(left.key(layout, stays), right.key(layout, 0), (moved - 1) * layout.key_size);
            crash_point!("tree: right opened, children not shared");
            copy(left.key(layout, stays - 1), between, layout.key_size);
            copy(child(left, stays), child(right, 0), moved * 8);
            right.set_count(other + moved);
            left.set_count(stays);
        }
        crash_point!("tree: children shared");
        Ok(())
    }
}
