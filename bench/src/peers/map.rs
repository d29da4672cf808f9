//! Maps from numbers to numbers, as the races between them see them.

use super::{commy, std as in_process};
use crate::Outcome;
use crate::arguments::Arguments;
use crate::machine;
use crate::measure::Runner;
use crate::random::Random;
use ::std::time::Duration;

/// What a map is asked to do with a batch of keys. The value of a key is the key, plus the number of its updates.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act<'a> {
    /// Of new keys. The sum counts them.
    Insert(&'a [u64]),
    /// The sum is that of the values; a key that is missing adds one.
    Get(&'a [u64]),
    /// Adds one to each value. The sum is that of the new values.
    Update(&'a [u64]),
    /// The sum is that of the removed values.
    Remove(&'a [u64]),
    /// A hundred entries from each key on, in order. The sum is that of their values.
    Scan(&'a [u64]),
    /// The sum of all values.
    Iterate,
}

/// Entries of a scan.
pub(crate) const SCAN: usize = 100;

/// What became of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch {
    pub(crate) time: Duration,
    pub(crate) sum: u64,
}

impl Batch {
    /// Work of this thread: its processor time.
    #[inline(always)]
    pub(crate) fn of(work: impl FnOnce() -> Outcome<u64>) -> Outcome<Batch> {
        let start = machine::thread_time();
        let sum = work()?;
        Ok(Batch { time: machine::thread_time() - start, sum })
    }

    /// Work that waits for another process: time of the clock.
    #[cfg(target_os = "linux")]
    pub(crate) fn by_the_clock(work: impl FnOnce() -> Outcome<u64>) -> Outcome<Batch> {
        let start = ::std::time::Instant::now();
        let sum = work()?;
        Ok(Batch { time: start.elapsed(), sum })
    }
}

/// The sum of what each key gives.
#[inline(always)]
pub(crate) fn sum(keys: &[u64], mut value: impl FnMut(&u64) -> Outcome<u64>) -> Outcome<u64> {
    let mut sum = 0u64;
    for key in keys {
        sum = sum.wrapping_add(value(key)?);
    }
    Ok(sum)
}

/// A key that must be there is not.
pub(crate) const MISSING: &str = "a key is missing";

/// An implementation of a map.
pub(crate) trait Map {
    /// Empties it; not timed.
    fn clear(&mut self) -> Outcome;

    fn act(&mut self, act: Act) -> Outcome<Batch>;

    /// What it cannot do is left out of the races.
    fn can(&self, _: Act) -> bool {
        true
    }
}

/// The keys of a map, and what is looked up in it.
pub(crate) struct Keys {
    pub(crate) all: Vec<u64>,
    /// The same in another order.
    pub(crate) shuffled: Vec<u64>,
    /// As many others.
    pub(crate) absent: Vec<u64>,
}

impl Keys {
    pub(crate) fn new(seed: u64, count: usize) -> Keys {
        let mut random = Random::new(seed);
        let all = random.distinct(count);
        let absent = random.distinct(count);
        let shuffled = random.shuffled(&all);
        Keys { all, shuffled, absent }
    }

    /// The sum of the values after so many updates of each.
    pub(crate) fn sum(&self, updates: u64) -> u64 {
        self.all.iter().fold(0, |sum: u64, key| sum.wrapping_add(*key).wrapping_add(updates))
    }
}

/// A map in a race.
pub(crate) struct Contestant {
    name: String,
    map: Box<dyn Map>,
    /// A slow one has fewer keys than the others.
    keys: Keys,
    slow: bool,
    updates: u64,
}

impl Contestant {
    pub(crate) fn new(name: &str, map: impl Map + 'static, arguments: &Arguments, count: usize) -> Contestant {
        let keys = Keys::new(arguments.seed, arguments.scaled(count));
        Contestant { name: name.into(), map: Box::new(map), keys, slow: false, updates: 0 }
    }

    /// One that takes part in few rounds.
    pub(crate) fn slow(self) -> Contestant {
        Contestant { slow: true, ..self }
    }

    pub(crate) fn can(&self, act: Act) -> bool {
        self.map.can(act)
    }

    /// Fills the empty map; nanoseconds of each insert.
    pub(crate) fn insert(&mut self) -> Outcome<f64> {
        self.map.clear()?;
        self.updates = 0;
        let count = self.keys.all.len();
        let batch = self.map.act(Act::Insert(&self.keys.all))?;
        verified(batch, count as u64, count)
    }

    pub(crate) fn get(&mut self) -> Outcome<f64> {
        let batch = self.map.act(Act::Get(&self.keys.shuffled))?;
        verified(batch, self.keys.sum(self.updates), self.keys.shuffled.len())
    }

    pub(crate) fn miss(&mut self) -> Outcome<f64> {
        let count = self.keys.absent.len();
        verified(self.map.act(Act::Get(&self.keys.absent))?, count as u64, count)
    }

    pub(crate) fn update(&mut self) -> Outcome<f64> {
        let batch = self.map.act(Act::Update(&self.keys.shuffled))?;
        self.updates += 1;
        verified(batch, self.keys.sum(self.updates), self.keys.shuffled.len())
    }

    /// The map is filled before, and empty at the end.
    pub(crate) fn remove(&mut self) -> Outcome<f64> {
        self.insert()?;
        let batch = self.map.act(Act::Remove(&self.keys.shuffled))?;
        verified(batch, self.keys.sum(0), self.keys.shuffled.len())
    }

    pub(crate) fn iterate(&mut self) -> Outcome<f64> {
        let batch = self.map.act(Act::Iterate)?;
        verified(batch, self.keys.sum(self.updates), self.keys.all.len())
    }

    /// From a tenth of the keys; the sums are those that the first who runs it has found.
    pub(crate) fn scan(&mut self, expected: &mut Option<u64>) -> Outcome<f64> {
        let starts = &self.keys.shuffled[..self.keys.shuffled.len().div_ceil(10)];
        let batch = self.map.act(Act::Scan(starts))?;
        verified(batch, *expected.get_or_insert(batch.sum), starts.len())
    }
}

impl Runner for Contestant {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_slow(&self) -> bool {
        self.slow
    }
}

/// Nanoseconds of each of `count` operations whose results were right.
pub(crate) fn verified(batch: Batch, expected: u64, count: usize) -> Outcome<f64> {
    if batch.sum != expected {
        return Err(format!("a wrong result: the sum is {}, not {expected}", batch.sum).into());
    }
    Ok(batch.time.as_nanos() as f64 / count as f64)
}

/// Commy through the handle and under a guard, then the others.
pub(crate) fn maps(arguments: &Arguments, count: usize) -> Outcome<Vec<Contestant>> {
    let mut maps = vec![
        Contestant::new("Commy", commy::HashMap::new(false)?, arguments, count),
        Contestant::new("Commy, guard", commy::HashMap::new(true)?, arguments, count),
        Contestant::new("HashMap", in_process::Bare::default(), arguments, count),
        Contestant::new("Mutex<HashMap>", in_process::Locked::default(), arguments, count),
    ];
    #[cfg(feature = "peers")]
    {
        use super::{dashmap, mmap_sync, parking_lot, redb, shared_hashmap};
        if arguments.has("parking_lot") {
            maps.push(Contestant::new("parking_lot Mutex<HashMap>", parking_lot::Locked::default(), arguments, count));
        }
        if arguments.has("dashmap") {
            maps.push(Contestant::new("DashMap", dashmap::Sharded::default(), arguments, count));
        }
        if arguments.has("lmdb") {
            maps.push(Contestant::new("LMDB", super::lmdb::Tree::new()?, arguments, count).slow());
        }
        if arguments.has("redb") {
            maps.push(Contestant::new("redb", redb::Tree::new()?, arguments, count).slow());
        }
        if arguments.has("shared_hashmap") {
            let count = count.min(2_000);
            maps.push(Contestant::new("shared_hashmap", shared_hashmap::Shared::new()?, arguments, count).slow());
        }
        if arguments.has("iceoryx2") {
            let count = count.min(2_000);
            let keys = Keys::new(arguments.seed, arguments.scaled(count)).all;
            for (name, kept) in [("iceoryx2 blackboard", false), ("iceoryx2 blackboard, kept handles", true)] {
                let places = super::blackboard::Places::new(&keys, kept)?;
                maps.push(Contestant::new(name, places, arguments, count).slow());
            }
        }
        if arguments.has("mmap-sync") {
            let count = count.min(20_000);
            maps.push(Contestant::new("mmap-sync", mmap_sync::Whole::new()?, arguments, count).slow());
        }
    }
    #[cfg(target_os = "linux")]
    {
        use super::{boost, python, redis};
        if arguments.has("boost") {
            maps.push(Contestant::new("Boost", boost::Keyed::new("unordered")?, arguments, count).slow());
        }
        if arguments.has("redis") {
            maps.push(Contestant::new("Redis", redis::Served::new()?, arguments, count.min(200_000)).slow());
        }
        if arguments.has("python") {
            maps.push(Contestant::new("Python Manager", python::Managed::new()?, arguments, count.min(2_000)).slow());
        }
    }
    Ok(maps)
}

/// The same in order.
pub(crate) fn trees(arguments: &Arguments, count: usize) -> Outcome<Vec<Contestant>> {
    let mut trees = vec![
        Contestant::new("Commy", commy::Tree::new(false)?, arguments, count),
        Contestant::new("Commy, guard", commy::Tree::new(true)?, arguments, count),
        Contestant::new("BTreeMap", in_process::Ordered::default(), arguments, count),
    ];
    #[cfg(feature = "peers")]
    {
        if arguments.has("lmdb") {
            trees.push(Contestant::new("LMDB", super::lmdb::Tree::new()?, arguments, count).slow());
        }
        if arguments.has("redb") {
            trees.push(Contestant::new("redb", super::redb::Tree::new()?, arguments, count).slow());
        }
    }
    #[cfg(target_os = "linux")]
    if arguments.has("boost") {
        trees.push(Contestant::new("Boost", super::boost::Keyed::new("ordered")?, arguments, count).slow());
    }
    Ok(trees)
}
