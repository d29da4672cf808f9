//! Runs workers, notices their deaths and delays, and replaces them.

use super::canary::Canary;
use super::worker::PROGRESS;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is to be done.
pub struct Plan {
    pub program: PathBuf,
    pub bases: PathBuf,
    /// A directory for the workers' files.
    pub place: PathBuf,
    pub seed: u64,
    pub from: u64,
    pub count: u64,
    pub jobs: u64,
    /// Processor time of a mutant.
    pub limit: Duration,
    pub canary: Option<Canary>,
    /// So many failures are enough.
    pub enough: usize,
}

/// The time between two looks at a worker.
const PAUSE: Duration = Duration::from_millis(20);
/// A mutant under way for so many looks hangs, whoever else is busy: 20 s at least. By a clock a machine that was stopped
/// for that long, and its workers with it, would be one that hangs.
const PATIENCE: u32 = 1000;

/// What a mutant did that none may do.
pub struct Failure {
    pub number: u64,
    /// panic, signal, hang, allocation
    pub kind: String,
    pub text: String,
}

#[derive(Default)]
pub struct Outcome {
    pub opened: u64,
    pub refused: u64,
    pub failures: Vec<Failure>,
}

struct Worker {
    child: Child,
    place: PathBuf,
    /// The mutant under way, and since when.
    current: (u64, Instant),
    /// How often this mutant was looked at.
    looks: u32,
    /// How often in a row it was too slow.
    slow: u32,
}

/// Uses all mutants of a plan.
pub fn run(plan: &Plan) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let lanes = 0..plan.jobs.min(plan.count);
    let mut workers =
        lanes.map(|lane| Worker::start(plan, plan.from + lane, lane).map(Some)).collect::<Result<Vec<_>, _>>()?;
    let start = Instant::now();
    let mut told = Instant::now();
    while workers.iter().any(Option::is_some) {
        std::thread::sleep(PAUSE);
        for (lane, place) in workers.iter_mut().enumerate() {
            let Some(worker) = place else { continue };
            let Some(last) = worker.look(plan, &mut outcome)? else { continue };
            let next = last.saturating_add(plan.jobs);
            let more = next < plan.from + plan.count && outcome.failures.len() < plan.enough;
            *place = if more { Some(Worker::start(plan, next, lane as u64)?) } else { None };
        }
        if outcome.failures.len() >= plan.enough {
            workers.iter_mut().flatten().for_each(Worker::end);
            break;
        }
        if told.elapsed() > Duration::from_secs(60) {
            told = Instant::now();
            let at: Vec<String> = workers.iter().flatten().map(|worker| worker.current.0.to_string()).collect();
            println!("{} s: at {}, {} failed", start.elapsed().as_secs(), at.join(", "), outcome.failures.len());
        }
    }
    Ok(outcome)
}

impl Worker {
    fn start(plan: &Plan, from: u64, lane: u64) -> Result<Worker, String> {
        let place = plan.place.join(format!("worker-{lane}"));
        let _ = fs::remove_dir_all(&place);
        let log = || {
            fs::create_dir_all(&place)?;
            File::create(place.join("log"))
        };
        let log = log().map_err(|error| format!("{}: {error}", place.display()))?;
        let mut command = Command::new(&plan.program);
        command.arg("hostile-worker").arg("--bases").arg(&plan.bases).arg("--place").arg(&place);
        let numbers =
            [plan.seed, from, plan.from + plan.count, plan.jobs, plan.limit.as_millis() as u64].map(|n| n.to_string());
        for (name, number) in ["--seed", "--from", "--to", "--step", "--limit-ms"].iter().zip(numbers) {
            command.arg(name).arg(number);
        }
        if let Some(canary) = plan.canary {
            command.arg("--canary").arg(format!("{canary:?}").to_lowercase());
        }
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let child = child.map_err(|error| format!("{}: {error}", plan.program.display()))?;
        Ok(Worker { child, place, current: (from, Instant::now()), looks: 0, slow: 0 })
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn progress(&self) -> Option<[u64; 4]> {
        let mut bytes = [0; 32];
        File::open(self.place.join(PROGRESS)).ok()?.read_exact_at(&mut bytes, 0).ok()?;
        Some([0, 8, 16, 24].map(|at| crate::places::word(&bytes, at)))
    }

    /// The last mutant of a worker that has ended.
    fn look(&mut self, plan: &Plan, outcome: &mut Outcome) -> Result<Option<u64>, String> {
        let ended = self.child.try_wait().map_err(|error| error.to_string())?;
        let progress = self.progress();
        if let Some(status) = ended {
            let [number, _, opened, refused] = progress.unwrap_or([self.current.0, 0, 0, 0]);
            outcome.opened += opened;
            outcome.refused += refused;
            let log = read_log(&self.place, outcome);
            if number != u64::MAX || !status.success() {
                if progress.is_none() {
                    return Err(format!("a worker did not begin: {status}\n{log}"));
                }
                outcome.failures.push(Failure { number, kind: "signal".into(), text: format!("{status}; {log}") });
            }
            return Ok(Some(number));
        }
        let Some([number, start, opened, refused]) = progress else { return Ok(None) };
        if number != self.current.0 {
            (self.current, self.looks, self.slow) = ((number, Instant::now()), 0, 0);
        }
        self.looks += 1;
        let used = processor_time(self.child.id()).saturating_sub(Duration::from_nanos(start));
        // The two numbers are read apart: what is seen twice in a row is true.
        let late = used > plan.limit || self.looks > PATIENCE;
        self.slow = if late && number != u64::MAX { self.slow + 1 } else { 0 };
        if self.slow < 3 {
            return Ok(None);
        }
        let text =
            format!("{used:?} of a processor, {:?} in all; {}", self.current.1.elapsed(), stack(self.child.id()));
        self.end();
        outcome.opened += opened;
        outcome.refused += refused;
        read_log(&self.place, outcome);
        outcome.failures.push(Failure { number, kind: "hang".into(), text });
        Ok(Some(number))
    }
}

/// Takes the failures out of a worker's log; the rest of it.
fn read_log(place: &Path, outcome: &mut Outcome) -> String {
    let log = fs::read(place.join("log")).unwrap_or_default();
    let mut rest = Vec::new();
    for line in String::from_utf8_lossy(&log).lines() {
        let mut words = line.splitn(3, ' ');
        match (words.next(), words.next().and_then(|number| number.parse().ok()), words.next()) {
            (Some(kind @ ("panic" | "allocation" | "hang")), Some(number), Some(text)) => {
                outcome.failures.push(Failure { number, kind: kind.into(), text: text.into() });
            }
            _ => rest.push(line.to_string()),
        }
    }
    rest.join("\n")
}

/// Of all threads of a process.
fn processor_time(process: u32) -> Duration {
    let mut clock = 0;
    // SAFETY: all zero is a value of this structure.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: each writes one value.
    let found = unsafe {
        libc::clock_getcpuclockid(process as i32, &raw mut clock) == 0 && libc::clock_gettime(clock, &raw mut time) == 0
    };
    if found { Duration::new(time.tv_sec as u64, time.tv_nsec as u32) } else { Duration::ZERO }
}

/// What the kernel tells about a process that hangs.
fn stack(process: u32) -> String {
    let read = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
    format!("{} {}", read("wchan"), read("syscall").trim())
}
