//! Calls of handles that the catalogue of the killed has not, or not in this state: one line each.

use crate::support::scenario::{Scenario, scenario, silent};
use crate::support::world::{Record, Sample, entries, members, samples};
use commy::{
    Error, Result, SharedBTreeMap, SharedBTreeSet, SharedBox, SharedCounter, SharedGauge, SharedHashMap, SharedHashSet,
    SharedString, SharedVec, SharedVecDeque,
};
use std::collections::BTreeSet;
use std::time::Duration;

type Texts = SharedVec<String>;
type Queue = SharedVecDeque<String>;
type Map = SharedHashMap<String, String>;
type Set = SharedHashSet<String>;
type Tree = SharedBTreeMap<String, String>;
type TreeSet = SharedBTreeSet<String>;

const LONG: &str = "a text of its own that needs a block";
const SOON: Duration = Duration::from_millis(1);

fn tree_members(count: u64) -> BTreeSet<String> {
    members(count)
}

#[rustfmt::skip]
pub fn all() -> Vec<Scenario> {
    vec![
        silent::<Texts>("reserve in a vector", samples(8), |v, _| v.reserve(100)),
        silent::<SharedVec<u64>>("reserve a page run for a vector", samples(8), |v, _| v.reserve(20_000)),
        scenario::<Texts>("truncate to one", samples(9), |v| v.truncate(1), |v, _| v.truncate(1)),
        scenario::<Texts>("pop all but", samples(1), |v| v.clear(), |v, _| v.pop().map(drop)),
        scenario::<SharedVec<Vec<u8>>>("push what needs a page run", samples(3), |v| v.push(vec![7; 100_000]), |v, _| v.push(&[7; 100_000][..])),
        scenario::<SharedVec<Vec<u8>>>("set what needs a page run", samples(3), |v| v[1] = vec![7; 100_000], |v, _| v.set(1, &[7; 100_000][..]).map(drop)),
        silent::<Queue>("reserve in a wrapped queue", samples(8).into(), |q, _| q.reserve(20)),
        silent::<Queue>("set a limit", samples(5).into(), |q, _| q.set_limit(Some(7)).and_then(|()| q.set_limit(None))),
        scenario::<Queue>("try_push_back", samples(8).into(), |q| q.push_back(LONG.into()), |q, _| q.try_push_back(LONG).map(drop)),
        scenario::<Queue>("try_push_front", samples(8).into(), |q| q.push_front(LONG.into()), |q, _| q.try_push_front(LONG).map(drop)),
        scenario::<Queue>("push_back_wait", samples(8).into(), |q| q.push_back(LONG.into()), |q, _| q.push_back_wait(LONG, SOON).map(drop)),
        scenario::<Queue>("push_front_wait", samples(8).into(), |q| q.push_front(LONG.into()), |q, _| q.push_front_wait(LONG, SOON).map(drop)),
        scenario::<Queue>("pop_front_wait", samples(8).into(), |q| drop(q.pop_front()), |q, _| q.pop_front_wait(SOON).map(drop)),
        scenario::<Queue>("pop_back_wait", samples(8).into(), |q| drop(q.pop_back()), |q, _| q.pop_back_wait(SOON).map(drop)),
        scenario::<Queue>("pop_front_many_wait", samples(8).into(), |q| drop(q.drain(..6)), |q, _| q.pop_front_many_wait(6, SOON).map(drop)),
        scenario::<SharedVecDeque<Record>>("update in a queue", samples(8).into(), |q| q[5].weight = 9, |q, _| q.update(5, |value| value.weight = 9).map(drop)),
        scenario::<SharedString>("push a character with growth", "0123456789abcdef".repeat(4), |s| s.push('ß'), |s, _| s.push('ß')),
        scenario::<SharedString>("set a long text", "x".into(), |s| *s = LONG.repeat(500), |s, _| s.set(&LONG.repeat(500))),
        scenario::<SharedBox<Option<String>>>("set a box to nothing", Sample::sample(1), |b| *b = None, |b, _| b.set(None::<String>)),
        scenario::<SharedBox<Option<String>>>("set a box to something", None, |b| *b = Some(LONG.into()), |b, _| b.set(Some(LONG.to_string()))),
        silent::<Map>("reserve in a map", entries(14), |m, _| m.reserve(100)),
        scenario::<Map>("a second growth with owning keys", entries(28), |m| drop(m.insert(LONG.into(), LONG.into())), |m, _| m.insert(LONG, LONG).map(drop)),
        scenario::<Map>("insert over an owning value", entries(6), |m| drop(m.insert(String::sample(3), LONG.into())), |m, _| m.insert(String::sample(3), LONG).map(drop)),
        silent::<Set>("reserve in a set", members(14), |s, _| s.reserve(100)),
        scenario::<Set>("replace a key that is not there", members(14), |s| assert!(s.insert(LONG.into())), |s, _| s.replace(LONG).map(drop)),
        silent::<Set>("replace a key that is there", members(14), |s, _| s.replace(String::sample(3)).map(drop)),
        scenario::<Tree>("pop_first", entries(100), |m| drop(m.pop_first()), |m, _| m.pop_first().map(drop)),
        scenario::<Tree>("pop_last", entries(100), |m| drop(m.pop_last()), |m, _| m.pop_last().map(drop)),
        scenario::<TreeSet>("pop_first of a set", tree_members(100), |s| drop(s.pop_first()), |s, _| s.pop_first().map(drop)),
        scenario::<TreeSet>("pop_last of a set", tree_members(100), |s| drop(s.pop_last()), |s, _| s.pop_last().map(drop)),
        scenario::<TreeSet>("extend a set of a tree", tree_members(62), |s| s.extend(members::<String>(80)), |s, _| s.extend(members::<String>(80))),
        scenario::<(Texts, Tree)>("a transaction that undoes one and not the other", (samples(8), entries(63)), |(v, m)| {
            v.push(LONG.into());
            m.insert(LONG.into(), LONG.into());
        }, |(v, m), region| region.transaction(|tx| {
            tx.write(v)?.push(LONG)?;
            tx.write(m)?.insert(LONG, LONG).map(drop)
        })),
        scenario::<(Map, Set)>("a transaction over two tables", (entries(14), members(14)), |(m, s)| {
            m.remove(&String::sample(1));
            s.insert(LONG.into());
            m.insert(LONG.into(), LONG.into());
        }, |(m, s), region| region.transaction(|tx| {
            let (mut m, mut s) = (tx.write(m)?, tx.write(s)?);
            m.remove(&String::sample(1))?;
            s.insert(LONG)?;
            m.insert(LONG, LONG).map(drop)
        })),
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
