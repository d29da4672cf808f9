//! `SharedCounter`: a number that many threads of many processes add to without meeting each other.

use crate::containers::Container;
use crate::engine::{Object, ReadLock, Region, WriteLock};
use crate::journal::Context;
use crate::raw::{ContainerKind, Counter, Descriptor, Shape};
use crate::region::layout::RawHeader;
use crate::{Error, Result};

/// A number that only grows until it is reset. Each thread adds to a cell of its own by plain stores, without a lock;
/// [`get`](Self::get) sums the cells. What a process has counted stays when it ends, however it ends.
///
/// ```
/// # fn main() -> commy::Result<()> {
/// # let path = std::env::temp_dir().join(format!("commy-doc-counter-{}", std::process::id()));
/// let region = commy::Region::create(&path)?;
/// let requests: commy::SharedCounter = region.object("requests")?;
/// requests.increment()?;
/// requests.add(2)?;
/// assert_eq!(requests.get()?, 3);
/// # drop((requests, region));
/// # commy::Region::remove(&path)
/// # }
/// ```
#[derive(Clone)]
pub struct SharedCounter {
    object: Object,
}

impl std::fmt::Debug for SharedCounter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedCounter")
    }
}

/// A counter that nobody resets or removes meanwhile. Counting goes on.
pub struct CounterReadGuard<'a> {
    lock: ReadLock<'a>,
}

/// A counter to be reset together with other changes. Who counts meanwhile waits.
pub struct CounterWriteGuard<'a> {
    lock: WriteLock<'a>,
}

impl Container for SharedCounter {
    type ReadGuard<'a> = CounterReadGuard<'a>;
    type WriteGuard<'a> = CounterWriteGuard<'a>;

    fn descriptor() -> Descriptor {
        let shape = Shape { kind: ContainerKind::Counter, text_key: false, key_size: 0, slot_size: 8 };
        Descriptor { shape, owned: Vec::new(), order: Vec::new(), text: "SharedCounter".into() }
    }

    fn from_object(object: Object) -> Self {
        SharedCounter { object }
    }

    fn object(&self) -> &Object {
        &self.object
    }

    fn init(context: &mut Context, raw: &RawHeader) -> Result<()> {
        Counter::new(context.actor.space, raw).found(context)
    }

    fn validate(object: &Object) -> Result<()> {
        object.validate_once(|space, raw| Counter::new(space, raw).check_segments())
    }

    fn read_guard<'a>(lock: ReadLock<'a>) -> CounterReadGuard<'a> {
        CounterReadGuard { lock }
    }

    fn write_guard<'a>(lock: WriteLock<'a>) -> CounterWriteGuard<'a> {
        CounterWriteGuard { lock }
    }
}

impl SharedCounter {
    /// Makes a counter without a name. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    pub fn new_in(region: &Region) -> Result<Self> {
        region.anonymous()
    }

    /// Adds `count`. The sum is a number of 64 bits and begins at 0 again behind the last of them.
    ///
    /// # Errors
    /// `Removed`, `ReadOnly`; `OutOfSpace` when this thread counts here for the first time; `Timeout` or `Deadlock` while
    /// a write guard of the counter lives.
    ///
    /// # Crash
    /// It is counted or it is not.
    #[inline]
    pub fn add(&self, count: u64) -> Result<()> {
        let lane = self.object.attachment().lane()?.actor.id;
        let space = self.object.space();
        match self.object.glance(|_, raw| Counter::new(space, raw).mine(lane)) {
            Some(mine) => {
                mine.add(count);
                Ok(())
            }
            None => self.add_slowly(lane, count),
        }
    }

    #[cold]
    fn add_slowly(&self, lane: u32, count: u64) -> Result<()> {
        let space = self.object.space();
        self.object.change(|context, raw| Counter::new(space, raw).make_segment(context, lane))?;
        let missing = || Error::corrupt(self.object.offset(), "a counter has no segment");
        let mine = self.object.peek(|_, raw| Some(Counter::new(space, raw).mine(lane).ok_or_else(missing)))?;
        mine.add(count);
        Ok(())
    }

    /// Adds 1.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    ///
    /// # Crash
    /// As [`add`](Self::add).
    #[inline]
    pub fn increment(&self) -> Result<()> {
        self.add(1)
    }

    /// What has been counted by everybody. Takes no lock. Who counts meanwhile is in it or not.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn get(&self) -> Result<u64> {
        let space = self.object.space();
        self.object.peek(|attempt, raw| {
            let sum = Counter::new(space, raw).sum();
            attempt.holds().then_some(sum)
        })
    }

    /// Begins at 0 again; returns what was counted until then. Nothing that is counted meanwhile is lost: it is in the
    /// answer or in what comes.
    ///
    /// # Errors
    /// `OutOfSpace`, `Timeout`, `Removed`, `ReadOnly`, `Deadlock`.
    ///
    /// # Crash
    /// It is reset or not.
    pub fn reset(&self) -> Result<u64> {
        let space = self.object.space();
        self.object.change(|context, raw| Counter::new(space, raw).reset(context))
    }

    /// Keeps the counter from being reset or removed while the guard lives.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`, `ReadOnly`.
    pub fn read(&self) -> Result<CounterReadGuard<'_>> {
        Ok(CounterReadGuard { lock: self.object.read()? })
    }

    /// Locks for a change that is atomic when the guard is dropped.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`, `ReadOnly`.
    pub fn write(&self) -> Result<CounterWriteGuard<'_>> {
        Ok(CounterWriteGuard { lock: self.object.write()? })
    }
}

impl CounterReadGuard<'_> {
    /// What has been counted by everybody.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn get(&self) -> Result<u64> {
        Counter::new(self.lock.space(), self.lock.raw()).sum()
    }
}

impl CounterWriteGuard<'_> {
    /// What has been counted by everybody.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn get(&self) -> Result<u64> {
        Counter::new(self.lock.space(), self.lock.raw()).sum()
    }

    /// Begins at 0 again; returns what was counted until then.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn reset(&mut self) -> Result<u64> {
        let counter = Counter::new(self.lock.space(), self.lock.raw());
        self.lock.with(|context| counter.reset(context))
    }

    /// Undoes everything that was done through this guard.
    pub fn rollback(self) {
        self.lock.doom();
    }
}
