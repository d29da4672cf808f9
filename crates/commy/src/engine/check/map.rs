//! Who has which block: each page handed out belongs to one part of the map (a free run, a run, a span), and each
//! part remembers what has been seen of it.
//!
//! Invariant C1: a block changes from `Nobody` to another use once, and only by `claim`; so whoever follows links and
//! claims what he meets ends, whatever the links say.

use crate::journal::{CELL_CLASS, CONTROL_CLASS, OBJECT_CLASS, RUN_CLASS};
use crate::region::layout::{BIN_COUNT, OBJECT_SIZE, PAGE};

/// What a block was found as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Nobody = 0,
    /// On its span's free list.
    Free = 1,
    /// On a lane's list, or a chunk of a log.
    Cached = 2,
    /// Reached from an object.
    Reachable = 3,
}

impl Use {
    fn of(bits: u64) -> Use {
        match bits & 3 {
            0 => Use::Nobody,
            1 => Use::Free,
            2 => Use::Cached,
            _ => Use::Reachable,
        }
    }
}

/// Blocks of one class.
pub(super) struct Span {
    pub(super) class: usize,
    pub(super) arena: u64,
    pub(super) blocks: u64,
    /// Blocks ever given out; at most `blocks`.
    pub(super) carved: u64,
    /// Seen in its arena's list.
    pub(super) listed: bool,
    /// Seen in the chain of header spans.
    pub(super) chained: bool,
    /// Two bits for each block.
    uses: Box<[u64]>,
}

impl Span {
    pub(super) fn new(class: usize, arena: u64, carved: u64) -> Span {
        let blocks = pages_of_class(class) * PAGE / size_of_class(class);
        let uses = vec![0; blocks.div_ceil(32) as usize].into();
        Span { class, arena, blocks, carved: carved.min(blocks), listed: false, chained: false, uses }
    }

    /// What block `index` is.
    pub(super) fn user(&self, index: u64) -> Use {
        Use::of(self.uses[(index / 32) as usize] >> (index % 32 * 2))
    }
}

/// What the pages of a part are.
pub(super) enum Content {
    Free {
        /// Seen in its bin.
        binned: bool,
    },
    Run(Use),
    Span(Span),
}

/// Pages that belong together.
pub(super) struct Part {
    pub(super) page: u64,
    pub(super) pages: u64,
    pub(super) content: Content,
}

/// Why a block cannot be had.
pub(super) struct Fault {
    pub(super) rule: &'static str,
    pub(super) detail: String,
}

fn fault<T>(rule: &'static str, detail: String) -> Result<T, Fault> {
    Err(Fault { rule, detail })
}

const NO_PART: u32 = u32::MAX;

/// All parts, in the order of their pages.
#[derive(Default)]
pub(super) struct Map {
    heap_at: u64,
    pub(super) parts: Vec<Part>,
    /// The part of each page that can be named: all pages of a span, the first page of a run.
    part_of_page: Vec<u32>,
}

impl Map {
    /// A map of `pages` pages that belong to no part yet.
    pub(super) fn new(heap_at: u64, pages: u64) -> Map {
        Map { heap_at, parts: Vec::new(), part_of_page: vec![NO_PART; pages as usize] }
    }

    /// Adds a part behind all others.
    pub(super) fn push(&mut self, part: Part) {
        let named = if matches!(part.content, Content::Span(_)) { part.pages } else { 1 };
        let pages = part.page as usize..(part.page + named) as usize;
        if let Some(entries) = self.part_of_page.get_mut(pages) {
            entries.fill(self.parts.len() as u32);
            self.parts.push(part);
        }
    }

    /// The number of the part that can be named by `page`.
    pub(super) fn part_of(&self, page: u64) -> Option<usize> {
        let number = *self.part_of_page.get(usize::try_from(page).ok()?)?;
        (number != NO_PART).then_some(number as usize)
    }

    /// The part that begins at `page`.
    pub(super) fn at(&mut self, page: u64) -> Option<&mut Part> {
        let number = self.part_of(page)?;
        self.parts.get_mut(number).filter(|part| part.page == page)
    }

    /// The span that begins at `page`.
    pub(super) fn span_at(&mut self, page: u64) -> Option<&mut Span> {
        match &mut self.at(page)?.content {
            Content::Span(span) => Some(span),
            _ => None,
        }
    }

    /// Gives the block at `block`, which must be of `class`, to `user`; its size in bytes.
    pub(super) fn claim(&mut self, block: u64, class: usize, user: Use) -> Result<u64, Fault> {
        let nowhere = "an offset points at no block";
        let Some(within) = block.checked_sub(self.heap_at) else { return fault(nowhere, String::new()) };
        let Some(number) = self.part_of(within / PAGE) else { return fault(nowhere, String::new()) };
        let part = &mut self.parts[number];
        let within = within - part.page * PAGE;
        match &mut part.content {
            Content::Free { .. } => fault(nowhere, "the pages are free".into()),
            Content::Run(_) if within != 0 => fault(nowhere, "inside a page run".into()),
            Content::Run(_) if class != RUN_CLASS => fault(OTHER_CLASS, format!("a page run, not class {class}")),
            Content::Run(known) if *known != Use::Nobody => fault(TWICE, format!("{user:?}, and {known:?} before")),
            Content::Run(known) => {
                *known = user;
                Ok(part.pages * PAGE)
            }
            Content::Span(span) if span.class != class => {
                fault(OTHER_CLASS, format!("class {}, not {class}", span.class))
            }
            Content::Span(span) => {
                let size = size_of_class(class);
                let index = within / size;
                if !within.is_multiple_of(size) || index >= span.blocks {
                    return fault(nowhere, format!("between blocks of {size} bytes"));
                }
                if index >= span.carved {
                    return fault("a block is used that was never given out", String::new());
                }
                if span.user(index) != Use::Nobody {
                    return fault(TWICE, format!("{user:?}, and {:?} before", span.user(index)));
                }
                span.uses[(index / 32) as usize] |= (user as u64) << (index % 32 * 2);
                Ok(size)
            }
        }
    }
}

const TWICE: &str = "a block is in two places";
const OTHER_CLASS: &str = "a block is of another class than its place";

/// Class table number 1, written down here a second time, so that an error in `heap::class` shows.
const SIZES: [u64; 40] = {
    let mut sizes = [0; 40];
    let mut class = 0;
    while class < 40 {
        let above = class as u64 + 1;
        // Multiples of 16 up to 128, then four per doubling.
        sizes[class] = if class < 8 { above * 16 } else { ((above - 9) % 4 + 5) << ((above - 9) / 4 + 5) };
        class += 1;
    }
    sizes
};

/// A counter's segment: 16 cells, each a cache line.
const SEGMENT_SIZE: u64 = 1024;

/// The words of a channel that move: two ends of two cache lines each.
const CHANNEL_SIZE: u64 = 256;

/// Bytes of a block of `class`; 0 if there are none.
pub(super) fn size_of_class(class: usize) -> u64 {
    match class {
        OBJECT_CLASS => OBJECT_SIZE,
        CELL_CLASS => SEGMENT_SIZE,
        CONTROL_CLASS => CHANNEL_SIZE,
        _ => SIZES.get(class).copied().unwrap_or(0),
    }
}

/// The class whose blocks serve `size` bytes.
pub(super) fn class_of_size(size: u64) -> usize {
    let class = SIZES.partition_point(|block| *block < size);
    if class < SIZES.len() { class } else { RUN_CLASS }
}

/// Pages of a span of `class`.
pub(super) fn pages_of_class(class: usize) -> u64 {
    match size_of_class(class) {
        ..=1024 => 4,
        1025..=4096 => 16,
        _ => 64,
    }
}

/// The bin of free runs of `pages` pages: one for each length below 8, then four per doubling.
pub(super) fn bin_of_len(pages: u64) -> usize {
    let (mut bin, mut first, mut width) = (0, 0, 1);
    while bin < BIN_COUNT - 1 && pages >= first + width {
        (bin, first) = (bin + 1, first + width);
        width = if first >= 8 && first.is_power_of_two() { first / 4 } else { width };
    }
    bin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_class_tables_agree() {
        assert_eq!(SIZES[39], 32768);
        for class in 0..48 {
            assert_eq!(size_of_class(class), crate::heap::block_size(class), "class {class}");
            assert_eq!(pages_of_class(class), crate::heap::span_pages(class), "class {class}");
        }
        assert!((0..40_000).all(|size| class_of_size(size) == crate::heap::class_for(size)));
        assert!((1..70_000).chain([u32::MAX.into()]).all(|len| bin_of_len(len) == crate::heap::bin_of(len)));
    }
}
