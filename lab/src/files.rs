//! Files read and written at a place, on every system.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Fills `bytes` from what stands at `at`.
///
/// # Errors
/// `UnexpectedEof` if the file ends before that.
pub fn read_exact_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}

/// Writes all of `bytes` from `at` on.
///
/// # Errors
/// Those of the system.
pub fn write_all_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}
