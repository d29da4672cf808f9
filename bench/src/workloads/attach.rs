//! Opening a region that exists, and the first operation in it.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::Samples;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::{Region, SharedVec};
use std::path::Path;
use std::time::{Duration, Instant};

/// The steps from nothing to the second change, and back.
const STEPS: [&str; 5] = ["open the region", "open an object", "first change", "second change", "close"];

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let scratch = Scratch::new()?;
    let vector: SharedVec<u64> = scratch.region.object("vector")?;
    vector.extend(0..100_000u64)?;
    add(report, "others use it", take(arguments.rounds(101), scratch.path())?);
    drop(vector);
    // Whoever comes to an empty region settles all that its earlier users may have left.
    let file = scratch.close();
    add(report, "nobody does", take(arguments.rounds(101), file.path())?);
    Ok(())
}

fn add(report: &mut Report, situation: &str, times: [Vec<Duration>; STEPS.len()]) {
    let all = (0..times[0].len()).map(|round| times[..3].iter().map(|times| times[round]).sum());
    let what = format!("region, object and first change ({situation})");
    let attach = Target::Nanoseconds(150e3);
    report.add(Line::of_quantile(what, 0.5, &Samples::of_times(all.collect::<Vec<Duration>>()), None, attach));
    for (step, times) in STEPS.iter().zip(times) {
        report.add(Line::of_quantile(
            format!("{step} ({situation})"),
            0.5,
            &Samples::of_times(times),
            None,
            Target::None,
        ));
    }
}

/// The times of the steps, each with an attachment of its own as another process has one.
fn take(rounds: usize, path: &Path) -> Outcome<[Vec<Duration>; STEPS.len()]> {
    let mut times: [Vec<Duration>; STEPS.len()] = Default::default();
    for _ in 0..rounds {
        let mut moments = vec![Instant::now()];
        let region = Region::options().own_attachment().open(path)?;
        moments.push(Instant::now());
        let vector: SharedVec<u64> = region.open_object("vector")?;
        moments.push(Instant::now());
        for value in [1u64, 2] {
            vector.set(50_000, value)?;
            moments.push(Instant::now());
        }
        drop((vector, region));
        moments.push(Instant::now());
        for (times, pair) in times.iter_mut().zip(moments.windows(2)) {
            times.push(pair[1] - pair[0]);
        }
    }
    Ok(times)
}
