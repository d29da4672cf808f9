//! The part of the laboratory that kills after each instruction: it finds what is wrong on purpose, and nothing else.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::process::{Command, Output};

fn laboratory(arguments: &[&str]) -> Output {
    let keep = env!("CARGO_TARGET_TMPDIR");
    let mut command = Command::new(env!("CARGO_BIN_EXE_commy-lab"));
    command.arg("instructions").args(arguments).args(["--keep", keep]).output().expect("the laboratory")
}

#[test]
fn every_canary_is_caught() {
    let output = laboratory(&["--canary"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("every canary was caught"));
}

#[test]
fn a_canary_among_the_others_is_a_failure() {
    let output = laboratory(&["--canary", "--only", "canary: half an operation", "--jobs", "1"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("neither before nor after"), "{output:?}");
    assert!(text.contains("killed after"), "{output:?}");
}

#[test]
fn an_operation_survives_a_sample_of_its_instructions() {
    let output = laboratory(&["--only", "SharedVec<String>: push", "--every", "97", "--offset", "5"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains(", 0 failures"), "{output:?}");
}
