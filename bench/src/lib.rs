//! Commy measured beside its peers and beside what a process does for itself, in the same run.
//!
//! A figure means little on a shared machine, a ratio of two that were taken in turns does. So each workload runs all
//! sides in interleaved rounds ([`measure`]) and reports medians; targets are named beside them, and nothing fails when
//! one is missed.

// Elsewhere there are no other processes to measure, and what they need goes unused.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_mut, unused_variables))]

mod arguments;
mod compare;
mod machine;
mod measure;
mod page;
mod peers;
mod plot;
mod random;
mod report;
mod rows;
mod scratch;
mod series;
mod workloads;

use arguments::{Arguments, Request};
use peers::Presence;
use report::Report;
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;
use workloads::WORKLOADS;
#[cfg(target_os = "linux")]
use workloads::processes;

/// What may go wrong in a workload: anything, and then it ends.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The whole command: measures what the arguments ask for, or compares what was measured.
pub fn run() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.first().map(String::as_str) {
        Some(compare::COMMAND) => compare::run(&words[1..]),
        Some(page::COMMAND) => page::run(&words[1..]),
        Some(workloads::attach::COMMAND) => workloads::attach::play(&words[1..]),
        #[cfg(target_os = "linux")]
        Some(processes::COMMAND) => processes::play(&words[1..]),
        #[cfg(target_os = "linux")]
        Some(peers::crew::COMMAND) => peers::crew::play(&words[1..]),
        #[cfg(target_os = "linux")]
        Some(peers::line::COMMAND) => peers::line::play(&words[1..]),
        _ => measure_all(&words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all(words: &[String]) -> Outcome {
    let mut arguments = match Arguments::parse(words)? {
        Request::Measure(arguments) => arguments,
        Request::Help => {
            print!("{}", arguments::help());
            return Ok(());
        }
    };
    #[cfg(target_os = "linux")]
    scratch::sweep()?;
    machine::keep_freed_memory();
    let begin = Instant::now();
    let mut report = Report::begin(machine::describe());
    for (what, version) in machine::versions() {
        report.note(what, version);
    }
    arguments.find_peers(|peer, presence| match presence {
        Presence::Here(version) => report.note(peer.title, format!("{version}; {}", peer.setup)),
        Presence::Missing(reason) => report.note(peer.title, format!("not installed: {reason}")),
    });
    for workload in WORKLOADS.iter().filter(|workload| arguments.selects(workload.name)) {
        report.workload(workload.name);
        let begin = Instant::now();
        (workload.run)(&arguments, &mut report).map_err(|error| format!("{}: {error}", workload.name))?;
        println!("  ({:.1} s)", begin.elapsed().as_secs_f64());
    }
    report.note("whole run", format!("{:.0} s", begin.elapsed().as_secs_f64()));
    let saved = report.end();
    arguments.tsv.map_or(Ok(()), |path| rows::save(&path, &saved))?;
    arguments.page.map_or(Ok(()), |folder| page::write(&saved, &folder))
}
