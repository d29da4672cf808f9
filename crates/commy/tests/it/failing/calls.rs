//! Calls that change nothing that can be seen, but take memory that stays: one line each.

use crate::support::scenario::{Scenario, silent};
use crate::support::world::{entries, members, samples};
use commy::{Error, Result, SharedCounter, SharedGauge, SharedHashMap, SharedHashSet, SharedVec, SharedVecDeque};

type Texts = SharedVec<String>;
type Queue = SharedVecDeque<String>;
type Map = SharedHashMap<String, String>;
type Set = SharedHashSet<String>;

#[rustfmt::skip]
pub fn all() -> Vec<Scenario> {
    vec![
        silent::<Texts>("reserve in a vector", samples(8), |v, _| v.reserve(100)),
        silent::<SharedVec<u64>>("reserve a page run for a vector", samples(8), |v, _| v.reserve(20_000)),
        silent::<Queue>("reserve in a wrapped queue", samples(8).into(), |q, _| q.reserve(20)),
        silent::<Queue>("set a limit", samples(5).into(), |q, _| q.set_limit(Some(7)).and_then(|()| q.set_limit(None))),
        silent::<Map>("reserve in a map", entries(14), |m, _| m.reserve(100)),
        silent::<Set>("reserve in a set", members(14), |s, _| s.reserve(100)),
        silent::<Texts>("counters without a name", samples(1), |_, region| count(region)),
    ]
}

/// A new counter and a new gauge are used once and go.
fn count(region: &commy::Region) -> Result<()> {
    let (counter, gauge) = (SharedCounter::new_in(region)?, SharedGauge::new_in(region)?);
    counter.add(3)?;
    gauge.add(4)?;
    gauge.set(2)?;
    match (counter.reset()?, gauge.get()?, counter.get()?) {
        (3, 2, 0) => Ok(()),
        _ => Err(Error::NotFound),
    }
}
