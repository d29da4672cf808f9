//! Trees: each node once, as full as it must be, on its level; keys in order and between their separators; counts.

use std::cmp::Ordering;

use super::map::{class_of_size, size_of_class};
use super::objects::{Object, STRING_SLOT, word};
use super::{Checker, Depth};
use crate::region::layout::{OBJECT_RAW_AT, PAGE};

/// Bytes before a node's keys.
const HEAD: u64 = 16;
/// A tree with more levels is not one of this region.
const MAX_LEVELS: u64 = 12;
/// Numbers by which node sizes are chosen.
const WANTED: u64 = 64;
const SIZES: std::ops::RangeInclusive<u64> = 512..=4096;
const MOST: u64 = 1000;

/// Sizes of a tree's nodes, worked out from the description of the format.
struct Nodes {
    value_size: u64,
    leaf_size: u64,
    leaf_capacity: u64,
    inner_size: u64,
    inner_capacity: u64,
}

fn up(number: u64, to: u64) -> u64 {
    number.next_multiple_of(to)
}

/// Bytes that a block for `size` bytes has.
fn block_for(size: u64) -> u64 {
    match size_of_class(class_of_size(size)) {
        0 => up(size, PAGE),
        block => block,
    }
}

impl Nodes {
    fn of(object: &Object) -> Nodes {
        let key = object.key_size;
        let value_size = object.slot_size.saturating_sub(up(key, 8));
        let leaf = |count: u64| up(HEAD + count * key, 16) + count * value_size;
        let inner = |count: u64| up(HEAD + (count - 1) * key, 8) + count * 8;
        let aim = |entry: u64| (WANTED * entry).clamp(*SIZES.start(), *SIZES.end());
        let leaf_size = block_for(aim(key + value_size).max(leaf(4)));
        let inner_size = block_for(aim(key + 8).max(inner(16)));
        let most = |fewest: u64, size: u64, bytes: &dyn Fn(u64) -> u64| {
            (fewest..=MOST).take_while(|count| bytes(*count) <= size).last().unwrap_or(fewest)
        };
        Nodes {
            value_size,
            leaf_size,
            leaf_capacity: most(4, leaf_size, &leaf),
            inner_size,
            inner_capacity: most(16, inner_size, &inner),
        }
    }

    fn values_at(&self, object: &Object) -> u64 {
        up(HEAD + self.leaf_capacity * object.key_size, 16)
    }

    fn children_at(&self, object: &Object) -> u64 {
        up(HEAD + (self.inner_capacity - 1) * object.key_size, 8)
    }
}

/// A part of a tree that is still to be looked at.
struct Branch<'a> {
    offset: u64,
    level: u64,
    /// The separators before and behind it.
    from: Option<&'a [u8]>,
    to: Option<&'a [u8]>,
    /// Is it the last one of its level?
    last: bool,
}

/// What has been counted.
#[derive(Default)]
struct Counts {
    entries: u64,
    leaves: u64,
    inners: u64,
}

fn slice(bytes: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    bytes.get(at as usize..)?.get(..len as usize)
}

impl<'a> Checker<'a> {
    /// A tree and all that it owns.
    pub(super) fn tree(&mut self, object: &Object) {
        let raw = object.at + OBJECT_RAW_AT;
        let levels = object.capacity;
        if object.data == 0 || levels == 0 {
            if object.data != 0 || levels != 0 || object.len != 0 || object.aux0 != 0 || object.seed != 0 {
                let detail = format_args!("object {}: {} in {levels} levels", object.at, object.len);
                self.add(raw, "an empty tree has a content", detail);
            }
            return;
        }
        if levels > MAX_LEVELS {
            return self.add(raw, "a tree has too many levels", format_args!("object {}: {levels}", object.at));
        }
        let nodes = Nodes::of(object);
        let mut counts = Counts::default();
        // Ends because each node is claimed once, and levels go down.
        let root = Branch { offset: object.data, level: levels - 1, from: None, to: None, last: true };
        let mut left = vec![root];
        while let Some(branch) = left.pop() {
            self.node(object, &nodes, &branch, &mut counts, &mut left);
        }
        let said = [object.len, object.aux0, object.seed];
        let counted = [counts.entries, counts.leaves, counts.inners];
        if said != counted {
            let detail = format_args!("object {}: {said:?}, but {counted:?}", object.at);
            self.add(raw, "a tree's entries, leaves and inner nodes are miscounted", detail);
        }
    }

    fn node(
        &mut self,
        object: &Object,
        nodes: &Nodes,
        branch: &Branch<'a>,
        counts: &mut Counts,
        left: &mut Vec<Branch<'a>>,
    ) {
        let is_leaf = branch.level == 0;
        let (size, capacity) = match is_leaf {
            true => (nodes.leaf_size, nodes.leaf_capacity),
            false => (nodes.inner_size, nodes.inner_capacity),
        };
        let at = branch.offset;
        if self.claim_bytes(at, size, format_args!("node of tree {}", object.at)).is_none() {
            return;
        }
        let Some(bytes) = self.bytes(at, size) else { return };
        self.node_stamp(at, word(bytes, 0).unwrap_or(0));
        let head = word(bytes, 8).unwrap_or(0);
        let (count, level) = (head & 0xffff, head >> 16 & 0xff);
        if level != branch.level || head >> 25 != 0 {
            let detail = format_args!("tree {}: {level}, not {}", object.at, branch.level);
            return self.add(at, "a node is on a wrong level", detail);
        }
        let is_root = at == object.data;
        let least = match (is_leaf, is_root || branch.last) {
            (true, true) => 1,
            (true, false) => (capacity / 4).max(1),
            (false, true) => 2,
            (false, false) => (capacity / 4).max(2),
        };
        if count > capacity || count < least {
            let detail = format_args!("tree {}: {count}, not {least} to {capacity}", object.at);
            return self.add(at, "a node is too full or too empty", detail);
        }
        if is_leaf {
            counts.entries += count;
            counts.leaves += 1;
            self.leaf(object, nodes, branch, bytes, count);
        } else {
            counts.inners += 1;
            self.inner(object, nodes, branch, bytes, count, left);
        }
    }

    fn leaf(&mut self, object: &Object, nodes: &Nodes, branch: &Branch<'a>, bytes: &'a [u8], count: u64) {
        if self.skips_contents(object) {
            return;
        }
        let value_at = up(object.key_size, 8);
        let mut slot = vec![0; object.slot_size as usize];
        for index in 0..count {
            let key = slice(bytes, HEAD + index * object.key_size, object.key_size).unwrap_or_default();
            let value = slice(bytes, nodes.values_at(object) + index * nodes.value_size, nodes.value_size);
            slot[..key.len()].copy_from_slice(key);
            slot[value_at as usize..].copy_from_slice(value.unwrap_or_default());
            self.possessions(object, &slot);
        }
        let keys = slice(bytes, HEAD, count * object.key_size).unwrap_or_default();
        self.in_order(object, branch, keys);
    }

    fn inner(
        &mut self,
        object: &Object,
        nodes: &Nodes,
        branch: &Branch<'a>,
        bytes: &'a [u8],
        count: u64,
        left: &mut Vec<Branch<'a>>,
    ) {
        let keys = slice(bytes, HEAD, (count - 1) * object.key_size).unwrap_or_default();
        if object.text_key {
            for separator in keys.chunks_exact(STRING_SLOT) {
                self.string(object, separator);
            }
        }
        self.in_order(object, branch, keys);
        let key = |index: u64| slice(bytes, HEAD + index * object.key_size, object.key_size);
        let children = (0..count).map(|index| Branch {
            offset: word(bytes, (nodes.children_at(object) + index * 8) as usize).unwrap_or(0),
            level: branch.level - 1,
            from: if index == 0 { branch.from } else { key(index - 1) },
            to: if index + 1 == count { branch.to } else { key(index) },
            last: branch.last && index + 1 == count,
        });
        left.extend(children);
    }

    /// Keys ascend, and lie where their separators say.
    fn in_order(&mut self, object: &Object, branch: &Branch<'a>, keys: &'a [u8]) {
        // Texts are compared only while it is certain that each has a block of its own: all together are no longer than
        // the region then.
        if object.text_key && self.report.count() > 0 {
            return;
        }
        if object.order.is_none() || self.depth == Depth::Owners {
            return;
        }
        let mut before = branch.from;
        // Nobody but the first one may be equal to what is before it: the separator itself.
        let mut may_equal = true;
        let count = keys.len().checked_div(object.key_size as usize).unwrap_or(0);
        for index in 0..=count {
            let key = match index == count {
                true => branch.to,
                false => slice(keys, index as u64 * object.key_size, object.key_size),
            };
            let (Some(last), Some(next)) = (before, key) else {
                (before, may_equal) = (key.or(before), false);
                continue;
            };
            let order = self.compare(object, last, next);
            if order == Ordering::Greater || order == Ordering::Equal && !may_equal {
                let detail = format_args!("tree {}, key {index} of level {}", object.at, branch.level);
                return self.add(branch.offset, "keys of a tree are out of order", detail);
            }
            (before, may_equal) = (key, false);
        }
    }

    /// The order of two keys, by the fields that the descriptor tells.
    fn compare(&self, object: &Object, a: &[u8], b: &[u8]) -> Ordering {
        let order = object.order.as_deref().unwrap_or_default();
        for field in order {
            let (at, width, kind) = ((field >> 16) as usize, (field >> 8 & 0xff) as usize, field & 0xff);
            let (Some(a), Some(b)) = (a.get(at..at + width), b.get(at..at + width)) else { continue };
            let order = match kind {
                1 => a.iter().rev().cmp(b.iter().rev()),
                2 => signed(a).cmp(&signed(b)),
                3 => self.text(a).cmp(&self.text(b)),
                _ => a.cmp(b),
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        // A descriptor has room for so many fields: what comes behind them is not known.
        if order.len() >= super::objects::MAX_ORDER { Ordering::Less } else { Ordering::Equal }
    }
}

/// A little-endian number of at most 16 bytes.
fn signed(bytes: &[u8]) -> i128 {
    let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    let len = bytes.len().min(16);
    wide[..len].copy_from_slice(&bytes[..len]);
    i128::from_le_bytes(wide)
}
