//! For tests: dying and stopping at a point of a crash protocol.

use std::ffi::OsStr;
use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::System::Threading::{
    CreateEventW, GetCurrentProcess, INFINITE, SetEvent, TerminateProcess, WaitForSingleObject,
};

use super::handle::{owned, wide};

/// Is terminated, here and now.
pub(crate) fn kill_self() -> ! {
    // SAFETY: the pseudo handle of this process.
    unsafe { TerminateProcess(GetCurrentProcess(), 137) };
    loop {
        std::hint::spin_loop();
    }
}

/// Stops until somebody sets the event `Local\commy-continue-{pid}`; `Local\commy-stopped-{pid}` says that it has stopped.
/// Both are of the kind that resets itself, and belong to whoever creates them first.
///
/// Only this thread stops: nothing that is documented stops a process. Others that a test does not want to run on
/// (the heartbeat) have to be kept from it by the test.
pub(crate) fn stop_self() {
    let event = |what: &str| -> io::Result<OwnedHandle> {
        let name = wide(OsStr::new(&format!(r"Local\commy-{what}-{}", std::process::id())))?;
        // SAFETY: the name ends in zero and lives across the call; the result is owned by nobody else.
        unsafe { owned(CreateEventW(ptr::null(), 0, 0, name.as_ptr())) }
    };
    let events = event("stopped").and_then(|stopped| Ok((stopped, event("continue")?)));
    let (stopped, go_on) = events.expect("a test can make events");
    // SAFETY: open handles.
    unsafe {
        SetEvent(stopped.as_raw_handle());
        WaitForSingleObject(go_on.as_raw_handle(), INFINITE);
    }
}
