//! Lines as they come, and the table at the end.

use crate::measure::{Rounds, Samples};
use crate::rows::Row;
use std::fmt;

/// A measured value with its unit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Quantity {
    Nanoseconds(f64),
    Bytes(f64),
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Quantity::Bytes(bytes) => format!("{bytes:.1} B"),
            Quantity::Nanoseconds(time) if time < 100.0 => format!("{time:.2} ns"),
            Quantity::Nanoseconds(time) if time < 1e4 => format!("{time:.0} ns"),
            Quantity::Nanoseconds(time) if time < 1e6 => format!("{:.0} µs", time / 1e3),
            Quantity::Nanoseconds(time) => format!("{:.2} ms", time / 1e6),
        };
        f.pad(&text)
    }
}

/// What a figure is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// At most this many times the limit's figure.
    Ratio(f64),
    /// At most this many nanoseconds.
    Nanoseconds(f64),
    /// Measured because it is good to know.
    None,
}

/// The figure of what a process does for itself.
pub(crate) struct Limit {
    pub(crate) name: &'static str,
    pub(crate) figure: Quantity,
    pub(crate) ratio: f64,
}

/// One line of the report.
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) figure: Quantity,
    /// As a share of the figure; 0 for what does not vary.
    pub(crate) spread: f64,
    pub(crate) limit: Option<Limit>,
    pub(crate) target: Target,
}

impl Line {
    /// Times of interleaved rounds: side 0 is Commy's, side `limit` the one to be compared with.
    pub(crate) fn of_rounds<const SIDES: usize>(
        what: impl Into<String>,
        rounds: &Rounds<SIDES>,
        limit: usize,
        name: &'static str,
        target: Target,
    ) -> Line {
        let ours = rounds.samples(0);
        let figure = Quantity::Nanoseconds(rounds.samples(limit).median());
        Line {
            what: what.into(),
            figure: Quantity::Nanoseconds(ours.median()),
            spread: ours.spread(),
            limit: Some(Limit { name, figure, ratio: rounds.ratio(0, limit) }),
            target,
        }
    }

    /// One quantile of times beside the same quantile of the limit's.
    pub(crate) fn of_quantile(
        what: impl Into<String>,
        part: f64,
        ours: &Samples,
        limit: Option<(&'static str, &Samples)>,
        target: Target,
    ) -> Line {
        let figure = ours.quantile(part);
        let limit = limit.map(|(name, limit)| {
            let theirs = limit.quantile(part);
            Limit { name, figure: Quantity::Nanoseconds(theirs), ratio: figure / theirs }
        });
        let spread = if part == 0.5 { ours.spread() } else { 0.0 };
        Line { what: what.into(), figure: Quantity::Nanoseconds(figure), spread, limit, target }
    }

    fn row(&self, workload: &str) -> Row {
        let (beside, number, unit) = match (&self.limit, self.figure) {
            (Some(limit), _) => (limit.name, limit.ratio, "x"),
            (None, Quantity::Nanoseconds(time)) => ("", time, "ns"),
            (None, Quantity::Bytes(bytes)) => ("", bytes, "B"),
        };
        let [workload, beside, unit] = [workload, beside, unit].map(String::from);
        Row { workload, operation: self.what.clone(), beside, number, unit }
    }

    fn ratio(&self) -> String {
        self.limit.as_ref().map_or_else(String::new, |limit| format!("{:.2}x", limit.ratio))
    }

    fn target(&self) -> String {
        match self.target {
            Target::Ratio(most) => format!("≤ {most}x"),
            Target::Nanoseconds(most) => format!("≤ {}", Quantity::Nanoseconds(most)),
            Target::None => String::new(),
        }
    }

    fn verdict(&self) -> &'static str {
        let met = match self.target {
            Target::Ratio(most) => self.limit.as_ref().is_some_and(|limit| limit.ratio <= most),
            Target::Nanoseconds(most) => matches!(self.figure, Quantity::Nanoseconds(time) if time <= most),
            Target::None => return "",
        };
        if met { "ok" } else { "MISSED" }
    }

    fn spread(&self) -> String {
        if self.spread == 0.0 { String::new() } else { format!("±{:.0}%", self.spread * 50.0) }
    }
}

/// All lines of a run.
pub(crate) struct Report {
    machine: String,
    workload: &'static str,
    lines: Vec<(&'static str, Line)>,
}

impl Report {
    pub(crate) fn begin(machine: String) -> Report {
        println!("{machine}");
        Report { machine, workload: "", lines: Vec::new() }
    }

    pub(crate) fn workload(&mut self, name: &'static str) {
        println!("\n{name}");
        self.workload = name;
    }

    /// Prints a line, and keeps it for the table.
    pub(crate) fn add(&mut self, line: Line) {
        let limit = line.limit.as_ref().map_or_else(String::new, |limit| format!("{}: {}", limit.name, limit.figure));
        let text = format!(
            "  {:44} {:>9} {:>5}  {:42} {:>7}  {:>9}  {}",
            line.what,
            line.figure,
            line.spread(),
            limit,
            line.ratio(),
            line.target(),
            line.verdict()
        );
        println!("{}", text.trim_end());
        self.lines.push((self.workload, line));
    }

    /// Says how many targets were missed; prints the table if it is wanted.
    pub(crate) fn end(&self, markdown: bool) {
        let verdicts = || self.lines.iter().map(|(_, line)| line.verdict());
        let count = |wanted: &str| verdicts().filter(|verdict| *verdict == wanted).count();
        println!("\n{} targets met, {} missed", count("ok"), count("MISSED"));
        if markdown {
            self.print_table();
        }
    }

    /// The same for other programs.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.lines.iter().map(|(workload, line)| line.row(workload)).collect()
    }

    fn print_table(&self) {
        println!("\n{}\n", self.machine);
        println!("| workload | operation | Commy | in one process | ratio | target | |");
        println!("|---|---|--:|--:|--:|--:|---|");
        for (workload, line) in &self.lines {
            let limit = line.limit.as_ref();
            let limit = limit.map_or_else(String::new, |limit| format!("{} ({})", limit.figure, limit.name));
            let cells = [line.what.clone(), format!("{} {}", line.figure, line.spread()).trim_end().into(), limit];
            let cells = [cells.join(" | "), line.ratio(), line.target(), line.verdict().into()].join(" | ");
            println!("| {workload} | {cells} |");
        }
    }
}
