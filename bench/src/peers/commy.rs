//! Commy itself: through the handle, where each operation is atomic, and with a batch under a guard.

use super::map::{Act, Batch, MISSING, Map, SCAN, sum};
use crate::Outcome;
use crate::scratch::Scratch;
use commy::{SharedBTreeMap, SharedHashMap};

pub(super) struct HashMap {
    shared: SharedHashMap<u64, u64>,
    guarded: bool,
    _scratch: Scratch,
}

impl HashMap {
    pub(super) fn new(guarded: bool) -> Outcome<HashMap> {
        let scratch = Scratch::new()?;
        Ok(HashMap { shared: scratch.region.object("map")?, guarded, _scratch: scratch })
    }
}

pub(super) struct Tree {
    shared: SharedBTreeMap<u64, u64>,
    guarded: bool,
    _scratch: Scratch,
}

impl Tree {
    pub(super) fn new(guarded: bool) -> Outcome<Tree> {
        let scratch = Scratch::new()?;
        Ok(Tree { shared: scratch.region.object("tree")?, guarded, _scratch: scratch })
    }
}

/// Both maps have the same functions.
macro_rules! act {
    ($self:ident, $act:ident, $scan:expr) => {{
        let shared = &$self.shared;
        let bump = |value: &mut u64| {
            *value = value.wrapping_add(1);
            *value
        };
        match ($act, $self.guarded) {
            (Act::Insert(keys), false) => {
                Batch::of(|| sum(keys, |key| Ok(shared.insert(*key, *key)?.map_or(1, |_| 0))))
            }
            (Act::Insert(keys), true) => Batch::of(|| {
                let mut guard = shared.write()?;
                sum(keys, |key| Ok(guard.insert(*key, *key)?.map_or(1, |_| 0)))
            }),
            (Act::Get(keys), false) => Batch::of(|| sum(keys, |key| Ok(shared.get(key)?.unwrap_or(1)))),
            (Act::Get(keys), true) => Batch::of(|| {
                let guard = shared.read()?;
                sum(keys, |key| Ok(guard.get(key).copied().unwrap_or(1)))
            }),
            (Act::Update(keys), false) => {
                Batch::of(|| sum(keys, |key| Ok(shared.update(key, bump)?.ok_or(MISSING)?)))
            }
            (Act::Update(keys), true) => Batch::of(|| {
                let mut guard = shared.write()?;
                sum(keys, |key| Ok(guard.update(key, bump)?.ok_or(MISSING)?))
            }),
            (Act::Remove(keys), false) => Batch::of(|| sum(keys, |key| Ok(shared.remove(key)?.ok_or(MISSING)?))),
            (Act::Remove(keys), true) => Batch::of(|| {
                let mut guard = shared.write()?;
                sum(keys, |key| Ok(guard.remove(key)?.ok_or(MISSING)?))
            }),
            (Act::Iterate, _) => Batch::of(|| {
                let guard = shared.read()?;
                Ok(guard.iter().fold(0, |sum: u64, (_, value)| sum.wrapping_add(*value)))
            }),
            (Act::Scan(keys), _) => {
                let scan: fn(&Self, &[u64]) -> Outcome<Batch> = $scan;
                scan($self, keys)
            }
        }
    }};
}

impl Map for HashMap {
    fn clear(&mut self) -> Outcome {
        Ok(self.shared.clear()?)
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        act!(self, act, |_, _| Err("a hash map has no order".into()))
    }

    /// Iteration has one form.
    fn can(&self, act: Act) -> bool {
        !matches!(act, Act::Scan(_))
    }
}

impl Map for Tree {
    fn clear(&mut self) -> Outcome {
        Ok(self.shared.clear()?)
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        act!(self, act, |tree, starts| Batch::of(|| {
            let guard = tree.shared.read()?;
            let add = |sum: u64, (_, value): (&u64, &u64)| sum.wrapping_add(*value);
            sum(starts, |start| Ok(guard.range(*start..).take(SCAN).fold(0, add)))
        }))
    }
}
