//! Handles and strings as Win32 wants them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_DELETE_PENDING, ERROR_SHARING_VIOLATION, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::core::BOOL;

/// Takes over a handle that a call has just returned.
///
/// # Safety
/// It was returned by a call that gives ownership, just now on this thread, or it is one of the two that mean failure.
pub(super) unsafe fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: nobody else owns it, as the caller promises.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// The result of a call that answers "true" or leaves an error behind.
pub(super) fn check(result: BOOL) -> io::Result<()> {
    if result != 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// UTF-16 with the zero at its end; an error if there is another zero inside.
pub(super) fn wide(text: &OsStr) -> io::Result<Vec<u16>> {
    let mut units: Vec<u16> = text.encode_wide().collect();
    if units.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    units.push(0);
    Ok(units)
}

/// A path for calls that know no more than 260 characters, unless the path says that it is to be taken as it is.
pub(super) fn wide_path(path: &Path) -> io::Result<Vec<u16>> {
    const SHORT: usize = 240; // leaves room for a name of eight and three characters, which directories want
    let absolute = std::path::absolute(path)?;
    let units: Vec<u16> = absolute.as_os_str().encode_wide().collect();
    let starts = |prefix: &str| units.iter().copied().take(prefix.len()).eq(prefix.encode_utf16());
    if units.len() < SHORT || starts(r"\\?\") || starts(r"\\.\") {
        return wide(absolute.as_os_str());
    }
    let (prefix, rest) = if starts(r"\\") { (r"\\?\UNC\", &units[2..]) } else { (r"\\?\", &units[..]) };
    let mut verbatim = OsString::from(prefix);
    verbatim.push(OsString::from_wide(rest));
    wide(&verbatim)
}

/// Repeats what others may be in the way of for a moment: a scanner that does not share, a file on its way out.
///
/// "Access denied" is also what a file with a pending deletion says, so it is believed a little later.
pub(super) fn patiently<R>(mut call: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    let start = Instant::now();
    loop {
        let error = match call() {
            Ok(result) => return Ok(result),
            Err(error) => error,
        };
        let patience = match error.raw_os_error().map(i32::cast_unsigned) {
            Some(ERROR_SHARING_VIOLATION | ERROR_DELETE_PENDING) => Duration::from_millis(500),
            Some(ERROR_ACCESS_DENIED) => Duration::from_millis(30),
            _ => return Err(error),
        };
        if start.elapsed() >= patience {
            return Err(error);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_are_marked_and_short_ones_are_not() {
        let long = format!(r"C:\{}\region", "x".repeat(250));
        let text = |path: &str| String::from_utf16(&wide_path(Path::new(path)).unwrap()).unwrap();
        assert_eq!(text(r"C:\short"), "C:\\short\0");
        assert_eq!(text(&long), format!("\\\\?\\{long}\0"));
        let share = format!(r"\\server\share\{}", "x".repeat(250));
        assert_eq!(text(&share), format!("\\\\?\\UNC\\{}\0", &share[2..]));
        assert!(wide(OsStr::new("a\0b")).is_err());
    }
}
