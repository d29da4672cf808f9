//! A short run of the damaged files, and of readers that must be noticed.
#![cfg(target_os = "linux")]

use std::process::{Command, Output};

fn laboratory(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_commy-lab"));
    command.arg("hostile").args(arguments).args(["--seed", "20261124", "--keep", env!("CARGO_TARGET_TMPDIR")]);
    command.output().expect("the laboratory runs")
}

#[test]
fn damaged_regions_give_values_or_errors() {
    let output = laboratory(&["--count", "500"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("500 mutants"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn readers_that_check_nothing_are_noticed() {
    let output = laboratory(&["--canary", "--count", "4000", "--limit-ms", "1000"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let caught = "canary caught: panic, signal, hang, allocation";
    assert!(output.status.success() && text.contains(caught), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
