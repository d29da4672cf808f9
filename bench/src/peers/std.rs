//! What a process does for itself with the standard library: hashbrown's map with foldhash, alone and in a mutex, and
//! the ordered map.

use super::map::{Act, Batch, MISSING, Map, SCAN, sum};
use crate::Outcome;
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::sync::Mutex;

pub(super) type Table = HashMap<u64, u64, RandomState>;

/// Adds one; the new value.
pub(super) fn bump(value: &mut u64) -> u64 {
    *value = value.wrapping_add(1);
    *value
}

/// Without a lock.
#[derive(Default)]
pub(super) struct Bare(Table);

/// In a mutex that each operation takes.
#[derive(Default)]
pub(super) struct Locked(Mutex<Table>);

/// In order, without a lock.
#[derive(Default)]
pub(super) struct Ordered(BTreeMap<u64, u64>);

/// The acts on something that has the functions of a `HashMap`: `$map` is evaluated for each operation.
macro_rules! act {
    ($act:ident, $map:expr, $scan:expr) => {
        match $act {
            Act::Insert(keys) => Batch::of(|| sum(keys, |key| Ok($map.insert(*key, *key).map_or(1, |_| 0)))),
            Act::Get(keys) => Batch::of(|| sum(keys, |key| Ok($map.get(key).copied().unwrap_or(1)))),
            Act::Update(keys) => Batch::of(|| sum(keys, |key| Ok($map.get_mut(key).map(bump).ok_or(MISSING)?))),
            Act::Remove(keys) => Batch::of(|| sum(keys, |key| Ok($map.remove(key).ok_or(MISSING)?))),
            Act::Iterate => Batch::of(|| Ok($map.values().fold(0, |sum: u64, value| sum.wrapping_add(*value)))),
            Act::Scan(keys) => Batch::of(|| sum(keys, $scan)),
        }
    };
}
#[cfg(feature = "peers")]
pub(super) use act;

impl Map for Bare {
    fn clear(&mut self) -> Outcome {
        self.0 = Table::default();
        Ok(())
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        let map = black_box(&mut self.0);
        act!(act, map, |_| Err("a hash map has no order".into()))
    }
}

impl Map for Locked {
    fn clear(&mut self) -> Outcome {
        self.0 = Mutex::default();
        Ok(())
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        let map = black_box(&self.0);
        act!(act, map.lock().unwrap(), |_| Err("a hash map has no order".into()))
    }
}

impl Map for Ordered {
    fn clear(&mut self) -> Outcome {
        self.0.clear();
        Ok(())
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        let map = black_box(&mut self.0);
        let add = |sum: u64, (_, value): (&u64, &u64)| sum.wrapping_add(*value);
        act!(act, map, |start| Ok(map.range(*start..).take(SCAN).fold(0, add)))
    }
}
