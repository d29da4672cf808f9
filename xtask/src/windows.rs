//! The tests as Windows programs, on a Debian machine: built with Debian's compiler, run by Wine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Debian's packages: a compiler whose library sources come with it, a linker, and Wine.
const PACKAGES: &[&str] =
    &["rustc-web", "cargo-web", "rust-web-src", "gcc-mingw-w64-x86-64", "mingw-w64-x86-64-dev", "wine64", "wine"];

const TRIPLE: &str = "x86_64-pc-windows-gnu";
const SHIM: &str = "bcryptprimitives.dll";

/// Builds the tests of the library and runs those whose names contain one of `filters`.
pub fn run(filters: &[&str]) -> Result<(), String> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let root = root.canonicalize().map_err(|error| error.to_string())?;
    install()?;
    let programs = build(&root)?;
    let mut failed = Vec::new();
    for program in &programs {
        shim(&root, program)?;
        let mut wine = Command::new("wine");
        wine.env("WINEDEBUG", "-all").env("WINEPREFIX", root.join("target/windows/prefix"));
        wine.arg(program).arg("--test-threads=2").args(filters).current_dir(root.join("crates/commy"));
        if said(wine).is_err() {
            failed.push(program.display().to_string());
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failures in {}", failed.join(", "))) }
}

/// Installs what is missing; that takes root's rights.
fn install() -> Result<(), String> {
    let is_there = |package: &&str| {
        let status = Command::new("dpkg").args(["-s", package]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if PACKAGES.iter().all(is_there) {
        return Ok(());
    }
    let mut apt = Command::new("apt-get");
    apt.args(["install", "-qy", "--no-install-recommends"]).args(PACKAGES).env("DEBIAN_FRONTEND", "noninteractive");
    said(apt).map_err(|error| format!("{error} (this needs Debian, and root)"))
}

/// Builds the unit tests and the integration tests; their programs.
fn build(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut cargo = Command::new("/usr/bin/cargo");
    // Debian's compiler comes without a standard library for Windows, but with its sources.
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTUP_TOOLCHAIN");
    cargo.args(["test", "--no-run", "-p", "commy", "--lib", "--test", "it", "-Zbuild-std=std,panic_unwind,test"]);
    cargo.args(["--target", TRIPLE, "--target-dir", "target/windows", "--message-format=json-render-diagnostics"]);
    eprintln!("$ {cargo:?}");
    let output = cargo.current_dir(root).stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err("the tests do not build for Windows".into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let programs = text.lines().filter_map(|line| line.split_once("\"executable\":\"")?.1.split('"').next());
    Ok(programs.map(PathBuf::from).collect())
}

/// Puts the library that Wine lacks beside a program.
fn shim(root: &Path, program: &Path) -> Result<(), String> {
    let target = program.with_file_name(SHIM);
    if target.exists() {
        return Ok(());
    }
    let mut gcc = Command::new("x86_64-w64-mingw32-gcc");
    gcc.args(["-shared", "-O2", "-o"]).arg(target).arg(root.join("xtask/windows/bcryptprimitives.c")).arg("-ladvapi32");
    said(gcc)
}

/// Runs a command, which is shown.
fn said(mut command: Command) -> Result<(), String> {
    let line = format!("{command:?}");
    eprintln!("$ {line}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}`: {status}")),
        Err(error) => Err(format!("`{line}`: {error}")),
    }
}
