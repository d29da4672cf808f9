//! What a run found, as lines for other programs: one for each figure, its fields separated by tabs.
//!
//! ```text
//! workload  operation  what it stands beside, or nothing  number  unit: x (a ratio), ns or B
//! ```

use crate::Outcome;
use std::fmt;
use std::fs;
use std::path::Path;

/// One figure of a run: the ratio to the limit, or where there is none the figure itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) operation: String,
    pub(crate) beside: String,
    pub(crate) number: f64,
    pub(crate) unit: String,
}

impl Row {
    /// True if both tell the same of two runs.
    pub(crate) fn matches(&self, other: &Row) -> bool {
        self.key() == other.key()
    }

    fn key(&self) -> [&str; 4] {
        [&self.workload, &self.operation, &self.beside, &self.unit]
    }

    /// # Errors
    /// A line of another form.
    fn parse(line: &str) -> Outcome<Row> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [workload, operation, beside, number, unit] = fields[..] else {
            return Err(format!("{} fields where 5 belong: `{line}`", fields.len()).into());
        };
        let number = number.parse().map_err(|_| format!("`{number}` is no number: `{line}`"))?;
        let [workload, operation, beside, unit] = [workload, operation, beside, unit].map(String::from);
        Ok(Row { workload, operation, beside, number, unit })
    }
}

/// As a line, without its end.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { workload, operation, beside, number, unit } = self;
        write!(f, "{workload}\t{operation}\t{beside}\t{number}\t{unit}")
    }
}

/// Writes a file that [`load`] reads.
pub(crate) fn save(path: &Path, rows: &[Row]) -> Outcome {
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs::write(path, lines).map_err(|error| named(path, error))
}

/// # Errors
/// The file cannot be read, or has a line of another form.
pub(crate) fn load(path: &Path) -> Outcome<Vec<Row>> {
    let text = fs::read_to_string(path).map_err(|error| named(path, error))?;
    text.lines().map(|line| Row::parse(line).map_err(|error| named(path, error))).collect()
}

fn named(path: &Path, error: impl fmt::Display) -> Box<dyn std::error::Error> {
    format!("{}: {error}", path.display()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_its_row_does() {
        for (beside, number, unit) in [("Vec, no lock", 1.0 / 3.0, "x"), ("", 98_000.0, "ns")] {
            let [workload, operation, beside, unit] = ["vec-read", "get, random", beside, unit].map(String::from);
            let row = Row { workload, operation, beside, number, unit };
            assert_eq!(Row::parse(&row.to_string()).unwrap(), row);
        }
    }

    #[test]
    fn a_line_of_another_form_is_refused() {
        for line in ["", "a\tb\tc\t1", "a\tb\tc\tmuch\tx", "a\tb\tc\t1\tx\t"] {
            let error = Row::parse(line).unwrap_err().to_string();
            assert!(error.contains(&format!("`{line}`")), "{error}");
        }
    }
}
