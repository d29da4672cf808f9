//! Operations on `SharedBox` and `SharedString`.

use crate::scenario::{Scenario, scenario, silent};
use crate::world::{Record, Sample};
use commy::{SharedBox, SharedString, Store, Value};

pub fn boxes() -> Vec<Scenario> {
    let mut scenarios = boxes_of::<u64>("u64");
    scenarios.extend(boxes_of::<Record>("Record"));
    scenarios.extend(boxes_of::<String>("String"));
    scenarios.push(scenario::<SharedBox<Record>>(
        "SharedBox<Record>: change in place",
        Record::sample(1),
        |b| b.weight = 5,
        |b, _| {
            b.write()?.weight = 5;
            Ok(())
        },
    ));
    scenarios
}

fn boxes_of<T: Value + Store<T> + Default + Sample>(kind: &str) -> Vec<Scenario> {
    let name = |operation: &str| format!("SharedBox<{kind}>: {operation}");
    type One<T> = SharedBox<T>;
    let old = || T::sample(3);
    vec![
        scenario::<One<T>>(name("set"), old(), |b| *b = T::sample(5), |b, _| b.set(T::sample(5))),
        scenario::<One<T>>(name("replace"), old(), |b| *b = T::sample(4), |b, _| b.replace(T::sample(4)).map(drop)),
        scenario::<One<T>>(
            name("update"),
            old(),
            |b| *b = T::sample(7),
            |b, _| b.update(|value| *value = T::sample(7)),
        ),
        scenario::<One<T>>(
            name("guard"),
            old(),
            |b| *b = T::sample(9),
            |b, _| {
                let mut guard = b.write()?;
                guard.set(T::sample(8))?;
                guard.set(T::sample(9))
            },
        ),
        scenario::<One<T>>(
            name("replace_if"),
            old(),
            |b| *b = T::sample(5),
            |b, _| b.replace_if(T::sample(5), |_| true).map(drop),
        ),
        scenario::<One<T>>(
            name("compare_exchange"),
            old(),
            |b| *b = T::sample(5),
            |b, _| b.compare_exchange(&T::sample(3), T::sample(5)).map(drop),
        ),
        scenario::<One<T>>(name("take"), old(), |b| *b = T::default(), |b, _| b.take().map(drop)),
        scenario::<One<T>>(
            name("guard of replace and update"),
            old(),
            |b| *b = T::sample(9),
            |b, _| {
                let mut guard = b.write()?;
                guard.replace(T::sample(7))?;
                guard.update(|value| *value = T::sample(9))
            },
        ),
        silent::<One<T>>(name("guard rolled back"), old(), |b, _| {
            let mut guard = b.write()?;
            guard.set(T::sample(9))?;
            guard.rollback();
            Ok(())
        }),
    ]
}

pub fn strings() -> Vec<Scenario> {
    type Text = SharedString;
    let text = || String::from("between the commits");
    vec![
        scenario::<Text>("SharedString: push_str", "ab".into(), |s| s.push('c'), |s, _| s.push_str("c")),
        scenario::<Text>(
            "SharedString: push_str with growth",
            text(),
            |s| s.push_str(" and the locks of a process that was killed"),
            |s, _| s.push_str(" and the locks of a process that was killed"),
        ),
        scenario::<Text>("SharedString: set", text(), |s| *s = "ä".into(), |s, _| s.set("ä")),
        scenario::<Text>("SharedString: clear", text(), String::clear, |s, _| s.clear()),
        scenario::<Text>(
            "SharedString: replace_range",
            text(),
            |s| s.replace_range(8..11, "all of the"),
            |s, _| s.write()?.replace_range(8..11, "all of the"),
        ),
        scenario::<Text>(
            "SharedString: replace_range of a long text",
            "0123456789".repeat(400),
            |s| s.replace_range(5..3000, "x"),
            |s, _| s.write()?.replace_range(5..3000, "x"),
        ),
        scenario::<Text>(
            "SharedString: guard of many calls",
            text(),
            |s| {
                s.truncate(7);
                s.push('!');
                s.insert_str(0, "in ");
                s.pop();
                s.push_str(" two of them");
            },
            |s, _| {
                let mut guard = s.write()?;
                guard.truncate(7)?;
                guard.push_str("!")?;
                guard.insert_str(0, "in ")?;
                guard.pop()?;
                guard.push_str(" two of them")
            },
        ),
        scenario::<Text>(
            "SharedString: remove",
            text(),
            |s| {
                s.remove(3);
            },
            |s, _| s.remove(3).map(|_| ()),
        ),
        scenario::<Text>(
            "SharedString: insert_str by handle, with growth",
            text(),
            |s| s.insert_str(8, "all of the many "),
            |s, _| s.insert_str(8, "all of the many "),
        ),
        scenario::<Text>("SharedString: drain", text(), |s| drop(s.drain(2..9)), |s, _| s.drain(2..9).map(drop)),
        scenario::<Text>(
            "SharedString: retain",
            text(),
            |s| s.retain(|character| character != 'e'),
            |s, _| s.retain(|character| character != 'e'),
        ),
        scenario::<Text>("SharedString: take", text(), |s| drop(std::mem::take(s)), |s, _| s.take().map(drop)),
        scenario::<Text>(
            "SharedString: update",
            text(),
            |s| s.make_ascii_uppercase(),
            |s, _| s.update(|text| text.make_ascii_uppercase()),
        ),
        silent::<Text>("SharedString: room taken and given back", text(), |s, _| {
            let mut guard = s.write()?;
            guard.reserve(500)?;
            guard.shrink_to_fit()
        }),
        silent::<Text>("SharedString: guard rolled back", text(), |s, _| {
            let mut guard = s.write()?;
            guard.replace_range(0..7, "BEHIND")?;
            guard.clear()?;
            guard.push_str("gone")?;
            guard.rollback();
            Ok(())
        }),
    ]
}
