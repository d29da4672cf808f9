//! A worker process: claims parts and counts them until there are none. It may be killed anywhere.

use super::board::Board;
use super::text;
use commy::Error;
use std::path::Path;

pub(super) fn work(path: &Path, worker: u64) -> commy::Result<()> {
    let board = Board::open(path)?;
    let texts = board.texts.len()? as u64;
    while let Some(part) = board.claim(worker)? {
        let guard = board.texts.read()?; // lends the text itself; a kill here leaves no reader behind
        let text = guard.get(&(part % texts)).ok_or(Error::NotFound)?;
        board.complete(worker, &text::count(text))?;
    }
    Ok(())
}
