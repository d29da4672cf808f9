//! Files that are no regions, and regions whose bytes are not what the library wrote: an error at most, never a panic,
//! a signal, a hang, a wild access.

mod files;
mod lengths;
mod mutants;
mod owners;

use commy_lab::files::write_all_at;
pub use commy_lab::places::{Places, checksum, word};
use std::fs::File;
use std::io::Read;
use std::path::Path;

pub fn content(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

pub fn overwrite(path: &Path, bytes: &[u8], at: u64) {
    write_all_at(&File::options().write(true).open(path).unwrap(), bytes, at).unwrap();
}
