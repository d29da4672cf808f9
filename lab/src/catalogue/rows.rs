//! Operations that `SharedVec` and `SharedVecDeque` have alike.

use crate::scenario::{Scenario, scenario, silent};
use crate::world::{Sample, samples};
use commy::{Error, Result, SharedVec, SharedVecDeque, Store, Value, VecDequeWriteGuard, VecWriteGuard};
use std::collections::VecDeque;

pub fn rows_in_vectors() -> Vec<Scenario> {
    let mut scenarios = rows_of_vectors::<u64>("u64");
    scenarios.extend(rows_of_vectors::<String>("String"));
    scenarios.extend(middles_of_vectors::<u64>("u64"));
    scenarios.extend(middles_of_vectors::<String>("String"));
    scenarios.extend(long_rows());
    scenarios
}

pub fn rows_in_deques() -> Vec<Scenario> {
    let mut scenarios = rows_of_deques::<u64>("u64");
    scenarios.extend(rows_of_deques::<String>("String"));
    scenarios.extend(ends_of_deques::<u64>("u64"));
    scenarios.extend(ends_of_deques::<String>("String"));
    scenarios
}

/// A twin as a `Vec`.
trait Row<T> {
    fn row(&mut self, change: impl FnOnce(&mut Vec<T>));
}

impl<T> Row<T> for Vec<T> {
    fn row(&mut self, change: impl FnOnce(&mut Vec<T>)) {
        change(self);
    }
}

impl<T> Row<T> for VecDeque<T> {
    fn row(&mut self, change: impl FnOnce(&mut Vec<T>)) {
        let mut row = Vec::from(std::mem::take(self));
        change(&mut row);
        *self = row.into();
    }
}

/// Keys that bring eight values into disorder, one a call.
fn keys() -> impl FnMut() -> u64 {
    let mut number = 0;
    move || {
        number += 5;
        number % 8
    }
}

/// Says no and yes in turn.
fn alternating() -> impl FnMut() -> bool {
    let mut last = true;
    move || {
        last = !last;
        last
    }
}

macro_rules! rows {
    ($name:ident, $handle:ident, $guard:ident, $many:ident, $order:ident, $value:ident) => {
        fn $name<T: $value>(kind: &str) -> Vec<Scenario> {
            let name = |operation: &str| format!(concat!("rows: ", stringify!($handle), "<{}>: {}"), kind, operation);
            // Three leave room for a fourth; eight fill their block.
            let (few, full) = (|| samples::<T>(3).into(), || samples::<T>(8).into());
            type Object<T> = $handle<T>;
            vec![
                scenario::<Object<T>>(
                    name("splice with growth"),
                    full(),
                    |v| v.row(|v| drop(v.splice(2..4, samples::<T>(5)))),
                    |v, _| v.splice(2..4, samples::<T>(5)).map(drop),
                ),
                scenario::<Object<T>>(
                    name("splice of less"),
                    full(),
                    |v| v.row(|v| drop(v.splice(1..6, [T::sample(31)]))),
                    |v, _| v.splice(1..6, [T::sample(31)]).map(drop),
                ),
                scenario::<Object<T>>(
                    name("extend_from_within"),
                    full(),
                    |v| v.row(|v| v.extend_from_within(3..6)),
                    |v, _| v.extend_from_within(3..6),
                ),
                scenario::<Object<T>>(
                    name("resize"),
                    few(),
                    |v| v.resize(6, T::sample(31)),
                    |v, _| v.resize(6, T::sample(31)),
                ),
                scenario::<Object<T>>(
                    name("extract_if"),
                    full(),
                    |v| {
                        let mut goes = alternating();
                        v.row(|v| v.retain(|_| !goes()))
                    },
                    |v, _| {
                        let mut goes = alternating();
                        v.extract_if(.., |_| goes()).map(drop)
                    },
                ),
                scenario::<Object<T>>(
                    name("dedup_by"),
                    full(),
                    |v| {
                        let mut same = alternating();
                        v.row(|v| v.dedup_by(|_, _| same()))
                    },
                    |v, _| {
                        let mut same = alternating();
                        v.dedup_by(|_, _| same())
                    },
                ),
                scenario::<Object<T>>(
                    name("sort_by_key"),
                    full(),
                    |v| {
                        let mut key = keys();
                        v.row(|v| v.sort_by_cached_key(|_| key()))
                    },
                    |v, _| {
                        let mut key = keys();
                        v.sort_by_key(|_| key())
                    },
                ),
                scenario::<Object<T>>(name("swap"), few(), |v| v.swap(0, 2), |v, _| v.swap(0, 2)),
                scenario::<Object<T>>(
                    name("fill"),
                    few(),
                    |v| v.row(|v| v.fill(T::sample(31))),
                    |v, _| v.fill(T::sample(31)),
                ),
                scenario::<Object<T>>(
                    name("replace"),
                    few(),
                    |v| v[1] = T::sample(31),
                    |v, _| v.replace(1, T::sample(31)).map(drop),
                ),
                scenario::<Object<T>>(name("take"), full(), |v| v.clear(), |v, _| v.take().map(drop)),
                scenario::<Object<T>>(
                    name("guard of calls that bring into order"),
                    full(),
                    |v| {
                        v.row(|v| {
                            v.pop();
                            v.reverse();
                            v.rotate_left(2);
                            drop(v.splice(1..3, samples::<T>(4)));
                            v.swap(0, 3);
                            v.drain(4..6);
                            v.reverse();
                            v.extend(samples::<T>(2));
                        })
                    },
                    |v, _| $many(&mut v.write()?),
                ),
                silent::<Object<T>>(name("guard of calls that bring into order, rolled back"), full(), |v, _| {
                    let mut guard = v.write()?;
                    $many(&mut guard)?;
                    $order(&mut guard, Order::Fill)?;
                    guard.rollback();
                    Ok(())
                }),
                silent::<Object<T>>(name("room taken and given back"), few(), |v, _| {
                    let mut guard = v.write()?;
                    guard.reserve(40)?;
                    guard.shrink_to(4)
                }),
            ]
        }

        fn $many<T: $value>(guard: &mut $guard<'_, T>) -> Result<()> {
            guard.split_off(7)?;
            $order(guard, Order::Reverse)?;
            $order(guard, Order::Turn)?;
            guard.splice(1..3, samples::<T>(4))?;
            $order(guard, Order::Swap)?;
            guard.drain(4..6)?;
            $order(guard, Order::Reverse)?;
            guard.shrink_to_fit()?;
            guard.extend(samples::<T>(2))
        }
    };
}
rows!(rows_of_vectors, SharedVec, VecWriteGuard, many_of_vector, order_vector, Ordered);
rows!(rows_of_deques, SharedVecDeque, VecDequeWriteGuard, many_of_deque, order_deque, Ordered);

/// What slices can do, and where there is no slice a guard.
#[derive(Clone, Copy)]
enum Order {
    Reverse,
    Turn,
    Swap,
    Fill,
}

/// Values that are brought into order by the slice that a guard lends, or by the guard.
trait Ordered: Value + Store<Self> + Sample {
    fn order(guard: &mut VecWriteGuard<'_, Self>, order: Order) -> Result<()>;
}

impl Ordered for u64 {
    fn order(guard: &mut VecWriteGuard<'_, u64>, order: Order) -> Result<()> {
        let slice = guard.try_as_mut_slice()?;
        match order {
            Order::Reverse => slice.reverse(),
            Order::Turn => slice.rotate_left(2),
            Order::Swap => slice.swap(0, 3),
            Order::Fill => slice.fill(7),
        }
        Ok(())
    }
}

impl Ordered for String {
    fn order(guard: &mut VecWriteGuard<'_, String>, order: Order) -> Result<()> {
        match order {
            Order::Reverse => guard.reverse(),
            Order::Turn => guard.rotate_left(2),
            Order::Swap => guard.swap(0, 3),
            Order::Fill => guard.fill(String::sample(7)),
        }
    }
}

fn order_vector<T: Ordered>(guard: &mut VecWriteGuard<'_, T>, order: Order) -> Result<()> {
    T::order(guard, order)
}

fn order_deque<T: Ordered>(guard: &mut VecDequeWriteGuard<'_, T>, order: Order) -> Result<()> {
    match order {
        Order::Reverse => guard.reverse(),
        Order::Turn => guard.rotate_left(2),
        Order::Swap => guard.swap(0, 3),
        Order::Fill => guard.fill(T::sample(7)),
    }
}

/// What only vectors can do.
fn middles_of_vectors<T: Value + Store<T> + Sample>(kind: &str) -> Vec<Scenario> {
    let name = |operation: &str| format!("rows: SharedVec<{kind}>: {operation}");
    let full = || samples::<T>(8);
    vec![
        scenario::<SharedVec<T>>(
            name("insert by handle"),
            full(),
            |v| v.insert(2, T::sample(31)),
            |v, _| v.insert(2, T::sample(31)),
        ),
        scenario::<SharedVec<T>>(name("remove by handle"), full(), |v| drop(v.remove(1)), |v, _| v.remove(1).map(drop)),
        scenario::<SharedVec<T>>(
            name("swap_remove by handle"),
            full(),
            |v| drop(v.swap_remove(1)),
            |v, _| v.swap_remove(1).map(drop),
        ),
        scenario::<SharedVec<T>>(
            name("drain by handle"),
            full(),
            |v| drop(v.drain(2..5)),
            |v, _| v.drain(2..5).map(drop),
        ),
        scenario::<SharedVec<T>>(
            name("update"),
            full(),
            |v| v[3].mark(),
            |v, _| v.update(3, |value| value.mark()).map(drop),
        ),
        scenario::<SharedVec<T>>(
            name("retain by handle"),
            full(),
            |v| {
                let mut keep = alternating();
                v.retain(|_| keep())
            },
            |v, _| {
                let mut keep = alternating();
                v.retain(|_| keep())
            },
        ),
    ]
}

/// What only queues can do.
fn ends_of_deques<T: Value + Store<T> + Sample>(kind: &str) -> Vec<Scenario> {
    let name = |operation: &str| format!("rows: SharedVecDeque<{kind}>: {operation}");
    let full = || VecDeque::from(samples::<T>(8));
    vec![
        scenario::<SharedVecDeque<T>>(
            name("swap_remove_back"),
            full(),
            |q| drop(q.swap_remove_back(2)),
            |q, _| q.swap_remove_back(2).map(drop),
        ),
        scenario::<SharedVecDeque<T>>(
            name("swap_remove_front"),
            full(),
            |q| drop(q.swap_remove_front(5)),
            |q, _| q.swap_remove_front(5).map(drop),
        ),
        scenario::<SharedVecDeque<T>>(name("rotate by handle"), full(), |q| q.rotate_left(3), |q, _| q.rotate_left(3)),
    ]
}

/// So many texts that letting them go takes a chunk of the log, reserved before the first one goes.
fn long_rows() -> Vec<Scenario> {
    type Texts = SharedVec<String>;
    vec![
        scenario::<Texts>(
            "rows: long SharedVec: take out hundreds of texts",
            samples(300),
            |v| drop(v.drain(10..290)),
            |v, _| v.drain(10..290).map(drop),
        ),
        silent::<Texts>("rows: long SharedVec: calls that find no room and change nothing", samples(9), |v, _| {
            let text = "0123456789".repeat(30_000);
            let mut guard = v.write()?;
            let many = || std::iter::repeat_n(text.clone(), 5);
            let texts = || [String::from("a text that is let go again")].into_iter().chain(many()).collect::<Vec<_>>();
            let refused = [
                guard.extend(texts()),
                guard.extend_from_slice(&texts()),
                guard.splice(2..4, texts()).map(drop),
                guard.fill(&text),
                guard.resize(20, &text),
                guard.append(&mut texts()),
            ];
            let full = |result: &Result<()>| matches!(result, Err(Error::OutOfSpace { .. }));
            assert!(refused.iter().all(full), "{refused:?}");
            // The guard is of use, and what it holds is as it was.
            assert_eq!(guard.to_vec()?, samples::<String>(9));
            guard.push("one more")?;
            guard.rollback();
            Ok(())
        })
        .with_capacity(1 << 20)
        .in_fresh_regions(),
    ]
}
