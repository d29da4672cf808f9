//! `cargo xtask windows`: everything as Windows programs, on a Debian machine: built with Debian's compiler, run by Wine.
//!
//! | step | file |
//! |---|---|
//! | install what is missing; build; look at the types for Microsoft's linker, too | `build` |
//! | the tests are those of Linux, but for the exceptions in `xtask/windows/exceptions.txt` | `names` |
//! | run each test by itself, the examples, and the exchange of regions between the systems | `run` |
//! | the ratios of the bench on both systems (`cargo xtask windows bench`) | `bench` |

mod bench;
mod build;
mod names;
mod run;

use build::Build;
use run::Wine;
use std::path::Path;

/// `bench [workloads]`, or tests: those whose names contain one of the words, or all, and then the rest.
pub fn run(arguments: &[&str]) -> Result<(), String> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let root = root.canonicalize().map_err(|error| error.to_string())?;
    match arguments {
        ["bench", workloads @ ..] => bench::run(&root, workloads),
        ["--every", number, filters @ ..] => test(&root, number, filters),
        filters => test(&root, "1", filters),
    }
}

fn test(root: &Path, every: &str, filters: &[&str]) -> Result<(), String> {
    every.parse::<u64>().map_err(|error| format!("--every {every}: {error}"))?;
    build::install()?;
    let here = Build::for_linux(root)?;
    let there = Build::for_windows(root)?;
    let wine = Wine::new(root, every);
    let mut tests = Vec::new();
    for program in &there.tests {
        let names = wine.names(program)?;
        tests.extend(names.into_iter().map(|name| (program.as_path(), name)));
    }
    let linux_names = names::listed(here.tests.iter().map(|program| run::native(program, &["--list"])))?;
    let missing = names::compare(root, &linux_names, tests.iter().map(|(_, name)| name.as_str()))?;
    if !filters.is_empty() {
        tests.retain(|(_, name)| filters.iter().any(|filter| name.contains(filter)));
    }
    let mut outcome = wine.run_all(&tests);
    if filters.is_empty() {
        outcome.failures.extend(wine.run_examples(&there.examples));
        outcome.failures.extend(run::exchange(&wine, &here, &there).err());
        build::look_at_types_for_msvc(root)?;
    }
    println!(
        "Windows by Wine: {} tests run, {} of them failed; {} kills counted; {missing} tests are Linux's own",
        outcome.tests, outcome.failed_tests, outcome.kills
    );
    if outcome.failures.is_empty() { Ok(()) } else { Err(format!("failed:\n{}", outcome.failures.join("\n"))) }
}
