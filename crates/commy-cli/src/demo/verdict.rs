//! How the demo ended: what the processes counted together beside what one process counts alone.

use super::{Race, text};
use crate::human;
use crate::table::Table;
use commy::{Report, Result};
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

pub(super) struct Verdict {
    shared: Totals,
    alone: Totals,
    /// Words whose counts differ.
    wrong: u64,
    killed: u64,
    killed_at_work: u64,
    parts: u64,
    passes: u64,
    elapsed: Duration,
    slowest: Duration,
    report: Report,
}

#[derive(PartialEq)]
struct Totals {
    words: u64,
    distinct: u64,
}

impl Verdict {
    /// Compares the shared counts with those of a plain `HashMap` and checks the region.
    pub(super) fn reach(race: &Race<'_>, pieces: &[&str]) -> Result<Verdict> {
        let mut expected: HashMap<&str, u64> = HashMap::new();
        for word in pieces.iter().flat_map(|piece| text::words(piece)) {
            *expected.entry(word).or_default() += race.passes;
        }
        let counts = race.board.counts.to_map()?;
        let missing_or_wrong = expected.iter().filter(|&(&word, times)| counts.get(word) != Some(times)).count();
        let invented = counts.keys().filter(|word| !expected.contains_key(word.as_str())).count();
        Ok(Verdict {
            shared: Totals { words: counts.values().sum(), distinct: counts.len() as u64 },
            alone: Totals { words: expected.values().sum(), distinct: expected.len() as u64 },
            wrong: (missing_or_wrong + invented) as u64,
            killed: race.crew.killed,
            killed_at_work: race.crew.killed_at_work,
            parts: race.passes * race.parts_per_pass,
            passes: race.passes,
            elapsed: race.elapsed,
            slowest: race.board.slowest()?,
            report: race.board.region.check()?,
        })
    }

    pub(super) fn is_correct(&self) -> bool {
        self.wrong == 0 && self.shared == self.alone && self.report.is_clean()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (killed, at_work) = (human::count(self.killed), human::count(self.killed_at_work));
        let (parts, passes, seconds) = (human::count(self.parts), self.passes, human::duration(self.elapsed));
        writeln!(f, "{killed} processes killed, {at_work} of them with a part in hand that others took over;")?;
        writeln!(f, "{parts} parts ({passes} passes over the text) counted in {seconds}.\n")?;

        let mut table = Table::new(["", ">WORDS", ">DISTINCT"]);
        let mut row = |name: &str, totals: &Totals| {
            table.push([name.to_string(), human::count(totals.words), human::count(totals.distinct)]);
        };
        row("counted together, SharedHashMap", &self.shared);
        row("counted alone, std HashMap", &self.alone);
        let outcome = if self.wrong == 0 { "equal".to_string() } else { format!("{} words DIFFER", self.wrong) };
        writeln!(f, "{table}{outcome}\n")?;

        let words_per_second = (self.shared.words as f64 / self.elapsed.as_secs_f64()) as u64;
        writeln!(f, "throughput         {} words/s", human::count(words_per_second))?;
        writeln!(f, "longest operation  {} (waiting for a free CPU included)", human::duration(self.slowest))?;
        writeln!(f, "check              {}", self.report)
    }
}
