//! The futex as a model has it: a queue for each word under one mutex of the checker, so that comparing and lying down
//! are one step, as they are under the kernel's lock. Whoever is not woken sleeps for ever, and when all do the checker
//! says "deadlock": so a lost wake-up is seen, which on a system a time-out would hide.
//!
//! Time-outs are there where a protocol rests on them, and a model says so: sleeps that are no longer than it names then
//! end by themselves, after others have had a turn.

use std::time::Duration;

use super::super::linux;
use super::words::AtomicU32;
use super::{advance, world};
use crate::sys::atomic::Ordering;

pub(crate) use crate::sys::WaitResult;

/// Who sleeps on one word, first come first.
pub(super) struct Sleepers {
    queue: loom::sync::Mutex<Vec<(u64, u32)>>,
    woken: loom::sync::Condvar,
}

impl Sleepers {
    pub(super) fn new() -> Sleepers {
        Sleepers { queue: loom::sync::Mutex::new(Vec::new()), woken: loom::sync::Condvar::new() }
    }
}

/// As on a system; see the module for time-outs.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, class: u32, timeout: Option<Duration>) -> WaitResult {
    let Some(world) = world() else { return linux::futex_wait(word, expected, class, timeout) };
    let address = std::ptr::from_ref(word).addr();
    let sleepers = world.sleepers.borrow().get(&address).cloned().expect("a model tracks what is slept on");
    if let Some(timeout) = timeout.filter(|timeout| *timeout <= world.times_out.get()) {
        loom::thread::yield_now();
        advance(timeout + Duration::from_nanos(1));
        return WaitResult::TimedOut;
    }
    let mut queue = sleepers.queue.lock().expect("no panic inside");
    if word.load(Ordering::SeqCst) != expected {
        return WaitResult::Changed;
    }
    let own = world.drawn.get() + 1;
    world.drawn.set(own);
    queue.push((own, class));
    while queue.iter().any(|(number, _)| *number == own) {
        queue = sleepers.woken.wait(queue).expect("no panic inside");
    }
    WaitResult::Woken
}

/// As on a system.
pub(crate) fn futex_wake(word: &AtomicU32, count: i32, class: u32) -> u32 {
    let Some(world) = world() else { return linux::futex_wake(word, count, class) };
    let address = std::ptr::from_ref(word).addr();
    let sleepers = world.sleepers.borrow().get(&address).cloned().expect("a model tracks what is slept on");
    let mut queue = sleepers.queue.lock().expect("no panic inside");
    let mut woken = 0;
    queue.retain(|(_, of)| {
        let wakes = woken < count && of & class != 0;
        woken += i32::from(wakes);
        !wakes
    });
    drop(queue);
    if woken > 0 {
        sleepers.woken.notify_all();
    }
    woken as u32
}
