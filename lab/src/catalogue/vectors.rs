//! Operations on `SharedVec`.

use crate::scenario::{Scenario, scenario, silent};
use crate::world::{Record, Sample, Wide, samples};
use commy::{Error, Region, Result, SharedVec, Store, Value};

pub fn vectors() -> Vec<Scenario> {
    let mut scenarios = vectors_of::<u64>("u64");
    scenarios.extend(vectors_of::<Record>("Record"));
    scenarios.extend(vectors_of::<String>("String"));
    scenarios.extend(vectors_of::<Option<String>>("Option<String>"));
    scenarios.extend(long_vectors());
    scenarios
}

fn vectors_of<T: Value + Store<T> + Sample>(kind: &str) -> Vec<Scenario> {
    let name = |operation: &str| format!("SharedVec<{kind}>: {operation}");
    // Three leave room for a fourth; eight fill their block.
    let (few, full) = (|| samples::<T>(3), || samples::<T>(8));
    type Vector<T> = SharedVec<T>;
    vec![
        scenario::<Vector<T>>(
            name("push into an empty one"),
            vec![],
            |v| v.push(T::sample(1)),
            |v, _| v.push(T::sample(1)),
        ),
        scenario::<Vector<T>>(name("push"), few(), |v| v.push(T::sample(31)), |v, _| v.push(T::sample(31))),
        scenario::<Vector<T>>(
            name("push with growth"),
            full(),
            |v| v.push(T::sample(31)),
            |v, _| v.push(T::sample(31)),
        ),
        scenario::<Vector<T>>(name("pop"), samples(2), |v| drop(v.pop()), |v, _| v.pop().map(drop)),
        scenario::<Vector<T>>(name("set"), few(), |v| v[1] = T::sample(35), |v, _| v.set(1, T::sample(35)).map(drop)),
        scenario::<Vector<T>>(
            name("insert"),
            full(),
            |v| v.insert(2, T::sample(31)),
            |v, _| v.write()?.insert(2, T::sample(31)),
        ),
        scenario::<Vector<T>>(name("remove"), full(), |v| drop(v.remove(1)), |v, _| v.write()?.remove(1).map(drop)),
        scenario::<Vector<T>>(
            name("swap_remove"),
            full(),
            |v| drop(v.swap_remove(1)),
            |v, _| v.write()?.swap_remove(1).map(drop),
        ),
        scenario::<Vector<T>>(name("truncate"), full(), |v| v.truncate(3), |v, _| v.truncate(3)),
        scenario::<Vector<T>>(name("clear"), full(), Vec::clear, |v, _| v.clear()),
        scenario::<Vector<T>>(name("extend"), few(), |v| v.extend(samples(7)), |v, _| v.extend(samples::<T>(7))),
        scenario::<Vector<T>>(
            name("retain"),
            full(),
            |v| v.retain(alternating()),
            |v, _| {
                let mut keep = alternating();
                v.write()?.retain(|_| keep(&()))
            },
        ),
        scenario::<Vector<T>>(name("guard of many calls"), few(), many_twin, many),
        silent::<Vector<T>>(name("guard rolled back"), few(), |v, _| {
            let mut guard = v.write()?;
            guard.push(T::sample(41))?;
            guard.set(0, T::sample(43))?;
            guard.remove(1)?;
            guard.extend(samples::<T>(5))?;
            guard.rollback();
            Ok(())
        }),
    ]
}

/// Says yes and no in turn.
fn alternating<A>() -> impl FnMut(&A) -> bool {
    let mut last = false;
    move |_| {
        last = !last;
        last
    }
}

/// Slots that were live are let go and filled again, blocks are moved twice.
fn many<T: Value + Store<T> + Sample>(vector: &SharedVec<T>, _: &Region) -> Result<()> {
    let mut guard = vector.write()?;
    guard.pop()?;
    guard.push(T::sample(51))?;
    guard.set(0, T::sample(53))?;
    guard.extend(samples::<T>(3))?;
    guard.remove(1)?;
    guard.insert(2, T::sample(55))?;
    guard.push(T::sample(57))?;
    guard.truncate(6)?;
    guard.set(0, T::sample(59)).map(drop)
}

fn many_twin<T: Sample>(vector: &mut Vec<T>) {
    vector.pop();
    vector.push(T::sample(51));
    vector[0] = T::sample(53);
    vector.extend(samples(3));
    vector.remove(1);
    vector.insert(2, T::sample(55));
    vector.push(T::sample(57));
    vector.truncate(6);
    vector[0] = T::sample(59);
}

/// Vectors whose bodies are page runs, are moved instead of logged, or whose logs spill.
fn long_vectors() -> Vec<Scenario> {
    type Numbers = SharedVec<u64>;
    vec![
        scenario::<Numbers>(
            "long SharedVec: push with growth of a page run",
            samples(4608),
            |v| v.push(1),
            |v, _| v.push(1),
        ),
        scenario::<Numbers>("long SharedVec: clear a page run", samples(4608), Vec::clear, |v, _| v.clear()),
        scenario::<Numbers>(
            "long SharedVec: insert in front",
            samples(300),
            |v| v.insert(0, 1),
            |v, _| v.write()?.insert(0, 1),
        ),
        scenario::<Numbers>(
            "long SharedVec: change in place",
            samples(300),
            |v| v.iter_mut().for_each(|value| *value += 1),
            |v, _| {
                v.write()?.try_as_mut_slice()?.iter_mut().for_each(|value| *value += 1);
                Ok(())
            },
        ),
        scenario::<SharedVec<Wide>>(
            "long SharedVec: a log of three chunks",
            samples(21),
            |v| (0..21).for_each(|index| v[index][5] += 7),
            |v, _| {
                let mut guard = v.write()?;
                (0..21).try_for_each(|index| {
                    let value = guard.get_mut(index)?.ok_or(Error::NotFound)?;
                    value[5] += 7;
                    Ok(())
                })
            },
        ),
        silent::<SharedVec<Wide>>("long SharedVec: a log of three chunks rolled back", samples(21), |v, _| {
            let mut guard = v.write()?;
            for index in 0..21 {
                guard.set(index, Wide::sample(77))?;
            }
            guard.rollback();
            Ok(())
        }),
        scenario::<Numbers>(
            "long SharedVec: a vector that makes the region grow",
            vec![],
            |v| v.push(1),
            |v, _| {
                let mut guard = v.write()?;
                guard.reserve(40_000)?;
                guard.push(1)
            },
        )
        .in_fresh_regions(),
        silent::<SharedVec<String>>("long SharedVec: texts for which there is no room", samples(3), |v, _| {
            let result = v.extend((0..5).map(|_| "0123456789".repeat(30_000)));
            assert!(matches!(result, Err(Error::OutOfSpace { .. })), "{result:?}");
            Ok(())
        })
        .with_capacity(1 << 20)
        .in_fresh_regions(),
    ]
}
