//! A read guard among eight processes that write the same vector without a pause, beside a read lock among eight
//! threads that do so in one process.

use super::role::{Player, Role, VECTOR};
use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::Samples;
use crate::report::{Line, Report, Target};
use crate::scratch::Scratch;
use commy::SharedVec;
use std::hint::black_box;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WRITERS: usize = 8;
const ROUNDS: usize = 5;
/// The reader's pause: it comes at any moment of the writers' race, not only when it has just held the lock.
const PAUSE: Duration = Duration::from_micros(200);
const LIMIT: &str = "RwLock<Vec>, 8 threads";

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let reads = arguments.scaled(4_000);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds(ROUNDS) {
        ours.extend(among_processes(reads)?);
        theirs.extend(among_threads(reads)?);
    }
    let count = ours.len();
    let (ours, theirs) = (Samples::of_times(ours), Samples::of_times(theirs));
    let limit = Some((LIMIT, &theirs));
    report.add(Line::of_quantile(format!("read guard, {count} times, median"), 0.5, &ours, limit, Target::None));
    report.add(Line::of_quantile("read guard, 99 of 100 below", 0.99, &ours, limit, Target::Nanoseconds(1e6)));
    report.add(Line::of_quantile("read guard, worst", 1.0, &ours, limit, Target::None));
    Ok(())
}

fn among_processes(reads: usize) -> Outcome<Vec<Duration>> {
    let scratch = Scratch::new()?;
    let vector: SharedVec<u64> = scratch.region.object(VECTOR)?;
    vector.extend([0u64; WRITERS])?;
    let start = |element| Player::start(Role::Hammer { element }, scratch.path());
    let writers = (0..WRITERS).map(start).collect::<Outcome<Vec<Player>>>()?;
    let times = (0..reads).map(|_| {
        thread::sleep(PAUSE);
        let start = Instant::now();
        let guard = vector.read()?;
        let time = start.elapsed();
        black_box(guard[0]);
        Ok(time)
    });
    let times = times.collect::<Outcome<Vec<Duration>>>()?;
    writers.into_iter().try_for_each(Player::stop)?;
    Ok(times)
}

fn among_threads(reads: usize) -> Outcome<Vec<Duration>> {
    let vector = RwLock::new([0u64; WRITERS].to_vec());
    let end = AtomicBool::new(false);
    let hammer = |element: usize| {
        for value in 0.. {
            vector.write().unwrap()[element] = value;
            if end.load(Ordering::Relaxed) {
                break;
            }
        }
    };
    thread::scope(|scope| {
        for element in 0..WRITERS {
            scope.spawn(move || hammer(element));
        }
        let times = (0..reads).map(|_| {
            thread::sleep(PAUSE);
            let start = Instant::now();
            let guard = vector.read().unwrap();
            let time = start.elapsed();
            black_box(guard[0]);
            time
        });
        let times = times.collect();
        end.store(true, Ordering::Relaxed);
        Ok(times)
    })
}
