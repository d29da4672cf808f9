//! Kills a child at every point of a scenario and looks at what it left.
//!
//! After each death the survivor, attached all along, must get every lock at once; the state must be one of those
//! allowed, `check()` clean, and the memory in use exactly that of the state; then the survivor does the whole operation
//! and undoes it, and the memory in use is where it began.

use super::catalogue;
use super::child::{self, Child, End, text};
use super::scenario::{Scenario, Watch};
use super::temporary::{QUICK, Temporary, open_impatient, open_to_read, quiet};
use commy::{Region, crash};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// More points than any operation here has: an operation that never ends.
const ENDLESS: u64 = 5000;

/// What is wrong, in words.
pub type Failure = String;

/// What was done.
#[derive(Debug, Default)]
pub struct Summary {
    pub kills: u64,
    /// How often the child was killed at a point of this name.
    pub points: BTreeMap<String, u64>,
    /// The longest that a survivor waited for its locks.
    pub slowest: Duration,
}

impl Summary {
    pub fn add(&mut self, other: Summary) {
        self.kills += other.kills;
        self.slowest = self.slowest.max(other.slowest);
        for (name, count) in other.points {
            *self.points.entry(name).or_default() += count;
        }
    }
}

/// Starts to count points towards a child's death.
pub type Arm<'a> = &'a (dyn Fn() + Sync);

/// Counts points while an operation is under way.
struct Armed<'a>(Arm<'a>);

impl Watch for Armed<'_> {
    fn begin(&self) {
        (self.0)();
    }

    fn end(&self) {
        crash::disarm();
    }

    fn held(&self) {
        child::tell("held");
    }
}

/// Where a child is to die.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// At the n-th point.
    At(u64),
    /// At the n-th point of this name.
    AtName(String, u64),
    /// Nowhere; the names of the points that it reaches are written down.
    Recorded,
}

impl Fate {
    pub fn encode(&self) -> String {
        match self {
            Fate::At(nth) => format!("{nth}"),
            Fate::AtName(name, nth) => format!("{nth}/{name}"),
            Fate::Recorded => "record".into(),
        }
    }

    fn decode(text: &str) -> Fate {
        match text.split_once('/') {
            Some((nth, name)) => Fate::AtName(name.into(), nth.parse().expect("a number")),
            None if text == "record" => Fate::Recorded,
            None => Fate::At(text.parse().expect("a number")),
        }
    }

    /// In a child: runs `body`, which is told how to arm, under this fate.
    pub fn live(text: &str, log: &Path, body: impl FnOnce(Arm)) {
        let fate = Fate::decode(text);
        body(&|| match &fate {
            Fate::At(nth) => crash::arm(*nth, log),
            Fate::AtName(name, nth) => crash::arm_at(name, *nth, log),
            Fate::Recorded => crash::record(),
        });
        if fate == Fate::Recorded {
            let names: Vec<&str> = crash::recorded().into_iter().collect();
            std::fs::write(log, names.join("\n")).expect("a file for the names");
        }
        crash::disarm();
    }
}

/// The entry point of children that perform a scenario.
#[test]
fn perform() {
    child::entry(|arguments| {
        let [name, path, fate, log] = arguments else { panic!("wrong arguments") };
        let scenario = catalogue::find(name);
        Fate::live(fate, Path::new(log), |arm| {
            (scenario.child)(Path::new(path), &Armed(arm)).unwrap_or_else(|error| panic!("{name}: {error}"));
        });
    });
}

/// A child that performs `scenario`.
pub fn performer(scenario: &Scenario, path: &Path, fate: &Fate, log: &Path) -> Child {
    Child::spawn("support::killer::perform", &[scenario.name.clone(), text(path), fate.encode(), text(log)])
}

/// The last line of the log of deaths.
pub fn last_death(log: &Path) -> Option<String> {
    std::fs::read_to_string(log).ok()?.lines().last().map(String::from)
}

/// A region in which a scenario is killed again and again.
pub struct Ground<'s> {
    scenario: &'s Scenario,
    region: Option<Region>,
    impatient: Option<Region>,
    temporary: Temporary,
    log: PathBuf,
    /// Memory in use in each of the allowed states, as far as it is known.
    memory: Vec<Option<u64>>,
    reap_first: bool,
}

impl<'s> Ground<'s> {
    /// A new region in the state before; the memory of the last state is learned from a child that lives.
    pub fn new(scenario: &'s Scenario) -> Result<Ground<'s>, Failure> {
        let temporary = Temporary::new();
        let log = temporary.file("deaths");
        let memory = vec![None; scenario.case.last() + 1];
        let mut ground = Ground { scenario, region: None, impatient: None, temporary, log, memory, reap_first: false };
        ground.renew()?;
        // What a lane or a directory takes once and keeps is taken now.
        if !scenario.fresh {
            ground.settle()?;
            ground.live()?;
            ground.settle()?;
            ground.live()?;
            ground.reset()?;
        }
        ground.memory[0] = Some(ground.in_use()?);
        let end = ground.live()?;
        let last = ground.scenario.case.last();
        ground.memory[last] = Some(ground.in_use()?);
        if end != last {
            return Err(format!("{}: unharmed it leads to state {end}, not {last}", scenario.name));
        }
        Ok(ground)
    }

    pub fn region(&self) -> &Region {
        self.region.as_ref().expect("a region is open")
    }

    pub fn path(&self) -> PathBuf {
        self.temporary.region()
    }

    /// Where a child of this fate writes.
    pub fn log(&self, fate: &Fate) -> PathBuf {
        if *fate == Fate::Recorded { self.temporary.file("points") } else { self.log.clone() }
    }

    /// The points that the last child with the fate `Recorded` has reached.
    pub fn recorded(&self) -> BTreeSet<String> {
        let text = std::fs::read_to_string(self.log(&Fate::Recorded)).unwrap_or_default();
        text.lines().map(String::from).collect()
    }

    /// Closes the region of the survivor, until `reopen`.
    pub fn close(&mut self) {
        self.region = None;
    }

    pub fn reopen(&mut self) -> Result<(), Failure> {
        self.region = Some(self.say("open", quiet().open(self.path()))?);
        Ok(())
    }

    fn say<T>(&self, what: &str, result: commy::Result<T>) -> Result<T, Failure> {
        result.map_err(|error| format!("{}: {what}: {error}", self.scenario.name))
    }

    /// A region in the state before: a new one, or the same again.
    pub fn renew(&mut self) -> Result<(), Failure> {
        if self.region.is_some() && !self.scenario.fresh {
            return self.reset();
        }
        self.region = None;
        let path = self.path();
        let _ = std::fs::remove_file(&path);
        self.region = Some(self.say("create", quiet().capacity(self.scenario.capacity).create(&path))?);
        self.reset()
    }

    fn reset(&self) -> Result<(), Failure> {
        self.say("reset", self.scenario.case.reset(self.region()))
    }

    /// The survivor's own whole operation, and back.
    fn settle(&self) -> Result<(), Failure> {
        self.reset()?;
        self.say("operate", self.scenario.case.operate(self.region()))?;
        let stage = self.stage(false)?;
        if stage != self.scenario.case.last() {
            return Err(format!("{}: a survivor's operation leads to state {stage}", self.scenario.name));
        }
        self.reset()
    }

    fn live(&self) -> Result<usize, Failure> {
        self.reset()?;
        match self.perform(&Fate::At(u64::MAX / 4))? {
            End::Finished => self.stage(false),
            end => Err(format!("{}: an unharmed child ended as {end:?}", self.scenario.name)),
        }
    }

    /// Runs a child to its end; with a survivor waiting for the lock, if the scenario says so.
    pub fn perform(&self, fate: &Fate) -> Result<End, Failure> {
        let mut child = performer(self.scenario, &self.path(), fate, &self.log(fate));
        if !self.scenario.contended {
            return Ok(child.wait());
        }
        if child.hear().as_deref() != Some("held") {
            return Err(format!("{}: the child did not get the lock", self.scenario.name));
        }
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| self.scenario.case.touch(self.region()));
            let end = child.wait();
            let woken = waiter.join().map_err(|_| "the waiter panicked".to_string())?;
            self.say("a waiter", woken)?;
            Ok(end)
        })
    }

    /// Which of the allowed states is it?
    pub fn stage(&self, marked: bool) -> Result<usize, Failure> {
        self.stage_in(self.region(), marked)
    }

    fn stage_in(&self, region: &Region, marked: bool) -> Result<usize, Failure> {
        let stage = self.say("look", self.scenario.case.stage(region, marked))?;
        stage.map_err(|seen| format!("{}: neither before nor after: {seen}", self.scenario.name))
    }

    fn check(&self) -> Result<(), Failure> {
        let report = self.say("check", self.region().check())?;
        if report.is_clean() { Ok(()) } else { Err(format!("{}: check: {report:#?}", self.scenario.name)) }
    }

    /// Memory in use, the dead being reaped.
    fn in_use(&self) -> Result<u64, Failure> {
        self.check()?;
        Ok(self.say("stats", self.region().stats())?.allocated)
    }

    /// Takes every lock; how long that took.
    pub fn touch(&self) -> Result<Duration, Failure> {
        let start = Instant::now();
        self.say("a survivor's lock", self.scenario.case.touch(self.region()))?;
        let waited = start.elapsed();
        if waited > QUICK {
            return Err(format!("{}: a survivor waited {waited:?}", self.scenario.name));
        }
        Ok(waited)
    }

    /// Everything that must hold after a death, in an unmarked region. Each other time the dead are reaped first, and a
    /// reader who cannot lock finds everything whole; otherwise whoever wants the locks recovers.
    pub fn verify(&mut self) -> Result<Duration, Failure> {
        self.reap_first = !self.reap_first;
        let mut seen = None;
        if self.reap_first {
            self.check()?;
            let reader = self.say("open to read", open_to_read(&self.path()))?;
            seen = Some(self.stage_in(&reader, false)?);
        }
        let waited = self.touch()?;
        let stage = self.stage(false)?;
        if seen.is_some_and(|seen| seen != stage) {
            return Err(format!("{}: a reader saw state {seen:?}, but it is {stage}", self.scenario.name));
        }
        let in_use = self.in_use()?;
        // What a state between the first and the last takes is learned when it is met for the first time.
        if *self.memory[stage].get_or_insert(in_use) != in_use {
            let (name, known) = (&self.scenario.name, &self.memory);
            return Err(format!("{name}: state {stage} with {in_use} bytes in use; known: {known:?}"));
        }
        self.settle()?;
        self.nothing_leaked()?;
        Ok(waited)
    }

    /// A second survivor, attached from now on, that waits for no lock.
    pub fn let_impatient_in(&mut self) -> Result<(), Failure> {
        self.impatient = Some(self.say("open", open_impatient(&self.path()))?);
        Ok(())
    }

    /// The impatient survivor writes to every object that it can have, whatever the dead have left. Which ones?
    pub fn mark_what_is_free(&self) -> Result<Vec<bool>, Failure> {
        let Some(region) = &self.impatient else { return Ok(Vec::new()) };
        self.say("an impatient survivor's write", self.scenario.case.mark(region, &[]))
    }

    /// The survivor writes to all other objects; then it is a state that was allowed, and all marks are there.
    pub fn mark_and_verify(&mut self, marked: &[bool]) -> Result<Duration, Failure> {
        let start = Instant::now();
        let all = self.say("a survivor's write", self.scenario.case.mark(self.region(), marked))?;
        let waited = start.elapsed();
        if all.contains(&false) || all.is_empty() || waited > QUICK {
            return Err(format!("{}: a survivor waited {waited:?}; marked: {all:?}", self.scenario.name));
        }
        self.stage(true)?;
        self.check()?;
        self.stage(true)?;
        self.settle()?;
        self.nothing_leaked()?;
        Ok(waited)
    }

    /// In the state before: is the memory in use what it was at first?
    pub fn nothing_leaked(&self) -> Result<(), Failure> {
        let in_use = self.in_use()?;
        if Some(in_use) == self.memory[0] {
            return Ok(());
        }
        Err(format!("{}: {in_use} bytes in use, {:?} at first", self.scenario.name, self.memory[0]))
    }

    /// Kills one child as `fate` says. `None`: it came to its end.
    pub fn kill(&self, fate: &Fate) -> Result<Option<String>, Failure> {
        match self.perform(fate)? {
            End::Killed => Ok(Some(last_death(&self.log).unwrap_or_default())),
            End::Finished => Ok(None),
            End::Failed(code) => Err(format!("{}: {fate:?}: a child failed with {code}", self.scenario.name)),
        }
    }
}

/// Kills a child at the first point, the second, ... until one comes to its end.
pub fn kill_everywhere(scenario: &Scenario) -> Result<Summary, Failure> {
    let mut ground = Ground::new(scenario)?;
    let mut summary = Summary::default();
    for nth in 1..ENDLESS {
        ground.renew()?;
        let Some(point) = ground.kill(&Fate::At(nth))? else { return Ok(summary) };
        let told = |failure| format!("{failure}\n    after a death at point {nth}, `{point}`");
        summary.slowest = summary.slowest.max(ground.verify().map_err(told)?);
        summary.kills += 1;
        *summary.points.entry(point).or_default() += 1;
    }
    Err(format!("{}: still at work after {ENDLESS} points", scenario.name))
}

/// Kills a child at those of the points `wanted` that the scenario reaches, and takes them off.
pub fn kill_at_names(scenario: &Scenario, wanted: &mut BTreeSet<String>) -> Result<(), Failure> {
    let mut ground = Ground::new(scenario)?;
    ground.renew()?;
    ground.perform(&Fate::Recorded)?;
    let reached = ground.recorded();
    for name in reached.intersection(&wanted.clone()) {
        ground.renew()?;
        // Recording goes on until the child has closed the region; dying does not.
        if ground.kill(&Fate::AtName(name.clone(), 1))?.as_ref() != Some(name) {
            continue;
        }
        ground.verify().map_err(|failure| format!("{failure}\n    after a death at `{name}`"))?;
        wanted.remove(name);
    }
    Ok(())
}

/// As `kill_everywhere`, for several; all failures are told.
pub fn kill_all(scenarios: &[Scenario]) -> Summary {
    let (mut summary, mut failures) = (Summary::default(), Vec::new());
    for scenario in scenarios {
        match kill_everywhere(scenario) {
            Ok(one) => {
                assert!(one.kills > 0, "{}: no crash point was reached", scenario.name);
                summary.add(one);
            }
            Err(failure) => failures.push(failure),
        }
    }
    println!("{} kills, {} points, slowest survivor {:?}", summary.kills, summary.points.len(), summary.slowest);
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), scenarios.len(), failures.join("\n"));
    summary
}
