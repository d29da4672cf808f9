//! What the processes of the demo share: the text, the work and the result, all in one region.
//!
//! Invariant: each part of the work is in exactly one place: in `pending`, in `claims`, or counted. A part moves from one
//! place to the next in one transaction, so a process that is killed leaves it in one of them, wholly.
//! Objects are locked in the order of the fields.

use super::random;
use commy::{Region, Result, SharedBox, SharedHashMap, SharedVec};
use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// The handles of one process.
pub(super) struct Board {
    pub(super) region: Region,
    /// The text, cut; the key is the number of the piece.
    pub(super) texts: SharedHashMap<u64, String>,
    /// The parts nobody works on. A part is one piece of text in one pass: `pass * texts + piece`.
    pub(super) pending: SharedVec<u64>,
    /// How often each word was seen.
    pub(super) counts: SharedHashMap<String, u64>,
    /// The part each worker has in hand, by the number of the worker.
    pub(super) claims: SharedHashMap<u64, u64>,
    /// The longest that any operation of any process took, in nanoseconds.
    slowest_ns: SharedBox<u64>,
    /// What this process knows of it.
    slowest_known_ns: Cell<u64>,
}

impl Board {
    pub(super) fn create(path: Option<&Path>, capacity: u64) -> Result<Board> {
        let options = Region::options().capacity(capacity);
        let region = match path {
            Some(path) => options.create(path)?,
            // A name nobody used: what an interrupted demo left must not be counted again.
            None => options.volatile(&format!("commy-demo-{}-{}", std::process::id(), random::fresh_seed()))?,
        };
        Board::of(region)
    }

    pub(super) fn open(path: &Path) -> Result<Board> {
        Board::of(Region::open(path)?)
    }

    fn of(region: Region) -> Result<Board> {
        Ok(Board {
            texts: region.object("texts")?,
            pending: region.object("pending")?,
            counts: region.object("counts")?,
            claims: region.object("claims")?,
            slowest_ns: region.object("slowest")?,
            slowest_known_ns: Cell::new(0),
            region,
        })
    }

    /// Takes a part into the hand of `worker`; `None` if there is none.
    pub(super) fn claim(&self, worker: u64) -> Result<Option<u64>> {
        self.timed(|| {
            self.region.transaction(|tx| {
                let Some(part) = tx.write(&self.pending)?.pop()? else { return Ok(None) };
                tx.write(&self.claims)?.insert(worker, part)?;
                Ok(Some(part))
            })
        })
    }

    /// Adds what a part contains to the counts, and the part is done.
    pub(super) fn complete(&self, worker: u64, words: &HashMap<&str, u64>) -> Result<()> {
        self.timed(|| {
            self.region.transaction(|tx| {
                let mut counts = tx.write(&self.counts)?;
                for (&word, &times) in words {
                    *counts.entry(word).or_insert(0)? += times;
                }
                tx.write(&self.claims)?.remove(&worker)?;
                Ok(())
            })
        })
    }

    /// Puts back what a dead worker had in hand, for others to take. Returns whether it had something.
    pub(super) fn release(&self, worker: u64) -> Result<bool> {
        self.timed(|| {
            self.region.transaction(|tx| {
                let mut pending = tx.write(&self.pending)?;
                let Some(part) = tx.write(&self.claims)?.remove(&worker)? else { return Ok(false) };
                pending.push(part)?;
                Ok(true)
            })
        })
    }

    /// Adds new parts to the work.
    pub(super) fn add(&self, parts: std::ops::Range<u64>) -> Result<()> {
        self.timed(|| self.pending.extend(parts))
    }

    /// How many parts wait and how many are in hand, at one moment.
    pub(super) fn open_parts(&self) -> Result<(u64, u64)> {
        self.timed(|| {
            self.region
                .transaction(|tx| Ok((tx.read(&self.pending)?.len() as u64, tx.read(&self.claims)?.len() as u64)))
        })
    }

    pub(super) fn slowest(&self) -> Result<Duration> {
        Ok(Duration::from_nanos(self.slowest_ns.get()?))
    }

    /// Runs an operation and records how long it took if none took longer.
    fn timed<T>(&self, operation: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let result = operation();
        let took_ns = start.elapsed().as_nanos() as u64;
        if took_ns > self.slowest_known_ns.get() {
            let slowest_ns = self.slowest_ns.update(|slowest_ns| {
                *slowest_ns = took_ns.max(*slowest_ns);
                *slowest_ns
            })?;
            self.slowest_known_ns.set(slowest_ns);
        }
        result
    }
}
