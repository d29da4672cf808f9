//! The automation of this repository: `cargo xtask ci`, `cargo xtask crash`, `cargo xtask bench`, and what Windows
//! needs.

#![forbid(unsafe_code)]

mod package;
mod windows;

use std::process::{Command, ExitCode};

/// What must pass before a change is merged, in the order of what fails first.
const CI: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
    &["test", "--workspace"],
    &["run", "--release", "--", "demo"],
];

/// The short form of each part of the laboratory, after the canary that it must catch.
const CRASH: &[&[&str]] = &[
    &["model"],
    &["instructions", "--canary"],
    &["instructions", "--every", "97", "--share", "5"],
    &["storm", "--canary"],
    &["storm", "--minutes", "1"],
    &["hostile", "--canary"],
    &["hostile", "--count", "20000"],
];

/// The laboratory, on the library as it is built for users: without the named points of the tests.
const LABORATORY: &[&str] = &["run", "--release", "-q", "-p", "commy-lab", "--"];

/// The models of the protocols, in a build for the model checker.
const MODELS: &[&str] = &["test", "--release", "-p", "commy", "--lib", "model_"];

/// Compiled by the nightly compiler so that each access of memory is looked at.
const SANITIZED: &[&str] = &[
    "+nightly",
    "run",
    "--release",
    "--target",
    "x86_64-unknown-linux-gnu",
    "--target-dir",
    "target/asan",
    "-p",
    "commy-lab",
    "--",
    "hostile",
    "--limit-ms",
    "10000",
];

/// The bench with the peers that are crates, which the workspace knows nothing of.
const BENCH: &[&str] = &["run", "--release", "--manifest-path", "bench/peers/Cargo.toml", "--"];

const USAGE: &str = "usage: cargo xtask ci
       cargo xtask crash                                  the short form of all parts, as in ci
       cargo xtask crash model
       cargo xtask crash instructions|storm|hostile|asan [--help | options]
       cargo xtask bench [--help | peers, workloads and options]
       cargo xtask windows [--every N] [test names]        the tests as Windows programs, by Wine; where all crash points
                                                           are killed at, only one of N is
       cargo xtask windows bench [workloads]               its ratios on Linux and by Wine
       cargo xtask package COMMY.EXE URL HOMEPAGE          a zip and manifests for winget and Scoop, in target/package";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ci"] => CI.iter().try_for_each(|arguments| cargo(arguments)).and_then(|()| crash(&[])),
        ["crash", ref part @ ..] => crash(part),
        ["bench", ref rest @ ..] => cargo(&[BENCH, rest].concat()),
        ["windows", ref filters @ ..] => windows::run(filters),
        ["package", program, url, homepage] => package::run(program, url, homepage),
        _ => Err(USAGE.to_string()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// A part of the laboratory, or all of them.
fn crash(part: &[&str]) -> Result<(), String> {
    match part {
        [] => CRASH.iter().try_for_each(|part| crash(part)),
        // In a folder of its own: another flag makes everything anew.
        ["model"] => {
            let mut command = Command::new(env!("CARGO"));
            command.env("RUSTFLAGS", "--cfg loom").env("CARGO_TARGET_DIR", "target/loom");
            run(command, MODELS)
        }
        ["asan", rest @ ..] => sanitized(rest),
        _ => cargo(&[LABORATORY, part].concat()),
    }
}

/// Damaged files under the address sanitizer, if there is a compiler that has it.
fn sanitized(arguments: &[&str]) -> Result<(), String> {
    let has_nightly = Command::new("cargo").args(["+nightly", "--version"]).env_remove("RUSTUP_TOOLCHAIN").output();
    if !has_nightly.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: the address sanitizer needs a nightly toolchain (`rustup toolchain install nightly`)");
        return Ok(());
    }
    let mut command = Command::new("cargo");
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    command.env("RUSTFLAGS", "-Zsanitizer=address");
    // A piece of memory that cannot be had is an answer, not an end.
    command.env("ASAN_OPTIONS", "allocator_may_return_null=1:detect_leaks=0");
    run(command, &[SANITIZED, arguments].concat())
}

/// Runs one cargo command.
fn cargo(arguments: &[&str]) -> Result<(), String> {
    run(Command::new(env!("CARGO")), arguments)
}

/// Runs a command at the root of the workspace.
fn run(mut command: Command, arguments: &[&str]) -> Result<(), String> {
    let line = format!("cargo {}", arguments.join(" "));
    eprintln!("$ {line}");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    ended_well(&line, command.args(arguments).current_dir(root))
}

/// Runs any command, which is shown.
fn said(mut command: Command) -> Result<(), String> {
    let line = format!("{command:?}");
    eprintln!("$ {line}");
    ended_well(&line, &mut command)
}

fn ended_well(line: &str, command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}`: {status}")),
        Err(error) => Err(format!("`{line}`: {error}")),
    }
}
