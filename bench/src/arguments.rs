//! The command line.

use crate::Outcome;
use crate::workloads::WORKLOADS;
use std::path::PathBuf;

/// What the command line asks for.
pub(crate) enum Request {
    Help,
    Measure(Arguments),
}

/// How to measure.
#[derive(Debug, Clone)]
pub(crate) struct Arguments {
    names: Vec<String>,
    pub(crate) markdown: bool,
    /// Where the rows go, for `compare`.
    pub(crate) tsv: Option<PathBuf>,
    /// A hundredth of everything: shows that the workloads run, and nothing else.
    pub(crate) quick: bool,
    pub(crate) seed: u64,
    pub(crate) kills: usize,
    pub(crate) large_kills: usize,
    rounds: Option<usize>,
}

impl Arguments {
    /// # Errors
    /// A word that is neither an option nor a workload.
    pub(crate) fn parse(words: &[String]) -> Outcome<Request> {
        let mut arguments = Arguments {
            names: Vec::new(),
            markdown: false,
            tsv: None,
            quick: false,
            seed: 1,
            kills: 200,
            large_kills: 30,
            rounds: None,
        };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut number = || -> Outcome<u64> {
                let value = words.next().ok_or_else(|| format!("{word} wants a number"))?;
                Ok(value.parse().map_err(|_| format!("{word} wants a number, not `{value}`"))?)
            };
            match word {
                "--help" | "-h" => return Ok(Request::Help),
                // Cargo's own.
                "--bench" => {}
                "--markdown" => arguments.markdown = true,
                "--tsv" => arguments.tsv = Some(words.next().ok_or("--tsv wants a file")?.into()),
                "--quick" => arguments.quick = true,
                "--seed" => arguments.seed = number()?,
                "--kills" => arguments.kills = number()? as usize,
                "--large-kills" => arguments.large_kills = number()? as usize,
                "--rounds" => arguments.rounds = Some(number()?.max(1) as usize),
                name if WORKLOADS.iter().any(|workload| workload.name == name) => arguments.names.push(name.into()),
                _ => return Err(format!("no workload or option `{word}`; see --help").into()),
            }
        }
        if arguments.quick {
            (arguments.kills, arguments.large_kills) = (arguments.kills.min(2), arguments.large_kills.min(1));
        }
        Ok(Request::Measure(arguments))
    }

    pub(crate) fn selects(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|selected| selected == name)
    }

    /// `count`, or a hundredth of it.
    pub(crate) fn scaled(&self, count: usize) -> usize {
        if self.quick { (count / 100).max(1) } else { count }
    }

    /// How many rounds to take where `usual` are enough.
    pub(crate) fn rounds(&self, usual: usize) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { usual })
    }
}

/// The text of `--help`.
pub(crate) fn help() -> String {
    let width = WORKLOADS.iter().map(|workload| workload.name.len()).max().unwrap_or(0);
    let lines = WORKLOADS.iter().map(|workload| format!("  {:width$}  {}\n", workload.name, workload.about));
    format!(
        "usage: bench [OPTIONS] [WORKLOAD]...\n\
         \x20      bench compare FILE FILE    two runs that were saved by --tsv, side by side\n\n\
         Workloads (all, if none is named):\n{}\n\
         Options:\n\
         \x20 --markdown         print a table at the end\n\
         \x20 --tsv FILE         save the figures there, a line each: workload, operation, beside what, number, unit\n\
         \x20 --rounds N         take N rounds where a workload takes rounds\n\
         \x20 --seed N           seed of keys and orders (1)\n\
         \x20 --kills N          kills of `recovery` (200)\n\
         \x20 --large-kills N    kills of `recovery` with 2 GiB to tear down (30; each costs a second)\n\
         \x20 --quick            a hundredth of everything, to see that it runs\n",
        lines.collect::<String>()
    )
}
