//! `commy stat`: how the space of a region is used.

use crate::table::Table;
use crate::{Outcome, human};
use commy::Region;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(path: &Path) -> Outcome {
    let stats = Region::options().read_only(true).open(path)?.stats()?;
    let mut table = Table::new(["SPACE", ">SIZE", ">BYTES", "MEANING"]);
    let mut space = |name: &str, size: u64, meaning: &str| {
        table.push([name.to_string(), human::bytes(size), human::count(size), meaning.to_string()]);
    };
    space("capacity", stats.capacity, "what the region may grow to");
    space("committed", stats.committed, "what it takes of the disk or of memory");
    space("allocated", stats.allocated, "in use by objects");
    space("cached", stats.cached, "kept ready by threads");
    space("free", stats.free, "ready for anybody");
    write!(stdout(), "{table}\n{} processes, {} lanes\n", stats.processes, stats.lanes)?;
    Ok(ExitCode::SUCCESS)
}
