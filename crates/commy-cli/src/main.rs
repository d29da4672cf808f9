//! The `commy` command: look at a region, check it, remove it, and see a region survive the death of its users.

#![forbid(unsafe_code)]

mod check;
mod demo;
mod human;
mod ls;
mod ps;
mod rm;
mod stat;
mod table;

use clap::{Parser, Subcommand};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// How a command ended: its exit code, or what stopped it.
type Outcome = Result<ExitCode, Box<dyn Error>>;

/// Collections shared between processes through one memory-mapped file.
#[derive(Parser)]
#[command(name = "commy", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Count words with several processes, kill them again and again, and compare the result
    Demo(demo::Arguments),
    /// List the objects of a region
    Ls(Target),
    /// List the processes that have a region open
    Ps(Target),
    /// Show how the space of a region is used
    Stat(Target),
    /// Check a region: every block must be free, cached or reachable exactly once
    Check(Target),
    /// Remove a region
    Rm(Target),
    #[command(name = demo::WORKER_COMMAND, hide = true)]
    DemoWorker(demo::WorkerArguments),
}

#[derive(clap::Args)]
struct Target {
    /// The file of the region
    region: PathBuf,
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Ls(target) => ls::run(&target.region),
        Command::Ps(target) => ps::run(&target.region),
        Command::Stat(target) => stat::run(&target.region),
        Command::Check(target) => check::run(&target.region),
        Command::Rm(target) => rm::run(&target.region),
        Command::DemoWorker(arguments) => demo::run_worker(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        // Whoever reads our output may have seen enough of it (`commy ls REGION | head`).
        if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        eprintln!("commy: {error}");
        ExitCode::FAILURE
    })
}
