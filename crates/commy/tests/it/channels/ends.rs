//! One process: what a channel answers, and to whom its ends belong.

use super::{LONG, Numbers, SHORT, is_clean, numbers, region, spawn};
use crate::refused;
use crate::seeded;
use crate::support::child;
use crate::support::temporary::{QUICK, Temporary, TemporaryRegion, open_to_read, quiet};
use commy::{Error, Plain, Region, SharedChannel, SharedVec, crash};
use commy_lab::files::write_all_at;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// In a child: keeps an end until it is told to let go.
pub fn keep(region: &Region, more: &[&str]) {
    let numbers = numbers(region);
    let mut kept = (None, None);
    match more {
        ["sender"] => kept.0 = Some(numbers.sender().unwrap()),
        ["receiver"] => kept.1 = Some(numbers.receiver().unwrap()),
        other => panic!("{other:?}"),
    }
    child::tell("kept");
    child::listen();
    drop(kept);
    child::tell("let go");
    child::listen();
}

#[derive(Clone, Debug)]
enum Op {
    Send(u64),
    TrySend(u64),
    Receive,
    Lend { take: bool },
    Keep(Vec<u64>),
    Drain,
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => any::<u64>().prop_map(Op::Send),
        2 => any::<u64>().prop_map(Op::TrySend),
        5 => Just(Op::Receive),
        2 => any::<bool>().prop_map(|take| Op::Lend { take }),
        1 => prop::collection::vec(any::<u64>(), 0..12).prop_map(Op::Keep),
        1 => Just(Op::Drain),
        1 => Just(Op::Reopen),
    ]
}

/// A sent message that finds no room stays out; whatever is in comes out in the same order.
fn run<T: Plain + PartialEq + std::fmt::Debug>(capacity: usize, ops: &[Op], message: impl Fn(u64) -> T) {
    let region = TemporaryRegion::new();
    let mut channel = SharedChannel::<T>::create(&region, "channel", capacity).unwrap();
    let room = capacity.next_power_of_two();
    let mut twin: VecDeque<T> = VecDeque::new();
    let sent = |twin: &mut VecDeque<T>, number: &u64, result: commy::Result<()>| match result {
        Ok(()) => {
            assert!(twin.len() < room);
            twin.push_back(message(*number));
        }
        Err(Error::Full { limit }) => assert_eq!((limit as usize, twin.len()), (room, room)),
        Err(error) => panic!("{error}"),
    };
    for op in ops {
        match op {
            Op::Send(number) => {
                let result = channel.send_timeout(message(*number), Duration::from_micros(1));
                sent(&mut twin, number, result);
            }
            Op::TrySend(number) => sent(&mut twin, number, channel.try_send(message(*number))),
            Op::Receive => {
                let expected = twin.pop_front();
                match expected {
                    Some(_) if twin.len().is_multiple_of(2) => assert_eq!(Some(channel.recv().unwrap()), expected),
                    _ => assert_eq!(channel.recv_timeout(Duration::ZERO).unwrap(), expected),
                }
            }
            Op::Lend { take } => {
                let mut receiver = channel.receiver().unwrap();
                assert_eq!(receiver.peek().unwrap(), twin.front());
                let lent = receiver.try_recv_ref().unwrap();
                assert_eq!(lent.as_deref(), twin.front());
                match lent {
                    Some(message) if !take => message.leave(),
                    _ => drop(twin.pop_front()),
                }
            }
            Op::Keep(all) => {
                let mut sender = channel.sender().unwrap();
                all.iter().for_each(|number| sent(&mut twin, number, sender.try_send(message(*number))));
            }
            Op::Drain => {
                let mut receiver = channel.receiver().unwrap();
                assert_eq!(receiver.drain().unwrap(), twin.drain(..).collect::<Vec<_>>());
            }
            Op::Reopen => channel = region.object("channel").unwrap(),
        }
        assert_eq!((channel.len().unwrap(), channel.is_empty().unwrap()), (twin.len(), twin.is_empty()));
        assert_eq!(VecDeque::from(channel.to_vec().unwrap()), twin);
    }
    region.assert_empty_but_for("channel");
}

#[test]
fn a_channel_does_what_a_queue_does() {
    let strategy = (1usize..20, prop::collection::vec(op(), 1..300));
    seeded::check(40, &strategy, |(capacity, ops)| run(capacity, &ops, |number| number));
    // A type with padding and a `bool`; one without any bytes.
    seeded::check(20, &strategy, |(capacity, ops)| {
        run(capacity, &ops, |number| (number as u8, number % 2 == 0, number))
    });
    seeded::check(10, &strategy, |(capacity, ops)| run(capacity, &ops, |_| ()));
}

#[test]
fn what_is_reserved_is_sent_at_the_commit() {
    type Large = [u64; 500];
    let region = TemporaryRegion::new();
    let channel = SharedChannel::<Large>::create(&region, "channel", 4).unwrap();
    let mut sender = channel.sender().unwrap();
    // Round the ring some times, with places that come to nothing in between.
    for number in 0..20 {
        sender.reserve().unwrap().fill(99);
        let mut place = sender.reserve().unwrap();
        place.fill(number);
        assert!(channel.is_empty().unwrap());
        place.commit().unwrap();
        assert_eq!(channel.recv().unwrap(), [number; 500]);
    }
    (0..4).for_each(|number| {
        let mut place = sender.try_reserve().unwrap().unwrap();
        place[0] = number;
        place.commit().unwrap();
    });
    assert!(sender.try_reserve().unwrap().is_none());
    drop(sender);
    region.assert_empty_but_for("channel");
}

#[test]
fn a_message_that_is_lent_is_taken_when_it_is_dropped_and_not_by_a_panic() {
    let (_temporary, region) = region();
    let numbers = numbers(&region);
    (1..4).for_each(|number| numbers.send(number).unwrap());
    let mut receiver = numbers.receiver().unwrap();
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let message = receiver.recv_ref().unwrap();
        assert_eq!(*message, 1);
        panic!("while a message is lent");
    }));
    assert!(failed.is_err());
    let message = receiver.recv_ref().unwrap();
    // It is there until it is dropped, and nobody overwrites it.
    assert_eq!((*message, numbers.to_vec().unwrap()), (1, vec![1, 2, 3]));
    (4..1025).for_each(|number| numbers.try_send(number).unwrap());
    refused!(numbers.try_send(0), Error::Full { limit: 1024 });
    assert_eq!(*message, 1);
    drop(message);
    numbers.try_send(1025).unwrap();
    assert_eq!(receiver.drain().unwrap(), (2..1026).collect::<Vec<_>>());
}

#[test]
fn a_capacity_is_agreed_upon() {
    let (temporary, region) = region();
    let usual: Numbers = region.object("usual").unwrap();
    assert_eq!(usual.capacity().unwrap(), 1024);
    let small = Numbers::with_capacity(&region, "small", 5).unwrap();
    assert_eq!((small.capacity().unwrap(), small.read().unwrap().capacity().unwrap()), (8, 8));
    refused!(Numbers::create(&region, "small", 8), Error::AlreadyExists);
    assert_eq!(Numbers::with_capacity(&region, "small", 7).unwrap().capacity().unwrap(), 8);
    refused!(Numbers::with_capacity(&region, "small", 9), Error::TypeMismatch { .. });
    refused!(Numbers::with_capacity(&region, "none", 0), Error::InvalidArgument(_));
    refused!(Numbers::create(&region, "large", usize::MAX / 2), Error::OutOfSpace { .. });
    refused!(Numbers::create(&region, "large", 1 << 29), Error::OutOfSpace { .. });
    refused!(region.object::<SharedChannel<u32>>("small"), Error::TypeMismatch { .. });
    refused!(region.object::<SharedVec<u64>>("small"), Error::TypeMismatch { .. });
    let nameless = Numbers::with_capacity_in(&region, 1).unwrap();
    nameless.send(1).unwrap();
    refused!(nameless.send_timeout(2, SHORT), Error::Full { limit: 1 });
    let info = region.objects().unwrap();
    assert_eq!(info.iter().map(|object| &*object.name).collect::<Vec<_>>(), ["small", "usual"]);
    small.send(7).unwrap();
    let info = region.objects().unwrap();
    assert_eq!((info[0].kind, &*info[0].schema, info[0].len), ("SharedChannel", "SharedChannel<u64>", 1));
    let reader = open_to_read(&temporary.region()).unwrap();
    let mirror: Numbers = reader.open_object("small").unwrap();
    assert_eq!((mirror.len().unwrap(), mirror.capacity().unwrap(), mirror.to_vec().unwrap()), (1, 8, vec![7]));
    refused!(mirror.try_recv(), Error::ReadOnly);
    refused!(mirror.send(1), Error::ReadOnly);
    refused!(mirror.receiver(), Error::ReadOnly);
    drop(nameless);
    is_clean(&region);
}

#[test]
fn an_end_that_is_kept_is_nobody_elses() {
    let (temporary, region) = region();
    let ours = numbers(&region);
    let mut child = spawn(&temporary, &["keep", "sender"]);
    assert_eq!(child.hear().as_deref(), Some("kept"));
    let holds = region.processes().unwrap().into_iter().find(|process| process.pid == child.pid()).unwrap().holds;
    assert_eq!(holds, ["numbers"]);
    let start = Instant::now();
    match ours.try_send(1) {
        Err(Error::Timeout { holder, .. }) => assert_eq!(holder.pid, child.pid()),
        other => panic!("{other:?}"),
    }
    assert!(start.elapsed() < QUICK / 4, "at once");
    refused!(ours.send_timeout(1, SHORT), Error::Timeout { .. });
    // The other end is free.
    assert_eq!(ours.try_recv().unwrap(), None);
    let receiver = ours.receiver().unwrap();
    refused!(ours.try_recv(), Error::Deadlock);
    refused!(ours.receiver(), Error::Deadlock);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| (ours.try_recv().unwrap_err(), ours.recv_timeout(SHORT).unwrap_err()));
        assert!(matches!(other.join().unwrap(), (Error::Timeout { .. }, Error::Timeout { .. })));
        // Who waits for an end gets it when it is let go.
        let waiter = scope.spawn(|| ours.send(5));
        assert!(child.send("let go"));
        assert_eq!(child.hear().as_deref(), Some("let go"));
        waiter.join().unwrap().unwrap();
    });
    drop(receiver);
    assert_eq!(ours.recv().unwrap(), 5);
}

#[test]
fn who_keeps_both_ends_does_not_wait_for_itself() {
    let (_temporary, region) = region();
    let channel = Numbers::create(&region, "one", 1).unwrap();
    let (mut sender, mut receiver) = (channel.sender().unwrap(), channel.receiver().unwrap());
    refused!(receiver.recv_timeout(LONG), Error::Deadlock);
    assert_eq!(receiver.try_recv().unwrap(), None);
    sender.send(1).unwrap();
    refused!(sender.send(2), Error::Deadlock);
    refused!(sender.try_send(2), Error::Full { limit: 1 });
    assert_eq!(receiver.recv().unwrap(), 1);
    drop(sender);
    refused!(channel.try_recv(), Error::Deadlock);
    drop(receiver);
    // Of a call, too.
    let _sender = channel.sender().unwrap();
    refused!(channel.recv(), Error::Deadlock);
}

#[test]
fn a_removed_channel_says_so_to_everybody_who_sleeps() {
    let (_temporary, region) = region();
    for round in 0..20 {
        let full = Numbers::create(&region, "full", 2).unwrap();
        full.send(1).unwrap();
        full.send(2).unwrap();
        let empty = numbers(&region);
        std::thread::scope(|scope| {
            // Whoever comes too late to sleep is told at once.
            let sleepers = [
                scope.spawn(|| empty.recv().map(drop)),
                scope.spawn(|| empty.recv_timeout(LONG).map(drop)),
                scope.spawn(|| empty.receiver()?.recv().map(drop)),
                scope.spawn(|| full.send(3)),
                scope.spawn(|| full.send_timeout(3, LONG)),
                scope.spawn(|| full.sender()?.send(3)),
            ];
            if round % 2 == 0 {
                std::thread::sleep(Duration::from_millis(round / 2));
            }
            let start = Instant::now();
            region.remove_object("full").unwrap();
            region.remove_object("numbers").unwrap();
            for (number, sleeper) in sleepers.into_iter().enumerate() {
                assert!(matches!(sleeper.join().unwrap(), Err(Error::Removed)), "sleeper {number}");
            }
            assert!(start.elapsed() < QUICK);
        });
        refused!(full.send(1), Error::Removed);
        refused!(full.len(), Error::Removed);
        refused!(full.to_vec(), Error::Removed);
        is_clean(&region);
    }
}

#[test]
fn an_end_in_use_keeps_the_channel_from_being_removed() {
    let (temporary, region) = region();
    let hasty = quiet().own_attachment().lock_timeout(SHORT).open(temporary.region()).unwrap();
    let channel = numbers(&region);
    let mut sender = channel.sender().unwrap();
    refused!(region.remove_object("numbers"), Error::Deadlock);
    refused!(hasty.remove_object("numbers"), Error::Timeout { .. });
    // It has let go of everything.
    sender.send(1).unwrap();
    assert_eq!(channel.recv().unwrap(), 1);
    let receiver = channel.receiver().unwrap();
    refused!(hasty.remove_object("numbers"), Error::Timeout { .. });
    drop(sender);
    drop(receiver);
    let reading = channel.read().unwrap();
    refused!(hasty.remove_object("numbers"), Error::Timeout { .. });
    channel.send(2).unwrap();
    drop(reading);
    hasty.remove_object("numbers").unwrap();
    refused!(channel.recv(), Error::Removed);
    is_clean(&region);
}

/// It may find after it has both ends that it cannot go on.
#[test]
fn a_remover_without_memory_lets_both_ends_go() {
    let (_temporary, region) = region();
    let channel = numbers(&region);
    for nth in 1.. {
        crash::refuse_memory(nth);
        let removed = region.remove_object("numbers");
        let was_refused = crash::memory_was_refused();
        if !was_refused {
            removed.unwrap();
            assert!(nth > 1, "it asked for none");
            break;
        }
        if removed.is_ok() {
            break;
        }
        refused!(removed, Error::OutOfSpace { .. });
        std::thread::scope(|scope| {
            scope.spawn(|| channel.send_timeout(nth, LONG).unwrap()).join().unwrap();
            assert_eq!(scope.spawn(|| channel.recv().unwrap()).join().unwrap(), nth);
            // A guard of it has nobody to step aside for.
            let mut kept = channel.receiver().unwrap();
            assert_eq!(kept.recv_timeout(Duration::from_millis(1)).unwrap(), None);
        });
    }
    refused!(channel.send(1), Error::Removed);
    is_clean(&region);
}

/// Old handles try for the ends of channels whose words serve another one by now.
#[test]
fn late_calls_on_removed_channels_disturb_nobody() {
    let (_temporary, region) = region();
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                    let Ok(channel) = region.open_object::<Numbers>("old") else { continue };
                    while match channel.try_send(666) {
                        Ok(()) | Err(Error::Full { .. }) => true,
                        Err(Error::Removed) => false,
                        Err(error) => panic!("{error}"),
                    } {
                        if let Err(error) = channel.try_recv() {
                            assert!(matches!(error, Error::Removed), "{error}");
                        }
                    }
                }
            });
        }
        for _ in 0..400 {
            let old = Numbers::with_capacity(&region, "old", 4).unwrap();
            std::thread::yield_now();
            region.remove_object("old").unwrap();
            let new = Numbers::with_capacity(&region, "new", 4).unwrap();
            (0..4).for_each(|number| new.send(number).unwrap());
            refused!(old.try_send(7), Error::Removed);
            assert_eq!(new.receiver().unwrap().drain().unwrap(), [0, 1, 2, 3]);
            region.remove_object("new").unwrap();
        }
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    is_clean(&region);
}

#[test]
fn who_waits_uses_no_processor() {
    let (_temporary, region) = region();
    let channel = numbers(&region);
    let before = crate::waits::used_time();
    assert_eq!(channel.recv_timeout(Duration::from_millis(300)).unwrap(), None);
    assert_eq!(channel.receiver().unwrap().recv_timeout(Duration::from_millis(300)).unwrap(), None);
    let used = crate::waits::used_time() - before;
    assert!(used < Duration::from_millis(30), "{used:?} of 600 ms");
}

#[test]
fn a_wait_ends_in_time() {
    let (_temporary, region) = region();
    let channel = Numbers::create(&region, "one", 1).unwrap();
    let start = Instant::now();
    assert_eq!(channel.recv_timeout(SHORT).unwrap(), None);
    assert_eq!(channel.receiver().unwrap().recv_timeout(SHORT).unwrap(), None);
    channel.send(1).unwrap();
    refused!(channel.send_timeout(2, SHORT), Error::Full { .. });
    refused!(channel.sender().unwrap().send_timeout(2, SHORT), Error::Full { .. });
    assert!((SHORT * 4..QUICK).contains(&start.elapsed()));
}

/// Where `wanted` holds of the bytes of the region's file from there on.
fn find_in_file(temporary: &Temporary, step: usize, wanted: impl Fn(&[u8]) -> bool) -> u64 {
    let bytes = std::fs::read(temporary.region()).unwrap();
    (0..bytes.len() - 256).step_by(step).find(|at| wanted(&bytes[*at..])).expect("it is there") as u64
}

/// Where the ends of the only channel are, of which nobody has made use.
fn find_ends(temporary: &Temporary) -> u64 {
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    find_in_file(temporary, 256, |bytes| word(bytes, 0) == 0u32.wrapping_sub(200) && word(bytes, 128) == word(bytes, 0))
}

#[test]
fn what_a_damaged_file_says_in_a_stream_of_calls_is_an_error_at_the_next_look() {
    let (temporary, region) = region();
    let file = std::fs::OpenOptions::new().write(true).open(temporary.region()).unwrap();
    let channel = Numbers::create(&region, "numbers", 4).unwrap();
    let first = find_ends(&temporary);
    let mut count = 0u32.wrapping_sub(200);
    let mut pass = |number: u64| {
        channel.send(number).unwrap();
        assert_eq!(channel.recv().unwrap(), number);
        count = count.wrapping_add(1);
        count
    };
    // After so many calls that have found a slot at once they go as far as an earlier look has let them.
    let count = (0..100).fold(0, |_, number| pass(number));
    // A limit behind the count, or too far ahead of it, is none.
    for (number, limit) in [(100, count.wrapping_sub(1)), (101, count.wrapping_add(9)), (102, count ^ 1 << 31)] {
        for at in [44, 128 + 44] {
            write_all_at(&file, &limit.to_le_bytes(), first + at).unwrap();
        }
        pass(number);
    }
    let taken = pass(103).wrapping_add(9);
    write_all_at(&file, &taken.to_le_bytes(), first + 128).unwrap();
    let told = (0..5).find_map(|number| channel.try_send(number).err());
    assert!(matches!(told, Some(Error::Corrupt { .. })), "{told:?}");
    refused!(channel.try_recv(), Error::Corrupt { .. });
}

#[test]
fn what_a_damaged_file_says_is_an_error() {
    let (temporary, region) = region();
    let file = std::fs::OpenOptions::new().write(true).open(temporary.region()).unwrap();
    let channel = Numbers::create(&region, "numbers", 4).unwrap();
    let first = find_ends(&temporary);
    channel.send(1).unwrap();
    channel.send(2).unwrap();
    // More were taken than sent; then more were sent than there is room for.
    for taken in [0u32.wrapping_sub(197), 0u32.wrapping_sub(203)] {
        write_all_at(&file, &taken.to_le_bytes(), first + 128).unwrap();
        refused!(channel.try_recv(), Error::Corrupt { .. });
        refused!(channel.receiver().unwrap().recv(), Error::Corrupt { .. });
        refused!(channel.send(3), Error::Corrupt { .. });
        refused!(channel.sender().unwrap().try_send(3), Error::Corrupt { .. });
        assert!(channel.len().unwrap() <= 4 && channel.to_vec().unwrap().len() <= 4);
        assert!(!region.check().unwrap().is_clean());
    }
    write_all_at(&file, &0u32.wrapping_sub(200).to_le_bytes(), first + 128).unwrap();
    assert_eq!(channel.receiver().unwrap().drain().unwrap(), [1, 2]);
    // A role that names no process.
    write_all_at(&file, &u64::MAX.to_le_bytes(), first + 16).unwrap();
    refused!(channel.send(3), Error::Corrupt { .. });
    write_all_at(&file, &0u64.to_le_bytes(), first + 16).unwrap();
    let flags: SharedChannel<(u64, bool)> = region.object("flags").unwrap();
    let mark = 0x1234_5678_90ab_cdef_u64;
    flags.send((mark, true)).unwrap();
    let slot = find_in_file(&temporary, 8, |bytes| bytes.starts_with(&mark.to_le_bytes()) && bytes[8] == 1);
    write_all_at(&file, &[7], slot + 8).unwrap();
    refused!(flags.try_recv(), Error::Corrupt { .. });
    refused!(flags.receiver().unwrap().peek(), Error::Corrupt { .. });
    refused!(flags.receiver().unwrap().recv_ref(), Error::Corrupt { .. });
    refused!(flags.to_vec(), Error::Corrupt { .. });
    // It stays, and can be had again.
    write_all_at(&file, &[0], slot + 8).unwrap();
    assert_eq!(flags.recv().unwrap(), (mark, false));
    is_clean(&region);
}
