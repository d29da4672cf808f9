//! The attachments of this process: one for each region and kind of access, so that two opens of one file share their
//! slot, their lanes and their mapping. And what has to happen around `fork`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::attachment::{Attachment, State};
use super::thread_lane;
use crate::Result;
use crate::sys::{self, File, FileIdentity};

static ALL: Mutex<Vec<Weak<Attachment>>> = Mutex::new(Vec::new());

fn all() -> MutexGuard<'static, Vec<Weak<Attachment>>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds the attachment of a file, or makes one; nobody else attaches meanwhile.
pub(super) fn attach_once(
    identity: FileIdentity,
    writable: bool,
    make: impl FnOnce() -> Result<Arc<Attachment>>,
) -> Result<Arc<Attachment>> {
    sys::install_fork_hooks(before_fork, after_fork, in_child);
    let mut all = all();
    all.retain(|one| one.strong_count() > 0);
    let same = |one: &Arc<Attachment>| one.identity_on_disk == identity && one.space().writable == writable;
    if let Some(found) = all.iter().filter_map(Weak::upgrade).find(same) {
        return Ok(found);
    }
    let made = make()?;
    all.push(Arc::downgrade(&made));
    Ok(made)
}

/// Adds an attachment that nobody shares.
pub(super) fn add(attachment: &Arc<Attachment>) {
    sys::install_fork_hooks(before_fork, after_fork, in_child);
    all().push(Arc::downgrade(attachment));
}

/// The mutexes of one attachment, in the order in which they are taken.
type Mutexes =
    (MutexGuard<'static, bool>, MutexGuard<'static, ()>, MutexGuard<'static, State>, MutexGuard<'static, File>);

/// Everything that is locked across a fork, so that the child finds no mutex held by a thread it does not have.
struct Held {
    states: Vec<Mutexes>,
    // After the guards: they point into these.
    attachments: Vec<Arc<Attachment>>,
    all: MutexGuard<'static, Vec<Weak<Attachment>>>,
}

struct HeldCell(std::cell::UnsafeCell<Option<Held>>);
// SAFETY: touched by fork handlers only, between taking `ALL` and letting it go: by one thread at a time.
unsafe impl Sync for HeldCell {}
static HELD: HeldCell = HeldCell(std::cell::UnsafeCell::new(None));

fn before_fork() {
    let all = all();
    let attachments: Vec<_> = all.iter().filter_map(Weak::upgrade).collect();
    let mut states = Vec::new();
    for attachment in &attachments {
        // SAFETY: the guards live in `HELD` beside the `Arc`s that they point into, and are dropped before them.
        let attachment: &'static Attachment = unsafe { &*Arc::as_ptr(attachment) };
        let alarm = attachment.alarm.0.lock().unwrap_or_else(PoisonError::into_inner);
        let salvage = attachment.salvage.lock().unwrap_or_else(PoisonError::into_inner);
        let state = attachment.state.lock().unwrap_or_else(PoisonError::into_inner);
        let file = attachment.space().file_mutex().lock().unwrap_or_else(PoisonError::into_inner);
        states.push((alarm, salvage, state, file));
    }
    // SAFETY: we hold `ALL`.
    unsafe { *HELD.0.get() = Some(Held { states, attachments, all }) };
}

fn after_fork() {
    // SAFETY: the forking thread still holds `ALL`, which is the last thing that is let go.
    let held = unsafe { (*HELD.0.get()).take() };
    if let Some(Held { states, attachments, all }) = held {
        drop(states);
        drop(all);
        // Last, and with no lock held: this may be the last owner.
        drop(attachments);
    }
}

fn in_child() {
    thread_lane::forget_current();
    // SAFETY: this thread holds `ALL` since `before_fork`.
    if let Some(held) = unsafe { (*HELD.0.get()).as_ref() } {
        held.states.iter().for_each(|(_, _, state, _)| state.doom_lanes());
    }
    after_fork();
}
