//! What a run found, as lines for other programs: one for each figure, its fields separated by tabs.
//!
//! ```text
//! # key  text                            a note: the machine, a version, a peer that is missing
//! workload  operation  beside  ours  unit  spread  theirs  their spread  ratio  target
//! ```
//!
//! `beside` is what the figure stands beside; with none, it and the three fields that belong to it are empty. The unit
//! is ns or B, spreads are shares of a figure.

use crate::Outcome;
use crate::report::Target;
use std::fmt;
use std::fs;
use std::path::Path;

/// All that a run says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Saved {
    /// What is no figure: a key and a text.
    pub(crate) notes: Vec<(String, String)>,
    pub(crate) rows: Vec<Row>,
}

/// One figure of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) operation: String,
    pub(crate) ours: f64,
    pub(crate) unit: Unit,
    /// As a share of the figure; 0 for what does not vary.
    pub(crate) spread: f64,
    pub(crate) other: Option<Other>,
    pub(crate) target: Target,
}

/// What a figure stands beside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Other {
    pub(crate) name: String,
    pub(crate) figure: f64,
    pub(crate) spread: f64,
    /// How many times as much ours is: the median of the ratios of the rounds, not the ratio of the medians.
    pub(crate) ratio: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    Bytes,
}

impl Unit {
    const ALL: [(Unit, &str); 2] = [(Unit::Nanoseconds, "ns"), (Unit::Bytes, "B")];

    pub(crate) fn name(self) -> &'static str {
        Unit::ALL.iter().find(|(unit, _)| *unit == self).map_or("", |(_, name)| name)
    }

    /// A value as a reader wants it.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Unit::Bytes => format!("{value:.1} B"),
            Unit::Nanoseconds if value < 100.0 => format!("{value:.2} ns"),
            Unit::Nanoseconds if value < 1e4 => format!("{value:.0} ns"),
            Unit::Nanoseconds if value < 1e6 => format!("{:.0} µs", value / 1e3),
            Unit::Nanoseconds => format!("{:.2} ms", value / 1e6),
        }
    }
}

impl Row {
    /// True if both tell the same of two runs.
    pub(crate) fn matches(&self, other: &Row) -> bool {
        self.key() == other.key()
    }

    fn key(&self) -> (&str, &str, &str, Unit) {
        (&self.workload, &self.operation, self.beside(), self.unit)
    }

    /// The name of what it stands beside, or nothing.
    pub(crate) fn beside(&self) -> &str {
        self.other.as_ref().map_or("", |other| &other.name)
    }

    /// What can be compared between machines: the ratio, or where there is none the figure itself.
    pub(crate) fn number(&self) -> f64 {
        self.other.as_ref().map_or(self.ours, |other| other.ratio)
    }

    /// [`number`](Self::number) with its unit.
    pub(crate) fn number_text(&self) -> String {
        self.other.as_ref().map_or_else(|| self.unit.text(self.ours), |other| format!("{:.2}x", other.ratio))
    }

    /// Whether the target is met, if there is one.
    pub(crate) fn verdict(&self) -> &'static str {
        self.target.verdict(self.ours, self.other.as_ref().map(|other| other.ratio))
    }

    /// # Errors
    /// A line of another form.
    fn parse(line: &str) -> Outcome<Row> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [workload, operation, beside, ours, unit, spread, theirs, their_spread, ratio, target] = fields[..] else {
            return Err(format!("{} fields where 10 belong: `{line}`", fields.len()).into());
        };
        let number =
            |text: &str| -> Outcome<f64> { Ok(text.parse().map_err(|_| format!("`{text}` is no number: `{line}`"))?) };
        let unit = Unit::ALL.iter().find(|(_, name)| *name == unit);
        let (unit, _) = unit.ok_or_else(|| format!("no such unit: `{line}`"))?;
        let other = match beside {
            "" => None,
            name => Some(Other {
                name: name.into(),
                figure: number(theirs)?,
                spread: number(their_spread)?,
                ratio: number(ratio)?,
            }),
        };
        let target = Target::parse(target).ok_or_else(|| format!("no such target: `{line}`"))?;
        let [workload, operation] = [workload, operation].map(String::from);
        Ok(Row { workload, operation, ours: number(ours)?, unit: *unit, spread: number(spread)?, other, target })
    }
}

/// As a line, without its end.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { workload, operation, ours, unit, spread, other, target } = self;
        write!(f, "{workload}\t{operation}\t{}\t{ours}\t{}\t{spread}\t", self.beside(), unit.name())?;
        match other {
            Some(Other { figure, spread, ratio, .. }) => write!(f, "{figure}\t{spread}\t{ratio}")?,
            None => write!(f, "\t\t")?,
        }
        write!(f, "\t{target}")
    }
}

/// Writes a file that [`load`] reads.
pub(crate) fn save(path: &Path, saved: &Saved) -> Outcome {
    let notes = saved.notes.iter().map(|(key, text)| format!("# {key}\t{text}\n"));
    let lines: String = notes.chain(saved.rows.iter().map(|row| format!("{row}\n"))).collect();
    fs::write(path, lines).map_err(|error| named(path, error))
}

/// # Errors
/// The file cannot be read, or has a line of another form.
pub(crate) fn load(path: &Path) -> Outcome<Saved> {
    let text = fs::read_to_string(path).map_err(|error| named(path, error))?;
    let mut saved = Saved::default();
    for line in text.lines() {
        match line.strip_prefix("# ").and_then(|note| note.split_once('\t')) {
            Some((key, text)) => saved.notes.push((key.into(), text.into())),
            None => saved.rows.push(Row::parse(line).map_err(|error| named(path, error))?),
        }
    }
    Ok(saved)
}

fn named(path: &Path, error: impl fmt::Display) -> Box<dyn std::error::Error> {
    format!("{}: {error}", path.display()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(other: Option<Other>, target: Target) -> Row {
        let [workload, operation] = ["vec-read", "get, random"].map(String::from);
        Row { workload, operation, ours: 98_000.5, unit: Unit::Nanoseconds, spread: 0.25, other, target }
    }

    #[test]
    fn a_line_tells_what_its_row_does() {
        let other = Other { name: "Vec, no lock".into(), figure: 3.0, spread: 0.5, ratio: 1.0 / 3.0 };
        let targets =
            [Target::None, Target::Ratio(1.3), Target::Faster(8.0), Target::Nanoseconds(5.0), Target::PerSecond(5e6)];
        for target in targets {
            for row in [row(None, target), row(Some(other.clone()), target)] {
                assert_eq!(Row::parse(&row.to_string()).unwrap(), row);
            }
        }
    }

    #[test]
    fn a_line_of_another_form_is_refused() {
        let good = row(None, Target::None).to_string();
        for line in ["", "a\tb\tc\t1", &good.replace("98000.5", "much"), &good.replace("ns", "kg"), &(good + "\t")] {
            let error = Row::parse(line).unwrap_err().to_string();
            assert!(error.contains(&format!("`{line}`")), "{error}");
        }
    }
}
