//! An operation to be killed in: the state before it, the states it may leave, and how a child performs it.

use super::temporary::{self, QUICK};
use super::world::{Mark, World};
use commy::{Error, Region, Result};
use std::fmt::Debug;
use std::path::Path;

/// Told, in the process that performs an operation, which part of it is to be killed in.
pub trait Watch: Sync {
    /// The operation begins, in this thread.
    fn begin(&self);
    /// It has come to its end.
    fn end(&self);
    /// This process has the lock that somebody is to wait for.
    fn held(&self);
}

/// What a child does.
pub type Body = Box<dyn Fn(&Path, &dyn Watch) -> Result<()> + Send + Sync>;

/// See the module.
pub struct Scenario {
    pub name: String,
    /// Needs a region that has not seen the operation before.
    pub fresh: bool,
    /// Of the region, in bytes.
    pub capacity: u64,
    /// A survivor waits for the objects while the child has them.
    pub contended: bool,
    /// What it is about ends with the process that filled the objects, so that one must stay.
    pub filler_stays: bool,
    pub child: Body,
    pub case: Box<dyn Case>,
}

/// The erased world of a scenario.
pub trait Case: Send + Sync {
    /// Brings everything back to the state before the operation.
    fn reset(&self, region: &Region) -> Result<()>;
    /// The whole operation.
    fn operate(&self, region: &Region) -> Result<()>;
    /// Takes every lock once.
    fn touch(&self, region: &Region) -> Result<()>;
    /// A survivor's write to every object; to those only that are not in `marked`. Whoever waits for no lock leaves out
    /// what it cannot have at once. Returns which objects have their mark.
    fn mark(&self, region: &Region, marked: &[bool]) -> Result<Vec<bool>>;
    /// Which of the allowed states is it, 0 = before? Or what else.
    fn stage(&self, region: &Region, marked: bool) -> Result<std::result::Result<usize, String>>;
    /// The number of the last state.
    fn last(&self) -> usize;
}

type Operation<W> = fn(&W, &Region) -> Result<()>;

struct WorldCase<W: World> {
    stages: Vec<W::Twin>,
    operate: Operation<W>,
}

const NAME: &str = "object";

impl<W: World> Case for WorldCase<W> {
    fn reset(&self, region: &Region) -> Result<()> {
        W::open(region, NAME)?.fill(&self.stages[0])
    }

    fn operate(&self, region: &Region) -> Result<()> {
        (self.operate)(&W::open(region, NAME)?, region)
    }

    fn touch(&self, region: &Region) -> Result<()> {
        W::open(region, NAME)?.touch()
    }

    fn mark(&self, region: &Region, marked: &[bool]) -> Result<Vec<bool>> {
        let world = match W::open(region, NAME) {
            Err(Error::Timeout { .. }) => return Ok(Vec::new()),
            other => other?,
        };
        let mark = |(number, mark): (usize, Mark)| {
            if marked.get(number) == Some(&true) {
                return Ok(true);
            }
            match mark() {
                Err(Error::Timeout { waited, .. }) if waited < QUICK => Ok(false),
                other => other.map(|()| true),
            }
        };
        world.marks().into_iter().enumerate().map(mark).collect()
    }

    fn stage(&self, region: &Region, marked: bool) -> Result<std::result::Result<usize, String>> {
        let seen = W::open(region, NAME)?.look()?;
        let mut stages = self.stages.clone();
        if marked {
            stages.iter_mut().for_each(W::mark_twin);
        }
        let found = stages.iter().position(|stage| *stage == seen);
        Ok(found.ok_or_else(|| format!("{} instead of one of {}", short(&seen), short(&stages))))
    }

    fn last(&self) -> usize {
        self.stages.len() - 1
    }
}

fn short(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(2000) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// An operation on the objects of `W`, and what it does to their twin.
pub fn scenario<W: World>(
    name: impl Into<String>,
    before: W::Twin,
    twin: fn(&mut W::Twin),
    operate: Operation<W>,
) -> Scenario {
    steps(name, before, &[twin], operate)
}

/// An operation that may also be seen between its steps.
pub fn steps<W: World>(
    name: impl Into<String>,
    before: W::Twin,
    twins: &[fn(&mut W::Twin)],
    operate: Operation<W>,
) -> Scenario {
    let mut stages = vec![before];
    for twin in twins {
        let mut next = stages[stages.len() - 1].clone();
        twin(&mut next);
        stages.push(next);
    }
    let child = move |path: &Path, watch: &dyn Watch| {
        let region = temporary::open(path)?;
        let world = W::open(&region, NAME)?;
        // So the thread has its lane, as at all operations but its first: with it, the short way is open to the next one.
        // (The scenarios of threads are about first operations.)
        world.touch()?;
        watch.begin();
        operate(&world, &region)?;
        watch.end();
        Ok(())
    };
    let case = WorldCase { stages, operate };
    let (child, case) = (Box::new(child), Box::new(case));
    Scenario { name: name.into(), fresh: false, capacity: 64 << 20, contended: false, filler_stays: false, child, case }
}

/// An operation that changes nothing that others can see.
pub fn silent<W: World>(name: impl Into<String>, content: W::Twin, operate: Operation<W>) -> Scenario {
    steps(name, content, &[], operate)
}

impl Scenario {
    /// In a new region for each kill.
    pub fn in_fresh_regions(mut self) -> Scenario {
        self.fresh = true;
        self
    }

    /// In regions that hold no more than that.
    pub fn with_capacity(mut self, bytes: u64) -> Scenario {
        self.capacity = bytes;
        self
    }

    /// With another way for the child to do it.
    pub fn done_by(mut self, child: impl Fn(&Path, &dyn Watch) -> Result<()> + Send + Sync + 'static) -> Scenario {
        self.child = Box::new(child);
        self
    }

    /// While the process that has filled the objects is there.
    pub fn beside_its_filler(mut self) -> Scenario {
        self.filler_stays = true;
        self
    }

    /// While a survivor waits for the lock; the child must say when it has it, and begin once somebody waits.
    pub fn with_a_waiter(mut self) -> Scenario {
        self.contended = true;
        self
    }
}
