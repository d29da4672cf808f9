//! Calls under a write guard. One that fails changes nothing, and the guard can be used; or its documentation says that the
//! guard is rolled back then, and so it is. In four settings: in a new guard, in one that has changed and logged much
//! already, in a transaction that fails with the call, and in one that goes on.

use super::{ENDLESS, answer, in_use, refused, same};
use crate::support::killer::Failure;
use crate::support::temporary::{Temporary, quiet};
use crate::support::world::{Mark, Record, Sample, Wide, World, entries, members, samples};
use commy::{
    Container, Entry, Error, Key, Lookup, Region, Result, SharedBox, SharedCounter, SharedGauge, SharedHashMap,
    SharedHashSet, SharedString, SharedVec, SharedVecDeque, Store, StoreKey, Value,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::Hash;

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
    attempt: Box<dyn Fn(&Region) -> std::result::Result<u64, Failure>>,
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
        self.reset()?;
        for nth in 1..ENDLESS {
            let memory = self.reset()?;
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
fn try_few(calls: Vec<Call>) -> u64 {
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

impl<T: Value + Store<T> + Sample> Guarded for SharedVec<T> {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<Vec<T>> {
        guard.to_vec()
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.pop()?;
        guard.push(T::sample(101))?;
        guard.set(0, T::sample(103)).map(drop)
    }

    fn stir_twin(twin: &mut Vec<T>) {
        twin.pop();
        twin.push(T::sample(101));
        twin[0] = T::sample(103);
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.set(0, T::sample(107)).map(drop)
    }

    fn add_twin(twin: &mut Vec<T>) {
        twin.iter_mut().take(1).for_each(|value| *value = T::sample(107));
    }
}

impl<T: Value + Store<T> + Sample> Guarded for SharedVecDeque<T> {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<VecDeque<T>> {
        guard.to_vec().map(VecDeque::from)
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.pop_front()?;
        guard.push_back(T::sample(101))?;
        guard.pop_back()?;
        guard.push_front(T::sample(103))?;
        guard.set(0, T::sample(105)).map(drop)
    }

    fn stir_twin(twin: &mut VecDeque<T>) {
        twin.pop_front();
        twin.push_front(T::sample(105));
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.set(0, T::sample(107)).map(drop)
    }

    fn add_twin(twin: &mut VecDeque<T>) {
        twin.iter_mut().take(1).for_each(|value| *value = T::sample(107));
    }
}

/// A box lends its value in a form that depends on the type.
macro_rules! boxes {
    ($($type:ty, $guard:ident => $own:expr;)*) => {$(
        impl Guarded for SharedBox<$type> {
            fn lock(&self) -> Result<Self::WriteGuard<'_>> {
                self.write()
            }

            fn look_into($guard: &Self::WriteGuard<'_>) -> Result<$type> {
                Ok($own)
            }

            fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
                guard.set(<$type>::sample(101))?;
                guard.set(<$type>::sample(103))
            }

            fn stir_twin(twin: &mut $type) {
                *twin = <$type>::sample(103);
            }

            fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
                let mut value = Self::look_into(guard)?;
                value.mark();
                guard.set(value)
            }

            fn add_twin(twin: &mut $type) {
                twin.mark();
            }
        }
    )*};
}
boxes! {
    u64, guard => *guard.get()?;
    Record, guard => *guard.get()?;
    String, guard => guard.get()?.to_string();
    Option<String>, guard => guard.get()?.map(str::to_string);
}

impl Guarded for SharedString {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<String> {
        Ok(guard.to_string())
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.pop()?;
        guard.push_str("#")?;
        guard.replace_range(0..1, "S")
    }

    fn stir_twin(twin: &mut String) {
        twin.pop();
        twin.push('#');
        twin.replace_range(0..1, "S");
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.replace_range(0..1, "A")
    }

    fn add_twin(twin: &mut String) {
        twin.replace_range(0..1, "A");
    }
}

impl<K, V> Guarded for SharedHashMap<K, V>
where
    K: Key + StoreKey<K> + Lookup<K> + Sample + Ord + Hash,
    V: Value + Store<V> + Sample,
{
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<BTreeMap<K, V>> {
        Ok(guard.to_map()?.into_iter().collect())
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.remove(&K::sample(0))?;
        guard.insert(K::sample(101), V::sample(101))?;
        guard.remove(&K::sample(101))?;
        guard.insert(K::sample(0), V::sample(103)).map(drop)
    }

    fn stir_twin(twin: &mut BTreeMap<K, V>) {
        twin.insert(K::sample(0), V::sample(103));
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.remove(&K::sample(0)).map(drop)
    }

    fn add_twin(twin: &mut BTreeMap<K, V>) {
        twin.remove(&K::sample(0));
    }
}

impl<K: Key + StoreKey<K> + Lookup<K> + Sample + Ord + Hash> Guarded for SharedHashSet<K> {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<BTreeSet<K>> {
        Ok(guard.to_set()?.into_iter().collect())
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.remove(&K::sample(0))?;
        guard.insert(K::sample(101))?;
        guard.remove(&K::sample(101))?;
        guard.insert(K::sample(0)).map(drop)
    }

    fn stir_twin(twin: &mut BTreeSet<K>) {
        twin.insert(K::sample(0));
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.remove(&K::sample(0)).map(drop)
    }

    fn add_twin(twin: &mut BTreeSet<K>) {
        twin.remove(&K::sample(0));
    }
}

#[rustfmt::skip]
fn vectors_of<T: Value + Store<T> + Sample>(kind: &str) -> Vec<Call> {
    type V<T> = SharedVec<T>;
    let name = |call: &str| format!("SharedVec<{kind}>: {call}");
    let (few, full) = (|| samples::<T>(3), || samples::<T>(8));
    vec![
        call::<V<T>>(name("push"), few(), |v| v.push(T::sample(31)), |v| v.push(T::sample(31))),
        call::<V<T>>(name("push with growth"), full(), |v| v.push(T::sample(31)), |v| v.push(T::sample(31))),
        call::<V<T>>(name("pop"), full(), |v| drop(v.pop()), |v| v.pop().map(drop)),
        call::<V<T>>(name("set"), full(), |v| v[1] = T::sample(31), |v| v.set(1, T::sample(31)).map(drop)),
        call::<V<T>>(name("insert"), few(), |v| v.insert(1, T::sample(31)), |v| v.insert(1, T::sample(31))),
        call::<V<T>>(name("insert with growth"), full(), |v| v.insert(1, T::sample(31)), |v| v.insert(1, T::sample(31))),
        call::<V<T>>(name("remove"), full(), |v| drop(v.remove(1)), |v| v.remove(1).map(drop)),
        call::<V<T>>(name("swap_remove"), full(), |v| drop(v.swap_remove(1)), |v| v.swap_remove(1).map(drop)),
        call::<V<T>>(name("truncate"), full(), |v| v.truncate(2), |v| v.truncate(2)),
        call::<V<T>>(name("clear"), full(), Vec::clear, |v| v.clear()),
        call::<V<T>>(name("reserve"), full(), |_| (), |v| v.reserve(50)),
        dooming::<V<T>>(name("truncate many"), samples(600), |v| v.truncate(2), |v| v.truncate(2)),
        dooming::<V<T>>(name("extend"), few(), |v| v.extend(samples(9)), |v| v.extend(samples::<T>(9))),
        dooming::<V<T>>(name("retain"), full(), |v| every_third(|keep| v.retain(|_| keep())), |v| every_third(|keep| v.retain(|_| keep()))),
    ]
}

/// Runs something with a closure that says yes twice and then no.
pub fn every_third<R>(run: impl FnOnce(&mut dyn FnMut() -> bool) -> R) -> R {
    let mut count = 0;
    run(&mut || {
        count += 1;
        count % 3 != 0
    })
}

#[rustfmt::skip]
fn plain_vectors() -> Vec<Call> {
    type V = SharedVec<u64>;
    type W = SharedVec<Wide>;
    vec![
        call::<V>("SharedVec<u64>: get_mut", samples(8), |v| v[5] = 9, |v| { v.get_mut(5)?.into_iter().for_each(|value| *value = 9); Ok(()) }),
        call::<V>("SharedVec<u64>: index", samples(8), |v| v[5] = 9, |v| { v[5] = 9; Ok(()) }),
        call::<V>("SharedVec<u64>: try_as_mut_slice", samples(300), |v| v.reverse(), |v| { v.try_as_mut_slice()?.reverse(); Ok(()) }),
        call::<V>("SharedVec<u64>: sort", samples(300), |v| v.sort_by_key(|value| u64::MAX - value), |v| { v.sort_by_key(|value| u64::MAX - value); Ok(()) }),
        call::<V>("SharedVec<u64>: push with growth of a page run", samples(4608), |v| v.push(1), |v| v.push(1)),
        call::<V>("SharedVec<u64>: insert in front of many", samples(300), |v| v.insert(0, 1), |v| v.insert(0, 1)),
        call::<V>("SharedVec<u64>: remove in front of many", samples(300), |v| assert!(v.remove(0) < 300), |v| v.remove(0).map(drop)),
        call::<W>("SharedVec<[u64; 64]>: set", samples(21), |v| v[3] = Wide::sample(9), |v| v.set(3, Wide::sample(9)).map(drop)),
        call::<W>("SharedVec<[u64; 64]>: remove", samples(21), |v| assert!(v.remove(3)[0] < 300), |v| v.remove(3).map(drop)),
        call::<W>("SharedVec<[u64; 64]>: insert", samples(21), |v| v.insert(3, Wide::sample(9)), |v| v.insert(3, Wide::sample(9))),
    ]
}

#[test]
fn vectors() {
    try_all(vectors_of::<u64>("u64"));
    try_all(vectors_of::<String>("String"));
    try_all(vectors_of::<Option<String>>("Option<String>"));
    try_all(vectors_of::<Vec<u8>>("Vec<u8>"));
    try_all(plain_vectors());
}

#[rustfmt::skip]
fn queues_of<T: Value + Store<T> + Sample>(kind: &str) -> Vec<Call> {
    type Q<T> = SharedVecDeque<T>;
    let name = |call: &str| format!("SharedVecDeque<{kind}>: {call}");
    let (few, full) = (|| VecDeque::from(samples::<T>(6)), || VecDeque::from(samples::<T>(8)));
    vec![
        call::<Q<T>>(name("push_back"), few(), |q| q.push_back(T::sample(31)), |q| q.push_back(T::sample(31))),
        call::<Q<T>>(name("push_front"), few(), |q| q.push_front(T::sample(31)), |q| q.push_front(T::sample(31))),
        call::<Q<T>>(name("push_back with growth"), full(), |q| q.push_back(T::sample(31)), |q| q.push_back(T::sample(31))),
        call::<Q<T>>(name("push_front with growth"), full(), |q| q.push_front(T::sample(31)), |q| q.push_front(T::sample(31))),
        call::<Q<T>>(name("try_push_back"), full(), |q| q.push_back(T::sample(31)), |q| q.try_push_back(T::sample(31)).map(drop)),
        call::<Q<T>>(name("try_push_front"), full(), |q| q.push_front(T::sample(31)), |q| q.try_push_front(T::sample(31)).map(drop)),
        call::<Q<T>>(name("pop_back"), full(), |q| drop(q.pop_back()), |q| q.pop_back().map(drop)),
        call::<Q<T>>(name("pop_front"), full(), |q| drop(q.pop_front()), |q| q.pop_front().map(drop)),
        call::<Q<T>>(name("set"), full(), |q| q[5] = T::sample(31), |q| q.set(5, T::sample(31)).map(drop)),
        call::<Q<T>>(name("insert near the front"), few(), |q| q.insert(2, T::sample(31)), |q| q.insert(2, T::sample(31))),
        call::<Q<T>>(name("insert near the back, with growth"), full(), |q| q.insert(5, T::sample(31)), |q| q.insert(5, T::sample(31))),
        call::<Q<T>>(name("remove near the front"), full(), |q| drop(q.remove(3)), |q| q.remove(3).map(drop)),
        call::<Q<T>>(name("remove near the back"), full(), |q| drop(q.remove(5)), |q| q.remove(5).map(drop)),
        call::<Q<T>>(name("drain"), full(), |q| drop(q.drain(2..5)), |q| q.drain(2..5).map(drop)),
        call::<Q<T>>(name("swap"), full(), |q| q.swap(1, 6), |q| q.swap(1, 6)),
        call::<Q<T>>(name("truncate"), full(), |q| q.truncate(2), |q| q.truncate(2)),
        call::<Q<T>>(name("clear"), full(), VecDeque::clear, |q| q.clear()),
        call::<Q<T>>(name("reserve"), full(), |_| (), |q| q.reserve(50)),
        call::<Q<T>>(name("set_limit"), full(), |_| (), |q| q.set_limit(Some(9)).and_then(|()| q.set_limit(None))),
        dooming::<Q<T>>(name("truncate many"), samples(600).into(), |q| q.truncate(2), |q| q.truncate(2)),
        dooming::<Q<T>>(name("drain many"), samples(600).into(), |q| drop(q.drain(5..595)), |q| q.drain(5..595).map(drop)),
        dooming::<Q<T>>(name("rotate_left"), few(), |q| q.rotate_left(2), |q| q.rotate_left(2)),
        dooming::<Q<T>>(name("rotate_left of a full one"), full(), |q| q.rotate_left(2), |q| q.rotate_left(2)),
        dooming::<Q<T>>(name("rotate_right"), few(), |q| q.rotate_right(2), |q| q.rotate_right(2)),
        dooming::<Q<T>>(name("resize"), few(), |q| q.resize(12, T::sample(31)), |q| q.resize(12, T::sample(31))),
        dooming::<Q<T>>(name("extend"), few(), |q| q.extend(samples::<T>(9)), |q| q.extend(samples::<T>(9))),
        dooming::<Q<T>>(name("retain"), full(), |q| every_third(|keep| q.retain(|_| keep())), |q| every_third(|keep| q.retain(|_| keep()))),
    ]
}

#[rustfmt::skip]
fn plain_queues() -> Vec<Call> {
    type Q = SharedVecDeque<u64>;
    type W = SharedVecDeque<Wide>;
    let many = || VecDeque::from(samples::<u64>(300));
    vec![
        call::<Q>("SharedVecDeque<u64>: get_mut", many(), |q| q[5] = 9, |q| { q.get_mut(5)?.into_iter().for_each(|value| *value = 9); Ok(()) }),
        call::<Q>("SharedVecDeque<u64>: index", many(), |q| q[5] = 9, |q| { q[5] = 9; Ok(()) }),
        call::<Q>("SharedVecDeque<u64>: iter_mut", many(), |q| q.iter_mut().for_each(|value| *value += 9), |q| { q.iter_mut()?.for_each(|value| *value += 9); Ok(()) }),
        call::<Q>("SharedVecDeque<u64>: make_contiguous", many(), |q| q.make_contiguous().reverse(), |q| { q.make_contiguous()?.reverse(); Ok(()) }),
        call::<Q>("SharedVecDeque<u64>: insert in the middle of many", many(), |q| q.insert(140, 9), |q| q.insert(140, 9)),
        call::<Q>("SharedVecDeque<u64>: drain many", many(), |q| drop(q.drain(20..200)), |q| q.drain(20..200).map(drop)),
        call::<W>("SharedVecDeque<[u64; 64]>: insert", samples(15).into(), |q| q.insert(5, Wide::sample(9)), |q| q.insert(5, Wide::sample(9))),
        call::<W>("SharedVecDeque<[u64; 64]>: swap", samples(15).into(), |q| q.swap(1, 11), |q| q.swap(1, 11)),
        dooming::<W>("SharedVecDeque<[u64; 64]>: rotate", samples(15).into(), |q| q.rotate_left(6), |q| q.rotate_left(6)),
    ]
}

#[test]
fn queues() {
    try_all(queues_of::<u64>("u64"));
    try_all(queues_of::<String>("String"));
    try_all(queues_of::<Option<String>>("Option<String>"));
    try_all(plain_queues());
}

#[rustfmt::skip]
fn boxes() -> Vec<Call> {
    const LONG: &str = "a text of its own that needs a block";
    vec![
        call::<SharedBox<u64>>("SharedBox<u64>: set", 1, |b| *b = 9, |b| b.set(9)),
        call::<SharedBox<Record>>("SharedBox<Record>: in place", Record::sample(1), |b| b.weight = 9, |b| { b.weight = 9; Ok(()) }),
        call::<SharedBox<String>>("SharedBox<String>: set", String::sample(1), |b| *b = LONG.into(), |b| b.set(LONG)),
        call::<SharedBox<Option<String>>>("SharedBox<Option<String>>: set", Sample::sample(1), |b| *b = Some(LONG.into()), |b| b.set(Some(LONG))),
        call::<SharedBox<Option<String>>>("SharedBox<Option<String>>: set to nothing", Sample::sample(1), |b| *b = None, |b| b.set(None::<String>)),
        call::<SharedString>("SharedString: push_str", "ab".into(), |s| s.push_str(LONG), |s| s.push_str(LONG)),
        call::<SharedString>("SharedString: push", "0123456789abcdef".into(), |s| s.push('ß'), |s| s.push('ß')),
        call::<SharedString>("SharedString: insert_str", LONG.into(), |s| s.insert_str(3, LONG), |s| s.insert_str(3, LONG)),
        call::<SharedString>("SharedString: replace_range by less", LONG.repeat(100), |s| s.replace_range(3..1700, "x"), |s| s.replace_range(3..1700, "x")),
        call::<SharedString>("SharedString: replace_range by more", LONG.into(), |s| s.replace_range(3..9, &LONG.repeat(200)), |s| s.replace_range(3..9, &LONG.repeat(200))),
        call::<SharedString>("SharedString: truncate", LONG.into(), |s| s.truncate(4), |s| s.truncate(4)),
        call::<SharedString>("SharedString: pop", LONG.into(), |s| assert!(s.pop().is_some()), |s| s.pop().map(drop)),
        call::<SharedString>("SharedString: clear", LONG.into(), |s| s.clear(), |s| s.clear()),
    ]
}

#[test]
fn boxes_and_texts() {
    try_all(boxes());
}

#[rustfmt::skip]
fn maps_of<K, V>(kind: &str) -> Vec<Call>
where
    K: Key + StoreKey<K> + Lookup<K> + Sample + Ord + Hash,
    V: Value + Store<V> + Sample,
{
    type M<K, V> = SharedHashMap<K, V>;
    let name = |call: &str| format!("SharedHashMap<{kind}>: {call}");
    let (few, full) = (|| entries::<K, V>(4), || entries::<K, V>(14));
    vec![
        call::<M<K, V>>(name("insert"), few(), |m| drop(m.insert(K::sample(31), V::sample(31))), |m| m.insert(K::sample(31), V::sample(31)).map(drop)),
        call::<M<K, V>>(name("insert with growth"), full(), |m| drop(m.insert(K::sample(31), V::sample(31))), |m| m.insert(K::sample(31), V::sample(31)).map(drop)),
        call::<M<K, V>>(name("insert with a second growth"), entries(28), |m| drop(m.insert(K::sample(31), V::sample(31))), |m| m.insert(K::sample(31), V::sample(31)).map(drop)),
        call::<M<K, V>>(name("insert over another"), few(), |m| drop(m.insert(K::sample(3), V::sample(31))), |m| m.insert(K::sample(3), V::sample(31)).map(drop)),
        call::<M<K, V>>(name("remove"), full(), |m| drop(m.remove(&K::sample(3))), |m| m.remove(&K::sample(3)).map(drop)),
        call::<M<K, V>>(name("clear"), full(), BTreeMap::clear, |m| m.clear()),
        call::<M<K, V>>(name("reserve"), full(), |_| (), |m| m.reserve(100)),
        dooming::<M<K, V>>(name("extend"), few(), |m| m.extend(entries(20)), |m| m.extend(entries::<K, V>(20))),
        dooming::<M<K, V>>(name("retain"), full(), BTreeMap::clear, |m| m.retain(|_, _| false)),
    ]
}

#[rustfmt::skip]
fn plain_maps() -> Vec<Call> {
    type M = SharedHashMap<u64, u64>;
    type T = SharedHashMap<String, Wide>;
    fn remove(guard: &mut commy::HashMapWriteGuard<'_, u64, u64>) -> Result<()> {
        match guard.entry(7) {
            Entry::Occupied(entry) => entry.remove().map(drop),
            Entry::Vacant(_) => Err(Error::NotFound),
        }
    }
    vec![
        call::<M>("SharedHashMap<u64, u64>: entry, vacant", entries(14), |m| *m.entry(81).or_insert(2) += 5, |m| { *m.entry(81).or_insert(2)? += 5; Ok(()) }),
        call::<M>("SharedHashMap<u64, u64>: entry, occupied", entries(14), |m| *m.entry(7).or_insert(2) += 5, |m| { *m.entry(7).or_insert(2)? += 5; Ok(()) }),
        call::<M>("SharedHashMap<u64, u64>: entry, removed", entries(14), |m| assert!(m.remove(&7).is_some()), remove),
        call::<M>("SharedHashMap<u64, u64>: and_modify", entries(14), |m| { m.entry(7).and_modify(|value| *value = 5); }, |m| m.entry(7).and_modify(|value| *value = 5).map(drop)),
        call::<M>("SharedHashMap<u64, u64>: try_get_mut", entries(14), |m| { m.insert(7, 5); }, |m| { *m.try_get_mut(&7)?.ok_or(Error::NotFound)? = 5; Ok(()) }),
        dooming::<M>("SharedHashMap<u64, u64>: retain", entries(100), |m| m.retain(|key, _| key % 3 == 0), |m| m.retain(|key, _| key % 3 == 0)),
        call::<T>("SharedHashMap<String, [u64; 64]>: insert with growth", entries(14), |m| assert!(m.insert("a key that needs a block".into(), [1; 64]).is_none()), |m| m.insert("a key that needs a block", [1; 64]).map(drop)),
        call::<T>("SharedHashMap<String, [u64; 64]>: entry, vacant", entries(14), |m| m.entry("a key that needs a block".into()).or_insert([1; 64])[0] = 5, |m| { m.entry("a key that needs a block").or_insert([1; 64])?[0] = 5; Ok(()) }),
    ]
}

#[test]
fn maps() {
    try_all(maps_of::<u64, u64>("u64, u64"));
    try_all(maps_of::<String, String>("String, String"));
    try_all(maps_of::<u64, Option<String>>("u64, Option<String>"));
    try_all(maps_of::<String, Vec<u8>>("String, Vec<u8>"));
    try_all(plain_maps());
}

#[rustfmt::skip]
fn sets_of<K: Key + StoreKey<K> + Lookup<K> + Sample + Ord + Hash>(kind: &str) -> Vec<Call> {
    type S<K> = SharedHashSet<K>;
    let name = |call: &str| format!("SharedHashSet<{kind}>: {call}");
    let (few, full) = (|| members::<K>(4), || members::<K>(14));
    vec![
        call::<S<K>>(name("insert"), few(), |s| { s.insert(K::sample(31)); }, |s| s.insert(K::sample(31)).map(drop)),
        call::<S<K>>(name("insert with growth"), full(), |s| { s.insert(K::sample(31)); }, |s| s.insert(K::sample(31)).map(drop)),
        call::<S<K>>(name("replace"), full(), |_| (), |s| s.replace(K::sample(3)).map(drop)),
        call::<S<K>>(name("replace with growth"), full(), |s| { s.insert(K::sample(31)); }, |s| s.replace(K::sample(31)).map(drop)),
        call::<S<K>>(name("remove"), full(), |s| { s.remove(&K::sample(3)); }, |s| s.remove(&K::sample(3)).map(drop)),
        call::<S<K>>(name("take"), full(), |s| { s.remove(&K::sample(3)); }, |s| s.take(&K::sample(3)).map(drop)),
        call::<S<K>>(name("clear"), full(), BTreeSet::clear, |s| s.clear()),
        call::<S<K>>(name("drain"), full(), BTreeSet::clear, |s| s.drain().map(drop)),
        call::<S<K>>(name("reserve"), full(), |_| (), |s| s.reserve(100)),
        dooming::<S<K>>(name("extend"), few(), |s| s.extend(members::<K>(20)), |s| s.extend(members::<K>(20))),
        dooming::<S<K>>(name("retain"), full(), BTreeSet::clear, |s| s.retain(|_| false)),
    ]
}

#[test]
fn sets() {
    try_all(sets_of::<u64>("u64"));
    try_all(sets_of::<String>("String"));
    try_all(sets_of::<Record>("Record"));
}

impl World for SharedCounter {
    type Twin = u64;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &u64) -> Result<()> {
        self.reset()?;
        self.add(*twin)
    }

    fn look(&self) -> Result<u64> {
        self.get()
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.increment())]
    }

    fn mark_twin(twin: &mut u64) {
        *twin += 1;
    }
}

impl Guarded for SharedCounter {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<u64> {
        guard.get()
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.reset().map(drop)
    }

    fn stir_twin(twin: &mut u64) {
        *twin = 0;
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.reset().map(drop)
    }

    fn add_twin(twin: &mut u64) {
        *twin = 0;
    }
}

impl World for SharedGauge {
    type Twin = i64;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &i64) -> Result<()> {
        self.set(*twin).map(drop)
    }

    fn look(&self) -> Result<i64> {
        self.get()
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.add(1).map(drop))]
    }

    fn mark_twin(twin: &mut i64) {
        *twin += 1;
    }
}

impl Guarded for SharedGauge {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    /// No other process contributes here.
    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<i64> {
        guard.get()
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.add(5).map(drop)
    }

    fn stir_twin(twin: &mut i64) {
        *twin += 5;
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.add(7).map(drop)
    }

    fn add_twin(twin: &mut i64) {
        *twin += 7;
    }
}

/// They need no memory but for the first time, which a handle's calls are tried at.
#[test]
fn counters_and_gauges() {
    try_few(vec![
        call::<SharedCounter>("SharedCounter: reset", 5, |counter| *counter = 0, |counter| counter.reset().map(drop)),
        call::<SharedGauge>("SharedGauge: add", 5, |gauge| *gauge += 2, |gauge| gauge.add(2).map(drop)),
    ]);
}
