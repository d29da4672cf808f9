//! Sleeping on a word of shared memory, and waking those who do: by [`parking`] places.
//!
//! Sleepers name a *class* (a set of bits, below 256) and only wakes with a common bit reach them, so a wake meant for a
//! lock's waiter is not spent on somebody who waits for a change.

use crate::sys::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::super::common::WaitResult;
use super::parking::{self, LONGEST};
use super::sleep;

/// Sleeps while `word` holds `expected`, until a wake that shares a bit with `class`, or for `timeout` at most; however
/// long that is, not longer than some 50 ms.
///
/// `class` must not be 0.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, class: u32, timeout: Option<Duration>) -> WaitResult {
    debug_assert!((1..256).contains(&class), "a wait of no class cannot be woken");
    let start = Instant::now();
    let length = timeout.unwrap_or(Duration::MAX);
    let (parking, key) = match parking::find(word.as_ptr().addr()) {
        Some(found) => found,
        None => return doze(word, expected, length),
    };
    let Some(parked) = parking.take_place() else { return doze(word, expected, length) };
    parked.announce(key, class);
    // W2: after the announcement.
    if word.load(Ordering::SeqCst) != expected {
        parked.withdraw();
        return WaitResult::Changed;
    }
    loop {
        let slept = start.elapsed();
        if slept >= length || slept >= LONGEST {
            break;
        }
        sleep::wait(parked.event(), length.min(LONGEST) - slept);
        if parked.is_woken() {
            break;
        }
    }
    if parked.withdraw() || start.elapsed() < length { WaitResult::Woken } else { WaitResult::TimedOut }
}

/// Wakes up to `count` sleepers on `word` that share a bit with `class`, and returns how many there were.
pub(crate) fn futex_wake(word: &AtomicU32, count: i32, class: u32) -> u32 {
    debug_assert!((1..256).contains(&class), "a wake of no class reaches nobody");
    let count = u32::try_from(count).unwrap_or(0);
    parking::find(word.as_ptr().addr()).map_or(0, |(parking, key)| parking.wake(key, count, class))
}

/// Without a place nobody finds us: looks again after a moment.
fn doze(word: &AtomicU32, expected: u32, length: Duration) -> WaitResult {
    if word.load(Ordering::SeqCst) != expected {
        return WaitResult::Changed;
    }
    thread::sleep(length.min(Duration::from_millis(1)));
    if length <= Duration::from_millis(1) { WaitResult::TimedOut } else { WaitResult::Woken }
}

#[cfg(test)]
#[path = "futex_tests.rs"]
mod tests;
