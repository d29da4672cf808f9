//! Points of the crash protocols at which a test kills this process. Compiled into tests only
//! (feature `crash-points`); otherwise `crash_point!` is nothing.
//!
//! A test arms the facility with a number: the process dies by SIGKILL when it reaches that many
//! points. Counting up until an operation ends unharmed visits every step of every protocol in it.
//!
//! In the same way a thread can have its n-th request for memory refused, as if the region were full.

/// Names a step between two stores of a crash protocol.
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(feature = "crash-points")]
        $crate::crash::reached($name);
        #[cfg(loom)]
        $crate::sys::model::reached($name);
    };
}
pub(crate) use crash_point;

/// Is the code to be a variant of itself, in a model that must notice? Nowhere but in a build for the model checker.
macro_rules! is_variant {
    ($name:ident) => {{
        #[cfg(loom)]
        let is = $crate::sys::model::is($crate::sys::model::Variant::$name);
        #[cfg(not(loom))]
        let is = false;
        is
    }};
}
pub(crate) use is_variant;

#[cfg(feature = "crash-points")]
mod armed {
    use std::collections::BTreeSet;
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

    /// Points left until death; 0 or below: not armed.
    static COUNTDOWN: AtomicI64 = AtomicI64::new(0);
    /// Only points of this name count, if one is given; where the name of the last point goes.
    static TARGET: Mutex<(Option<String>, Option<PathBuf>)> = Mutex::new((None, None));
    /// Stop instead of dying.
    static STOPS: AtomicBool = AtomicBool::new(false);
    static SEEN: Mutex<Option<BTreeSet<&'static str>>> = Mutex::new(None);

    /// Dies at the `nth` point from now (1 = the next one); its name is appended to `log` first.
    pub fn arm(nth: u64, log: &Path) {
        *TARGET.lock().unwrap() = (None, Some(log.to_path_buf()));
        COUNTDOWN.store(nth as i64, Ordering::SeqCst);
    }

    /// Dies at the `nth` point called `name` from now.
    pub fn arm_at(name: &str, nth: u64, log: &Path) {
        *TARGET.lock().unwrap() = (Some(name.to_string()), Some(log.to_path_buf()));
        COUNTDOWN.store(nth as i64, Ordering::SeqCst);
    }

    /// Stops, as by SIGSTOP, at the `nth` point called `name` from now; goes on when it is continued.
    pub fn stop_at(name: &str, nth: u64) {
        *TARGET.lock().unwrap() = (Some(name.to_string()), None);
        STOPS.store(true, Ordering::SeqCst);
        COUNTDOWN.store(nth as i64, Ordering::SeqCst);
    }

    /// No death from now on; the number of points that were left.
    pub fn disarm() -> i64 {
        COUNTDOWN.swap(0, Ordering::SeqCst)
    }

    /// Starts to collect the names of points that are reached.
    pub fn record() {
        *SEEN.lock().unwrap() = Some(BTreeSet::new());
    }

    /// Ends the collection.
    pub fn recorded() -> BTreeSet<&'static str> {
        SEEN.lock().unwrap().take().unwrap_or_default()
    }

    #[doc(hidden)]
    #[cold]
    fn slow(name: &'static str) {
        let target = TARGET.lock().unwrap();
        if target.0.as_deref().is_some_and(|wanted| wanted != name) {
            return;
        }
        if COUNTDOWN.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        if let Some(log) = &target.1 {
            let file = std::fs::OpenOptions::new().append(true).create(true).open(log);
            if let Ok(mut file) = file {
                let _ = writeln!(file, "{name}");
            }
        }
        drop(target);
        if STOPS.swap(false, Ordering::SeqCst) {
            return crate::sys::stop_self();
        }
        crate::sys::kill_self();
    }

    pub(crate) fn reached(name: &'static str) {
        if COUNTDOWN.load(Ordering::Relaxed) > 0 {
            slow(name);
        }
        if let Ok(mut seen) = SEEN.try_lock()
            && let Some(seen) = seen.as_mut()
        {
            seen.insert(name);
        }
    }
}
#[cfg(feature = "crash-points")]
pub use armed::*;

#[cfg(feature = "crash-points")]
mod refusal {
    use crate::{Error, Result};
    use std::cell::Cell;

    thread_local! {
        /// Requests until the one that is refused; 0: none will be.
        static LEFT: Cell<u64> = const { Cell::new(0) };
        /// Up to which address the log of the context with this stamp has been granted.
        static GRANTED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    }

    /// This thread's `nth` request for memory from now (1 = the next one) is refused: for a block, a page run, or room in
    /// a log that was not granted before (any log may be full at any time).
    pub fn refuse_memory(nth: u64) {
        LEFT.set(nth);
    }

    /// Refuses nothing from now on. Has the request come?
    pub fn memory_was_refused() -> bool {
        LEFT.replace(0) == 0
    }

    fn asked(requested: u64) -> Result<()> {
        match LEFT.get() {
            0 => Ok(()),
            left => {
                LEFT.set(left - 1);
                if left > 1 { Ok(()) } else { Err(Error::OutOfSpace { requested, capacity: 0 }) }
            }
        }
    }

    pub(crate) fn asked_for_block(size: u64) -> Result<()> {
        asked(size)
    }

    /// A context asks for room behind `at`.
    pub(crate) fn asked_for_log(stamp: u64, at: u64, size: u64) -> Result<()> {
        let (owner, end) = GRANTED.get();
        if owner == stamp && at <= end && at + size <= end {
            return Ok(());
        }
        asked(size)
    }

    /// A context has room for `size` bytes behind `at`.
    pub(crate) fn log_granted(stamp: u64, at: u64, size: u64) {
        let (owner, end) = GRANTED.get();
        // Another stretch of the log may lie before the last one.
        let goes_on = owner == stamp && at <= end && end - at <= 8192;
        GRANTED.set((stamp, if goes_on { end.max(at + size) } else { at + size }));
    }
}
#[cfg(feature = "crash-points")]
pub(crate) use refusal::{asked_for_block, asked_for_log, log_granted};
#[cfg(feature = "crash-points")]
pub use refusal::{memory_was_refused, refuse_memory};
