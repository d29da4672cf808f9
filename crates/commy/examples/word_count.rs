//! Four processes count the words of this file, over and over, into one shared map, while they are killed fifty times.
//! No word is lost or counted twice, because each line goes from `pending` to `claims` to `counts` in transactions.

use commy::{Region, Result, SharedHashMap, SharedVec};
use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

const TEXT: &str = include_str!("word_count.rs");
const WORKERS: usize = 4;
const KILLS: usize = 50;

/// What the processes share. Every process that opens the region finds the same objects by name.
struct Shared {
    region: Region,
    pending: SharedVec<u64>,            // lines for anybody to take
    claims: SharedHashMap<u64, u64>,    // worker -> the line it has in hand
    counts: SharedHashMap<String, u64>, // word -> how often it was seen
}

impl Shared {
    fn new(region: Region) -> Result<Shared> {
        let (pending, claims) = (region.object("pending")?, region.object("claims")?);
        Ok(Shared { pending, claims, counts: region.object("counts")?, region })
    }

    /// Takes a line into the hand of a worker.
    fn claim(&self, worker: u64) -> Result<Option<u64>> {
        self.region.transaction(|tx| {
            let Some(line) = tx.write(&self.pending)?.pop()? else { return Ok(None) };
            tx.write(&self.claims)?.insert(worker, line)?;
            Ok(Some(line))
        })
    }

    /// Counts words and lays the line aside: both or, if we are killed in the middle, neither.
    fn complete(&self, worker: u64, words: &HashMap<&str, u64>) -> Result<()> {
        self.region.transaction(|tx| {
            let mut counts = tx.write(&self.counts)?;
            for (&word, &times) in words {
                *counts.entry(word).or_insert(0)? += times;
            }
            tx.write(&self.claims)?.remove(&worker)?;
            Ok(())
        })
    }

    /// Puts back what a dead worker had in hand.
    fn release(&self, worker: u64) -> Result<()> {
        self.region.transaction(|tx| {
            let mut pending = tx.write(&self.pending)?;
            if let Some(line) = tx.write(&self.claims)?.remove(&worker)? {
                pending.push(line)?;
            }
            Ok(())
        })
    }
}

fn count(text: &str) -> HashMap<&str, u64> {
    let mut counts = HashMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word).or_insert(0) += 1;
    }
    counts
}

fn worker(path: &Path, number: u64) -> Result<()> {
    let shared = Shared::new(Region::open(path)?)?;
    let lines: Vec<&str> = TEXT.lines().collect();
    while let Some(line) = shared.claim(number)? {
        shared.complete(number, &count(lines[line as usize]))?;
    }
    Ok(())
}

fn parent(path: &Path) -> Result<()> {
    let shared = Shared::new(Region::create(path)?)?;
    let (mut workers, mut started, mut kills, mut passes) = (Vec::<(u64, Child)>::new(), 0, 0, 0);
    while kills < KILLS || !workers.is_empty() || !shared.pending.is_empty()? {
        while kills < KILLS && shared.pending.len()? < 10_000 {
            shared.pending.extend(0..TEXT.lines().count() as u64)?;
            passes += 1;
        }
        while workers.len() < WORKERS && !shared.pending.is_empty()? {
            started += 1;
            let program = std::env::current_exe().expect("the path of this program");
            let child = Command::new(program).arg(path).arg(started.to_string()).spawn();
            workers.push((started, child.expect("a new process")));
        }
        std::thread::sleep(Duration::from_millis(10));
        if kills < KILLS && !workers.is_empty() {
            let (number, mut victim) = workers.remove(kills % workers.len());
            victim.kill().expect("our own child"); // SIGKILL, wherever it is
            kills += usize::from(!victim.wait().expect("our own child").success());
            shared.release(number)?;
        }
        workers.retain_mut(|(_, child)| child.try_wait().expect("our own child").is_none());
    }

    let expected: HashMap<String, u64> = count(TEXT).into_iter().map(|(word, n)| (word.into(), n * passes)).collect();
    assert_eq!(shared.counts.to_map()?, expected, "a word was lost or counted twice");
    assert!(shared.region.check()?.is_clean());
    println!("{kills} kills, {passes} passes, {} words: each counted once", expected.values().sum::<u64>());
    drop(shared);
    Region::remove(path)
}

fn main() -> Result<()> {
    match &std::env::args().collect::<Vec<_>>()[..] {
        [_, path, number] => worker(path.as_ref(), number.parse().expect("the number of a worker")),
        _ => parent(&std::env::temp_dir().join(format!("commy-word-count-{}", std::process::id()))),
    }
}
