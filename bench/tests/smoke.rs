//! The workloads run to their end, so that they do not rot between measurements.

use std::process::{Command, Stdio};

const EVERYWHERE: &[&str] = &[
    "vec-push",
    "vec-guard",
    "vec-read",
    "deque",
    "map-read",
    "map-write",
    "map-text",
    "tree-read",
    "tree-write",
    "allocation",
    "memory",
    "idle-lanes",
    "attach",
];
const OF_PROCESSES: &[&str] =
    if cfg!(target_os = "linux") { &["deque-two-processes", "recovery", "contention"] } else { &[] };

#[test]
fn every_workload_runs() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let output = command.args(["--quick", "--markdown"]).stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for workload in EVERYWHERE.iter().chain(OF_PROCESSES) {
        assert!(text.contains(&format!("| {workload} |")), "no line of {workload} in\n{text}");
    }
}
