//! What `fork` must not copy.
//!
//! * K1: the epoch differs between a process and its children, so whatever was made before a fork knows it in the child.
//! * K2: no child inherits an open file description that holds a lock. While one has a number (between its opening and
//!   its mapping) the *descriptor window* is entered, and `fork` waits for that; the few that keep a number for good
//!   are listed here and closed in the child.
//!
//! All this is for `fork` of the C library. A raw `clone` runs no handlers; a child that goes on to `exec` needs none.

use std::cell::UnsafeCell;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::super::common::FileIdentity;
use super::file::identity_of;

static EPOCH: AtomicU64 = AtomicU64::new(0);
static REGISTERED: AtomicBool = AtomicBool::new(false);
static WINDOW: RwLock<()> = RwLock::new(());
static FORKING: HeldAcrossFork = HeldAcrossFork(UnsafeCell::new(None));
static KEPT: Mutex<Vec<(RawFd, FileIdentity)>> = Mutex::new(Vec::new());
static CALLERS_HOOKS: OnceLock<[fn(); 3]> = OnceLock::new();

/// The closed window, from just before a fork to just after it on either side.
struct HeldAcrossFork(UnsafeCell<Option<RwLockWriteGuard<'static, ()>>>);

// SAFETY: touched by fork handlers only, between taking `WINDOW` for writing and letting it go: by one thread at a time.
unsafe impl Sync for HeldAcrossFork {}

/// A number that is another one in a forked child. Compare it in `Drop` of whatever a child must leave alone.
#[inline]
pub(crate) fn fork_epoch() -> u64 {
    EPOCH.load(Ordering::Relaxed)
}

/// Has three functions called around every `fork` from now on: before it, after it in the parent, after it in the
/// child, where the epoch has moved already and locks may be taken again. Only the first call counts.
///
/// They run in the thread that forks; nothing of this layer is held while they do.
pub(crate) fn install_fork_hooks(prepare: fn(), parent: fn(), child: fn()) {
    ensure_hooks();
    if CALLERS_HOOKS.set([prepare, parent, child]).is_ok() {
        // Later than ours: so `prepare` runs before ours, and the other two after ours.
        register(call_prepare, call_parent, call_child);
    }
}

/// Registers this layer's own handlers, once. Whoever reads the epoch to tell a child calls it first.
pub(super) fn ensure_hooks() {
    // Not a `Once`: a fork during its first call would leave the child waiting for a thread it does not have.
    if !REGISTERED.swap(true, Ordering::AcqRel) {
        register(close_window, open_window, enter_child);
    }
}

/// Keeps `fork` away while a description that holds a lock, or is about to, has a number. Not re-entrant.
pub(super) fn descriptor_window() -> RwLockReadGuard<'static, ()> {
    ensure_hooks();
    WINDOW.read().unwrap_or_else(PoisonError::into_inner)
}

/// Children close this descriptor. Call inside of the window.
pub(super) fn keep_from_children(descriptor: RawFd, identity: FileIdentity) {
    kept().push((descriptor, identity));
}

/// Takes [`keep_from_children`] back. Call inside of the window, before the descriptor is closed.
pub(super) fn forget_kept(descriptor: RawFd) {
    kept().retain(|&(number, _)| number != descriptor);
}

fn kept() -> MutexGuard<'static, Vec<(RawFd, FileIdentity)>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn register(prepare: extern "C" fn(), parent: extern "C" fn(), child: extern "C" fn()) {
    // SAFETY: the functions are of the type asked for and stay as long as this code; the C library drops them when it
    // unloads a library.
    let result = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    assert_eq!(result, 0, "no memory for fork handlers");
}

extern "C" fn close_window() {
    let guard = WINDOW.write().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: we hold `WINDOW` for writing.
    unsafe { *FORKING.0.get() = Some(guard) };
}

extern "C" fn open_window() {
    // SAFETY: this thread holds `WINDOW` for writing since `close_window`; after `take` it is let go.
    drop(unsafe { (*FORKING.0.get()).take() });
}

extern "C" fn enter_child() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
    // Uncontended: the list changes inside of the window only, and that was closed when the fork happened.
    for (descriptor, identity) in kept().drain(..) {
        if identity_of(descriptor) == Some(identity) {
            // SAFETY: the number is ours (just compared); its owner here is of an older epoch and never uses it.
            unsafe { libc::close(descriptor) };
        }
    }
    open_window();
}

extern "C" fn call_prepare() {
    call_hook(0);
}

extern "C" fn call_parent() {
    call_hook(1);
}

extern "C" fn call_child() {
    call_hook(2);
}

fn call_hook(index: usize) {
    if let Some(hooks) = CALLERS_HOOKS.get() {
        hooks[index]();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Child;
    use super::*;

    #[test]
    fn a_child_knows_itself_by_the_epoch() {
        ensure_hooks();
        let before = fork_epoch();
        let child = Child::fork(|_| if fork_epoch() == before + 1 { 0 } else { 1 });
        assert_eq!(child.wait(), 0);
        assert_eq!(fork_epoch(), before);
    }

    #[test]
    fn a_child_can_enter_the_window_at_once() {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    drop(descriptor_window());
                }
            });
            for _ in 0..50 {
                let child = Child::fork(|_| {
                    drop(descriptor_window());
                    0
                });
                assert_eq!(child.wait(), 0);
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
