//! The programs: what is needed to make them, and the making.

use crate::said;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Debian's packages: a compiler whose library sources come with it, a linker, and Wine.
const PACKAGES: &[&str] =
    &["rustc-web", "cargo-web", "rust-web-src", "gcc-mingw-w64-x86-64", "mingw-w64-x86-64-dev", "wine64", "wine"];

pub const GNU: &str = "x86_64-pc-windows-gnu";
const MSVC: &str = "x86_64-pc-windows-msvc";
const SHIM: &str = "bcryptprimitives.dll";

/// The packages that are tested: the library and the command.
const TESTED: [&str; 2] = ["commy", "commy-cli"];

/// The library of the language is made, too; tests call into it so often that it is worth optimising.
const FASTER: &[&str] = &[
    "--config",
    "profile.dev.debug=0",
    "--config",
    "profile.dev.package.\"*\".opt-level=2",
    "--config",
    "profile.dev.package.\"*\".debug-assertions=false",
];

/// Programs that were built.
pub struct Build {
    pub tests: Vec<PathBuf>,
    pub examples: Vec<PathBuf>,
}

impl Build {
    /// By the compiler that runs this, as `cargo test --workspace` has built them if it ran before.
    pub fn for_linux(root: &Path) -> Result<Build, String> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--no-run", "--workspace"]);
        Build::by(cargo, root)
    }

    pub fn for_windows(root: &Path) -> Result<Build, String> {
        let mut cargo = debians_cargo();
        cargo.args(["test", "--no-run"]).args(TESTED.map(|package| format!("--package={package}")));
        cargo.args(["-Zbuild-std=std,panic_unwind,test", "--target", GNU]).args(FASTER);
        let build = Build::by(cargo, root)?;
        for program in build.tests.iter().chain(&build.examples) {
            shim(root, program)?;
        }
        // The command that the tests of the command start lies one folder above them.
        if let Some(folder) = build.tests.first().and_then(|program| program.parent()) {
            shim(root, folder)?;
        }
        Ok(build)
    }

    fn by(mut cargo: Command, root: &Path) -> Result<Build, String> {
        cargo.arg("--message-format=json-render-diagnostics").current_dir(root).stderr(Stdio::inherit());
        eprintln!("$ {cargo:?}");
        let output = cargo.output().map_err(|error| format!("{cargo:?}: {error}"))?;
        if !output.status.success() {
            return Err(format!("`{cargo:?}`: {}", output.status));
        }
        let mut build = Build { tests: Vec::new(), examples: Vec::new() };
        for line in output.stdout.split(|byte| *byte == b'\n') {
            let Ok(message) = serde_json::from_slice::<Value>(line) else { continue };
            let Some(program) = message["executable"].as_str() else { continue };
            let is_tested = |package: &str| TESTED.iter().any(|tested| package.contains(&format!("/{tested}#")));
            if !message["package_id"].as_str().is_some_and(is_tested) {
                continue;
            }
            if message["target"]["kind"][0] == "example" {
                build.examples.push(program.into());
            } else if message["profile"]["test"] == true {
                build.tests.push(program.into());
            }
        }
        Ok(build)
    }
}

/// The bench, for users' eyes: for a target, or for this machine, both by the same compiler.
pub fn bench(root: &Path, target: Option<&str>) -> Result<PathBuf, String> {
    let mut cargo = debians_cargo();
    cargo.args(["build", "--release", "-p", "bench"]).current_dir(root);
    if let Some(target) = target {
        cargo.args(["-Zbuild-std=std,panic_unwind", "--target", target]);
    }
    said(cargo)?;
    let folder = root.join("target/windows").join(target.unwrap_or("")).join("release");
    let program = folder.join(if target.is_some() { "bench.exe" } else { "bench" });
    if target.is_some() {
        shim(root, &program)?;
    }
    Ok(program)
}

/// Installs what is missing; that takes root's rights.
pub fn install() -> Result<(), String> {
    let is_there = |package: &&str| {
        let status = Command::new("dpkg").args(["-s", package]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if PACKAGES.iter().all(is_there) {
        return Ok(());
    }
    let mut lists = Command::new("apt-get");
    lists.args(["update", "-q"]);
    let mut packages = Command::new("apt-get");
    packages
        .args(["install", "-qy", "--no-install-recommends"])
        .args(PACKAGES)
        .env("DEBIAN_FRONTEND", "noninteractive");
    said(lists).and_then(|()| said(packages)).map_err(|error| format!("{error} (this needs Debian, and root)"))
}

/// No linker of Microsoft's is at hand, but the compiler knows the types of its target.
pub fn look_at_types_for_msvc(root: &Path) -> Result<(), String> {
    let mut cargo = debians_cargo();
    cargo.args(["check", "-p", "commy", "-Zbuild-std=std,panic_unwind", "--target", MSVC]).current_dir(root);
    said(cargo)
}

/// Debian's compiler comes without a standard library for Windows, but with its sources.
fn debians_cargo() -> Command {
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTUP_TOOLCHAIN");
    cargo.env("CARGO_TARGET_DIR", "target/windows");
    cargo
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
