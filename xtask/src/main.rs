//! The automation of this repository: `cargo xtask ci`, `cargo xtask crash`.

#![forbid(unsafe_code)]

use std::process::{Command, ExitCode};

/// What must pass before a change is merged, in the order of what fails first.
const CI: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
    &["test", "--workspace"],
    &["run", "--release", "--", "demo"],
];

/// The laboratory, on the library as it is built for users: without the named points of the tests.
const LABORATORY: &[&str] = &["run", "--release", "-q", "-p", "commy-lab", "--"];

/// The models of the protocols, in a build for the model checker.
const MODELS: &[&str] = &["test", "--release", "-p", "commy", "--lib", "model_"];

const USAGE: &str = "usage: cargo xtask ci
       cargo xtask crash model
       cargo xtask crash instructions|storm|hostile [--help | options]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ci"] => CI.iter().try_for_each(|arguments| cargo(arguments)),
        // In a folder of its own: another flag makes everything anew.
        ["crash", "model"] => cargo_with(MODELS, &[("RUSTFLAGS", "--cfg loom"), ("CARGO_TARGET_DIR", "target/loom")]),
        ["crash", ref part @ ..] if !part.is_empty() => cargo(&[LABORATORY, part].concat()),
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

/// Runs one cargo command at the root of the workspace.
fn cargo(arguments: &[&str]) -> Result<(), String> {
    cargo_with(arguments, &[])
}

/// The same, with variables of the environment.
fn cargo_with(arguments: &[&str], variables: &[(&str, &str)]) -> Result<(), String> {
    let line = format!("cargo {}", arguments.join(" "));
    eprintln!("$ {line}");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let status = Command::new(env!("CARGO")).args(arguments).envs(variables.iter().copied()).current_dir(root).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}`: {status}")),
        Err(error) => Err(format!("`{line}`: {error}")),
    }
}
