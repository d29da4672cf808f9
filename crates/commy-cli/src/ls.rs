//! `commy ls`: the objects of a region.

use crate::table::Table;
use crate::{Outcome, human};
use commy::Region;
use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(path: &Path) -> Outcome {
    let region = Region::options().read_only(true).open(path)?;
    let mut objects = region.objects()?;
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    let mut table = Table::new(["NAME", "KIND", ">LENGTH", ">BODY", "TYPE"]);
    for object in objects {
        let (length, bytes) = (human::count(object.len), human::bytes(object.bytes));
        table.push([printable(&object.name), object.kind.to_string(), length, bytes, printable(&object.schema)]);
    }
    write!(stdout(), "{table}")?;
    Ok(ExitCode::SUCCESS)
}

/// Text of a file, with what could command a terminal made visible.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn control_characters_of_a_name_are_shown_not_sent() {
        assert_eq!(super::printable("grüezi\x1b[2J\n"), "grüezi\\u{1b}[2J\\n");
    }
}
