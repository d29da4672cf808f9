//! The workloads run to their end, so that they do not rot between measurements.

use std::path::Path;
use std::process::{Command, Stdio};

const EVERYWHERE: &[&str] = &[
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
    "growth",
    "paging",
    "scale",
    "idle-lanes",
    "attach",
];
const OF_PROCESSES: &[&str] = if cfg!(target_os = "linux") {
    &["deque-two-processes", "queue", "channel", "recovery", "contention", "mixed-allocation", "stress", "shared-map"]
} else {
    &[]
};

#[test]
fn every_workload_runs_and_can_be_compared() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("smoke.tsv");
    let file = file.to_str().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs");
    let page = || std::fs::read_to_string(folder.join("performance.md")).unwrap();
    bench(&["--quick", "--tsv", file, "--page", folder.to_str().unwrap()]);
    let text = page();
    bench(&["report", file, folder.to_str().unwrap()]);
    assert_eq!(text, page(), "written at once, and from what was saved");
    for workload in EVERYWHERE.iter().chain(OF_PROCESSES) {
        assert!(text.contains(&format!("\n### {workload}\n")), "no table of {workload} in\n{text}");
    }
    assert!(!text.contains("(not in this run)") && !text.contains("{{"), "a remark is about no figure:\n{text}");
    let saved = std::fs::read_to_string(file).unwrap();
    let rows = saved.lines().filter(|line| !line.starts_with('#')).count();
    let table = bench(&["compare", file, file]);
    assert_eq!(table.lines().filter(|line| line.ends_with("| 1.00 |")).count(), rows, "{table}");
}

/// What the program says.
fn bench(words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let output = command.args(words).stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}
