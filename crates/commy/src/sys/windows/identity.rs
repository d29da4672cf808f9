//! Who this process and this thread are, in words that another process can check; and whether one has ended.

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, FILETIME, HANDLE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentProcessorNumber, GetCurrentThreadId, GetProcessIdOfThread, GetProcessTimes,
    OpenProcess, OpenThread, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, THREAD_QUERY_LIMITED_INFORMATION,
    THREAD_SYNCHRONIZE, WaitForSingleObject,
};

use super::super::common::{ProcessIdentity, cut_name};
use super::handle::owned;

/// There is one namespace of process numbers on a machine; those of other systems have other numbers than this.
const NAMESPACE: u64 = u64::from_le_bytes(*b"windows\0");

impl ProcessIdentity {
    /// This process.
    pub(crate) fn current() -> ProcessIdentity {
        // SAFETY: takes nothing and returns a pseudo handle, which needs no closing.
        let start_time = created_at(unsafe { GetCurrentProcess() }).unwrap_or(0);
        ProcessIdentity { pid: std::process::id(), start_time, pid_namespace: NAMESPACE }
    }
}

/// The number of the processor that this thread runs on, perhaps no longer.
pub(crate) fn current_processor() -> u32 {
    // SAFETY: takes nothing.
    unsafe { GetCurrentProcessorNumber() }
}

/// Whether `identity` was found to be a process that executes no further instruction. `false` means "not known": a
/// number that nobody has proves nothing here.
///
/// A process object is signalled when the process has ended, the last thing that is documented of its end: the answer is
/// never too early. How late it comes, a large address space or open requests considered, no document says.
pub(crate) fn all_tasks_exiting(identity: &ProcessIdentity) -> bool {
    if identity.pid_namespace != NAMESPACE || identity.start_time == 0 {
        return false;
    }
    open_process(identity.pid).is_ok_and(|process| {
        created_at(process.as_raw_handle()) == Some(identity.start_time) && has_ended(process.as_raw_handle())
    })
}

/// Whether the process with this number that started then (of the time the lower half is told) is gone for certain.
pub(super) fn process_is_gone(pid: u32, start_low: u32) -> bool {
    match open_process(pid) {
        Ok(process) => {
            let handle = process.as_raw_handle();
            created_at(handle).is_some_and(|start| start as u32 != start_low) || has_ended(handle)
        }
        Err(error) => is_no_such(&error),
    }
}

/// The number of this thread, as in debuggers.
pub(crate) fn current_thread_id() -> u32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { GetCurrentThreadId() }
}

/// Whether this process has no thread of this number any more. A later thread may have it again: then the answer is no.
pub(crate) fn thread_is_gone(thread_id: u32) -> bool {
    // SAFETY: takes no pointers; the result is owned by nobody else.
    match unsafe { owned(OpenThread(THREAD_QUERY_LIMITED_INFORMATION | THREAD_SYNCHRONIZE, 0, thread_id)) } {
        Ok(thread) => {
            // SAFETY: an open handle of a thread.
            let process = unsafe { GetProcessIdOfThread(thread.as_raw_handle()) };
            (process != 0 && process != std::process::id()) || has_ended(thread.as_raw_handle())
        }
        Err(error) => is_no_such(&error),
    }
}

/// A name for people: the program's file, cut to 32 bytes at a character; may be empty.
pub(crate) fn process_name() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    cut_name(name.unwrap_or_default().trim())
}

fn open_process(pid: u32) -> io::Result<OwnedHandle> {
    // SAFETY: takes no pointers; the result is owned by nobody else.
    unsafe { owned(OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE, 0, pid)) }
}

fn is_no_such(error: &io::Error) -> bool {
    error.raw_os_error().map(i32::cast_unsigned) == Some(ERROR_INVALID_PARAMETER)
}

fn has_ended(handle: HANDLE) -> bool {
    // SAFETY: an open handle; the call does not wait.
    unsafe { WaitForSingleObject(handle, 0) == WAIT_OBJECT_0 }
}

/// When a process was made, in 100 ns; `None` if the system does not say.
fn created_at(process: HANDLE) -> Option<u64> {
    let mut times = [const { MaybeUninit::<FILETIME>::zeroed() }; 4];
    let [created, exited, kernel, user] = &mut times;
    // SAFETY: four places for one time each.
    let told = unsafe {
        GetProcessTimes(process, created.as_mut_ptr(), exited.as_mut_ptr(), kernel.as_mut_ptr(), user.as_mut_ptr())
    };
    // SAFETY: two integers, zeroed at first and filled by a successful call.
    let created = unsafe { times[0].assume_init() };
    (told != 0).then(|| u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime))
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
