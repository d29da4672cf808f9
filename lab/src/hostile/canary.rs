//! Readers that believe what stands in a file, one for each way to fail: what the laboratory must notice.

use super::anatomy::Anatomy;
use crate::places::word;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read};
use std::os::fd::AsRawFd;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Canary {
    /// Uses an offset as an index.
    Panic,
    /// Uses an offset as a place in memory.
    Signal,
    /// Counts up to a length.
    Hang,
    /// Takes memory for a length.
    Allocation,
}

impl Canary {
    pub const ALL: [Canary; 4] = [Canary::Panic, Canary::Signal, Canary::Hang, Canary::Allocation];

    /// Reads all containers of a file without a check. Where they are it knows from the file's undamaged form.
    pub fn read(self, file: &mut File, anatomy: &Anatomy) -> io::Result<()> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        for header in anatomy.raw_headers.iter().map(|header| *header as usize) {
            if header + 64 > bytes.len() {
                return Ok(());
            }
            let (data, len) = (word(&bytes, header as u64 + 24), word(&bytes, header as u64 + 32));
            match self {
                Canary::Panic => _ = black_box(bytes[data as usize]),
                Canary::Signal => black_box(mapped(file, bytes.len(), data)?),
                Canary::Hang => (0..len).for_each(|number| _ = black_box(number)),
                Canary::Allocation => drop(black_box(Vec::<u8>::new().try_reserve_exact(len as usize))),
            }
        }
        Ok(())
    }
}

/// Reads a byte of a mapped file, wherever that is.
fn mapped(file: &File, len: usize, at: u64) -> io::Result<()> {
    // SAFETY: a new mapping, which nobody else knows.
    let start =
        unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: none. That is what must be noticed.
    black_box(unsafe { start.cast::<u8>().wrapping_add(at as usize).read_volatile() });
    // SAFETY: the mapping made above.
    unsafe { libc::munmap(start, len) };
    Ok(())
}
