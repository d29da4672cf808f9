//! All operations that children are killed in, by group.

mod boxes_and_texts;
mod canaries;
mod channels;
mod conditional;
mod counters;
mod deques;
mod engine;
mod further;
mod maps;
mod nested;
mod rows;
mod sets;
mod several;
mod trees;
mod vectors;

pub use boxes_and_texts::{boxes, strings};
pub use canaries::canaries;
pub use channels::channels;
pub use counters::counters;
pub use deques::deques;
pub use engine::{objects, regions, threads};
pub use further::further;
pub use maps::maps;
pub use nested::nested;
pub use rows::{rows_in_deques, rows_in_vectors};
pub use sets::sets;
pub use several::{guards, transactions};
pub use trees::trees;
pub use vectors::vectors;

use crate::scenario::Scenario;

/// How the names of a group's scenarios begin, and the group.
type Group = (&'static [&'static str], fn() -> Vec<Scenario>);

const GROUPS: &[Group] = &[
    (&["nested"], nested),
    (&["SharedVecDeque", "long SharedVecDeque"], deques),
    (&["SharedVec<", "long SharedVec:"], vectors),
    (&["rows: SharedVecDeque"], rows_in_deques),
    (&["rows: SharedVec<", "rows: long SharedVec:"], rows_in_vectors),
    (&["SharedBox"], boxes),
    (&["SharedString"], strings),
    (&["SharedHashMap"], maps),
    (&["SharedHashSet"], sets),
    (&["SharedChannel"], channels),
    (&["SharedCounter", "SharedGauge"], counters),
    (&["SharedBTreeMap", "SharedBTreeSet"], trees),
    (&["transaction"], transactions),
    (&["two guards", "a "], guards),
    (&["objects"], objects),
    (&["threads"], threads),
    (&["regions"], regions),
    (&["further"], further),
    (&["canary"], canaries),
];

/// Every scenario that is to be survived.
pub fn all() -> Vec<Scenario> {
    GROUPS[..GROUPS.len() - 1].iter().flat_map(|(_, group)| group()).collect()
}

/// The scenario of that name. A child looks for one only: no other group is built.
pub fn find(name: &str) -> Scenario {
    let group = GROUPS.iter().find(|(prefixes, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)));
    let found = group.and_then(|(_, group)| group().into_iter().find(|scenario| scenario.name == name));
    found.unwrap_or_else(|| panic!("no scenario is called {name}"))
}
