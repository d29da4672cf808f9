//! Walks along the leaves, from both ends towards each other. Works on bytes that may be changing: bounds hold whatever
//! they say, and no walk is longer than the tree says it has leaves.

use std::cmp::Ordering;

use super::layout::MAX_LEVELS;
use super::{Node, TreeLayout, TreeView, child_for, partition};
use crate::raw::Place;
use crate::region::prefetch;

/// One end of a walk.
#[derive(Clone, Copy)]
struct End {
    leaf: Node,
    /// Entries `from .. to` of the leaf are still to come at this end.
    from: usize,
    to: usize,
    nodes: [Node; MAX_LEVELS - 1],
    /// {child, children} at each level.
    steps: [(u16, u16); MAX_LEVELS - 1],
}

/// A stretch of entries, walked from both ends.
#[derive(Clone, Copy)]
pub(crate) struct Ends<'a> {
    view: TreeView<'a>,
    front: End,
    back: End,
    /// Are both ends in one leaf? Then `front` alone counts.
    joined: bool,
    leaves_left: u64,
}

/// A leaf with the entries of it that a walk is to see.
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    pub(super) node: Node,
    from: usize,
    to: usize,
}

impl Leaf {
    /// Places of keys and values.
    #[inline(always)]
    pub(crate) fn entries(self, layout: TreeLayout) -> impl DoubleEndedIterator<Item = (Place, Place)> {
        (self.from..self.to).map(move |index| places(&layout, self.node, index))
    }
}

#[inline(always)]
fn places(layout: &TreeLayout, leaf: Node, index: usize) -> (Place, Place) {
    (Place::fresh(leaf.key(layout, index)), Place::fresh(leaf.value(layout, index)))
}

/// The child in which a bound lies. A separator that is not before it says nothing of what is below.
#[inline(always)]
fn child_at(layout: &TreeLayout, node: Node, count: usize, before: impl Fn(*const u8) -> bool) -> usize {
    child_for(layout, node, count, |key| if before(key) { Ordering::Less } else { Ordering::Greater })
}

/// The entry at which a bound lies.
#[inline(always)]
fn index_at(layout: &TreeLayout, leaf: Node, count: usize, before: impl Fn(*const u8) -> bool) -> usize {
    partition(count, |index| before(leaf.key(layout, index)))
}

impl End {
    const NOWHERE: End = End {
        leaf: Node(std::ptr::null_mut()),
        from: 0,
        to: 0,
        nodes: [Node(std::ptr::null_mut()); MAX_LEVELS - 1],
        steps: [(0, 0); MAX_LEVELS - 1],
    };

    /// Goes down from `offset`, which is of `level`. Entries of the leaf.
    #[inline(always)]
    fn descend(
        &mut self,
        view: &TreeView<'_>,
        mut offset: u64,
        level: usize,
        choose: impl Fn(Node, usize) -> usize,
    ) -> Option<usize> {
        for level in (1..=level).rev() {
            let (node, count) = view.inner(offset)?;
            let child = choose(node, count);
            self.nodes[level - 1] = node;
            self.steps[level - 1] = (child as u16, count as u16);
            offset = node.child(&view.layout, child);
        }
        let (leaf, count) = view.leaf(offset)?;
        self.leaf = leaf;
        Some(count)
    }

    /// To the neighbour leaf; entries of it. `None`: there is none.
    #[inline(always)]
    fn step(&mut self, view: &TreeView<'_>, forward: bool) -> Option<usize> {
        for level in 1..view.levels as usize {
            let (child, count) = self.steps[level - 1];
            let next = if forward { Some(child + 1).filter(|next| *next < count) } else { child.checked_sub(1) };
            let Some(next) = next else { continue };
            self.steps[level - 1].0 = next;
            let offset = self.nodes[level - 1].child(&view.layout, usize::from(next));
            let found = self.descend(view, offset, level - 1, |_, count| if forward { 0 } else { count - 1 });
            self.fetch_ahead(view, forward);
            return found;
        }
        None
    }

    /// The leaf after this one will be needed while this one is read.
    #[inline(always)]
    fn fetch_ahead(&self, view: &TreeView<'_>, forward: bool) {
        if view.levels < 2 {
            return;
        }
        let (child, count) = self.steps[0];
        let next = if forward { child + 1 } else { child.wrapping_sub(1) };
        if next < count {
            let offset = self.nodes[0].child(&view.layout, usize::from(next));
            if let Some(at) = view.space.resolve_known(offset, view.layout.leaf_size) {
                prefetch(at);
                prefetch(at.wrapping_add(64));
                Node(at).fetch_lines(view.layout.values_at, view.layout.leaf_size as usize);
            }
        }
    }
}

impl<'a> Ends<'a> {
    /// Everything; `None`: damaged or torn.
    pub(crate) fn of_all(view: TreeView<'a>) -> Option<Ends<'a>> {
        Self::between(view, |_, _| 0, |_, _| 0, |_, count| count - 1, |_, count| count)
    }

    /// What is not before the one bound and before the other one. `before_start(key)`: the key lies before the stretch;
    /// `before_end(key)`: not behind it. Either may be left out.
    pub(crate) fn of_range(
        view: TreeView<'a>,
        before_start: Option<impl Fn(*const u8) -> bool>,
        before_end: Option<impl Fn(*const u8) -> bool>,
    ) -> Option<Ends<'a>> {
        let layout = view.layout;
        Self::between(
            view,
            |node, count| before_start.as_ref().map_or(0, |before| child_at(&layout, node, count, before)),
            |leaf, count| before_start.as_ref().map_or(0, |before| index_at(&layout, leaf, count, before)),
            |node, count| before_end.as_ref().map_or(count - 1, |before| child_at(&layout, node, count, before)),
            |leaf, count| before_end.as_ref().map_or(count, |before| index_at(&layout, leaf, count, before)),
        )
    }

    #[inline(always)]
    fn between(
        view: TreeView<'a>,
        first_child: impl Fn(Node, usize) -> usize,
        first: impl Fn(Node, usize) -> usize,
        last_child: impl Fn(Node, usize) -> usize,
        last: impl Fn(Node, usize) -> usize,
    ) -> Option<Ends<'a>> {
        let mut ends = Ends { view, front: End::NOWHERE, back: End::NOWHERE, joined: true, leaves_left: view.leaves };
        if view.is_empty() {
            return Some(ends);
        }
        let top = view.levels as usize - 1;
        let count = ends.front.descend(&view, view.root, top, first_child)?;
        ends.front.leaf.fetch(&view.layout);
        (ends.front.from, ends.front.to) = (first(ends.front.leaf, count), count);
        ends.front.fetch_ahead(&view, true);
        let count = ends.back.descend(&view, view.root, top, last_child)?;
        ends.back.to = last(ends.back.leaf, count);
        ends.joined = ends.front.leaf == ends.back.leaf;
        if ends.joined {
            ends.front.to = ends.back.to;
        } else if ends.crossed() {
            // A range whose end lies before its start.
            (ends.joined, ends.front.to) = (true, 0);
        }
        Some(ends)
    }

    /// Does the front's leaf come after the back's?
    fn crossed(&self) -> bool {
        for level in (0..self.view.levels as usize - 1).rev() {
            match self.front.steps[level].0.cmp(&self.back.steps[level].0) {
                Ordering::Less => return false,
                Ordering::Equal => {}
                Ordering::Greater => return true,
            }
        }
        false
    }

    /// The next entry: its key and its value. The layout is the tree's; callers know it as a constant.
    #[inline(always)]
    pub(crate) fn next(&mut self, layout: TreeLayout) -> Option<(Place, Place)> {
        while self.front.from >= self.front.to {
            self.step_front()?;
        }
        let index = self.front.from;
        self.front.from += 1;
        Some(places(&layout, self.front.leaf, index))
    }

    /// The next entry from behind.
    #[inline(always)]
    pub(crate) fn next_back(&mut self, layout: TreeLayout) -> Option<(Place, Place)> {
        while !self.joined && self.back.from >= self.back.to {
            self.step_back()?;
        }
        let end = if self.joined { &mut self.front } else { &mut self.back };
        if end.from >= end.to {
            return None;
        }
        end.to -= 1;
        Some(places(&layout, end.leaf, end.to))
    }

    /// The rest of the front's leaf, as a whole.
    pub(crate) fn next_leaf(&mut self) -> Option<Leaf> {
        while self.front.from >= self.front.to {
            self.step_front()?;
        }
        let leaf = Leaf { node: self.front.leaf, from: self.front.from, to: self.front.to };
        self.front.from = self.front.to;
        Some(leaf)
    }

    #[inline(never)]
    fn step_front(&mut self) -> Option<()> {
        self.count_leaf()?;
        let Some(count) = self.front.step(&self.view, true) else { return self.stop() };
        self.joined = self.front.leaf == self.back.leaf;
        (self.front.from, self.front.to) = if self.joined { (self.back.from, self.back.to) } else { (0, count) };
        Some(())
    }

    #[inline(never)]
    fn step_back(&mut self) -> Option<()> {
        self.count_leaf()?;
        let Some(count) = self.back.step(&self.view, false) else { return self.stop() };
        self.joined = self.front.leaf == self.back.leaf;
        (self.back.from, self.back.to) = (0, count);
        Some(())
    }

    #[inline(always)]
    fn count_leaf(&mut self) -> Option<()> {
        if self.joined || self.leaves_left == 0 {
            return self.stop();
        }
        self.leaves_left -= 1;
        Some(())
    }

    /// Nothing more comes.
    fn stop(&mut self) -> Option<()> {
        self.joined = true;
        self.front.from = self.front.to;
        None
    }
}
