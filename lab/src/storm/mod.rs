//! Many processes at work on all containers, and a killer among them.

use crate::Verdict;

/// What may be asked for on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {}

/// Runs this part of the laboratory.
pub fn run(_arguments: &Arguments) -> Verdict {
    Err("not there yet".into())
}
