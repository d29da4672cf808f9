//! Sleeping on an event for a time that may be shorter than the system's clock tick.
//!
//! A plain time-out ends with a tick: 1 to 15.6 ms. Waits of less than that stand beside a timer of high resolution
//! (Windows 10 version 1803); where there is none, they take as long as they take.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::System::Threading::{
    CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, CreateWaitableTimerExW, SetWaitableTimer, TIMER_ALL_ACCESS,
    WaitForMultipleObjects, WaitForSingleObject,
};

use super::handle::{check, owned};

/// Sleeps of at least this length end with a tick.
const COARSE: Duration = Duration::from_millis(20);

thread_local! {
    static TIMER: Option<OwnedHandle> = timer().ok();
}

fn timer() -> io::Result<OwnedHandle> {
    let (usual, no_name) = (ptr::null(), ptr::null());
    let flags = CREATE_WAITABLE_TIMER_HIGH_RESOLUTION;
    // SAFETY: takes no pointers that matter; the result is owned by nobody else.
    unsafe { owned(CreateWaitableTimerExW(usual, no_name, flags, TIMER_ALL_ACCESS)) }
}

/// Sleeps until the event is set or for `length`; either may come early.
pub(super) fn wait(event: &OwnedHandle, length: Duration) {
    let ticks = u32::try_from(length.as_micros().div_ceil(1000)).unwrap_or(u32::MAX - 1);
    let waited = length < COARSE
        && TIMER
            .try_with(|timer| timer.as_ref().is_some_and(|timer| beside(event, timer, length, ticks)))
            .unwrap_or(false);
    if !waited {
        // SAFETY: an open event.
        unsafe { WaitForSingleObject(event.as_raw_handle(), ticks) };
    }
}

fn beside(event: &OwnedHandle, timer: &OwnedHandle, length: Duration, ticks: u32) -> bool {
    // Negative: from now on, in 100 ns.
    let due = -i64::try_from(length.as_nanos() / 100).unwrap_or(i64::MAX).max(1);
    // SAFETY: an open timer; the time lives across the call, and nothing is called when it comes.
    if check(unsafe { SetWaitableTimer(timer.as_raw_handle(), &due, 0, None, ptr::null(), 0) }).is_err() {
        return false;
    }
    let handles = [event.as_raw_handle(), timer.as_raw_handle()];
    // SAFETY: two open handles. Should the timer not come, the time-out does.
    unsafe { WaitForMultipleObjects(2, handles.as_ptr(), 0, ticks.saturating_add(1)) };
    true
}
