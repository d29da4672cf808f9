//! A region in which somebody is killed again and again, and what survivors find there.

use super::child::{Child, in_a_child};
use super::subject::{Subject, Way};
use super::trace::Trace;
use super::tracee::{Breakpoints, Event, Tracee};
use super::visible::{Looker, Next};
use crate::judge::{Failure, Judge};
use crate::scenario::{Scenario, Watch};
use crate::temporary::{self, Temporary, open_impatient, quiet};
use commy::{Error, Region, SharedVec};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More instructions than any operation here has: one that never ends.
const ENDLESS: usize = 20_000_000;

/// More than are in use at the same time: a victim's, a recoverer's, those of who comes after them.
const LANES: u32 = 6;

/// See the module.
pub struct Site<'s> {
    subject: &'s Subject,
    scenario: &'s Scenario,
    judge: Judge<'s>,
    temporary: Temporary,
    /// Somebody who is there all along, so that an opener is not alone and recovers nothing before somebody waits.
    bystander: Option<Child>,
    attended: bool,
    /// For a recovery: what the victim does, and after how many instructions it is killed.
    victim: (Trace, usize),
}

impl<'s> Site<'s> {
    /// A new region in the state before the operation. `attended`: with a bystander.
    pub fn new(subject: &'s Subject, scenario: &'s Scenario, attended: bool) -> Result<Site<'s>, Failure> {
        let (judge, temporary) = (Judge::new(scenario), Temporary::new());
        let mut site =
            Site { subject, scenario, judge, temporary, bystander: None, attended, victim: Default::default() };
        if matches!(subject, Subject::Creation) {
            return Ok(site);
        }
        site.create()?;
        let path = site.path();
        if matches!(subject, Subject::Recovery { .. }) {
            site.use_lanes()?;
        }
        let memory = in_a_child(|| {
            let mut judge = Judge::new(scenario);
            let region = judge.say("open", temporary::open(&path))?;
            judge.learn(&region, || perform_unharmed(scenario, &path))?;
            judge.reset(&region)?;
            Ok(encode(&judge.memory))
        })?;
        site.judge.memory = decode(&memory)?;
        site.let_bystander_in()?;
        if let Subject::Recovery { quarter, .. } = subject {
            let trace = site.record_operation()?;
            let visible = trace.candidates(false);
            let last = *visible.last().ok_or("nobody can see the victim")?;
            let after = *visible.get(visible.len() * usize::from(*quarter) / 4).unwrap_or(&last);
            site.victim = (trace, after);
        }
        Ok(site)
    }

    pub fn path(&self) -> PathBuf {
        self.temporary.region()
    }

    fn create(&mut self) -> Result<(), Failure> {
        self.bystander = None;
        let path = self.path();
        let _ = std::fs::remove_file(&path);
        in_a_child(|| {
            let region = self.judge.say("create", quiet().capacity(self.scenario.capacity).create(&path))?;
            self.judge.reset(&region)?;
            Ok(String::new())
        })
        .map(drop)
    }

    /// A lane keeps the log of a second guard for the next one. Who comes after the dead has another lane than they had; so
    /// several lanes are used before memory is counted.
    fn use_lanes(&self) -> Result<(), Failure> {
        let (judge, path) = (&self.judge, self.path());
        let start = |_| {
            let mut child = Child::start(|parent| {
                let region = judge.say("open", temporary::open(&path))?;
                judge.settle(&region)?;
                parent.tell("here");
                parent.listen();
                Ok(String::new())
            });
            child.hear().map(|_| child)
        };
        let children = (0..LANES).map(start).collect::<Result<Vec<Child>, Failure>>()?;
        children.into_iter().try_for_each(|mut child| {
            child.send();
            child.outcome().map(drop)
        })
    }

    fn let_bystander_in(&mut self) -> Result<(), Failure> {
        if self.attended && self.bystander.is_none() {
            let path = self.path();
            let mut child = Child::start(|parent| {
                let region = temporary::open(&path).map_err(|error| error.to_string())?;
                parent.tell("here");
                parent.listen();
                drop(region);
                Ok(String::new())
            });
            child.hear()?;
            self.bystander = Some(child);
        }
        Ok(())
    }

    /// Makes the region ready for the next death.
    fn renew(&mut self) -> Result<(), Failure> {
        match self.subject {
            Subject::Creation => drop(std::fs::remove_file(self.path())),
            _ if self.scenario.fresh => {
                self.create()?;
                self.let_bystander_in()?;
            }
            _ => {}
        }
        if matches!(self.subject, Subject::Recovery { .. }) {
            let (mut victim, waiter) = self.operation()?;
            self.victim.0.follow(&mut victim, self.victim.1);
            victim.kill();
            waiter.map_or(Ok(String::new()), Child::outcome)?;
        }
        Ok(())
    }

    /// A child that stands at the beginning of the operation, and who waits for it.
    fn operation(&self) -> Result<(Tracee, Option<Child>), Failure> {
        let (path, scenario) = (self.path(), self.scenario);
        let mut tracee = Tracee::start(|| {
            let done = (scenario.child)(&path, &Breakpoints).map_err(|error| format!("{}: {error}", scenario.name));
            Breakpoints.end();
            done.map(|()| String::new())
        });
        let mut waiter = None;
        loop {
            match tracee.run() {
                Event::Begin => return Ok((tracee, waiter)),
                Event::Held => {
                    waiter = Some(Child::start(|_| {
                        let region = temporary::open(&path).map_err(|error| error.to_string())?;
                        scenario.case.touch(&region).map_err(|error| format!("a waiter: {error}"))?;
                        Ok(String::new())
                    }));
                }
                other => return Err(format!("{}: {other:?} before it began", scenario.name)),
            }
        }
    }

    /// A child that stands at the beginning of what is to be killed.
    fn begin(&self) -> Result<(Tracee, Option<Child>), Failure> {
        let (path, scenario) = (self.path(), self.scenario);
        let body: Box<dyn FnOnce() -> commy::Result<()>> = match self.subject {
            Subject::Operation { .. } => return self.operation(),
            Subject::Recovery { way: Way::Waiter, .. } => Box::new(move || {
                let region = temporary::open(&path)?;
                Breakpoints.begin();
                recover(scenario, &region)
            }),
            Subject::Recovery { way: Way::Opener, .. } => Box::new(move || {
                Breakpoints.begin();
                recover(scenario, &temporary::open(&path)?)
            }),
            Subject::Creation => Box::new(move || {
                Breakpoints.begin();
                let region = quiet().create(&path)?;
                region.object::<SharedVec<String>>("object")?.push("content")
            }),
        };
        let mut tracee = Tracee::start(|| {
            let done = body().map_err(|error| error.to_string());
            Breakpoints.end();
            done.map(|()| String::new())
        });
        match tracee.run() {
            Event::Begin => Ok((tracee, None)),
            other => Err(format!("{}: {other:?} before it began", self.subject.name())),
        }
    }

    /// The instructions of what is to be killed.
    pub fn record(&mut self) -> Result<Trace, Failure> {
        self.renew()?;
        let (tracee, waiter) = self.begin()?;
        let trace = self.trace(tracee, waiter)?;
        self.verify()?;
        Ok(trace)
    }

    fn record_operation(&mut self) -> Result<Trace, Failure> {
        let (tracee, waiter) = self.operation()?;
        let trace = self.trace(tracee, waiter)?;
        let (judge, path) = (&self.judge, self.path());
        in_a_child(|| {
            let region = judge.say("open", temporary::open(&path))?;
            judge.settle(&region).map(|()| String::new())
        })?;
        Ok(trace)
    }

    fn trace(&self, mut tracee: Tracee, waiter: Option<Child>) -> Result<Trace, Failure> {
        let mut looker = Looker::new(self.temporary.directory());
        let mut trace = Trace::default();
        let mut alive = true;
        while alive {
            match looker.look(tracee.pid(), tracee.thread()) {
                (_, Next::End) => break,
                (address, next) => trace.push(address, next == Next::Visible),
            }
            if trace.len() > ENDLESS {
                return Err(format!("{}: still at work after {ENDLESS} instructions", self.subject.name()));
            }
            alive = tracee.step();
        }
        let mut event = if alive { tracee.run() } else { tracee.wait() };
        while event == Event::End {
            event = tracee.run();
        }
        if event != Event::Gone(0) {
            return Err(format!("{}: unharmed it ended as {event:?}", self.subject.name()));
        }
        waiter.map_or(Ok(String::new()), Child::outcome)?;
        Ok(trace)
    }

    /// Kills it after `instructions`, and lets survivors look. Did it take the recorded way, and how long did they wait?
    pub fn kill(&mut self, trace: &Trace, instructions: usize) -> Result<(bool, Duration), Failure> {
        self.renew()?;
        let (mut tracee, waiter) = self.begin()?;
        let as_recorded = trace.follow(&mut tracee, instructions);
        tracee.kill();
        waiter.map_or(Ok(String::new()), Child::outcome)?;
        Ok((as_recorded, self.verify()?))
    }

    /// A fresh process opens the region, goes on, and finds all as it must be.
    fn verify(&mut self) -> Result<Duration, Failure> {
        let path = self.path();
        match self.subject {
            Subject::Creation => return verify_creation(self.temporary.directory(), &path),
            Subject::Recovery { way: Way::Waiter, .. } => return self.verify_with_marks(),
            _ => {}
        }
        self.judge.reap_first = !self.judge.reap_first;
        let judge = &mut self.judge;
        let answer = in_a_child(|| {
            let region = judge.say("open", temporary::open(&path))?;
            let waited = judge.verify(&region, &path)?;
            Ok(format!("{} {}", waited.as_nanos(), encode(&judge.memory)))
        })?;
        let (waited, memory) = answer.split_once(' ').ok_or("a malformed answer")?;
        self.judge.memory = decode(memory)?;
        Ok(Duration::from_nanos(waited.parse().map_err(|_| "a malformed answer")?))
    }

    /// After the death of a recoverer somebody writes to what is free already; then the next one comes.
    fn verify_with_marks(&self) -> Result<Duration, Failure> {
        let (judge, path) = (&self.judge, self.path());
        let marked = in_a_child(|| {
            let region = judge.say("open", open_impatient(&path))?;
            let marked = judge.mark_what_is_free(&region)?;
            Ok(marked.iter().map(|free| if *free { '1' } else { '0' }).collect())
        })?;
        let marked: Vec<bool> = marked.chars().map(|digit| digit == '1').collect();
        let waited = in_a_child(|| {
            let region = judge.say("open", temporary::open(&path))?;
            Ok(judge.mark_and_verify(&region, &marked)?.as_nanos().to_string())
        })?;
        Ok(Duration::from_nanos(waited.parse().map_err(|_| "a malformed answer")?))
    }

    /// Keeps the region of a failure.
    pub fn keep(&self, directory: &Path, name: &str) -> PathBuf {
        let kept = directory.join(name.replace(|c: char| !c.is_alphanumeric(), "-"));
        let _ = std::fs::create_dir_all(directory);
        let _ = std::fs::copy(self.path(), &kept);
        kept
    }
}

/// What a recoverer does: it wants the locks of the dead, then reaps.
fn recover(scenario: &Scenario, region: &Region) -> commy::Result<()> {
    scenario.case.touch(region)?;
    let report = region.check()?;
    Breakpoints.end();
    assert!(report.is_clean(), "{report}");
    Ok(())
}

/// An untraced child does the operation.
fn perform_unharmed(scenario: &Scenario, path: &Path) -> Result<(), Failure> {
    struct Alone(Option<PathBuf>);
    impl Watch for Alone {
        fn begin(&self) {}
        fn end(&self) {}
        // Another thread of the child waits, since nobody else does.
        fn held(&self) {
            let path = self.0.clone().expect("a path");
            std::thread::spawn(move || {
                let region = quiet().own_attachment().open(path).expect("a region");
                let vector: SharedVec<u64> = region.object("object").expect("the vector");
                drop(vector.write());
            });
        }
    }
    let watch = Alone(Some(path.into()));
    in_a_child(|| (scenario.child)(path, &watch).map(|()| String::new()).map_err(|error| error.to_string())).map(drop)
}

/// A whole region or none at all, and nothing else.
fn verify_creation(directory: &Path, path: &Path) -> Result<Duration, Failure> {
    let names: BTreeSet<String> = std::fs::read_dir(directory)
        .map_err(|error| error.to_string())?
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    let extra: Vec<&String> = names.iter().filter(|name| *name != "region").collect();
    if !extra.is_empty() {
        return Err(format!("a killed creator leaves {extra:?}"));
    }
    in_a_child(|| {
        let say = |error: Error| error.to_string();
        if !names.contains("region") && !matches!(temporary::open(path), Err(Error::NotFound)) {
            return Err("something opens that has no name".into());
        }
        let region = quiet().open_or_create(path).map_err(say)?;
        let vector: SharedVec<String> = region.object("object").map_err(say)?;
        let content = vector.to_vec().map_err(say)?;
        if !content.is_empty() && content != ["content"] {
            return Err(format!("a half-made content: {content:?}"));
        }
        vector.push("more").map_err(say)?;
        let report = region.check().map_err(say)?;
        if report.is_clean() { Ok(String::new()) } else { Err(format!("check: {report:#?}")) }
    })?;
    Ok(Duration::ZERO)
}

fn encode(memory: &[Option<u64>]) -> String {
    memory.iter().map(|bytes| bytes.map_or("-".into(), |bytes| bytes.to_string())).collect::<Vec<_>>().join(" ")
}

fn decode(text: &str) -> Result<Vec<Option<u64>>, Failure> {
    let one = |word: &str| match word {
        "-" => Ok(None),
        number => number.parse().map(Some).map_err(|_| format!("a malformed answer: {text}")),
    };
    text.split(' ').map(one).collect()
}
