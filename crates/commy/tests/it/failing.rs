//! An operation that fails leaves everything as it was.
//!
//! Each operation is refused the first piece of memory that it asks for, then the second, and so on until it gets all that
//! it wants; a piece is a block, a page run, or room in the log. After each refusal the content is that of the std twin
//! before the call, `check()` is clean, and as many bytes are in use as before.

mod calls;
mod guard_calls;
mod guarded;
mod guards;
mod mistakes;
mod ordered_guard_calls;

use crate::support::catalogue;
use crate::support::killer::Failure;
use crate::support::scenario::Scenario;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, crash};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// More pieces than any operation here asks for.
const ENDLESS: u64 = 20_000;

/// What is tried in a region, and what is wrong, if anything is.
type Attempt<T> = Box<dyn Fn(&Region) -> Result<T, Failure>>;

/// Memory in use in a region that is as it should be.
fn in_use(region: &Region) -> Result<u64, Failure> {
    let report = region.check().map_err(|error| format!("check: {error}"))?;
    if !report.is_clean() {
        return Err(format!("check: {report:#?}"));
    }
    region.stats().map(|stats| stats.allocated).map_err(|error| format!("stats: {error}"))
}

/// Is it what the twin says?
fn same<T: PartialEq + std::fmt::Debug>(seen: &T, wanted: &T, what: &str) -> Result<(), Failure> {
    if seen == wanted { Ok(()) } else { Err(format!("{what}: {seen:?} instead of {wanted:?}")) }
}

/// An answer of an operation; a call that cannot tell of an error panics.
fn answer(operate: impl FnOnce() -> commy::Result<()>) -> commy::Result<()> {
    catch_unwind(AssertUnwindSafe(operate)).unwrap_or_else(|panic| match panic.downcast::<String>() {
        Ok(text) if text.starts_with("no room for") => Err(Error::OutOfSpace { requested: 0, capacity: 0 }),
        Ok(text) => resume_unwind(text),
        Err(panic) => resume_unwind(panic),
    })
}

/// Runs `operate` while the `nth` piece of memory is refused. Was it, and what is the answer?
fn refused<R>(nth: u64, operate: impl FnOnce() -> R) -> (bool, R) {
    crash::refuse_memory(nth);
    let result = operate();
    (crash::memory_was_refused(), result)
}

/// Does a scenario consist of several calls, so that those before the one that fails have happened?
fn has_many_calls(scenario: &Scenario) -> bool {
    let several = [
        "guard",
        ": entries",
        "a log of",
        ": popped slots",
        ": inner nodes",
        "inner one",
        "in place",
        " with a merge",
        "rolled back",
        "room taken",
        "shrink_to_fit of",
    ];
    scenario.case.last() > 1 || several.iter().any(|part| scenario.name.contains(part))
}

/// How often an operation was refused memory.
fn fail_everywhere(scenario: &Scenario) -> Result<u64, Failure> {
    let temporary = Temporary::new();
    let region = quiet().capacity(scenario.capacity).create(temporary.region()).map_err(|error| error.to_string())?;
    let case = &scenario.case;
    let say = |what: &str, result: commy::Result<()>| result.map_err(|error| format!("{what}: {error}"));
    // What a directory or a lane takes once and keeps is taken now.
    for _ in 0..2 {
        say("reset", case.reset(&region))?;
        say("operate", case.operate(&region))?;
    }
    say("reset", case.reset(&region))?;
    let before = in_use(&region)?;
    for nth in 1..ENDLESS {
        let (was_refused, result) = refused(nth, || answer(|| case.operate(&region)));
        let at = |failure: Failure| format!("refusal {nth}: {failure}");
        match (was_refused, result) {
            (_, Ok(())) => {
                let stage = case.stage(&region, false).map_err(|error| at(error.to_string()))?.map_err(at)?;
                same(&stage, &case.last(), "state").map_err(at)?;
            }
            (true, Err(Error::OutOfSpace { .. })) if has_many_calls(scenario) => drop(in_use(&region).map_err(at)?),
            (true, Err(Error::OutOfSpace { .. })) => {
                let stage = case.stage(&region, false).map_err(|error| at(error.to_string()))?.map_err(at)?;
                same(&stage, &0, "state").map_err(at)?;
                // A vector that has grown under a guard stays as large.
                let grows = scenario.name.starts_with("SharedVec<") && scenario.name.ends_with(": insert");
                if !grows && scenario.name != "further: resize to more" {
                    same(&in_use(&region).map_err(at)?, &before, "bytes in use").map_err(at)?;
                }
            }
            (_, Err(error)) => return Err(at(format!("an error of another kind: {error}"))),
        }
        if !was_refused {
            return Ok(nth - 1);
        }
        say("reset", case.reset(&region)).map_err(at)?;
        same(&in_use(&region).map_err(at)?, &before, "bytes in use again").map_err(at)?;
    }
    Err("it never ends".into())
}

/// As `fail_everywhere`, for several; all failures are told.
fn fail_all(scenarios: &[Scenario]) {
    let (mut refusals, mut failures) = (0, Vec::new());
    // Some see to it themselves that there is no room.
    for scenario in scenarios.iter().filter(|scenario| !scenario.name.contains("no room")) {
        match fail_everywhere(scenario) {
            Ok(count) => refusals += count,
            Err(failure) => failures.push(format!("{}: {failure}", scenario.name)),
        }
    }
    println!("{refusals} refusals in {} operations", scenarios.len());
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), scenarios.len(), failures.join("\n"));
    assert!(refusals > 0, "only {refusals} refusals");
}

#[test]
fn vectors_and_queues_without_memory_are_as_before() {
    fail_all(&catalogue::vectors());
    fail_all(&catalogue::deques());
}

#[test]
fn boxes_texts_and_counters_without_memory_are_as_before() {
    fail_all(&catalogue::boxes());
    fail_all(&catalogue::strings());
    fail_all(&catalogue::counters());
}

#[test]
fn tables_without_memory_are_as_before() {
    fail_all(&catalogue::maps());
    fail_all(&catalogue::sets());
}

#[test]
fn trees_without_memory_are_as_before() {
    fail_all(&catalogue::trees());
}

#[test]
fn nested_values_without_memory_leave_everything_as_before() {
    fail_all(&catalogue::nested());
}

#[test]
fn transactions_without_memory_are_as_before() {
    fail_all(&catalogue::transactions());
    fail_all(&catalogue::guards());
}

#[test]
fn objects_without_memory_are_as_before() {
    fail_all(&catalogue::objects());
}

#[test]
fn further_calls_without_memory_are_as_before() {
    fail_all(&catalogue::further());
    fail_all(&calls::all());
}
