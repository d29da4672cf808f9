//! Calls of maps and sets that look before they change, and calls about all of their entries.

use crate::scenario::{Scenario, scenario, silent};
use crate::world::{Sample, entries, members};
use commy::{SharedBTreeMap, SharedBTreeSet, SharedHashMap, SharedHashSet};

/// Is it one of those that a test chooses?
fn is_chosen(key: impl ToString) -> bool {
    key.to_string().ends_with(['1', '3', '5'])
}

/// Of a map of `$count` entries.
macro_rules! calls_of_map {
    ($map:ident<$key:ty, $value:ty>, $count:expr) => {{
        type Map = $map<$key, $value>;
        let name = |call: &str| format!("{}<{}, {}>: {call}", stringify!($map), stringify!($key), stringify!($value));
        let few = || entries::<$key, $value>($count);
        [
            scenario::<Map>(
                name("get_or_insert_with"),
                few(),
                |m| {
                    m.insert(Sample::sample(91), Sample::sample(93));
                },
                |m, _| m.get_or_insert_with(<$key>::sample(91), || <$value>::sample(93)).map(drop),
            ),
            scenario::<Map>(
                name("insert_if_absent"),
                few(),
                |m| {
                    m.insert(Sample::sample(91), Sample::sample(93));
                },
                |m, _| m.insert_if_absent(<$key>::sample(91), <$value>::sample(93)).map(drop),
            ),
            scenario::<Map>(
                name("update of one value"),
                few(),
                |m| {
                    m.insert(Sample::sample(1), Sample::sample(95));
                },
                |m, _| m.update(&<$key>::sample(1), |value| *value = Sample::sample(95)).map(drop),
            ),
            scenario::<Map>(
                name("replace_if"),
                few(),
                |m| {
                    m.insert(Sample::sample(3), Sample::sample(97));
                },
                |m, _| m.replace_if(&<$key>::sample(3), <$value>::sample(97), |_| true).map(drop),
            ),
            silent::<Map>(name("replace_if refused"), few(), |m, _| {
                m.replace_if(&<$key>::sample(3), <$value>::sample(97), |_| false).map(drop)
            }),
            scenario::<Map>(
                name("remove_entry"),
                few(),
                |m| {
                    m.remove(&<$key>::sample(1));
                },
                |m, _| m.remove_entry(&<$key>::sample(1)).map(drop),
            ),
            scenario::<Map>(
                name("remove_if"),
                few(),
                |m| {
                    m.remove(&<$key>::sample(1));
                },
                |m, _| m.remove_if(&<$key>::sample(1), |_| true).map(drop),
            ),
            scenario::<Map>(name("drain"), few(), |m| m.clear(), |m, _| m.drain().map(drop)),
            scenario::<Map>(
                name("handle's retain"),
                few(),
                |m| m.retain(|key, _| is_chosen(key)),
                |m, _| m.retain(|key, _| is_chosen(key)),
            ),
            scenario::<Map>(
                name("extract_if"),
                few(),
                |m| m.retain(|key, _| !is_chosen(key)),
                |m, _| m.extract_if(|key, _| is_chosen(key)).map(drop),
            ),
            silent::<Map>(name("guard of such calls rolled back"), few(), |m, _| {
                let mut guard = m.write()?;
                guard.get_or_insert_with(<$key>::sample(91), || <$value>::sample(93))?;
                guard.update(&<$key>::sample(1), |value| *value = Sample::sample(95))?;
                guard.replace_if(&<$key>::sample(91), <$value>::sample(97), |_| true)?.expect("a value");
                guard.remove_entry(&<$key>::sample(3))?;
                guard.extract_if(|key, _| is_chosen(key))?;
                guard.drain()?;
                guard.insert_if_absent(<$key>::sample(3), <$value>::sample(5))?;
                guard.rollback();
                Ok(())
            }),
            scenario::<Map>(
                name("guard of such calls"),
                few(),
                |m| {
                    m.insert(Sample::sample(91), Sample::sample(97));
                    m.insert(Sample::sample(1), Sample::sample(95));
                    m.remove(&<$key>::sample(3));
                },
                |m, _| {
                    let mut guard = m.write()?;
                    guard.get_or_insert_with(<$key>::sample(91), || <$value>::sample(93))?;
                    guard.update(&<$key>::sample(1), |value| *value = Sample::sample(95))?;
                    guard.replace_if(&<$key>::sample(91), <$value>::sample(97), |_| true)?.expect("a value");
                    guard.remove_if(&<$key>::sample(3), |_| true).map(drop)
                },
            ),
        ]
    }};
}

macro_rules! changed_in_place {
    ($map:ident, $count:expr) => {{
        type Map = $map<u64, u64>;
        let name = |call: &str| format!("{}<u64, u64>: {call}", stringify!($map));
        [
            scenario::<Map>(
                name("values_mut of all"),
                entries($count),
                |m| m.values_mut().for_each(|value| *value += 5),
                |m, _| {
                    let mut guard = m.write()?;
                    guard.values_mut()?.for_each(|value| *value += 2);
                    guard.iter_mut()?.for_each(|(_, value)| *value += 3);
                    Ok(())
                },
            ),
            scenario::<Map>(
                name("retain_mut"),
                entries($count),
                |m| {
                    m.retain(|key, value| {
                        *value += 5;
                        !is_chosen(key)
                    });
                    m.insert(71, 73);
                },
                |m, _| {
                    let mut guard = m.write()?;
                    guard.retain_mut(|key, value| {
                        *value += 5;
                        !is_chosen(key)
                    })?;
                    guard.insert(71, 73).map(drop)
                },
            ),
            silent::<Map>(name("changes in place rolled back"), entries($count), |m, _| {
                let mut guard = m.write()?;
                guard.insert(1, 75)?;
                guard.values_mut()?.for_each(|value| *value += 2);
                guard.insert(71, 73)?;
                guard.retain_mut(|key, value| {
                    *value += 5;
                    !is_chosen(key)
                })?;
                guard.rollback();
                Ok(())
            }),
        ]
    }};
}

macro_rules! calls_of_set {
    ($set:ident<$key:ty>, $count:expr) => {{
        type Set = $set<$key>;
        let name = |call: &str| format!("{}<{}>: {call}", stringify!($set), stringify!($key));
        let few = || members::<$key>($count);
        [
            scenario::<Set>(
                name("take of one"),
                few(),
                |s| {
                    s.take(&<$key>::sample(1));
                },
                |s, _| s.take(&<$key>::sample(1)).map(drop),
            ),
            scenario::<Set>(
                name("replace"),
                few(),
                |s| {
                    s.replace(Sample::sample(91));
                },
                |s, _| s.replace(<$key>::sample(91)).map(drop),
            ),
            scenario::<Set>(name("handle's drain"), few(), |s| s.clear(), |s, _| s.drain().map(drop)),
            scenario::<Set>(
                name("handle's retain"),
                few(),
                |s| s.retain(|key| is_chosen(key)),
                |s, _| s.retain(|key| is_chosen(key)),
            ),
            scenario::<Set>(
                name("extract_if"),
                few(),
                |s| s.retain(|key| !is_chosen(key)),
                |s, _| s.extract_if(|key| is_chosen(key)).map(drop),
            ),
            silent::<Set>(name("guard of such calls rolled back"), few(), |s, _| {
                let mut guard = s.write()?;
                guard.take(&<$key>::sample(1))?;
                guard.get_or_insert(<$key>::sample(91))?;
                guard.replace(<$key>::sample(1))?;
                guard.extract_if(|key| is_chosen(key))?;
                guard.drain()?;
                guard.rollback();
                Ok(())
            }),
        ]
    }};
}

/// Memory is looked at, too, so what is given back is what has been taken.
macro_rules! shrinking {
    ($container:ty, $content:expr, $count:expr) => {
        silent::<$container>(
            format!("{}: shrink_to_fit of {}", stringify!($container), $count),
            $content($count),
            |object, _| {
                let mut guard = object.write()?;
                guard.reserve(100)?;
                guard.shrink_to(40)?;
                guard.shrink_to_fit()
            },
        )
    };
}

pub fn hash_maps() -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = calls_of_map!(SharedHashMap<u64, u64>, 6).into();
    scenarios.extend(calls_of_map!(SharedHashMap<String, String>, 6));
    scenarios.extend(changed_in_place!(SharedHashMap, 14));
    scenarios.push(shrinking!(SharedHashMap<String, String>, entries, 3));
    scenarios.push(shrinking!(SharedHashMap<u64, u64>, entries, 0));
    scenarios
}

pub fn hash_sets() -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = calls_of_set!(SharedHashSet<u64>, 6).into();
    scenarios.extend(calls_of_set!(SharedHashSet<String>, 6));
    scenarios.push(shrinking!(SharedHashSet<String>, members, 3));
    scenarios.push(shrinking!(SharedHashSet<String>, members, 0));
    scenarios
}

pub fn ordered() -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = calls_of_map!(SharedBTreeMap<u64, u64>, 6).into();
    scenarios.extend(calls_of_map!(SharedBTreeMap<String, String>, 6));
    scenarios.extend(changed_in_place!(SharedBTreeMap, 64));
    scenarios.extend(calls_of_set!(SharedBTreeSet<u64>, 6));
    scenarios.extend(calls_of_set!(SharedBTreeSet<String>, 6));
    scenarios
}
