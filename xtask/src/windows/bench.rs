//! `cargo xtask windows bench`: the bench on both systems, by turns, and its ratios side by side.

use super::build;
use super::run::Wine;
use crate::said;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What one process does that is in nobody's way.
const WORKLOADS: &[&str] = &[
    "vec-push",
    "vec-guard",
    "vec-read",
    "deque",
    "map",
    "map-text",
    "tree",
    "allocation",
    "memory",
    "transaction",
    "idle-lanes",
    "attach",
];

/// Measures `workloads`, or all that can be compared, with programs of the same compiler.
pub fn run(root: &Path, workloads: &[&str]) -> Result<(), String> {
    build::install()?;
    let [linux, windows] = [build::bench(root, None)?, build::bench(root, Some(build::GNU))?];
    let wine = Wine::new(root, "1");
    let folder = root.join("target/windows/bench");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let workloads = if workloads.is_empty() { WORKLOADS } else { workloads };
    let mut rows = [String::new(), String::new()];
    for workload in workloads {
        for (mut command, rows) in [Command::new(&linux), wine.command(&windows)].into_iter().zip(&mut rows) {
            let saved = folder.join("one.tsv");
            command.arg(workload).arg("--tsv").arg(&saved);
            said(command)?;
            *rows += &fs::read_to_string(&saved).map_err(|error| format!("{}: {error}", saved.display()))?;
        }
    }
    let files = ["linux.tsv", "wine.tsv"].map(|name| folder.join(name));
    for (file, rows) in files.iter().zip(&rows) {
        fs::write(file, rows).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let mut compare = Command::new(&linux);
    compare.arg("compare").args(&files);
    said(compare)
}
