//! Lanes: at rest, and the blocks in their lists and in the chunks of their logs.

use super::Checker;
use super::map::{Use, size_of_class};
use crate::journal::{CHUNK_HEAD, CHUNK_SIZE, RUN_CLASS, SPILL_CLASS};
use crate::region::layout::*;
use crate::sys::atomic::AtomicU64;

impl Checker<'_> {
    pub(super) fn lanes(&mut self) {
        let space = self.space;
        for (id, lane) in (0..).map_while(|id| space.lane(id).map(|lane| (id, lane))) {
            self.rest(id, lane);
            for class in 0..LIST_COUNT {
                self.lane_list(id, lane, class);
            }
            for index in 0..CONTEXT_COUNT {
                self.chunks(id, lane, index);
            }
        }
    }

    /// Nobody works: no context, no inner step, nothing in flight, no damage found before.
    fn rest(&mut self, id: u32, lane: &Lane) {
        let at = self.space.offset_of(lane);
        let owner = lane.owner.peek();
        // Free, owned, recovering, salvage: a lane that is at rest may be adopted and freed at any time.
        if pack::owner_state(owner) > 3 {
            self.add(at, "a lane is marked as damaged", format_args!("lane {id}"));
        }
        if pack::owner_slot(owner) >= self.space.geometry.slot_count {
            self.add(at, "a lane belongs to a slot that does not exist", format_args!("lane {id}"));
        }
        let heap = [&lane.heap.state, &lane.heap.held_arena, &lane.heap.held_supply, &lane.inflight];
        for word in heap.into_iter().chain(lane.contexts.iter().map(|context| &context.state)) {
            if !self.calms(|| word.peek() == 0) {
                let rule = "a lane is not at rest";
                self.add(self.space.offset_of(word), rule, format_args!("lane {id}: {:#x}", word.peek()));
            }
        }
    }

    /// A list of free blocks of a class, or of runs.
    fn lane_list(&mut self, id: u32, lane: &Lane, class: usize) {
        let word = &lane.lists[class];
        let (mut block, said, mut count) = (pack::list_head(word.peek()), pack::list_count(word.peek()), 0);
        if size_of_class(class) == 0 && class != RUN_CLASS {
            if word.peek() != 0 {
                self.add(self.space.offset_of(word), "a list has no class", format_args!("lane {id}, list {class}"));
            }
            return;
        }
        while block != 0 {
            let owner = format_args!("list {class} of lane {id}");
            if self.claim(block, class, Use::Cached, owner).is_none() {
                return;
            }
            (block, count) = (self.link(block, class), count + 1);
        }
        if said != pack::list_count(pack::list(0, count)) {
            let rule = "a list's count is wrong";
            let detail = format_args!("list {class} of lane {id}: {said}, but {count} blocks");
            self.add(self.space.offset_of(word), rule, detail);
        }
    }

    /// The chunks of a context's log follow each other.
    fn chunks(&mut self, id: u32, lane: &Lane, index: usize) {
        let first = &lane.contexts[index].first_chunk;
        let (mut block, mut prev) = (first.peek(), 0);
        let mut base = if index == 0 { INLINE_LOG_SIZE } else { 0 };
        while block != 0 {
            let owner = format_args!("log of context {index} of lane {id}");
            if self.claim(block, SPILL_CLASS, Use::Cached, owner).is_none() {
                return;
            }
            // next, prev, base
            let word = |at: u64| self.space.get::<AtomicU64>(block + at).map_or(0, Word::peek);
            let (next, back, start) = (word(0), word(8), word(16));
            if back != prev || start != base {
                let rule = "a log's chunk does not follow its predecessor";
                self.add(block, rule, format_args!("prev {back}, not {prev}; base {start}, not {base}"));
            }
            (block, prev, base) = (next, block, base + CHUNK_SIZE - CHUNK_HEAD);
        }
    }
}
