//! The protocols of the lock, of adoption and of waiting, run by the model checker on a real mapped region: every order
//! of the steps of three threads, with a bound on how often one is interrupted, and every value that a load may return.
//! What is tracked, what is bounded and what is left out stands in docs/crash-safety.md ("Model").
//!
//! Each model has canaries: the same model of code that is wrong on purpose must fail.

mod adoption;
mod change;
mod channel;
mod guards;
mod slots;
mod writers;

use std::time::Duration;

use crate::journal::{self, Context, OBJECT_CLASS, SPAN_PAGE, Single, acquire};
use crate::lock::{self, Waiting};
use crate::process::{Actor, Identity, LaneState, slot_byte};
use crate::region::layout::*;
use crate::region::{self, Space};
use crate::sys::atomic::Ordering::{Relaxed, SeqCst};
use crate::sys::model::{self, Variant};

/// Processes of a model, each with one lane of the same number.
const COUNT: u32 = 4;
/// No sleep ends by itself.
const NEVER: Duration = Duration::ZERO;
/// Sleeps for a lock, and for a change while the word has an owner, end by themselves; those of 10 ms do not.
const SHORT: Duration = Duration::from_millis(1);
/// Nobody gives up.
const LONG: Duration = Duration::from_secs(1 << 30);

/// A region with one object; made once for each test and set back before each run.
#[derive(Clone, Copy)]
struct Stage {
    space: &'static Space,
    header: &'static ObjectHeader,
    actors: [&'static Actor<'static>; COUNT as usize],
}

/// Which words the checker tracks besides those of the object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tracked {
    Object,
    /// Also owner words, states of contexts, states of slots.
    Lives,
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

impl Stage {
    fn build(slot_count: u32) -> Stage {
        let path = std::env::temp_dir().join("commy-model");
        let options = region::CreateOptions { capacity: 1 << 20, mode: 0o600, paging: crate::sys::Paging::default() };
        let mut space = region::create_unnamed(&path, options).expect("a region");
        space.commit_lanes(COUNT).expect("room");
        space.commit_pages(4).expect("room");
        space.geometry.slot_count = slot_count;
        let space = leak(space);
        // A span of object headers, whose first is the object.
        for page in 0..4 {
            let entry = pack::page(SPAN_PAGE, OBJECT_CLASS as u64, 0, page);
            space.page(page).expect("a page").a.put(entry);
        }
        let header = journal::object_at(space, space.page_offset(0)).expect("an object");
        let actors = std::array::from_fn(|id| {
            let me = Identity { slot: id as u32, incarnation: 1, timeout: LONG };
            leak(Actor::new(space, me, id as u32).expect("a lane"))
        });
        Stage { space, header, actors }
    }

    /// Everything as before the first step, for a run of the checker.
    fn reset(&self, variants: &'static [Variant], times_out: Duration, tracked: Tracked) {
        model::begin(variants, times_out);
        let lives = tracked == Tracked::Lives;
        self.space.words().lanes_high.put(u64::from(COUNT));
        let set = |word: &crate::sys::atomic::AtomicU64, value: u64, tracked: bool| match tracked {
            true => model::track_u64(word, value),
            false => word.put(value),
        };
        for actor in self.actors {
            let lane = actor.lane;
            set(&lane.owner, pack::owner(actor.me.slot, 1, LaneState::Owned as u64), lives);
            set(&lane.contexts[0].state, 0, lives);
            [&lane.waiting_for, &lane.wait_sequence, &lane.stamp_counter].iter().for_each(|word| word.put(0));
            let line = self.space.reader_line(actor.id);
            line.cells.iter().enumerate().for_each(|(index, cell)| set(cell, 0, index == 0));
            if actor.me.slot < self.space.geometry.slot_count {
                let slot = self.space.slot(actor.me.slot);
                set(&slot.state, 1 << 8 | 1, lives);
                slot.probed_ns.put(0);
                model::track_byte(slot_byte(self.space, actor.me.slot), true);
            }
        }
        let ObjectHeader { word, change, version, hint, raw, .. } = self.header;
        model::track_u32(word, 0);
        model::track_u32(change, 0);
        [version, hint, &raw.aux0, &raw.aux1].iter().for_each(|word| model::track_u64(word, 0));
    }

    /// One operation of a writer, as a handle's: by the short way, or if that is not free at length.
    fn write(&self, id: usize, value: u64) {
        let mut context = Context::at_rest(self.actors[id], 0);
        match Single::begin(&mut context, self.header) {
            Ok(mut single) => {
                single.record_words([&self.header.raw.aux0, &self.header.raw.aux1]);
                self.set_both(value);
                if let Some(wakes) = single.commit(true) {
                    wakes.wake();
                }
                return;
            }
            Err(rest) if rest.is_held() => Single::leave(&mut context, self.header),
            Err(_) => {}
        }
        self.write_at_length(id, value);
    }

    /// As `write`, as guards and larger changes of a handle do.
    fn write_at_length(&self, id: usize, value: u64) {
        let mut context = Context::at_rest(self.actors[id], 0);
        context.begin();
        context.lock(self.header).expect("a lock");
        self.change(&mut context, value);
        assert!(!context.commit().expect("a commit"));
    }

    fn change(&self, context: &mut Context, value: u64) {
        let raw = &self.header.raw;
        for word in [&raw.aux0, &raw.aux1] {
            context.append_save(self.space.offset_of(word), std::ptr::from_ref(word).cast(), 8);
        }
        self.set_both(value);
    }

    fn set_both(&self, value: u64) {
        let raw = &self.header.raw;
        raw.aux0.store(value, Relaxed);
        raw.aux1.store(value, Relaxed);
    }

    /// An operation that finds nothing to change.
    fn write_nothing(&self, id: usize) {
        let mut context = Context::at_rest(self.actors[id], 0);
        context.begin();
        context.lock(self.header).expect("a lock");
        assert!(!context.commit().expect("a commit"));
    }

    /// The word alone.
    fn lock(&self, id: usize, mut waiting: Waiting) {
        let (actor, word) = (self.actors[id], &self.header.word);
        if !lock::try_lock(word, actor.lock_id()) {
            acquire(actor, word, Some(&self.header.claims_ended), &mut waiting).expect("a lock");
        }
    }

    fn unlock(&self, id: usize) {
        lock::release(&self.header.word, self.actors[id].lock_id());
    }

    /// The kernel takes a process down.
    fn kill(&self, id: usize) {
        model::free_byte(slot_byte(self.space, id as u32));
    }

    /// The word after everybody has gone: nobody's, and nobody is left asleep.
    fn assert_at_rest(&self) {
        let word = self.header.word.load(SeqCst);
        assert_eq!(word & lock::OWNER, 0, "the word is free: {word:x}");
        assert_eq!(self.header.version.load(SeqCst) % 2, 0, "the version is even");
    }
}

/// Checks a model: `run` is called once for each order of steps.
fn check(
    name: &str,
    preemptions: usize,
    slot_count: u32,
    times_out: Duration,
    tracked: Tracked,
    variants: &'static [Variant],
    run: impl Fn(Stage) + Send + Sync + 'static,
) {
    let stage = Stage::build(slot_count);
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let (counted, start) = (runs.clone(), std::time::Instant::now());
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = 20_000;
    // A model that is larger than this is cut off; the first orders are those with few interruptions. What is wrong on
    // purpose ends by being found, however slow the machine, so it has all the time that takes.
    builder.max_duration = Some(Duration::from_secs(if name.starts_with("canary") { 600 } else { 8 }));
    builder.checkpoint_interval = 500;
    builder.check(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        stage.reset(variants, times_out, tracked);
        run(stage);
        model::end();
    });
    let runs = runs.load(std::sync::atomic::Ordering::Relaxed);
    println!("{name}: {runs} runs in {:?}", start.elapsed());
}
