//! No wake-up for a change is lost: not to an order of steps, not to a death.

use std::time::Duration;

use loom::thread::spawn;

use super::{NEVER, SHORT, Stage, Tracked, check};
use crate::engine::Attempt;
use crate::journal::{self, stage_one};
use crate::lock::{self, is_stable};
use crate::sys::atomic::Ordering::{Relaxed, SeqCst};
use crate::sys::model::{self, Variant};

/// As the library's: a sleep beside an owner is short, the other one 10 ms, which no model lets end.
const PAUSE: lock::Pause = lock::Pause { owned: Duration::from_micros(150), free: Duration::from_millis(10) };

impl Stage {
    /// Waits until the value is not 0.
    fn wait(&self, id: usize) -> u64 {
        let mut ready = || {
            let attempt = Attempt::begin(self.header);
            let value = self.header.raw.aux0.load(Relaxed);
            Ok((is_stable(attempt.version()) && attempt.holds() && value != 0).then_some(value))
        };
        loop {
            let help = || journal::help(self.actors[id], self.header);
            let answer = lock::look_and_sleep(self.header, true, &PAUSE, help, &mut ready);
            if let Some(value) = answer.expect("an object") {
                return value;
            }
        }
    }
}

/// Two wait, one makes it true.
fn two_waiters(name: &str, preemptions: usize, times_out: Duration, variants: &'static [Variant]) {
    check(name, preemptions, 4, times_out, Tracked::Object, variants, |stage: Stage| {
        let waiters = [1, 2].map(|id| spawn(move || assert_eq!(stage.wait(id), 7)));
        stage.write(0, 7);
        waiters.into_iter().for_each(|waiter| waiter.join().expect("a thread"));
        stage.assert_at_rest();
    });
}

/// One waits; one changes nothing, and one makes it true. Who announces itself beside the one that changes nothing does
/// not look then, and nobody wakes it: the protocol rests on the end of that sleep.
fn two_committers(name: &str, times_out: Duration, variants: &'static [Variant]) {
    check(name, 2, 4, times_out, Tracked::Object, variants, |stage: Stage| {
        let waiter = spawn(move || assert_eq!(stage.wait(1), 7));
        let idler = spawn(move || stage.write_nothing(2));
        stage.write(0, 7);
        waiter.join().expect("a thread");
        idler.join().expect("a thread");
        stage.assert_at_rest();
    });
}

#[test]
fn model_two_waiters_hear_of_a_change() {
    two_waiters("two change waiters", 4, NEVER, &[]);
}

#[test]
fn model_who_changes_nothing_takes_no_wake() {
    two_committers("a change and none", SHORT, &[]);
}

/// By the release of x86-64: only the sleep beside an owner ends by itself.
#[test]
fn model_a_change_is_heard_of_though_the_flags_are_looked_at_early() {
    two_waiters("early look, two change waiters", 1, SHORT, &[Variant::EarlyLook]);
    two_committers("early look, a change and none", SHORT, &[Variant::EarlyLook]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn model_canary_an_announcement_after_the_look() {
    two_waiters("canary: announces late", 2, NEVER, &[Variant::AnnouncesLate]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn model_canary_a_sleep_beside_an_owner() {
    let variants = &[Variant::EarlyLook, Variant::SleepsBesideOwner];
    two_waiters("canary: sleeps beside an owner", 2, SHORT, variants);
}

#[test]
#[should_panic(expected = "deadlock")]
fn model_canary_a_change_counted_after_the_wake() {
    two_waiters("canary: counts late", 4, NEVER, &[Variant::CountsLate]);
}

/// Between the commit and the end of the wake.
const DEATHS: [&str; 5] = [
    "commit: committed, words held",
    "end: version even, word held",
    "wake: object free, nobody woken",
    "wake: flag cleared, nobody woken",
    "wake: change counted, nobody woken",
];

/// A committer dies, if it comes to `point`; somebody recovers; a waiter hears of the change.
fn death(point: &'static str, variants: &'static [Variant]) {
    check(point, 2, 4, SHORT, Tracked::Lives, variants, move |stage: Stage| {
        let waiter = spawn(move || assert_eq!(stage.wait(1), 7));
        let committer = spawn(move || {
            let died = model::dies_at(point, || stage.write(2, 7));
            stage.kill(2);
            died
        });
        committer.join().expect("a thread");
        stage_one(stage.space, stage.actors[0].me, 2).expect("a recovery");
        waiter.join().expect("a thread");
        stage.assert_at_rest();
        assert_eq!(stage.header.raw.aux1.load(SeqCst), 7);
    });
}

#[test]
fn model_no_wake_is_lost_to_the_death_of_a_committer() {
    DEATHS.iter().for_each(|point| death(point, &[]));
}

#[test]
#[should_panic(expected = "deadlock")]
fn model_canary_a_recovery_that_wakes_nobody() {
    death("wake: flag cleared, nobody woken", &[Variant::RecoversQuietly]);
}
