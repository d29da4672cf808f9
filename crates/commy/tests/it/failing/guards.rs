//! Calls under a write guard. One that fails changes nothing, and the guard can be used; or its documentation says that the
//! guard is rolled back then, and so it is. In four settings: in a new guard, in one that has changed and logged much
//! already, in a transaction that fails with the call, and in one that goes on.

use super::{Attempt, ENDLESS, answer, in_use, refused, same};
use crate::seeded::sampled;
use crate::support::killer::Failure;
use crate::support::temporary::{Temporary, quiet};
use crate::support::world::World;
use commy::{Container, Error, Region, Result, SharedVec};

/// A container as its write guard shows it.
pub trait Guarded: World + Container {
    fn lock(&self) -> Result<Self::WriteGuard<'_>>;
    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<Self::Twin>;
    /// Changes this and that, so that much of the content is in the log, and some of it is new.
    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()>;
    fn stir_twin(twin: &mut Self::Twin);
    /// One more change.
    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()>;
    fn add_twin(twin: &mut Self::Twin);
}

/// What is done under a guard.
pub type Act<W> = for<'a> fn(&mut <W as Container>::WriteGuard<'a>) -> Result<()>;

/// A call, and the containers that it is tried on.
pub struct Call {
    name: String,
    attempt: Attempt<u64>,
}

/// A call that changes nothing when it fails.
pub fn call<W: Guarded>(name: impl Into<String>, before: W::Twin, twin: fn(&mut W::Twin), act: Act<W>) -> Call {
    try_calls(name, before, (0, 1), twin, act, false)
}

/// A call that has its guard rolled back when it fails half-way.
pub fn dooming<W: Guarded>(name: impl Into<String>, before: W::Twin, twin: fn(&mut W::Twin), act: Act<W>) -> Call {
    try_calls(name, before, (0, 1), twin, act, true)
}

fn try_calls<W: Guarded>(
    name: impl Into<String>,
    before: W::Twin,
    times: (u64, u64),
    twin: fn(&mut W::Twin),
    act: Act<W>,
    may_doom: bool,
) -> Call {
    let attempt = move |region: &Region| {
        let trial = told(Trial::<W>::new(region, before.clone(), (times, twin, act), may_doom))?;
        let mut refusals = 0;
        for stirred in [false, true] {
            for sequel in [Sequel::Again, Sequel::Another, Sequel::Fails, Sequel::GoesOn] {
                refusals +=
                    trial.run(stirred, sequel).map_err(|failure| format!("{sequel:?}, {stirred}: {failure}"))?;
            }
        }
        Ok(refusals)
    };
    Call { name: name.into(), attempt: Box::new(attempt) }
}

/// A call made so many times, and then so many times more, of which one fails.
pub fn repeated<W: Guarded>(
    name: impl Into<String>,
    before: W::Twin,
    times: (u64, u64),
    twin: fn(&mut W::Twin),
    act: Act<W>,
) -> Call {
    try_calls(name, before, times, twin, act, false)
}

/// What comes after a call that has failed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sequel {
    /// The same call in the same guard, this time with memory.
    Again,
    /// Another call in the same guard.
    Another,
    /// A transaction that fails, too.
    Fails,
    /// A transaction that pays no attention.
    GoesOn,
}

/// How often which call is made.
type Calls<W> = ((u64, u64), fn(&mut <W as World>::Twin), Act<W>);

struct Trial<W: Guarded> {
    region: Region,
    object: W,
    beside: SharedVec<u64>,
    before: W::Twin,
    stirred: W::Twin,
    times: (u64, u64),
    twin: fn(&mut W::Twin),
    act: Act<W>,
    may_doom: bool,
}

fn told<T>(result: Result<T>) -> std::result::Result<T, Failure> {
    result.map_err(|error| error.to_string())
}

impl<W: Guarded> Trial<W> {
    fn new(region: &Region, before: W::Twin, calls: Calls<W>, may_doom: bool) -> Result<Trial<W>> {
        let object = W::open(region, "object")?;
        let mut stirred = before.clone();
        W::stir_twin(&mut stirred);
        let beside = region.object("beside")?;
        let (times, twin, act) = calls;
        Ok(Trial { region: region.clone(), object, beside, before, stirred, times, twin, act, may_doom })
    }

    /// The calls until one fails; how many have not, whether one was refused memory, and the error.
    fn perform(&self, nth: u64, guard: &mut W::WriteGuard<'_>) -> (u64, bool, Result<()>) {
        let (lead, times) = self.times;
        let mut done = 0;
        let mut perform = |times| (0..times).try_for_each(|_| (self.act)(guard).inspect(|()| done += 1));
        if let Err(error) = perform(lead) {
            return (0, false, Err(error));
        }
        let (was_refused, result) = refused(nth, || answer(|| perform(times)));
        (done, was_refused, result)
    }

    fn change(&self, twin: &mut W::Twin, times: u64) {
        (0..times).for_each(|_| (self.twin)(twin));
    }

    fn reset(&self) -> std::result::Result<u64, Failure> {
        told(self.object.fill(&self.before))?;
        told(self.beside.clear())?;
        in_use(&self.region)
    }

    fn content(&self, wanted: &W::Twin, what: &str) -> std::result::Result<(), Failure> {
        same(&told(self.object.look())?, wanted, what)?;
        in_use(&self.region).map(drop)
    }

    /// How often the call was refused memory.
    fn run(&self, stirred: bool, sequel: Sequel) -> std::result::Result<u64, Failure> {
        // What an object takes once and keeps is taken now.
        self.reset()?;
        let memory = self.reset()?;
        // The first ones differ; later on they are much the same.
        for nth in (1..9).chain(sampled(&format!("{sequel:?} {stirred}"), 9..ENDLESS)) {
            let end = match sequel {
                Sequel::Again | Sequel::Another => self.in_guard(nth, stirred, sequel == Sequel::Again),
                Sequel::Fails | Sequel::GoesOn => self.in_transaction(nth, stirred, sequel == Sequel::GoesOn),
            };
            let was_refused = end.map_err(|failure| format!("refusal {nth}: {failure}"))?;
            same(&self.reset()?, &memory, &format!("refusal {nth}: bytes in use"))?;
            if !was_refused {
                return Ok(nth - 1);
            }
        }
        Err("it never ends".into())
    }

    /// The call in a guard; was it refused memory?
    fn in_guard(&self, nth: u64, stirred: bool, again: bool) -> std::result::Result<bool, Failure> {
        let mut twin = if stirred { self.stirred.clone() } else { self.before.clone() };
        let mut guard = told(self.object.lock())?;
        if stirred {
            told(W::stir(&mut guard))?;
        }
        let (done, was_refused, result) = self.perform(nth, &mut guard);
        self.change(&mut twin, done);
        match result {
            Ok(()) => {}
            Err(Error::OutOfSpace { .. }) if was_refused => {
                let seen = W::look_into(&guard);
                // Another call tells whether the guard lives.
                let added = W::add(&mut guard);
                if self.may_doom && matches!(added, Err(Error::RolledBack)) {
                    drop(guard);
                    self.content(&self.before, "after a guard that is rolled back")?;
                    return Ok(true);
                } else {
                    told(added)?;
                    same(&told(seen)?, &twin, "in the guard after the failure")?;
                    W::add_twin(&mut twin);
                    same(&told(W::look_into(&guard))?, &twin, "in the guard after another call")?;
                    if again {
                        told((self.act)(&mut guard))?;
                        self.change(&mut twin, 1);
                    }
                }
            }
            Err(error) => return Err(format!("an error of another kind: {error}")),
        }
        same(&told(W::look_into(&guard))?, &twin, "in the guard")?;
        drop(guard);
        self.content(&twin, "after the guard")?;
        Ok(was_refused)
    }

    /// The call in a transaction, which passes its error on unless it goes on.
    fn in_transaction(&self, nth: u64, stirred: bool, goes_on: bool) -> std::result::Result<bool, Failure> {
        let (mut done, mut was_refused, mut failed) = (0, false, false);
        let result = self.region.transaction(|tx| {
            let mut beside = tx.write(&self.beside)?;
            beside.push(1)?;
            let mut guard = tx.write(&self.object)?;
            if stirred {
                W::stir(&mut guard)?;
            }
            let result;
            (done, was_refused, result) = self.perform(nth, &mut guard);
            failed = result.is_err();
            if goes_on { Ok(()) } else { result }
        });
        let mut twin = if stirred { self.stirred.clone() } else { self.before.clone() };
        let committed = match result {
            Ok(()) if failed && !goes_on => return Err("an error was lost".into()),
            Ok(()) => true,
            Err(Error::RolledBack) if goes_on && self.may_doom && failed => false,
            Err(Error::OutOfSpace { .. }) if !goes_on && was_refused && failed => false,
            Err(error) => return Err(format!("an error of another kind: {error}")),
        };
        self.change(&mut twin, done);
        self.content(if committed { &twin } else { &self.before }, "after the transaction")?;
        same(&told(self.beside.to_vec())?, &vec![1; usize::from(committed)], "beside it")?;
        Ok(was_refused)
    }
}

/// Tries all calls, of which some need memory; all failures are told.
pub fn try_all(calls: Vec<Call>) {
    assert!(try_few(calls) > 0);
}

/// As `try_all`; how often one was refused memory.
pub fn try_few(calls: Vec<Call>) -> u64 {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).expect("a region");
    let (mut refusals, mut failures) = (0, Vec::new());
    for call in &calls {
        // Each in objects of its own.
        for name in ["object", "beside"] {
            let _ = region.remove_object(name);
        }
        match (call.attempt)(&region) {
            Ok(count) => refusals += count,
            Err(failure) => failures.push(format!("{}: {failure:.600}", call.name)),
        }
    }
    println!("{refusals} refusals in {} calls", calls.len());
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), calls.len(), failures.join("\n"));
    refusals
}
