//! A process that answers: a line of words in, a line of numbers out. It ends when its standard input does, be it that
//! the bench wants it or died.

use crate::Outcome;
use crate::scratch::ScratchFolder;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::map::{Act, Batch};

pub(crate) struct Talker {
    child: Child,
    /// None at the end.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

/// How long a process may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);

impl Talker {
    pub(crate) fn start(command: &mut Command) -> Outcome<Talker> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (stdin, stdout) = stdin.zip(stdout).ok_or("a pipe is missing")?;
        Ok(Talker { child, stdin: Some(stdin), stdout: BufReader::new(stdout) })
    }

    pub(crate) fn say(&mut self, line: &str) -> Outcome {
        let stdin = self.stdin.as_mut().ok_or("it was told to end")?;
        Ok(stdin.write_all(format!("{line}\n").as_bytes())?)
    }

    /// # Errors
    /// The process ended, or its answer is anything but `N` numbers.
    pub(crate) fn hear<const N: usize>(&mut self) -> Outcome<[u64; N]> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        let numbers: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
        Ok(numbers.try_into().map_err(|_| format!("`{}` is no answer", line.trim_end()))?)
    }

    pub(crate) fn ask<const N: usize>(&mut self, line: &str) -> Outcome<[u64; N]> {
        self.say(line)?;
        self.hear()
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        // It may have processes of its own that only it can end.
        self.stdin = None;
        let start = Instant::now();
        while start.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Both fail if it is gone; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has a process killed when the bench is: it may be where it does not look at its input.
pub(super) fn ends_with_us(command: &mut Command) -> &mut Command {
    let bench = std::process::id();
    // SAFETY: both calls may be made between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() as u32 == bench { Ok(()) } else { Err(std::io::ErrorKind::BrokenPipe.into()) }
        })
    }
}

/// A process that does the acts of a map. It gets each batch of keys once, as a file of native words.
pub(super) struct Actor {
    talker: Talker,
    folder: ScratchFolder,
    /// Where the batches are that it has, and their lengths. They live as long as the race does.
    batches: Vec<(*const u64, usize)>,
}

impl Actor {
    pub(super) fn new(talker: Talker, folder: ScratchFolder) -> Actor {
        Actor { talker, folder, batches: Vec::new() }
    }

    pub(super) fn clear(&mut self) -> Outcome {
        let [_] = self.talker.ask("clear")?;
        Ok(())
    }

    pub(super) fn act(&mut self, act: Act) -> Outcome<Batch> {
        let (verb, keys) = match act {
            Act::Insert(keys) => ("insert", keys),
            Act::Get(keys) => ("get", keys),
            Act::Update(keys) => ("update", keys),
            Act::Remove(keys) => ("remove", keys),
            Act::Scan(keys) => ("scan", keys),
            Act::Iterate => ("iterate", [].as_slice()),
        };
        let batch = if keys.is_empty() { 0 } else { self.batch(keys)? };
        let [time, sum] = self.talker.ask(&format!("{verb} {batch}"))?;
        Ok(Batch { time: Duration::from_nanos(time), sum })
    }

    fn batch(&mut self, keys: &[u64]) -> Outcome<usize> {
        let identity = (keys.as_ptr(), keys.len());
        if let Some(known) = self.batches.iter().position(|batch| *batch == identity) {
            return Ok(known);
        }
        let path = self.folder.path().join(format!("keys-{}", self.batches.len()));
        write_words(&path, keys)?;
        let [_] = self.talker.ask(&format!("keys {} {}", keys.len(), path.display()))?;
        self.batches.push(identity);
        Ok(self.batches.len() - 1)
    }
}

/// A file of native words.
pub(super) fn write_words(path: &Path, words: &[u64]) -> Outcome {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    Ok(std::fs::write(path, bytes)?)
}
