//! Several objects: transactions, guards side by side, somebody waiting.

use crate::scenario::{Scenario, scenario, silent, steps};
use crate::temporary;
use crate::world::{Sample, Wide, entries, samples};
use commy::{Error, Result, SharedBox, SharedHashMap, SharedString, SharedVec};

pub fn transactions() -> Vec<Scenario> {
    type Pair = (SharedVec<u64>, SharedHashMap<u64, u64>);
    type Texts = (SharedVec<String>, SharedHashMap<String, String>);
    type Three = ((SharedVec<u64>, SharedBox<u64>), SharedString);
    let pair = || (samples(3), entries(4));
    vec![
        scenario::<Pair>(
            "transaction: push and insert",
            pair(),
            |(v, m)| {
                v.push(5);
                m.insert(5, 5);
            },
            |(v, m), region| {
                region.transaction(|tx| {
                    tx.write(v)?.push(5)?;
                    tx.write(m)?.insert(5, 5).map(drop)
                })
            },
        ),
        scenario::<Texts>(
            "transaction: a text from a vector to a map",
            (samples(6), entries(4)),
            |(v, m)| {
                let text = v.pop().unwrap();
                m.insert(text.clone(), text);
                m.remove(&String::sample(1));
            },
            |(v, m), region| {
                region.transaction(|tx| {
                    let text = tx.write(v)?.pop()?.ok_or(Error::NotFound)?;
                    let mut m = tx.write(m)?;
                    m.insert(&text, &text)?;
                    m.remove(&String::sample(1)).map(drop)
                })
            },
        ),
        scenario::<Three>(
            "transaction: three objects",
            ((samples(8), 3), "three".into()),
            |((v, b), s)| {
                v.push(9);
                *b = 4;
                s.push_str(" of them, and a text that grows");
            },
            |((v, b), s), region| {
                region.transaction(|tx| {
                    tx.write(v)?.push(9)?;
                    tx.write(b)?.set(4)?;
                    tx.write(s)?.push_str(" of them, and a text that grows")
                })
            },
        ),
        scenario::<Pair>(
            "transaction: read, then write",
            pair(),
            |(v, m)| {
                let len = v.len() as u64;
                m.insert(len, len);
                v.clear();
            },
            |(v, m), region| {
                region.transaction(|tx| {
                    let len = tx.read(v)?.len() as u64;
                    tx.write(m)?.insert(len, len)?;
                    tx.write(v)?.clear()
                })
            },
        ),
        silent::<Pair>("transaction: fails", pair(), |(v, m), region| {
            let result: Result<()> = region.transaction(|tx| {
                tx.write(v)?.extend(samples::<u64>(9))?;
                tx.write(m)?.clear()?;
                Err(Error::NotFound)
            });
            if matches!(result, Err(Error::NotFound)) { Ok(()) } else { result }
        }),
        scenario::<(SharedVec<Wide>, SharedVec<u64>)>(
            "transaction: a log that spills",
            (samples(6), samples(6)),
            |(wide, numbers)| {
                (0..6).for_each(|index| wide[index][9] = 1);
                numbers.insert(0, 1);
            },
            |(wide, numbers), region| {
                region.transaction(|tx| {
                    let mut wide = tx.write(wide)?;
                    (0..6).for_each(|index| wide[index][9] = 1);
                    tx.write(numbers)?.insert(0, 1)
                })
            },
        ),
    ]
}

/// Several contexts of one lane, reads beside writes, somebody waiting.
pub fn guards() -> Vec<Scenario> {
    type Pair = (SharedVec<u64>, SharedVec<String>);
    let pair = || (samples(8), samples(3));
    vec![
        steps::<Pair>(
            "two guards: the first ends first",
            pair(),
            &[|(a, _)| a.push(1), |(_, b)| b.push("two".into())],
            |(a, b), _| {
                let (mut first, mut second) = (a.write()?, b.write()?);
                first.push(1)?;
                second.push("two")?;
                drop(first);
                drop(second);
                Ok(())
            },
        ),
        steps::<Pair>(
            "two guards: the second ends first",
            pair(),
            &[|(_, b)| b.clear(), |(a, _)| a.push(1)],
            |(a, b), _| {
                let (mut first, mut second) = (a.write()?, b.write()?);
                first.push(1)?;
                second.clear()?;
                drop(second);
                drop(first);
                Ok(())
            },
        ),
        // What the first has allocated comes back to the list on which the blocks of the second already are.
        steps::<(SharedVec<String>, SharedVec<String>)>(
            "two guards: blocks of one size",
            (samples(3), samples(4)),
            &[|(_, b)| b.truncate(1), |(a, _)| a.push(String::sample(5))],
            |(a, b), _| {
                let (mut first, mut second) = (a.write()?, b.write()?);
                first.push(String::sample(5))?;
                second.truncate(1)?;
                drop(second);
                drop(first);
                Ok(())
            },
        ),
        // Above the record of the block that goes lies one of a block that stays.
        steps::<(SharedVec<String>, SharedVec<String>)>(
            "two guards: blocks of one size, the last one fresh",
            (samples(3), samples(4)),
            &[
                |(_, b)| {
                    b.truncate(3);
                    b.push(String::sample(5));
                },
                |(a, _)| a.push(String::sample(5)),
            ],
            |(a, b), _| {
                let (mut first, mut second) = (a.write()?, b.write()?);
                first.push(String::sample(5))?;
                second.truncate(3)?;
                second.push(String::sample(5))?;
                drop(second);
                drop(first);
                Ok(())
            },
        ),
        // So many that they go back in one step.
        steps::<(SharedVec<String>, SharedVec<String>)>(
            "two guards: many blocks of some sizes",
            (samples(3), samples(90)),
            &[|(_, b)| b.truncate(4), |(a, _)| a.extend(samples::<String>(30))],
            |(a, b), _| {
                let (mut first, mut second) = (a.write()?, b.write()?);
                first.extend(samples::<String>(30))?;
                second.truncate(4)?;
                drop(second);
                drop(first);
                Ok(())
            },
        ),
        scenario::<Pair>(
            "two guards: one rolled back",
            pair(),
            |(_, b)| drop(b.pop()),
            |(a, b), _| {
                let (mut first, mut second) = (a.write()?, b.write()?);
                first.push(1)?;
                second.pop()?;
                first.rollback();
                drop(second);
                Ok(())
            },
        ),
        steps::<Pair>(
            "a call beside a guard",
            pair(),
            &[|(_, b)| b.push("a text that needs a block".into()), |(a, _)| a.push(1)],
            |(a, b), _| {
                let mut guard = a.write()?;
                guard.push(1)?;
                b.push("a text that needs a block")?;
                drop(guard);
                Ok(())
            },
        ),
        scenario::<Pair>(
            "a call beside a read",
            pair(),
            |(_, b)| b.push("x".into()),
            |(a, b), _| {
                let guard = a.read()?;
                b.push("x")?;
                assert_eq!(guard.len(), 8);
                Ok(())
            },
        ),
        // Each writes its intent anew.
        steps::<(SharedVec<u64>, SharedVec<u64>)>(
            "a call on one object, one on another, one on the first",
            (samples(3), samples(3)),
            &[|(a, _)| a.push(1), |(_, b)| b.push(2), |(a, _)| a.truncate(3), |(a, _)| a.push(3)],
            |(a, b), _| {
                a.push(1)?;
                b.push(2)?;
                a.pop()?;
                a.push(3)
            },
        ),
        // A guard has written to the log meanwhile.
        steps::<Pair>(
            "a call before and after a guard",
            pair(),
            &[|(a, _)| a.push(1), |(_, b)| b.push("two".into()), |(a, _)| a.push(3)],
            |(a, b), _| {
                a.push(1)?;
                b.write()?.push("two")?;
                a.push(3)
            },
        ),
        steps::<(SharedVec<u64>, SharedHashMap<u64, u64>)>(
            "a call inside another",
            (samples(3), entries(4)),
            &[
                |(v, _)| v.push(9),
                |(_, m)| {
                    m.insert(u64::sample(1), 7);
                },
            ],
            |(v, m), _| {
                let within = m.update(&u64::sample(1), |value| {
                    *value = 7;
                    // The map itself is ours already.
                    assert!(matches!(m.insert(1000, 1), Err(Error::Deadlock)));
                    v.push(9)
                })?;
                within.ok_or(Error::NotFound)?
            },
        ),
        silent::<Pair>("a read beside another", pair(), |(a, b), _| {
            let (first, second, again) = (a.read()?, b.read()?, a.read()?);
            assert_eq!((first.len(), second.len(), again.len()), (8, 3, 8));
            Ok(())
        }),
        scenario::<SharedVec<u64>>("a guard that somebody waits for", samples(3), |v| v.push(7), |v, _| v.push(7))
            .done_by(|path, watch| {
                let region = temporary::open(path)?;
                let vector: SharedVec<u64> = region.object("object")?;
                let mut guard = vector.write()?;
                guard.push(7)?;
                watch.held();
                while !region.processes()?.iter().any(|process| process.waits_for.is_some()) {
                    std::thread::yield_now();
                }
                watch.begin();
                drop(guard);
                watch.end();
                Ok(())
            })
            .with_a_waiter(),
    ]
}
