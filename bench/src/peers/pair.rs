//! Pairs of processes between which messages go through channels, or what stands beside them: both ends in processes of
//! their own, each on a processor of its own or both on one.

use super::boost;
use super::line::{FIRST, SECOND, make_pipes, start};
use super::talker::Talker;
use crate::arguments::Arguments;
use crate::measure::Runner;
use crate::scratch::{Scratch, ScratchFolder};
use crate::{Outcome, machine};
use std::any::Any;
use std::path::Path;

/// Where the two ends are, and what they do while there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On two processors: Commy's try again and again, sleep, or are taken for each call; the others spin.
    Apart,
    /// On one processor, asleep.
    Together,
}

impl Place {
    /// How Commy waits, in the order of its lines.
    pub(crate) fn ways(self) -> &'static [&'static str] {
        match self {
            Place::Apart => &["spinning", "blocking", "calls of the handle"],
            Place::Together => &["blocking", "calls of the handle"],
        }
    }

    fn kinds(self) -> &'static [&'static str] {
        match self {
            Place::Apart => &["channel-spinning", "channel", "channel-handle"],
            Place::Together => &["channel", "channel-handle"],
        }
    }

    fn others(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Place::Apart => &[("bare ring", "ring")],
            Place::Together => {
                &[("futex pair", "futexes"), ("futex pair with a timer", "futexes-with-timer"), ("pipe", "pipe")]
            }
        }
    }
}

/// The two processes, in a race.
pub(crate) struct Pair {
    name: &'static str,
    // Dropped before what they use.
    measures: Talker,
    helps: Talker,
    _keep: Box<dyn Any>,
}

impl Runner for Pair {
    fn name(&self) -> &str {
        self.name
    }
}

impl Pair {
    /// Nanoseconds of each of so many messages, which come in order.
    pub(crate) fn flow(&mut self, count: u64) -> Outcome<f64> {
        self.race("give", "flow", count)
    }

    /// Nanoseconds there and back, of so many one after the other.
    pub(crate) fn bounce(&mut self, count: u64) -> Outcome<f64> {
        self.race("echo", "bounce", count)
    }

    fn race(&mut self, helps: &str, measures: &str, count: u64) -> Outcome<f64> {
        self.helps.say(&format!("{helps} {count}"))?;
        let [time, right] = self.measures.ask(&format!("{measures} {count}"))?;
        if right != count {
            return Err(format!("{right} of {count} messages were right").into());
        }
        Ok(time as f64 / count as f64)
    }

    fn begin(
        name: &'static str,
        [mut measures, mut helps]: [Talker; 2],
        place: Place,
        keep: Box<dyn Any>,
    ) -> Outcome<Pair> {
        let processors = machine::processors()?;
        let first = *processors.first().ok_or("no processor")?;
        let second = if place == Place::Together { first } else { *processors.last().unwrap_or(&first) };
        let [_] = measures.ask(&format!("stay {first}"))?;
        let [_] = helps.ask(&format!("stay {second}"))?;
        Ok(Pair { name, measures, helps, _keep: keep })
    }

    fn of_kind(
        name: &'static str,
        kind: &str,
        size: usize,
        path: &Path,
        place: Place,
        keep: Box<dyn Any>,
    ) -> Outcome<Pair> {
        let kind = format!("{kind}/{size}");
        Pair::begin(name, [start(&kind, path, FIRST)?, start(&kind, path, SECOND)?], place, keep)
    }
}

/// Pairs for messages of `size` bytes: Commy's first, in each of its ways.
pub(crate) fn pairs(arguments: &Arguments, size: usize, place: Place) -> Outcome<Vec<Pair>> {
    let mut pairs = Vec::new();
    for kind in place.kinds() {
        let scratch = Scratch::new()?;
        let path = scratch.path().to_path_buf();
        pairs.push(Pair::of_kind("Commy", kind, size, &path, place, Box::new(scratch))?);
    }
    for (name, kind) in place.others() {
        let folder = ScratchFolder::new()?;
        let path = folder.path().to_path_buf();
        if *kind == "pipe" {
            make_pipes(&path)?;
        }
        pairs.push(Pair::of_kind(name, kind, size, &path, place, Box::new(folder))?);
    }
    if place == Place::Apart && arguments.has("boost") {
        let folder = ScratchFolder::new()?;
        let path = folder.path().join("segment");
        let kind = format!("spsc-{size}");
        let both = [boost::start(&path, &kind, None)?, boost::start(&path, &kind, None)?];
        pairs.push(Pair::begin("Boost spsc_queue", both, place, Box::new(folder))?);
    }
    #[cfg(feature = "peers")]
    if place == Place::Apart && size == 8 && arguments.has("iceoryx2") {
        let folder = ScratchFolder::new()?;
        let path = folder.path().to_path_buf();
        pairs.push(Pair::of_kind("iceoryx2", "iceoryx2", size, &path, place, Box::new(folder))?);
    }
    Ok(pairs)
}
