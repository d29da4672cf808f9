//! A tree under a write guard: what is logged before a node changes, entries in and out of a leaf that has room.
//!
//! An operation has two halves. `open_..` logs all that will change; it may fail, and has changed nothing then. What
//! follows gets its blocks first, and cannot fail after that.

use std::cmp::Ordering;
use std::marker::PhantomData;

use super::layout::{HEAD, MAX_LEVELS};
use super::{Node, Position, Search, TreeLayout, TreeView, WHOLE, child_for, damaged};
use crate::Result;
use crate::crash::crash_point;
use crate::journal::Context;
use crate::region::Space;
use crate::region::layout::*;

/// A tree that only the holder of the context may change.
#[derive(Clone, Copy)]
pub(crate) struct Tree<'a> {
    pub(crate) space: &'a Space,
    pub(crate) raw: &'a RawHeader,
    pub(super) layout: TreeLayout,
    marker: PhantomData<*mut ()>,
}

/// The inner nodes on the way to a leaf. `nodes[n]`, `children[n]`: the node of level n + 1 and the child taken there.
pub(super) struct Way {
    pub(super) nodes: [Node; MAX_LEVELS],
    pub(super) children: [usize; MAX_LEVELS],
}

impl Node {
    pub(super) fn set_word(self, word: u64) {
        // SAFETY: TN1, TN2.
        unsafe { self.0.add(8).cast::<u64>().write(word) };
    }

    fn set_stamp(self, stamp: u64, whole: bool) {
        // SAFETY: TN1, TN2.
        unsafe { self.0.cast::<u64>().write(stamp) };
        self.set_word(if whole { self.word() | WHOLE } else { self.word() & !WHOLE });
    }

    #[inline(always)]
    pub(super) fn set_count(self, count: usize) {
        self.set_word(self.word() & !0xffff | count as u64);
    }

    pub(super) fn set_child(self, layout: &TreeLayout, index: usize, child: u64) {
        // SAFETY: TN1, TN2: callers keep `index` below the capacity.
        unsafe { self.byte(layout.children_at + index * 8).cast::<u64>().write(child) };
    }

    /// Makes a fresh block a node.
    pub(super) fn begin(self, stamp: u64, level: usize, count: usize) {
        self.set_word(count as u64 | (level as u64) << 16);
        self.set_stamp(stamp, true);
    }
}

/// Copies `len` bytes between nodes, or inside one.
#[inline(always)]
pub(super) fn copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: TN1, TN2: callers name parts of nodes, or of a slot that is `len` bytes long; a crafted file may make nodes
    // overlap.
    unsafe { std::ptr::copy(from, to, len) };
}

impl<'a> Tree<'a> {
    #[inline(always)]
    pub(crate) fn new(space: &'a Space, raw: &'a RawHeader, layout: TreeLayout) -> Tree<'a> {
        Tree { space, raw, layout, marker: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn view(&self) -> Result<TreeView<'a>> {
        TreeView::locked(self.space, self.raw, self.layout)
    }

    /// Where a key is or would be.
    #[inline(always)]
    pub(crate) fn find(&self, compare: impl Fn(*const u8) -> Ordering) -> Result<Search> {
        self.view()?.find(compare).ok_or_else(|| damaged(self.raw.data.peek()))
    }

    pub(super) fn len(&self) -> u64 {
        self.raw.len.peek()
    }

    /// Puts the header into the log, once.
    #[inline(always)]
    pub(crate) fn touch(&self, context: &mut Context) -> Result<()> {
        context.save_header(self.raw, 0)
    }

    #[inline(always)]
    pub(super) fn offset_of(&self, at: *const u8) -> u64 {
        self.space.offset_of_address(at)
    }

    pub(super) fn damage(&self) -> crate::Error {
        damaged(self.raw.data.peek())
    }

    /// Entries or children of a node.
    #[inline(always)]
    pub(super) fn count(&self, node: Node, level: usize) -> usize {
        node.count().min(if level == 0 { self.layout.leaf_capacity } else { self.layout.inner_capacity })
    }

    /// Entry or separator `index` of a node and what belongs to it: the stretches of both arrays up to their ends.
    #[inline(always)]
    pub(super) fn stretches(&self, node: Node, level: usize, index: usize) -> [(*mut u8, usize); 2] {
        let (layout, count) = (&self.layout, self.count(node, level));
        if level == 0 {
            let left = count.saturating_sub(index);
            return [
                (node.key(layout, index), left * layout.key_size),
                (node.value(layout, index), left * layout.value_size),
            ];
        }
        let (keys, children) = (count.saturating_sub(1 + index), count.saturating_sub(index));
        [(node.key(layout, index), keys * layout.key_size), (node.byte(layout.children_at + index * 8), children * 8)]
    }

    /// Logs some stretches of a node, which are about to change; the second time that a context asks, it logs the node
    /// as a whole, and then nothing more.
    ///
    /// The stamp says whose context it was; the flag `WHOLE`, that nothing is left to log. Without it the head is logged
    /// and the stretches; and whatever goes out of a node's count was logged with them.
    #[inline(always)]
    pub(super) fn open_part(
        &self,
        context: &mut Context,
        node: Node,
        level: usize,
        parts: [(*mut u8, usize); 2],
    ) -> Result<()> {
        if node.stamp() == context.stamp {
            return if node.word() & WHOLE != 0 { Ok(()) } else { self.log_whole(context, node, level) };
        }
        context.save(self.offset_of(node.0), HEAD as u64)?;
        node.set_stamp(context.stamp, false);
        crash_point!("tree: head logged and stamped");
        for (at, len) in parts.into_iter().filter(|(_, len)| *len != 0) {
            context.save(self.offset_of(at), len as u64)?;
        }
        Ok(())
    }

    /// Logs a node unless that has been done.
    pub(super) fn open_whole(&self, context: &mut Context, node: Node, level: usize) -> Result<()> {
        if node.stamp() == context.stamp && node.word() & WHOLE != 0 {
            return Ok(());
        }
        self.log_whole(context, node, level)
    }

    #[cold]
    fn log_whole(&self, context: &mut Context, node: Node, level: usize) -> Result<()> {
        context.save(self.offset_of(node.0), HEAD as u64)?;
        for (at, len) in self.stretches(node, level, 0).into_iter().filter(|(_, len)| *len != 0) {
            context.save(self.offset_of(at), len as u64)?;
        }
        node.set_stamp(context.stamp, true);
        crash_point!("tree: node logged and stamped");
        Ok(())
    }

    /// Logs a value, so that it may be overwritten.
    #[inline(always)]
    pub(crate) fn open_value(&self, context: &mut Context, position: &Position) -> Result<()> {
        self.touch(context)?;
        let value = (position.value(&self.layout), self.layout.value_size);
        self.open_part(context, position.leaf, 0, [value, (value.0, 0)])
    }

    /// Logs a leaf, so that all its values may be overwritten.
    pub(crate) fn open_leaf(&self, context: &mut Context, leaf: &super::Leaf) -> Result<()> {
        self.touch(context)?;
        self.open_whole(context, leaf.node, 0)
    }

    /// The way down to a leaf.
    pub(super) fn way(&self, choose: impl Fn(Node, usize) -> usize) -> Result<Way> {
        let view = self.view()?;
        let mut way = Way { nodes: [Node(std::ptr::null_mut()); MAX_LEVELS], children: [0; MAX_LEVELS] };
        let mut offset = view.root;
        for level in (1..view.levels as usize).rev() {
            let (node, count) = view.inner(offset).ok_or_else(|| self.damage())?;
            let child = choose(node, count);
            (way.nodes[level - 1], way.children[level - 1]) = (node, child);
            offset = node.child(&self.layout, child);
        }
        Ok(way)
    }

    /// The way down to a position, by the key there. In a damaged tree it may lead elsewhere.
    pub(super) fn way_to(&self, position: &Position, compare: impl Fn(*const u8) -> Ordering) -> Result<Way> {
        let way = self.way(|node, count| child_for(&self.layout, node, count, &compare))?;
        let leaf = match self.levels() {
            1 => self.raw.data.peek(),
            _ => way.nodes[0].child(&self.layout, way.children[0]),
        };
        if leaf == self.offset_of(position.leaf.0) { Ok(way) } else { Err(self.damage()) }
    }

    pub(super) fn levels(&self) -> usize {
        self.raw.capacity.peek() as usize
    }

    /// Logs what inserting an entry at a position changes. True: the leaf is full, it takes `insert_with_split`.
    #[inline(always)]
    pub(crate) fn open_insert(
        &self,
        context: &mut Context,
        position: &Position,
        compare: impl Fn(*const u8) -> Ordering,
    ) -> Result<bool> {
        self.touch(context)?;
        if self.count(position.leaf, 0) == self.layout.leaf_capacity {
            self.open_split(context, position, self.way_to(position, compare)?)?;
            return Ok(true);
        }
        let parts = self.stretches(position.leaf, 0, position.index);
        self.open_part(context, position.leaf, 0, parts)?;
        Ok(false)
    }

    /// Inserts an entry; `open_insert` came before and the leaf has room. `key` and `value` are slots. Cannot fail.
    #[inline(always)]
    pub(crate) fn insert(&self, position: &Position, key: *const u8, value: *const u8) {
        self.put(position.leaf, position.index, key, value);
        self.raw.len.put(self.len() + 1);
        crash_point!("tree: entry counted");
    }

    /// Moves what stands at and behind `index` on, and puts an entry there.
    #[inline(always)]
    pub(super) fn put(&self, leaf: Node, index: usize, key: *const u8, value: *const u8) {
        let layout = &self.layout;
        let left = self.count(leaf, 0).saturating_sub(index);
        copy(leaf.key(layout, index), leaf.key(layout, index + 1), left * layout.key_size);
        crash_point!("tree: keys moved on");
        copy(leaf.value(layout, index), leaf.value(layout, index + 1), left * layout.value_size);
        copy(key, leaf.key(layout, index), layout.key_size);
        copy(value, leaf.value(layout, index), layout.value_size);
        crash_point!("tree: entry written, leaf not counted");
        leaf.set_count(index + left + 1);
        crash_point!("tree: leaf counted, entry not");
    }

    /// Logs what taking the entry at a position out changes. True: the leaf becomes too empty, it takes
    /// `remove_and_balance`.
    #[inline(always)]
    pub(crate) fn open_remove(
        &self,
        context: &mut Context,
        position: &Position,
        compare: impl Fn(*const u8) -> Ordering,
    ) -> Result<bool> {
        self.touch(context)?;
        let count = self.count(position.leaf, 0);
        if position.index >= count {
            return Err(self.damage());
        }
        if count <= self.layout.leaf_least() && self.levels() > 1 {
            self.open_balance(context, position, self.way_to(position, compare)?)?;
            return Ok(true);
        }
        // Also the last one, which goes out of the count and may be written anew.
        let parts = self.stretches(position.leaf, 0, position.index);
        self.open_part(context, position.leaf, 0, parts)?;
        Ok(count == 1)
    }

    /// Takes an entry out of its leaf, which stays; `open_remove` came before. Cannot fail.
    #[inline(always)]
    pub(crate) fn remove(&self, position: &Position) {
        let (layout, leaf, index) = (&self.layout, position.leaf, position.index);
        let left = self.count(leaf, 0).saturating_sub(index + 1);
        copy(leaf.key(layout, index + 1), leaf.key(layout, index), left * layout.key_size);
        crash_point!("tree: keys moved back");
        copy(leaf.value(layout, index + 1), leaf.value(layout, index), left * layout.value_size);
        crash_point!("tree: entry taken out, leaf not counted");
        leaf.set_count(index + left);
        self.raw.len.put(self.len().saturating_sub(1));
        crash_point!("tree: entry taken out and counted");
    }
}
