//! `commy ps`: the processes that have a region open.

use crate::table::Table;
use crate::{Outcome, human};
use commy::Region;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(path: &Path) -> Outcome {
    let region = Region::options().read_only(true).open(path)?;
    let mut table = Table::new([">PID", "NAME", "STATE", ">ATTACHED", ">HEARTBEAT", "HOLDS", "WAITS FOR"]);
    for process in region.processes()? {
        table.push([
            process.pid.to_string(),
            process.name.escape_debug().to_string(),
            process.state.to_string(),
            human::duration(process.attached),
            format!("{} ago", human::duration(process.heartbeat_age)),
            or_dash(process.holds.join(", ")),
            or_dash(process.waits_for.unwrap_or_default()),
        ]);
    }
    write!(stdout(), "{table}")?;
    Ok(ExitCode::SUCCESS)
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".to_string() } else { text }
}
