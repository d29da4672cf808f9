//! One atomic change of two objects, beside two mutexes that are held together, and beside the transactions of LMDB and
//! redb.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Runner, Standings, each};
use crate::report::Report;
use crate::scratch::Scratch;
use commy::{SharedHashMap, SharedVec};
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Mutex;

/// Keys that are written again and again.
const KEYS: u64 = 1000;

/// Something that does so many changes, each numbered.
struct Changer<'a> {
    name: &'static str,
    change: Box<dyn FnMut(u64) -> Outcome + 'a>,
    /// The sum over the keys, and the number of the last change as the second object has it.
    state: Box<dyn Fn() -> Outcome<[u64; 2]> + 'a>,
}

impl Runner for Changer<'_> {
    fn name(&self) -> &str {
        self.name
    }
}

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let scratch = Scratch::new()?;
    let region = &scratch.region;
    let (map, last): (SharedHashMap<u64, u64>, SharedVec<u64>) = (region.object("map")?, region.object("last")?);
    last.push(0)?;
    let private = (Mutex::new(HashMap::<u64, u64, foldhash::fast::RandomState>::default()), Mutex::new([0u64]));
    #[cfg(feature = "peers")]
    let stores = crate::peers::Stores::new(arguments)?;
    let mut changers = vec![
        Changer {
            name: "Commy",
            change: Box::new(|number| {
                Ok(region.transaction(|transaction| {
                    transaction.write(&map)?.insert(number % KEYS, number)?;
                    transaction.write(&last)?[0] = number;
                    Ok(())
                })?)
            }),
            state: Box::new(|| Ok([map.values()?.iter().sum(), last.get(0)?.unwrap_or(0)])),
        },
        Changer {
            name: "two Mutexes",
            change: Box::new(|number| {
                let (map, last) = black_box(&private);
                let (mut map, mut last) = (map.lock().unwrap(), last.lock().unwrap());
                map.insert(number % KEYS, number);
                last[0] = number;
                Ok(())
            }),
            state: Box::new(|| Ok([private.0.lock().unwrap().values().sum(), private.1.lock().unwrap()[0]])),
        },
    ];
    #[cfg(feature = "peers")]
    for (name, store) in stores.all() {
        let change = Box::new(|number| store.change(number % KEYS, number));
        changers.push(Changer { name, change, state: Box::new(|| store.state()) });
    }
    let count = arguments.scaled(20_000) as u64;
    let standings = Standings::take(arguments.rounds(15), 1, &mut changers, |changer| {
        let time = each(count as usize, || (1..=count).try_for_each(|number| (changer.change)(number)))?;
        let expected = [(1..=count).rev().take(KEYS as usize).sum(), count];
        if (changer.state)()? == expected { Ok(time) } else { Err("a change is missing".into()) }
    })?;
    report.add_race("a map and another object in one change", &standings, 0, &[]);
    Ok(())
}
