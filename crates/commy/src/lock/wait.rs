//! Waiting for a word: spin, sleep, look at the owner's life, reserve. Policy of the slow path; nothing here is on an
//! uncontended one.

use crate::sys::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::deadlock;
use super::pauses::Pauses;
use super::word::{ONE_READER, OWNER, READERS, RESERVED, WAITERS, holder, lock_class};
use crate::process::{Actor, LaneState, is_dead};
use crate::region::Space;
use crate::region::layout::*;
use crate::sys::Instant;
use crate::{Error, sys};

/// Why the word could not be had.
#[derive(Debug)]
pub(crate) enum Blocked {
    /// The lane that stands in the way belongs to a dead process, which this owner word names; settle it and come back.
    OwnerDead { lane: u32, owner: u64 },
    /// Time-out, deadlock, damage.
    Failed(Error),
}

/// A waiter older than this reserves the word.
const AGED: Duration = Duration::from_micros(500);
/// A reservation that nobody used for this long may be cleared by anybody.
const RESERVATION_LIFE: Duration = Duration::from_millis(1);
/// The pause before the first look at the owner's life, and between later ones while a wait is young, is not, is old. (It
/// looks only at who has done nothing since this waiter lay down. A quick second look finds little more: who was just killed
/// needs a processor to die on, and who sleeps again and again finds its own taken by that for a slice.)
const PROBE_FIRST: Duration = Duration::from_micros(10);
/// Nobody looks so soon after somebody else.
const PROBE_APART: Duration = Duration::from_micros(40);
const PROBE_YOUNG: Duration = Duration::from_micros(150);
const PROBE_LATER: Duration = Duration::from_micros(300);
const PROBE_OLD: Duration = Duration::from_millis(1);
/// Between two looks at a word that is free and claimed by others, as long as a wait is young. Nobody's life is in question
/// there, and a sleep that is over before the kernel has found another task leaves the processor to nobody, least of all to
/// those who claim.
const CLAIMED: Duration = AGED.checked_div(3).expect("not 0");
const DEADLOCK_AFTER: Duration = Duration::from_millis(50);
/// Processor hints before the first sleep (a model checker would go through each of them).
const HINTS: u32 = if cfg!(loom) { 0 } else { 100 };

/// One wait, from the first failed try to success or failure, across recoveries.
pub(crate) struct Waiting {
    started: Option<Instant>,
    probed: Option<Instant>,
    /// Whom we waited for when we lay down or last looked, and how many changes its lane had begun by then.
    seen: Option<(u32, u64)>,
    /// For a read: counts as old from the beginning, and in the word.
    reader: bool,
    counted: bool,
    /// For a write: has reserved the word.
    reserved: bool,
    /// Since when we have found the word free and claimed by others, and how many claims had ended then.
    unused: Option<(Instant, u64)>,
    walked: Option<Instant>,
    slept: bool,
}

impl Waiting {
    pub(crate) const fn new() -> Waiting {
        Waiting {
            started: None,
            probed: None,
            seen: None,
            reader: false,
            counted: false,
            reserved: false,
            unused: None,
            walked: None,
            slept: false,
        }
    }

    /// For a read, which reserves the word before it first sleeps: between writers that hardly sleep it would not even get
    /// a processor (a kernel that lets a running task finish its slice runs it after 4 ms). Writers do not: the word
    /// would go from sleeper to sleeper.
    pub(crate) const fn reader() -> Waiting {
        Waiting { reader: true, ..Waiting::new() }
    }

    /// A writer that has waited for long already.
    #[cfg(all(test, loom))]
    pub(crate) fn aged() -> Waiting {
        Waiting { started: Some(Instant::long_ago()), ..Waiting::new() }
    }

    /// Has it waited long enough to reserve the word?
    fn is_aged(&mut self) -> bool {
        self.reader || self.elapsed() >= AGED
    }

    pub(super) fn elapsed(&mut self) -> Duration {
        self.started.get_or_insert_with(Instant::now).elapsed()
    }

    /// Is it time to look whether `lane`, which we wait for, has a living owner? Not if it got on with its work since we
    /// lay down or last looked, nor if somebody else has just looked: a crowd of waiters must not take the processor
    /// from the one whom it waits for.
    pub(super) fn time_to_probe(&mut self, actor: &Actor, lane: u32) -> bool {
        let Some(pause) = self.is_due() else { return false };
        // A lane that is not there is damage, which the probe names.
        let Some(words) = actor.space.lane(lane) else { return true };
        let seen = progress(words, lane);
        if self.seen.replace(seen).is_some_and(|last| last != seen) {
            return false;
        }
        let apart = pause.max(PROBE_APART);
        nobody_has_just_probed(actor.space, pack::owner_slot(words.owner.load(Ordering::Relaxed)), apart)
    }

    /// Is it time to look whether somebody lives, by this waiter's clock? The pause since the last look.
    pub(super) fn is_due(&mut self) -> Option<Duration> {
        let pause = self.pause();
        let due = match self.probed {
            Some(last) => last.elapsed() >= pause,
            None => self.elapsed() >= pause,
        };
        due.then(|| {
            self.probed = Some(Instant::now());
            pause
        })
    }

    /// The time between two looks at the owner's life.
    pub(super) fn pause(&mut self) -> Duration {
        let waited = self.elapsed();
        match self.probed {
            None => PROBE_FIRST,
            Some(_) if waited < Duration::from_millis(2) => PROBE_YOUNG,
            Some(_) if waited < Duration::from_millis(100) => PROBE_LATER,
            Some(_) => PROBE_OLD,
        }
    }

    /// Ends the wait: the deadlock walk no longer sees it.
    pub(crate) fn stop(&mut self, actor: &Actor) {
        if self.slept {
            actor.lane.waiting_for.store(0, Ordering::Release);
        }
    }

    /// Sleeps until the word changes, a wake of `class` comes, or it is time to look around.
    pub(super) fn sleep(
        &mut self,
        actor: &Actor,
        word: &AtomicU32,
        seen: u32,
        class: u32,
        blocker: Option<u32>,
    ) -> Result<(), Blocked> {
        let waited = self.elapsed();
        if waited >= actor.me.timeout {
            self.stop(actor);
            let holder = Box::new(holder(actor.space, blocker.unwrap_or(0)));
            return Err(Blocked::Failed(Error::Timeout { holder, waited }));
        }
        if !self.slept {
            self.slept = true;
            actor.lane.wait_sequence.store(actor.lane.wait_sequence.peek().wrapping_add(1), Ordering::Release);
            actor.lane.waiting_for.store(actor.space.offset_of(word), Ordering::SeqCst);
            let lane = blocker.and_then(|lock_id| lock_id.checked_sub(1));
            self.seen = lane.and_then(|lane| Some(progress(actor.space.lane(lane)?, lane)));
        }
        if waited > DEADLOCK_AFTER && self.walked.is_none_or(|last| last.elapsed() > DEADLOCK_AFTER) {
            self.walked = Some(Instant::now());
            if deadlock::waits_for_itself(actor) {
                self.stop(actor);
                return Err(Blocked::Failed(Error::Deadlock));
            }
        }
        let pause = match blocker {
            Some(0) => CLAIMED,
            _ => self.pause(),
        };
        sys::futex_wait(word, seen, class, Some(pause.min(actor.me.timeout - waited)));
        Ok(())
    }
}

/// A lane, and how many contexts and single changes it has begun.
fn progress(words: &Lane, lane: u32) -> (u32, u64) {
    let begun = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    (lane, begun(&words.stamp_counter).wrapping_add(begun(&words.single_counter)))
}

/// Has nobody looked for `pause` whether the process of this slot lives? Says that somebody does now.
pub(super) fn nobody_has_just_probed(space: &Space, slot: u32, pause: Duration) -> bool {
    if slot >= space.geometry.slot_count {
        return true;
    }
    // Of this run of the machine or not, a time that is not just past counts for nothing.
    let (probed, now) = (&space.slot(slot).probed_ns, sys::monotonic_ns());
    let just = now.checked_sub(probed.load(Ordering::Relaxed)).is_some_and(|ago| u128::from(ago) < pause.as_nanos());
    if !just {
        probed.store(now, Ordering::Relaxed);
    }
    !just
}

/// Takes the word, sleeping as long as it must. `claims_ended` goes with the word if readers claim it. The caller has
/// recorded its intent.
#[cold]
pub(crate) fn wait_for_word(
    actor: &Actor,
    word: &AtomicU32,
    claims_ended: Option<&AtomicU64>,
    waiting: &mut Waiting,
) -> Result<(), Blocked> {
    let mut pauses = Pauses::new(HINTS);
    loop {
        // Who sees a claim sees the count of those that had ended before it was made.
        let seen = word.load(Ordering::Acquire);
        let owner = seen & OWNER;
        if owner == 0 && waiting.may_take(seen, claims_ended.map_or(0, AtomicU64::peek)) {
            let waiters = if waiting.slept { WAITERS } else { 0 };
            let taken = waiting.without_claims(seen) | waiters | actor.lock_id();
            if word.compare_exchange(seen, taken, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
                // Killed here: the word is ours by our intent, and a count too low may cost a later claim its turn.
                if let Some(ended) = claims_ended.filter(|_| taken & READERS != seen & READERS) {
                    ended.put(ended.peek().wrapping_add(1));
                }
                (waiting.counted, waiting.reserved) = (false, false);
                waiting.stop(actor);
                return Ok(());
            }
            continue;
        }
        if owner != 0 {
            waiting.unused = None;
        }
        if owner == actor.lock_id() {
            return Err(Blocked::Failed(Error::Deadlock));
        }
        if pauses.pause() {
            continue;
        }
        let aged = waiting.is_aged();
        let wanted = waiting.with_claims(seen, owner != 0 && aged);
        let class = if aged { lock_class::AGED } else { lock_class::LOCK };
        if wanted != seen && word.compare_exchange(seen, wanted, Ordering::SeqCst, Ordering::Relaxed).is_err() {
            continue;
        }
        waiting.counted |= waiting.reader;
        waiting.reserved |= !waiting.reader && owner != 0 && aged;
        waiting.sleep(actor, word, wanted, class, Some(owner))?;
        if owner != 0 && waiting.time_to_probe(actor, owner - 1) {
            probe_owner(actor, word, owner)?;
        }
    }
}

impl Waiting {
    /// May we take a free word, in spite of a reservation?
    fn may_take(&mut self, seen: u32, claims_ended: u64) -> bool {
        if seen & READERS == 0 {
            // Somebody has cleared it, for want of the readers.
            self.counted = false;
        }
        if seen & (RESERVED | READERS) == 0 {
            self.unused = None;
            return true;
        }
        // Between two looks others may have had processors, and these claims may not be those of before.
        let since = self.unused.filter(|(_, then)| *then == claims_ended).map_or_else(Instant::now, |(since, _)| since);
        self.unused = Some((since, claims_ended));
        self.is_aged() || since.elapsed() >= RESERVATION_LIFE
    }

    /// A free word less what was set for us, or for those who do not come: whoever gets on by waiting alone has seen it
    /// free and claimed, and no claim end, for nearly all of that time.
    fn without_claims(&self, seen: u32) -> u32 {
        let word = seen & !RESERVED;
        let unused = self.unused.map_or(Duration::ZERO, |(since, _)| since.elapsed());
        match word & READERS {
            0 => word,
            _ if self.counted => word - ONE_READER,
            _ if unused >= AGED * 3 / 4 => word & !READERS,
            _ => word,
        }
    }

    /// The word with what says that we sleep. A reader's claim stands until it is served: while it waits for a processor
    /// the word may change hands between those who have waited long, but nobody goes on without a pause.
    fn with_claims(&self, seen: u32, reserve: bool) -> u32 {
        let word = seen | WAITERS;
        match (self.reader, self.counted || seen & READERS == READERS) {
            (true, false) => word + ONE_READER,
            (true, true) => word,
            (false, _) if reserve => word | RESERVED,
            (false, _) => word,
        }
    }

    /// Takes a claim back after a failure. (Another writer that has reserved the word, too, does so again at its next look.)
    pub(crate) fn withdraw(&mut self, word: &AtomicU32) {
        if std::mem::take(&mut self.reserved) {
            word.fetch_and(!RESERVED, Ordering::SeqCst);
        }
        if std::mem::take(&mut self.counted) {
            let less = |word: u32| (word & READERS != 0).then(|| word - ONE_READER);
            let _ = word.fetch_update(Ordering::SeqCst, Ordering::Relaxed, less);
        }
    }
}

/// Is the lane that holds the word worth waiting for?
pub(super) fn probe_owner(actor: &Actor, word: &AtomicU32, lock_id: u32) -> Result<(), Blocked> {
    let place = actor.space.offset_of(word);
    let still = || word.load(Ordering::SeqCst) & OWNER == lock_id;
    let Some(lane) = actor.space.lane(lock_id - 1) else {
        return if still() { Err(Blocked::Failed(Error::corrupt(place, "a lock names no lane"))) } else { Ok(()) };
    };
    let owner = lane.owner.load(Ordering::SeqCst);
    match LaneState::of(owner) {
        LaneState::Free => {
            // Seen twice: a released lane cannot come to hold a word again without being owned first.
            let unchanged = still() && lane.owner.load(Ordering::SeqCst) == owner && still();
            if unchanged { Err(Blocked::Failed(Error::corrupt(place, "a lock names a free lane"))) } else { Ok(()) }
        }
        LaneState::Damaged => {
            if still() {
                Err(Blocked::Failed(Error::corrupt(place, "the holder's log is damaged")))
            } else {
                Ok(())
            }
        }
        _ => {
            let (slot, incarnation) = (pack::owner_slot(owner), pack::owner_incarnation(owner));
            match is_dead(actor.space, Some(actor.me), slot, incarnation).map_err(Blocked::Failed)? {
                true => Err(Blocked::OwnerDead { lane: lock_id - 1, owner }),
                false => Ok(()),
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// What a writer leaves of a reader's claim that it has seen long ago, when this many had ended, and sees now.
    fn claim_left(ended_then: u64, ended_now: u64) -> u32 {
        const SEEN: u32 = ONE_READER | WAITERS;
        let mut waiting = Waiting::new();
        assert!(!waiting.may_take(SEEN, ended_then), "nobody new takes a claimed word");
        let begun = Instant::now();
        while begun.elapsed() < 2 * AGED {
            std::hint::spin_loop();
        }
        assert!(waiting.may_take(SEEN, ended_now), "who has waited long may");
        waiting.without_claims(SEEN) & READERS
    }

    #[test]
    fn a_claim_ends_that_nobody_uses() {
        assert_eq!(claim_left(7, 7), 0);
    }

    #[test]
    fn a_claim_stays_that_was_made_a_moment_ago() {
        assert_eq!(claim_left(7, 8), ONE_READER);
    }
}
