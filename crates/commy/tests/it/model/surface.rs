//! What a user of std looks for on guards and handles, one call after the other; and calls for which there is no room.

use super::unwind;
use crate::seeded::{self, Random};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, Result, SharedBox, SharedString, SharedVec, SharedVecDeque};
use std::collections::VecDeque;
use std::fmt::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn with_region(test: impl FnOnce(&Region) -> Result<()>) {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    test(&region).unwrap();
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report:#?}");
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| value.to_string()).collect()
}

#[test]
fn guards_of_a_vector_are_slices_and_compare_as_they_do() {
    with_region(|region| {
        let numbers = SharedVec::<u32>::from_iter_in(region, [3, 1, 2, 2])?;
        {
            let guard = numbers.read()?;
            assert_eq!(guard, [3, 1, 2, 2]);
            assert_eq!(guard, vec![3, 1, 2, 2]);
            assert_eq!(vec![3, 1, 2, 2], guard);
            assert_eq!(guard, &[3, 1, 2, 2]);
            assert_eq!(guard, guard[..]);
            assert_eq!(guard, VecDeque::from([3, 1, 2, 2]));
            assert_eq!(guard, numbers.read()?);
            assert!(guard != [3, 1, 2] && guard != [3, 1, 2, 3]);
            assert_eq!(format!("{guard:?}"), "[3, 1, 2, 2]");
            assert_eq!((guard.as_slice(), guard.as_ref()), (&guard[..], &[3, 1, 2, 2][..]));
            assert_eq!(guard.windows(2).filter(|pair| pair[0] < pair[1]).count(), 1);
            assert_eq!(guard.chunks(3).map(<[u32]>::len).collect::<Vec<_>>(), [3, 1]);
            assert!(guard.starts_with(&[3, 1]) && guard.ends_with(&[2, 2]) && !guard.is_sorted());
            assert_eq!((guard.split_first(), guard.iter().max()), (Some((&3, &[1, 2, 2][..])), Some(&3)));
            assert!(guard.contains(&1) && !guard.contains(&7));
            assert!(guard.range(2..9).is_err());
            let mut sum = 0;
            for number in &guard {
                sum += number;
            }
            assert_eq!(sum, 8);
        }
        let mut guard = numbers.write()?;
        guard.sort();
        assert_eq!((guard.binary_search(&3), guard.binary_search(&0)), (Ok(3), Err(0)));
        assert_eq!(guard.binary_search_by(|number| number.cmp(&1)), Ok(0));
        guard.dedup()?;
        assert_eq!(guard, [1, 2, 3]);
        *guard.first_mut()?.unwrap() += 10;
        *guard.last_mut()?.unwrap() += 10;
        guard.iter_mut().for_each(|number| *number += 1);
        guard.as_mut_slice()[1] *= 2;
        guard.chunks_mut(2).for_each(|pair| pair[0] += 100);
        assert_eq!(guard, [112, 6, 114]);
        guard.sort_unstable_by(|one, other| other.cmp(one));
        guard.retain_mut(|number| {
            *number += 1;
            *number != 113
        })?;
        assert_eq!(guard, [115, 7]);
        assert_eq!(guard.pop_if(|number| *number == 8)?, None);
        assert_eq!(guard.pop_if(|number| *number == 7)?, Some(7));
        drop(guard);
        assert_eq!((numbers.first()?, numbers.last()?, numbers.pop_if(|_| false)?), (Some(115), Some(115), None));
        assert_eq!(numbers.update(0, |number| *number -= 1)?, Some(()));
        assert_eq!((numbers.update(1, |_| ())?, numbers.replace(1, 5)?), (None, None));
        numbers.extend_from_slice(&[200, 300])?;
        assert_eq!(numbers.binary_search(&300)?, Ok(2));
        assert_eq!(numbers.binary_search_by_key(&3, |number| number / 100)?, Ok(2));
        assert_eq!(numbers.partition_point(|number| *number < 250)?, 2);
        assert!(numbers.contains(&114)?);
        for wrong in [numbers.drain(2..9), numbers.splice(Range { start: 3, end: 2 }, [1]), numbers.split_off(4)] {
            assert!(matches!(wrong, Err(Error::InvalidArgument(_))));
        }
        assert!(matches!(numbers.insert(9, 1), Err(Error::InvalidArgument(_))));
        assert!(matches!(numbers.swap(0, 3), Err(Error::InvalidArgument(_))));
        assert!(matches!(numbers.rotate_left(4), Err(Error::InvalidArgument(_))));
        assert!(matches!(numbers.rotate_right(4), Err(Error::InvalidArgument(_))));
        assert_eq!((numbers.take()?, numbers.len()?), (vec![114, 200, 300], 0));
        Ok(())
    });
}

#[test]
fn a_vector_of_texts_is_searched_and_sorted_by_what_it_lends() {
    with_region(|region| {
        let words = SharedVec::<String>::from_iter_in(region, ["pear", "fig", "apple, a long one", "fig"])?;
        words.sort()?;
        words.dedup()?;
        let guard = words.read()?;
        assert_eq!(guard, texts(&["apple, a long one", "fig", "pear"]));
        assert_eq!(texts(&["apple, a long one", "fig", "pear"]), guard);
        assert_eq!(format!("{guard:?}"), r#"["apple, a long one", "fig", "pear"]"#);
        assert!(guard.contains("fig") && !guard.contains("figs"));
        assert_eq!((guard.binary_search("fig"), guard.binary_search("lime")), (Ok(1), Err(2)));
        assert_eq!(guard.range(1..)?.collect::<Vec<&str>>(), ["fig", "pear"]);
        assert_eq!(guard, words.read()?);
        drop(guard);
        words.write()?.sort_by_key(|word| word.len())?;
        assert_eq!(words.to_vec()?, ["fig", "pear", "apple, a long one"]);
        assert_eq!(words.replace_if(0, "date", |old| old == "fig")?.as_deref(), Some("fig"));
        assert_eq!(words.replace_if(0, "plum", |old| old == "fig")?, None);
        assert_eq!(words.binary_search(&"nothing".to_owned())?, Err(1));
        Ok(())
    });
}

#[test]
fn guards_of_a_queue_lend_what_those_of_a_deque_do() {
    with_region(|region| {
        let queue = SharedVecDeque::<i64>::from_iter_in(region, 0..6)?;
        queue.rotate_left(2)?;
        assert_eq!(queue.to_vec_deque()?, [2, 3, 4, 5, 0, 1]);
        let mut guard = queue.write()?;
        guard.range_mut(3..5)?.for_each(|number| *number += 100);
        *guard.front_mut()?.unwrap() = -2;
        *guard.back_mut()?.unwrap() = -1;
        assert_eq!(guard, [-2, 3, 4, 105, 100, -1]);
        assert_eq!(guard, VecDeque::from([-2, 3, 4, 105, 100, -1]));
        assert!(
            guard.contains(&105) && guard.range(2..9).is_err() && guard.range_mut(Range { start: 5, end: 4 }).is_err()
        );
        guard.sort()?;
        assert_eq!((guard.binary_search(&4), guard.binary_search(&5)), (Ok(3), Err(4)));
        guard.retain_mut(|number| {
            *number *= 2;
            *number > 0
        })?;
        assert_eq!(guard.iter().copied().collect::<Vec<_>>(), [6, 8, 200, 210]);
        assert_eq!(guard.pop_front_if(|number| *number == 6)?, Some(6));
        assert_eq!(guard.pop_back_if(|number| *number == 6)?, None);
        drop(guard);
        assert_eq!((queue.pop_back_if(|number| *number == 210)?, queue.pop_front_if(|_| false)?), (Some(210), None));
        assert_eq!(queue.read()?, vec![8, 200]);
        assert!(matches!(queue.drain(1..4), Err(Error::InvalidArgument(_))));
        let limited = queue.with_limit(3)?;
        for full in [limited.extend_from_slice(&[1, 2]), limited.resize(4, 0), limited.splice(..1, 0..3).map(drop)] {
            assert!(matches!(full, Err(Error::Full { limit: 3 })));
        }
        assert!(matches!(limited.write()?.extend([1, 2]), Err(Error::Full { limit: 3 })));
        assert_eq!(limited.to_vec()?, [8, 200]);
        Ok(())
    });
}

#[test]
fn places_inside_of_a_character_are_errors() {
    with_region(|region| {
        let text = SharedString::from_str_in(region, "aß€")?;
        fn refused<R: std::fmt::Debug>(result: Result<R>) {
            assert!(matches!(result, Err(Error::InvalidArgument(_))), "{result:?}");
        }
        refused(text.insert(2, 'x'));
        refused(text.insert_str(9, "x"));
        refused(text.replace_range(0..2, "x"));
        refused(text.replace_range(Range { start: 3, end: 1 }, "x"));
        refused(text.truncate(5));
        refused(text.remove(2));
        refused(text.remove(6));
        refused(text.drain(..4));
        refused(text.split_off(7));
        let mut guard = text.write()?;
        refused(guard.insert(2, 'x'));
        refused(guard.replace_range(..=1, "x"));
        refused(guard.truncate(2));
        refused(guard.remove(6));
        refused(guard.drain(4..));
        assert_eq!(guard, "aß€");
        assert_eq!((guard.remove(1)?, guard.pop()?), ('ß', Some('€')));
        Ok(())
    });
}

#[test]
fn guards_of_a_text_are_texts() {
    with_region(|region| {
        let text = SharedString::from_str_in(region, "one two")?;
        let mut guard = text.write()?;
        write!(guard, ", {}", 3).unwrap();
        guard.extend(['!', '?'])?;
        guard.extend(["x", "y"])?;
        assert_eq!(guard, "one two, 3!?xy");
        assert_eq!("one two, 3!?xy", guard);
        assert_eq!(guard, String::from("one two, 3!?xy"));
        assert_eq!((guard.find("two"), guard.split(' ').count(), guard.trim_end_matches("xy").len()), (Some(4), 3, 12));
        assert_eq!(guard.replace("two", "2"), "one 2, 3!?xy");
        assert_eq!((format!("{guard}"), format!("{guard:?}")), (guard.to_string(), r#""one two, 3!?xy""#.into()));
        assert!(guard.as_str() < "two" && guard.as_ref() == guard.as_str() && guard.capacity() >= guard.len());
        guard.update(|text| text.truncate(3))?;
        drop(guard);
        assert_eq!(text.read()?, "one");
        assert_eq!(text.read()?, text.read()?);
        assert_eq!(text.replace("two")?, "one");
        assert_eq!(text.update(|text| text.pop())?, Some('o'));
        assert_eq!((text.take()?, text.is_empty()?), ("tw".into(), true));
        text.reserve(1000)?;
        assert!(text.capacity()? >= 1000);
        text.shrink_to_fit()?;
        assert!(text.capacity()? < 100);
        Ok(())
    });
}

#[test]
fn a_box_changes_on_conditions() {
    with_region(|region| {
        let one = SharedBox::<String>::from_value_in(region, "a")?;
        assert_eq!(one.compare_exchange(&"b".into(), "c")?, Err("a".into()));
        assert_eq!(one.compare_exchange(&"a".into(), "c")?, Ok("a".into()));
        assert_eq!(one.replace_if("d", |old| old.is_empty())?, None);
        assert_eq!(one.fetch_update(|old| Some(format!("{old}, of which there is more")))?, Ok("c".into()));
        assert_eq!(one.fetch_update(|_| None)?, Err("c, of which there is more".into()));
        let mut other = String::from("mine");
        one.swap(&mut other)?;
        assert_eq!((other.as_str(), one.get()?.as_str()), ("c, of which there is more", "mine"));
        let mut guard = one.write()?;
        assert_eq!(format!("{guard:?}"), "\"mine\"");
        assert_eq!((guard.replace("yours")?, guard.to_owned()?), ("mine".into(), "yours".into()));
        guard.update(|text| text.push('!'))?;
        assert_eq!(guard.get()?, "yours!");
        assert_eq!((guard.take()?, guard.get()?), ("yours!".into(), ""));
        drop(guard);
        assert_eq!(one.read()?, one.read()?);
        Ok(())
    });
}

#[test]
fn code_of_a_user_that_panics_changes_nothing() {
    with_region(|region| {
        let words = SharedVec::<String>::from_iter_in(region, ["one", "two, rather long for a number", "three"])?;
        let before = words.to_vec()?;
        let panics = |call: &mut dyn FnMut() -> Result<()>| assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        panics(&mut || words.retain(|word| if word == "three" { unwind() } else { false }));
        panics(&mut || words.sort_by(|_, _| unwind()));
        panics(&mut || words.fill_with(|| -> String { unwind() }));
        panics(&mut || words.resize_with(9, || -> String { unwind() }));
        panics(&mut || words.update(1, |_| unwind()).map(drop));
        panics(&mut || words.replace_if(1, "x", |_| unwind()).map(drop));
        assert_eq!(words.to_vec()?, before);
        let mut guard = words.write()?;
        guard.push("four")?;
        panics(&mut || guard.retain(|word| if word == "three" { unwind() } else { false }));
        panics(&mut || guard.extend((0..5).map(|number| if number == 3 { unwind() } else { "x" })));
        panics(&mut || guard.splice(.., (0..5).map(|_| -> String { unwind() })).map(drop));
        assert_eq!(guard.len(), 4);
        drop(guard);
        assert_eq!(words.pop()?.as_deref(), Some("four"));
        // Who has changed something by then undoes the whole guard.
        let numbers = SharedVec::<u64>::from_iter_in(region, 0..3000)?;
        let mut guard = numbers.write()?;
        panics(&mut || guard.extend((0..5000u64).map(|number| if number == 4000 { unwind() } else { number })));
        assert!(matches!(guard.push(1), Err(Error::RolledBack)));
        drop(guard);
        let mut guard = numbers.write()?;
        panics(&mut || guard.retain_mut(|number| if *number == 7 { unwind() } else { *number > 7 }));
        drop(guard);
        assert_eq!(numbers.to_vec()?, (0..3000).collect::<Vec<_>>());
        Ok(())
    });
}

/// Letting go of more values than a chunk of the log has room for records.
#[test]
fn thousands_of_texts_go_in_one_call() {
    with_region(|region| {
        let words = SharedVec::<String>::new_in(region)?;
        let queue = SharedVecDeque::<String>::new_in(region)?;
        let word = |number: u64| format!("word number {number}, which needs a block");
        words.write()?.extend((0..20_000).map(word))?;
        queue.write()?.extend((0..20_000).map(word))?;
        let mut guard = words.write()?;
        guard.retain(|word| word.ends_with("7, which needs a block"))?;
        guard.rollback();
        assert_eq!(words.len()?, 20_000);
        words.retain(|word| word.contains("7,"))?;
        queue.write()?.retain(|word| word.contains("7,"))?;
        assert_eq!((words.len()?, queue.len()?), (2000, 2000));
        assert!(words.read()?.iter().eq(queue.read()?.iter()));
        words.fill("the same for all, and rather long, too")?;
        words.dedup()?;
        queue.splice(10.., ["last"])?;
        assert_eq!((words.len()?, queue.len()?), (1, 11));
        words.take().map(drop)
    });
}

/// One call of a guard that may find no room, on a vector and on its twin.
macro_rules! crowded_step {
    ($guard:ident, $twin:ident, $random:ident, $round:expr) => {{
        let text = "t".repeat($random.below(9) as usize * $random.below(4000) as usize);
        let at = $random.below($twin.len() as u64 + 1) as usize;
        let end = at + $random.below(($twin.len() - at) as u64 + 1) as usize;
        let many: Vec<String> = (0..1 + $round % 5).map(|_| text.clone()).collect();
        let mut next: Vec<String> = $twin.clone();
        let done = match $random.below(11) {
            0 => {
                next.extend_from_slice(&many);
                $guard.extend(many.iter())
            }
            1 => {
                next.extend_from_slice(&many);
                $guard.extend_from_slice(&many)
            }
            2 => {
                drop(next.splice(at..end, many.iter().cloned()));
                $guard.splice(at..end, many.iter()).map(drop)
            }
            3 => {
                next.resize(at + 3, text.clone());
                $guard.resize(at + 3, &text)
            }
            4 => {
                next.fill(text.clone());
                $guard.fill(&text)
            }
            5 => {
                next.extend_from_within(at..end);
                $guard.extend_from_within(at..end)
            }
            6 => {
                next.drain(at..end);
                $guard.drain(at..end).map(drop)
            }
            7 => {
                next.insert(at, text.clone());
                $guard.insert(at, &text)
            }
            8 if at < next.len() => {
                next[at] = text.clone();
                $guard.replace(at, &text).map(drop)
            }
            9 => {
                next.reverse();
                $guard.reverse()
            }
            _ => {
                next.retain(|word| word.len() % 3 == 0);
                $guard.retain(|word| word.len() % 3 == 0)
            }
        };
        match done {
            Ok(()) => {
                $twin = next;
                false
            }
            Err(Error::OutOfSpace { .. }) => true,
            Err(error) => panic!("{error}"),
        }
    }};
}

/// Whichever allocation of a call fails, what the guard holds stays as it was, and the guard is of use afterwards.
macro_rules! crowded {
    ($name:ident, $handle:ident) => {
        #[test]
        fn $name() {
            let temporary = Temporary::new();
            let region = quiet().capacity(1 << 20).create(temporary.region()).unwrap();
            let object: $handle<String> = region.object("object").unwrap();
            let ballast: SharedVec<String> = region.object("ballast").unwrap();
            let seed = seeded::seed();
            println!("COMMY_SEED={seed}");
            let mut random = Random::new(seed);
            let (mut twin, mut refused) = (Vec::<String>::new(), 0);
            for round in 0..500u64 {
                // Once in a while what is left is taken, down to small blocks.
                let size = 60_000 >> random.below(12);
                while round % 3 == 0 && ballast.push("b".repeat(size)).is_ok() {}
                let mut guard = object.write().unwrap();
                let before = twin.clone();
                for _ in 0..4 {
                    let failed = crowded_step!(guard, twin, random, round);
                    refused += u64::from(failed);
                    assert!(guard.iter().eq(twin.iter()), "round {round}");
                }
                if random.below(3) == 0 {
                    guard.rollback();
                    twin = before;
                } else {
                    drop(guard);
                }
                assert_eq!(object.to_vec().unwrap(), twin, "round {round}");
                if random.below(10) == 0 {
                    ballast.clear().unwrap();
                    let report = region.check().unwrap();
                    assert!(report.is_clean(), "{report:#?}");
                }
                if twin.len() > 60 {
                    object.clear().unwrap();
                    twin.clear();
                }
            }
            assert!(refused > 50, "only {refused} calls found no room");
        }
    };
}
crowded!(without_room_a_guarded_vector_stays_as_it_was, SharedVec);
crowded!(without_room_a_guarded_queue_stays_as_it_was, SharedVecDeque);
