//! The parts of the laboratory on the command line.

use clap::{Parser, Subcommand};
use commy_lab::{Verdict, hostile, instructions, storm};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "commy-lab", about = "Proves that deaths and damage do no harm")]
struct Lab {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Kills a process after each machine instruction of each operation
    Instructions(instructions::Arguments),
    /// Many processes at work on all containers, and a killer among them
    Storm(storm::Arguments),
    /// Opens and uses damaged files
    Hostile(hostile::Arguments),
    #[command(hide = true)]
    HostileWorker(hostile::worker::Arguments),
    #[command(hide = true)]
    HostileVictim(hostile::VictimArguments),
}

#[global_allocator]
static ALLOCATOR: hostile::Watched = hostile::Watched;

pub fn main() -> ExitCode {
    let verdict: Verdict = match Lab::parse().part {
        Part::Instructions(arguments) => instructions::run(&arguments),
        Part::Storm(arguments) => storm::run(&arguments),
        Part::Hostile(arguments) => hostile::run(&arguments),
        Part::HostileWorker(arguments) => hostile::worker::run(&arguments),
        Part::HostileVictim(arguments) => hostile::run_victim(&arguments),
    };
    match verdict {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
