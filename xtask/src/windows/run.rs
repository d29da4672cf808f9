//! Running the programs: each test in a process of its own, so that one that hangs or dies is one that fails.

use super::build::Build;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any test needs on two busy processors.
const PATIENCE: Duration = Duration::from_secs(1800);

/// How a program says that Wine did not start another one, as happens once in some thousand starts.
const NOT_STARTED: &str = "Os { code: 1359, ";

/// The test that reads regions of both systems, and writes one.
const FIXTURE: &str = "edges::fixture::a_file_of_format_version_1_is_read_checked_and_written";

/// Tests in which a process takes all thousand slots of a region: one at a time, or Wine's server runs out of descriptors.
const CROWDS: &[&str] = &[
    "kill_points::every_point_of_the_sources_is_killed_at",
    "kill_recovery::slots_of_the_dead_are_reaped_by_an_opener_who_may_die_at_it",
    "kill_recovery::what_the_last_owner_of_a_slot_left_goes_while_the_next_one_lives",
];

/// What came of the tests.
#[derive(Default)]
pub struct Outcome {
    pub tests: usize,
    pub failed_tests: usize,
    /// As the tests count them.
    pub kills: u64,
    pub failures: Vec<String>,
}

/// Runs Windows programs; its services end with it.
pub struct Wine {
    root: PathBuf,
    prefix: PathBuf,
    logs: PathBuf,
    every: String,
}

impl Wine {
    pub fn new(root: &Path, every: &str) -> Wine {
        let target = root.join("target/windows");
        Wine { root: root.to_owned(), prefix: target.join("prefix"), logs: target.join("logs"), every: every.into() }
    }

    /// A Windows program, to be started.
    pub fn command(&self, program: &Path) -> Command {
        let mut wine = Command::new("wine");
        wine.arg(program).current_dir(self.root.join("crates/commy")).stdin(Stdio::null());
        wine.env("WINEDEBUG", "-all").env("WINEPREFIX", &self.prefix).env("COMMY_EVERY", &self.every);
        // Each takes a second there.
        wine.env("RUST_BACKTRACE", "0");
        wine
    }

    /// The names of a program's tests.
    pub fn names(&self, program: &Path) -> Result<Vec<String>, String> {
        let list = output_of(self.command(program).arg("--list"))?;
        Ok(super::names::listed([Ok(list)].into_iter())?.into_iter().collect())
    }

    /// Runs all `tests`, as many at once as there are processors.
    pub fn run_all(&self, tests: &[(&Path, String)]) -> Outcome {
        let outcome = Mutex::new(Outcome::default());
        let is_crowd = |test: &&&(&Path, String)| CROWDS.contains(&test.1.as_str());
        let crowds = Mutex::new(tests.iter().filter(|test| is_crowd(&test)));
        let others = Mutex::new(tests.iter().filter(|test| !is_crowd(&test)));
        let work = |with_crowds: bool| {
            let next = || {
                let crowd = with_crowds.then(|| crowds.lock().expect("no panics").next()).flatten();
                crowd.or_else(|| others.lock().expect("no panics").next())
            };
            while let Some((program, name)) = next() {
                let start = Instant::now();
                let result = self.run_one(program, &["--exact", name, "--nocapture", "--test-threads=1"], name);
                let mut outcome = outcome.lock().expect("no panics");
                outcome.tests += 1;
                let verdict = match result {
                    Ok(text) => {
                        outcome.kills += kills(&text);
                        "ok"
                    }
                    Err(failure) => {
                        eprintln!("---- {name}\n{failure}\n----");
                        outcome.failed_tests += 1;
                        outcome.failures.push(name.clone());
                        "FAILED"
                    }
                };
                println!("{verdict:6} {:7.1} s  {name}", start.elapsed().as_secs_f64());
            }
        };
        thread::scope(|scope| {
            for number in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(move || work(number == 0));
            }
        });
        outcome.into_inner().expect("no panics")
    }

    /// Runs each example; the failures.
    pub fn run_examples(&self, examples: &[PathBuf]) -> Vec<String> {
        let mut failures = Vec::new();
        for example in examples {
            let name = example.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match self.run_one(example, &[], &name) {
                Ok(text) => println!("ok     example {name}: {}", text.trim().lines().last().unwrap_or_default()),
                Err(failure) => {
                    eprintln!("---- example {name}\n{failure}\n----");
                    failures.push(format!("example {name}"));
                }
            }
        }
        failures
    }

    /// What a program that ends well says; what one says that does not. Now and then Wine ends before it has started the
    /// program, or does not start one that it is to start: then once more.
    fn run_one(&self, program: &Path, arguments: &[&str], name: &str) -> Result<String, String> {
        let mut tries = 3;
        loop {
            let (text, verdict) = self.try_one(program, arguments, name).map_err(|error| error.to_string())?;
            tries -= 1;
            match verdict {
                Ok(()) => return Ok(text),
                Err(_) if tries > 0 && (text.is_empty() || text.contains(NOT_STARTED)) => {}
                Err(verdict) => return Err(format!("{text}\n{verdict}")),
            }
        }
    }

    /// What a program says, and how it ends.
    fn try_one(&self, program: &Path, arguments: &[&str], name: &str) -> io::Result<(String, Result<(), String>)> {
        std::fs::create_dir_all(&self.logs)?;
        // A file, because a pipe would stay open with whatever a killed test has started.
        let log = self.logs.join(name.replace("::", "-"));
        let file = File::create(&log)?;
        let mut command = self.command(program);
        command.args(arguments).stdout(file.try_clone()?).stderr(file);
        let verdict = wait(command.spawn()?);
        Ok((String::from_utf8_lossy(&std::fs::read(&log)?).into_owned(), verdict))
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        let _ = Command::new("wineserver").arg("-k").env("WINEPREFIX", &self.prefix).status();
    }
}

fn wait(mut child: Child) -> Result<(), String> {
    let start = Instant::now();
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(status.to_string()),
            None if start.elapsed() > PATIENCE => {
                child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
                return Err(format!("not at its end after {PATIENCE:?}"));
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// The sum of the numbers before the word "kills".
fn kills(text: &str) -> u64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let counts = words.windows(2).filter(|pair| pair[1].trim_end_matches([',', ';', '.']) == "kills");
    counts.filter_map(|pair| pair[0].parse::<u64>().ok()).sum()
}

fn output_of(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a program of this system prints.
pub fn native(program: &Path, arguments: &[&str]) -> Result<String, String> {
    output_of(Command::new(program).args(arguments))
}

/// Each system writes a region, whose last process is killed in a transaction; the other one reads, checks, writes it.
pub fn exchange(wine: &Wine, here: &Build, there: &Build) -> Result<(), String> {
    let [linux, windows] = ["linux", "windows"].map(|system| wine.logs.join(format!("{system}.region")));
    let program = |build: &Build| {
        let is_it =
            |program: &&PathBuf| program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("it-"));
        build.tests.iter().find(is_it).cloned().ok_or("no program of integration tests")
    };
    let (here, there) = (program(here)?, program(there)?);
    let on_linux = || Command::new(&here);
    let on_windows = || wine.command(&there);
    let steps: [(&str, &dyn Fn() -> Command, &str, &Path); 4] = [
        ("Linux writes", &on_linux, "COMMY_WRITE_FIXTURE", &linux),
        ("Windows writes", &on_windows, "COMMY_WRITE_FIXTURE", &windows),
        ("Windows reads what Linux has written", &on_windows, "COMMY_FIXTURE", &linux),
        ("Linux reads what Windows has written", &on_linux, "COMMY_FIXTURE", &windows),
    ];
    for (what, command, variable, path) in steps {
        output_of(command().args(["--exact", FIXTURE]).env(variable, path))
            .map_err(|error| format!("{what}: {error}"))?;
        println!("ok     {what}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::kills;

    #[test]
    fn kills_are_counted() {
        assert_eq!(kills("x ... 310 kills, 56 points\nok\n12 kills\nno kills"), 322);
    }
}
