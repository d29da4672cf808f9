//! Windows: time of the clock, and little to tell.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Time of the clock. The processor time of a thread is counted in ticks here, and one lasts longer than a round.
#[inline(always)]
pub(crate) fn thread_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// The heap has no such choice: it takes each large block from the system anew and gives it back, and whoever grows
/// from empty beside us pays for that.
pub(crate) fn keep_freed_memory() {}

/// Processor and cores.
pub(crate) fn describe() -> String {
    let model = std::env::var("PROCESSOR_IDENTIFIER").unwrap_or_else(|_| "unknown processor".into());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} x {model}; Windows, measured by the clock")
}

/// Nobody asks for it here, where regions stay small.
pub(crate) fn available_memory() -> usize {
    usize::MAX
}

/// Nobody asks for them here.
pub(crate) fn caches() -> String {
    "not asked for".into()
}

/// What the environment says.
pub(crate) fn system() -> String {
    std::env::var("OS").unwrap_or_else(|_| "Windows".into())
}
