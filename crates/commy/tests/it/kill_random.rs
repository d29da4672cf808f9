//! Eight processes work on everything at once and are killed at random moments, a thousand times. What belongs together
//! stays together, nobody waits long, and in the end the memory in use is what it was at first.

use crate::seeded::{Random, seed};
use crate::support::child::{self, Child, End, text};
use crate::support::temporary::{LOCK_TIMEOUT, Temporary};
use commy::{Error, Region, Result, SharedBox, SharedHashMap, SharedString, SharedVec, Transaction};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

const WORKERS: u64 = 8;
/// Objects that come and go; with the others they fit into one group of the directory, which never shrinks.
const OBJECTS: u64 = 6;
const ACCOUNTS: u64 = 24;
const MONEY: u64 = 1000;
/// Longest content of the containers that grow and shrink.
const MOST: usize = 120;

/// Kills in all: COMMY_KILLS, or a thousand.
fn kills() -> u64 {
    std::env::var("COMMY_KILLS").map_or(1000, |text| text.parse().expect("COMMY_KILLS is a number"))
}

fn open(path: &Path) -> Result<Region> {
    Region::options().lock_timeout(LOCK_TIMEOUT).open(path)
}

/// What the processes share.
struct Shared {
    region: Region,
    /// Money goes between these two; none is lost.
    purses: SharedVec<u64>,
    ledger: SharedHashMap<u64, u64>,
    /// The keys of `items`, in the order in which they came.
    keys: SharedVec<String>,
    items: SharedHashMap<String, Vec<u8>>,
    /// Words in brackets.
    text: SharedString,
    /// Eight times the same number.
    row: SharedBox<[u64; 8]>,
    /// 0, 1, 2, ...; long enough for page runs.
    long: SharedVec<u64>,
}

impl Shared {
    fn new(region: Region) -> Result<Shared> {
        Ok(Shared {
            purses: region.object("purses")?,
            ledger: region.object("ledger")?,
            keys: region.object("keys")?,
            items: region.object("items")?,
            text: region.object("text")?,
            row: region.object("row")?,
            long: region.object("long")?,
            region,
        })
    }

    fn fill(&self) -> Result<()> {
        self.purses.extend((0..ACCOUNTS).map(|_| MONEY))?;
        self.ledger.extend((0..ACCOUNTS).map(|account| (account, MONEY)))
    }

    fn clear(&self) -> Result<()> {
        self.purses.clear()?;
        self.ledger.clear()?;
        self.keys.clear()?;
        self.items.clear()?;
        self.long.clear()?;
        self.text.clear()
    }
}

/// The content of an item: all of it follows from its key.
fn content(key: &str) -> Vec<u8> {
    let number = key.bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let len = if number.is_multiple_of(3) { number % 15 } else { number % 3000 };
    (0..len).map(|index| (number + index) as u8).collect()
}

/// One process at work.
struct Worker {
    shared: Shared,
    random: Random,
}

impl Worker {
    /// Something, whole or not at all.
    fn act(&mut self) -> Result<()> {
        match self.random.below(16) {
            0..3 => self.pay(),
            3..6 => self.add(),
            6..8 => self.take(),
            8 => self.replace(),
            9 | 10 => self.write(),
            11 | 12 => self.count(),
            13 => self.make_objects(),
            14 if self.random.below(2) == 0 => self.fail(),
            14 => self.grow(),
            _ => self.look(),
        }
    }

    /// From a purse to an account of the ledger, or back; now and then in the order of locks that deadlocks.
    fn pay(&mut self) -> Result<()> {
        let (purse, account) = (self.random.below(ACCOUNTS) as usize, self.random.below(ACCOUNTS));
        let (amount, back, ledger_first) =
            (self.random.below(50), self.random.below(2) == 1, self.random.below(32) == 0);
        let Shared { region, purses, ledger, .. } = &self.shared;
        region.transaction(|tx| {
            let mut early = if ledger_first { Some(tx.write(ledger)?) } else { None };
            let mut purses = tx.write(purses)?;
            let mut late = if ledger_first { None } else { Some(tx.write(ledger)?) };
            let ledger = early.as_mut().or(late.as_mut()).ok_or(Error::NotFound)?;
            let left = ledger.try_get_mut(&account)?.ok_or(Error::NotFound)?;
            let right = purses.get_mut(purse)?.ok_or(Error::NotFound)?;
            let (from, to) = if back { (left, right) } else { (right, left) };
            let amount = amount.min(*from);
            *from -= amount;
            *to += amount;
            Ok(())
        })
    }

    fn key(&mut self) -> String {
        let number = self.random.next();
        if number.is_multiple_of(2) { format!("{:x}", number % 4096) } else { format!("a key in a block: {number:x}") }
    }

    fn add(&mut self) -> Result<()> {
        let key = self.key();
        let Shared { region, keys, items, .. } = &self.shared;
        region.transaction(|tx| {
            let (mut keys, mut items) = (tx.write(keys)?, tx.write(items)?);
            if keys.len() >= MOST {
                keys.clear()?;
                items.clear()?;
            }
            if items.insert(&key, content(&key))?.is_none() {
                keys.push(&key)?;
            }
            Ok(())
        })
    }

    fn take(&mut self) -> Result<()> {
        let from_the_end = self.random.below(2) == 0;
        let Shared { region, keys, items, .. } = &self.shared;
        region.transaction(|tx| {
            let (mut keys, mut items) = (tx.write(keys)?, tx.write(items)?);
            let key = if from_the_end { keys.pop()? } else { keys.remove(0)? };
            let Some(key) = key else { return Ok(()) };
            items.remove(&key)?.map(drop).ok_or(Error::NotFound)
        })
    }

    /// Every other one goes.
    fn replace(&mut self) -> Result<()> {
        let Shared { region, keys, items, .. } = &self.shared;
        region.transaction(|tx| {
            let (mut keys, mut items) = (tx.write(keys)?, tx.write(items)?);
            keys.retain(|key| key.len().is_multiple_of(2))?;
            items.retain(|key, _| key.len().is_multiple_of(2))
        })
    }

    fn write(&mut self) -> Result<()> {
        let (number, way) = (self.random.below(1_000_000), self.random.below(4));
        let text = &self.shared.text;
        if way < 2 {
            return text.push_str(&format!("[{number}]"));
        }
        let mut guard = text.write()?;
        if guard.len() > 1500 {
            return guard.clear();
        }
        match guard.find(']') {
            Some(end) if way == 2 => guard.replace_range(0..end + 1, &format!("[{number}][{number}]")),
            Some(end) => guard.replace_range(0..end + 1, ""),
            None => guard.push_str("[first]"),
        }
    }

    fn count(&mut self) -> Result<()> {
        let row = &self.shared.row;
        if self.random.below(2) == 0 {
            return row.update(|row| row.iter_mut().for_each(|number| *number += 1));
        }
        let mut guard = row.write()?;
        guard.iter_mut().for_each(|number| *number += 1);
        Ok(())
    }

    fn grow(&mut self) -> Result<()> {
        let (more, less) = (self.random.below(4000), self.random.below(4) == 0);
        let mut guard = self.shared.long.write()?;
        let len = guard.len() as u64;
        if len > 12_000 {
            return guard.clear();
        }
        if less { guard.truncate((len / 2) as usize) } else { guard.extend(len..len + more) }
    }

    /// Objects with a name, which others may remove, and without; in a thread of its own, too.
    fn make_objects(&mut self) -> Result<()> {
        let (region, name) = (&self.shared.region, format!("object {}", self.random.below(OBJECTS)));
        let values: Vec<String> = (0..self.random.below(30)).map(|number| content_name(number)).collect();
        let made = match self.random.below(4) {
            0 => {
                let nameless = SharedVec::<String>::new_in(region)?;
                nameless.extend(&values)
            }
            1 => region.remove_object(&name),
            2 => {
                let vector: SharedVec<String> = region.object(&name).expect("it is there, or made");
                vector.extend(&values)
            }
            _ => std::thread::scope(|scope| {
                let work = || region.open_object::<SharedVec<String>>(&name)?.extend(&values[..values.len().min(3)]);
                scope.spawn(work).join().expect("a thread")
            }),
        };
        match made {
            Err(Error::NotFound | Error::Removed) => Ok(()),
            other => other,
        }
    }

    /// Changes everything, and thinks better of it.
    fn fail(&mut self) -> Result<()> {
        let Shared { region, purses, ledger, keys, items, .. } = &self.shared;
        let result: Result<()> = region.transaction(|tx| {
            tx.write(purses)?.clear()?;
            tx.write(ledger)?.insert(9999, 9999)?;
            tx.write(keys)?.extend(["one", "two", "three"])?;
            tx.write(items)?.clear()?;
            Err(Error::NotFound)
        });
        match result {
            Err(Error::NotFound) => Ok(()),
            other => other,
        }
    }

    /// Reads without locks see whole values, too.
    fn look(&mut self) -> Result<()> {
        let row = self.shared.row.get()?;
        assert!(row.iter().all(|number| *number == row[0]), "a torn row: {row:?}");
        if let Some(key) = self.shared.keys.get(0)?
            && let Some(found) = self.shared.items.get(&key)?
        {
            assert_eq!(found, content(&key));
        }
        tokens(&self.shared.text.get()?);
        Ok(())
    }
}

fn content_name(number: u64) -> String {
    if number.is_multiple_of(2) { format!("{number}") } else { format!("a text in a block of its own: {number}") }
}

/// How many words in brackets; nothing else may be there.
fn tokens(text: &str) -> usize {
    let words: Vec<&str> = text.split_inclusive(']').collect();
    assert!(words.iter().all(|word| word.starts_with('[') && word.ends_with(']')), "a torn text: {text}");
    words.len()
}

/// What workers report beside the region: {longest wait in ns, calls}, a pair for each.
struct Notes(File);

impl Notes {
    fn open(path: &Path) -> Notes {
        let mut options = File::options();
        Notes(options.read(true).write(true).create(true).truncate(false).open(path).expect("a file for notes"))
    }

    fn read(&self, worker: u64) -> (u64, u64) {
        let mut bytes = [0; 16];
        // A short read: nothing was noted yet.
        let _ = self.0.read_at(&mut bytes, worker * 16);
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        (word(0), word(8))
    }

    fn write(&self, worker: u64, (longest, calls): (u64, u64)) {
        let bytes: Vec<u8> = longest.to_le_bytes().into_iter().chain(calls.to_le_bytes()).collect();
        self.0.write_all_at(&bytes, worker * 16).expect("room for notes");
    }
}

/// The entry point of workers.
#[test]
fn work() {
    child::entry(|arguments| {
        let [path, notes, number, seed] = arguments else { panic!("wrong arguments") };
        let number = number.parse().expect("a number");
        let notes = Notes::open(Path::new(notes));
        let shared = open(Path::new(path)).and_then(Shared::new).expect("the region");
        let random = Random::new(seed.parse().expect("a number"));
        let mut worker = Worker { shared, random };
        let (mut longest, mut calls) = notes.read(number);
        loop {
            let start = Instant::now();
            worker.act().unwrap_or_else(|error| panic!("after {:?}: {error}", start.elapsed()));
            let waited = start.elapsed().as_nanos() as u64;
            calls += 1;
            if waited > longest || calls.is_multiple_of(64) {
                longest = longest.max(waited);
                notes.write(number, (longest, calls));
            }
        }
    });
}

/// What must hold at every moment.
fn verify(shared: &Shared) -> Result<()> {
    shared.region.transaction(|tx: &Transaction<'_>| {
        let (purses, ledger) = (tx.read(&shared.purses)?, tx.read(&shared.ledger)?);
        assert_eq!(purses.len() as u64, ACCOUNTS);
        assert_eq!(ledger.len() as u64, ACCOUNTS);
        let sum = purses.iter().sum::<u64>() + ledger.values().sum::<u64>();
        assert_eq!(sum, 2 * ACCOUNTS * MONEY, "money was lost or made");
        let (keys, items) = (tx.read(&shared.keys)?, tx.read(&shared.items)?);
        assert_eq!(keys.len(), items.len());
        let listed: BTreeSet<&str> = keys.iter().collect();
        assert_eq!(listed, items.keys().collect(), "a vector and a map tell different stories");
        for (key, value) in &items {
            assert!(value == content(key), "the content of {key} is another's");
        }
        tokens(&tx.read(&shared.text)?);
        let row = *tx.read(&shared.row)?;
        assert!(row.iter().all(|number| *number == row[0]), "a torn row: {row:?}");
        let long = tx.read(&shared.long)?;
        assert!(long.iter().zip(0..).all(|(value, index)| *value == index), "a long vector is not as it was written");
        Ok(())
    })
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
        Child::spawn("kill_random::work", &arguments)
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
            verify(&shared).expect("a look at everything");
        }
    }
    workers.iter_mut().for_each(Child::kill);
    assert!(workers.into_iter().all(|worker| worker.wait() == End::Killed), "a worker failed by itself");
    verify(&shared).expect("a look at everything");
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
