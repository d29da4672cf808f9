//! Two runs side by side: the same program on two systems, or two programs on one.

use crate::Outcome;
use crate::rows::{self, Row};
use std::path::Path;

/// The command.
pub(crate) const COMMAND: &str = "compare";

/// Prints the rows of two files that were saved by runs.
pub(crate) fn run(words: &[String]) -> Outcome {
    let [first, second] = words else { return Err(format!("{COMMAND} wants two files of --tsv").into()) };
    let [first, second] = [first, second].map(Path::new);
    let joined = Joined::of(&rows::load(first)?.rows, rows::load(second)?.rows);
    let [first, second] = [first, second].map(|path| path.file_stem().unwrap_or_default().to_string_lossy());
    print!("{}", joined.table(&first, &second));
    Ok(())
}

/// The rows of two runs, in the order of the first.
struct Joined {
    pairs: Vec<(Row, Row)>,
    only_first: Vec<Row>,
    only_second: Vec<Row>,
}

impl Joined {
    fn of(first: &[Row], mut second: Vec<Row>) -> Joined {
        let (mut pairs, mut only_first) = (Vec::new(), Vec::new());
        for row in first {
            match second.iter().position(|other| row.matches(other)) {
                Some(place) => pairs.push((row.clone(), second.remove(place))),
                None => only_first.push(row.clone()),
            }
        }
        Joined { pairs, only_first, only_second: second }
    }

    /// In Markdown; what only one of them has stands below.
    fn table(&self, first: &str, second: &str) -> String {
        let mut text = format!("| workload | operation | beside | {first} | {second} | quotient |\n");
        text += "|---|---|---|--:|--:|--:|\n";
        for (row, other) in &self.pairs {
            let Row { workload, operation, .. } = row;
            let (beside, quotient) = (row.beside(), other.number() / row.number());
            let numbers = [row, other].map(Row::number_text).join(" | ");
            text += &format!("| {workload} | {operation} | {beside} | {numbers} | {quotient:.2} |\n");
        }
        for (name, rows) in [(first, &self.only_first), (second, &self.only_second)] {
            if !rows.is_empty() {
                text += &format!("\nOnly in {name}:\n");
                let line = |row: &Row| format!("* {}: {}: {}\n", row.workload, row.operation, row.number_text());
                text.extend(rows.iter().map(line));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Target;
    use crate::rows::{Other, Unit};

    /// A ratio to what it stands beside, or bytes.
    fn row(operation: &str, beside: &str, number: f64) -> Row {
        let name = (!beside.is_empty()).then(|| beside.to_string());
        let other = name.map(|name| Other { name, figure: 1.0, spread: 0.0, ratio: number });
        let [workload, operation] = ["vec", operation].map(String::from);
        Row { workload, operation, ours: number, unit: Unit::Bytes, spread: 0.0, other, target: Target::None }
    }

    #[test]
    fn rows_are_paired_by_what_they_tell_and_not_by_their_place() {
        let first = [row("get", "Mutex", 0.1), row("get", "no lock", 4.0), row("push", "Mutex", 1.2)];
        let second = [row("push", "Mutex", 1.8), row("get", "no lock", 5.0), row("get", "Mutex", 0.2)];
        let joined = Joined::of(&first, second.to_vec());
        let [c, b, a] = second;
        let [x, y, z] = first;
        assert_eq!(joined.pairs, [(x, a), (y, b), (z, c)]);
        assert!(joined.only_first.is_empty() && joined.only_second.is_empty());
    }

    #[test]
    fn a_row_without_its_like_is_told_apart() {
        let joined =
            Joined::of(&[row("get", "", 1.0), row("lost", "", 2.0)], vec![row("new", "", 3.0), row("get", "", 4.0)]);
        assert_eq!(joined.pairs, [(row("get", "", 1.0), row("get", "", 4.0))]);
        assert_eq!((joined.only_first, joined.only_second), (vec![row("lost", "", 2.0)], vec![row("new", "", 3.0)]));
    }

    #[test]
    fn a_row_is_used_once() {
        let joined = Joined::of(&[row("get", "", 1.0), row("get", "", 2.0)], vec![row("get", "", 3.0)]);
        assert_eq!(joined.pairs.len(), 1);
        assert_eq!(joined.only_first, [row("get", "", 2.0)]);
    }

    #[test]
    fn other_units_are_other_figures() {
        let time = Row { unit: Unit::Nanoseconds, ..row("get", "", 1.0) };
        let joined = Joined::of(&[row("get", "", 1.0)], vec![time]);
        assert!(joined.pairs.is_empty());
    }

    #[test]
    fn the_quotient_is_the_second_by_the_first() {
        let joined = Joined::of(&[row("get", "Vec", 2.0), row("lost", "", 1.0)], vec![row("get", "Vec", 3.0)]);
        let table = joined.table("linux", "wine");
        assert!(table.starts_with("| workload | operation | beside | linux | wine | quotient |\n"), "{table}");
        assert!(table.contains("| vec | get | Vec | 2.00x | 3.00x | 1.50 |\n"), "{table}");
        assert!(table.ends_with("\nOnly in linux:\n* vec: lost: 1.0 B\n"), "{table}");
    }
}
