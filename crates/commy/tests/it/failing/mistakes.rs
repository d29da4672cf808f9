//! Calls that fail for another reason than memory: a limit, an index, a value that is larger than the region, an object that
//! was removed. They, too, leave everything as it was.

use super::guards::{Act, Call, Guarded, call, try_all};
use super::{Attempt, ENDLESS, fail_everywhere, in_use, refused, same};
use crate::support::scenario::scenario;
use crate::support::temporary::{Temporary, quiet};
use crate::support::world::{World, entries, members, samples};
use commy::{
    Error, Region, Result, SharedBTreeMap, SharedBTreeSet, SharedBox, SharedCounter, SharedGauge, SharedHashMap,
    SharedHashSet, SharedString, SharedVec, SharedVecDeque,
};

type Texts = SharedVec<String>;
type Queue = SharedVecDeque<String>;
type Map = SharedHashMap<String, String>;
type Set = SharedHashSet<String>;
type Tree = SharedBTreeMap<String, String>;
type TreeSet = SharedBTreeSet<String>;

/// Larger than the regions here.
fn huge() -> String {
    "0123456789".repeat(500_000)
}

/// Which error a call is to answer with.
type Expected = fn(&Error) -> bool;

/// A call of a handle that must fail.
struct Mistake {
    name: &'static str,
    make: Attempt<()>,
}

fn mistake<W: World>(
    name: &'static str,
    content: W::Twin,
    expected: Expected,
    operate: fn(&W, &Region) -> Result<()>,
) -> Mistake {
    let make = move |region: &Region| {
        let told = |error: Error| error.to_string();
        let object = W::open(region, "object").map_err(told)?;
        for _ in 0..2 {
            object.fill(&content).map_err(told)?;
        }
        let before = in_use(region)?;
        match operate(&object, region) {
            Err(error) if expected(&error) => {}
            other => return Err(format!("{other:?}")),
        }
        same(&object.look().map_err(told)?, &content, "content")?;
        same(&in_use(region)?, &before, "bytes in use")
    };
    Mistake { name, make: Box::new(make) }
}

/// The same under a guard, which lives on.
fn guarded<W: Guarded>(name: &'static str, content: W::Twin, expected: Expected, act: Act<W>) -> Mistake {
    let make = move |region: &Region| {
        let told = |error: Error| error.to_string();
        let object = W::open(region, "object").map_err(told)?;
        object.fill(&content).map_err(told)?;
        let mut twin = content.clone();
        let mut guard = object.lock().map_err(told)?;
        for stirred in [false, true] {
            if stirred {
                W::stir(&mut guard).map_err(told)?;
                W::stir_twin(&mut twin);
            }
            match act(&mut guard) {
                Err(error) if expected(&error) => {}
                other => return Err(format!("{other:?}")),
            }
            same(&W::look_into(&guard).map_err(told)?, &twin, "in the guard")?;
        }
        W::add(&mut guard).map_err(told)?;
        W::add_twin(&mut twin);
        drop(guard);
        same(&object.look().map_err(told)?, &twin, "content")?;
        in_use(region).map(drop)
    };
    Mistake { name, make: Box::new(make) }
}

fn no_room(error: &Error) -> bool {
    matches!(error, Error::OutOfSpace { .. })
}

fn full(error: &Error) -> bool {
    matches!(error, Error::Full { limit: 6 })
}

fn invalid(error: &Error) -> bool {
    matches!(error, Error::InvalidArgument(_))
}

fn make_all(mistakes: Vec<Mistake>) {
    let mut failures = Vec::new();
    for mistake in &mistakes {
        let temporary = Temporary::new();
        let region = quiet().capacity(2 << 20).create(temporary.region()).expect("a region");
        if let Err(failure) = (mistake.make)(&region) {
            failures.push(format!("{}: {failure:.600}", mistake.name));
        }
    }
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), mistakes.len(), failures.join("\n"));
}

/// Runs `operate` while the queue may hold no more than it does.
fn limited(queue: &Queue, operate: impl FnOnce() -> Result<()>) -> Result<()> {
    queue.set_limit(Some(6))?;
    let result = operate();
    queue.set_limit(None)?;
    result
}

#[rustfmt::skip]
#[test]
fn calls_of_handles() {
    make_all(vec![
        mistake::<Texts>("push", samples(8), no_room, |v, _| v.push(huge())),
        mistake::<Texts>("set", samples(8), no_room, |v, _| v.set(3, huge()).map(drop)),
        mistake::<Texts>("extend", samples(8), no_room, |v, _| v.extend([String::from("a text that needs a block"), huge()])),
        mistake::<Texts>("reserve", samples(8), no_room, |v, _| v.reserve(1 << 30)),
        mistake::<Texts>("reserve all there is", samples(8), |_| true, |v, _| v.reserve(usize::MAX)),
        mistake::<Queue>("push_back", samples(8).into(), no_room, |q, _| q.push_back(huge())),
        mistake::<Queue>("push_front", samples(8).into(), no_room, |q, _| q.push_front(huge())),
        mistake::<Queue>("set an item", samples(8).into(), no_room, |q, _| q.set(3, huge()).map(drop)),
        mistake::<Queue>("insert an item", samples(8).into(), no_room, |q, _| q.insert(3, huge())),
        mistake::<Queue>("insert beyond the end", samples(6).into(), invalid, |q, _| q.insert(7, "x")),
        mistake::<Queue>("extend a queue", samples(8).into(), no_room, |q, _| q.extend([String::from("a text that needs a block"), huge()])),
        mistake::<Queue>("push_back at the limit", samples(6).into(), full, |q, _| limited(q, || q.push_back("x"))),
        mistake::<Queue>("push_front at the limit", samples(6).into(), full, |q, _| limited(q, || q.push_front("x"))),
        mistake::<Queue>("insert at the limit", samples(6).into(), full, |q, _| limited(q, || q.insert(3, "x"))),
        mistake::<Queue>("extend at the limit", samples(5).into(), full, |q, _| limited(q, || q.extend(["x", "y"]))),
        mistake::<Queue>("a limit of nothing", samples(5).into(), invalid, |q, _| q.set_limit(Some(0))),
        mistake::<SharedString>("push_str", "text".into(), no_room, |s, _| s.push_str(&huge())),
        mistake::<SharedString>("set a text", "text".into(), no_room, |s, _| s.set(&huge())),
        mistake::<SharedBox<String>>("set a box", "text".into(), no_room, |b, _| b.set(huge())),
        mistake::<SharedBox<String>>("replace a box", "text".into(), no_room, |b, _| b.replace(huge()).map(drop)),
        mistake::<SharedBox<String>>("update a box", "text".into(), no_room, |b, _| b.update(|text| *text = huge())),
        mistake::<Map>("insert a value", entries(14), no_room, |m, _| m.insert("a key that needs a block", huge()).map(drop)),
        mistake::<Map>("insert a key", entries(14), no_room, |m, _| m.insert(huge(), "a value that needs a block").map(drop)),
        mistake::<Map>("insert over a value", entries(14), no_room, |m, _| m.insert("short 4", huge()).map(drop)),
        mistake::<Map>("extend a map", entries(14), no_room, |m, _| m.extend([("a key that needs a block", "x".to_string()), ("y", huge())])),
        mistake::<Map>("reserve in a map", entries(14), no_room, |m, _| m.reserve(1 << 30)),
        mistake::<Set>("insert a member", members(14), no_room, |s, _| s.insert(huge()).map(drop)),
        mistake::<Set>("replace a member", members(14), no_room, |s, _| s.replace(huge()).map(drop)),
        mistake::<Set>("extend a set", members(14), no_room, |s, _| s.extend(["a key that needs a block".to_string(), huge()])),
        mistake::<Tree>("insert a value into a tree", entries(63), no_room, |m, _| m.insert("a key that needs a block", huge()).map(drop)),
        mistake::<Tree>("insert a key into a tree", entries(63), no_room, |m, _| m.insert(huge(), "a value that needs a block").map(drop)),
        mistake::<Tree>("insert over a value of a tree", entries(63), no_room, |m, _| m.insert("short 4", huge()).map(drop)),
        mistake::<Tree>("extend a tree", entries(63), no_room, |m, _| m.extend([("a key that needs a block", "x".to_string()), ("y", huge())])),
        mistake::<TreeSet>("insert a member into a tree", members(63), no_room, |s, _| s.insert(huge()).map(drop)),
        mistake::<TreeSet>("extend a set of a tree", members(63), no_room, |s, _| s.extend(["a key that needs a block".to_string(), huge()])),
        mistake::<Texts>("a name that is taken", samples(3), |error| matches!(error, Error::AlreadyExists), |_, region| region.create_object::<Queue>("object").map(drop)),
        mistake::<Texts>("a name of another type", samples(3), |error| matches!(error, Error::TypeMismatch { .. }), |_, region| region.object::<Queue>("object").map(drop)),
        mistake::<Texts>("a name that is not there", samples(3), |error| matches!(error, Error::NotFound), |_, region| region.rename_object("other", "third")),
        mistake::<Texts>("removal of nothing", samples(3), |error| matches!(error, Error::NotFound), |_, region| region.remove_object("other")),
        mistake::<(Texts, Map)>("a transaction", (samples(8), entries(14)), no_room, |(v, m), region| region.transaction(|tx| {
            tx.write(v)?.push("a text that needs a block")?;
            tx.write(m)?.insert("a key that needs a block", huge()).map(drop)
        })),
        mistake::<(Texts, Texts)>("a name that both want", (samples(3), samples(4)), |error| matches!(error, Error::AlreadyExists), |_, region| region.rename_object("objecta", "objectb")),
    ]);
}

#[rustfmt::skip]
#[test]
fn calls_under_guards() {
    make_all(vec![
        guarded::<Texts>("push", samples(8), no_room, |v| v.push(huge())),
        guarded::<Texts>("set", samples(8), no_room, |v| v.set(3, huge()).map(drop)),
        guarded::<Texts>("insert", samples(8), no_room, |v| v.insert(3, huge())),
        guarded::<Texts>("insert beyond the end", samples(8), invalid, |v| v.insert(9, "x")),
        guarded::<Texts>("reserve", samples(8), no_room, |v| v.reserve(1 << 30)),
        guarded::<Queue>("push_back", samples(8).into(), no_room, |q| q.push_back(huge())),
        guarded::<Queue>("push_front", samples(8).into(), no_room, |q| q.push_front(huge())),
        guarded::<Queue>("set an item", samples(8).into(), no_room, |q| q.set(3, huge()).map(drop)),
        guarded::<Queue>("insert an item", samples(8).into(), no_room, |q| q.insert(3, huge())),
        guarded::<Queue>("insert an item beyond the end", samples(8).into(), invalid, |q| q.insert(9, "x")),
        guarded::<Queue>("swap beyond the end", samples(8).into(), invalid, |q| q.swap(1, 8)),
        guarded::<Queue>("drain beyond the end", samples(8).into(), invalid, |q| q.drain(4..9).map(drop)),
        guarded::<Queue>("rotate too far", samples(8).into(), invalid, |q| q.rotate_left(9)),
        guarded::<Queue>("a limit", samples(6).into(), full, |q| {
            q.set_limit(Some(6))?;
            let result = q.push_back("x").and_then(|()| q.push_front("y")).and_then(|()| q.insert(2, "z"));
            q.set_limit(None)?;
            result
        }),
        guarded::<SharedString>("push_str", "text".into(), no_room, |s| s.push_str(&huge())),
        guarded::<SharedString>("replace_range", "text".into(), no_room, |s| s.replace_range(1..2, &huge())),
        guarded::<SharedString>("replace_range in a character", "text ß".into(), invalid, |s| { s.push('ß')?; let end = s.len() - 1; let result = s.replace_range(1..end, ""); s.pop()?; result }),
        guarded::<SharedString>("insert_str beyond the end", "text".into(), invalid, |s| s.insert_str(9, "x")),
        guarded::<SharedBox<String>>("set a box", "text".into(), no_room, |b| b.set(huge())),
        guarded::<Map>("insert a value", entries(14), no_room, |m| m.insert("a key that needs a block", huge()).map(drop)),
        guarded::<Map>("insert a key", entries(14), no_room, |m| m.insert(huge(), "a value that needs a block").map(drop)),
        guarded::<Map>("insert over a value", entries(14), no_room, |m| m.insert("short 4", huge()).map(drop)),
        guarded::<Map>("reserve in a map", entries(14), no_room, |m| m.reserve(1 << 30)),
        guarded::<Set>("insert a member", members(14), no_room, |s| s.insert(huge()).map(drop)),
        guarded::<Tree>("insert a value into a tree", entries(63), no_room, |m| m.insert("a key that needs a block", huge()).map(drop)),
        guarded::<Tree>("insert a key into a tree", entries(63), no_room, |m| m.insert(huge(), "a value that needs a block").map(drop)),
        guarded::<Tree>("insert over a value of a tree", entries(63), no_room, |m| m.insert("short 4", huge()).map(drop)),
        guarded::<TreeSet>("insert a member into a tree", members(63), no_room, |s| s.insert(huge()).map(drop)),
    ]);
}

/// A handle of an object that another has removed, and its name given to another one.
#[test]
fn a_handle_of_a_removed_object_changes_nothing() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    macro_rules! gone {
        ($type:ty, $handle:ident => $($call:expr),+ $(,)?) => {
            let $handle: $type = region.object("object").unwrap();
            let _ = World::fill(&$handle, &<$type as World>::Twin::default());
            region.remove_object("object").unwrap();
            // The header that was freed may serve this one.
            let other: SharedVec<u64> = region.object("object").unwrap();
            other.extend(0..5).unwrap();
            let before = in_use(&region).unwrap();
            $(assert!(matches!($call, Err(Error::Removed)), "{}", stringify!($call));)+
            assert!(matches!(region.transaction(|tx| tx.write(&$handle).map(drop)), Err(Error::Removed)));
            assert_eq!(other.to_vec().unwrap(), [0, 1, 2, 3, 4]);
            assert_eq!(in_use(&region).unwrap(), before);
            region.remove_object("object").unwrap();
        };
    }
    gone!(Texts, v => v.push("x"), v.pop().map(drop), v.set(0, "x").map(drop), v.clear(), v.truncate(0), v.extend(["x"]),
        v.reserve(1), v.get(0).map(drop), v.len().map(drop), v.to_vec().map(drop), v.read().map(drop), v.write().map(drop));
    gone!(Queue, q => q.push_back("x"), q.push_front("x"), q.pop_back().map(drop), q.pop_front().map(drop),
        q.pop_front_many(3).map(drop), q.set(0, "x").map(drop), q.insert(0, "x"), q.remove(0).map(drop), q.clear(),
        q.truncate(0), q.extend(["x"]), q.reserve(1), q.set_limit(Some(3)), q.try_push_back("x").map(drop),
        q.try_push_front("x").map(drop), q.to_vec().map(drop), q.contains(&"x".into()).map(drop), q.write().map(drop));
    gone!(SharedString, s => s.push_str("x"), s.push('x'), s.set("x"), s.clear(), s.get().map(drop), s.write().map(drop));
    gone!(SharedBox<String>, b => b.set("x"), b.replace("x").map(drop), b.update(|_| ()), b.get().map(drop),
        b.write().map(drop));
    gone!(Map, m => m.insert("x", "x").map(drop), m.remove("x").map(drop), m.clear(), m.extend([("x", "x")]), m.reserve(1),
        m.get("x").map(drop), m.contains_key("x").map(drop), m.to_map().map(drop), m.write().map(drop));
    gone!(Set, s => s.insert("x").map(drop), s.replace("x").map(drop), s.remove("x").map(drop), s.take("x").map(drop),
        s.clear(), s.extend(["x"]), s.reserve(1), s.contains("x").map(drop), s.to_set().map(drop), s.write().map(drop));
    gone!(Tree, m => m.insert("x", "x").map(drop), m.remove("x").map(drop), m.pop_first().map(drop), m.pop_last().map(drop),
        m.clear(), m.extend([("x", "x")]), m.get("x").map(drop), m.range::<str>(..).map(drop), m.to_map().map(drop),
        m.write().map(drop));
    gone!(TreeSet, s => s.insert("x").map(drop), s.remove("x").map(drop), s.pop_first().map(drop), s.pop_last().map(drop),
        s.clear(), s.extend(["x"]), s.contains("x").map(drop), s.range::<str>(..).map(drop), s.to_set().map(drop),
        s.write().map(drop));
    gone!(SharedCounter, c => c.add(1), c.increment(), c.reset().map(drop), c.get().map(drop), c.write().map(drop));
    gone!(SharedGauge, g => g.add(1).map(drop), g.set(1).map(drop), g.get().map(drop), g.own().map(drop), g.write().map(drop));
}

/// Two guards of one transaction are rolled back together.
#[test]
fn append_without_memory_moves_nothing() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let (a, b): (Tree, Tree) = (region.object("a").unwrap(), region.object("b").unwrap());
    let (twin_a, twin_b) = (entries(62), entries::<String, String>(90));
    for nth in 1..ENDLESS {
        a.fill(&twin_a).unwrap();
        b.fill(&twin_b).unwrap();
        let append = || region.transaction(|tx| tx.write(&a)?.append(&mut *Box::new(tx.write(&b)?)));
        let (was_refused, result) = refused(nth, append);
        in_use(&region).unwrap();
        match result {
            Ok(()) => {
                assert_eq!((a.to_map().unwrap(), b.len().unwrap()), (twin_b, 0));
                assert!(!was_refused && nth > 5);
                return;
            }
            Err(Error::OutOfSpace { .. }) if was_refused => {
                assert_eq!((a.to_map().unwrap(), b.to_map().unwrap()), (twin_a.clone(), twin_b.clone()));
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it never ends");
}

#[test]
fn half_a_call_is_noticed() {
    const TEXT: &str = "a text that needs a block";
    // Two calls that pretend to be one.
    let canary = scenario::<Texts>(
        "canary",
        samples(3),
        |v| v.extend([TEXT.into(), TEXT.into()]),
        |v, _| {
            v.push(TEXT)?;
            v.push(TEXT)
        },
    );
    let failure = fail_everywhere(&canary).unwrap_err();
    assert!(failure.contains("instead of one of"), "{failure}");
    let half: Vec<Call> = vec![call::<Texts>(
        "canary",
        samples(3),
        |v| v.extend([TEXT.into(), TEXT.into()]),
        |v| {
            v.push(TEXT)?;
            v.push(TEXT)
        },
    )];
    let noticed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| try_all(half))).unwrap_err();
    let failure = noticed.downcast::<String>().unwrap();
    assert!(failure.contains("in the guard after the failure"), "{failure}");
}
