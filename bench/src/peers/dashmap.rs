//! DashMap: a sharded map for the threads of one process.

use super::map::{Act, Batch, MISSING, Map, sum};
use super::std::bump;
use crate::Outcome;
use dashmap::DashMap;
use foldhash::fast::RandomState;
use std::hint::black_box;

#[derive(Default)]
pub(super) struct Sharded(DashMap<u64, u64, RandomState>);

impl Map for Sharded {
    fn clear(&mut self) -> Outcome {
        self.0 = DashMap::default();
        Ok(())
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        let map = black_box(&self.0);
        match act {
            Act::Insert(keys) => Batch::of(|| sum(keys, |key| Ok(map.insert(*key, *key).map_or(1, |_| 0)))),
            Act::Get(keys) => Batch::of(|| sum(keys, |key| Ok(map.get(key).map_or(1, |entry| *entry)))),
            Act::Update(keys) => {
                Batch::of(|| sum(keys, |key| Ok(map.get_mut(key).map(|mut entry| bump(&mut entry)).ok_or(MISSING)?)))
            }
            Act::Remove(keys) => {
                Batch::of(|| sum(keys, |key| Ok(map.remove(key).map(|(_, value)| value).ok_or(MISSING)?)))
            }
            Act::Iterate => Batch::of(|| Ok(map.iter().fold(0, |sum: u64, entry| sum.wrapping_add(*entry)))),
            Act::Scan(_) => Err("a hash map has no order".into()),
        }
    }
}
