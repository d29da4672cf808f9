//! A map of 1,000,000 entries that no cache holds: filling it from empty, looking up, changing, iterating, emptying.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::Standings;
use crate::peers::{Act, Contestant, maps, trees};
use crate::report::{Report, Target};

/// Commy through the handle and under a guard come first.
const HANDLE: usize = 0;
const GUARD: usize = 1;

type Round = fn(&mut Contestant) -> Outcome<f64>;
type Targets<'a> = &'a [(&'a str, Target)];

/// One race, and what it is to show: through the handle, under a guard.
struct Race<'a> {
    what: &'a str,
    /// What who takes part must be able to do.
    needs: Act<'a>,
    rounds: usize,
    handle: Targets<'a>,
    guard: Targets<'a>,
}

pub(crate) fn hashed(arguments: &Arguments, report: &mut Report) -> Outcome {
    let mut maps = maps(arguments, 1_000_000)?;
    let mut race = |race: Race, round: Round| run(arguments, report, &mut maps, race, round);
    race(
        Race {
            what: "insert, growing from empty",
            needs: Act::Insert(&[]),
            rounds: 7,
            handle: &[("Mutex<HashMap>", Target::Ratio(1.3)), ("Boost", Target::Faster(8.0))],
            guard: &[],
        },
        Contestant::insert,
    )?;
    race(
        Race {
            what: "get, key there",
            needs: Act::Get(&[]),
            rounds: 15,
            handle: &[("HashMap", Target::Ratio(1.15)), ("Boost", Target::Faster(8.0))],
            guard: &[],
        },
        Contestant::get,
    )?;
    race(
        Race {
            what: "get, key not there",
            needs: Act::Get(&[]),
            rounds: 15,
            handle: &[("HashMap", Target::Ratio(1.5))],
            guard: &[],
        },
        Contestant::miss,
    )?;
    let iterate = &[("HashMap", Target::Ratio(1.3))];
    race(Race { what: "iterate", needs: Act::Iterate, rounds: 15, handle: iterate, guard: &[] }, Contestant::iterate)?;
    race(Race { what: "update", needs: Act::Update(&[]), rounds: 7, handle: &[], guard: &[] }, Contestant::update)?;
    race(Race { what: "remove", needs: Act::Remove(&[]), rounds: 7, handle: &[], guard: &[] }, Contestant::remove)
}

pub(crate) fn ordered(arguments: &Arguments, report: &mut Report) -> Outcome {
    let mut trees = trees(arguments, 1_000_000)?;
    let mut race = |race: Race, round: &mut dyn FnMut(&mut Contestant) -> Outcome<f64>| {
        run(arguments, report, &mut trees, race, round)
    };
    let faster = &[("BTreeMap", Target::Ratio(0.8))];
    race(
        Race { what: "insert, from empty", needs: Act::Insert(&[]), rounds: 5, handle: &[], guard: faster },
        &mut Contestant::insert,
    )?;
    race(Race { what: "get", needs: Act::Get(&[]), rounds: 7, handle: faster, guard: &[] }, &mut Contestant::get)?;
    let scan = &[("BTreeMap", Target::Ratio(0.35)), ("LMDB", Target::Ratio(0.4))];
    let mut expected = None;
    race(Race { what: "scan of 100", needs: Act::Scan(&[]), rounds: 7, handle: scan, guard: &[] }, &mut |tree| {
        tree.scan(&mut expected)
    })?;
    let iterate = &[("BTreeMap", Target::Ratio(0.4))];
    race(
        Race { what: "iterate", needs: Act::Iterate, rounds: 7, handle: iterate, guard: &[] },
        &mut Contestant::iterate,
    )?;
    race(
        Race { what: "update", needs: Act::Update(&[]), rounds: 5, handle: &[], guard: &[] },
        &mut Contestant::update,
    )?;
    race(Race { what: "remove", needs: Act::Remove(&[]), rounds: 5, handle: &[], guard: &[] }, &mut Contestant::remove)
}

fn run(
    arguments: &Arguments,
    report: &mut Report,
    contestants: &mut [Contestant],
    race: Race,
    mut round: impl FnMut(&mut Contestant) -> Outcome<f64>,
) -> Outcome {
    // Iterating and scanning take a guard in any case.
    let one = matches!(race.needs, Act::Iterate | Act::Scan(_));
    let mut able: Vec<&mut Contestant> =
        contestants.iter_mut().filter(|contestant| contestant.can(race.needs)).collect();
    if one {
        able.remove(GUARD);
    }
    let ours = if one { 1 } else { 2 };
    let standings = Standings::take(arguments.rounds(race.rounds), ours, &mut able, |contestant| round(contestant))?;
    report.add_race(race.what, &standings, HANDLE, race.handle);
    if !one {
        report.add_race(&format!("{}, under a guard", race.what), &standings, GUARD, race.guard);
    }
    Ok(())
}
