//! mmap-sync: one value that a writer replaces and readers look at without a copy. A map is such a value as a whole, so
//! it can be filled, read and iterated; a change of one entry would write all of it anew.

use super::map::{Act, Batch, Map, sum};
use crate::Outcome;
use crate::scratch::ScratchFolder;
use mmap_sync::synchronizer::Synchronizer;
use std::collections::HashMap;
use std::time::Duration;

/// How long a writer waits for a reader that died.
const GRACE: Duration = Duration::from_secs(1);

pub(super) struct Whole {
    synchronizer: Synchronizer,
    _folder: ScratchFolder,
}

impl Whole {
    pub(super) fn new() -> Outcome<Whole> {
        let folder = ScratchFolder::new()?;
        Ok(Whole { synchronizer: Synchronizer::new(folder.path().join("map").as_os_str()), _folder: folder })
    }
}

impl Map for Whole {
    fn clear(&mut self) -> Outcome {
        Ok(())
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        let synchronizer = &mut self.synchronizer;
        match act {
            Act::Insert(keys) => Batch::of(|| {
                let map: HashMap<u64, u64> = keys.iter().map(|key| (*key, *key)).collect();
                synchronizer.write(&map, GRACE).map_err(|error| format!("{error:?}"))?;
                Ok(map.len() as u64)
            }),
            Act::Get(keys) => Batch::of(|| {
                // SAFETY: what was written is a map of this type.
                let map = unsafe { synchronizer.read::<HashMap<u64, u64>>(false) };
                let map = map.map_err(|error| format!("{error:?}"))?;
                sum(keys, |key| Ok(map.get(key).copied().unwrap_or(1)))
            }),
            Act::Iterate => Batch::of(|| {
                // SAFETY: what was written is a map of this type.
                let map = unsafe { synchronizer.read::<HashMap<u64, u64>>(false) };
                let map = map.map_err(|error| format!("{error:?}"))?;
                Ok(map.values().fold(0, |sum: u64, value| sum.wrapping_add(*value)))
            }),
            _ => Err("it replaces all of its value".into()),
        }
    }

    fn can(&self, act: Act) -> bool {
        matches!(act, Act::Insert(_) | Act::Get(_) | Act::Iterate)
    }
}
