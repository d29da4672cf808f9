//! `commy demo`: several processes count the words of real text into one shared map while they are killed again and
//! again, and the result is compared with what one undisturbed process counts.

mod board;
mod crew;
mod progress;
mod random;
mod text;
mod verdict;
mod worker;

use crate::{Outcome, human, naming};
use board::Board;
use crew::Crew;
use progress::Progress;
use random::Random;
use std::error::Error;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};
use verdict::Verdict;

/// The hidden command that a worker process runs.
pub(crate) const WORKER_COMMAND: &str = "demo-worker";

/// Bytes of text in one part of the work.
const PART_SIZE: usize = 16 << 10;
/// A new pass over the text begins when fewer parts than this wait.
const PARTS_IN_STOCK: u64 = 512;
/// How often the parent looks after its workers.
const TICK: Duration = Duration::from_millis(1);
/// Nobody has finished anything for so long: something is wrong.
const STALL: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Files and folders to count the words of [default: the .md, .rs, .toml and .txt files of this folder]
    #[arg(value_name = "FILE_OR_FOLDER")]
    paths: Vec<PathBuf>,
    /// How many processes count
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// How many of them are killed; the text is counted again and again meanwhile
    #[arg(long, default_value_t = 60)]
    kills: u64,
    /// Stop killing after this many minutes, however many were killed by then
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Seed of the random moments and victims [default: a new one, which is printed]
    #[arg(long)]
    seed: Option<u64>,
    /// Make the region here and keep it [default: in memory, removed at the end]
    #[arg(long, value_name = "FILE")]
    region: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct WorkerArguments {
    region: PathBuf,
    number: u64,
}

/// The hidden command of a worker process.
pub(crate) fn run_worker(arguments: &WorkerArguments) -> Outcome {
    worker::work(&arguments.region, arguments.number)?;
    Ok(ExitCode::SUCCESS)
}

/// The whole demo. Exit code 1 if a word was lost or counted twice, or the region is not clean.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let texts = text::read_all(&arguments.paths)?;
    let pieces: Vec<&str> = texts.iter().flat_map(|text| text::parts(text, PART_SIZE)).collect();
    if pieces.is_empty() {
        return Err("there is no text here; name some files or folders".into());
    }
    let text_bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
    let capacity = 8 * text_bytes as u64 + (256 << 20);
    let board = Board::create(arguments.region.as_deref(), capacity).map_err(|error| match &arguments.region {
        Some(path) => naming(path, error.into()),
        None => error.into(),
    })?;
    let path = board.region.path().to_path_buf();
    let files = format!("{} files ({})", texts.len(), human::bytes(text_bytes as u64));
    let correct = count_and_compare(arguments, board, &pieces, &files);
    // What went wrong in the region may be looked at; a closed pipe or a missing program did not go wrong there.
    let evidence = match &correct {
        Ok(correct) => !correct,
        Err(error) => !error.is::<std::io::Error>(),
    };
    if evidence || arguments.region.is_some() {
        writeln!(stdout(), "the region is kept: {}", path.display())?;
    } else {
        commy::Region::remove(&path)?;
    }
    Ok(if correct? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The race and the verdict on it; false if a word was lost or counted twice, or the region is not clean.
fn count_and_compare(
    arguments: &Arguments,
    board: Board,
    pieces: &[&str],
    files: &str,
) -> Result<bool, Box<dyn Error>> {
    let seed = arguments.seed.unwrap_or_else(random::fresh_seed);
    let path = board.region.path().display();
    writeln!(stdout(), "{} processes count the words of {files} into one shared map.", arguments.workers)?;
    writeln!(stdout(), "seed {seed}; to look on: commy ps {path}\n")?;
    for (number, &piece) in pieces.iter().enumerate() {
        board.texts.insert(number as u64, piece)?;
    }
    let mut race = Race::new(arguments, &board, pieces.len() as u64, seed)?;
    race.run()?;
    let verdict = Verdict::reach(&race, pieces)?;
    write!(stdout(), "{verdict}")?;
    Ok(verdict.is_correct())
}

/// The workers against their killer.
struct Race<'a> {
    arguments: &'a Arguments,
    board: &'a Board,
    crew: Crew,
    random: Random,
    progress: Progress,
    /// Parts in one pass over the text.
    parts_per_pass: u64,
    passes: u64,
    elapsed: Duration,
}

impl<'a> Race<'a> {
    fn new(arguments: &'a Arguments, board: &'a Board, parts_per_pass: u64, seed: u64) -> std::io::Result<Race<'a>> {
        let crew = Crew::new(board.region.path().to_path_buf())?;
        let (random, progress) = (Random::new(seed), Progress::new());
        Ok(Race { arguments, board, crew, random, progress, parts_per_pass, passes: 0, elapsed: Duration::ZERO })
    }

    /// Until all kills have happened and all parts are counted.
    fn run(&mut self) -> Result<(), Box<dyn Error>> {
        let start = Instant::now();
        let (mut next_kill, mut last_done, mut last_change) = (start + self.pause(), 0, start);
        loop {
            self.elapsed = start.elapsed();
            let killing =
                self.crew.killed < self.arguments.kills && self.elapsed.as_secs_f64() < self.arguments.minutes * 60.0;
            self.crew.reap(self.board)?;
            let (mut pending, claimed) = self.board.open_parts()?;
            while self.passes == 0 || (killing && pending < PARTS_IN_STOCK) {
                let first = self.passes * self.parts_per_pass;
                self.board.add(first..first + self.parts_per_pass)?;
                self.passes += 1;
                pending += self.parts_per_pass;
            }
            if pending > 0 {
                self.crew.fill(usize::from(self.arguments.workers))?;
            } else if self.crew.is_empty() && !killing {
                break;
            }
            if killing && Instant::now() >= next_kill && self.crew.kill_one(&mut self.random, self.board)? {
                next_kill = Instant::now() + self.pause();
            }
            let done = self.passes * self.parts_per_pass - pending - claimed;
            if done != last_done {
                (last_done, last_change) = (done, Instant::now());
            } else if last_change.elapsed() > STALL {
                return Err(format!("no part was finished for {}", human::duration(STALL)).into());
            }
            self.show_progress(done)?;
            thread::sleep(TICK);
        }
        Ok(self.progress.clear()?)
    }

    /// A random time until the next kill.
    fn pause(&mut self) -> Duration {
        Duration::from_micros(10_000 + self.random.below(80_000))
    }

    fn show_progress(&mut self, done: u64) -> std::io::Result<()> {
        let (killed, kills, elapsed) = (self.crew.killed, self.arguments.kills, self.elapsed);
        self.progress.show(|| {
            let (done, seconds) = (human::count(done), human::duration(elapsed));
            format!("{seconds:>8}  {killed}/{kills} killed  {done} parts counted")
        })
    }
}
