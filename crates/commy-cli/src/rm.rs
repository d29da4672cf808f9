//! `commy rm`: removes a region.

use crate::Outcome;
use commy::Region;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(path: &Path) -> Outcome {
    Region::remove(path)?;
    Ok(ExitCode::SUCCESS)
}
