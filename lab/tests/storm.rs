//! A short storm, and workers that are wrong on purpose, which it must notice.
#![cfg(target_os = "linux")]

use std::process::{Command, Output};

fn laboratory(arguments: &[&str]) -> Output {
    let keep = env!("CARGO_TARGET_TMPDIR");
    let mut command = Command::new(env!("CARGO_BIN_EXE_commy-lab"));
    command.arg("storm").args(arguments).args(["--keep", keep]).output().expect("the laboratory")
}

#[test]
fn nothing_that_was_acknowledged_is_lost_in_a_storm() {
    let output = laboratory(&["--kills", "60", "--audit", "30", "--workers", "6", "--minutes", "2"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains(" 0 lost, 0 doubled; 0 bytes leaked"), "{output:?}");
}

#[test]
fn every_canary_is_caught() {
    let output = laboratory(&["--canary"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("every canary was caught: Half, Early, Leak, Keeps"));
}
