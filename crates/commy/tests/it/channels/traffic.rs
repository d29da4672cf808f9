//! Many messages between many processes, none of which dies: each reaches one receiver, those of a sender in their order.

use super::{LONG, Numbers, is_clean, numbers, region, spawn};
use crate::seeded::thorough;
use crate::support::child::{self, Child, End};
use crate::waits::take_turns;
use commy::{Error, Region, SharedChannel};

/// {sender, number, both once more in another form, ..}: half a message is noticed.
type Parcel = [u64; 8];

fn parcel(sender: u64, number: u64) -> Parcel {
    let mut parcel = [sender, number, 0, 0, 0, 0, 0, sender ^ number.rotate_left(17)];
    parcel[2..7].fill(number.wrapping_mul(sender + 1));
    parcel
}

/// Whose it is, and which.
pub fn opened(found: &Parcel) -> (u64, u64) {
    assert_eq!(*found, parcel(found[0], found[1]), "half a message");
    (found[0], found[1])
}

pub fn parcels(region: &Region) -> SharedChannel<Parcel> {
    SharedChannel::with_capacity(region, "parcels", 64).expect("a channel")
}

fn ends(region: &Region) -> (Numbers, Numbers) {
    (region.object("to").expect("a channel"), region.object("fro").expect("a channel"))
}

/// In a child: sends back what comes until that is 0.
pub fn echo(region: &Region) {
    let (to, fro) = ends(region);
    child::tell("ready");
    loop {
        match to.recv().expect("a message") {
            0 => return,
            value => fro.send(value).expect("room"),
        }
    }
}

/// In a child: sends so many parcels, by a kept end or by calls, and tells of each hundred.
pub fn send(region: &Region, more: &[&str]) {
    let [how, sender, count] = more else { panic!("{more:?}") };
    let (parcels, sender, count) = (parcels(region), sender.parse().unwrap(), count.parse().unwrap());
    let told = |number: u64| {
        if number.is_multiple_of(100) {
            child::tell(&number.to_string());
        }
    };
    if *how == "keep" {
        let mut end = persistently(|| parcels.sender());
        for number in 1..=count {
            end.send(parcel(sender, number)).expect("room");
            told(number);
        }
    } else {
        for number in 1..=count {
            persistently(|| parcels.send(parcel(sender, number)));
            told(number);
        }
    }
}

/// In a child: tells what it receives, until there comes nothing more.
pub fn receive(region: &Region, more: &[&str]) {
    let parcels = parcels(region);
    if more == ["call"] {
        while is_more(persistently(|| parcels.recv())) {}
        return;
    }
    let mut end = persistently(|| parcels.receiver());
    if more == ["keep"] {
        while is_more(end.recv().expect("a channel")) {}
        return;
    }
    // It is taken when it has been told of.
    while is_more(*end.recv_ref().expect("a channel")) {}
}

/// Tells of a parcel; is it not the last?
fn is_more(parcel: Parcel) -> bool {
    let (sender, number) = opened(&parcel);
    child::tell(&format!("{sender} {number}"));
    sender != 0
}

/// Others may keep an end for longer than the tests' time-out.
fn persistently<R>(call: impl Fn() -> commy::Result<R>) -> R {
    loop {
        match call() {
            Err(Error::Timeout { .. }) => {}
            other => return other.expect("a channel"),
        }
    }
}

/// What a receiver has told, up to its end.
pub fn told_by(child: &mut Child) -> Vec<(u64, u64)> {
    std::iter::from_fn(|| child.hear())
        .map(|line| {
            let (sender, number) = line.split_once(' ').expect("two numbers");
            (sender.parse().unwrap(), number.parse().unwrap())
        })
        .collect()
}

fn all_arrive(senders: &[&str], receivers: &[&str]) {
    let count = u64::from(thorough(3000));
    let (temporary, region) = region();
    let channel = parcels(&region);
    let mut receivers: Vec<Child> = receivers.iter().map(|how| spawn(&temporary, &["receive", how])).collect();
    let senders: Vec<Child> = senders
        .iter()
        .zip(1..)
        .map(|(how, number)| spawn(&temporary, &["send", how, &u64::to_string(&number), &count.to_string()]))
        .collect();
    let sender_count = senders.len() as u64;
    senders.into_iter().for_each(|sender| assert_eq!(sender.wait(), End::Finished));
    // One for each receiver, behind all the others.
    receivers.iter().for_each(|_| channel.send(parcel(0, 0)).expect("room"));
    let mut all = Vec::new();
    for receiver in &mut receivers {
        let told = told_by(receiver);
        for sender in 1..=sender_count {
            let own: Vec<u64> = told.iter().filter(|parcel| parcel.0 == sender).map(|parcel| parcel.1).collect();
            assert!(own.is_sorted_by(|a, b| a < b), "those of one sender come in their order");
        }
        all.extend(told.into_iter().filter(|parcel| parcel.0 != 0));
    }
    all.sort_unstable();
    let sent: Vec<_> = (1..=sender_count).flat_map(|sender| (1..=count).map(move |number| (sender, number))).collect();
    assert!(all == sent, "{} arrived of {}", all.len(), sent.len());
    assert!(channel.is_empty().expect("a channel"));
    is_clean(&region);
}

#[test]
fn one_to_one_by_kept_ends() {
    all_arrive(&["keep"], &["keep"]);
    all_arrive(&["keep"], &["lend"]);
}

#[test]
fn many_to_many_by_calls() {
    all_arrive(&["call", "call", "call"], &["call", "call", "call"]);
}

#[test]
fn many_of_every_kind() {
    // Kept ends one after the other.
    all_arrive(&["keep", "call", "keep"], &["call", "call"]);
}

/// If a wake were lost in one turn of a hundred, this would take far longer.
#[test]
fn two_processes_that_wait_for_each_other_lose_no_wake() {
    let (temporary, region) = region();
    let (to, fro) = ends(&region);
    let mut child = spawn(&temporary, &["echo"]);
    assert_eq!(child.hear().as_deref(), Some("ready"));
    take_turns(|turn| {
        to.send(turn).expect("room");
        assert_eq!(fro.recv_timeout(LONG).expect("a channel"), Some(turn));
    });
    to.send(0).expect("room");
    assert_eq!(child.wait(), End::Finished);
}

#[test]
fn threads_that_fight_for_both_ends_lose_nothing() {
    let (_temporary, region) = region();
    let channel = Numbers::create(&region, "small", 4).expect("a channel");
    let count = u64::from(thorough(4000));
    let sums: Vec<u64> = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..3)
            .map(|number| {
                let channel = &channel;
                scope.spawn(move || {
                    let (mut sum, mut turn) = (0, number);
                    loop {
                        turn += 1;
                        let value = match turn % 3 {
                            0 => channel.recv().expect("a message"),
                            1 => match channel.receiver().and_then(|mut end| end.recv_timeout(LONG)) {
                                Ok(value) => value.expect("a message in time"),
                                Err(error) => panic!("{error}"),
                            },
                            _ => match channel.try_recv() {
                                Ok(Some(value)) => value,
                                Ok(None) | Err(Error::Timeout { .. }) => continue,
                                Err(error) => panic!("{error}"),
                            },
                        };
                        match value {
                            0 => return sum,
                            value => sum += value,
                        }
                    }
                })
            })
            .collect();
        let givers: Vec<_> = (0..3)
            .map(|number| {
                let channel = &channel;
                scope.spawn(move || {
                    for value in 1..=count {
                        match number {
                            0 => channel.send(value),
                            1 => channel.send_timeout(value, LONG),
                            _ => channel.sender().and_then(|mut end| end.send(value)),
                        }
                        .expect("room in time");
                    }
                })
            })
            .collect();
        givers.into_iter().for_each(|giver| giver.join().expect("a thread"));
        (0..3).for_each(|_| channel.send(0).expect("room"));
        takers.into_iter().map(|taker| taker.join().expect("a thread")).collect()
    });
    assert_eq!(sums.iter().sum::<u64>(), 3 * count * (count + 1) / 2);
    is_clean(&region);
    assert_eq!(numbers(&region).len().expect("a channel"), 0);
}
