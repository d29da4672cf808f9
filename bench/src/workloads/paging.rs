//! What page faults cost, and what `prefault` and `huge_pages` make of that: opening a region, the first touch of its
//! pages, growth, and random look-ups with all pages there.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Runner, Standings, each};
use crate::random::Random;
use crate::report::Report;
use crate::scratch::{Scratch, ScratchFile};
use commy::{Region, RegionOptions, SharedHashMap, SharedVec};
use std::path::Path;

const MIB: usize = 128;
const PAGE: usize = 4096;
/// Numbers of a page.
const NUMBERS: usize = PAGE / size_of::<u64>();

/// A way to open regions. As it is without any of it comes first: the others stand beside it.
struct Way {
    name: &'static str,
    prefault: bool,
    huge: bool,
}

const WAYS: [Way; 4] = [
    Way { name: "Commy", prefault: false, huge: false },
    Way { name: "Commy, prefault", prefault: true, huge: false },
    Way { name: "Commy, huge pages", prefault: false, huge: true },
    Way { name: "Commy, both", prefault: true, huge: true },
];

impl Way {
    fn options(&self) -> RegionOptions {
        Region::options().prefault(self.prefault).huge_pages(self.huge)
    }
}

/// A region that was made and left in this way, and the order in which its pages are touched.
struct Left<'a> {
    way: &'a Way,
    file: ScratchFile,
    order: &'a [usize],
}

impl Runner for Left<'_> {
    fn name(&self) -> &str {
        self.way.name
    }
}

impl Left<'_> {
    fn open(&self) -> Outcome<Region> {
        // As another process has it.
        Ok(self.way.options().own_attachment().open(self.path())?)
    }

    fn path(&self) -> &Path {
        self.file.path()
    }

    fn opening(&mut self) -> Outcome<f64> {
        let mut region = None;
        each(1, || {
            region = Some(self.open()?);
            Ok(())
        })
    }

    /// Nanoseconds of the first touch of each page after opening.
    fn touching(&mut self, touch: impl Fn(&SharedVec<u64>, usize) -> Outcome<bool>) -> Outcome<f64> {
        let region = self.open()?;
        let vector: SharedVec<u64> = region.open_object("vector")?;
        let mut right = true;
        let time = each(self.order.len(), || {
            self.order.iter().try_for_each(|page| {
                right &= touch(&vector, page * NUMBERS)?;
                Ok(())
            })
        })?;
        if right { Ok(time) } else { Err("a wrong value".into()) }
    }
}

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let size = arguments.scaled(MIB);
    let pages = (size << 20) / PAGE;
    let order = Random::new(arguments.seed).shuffled(&(0..pages).collect::<Vec<_>>());
    let mut left = Vec::new();
    for way in &WAYS {
        let scratch = Scratch::with(way.options())?;
        let vector: SharedVec<u64> = scratch.region.object("vector")?;
        vector.extend(0..(pages * NUMBERS) as u64)?;
        drop(vector);
        left.push(Left { way, file: scratch.close(), order: &order });
    }
    let rounds = arguments.rounds(9);
    let standings = Standings::take(rounds, 1, &mut left, Left::opening)?;
    report.add_race("opening a region of 128 MiB", &standings, 0, &[]);
    let read = |vector: &SharedVec<u64>, at: usize| Ok(vector.get(at)? == Some(at as u64));
    let standings = Standings::take(rounds, 1, &mut left, |left| left.touching(read))?;
    report.add_race("first read of each page, at random", &standings, 0, &[]);
    let write = |vector: &SharedVec<u64>, at: usize| {
        vector.set(at, at as u64)?;
        Ok(true)
    };
    let standings = Standings::take(rounds, 1, &mut left, |left| left.touching(write))?;
    report.add_race("first write of each page, at random", &standings, 0, &[]);
    drop(left);
    growing(arguments, report)?;
    looking_up(arguments, report)
}

impl Runner for &Way {
    fn name(&self) -> &str {
        self.name
    }
}

/// Small blocks in a region that grows from nothing.
fn growing(arguments: &Arguments, report: &mut Report) -> Outcome {
    let count = arguments.scaled(200_000) as u64;
    let text = "x".repeat(200);
    let mut ways: Vec<&Way> = WAYS.iter().collect();
    let standings = Standings::take(arguments.rounds(5), 1, &mut ways, |way| {
        let scratch = Scratch::with(way.options())?;
        let texts: SharedHashMap<u64, String> = scratch.region.object("texts")?;
        texts.reserve(count as usize)?;
        each(count as usize, || {
            (0..count).try_for_each(|number| {
                texts.insert(number, &text)?;
                Ok(())
            })
        })
    })?;
    report.add_race("insert of 200 bytes, the region growing", &standings, 0, &[]);
    Ok(())
}

/// A map that no cache holds, with all of its pages there.
struct Filled<'a> {
    way: &'a Way,
    map: SharedHashMap<u64, u64>,
    _scratch: Scratch,
}

impl Runner for Filled<'_> {
    fn name(&self) -> &str {
        self.way.name
    }
}

fn looking_up(arguments: &Arguments, report: &mut Report) -> Outcome {
    let mut random = Random::new(arguments.seed);
    let keys = random.distinct(arguments.scaled(1_000_000));
    let order = random.shuffled(&keys);
    let mut filled = Vec::new();
    for way in &WAYS {
        let scratch = Scratch::with(way.options())?;
        let map: SharedHashMap<u64, u64> = scratch.region.object("map")?;
        map.extend(keys.iter().map(|key| (*key, *key)))?;
        filled.push(Filled { way, map, _scratch: scratch });
    }
    let standings = Standings::take(arguments.rounds(9), 1, &mut filled, |filled| {
        let mut right = true;
        let time = each(order.len(), || {
            order.iter().try_for_each(|key| {
                right &= filled.map.get(key)? == Some(*key);
                Ok(())
            })
        })?;
        if right { Ok(time) } else { Err("a wrong value".into()) }
    })?;
    report.add_race("get in a map that no cache holds", &standings, 0, &[]);
    Ok(())
}
