//! Sizes of nodes, as they follow from those of keys and values.

use crate::heap::rounded;
use crate::raw::Shape;

/// Bytes before the keys of a node.
pub(super) const HEAD: usize = 16;
/// More levels than a region can fill; a walk down is never longer.
pub(in crate::raw) const MAX_LEVELS: usize = 12;
/// Nodes aim at so many entries, between these sizes.
const WANTED: u64 = 64;
const SMALLEST: u64 = 512;
const LARGEST: u64 = 4096;
/// However large the entries are, so many fit.
const FEWEST_ENTRIES: u64 = 4;
const FEWEST_CHILDREN: u64 = 16;
/// However small they are, no more do.
const MOST: u64 = 1000;

/// Numbers of a tree's nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TreeLayout {
    /// Are keys string slots?
    pub(super) text: bool,
    pub(super) key_size: usize,
    pub(super) value_size: usize,
    pub(super) leaf_size: u64,
    pub(super) leaf_capacity: usize,
    pub(super) values_at: usize,
    pub(super) inner_size: u64,
    pub(super) inner_capacity: usize,
    pub(super) children_at: usize,
}

const fn up(number: u64, to: u64) -> u64 {
    number.div_ceil(to) * to
}

/// The block for a node that should have `wanted` bytes and must have `needed`.
const fn block(wanted: u64, needed: u64) -> u64 {
    let wanted = if wanted < SMALLEST { SMALLEST } else { wanted };
    let wanted = if wanted > LARGEST { LARGEST } else { wanted };
    rounded(if wanted < needed { needed } else { wanted })
}

impl TreeLayout {
    /// Of a tree with keys and values of these sizes.
    pub(crate) const fn new(text: bool, key_size: u64, value_size: u64) -> TreeLayout {
        let head = HEAD as u64;
        let entry = key_size + value_size;
        let leaf_size = block(WANTED * entry, up(head + FEWEST_ENTRIES * key_size, 16) + FEWEST_ENTRIES * value_size);
        let mut entries = FEWEST_ENTRIES;
        while entries < MOST && up(head + (entries + 1) * key_size, 16) + (entries + 1) * value_size <= leaf_size {
            entries += 1;
        }
        let branch = key_size + 8;
        let needed = up(head + (FEWEST_CHILDREN - 1) * key_size, 8) + FEWEST_CHILDREN * 8;
        let inner_size = block(WANTED * branch, needed);
        let mut children = FEWEST_CHILDREN;
        while children < MOST && up(head + children * key_size, 8) + (children + 1) * 8 <= inner_size {
            children += 1;
        }
        TreeLayout {
            text,
            key_size: key_size as usize,
            value_size: value_size as usize,
            leaf_size,
            leaf_capacity: entries as usize,
            values_at: up(head + entries * key_size, 16) as usize,
            inner_size,
            inner_capacity: children as usize,
            children_at: up(head + (children - 1) * key_size, 8) as usize,
        }
    }

    /// Where values begin in the slot that a descriptor speaks of: the key, then, 8-aligned, the value.
    pub(crate) const fn value_at(key_size: u64) -> u64 {
        up(key_size, 8)
    }

    /// Of the tree with this shape.
    pub(crate) fn of(shape: &Shape) -> TreeLayout {
        let value_size = shape.slot_size.saturating_sub(TreeLayout::value_at(shape.key_size));
        TreeLayout::new(shape.text_key, shape.key_size, value_size)
    }

    /// Fewest entries of a leaf that is neither the root nor the last.
    pub(super) fn leaf_least(&self) -> usize {
        (self.leaf_capacity / 4).max(1)
    }

    /// Fewest children of an inner node that is neither the root nor the last of its level.
    pub(super) fn inner_least(&self) -> usize {
        (self.inner_capacity / 4).max(2)
    }

    /// Bytes of all nodes.
    pub(crate) fn bytes(&self, leaves: u64, inners: u64) -> u64 {
        leaves.saturating_mul(self.leaf_size).saturating_add(inners.saturating_mul(self.inner_size))
    }
}

const _: () = {
    // A map of words: 62 entries a leaf, 63 children an inner node.
    let layout = TreeLayout::new(false, 8, 8);
    assert!(layout.leaf_size == 1024 && layout.leaf_capacity == 62 && layout.values_at == 512);
    assert!(layout.inner_size == 1024 && layout.inner_capacity == 63 && layout.children_at == 512);
};
