//! Waiting until an object changes.
//!
//! Invariant L3: a waiter announces itself in the word *before* it looks at what it waits for, and sleeps only if the
//! word had no owner then. Whoever takes the word after that announcement sees it after its commit, and wakes; whoever
//! had let the word go before has made its change visible to the look. "No lost wake-up" in ARCHITECTURE.md has the
//! cases.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::wait::{Blocked, probe_owner};
use super::word::{CHANGE, OWNER, change_class};
use crate::crash::crash_point;
use crate::process::Actor;
use crate::region::layout::*;
use crate::sys;

/// A waiter that whoever changes the object from now on wakes.
pub(crate) struct Announced {
    /// The count of changes that its sleep depends on.
    seen: u32,
    /// Somebody is inside: perhaps with a change, and perhaps past the look at the announcement.
    pub(crate) owned: bool,
}

/// Says that somebody waits for a change of the object.
pub(crate) fn announce(header: &ObjectHeader) -> Announced {
    // Before the flag: a waker clears the flag first and counts then.
    let seen = header.change.load(Ordering::SeqCst);
    let word = header.word.fetch_or(CHANGE, Ordering::SeqCst);
    crash_point!("wait: announced");
    Announced { seen, owned: word & OWNER != 0 }
}

/// For those who cannot write: nobody knows of them, so their sleep must be short.
pub(crate) fn overhear(header: &ObjectHeader) -> Announced {
    Announced { seen: header.change.load(Ordering::SeqCst), owned: false }
}

/// Sleeps until a change is told of, or for `pause`.
pub(crate) fn sleep_until_change(header: &ObjectHeader, announced: &Announced, pause: Duration) {
    sys::futex_wait(&header.change, announced.seen, change_class::CHANGE, Some(pause));
}

/// Looks whether whoever holds the word lives.
pub(crate) fn probe(actor: &Actor, header: &ObjectHeader) -> Result<(), Blocked> {
    match header.word.load(Ordering::SeqCst) & OWNER {
        0 => Ok(()),
        owner => probe_owner(actor, &header.word, owner),
    }
}
