//! The workloads run to their end, so that they do not rot between measurements.

use std::process::{Command, Stdio};

#[test]
fn every_workload_runs() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    let output = command.args(["--quick", "--markdown"]).stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let workloads = [
        "vec-push",
        "deque",
        "deque-two-processes",
        "map-write",
        "map-text",
        "tree-read",
        "tree-write",
        "allocation",
        "memory",
        "idle-lanes",
        "recovery",
        "contention",
    ];
    for workload in workloads {
        assert!(text.contains(&format!("| {workload} |")), "no line of {workload} in\n{text}");
    }
}
