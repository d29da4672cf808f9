//! Points of the crash protocols at which a test kills this process. Compiled into tests only
//! (feature `crash-points`); otherwise `crash_point!` is nothing.
//!
//! A test arms the facility with a number: the process dies by SIGKILL when it reaches that many
//! points. Counting up until an operation ends unharmed visits every step of every protocol in it.

/// Names a step between two stores of a crash protocol.
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(feature = "crash-points")]
        $crate::crash::reached($name);
    };
}
pub(crate) use crash_point;

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
