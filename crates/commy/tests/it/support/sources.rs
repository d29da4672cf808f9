//! The names of all crash points, as the sources have them.

use std::collections::BTreeSet;
use std::path::Path;

const CALL: &str = "crash_point!(\"";

/// Every name that stands in a `crash_point!` call under `src/`.
pub fn crash_points() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
    assert!(names.len() > 50, "the crash points were not found");
    names
}

fn collect(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).expect("the sources") {
        let path = entry.expect("the sources").path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            names.extend(text.split(CALL).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_string())));
        }
    }
}
