//! The time from the death of a lock holder to the moment at which another process has the lock and the holder's half
//! change is undone, beside the kernel's robust mutex, which undoes nothing.
//!
//! A killed process with much memory takes long to disappear; nobody is to wait for that.

use super::robust_mutex::RobustMutex;
use super::role::{Player, Role, VECTOR};
use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::Samples;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use crate::series::OF_ALL;
use commy::SharedVec;
use std::path::Path;
use std::time::{Duration, Instant};

const LIMIT: &str = "robust pthread mutex";
const MEDIAN: Target = Target::Nanoseconds(150e3);
const WORST: Target = Target::Nanoseconds(10e6);
const LARGE: u64 = 2 << 30;

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let scratch = Scratch::new()?;
    let vector: SharedVec<u64> = scratch.region.object(VECTOR)?;
    vector.push(0)?;
    let file = scratch.sibling();
    let mutex = RobustMutex::create(file.path())?;
    // The limit hardly varies: a fifth of the kills is enough.
    for (what, memory, kills) in [("holder", 0, arguments.kills), ("holder with 2 GiB", LARGE, arguments.large_kills)] {
        if kills == 0 {
            continue;
        }
        let memory = if arguments.quick { memory / 100 } else { memory };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for kill in 0..kills {
            ours.push(recover_guard(scratch.path(), &vector, memory)?);
            if kill % 5 == 0 {
                theirs.push(recover_mutex(file.path(), &mutex, memory)?);
            }
        }
        let (ours, theirs) = (Samples::of_times(ours), Samples::of_times(theirs));
        let limit = Some((LIMIT, &theirs));
        report.add(Line::of_quantile(format!("{what}, {kills} kills, median"), 0.5, &ours, limit, MEDIAN));
        report.add(Line::of_quantile(format!("{what}, 99 of 100 below"), 0.99, &ours, limit, Target::None));
        report.add(Line::of_quantile(format!("{what}, worst"), 1.0, &ours, limit, WORST));
        for part in [10, 25, 50, 75, 90] {
            let (name, part) = (format!("{what}, {part} {OF_ALL}"), f64::from(part) / 100.0);
            report.add(Line::of_quantile(name, part, &ours, limit, Target::None));
        }
    }
    Ok(())
}

fn recover_guard(path: &Path, vector: &SharedVec<u64>, memory: u64) -> Outcome<Duration> {
    let mut holder = Player::start(Role::HoldGuard { memory }, path)?;
    let start = Instant::now();
    holder.kill()?;
    let guard = vector.write()?;
    let time = start.elapsed();
    if *guard != *[0].as_slice() {
        return Err("the change of a killed process was not undone".into());
    }
    drop(guard);
    holder.bury()?;
    Ok(time)
}

fn recover_mutex(path: &Path, mutex: &RobustMutex, memory: u64) -> Outcome<Duration> {
    let mut holder = Player::start(Role::HoldMutex { memory }, path)?;
    let start = Instant::now();
    holder.kill()?;
    let died = mutex.lock()?;
    let time = start.elapsed();
    mutex.unlock()?;
    holder.bury()?;
    if died { Ok(time) } else { Err("the robust mutex was not held".into()) }
}
