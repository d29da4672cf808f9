//! Pictures of figures on logarithmic scales, as SVG that needs nothing else: bars, and lines where a number grows.

use crate::rows::{Row, Unit};
use crate::series::{Chart, count};
use std::fmt::Write;

const WIDTH: f64 = 860.0;
/// Where the bars begin and end; their names stand before, their values behind.
const LEFT: f64 = 230.0;
const RIGHT: f64 = 760.0;
const BAR: f64 = 13.0;
const TITLE: f64 = 22.0;
const OURS: &str = "#c2410c";
const THEIRS: &str = "#94a3b8";

/// The bars of a workload's operations, the shortest time first, or nothing if none stands beside another. What lines show
/// has no bars.
pub(crate) fn bars(workload: &str, rows: &[&Row]) -> Option<String> {
    let charts = Chart::all(rows);
    let rows: Vec<&Row> =
        rows.iter().copied().filter(|row| !charts.iter().any(|chart| chart.says_all_of(row))).collect();
    let groups = groups(&rows);
    let values = || groups.iter().flat_map(|group| group.bars.iter().map(|bar| bar.value));
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    if most <= 0.0 {
        return None;
    }
    let scale = Scale { least: least.log10().floor(), most: most.log10().ceil() };
    let lines: usize = groups.iter().map(|group| group.bars.len()).sum();
    let height = 40.0 + groups.len() as f64 * (TITLE + 8.0) + lines as f64 * BAR;
    let mut body = String::new();
    let mut y = 30.0;
    for group in &groups {
        y += TITLE;
        let _ = writeln!(body, r##"<text x="8" y="{:.0}" class="t">{}</text>"##, y - 5.0, escaped(group.operation));
        for bar in &group.bars {
            let (fill, width) = (if bar.ours { OURS } else { THEIRS }, scale.at(bar.value) - LEFT);
            let (base, value) = (y + BAR - 3.0, group.unit.text(bar.value));
            let _ = writeln!(
                body,
                r##"<text x="{:.0}" y="{base:.0}" text-anchor="end">{}</text><rect x="{LEFT:.0}" y="{:.0}" width="{width:.1}" height="{:.0}" fill="{fill}"/><text x="{:.1}" y="{base:.0}">{value}</text>"##,
                LEFT - 6.0,
                escaped(bar.name),
                y + 1.0,
                BAR - 2.0,
                LEFT + width + 5.0,
            );
            y += BAR;
        }
        y += 8.0;
    }
    let title = format!("{workload} (logarithmic; shorter is better)");
    Some(picture(&title, height, &(scale.grid(height) + &body)))
}

/// A whole picture.
fn picture(title: &str, height: f64, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" font-family=\"sans-serif\" \
         font-size=\"10\" fill=\"#334155\">\n<style>.t{{font-weight:bold;font-size:11px}}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"18\" font-size=\"14\">{}</text>\n{body}</svg>\n",
        escaped(title),
    )
}

/// Where lines begin and end; what they mean stands behind.
const LINES: [f64; 2] = [70.0, 500.0];
const HEIGHTS: [f64; 2] = [360.0, 40.0];
/// Of those beside Commy.
const COLOURS: [&str; 6] = ["#2563eb", "#15803d", "#9333ea", "#64748b", "#0e7490", "#a16207"];
const DASHES: [&str; 4] = ["", "6 3", "2 3", "8 3 2 3"];

/// The lines of a chart: a colour for each side, a way to dash for each operation.
pub(crate) fn lines(workload: &str, chart: &Chart) -> String {
    let points = || chart.series.iter().flat_map(|series| series.points.iter());
    let [numbers, figures] = [|point: &(f64, f64)| point.0, |point: &(f64, f64)| point.1].map(|part| {
        let values = || points().map(part);
        Scale { least: values().fold(f64::INFINITY, f64::min).log10(), most: values().fold(0.0, f64::max).log10() }
    });
    let figures = Scale { least: figures.least.floor(), most: figures.most.ceil() };
    let place = |point: &(f64, f64)| (numbers.between(point.0, LINES), figures.between(point.1, HEIGHTS));
    let mut body = String::new();
    for power in figures.least as i32..=figures.most as i32 {
        let (value, y) = (10f64.powi(power), figures.between(10f64.powi(power), HEIGHTS));
        let _ = writeln!(
            body,
            r##"<path d="M{:.0} {y:.1}H{:.0}" stroke="#e2e8f0"/><text x="{:.0}" y="{:.1}" text-anchor="end">{}</text>"##,
            LINES[0],
            LINES[1],
            LINES[0] - 6.0,
            y + 3.0,
            chart.unit.text(value)
        );
    }
    let mut all: Vec<f64> = points().map(|point| point.0).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    for number in all {
        let x = numbers.between(number, LINES);
        let _ = writeln!(
            body,
            r##"<path d="M{x:.1} {:.0}v5" stroke="#334155"/><text x="{x:.1}" y="{:.0}" text-anchor="middle">{}</text>"##,
            HEIGHTS[0],
            HEIGHTS[0] + 16.0,
            count(number)
        );
    }
    let unique = |mut names: Vec<&'_ str>| {
        let mut known: Vec<String> = Vec::new();
        names.retain(|name| !known.iter().any(|other| other == name) && (known.push(name.to_string()), true).1);
        known
    };
    let sides = unique(chart.series.iter().map(|series| series.side).filter(|side| *side != "Commy").collect());
    let names = unique(chart.series.iter().map(|series| series.name).collect());
    let mut y = HEIGHTS[1] + 10.0;
    for series in &chart.series {
        let colour = sides.iter().position(|side| side == series.side).map_or(OURS, |at| COLOURS[at % COLOURS.len()]);
        let dash = names.iter().position(|name| name == series.name).map_or("", |at| DASHES[at % DASHES.len()]);
        let style = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" stroke-dasharray=\"{dash}\"");
        let path: Vec<String> = series.points.iter().map(place).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let _ = writeln!(body, "<path d=\"M{}\" {style}/>", path.join("L"));
        let (x, text) = (LINES[1] + 20.0, format!("{}, {}", series.side, series.name));
        let _ = writeln!(body, "<path d=\"M{x:.0} {y:.0}h24\" {style}/>");
        let _ = writeln!(body, "<text x=\"{:.0}\" y=\"{:.0}\">{}</text>", x + 30.0, y + 3.0, escaped(&text));
        y += 15.0;
    }
    let height = (HEIGHTS[0] + 30.0).max(y + 10.0);
    picture(&format!("{workload}, by {} (both logarithmic; lower is better)", chart.by), height, &body)
}

/// One operation.
struct Group<'a> {
    operation: &'a str,
    unit: Unit,
    bars: Vec<Bar<'a>>,
}

struct Bar<'a> {
    name: &'a str,
    value: f64,
    ours: bool,
}

/// Operations that stand beside something.
fn groups<'a>(rows: &[&'a Row]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let Some(other) = &row.other else { continue };
        let known = groups.iter().position(|group| group.operation == row.operation);
        let place = known.unwrap_or_else(|| {
            let ours = Bar { name: "Commy", value: row.ours, ours: true };
            groups.push(Group { operation: &row.operation, unit: row.unit, bars: vec![ours] });
            groups.len() - 1
        });
        groups[place].bars.push(Bar { name: &other.name, value: other.figure, ours: false });
    }
    groups.iter_mut().for_each(|group| group.bars.sort_by(|a, b| a.value.total_cmp(&b.value)));
    groups
}

/// Powers of ten.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    /// Where a value is on the way from one place to another.
    fn between(&self, value: f64, [from, to]: [f64; 2]) -> f64 {
        from + (value.log10() - self.least) / (self.most - self.least).max(0.1) * (to - from)
    }

    fn at(&self, value: f64) -> f64 {
        let span = (self.most - self.least).max(1.0);
        // Even the least has a bar that can be seen.
        (LEFT + (value.log10() - self.least) / span * (RIGHT - LEFT)).max(LEFT + 1.0)
    }

    fn grid(&self, height: f64) -> String {
        let lines = (self.least as i32..=self.most as i32).map(|power| {
            let x = self.at(10f64.powi(power));
            format!("<path d=\"M{x:.1} 26V{height:.0}\" stroke=\"#e2e8f0\"/>\n")
        });
        lines.collect()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Target;
    use crate::rows::Other;

    fn row(beside: Option<&str>, figure: f64) -> Row {
        let other = beside.map(|name| Other { name: name.into(), figure, spread: 0.0, ratio: 1.0 });
        let (workload, operation) = ("map".into(), "get".into());
        Row { workload, operation, ours: 25.0, unit: Unit::Nanoseconds, spread: 0.0, other, target: Target::None }
    }

    #[test]
    fn every_side_has_a_bar_and_the_fastest_is_above() {
        let rows = [row(Some("Mutex<HashMap>"), 40.0), row(Some("HashMap"), 18.0), row(None, 0.0)];
        let picture = bars("map", &rows.iter().collect::<Vec<_>>()).unwrap();
        let place = |text: &str| picture.find(text).unwrap_or_else(|| panic!("no `{text}` in\n{picture}"));
        assert!(place(">HashMap<") < place(">Commy<") && place(">Commy<") < place(">Mutex&lt;HashMap&gt;<"));
        assert_eq!(picture.matches(OURS).count(), 1);
        assert!(place("25.00 ns") > 0 && picture.ends_with("</svg>\n"));
    }

    #[test]
    fn a_line_goes_up_with_its_figures() {
        let rows: Vec<Row> = [(1.0, 3.0), (10.0, 3.0), (100.0, 30.0)]
            .map(|(number, ours)| Row { operation: format!("get, {number} entries"), ours, ..row(Some("A & B"), 3.0) })
            .into();
        let rows: Vec<&Row> = rows.iter().collect();
        let charts = Chart::all(&rows);
        let picture = lines("scale", &charts[0]);
        assert!(
            picture.contains(&format!("M70.0 283.7L285.0 283.7L500.0 123.7\" fill=\"none\" stroke=\"{OURS}\"")),
            "{picture}"
        );
        assert!(picture.contains("A &amp; B, get") && picture.contains("scale, by entries"), "{picture}");
        assert_eq!(bars("scale", &rows).unwrap().matches(OURS).count(), 3, "three numbers have bars, too");
    }

    #[test]
    fn figures_that_stand_alone_have_no_picture() {
        assert!(bars("attach", &[&row(None, 0.0)]).is_none());
    }
}
