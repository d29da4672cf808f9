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

use clap::{CommandFactory, Parser, Subcommand};
use std::error::Error;
use std::path::{Path, PathBuf};
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
    /// Print completions of this command line for a shell
    Completions {
        /// The shell that is to complete
        shell: clap_complete::Shell,
    },
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
        Command::Ls(target) => on(&target, ls::run),
        Command::Ps(target) => on(&target, ps::run),
        Command::Stat(target) => on(&target, stat::run),
        Command::Check(target) => on(&target, check::run),
        Command::Rm(target) => on(&target, rm::run),
        Command::Completions { shell } => completions(shell),
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

fn completions(shell: clap_complete::Shell) -> Outcome {
    clap_complete::generate(shell, &mut CommandLine::command(), "commy", &mut std::io::stdout());
    Ok(ExitCode::SUCCESS)
}

/// Runs a command on a region. An error of the region names its file.
fn on(target: &Target, command: fn(&Path) -> Outcome) -> Outcome {
    command(&target.region).map_err(|error| naming(&target.region, error))
}

/// Puts the file before an error that does not name it itself.
fn naming(path: &Path, error: Box<dyn Error>) -> Box<dyn Error> {
    use commy::Error::{Io, NotARegion, Unsupported};
    match error.downcast_ref::<commy::Error>() {
        None | Some(Io { .. } | NotARegion { .. } | Unsupported { .. }) => error,
        Some(nameless) => format!("{}: {nameless}", path.display()).into(),
    }
}
