//! Messages through channels, beside what a ring without any promise does, and what the kernel takes for waking somebody.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::Standings;
use crate::peers::pair::{Pair, Place, pairs};
use crate::report::{Report, Target};

pub(super) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    for size in [8, 64] {
        let mut apart = pairs(arguments, size, Place::Apart)?;
        let (messages, trips) = (arguments.scaled(1_000_000) as u64, arguments.scaled(30_000) as u64);
        let throughput = [("bare ring", Target::Ratio(1.25))];
        let handles = [("", Target::None)];
        race(
            arguments,
            report,
            &format!("one message of {size} B"),
            Place::Apart,
            &mut apart,
            &mut |pair| pair.flow(messages),
            &[&throughput, &throughput, &handles],
        )?;
        let near = [("Boost spsc_queue", Target::Ratio(1.5)), ("iceoryx2", Target::Ratio(0.4))];
        race(
            arguments,
            report,
            &format!("{size} B there and back"),
            Place::Apart,
            &mut apart,
            &mut |pair| pair.bounce(trips),
            &[&near, &handles, &handles],
        )?;
        drop(apart);
        let mut together = pairs(arguments, size, Place::Together)?;
        let trips = arguments.scaled(20_000) as u64;
        let asleep = [("futex pair", Target::Ratio(1.1))];
        race(
            arguments,
            report,
            &format!("{size} B there and back on one processor"),
            Place::Together,
            &mut together,
            &mut |pair| pair.bounce(trips),
            &[&asleep, &handles],
        )?;
    }
    Ok(())
}

/// A line of the report for each of Commy's ways beside each of the others.
fn race(
    arguments: &Arguments,
    report: &mut Report,
    what: &str,
    place: Place,
    pairs: &mut [Pair],
    round: &mut dyn FnMut(&mut Pair) -> Outcome<f64>,
    targets: &[&[(&str, Target)]],
) -> Outcome {
    let ways = place.ways();
    let standings = Standings::take(arguments.rounds(11), ways.len(), pairs, round)?;
    for (side, (way, targets)) in ways.iter().zip(targets).enumerate() {
        report.add_race(&format!("{what}, {way}"), &standings, side, targets);
    }
    Ok(())
}
