//! Operations on values that own values: collections in collections, derived structs.

use crate::scenario::{Scenario, scenario, silent};
use crate::temporary;
use crate::world::{Job, Sample, entries, samples};
use commy::{Error, Result, SharedBTreeMap, SharedBox, SharedHashMap, SharedVec, SharedVecDeque};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// A table of trees of vectors of strings.
type Deep = HashMap<u64, BTreeMap<u32, Vec<String>>>;

pub fn nested() -> Vec<Scenario> {
    let mut scenarios = lists();
    scenarios.extend(jobs());
    scenarios.extend(tables());
    scenarios.extend(trees());
    scenarios.extend(failures());
    scenarios
}

fn lists() -> Vec<Scenario> {
    type List = SharedVec<Vec<String>>;
    let name = |operation: &str| format!("nested SharedVec<Vec<String>>: {operation}");
    let three = || samples::<Vec<String>>(3);
    vec![
        scenario::<List>(name("push"), three(), |v| v.push(Sample::sample(5)), |v, _| v.push(Vec::<String>::sample(5))),
        scenario::<List>(name("pop"), three(), |v| drop(v.pop()), |v, _| v.pop().map(drop)),
        scenario::<List>(
            name("set"),
            three(),
            |v| v[1] = Sample::sample(5),
            |v, _| v.set(1, Vec::<String>::sample(5)).map(drop),
        ),
        scenario::<List>(name("clear"), three(), Vec::clear, |v, _| v.clear()),
        scenario::<List>(
            name("pushes into an inner one, with growth"),
            three(),
            |v| v[1].extend(samples(9)),
            |v, _| {
                let mut guard = v.write()?;
                let mut inner = guard.get_mut(1)?.expect("three");
                (0..9).try_for_each(|number| inner.push(String::sample(number)))
            },
        ),
        scenario::<List>(
            name("inner ones change, move and go"),
            samples(5),
            |v| {
                v[1].pop();
                v[4].insert(0, String::sample(41));
                v.remove(0);
                v.swap_remove(1);
                v.insert(1, Vec::new());
                v[1].push(String::sample(51));
                v[0].clear();
            },
            |v, _| {
                let mut guard = v.write()?;
                guard.get_mut(1)?.expect("five").pop()?;
                guard.get_mut(4)?.expect("five").insert(0, String::sample(41))?;
                guard.remove(0)?;
                guard.swap_remove(1)?;
                guard.insert(1, Vec::new())?;
                guard.get_mut(1)?.expect("a new one").push(String::sample(51))?;
                guard.get_mut(0)?.expect("the first").clear()
            },
        ),
        silent::<List>(name("all of that, rolled back"), samples(5), |v, _| {
            let mut guard = v.write()?;
            guard.get_mut(1)?.expect("five").pop()?;
            guard.get_mut(4)?.expect("five").insert(0, String::sample(41))?;
            guard.remove(0)?;
            guard.get_mut(0)?.expect("one").clear()?;
            guard.set(2, Vec::<String>::sample(31))?;
            guard.rollback();
            Ok(())
        }),
    ]
}

fn jobs() -> Vec<Scenario> {
    type Jobs = SharedVecDeque<Job>;
    let name = |operation: &str| format!("nested SharedVecDeque<Job>: {operation}");
    let full = || samples::<Job>(8).into();
    vec![
        scenario::<Jobs>(
            name("push_back with growth while wrapped"),
            full(),
            |q: &mut VecDeque<Job>| q.push_back(Job::sample(3)),
            |q, _| q.push_back(Job::sample(3)),
        ),
        scenario::<Jobs>(name("pop_front"), full(), |q| drop(q.pop_front()), |q, _| q.pop_front().map(drop)),
        scenario::<Jobs>(
            name("fields changed in place"),
            full(),
            |q| {
                q[3].id = 77;
                q[3].name.push_str(", renamed and so made much longer");
                q[3].tags.push("tagged".into());
                q[5].payload.clear();
            },
            |q, _| {
                let mut guard = q.write()?;
                {
                    let mut job = guard.get_mut(3)?.expect("eight");
                    *job.id = 77;
                    job.name.push_str(", renamed and so made much longer")?;
                    job.tags.push("tagged")?;
                }
                guard.get_mut(5)?.expect("eight").payload.clear()
            },
        ),
        scenario::<SharedBox<Job>>(
            "nested SharedBox<Job>: update",
            Job::sample(4),
            |job| *job = Job::sample(5),
            |cell, _| cell.update(|job| *job = Job::sample(5)),
        ),
    ]
}

fn tables() -> Vec<Scenario> {
    type Map = SharedHashMap<String, Deep>;
    let name = |operation: &str| format!("nested SharedHashMap<String, HashMap<..>>: {operation}");
    // Fourteen fill a group.
    let (few, full) = (
        || entries::<String, Deep>(3),
        || (0..14).map(|number| (String::sample(number), Deep::sample(number % 2))).collect::<BTreeMap<_, _>>(),
    );
    vec![
        scenario::<Map>(
            name("insert with growth"),
            full(),
            |m| drop(m.insert(String::sample(31), Deep::sample(1))),
            |m, _| m.insert(String::sample(31), Deep::sample(1)).map(drop),
        ),
        scenario::<Map>(
            name("insert over a deep value"),
            few(),
            |m| drop(m.insert(String::sample(2), Deep::sample(1))),
            |m, _| m.insert(String::sample(2), Deep::sample(1)).map(drop),
        ),
        scenario::<Map>(
            name("remove a deep value"),
            few(),
            |m| drop(m.remove(&String::sample(2))),
            |m, _| m.remove(&String::sample(2)).map(drop),
        ),
        scenario::<Map>(
            name("entries at each depth"),
            few(),
            |m| {
                let deep = m.entry("new".into()).or_default().entry(9).or_default();
                deep.entry(5).or_default().push(String::sample(1));
                m.get_mut(&String::sample(1)).expect("there").clear();
            },
            |m, _| {
                let mut guard = m.write()?;
                guard
                    .entry("new")
                    .or_default()?
                    .entry(9)
                    .or_default()?
                    .entry(5)
                    .or_default()?
                    .push(String::sample(1))?;
                guard.get_mut(&String::sample(1)).expect("there").clear()
            },
        ),
        scenario::<Map>(name("clear"), few(), BTreeMap::clear, |m, _| m.clear()),
    ]
}

fn trees() -> Vec<Scenario> {
    type Tree = SharedBTreeMap<u64, Vec<String>>;
    let name = |operation: &str| format!("nested SharedBTreeMap<u64, Vec<String>>: {operation}");
    fn brief(count: u64) -> BTreeMap<u64, Vec<String>> {
        (0..count).map(|number| (2 * number, Vec::sample(number % 2))).collect()
    }
    vec![
        // A leaf has room for fifty-odd entries.
        scenario::<Tree>(
            name("inserts with a split, and inner ones change"),
            brief(50),
            |t| {
                t.get_mut(&40).expect("there").push(String::sample(1));
                (0..30).for_each(|number| drop(t.insert(2 * number + 1, Vec::new())));
                t.get_mut(&41).expect("there").push(String::sample(3));
                t.get_mut(&98).expect("there").clear();
            },
            |t, _| {
                let mut guard = t.write()?;
                guard.get_mut(&40).expect("there").push(String::sample(1))?;
                (0..30).try_for_each(|number| guard.insert(2 * number + 1, Vec::new()).map(drop))?;
                guard.get_mut(&41).expect("there").push(String::sample(3))?;
                guard.get_mut(&98).expect("there").clear()
            },
        ),
        scenario::<Tree>(
            name("removals with a merge"),
            brief(80),
            |t| t.retain(|key, _| !(10..100).contains(key)),
            |t, _| t.write()?.retain(|key, _| !(10..100).contains(key)),
        ),
        scenario::<Tree>(name("clear"), brief(70), BTreeMap::clear, |t, _| t.clear()),
    ]
}

/// What finds no room half-way gives back what it has taken.
fn failures() -> Vec<Scenario> {
    type List = SharedVec<Vec<String>>;
    fn too_much() -> Vec<String> {
        let mut list: Vec<String> = (0..3).map(|number| "x".repeat(1000 + number)).collect();
        list.push("y".repeat(16 << 20));
        list
    }
    fn is_refused(result: Result<()>) -> Result<()> {
        match result {
            Err(Error::OutOfSpace { .. }) => Ok(()),
            other => panic!("{other:?} instead of a refusal"),
        }
    }
    vec![
        silent::<List>("nested SharedVec<Vec<String>>: a push that finds no room half-way", samples(3), |v, _| {
            let mut guard = v.write()?;
            is_refused(guard.push(too_much()))
        })
        .with_capacity(8 << 20)
        .done_by(|path, watch| {
            let region = temporary::open(path)?;
            let list: List = region.object("object")?;
            // Millions of instructions make the value, which nobody can see.
            let value = too_much();
            watch.begin();
            let mut guard = list.write()?;
            is_refused(guard.push(value))?;
            drop(guard);
            watch.end();
            Ok(())
        }),
    ]
}
