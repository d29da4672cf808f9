//! The command as its users see it: output, exit codes, and the demo itself.

use commy::{Region, SharedHashMap, SharedVec};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A path of its own for each test; what lies there is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let scratch = Scratch(std::env::temp_dir().join(format!("commy-cli-{name}-{}", std::process::id())));
        let _ = std::fs::remove_file(&scratch.0); // left by an earlier process of the same number
        scratch
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn commy(arguments: &[&str], region: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_commy")).args(arguments).arg(region).output().unwrap()
}

fn text(output: &[u8]) -> &str {
    std::str::from_utf8(output).unwrap()
}

#[test]
fn ls_ps_stat_and_check_show_a_region_in_use() {
    let scratch = Scratch::new("look");
    let region = Region::create(&scratch.0).unwrap();
    let ages: SharedHashMap<String, u64> = region.object("ages").unwrap();
    ages.insert("Ada", 36).unwrap();
    let primes: SharedVec<u32> = region.object("primes").unwrap();
    primes.extend([2, 3, 5]).unwrap();

    let ls = commy(&["ls"], &scratch.0);
    let names: Vec<&str> = text(&ls.stdout).lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["NAME", "ages", "primes"], "{ls:?}");

    let ps = commy(&["ps"], &scratch.0);
    let us = text(&ps.stdout).lines().any(|line| line.trim().starts_with(&std::process::id().to_string()));
    assert!(us && text(&ps.stdout).contains("alive"), "{ps:?}");

    let stat = commy(&["stat"], &scratch.0);
    assert!(text(&stat.stdout).contains("capacity"), "{stat:?}");

    let check = commy(&["check"], &scratch.0);
    assert!(check.status.success(), "{check:?}");
}

#[test]
fn rm_removes_the_file() {
    let scratch = Scratch::new("rm");
    drop(Region::create(&scratch.0).unwrap());
    let rm = commy(&["rm"], &scratch.0);
    assert!(rm.status.success() && !scratch.0.exists(), "{rm:?}");
}

#[test]
fn errors_go_to_stderr_with_exit_code_1_and_usage_errors_with_2() {
    let absent = Scratch::new("absent");
    for command in ["ls", "ps", "stat", "check", "rm"] {
        let output = commy(&[command], &absent.0);
        assert_eq!(output.status.code(), Some(1), "{command}: {output:?}");
        assert!(text(&output.stderr).starts_with("commy: ") && output.stdout.is_empty(), "{command}: {output:?}");
    }
    let usage = commy(&["frobnicate"], &absent.0);
    assert_eq!(usage.status.code(), Some(2), "{usage:?}");
}

#[test]
fn a_file_that_is_no_region_is_refused_and_left_alone() {
    let scratch = Scratch::new("foreign");
    std::fs::write(&scratch.0, "a letter to my aunt").unwrap();
    for command in ["ls", "ps", "stat", "check", "rm"] {
        let output = commy(&[command], &scratch.0);
        assert_eq!(output.status.code(), Some(1), "{command}: {output:?}");
    }
    assert_eq!(std::fs::read(&scratch.0).unwrap(), b"a letter to my aunt");
}

#[test]
fn the_demo_counts_every_word_once_while_ten_workers_are_killed() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let region = Scratch::new("demo");
    let place = region.0.to_str().unwrap();
    let demo = commy(&["demo", "--kills", "10", "--workers", "3", "--region", place], &source);
    assert!(demo.status.success(), "{}{}", text(&demo.stdout), text(&demo.stderr));
    let counts: SharedHashMap<String, u64> = Region::open(&region.0).unwrap().open_object("counts").unwrap();
    assert!(counts.get("fn").unwrap() > Some(0));
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let output = Command::new(env!("CARGO_BIN_EXE_commy")).args(["completions", shell]).output().unwrap();
        let script = text(&output.stdout);
        assert!(output.status.success() && script.contains("commy") && script.contains("check"), "{shell}: {output:?}");
    }
}
