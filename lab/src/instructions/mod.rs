//! Kills a process after each machine instruction of an operation.

use crate::Verdict;

/// What may be asked for on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {}

/// Runs this part of the laboratory.
pub fn run(_arguments: &Arguments) -> Verdict {
    Err("not there yet".into())
}
