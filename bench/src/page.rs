//! The page about performance, from what a run has saved: nothing of it is measured or written by hand, except the
//! remarks at its end, which are kept.

use crate::Outcome;
use crate::peers::is_shared;
use crate::plot;
use crate::report::{Target, spread_text};
use crate::rows::{self, Row, Saved};
use std::fs;
use std::path::Path;

/// The command.
pub(crate) const COMMAND: &str = "report";
/// Where the remarks begin.
const REMARKS: &str = "## What the figures hang on";

/// Writes `performance.md` and `plots/` in a folder.
pub(crate) fn run(words: &[String]) -> Outcome {
    let (file, folder) = match words {
        [file] => (file, "docs"),
        [file, folder] => (file, folder.as_str()),
        _ => return Err(format!("{COMMAND} wants a file of --tsv, and perhaps a folder").into()),
    };
    let (saved, folder) = (rows::load(Path::new(file))?, Path::new(folder));
    let page = folder.join("performance.md");
    let old = fs::read_to_string(&page).unwrap_or_default();
    let remarks = old.find(REMARKS).map_or("", |at| &old[at..]);
    let plots = folder.join("plots");
    fs::create_dir_all(&plots)?;
    for workload in workloads(&saved.rows) {
        if let Some(picture) = plot::bars(workload, &of_workload(&saved.rows, workload)) {
            fs::write(plots.join(format!("{workload}.svg")), picture)?;
        }
    }
    fs::write(&page, text(&saved) + remarks)?;
    println!("wrote {} and {}", page.display(), plots.display());
    Ok(())
}

fn text(saved: &Saved) -> String {
    let mut text = String::from(
        "# Performance\n\n\
         Measured by `cargo xtask bench --tsv FILE`, written by `cargo run -p bench -- report FILE`. All sides run in the \
         same run, in interleaved rounds; a figure is the median of its rounds with half the width of their \
         middle half behind it, a ratio is the median of the rounds' ratios: how many times as long Commy takes, so \
         below 1 Commy is faster. Every result is verified. Only the ratios say something about other machines.\n\n",
    );
    for (key, note) in &saved.notes {
        text += &format!("* {key}: {note}\n");
    }
    text += &losses(&saved.rows);
    text += &targets(&saved.rows);
    text += "## Figures\n\n";
    for workload in workloads(&saved.rows) {
        text += &table(workload, &of_workload(&saved.rows, workload));
    }
    text
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
        text += &format!("\nTo {title}: {}\n\n", if lost.is_empty() { "nowhere." } else { "(ratio, worst first)" });
        for row in lost {
            let (ratio, beside) = (row.number_text(), row.beside());
            text += &format!("* {ratio} beside {beside}: {}, {}\n", row.workload, row.operation);
        }
    }
    text + "\n"
}

fn targets(rows: &[Row]) -> String {
    let wanted: Vec<&Row> = rows.iter().filter(|row| row.target != Target::None).collect();
    let missed = wanted.iter().filter(|row| row.verdict() == "MISSED").count();
    let mut text = format!("## Targets\n\n{} met, {missed} missed.\n\n", wanted.len() - missed);
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
    if plot::bars(workload, rows).is_some() {
        text += &format!("![{workload}](plots/{workload}.svg)\n\n");
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
            "processes: (ratio, worst first)\n\n* 2.00x beside iceoryx2: queue, trip\n",
            "alone: (ratio, worst first)\n\n* 1.40x beside HashMap: map, get\n",
            "1 met, 1 missed.",
            "| map | get | 14.00 ns ±2% | HashMap | 1.40x | ≤ 1.15x | MISSED |\n",
            "| operation | Commy | Boost | HashMap |\n",
            "| get | 1.00 ns ±2% | 10.00 ns (0.10x) | 10.00 ns (1.40x) |\n",
        ] {
            assert!(text.contains(line), "no `{line}` in\n{text}");
        }
        assert!(!text.contains("beside Boost"), "{text}");
    }
}
