//! shared_hashmap: a map in POSIX shared memory behind one lock.

use super::map::{Act, Batch, MISSING, Map, sum};
use crate::Outcome;
use shared_hashmap::SharedMemoryHashMap;

/// Room for 2,000 entries.
const BYTES: usize = 1 << 20;

pub(super) struct Shared(SharedMemoryHashMap<u64, u64>);

impl Shared {
    pub(super) fn new() -> Outcome<Shared> {
        Ok(Shared(SharedMemoryHashMap::new(BYTES).map_err(|error| format!("{error:?}"))?))
    }
}

impl Map for Shared {
    fn clear(&mut self) -> Outcome {
        self.0.clear();
        Ok(())
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        let map = &mut self.0;
        match act {
            Act::Insert(keys) => Batch::of(|| {
                sum(keys, |key| {
                    let old = map.try_insert(*key, *key).map_err(|error| format!("{error:?}"))?;
                    Ok(old.map_or(1, |_| 0))
                })
            }),
            Act::Get(keys) => Batch::of(|| sum(keys, |key| Ok(map.get(key).unwrap_or(1)))),
            Act::Update(keys) => Batch::of(|| {
                sum(keys, |key| {
                    let value = map.get(key).ok_or(MISSING)?.wrapping_add(1);
                    map.try_insert(*key, value).map_err(|error| format!("{error:?}"))?;
                    Ok(value)
                })
            }),
            Act::Iterate => {
                Batch::of(|| Ok(map.iter().fold(0, |sum: u64, (_, value): (u64, u64)| sum.wrapping_add(value))))
            }
            Act::Remove(_) | Act::Scan(_) => Err("it cannot".into()),
        }
    }

    /// Its `remove` returns values of other keys (0.1.2).
    fn can(&self, act: Act) -> bool {
        !matches!(act, Act::Remove(_) | Act::Scan(_))
    }
}
