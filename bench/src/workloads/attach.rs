//! Opening a region that exists, and the first operation in it.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::Samples;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::{Region, SharedVec};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The hidden command.
pub(crate) const COMMAND: &str = "attach-once";
/// The steps from nothing to the second change, and back.
const STEPS: [&str; 5] = ["open the region", "open an object", "first change", "second change", "close"];
type Steps = [Duration; STEPS.len()];

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let scratch = Scratch::new()?;
    let vector: SharedVec<u64> = scratch.region.object("vector")?;
    vector.extend(0..100_000u64)?;
    measure(arguments, report, "others use it", scratch.path())?;
    drop(vector);
    // Whoever comes to an empty region settles all that its earlier users may have left.
    let file = scratch.close();
    measure(arguments, report, "nobody does", file.path())
}

fn measure(arguments: &Arguments, report: &mut Report, situation: &str, path: &Path) -> Outcome {
    let rounds = arguments.rounds(101);
    add(report, situation, &(0..rounds).map(|_| attach(path)).collect::<Outcome<Vec<Steps>>>()?);
    // The code of the library is new to such a process, too, and so is its first thread.
    let new = (0..rounds).map(|_| attach_elsewhere(path)).collect::<Outcome<Vec<Steps>>>()?;
    add(report, &format!("{situation}; a process that has just started"), &new);
    Ok(())
}

fn add(report: &mut Report, situation: &str, rounds: &[Steps]) {
    let mut line = |what: &str, target, time: &dyn Fn(&Steps) -> Duration| {
        let samples = Samples::of_times(rounds.iter().map(time));
        report.add(Line::of_quantile(format!("{what} ({situation})"), 0.5, &samples, None, target));
    };
    line("region, object and first change", Target::Nanoseconds(150e3), &|steps| steps[..3].iter().sum());
    for (step, what) in STEPS.iter().enumerate() {
        line(what, Target::None, &|steps| steps[step]);
    }
}

/// The times of the steps, with an attachment of its own as another process has one.
fn attach(path: &Path) -> Outcome<Steps> {
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
    Ok(std::array::from_fn(|step| moments[step + 1] - moments[step]))
}

/// The same in a process that does nothing else.
fn attach_elsewhere(path: &Path) -> Outcome<Steps> {
    let output = Command::new(std::env::current_exe()?).arg(COMMAND).arg(path).output()?;
    let line = String::from_utf8(output.stdout)?;
    let times = line.split_whitespace().map(|word| Ok(Duration::from_nanos(word.parse()?)));
    let times = times.collect::<Outcome<Vec<Duration>>>()?;
    times
        .try_into()
        .map_err(|_| format!("a process could not attach: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// The child's side.
pub(crate) fn play(words: &[String]) -> Outcome {
    let [path] = words else { return Err("a path".into()) };
    let times = attach(Path::new(path))?;
    println!("{}", times.map(|time| time.as_nanos().to_string()).join(" "));
    Ok(())
}
