//! Eight processes work on everything at once and are killed at random moments, a thousand times. What belongs together
//! stays together, nobody waits long, and in the end the memory in use is what it was at first.

mod shared;
mod worker;

use crate::seeded::{Random, seed};
use crate::support::child::{Child, End, text};
use crate::support::temporary::{LOCK_TIMEOUT, Temporary};
use commy::{Error, Region};
use shared::{OBJECTS, Shared};
use std::time::{Duration, Instant};
use worker::Notes;

const WORKERS: u64 = 8;

/// Kills in all: COMMY_KILLS, or a thousand.
fn kills() -> u64 {
    std::env::var("COMMY_KILLS").map_or(1000, |text| text.parse().expect("COMMY_KILLS is a number"))
}

/// Memory in use, when nobody is at work.
fn in_use(region: &Region) -> u64 {
    let report = region.check().expect("a check");
    assert!(report.is_clean(), "{report:#?}");
    region.stats().expect("numbers").allocated
}

#[test]
fn a_thousand_kills_at_random_moments_break_nothing() {
    let seed = seed();
    println!("COMMY_SEED={seed}");
    let (temporary, mut random, begin) = (Temporary::new(), Random::new(seed), Instant::now());
    let (path, notes) = (temporary.region(), temporary.file("notes"));
    let options = Region::options().capacity(256 << 20).lock_timeout(LOCK_TIMEOUT);
    let shared = options.create(&path).and_then(Shared::new).expect("a region");
    let first = in_use(&shared.region);
    shared.fill().expect("room");

    let mut started = 0;
    let mut start = |number: u64| {
        started += 1;
        let arguments = [text(&path), text(&notes), number.to_string(), (seed ^ started << 20).to_string()];
        Child::spawn("kill_random::worker::work", &arguments)
    };
    let mut workers: Vec<Child> = (0..WORKERS).map(&mut start).collect();
    let (mut killed, mut looks) = (0, 0);
    while killed < kills() {
        // The moment of death, not a meeting: nobody relies on what has happened by then.
        std::thread::sleep(Duration::from_micros(random.below(20_000)));
        // Sometimes several die at once.
        for _ in 0..1 + random.below(8) / 6 {
            let number = random.below(WORKERS);
            let victim = &mut workers[number as usize];
            assert_eq!(victim.try_wait(), None, "a worker failed by itself");
            victim.kill();
            let dead = std::mem::replace(victim, start(number));
            assert_eq!(dead.wait(), End::Killed);
            killed += 1;
        }
        if killed / 40 > looks {
            looks = killed / 40;
            shared.verify().expect("a look at everything");
        }
    }
    workers.iter_mut().for_each(Child::kill);
    assert!(workers.into_iter().all(|worker| worker.wait() == End::Killed), "a worker failed by itself");
    shared.verify().expect("a look at everything");
    in_use(&shared.region);

    let notes = Notes::open(&notes);
    let (longest, calls) = (0..WORKERS)
        .map(|worker| notes.read(worker))
        .fold((0, 0), |sum, worker| (u64::max(sum.0, worker.0), sum.1 + worker.1));
    let longest = Duration::from_nanos(longest);
    println!("{killed} kills, {looks} looks, {calls} calls in {:?}, longest call {longest:?}", begin.elapsed());
    assert!(longest < LOCK_TIMEOUT, "somebody waited {longest:?}");
    assert!(calls > killed, "the workers did next to nothing");

    // Everything goes back.
    shared.clear().expect("room");
    for number in 0..OBJECTS {
        let gone = shared.region.remove_object(&format!("object {number}"));
        assert!(matches!(gone, Ok(()) | Err(Error::NotFound)), "{gone:?}");
    }
    assert_eq!(in_use(&shared.region), first, "bytes in use after everything was cleared");
}
