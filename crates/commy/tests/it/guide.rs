//! The tables of `docs/guide.md` say which methods of std there are. The compiler is asked about each cell.

use crate::support::temporary::Temporary;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEADING: &str = "| std method | handle | read guard | write guard | note |";

/// There is such a method: of the type itself, or of what its guards lend.
const YES: [&str; 3] = ["yes", "via slice", "via str"];

/// A cell of a table.
struct Cell {
    line: usize,
    kind: String,
    method: String,
    is_there: bool,
}

/// The types that a section is about: the handle, the read guard, the write guard.
fn kinds_of(section: &str) -> Option<[String; 3]> {
    let name = section.strip_prefix("Shared").filter(|name| name.chars().all(char::is_alphanumeric))?;
    let parameters = match name {
        "String" | "Counter" | "Gauge" => "",
        _ if name.ends_with("Map") => "u64, u64",
        _ => "u64",
    };
    let guard = |end: &str| format!("commy::{name}{end}<'static, {parameters}>").replace(", >", ">");
    Some([format!("commy::Shared{name}<{parameters}>"), guard("ReadGuard"), guard("WriteGuard")])
}

/// What the tables of a text say.
///
/// # Errors
/// Every row that has not the form of one.
fn parse(text: &str) -> Result<Vec<Cell>, Vec<String>> {
    let (mut cells, mut faults) = (Vec::new(), Vec::new());
    let (mut kinds, mut in_table) = (None, false);
    for (line, row) in text.lines().enumerate().map(|(index, row)| (index + 1, row.trim())) {
        if let Some(section) = row.strip_prefix("## ") {
            (kinds, in_table) = (kinds_of(section), false);
        } else if row == HEADING {
            in_table = true;
        } else if !row.starts_with('|') {
            in_table = false;
        }
        if !in_table || row == HEADING || row.starts_with("|---") {
            continue;
        }
        let parts: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (Some(kinds), [methods, answers @ .., note]) = (&kinds, &parts[..]) else {
            faults.push(format!("line {line}: a row without a container"));
            continue;
        };
        let methods: Vec<&str> = methods.split('`').skip(1).step_by(2).collect();
        let is_method = |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if answers.len() != 3 || methods.is_empty() || !methods.iter().all(is_method) {
            faults.push(format!("line {line}: not methods, three answers and a note"));
            continue;
        }
        // A read guard changes nothing; that needs no words.
        if note.is_empty() && (answers[0] == "-" || answers[2] == "-") {
            faults.push(format!("line {line}: no reason for what is missing"));
        }
        for (kind, answer) in kinds.iter().zip(answers) {
            if ![&YES[..], &["-"]].concat().contains(answer) {
                faults.push(format!("line {line}: `{answer}` is neither `yes` nor `-`"));
            }
            cells.extend(methods.iter().map(|method| Cell {
                line,
                kind: kind.clone(),
                method: (*method).into(),
                is_there: YES.contains(answer),
            }));
        }
    }
    if faults.is_empty() { Ok(cells) } else { Err(faults) }
}

/// What the compiler says about each line of a library that uses `commy`; codes of errors.
fn errors_of(source: &str) -> BTreeMap<usize, String> {
    let temporary = Temporary::new();
    let (file, output) = (temporary.file("cells.rs"), temporary.file("cells.rmeta"));
    fs::write(&file, source).unwrap();
    let libraries = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    // The compiler that built this test stands beside its cargo.
    let compiler = std::env::var_os("CARGO").map(|cargo| Path::new(&cargo).with_file_name("rustc"));
    let compiler = compiler.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from("rustc"));
    let mut command = Command::new(compiler);
    command.args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--error-format", "json"]);
    command.arg("--extern").arg(format!("commy={}", newest_library(&libraries).display()));
    command.arg("-L").arg(format!("dependency={}", libraries.display())).arg("-o").arg(output).arg(&file);
    // target/TRIPLE/PROFILE/deps: what runs in the compiler was built for the host.
    let above = |path: &Path| path.parent().map(Path::to_path_buf).unwrap_or_default();
    let profile = above(&libraries);
    let place = above(&profile);
    if let Some(triple) = place.file_name().and_then(|name| name.to_str()).filter(|name| name.contains("-linux-")) {
        let host = above(&place).join(profile.file_name().unwrap_or_default()).join("deps");
        command.args(["--target", triple]).arg("-L").arg(format!("dependency={}", host.display()));
    }
    let answer = command.output().unwrap();
    let mut errors = BTreeMap::new();
    for line in String::from_utf8(answer.stderr).unwrap().lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("rustc says: {line}"));
        if message["level"] != "error" {
            continue;
        }
        let span = message["spans"].as_array().and_then(|spans| spans.iter().find(|span| span["is_primary"] == true));
        match (message["code"]["code"].as_str(), span.and_then(|span| span["line_start"].as_u64())) {
            (Some(code), Some(line)) => drop(errors.insert(line as usize, code.to_owned())),
            _ if message["message"].as_str().is_some_and(|text| text.starts_with("aborting")) => {}
            _ => panic!("rustc says: {}", message["rendered"]),
        }
    }
    errors
}

fn newest_library(directory: &Path) -> PathBuf {
    let built = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("libcommy-") && name.ends_with(".rlib")
    };
    let age = |path: &PathBuf| fs::metadata(path).and_then(|data| data.modified()).unwrap();
    built.filter(is_library).max_by_key(age).expect("the library that this test is linked with")
}

/// What is wrong with a text's tables.
fn faults_of(text: &str) -> Vec<String> {
    let cells = match parse(text) {
        Ok(cells) => cells,
        Err(faults) => return faults,
    };
    // Two questions about each cell. The field `method` of a value: "this is a method, not a field" (E0615) or "no such
    // field"; that finds what a slice or a text lends, too. The item `TYPE::method`: none (E0599), of a trait that the type
    // has not (E0277), or private (E0624).
    let mut source = String::from("#![allow(warnings)]\n");
    for Cell { kind, method, .. } in &cells {
        writeln!(source, "const _: fn({kind}) = |value| {{ value.{method}; }};").unwrap();
        writeln!(source, "const _: fn() = || {{ <{kind}>::{method}; }};").unwrap();
    }
    let errors = errors_of(&source);
    let code = |line: usize| errors.get(&line).map_or("", String::as_str);
    let fault = |(index, cell): (usize, &Cell)| {
        let (field, item) = (code(2 * index + 2), code(2 * index + 3));
        let is_there = match item {
            "E0599" | "E0277" => field == "E0615",
            "E0624" => false,
            // A type that does not exist, or the like.
            "E0412" | "E0425" | "E0433" | "E0107" | "E0106" => panic!("{}: {item}", cell.kind),
            _ => true,
        };
        let Cell { line, kind, method, .. } = cell;
        // What a slice or a text does only to be changed is found behind a read guard, too: there is no asking whether it
        // takes `&mut self`.
        if kind.contains("ReadGuard") && !item.is_empty() && is_there && !cell.is_there {
            return None;
        }
        (is_there != cell.is_there).then(|| {
            let verb = if is_there { "has" } else { "has not" };
            format!("line {line}: {kind} {verb} `{method}`")
        })
    };
    cells.iter().enumerate().filter_map(fault).collect()
}

#[test]
fn the_guide_says_what_there_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide.md");
    let guide = fs::read_to_string(path).unwrap();
    let sections = guide.lines().filter(|line| line.starts_with("## Shared")).count();
    assert!(sections >= 4 && guide.matches(HEADING).count() >= sections, "{sections} containers");
    let faults = faults_of(&guide);
    assert!(faults.is_empty(), "docs/guide.md:\n{}", faults.join("\n"));
}

#[test]
fn a_wrong_cell_of_the_guide_is_noticed() {
    let table = |section: &str, row: &str| faults_of(&format!("## {section}\n{HEADING}\n|---|---|---|---|---|\n{row}"));
    assert_eq!(table("SharedHashMap", "| `insert` | yes | - | yes | lends |"), [""; 0]);
    assert_eq!(
        table("SharedHashMap", "| `insert` | - | yes | yes | lends |"),
        [
            "line 4: commy::SharedHashMap<u64, u64> has `insert`",
            "line 4: commy::HashMapReadGuard<'static, u64, u64> has not `insert`"
        ]
    );
    assert_eq!(
        table("SharedBTreeSet", "| `frobnicate` | - | - | yes | nobody has it |"),
        ["line 4: commy::BTreeSetWriteGuard<'static, u64> has not `frobnicate`"]
    );
    // By what it lends, by a trait, private, without `self`.
    assert_eq!(table("SharedVec", "| `windows` | - | via slice | yes | guards lend slices |"), [""; 0]);
    assert_eq!(table("SharedString", "| `split_whitespace` | - | yes | yes | guards lend texts |"), [""; 0]);
    assert_eq!(table("SharedHashSet", "| `into_iter` | - | yes | yes | lends |"), [""; 0]);
    assert_eq!(table("SharedHashSet", "| `clone` | yes | - | - | a guard is one |"), [""; 0]);
    assert_eq!(table("SharedHashMap", "| `find_or_add`, `set_at` | - | - | - | ours |"), [""; 0]);
    assert_eq!(table("SharedHashMap", "| `new_in` | yes | - | - | a guard has an object |"), [""; 0]);
    // The form.
    assert_eq!(table("SharedHashMap", "| `insert` | yes | yes | - | |"), ["line 4: no reason for what is missing"]);
    assert_eq!(
        table("SharedHashMap", "| `insert` | yes | maybe | yes | |"),
        ["line 4: `maybe` is neither `yes` nor `-`"]
    );
}
