//! Figures that belong together because only a number differs: `get, 1000 entries`, `get, 10000 entries`, .. are the series
//! `get` by entries.

use crate::rows::{Row, Unit};

/// So many points are worth a picture with lines.
const FEW: usize = 3;
/// So many make the bars of the same figures worthless.
const MANY: usize = 5;
/// What the numbers of a distribution count: its figures grow with them by their nature.
pub(crate) const OF_ALL: &str = "% below";
/// A figure that is so many times the one before it is a knee.
const KNEE: f64 = 1.4;

/// One line: what an operation costs one side.
#[derive(Debug)]
pub(crate) struct Series<'a> {
    pub(crate) name: &'a str,
    /// Commy, or what it stands beside.
    pub(crate) side: &'a str,
    /// Number and figure, in the order of the numbers.
    pub(crate) points: Vec<(f64, f64)>,
}

/// All lines of a workload over the same numbers.
#[derive(Debug)]
pub(crate) struct Chart<'a> {
    /// What the numbers count.
    pub(crate) by: &'a str,
    pub(crate) unit: Unit,
    pub(crate) series: Vec<Series<'a>>,
}

/// Takes `get, up to 1000 entries` apart: the name, the number, what it counts.
pub(crate) fn place(operation: &str) -> Option<(&str, f64, &str)> {
    let (name, rest) = operation.rsplit_once(", ")?;
    let (number, by) = rest.strip_prefix("up to ").unwrap_or(rest).split_once(' ')?;
    Some((name, number.parse().ok()?, by))
}

impl<'a> Chart<'a> {
    /// Those of a workload.
    pub(crate) fn all(rows: &[&'a Row]) -> Vec<Chart<'a>> {
        let mut charts: Vec<Chart> = Vec::new();
        for row in rows {
            let Some((name, number, by)) = place(&row.operation) else { continue };
            let known = charts.iter().position(|chart| (chart.by, chart.unit) == (by, row.unit));
            let chart = known.unwrap_or_else(|| {
                charts.push(Chart { by, unit: row.unit, series: Vec::new() });
                charts.len() - 1
            });
            charts[chart].add(name, "Commy", (number, row.ours));
            if let Some(other) = &row.other {
                charts[chart].add(name, &other.name, (number, other.figure));
            }
        }
        for chart in &mut charts {
            chart.series.iter_mut().for_each(|series| series.points.sort_by(|a, b| a.0.total_cmp(&b.0)));
            chart.series.retain(|series| series.points.len() >= FEW);
        }
        charts.retain(|chart| !chart.series.is_empty());
        charts
    }

    fn add(&mut self, name: &'a str, side: &'a str, point: (f64, f64)) {
        let known = self.series.iter().position(|series| (series.name, series.side) == (name, side));
        let place = known.unwrap_or_else(|| {
            self.series.push(Series { name, side, points: Vec::new() });
            self.series.len() - 1
        });
        // Commy's figure stands in a row for each of those that it stands beside.
        let points = &mut self.series[place].points;
        if points.iter().all(|known| known.0 != point.0) {
            points.push(point);
        }
    }

    /// Whether a figure is part of a line so long that a bar for each of its points says nothing more.
    pub(crate) fn says_all_of(&self, row: &Row) -> bool {
        let Some((name, _, by)) = place(&row.operation) else { return false };
        by == self.by && self.series.iter().any(|series| series.name == name && series.points.len() >= MANY)
    }
}

impl Series<'_> {
    /// Begin and end of the line, and where it bends most, in words.
    pub(crate) fn tell(&self, by: &str, unit: Unit) -> String {
        let [first, .., last] = self.points.as_slice() else { return String::new() };
        let at = |(number, figure): &(f64, f64)| format!("{} at {}", unit.text(*figure), count(*number));
        let mut text = format!("from {} to {} {by}", at(first), at(last));
        let steps = self.points.windows(2).filter(|pair| pair[1].1 >= pair[0].1 * KNEE);
        let knees: Vec<String> = steps
            .map(|pair| format!("{:.1}x from {} to {}", pair[1].1 / pair[0].1, count(pair[0].0), count(pair[1].0)))
            .collect();
        text += &if knees.is_empty() { "; no knee".into() } else { format!("; knees: {}", knees.join(", ")) };
        text
    }
}

/// A count as a reader wants it.
pub(crate) fn count(number: f64) -> String {
    let mut digits = format!("{number:.0}");
    let mut at = digits.len();
    while at > 3 && number >= 1e4 {
        at -= 3;
        digits.insert(at, ',');
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Target;
    use crate::rows::Other;

    fn row(operation: &str, ours: f64, other: Option<(&str, f64)>) -> Row {
        let other = other.map(|(name, figure)| Other { name: name.into(), figure, spread: 0.0, ratio: 1.0 });
        let (workload, operation) = ("scale".into(), operation.into());
        Row { workload, operation, ours, unit: Unit::Nanoseconds, spread: 0.0, other, target: Target::None }
    }

    #[test]
    fn an_operation_is_taken_apart_at_its_number() {
        assert_eq!(place("get, 1000 entries"), Some(("get", 1000.0, "entries")));
        assert_eq!(place("a page appended, up to 64 MiB"), Some(("a page appended", 64.0, "MiB")));
        assert_eq!(place("95 % get, 5 % insert, 2 at once"), Some(("95 % get, 5 % insert", 2.0, "at once")));
        for other in ["get, key there", "get", "insert, from empty", "get, 8 beside"] {
            assert_eq!(place(other).filter(|(_, _, by)| *by != "beside"), None, "{other}");
        }
    }

    #[test]
    fn lines_are_made_of_what_differs_by_a_number_alone() {
        let rows: Vec<Row> = [(10, 4.0), (1000, 9.0), (100, 4.4)]
            .into_iter()
            .flat_map(|(entries, figure)| {
                let operation = format!("get, {entries} entries");
                let [a, b] = [("HashMap", 2.0), ("Boost", 80.0)].map(|other| row(&operation, figure, Some(other)));
                [a, b, row("get, key there", 1.0, None)]
            })
            .collect();
        let charts = Chart::all(&rows.iter().collect::<Vec<_>>());
        let [chart] = charts.as_slice() else { panic!("{charts:?}") };
        let sides: Vec<&str> = chart.series.iter().map(|series| series.side).collect();
        assert_eq!((chart.by, sides), ("entries", vec!["Commy", "HashMap", "Boost"]));
        assert_eq!(chart.series[0].points, [(10.0, 4.0), (100.0, 4.4), (1000.0, 9.0)]);
        let told = chart.series[0].tell("entries", Unit::Nanoseconds);
        assert_eq!(told, "from 4.00 ns at 10 to 9.00 ns at 1000 entries; knees: 2.0x from 100 to 1000");
        assert!(chart.series[1].tell("entries", Unit::Nanoseconds).ends_with("; no knee"));
        assert!(!chart.says_all_of(&rows[0]), "three bars are not too many");
    }

    #[test]
    fn a_count_can_be_read() {
        assert_eq!([1.0, 1000.0, 10_000.0, 1e8].map(count), ["1", "1000", "10,000", "100,000,000"]);
    }
}
