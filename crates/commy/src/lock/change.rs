//! Waiting until an object changes.
//!
//! Invariant L3: a waiter announces itself in the word *before* it looks at what it waits for, and sleeps only if the
//! word had no owner then. Whoever takes the word after that announcement sees it after its commit, and wakes; whoever
//! had let the word go before has made its change visible to the look. "No lost wake-up" in ARCHITECTURE.md has the
//! cases.

use crate::sys::atomic::Ordering;
use std::time::Duration;

use super::wait::{Blocked, probe_owner};
use super::word::{CHANGE, OWNER, change_class};
use crate::crash::{crash_point, is_variant};
use crate::process::Actor;
use crate::region::layout::*;
use crate::{Result, sys};

/// A waiter that whoever changes the object from now on wakes.
struct Announced {
    /// The count of changes that its sleep depends on.
    seen: u32,
    /// Somebody is inside: perhaps with a change, and perhaps past the look at the announcement.
    owned: bool,
}

/// Says that somebody waits for a change of the object.
fn announce(header: &ObjectHeader) -> Announced {
    // Before the flag: a waker clears the flag first and counts then.
    let seen = header.change.load(Ordering::SeqCst);
    let word = header.word.fetch_or(CHANGE, Ordering::SeqCst);
    crash_point!("wait: announced");
    Announced { seen, owned: word & OWNER != 0 }
}

/// For those who cannot write: nobody knows of them, so their sleep must be short.
fn overhear(header: &ObjectHeader) -> Announced {
    Announced { seen: header.change.load(Ordering::SeqCst), owned: false }
}

/// How long a turn of a wait may sleep.
pub(crate) struct Pause {
    /// While somebody is inside, who may die there or change the object unseen.
    pub(crate) owned: Duration,
    pub(crate) free: Duration,
}

/// One turn of a wait: says that somebody waits, looks, sleeps. `help` settles a dead owner, `ready` looks.
pub(crate) fn look_and_sleep<R>(
    header: &ObjectHeader,
    writable: bool,
    pause: &Pause,
    help: impl FnOnce() -> Result<()>,
    ready: &mut impl FnMut() -> Result<Option<R>>,
) -> Result<Option<R>> {
    if is_variant!(AnnouncesLate)
        && let Some(answer) = ready()?
    {
        return Ok(Some(answer));
    }
    let announced = if writable { announce(header) } else { overhear(header) };
    let length = if announced.owned && !is_variant!(SleepsBesideOwner) {
        help()?;
        pause.owned
    } else {
        if !is_variant!(AnnouncesLate)
            && let Some(answer) = ready()?
        {
            return Ok(Some(answer));
        }
        pause.free
    };
    sys::futex_wait(&header.change, announced.seen, change_class::CHANGE, Some(length));
    ready()
}

/// Looks whether whoever holds the word lives.
pub(crate) fn probe(actor: &Actor, header: &ObjectHeader) -> std::result::Result<(), Blocked> {
    match header.word.load(Ordering::SeqCst) & OWNER {
        0 => Ok(()),
        owner => probe_owner(actor, &header.word, owner),
    }
}
