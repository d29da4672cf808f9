//! Python's multiprocessing: `bench/peers/python.py`, run by the interpreter that is there.

use super::Presence;
use super::map::{Act, Batch, Map};
use super::talker::{Actor, Talker};
use super::text::Spelled;
use crate::Outcome;
use crate::scratch::ScratchFolder;
use std::process::{Command, Stdio};

const SOURCE: &str = include_str!("../../peers/python.py");

pub(super) fn probe() -> Presence {
    let output = Command::new("python3").arg("--version").stderr(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => {
            Presence::Here(String::from_utf8_lossy(&output.stdout).trim().trim_start_matches("Python ").into())
        }
        _ => Presence::Missing("`apt-get install python3`".into()),
    }
}

/// The program with one of its parts: `manager`, `texts` or `queue`. A file, because its own children read it again.
pub(crate) fn start(part: &str, folder: &ScratchFolder) -> Outcome<Talker> {
    let script = folder.path().join("peer.py");
    std::fs::write(&script, SOURCE)?;
    Talker::start(Command::new("python3").arg(script).arg(part))
}

/// A dict in a Manager.
pub(super) struct Managed(Actor);

impl Managed {
    pub(super) fn new() -> Outcome<Managed> {
        let folder = ScratchFolder::new()?;
        Ok(Managed(Actor::new(start("manager", &folder)?, folder)))
    }
}

/// The same with texts.
pub(super) fn spelled() -> Outcome<Spelled> {
    let folder = ScratchFolder::new()?;
    Ok(Spelled::new(Actor::new(start("texts", &folder)?, folder)))
}

impl Map for Managed {
    fn clear(&mut self) -> Outcome {
        self.0.clear()
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        self.0.act(act)
    }
}
