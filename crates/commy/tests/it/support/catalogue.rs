//! All operations that children are killed in, by group.

use super::child;
use super::scenario::{Scenario, scenario, silent, steps};
use super::temporary;
use super::world::{Names, Record, Sample, Wide, World, entries, samples};
use commy::{
    Error, Key, Lookup, Region, Result, SharedBox, SharedHashMap, SharedString, SharedVec, Store, StoreKey, Value,
    crash,
};
use std::collections::BTreeMap;
use std::hash::Hash;

/// How the names of a group's scenarios begin, and the group.
type Group = (&'static [&'static str], fn() -> Vec<Scenario>);

const GROUPS: &[Group] = &[
    (&["SharedVec", "long SharedVec"], vectors),
    (&["SharedBox"], boxes),
    (&["SharedString"], strings),
    (&["SharedHashMap"], maps),
    (&["transaction"], transactions),
    (&["two guards", "a "], guards),
    (&["objects"], objects),
    (&["threads"], threads),
    (&["regions"], regions),
    (&["canary"], crate::kill_points::canaries),
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

pub fn vectors() -> Vec<Scenario> {
    let mut scenarios = vectors_of::<u64>("u64");
    scenarios.extend(vectors_of::<Record>("Record"));
    scenarios.extend(vectors_of::<String>("String"));
    scenarios.extend(vectors_of::<Option<String>>("Option<String>"));
    scenarios.extend(long_vectors());
    scenarios
}

fn vectors_of<T: Value + Store<T> + Sample>(kind: &str) -> Vec<Scenario> {
    let name = |operation: &str| format!("SharedVec<{kind}>: {operation}");
    // Three leave room for a fourth; eight fill their block.
    let (few, full) = (|| samples::<T>(3), || samples::<T>(8));
    type Vector<T> = SharedVec<T>;
    vec![
        scenario::<Vector<T>>(
            name("push into an empty one"),
            vec![],
            |v| v.push(T::sample(1)),
            |v, _| v.push(T::sample(1)),
        ),
        scenario::<Vector<T>>(name("push"), few(), |v| v.push(T::sample(31)), |v, _| v.push(T::sample(31))),
        scenario::<Vector<T>>(
            name("push with growth"),
            full(),
            |v| v.push(T::sample(31)),
            |v, _| v.push(T::sample(31)),
        ),
        scenario::<Vector<T>>(name("pop"), samples(2), |v| drop(v.pop()), |v, _| v.pop().map(drop)),
        scenario::<Vector<T>>(name("set"), few(), |v| v[1] = T::sample(35), |v, _| v.set(1, T::sample(35)).map(drop)),
        scenario::<Vector<T>>(
            name("insert"),
            full(),
            |v| v.insert(2, T::sample(31)),
            |v, _| v.write()?.insert(2, T::sample(31)),
        ),
        scenario::<Vector<T>>(name("remove"), full(), |v| drop(v.remove(1)), |v, _| v.write()?.remove(1).map(drop)),
        scenario::<Vector<T>>(
            name("swap_remove"),
            full(),
            |v| drop(v.swap_remove(1)),
            |v, _| v.write()?.swap_remove(1).map(drop),
        ),
        scenario::<Vector<T>>(name("truncate"), full(), |v| v.truncate(3), |v, _| v.truncate(3)),
        scenario::<Vector<T>>(name("clear"), full(), Vec::clear, |v, _| v.clear()),
        scenario::<Vector<T>>(name("extend"), few(), |v| v.extend(samples(7)), |v, _| v.extend(samples::<T>(7))),
        scenario::<Vector<T>>(
            name("retain"),
            full(),
            |v| v.retain(alternating()),
            |v, _| {
                let mut keep = alternating();
                v.write()?.retain(|_| keep(&()))
            },
        ),
        scenario::<Vector<T>>(name("guard of many calls"), few(), many_twin, many),
        silent::<Vector<T>>(name("guard rolled back"), few(), |v, _| {
            let mut guard = v.write()?;
            guard.push(T::sample(41))?;
            guard.set(0, T::sample(43))?;
            guard.remove(1)?;
            guard.extend(samples::<T>(5))?;
            guard.rollback();
            Ok(())
        }),
    ]
}

/// Says yes and no in turn.
fn alternating<A>() -> impl FnMut(&A) -> bool {
    let mut last = false;
    move |_| {
        last = !last;
        last
    }
}

/// Slots that were live are let go and filled again, blocks are moved twice.
fn many<T: Value + Store<T> + Sample>(vector: &SharedVec<T>, _: &Region) -> Result<()> {
    let mut guard = vector.write()?;
    guard.pop()?;
    guard.push(T::sample(51))?;
    guard.set(0, T::sample(53))?;
    guard.extend(samples::<T>(3))?;
    guard.remove(1)?;
    guard.insert(2, T::sample(55))?;
    guard.push(T::sample(57))?;
    guard.truncate(6)?;
    guard.set(0, T::sample(59)).map(drop)
}

fn many_twin<T: Sample>(vector: &mut Vec<T>) {
    vector.pop();
    vector.push(T::sample(51));
    vector[0] = T::sample(53);
    vector.extend(samples(3));
    vector.remove(1);
    vector.insert(2, T::sample(55));
    vector.push(T::sample(57));
    vector.truncate(6);
    vector[0] = T::sample(59);
}

/// Vectors whose bodies are page runs, are moved instead of logged, or whose logs spill.
fn long_vectors() -> Vec<Scenario> {
    type Numbers = SharedVec<u64>;
    vec![
        scenario::<Numbers>(
            "long SharedVec: push with growth of a page run",
            samples(4608),
            |v| v.push(1),
            |v, _| v.push(1),
        ),
        scenario::<Numbers>("long SharedVec: clear a page run", samples(4608), Vec::clear, |v, _| v.clear()),
        scenario::<Numbers>(
            "long SharedVec: insert in front",
            samples(300),
            |v| v.insert(0, 1),
            |v, _| v.write()?.insert(0, 1),
        ),
        scenario::<Numbers>(
            "long SharedVec: change in place",
            samples(300),
            |v| v.iter_mut().for_each(|value| *value += 1),
            |v, _| {
                v.write()?.try_as_mut_slice()?.iter_mut().for_each(|value| *value += 1);
                Ok(())
            },
        ),
        scenario::<SharedVec<Wide>>(
            "long SharedVec: a log of three chunks",
            samples(21),
            |v| (0..21).for_each(|index| v[index][5] += 7),
            |v, _| {
                let mut guard = v.write()?;
                (0..21).try_for_each(|index| {
                    let value = guard.get_mut(index)?.ok_or(Error::NotFound)?;
                    value[5] += 7;
                    Ok(())
                })
            },
        ),
        silent::<SharedVec<Wide>>("long SharedVec: a log of three chunks rolled back", samples(21), |v, _| {
            let mut guard = v.write()?;
            for index in 0..21 {
                guard.set(index, Wide::sample(77))?;
            }
            guard.rollback();
            Ok(())
        }),
        scenario::<Numbers>(
            "long SharedVec: a vector that makes the region grow",
            vec![],
            |v| v.push(1),
            |v, _| {
                let mut guard = v.write()?;
                guard.reserve(40_000)?;
                guard.push(1)
            },
        )
        .in_fresh_regions(),
    ]
}

pub fn boxes() -> Vec<Scenario> {
    let mut scenarios = boxes_of::<u64>("u64");
    scenarios.extend(boxes_of::<Record>("Record"));
    scenarios.extend(boxes_of::<String>("String"));
    scenarios.push(scenario::<SharedBox<Record>>(
        "SharedBox<Record>: change in place",
        Record::sample(1),
        |b| b.weight = 5,
        |b, _| {
            b.write()?.weight = 5;
            Ok(())
        },
    ));
    scenarios
}

fn boxes_of<T: Value + Store<T> + Default + Sample>(kind: &str) -> Vec<Scenario> {
    let name = |operation: &str| format!("SharedBox<{kind}>: {operation}");
    type One<T> = SharedBox<T>;
    let old = || T::sample(3);
    vec![
        scenario::<One<T>>(name("set"), old(), |b| *b = T::sample(5), |b, _| b.set(T::sample(5))),
        scenario::<One<T>>(name("replace"), old(), |b| *b = T::sample(4), |b, _| b.replace(T::sample(4)).map(drop)),
        scenario::<One<T>>(
            name("update"),
            old(),
            |b| *b = T::sample(7),
            |b, _| b.update(|value| *value = T::sample(7)),
        ),
        scenario::<One<T>>(
            name("guard"),
            old(),
            |b| *b = T::sample(9),
            |b, _| {
                let mut guard = b.write()?;
                guard.set(T::sample(8))?;
                guard.set(T::sample(9))
            },
        ),
        silent::<One<T>>(name("guard rolled back"), old(), |b, _| {
            let mut guard = b.write()?;
            guard.set(T::sample(9))?;
            guard.rollback();
            Ok(())
        }),
    ]
}

pub fn strings() -> Vec<Scenario> {
    type Text = SharedString;
    let text = || String::from("between the commits");
    vec![
        scenario::<Text>("SharedString: push_str", "ab".into(), |s| s.push('c'), |s, _| s.push_str("c")),
        scenario::<Text>(
            "SharedString: push_str with growth",
            text(),
            |s| s.push_str(" and the locks of a process that was killed"),
            |s, _| s.push_str(" and the locks of a process that was killed"),
        ),
        scenario::<Text>("SharedString: set", text(), |s| *s = "ä".into(), |s, _| s.set("ä")),
        scenario::<Text>("SharedString: clear", text(), String::clear, |s, _| s.clear()),
        scenario::<Text>(
            "SharedString: replace_range",
            text(),
            |s| s.replace_range(8..11, "all of the"),
            |s, _| s.write()?.replace_range(8..11, "all of the"),
        ),
        scenario::<Text>(
            "SharedString: replace_range of a long text",
            "0123456789".repeat(400),
            |s| s.replace_range(5..3000, "x"),
            |s, _| s.write()?.replace_range(5..3000, "x"),
        ),
        scenario::<Text>(
            "SharedString: guard of many calls",
            text(),
            |s| {
                s.truncate(7);
                s.push_str("!");
                s.insert_str(0, "in ");
                s.pop();
                s.push_str(" two of them");
            },
            |s, _| {
                let mut guard = s.write()?;
                guard.truncate(7)?;
                guard.push_str("!")?;
                guard.insert_str(0, "in ")?;
                guard.pop()?;
                guard.push_str(" two of them")
            },
        ),
        silent::<Text>("SharedString: guard rolled back", text(), |s, _| {
            let mut guard = s.write()?;
            guard.replace_range(0..7, "BEHIND")?;
            guard.clear()?;
            guard.push_str("gone")?;
            guard.rollback();
            Ok(())
        }),
    ]
}

pub fn maps() -> Vec<Scenario> {
    let mut scenarios = maps_of::<u64, u64>("u64, u64");
    scenarios.extend(maps_of::<String, String>("String, String"));
    scenarios.extend(maps_of::<String, Vec<u8>>("String, Vec<u8>"));
    scenarios.extend(maps_of::<Record, u64>("Record, u64"));
    scenarios.extend(particular_maps());
    scenarios
}

fn maps_of<K, V>(kind: &str) -> Vec<Scenario>
where
    K: Key + StoreKey<K> + Lookup<K> + Sample + Ord + Hash,
    V: Value + Store<V> + Sample,
{
    let name = |operation: &str| format!("SharedHashMap<{kind}>: {operation}");
    type Map<K, V> = SharedHashMap<K, V>;
    // Fourteen fill a group.
    let (few, full) = (|| entries::<K, V>(4), || entries::<K, V>(14));
    fn put<K: Sample + Ord, V: Sample>(map: &mut BTreeMap<K, V>, number: u64) {
        map.insert(K::sample(number), V::sample(number));
    }
    vec![
        scenario::<Map<K, V>>(
            name("insert into an empty one"),
            BTreeMap::new(),
            |m| put(m, 1),
            |m, _| m.insert(K::sample(1), V::sample(1)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("insert"),
            few(),
            |m| put(m, 31),
            |m, _| m.insert(K::sample(31), V::sample(31)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("insert over another"),
            few(),
            |m| drop(m.insert(K::sample(1), V::sample(33))),
            |m, _| m.insert(K::sample(1), V::sample(33)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("insert with growth"),
            full(),
            |m| put(m, 31),
            |m, _| m.insert(K::sample(31), V::sample(31)).map(drop),
        ),
        scenario::<Map<K, V>>(
            name("remove"),
            full(),
            |m| drop(m.remove(&K::sample(3))),
            |m, _| m.remove(&K::sample(3)).map(drop),
        ),
        scenario::<Map<K, V>>(name("clear"), full(), BTreeMap::clear, |m, _| m.clear()),
        scenario::<Map<K, V>>(
            name("extend"),
            few(),
            |m| (2..6).for_each(|number| put(m, number)),
            |m, _| m.extend((2..6).map(|number| (K::sample(number), V::sample(number)))),
        ),
        scenario::<Map<K, V>>(
            name("guard of many calls"),
            full(),
            |m| {
                m.remove(&K::sample(1));
                put(m, 61);
                m.insert(K::sample(61), V::sample(63));
                put(m, 65);
                m.remove(&K::sample(65));
                put(m, 67);
                m.insert(K::sample(3), V::sample(69));
            },
            |m, _| {
                let mut guard = m.write()?;
                guard.remove(&K::sample(1))?;
                guard.insert(K::sample(61), V::sample(61))?;
                guard.insert(K::sample(61), V::sample(63))?;
                guard.insert(K::sample(65), V::sample(65))?;
                guard.remove(&K::sample(65))?;
                guard.insert(K::sample(67), V::sample(67))?;
                guard.insert(K::sample(3), V::sample(69)).map(drop)
            },
        ),
        silent::<Map<K, V>>(name("guard rolled back"), full(), |m, _| {
            let mut guard = m.write()?;
            guard.remove(&K::sample(2))?;
            guard.insert(K::sample(71), V::sample(71))?;
            guard.insert(K::sample(3), V::sample(73))?;
            guard.insert(K::sample(75), V::sample(75))?;
            guard.clear()?;
            guard.rollback();
            Ok(())
        }),
    ]
}

/// What needs plain values or types that are known.
fn particular_maps() -> Vec<Scenario> {
    type Numbers = SharedHashMap<u64, u64>;
    type Texts = SharedHashMap<String, String>;
    vec![
        scenario::<Numbers>(
            "SharedHashMap<u64, u64>: retain",
            entries(14),
            |m| m.retain(|key, _| !key.is_multiple_of(4)),
            |m, _| m.write()?.retain(|key, _| !key.is_multiple_of(4)),
        ),
        scenario::<Texts>(
            "SharedHashMap<String, String>: retain",
            entries(6),
            |m| m.retain(|key, _| key.starts_with("short")),
            |m, _| m.write()?.retain(|key, _| key.starts_with("short")),
        ),
        scenario::<SharedHashMap<String, Record>>(
            "SharedHashMap<String, Record>: update",
            entries(6),
            |m| m.values_mut().nth(2).into_iter().for_each(|value| value.weight = 8),
            |m, _| {
                let key = entries::<String, Record>(6).into_keys().nth(2).ok_or(Error::NotFound)?;
                m.update(&key, |value| value.weight = 8).map(drop)
            },
        ),
        scenario::<Numbers>(
            "SharedHashMap<u64, u64>: entries",
            entries(13),
            |m| {
                *m.entry(1).or_insert(0) += 5;
                *m.entry(81).or_insert(2) += 5;
                *m.entry(83).or_default() += 5;
                m.remove(&7);
            },
            |m, _| {
                let mut guard = m.write()?;
                *guard.entry(1).or_insert(0)? += 5;
                *guard.entry(81).or_insert(2)? += 5;
                *guard.entry(83).or_default()? += 5;
                if let commy::Entry::Occupied(entry) = guard.entry(7) {
                    entry.remove()?;
                }
                Ok(())
            },
        ),
    ]
}

pub fn transactions() -> Vec<Scenario> {
    type Pair = (SharedVec<u64>, SharedHashMap<u64, u64>);
    type Texts = (SharedVec<String>, SharedHashMap<String, String>);
    type Three = ((SharedVec<u64>, SharedBox<u64>), SharedString);
    let pair = || (samples(3), entries(4));
    vec![
        scenario::<Pair>(
            "transaction: push and insert",
            pair(),
            |(v, m)| {
                v.push(5);
                m.insert(5, 5);
            },
            |(v, m), region| {
                region.transaction(|tx| {
                    tx.write(v)?.push(5)?;
                    tx.write(m)?.insert(5, 5).map(drop)
                })
            },
        ),
        scenario::<Texts>(
            "transaction: a text from a vector to a map",
            (samples(6), entries(4)),
            |(v, m)| {
                let text = v.pop().unwrap();
                m.insert(text.clone(), text);
                m.remove(&String::sample(1));
            },
            |(v, m), region| {
                region.transaction(|tx| {
                    let text = tx.write(v)?.pop()?.ok_or(Error::NotFound)?;
                    let mut m = tx.write(m)?;
                    m.insert(&text, &text)?;
                    m.remove(&String::sample(1)).map(drop)
                })
            },
        ),
        scenario::<Three>(
            "transaction: three objects",
            ((samples(8), 3), "three".into()),
            |((v, b), s)| {
                v.push(9);
                *b = 4;
                s.push_str(" of them, and a text that grows");
            },
            |((v, b), s), region| {
                region.transaction(|tx| {
                    tx.write(v)?.push(9)?;
                    tx.write(b)?.set(4)?;
                    tx.write(s)?.push_str(" of them, and a text that grows")
                })
            },
        ),
        scenario::<Pair>(
            "transaction: read, then write",
            pair(),
            |(v, m)| {
                let len = v.len() as u64;
                m.insert(len, len);
                v.clear();
            },
            |(v, m), region| {
                region.transaction(|tx| {
                    let len = tx.read(v)?.len() as u64;
                    tx.write(m)?.insert(len, len)?;
                    tx.write(v)?.clear()
                })
            },
        ),
        silent::<Pair>("transaction: fails", pair(), |(v, m), region| {
            let result: Result<()> = region.transaction(|tx| {
                tx.write(v)?.extend(samples::<u64>(9))?;
                tx.write(m)?.clear()?;
                Err(Error::NotFound)
            });
            assert!(matches!(result, Err(Error::NotFound)));
            Ok(())
        }),
        scenario::<(SharedVec<Wide>, SharedVec<u64>)>(
            "transaction: a log that spills",
            (samples(6), samples(6)),
            |(wide, numbers)| {
                (0..6).for_each(|index| wide[index][9] = 1);
                numbers.insert(0, 1);
            },
            |(wide, numbers), region| {
                region.transaction(|tx| {
                    let mut wide = tx.write(wide)?;
                    (0..6).for_each(|index| wide[index][9] = 1);
                    tx.write(numbers)?.insert(0, 1)
                })
            },
        ),
    ]
}

/// Several contexts of one lane, reads beside writes, somebody waiting.
pub fn guards() -> Vec<Scenario> {
    type Pair = (SharedVec<u64>, SharedVec<String>);
    let pair = || (samples(8), samples(3));
    vec![
        steps::<Pair>(
            "two guards: the first ends first",
            pair(),
            &[|(a, _)| a.push(1), |(_, b)| b.push("two".into())],
            |(a, b), _| {
                let (mut first, mut second) = (a.write()?, b.write()?);
                first.push(1)?;
                second.push("two")?;
                drop(first);
                drop(second);
                Ok(())
            },
        ),
        steps::<Pair>(
            "two guards: the second ends first",
            pair(),
            &[|(_, b)| b.clear(), |(a, _)| a.push(1)],
            |(a, b), _| {
                let (mut first, mut second) = (a.write()?, b.write()?);
                first.push(1)?;
                second.clear()?;
                drop(second);
                drop(first);
                Ok(())
            },
        ),
        scenario::<Pair>(
            "two guards: one rolled back",
            pair(),
            |(_, b)| drop(b.pop()),
            |(a, b), _| {
                let (mut first, mut second) = (a.write()?, b.write()?);
                first.push(1)?;
                second.pop()?;
                first.rollback();
                drop(second);
                Ok(())
            },
        ),
        steps::<Pair>(
            "a call beside a guard",
            pair(),
            &[|(_, b)| b.push("a text that needs a block".into()), |(a, _)| a.push(1)],
            |(a, b), _| {
                let mut guard = a.write()?;
                guard.push(1)?;
                b.push("a text that needs a block")?;
                drop(guard);
                Ok(())
            },
        ),
        scenario::<Pair>(
            "a call beside a read",
            pair(),
            |(_, b)| b.push("x".into()),
            |(a, b), _| {
                let guard = a.read()?;
                b.push("x")?;
                assert_eq!(guard.len(), 8);
                Ok(())
            },
        ),
        silent::<Pair>("a read beside another", pair(), |(a, b), _| {
            let (first, second, again) = (a.read()?, b.read()?, a.read()?);
            assert_eq!((first.len(), second.len(), again.len()), (8, 3, 8));
            Ok(())
        }),
        scenario::<SharedVec<u64>>("a guard that somebody waits for", samples(3), |v| v.push(7), |v, _| v.push(7))
            .done_by(|path, arm| {
                let region = temporary::open(path)?;
                let vector: SharedVec<u64> = region.object("object")?;
                let mut guard = vector.write()?;
                guard.push(7)?;
                child::tell("held");
                while !region.processes()?.iter().any(|process| process.waits_for.is_some()) {
                    std::thread::yield_now();
                }
                arm();
                drop(guard);
                crash::disarm();
                Ok(())
            })
            .with_a_waiter(),
    ]
}

/// Objects made, removed, renamed.
pub fn objects() -> Vec<Scenario> {
    const LONG: &str = "a name that needs a block of its own";
    let names = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, len)| (name.to_string(), *len)).collect();
    let fourteen = || (0..14).map(|number| (format!("{number}"), 0)).collect::<BTreeMap<String, u64>>();
    vec![
        scenario::<Names>(
            "objects: create a vector",
            names(&[("old", 2)]),
            |all| all.extend([("new".into(), 0)]),
            |_, region| region.create_object::<SharedVec<String>>("new").map(drop),
        ),
        scenario::<Names>(
            "objects: create a box",
            names(&[]),
            |all| all.extend([(LONG.into(), 1)]),
            |_, region| region.create_object::<SharedBox<String>>(LONG).map(drop),
        ),
        scenario::<Names>(
            "objects: create one more than fit into a group",
            fourteen(),
            |all| all.extend([("new".into(), 0)]),
            |_, region| region.create_object::<SharedHashMap<u64, u64>>("new").map(drop),
        ),
        scenario::<Names>(
            "objects: remove",
            names(&[("old", 8), (LONG, 4)]),
            |all| all.retain(|name, _| name != "old"),
            |_, region| region.remove_object("old"),
        ),
        scenario::<Names>(
            "objects: remove a long name",
            names(&[("old", 2), (LONG, 0)]),
            |all| all.retain(|name, _| name != LONG),
            |_, region| region.remove_object(LONG),
        ),
        scenario::<Names>(
            "objects: rename",
            names(&[("old", 2)]),
            |all| {
                let len = all.remove("old").unwrap();
                all.insert(LONG.into(), len);
            },
            |_, region| region.rename_object("old", LONG),
        ),
        silent::<Names>("objects: one without a name", names(&[("old", 2)]), |_, region| {
            let nameless = SharedVec::<String>::new_in(region)?;
            nameless.extend(samples::<String>(4))
        }),
        silent::<Names>("objects: a map without a name", names(&[]), |_, region| {
            let nameless = SharedHashMap::<String, Vec<u8>>::new_in(region)?;
            nameless.insert("key", Vec::<u8>::sample(1)).map(drop)
        }),
    ]
}

/// The first and the last moments of threads.
pub fn threads() -> Vec<Scenario> {
    type Texts = SharedVec<String>;
    fn push(vector: &Texts) -> Result<()> {
        vector.push("pushed by a thread of its own")
    }
    let pushed = |name: &str| {
        scenario::<Texts>(name, samples(3), |v| v.push("pushed by a thread of its own".into()), |v, _| push(v))
    };
    vec![
        pushed("threads: first use of a lane").done_by(|path, arm| {
            let region = temporary::open(path)?;
            let vector: Texts = region.object("object")?;
            let body = || {
                arm();
                push(&vector)?;
                crash::disarm();
                Ok(())
            };
            std::thread::scope(|scope| scope.spawn(body).join().expect("a thread"))
        }),
        pushed("threads: exit").done_by(|path, arm| {
            let region = temporary::open(path)?;
            let vector: Texts = region.object("object")?;
            let body = || {
                push(&vector)?;
                arm();
                Ok(())
            };
            let result = std::thread::scope(|scope| scope.spawn(body).join().expect("a thread"));
            crash::disarm();
            result
        }),
        pushed("threads: more lanes than were there").in_fresh_regions().done_by(|path, arm| {
            let region = temporary::open(path)?;
            let vector: Texts = region.object("object")?;
            // Sixteen lanes are there from the beginning, and the survivor has one.
            let all = std::sync::Barrier::new(16);
            let first = || {
                let touched = vector.touch();
                all.wait();
                all.wait();
                touched
            };
            let last = || {
                arm();
                let pushed = push(&vector);
                crash::disarm();
                pushed
            };
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..15).map(|_| scope.spawn(first)).collect();
                all.wait();
                let result = scope.spawn(last).join().expect("a thread");
                all.wait();
                threads.into_iter().try_for_each(|thread| thread.join().expect("a thread")).and(result)
            })
        }),
    ]
}

/// Opening, closing and checking a region that others use.
pub fn regions() -> Vec<Scenario> {
    type Texts = SharedVec<String>;
    const TEXT: &str = "a text that needs a block";
    let pushed = |name: &str| scenario::<Texts>(name, samples(3), |v| v.push(TEXT.into()), |v, _| v.push(TEXT));
    vec![
        pushed("regions: open and push").done_by(|path, arm| {
            arm();
            temporary::open(path)?.open_object::<Texts>("object")?.push(TEXT)
        }),
        pushed("regions: close").done_by(|path, arm| {
            let region = temporary::open(path)?;
            region.open_object::<Texts>("object")?.push(TEXT)?;
            arm();
            drop(region);
            crash::disarm();
            Ok(())
        }),
        silent::<Texts>("regions: check", samples(3), |_, region| {
            assert!(region.check()?.is_clean());
            Ok(())
        }),
    ]
}
