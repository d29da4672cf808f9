//! Runs a sequence of steps on an object and on its twin, and compares what everybody sees.

use crate::seeded;
use crate::support::temporary::{Temporary, quiet};
use commy::{Container, Error, Region, Result, SharedVec};
use proptest::prelude::*;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A container and the std type that does the same.
pub trait Model: 'static {
    type Handle: Container + 'static;
    type Twin: Clone + Debug + Default;
    type Op: Clone + Debug + 'static;

    fn ops() -> BoxedStrategy<Self::Op>;
    /// What an operation answers, as text.
    fn on_twin(twin: &mut Self::Twin, op: &Self::Op) -> String;
    fn on_handle(handle: &Self::Handle, op: &Self::Op) -> Result<String>;
    fn on_guard(guard: &mut <Self::Handle as Container>::WriteGuard<'_>, op: &Self::Op) -> Result<String>;
    fn roll_back(guard: <Self::Handle as Container>::WriteGuard<'_>);
    fn write(handle: &Self::Handle) -> Result<<Self::Handle as Container>::WriteGuard<'_>>;
    /// Compares what a guard lends.
    fn see_write_guard(guard: &<Self::Handle as Container>::WriteGuard<'_>, twin: &Self::Twin);
    fn see_read_guard(guard: &<Self::Handle as Container>::ReadGuard<'_>, twin: &Self::Twin);
    /// Compares all that a handle can copy out.
    fn see(handle: &Self::Handle, twin: &Self::Twin);
    /// Compares what a read guard of the handle lends.
    fn see_by_guard(handle: &Self::Handle, twin: &Self::Twin);
}

/// How a guard or transaction ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Commit,
    RollBack,
    Panic,
}

#[derive(Clone, Debug)]
pub enum Step<Op> {
    Handle {
        second: bool,
        op: Op,
    },
    Guard {
        second: bool,
        ops: Vec<Op>,
        end: End,
    },
    Transaction {
        second: bool,
        ops: Vec<Op>,
        end: End,
    },
    /// Everybody leaves and comes back.
    Reopen,
}

fn steps<M: Model>() -> impl Strategy<Value = Vec<Step<M::Op>>> {
    let end = prop_oneof![3 => Just(End::Commit), 2 => Just(End::RollBack), 1 => Just(End::Panic)];
    let ops = || prop::collection::vec(M::ops(), 0..12);
    let step = prop_oneof![
        12 => (any::<bool>(), M::ops()).prop_map(|(second, op)| Step::Handle { second, op }),
        6 => (any::<bool>(), ops(), end.clone()).prop_map(|(second, ops, end)| Step::Guard { second, ops, end }),
        4 => (any::<bool>(), ops(), end).prop_map(|(second, ops, end)| Step::Transaction { second, ops, end }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..30)
}

/// One region as three see it: two that write, at two addresses, and one that cannot.
struct Places<M: Model> {
    first: Place<M>,
    second: Place<M>,
    reader: (M::Handle, SharedVec<u64>),
}

struct Place<M: Model> {
    region: Region,
    handle: M::Handle,
    /// Gets an item beside each operation of a guard, committed on its own, and one in each transaction.
    beside: SharedVec<u64>,
}

impl<M: Model> Places<M> {
    fn open(path: &std::path::Path) -> Places<M> {
        let place = |region: Region| Place {
            handle: region.object("object").unwrap(),
            beside: region.object("beside").unwrap(),
            region,
        };
        let first = place(quiet().open_or_create(path).unwrap());
        let second = place(quiet().own_attachment().open(path).unwrap());
        let reader = quiet().read_only(true).open(path).unwrap();
        let reader = (reader.open_object("object").unwrap(), reader.open_object("beside").unwrap());
        Places { first, second, reader }
    }

    fn place(&self, second: bool) -> &Place<M> {
        if second { &self.second } else { &self.first }
    }

    fn see(&self, twin: &M::Twin, beside: &[u64]) {
        for handle in [&self.first.handle, &self.second.handle] {
            M::see(handle, twin);
            M::see_by_guard(handle, twin);
        }
        M::see(&self.reader.0, twin);
        assert_eq!(self.first.beside.to_vec().unwrap(), beside);
        assert_eq!(self.second.beside.len().unwrap(), beside.len());
        assert_eq!(self.reader.1.to_vec().unwrap(), beside);
    }
}

/// Ends a closure as a panic does, without the message of one.
pub fn unwind() -> ! {
    resume_unwind(Box::new("as the test wants it"))
}

fn guard_step<M: Model>(place: &Place<M>, ops: &[M::Op], end: End, twin: &mut M::Twin, beside: &mut Vec<u64>) {
    let mut guard = M::write(&place.handle).unwrap();
    let mut changed = twin.clone();
    for op in ops {
        let answer = M::on_guard(&mut guard, op).unwrap();
        assert_eq!(answer, M::on_twin(&mut changed, op), "{op:?} in a guard");
        M::see_write_guard(&guard, &changed);
        // An operation of the same thread on another object has its own fate.
        place.beside.push(beside.len() as u64).unwrap();
        beside.push(beside.len() as u64);
    }
    match end {
        End::Commit => {
            drop(guard);
            *twin = changed;
        }
        End::RollBack => M::roll_back(guard),
        End::Panic => {
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let _guard = guard;
                unwind()
            }));
            unwound.unwrap_err();
        }
    }
}

fn transaction_step<M: Model>(place: &Place<M>, ops: &[M::Op], end: End, twin: &mut M::Twin, beside: &mut Vec<u64>) {
    let mut changed = twin.clone();
    let body = |tx: &commy::Transaction<'_>| {
        let mut guard = tx.write(&place.handle)?;
        for op in ops {
            assert_eq!(M::on_guard(&mut guard, op)?, M::on_twin(&mut changed, op), "{op:?} in a transaction");
        }
        drop(guard);
        M::see_read_guard(&tx.read(&place.handle)?, &changed);
        tx.write(&place.beside)?.push(beside.len() as u64)?;
        match end {
            End::Commit => Ok(()),
            End::RollBack => Err(Error::NotFound),
            End::Panic => unwind(),
        }
    };
    let ended = catch_unwind(AssertUnwindSafe(|| place.region.transaction(body)));
    match end {
        End::Commit => {
            ended.unwrap().unwrap();
            *twin = changed;
            beside.push(beside.len() as u64);
        }
        End::RollBack => assert!(matches!(ended.unwrap(), Err(Error::NotFound))),
        End::Panic => assert!(ended.is_err()),
    }
}

/// Runs random sequences of steps.
pub fn run<M: Model>(cases: u32) {
    let temporary = Temporary::new();
    // What the directory, the lanes and an empty pair of objects need.
    let empty = |places: &Places<M>| {
        let report = places.first.region.check().unwrap();
        assert!(report.is_clean(), "{report}");
        report.allocated_bytes
    };
    let places = Places::<M>::open(&temporary.region());
    let baseline = empty(&places);
    drop(places);
    seeded::check(cases, &steps::<M>(), |steps| {
        let mut places = Places::<M>::open(&temporary.region());
        let (mut twin, mut beside) = (M::Twin::default(), Vec::new());
        for step in steps {
            match step {
                Step::Handle { second, op } => {
                    let answer = M::on_handle(&places.place(second).handle, &op).unwrap();
                    assert_eq!(answer, M::on_twin(&mut twin, &op), "{op:?}");
                }
                Step::Guard { second, ops, end } => {
                    guard_step::<M>(places.place(second), &ops, end, &mut twin, &mut beside);
                }
                Step::Transaction { second, ops, end } => {
                    transaction_step::<M>(places.place(second), &ops, end, &mut twin, &mut beside);
                }
                Step::Reopen => {
                    drop(places);
                    places = Places::open(&temporary.region());
                }
            }
            places.see(&twin, &beside);
        }
        let report = places.first.region.check().unwrap();
        assert!(report.is_clean(), "{report}");
        for name in ["object", "beside"] {
            places.second.region.remove_object(name).unwrap();
        }
        assert!(places.first.region.objects().unwrap().is_empty());
        drop(places);
        // Nothing of what was made is left.
        assert_eq!(empty(&Places::<M>::open(&temporary.region())), baseline);
    });
}
