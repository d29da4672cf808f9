//! Eight processes work on everything at once and are killed at random moments, a thousand times. What belongs together
//! stays together, nobody waits long, and in the end the memory in use is what it was at first.

mod shared;
mod worker;

use crate::seeded::{Random, fewer, seed};
use crate::support::child::{Child, End, text};
use crate::support::temporary::{LOCK_TIMEOUT, Temporary};
use commy::{Error, Region, SharedVec};
use shared::{OBJECTS, Shared};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use worker::Notes;

const WORKERS: u64 = 8;

/// Kills in all: COMMY_KILLS, or a thousand where each point is died at.
fn kills() -> u64 {
    std::env::var("COMMY_KILLS").map_or(fewer(1000), |text| text.parse().expect("COMMY_KILLS is a number"))
}

/// Memory in use, when nobody is at work.
fn in_use(region: &Region) -> u64 {
    let report = region.check().expect("a check");
    assert!(report.is_clean(), "{report:#?}");
    region.stats().expect("numbers").allocated
}

/// A region, and the processes that work in it.
struct Field {
    temporary: Temporary,
    random: Random,
    started: u64,
}

impl Field {
    fn new() -> Field {
        let seed = seed();
        println!("COMMY_SEED={seed}");
        Field { temporary: Temporary::new(), random: Random::new(seed), started: 0 }
    }

    /// The region, new, with what it is filled with; and the memory in use before that.
    fn create(&self) -> (Shared, u64) {
        let options = Region::options().capacity(256 << 20).lock_timeout(LOCK_TIMEOUT);
        let shared = options.create(self.temporary.region()).and_then(Shared::new).expect("a region");
        // The directory never shrinks: it is to be as large as it will be.
        let names = || (0..OBJECTS).map(|number| format!("object {number}"));
        names().for_each(|name| drop(shared.region.object::<SharedVec<String>>(&name).expect("room")));
        names().for_each(|name| shared.region.remove_object(&name).expect("an object"));
        let empty = in_use(&shared.region);
        shared.fill().expect("room");
        (shared, empty)
    }

    fn notes(&self) -> PathBuf {
        self.temporary.file("notes")
    }

    fn start(&mut self, number: u64) -> Child {
        self.started += 1;
        let seed = self.random.number().to_string();
        let arguments = [text(&self.temporary.region()), text(&self.notes()), number.to_string(), seed];
        Child::spawn("kill_random::worker::work", &arguments)
    }

    /// Lets a while pass. It is the moment of a death, not a meeting: nobody relies on what has happened by then.
    fn pass(&mut self, most: Duration) {
        std::thread::sleep(Duration::from_nanos(self.random.below(most.as_nanos() as u64)));
    }

    /// The longest call of all workers, and how many calls there were.
    fn noted(&self) -> (Duration, u64) {
        let notes = Notes::open(&self.notes());
        let threads = (0..2 * WORKERS).map(|thread| notes.read(thread));
        let (longest, calls) = threads.fold((0, 0), |sum, one| (u64::max(sum.0, one.0), sum.1 + one.1));
        (Duration::from_nanos(longest), calls)
    }
}

/// Nobody is at work: everything holds, and everything goes back.
fn end(shared: &Shared, empty: u64) {
    shared.verify().expect("a look at everything");
    in_use(&shared.region);
    shared.clear().expect("room");
    for number in 0..OBJECTS {
        let gone = shared.region.remove_object(&format!("object {number}"));
        assert!(matches!(gone, Ok(()) | Err(Error::NotFound)), "{gone:?}");
    }
    assert_eq!(in_use(&shared.region), empty, "bytes in use after everything was cleared");
}

#[test]
fn a_thousand_kills_at_random_moments_break_nothing() {
    let (mut field, begin) = (Field::new(), Instant::now());
    let (shared, empty) = field.create();
    let mut workers: Vec<Child> = (0..WORKERS).map(|number| field.start(number)).collect();
    let (mut killed, mut looks) = (0, 0);
    while killed < kills() {
        field.pass(Duration::from_millis(20));
        // Sometimes several die at once.
        for _ in 0..1 + field.random.below(8) / 6 {
            let number = field.random.below(WORKERS);
            let victim = &mut workers[number as usize];
            assert_eq!(victim.try_wait(), None, "a worker failed by itself");
            victim.kill();
            let dead = std::mem::replace(victim, field.start(number));
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
    let (longest, calls) = field.noted();
    println!("{killed} kills, {looks} looks, {calls} calls in {:?}, longest call {longest:?}", begin.elapsed());
    assert!(longest < LOCK_TIMEOUT, "somebody waited {longest:?}");
    assert!(calls > killed, "the workers did next to nothing");
    end(&shared, empty);
}

/// Nobody stays: again and again all processes are gone, and those who come next, at once, find what was left.
#[test]
fn openers_who_find_nobody_are_killed_at_random_moments() {
    let (mut field, begin) = (Field::new(), Instant::now());
    let empty = field.create().1;
    let rounds = kills() / 8;
    for round in 0..rounds {
        let mut workers: Vec<Child> = (0..4).map(|number| field.start(number)).collect();
        for worker in &mut workers {
            field.pass(Duration::from_millis(12));
            worker.kill();
        }
        assert!(workers.into_iter().all(|worker| worker.wait() == End::Killed), "a worker failed by itself");
        if round % 16 == 0 {
            let shared = Region::open(field.temporary.region()).and_then(Shared::new).expect("the region");
            shared.verify().expect("a look at everything");
            in_use(&shared.region);
        }
    }
    let (longest, calls) = field.noted();
    println!("{} kills, {calls} calls in {:?}, longest call {longest:?}", 4 * rounds, begin.elapsed());
    let shared = Region::open(field.temporary.region()).and_then(Shared::new).expect("the region");
    end(&shared, empty);
}
