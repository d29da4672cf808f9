//! Sleeping on a word of shared memory, and waking those who do.
//!
//! Shared, not private: the kernel finds sleepers by file and offset, whatever address each process maps it at, and
//! also through a read-only mapping. Sleepers name a *class* (a set of bits) and only wakes with a common bit reach
//! them, so a wake meant for a lock's waiter is not spent on somebody who waits for a change.

use crate::sys::atomic::AtomicU32;
use std::ptr;
use std::time::Duration;

use super::super::common::{EVERY_CLASS, WaitResult};
use super::clock::monotonic_ns;

/// Shorter sleeps than this end when they should, and not when the kernel finds it convenient.
const PUNCTUAL: Duration = Duration::from_micros(200);

/// Sleeps while `word` holds `expected`, until a wake that shares a bit with `class`, or for `timeout` at most.
///
/// `class` must not be 0. The timeout is turned into a point of the monotonic clock once, at the call: by us, except for
/// [`EVERY_CLASS`], for which the kernel does it and nobody needs to read a clock.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, class: u32, timeout: Option<Duration>) -> WaitResult {
    debug_assert!(class != 0, "a wait of no class cannot be woken");
    let (operation, since) = match class {
        EVERY_CLASS => (libc::FUTEX_WAIT, 0),
        _ => (libc::FUTEX_WAIT_BITSET, timeout.map_or(0, |_| monotonic_ns())),
    };
    let end = timeout.map(|timeout| {
        let ns = u128::from(since) + timeout.as_nanos();
        let seconds = libc::time_t::try_from(ns / 1_000_000_000).unwrap_or(libc::time_t::MAX);
        libc::timespec { tv_sec: seconds, tv_nsec: (ns % 1_000_000_000) as libc::c_long }
    });
    let end = end.as_ref().map_or(ptr::null(), ptr::from_ref);
    let _punctual = timeout.filter(|timeout| *timeout < PUNCTUAL).map(|_| Punctual::from_now_on());
    // SAFETY: the word and the time live across the call; the unused fifth argument is null.
    let result =
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, expected, end, ptr::null::<u32>(), class) };
    if result == 0 {
        return WaitResult::Woken;
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::ETIMEDOUT) => WaitResult::TimedOut,
        Some(libc::EINTR) => WaitResult::Woken,
        // EAGAIN; anything else (a page that is gone) is for the caller to find when it looks again.
        _ => WaitResult::Changed,
    }
}

/// While it lives, timers of this thread have no slack. (They have 50 us as a rule, in which the kernel looks for another
/// reason to wake up. See PR_SET_TIMERSLACK(2const); both calls together take less than a microsecond.)
struct Punctual {
    slack: libc::c_int,
}

impl Punctual {
    fn from_now_on() -> Punctual {
        // SAFETY: takes no pointers.
        let slack = unsafe { libc::prctl(libc::PR_GET_TIMERSLACK) };
        set_timer_slack(1);
        Punctual { slack }
    }
}

impl Drop for Punctual {
    fn drop(&mut self) {
        // What does not fit, or could not be asked for, becomes the thread's default.
        set_timer_slack(self.slack.max(0) as libc::c_ulong);
    }
}

fn set_timer_slack(nanoseconds: libc::c_ulong) {
    // SAFETY: takes no pointers. A refusal leaves the timers as late as they were.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, nanoseconds) };
}

/// Wakes up to `count` sleepers on `word` that share a bit with `class`, and returns how many there were.
pub(crate) fn futex_wake(word: &AtomicU32, count: i32, class: u32) -> u32 {
    debug_assert!(class != 0, "a wake of no class reaches nobody");
    // SAFETY: the word lives across the call; the unused arguments are null.
    let woken = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE_BITSET,
            count,
            ptr::null::<libc::timespec>(),
            ptr::null::<u32>(),
            class,
        )
    };
    u32::try_from(woken).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Directory;
    use super::super::{File, Mapping};
    use super::*;
    use std::sync::atomic::Ordering;

    const LOCK: u32 = 1;
    const CHANGE: u32 = 2;

    #[test]
    fn a_wake_reaches_its_class_only() {
        let word = AtomicU32::new(0);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                while word.load(Ordering::Relaxed) == 0 {
                    futex_wait(&word, 0, LOCK, Some(Duration::from_secs(10)));
                }
            });
            // Each round offers the wrong class first: if it woke sleepers, one of these would count one.
            let mut slept = 0;
            while slept < 100 {
                assert_eq!(futex_wake(&word, i32::MAX, CHANGE), 0);
                slept += futex_wake(&word, 1, LOCK);
            }
            word.store(1, Ordering::Relaxed);
            futex_wake(&word, 1, LOCK);
            waiter.join().unwrap();
        });
    }

    #[test]
    fn a_wait_ends_by_change_or_time() {
        let word = AtomicU32::new(5);
        assert_eq!(futex_wait(&word, 4, LOCK, None), WaitResult::Changed);
        let before = monotonic_ns();
        let mut result = WaitResult::Woken;
        while result == WaitResult::Woken {
            result = futex_wait(&word, 5, LOCK, Some(Duration::from_millis(2)));
        }
        assert_eq!(result, WaitResult::TimedOut);
        assert!(monotonic_ns() - before >= 2_000_000);
        assert_eq!(futex_wait(&word, 4, LOCK, Some(Duration::MAX)), WaitResult::Changed);
    }

    #[test]
    fn a_short_wait_leaves_the_timers_of_its_thread_as_they_were() {
        // SAFETY: takes no pointers.
        let slack = || unsafe { libc::prctl(libc::PR_GET_TIMERSLACK) };
        set_timer_slack(12_345);
        assert_eq!(slack(), 12_345);
        {
            let _punctual = Punctual::from_now_on();
            assert_eq!(slack(), 1);
        }
        futex_wait(&AtomicU32::new(5), 5, LOCK, Some(Duration::from_micros(10)));
        assert_eq!(slack(), 12_345);
    }

    #[test]
    fn sleepers_are_found_by_file_not_by_address() {
        let directory = Directory::new();
        let file = File::create_unnamed(&directory.path().join("region"), 0o600).unwrap();
        file.allocate(0, 4096).unwrap();
        let (ours, theirs) = (Mapping::new(&file, 4096, true).unwrap(), Mapping::new(&file, 4096, false).unwrap());
        // SAFETY: aligned, inside of the file, and only ever accessed as an atomic; the second is only loaded from.
        let (here, there) =
            unsafe { (ours.base().cast::<AtomicU32>().as_ref(), theirs.base().cast::<AtomicU32>().as_ref()) };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while there.load(Ordering::Relaxed) == 0 {
                    futex_wait(there, 0, LOCK, Some(Duration::from_secs(10)));
                }
            });
            while futex_wake(here, 1, LOCK) == 0 {
                std::thread::yield_now();
            }
            here.store(1, Ordering::Relaxed);
            futex_wake(here, 1, LOCK);
        });
    }
}
