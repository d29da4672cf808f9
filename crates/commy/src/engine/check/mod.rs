//! The oracle: walks a whole region and proves invariant H1, that each block is free, cached or reachable exactly
//! once, that all counts agree with what is counted, and that every object is well-formed.
//!
//! It is written from the layout alone and calls nothing of `heap` and `raw` that walks, so that it does not share an
//! error with what it checks. Any bytes do: a wrong offset becomes a finding; every walk ends because each step
//! claims something that can be claimed once (`map`, C1) or moves through memory that was claimed.

mod heap;
mod lanes;
mod map;
mod objects;
mod owned;
mod report;
mod table;
#[cfg(test)]
mod tests;
mod tree;

pub use report::{Finding, Report};

use crate::sys::atomic::AtomicU64;
use std::fmt::Arguments;
use std::time::{Duration, Instant};

use crate::journal::{CELL_CLASS, CELL_LINK_AT, CONTROL_CLASS, OBJECT_CLASS, RUN_CLASS};
use crate::region::layout::*;
use crate::region::{Geometry, Space};
use map::{Map, Use};
use objects::Object;

/// How long the check waits, in all, for words that should be calm; what moves after that counts as damage.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 200 });

/// Checks everything. The caller has made the region stand still (see "Freeze" in ARCHITECTURE.md).
pub(crate) fn check(space: &Space) -> Report {
    let mut checker = Checker::new(space, Depth::Everything);
    if checker.walk().is_some() {
        checker.leftovers();
    }
    checker.report
}

/// Has each block one owner at most? Nobody may be there, so that the answer holds for as long as somebody is.
///
/// The blocks of values are looked for, not what they say: a body of numbers costs as much as one number.
pub(crate) fn blocks_have_one_owner(space: &Space) -> bool {
    let mut checker = Checker::new(space, Depth::Owners);
    checker.walk();
    checker.report.is_clean()
}

/// How much is looked at.
#[derive(PartialEq)]
enum Depth {
    Everything,
    /// Only whose each block is. Lost ones do no harm.
    Owners,
}

struct Checker<'a> {
    space: &'a Space,
    depth: Depth,
    map: Map,
    report: Report,
    /// When patience ends; set when it is first needed.
    deadline: Option<Instant>,
    spare_steps: u64,
}

impl<'a> Checker<'a> {
    fn new(space: &'a Space, depth: Depth) -> Checker<'a> {
        // Where nobody works nothing has to be waited for.
        let deadline = (depth == Depth::Owners).then(Instant::now);
        let (map, report) = (Map::default(), Report::default());
        Checker { space, depth, map, report, deadline, spare_steps: table::SPARE_STEPS }
    }

    /// Everything that can be reached; `None` if not even the extent of the heap is known.
    fn walk(&mut self) -> Option<()> {
        self.header();
        let pages = self.extent()?;
        self.survey(pages);
        self.bins();
        self.spans();
        self.lanes();
        self.objects();
        Some(())
    }

    /// Can what a container says, beyond the blocks that it has, be left alone?
    fn skips_contents(&self, object: &Object) -> bool {
        self.depth == Depth::Owners && object.owns.is_empty()
    }

    fn add(&mut self, offset: u64, rule: &'static str, detail: Arguments<'_>) {
        self.report.add(offset, rule, detail);
    }

    /// The parts that never change, and the words of the supply and the arenas.
    fn header(&mut self) {
        let mut bytes = [0; HEADER_WORDS_AT as usize];
        let read = self.space.with_file(|file| Ok((file.read_at(&mut bytes, 0)?, file.metadata()?.len)));
        let parsed = match read {
            Ok((read, len)) => Geometry::parse(&bytes[..read], len),
            Err(error) => Err(error.to_string()),
        };
        match parsed {
            Ok(geometry) if geometry == self.space.geometry => {}
            Ok(_) => self.add(0, "the header has changed since the region was opened", format_args!("")),
            Err(reason) => self.add(0, "the header is damaged", format_args!("{reason}")),
        }
        let words = self.space.words();
        let (high, ready) = (words.lanes_high.peek(), words.lanes_ready.peek());
        let limit = u64::from(self.space.geometry.lane_count);
        if high > ready || ready > limit {
            let detail = format_args!("{high} used, {ready} ready, at most {limit}");
            self.add(HEADER_WORDS_AT, "the number of lanes is out of range", detail);
        }
        let space = self.space;
        let arenas = (0..ARENA_COUNT).map(|index| &space.arena(index).word);
        for word in arenas.chain([&space.supply().word]) {
            if !self.calms(|| word.peek() & crate::lock::OWNER == 0) {
                let rule = "the heap is locked though nobody works";
                self.add(space.offset_of(word), rule, format_args!("word {:#x}", word.peek()));
            }
        }
    }

    /// Number of pages handed out, if the numbers can be relied upon.
    fn extent(&mut self) -> Option<u64> {
        let committed = match self.space.committed_pages() {
            Ok(pages) => pages,
            Err(error) => {
                self.add(HEADER_WORDS_AT, "the heap has no end", format_args!("{error}"));
                return None;
            }
        };
        self.report.committed_bytes = committed * PAGE;
        let supplied = self.space.supply().supplied.peek();
        if supplied > committed {
            let rule = "more pages are handed out than there are";
            self.add(SUPPLY_AT, rule, format_args!("{supplied} of {committed}"));
        }
        let pages = supplied.min(committed);
        self.report.free_bytes = (committed - pages) * PAGE;
        Some(pages)
    }

    /// Waits a little for `calm`: a context that meets a freeze has taken a word for a moment, and lets it go.
    fn calms(&mut self, calm: impl Fn() -> bool) -> bool {
        while !calm() {
            if Instant::now() >= *self.deadline.get_or_insert_with(|| Instant::now() + PATIENCE) {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }

    /// Gives a block to `user`; its size. A block that cannot be had is a finding that names `owner`.
    fn claim(&mut self, block: u64, class: usize, user: Use, owner: Arguments<'_>) -> Option<u64> {
        match self.map.claim(block, class, user) {
            Ok(size) => {
                let total = match user {
                    Use::Cached => &mut self.report.cached_bytes,
                    Use::Reachable => &mut self.report.allocated_bytes,
                    Use::Free | Use::Nobody => &mut self.report.free_bytes,
                };
                *total += size;
                Some(size)
            }
            Err(fault) => {
                let separator = if fault.detail.is_empty() { "" } else { ": " };
                self.add(block, fault.rule, format_args!("{owner}{separator}{}", fault.detail));
                None
            }
        }
    }

    /// Claims a block that a container uses for `size` bytes: of exactly the class that `size` asks for, because
    /// that is the list it will be given back to.
    fn claim_bytes(&mut self, block: u64, size: u64, owner: Arguments<'_>) -> Option<()> {
        let class = map::class_of_size(size);
        let found = self.claim(block, class, Use::Reachable, owner)?;
        if class == RUN_CLASS && found / PAGE != size.div_ceil(PAGE) {
            self.add(block, "a page run is of another length than its content", format_args!("{owner}: {found}"));
        }
        (size <= found).then_some(())
    }

    /// The link of a free block of `class`.
    fn link(&self, block: u64, class: usize) -> u64 {
        let within = match class {
            OBJECT_CLASS => OBJECT_LINK_AT,
            CELL_CLASS => CELL_LINK_AT,
            CONTROL_CLASS => CONTROL_LINK_AT,
            _ => 0,
        };
        self.space.get::<AtomicU64>(block + within).map_or(0, Word::peek)
    }

    /// The bytes of a block that was claimed.
    fn bytes(&self, block: u64, len: u64) -> Option<&'a [u8]> {
        let start = self.space.resolve(block, len).ok()?;
        // SAFETY: R1, the range was just resolved; nobody writes to the content of containers while the region stands
        // still, which is the contract of `check`.
        Some(unsafe { std::slice::from_raw_parts(start, len as usize) })
    }
}
