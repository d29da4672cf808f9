//! What must hold after a death.
//!
//! A survivor must get every lock at once; the state must be one of those allowed, `check()` clean, and the memory in use
//! exactly that of the state; then the survivor does the whole operation and undoes it, and the memory in use is where it
//! began.

use crate::scenario::Scenario;
use crate::temporary::{QUICK, open_to_read};
use commy::Region;
use std::path::Path;
use std::time::{Duration, Instant};

/// What is wrong, in words.
pub type Failure = String;

/// Judges what the deaths in one scenario leave.
pub struct Judge<'s> {
    scenario: &'s Scenario,
    /// Memory in use in each of the allowed states, as far as it is known.
    pub memory: Vec<Option<u64>>,
    /// Whether the next survivor reaps the dead before it wants their locks.
    pub reap_first: bool,
}

impl<'s> Judge<'s> {
    pub fn new(scenario: &'s Scenario) -> Judge<'s> {
        Judge { scenario, memory: vec![None; scenario.case.last() + 1], reap_first: false }
    }

    /// A failed call of the library, as a failure of the scenario.
    pub fn say<T>(&self, what: &str, result: commy::Result<T>) -> Result<T, Failure> {
        result.map_err(|error| format!("{}: {what}: {error}", self.scenario.name))
    }

    pub fn reset(&self, region: &Region) -> Result<(), Failure> {
        self.say("reset", self.scenario.case.reset(region))
    }

    /// The survivor's own whole operation, and back.
    pub fn settle(&self, region: &Region) -> Result<(), Failure> {
        self.reset(region)?;
        self.say("operate", self.scenario.case.operate(region))?;
        let stage = self.stage(region, false)?;
        if stage != self.scenario.case.last() {
            return Err(format!("{}: a survivor's operation leads to state {stage}", self.scenario.name));
        }
        self.reset(region)
    }

    /// Which of the allowed states is it?
    pub fn stage(&self, region: &Region, marked: bool) -> Result<usize, Failure> {
        let stage = self.say("look", self.scenario.case.stage(region, marked))?;
        stage.map_err(|seen| format!("{}: neither before nor after: {seen}", self.scenario.name))
    }

    fn check(&self, region: &Region) -> Result<(), Failure> {
        let report = self.say("check", region.check())?;
        if report.is_clean() { Ok(()) } else { Err(format!("{}: check: {report:#?}", self.scenario.name)) }
    }

    /// Memory in use, the dead being reaped.
    pub fn in_use(&self, region: &Region) -> Result<u64, Failure> {
        self.check(region)?;
        Ok(self.say("stats", region.stats())?.allocated)
    }

    /// Learns what the first and the last state take; `live` lets somebody else perform the operation unharmed.
    pub fn learn(&mut self, region: &Region, live: impl Fn() -> Result<(), Failure>) -> Result<(), Failure> {
        let perform = || {
            self.reset(region)?;
            live()?;
            self.stage(region, false)
        };
        // What a lane or a directory takes once and keeps is taken now.
        if !self.scenario.fresh {
            for _ in 0..2 {
                self.settle(region)?;
                perform()?;
            }
            self.reset(region)?;
        }
        let before = self.in_use(region)?;
        let end = perform()?;
        let after = self.in_use(region)?;
        let last = self.scenario.case.last();
        self.memory[0] = Some(before);
        self.memory[last] = Some(after);
        if end != last {
            return Err(format!("{}: unharmed it leads to state {end}, not {last}", self.scenario.name));
        }
        Ok(())
    }

    /// Takes every lock; how long that took.
    pub fn touch(&self, region: &Region) -> Result<Duration, Failure> {
        let start = Instant::now();
        self.say("a survivor's lock", self.scenario.case.touch(region))?;
        let waited = start.elapsed();
        if waited > QUICK {
            return Err(format!("{}: a survivor waited {waited:?}", self.scenario.name));
        }
        Ok(waited)
    }

    /// Everything that must hold after a death, in an unmarked region. Each other time the dead are reaped first, and a
    /// reader who cannot lock finds everything whole; otherwise whoever wants the locks recovers.
    pub fn verify(&mut self, region: &Region, path: &Path) -> Result<Duration, Failure> {
        self.reap_first = !self.reap_first;
        let mut seen = None;
        if self.reap_first {
            self.check(region)?;
            let reader = self.say("open to read", open_to_read(path))?;
            seen = Some(self.stage(&reader, false)?);
        }
        let waited = self.touch(region)?;
        let stage = self.stage(region, false)?;
        if seen.is_some_and(|seen| seen != stage) {
            return Err(format!("{}: a reader saw state {seen:?}, but it is {stage}", self.scenario.name));
        }
        let in_use = self.in_use(region)?;
        // What a state between the first and the last takes is learned when it is met for the first time.
        if *self.memory[stage].get_or_insert(in_use) != in_use {
            let (name, known) = (&self.scenario.name, &self.memory);
            return Err(format!("{name}: state {stage} with {in_use} bytes in use; known: {known:?}"));
        }
        self.settle(region)?;
        self.nothing_leaked(region)?;
        Ok(waited)
    }

    /// An impatient survivor writes to every object that it can have, whatever the dead have left. Which ones?
    pub fn mark_what_is_free(&self, region: &Region) -> Result<Vec<bool>, Failure> {
        self.say("an impatient survivor's write", self.scenario.case.mark(region, &[]))
    }

    /// The survivor writes to all other objects; then it is a state that was allowed, and all marks are there.
    pub fn mark_and_verify(&self, region: &Region, marked: &[bool]) -> Result<Duration, Failure> {
        let start = Instant::now();
        let all = self.say("a survivor's write", self.scenario.case.mark(region, marked))?;
        let waited = start.elapsed();
        if all.contains(&false) || all.is_empty() || waited > QUICK {
            return Err(format!("{}: a survivor waited {waited:?}; marked: {all:?}", self.scenario.name));
        }
        self.stage(region, true)?;
        self.check(region)?;
        self.stage(region, true)?;
        self.settle(region)?;
        self.nothing_leaked(region)?;
        Ok(waited)
    }

    /// In the state before: is the memory in use what it was at first?
    pub fn nothing_leaked(&self, region: &Region) -> Result<(), Failure> {
        let in_use = self.in_use(region)?;
        if Some(in_use) == self.memory[0] {
            return Ok(());
        }
        Err(format!("{}: {in_use} bytes in use, {:?} at first", self.scenario.name, self.memory[0]))
    }
}
