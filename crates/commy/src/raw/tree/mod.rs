//! A tree of wide nodes: entries in leaves, separators and children in inner nodes.
//!
//! The structure is the B+-tree of the textbooks (Bayer and McCreight, "Organization and maintenance of large ordered
//! indices", 1972; Comer, "The ubiquitous B-tree", 1979); separators of texts are cut to what tells two leaves apart
//! (Bayer and Unterauer, "Prefix B-trees", 1977). Nodes know neither neighbours nor parent: whoever walks keeps the way.
//!
//! ```text
//! node    0 stamp  8 {count:16 | level:8 | flags:8 | 0:32}  16 keys[..]
//! leaf    keys[capacity], then, 16-aligned, values[capacity]; count = entries
//! inner   separators[capacity - 1], then, 8-aligned, children[capacity]:u64; count = children
//! ```
//! Everything below child n is less than separator n, everything below child n + 1 is not.
//! Raw header: `data` root, `capacity` levels (0: empty, 1: the root is a leaf), `aux0` leaves, `aux1` inner nodes.
//!
//! Invariants: TN1 a `Node` was resolved for its whole size. TN2 a byte of a node that was live when the context began
//! changes only after `open_part` or `open_whole` has logged it; see there for what the stamp says.

mod balance;
mod change;
mod grow;
mod layout;
mod proof;
mod raze;
mod walk;

use std::cmp::Ordering;

use crate::region::layout::*;
use crate::region::{Space, load_u64, prefetch};
use crate::{Error, Result};

pub(crate) use change::Tree;
pub(crate) use grow::BLOCKS_ROOM;
use layout::MAX_LEVELS;
pub(crate) use layout::TreeLayout;
pub(crate) use proof::prove;
pub(super) use raze::{raze_tree, release_leaf};
pub(crate) use walk::{Ends, Leaf};

/// All lines of keys, or of values, of a node are asked for at once if they have no more bytes than that.
const FETCHED_AHEAD: usize = 1024;

/// Flag of a node: everything that was live in it when the context of its stamp began is logged, or it is fresh.
const WHOLE: u64 = 1 << 24;

/// A node in the mapping.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node(*mut u8);

impl Node {
    #[inline(always)]
    fn stamp(self) -> u64 {
        // SAFETY: TN1.
        unsafe { load_u64(self.0) }
    }

    #[inline(always)]
    fn word(self) -> u64 {
        // SAFETY: TN1.
        unsafe { load_u64(self.0.add(8)) }
    }

    /// Entries or children, as the node says.
    #[inline(always)]
    fn count(self) -> usize {
        (self.word() & 0xffff) as usize
    }

    /// Asks memory for all of a leaf that is about to be searched: line after line, each would be waited for.
    #[inline(always)]
    fn fetch(self, layout: &TreeLayout) {
        if !layout.text {
            self.fetch_lines(0, layout.values_at);
        }
        self.fetch_lines(layout.values_at, layout.leaf_size as usize);
    }

    #[inline(always)]
    fn fetch_lines(self, from: usize, to: usize) {
        if to - from <= FETCHED_AHEAD {
            (from..to).step_by(64).for_each(|at| prefetch(self.byte(at)));
        }
    }

    /// The address of byte `at`.
    #[inline(always)]
    fn byte(self, at: usize) -> *mut u8 {
        self.0.wrapping_add(at)
    }

    #[inline(always)]
    fn key(self, layout: &TreeLayout, index: usize) -> *mut u8 {
        self.byte(layout::HEAD + index * layout.key_size)
    }

    #[inline(always)]
    fn value(self, layout: &TreeLayout, index: usize) -> *mut u8 {
        self.byte(layout.values_at + index * layout.value_size)
    }

    #[inline(always)]
    fn child(self, layout: &TreeLayout, index: usize) -> u64 {
        // SAFETY: TN1: callers keep `index` below the capacity.
        unsafe { load_u64(self.byte(layout.children_at + index * 8)) }
    }
}

/// A place among the entries of a leaf.
#[derive(Clone, Copy)]
pub(crate) struct Position {
    leaf: Node,
    index: usize,
}

impl Position {
    /// Where the key is.
    #[inline(always)]
    pub(crate) fn key(&self, layout: &TreeLayout) -> *mut u8 {
        self.leaf.key(layout, self.index)
    }

    /// Where the value is.
    #[inline(always)]
    pub(crate) fn value(&self, layout: &TreeLayout) -> *mut u8 {
        self.leaf.value(layout, self.index)
    }
}

/// What a search has come to.
#[derive(Clone, Copy)]
pub(crate) enum Search {
    /// The tree has no entries.
    Empty,
    /// The key is here.
    Found(Position),
    /// The key would be here.
    Absent(Position),
}

/// A tree's words, read once.
#[derive(Clone, Copy)]
pub(crate) struct TreeView<'a> {
    pub(super) space: &'a Space,
    pub(super) layout: TreeLayout,
    root: u64,
    levels: u64,
    /// Leaves that there can be at most; whoever walks further walks in circles.
    leaves: u64,
}

/// The number of indices below `count` for which `before` holds, which are the first ones.
#[inline(always)]
fn partition(count: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut base, mut left) = (0, count);
    if left == 0 {
        return 0;
    }
    while left > 1 {
        let half = left / 2;
        base = std::hint::select_unpredictable(before(base + half - 1), base + half, base);
        left -= half;
    }
    base + usize::from(before(base))
}

impl<'a> TreeView<'a> {
    /// Reads the header, whose words may be changing. `None`: they are impossible.
    #[inline(always)]
    pub(crate) fn read(space: &'a Space, raw: &RawHeader, layout: TreeLayout) -> Option<TreeView<'a>> {
        let (root, levels, leaves) = (raw.data.peek(), raw.capacity.peek(), raw.aux0.peek());
        (levels <= MAX_LEVELS as u64).then_some(TreeView { space, layout, root, levels, leaves })
    }

    /// As [`read`](Self::read), under a guard. (Inlined, so that the layout stays a constant of the caller's.)
    #[inline(always)]
    pub(crate) fn locked(space: &'a Space, raw: &RawHeader, layout: TreeLayout) -> Result<TreeView<'a>> {
        TreeView::read(space, raw, layout).ok_or_else(|| damaged(raw.data.peek()))
    }

    /// The same for a caller who knows its layout as a constant.
    #[inline(always)]
    pub(crate) fn with_layout(&self, layout: TreeLayout) -> TreeView<'a> {
        TreeView { layout, ..*self }
    }

    /// Has it no entries?
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.levels == 0
    }

    /// Can there be so many leaves in this region? (Asked before anything is collected from a tree that nobody has
    /// proved.)
    pub(crate) fn has_possible_size(&self) -> bool {
        self.leaves.saturating_mul(self.layout.leaf_size) <= self.space.geometry.capacity
    }

    #[inline(always)]
    fn resolve(&self, offset: u64, size: u64) -> Option<Node> {
        if !offset.is_multiple_of(16) {
            return None;
        }
        match self.space.resolve_known(offset, size) {
            Some(at) => Some(Node(at)),
            None => self.space.resolve(offset, size).ok().map(Node),
        }
    }

    /// The leaf at `offset`; entries in it.
    #[inline(always)]
    fn leaf(&self, offset: u64) -> Option<(Node, usize)> {
        let node = self.resolve(offset, self.layout.leaf_size)?;
        Some((node, node.count().min(self.layout.leaf_capacity)))
    }

    /// The inner node at `offset`; children of it. At least one, whatever it says.
    #[inline(always)]
    fn inner(&self, offset: u64) -> Option<(Node, usize)> {
        let node = self.resolve(offset, self.layout.inner_size)?;
        Some((node, node.count().clamp(1, self.layout.inner_capacity)))
    }

    /// Goes down to a leaf, the offset of which it returns; `choose` says which child of an inner node to take.
    #[inline(always)]
    fn descend(&self, choose: impl Fn(Node, usize) -> usize) -> Option<u64> {
        let mut offset = self.root;
        for _ in 1..self.levels {
            let (node, count) = self.inner(offset)?;
            offset = node.child(&self.layout, choose(node, count));
        }
        Some(offset)
    }

    /// Looks for a key; `compare` says how the one at an address relates to it. The bytes may be changing: bounds hold
    /// whatever they say, and `None` is damage or a torn read.
    #[inline(always)]
    pub(crate) fn find(&self, compare: impl Fn(*const u8) -> Ordering) -> Option<Search> {
        if self.levels == 0 {
            return Some(Search::Empty);
        }
        let layout = self.layout;
        let offset = self.descend(|node, count| child_for(&layout, node, count, &compare))?;
        let leaf = self.resolve(offset, layout.leaf_size)?;
        leaf.fetch(&layout);
        let count = leaf.count().min(layout.leaf_capacity);
        let index = partition(count, |index| compare(leaf.key(&layout, index)) == Ordering::Less);
        let position = Position { leaf, index };
        let is_there = index < count && compare(leaf.key(&layout, index)) == Ordering::Equal;
        Some(if is_there { Search::Found(position) } else { Search::Absent(position) })
    }

    /// The first or the last entry.
    #[inline(always)]
    pub(crate) fn outermost(&self, last: bool) -> Option<Search> {
        if self.levels == 0 {
            return Some(Search::Empty);
        }
        let offset = self.descend(|_, count| if last { count - 1 } else { 0 })?;
        let (leaf, count) = self.leaf(offset)?;
        // A leaf without entries is a torn one.
        let index = if last { count.checked_sub(1)? } else { count.checked_sub(1).map(|_| 0)? };
        Some(Search::Found(Position { leaf, index }))
    }
}

/// Which child of an inner node leads to the key that `compare` compares with.
#[inline(always)]
fn child_for(layout: &TreeLayout, node: Node, count: usize, compare: impl Fn(*const u8) -> Ordering) -> usize {
    partition(count - 1, |index| compare(node.key(layout, index)) != Ordering::Greater)
}

#[cold]
fn damaged(offset: u64) -> Error {
    Error::corrupt(offset, "a tree's nodes are damaged")
}
