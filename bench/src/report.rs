//! Lines as they come, and what a run leaves behind.

use crate::measure::{Rounds, Samples, Standings};
use crate::rows::{Other, Row, Saved, Unit};
use std::fmt;

/// What a figure is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// At most this many times the other's figure.
    Ratio(f64),
    /// The other's figure is at least this many times ours.
    Faster(f64),
    /// At most this many nanoseconds.
    Nanoseconds(f64),
    /// At least so many of them a second.
    PerSecond(f64),
    /// Measured because it is good to know.
    None,
}

impl Target {
    /// Whether a figure, and its ratio to another, are what they are to be.
    pub(crate) fn verdict(self, figure: f64, ratio: Option<f64>) -> &'static str {
        let met = match self {
            Target::Ratio(most) => ratio.is_some_and(|ratio| ratio <= most),
            Target::Faster(least) => ratio.is_some_and(|ratio| ratio * least <= 1.0),
            Target::Nanoseconds(most) => figure <= most,
            Target::PerSecond(least) => figure * least <= 1e9,
            Target::None => return "",
        };
        if met { "ok" } else { "MISSED" }
    }

    /// What was found of that which is to be so, as a reader wants it.
    pub(crate) fn found(self, row: &Row) -> String {
        match self {
            Target::Ratio(_) | Target::Faster(_) => row.number_text(),
            Target::PerSecond(_) => format!("{:.2} million a second", 1e3 / row.ours),
            Target::Nanoseconds(_) | Target::None => row.unit.text(row.ours),
        }
    }

    /// As a reader wants it.
    pub(crate) fn text(self) -> String {
        match self {
            Target::Nanoseconds(most) => format!("≤ {}", Unit::Nanoseconds.text(most)),
            Target::PerSecond(least) => format!("≥ {} million a second", least / 1e6),
            _ => self.to_string(),
        }
    }

    /// What [`Display`](fmt::Display) wrote.
    pub(crate) fn parse(text: &str) -> Option<Target> {
        if text.is_empty() {
            return Some(Target::None);
        }
        let number = |before: &str, behind: &str| -> Option<f64> {
            text.strip_prefix(before)?.strip_suffix(behind)?.parse().ok()
        };
        let ratio = number("≤ ", "x").map(Target::Ratio);
        let faster = || number("≥ ", "x faster").map(Target::Faster);
        let time = || number("≤ ", " ns").map(Target::Nanoseconds);
        ratio.or_else(faster).or_else(time).or_else(|| number("≥ ", " a second").map(Target::PerSecond))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Ratio(most) => write!(f, "≤ {most}x"),
            Target::Faster(least) => write!(f, "≥ {least}x faster"),
            Target::Nanoseconds(most) => write!(f, "≤ {most} ns"),
            Target::PerSecond(least) => write!(f, "≥ {least} a second"),
            Target::None => Ok(()),
        }
    }
}

/// One line of the report: a row that does not know its workload.
pub(crate) struct Line(Row);

impl Line {
    pub(crate) fn new(what: impl Into<String>, unit: Unit, ours: f64, other: Option<Other>, target: Target) -> Line {
        Line(Row { workload: String::new(), operation: what.into(), ours, unit, spread: 0.0, other, target })
    }

    /// Times of interleaved rounds: side 0 is Commy's, side `limit` the one to be compared with.
    pub(crate) fn of_rounds<const SIDES: usize>(
        what: impl Into<String>,
        rounds: &Rounds<SIDES>,
        limit: usize,
        name: &str,
        target: Target,
    ) -> Line {
        let (ours, theirs) = (rounds.samples(0), rounds.samples(limit));
        Line::of_samples(what, &ours, Some((name, &theirs, rounds.ratio(0, limit))), target)
    }

    /// Times of interleaved rounds beside those of something else, and the ratio to it.
    pub(crate) fn of_samples(
        what: impl Into<String>,
        ours: &Samples,
        other: Option<(&str, &Samples, f64)>,
        target: Target,
    ) -> Line {
        let other = other.map(|(name, theirs, ratio)| Other {
            name: name.into(),
            figure: theirs.median(),
            spread: theirs.spread(),
            ratio,
        });
        let Line(row) = Line::new(what, Unit::Nanoseconds, ours.median(), other, target);
        Line(Row { spread: ours.spread(), ..row })
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
        let spread = |samples: &Samples| if part == 0.5 { samples.spread() } else { 0.0 };
        let other = limit.map(|(name, limit)| {
            let theirs = limit.quantile(part);
            Other { name: name.into(), figure: theirs, spread: spread(limit), ratio: figure / theirs }
        });
        let Line(row) = Line::new(what, Unit::Nanoseconds, figure, other, target);
        Line(Row { spread: spread(ours), ..row })
    }
}

/// A share as a reader wants it: half of it to either side.
pub(crate) fn spread_text(spread: f64) -> String {
    if spread == 0.0 { String::new() } else { format!("±{:.0}%", spread * 50.0) }
}

/// All that a run has found so far.
pub(crate) struct Report {
    saved: Saved,
    workload: &'static str,
}

impl Report {
    pub(crate) fn begin(machine: String) -> Report {
        println!("{machine}");
        Report { saved: Saved { notes: vec![("machine".into(), machine)], rows: Vec::new() }, workload: "" }
    }

    /// What is no figure, for the page.
    pub(crate) fn note(&mut self, key: impl Into<String>, text: impl Into<String>) {
        let (key, text) = (key.into(), text.into());
        println!("{key}: {text}");
        self.saved.notes.push((key, text));
    }

    pub(crate) fn workload(&mut self, name: &'static str) {
        println!("\n{name}");
        self.workload = name;
    }

    /// Prints a line, and keeps it for the table.
    pub(crate) fn add(&mut self, Line(row): Line) {
        let row = Row { workload: self.workload.into(), ..row };
        let other = row.other.as_ref();
        let other = other.map_or_else(String::new, |other| format!("{}: {}", other.name, row.unit.text(other.figure)));
        let text = format!(
            "  {:44} {:>9} {:>5}  {other:42} {:>7}  {:>9}  {}",
            row.operation,
            row.unit.text(row.ours),
            spread_text(row.spread),
            row.other.as_ref().map_or_else(String::new, |_| row.number_text()),
            row.target.text(),
            row.verdict()
        );
        println!("{}", text.trim_end());
        self.saved.rows.push(row);
    }

    /// A line for each of the others in a race: side `ours` beside it. `targets` names some of them; a target for nobody is
    /// one of our own figure.
    pub(crate) fn add_race(&mut self, what: &str, race: &Standings, ours: usize, targets: &[(&str, Target)]) {
        let times = race.samples(ours);
        let target =
            |name: &str| targets.iter().find(|(of, _)| *of == name).map_or(Target::None, |(_, target)| *target);
        let alone = race.others().next().is_none();
        if alone || target("") != Target::None {
            self.add(Line::of_samples(what, &times, None, target("")));
        }
        for (side, name) in race.others() {
            let other = Some((name, &race.samples(side), race.ratio(ours, side)));
            self.add(Line::of_samples(what, &times, other, target(name)));
        }
        for (name, why) in race.failures() {
            self.note(format!("{name} in {}: {what}", self.workload), format!("failed: {why}"));
        }
    }

    /// Says how many targets were missed; what is to be saved.
    pub(crate) fn end(self) -> Saved {
        let verdicts = || self.saved.rows.iter().map(Row::verdict);
        let count = |wanted: &str| verdicts().filter(|verdict| *verdict == wanted).count();
        println!("\n{} targets met, {} missed", count("ok"), count("MISSED"));
        self.saved
    }
}
