//! Kills a process after each machine instruction of an operation (Linux on x86-64).
//!
//! A child performs the operation one instruction at a time, under a tracer, and is killed after the first one, the
//! second, ... to the last; each time a fresh process opens the region, goes on, and finds the state before or after,
//! nothing leaked, and an operation that works. Each other time somebody else has the region open all along, so that
//! the fresh process is a waiter who recovers; otherwise it is an opener who finds nobody there.
//!
//! Where an operation is longer than `--whole` instructions, only those that others can notice are killed after: stores
//! into the region and system calls (`visible`). What a death after any other one leaves was examined already.

mod child;
mod site;
mod subject;
mod trace;
mod tracee;
mod visible;

use crate::Verdict;
use site::Site;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use subject::Subject;

/// What may be asked for on the command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Every operation and every instruction
    #[arg(long)]
    all: bool,
    /// Only after every n-th instruction, and of the victims of a recovery one of three
    #[arg(long, default_value_t = 7)]
    every: u64,
    /// Only one operation in so many; others each day
    #[arg(long, default_value_t = 1)]
    share: usize,
    /// Which of the n, and of the operations; another one each day unless given
    #[arg(long)]
    offset: Option<u64>,
    /// Operations longer than this are killed after visible instructions only
    #[arg(long, default_value_t = 3000)]
    whole: u64,
    /// Only operations whose name begins like this
    #[arg(long, default_value = "")]
    only: String,
    /// Processes that work side by side
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(2, usize::from))]
    jobs: usize,
    /// Operations that are wrong on purpose: each must be noticed
    #[arg(long)]
    canary: bool,
    /// A table for the documentation
    #[arg(long)]
    markdown: bool,
    /// Where regions are kept in which something is wrong
    #[arg(long, default_value = "target/laboratory")]
    keep: PathBuf,
    #[arg(long, hide = true)]
    serve: Option<usize>,
}

impl Arguments {
    fn every(&self) -> u64 {
        if self.all || self.canary { 1 } else { self.every.max(1) }
    }

    fn turn(&self) -> u64 {
        let today = || std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() / 86_400);
        self.offset.unwrap_or_else(today)
    }

    fn offset(&self) -> u64 {
        self.turn() % self.every()
    }

    /// Is it the turn of the operation of this number?
    fn has_turn(&self, number: usize) -> bool {
        let share = self.share.max(1) as u64;
        number as u64 % share == self.turn() % share
    }
}

/// After this many failures an operation is left alone.
const ENOUGH: usize = 3;

/// What came of one subject.
#[derive(Debug, Default)]
struct Outcome {
    subjects: u64,
    instructions: u64,
    visible: u64,
    kills: u64,
    /// Kills at another instruction than the one that was meant, because the child took another way.
    strayed: u64,
    slowest: Duration,
    failures: Vec<String>,
}

impl Outcome {
    fn add(&mut self, other: Outcome) {
        self.subjects += other.subjects;
        self.instructions += other.instructions;
        self.visible += other.visible;
        self.kills += other.kills;
        self.strayed += other.strayed;
        self.slowest = self.slowest.max(other.slowest);
        self.failures.extend(other.failures);
    }

    fn encode(&self) -> String {
        let Outcome { instructions, visible, kills, strayed, slowest, failures, .. } = self;
        let failures = failures.join("\u{1e}").replace('\n', "\u{1f}");
        format!("{instructions}\t{visible}\t{kills}\t{strayed}\t{}\t{failures}", slowest.as_nanos())
    }

    fn decode(line: &str) -> Option<Outcome> {
        let fields: Vec<&str> = line.splitn(6, '\t').collect();
        let number = |index: usize| fields.get(index)?.parse().ok();
        let failures = fields.get(5)?.split('\u{1e}').filter(|text| !text.is_empty());
        Some(Outcome {
            subjects: 1,
            instructions: number(0)?,
            visible: number(1)?,
            kills: number(2)?,
            strayed: number(3)?,
            slowest: Duration::from_nanos(number(4)?),
            failures: failures.map(|text| text.replace('\u{1f}', "\n")).collect(),
        })
    }
}

/// Runs this part of the laboratory.
pub fn run(arguments: &Arguments) -> Verdict {
    if let Some(core) = arguments.serve {
        return serve(arguments, core);
    }
    let start = Instant::now();
    let subjects = if arguments.canary { Subject::canaries() } else { Subject::all() };
    let sampled = |subject: &Subject| arguments.every() == 1 || subject.is_in_sample(arguments.offset());
    let wanted = |subject: &Subject| subject.name().starts_with(&arguments.only) && sampled(subject);
    let turns = subjects.into_iter().filter(wanted).enumerate().filter(|(number, _)| arguments.has_turn(*number));
    let queue: Mutex<VecDeque<Subject>> = Mutex::new(turns.map(|(_, subject)| subject).collect());
    let rows: Mutex<BTreeMap<String, Outcome>> = Mutex::default();
    println!("after every {} instructions, offset {}", arguments.every(), arguments.offset());
    std::thread::scope(|scope| {
        for core in 0..arguments.jobs.max(1) {
            let (queue, rows) = (&queue, &rows);
            scope.spawn(move || employ(arguments, core, queue, rows));
        }
    });
    let rows = rows.into_inner().expect("no panic");
    report(arguments, rows, start.elapsed())
}

fn report(arguments: &Arguments, rows: BTreeMap<String, Outcome>, took: Duration) -> Verdict {
    if arguments.markdown {
        println!("| | operations | instructions | visible | kills | failures | slowest survivor |");
        println!("|---|--:|--:|--:|--:|--:|--:|");
        for (name, row) in &rows {
            let Outcome { subjects, instructions, visible, kills, failures, slowest, .. } = row;
            println!(
                "| {name} | {subjects} | {instructions} | {visible} | {kills} | {} | {slowest:.1?} |",
                failures.len()
            );
        }
    }
    let mut total = Outcome::default();
    let count = rows.len();
    let unharmed: Vec<String> =
        rows.iter().filter(|(_, row)| row.failures.is_empty()).map(|(name, _)| name.clone()).collect();
    rows.into_values().for_each(|row| total.add(row));
    let Outcome { subjects, instructions, visible, kills, strayed, ref failures, slowest } = total;
    let summary = format!(
        "{subjects} operations, {instructions} instructions ({visible} visible), {kills} kills ({strayed} beside the \
         instruction that was meant), {} failures; slowest survivor {slowest:.1?}; {:.0} s",
        failures.len(),
        took.as_secs_f64()
    );
    if arguments.canary {
        // Each canary has a row of its own.
        return match unharmed.is_empty() && count > 0 {
            true => Ok(format!("{summary}\nevery canary was caught")),
            false => Err(format!("{summary}\nnot caught: {unharmed:?}")),
        };
    }
    match failures.is_empty() && kills > 0 {
        true => Ok(summary),
        false => Err(format!("{}\n{summary}", failures.join("\n"))),
    }
}

/// Gives a worker process one subject after the other.
fn employ(
    arguments: &Arguments,
    core: usize,
    queue: &Mutex<VecDeque<Subject>>,
    rows: &Mutex<BTreeMap<String, Outcome>>,
) {
    let mut worker = Command::new(std::env::current_exe().expect("the path of this program"))
        .args(["instructions", "--serve", &core.to_string(), "--every", &arguments.every().to_string()])
        .args(["--offset", &arguments.offset().to_string(), "--whole", &arguments.whole.to_string()])
        .arg("--keep")
        .arg(&arguments.keep)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a worker");
    let mut input = worker.stdin.take().expect("a pipe");
    let mut output = BufReader::new(worker.stdout.take().expect("a pipe"));
    loop {
        let Some(subject) = queue.lock().expect("no panic").pop_front() else { break };
        let start = Instant::now();
        let mut line = String::new();
        let told = writeln!(input, "{}", subject.encode()).and_then(|()| output.read_line(&mut line));
        let outcome = told.ok().and_then(|_| Outcome::decode(line.trim_end_matches('\n')));
        let lost = |outcome: Option<Outcome>| {
            let failures = vec![format!("{}: the laboratory's worker ended", subject.name())];
            outcome.unwrap_or(Outcome { subjects: 1, failures, ..Outcome::default() })
        };
        let ended = outcome.is_none();
        let outcome = lost(outcome);
        let Outcome { instructions, kills, failures, .. } = &outcome;
        let took = start.elapsed();
        println!("{:70} {instructions:8} {kills:7} kills {took:8.1?} {}", subject.name(), failures.join("\n"));
        let row = if arguments.canary { subject.name() } else { subject.group() };
        rows.lock().expect("no panic").entry(row).or_default().add(outcome);
        if ended {
            return;
        }
    }
    drop(input);
    let _ = worker.wait();
}

/// A worker: one thread, so that it can fork; a line for each subject.
fn serve(arguments: &Arguments, core: usize) -> Verdict {
    stay_on(core);
    for line in std::io::stdin().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let subject = Subject::decode(&line).ok_or(format!("no subject: {line}"))?;
        println!("{}", examine(arguments, &subject).encode());
    }
    Ok(String::new())
}

/// Tracer and child take turns, which is fastest on one processor.
fn stay_on(core: usize) {
    let mut set = nix::sched::CpuSet::new();
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    if set.set(core % count).is_ok() {
        let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set);
    }
}

fn examine(arguments: &Arguments, subject: &Subject) -> Outcome {
    let mut outcome = Outcome { subjects: 1, ..Outcome::default() };
    if let Err(failure) = kill_in(arguments, subject, &mut outcome) {
        outcome.failures.push(failure);
    }
    outcome
}

fn kill_in(arguments: &Arguments, subject: &Subject, outcome: &mut Outcome) -> Result<(), String> {
    let scenario = subject.scenario();
    let ways = ways(subject, scenario.fresh);
    let mut sites: Vec<Site> =
        ways.iter().map(|attended| Site::new(subject, &scenario, *attended)).collect::<Result<_, _>>()?;
    let trace = sites[0].record()?;
    outcome.instructions = trace.len() as u64;
    outcome.visible = trace.candidates(false).len() as u64;
    let candidates = trace.candidates(outcome.instructions <= arguments.whole);
    let (every, offset) = (arguments.every(), arguments.offset());
    let chosen = candidates.into_iter().enumerate().filter(|(number, _)| *number as u64 % every == offset);
    for (number, (_, instructions)) in chosen.enumerate() {
        let index = number % sites.len();
        outcome.kills += 1;
        match sites[index].kill(&trace, instructions) {
            Ok((as_recorded, waited)) => {
                outcome.strayed += u64::from(!as_recorded);
                outcome.slowest = outcome.slowest.max(waited);
            }
            Err(failure) => {
                let kept = sites[index].keep(&arguments.keep, &format!("{} {instructions}", subject.name()));
                let kept = kept.display();
                outcome.failures.push(format!("{failure}\n    killed after {instructions} instructions; see {kept}"));
                if outcome.failures.len() >= ENOUGH {
                    return Ok(());
                }
                sites[index] = Site::new(subject, &scenario, ways[index])?;
            }
        }
    }
    Ok(())
}

/// Who is there beside the one who is killed: nobody, a bystander, or the one and the other in turns.
fn ways(subject: &Subject, fresh: bool) -> Vec<bool> {
    match subject {
        Subject::Recovery { way, .. } => vec![*way == subject::Way::Waiter],
        Subject::Operation { .. } if !fresh => vec![false, true],
        _ => vec![false],
    }
}
