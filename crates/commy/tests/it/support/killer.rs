//! Kills a child at every point of a scenario and looks at what it left, as a survivor that was attached all along.

use super::catalogue;
use super::child::{self, Child, End, text};
pub use super::judge::Failure;
use super::judge::Judge;
use super::scenario::{Scenario, Watch};
use super::temporary::{Temporary, open_impatient, quiet};
use crate::seeded::{every, sampled_in_scenario};
use commy::{Region, crash};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More points than any operation here has: an operation that never ends.
const ENDLESS: u64 = 5000;

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
    judge: Judge<'s>,
    region: Option<Region>,
    impatient: Option<Region>,
    temporary: Temporary,
    log: PathBuf,
}

impl<'s> Ground<'s> {
    /// A new region in the state before; the memory of the last state is learned from a child that lives.
    pub fn new(scenario: &'s Scenario) -> Result<Ground<'s>, Failure> {
        let temporary = Temporary::new();
        let (log, judge) = (temporary.file("deaths"), Judge::new(scenario));
        let mut ground = Ground { scenario, judge, region: None, impatient: None, temporary, log };
        ground.renew()?;
        let mut judge = Judge::new(scenario);
        judge.learn(ground.region(), || match ground.perform(&Fate::At(u64::MAX / 4))? {
            End::Finished => Ok(()),
            end => Err(format!("{}: an unharmed child ended as {end:?}", scenario.name)),
        })?;
        ground.judge = judge;
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
        self.region = Some(self.judge.say("open", quiet().open(self.path()))?);
        Ok(())
    }

    /// A region in the state before: a new one, or the same again.
    pub fn renew(&mut self) -> Result<(), Failure> {
        if self.region.is_none() || self.scenario.fresh {
            self.region = None;
            let path = self.path();
            let _ = std::fs::remove_file(&path);
            self.region = Some(self.judge.say("create", quiet().capacity(self.scenario.capacity).create(&path))?);
        }
        self.judge.reset(self.region())
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
            self.judge.say("a waiter", woken)?;
            Ok(end)
        })
    }

    /// See `Judge::verify`.
    pub fn verify(&mut self) -> Result<Duration, Failure> {
        let path = self.path();
        let region = self.region.as_ref().expect("a region is open");
        self.judge.verify(region, &path)
    }

    /// A second survivor, attached from now on, that waits for no lock.
    pub fn let_impatient_in(&mut self) -> Result<(), Failure> {
        self.impatient = Some(self.judge.say("open", open_impatient(&self.path()))?);
        Ok(())
    }

    /// See `Judge::mark_what_is_free`; nothing if no impatient survivor is in.
    pub fn mark_what_is_free(&self) -> Result<Vec<bool>, Failure> {
        self.impatient.as_ref().map_or(Ok(Vec::new()), |region| self.judge.mark_what_is_free(region))
    }

    /// See `Judge::mark_and_verify`.
    pub fn mark_and_verify(&mut self, marked: &[bool]) -> Result<Duration, Failure> {
        self.judge.mark_and_verify(self.region(), marked)
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
    kill_at(scenario, 1..ENDLESS)
}

/// Kills a child at each of `points`, until one comes to its end.
fn kill_at(scenario: &Scenario, points: impl Iterator<Item = u64>) -> Result<Summary, Failure> {
    let mut ground = Ground::new(scenario)?;
    let mut summary = Summary::default();
    for nth in points {
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

/// As `kill_everywhere` for several, at each [`every`]th point; all failures are told.
pub fn kill_all(scenarios: &[Scenario]) -> Summary {
    let (mut summary, mut failures) = (Summary::default(), Vec::new());
    for scenario in scenarios {
        let Some(points) = sampled_in_scenario(&scenario.name, 1..ENDLESS) else { continue };
        match kill_at(scenario, points) {
            Ok(one) => {
                assert!(one.kills > 0 || every() > 1, "{}: no crash point was reached", scenario.name);
                summary.add(one);
            }
            Err(failure) => failures.push(failure),
        }
    }
    println!("{} kills, {} points, slowest survivor {:?}", summary.kills, summary.points.len(), summary.slowest);
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), scenarios.len(), failures.join("\n"));
    summary
}
