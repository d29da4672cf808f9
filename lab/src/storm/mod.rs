//! Many processes at work on all containers, and a killer among them.
//!
//! Each worker notes what it is about to do and what it has done (`notes`), outside of the region. Every few hundred
//! kills all of them die; what is in the region then must be what was acknowledged, and of what was not yet, each
//! operation wholly or not at all (`model`). Then everything is removed, and not a byte may be in use that was not in use
//! before the storm.
//!
//! After each kill this process, with priority over the workers, takes every lock that the dead may have held; how long
//! that takes stands beside how long it takes while nobody has died.

mod model;
mod notes;
mod shared;
mod worker;

use crate::Verdict;
use crate::random::{Random, seed};
use crate::temporary::Temporary;
use clap::ValueEnum;
use commy::Region;
use model::{Account, Content, compare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use notes::{Note, Notes};
use shared::{NAMES, PASSING, Shared};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// What may be asked for on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// How long the storm lasts
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Ends earlier, after so many kills
    #[arg(long, default_value_t = u64::MAX)]
    kills: u64,
    /// Processes that work side by side
    #[arg(long, default_value_t = 16)]
    workers: u64,
    /// Kills between two audits
    #[arg(long, default_value_t = 400)]
    audit: u64,
    /// The number that everything random comes from
    #[arg(long)]
    seed: Option<u64>,
    /// Where the region and the notes of a failure are kept
    #[arg(long, default_value = "target/laboratory")]
    keep: PathBuf,
    /// Workers that are wrong on purpose: each kind must be noticed
    #[arg(long)]
    canary: bool,
    #[arg(long, hide = true)]
    job: Option<String>,
}

/// What a worker does wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Canary {
    /// Two operations that pretend to be one.
    Half,
    /// Acknowledges before it does.
    Early,
    /// Leaves objects that nobody knows of.
    Leak,
    /// Keeps a lock for ever.
    Keeps,
}

/// What a child process of the storm is to do.
#[derive(Debug, Clone)]
struct Job {
    reads: bool,
    seat: u64,
    seed: u64,
    timeout_ms: u64,
    canary: Option<Canary>,
    region: PathBuf,
}

impl Job {
    fn notes(&self) -> PathBuf {
        notes_of(self.region.parent().expect("a directory"), self.seat)
    }

    fn encode(&self) -> String {
        let canary = self.canary.map_or("none".into(), |canary| format!("{canary:?}"));
        let Job { reads, seat, seed, timeout_ms, region, .. } = self;
        format!("{reads},{seat},{seed},{timeout_ms},{canary},{}", region.display())
    }

    fn decode(text: &str) -> Option<Job> {
        let [reads, seat, seed, timeout_ms, canary, region] = text.splitn(6, ',').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Job {
            reads: reads == "true",
            seat: seat.parse().ok()?,
            seed: seed.parse().ok()?,
            timeout_ms: timeout_ms.parse().ok()?,
            canary: Canary::from_str(canary, true).ok(),
            region: region.into(),
        })
    }
}

fn notes_of(directory: &Path, seat: u64) -> PathBuf {
    directory.join(format!("notes {seat}"))
}

/// Processes that only read.
const READERS: u64 = 2;

/// Runs this part of the laboratory.
pub fn run(arguments: &Arguments) -> Verdict {
    if let Some(job) = &arguments.job {
        prefer(0);
        let job = Job::decode(job).ok_or("a malformed job")?;
        return if job.reads { worker::read(&job) } else { worker::work(&job) };
    }
    // Whoever aborts leaves no core dump, which would keep its locks until it is written.
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0)
        .map_err(|error| error.to_string())?;
    if arguments.canary {
        return canaries(arguments);
    }
    let mut storm = Storm::new(arguments, None, Duration::from_secs(10))?;
    println!("seed {}", storm.seed);
    storm.rage(arguments)
}

/// Each canary must be caught.
fn canaries(arguments: &Arguments) -> Verdict {
    let mut caught = Vec::new();
    for (canary, sign) in
        [(Canary::Half, "lost"), (Canary::Early, "lost"), (Canary::Leak, "leaked"), (Canary::Keeps, "hang")]
    {
        let arguments = Arguments { workers: 6, audit: 25, minutes: 1.0, ..arguments.clone() };
        match Storm::new(&arguments, Some(canary), Duration::from_secs(2))?.rage(&arguments) {
            Err(failure) if failure.contains(sign) => caught.push(format!("{canary:?}")),
            other => return Err(format!("the canary {canary:?} was not caught: {other:?}")),
        }
    }
    Ok(format!("every canary was caught: {}", caught.join(", ")))
}

/// Sets the priority of this thread, -20 (first) to 19; best effort.
fn prefer(nice: i32) {
    // SAFETY: takes no pointers.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
}

/// What has happened.
#[derive(Debug, Default)]
struct Tally {
    killed: u64,
    aborted: u64,
    paused: u64,
    audits: u64,
    account: Account,
    leaked: u64,
    /// How long all locks took, after a death and without one.
    after: Vec<Duration>,
    without: Vec<Duration>,
}

struct Storm {
    temporary: Temporary,
    region: Region,
    shared: Option<Shared>,
    canary: Option<Canary>,
    timeout: Duration,
    seed: u64,
    random: Random,
    workers: Vec<Option<Child>>,
    /// Bytes in use when there is nothing.
    at_first: u64,
    tally: Tally,
}

impl Storm {
    fn new(arguments: &Arguments, canary: Option<Canary>, timeout: Duration) -> Result<Storm, String> {
        let temporary = Temporary::new();
        let options = Region::options().capacity(1 << 30).lock_timeout(timeout);
        let region = options.create(temporary.region()).map_err(|error| error.to_string())?;
        let seed = arguments.seed.unwrap_or_else(seed);
        let workers = (0..arguments.workers + READERS).map(|_| None).collect();
        let (random, tally) = (Random::new(seed), Tally::default());
        let mut storm =
            Storm { temporary, region, shared: None, canary, timeout, seed, random, workers, at_first: 0, tally };
        // The directory has its memory from the first names on.
        storm.furnish()?;
        storm.at_first = storm.clear()?;
        storm.furnish()?;
        Ok(storm)
    }

    fn say<T>(&self, what: &str, result: commy::Result<T>) -> Result<T, String> {
        result.map_err(|error| match error {
            commy::Error::Timeout { .. } => format!("hang: {what}: {error}"),
            _ => format!("{what}: {error}"),
        })
    }

    fn furnish(&mut self) -> Result<(), String> {
        for number in 0..PASSING {
            let made = self.region.object::<commy::SharedVec<String>>(&format!("passing {number}"));
            drop(self.say("furnish", made)?);
        }
        self.shared = Some(self.say("furnish", Shared::new(self.region.clone()))?);
        Ok(())
    }

    /// Removes all objects. Bytes in use after that.
    fn clear(&mut self) -> Result<u64, String> {
        self.shared = None;
        let passing = (0..PASSING).map(|number| format!("passing {number}"));
        for name in NAMES.iter().map(|name| name.to_string()).chain(passing) {
            match self.region.remove_object(&name) {
                Ok(()) | Err(commy::Error::NotFound) => {}
                other => self.say("remove", other)?,
            }
        }
        let report = self.say("check", self.region.check())?;
        if !report.is_clean() {
            return Err(format!("check: {report:#?}"));
        }
        Ok(report.allocated_bytes)
    }

    fn shared(&self) -> &Shared {
        self.shared.as_ref().expect("furnished")
    }

    fn spawn(&mut self, seat: usize) -> Result<(), String> {
        let job = Job {
            reads: seat as u64 >= self.workers.len() as u64 - READERS,
            seat: seat as u64,
            seed: self.random.number(),
            timeout_ms: self.timeout.as_millis() as u64,
            canary: self.canary,
            region: self.temporary.region(),
        };
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let child = Command::new(program).args(["storm", "--job", &job.encode()]).spawn();
        self.workers[seat] = Some(child.map_err(|error| error.to_string())?);
        Ok(())
    }

    /// The storm, and then its figures.
    fn rage(&mut self, arguments: &Arguments) -> Verdict {
        let start = Instant::now();
        let end = Duration::from_secs_f64(arguments.minutes * 60.0);
        prefer(-20);
        let outcome = self.strike_until(
            |storm| start.elapsed() >= end || storm.tally.killed + storm.tally.aborted >= arguments.kills,
            arguments,
        );
        prefer(0);
        self.stop_all();
        let summary = self.summary(start.elapsed());
        match outcome {
            Ok(()) => Ok(summary),
            Err(failure) => {
                let kept = arguments.keep.join(format!("storm {}", self.seed));
                self.keep(&kept);
                Err(format!("{failure}\nseed {}; what it left: {}\n{summary}", self.seed, kept.display()))
            }
        }
    }

    fn strike_until(&mut self, done: impl Fn(&Storm) -> bool, arguments: &Arguments) -> Result<(), String> {
        (0..self.workers.len()).try_for_each(|seat| self.spawn(seat))?;
        let mut told = Instant::now();
        let mut since_audit = 0;
        while !done(self) {
            std::thread::sleep(Duration::from_micros(5_000 + self.random.below(25_000)));
            self.strike()?;
            since_audit += 1;
            if since_audit >= arguments.audit {
                since_audit = 0;
                self.audit()?;
                (0..self.workers.len()).try_for_each(|seat| self.spawn(seat))?;
            }
            if told.elapsed() > Duration::from_secs(30) && self.canary.is_none() {
                told = Instant::now();
                println!("{} kills, {} audits", self.tally.killed + self.tally.aborted, self.tally.audits);
            }
        }
        self.audit()
    }

    /// One death, or a pause.
    fn strike(&mut self) -> Result<(), String> {
        let keeper = usize::from(self.canary == Some(Canary::Keeps));
        let seat = keeper + self.random.below((self.workers.len() - keeper) as u64) as usize;
        let signal = match self.random.below(20) {
            0 | 1 => Signal::SIGABRT,
            2 => Signal::SIGSTOP,
            _ => Signal::SIGKILL,
        };
        for seat in 0..self.workers.len() {
            let worker = self.workers[seat].as_mut().expect("at work");
            if let Some(status) = worker.try_wait().map_err(|error| error.to_string())? {
                self.workers[seat] = None;
                let what = if self.canary == Some(Canary::Keeps) { "hang: " } else { "" };
                return Err(format!("{what}the worker on seat {seat} has ended: {status}"));
            }
        }
        let without = self.touch()?;
        let worker = self.workers[seat].as_mut().expect("at work");
        let pid = Pid::from_raw(worker.id() as i32);
        if signal == Signal::SIGSTOP {
            self.tally.paused += 1;
            let pause = Duration::from_millis(1 + self.random.below(100));
            kill(pid, signal).map_err(|error| error.to_string())?;
            std::thread::sleep(pause);
            kill(pid, Signal::SIGCONT).map_err(|error| error.to_string())?;
            return Ok(());
        }
        let start = Instant::now();
        kill(pid, signal).map_err(|error| error.to_string())?;
        self.touch()?;
        self.tally.after.push(start.elapsed());
        self.tally.without.push(without);
        let counted = if signal == Signal::SIGABRT { &mut self.tally.aborted } else { &mut self.tally.killed };
        *counted += 1;
        let mut dead = self.workers[seat].take().expect("at work");
        dead.wait().map_err(|error| error.to_string())?;
        self.spawn(seat)
    }

    /// Takes every lock; how long that took.
    fn touch(&self) -> Result<Duration, String> {
        let start = Instant::now();
        self.say("a survivor's locks", self.shared().touch())?;
        Ok(start.elapsed())
    }

    fn stop_all(&mut self) {
        for mut worker in self.workers.iter_mut().filter_map(Option::take) {
            // Fails only if it has ended by itself.
            let _ = worker.kill();
            let _ = worker.wait();
            self.tally.killed += 1;
        }
    }

    /// Everybody dies, and all must be as the notes say.
    fn audit(&mut self) -> Result<(), String> {
        self.stop_all();
        self.tally.audits += 1;
        self.touch()?;
        let seats = self.workers.len() as u64 - READERS;
        let directory = self.temporary.directory().to_path_buf();
        let read = (0..seats).map(|seat| Notes::read(&notes_of(&directory, seat)));
        let notes = read.collect::<std::io::Result<Vec<Vec<Note>>>>().map_err(|error| error.to_string())?;
        let content = self.content(seats).map_err(|error| error.to_string())?;
        let account = compare(&notes, &content);
        self.tally.account.acknowledged += account.acknowledged;
        self.tally.account.lost += account.lost;
        self.tally.account.doubled += account.doubled;
        if !account.faults.is_empty() {
            return Err(account.faults.join("\n"));
        }
        let report = self.say("check", self.region.check())?;
        if !report.is_clean() {
            return Err(format!("check: {report:#?}"));
        }
        let left = self.clear()?;
        if left != self.at_first {
            self.tally.leaked += left.abs_diff(self.at_first);
            return Err(format!("leaked: {left} bytes in use when all is removed, {} at first", self.at_first));
        }
        for seat in 0..seats {
            let _ = std::fs::remove_file(notes_of(&directory, seat));
        }
        self.furnish()
    }

    fn content(&self, seats: u64) -> commy::Result<Content> {
        let shared = self.shared();
        shared.look()?;
        let mut lists = shared.lists.to_map()?;
        let list = |seat| lists.remove(&format!("of seat {seat}")).map(|list| (seat, list));
        Ok(Content {
            tokens: shared.tokens()?,
            ended: shared.ended.get()?,
            counter: shared.counter.get()?,
            lists: (0..seats).filter_map(list).collect(),
            messages: shared.messages()?,
        })
    }

    fn keep(&self, directory: &Path) {
        let _ = std::fs::create_dir_all(directory);
        for entry in std::fs::read_dir(self.temporary.directory()).into_iter().flatten().flatten() {
            let _ = std::fs::copy(entry.path(), directory.join(entry.file_name()));
        }
    }

    fn summary(&mut self, took: Duration) -> String {
        let Tally { killed, aborted, paused, audits, account, leaked, after, without } = &mut self.tally;
        let spread = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            let at = |part: f64| times.get((times.len() as f64 * part) as usize).or(times.last()).copied();
            let [median, late, worst] = [0.5, 0.99, 1.0].map(|part| at(part).unwrap_or_default());
            format!("median {median:.1?}, 99 % {late:.1?}, worst {worst:.1?}")
        };
        format!(
            "{:.1} minutes, {} workers and {READERS} readers: {} deaths ({killed} killed, {aborted} aborted), \
             {paused} pauses, {audits} audits\n\
             {} operations acknowledged, {} lost, {} doubled; {leaked} bytes leaked\n\
             all {} locks after a death:  {}\n\
             all {} locks without one:    {}",
            took.as_secs_f64() / 60.0,
            self.workers.len() as u64 - READERS,
            *killed + *aborted,
            account.acknowledged,
            account.lost,
            account.doubled,
            NAMES.len() - 2,
            spread(after),
            NAMES.len() - 2,
            spread(without),
        )
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.stop_all();
    }
}
