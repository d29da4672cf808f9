//! Operations on `SharedHashSet`.

use crate::scenario::{Scenario, scenario, silent};
use crate::world::{Record, Sample, members};
use commy::{Key, Lookup, SharedHashSet, StoreKey};
use std::collections::BTreeSet;
use std::hash::Hash;

pub fn sets() -> Vec<Scenario> {
    let mut scenarios = sets_of::<u64>("u64");
    scenarios.extend(sets_of::<String>("String"));
    scenarios.extend(sets_of::<Record>("Record"));
    scenarios.extend(super::conditional::hash_sets());
    scenarios
}

fn sets_of<K: Key + StoreKey<K> + Lookup<K> + Sample + Ord + Hash>(kind: &str) -> Vec<Scenario> {
    let name = |operation: &str| format!("SharedHashSet<{kind}>: {operation}");
    type Set<K> = SharedHashSet<K>;
    // Fourteen fill a group.
    let (few, full) = (|| members::<K>(4), || members::<K>(14));
    vec![
        scenario::<Set<K>>(
            name("insert into an empty one"),
            BTreeSet::new(),
            |s| {
                s.insert(K::sample(1));
            },
            |s, _| s.insert(K::sample(1)).map(drop),
        ),
        scenario::<Set<K>>(
            name("insert with growth"),
            full(),
            |s| {
                s.insert(K::sample(31));
            },
            |s, _| s.insert(K::sample(31)).map(drop),
        ),
        silent::<Set<K>>(name("insert what is there"), few(), |s, _| s.insert(K::sample(3)).map(drop)),
        scenario::<Set<K>>(
            name("remove"),
            full(),
            |s| {
                s.remove(&K::sample(3));
            },
            |s, _| s.remove(&K::sample(3)).map(drop),
        ),
        scenario::<Set<K>>(
            name("take"),
            few(),
            |s| {
                s.remove(&K::sample(1));
            },
            |s, _| s.take(&K::sample(1)).map(drop),
        ),
        scenario::<Set<K>>(name("extend"), few(), |s| s.extend(members::<K>(20)), |s, _| s.extend(members::<K>(20))),
        scenario::<Set<K>>(name("clear"), full(), BTreeSet::clear, |s, _| s.clear()),
        scenario::<Set<K>>(name("drain"), full(), BTreeSet::clear, |s, _| s.write()?.drain().map(drop)),
        scenario::<Set<K>>(
            name("guard of many calls"),
            few(),
            |s| {
                s.remove(&K::sample(1));
                s.insert(K::sample(41));
                s.insert(K::sample(1));
                s.remove(&K::sample(3));
            },
            |s, _| {
                let mut guard = s.write()?;
                guard.remove(&K::sample(1))?;
                guard.insert(K::sample(41))?;
                guard.replace(K::sample(1))?;
                guard.take(&K::sample(3)).map(drop)
            },
        ),
        silent::<Set<K>>(name("guard rolled back"), few(), |s, _| {
            let mut guard = s.write()?;
            guard.remove(&K::sample(1))?;
            guard.insert(K::sample(41))?;
            guard.retain(|_| false)?;
            guard.rollback();
            Ok(())
        }),
    ]
}
