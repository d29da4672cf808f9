//! `SharedGauge`: a sum of what the living contribute.

use crate::Result;
use crate::containers::Container;
use crate::engine::{Object, ReadLock, Region, WriteLock};
use crate::raw::{
    ContainerKind, Contribution, Descriptor, GAUGE_SLOT, Shape, change_share, contribution, own_share, total,
};
use crate::region::layout::RawHeader;

/// A number to which each process contributes: open connections, jobs under way. What a process has contributed is gone
/// when it is, be it killed.
///
/// ```
/// # fn main() -> commy::Result<()> {
/// # let path = std::env::temp_dir().join(format!("commy-doc-gauge-{}", std::process::id()));
/// let region = commy::Region::create(&path)?;
/// let connections: commy::SharedGauge = region.object("connections")?;
/// connections.add(3)?;
/// connections.add(-1)?;
/// assert_eq!(connections.get()?, 2);
/// # drop((connections, region));
/// # commy::Region::remove(&path)
/// # }
/// ```
#[derive(Clone)]
pub struct SharedGauge {
    object: Object,
}

impl std::fmt::Debug for SharedGauge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedGauge")
    }
}

/// A gauge that nobody changes meanwhile.
pub struct GaugeReadGuard<'a> {
    lock: ReadLock<'a>,
}

/// A gauge to be changed together with other objects.
pub struct GaugeWriteGuard<'a> {
    lock: WriteLock<'a>,
}

impl Container for SharedGauge {
    type ReadGuard<'a> = GaugeReadGuard<'a>;
    type WriteGuard<'a> = GaugeWriteGuard<'a>;

    fn descriptor() -> Descriptor {
        let shape = Shape { kind: ContainerKind::Gauge, text_key: false, key_size: 0, slot_size: GAUGE_SLOT };
        Descriptor { shape, owned: Vec::new(), order: Vec::new(), text: "SharedGauge".into() }
    }

    fn from_object(object: Object) -> Self {
        SharedGauge { object }
    }

    fn object(&self) -> &Object {
        &self.object
    }

    fn validate(_object: &Object) -> Result<()> {
        // Any bytes will do: processes that there are not contribute nothing.
        Ok(())
    }

    fn read_guard<'a>(lock: ReadLock<'a>) -> GaugeReadGuard<'a> {
        GaugeReadGuard { lock }
    }

    fn write_guard<'a>(lock: WriteLock<'a>) -> GaugeWriteGuard<'a> {
        GaugeWriteGuard { lock }
    }
}

impl SharedGauge {
    /// Makes a gauge without a name. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    pub fn new_in(region: &Region) -> Result<Self> {
        region.anonymous()
    }

    /// Adds to what this process contributes; returns its whole contribution. Adding a negative number takes off.
    ///
    /// # Errors
    /// `OutOfSpace`, `Timeout`, `Removed`, `ReadOnly`, `Deadlock`.
    ///
    /// # Crash
    /// Nothing is left of what this process has contributed.
    pub fn add(&self, amount: i64) -> Result<i64> {
        self.object.change(|context, raw| change_share(context, raw, |share| share.wrapping_add(amount)))
    }

    /// Sets what this process contributes; returns what it contributed before.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    ///
    /// # Crash
    /// As [`add`](Self::add).
    pub fn set(&self, amount: i64) -> Result<i64> {
        self.object.change(|context, raw| {
            let mut before = 0;
            change_share(context, raw, |share| {
                before = share;
                amount
            })?;
            Ok(before)
        })
    }

    fn contributions(&self) -> Result<Vec<Contribution>> {
        let space = self.object.space();
        self.object.peek(|attempt, raw| {
            let mut all = Vec::new();
            for index in 0..raw.length() {
                let one = contribution(space, raw, index);
                if !attempt.holds() {
                    return None;
                }
                match one {
                    Ok(Some(one)) => all.push(one),
                    Ok(None) => return None,
                    Err(error) => return Some(Err(error)),
                }
            }
            Some(Ok(all))
        })
    }

    /// What all processes that live contribute together. Takes no lock. Asks the system about each of them, which takes
    /// some microseconds.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    pub fn get(&self) -> Result<i64> {
        let space = self.object.space();
        let me = if space.writable { Some(self.object.attachment().identity()?) } else { None };
        total(space, me, &self.contributions()?)
    }

    /// What this process contributes.
    ///
    /// # Errors
    /// As [`get`](Self::get); `ReadOnly`.
    pub fn own(&self) -> Result<i64> {
        Ok(own_share(self.object.attachment().identity()?, &self.contributions()?))
    }

    /// Keeps the gauge from being changed while the guard lives.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`, `ReadOnly`.
    pub fn read(&self) -> Result<GaugeReadGuard<'_>> {
        Ok(GaugeReadGuard { lock: self.object.read()? })
    }

    /// Locks for a change that is atomic when the guard is dropped.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Deadlock`, `ReadOnly`.
    pub fn write(&self) -> Result<GaugeWriteGuard<'_>> {
        Ok(GaugeWriteGuard { lock: self.object.write()? })
    }
}

/// All contributions of a gauge that nobody changes.
fn all(lock_space: &crate::region::Space, raw: &RawHeader) -> Result<Vec<Contribution>> {
    (0..raw.length()).filter_map(|index| contribution(lock_space, raw, index).transpose()).collect()
}

impl GaugeReadGuard<'_> {
    /// What all processes that live contribute together.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn get(&self) -> Result<i64> {
        total(self.lock.space(), None, &all(self.lock.space(), self.lock.raw())?)
    }
}

impl GaugeWriteGuard<'_> {
    /// What all processes that live contribute together, with what this guard has changed.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn get(&self) -> Result<i64> {
        total(self.lock.space(), None, &all(self.lock.space(), self.lock.raw())?)
    }

    /// Adds to what this process contributes; returns its whole contribution.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn add(&mut self, amount: i64) -> Result<i64> {
        let raw = self.lock.raw();
        self.lock.with(|context| change_share(context, raw, |share| share.wrapping_add(amount)))
    }

    /// Undoes everything that was done through this guard.
    pub fn rollback(self) {
        self.lock.doom();
    }
}
