//! Whoever dies at a channel stops nobody: no message is half, none comes twice, none of the living is kept waiting.

use super::traffic::{parcels, told_by};
use super::{LONG, Numbers, is_clean, numbers, region, spawn};
use crate::seeded::{Random, seed, thorough};
use crate::support::child::{Child, End, text};
use crate::support::killer::{Fate, last_death};
use crate::support::stop::{go_on, stop};
use crate::support::temporary::{QUICK, Temporary, quiet};
use commy::{Error, Region, crash};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// In a child: acts on the numbers, and dies as `fate` says.
pub fn act(region: &Region, more: &[&str]) {
    let [what, fate, log] = more else { panic!("{more:?}") };
    let numbers = numbers(region);
    Fate::live(fate, Path::new(log), |arm| {
        arm();
        match *what {
            "send" => numbers.send(7).expect("room"),
            "keep and send" => numbers.sender().and_then(|mut end| end.send(7)).expect("room"),
            "receive" => drop(numbers.recv().expect("a message")),
            "keep and receive" => drop(numbers.receiver().and_then(|mut end| end.recv()).expect("a message")),
            "remove" => region.remove_object("numbers").expect("a channel"),
            other => panic!("{other}"),
        }
        crash::disarm();
    });
}

/// Lets a child act and die as `fate` says; where it died.
fn killed(what: &str, temporary: &Temporary, fate: &Fate) -> Option<String> {
    let log = temporary.file("deaths");
    match spawn(temporary, &["act", what, &fate.encode(), &text(&log)]).wait() {
        End::Killed => Some(last_death(&log).unwrap_or_default()),
        End::Finished => None,
        End::Failed(code) => panic!("a child failed with {code}"),
    }
}

/// One sleeps by a call, one keeps the end: the one who is there gets what the child sends unless that dies before.
fn a_message_whose_sender_is_killed_reaches_a_receiver(what: &str) {
    let (temporary, region) = region();
    let numbers = numbers(&region);
    let (mut slowest, mut lost) = (Duration::ZERO, 0);
    for nth in 1.. {
        let (send, receive) = mpsc::channel();
        let point = std::thread::scope(|scope| {
            let numbers = &numbers;
            scope.spawn(move || {
                let value = match nth % 2 {
                    0 => numbers.recv_timeout(LONG),
                    _ => numbers.receiver().and_then(|mut end| end.recv_timeout(LONG)),
                };
                let _ = send.send((value, Instant::now()));
            });
            let point = killed(what, &temporary, &Fate::At(nth));
            let dead = Instant::now();
            match receive.recv_timeout(Duration::from_millis(50)) {
                Ok((value, at)) => {
                    assert_eq!(value.expect("a channel"), Some(7));
                    slowest = slowest.max(at.saturating_duration_since(dead));
                }
                Err(RecvTimeoutError::Timeout) => {
                    lost += 1;
                    // A sleeper is not kept by the end of the dead: that is free for whoever wants it.
                    let start = Instant::now();
                    numbers.send(8).expect("room");
                    let value = receive.recv_timeout(QUICK).expect("a waiter in time").0;
                    assert!(start.elapsed() < QUICK);
                    assert_eq!(value.expect("a channel"), Some(8), "after a death at {point:?}");
                }
                Err(error) => panic!("{error}"),
            }
            point
        });
        assert!(numbers.is_empty().expect("a channel"));
        is_clean(&region);
        if point.is_none() {
            println!("{} kills, {lost} before the message was there; slowest {slowest:?}", nth - 1);
            assert!(nth - 1 > lost && lost >= 2, "{nth} kills, {lost} before the message was there");
            return;
        }
    }
}

#[test]
fn a_message_whose_sender_is_killed_at_any_point_reaches_a_receiver() {
    a_message_whose_sender_is_killed_reaches_a_receiver("send");
    a_message_whose_sender_is_killed_reaches_a_receiver("keep and send");
}

#[test]
fn room_that_is_made_by_somebody_who_is_killed_reaches_a_sender() {
    let (temporary, region) = region();
    let numbers = Numbers::with_capacity(&region, "numbers", 2).expect("a channel");
    numbers.send(1).expect("room");
    numbers.send(2).expect("room");
    for what in ["receive", "keep and receive"] {
        for name in ["channel: counted, nobody woken", "channel: flag down, nobody woken", "role: free, nobody woken"] {
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| numbers.send_timeout(3, LONG));
                // The flag is up when a wait with a time-out is over, whether or not the other one sleeps by now.
                let full = numbers.send_timeout(4, Duration::from_millis(30));
                assert!(matches!(full, Err(Error::Full { limit: 2 })));
                let point = killed(what, &temporary, &Fate::AtName(name.into(), 1));
                assert_eq!(point.as_deref(), Some(name));
                waiter.join().expect("a thread").expect("room");
            });
            assert_eq!(numbers.len().expect("a channel"), 2);
            is_clean(&region);
        }
    }
}

#[test]
fn the_end_of_a_killed_holder_is_had_quickly() {
    let (temporary, region) = region();
    let numbers = numbers(&region);
    let mut times = Vec::new();
    for round in 0..10 {
        let mut child = spawn(&temporary, &["keep", ["sender", "receiver"][round % 2]]);
        assert_eq!(child.hear().as_deref(), Some("kept"));
        child.kill();
        assert_eq!(child.wait(), End::Killed);
        let start = Instant::now();
        match round % 4 {
            // Also by calls that do not sleep.
            0 => numbers.try_send(1).expect("an end"),
            1 => assert_eq!(numbers.try_recv().expect("an end"), Some(1)),
            2 => numbers.sender().expect("an end").send(1).expect("room"),
            _ => assert_eq!(numbers.receiver().expect("an end").drain().expect("an end"), [1]),
        }
        times.push(start.elapsed());
    }
    times.sort();
    println!("{times:?}");
    assert!(times[5] < Duration::from_millis(20) && times[9] < QUICK, "{times:?}");
    is_clean(&region);
}

#[test]
fn the_end_of_a_stopped_holder_is_not_taken_from_it() {
    let (temporary, region) = region();
    let hasty = quiet().own_attachment().lock_timeout(Duration::from_millis(200)).open(temporary.region());
    let numbers = numbers(&hasty.expect("a region"));
    let mut child = spawn(&temporary, &["keep", "receiver"]);
    assert_eq!(child.hear().as_deref(), Some("kept"));
    stop(&child);
    match numbers.recv() {
        Err(Error::Timeout { holder, .. }) => assert_eq!(holder.pid, child.pid()),
        other => panic!("{other:?}"),
    }
    numbers.send(5).expect("room");
    go_on(&child);
    assert!(child.send("let go"));
    assert_eq!(child.hear().as_deref(), Some("let go"));
    assert_eq!(numbers.recv().expect("a message"), 5);
    is_clean(&region);
}

#[test]
fn a_remover_who_is_killed_has_removed_the_channel_or_not() {
    let (temporary, region) = region();
    let (mut gone, mut there) = (0, 0);
    for nth in 1.. {
        let numbers = numbers(&region);
        numbers.send(3).expect("room");
        let point = std::thread::scope(|scope| {
            // Somebody sleeps with the end in its hands.
            let full = Numbers::create(&region, "other", 1).expect("a channel");
            let sleeper = scope.spawn(|| numbers.receiver().and_then(|mut end| Ok((end.recv()?, end.recv()?))));
            let point = killed("remove", &temporary, &Fate::At(nth));
            match numbers.send(4) {
                Ok(()) => {
                    assert_eq!(sleeper.join().expect("a thread").expect("a channel"), (3, 4), "after {point:?}");
                    there += 1;
                }
                Err(Error::Removed) => {
                    assert!(matches!(sleeper.join().expect("a thread"), Err(Error::Removed)), "after {point:?}");
                    gone += 1;
                }
                Err(error) => panic!("{error} after {point:?}"),
            }
            full.send(1).expect("room");
            point
        });
        let was_there = numbers.len().is_ok();
        is_clean(&region);
        // Whoever was told that it is there was told the truth.
        assert_eq!(region.open_object::<Numbers>("numbers").is_ok(), was_there, "after {point:?}");
        assert_eq!(numbers.try_send(5).is_ok(), was_there, "after {point:?}");
        region.remove_object("other").expect("a channel");
        let _ = region.remove_object("numbers");
        if point.is_none() {
            println!("{gone} removed, {there} not");
            assert!(gone > 3 && there > 10, "{gone} removed, {there} not");
            return;
        }
    }
}

/// A storm: senders and receivers are killed at random, and others come in their place.
#[test]
fn random_kills_lose_no_more_than_a_message_in_the_hands_of_each_dead_receiver() {
    for (how, receive) in [("call", "call"), ("keep", "keep"), ("keep", "lend")] {
        storm(how, receive);
    }
}

fn storm(how: &str, receive: &str) {
    let mut random = Random::new(seed());
    println!("COMMY_SEED={}, {how} and {receive}", seed());
    let (temporary, region) = region();
    let channel = parcels(&region);
    let new_receiver = || spawn(&temporary, &["receive", receive]);
    let new_sender = |number: u64| spawn(&temporary, &["send", how, &number.to_string(), &(u64::MAX / 2).to_string()]);
    let (mut senders, mut receivers) =
        (vec![(1, new_sender(1)), (2, new_sender(2))], vec![new_receiver(), new_receiver()]);
    let (mut next, mut told) = (3, Vec::new());
    // What each dead sender is known to have sent at least.
    let mut least: BTreeMap<u64, u64> = BTreeMap::new();
    let mut dead_receivers = 0;
    let end_sender = |number: u64, mut child: Child, least: &mut BTreeMap<u64, u64>| {
        child.kill();
        while let Some(line) = child.hear() {
            least.insert(number, line.parse().expect("a number"));
        }
        assert_eq!(child.wait(), End::Killed);
    };
    for round in 0..thorough(30) {
        let pause = Duration::from_micros(random.below(15_000));
        let start = Instant::now();
        while start.elapsed() < pause {
            std::thread::yield_now();
        }
        if round % 2 == 0 {
            let (number, child) = senders.remove(random.below(2) as usize);
            end_sender(number, child, &mut least);
            senders.push((next, new_sender(next)));
            next += 1;
        } else {
            let mut child = receivers.remove(random.below(2) as usize);
            child.kill();
            told.push(told_by(&mut child));
            assert_eq!(child.wait(), End::Killed);
            dead_receivers += 1;
            receivers.push(new_receiver());
        }
    }
    senders.into_iter().for_each(|(number, child)| end_sender(number, child, &mut least));
    let start = Instant::now();
    // Those who are left hear it all, and that it is over.
    (0..receivers.len()).for_each(|_| channel.send([0; 8]).expect("room"));
    for mut receiver in receivers {
        told.push(told_by(&mut receiver));
        assert_eq!(receiver.wait(), End::Finished);
    }
    assert!(start.elapsed() < LONG / 2, "nobody hangs");
    let mut seen: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (sender, number) in told.iter().flatten().filter(|parcel| parcel.0 != 0) {
        seen.entry(*sender).or_default().push(*number);
    }
    let (mut missing, mut doubled, mut arrived) = (0, 0, 0);
    for (sender, numbers) in &mut seen {
        numbers.sort_unstable();
        let last = *numbers.last().expect("one");
        assert!(last >= least.get(sender).copied().unwrap_or(0).saturating_sub(dead_receivers), "sent and not there");
        let count = numbers.len() as u64;
        numbers.dedup();
        doubled += count - numbers.len() as u64;
        missing += last - numbers.len() as u64;
        arrived += numbers.len();
    }
    println!("{arrived} arrived, {missing} missing, {doubled} twice, {dead_receivers} dead receivers");
    // Who takes a message and dies has it, told of or not; who dies with one that is lent leaves it to the next one.
    let (most_missing, most_doubled) = if receive == "lend" { (0, dead_receivers) } else { (dead_receivers, 0) };
    assert!(missing <= most_missing && doubled <= most_doubled, "{missing} missing, {doubled} twice");
    assert!(arrived > 100, "{arrived}");
    assert!(channel.is_empty().expect("a channel"));
    is_clean(&region);
}
