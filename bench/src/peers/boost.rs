//! Boost.Interprocess: `bench/peers/boost.cpp`, built here and now, each instance in a process of its own.

use super::Presence;
use super::map::{Act, Batch, Map};
use super::talker::{Actor, Talker, ends_with_us};
use super::text::Spelled;
use crate::Outcome;
use crate::scratch::ScratchFolder;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const SOURCE: &str = include_str!("../../peers/boost.cpp");
const FLAGS: &[&str] = &["-O3", "-DNDEBUG", "-std=c++17", "-pthread"];

/// Asks the compiler for the version in Boost's headers.
pub(super) fn probe() -> Presence {
    let version = || -> Option<String> {
        let mut compiler = Command::new("g++");
        let compiler = compiler.args(["-E", "-P", "-x", "c++", "-"]).stderr(Stdio::null());
        let mut compiler = compiler.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let text =
            b"#include <boost/interprocess/interprocess_fwd.hpp>\n#include <boost/version.hpp>\nBOOST_LIB_VERSION\n";
        compiler.stdin.take()?.write_all(text).ok()?;
        let output = compiler.wait_with_output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.trim_end().rsplit('"').nth(1)?.replace('_', ".");
        output.status.success().then_some(version)
    };
    match version() {
        Some(version) => Presence::Here(format!("Boost.Interprocess {version}")),
        None => Presence::Missing("`apt-get install g++ libboost-dev`".into()),
    }
}

/// The program. It is named after its source, so that it is built once.
fn program() -> Outcome<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("building boost.cpp: {error}")));
    Ok(built.clone()?)
}

fn build() -> Outcome<PathBuf> {
    let mut hasher = DefaultHasher::new();
    (SOURCE, FLAGS).hash(&mut hasher);
    let own = std::env::current_exe()?;
    let path = own.with_file_name(format!("bench-boost-{:016x}", hasher.finish()));
    if path.exists() {
        return Ok(path);
    }
    // Made under another name: who finds the program finds all of it.
    let part = path.with_extension(std::process::id().to_string());
    let mut compiler = Command::new("g++");
    let compiler = compiler.args(FLAGS).args(["-x", "c++", "-", "-o"]).arg(&part).args(["-lrt"]);
    let mut compiler = compiler.stdin(Stdio::piped()).spawn()?;
    compiler.stdin.take().ok_or("a pipe is missing")?.write_all(SOURCE.as_bytes())?;
    let status = compiler.wait()?;
    if !status.success() {
        return Err(format!("g++: {status}").into());
    }
    std::fs::rename(&part, &path)?;
    Ok(path)
}

/// A process that uses the segment in the file at `path`: the first makes it.
pub(crate) fn start(path: &Path, kind: &str, yard: Option<&Path>) -> Outcome<Talker> {
    let mut command = Command::new(program()?);
    Talker::start(ends_with_us(command.arg(path).arg(kind).args(yard)))
}

/// One of its maps.
pub(super) struct Keyed(Actor);

impl Keyed {
    /// `unordered` or `ordered`.
    pub(super) fn new(kind: &str) -> Outcome<Keyed> {
        let folder = ScratchFolder::new()?;
        Ok(Keyed(Actor::new(start(&folder.path().join("segment"), kind, None)?, folder)))
    }
}

/// Texts by texts.
pub(super) fn spelled() -> Outcome<Spelled> {
    let folder = ScratchFolder::new()?;
    Ok(Spelled::new(Actor::new(start(&folder.path().join("segment"), "texts", None)?, folder)))
}

impl Map for Keyed {
    fn clear(&mut self) -> Outcome {
        self.0.clear()
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        self.0.act(act)
    }
}
