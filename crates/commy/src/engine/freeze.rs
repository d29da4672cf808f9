//! Making the heap stand still, for `check()` and snapshots: contexts that have just taken their first lock wait,
//! contexts under way finish.

use crate::sys::atomic::Ordering;
use std::time::{Duration, Instant};

use super::attachment::Attachment;
use crate::crash::crash_point;
use crate::journal::is_idle;
use crate::lock::holder;
use crate::process::{LaneState, is_dead};
use crate::region::layout::*;
use crate::{Error, Result};

/// How long a freezer waits for contexts under way.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_micros(100);

/// The heap stands still while this lives.
pub(super) struct Frozen<'a> {
    attachment: &'a Attachment,
    mark: u64,
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let freeze = &self.attachment.space().words().freeze;
        let _ = freeze.compare_exchange(self.mark, 0, Ordering::SeqCst, Ordering::Relaxed);
    }
}

impl Attachment {
    /// Waits until nobody else freezes, then until every lane is at rest.
    ///
    /// # Errors
    /// `Timeout` naming who is still at work after a second; `Deadlock` if the calling thread is itself.
    ///
    /// # Crash
    /// A dead freezer is cleared by whoever waits for it.
    pub(super) fn freeze(&self) -> Result<Frozen<'_>> {
        let me = self.identity()?;
        if !self.lane()?.is_at_rest() {
            return Err(Error::Deadlock);
        }
        let mark = pack::owner(me.slot, me.incarnation, 1);
        let words = self.space().words();
        let start = Instant::now();
        while words.freeze.compare_exchange(0, mark, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            self.clear_dead_freezer()?;
            self.wait_or_give_up(start, 0)?;
        }
        crash_point!("freeze: set");
        let frozen = Frozen { attachment: self, mark };
        for id in 0..words.lanes_high.load(Ordering::SeqCst) as u32 {
            let Some(lane) = self.space().lane(id) else { continue };
            // A damaged lane never rests: nobody works there any more, and the check says what is wrong with it.
            let is_damaged = || LaneState::of(lane.owner.load(Ordering::Acquire)) == LaneState::Damaged;
            while !is_idle(lane) && !is_damaged() {
                // Somebody may have died since the last round. (Their objects come later: removing one takes a lock.)
                self.settle_dead()?;
                self.wait_or_give_up(start, id + 1)?;
            }
        }
        Ok(frozen)
    }

    fn wait_or_give_up(&self, start: Instant, lock_id: u32) -> Result<()> {
        if start.elapsed() > PATIENCE {
            let holder = Box::new(holder(self.space(), lock_id));
            return Err(Error::Timeout { holder, waited: start.elapsed() });
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }

    /// Waits while somebody freezes the heap.
    #[cold]
    pub(super) fn wait_for_thaw(&self) -> Result<()> {
        let start = Instant::now();
        while self.space().words().freeze.load(Ordering::SeqCst) != 0 {
            self.clear_dead_freezer()?;
            if start.elapsed() > self.timeout() {
                let holder = Box::new(holder(self.space(), 0));
                return Err(Error::Timeout { holder, waited: start.elapsed() });
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn clear_dead_freezer(&self) -> Result<()> {
        let freeze = &self.space().words().freeze;
        let mark = freeze.load(Ordering::SeqCst);
        if mark == 0 {
            return Ok(());
        }
        let me = self.identity()?;
        if is_dead(self.space(), Some(me), pack::owner_slot(mark), pack::owner_incarnation(mark))? {
            let _ = freeze.compare_exchange(mark, 0, Ordering::SeqCst, Ordering::Relaxed);
        }
        Ok(())
    }
}
