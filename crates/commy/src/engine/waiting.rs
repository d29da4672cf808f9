//! Waiting for what others do to an object: look, announce, look again, sleep.

use std::time::{Duration, Instant};

use super::object::Object;
use crate::journal;
use crate::lock::{self, Pauses};
use crate::{Error, Result};

/// Processor hints before the first sleep: who waits in turns with another process meets it awake.
const HINTS: u32 = 300;
/// A sleeper looks again after this time whatever happens. A wake is lost only if whoever owes it dies between its commit
/// and the wake; recovery of the dead wakes, too, but may come later.
const RECHECK: Duration = Duration::from_millis(10);
/// While somebody is inside: how often his life is looked at, at first and after 100 ms.
const OWNED_EARLY: Duration = Duration::from_micros(150);
const OWNED_LATE: Duration = Duration::from_millis(1);
/// Readers that cannot announce themselves look this often.
const OVERHEAR: Duration = Duration::from_millis(1);

impl Object {
    /// Calls `ready` until it has an answer; sleeps in between until the object changes. `None`: there was none in time.
    ///
    /// `ready` takes no lock unless it expects to succeed, so that a long guard of somebody else does not keep it beyond
    /// the time.
    pub(crate) fn wait_until<R>(
        &self,
        timeout: Duration,
        mut ready: impl FnMut() -> Result<Option<R>>,
    ) -> Result<Option<R>> {
        if let Some(answer) = ready()? {
            return Ok(Some(answer));
        }
        let start = Instant::now();
        let mut pauses = Pauses::new(if timeout.is_zero() { 0 } else { HINTS });
        while pauses.pause() {
            if let Some(answer) = ready()? {
                return Ok(Some(answer));
            }
        }
        self.refuse_own()?;
        loop {
            self.check_generation()?;
            let left = timeout.saturating_sub(start.elapsed());
            let answer = self.look_and_sleep(start, left, &mut ready)?;
            if answer.is_some() || left.is_zero() {
                return Ok(answer);
            }
        }
    }

    /// A thread that keeps all others from changing the object would wait in vain.
    fn refuse_own(&self) -> Result<()> {
        if !self.space().writable {
            return Ok(());
        }
        let actor = self.attachment().lane()?.actor;
        let in_the_way = actor.holds(&self.header().word) || lock::own_reads(actor, self.header()) > 0;
        if in_the_way { Err(Error::Deadlock) } else { Ok(()) }
    }

    fn look_and_sleep<R>(
        &self,
        start: Instant,
        left: Duration,
        ready: &mut impl FnMut() -> Result<Option<R>>,
    ) -> Result<Option<R>> {
        let header = self.header();
        let owned = if start.elapsed() < Duration::from_millis(100) { OWNED_EARLY } else { OWNED_LATE };
        let writable = self.space().writable;
        let free = if writable { RECHECK } else { OVERHEAR };
        let pause = lock::Pause { owned: owned.min(left), free: free.min(left) };
        let help = || journal::help(self.attachment().lane()?.actor, header);
        lock::look_and_sleep(header, writable, &pause, help, ready)
    }

    /// The object's version: even, and higher after each change.
    pub(crate) fn version(&self) -> Result<u64> {
        self.peek(|attempt, _| Some(Ok(attempt.version())))
    }

    /// Waits until the version is another one than `seen`; `None`: it was not in time.
    pub(crate) fn wait_changed(&self, seen: u64, timeout: Duration) -> Result<Option<u64>> {
        self.wait_until(timeout, || match self.peek_at_once(|attempt, _| Some(Ok(attempt.version()))) {
            Some(version) => version.map(|version| (version != seen).then_some(version)),
            None => Ok(None),
        })
    }
}
