//! The background thread's pauses, and those who sleep meanwhile without a timer.
//!
//! A wake is lost only if whoever owes it dies first; then its sleeper has to look again by itself. A timer for that costs as
//! much as the rest of a short sleep does besides the switch to another task. So long as nobody dies it is of no use, and the
//! background thread of the process can see to all of its sleepers: it looks around every [`PERIOD`] while any of its threads
//! has slept lately.
//!
//! Nothing of this is in shared memory. Without a background thread each sleep has its timer.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::{self, atomic};

/// How often the background thread looks after those who sleep: who sleeps although its word has changed is woken at the next
/// look, and anybody at the second.
pub(super) const PERIOD: Duration = Duration::from_millis(10);
/// After so many looks in a row at which nobody slept, nor had slept since the last, there are no more.
const CALM: u32 = 100;

/// Where a thread says what it sleeps on.
#[derive(Default)]
pub(super) struct Bed {
    /// Null while it is up.
    word: AtomicPtr<atomic::AtomicU32>,
    /// What the word was when it lay down.
    seen: AtomicU32,
    /// How often it has lain down.
    sleeps: AtomicU32,
    /// How often at the last look. Stored to under the watch's mutex.
    looked: AtomicU32,
    /// Somebody looks at `word` now (B1).
    looked_at: AtomicBool,
}

impl Bed {
    /// Sleeps until the word changes or somebody wakes it up, for some periods at most.
    ///
    /// Invariant B1: the word is there as long as it stands in `word`, and until nobody looks at it any more.
    pub(super) fn sleep(&self, watch: &Watch, word: &atomic::AtomicU32, seen: u32) {
        self.seen.store(seen, Ordering::Relaxed);
        self.sleeps.store(self.sleeps.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.word.store(ptr::from_ref(word).cast_mut(), Ordering::SeqCst);
        let timer = if watch.watches() { None } else { Some(PERIOD) };
        sys::futex_wait(word, seen, sys::EVERY_CLASS, timer);
        self.word.store(ptr::null_mut(), Ordering::SeqCst);
        while self.looked_at.load(Ordering::SeqCst) {
            thread::yield_now();
        }
    }

    /// Has the thread slept since the last look, or does it now? Wakes it if it has reason to wake up.
    fn look(&self) -> bool {
        self.looked_at.store(true, Ordering::SeqCst);
        let word = self.word.load(Ordering::SeqCst);
        let sleeps = self.sleeps.load(Ordering::Relaxed);
        let slept_through = self.looked.swap(sleeps, Ordering::Relaxed) == sleeps;
        // SAFETY: B1: whoever takes the word away later than this load has seen that we look at it.
        if let Some(word) = unsafe { word.as_ref() }
            && (slept_through || word.load(Ordering::SeqCst) != self.seen.load(Ordering::Relaxed))
        {
            sys::futex_wake(word, i32::MAX, sys::EVERY_CLASS);
        }
        self.looked_at.store(false, Ordering::SeqCst);
        !word.is_null() || !slept_through
    }
}

/// What the background thread of an attachment has to do between its rounds.
pub(super) struct Watch {
    orders: Mutex<Orders>,
    changed: Condvar,
    /// The thread looks around every period.
    on: AtomicBool,
    /// The number of the background thread while it runs; else 0.
    pub(super) thread: AtomicU32,
}

/// What the others tell the thread.
pub(super) struct Orders {
    stop: bool,
    beds: Vec<Arc<Bed>>,
    /// Looks in a row that have found nobody.
    calm: u32,
    /// Those of another epoch are of the process that forked.
    fork_epoch: u64,
}

impl Watch {
    pub(super) fn new() -> Watch {
        let orders = Orders { stop: false, beds: Vec::new(), calm: 0, fork_epoch: sys::fork_epoch() };
        Watch {
            orders: Mutex::new(orders),
            changed: Condvar::new(),
            on: AtomicBool::new(false),
            thread: AtomicU32::new(0),
        }
    }

    pub(super) fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the thread's pause, and the thread.
    pub(super) fn stop(&self) {
        self.orders().stop = true;
        self.changed.notify_all();
    }

    /// A place for a thread that may sleep.
    pub(super) fn bed(&self) -> Arc<Bed> {
        let bed = Arc::new(Bed::default());
        let mut orders = self.orders();
        if orders.fork_epoch != sys::fork_epoch() {
            (orders.fork_epoch, orders.beds) = (sys::fork_epoch(), Vec::new());
        }
        orders.beds.retain(|bed| Arc::strong_count(bed) > 1);
        orders.beds.push(bed.clone());
        bed
    }

    /// Does the thread look after the caller, who has lain down?
    fn watches(&self) -> bool {
        if self.thread.load(Ordering::Relaxed) == 0 {
            return false;
        }
        // Either this load comes before the thread's store, and its last look after that sees the caller, or not.
        if !self.on.load(Ordering::SeqCst) {
            self.begin();
        }
        true
    }

    #[cold]
    fn begin(&self) {
        let _orders = self.orders();
        self.on.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// The thread's pause: for `length`, or until it is told to stop. `false`: it was.
    pub(super) fn pause(&self, length: Duration) -> bool {
        let begun = Instant::now();
        let mut orders = self.orders();
        loop {
            let left = length.saturating_sub(begun.elapsed());
            if orders.stop || left.is_zero() {
                return !orders.stop;
            }
            let on = self.on.load(Ordering::SeqCst);
            let pause = if on { left.min(PERIOD) } else { left };
            let told = |orders: &mut Orders| !orders.stop && self.on.load(Ordering::SeqCst) == on;
            let waited = self.changed.wait_timeout_while(orders, pause, told);
            orders = waited.unwrap_or_else(PoisonError::into_inner).0;
            if on && !orders.stop {
                orders.calm = if look_at_all(&orders.beds) { 0 } else { orders.calm + 1 };
            }
            if orders.calm >= CALM {
                orders.calm = 0;
                self.on.store(false, Ordering::SeqCst);
                // Who lay down just before this has seen us watching.
                if look_at_all(&orders.beds) {
                    self.on.store(true, Ordering::SeqCst);
                }
            }
        }
    }
}

/// Looks at each bed. Has anybody slept?
fn look_at_all(beds: &[Arc<Bed>]) -> bool {
    beds.iter().fold(false, |any, bed| bed.look() | any)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sys::atomic::AtomicU32 as Word;

    /// A watch whose thread makes one pause after the other.
    struct Watched(Arc<Watch>, Option<thread::JoinHandle<()>>);

    impl Watched {
        fn new() -> Watched {
            let watch = Arc::new(Watch::new());
            watch.thread.store(1, Ordering::Relaxed);
            let theirs = watch.clone();
            let pauses = thread::spawn(move || while theirs.pause(Duration::from_millis(25)) {});
            Watched(watch, Some(pauses))
        }
    }

    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.stop();
            self.1.take().unwrap().join().unwrap();
        }
    }

    /// Sleeps on a word that nobody wakes it from; was it up again without help?
    fn gets_up(watch: &Watch, change: bool) -> bool {
        let (word, bed) = (Word::new(7), watch.bed());
        let helped = thread::scope(|scope| {
            let sleeper = scope.spawn(|| bed.sleep(watch, &word, 7));
            while bed.sleeps.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            word.store(if change { 8 } else { 7 }, Ordering::SeqCst);
            let begun = Instant::now();
            while !sleeper.is_finished() && begun.elapsed() < Duration::from_secs(5) {
                thread::yield_now();
            }
            let helped = !sleeper.is_finished();
            while !sleeper.is_finished() {
                sys::futex_wake(&word, 1, sys::EVERY_CLASS);
            }
            helped
        });
        !helped
    }

    #[test]
    fn a_sleeper_gets_up_whose_word_changed_without_a_wake() {
        let watched = Watched::new();
        assert!((0..20).all(|_| gets_up(&watched.0, true)));
        assert!(watched.0.on.load(Ordering::SeqCst), "it had a timer");
    }

    #[test]
    fn a_sleeper_gets_up_although_nothing_changed() {
        let watched = Watched::new();
        assert!((0..5).all(|_| gets_up(&watched.0, false)));
    }

    #[test]
    fn without_a_thread_there_is_a_timer() {
        let watch = Watch::new();
        assert!(gets_up(&watch, true) && gets_up(&watch, false));
        assert!(!watch.on.load(Ordering::SeqCst), "nobody is there to look");
    }

    #[test]
    fn who_sleeps_is_seen_and_who_does_not_is_not() {
        let (watch, word) = (Watch::new(), Word::new(7));
        let bed = watch.bed();
        assert!(!bed.look(), "it has never slept");
        bed.sleep(&watch, &word, 6);
        assert!(bed.look(), "it has slept since");
        assert!(!bed.look());
        drop(bed);
        watch.bed();
        assert_eq!(watch.orders().beds.len(), 1, "a bed is taken away after its thread");
    }

    #[test]
    fn a_watch_that_has_ended_begins_again() {
        let watched = Watched::new();
        assert!(gets_up(&watched.0, true));
        let begun = Instant::now();
        while watched.0.on.load(Ordering::SeqCst) && begun.elapsed() < Duration::from_secs(60) {
            thread::yield_now();
        }
        assert!(!watched.0.on.load(Ordering::SeqCst), "nobody sleeps, and it goes on looking");
        assert!(gets_up(&watched.0, true));
    }
}
