//! Damaged files: whatever is asked of them is answered by a value or an error.
//!
//! Mutants are made of a few regions, by changes that know where things are and by noise, and used by worker processes.
//! A mutant fails if the worker panics, dies of a signal, needs more than a second of a processor, or asks for a piece
//! of memory larger than the file. `SEED:NUMBER` names a mutant; with the base regions, which are kept beside a
//! failure, it is the same again.

mod allocation;
mod anatomy;
mod bases;
mod canary;
mod mutate;
mod watch;
pub mod worker;

pub use allocation::Watched;
pub use bases::victim;

use crate::Verdict;
use crate::random;
use crate::temporary::Temporary;
use anatomy::Anatomy;
use canary::Canary;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use watch::{Failure, Outcome, Plan};

/// What may be asked for on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Mutants
    #[arg(long, default_value_t = 20_000)]
    count: u64,
    /// Of the random numbers; a new one each time unless given
    #[arg(long)]
    seed: Option<u64>,
    /// Worker processes; six for each processor unless given, because most of them wait for locks of the dead
    #[arg(long)]
    jobs: Option<u64>,
    /// The number of the first mutant
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// One mutant again: SEED:NUMBER
    #[arg(long)]
    replay: Option<String>,
    /// Where failed mutants and the base regions that they were made of are kept
    #[arg(long, default_value = "target/hostile")]
    keep: PathBuf,
    /// Milliseconds of a processor that a mutant may take
    #[arg(long, default_value_t = if cfg!(debug_assertions) { 10_000 } else { 1000 })]
    limit_ms: u64,
    /// Readers that check nothing take the place of the library: each of their failures must be noticed
    #[arg(long)]
    canary: bool,
}

/// What a child that is to be killed is told.
#[derive(Debug, Clone, clap::Args)]
pub struct VictimArguments {
    path: PathBuf,
    seed: u64,
}

/// Works until it is killed.
pub fn run_victim(arguments: &VictimArguments) -> Verdict {
    victim(&arguments.path, arguments.seed).map(|()| String::new())
}

/// After so many failures there is enough to do.
const ENOUGH: usize = 60;

/// Runs this part of the laboratory.
pub fn run(arguments: &Arguments) -> Verdict {
    let start = Instant::now();
    let (seed, from, count) = match &arguments.replay {
        Some(replay) => {
            let numbers =
                replay.split_once(':').and_then(|(seed, number)| Some((seed.parse().ok()?, number.parse().ok()?)));
            let (seed, number) = numbers.ok_or("--replay SEED:NUMBER")?;
            (seed, number, 1)
        }
        None => (arguments.seed.unwrap_or_else(random::seed), arguments.from, arguments.count),
    };
    println!("seed {seed}");
    let temporary = Temporary::new();
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let kept = arguments.keep.join(seed.to_string());
    let bases = bases_of(&kept, &temporary, &program, seed)?;
    let processors = || std::thread::available_parallelism().map_or(1, |number| number.get() as u64);
    let jobs = arguments.jobs.unwrap_or_else(|| 6 * processors());
    let plan = Plan {
        program,
        bases,
        place: temporary.directory().to_path_buf(),
        seed,
        from,
        count,
        jobs: jobs.max(1),
        limit: Duration::from_millis(arguments.limit_ms),
        canary: None,
        enough: ENOUGH,
    };
    if arguments.canary {
        return canaries(plan);
    }
    let outcome = watch::run(&plan)?;
    if !outcome.failures.is_empty() || arguments.replay.is_some() {
        keep(&kept, &plan, &outcome.failures).unwrap_or_else(|error| eprintln!("{}: {error}", kept.display()));
    }
    let summary = summary(seed, &outcome, start.elapsed());
    if outcome.failures.is_empty() { Ok(summary) } else { Err(summary) }
}

/// Those that a failure with this seed has kept, or new ones.
fn bases_of(kept: &Path, temporary: &Temporary, program: &Path, seed: u64) -> Result<PathBuf, String> {
    let old = kept.join("bases");
    if old.is_dir() {
        println!("base regions: {}", old.display());
        return Ok(old);
    }
    let new = temporary.file("bases");
    fs::create_dir(&new).map_err(|error| error.to_string())?;
    bases::build(&new, program, seed)?;
    Ok(new)
}

/// Each canary must fail in its own way.
fn canaries(mut plan: Plan) -> Verdict {
    let mut caught = Vec::new();
    plan.enough = 1;
    for canary in Canary::ALL {
        plan.canary = Some(canary);
        let kind = format!("{canary:?}").to_lowercase();
        let outcome = watch::run(&plan)?;
        match outcome.failures.first() {
            Some(failure) if failure.kind == kind => caught.push(kind),
            Some(failure) => return Err(format!("canary {kind}: noticed as {}: {}", failure.kind, failure.text)),
            None => return Err(format!("canary {kind}: not noticed in {} mutants", plan.count)),
        }
    }
    Ok(format!("canary caught: {}", caught.join(", ")))
}

/// Keeps the regions that failed, what was changed in them, and what they are made of.
fn keep(kept: &Path, plan: &Plan, failures: &[Failure]) -> std::io::Result<()> {
    let bases = bases::load(&plan.bases)?;
    let old = kept.join("bases");
    if !failures.is_empty() && !old.is_dir() {
        fs::create_dir_all(&old)?;
        bases.iter().try_for_each(|base| base.write(&File::create(old.join(&base.name))?))?;
    }
    let names: Vec<&str> = bases.iter().map(|base| &*base.name).collect();
    let replayed = if plan.count == 1 && failures.is_empty() { Some(plan.from) } else { None };
    let texts = failures.iter().map(|failure| (failure.number, format!("{}: {}", failure.kind, failure.text)));
    for (number, text) in texts.chain(replayed.map(|number| (number, "fine".into()))) {
        let mut random = worker::random_of(plan.seed, number);
        let base = &bases[worker::choose(&mut random, &names)];
        let edits = mutate::mutate(base, &Anatomy::of(&base.bytes), &mut random);
        let listed: Vec<String> = edits.iter().map(ToString::to_string).collect();
        println!("{}:{number} ({}) {text}\n    {}", plan.seed, base.name, listed.join(", "));
        if !failures.is_empty() {
            let file = File::create(kept.join(format!("{number}.region")))?;
            base.write(&file)?;
            edits.iter().try_for_each(|edit| edit.apply(&file))?;
            fs::write(kept.join(format!("{number}.txt")), format!("{text}\n{}\n", listed.join("\n")))?;
        }
    }
    Ok(())
}

fn summary(seed: u64, outcome: &Outcome, took: Duration) -> String {
    let count = |kind: &str| outcome.failures.iter().filter(|failure| failure.kind == kind).count();
    format!(
        "{} mutants (seed {seed}): {} opened, {} refused; {} panics, {} signals, {} hangs, {} oversize allocations; {} s",
        outcome.opened + outcome.refused,
        outcome.opened,
        outcome.refused,
        count("panic"),
        count("signal"),
        count("hang"),
        count("allocation"),
        took.as_secs()
    )
}
