//! The page about performance, from what a run has saved. Nothing of it is measured or written by hand: `remarks.md` beside
//! this file says why figures are as they are, and takes each figure that it names from the run, too.

use crate::Outcome;
use crate::peers::is_shared;
use crate::plot;
use crate::report::{Target, spread_text};
use crate::rows::{self, Row, Saved};
use crate::series::{Chart, OF_ALL};
use std::fs;
use std::path::Path;

/// The command.
pub(crate) const COMMAND: &str = "report";
const REMARKS: &str = include_str!("remarks.md");

/// Writes the page of a run that was saved.
pub(crate) fn run(words: &[String]) -> Outcome {
    let (file, folder) = match words {
        [file] => (file, "docs"),
        [file, folder] => (file, folder.as_str()),
        _ => return Err(format!("{COMMAND} wants a file of --tsv, and perhaps a folder").into()),
    };
    write(&rows::load(Path::new(file))?, Path::new(folder))
}

/// Writes `performance.md` and `plots/` in a folder.
pub(crate) fn write(saved: &Saved, folder: &Path) -> Outcome {
    let (page, plots) = (folder.join("performance.md"), folder.join("plots"));
    // Of an earlier run with other workloads.
    if plots.is_dir() {
        fs::remove_dir_all(&plots)?;
    }
    fs::create_dir_all(&plots)?;
    for workload in workloads(&saved.rows) {
        for (name, picture) in pictures(workload, &of_workload(&saved.rows, workload)) {
            fs::write(plots.join(name), picture)?;
        }
    }
    fs::write(&page, text(saved))?;
    println!("wrote {} and {}", page.display(), plots.display());
    Ok(())
}

/// The pictures of a workload, with the names of their files.
fn pictures(workload: &str, rows: &[&Row]) -> Vec<(String, String)> {
    let bars = plot::bars(workload, rows).map(|picture| (format!("{workload}.svg"), picture));
    let charts = Chart::all(rows);
    let lines = charts.iter().map(|chart| {
        let words = chart.by.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let by = words.collect::<Vec<_>>().join("-");
        (format!("{workload}-by-{by}.svg"), plot::lines(workload, chart))
    });
    bars.into_iter().chain(lines).collect()
}

fn text(saved: &Saved) -> String {
    let mut text = String::from(
        "# Performance\n\n\
         Measured and written by `cargo xtask bench --page docs`. All sides run in the \
         same run, in interleaved rounds; a figure is the median of its rounds with half the width of their \
         middle half behind it, a ratio is the median of the rounds' ratios: how many times as long Commy takes, so \
         below 1 Commy is faster. Every result is verified. Only the ratios say something about other machines.\n\n",
    );
    for (key, note) in &saved.notes {
        text += &format!("* {key}: {note}\n");
    }
    text += &losses(&saved.rows);
    text += &targets(&saved.rows);
    text += &remarks(REMARKS, &saved.rows);
    text += &growth(&saved.rows);
    text += "## Figures\n\n";
    for workload in workloads(&saved.rows) {
        text += &table(workload, &of_workload(&saved.rows, workload));
    }
    text
}

/// The remarks, with the run's figures for `{{workload: operation}}` and its ratios for `{{workload: operation | beside}}`,
/// also across the end of a line.
fn remarks(template: &str, rows: &[Row]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, (wanted, behind))) =
        rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        text += before;
        let wanted = wanted.split_whitespace().collect::<Vec<_>>().join(" ");
        text += &named(&wanted, rows).unwrap_or_else(|| "(not in this run)".into());
        rest = behind;
    }
    text + rest + "\n"
}

fn named(wanted: &str, rows: &[Row]) -> Option<String> {
    let (workload, operation) = wanted.split_once(": ")?;
    let (operation, beside) = operation.split_once(" | ").map_or((operation, None), |(what, name)| (what, Some(name)));
    let mut found = rows.iter().filter(|row| (row.workload.as_str(), row.operation.as_str()) == (workload, operation));
    match beside {
        Some(name) => found.find(|row| row.beside() == name).map(Row::number_text),
        None => found.next().map(|row| row.unit.text(row.ours)),
    }
}

/// What each operation costs as something grows, in words.
fn growth(rows: &[Row]) -> String {
    let mut text = String::from("## How cost grows\n\nA knee is a step to 1.4 times as much, or more.\n\n");
    for workload in workloads(rows) {
        let rows = of_workload(rows, workload);
        for chart in Chart::all(&rows).iter().filter(|chart| chart.by != OF_ALL) {
            for series in chart.series.iter().filter(|series| series.side == "Commy") {
                text += &format!("* {workload}, {}: {}\n", series.name, series.tell(chart.by, chart.unit));
            }
        }
    }
    text + "\n"
}

/// The names of the workloads, in the order in which they ran.
fn workloads(rows: &[Row]) -> Vec<&str> {
    unique(rows.iter().map(|row| row.workload.as_str()))
}

fn of_workload<'a>(rows: &'a [Row], workload: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row.workload == workload).collect()
}

/// Each of them once, in the order of their first appearance.
fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// Where another is faster, the worst first.
fn losses(rows: &[Row]) -> String {
    let mut text = String::from("\n## Where Commy loses\n");
    for (title, shared) in [("other ways to share data between processes", true), ("what one process has alone", false)]
    {
        let lost = |row: &&Row| {
            // Some figures stand beside Commy in other circumstances.
            let other = row.other.as_ref().filter(|other| !other.name.starts_with("Commy"));
            other.is_some_and(|other| other.ratio > 1.0 && is_shared(&other.name) == shared)
        };
        let mut lost: Vec<&Row> = rows.iter().filter(lost).collect();
        lost.sort_by(|a, b| b.number().total_cmp(&a.number()));
        text += &format!("\nTo {title}: {}\n\n", if lost.is_empty() { "nowhere." } else { "(the worst first)" });
        for row in lost {
            let (ratio, beside) = (row.number_text(), row.beside());
            text += &format!("* {ratio} as long as {beside}: {}, {}\n", row.workload, row.operation);
        }
    }
    text + "\n"
}

fn targets(rows: &[Row]) -> String {
    let wanted: Vec<&Row> = rows.iter().filter(|row| row.target != Target::None).collect();
    let missed = wanted.iter().filter(|row| row.verdict() == "MISSED").count();
    let mut text = format!("## Targets\n\n{} met, {missed} missed.\n\n", wanted.len() - missed);
    for row in wanted.iter().filter(|row| row.verdict() == "MISSED") {
        let Row { workload, operation, .. } = row;
        let beside = row.other.as_ref().map_or_else(String::new, |other| format!(" beside {}", other.name));
        let (is, wanted) = (row.target.found(row), row.target.text());
        text += &format!("* missed: {workload}, {operation}{beside}: {is}, wanted {wanted}\n");
    }
    text += if missed == 0 { "" } else { "\n" };
    text += "| workload | operation | Commy | beside | ratio | target | |\n|---|---|--:|---|--:|--:|---|\n";
    for row in wanted {
        let ratio = row.other.as_ref().map_or_else(String::new, |_| row.number_text());
        let cells = [&row.workload, &row.operation, &ours(row), row.beside(), &ratio].join(" | ");
        text += &format!("| {cells} | {} | {} |\n", row.target.text(), row.verdict());
    }
    text + "\n"
}

/// A line for each operation, a column for each side.
fn table(workload: &str, rows: &[&Row]) -> String {
    let others = unique(rows.iter().map(|row| row.beside()).filter(|name| !name.is_empty()));
    let mut text = format!("### {workload}\n\n");
    for (name, _) in pictures(workload, rows) {
        text += &format!("![{}](plots/{name})\n\n", name.trim_end_matches(".svg"));
    }
    text += &format!("| operation | Commy |{}\n", others.iter().map(|name| format!(" {name} |")).collect::<String>());
    text += &format!("|---|--:|{}\n", "--:|".repeat(others.len()));
    for operation in unique(rows.iter().map(|row| row.operation.as_str())) {
        let mut same = rows.iter().filter(|row| row.operation == operation);
        let Some(first) = same.clone().next() else { continue };
        let cells = others
            .iter()
            .map(|name| same.clone().find(|row| row.beside() == *name).map_or(String::new(), |row| theirs(row)));
        let cells: Vec<String> = [operation.to_string(), ours(first)].into_iter().chain(cells).collect();
        text += &format!("| {} |\n", cells.join(" | "));
        debug_assert!(same.all(|row| row.unit == first.unit));
    }
    text + "\n"
}

fn ours(row: &Row) -> String {
    format!("{} {}", row.unit.text(row.ours), spread_text(row.spread)).trim_end().into()
}

fn theirs(row: &Row) -> String {
    row.other.as_ref().map_or_else(String::new, |other| {
        let figure = format!("{} {}", row.unit.text(other.figure), spread_text(other.spread));
        format!("{} ({:.2}x)", figure.trim_end(), other.ratio)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{Other, Unit};

    fn row(workload: &str, operation: &str, beside: &str, ratio: f64, target: Target) -> Row {
        let other = Some(Other { name: beside.into(), figure: 10.0, spread: 0.0, ratio });
        let (workload, operation) = (workload.into(), operation.into());
        Row { workload, operation, ours: 10.0 * ratio, unit: Unit::Nanoseconds, spread: 0.04, other, target }
    }

    #[test]
    fn the_page_says_where_commy_loses() {
        let rows = vec![
            row("map", "get", "Boost", 0.1, Target::Faster(8.0)),
            row("map", "get", "HashMap", 1.4, Target::Ratio(1.15)),
            row("queue", "trip", "iceoryx2", 2.0, Target::None),
        ];
        let text = text(&Saved { notes: vec![("machine".into(), "2 x 4004".into())], rows });
        for line in [
            "* machine: 2 x 4004\n",
            "processes: (the worst first)\n\n* 2.00x as long as iceoryx2: queue, trip\n",
            "alone: (the worst first)\n\n* 1.40x as long as HashMap: map, get\n",
            "1 met, 1 missed.\n\n* missed: map, get beside HashMap: 1.40x, wanted ≤ 1.15x\n\n|",
            "| map | get | 14.00 ns ±2% | HashMap | 1.40x | ≤ 1.15x | MISSED |\n",
            "| operation | Commy | Boost | HashMap |\n",
            "| get | 1.00 ns ±2% | 10.00 ns (0.10x) | 10.00 ns (1.40x) |\n",
        ] {
            assert!(text.contains(line), "no `{line}` in\n{text}");
        }
        assert!(!text.contains("as long as Boost"), "{text}");
    }

    #[test]
    fn remarks_take_their_figures_from_the_run() {
        let rows = [row("map", "get", "Boost", 0.1, Target::None), row("map", "get", "HashMap", 1.4, Target::None)];
        let text = remarks("a {{map: get}}, b {{map: get | HashMap}}, c {{map:\n  put | HashMap}}.", &rows);
        assert_eq!(text, "a 1.00 ns, b 1.40x, c (not in this run).\n");
    }

    #[test]
    fn what_grows_is_told() {
        let rows = [(1, 1.0), (10, 1.0), (100, 2.0)];
        let rows =
            rows.map(|(number, ratio)| row("scale", &format!("get, {number} entries"), "HashMap", ratio, Target::None));
        let told = growth(&rows);
        assert!(
            told.ends_with(
                "\n\n* scale, get: from 10.00 ns at 1 to 20.00 ns at 100 entries; knees: 2.0x from 10 to 100\n\n"
            ),
            "{told}"
        );
    }
}
