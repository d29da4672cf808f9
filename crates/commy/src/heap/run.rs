//! Page runs: boundary tags in the page map, free runs in bins of four per doubling, wilderness behind `supplied`.
//! All of it changes inside an inner transaction that holds the supply's word.

use super::page_kind::*;
use crate::journal::Inner;
use crate::region::Space;
use crate::region::layout::*;
use crate::{Error, Result};

/// How many runs of the own bin are looked at before a larger bin is taken.
const LOOKS: usize = 32;

/// The bin of free runs of `pages` pages.
pub(crate) fn bin_of(pages: u64) -> usize {
    if pages < 8 {
        return pages as usize;
    }
    let top = 63 - pages.leading_zeros() as usize;
    (8 + (top - 3) * 4 + ((pages >> (top - 2)) & 3) as usize).min(BIN_COUNT - 1)
}

fn damaged(space: &Space, page: u64) -> Error {
    Error::corrupt(space.page_offset(page), "the page map contradicts itself")
}

/// Length of the free run that begins at `page`.
fn free_len(space: &Space, page: u64) -> Result<u64> {
    let entry = space.page(page)?.a.peek();
    let len = pack::page_value(entry);
    if pack::page_kind(entry) != FREE_HEAD || len == 0 || page + len > space.supply().supplied.peek() {
        return Err(damaged(space, page));
    }
    Ok(len)
}

/// Takes `pages` pages; their map entries still say "free run". `None`: the heap must grow first.
pub(super) fn take(space: &Space, inner: &mut Inner, pages: u64) -> Result<Option<u64>> {
    let supply = space.supply();
    if let Some((page, len)) = find(space, pages)? {
        unlink(space, inner, page, len)?;
        if len > pages {
            insert(space, inner, page + pages, len - pages)?;
        }
        return Ok(Some(page));
    }
    let page = supply.supplied.peek();
    let end = page.checked_add(pages).ok_or_else(|| damaged(space, page))?;
    if end > space.committed_pages()? {
        return Ok(None);
    }
    inner.set(&supply.supplied, end)?;
    Ok(Some(page))
}

fn find(space: &Space, pages: u64) -> Result<Option<(u64, u64)>> {
    let supply = space.supply();
    let own = bin_of(pages);
    let mut next = supply.bins[own].peek();
    for _ in 0..LOOKS {
        let Some(page) = next.checked_sub(1) else { break };
        let len = free_len(space, page)?;
        if len >= pages {
            return Ok(Some((page, len)));
        }
        next = pack::low(space.page(page)?.b.peek());
    }
    for bin in &supply.bins[own + 1..] {
        if let Some(page) = bin.peek().checked_sub(1) {
            let len = free_len(space, page)?;
            if len < pages {
                return Err(damaged(space, page));
            }
            return Ok(Some((page, len)));
        }
    }
    Ok(None)
}

/// Marks a run of `pages` pages as handed out.
pub(super) fn mark(space: &Space, inner: &mut Inner, page: u64, pages: u64) -> Result<()> {
    inner.set(&space.page(page)?.a, pack::page(RUN_HEAD, 0, 0, pages))?;
    inner.set(&space.page(page)?.b, 0)?;
    if pages > 1 {
        inner.set(&space.page(page + pages - 1)?.a, pack::page(RUN_TAIL, 0, 0, pages))?;
    }
    Ok(())
}

/// Pages of the run that begins at `offset`.
pub(super) fn len_of(space: &Space, offset: u64) -> Result<u64> {
    let page = space.page_of(offset);
    let entry = space.page(page)?.a.peek();
    if !offset.is_multiple_of(PAGE) || pack::page_kind(entry) != RUN_HEAD || pack::page_value(entry) == 0 {
        return Err(Error::corrupt(offset, "an offset is no page run"));
    }
    Ok(pack::page_value(entry))
}

/// Gives pages back, merged with their free neighbours.
pub(super) fn put_back(space: &Space, inner: &mut Inner, mut page: u64, mut pages: u64) -> Result<()> {
    let supply = space.supply();
    if page > 0 {
        let entry = space.page(page - 1)?.a.peek();
        let (kind, len) = (pack::page_kind(entry), pack::page_value(entry));
        if kind == FREE_TAIL || (kind == FREE_HEAD && len == 1) {
            let head = page.checked_sub(len).ok_or_else(|| damaged(space, page))?;
            unlink(space, inner, head, len)?;
            (page, pages) = (head, pages + len);
        }
    }
    let after = page + pages;
    if after < supply.supplied.peek() && pack::page_kind(space.page(after)?.a.peek()) == FREE_HEAD {
        let len = free_len(space, after)?;
        unlink(space, inner, after, len)?;
        pages += len;
    }
    if page + pages == supply.supplied.peek() {
        return inner.set(&supply.supplied, page);
    }
    insert(space, inner, page, pages)
}

fn insert(space: &Space, inner: &mut Inner, page: u64, pages: u64) -> Result<()> {
    let bin = &space.supply().bins[bin_of(pages)];
    let next = bin.peek();
    let entry = space.page(page)?;
    inner.set(&entry.a, pack::page(FREE_HEAD, 0, 0, pages))?;
    inner.set(&entry.b, pack::pair(next, 0))?;
    if pages > 1 {
        inner.set(&space.page(page + pages - 1)?.a, pack::page(FREE_TAIL, 0, 0, pages))?;
    }
    if let Some(next) = next.checked_sub(1) {
        let links = &space.page(next)?.b;
        inner.set(links, pack::pair(pack::low(links.peek()), page + 1))?;
    }
    inner.set(bin, page + 1)
}

fn unlink(space: &Space, inner: &mut Inner, page: u64, pages: u64) -> Result<()> {
    if free_len(space, page)? != pages {
        return Err(damaged(space, page));
    }
    let links = space.page(page)?.b.peek();
    let (next, prev) = (pack::low(links), pack::high(links));
    match prev.checked_sub(1) {
        None => {
            let bin = &space.supply().bins[bin_of(pages)];
            if bin.peek() != page + 1 {
                return Err(damaged(space, page));
            }
            inner.set(bin, next)?;
        }
        Some(prev) => {
            let links = &space.page(prev)?.b;
            inner.set(links, pack::pair(next, pack::high(links.peek())))?;
        }
    }
    if let Some(next) = next.checked_sub(1) {
        let links = &space.page(next)?.b;
        inner.set(links, pack::pair(pack::low(links.peek()), prev))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_bin_holds_only_larger_runs() {
        for pages in 1..5000 {
            assert!(bin_of(pages) <= bin_of(pages + 1));
        }
        for pages in [1u64, 7, 8, 9, 10, 100, 1023, 1024] {
            // Whatever is in a higher bin than `pages` is at least as long.
            let shortest = (1..10_000).find(|len| bin_of(*len) > bin_of(pages)).unwrap();
            assert!(shortest >= pages);
        }
        assert!(bin_of(u32::MAX.into()) < BIN_COUNT);
    }
}
