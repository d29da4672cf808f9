//! `commy check`: every block of a region is free, cached or reachable exactly once. Exit code 1 if not.

use crate::Outcome;
use commy::Region;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(path: &Path) -> Outcome {
    let report = Region::open(path)?.check()?;
    writeln!(stdout(), "{report}")?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
