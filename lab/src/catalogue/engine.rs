//! Objects, threads and regions that come and go.

use crate::scenario::{Scenario, scenario, silent, steps};
use crate::temporary;
use crate::world::{Names, Sample, World, samples};
use commy::{Result, SharedBox, SharedChannel, SharedCounter, SharedHashMap, SharedVec};
use std::collections::BTreeMap;

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
            "objects: create a counter",
            names(&[]),
            |all| all.extend([("new".into(), 0)]),
            |_, region| region.create_object::<SharedCounter>("new").map(drop),
        ),
        steps::<Names>(
            "objects: a channel comes and goes",
            names(&[("old", 2)]),
            &[
                |all| all.extend([("new".into(), 0)]),
                |all| all.extend([("new".into(), 1)]),
                |all| all.retain(|name, _| name != "new"),
                |all| all.extend([("after".into(), 0)]),
            ],
            |_, region| {
                SharedChannel::<u64>::create(region, "new", 4)?.send(7)?;
                region.remove_object("new")?;
                SharedChannel::<u64>::create(region, "after", 4).map(drop)
            },
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
        pushed("threads: first use of a lane").done_by(|path, watch| {
            let region = temporary::open(path)?;
            let vector: Texts = region.object("object")?;
            let body = || {
                watch.begin();
                push(&vector)?;
                watch.end();
                Ok(())
            };
            std::thread::scope(|scope| scope.spawn(body).join().expect("a thread"))
        }),
        pushed("threads: exit").done_by(|path, watch| {
            let region = temporary::open(path)?;
            let vector: Texts = region.object("object")?;
            let body = || {
                push(&vector)?;
                watch.begin();
                Ok(())
            };
            let result = std::thread::scope(|scope| scope.spawn(body).join().expect("a thread"));
            watch.end();
            result
        }),
        pushed("threads: more lanes than were there").in_fresh_regions().done_by(|path, watch| {
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
                watch.begin();
                let pushed = push(&vector);
                watch.end();
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
        pushed("regions: open and push").done_by(|path, watch| {
            watch.begin();
            temporary::open(path)?.open_object::<Texts>("object")?.push(TEXT)
        }),
        pushed("regions: close").done_by(|path, watch| {
            let region = temporary::open(path)?;
            region.open_object::<Texts>("object")?.push(TEXT)?;
            watch.begin();
            drop(region);
            watch.end();
            Ok(())
        }),
        silent::<Texts>("regions: check", samples(3), |_, region| {
            assert!(region.check()?.is_clean());
            Ok(())
        }),
    ]
}
