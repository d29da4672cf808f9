//! Proof that the nodes of a tree that came from a file lie apart from each other and are as many as it says, so that no
//! two references into them can meet and no walk goes in circles.

use super::{TreeView, damaged};
use crate::Result;
use crate::region::Space;
use crate::region::layout::*;

use super::TreeLayout;

/// Proves the structure of a tree under a guard; the order of its keys is not asked for. Its nodes: {offset, size}.
pub(crate) fn prove(space: &Space, raw: &RawHeader, layout: TreeLayout) -> Result<Vec<(u64, u64)>> {
    let wrong = || damaged(raw.data.peek());
    let view = TreeView::locked(space, raw, layout)?;
    let (leaves, inners) = (raw.aux0.peek(), raw.aux1.peek());
    if layout.bytes(leaves, inners) > space.geometry.capacity {
        return Err(wrong());
    }
    let mut level: Vec<u64> = if view.is_empty() { Vec::new() } else { vec![view.root] };
    let mut all: Vec<(u64, u64)> = Vec::new();
    for _ in 1..view.levels {
        let mut below = Vec::new();
        for offset in level {
            let (node, _) = view.inner(offset).ok_or_else(wrong)?;
            let count = node.count();
            if count < 2 || count > layout.inner_capacity || (below.len() + count) as u64 > leaves {
                return Err(wrong());
            }
            all.push((offset, layout.inner_size));
            below.extend((0..count).map(|index| node.child(&layout, index)));
        }
        level = below;
    }
    if all.len() as u64 != inners || level.len() as u64 != leaves {
        return Err(wrong());
    }
    let mut entries = 0;
    for offset in level {
        let (node, _) = view.leaf(offset).ok_or_else(wrong)?;
        if node.count() == 0 || node.count() > layout.leaf_capacity {
            return Err(wrong());
        }
        entries += node.count() as u64;
        all.push((offset, layout.leaf_size));
    }
    all.sort_unstable();
    let apart = all.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0);
    if apart && entries == raw.len.peek() { Ok(all) } else { Err(wrong()) }
}
