//! Calls that the other lists have not, or not in this state: one line each.

use crate::scenario::{Scenario, scenario, silent};
use crate::world::{Counted, Gauged, Record, Sample, entries, members, samples};
use commy::{
    SharedBTreeMap, SharedBTreeSet, SharedBox, SharedHashMap, SharedHashSet, SharedString, SharedVec, SharedVecDeque,
};
use std::collections::BTreeSet;
use std::time::Duration;

type Texts = SharedVec<String>;
type Queue = SharedVecDeque<String>;
type Numbers = SharedVecDeque<u64>;
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
pub fn further() -> Vec<Scenario> {
    vec![
        scenario::<Texts>("further: truncate to one", samples(9), |v| v.truncate(1), |v, _| v.truncate(1)),
        scenario::<Texts>("further: pop all but", samples(1), |v| v.clear(), |v, _| v.pop().map(drop)),
        scenario::<SharedVec<Vec<u8>>>("further: push what needs a page run", samples(3), |v| v.push(vec![7; 100_000]), |v, _| v.push(&[7; 100_000][..])),
        scenario::<SharedVec<Vec<u8>>>("further: set what needs a page run", samples(3), |v| v[1] = vec![7; 100_000], |v, _| v.set(1, &[7; 100_000][..]).map(drop)),
        scenario::<Queue>("further: try_push_back", samples(8).into(), |q| q.push_back(LONG.into()), |q, _| q.try_push_back(LONG).map(drop)),
        scenario::<Queue>("further: try_push_front", samples(8).into(), |q| q.push_front(LONG.into()), |q, _| q.try_push_front(LONG).map(drop)),
        scenario::<Queue>("further: push_back_wait", samples(8).into(), |q| q.push_back(LONG.into()), |q, _| q.push_back_wait(LONG, SOON).map(drop)),
        scenario::<Queue>("further: push_front_wait", samples(8).into(), |q| q.push_front(LONG.into()), |q, _| q.push_front_wait(LONG, SOON).map(drop)),
        scenario::<Queue>("further: pop_front_wait", samples(8).into(), |q| drop(q.pop_front()), |q, _| q.pop_front_wait(SOON).map(drop)),
        scenario::<Queue>("further: pop_back_wait", samples(8).into(), |q| drop(q.pop_back()), |q, _| q.pop_back_wait(SOON).map(drop)),
        scenario::<Queue>("further: pop_front_many_wait", samples(8).into(), |q| drop(q.drain(..6)), |q, _| q.pop_front_many_wait(6, SOON).map(drop)),
        scenario::<SharedVecDeque<Record>>("further: update in a queue", samples(8).into(), |q| q[5].weight = 9, |q, _| q.update(5, |value| value.weight = 9).map(drop)),
        scenario::<SharedString>("further: push a character with growth", "0123456789abcdef".repeat(4), |s| s.push('ß'), |s, _| s.push('ß')),
        scenario::<SharedString>("further: set a long text", "x".into(), |s| *s = LONG.repeat(500), |s, _| s.set(&LONG.repeat(500))),
        scenario::<SharedBox<Option<String>>>("further: set a box to nothing", Sample::sample(1), |b| *b = None, |b, _| b.set(None::<String>)),
        scenario::<SharedBox<Option<String>>>("further: set a box to something", None, |b| *b = Some(LONG.into()), |b, _| b.set(Some(LONG.to_string()))),
        scenario::<Map>("further: a second growth with owning keys", entries(28), |m| drop(m.insert(LONG.into(), LONG.into())), |m, _| m.insert(LONG, LONG).map(drop)),
        scenario::<Map>("further: insert over an owning value", entries(6), |m| drop(m.insert(String::sample(3), LONG.into())), |m, _| m.insert(String::sample(3), LONG).map(drop)),
        scenario::<Set>("further: replace a key that is not there", members(14), |s| assert!(s.insert(LONG.into())), |s, _| s.replace(LONG).map(drop)),
        silent::<Set>("further: replace a key that is there", members(14), |s, _| s.replace(String::sample(3)).map(drop)),
        scenario::<Tree>("further: pop_first", entries(100), |m| drop(m.pop_first()), |m, _| m.pop_first().map(drop)),
        scenario::<Tree>("further: pop_last", entries(100), |m| drop(m.pop_last()), |m, _| m.pop_last().map(drop)),
        scenario::<TreeSet>("further: pop_first of a set", tree_members(100), |s| drop(s.pop_first()), |s, _| s.pop_first().map(drop)),
        scenario::<TreeSet>("further: pop_last of a set", tree_members(100), |s| drop(s.pop_last()), |s, _| s.pop_last().map(drop)),
        scenario::<TreeSet>("further: extend a set of a tree", tree_members(62), |s| s.extend(members::<String>(80)), |s, _| s.extend(members::<String>(80))),
        scenario::<(Texts, Tree)>("further: a transaction that undoes one and not the other", (samples(8), entries(63)), |(v, m)| {
            v.push(LONG.into());
            m.insert(LONG.into(), LONG.into());
        }, |(v, m), region| region.transaction(|tx| {
            tx.write(v)?.push(LONG)?;
            tx.write(m)?.insert(LONG, LONG).map(drop)
        })),
        scenario::<(Map, Set)>("further: a transaction over two tables", (entries(14), members(14)), |(m, s)| {
            m.remove(&String::sample(1));
            s.insert(LONG.into());
            m.insert(LONG.into(), LONG.into());
        }, |(m, s), region| region.transaction(|tx| {
            let (mut m, mut s) = (tx.write(m)?, tx.write(s)?);
            m.remove(&String::sample(1))?;
            s.insert(LONG)?;
            m.insert(LONG, LONG).map(drop)
        })),
        scenario::<Queue>("further: resize to more", samples(6).into(), |q| q.resize(12, LONG.into()), |q, _| q.write()?.resize(12, LONG)),
        scenario::<Queue>("further: resize to less", samples(8).into(), |q| q.truncate(2), |q, _| q.write()?.resize(2, LONG)),
        scenario::<Numbers>("further: make_contiguous", samples(300).into(), |q| q.make_contiguous().reverse(), |q, _| q.write()?.make_contiguous().map(|all| all.reverse())),
        scenario::<Numbers>("further: iter_mut", samples(8).into(), |q| q.iter_mut().for_each(|value| *value += 5), |q, _| { q.write()?.iter_mut()?.for_each(|value| *value += 5); Ok(()) }),
        scenario::<Numbers>("further: get_mut of a queue", samples(8).into(), |q| q[5] = 9, |q, _| { q.write()?.get_mut(5)?.into_iter().for_each(|value| *value = 9); Ok(()) }),
        scenario::<SharedVec<u64>>("further: get_mut of a vector", samples(8), |v| v[5] = 9, |v, _| { v.write()?.get_mut(5)?.into_iter().for_each(|value| *value = 9); Ok(()) }),
        scenario::<SharedVec<u64>>("further: room and a value", samples(8), |v| v.push(9), |v, _| { let mut guard = v.write()?; guard.reserve(100)?; guard.push(9) }),
        scenario::<SharedHashMap<u64, u64>>("further: try_get_mut of a map", entries(8), |m| assert!(m.insert(5, 9).is_some()), |m, _| { m.write()?.try_get_mut(&5)?.into_iter().for_each(|value| *value = 9); Ok(()) }),
        scenario::<Map>("further: extend under a guard", entries(4), |m| m.extend(entries(40)), |m, _| m.write()?.extend(entries::<String, String>(40))),
        scenario::<Set>("further: retain in a set", members(14), |s| s.retain(|key| key.starts_with('a')), |s, _| s.write()?.retain(|key| key.starts_with('a'))),
        scenario::<SharedBTreeMap<u64, u64>>("further: range_mut", entries(200), |m| m.range_mut(20..150).for_each(|(_, value)| *value += 5), |m, _| { m.write()?.range_mut::<u64>(20..150)?.for_each(|(_, value)| *value += 5); Ok(()) }),
        scenario::<SharedBTreeMap<u64, u64>>("further: try_get_mut of a tree", entries(200), |m| assert!(m.insert(5, 9).is_some()), |m, _| { m.write()?.try_get_mut(&5)?.into_iter().for_each(|value| *value = 9); Ok(()) }),
        scenario::<(Tree, Tree)>("further: append a tree to another", (entries(3), entries(70)), |(a, b)| a.append(b), |(a, b), region| region.transaction(|tx| { let (mut a, mut b) = (tx.write(a)?, tx.write(b)?); a.append(&mut b) })),
        scenario::<(TreeSet, TreeSet)>("further: append a set to another", (tree_members(3), tree_members(9)), |(a, b)| a.append(b), |(a, b), region| region.transaction(|tx| { let (mut a, mut b) = (tx.write(a)?, tx.write(b)?); a.append(&mut b) })),
        scenario::<TreeSet>("further: split_off in a set", tree_members(70), |s| drop(s.split_off("short 20")), |s, _| s.write()?.split_off("short 20").map(drop)),
        scenario::<SharedString>("further: push a character under a guard", "0123456789abcdef".into(), |s| s.push('ß'), |s, _| s.write()?.push('ß')),
        scenario::<Counted>("further: reset under a guard", (3, 1), |twin| twin.0 = 0, |counted, _| counted.counter.write()?.reset().map(drop)),
        silent::<Gauged>("further: contribute under a guard", 7, |gauged, _| {
            let mut guard = gauged.gauge.write()?;
            guard.add(5)?;
            guard.add(-5).map(drop)
        })
        .beside_its_filler(),
        silent::<Gauged>("further: set a contribution", 7, |gauged, _| {
            let before = gauged.gauge.set(3)?;
            gauged.gauge.set(before).map(drop)
        })
        .beside_its_filler(),
    ]
}
