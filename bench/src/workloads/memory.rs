//! Bytes for each entry of a map that has grown from empty.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::random::Random;
use crate::report::{Line, Report, Target};
use crate::rows::{Other, Unit};
use crate::scratch::Scratch;
use commy::SharedHashMap;

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let keys = Random::new(arguments.seed).distinct(arguments.scaled(1_000_000));
    let scratch = Scratch::new()?;
    let shared: SharedHashMap<u64, u64> = scratch.region.object("map")?;
    let before = scratch.region.stats()?;
    let mut private = hashbrown::HashMap::with_hasher(foldhash::fast::RandomState::default());
    for key in &keys {
        shared.insert(*key, *key)?;
        private.insert(*key, *key);
    }
    let after = scratch.region.stats()?;
    let theirs = private.allocation_size() as f64;
    for (what, bytes, target) in [
        ("allocated for an entry", after.allocated - before.allocated, Target::Ratio(1.2)),
        ("the file's growth for an entry", after.committed - before.committed, Target::None),
    ] {
        let ratio = bytes as f64 / theirs;
        let [ours, theirs] = [bytes as f64, theirs].map(|bytes| bytes / keys.len() as f64);
        let other = Other { name: "hashbrown::HashMap".into(), figure: theirs, spread: 0.0, ratio };
        report.add(Line::new(what, Unit::Bytes, ours, Some(other), target));
    }
    Ok(())
}
