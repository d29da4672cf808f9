//! Whoever holds a slot is never taken for dead, and a slot that was let go is never taken for a dead one's.

use std::sync::Arc;
use std::time::Duration;

use loom::sync::atomic::AtomicU64;
use loom::thread::spawn;

use super::{NEVER, Stage, Tracked, check};
use crate::process::{claim_slot, is_dead};
use crate::sys::atomic::Ordering::SeqCst;
use crate::sys::model::{self, Variant};

/// Two want the only slot; a third looks whether who has it lives.
fn one_slot(name: &str, variants: &'static [Variant]) {
    check(name, 2, 1, NEVER, Tracked::Lives, variants, |stage: Stage| {
        model::track_u64(&stage.space.slot(0).state, 1 << 8);
        model::track_byte(crate::process::slot_byte(stage.space, 0), false);
        let alive = Arc::new(AtomicU64::new(0));
        let claimers = [0, 1].map(|_| {
            let alive = alive.clone();
            spawn(move || {
                let nobody_died = |_, _| panic!("a slot without a dead one was reaped");
                let Ok(claim) = claim_slot(stage.space, Duration::ZERO, nobody_died) else { return };
                assert_eq!(alive.swap(claim.incarnation, SeqCst), 0, "two have one slot");
                alive.store(0, SeqCst);
                claim.release(stage.space);
            })
        });
        let seen = alive.load(SeqCst);
        if seen != 0 {
            let dead = is_dead(stage.space, None, 0, seen).expect("a slot");
            assert!(!dead || alive.load(SeqCst) != seen, "somebody alive was taken for dead");
        }
        claimers.into_iter().for_each(|claimer| claimer.join().expect("a thread"));
    });
}

#[test]
fn model_a_slot_has_one_owner_who_is_not_taken_for_dead() {
    one_slot("one slot", &[]);
}

#[test]
#[should_panic(expected = "a slot without a dead one was reaped")]
fn model_canary_a_byte_that_goes_before_the_state() {
    one_slot("canary: byte first", &[Variant::ByteFirst]);
}
