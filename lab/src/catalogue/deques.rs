//! Operations on `SharedVecDeque`. Every queue begins with its ring wrapped round (see its world).

use crate::scenario::{Scenario, scenario, silent};
use crate::world::{Record, Sample, Wide, samples};
use commy::{Error, Region, Result, SharedVecDeque, Store, Value};
use std::collections::VecDeque;

pub fn deques() -> Vec<Scenario> {
    let mut scenarios = deques_of::<u64>("u64");
    scenarios.extend(deques_of::<Record>("Record"));
    scenarios.extend(deques_of::<String>("String"));
    scenarios.extend(deques_of::<Option<String>>("Option<String>"));
    scenarios.extend(long_deques());
    scenarios
}

fn items<T: Sample>(count: u64) -> VecDeque<T> {
    samples(count).into()
}

fn deques_of<T: Value + Store<T> + Sample>(kind: &str) -> Vec<Scenario> {
    let name = |operation: &str| format!("SharedVecDeque<{kind}>: {operation}");
    // Six of eight slots, or all eight.
    let (few, full) = (|| items::<T>(6), || items::<T>(8));
    type Queue<T> = SharedVecDeque<T>;
    vec![
        scenario::<Queue<T>>(
            name("push_back into an empty one"),
            VecDeque::new(),
            |q| q.push_back(T::sample(1)),
            |q, _| q.push_back(T::sample(1)),
        ),
        scenario::<Queue<T>>(
            name("push_back"),
            few(),
            |q| q.push_back(T::sample(31)),
            |q, _| q.push_back(T::sample(31)),
        ),
        scenario::<Queue<T>>(
            name("push_front"),
            few(),
            |q| q.push_front(T::sample(31)),
            |q, _| q.push_front(T::sample(31)),
        ),
        scenario::<Queue<T>>(
            name("push_back with growth"),
            full(),
            |q| q.push_back(T::sample(31)),
            |q, _| q.push_back(T::sample(31)),
        ),
        scenario::<Queue<T>>(
            name("push_front with growth"),
            full(),
            |q| q.push_front(T::sample(31)),
            |q, _| q.push_front(T::sample(31)),
        ),
        scenario::<Queue<T>>(name("pop_back"), full(), |q| drop(q.pop_back()), |q, _| q.pop_back().map(drop)),
        scenario::<Queue<T>>(name("pop_front"), full(), |q| drop(q.pop_front()), |q, _| q.pop_front().map(drop)),
        scenario::<Queue<T>>(
            name("pop_front_many"),
            full(),
            |q| drop(q.drain(..5)),
            |q, _| q.pop_front_many(5).map(drop),
        ),
        scenario::<Queue<T>>(name("set"), few(), |q| q[4] = T::sample(35), |q, _| q.set(4, T::sample(35)).map(drop)),
        scenario::<Queue<T>>(
            name("insert near the front"),
            few(),
            |q| q.insert(2, T::sample(31)),
            |q, _| q.insert(2, T::sample(31)),
        ),
        scenario::<Queue<T>>(
            name("insert near the back, with growth"),
            full(),
            |q| q.insert(5, T::sample(31)),
            |q, _| q.insert(5, T::sample(31)),
        ),
        scenario::<Queue<T>>(
            name("remove near the front"),
            full(),
            |q| drop(q.remove(3)),
            |q, _| q.remove(3).map(drop),
        ),
        scenario::<Queue<T>>(name("remove near the back"), full(), |q| drop(q.remove(5)), |q, _| q.remove(5).map(drop)),
        scenario::<Queue<T>>(name("truncate"), full(), |q| q.truncate(3), |q, _| q.truncate(3)),
        scenario::<Queue<T>>(name("clear"), full(), VecDeque::clear, |q, _| q.clear()),
        scenario::<Queue<T>>(name("extend"), few(), |q| q.extend(samples::<T>(7)), |q, _| q.extend(samples::<T>(7))),
        scenario::<Queue<T>>(
            name("retain"),
            full(),
            |q| {
                let mut keep = alternating();
                q.retain(|_| keep())
            },
            |q, _| {
                let mut keep = alternating();
                q.write()?.retain(|_| keep())
            },
        ),
        scenario::<Queue<T>>(name("drain"), full(), |q| drop(q.drain(2..5)), |q, _| q.write()?.drain(2..5).map(drop)),
        scenario::<Queue<T>>(
            name("rotate and swap"),
            few(),
            |q| {
                q.rotate_left(2);
                q.swap(0, 5);
            },
            |q, _| {
                let mut guard = q.write()?;
                guard.rotate_left(2)?;
                guard.swap(0, 5)
            },
        ),
        scenario::<Queue<T>>(
            name("rotate a full one to the right"),
            full(),
            |q| q.rotate_right(3),
            |q, _| q.write()?.rotate_right(3),
        ),
        scenario::<Queue<T>>(
            name("rotate to the right"),
            few(),
            |q| q.rotate_right(2),
            |q, _| q.write()?.rotate_right(2),
        ),
        scenario::<Queue<T>>(name("popped slots are filled again"), full(), refill_twin, refill),
        scenario::<Queue<T>>(name("guard of many calls"), few(), many_twin, many),
        silent::<Queue<T>>(name("guard rolled back"), full(), |q, _| {
            let mut guard = q.write()?;
            guard.pop_front()?;
            guard.push_back(T::sample(41))?;
            guard.pop_back()?;
            guard.pop_back()?;
            guard.push_front(T::sample(43))?;
            guard.set(3, T::sample(45))?;
            guard.extend(samples::<T>(5))?;
            guard.rollback();
            Ok(())
        }),
        scenario::<Queue<T>>(
            name("push_back for which somebody has waited"),
            few(),
            |q| q.push_back(T::sample(31)),
            |q, _| {
                // Whoever has waited leaves the flag behind that asks for a wake.
                q.wait_changed(q.version()?, std::time::Duration::from_micros(100))?;
                q.push_back(T::sample(31))
            },
        ),
        silent::<Queue<T>>(name("a limit"), few(), |q, _| {
            q.set_limit(Some(6))?;
            let pushed = q.push_back(T::sample(1));
            assert!(matches!(pushed, Err(Error::Full { limit: 6 })), "{pushed:?}");
            q.set_limit(None)
        }),
    ]
}

/// Says no and yes in turn.
fn alternating() -> impl FnMut() -> bool {
    let mut last = true;
    move || {
        last = !last;
        last
    }
}

/// In a ring without a free slot each push comes to stand where something was popped.
fn refill<T: Value + Store<T> + Sample>(queue: &SharedVecDeque<T>, _: &Region) -> Result<()> {
    let mut guard = queue.write()?;
    for number in 0..3 {
        guard.pop_front()?;
        guard.push_back(T::sample(51 + number))?;
    }
    for number in 0..6 {
        guard.pop_back()?;
        guard.push_front(T::sample(61 + number))?;
    }
    Ok(())
}

fn refill_twin<T: Sample>(queue: &mut VecDeque<T>) {
    for number in 0..3 {
        queue.pop_front();
        queue.push_back(T::sample(51 + number));
    }
    for number in 0..6 {
        queue.pop_back();
        queue.push_front(T::sample(61 + number));
    }
}

/// Slots that were live are let go and filled again at both ends, the block is moved twice.
fn many<T: Value + Store<T> + Sample>(queue: &SharedVecDeque<T>, _: &Region) -> Result<()> {
    let mut guard = queue.write()?;
    guard.pop_front()?;
    guard.push_back(T::sample(51))?;
    guard.set(0, T::sample(53))?;
    guard.push_front(T::sample(55))?;
    guard.extend(samples::<T>(3))?;
    guard.remove(1)?;
    guard.insert(2, T::sample(57))?;
    guard.push_front(T::sample(59))?;
    guard.truncate(7)?;
    guard.rotate_right(2)?;
    guard.extend(samples::<T>(9))?;
    guard.set(0, T::sample(61)).map(drop)
}

fn many_twin<T: Sample>(queue: &mut VecDeque<T>) {
    queue.pop_front();
    queue.push_back(T::sample(51));
    queue[0] = T::sample(53);
    queue.push_front(T::sample(55));
    queue.extend(samples::<T>(3));
    queue.remove(1);
    queue.insert(2, T::sample(57));
    queue.push_front(T::sample(59));
    queue.truncate(7);
    queue.rotate_right(2);
    queue.extend(samples::<T>(9));
    queue[0] = T::sample(61);
}

/// Queues whose bodies are page runs, or are moved instead of logged, or for which there is no room.
fn long_deques() -> Vec<Scenario> {
    type Numbers = SharedVecDeque<u64>;
    vec![
        scenario::<Numbers>(
            "long SharedVecDeque: push_front with growth of a page run",
            items(8192),
            |q| q.push_front(1),
            |q, _| q.push_front(1),
        ),
        scenario::<Numbers>("long SharedVecDeque: clear a page run", items(8192), VecDeque::clear, |q, _| q.clear()),
        scenario::<Numbers>(
            "long SharedVecDeque: insert in the middle",
            items(1000),
            |q| q.insert(500, 1),
            |q, _| q.insert(500, 1),
        ),
        scenario::<Numbers>(
            "long SharedVecDeque: change in place",
            items(300),
            |q| q.iter_mut().for_each(|value| *value += 1),
            |q, _| {
                q.write()?.iter_mut()?.for_each(|value| *value += 1);
                Ok(())
            },
        ),
        scenario::<SharedVecDeque<Wide>>(
            "long SharedVecDeque: a log of several chunks",
            items(21),
            |q| (0..21).for_each(|index| q[index][5] += 7),
            |q, _| {
                let mut guard = q.write()?;
                (0..21).try_for_each(|index| {
                    let value = guard.get_mut(index)?.ok_or(Error::NotFound)?;
                    value[5] += 7;
                    Ok(())
                })
            },
        ),
        silent::<SharedVecDeque<String>>("long SharedVecDeque: texts for which there is no room", items(5), |q, _| {
            let text = || "0123456789".repeat(40_000);
            let result = q.extend((0..5).map(|_| text()));
            assert!(matches!(result, Err(Error::OutOfSpace { .. })), "{result:?}");
            // One after the other, until the n-th finds no room: it leaves the queue as it was.
            let mut guard = q.write()?;
            let pushed = (0..5).take_while(|number| match number % 3 {
                0 => guard.push_back(text()).is_ok(),
                1 => guard.insert(3, text()).is_ok(),
                _ => guard.push_front(text()).is_ok(),
            });
            let pushed = pushed.count();
            assert!((1..3).contains(&pushed) && guard.len() == 5 + pushed, "{pushed}");
            assert!(guard.set(1, text()).is_err());
            assert_eq!(guard.len(), 5 + pushed);
            for _ in 0..pushed {
                let index = guard.iter().position(|value| value.len() == 400_000).ok_or(Error::NotFound)?;
                guard.remove(index)?;
            }
            Ok(())
        })
        .with_capacity(1 << 20)
        .in_fresh_regions(),
    ]
}
