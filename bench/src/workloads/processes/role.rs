//! Processes that a workload starts: this program once more, with a hidden command. Each says `ready` on its standard
//! output when its part has begun, and ends when its standard input does, be it that the workload wants it or died.

use super::robust_mutex::RobustMutex;
use crate::Outcome;
use commy::{Error, Region, SharedVec, SharedVecDeque};
use std::io::{BufRead, BufReader, Read, Write, stdin, stdout};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// The hidden command.
pub(crate) const COMMAND: &str = "play-role";
const READY: &str = "ready";

/// The vector that the roles use.
pub(crate) const VECTOR: &str = "vector";

/// The queue that they use.
pub(crate) const QUEUE: &str = "queue";

/// What a process is there for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    /// Holds the write guard of the region's vector, with a change in it, and `memory` bytes of its own.
    HoldGuard { memory: u64 },
    /// The same with a robust mutex.
    HoldMutex { memory: u64 },
    /// Adds consecutive numbers to the region's queue, so many with each call.
    Give { batch: usize },
    /// Writes one element of the region's vector over and over.
    Hammer { element: usize },
}

/// A process in a role.
pub(crate) struct Player {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Player {
    /// Starts a process and waits until it is ready.
    pub(crate) fn start(role: Role, path: &Path) -> Outcome<Player> {
        let (name, number) = match role {
            Role::HoldGuard { memory } => ("hold-guard", memory),
            Role::HoldMutex { memory } => ("hold-mutex", memory),
            Role::Give { batch } => ("give", batch as u64),
            Role::Hammer { element } => ("hammer", element as u64),
        };
        let mut command = Command::new(std::env::current_exe()?);
        command.args([COMMAND, name]).arg(path).arg(number.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut player = Player { child, stdin };
        let mut line = String::new();
        BufReader::new(stdout.ok_or("a pipe is missing")?).read_line(&mut line)?;
        if line.trim_end() != READY {
            player.stdin = None;
            return Err(format!("{role:?} did not become ready: {}", player.child.wait()?).into());
        }
        Ok(player)
    }

    /// SIGKILL. Returns when the signal is sent, not when it has worked.
    pub(crate) fn kill(&mut self) -> Outcome {
        Ok(self.child.kill()?)
    }

    /// Waits for the end of a killed process: nothing of it is left then.
    pub(crate) fn bury(mut self) -> Outcome {
        self.child.wait()?;
        Ok(())
    }

    /// Asks the process to end, and waits for it.
    pub(crate) fn stop(mut self) -> Outcome {
        self.stdin = None;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("a process failed: {status}").into()) }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // Both fail if it has been waited for; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child's side.
pub(crate) fn play(words: &[String]) -> Outcome {
    let [name, path, number] = words else { return Err("a role, a path and a number".into()) };
    let (path, number) = (Path::new(path), number.parse::<u64>()?);
    match name.as_str() {
        "hold-guard" => hold_guard(path, number),
        "hold-mutex" => hold_mutex(path, number),
        "give" => give(path, number),
        "hammer" => hammer(path, number as usize),
        _ => Err(format!("no role `{name}`").into()),
    }
}

fn hold_guard(path: &Path, memory: u64) -> Outcome {
    let region = Region::open(path)?;
    let vector: SharedVec<u64> = region.open_object(VECTOR)?;
    let _memory = touched(memory);
    let mut guard = vector.write()?;
    guard.push(1)?;
    say_ready()?;
    wait_for_the_end()
}

fn hold_mutex(path: &Path, memory: u64) -> Outcome {
    let mutex = RobustMutex::open(path)?;
    let _memory = touched(memory);
    mutex.lock()?;
    say_ready()?;
    wait_for_the_end()?;
    Ok(mutex.unlock()?)
}

fn hammer(path: &Path, element: usize) -> Outcome {
    let region = Region::open(path)?;
    let vector: SharedVec<u64> = region.open_object(VECTOR)?;
    vector.set(element, 0u64)?;
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // However the wait ends, the hammering does.
            let _ = wait_for_the_end();
            end.store(true, Ordering::Relaxed);
        });
        say_ready()?;
        for value in 0u64.. {
            vector.set(element, value)?;
            if end.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    })
}

/// Until the end, with pauses while the queue is full.
fn give(path: &Path, batch: u64) -> Outcome {
    let region = Region::open(path)?;
    let queue: SharedVecDeque<u64> = region.open_object(QUEUE)?;
    let end = AtomicBool::new(false);
    let pause = std::time::Duration::from_millis(10);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // However the wait ends, the giving does.
            let _ = wait_for_the_end();
            end.store(true, Ordering::Relaxed);
        });
        say_ready()?;
        let mut next = 0;
        while !end.load(Ordering::Relaxed) {
            if batch == 1 {
                next += u64::from(queue.push_back_wait(next, pause)?);
                continue;
            }
            let seen = queue.version()?;
            match queue.extend(next..next + batch) {
                Ok(()) => next += batch,
                // Its own try has moved the version once, as any change does.
                Err(Error::Full { .. }) => drop(queue.wait_changed(seen + 2, pause)?),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    })
}

/// Memory of this process alone, every page of it written.
fn touched(bytes: u64) -> Vec<u8> {
    let mut memory = vec![0; bytes as usize];
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    std::hint::black_box(memory)
}

fn say_ready() -> Outcome {
    let mut out = stdout();
    writeln!(out, "{READY}")?;
    Ok(out.flush()?)
}

fn wait_for_the_end() -> Outcome {
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
