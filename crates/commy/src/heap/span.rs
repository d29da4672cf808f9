//! Spans: blocks of one class. A span's header is the `b` words of its first four page map entries.

use crate::sys::atomic::AtomicU64;

use super::class::{batch, block_size, is_type_stable, span_pages};
use super::page_kind::SPAN;
use super::run;
use crate::journal::{Inner, OBJECT_CLASS, link_offset};
use crate::process::Actor;
use crate::region::Space;
use crate::region::layout::*;
use crate::{Error, Result};

/// A span, by its first page.
#[derive(Clone, Copy)]
pub(super) struct Span<'a> {
    space: &'a Space,
    pub(super) page: u64,
    pub(super) class: usize,
    pub(super) arena: u64,
}

impl<'a> Span<'a> {
    /// The span that begins at `page`.
    pub(super) fn at(space: &'a Space, page: u64) -> Result<Span<'a>> {
        let entry = space.page(page)?.a.peek();
        let class = pack::page_class(entry) as usize;
        if pack::page_kind(entry) != SPAN || pack::page_value(entry) != 0 || block_size(class) == 0 {
            return Err(Error::corrupt(space.page_offset(page), "a page is no span"));
        }
        space.page(page + span_pages(class) - 1)?;
        Ok(Span { space, page, class, arena: pack::page_arena(entry) })
    }

    /// The span that block `offset` of `class` belongs to.
    pub(super) fn of_block(space: &'a Space, offset: u64, class: usize) -> Result<Span<'a>> {
        let page = space.page_of(offset);
        let entry = space.page(page)?.a.peek();
        let wrong = || Error::corrupt(offset, "a block lies in no span of its class");
        let first = page.checked_sub(pack::page_value(entry)).ok_or_else(wrong)?;
        let span = Span::at(space, first)?;
        let within = offset - space.page_offset(first);
        let fits = pack::page_kind(entry) == SPAN && span.class == class && within.is_multiple_of(block_size(class));
        if fits { Ok(span) } else { Err(wrong()) }
    }

    fn word(&self, index: u64) -> Result<&'a AtomicU64> {
        Ok(&self.space.page(self.page + index)?.b)
    }

    /// {count | head}
    pub(super) fn free(&self) -> Result<&'a AtomicU64> {
        self.word(0)
    }

    fn links(&self) -> Result<&'a AtomicU64> {
        self.word(1)
    }

    /// {carved | listed}
    pub(super) fn carved(&self) -> Result<&'a AtomicU64> {
        self.word(2)
    }

    pub(super) fn blocks(&self) -> u64 {
        span_pages(self.class) * PAGE / block_size(self.class)
    }

    fn block(&self, index: u64) -> u64 {
        self.space.page_offset(self.page) + index * block_size(self.class)
    }

    fn partial(&self) -> &'a AtomicU64 {
        &self.space.arena(self.arena).partial[self.class]
    }

    /// Takes pages from the supply for a span of `class`; the arena and the supply are locked.
    pub(super) fn create(space: &'a Space, inner: &mut Inner, class: usize, arena: u64) -> Result<Option<Span<'a>>> {
        let pages = span_pages(class);
        let Some(page) = run::take(space, inner, pages)? else { return Ok(None) };
        if is_type_stable(class) {
            // Headers and cells begin as zero; nobody can reach these pages yet.
            let start = space.resolve(space.page_offset(page), pages * PAGE)?;
            // SAFETY: R1, just resolved; H1: the pages are nobody's.
            unsafe { std::ptr::write_bytes(start, 0, (pages * PAGE) as usize) };
        }
        let span = Span { space, page, class, arena };
        // The run's outer entries were live as tags and are logged; the inner ones had no meaning.
        for index in 1..pages - 1 {
            let entry = space.page(page + index)?;
            entry.a.put(pack::page(SPAN, class as u64, arena, index));
            entry.b.put(0);
        }
        let last = space.page(page + pages - 1)?;
        inner.set(&last.a, pack::page(SPAN, class as u64, arena, pages - 1))?;
        inner.set(&last.b, 0)?;
        let first = space.page(page)?;
        inner.set(&first.b, 0)?;
        inner.set(&first.a, pack::page(SPAN, class as u64, arena, 0))?;
        if class == OBJECT_CLASS {
            let newest = &space.supply().header_spans;
            inner.set(span.word(3)?, newest.peek())?;
            inner.set(newest, page + 1)?;
        }
        span.enlist(inner)?;
        Ok(Some(span))
    }

    fn enlist(&self, inner: &mut Inner) -> Result<()> {
        let next = self.partial().peek();
        if let Some(next) = next.checked_sub(1) {
            let links = Span::at(self.space, next)?.links()?;
            inner.set(links, pack::pair(pack::low(links.peek()), self.page + 1))?;
        }
        inner.set(self.links()?, pack::pair(next, 0))?;
        inner.set(self.partial(), self.page + 1)?;
        inner.set(self.carved()?, pack::pair(pack::low(self.carved()?.peek()), 1))
    }

    fn delist(&self, inner: &mut Inner) -> Result<()> {
        let links = self.links()?.peek();
        let (next, prev) = (pack::low(links), pack::high(links));
        match prev.checked_sub(1) {
            None => inner.set(self.partial(), next)?,
            Some(prev) => {
                let links = Span::at(self.space, prev)?.links()?;
                inner.set(links, pack::pair(next, pack::high(links.peek())))?;
            }
        }
        if let Some(next) = next.checked_sub(1) {
            let links = Span::at(self.space, next)?.links()?;
            inner.set(links, pack::pair(pack::low(links.peek()), prev))?;
        }
        inner.set(self.carved()?, pack::pair(pack::low(self.carved()?.peek()), 0))
    }

    /// Moves a batch of free blocks to the lane's list of the class, which is empty.
    pub(super) fn give_batch(&self, actor: &Actor, inner: &mut Inner) -> Result<()> {
        let free = self.free()?.peek();
        let list = &actor.lane.lists[self.class];
        let carved = pack::low(self.carved()?.peek());
        let (mut exhausted, wanted) = (false, batch(self.class));
        if pack::list_head(free) != 0 {
            let (mut last, mut count) = (pack::list_head(free), 1);
            while count < wanted {
                let next = self.link(last)?.peek();
                if next == 0 {
                    break;
                }
                (last, count) = (next, count + 1);
            }
            let rest = self.link(last)?.peek();
            inner.set(self.link(last)?, 0)?;
            inner.set(self.free()?, pack::list(rest, pack::list_count(free).saturating_sub(count)))?;
            inner.set(list, pack::list(pack::list_head(free), count))?;
            exhausted |= rest == 0 && carved >= self.blocks();
        } else {
            let count = wanted.min(self.blocks().saturating_sub(carved));
            if count == 0 {
                return Err(Error::corrupt(self.space.page_offset(self.page), "a listed span has no free block"));
            }
            // Uncarved blocks are nobody's: their links need no log.
            for index in carved..carved + count {
                let next = if index + 1 < carved + count { self.block(index + 1) } else { 0 };
                self.link(self.block(index))?.put(next);
            }
            inner.set(self.carved()?, pack::pair(carved + count, 1))?;
            inner.set(list, pack::list(self.block(carved), count))?;
            exhausted |= carved + count >= self.blocks();
        }
        if exhausted { self.delist(inner) } else { Ok(()) }
    }

    fn link(&self, block: u64) -> Result<&'a AtomicU64> {
        self.space.get(block.wrapping_add(link_offset(self.class)))
    }

    /// Takes the blocks of this span that the lane's list begins with, at most `most` and at least the first, which is one;
    /// the arena is locked. Links between them stay as they are. An empty span goes back to the supply if that is free to
    /// be locked and the class has another span. Says how many blocks it took.
    pub(super) fn take_back(&self, actor: &Actor, inner: &mut Inner, most: u64) -> Result<u64> {
        let list = &actor.lane.lists[self.class];
        let first = pack::list_head(list.peek());
        let (mut last, mut taken) = (self.link(first)?, 1);
        let mut next = last.peek();
        while taken < most && self.has(next) {
            last = self.link(next)?;
            (next, taken) = (last.peek(), taken + 1);
        }
        let free = self.free()?.peek();
        let count = pack::list_count(free) + taken;
        if count > pack::low(self.carved()?.peek()) {
            return Err(Error::corrupt(first, "a span has more free blocks than blocks"));
        }
        inner.set(list, pack::list(next, pack::list_count(list.peek()).wrapping_sub(taken)))?;
        inner.set(last, pack::list_head(free))?;
        inner.set(self.free()?, pack::list(first, count))?;
        let (carved, listed) = (pack::low(self.carved()?.peek()), pack::high(self.carved()?.peek()));
        if listed == 0 {
            self.enlist(inner)?;
        }
        let alone = self.links()?.peek() == 0;
        if count == carved && !is_type_stable(self.class) && !alone && inner.try_lock_supply() {
            self.put_back(inner)?;
        }
        Ok(taken)
    }

    /// Is `offset` that of a block of this span?
    fn has(&self, offset: u64) -> bool {
        let within = offset.wrapping_sub(self.space.page_offset(self.page));
        within < self.blocks() * block_size(self.class) && within.is_multiple_of(block_size(self.class))
    }

    /// The span after this one in the arena's list.
    pub(super) fn next(&self) -> Result<Option<Span<'a>>> {
        match pack::low(self.links()?.peek()).checked_sub(1) {
            Some(page) => Span::at(self.space, page).map(Some),
            None => Ok(None),
        }
    }

    /// Has the span all the blocks that it ever gave out?
    pub(super) fn is_empty(&self) -> Result<bool> {
        Ok(pack::list_count(self.free()?.peek()) == pack::low(self.carved()?.peek()))
    }

    /// Gives the pages of an empty span to the supply; arena and supply are locked.
    pub(super) fn put_back(&self, inner: &mut Inner) -> Result<()> {
        self.delist(inner)?;
        run::put_back(self.space, inner, self.page, span_pages(self.class))
    }
}
