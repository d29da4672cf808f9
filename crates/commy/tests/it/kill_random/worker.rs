//! A process at work, until it is killed.

use super::shared::{ACCOUNTS, OBJECTS, Shared, assert_words, content, token};
use crate::seeded::Random;
use crate::support::child;
use crate::support::temporary::LOCK_TIMEOUT;
use commy::{Error, Region, Result, SharedVec};
use commy_lab::files::{read_exact_at, write_all_at};
use std::fs::File;
use std::ops::Bound;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest content of what grows and shrinks.
const MOST: usize = 120;

/// One process at work.
struct Worker {
    shared: Shared,
    random: Random,
}

impl Worker {
    /// Something, whole or not at all.
    fn act(&mut self) -> Result<()> {
        match self.random.below(22) {
            0..3 => self.pay(),
            3..6 => self.add(),
            6..8 => self.take(),
            8 => self.replace(),
            9 | 10 => self.write(),
            11 | 12 => self.count(),
            13 => self.make_objects(),
            16 | 17 => self.send(),
            18 => self.receive(),
            19 | 20 => self.stand_in_line(),
            21 => self.tally(),
            14 if self.random.below(2) == 0 => self.fail(),
            14 => self.grow(),
            _ if self.random.below(8) == 0 => self.come_again(),
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
        let number = self.random.number();
        if number.is_multiple_of(2) { format!("{:x}", number % 4096) } else { format!("a key in a block: {number:x}") }
    }

    fn add(&mut self) -> Result<()> {
        let key = self.key();
        let Shared { region, keys, items, sorted, .. } = &self.shared;
        region.transaction(|tx| {
            let (mut keys, mut items, mut sorted) = (tx.write(keys)?, tx.write(items)?, tx.write(sorted)?);
            if keys.len() >= MOST {
                keys.clear()?;
                items.clear()?;
                sorted.clear()?;
            }
            sorted.insert(&key, content(&key))?;
            if items.insert(&key, content(&key))?.is_none() {
                keys.push(&key)?;
            }
            Ok(())
        })
    }

    fn take(&mut self) -> Result<()> {
        let from_the_end = self.random.below(2) == 0;
        let Shared { region, keys, items, sorted, .. } = &self.shared;
        region.transaction(|tx| {
            let (mut keys, mut items, mut sorted) = (tx.write(keys)?, tx.write(items)?, tx.write(sorted)?);
            let key = if from_the_end { keys.pop()? } else { keys.remove(0)? };
            let Some(key) = key else { return Ok(()) };
            sorted.remove(&key)?;
            items.remove(&key)?.map(drop).ok_or(Error::NotFound)
        })
    }

    /// Every other one goes.
    fn replace(&mut self) -> Result<()> {
        let Shared { region, keys, items, sorted, .. } = &self.shared;
        region.transaction(|tx| {
            let (mut keys, mut items, mut sorted) = (tx.write(keys)?, tx.write(items)?, tx.write(sorted)?);
            sorted.retain(|key, _| key.len().is_multiple_of(2))?;
            keys.retain(|key| key.len().is_multiple_of(2))?;
            items.retain(|key, _| key.len().is_multiple_of(2))
        })
    }

    /// A text goes into the queue, at either end or between, unless it is on its way.
    fn send(&mut self) -> Result<()> {
        let (text, way) = (token(self.random.number()), self.random.below(3));
        let Shared { region, queue, queued, .. } = &self.shared;
        region.transaction(|tx| {
            let (mut queue, mut queued) = (tx.write(queue)?, tx.write(queued)?);
            if queue.len() >= MOST {
                queue.retain(|text| text.len().is_multiple_of(2))?;
                queued.retain(|text| text.len().is_multiple_of(2))?;
            }
            match (queued.insert(&text)?, way) {
                (false, _) => queue.rotate_left(queue.len() / 3),
                (true, 0) => queue.push_back(&text),
                (true, 1) => queue.push_front(&text),
                (true, _) => queue.insert(queue.len() / 3, &text),
            }
        })
    }

    fn receive(&mut self) -> Result<()> {
        let way = self.random.below(4);
        let Shared { region, queue, queued, .. } = &self.shared;
        region.transaction(|tx| {
            let (mut queue, mut queued) = (tx.write(queue)?, tx.write(queued)?);
            let taken = match way {
                0 => queue.pop_back()?.into_iter().collect(),
                1 => queue.remove(queue.len() / 2)?.into_iter().collect(),
                2 => queue.drain(..queue.len().min(7))?,
                _ => queue.pop_front()?.into_iter().collect::<Vec<String>>(),
            };
            taken.iter().try_for_each(|text| queued.take(text)?.map(drop).ok_or(Error::NotFound))
        })
    }

    /// Numbers join at one end and leave at the other; who finds none, or no room, waits a little.
    fn stand_in_line(&mut self) -> Result<()> {
        let (way, count) = (self.random.below(6), self.random.below(9));
        let line = &self.shared.line;
        let moment = Duration::from_micros(300);
        match way {
            0 => line.pop_front_wait(moment).map(drop),
            1 => line.pop_front_many_wait(count as usize, moment).map(drop),
            2 => line.pop_back_wait(moment).map(drop),
            3 => {
                let mut guard = line.write()?;
                let next = guard.back().map_or(0, |last| last + 1);
                match guard.extend(next..next + count) {
                    Err(Error::Full { .. }) => Ok(()),
                    other => other,
                }
            }
            4 => {
                let mut guard = line.write()?;
                guard.iter_mut()?.for_each(|number| *number += 1);
                match guard.front().copied().and_then(|first| first.checked_sub(1)) {
                    Some(before) => guard.try_push_front(before).map(drop),
                    None => guard.try_push_back(7).map(drop),
                }
            }
            _ => {
                // Waits for room without knowing the number that is due: the guard after it does.
                line.wait_changed(line.version()?, moment)?;
                let mut guard = line.write()?;
                let next = guard.back().map_or(0, |last| last + 1);
                guard.try_push_back(next).map(drop)
            }
        }
    }

    fn tally(&mut self) -> Result<()> {
        let Shared { counter, gauge, .. } = &self.shared;
        let before = counter.get()?;
        counter.add(self.random.below(5))?;
        assert!(counter.get()? >= before, "a counter went back");
        gauge.set(self.random.below(4) as i64)?;
        let total = gauge.get()?;
        assert!((0..=64).contains(&total), "a gauge of {total}");
        Ok(())
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
        let values: Vec<String> = (0..self.random.below(30)).map(item).collect();
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

    /// Opens the region once more, as another process would, and closes it.
    fn come_again(&mut self) -> Result<()> {
        let options = Region::options().lock_timeout(LOCK_TIMEOUT).own_attachment();
        let again = Shared::new(options.open(self.shared.region.path())?)?;
        again.text.push_str("[again]")
    }

    /// Changes everything, and thinks better of it.
    fn fail(&mut self) -> Result<()> {
        let Shared { region, purses, ledger, keys, items, sorted, .. } = &self.shared;
        let result: Result<()> = region.transaction(|tx| {
            tx.write(purses)?.clear()?;
            tx.write(ledger)?.insert(9999, 9999)?;
            tx.write(keys)?.extend(["one", "two", "three"])?;
            tx.write(items)?.clear()?;
            tx.write(sorted)?.extend((0..90).map(|number| (item(number), content("one"))))?;
            tx.write(sorted)?.split_off("b")?;
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
        if let Some((key, value)) = self.shared.sorted.last_key_value()? {
            assert_eq!(value, content(&key));
        }
        for (key, value) in self.shared.sorted.range::<str>((Bound::Included("a"), Bound::Excluded("c")))? {
            assert_eq!(value, content(&key));
        }
        assert_words(&self.shared.text.get()?);
        Ok(())
    }
}

fn item(number: u64) -> String {
    if number.is_multiple_of(2) { format!("{number}") } else { format!("a text in a block of its own: {number}") }
}

/// What threads report beside the region: {longest wait in ns, calls}, a pair for each.
pub struct Notes(File);

impl Notes {
    pub fn open(path: &Path) -> Notes {
        let mut options = File::options();
        Notes(options.read(true).write(true).create(true).truncate(false).open(path).expect("a file for notes"))
    }

    pub fn read(&self, thread: u64) -> (u64, u64) {
        let mut bytes = [0; 16];
        // A short read: nothing was noted yet.
        let _ = read_exact_at(&self.0, &mut bytes, thread * 16);
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        (word(0), word(8))
    }

    fn write(&self, thread: u64, (longest, calls): (u64, u64)) {
        let bytes: Vec<u8> = longest.to_le_bytes().into_iter().chain(calls.to_le_bytes()).collect();
        write_all_at(&self.0, &bytes, thread * 16).expect("room for notes");
    }
}

/// The entry point of workers: two threads each, with a note each.
#[test]
fn work() {
    child::entry(|arguments| {
        let [path, notes, number, seed] = arguments else { panic!("wrong arguments") };
        let (number, seed): (u64, u64) = (number.parse().expect("a number"), seed.parse().expect("a number"));
        let notes = Notes::open(Path::new(notes));
        // A thread that fails ends the process, so that the parent sees it.
        std::panic::set_hook(Box::new(|panic| {
            eprintln!("{panic}");
            std::process::exit(101);
        }));
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let (path, notes) = (Path::new(path), &notes);
                scope.spawn(move || work_on(path, notes, 2 * number + thread, seed ^ thread << 60));
            }
        });
    });
}

fn work_on(path: &Path, notes: &Notes, number: u64, seed: u64) {
    let options = Region::options().lock_timeout(LOCK_TIMEOUT);
    let shared = options.open(path).and_then(Shared::new).expect("the region");
    let mut worker = Worker { shared, random: Random::new(seed) };
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
}
