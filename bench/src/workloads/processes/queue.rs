//! Numbers between two processes, one call for each at either end: how fast they flow, and how long there and back.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::Standings;
use crate::peers::line::{Line, lines};
use crate::report::Report;

pub(super) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    for (spinning, how) in [(true, "spinning"), (false, "blocking")] {
        let mut lines = lines(arguments, spinning)?;
        let mut race = |what: &str, rounds, round: &mut dyn FnMut(&mut Line) -> Outcome<f64>| -> Outcome {
            let standings = Standings::take(arguments.rounds(rounds), 1, &mut lines, round)?;
            report.add_race(&format!("{what}, {how}"), &standings, 0, &[]);
            Ok(())
        };
        let (numbers, trips) = (arguments.scaled(100_000) as u64, arguments.scaled(5_000) as u64);
        race("one number", 7, &mut |line| line.flow(numbers))?;
        race("there and back, median", 7, &mut |line| Ok(line.trips(trips)?[0]))?;
        race("there and back, 99 of 100 below", 7, &mut |line| Ok(line.trips(trips)?[1]))?;
    }
    Ok(())
}
