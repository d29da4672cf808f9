//! Pages and blocks: the page map is cut into parts, then each list is walked and must hold exactly what it should.

use super::Checker;
use super::map::{Content, Map, Part, Span, Use, bin_of_len, pages_of_class, size_of_class};
use crate::heap::page_kind::{FREE_HEAD, FREE_TAIL, RUN_HEAD, RUN_TAIL, SPAN};
use crate::journal::OBJECT_CLASS;
use crate::region::layout::*;

impl Checker<'_> {
    /// Words a and b of a page's entry.
    fn entry(&self, page: u64) -> (u64, u64) {
        self.space.page(page).map_or((0, 0), |entry| (entry.a.peek(), entry.b.peek()))
    }

    fn page_finding(&mut self, page: u64, rule: &'static str, detail: std::fmt::Arguments<'_>) {
        self.add(self.space.page_offset(page), rule, detail);
    }

    /// Cuts the pages `0 .. pages` into parts. Pages that no part explains are skipped.
    pub(super) fn survey(&mut self, pages: u64) {
        self.map = Map::new(self.space.geometry.heap_at, pages);
        let (mut page, mut strays, mut after_free) = (0, 0, false);
        while page < pages {
            let part = self.part(page, pages);
            if part.is_some() && strays != 0 {
                self.strays(page - strays, strays);
                strays = 0;
            }
            let Some(part) = part else {
                (page, strays, after_free) = (page + 1, strays + 1, false);
                continue;
            };
            let is_free = matches!(part.content, Content::Free { .. });
            if is_free && after_free {
                self.page_finding(page, "two free runs touch", format_args!("{} pages", part.pages));
            }
            (page, after_free) = (page + part.pages, is_free);
            self.map.push(part);
        }
        if strays != 0 {
            self.strays(pages - strays, strays);
        }
        if after_free {
            self.page_finding(pages, "a free run touches the wilderness", format_args!(""));
        }
    }

    fn strays(&mut self, page: u64, count: u64) {
        let entry = self.entry(page).0;
        let rule = "pages are neither free nor handed out";
        self.page_finding(page, rule, format_args!("{count} pages, the first entry is {entry:#x}"));
    }

    /// The part that begins at `page`, if the entries from there on tell of one.
    fn part(&mut self, page: u64, pages: u64) -> Option<Part> {
        let head = self.entry(page).0;
        let len = pack::page_value(head);
        match pack::page_kind(head) {
            SPAN => self.span_part(page, pages),
            kind @ (FREE_HEAD | RUN_HEAD) if len != 0 && len <= pages - page => {
                let (tail, content) = match kind {
                    FREE_HEAD => (FREE_TAIL, Content::Free { binned: false }),
                    _ => (RUN_TAIL, Content::Run(Use::Nobody)),
                };
                let last = self.entry(page + len - 1).0;
                let tail = if len == 1 { head } else { pack::page(tail, 0, 0, len) };
                if head != pack::page(kind, 0, 0, len) || last != tail {
                    let rule = "the two ends of a run disagree";
                    self.page_finding(page, rule, format_args!("head {head:#x}, tail {last:#x}"));
                }
                Some(Part { page, pages: len, content })
            }
            _ => None,
        }
    }

    fn span_part(&mut self, page: u64, pages: u64) -> Option<Part> {
        let head = self.entry(page).0;
        let (class, arena) = (pack::page_class(head), pack::page_arena(head));
        let count = pages_of_class(class as usize);
        let fits = size_of_class(class as usize) != 0 && arena < ARENA_COUNT && count <= pages - page;
        if !fits || head != pack::page(SPAN, class, arena, 0) {
            return None;
        }
        let wrong = (1..count).find(|index| self.entry(page + index).0 != pack::page(SPAN, class, arena, *index));
        if let Some(index) = wrong {
            let rule = "a page does not belong to the span that it lies in";
            self.page_finding(page + index, rule, format_args!("entry {:#x}", self.entry(page + index).0));
        }
        let carved = pack::low(self.entry(page + 2).1);
        let span = Span::new(class as usize, arena, carved);
        if carved > span.blocks {
            let rule = "a span has given out more blocks than it has";
            self.page_finding(page, rule, format_args!("{carved} of {}", span.blocks));
        }
        Some(Part { page, pages: count, content: Content::Span(span) })
    }

    /// The bins of free runs: linked both ways, and each run is in its own bin.
    pub(super) fn bins(&mut self) {
        for (bin, word) in self.space.supply().bins.iter().enumerate() {
            let (mut from, mut at, mut prev) = (self.space.offset_of(word), word.peek(), 0);
            while at != 0 {
                let rule = match self.map.at(at - 1) {
                    Some(Part { content: Content::Free { binned }, .. }) if !*binned => {
                        *binned = true;
                        ""
                    }
                    Some(Part { content: Content::Free { .. }, .. }) => "a free run is in two places of the bins",
                    _ => "a bin names a page that begins no free run",
                };
                if !rule.is_empty() {
                    self.add(from, rule, format_args!("bin {bin}, page {}", at - 1));
                    break;
                }
                let (page, (head, links)) = (at - 1, self.entry(at - 1));
                if bin_of_len(pack::page_value(head)) != bin {
                    let pages = pack::page_value(head);
                    self.page_finding(page, "a free run is in a wrong bin", format_args!("{pages} pages in bin {bin}"));
                }
                if pack::high(links) != prev {
                    let rule = "a free run's way back leads elsewhere";
                    self.page_finding(page, rule, format_args!("{}, not {prev}", pack::high(links)));
                }
                (from, prev, at) = (self.space.page_offset(page), at, pack::low(links));
            }
        }
    }

    /// What spans say of themselves, and the lists that should have them.
    pub(super) fn spans(&mut self) {
        for number in 0..self.map.parts.len() {
            self.free_list(number);
        }
        for arena in 0..ARENA_COUNT {
            for class in 0..LIST_COUNT {
                self.partial_list(arena, class);
            }
        }
        self.header_chain();
        for number in 0..self.map.parts.len() {
            self.membership(number);
        }
    }

    /// A span's own list: blocks of this span that it has given out once, as many as it says.
    fn free_list(&mut self, number: usize) {
        let part = &self.map.parts[number];
        let Content::Span(span) = &part.content else { return };
        let (page, class) = (part.page, span.class);
        let uncarved = (span.blocks - span.carved) * size_of_class(class);
        self.report.free_bytes += uncarved;
        self.report.slack_bytes += part.pages * PAGE - span.blocks * size_of_class(class);
        let word = self.entry(page).1;
        let (mut block, mut count) = (pack::list_head(word), 0);
        while block != 0 {
            if self.map.part_of(self.space.page_of(block)) != Some(number) {
                let rule = "a span's free list leaves the span";
                self.page_finding(page, rule, format_args!("to {block}"));
                return;
            }
            if self.claim(block, class, Use::Free, format_args!("the free list of a span")).is_none() {
                return;
            }
            (block, count) = (self.link(block, class), count + 1);
        }
        if count != pack::list_count(word) {
            let said = pack::list_count(word);
            self.page_finding(page, "a list's count is wrong", format_args!("{said}, but {count} free blocks"));
        }
    }

    fn partial_list(&mut self, arena: u64, class: usize) {
        let word = &self.space.arena(arena).partial[class];
        let (mut from, mut at, mut prev) = (self.space.offset_of(word), word.peek(), 0);
        while at != 0 {
            let rule = match self.map.span_at(at - 1) {
                None => "an arena's list names a page that begins no span",
                Some(span) if span.listed => "a span is in two places of the arenas' lists",
                Some(span) if span.class != class || span.arena != arena => "a span is in the list of others",
                Some(span) => {
                    span.listed = true;
                    ""
                }
            };
            if !rule.is_empty() {
                self.add(from, rule, format_args!("arena {arena}, class {class}, page {}", at - 1));
                return;
            }
            let (page, links) = (at - 1, self.entry(at).1);
            if pack::high(links) != prev {
                let rule = "a span's way back leads elsewhere";
                self.page_finding(page, rule, format_args!("{}, not {prev}", pack::high(links)));
            }
            (from, prev, at) = (self.space.page_offset(page), at, pack::low(links));
        }
    }

    /// The chain through all header spans.
    fn header_chain(&mut self) {
        let word = &self.space.supply().header_spans;
        let (mut from, mut at) = (self.space.offset_of(word), word.peek());
        while at != 0 {
            let rule = match self.map.span_at(at - 1) {
                Some(span) if span.class == OBJECT_CLASS && !span.chained => {
                    span.chained = true;
                    ""
                }
                Some(span) if span.class == OBJECT_CLASS => "a header span is in its chain twice",
                _ => "the chain of header spans leads elsewhere",
            };
            if !rule.is_empty() {
                return self.add(from, rule, format_args!("page {}", at - 1));
            }
            from = self.space.page_offset(at - 1);
            at = self.entry(at + 2).1;
        }
    }

    /// Is a part in the lists it belongs to, and only there?
    fn membership(&mut self, number: usize) {
        let part = &self.map.parts[number];
        let page = part.page;
        match &part.content {
            Content::Free { binned: false } => self.page_finding(page, "a free run is in no bin", format_args!("")),
            Content::Span(span) => {
                let (listed, chained) = (span.listed, span.chained || span.class != OBJECT_CLASS);
                let (word, flag) = (self.entry(page).1, pack::high(self.entry(page + 2).1));
                let can_give = pack::list_head(word) != 0 || span.carved < span.blocks;
                if flag != u64::from(listed) {
                    let rule = "a span's flag contradicts its arena's list";
                    self.page_finding(page, rule, format_args!("flag {flag}, in the list: {listed}"));
                }
                if can_give != listed {
                    let rule = if listed { "a span without blocks to give is listed" } else { "a span is not listed" };
                    self.page_finding(page, rule, format_args!(""));
                }
                if !chained {
                    self.page_finding(page, "a header span is not in the chain", format_args!(""));
                }
            }
            _ => {}
        }
    }

    /// Whatever nobody has claimed is lost.
    pub(super) fn leftovers(&mut self) {
        for number in 0..self.map.parts.len() {
            let part = &self.map.parts[number];
            let (page, pages) = (part.page, part.pages);
            match &part.content {
                Content::Free { .. } => self.report.free_bytes += pages * PAGE,
                Content::Run(Use::Nobody) => {
                    self.page_finding(page, "a page run belongs to nobody", format_args!("{pages} pages"));
                }
                Content::Run(_) => {}
                Content::Span(span) => {
                    let mut lost = (0..span.carved).filter(|index| span.user(*index) == Use::Nobody);
                    if let Some(first) = lost.next() {
                        let (count, size) = (1 + lost.count(), size_of_class(span.class));
                        let offset = self.space.page_offset(page) + first * size;
                        let rule = "blocks belong to nobody";
                        self.add(offset, rule, format_args!("{count} of {size} bytes in the span at page {page}"));
                    }
                }
            }
        }
    }
}
