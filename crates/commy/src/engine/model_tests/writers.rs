//! Nobody is inside together with a writer, and whoever sleeps for the word is woken.

use std::sync::Arc;
use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::thread::spawn;

use super::{NEVER, SHORT, Stage, Tracked, check};
use crate::lock::Waiting;
use crate::sys::model::Variant;

/// Three threads take the word once each, waiting as they are told to.
fn exclusion(
    name: &str,
    preemptions: usize,
    times_out: Duration,
    variants: &'static [Variant],
    waits: [fn() -> Waiting; 3],
) {
    check(name, preemptions, 4, times_out, Tracked::Object, variants, move |stage: Stage| {
        // The checker refuses a second access that is not ordered behind the first.
        let inside = Arc::new(UnsafeCell::new(0));
        let visit = move |id: usize, inside: &UnsafeCell<u32>| {
            stage.lock(id, waits[id]());
            // SAFETY: this is what the model finds out.
            inside.with_mut(|count| unsafe { *count += 1 });
            stage.unlock(id);
        };
        let others = [1, 2].map(|id| {
            let inside = inside.clone();
            spawn(move || visit(id, &inside))
        });
        visit(0, &inside);
        others.into_iter().for_each(|other| other.join().expect("a thread"));
        // SAFETY: the others have ended.
        assert_eq!(inside.with(|count| unsafe { *count }), 3);
        stage.assert_at_rest();
    });
}

#[test]
fn model_three_writers_exclude_each_other_and_are_woken() {
    exclusion("three writers", 3, NEVER, &[], [Waiting::new; 3]);
}

#[test]
fn model_a_word_that_is_reserved_is_used_and_let_go() {
    exclusion("reserved", 3, NEVER, &[], [Waiting::new, Waiting::aged, Waiting::new]);
    exclusion("reserved twice", 2, NEVER, &[], [Waiting::new, Waiting::aged, Waiting::aged]);
}

#[test]
fn model_reads_that_wait_are_counted_and_woken() {
    exclusion("waiting reads", 2, NEVER, &[], [Waiting::new, Waiting::reader, Waiting::reader]);
    exclusion("reads and the aged", 2, NEVER, &[], [Waiting::new, Waiting::reader, Waiting::aged]);
}

/// A waiter that x86-64's release may leave asleep looks again by itself.
#[test]
fn model_an_early_look_at_the_flags_costs_one_look() {
    exclusion("early look", 2, SHORT, &[Variant::EarlyLook], [Waiting::new; 3]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn model_canary_an_early_look_needs_the_second_look() {
    exclusion("canary: early look", 2, NEVER, &[Variant::EarlyLook], [Waiting::new; 3]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn model_canary_a_release_that_wakes_nobody() {
    exclusion("canary: wakes nobody", 2, NEVER, &[Variant::WakesNobody], [Waiting::new; 3]);
}
