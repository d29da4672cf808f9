//! The ends of a channel: no message is lost, torn or seen twice, whoever has an end, and no wake-up is lost, though the
//! look at sleepers may come before others see the count.

use std::time::Duration;

use loom::thread::spawn;

use super::{NEVER, SHORT, Stage, Tracked, check};
use crate::engine::channel::{FIRST_SLEEP, RECHECK};
use crate::lock::{self, Limit, Patience};
use crate::raw::{Channel, ChannelView, End, Side};
use crate::region::layout::*;
use crate::sys::atomic::Ordering::{Relaxed, SeqCst};
use crate::sys::atomic::{AtomicU64, fence};
use crate::sys::model::{self, Variant};

/// What stands in both ends' words at first.
#[derive(Clone, Copy)]
struct State {
    awaited: u64,
    streak: u32,
}

/// The flag of `ChannelEnd::awaited`: whoever moves the count looks behind a fence.
const FENCED: u64 = 1 << 33;
/// Both ends have slept, and know that they look behind a fence.
const SLEPT: State = State { awaited: FENCED, streak: 0 };
/// One more slot without a sleep, and the fence is spared.
const BEFORE_STREAM: State = State { awaited: FENCED, streak: 63 };
/// The fence is spared, and limits count from call to call.
const IN_STREAM: State = State { awaited: 0, streak: 64 };
/// What a processor may do where there is no fence, with words that are else looked at in one order.
const EARLY: &[Variant] = &[Variant::EarlyLook];
/// Where the counts begin: they come to the end of their range.
const FIRST: u32 = u32::MAX;
/// Bytes of a message.
const SIZE: u64 = 8;

impl Stage {
    fn slots_at(&self) -> u64 {
        self.space.page_offset(3)
    }

    fn channel(&self, capacity: u32) -> Channel<'static> {
        let view = ChannelView { control: self.space.page_offset(2), slots: self.slots_at(), capacity };
        Channel::at(self.space, view, SIZE).expect("a channel")
    }

    /// A channel as it was made, or after somebody has slept.
    fn found(&self, capacity: u32, state: State) -> Channel<'static> {
        let channel = self.channel(capacity);
        for end in [&channel.control.sender, &channel.control.receiver] {
            [&end.count, &end.limit].iter().for_each(|word| model::track_u32(word, FIRST));
            [&end.role.wanted, &end.role.turn].iter().for_each(|word| model::track_u32(word, 0));
            [(&end.awaited, state.awaited), (&end.role.owner, 0)]
                .iter()
                .for_each(|(word, value)| model::track_u64(word, *value));
            end.streak.put(state.streak);
        }
        (0..capacity).for_each(|number| model::track_u64(self.slot(capacity, number), 0));
        channel
    }

    /// The slot of message `number`, counted from 0. The checker knows its word: a copy that comes too early is seen.
    fn slot(&self, capacity: u32, number: u32) -> &'static AtomicU64 {
        let slot = u64::from(FIRST.wrapping_add(number) % capacity);
        self.space.get(self.slots_at() + slot * SIZE).expect("a slot")
    }

    /// Takes an end for a call, as [`super::super::EndLock`] does.
    fn take(&self, id: usize, channel: Channel<'static>, side: Side) -> End<'static> {
        let (actor, role) = (self.actors[id], &channel.end(side).role);
        let mine = lock::role_of(actor, false);
        if !lock::try_take_role(role, mine) {
            let dead = lock::take_role(actor, role, mine, &mut Limit::of(Patience::Endless), || Ok(()));
            assert_eq!(dead.expect("a role"), None, "nobody dies here");
        }
        End::new(channel, side)
    }
}

/// Waits for a slot with a kept end.
fn wait(end: &mut End) {
    let mut first = FIRST_SLEEP;
    if end.is_ready() {
        return;
    }
    if end.look().expect("counts") {
        return end.count_streak();
    }
    loop {
        end.sleep(RECHECK, first);
        if first == FIRST_SLEEP {
            let_stores_be_seen();
        }
        first = RECHECK;
        if end.look().expect("counts") {
            return;
        }
    }
}

/// So long as a first sleep is no store stays unseen behind which its processor has gone on: neither do interrupts cut
/// between a look and the store before it.
fn let_stores_be_seen() {
    while model::count_of("channel: looked early") > model::count_of("channel: counted, nobody woken") {
        loom::thread::yield_now();
    }
    fence(SeqCst);
}

fn send_all(stage: Stage, capacity: u32, messages: u32) {
    let mut end = End::new(stage.channel(capacity), Side::Sender);
    for number in 0..messages {
        wait(&mut end);
        stage.slot(capacity, number).store(u64::from(number) + 7, Relaxed);
        end.advance();
    }
}

fn receive_all(stage: Stage, capacity: u32, messages: u32) {
    let mut end = End::new(stage.channel(capacity), Side::Receiver);
    for number in 0..messages {
        wait(&mut end);
        assert_eq!(stage.slot(capacity, number).load(Relaxed), u64::from(number) + 7, "message {number}");
        end.advance();
    }
}

/// Both ends are kept. Sleeps of 10 ms never end by themselves, and the first ones only where `times_out` says so.
fn kept(
    name: &str,
    preemptions: usize,
    [capacity, messages]: [u32; 2],
    state: State,
    times_out: Duration,
    variants: &'static [Variant],
) {
    check(name, preemptions, 4, times_out, Tracked::Object, variants, move |stage: Stage| {
        stage.found(capacity, state);
        let sender = spawn(move || send_all(stage, capacity, messages));
        receive_all(stage, capacity, messages);
        sender.join().expect("a thread");
    });
}

/// Calls of two receivers, one message for each.
fn called(name: &str, preemptions: usize, state: State, variants: &'static [Variant]) {
    const CAPACITY: u32 = 2;
    check(name, preemptions, 4, SHORT, Tracked::Object, variants, move |stage: Stage| {
        stage.found(CAPACITY, state);
        let receive = move |id| {
            let channel = stage.channel(CAPACITY);
            let mut first = FIRST_SLEEP;
            loop {
                let mut end = stage.take(id, channel, Side::Receiver);
                if end.is_ready() || end.look().expect("counts") {
                    let number = end.count.wrapping_sub(FIRST);
                    let value = stage.slot(CAPACITY, number).load(Relaxed);
                    end.advance();
                    lock::release_role(&end.own.role);
                    return value;
                }
                lock::release_role(&end.own.role);
                loop {
                    end.sleep(RECHECK, first);
                    if first == FIRST_SLEEP {
                        let_stores_be_seen();
                    }
                    first = RECHECK;
                    if !end.seems_at_a_stand() {
                        break;
                    }
                }
            }
        };
        let receivers = [1, 2].map(|id| spawn(move || receive(id)));
        send_all(stage, CAPACITY, 2);
        let mut values = receivers.map(|receiver| receiver.join().expect("a thread"));
        values.sort_unstable();
        assert_eq!(values, [7, 8], "each message reaches one");
    });
}

#[test]
fn model_kept_ends_of_a_channel_wake_each_other() {
    // Nobody sleeps for a time at first who knows that he is looked for behind a fence.
    kept("channel, one message", 5, [2, 1], SLEPT, NEVER, &[]);
    kept("channel, three messages, one slot", 3, [1, 3], SLEPT, NEVER, &[]);
}

#[test]
fn model_ends_of_a_stream_wake_each_other_without_a_fence() {
    kept("channel, early look", 4, [1, 2], IN_STREAM, SHORT, EARLY);
    kept("channel, early look, before a stream", 3, [2, 2], BEFORE_STREAM, SHORT, EARLY);
}

#[test]
fn model_receivers_of_a_channel_share_a_flag() {
    called("channel, two receivers", 2, SLEPT, &[]);
}

#[test]
fn model_receivers_of_a_stream_share_a_limit() {
    called("channel, early look, two receivers", 2, IN_STREAM, EARLY);
}

#[test]
#[should_panic(expected = "deadlock")]
fn model_canary_a_long_first_sleep_beside_a_sender_without_a_fence() {
    kept("canary: sleeps long at once", 3, [2, 1], IN_STREAM, SHORT, &[Variant::EarlyLook, Variant::SleepsUnseen]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn model_canary_a_sender_that_believes_its_first_look() {
    kept("canary: believes the first look", 3, [2, 1], SLEPT, NEVER, &[Variant::BelievesFirstLook]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn model_canary_a_sender_that_takes_down_the_flag_of_who_has_seen_its_count() {
    kept("canary: takes every flag down", 4, [2, 2], SLEPT, NEVER, &[Variant::ClearsFlagOfThisCount]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn model_canary_a_count_that_wakes_nobody() {
    kept("canary: wakes nobody", 2, [2, 1], SLEPT, NEVER, &[Variant::CountWakesNobody]);
}

#[test]
#[should_panic(expected = "message 0")]
fn model_canary_a_message_that_is_looked_at_without_order() {
    kept("canary: looks without order", 2, [2, 1], SLEPT, NEVER, &[Variant::LooksWithoutOrder]);
}
