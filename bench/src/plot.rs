//! Pictures of figures: bars on a logarithmic scale, as SVG that needs nothing else.

use crate::rows::{Row, Unit};
use std::fmt::Write;

const WIDTH: f64 = 860.0;
/// Where the bars begin and end; their names stand before, their values behind.
const LEFT: f64 = 230.0;
const RIGHT: f64 = 760.0;
const BAR: f64 = 13.0;
const TITLE: f64 = 22.0;
const OURS: &str = "#c2410c";
const THEIRS: &str = "#94a3b8";

/// The bars of a workload's operations, the shortest time first, or nothing if none stands beside another.
pub(crate) fn bars(workload: &str, rows: &[&Row]) -> Option<String> {
    let groups = groups(rows);
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
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" font-family=\"sans-serif\" \
         font-size=\"10\" fill=\"#334155\">\n<style>.t{{font-weight:bold;font-size:11px}}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"8\" y=\"18\" font-size=\"14\">{} (logarithmic; shorter is better)</text>\n{}{body}</svg>\n",
        escaped(workload),
        scale.grid(height),
    ))
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
    fn figures_that_stand_alone_have_no_picture() {
        assert!(bars("attach", &[&row(None, 0.0)]).is_none());
    }
}
