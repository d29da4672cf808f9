//! A reader without a lock sees no half of a change; a reader under a guard sees no change at all.

use loom::thread::spawn;

use super::{NEVER, Stage, Tracked, check};
use crate::engine::Attempt;
use crate::lock::{self, Waiting, is_stable};
use crate::sys::atomic::Ordering::{Relaxed, SeqCst};
use crate::sys::model::Variant;

/// Two writers, and a reader that copies without a lock.
fn optimistic(name: &str, variants: &'static [Variant]) {
    check(name, 3, 4, NEVER, Tracked::Object, variants, move |stage: Stage| {
        let reader = spawn(move || {
            let raw = &stage.header.raw;
            let mut last = 0;
            for _ in 0..2 {
                let attempt = Attempt::begin(stage.header);
                let copy = (raw.aux0.load(Relaxed), raw.aux1.load(Relaxed));
                if is_stable(attempt.version()) && attempt.holds() {
                    assert_eq!(copy.0, copy.1, "torn read");
                    assert!(attempt.version() >= last, "the version only grows");
                    assert_eq!(attempt.version() == 0, copy.0 == 0, "torn read");
                    last = attempt.version();
                }
            }
        });
        let writer = spawn(move || stage.write(1, 1));
        stage.write(2, 2);
        [reader, writer].into_iter().for_each(|thread| thread.join().expect("a thread"));
        stage.assert_at_rest();
        assert!(stage.header.version.load(SeqCst) == 4 || !variants.is_empty());
    });
}

#[test]
fn model_a_reader_without_a_lock_sees_no_half_of_a_change() {
    optimistic("optimistic reader", &[]);
}

#[test]
#[should_panic(expected = "torn read")]
fn model_canary_a_version_that_stays_even() {
    optimistic("canary: version stays even", &[Variant::VersionStaysEven]);
}

/// Readers with guards, and a writer that waits for them.
fn guarded(name: &str, write: fn(&Stage, usize, u64), variants: &'static [Variant]) {
    check(name, 4, 4, NEVER, Tracked::Object, variants, move |stage: Stage| {
        let writer = spawn(move || write(&stage, 1, 7));
        let read = move |id: usize| {
            let (actor, raw) = (stage.actors[id], &stage.header.raw);
            stage.lock(id, Waiting::reader());
            let published = lock::publish(actor, stage.header).expect("a free cell");
            stage.unlock(id);
            let first = raw.aux0.load(Relaxed);
            let second = raw.aux1.load(Relaxed);
            assert!(first == second && raw.aux0.load(Relaxed) == first, "a change under a read guard");
            assert!(is_stable(stage.header.version.load(Relaxed)), "a change under a read guard");
            lock::unpublish(actor, stage.header, published);
        };
        let reader = spawn(move || read(2));
        read(0);
        reader.join().expect("a thread");
        writer.join().expect("a thread");
        stage.assert_at_rest();
        assert_eq!(stage.header.raw.aux0.load(SeqCst), 7);
    });
}

#[test]
fn model_a_writer_waits_for_readers_and_is_woken_by_the_last() {
    guarded("two guards and a writer", Stage::write_at_length, &[]);
}

#[test]
fn model_a_short_change_leaves_readers_to_the_long_way() {
    guarded("two guards and a short change", Stage::write, &[]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn model_canary_a_wake_for_readers_that_forgets_the_writer() {
    guarded("canary: clears for all", Stage::write_at_length, &[Variant::ClearsForAll]);
}

#[test]
#[should_panic(expected = "a change under a read guard")]
fn model_canary_a_writer_that_does_not_wait_for_readers() {
    guarded("canary: drains nobody", Stage::write_at_length, &[Variant::DrainsNobody]);
}

#[test]
#[should_panic(expected = "a change under a read guard")]
fn model_canary_a_short_change_that_does_not_look_for_readers() {
    guarded("canary: drains nobody, shortly", Stage::write, &[Variant::DrainsNobody]);
}
