//! The tests of both systems are the same, but for what only one of them has.

use std::collections::BTreeSet;
use std::path::Path;

/// Names, or beginnings of names, of tests that Linux has and Windows has not; why is written above each.
const EXCEPTIONS: &str = "xtask/windows/exceptions.txt";

/// The names in what `--list` prints.
pub fn listed(outputs: impl Iterator<Item = Result<String, String>>) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    for output in outputs {
        names.extend(output?.lines().filter_map(|line| line.trim().strip_suffix(": test")).map(str::to_owned));
    }
    Ok(names)
}

/// How many tests Linux has that Windows has not.
///
/// # Errors
/// Some that are no exceptions; exceptions that are none.
pub fn compare<'a>(
    root: &Path,
    linux: &BTreeSet<String>,
    windows: impl Iterator<Item = &'a str>,
) -> Result<usize, String> {
    let text = std::fs::read_to_string(root.join(EXCEPTIONS)).map_err(|error| format!("{EXCEPTIONS}: {error}"))?;
    let exceptions: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let windows: BTreeSet<&str> = windows.collect();
    let missing: Vec<&str> = linux.iter().map(String::as_str).filter(|name| !windows.contains(name)).collect();
    let is_excepted = |name: &&&str| exceptions.iter().any(|exception| covers(exception, name));
    let unexplained: Vec<&str> = missing.iter().filter(|name| !is_excepted(name)).copied().collect();
    let stale: Vec<&str> =
        exceptions.iter().filter(|exception| !missing.iter().any(|name| covers(exception, name))).copied().collect();
    match (unexplained.is_empty(), stale.is_empty()) {
        (true, true) => Ok(missing.len()),
        (false, _) => {
            Err(format!("tests that Windows lacks without a reason in {EXCEPTIONS}:\n{}", unexplained.join("\n")))
        }
        (true, false) => Err(format!("{EXCEPTIONS} excepts what is there:\n{}", stale.join("\n"))),
    }
}

/// Modules end in `::`, and stand for all that is in them.
fn covers(exception: &str, name: &str) -> bool {
    if exception.ends_with("::") { name.starts_with(exception) } else { name == exception }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn an_exception_is_a_test_or_a_module() {
        assert!(covers("a::b::", "a::b::c") && covers("a::b", "a::b"));
        assert!(!covers("a::b", "a::bc") && !covers("a::b::", "a::bc"));
    }
}
