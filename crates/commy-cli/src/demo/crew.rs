//! The worker processes: started, killed, buried, replaced.

use super::WORKER_COMMAND;
use super::board::Board;
use super::random::Random;
use std::error::Error;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

struct Worker {
    number: u64,
    process: Child,
    /// It has been seen with a part in hand.
    started: bool,
}

/// All workers that run now, and what became of the others. Dropping it ends them.
pub(super) struct Crew {
    program: PathBuf,
    region: PathBuf,
    workers: Vec<Worker>,
    next_number: u64,
    /// Workers that were killed.
    pub(super) killed: u64,
    /// Those of them that had a part in hand, which others took over.
    pub(super) killed_at_work: u64,
}

impl Crew {
    pub(super) fn new(region: PathBuf) -> std::io::Result<Crew> {
        let program = std::env::current_exe()?;
        Ok(Crew { program, region, workers: Vec::new(), next_number: 1, killed: 0, killed_at_work: 0 })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// Starts workers until there are `target`.
    pub(super) fn fill(&mut self, target: usize) -> std::io::Result<()> {
        while self.workers.len() < target {
            let number = self.next_number;
            let mut command = Command::new(&self.program);
            command.arg(WORKER_COMMAND).arg(&self.region).arg(number.to_string()).stdin(Stdio::null());
            self.workers.push(Worker { number, process: command.spawn()?, started: false });
            self.next_number += 1;
        }
        Ok(())
    }

    /// Buries the workers that ended by themselves.
    pub(super) fn reap(&mut self, board: &Board) -> Result<(), Box<dyn Error>> {
        for index in (0..self.workers.len()).rev() {
            if let Some(status) = self.workers[index].process.try_wait()? {
                let worker = self.workers.swap_remove(index);
                self.bury(&worker, status, false, board)?;
            }
        }
        Ok(())
    }

    /// Kills a random worker among those that are at work. Returns whether there was one.
    pub(super) fn kill_one(&mut self, random: &mut Random, board: &Board) -> Result<bool, Box<dyn Error>> {
        for worker in self.workers.iter_mut().filter(|worker| !worker.started) {
            worker.started = board.claims.contains_key(&worker.number)?;
        }
        let mut victims: Vec<usize> = (0..self.workers.len()).filter(|&index| self.workers[index].started).collect();
        if victims.is_empty() {
            return Ok(false);
        }
        let victim = victims.swap_remove(random.below(victims.len() as u64) as usize);
        let mut worker = self.workers.swap_remove(victim);
        worker.process.kill()?;
        let status = worker.process.wait()?;
        self.bury(&worker, status, true, board)?;
        Ok(true)
    }

    /// Settles what a worker left: nothing if it went by itself, perhaps a part in hand if it was killed.
    fn bury(&mut self, worker: &Worker, status: ExitStatus, by_us: bool, board: &Board) -> Result<(), Box<dyn Error>> {
        // Where there are no signals a kill looks like a failure with a code.
        if status.code().is_none() || (by_us && !status.success()) {
            self.killed += 1;
            self.killed_at_work += u64::from(board.release(worker.number)?);
        } else if !status.success() {
            return Err(format!("worker {} failed: {status}", worker.number).into());
        }
        Ok(())
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            // It may have ended by itself in the meantime; then there is nothing to do.
            let _ = worker.process.kill();
            let _ = worker.process.wait();
        }
    }
}
