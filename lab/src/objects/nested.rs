//! Objects whose values own values.

use commy::{Region, Result, SharedBTreeMap, SharedHashMap, SharedVec, SharedVecDeque, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

#[derive(Debug, Clone, PartialEq, Default, Value)]
pub struct Job {
    id: u64,
    urgent: bool,
    name: String,
    tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Value)]
pub enum Event {
    Idle(char),
    Said(String),
    Queued { jobs: VecDeque<Job>, seen: HashSet<u64> },
}

/// A table of trees of options of vectors.
type Deep = HashMap<String, BTreeMap<u32, Option<Vec<u64>>>>;

fn job(number: u64) -> Job {
    let tags = (0..number % 5).map(|tag| "tag ".repeat(tag as usize * 3)).collect();
    Job { id: number, urgent: number.is_multiple_of(2), name: "name ".repeat(number as usize), tags }
}

fn event(number: u64) -> Event {
    match number % 3 {
        0 => Event::Idle('ä'),
        1 => Event::Said("said ".repeat(number as usize)),
        _ => Event::Queued { jobs: (0..number % 4).map(job).collect(), seen: (0..number).collect() },
    }
}

fn deep(number: u64) -> Deep {
    let inner = |key: u64| (0..90u32).map(|at| (at, (at % 3 > 0).then(|| vec![key; at as usize % 5]))).collect();
    (0..number % 3).map(|key| (format!("a key that has a block {key}"), inner(key))).collect()
}

type Ordered = SharedBTreeMap<u64, BTreeSet<String>>;

pub const NAMES: [&str; 4] = ["jobs", "events", "deep", "ordered"];

pub fn fill(region: &Region) -> Result<()> {
    let jobs: SharedVecDeque<Job> = region.object("jobs")?;
    (0..20).try_for_each(|number| jobs.push_back(job(number)))?;
    (0..4).try_for_each(|number| jobs.push_front(job(number)))?;
    region.object::<SharedVec<Event>>("events")?.extend((0..20).map(event))?;
    region.object::<SharedHashMap<u64, Deep>>("deep")?.extend((0..6).map(|number| (number, deep(number))))?;
    let set = |number: u64| -> BTreeSet<String> { (0..number % 7).map(|key| "k".repeat(key as usize * 4)).collect() };
    region.object::<Ordered>("ordered")?.extend((0..80).map(|number| (number, set(number))))
}

/// Asks everything of them; whatever comes back is fine.
pub fn exercise(region: &Region) {
    let _ = region.open_object::<SharedVecDeque<Job>>("jobs").map(|it| {
        let _ = (it.len(), it.get(3), it.to_vec(), it.push_back(job(9)), it.pop_front());
        let _ = it.read().map(|guard| {
            let length = |job: JobRef<'_>| job.name.len() + job.tags.iter().map(str::len).sum::<usize>();
            guard.iter().filter(|job| *job.urgent).map(length).sum::<usize>()
        });
        let _ = it.write().map(|mut guard| {
            let _ = guard.get_mut(5).map(|job| {
                job.map(|mut job| (job.name.push_str("more"), job.tags.push("one"), job.tags.swap_remove(0)))
            });
            let _ = (guard.remove(2), guard.set(1, job(8)));
        });
    });
    let _ = region.open_object::<SharedVec<Event>>("events").map(|it| {
        let _ = (it.get(2), it.to_vec(), it.set(4, event(5)), it.pop());
        let _ = it.read().map(|guard| format!("{guard:?}").len());
        let _ = it.write().map(|mut guard| {
            if let Ok(Some(EventMut::Queued { mut jobs, mut seen })) = guard.get_mut(5) {
                let _ = (jobs.push_front(job(3)), jobs.pop_back(), seen.insert(77), seen.remove(&1));
            }
            let _ = (guard.truncate(9), guard.insert(1, event(11)));
            guard.rollback();
        });
    });
    let _ = region.open_object::<SharedHashMap<u64, Deep>>("deep").map(|it| {
        let _ = (it.get(&2), it.to_map(), it.insert(1, deep(2)), it.insert(50, deep(5)), it.remove(&5));
        let _ = it.read().map(|guard| format!("{guard:?}").len());
        let _ = it.write().map(|mut guard| {
            let deep = guard.entry(4).or_default().and_then(|mut map| {
                let mut tree = map.entry("a key that has a block 0").or_default()?;
                tree.entry(200).or_default()?.set(Some(vec![1u64; 40]))?;
                tree.remove(&3).map(drop)
            });
            let _ = (deep, guard.retain(|key, _| key % 2 == 0));
        });
    });
    let _ = region.open_object::<Ordered>("ordered").map(|it| {
        let _ = (it.get(&6), it.range(3..9), it.to_map(), it.first_key_value());
        let _ = it.read().map(|guard| guard.values().map(|set| set.iter().map(str::len).sum::<usize>()).sum::<usize>());
        let _ = it.write().map(|mut guard| {
            let _ = guard.entry(41).or_default().and_then(|mut set| set.insert("a new key of some length"));
            let _ = (0..30).try_for_each(|_| guard.pop_first().map(drop));
        });
        let _ = it.clear();
    });
}
