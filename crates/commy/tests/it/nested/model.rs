//! Ten thousand random operations on nested values beside their std twins: in guards that commit, are rolled back or
//! unwound, seen by another attachment, by a reader who cannot lock, and after everybody has left and come back.

use super::derived::{Event, Job};
use super::grown::Grown;
use crate::model::unwind;
use crate::seeded::{self, Random};
use crate::support::temporary::{Temporary, open_to_read, quiet};
use commy::{Container, Region, Result, SharedBTreeMap, SharedBox, SharedHashMap, SharedVec, SharedVecDeque, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

const OPERATIONS: u32 = 10_000;
/// Operations between two checks.
const BATCH: u32 = 100;

/// A handle whose write guard is what its twin is lent as.
trait Root<V: Grown>: Container {
    fn write(&self) -> Result<V::Mut<'_>>;
    fn roll_back(guard: V::Mut<'_>);
    fn copy(&self) -> Result<V>;
    /// Compares what a read guard lends.
    fn is_lent(&self, twin: &V) -> Result<bool>;
}

macro_rules! root {
    ([$($generics:tt)*] $handle:ty, $value:ty, $copy:ident, |$guard:ident, $twin:ident| $same:expr) => {
        impl<$($generics)*> Root<$value> for $handle {
            fn write(&self) -> Result<<$value as Value>::Mut<'_>> {
                self.write()
            }

            fn roll_back(guard: <$value as Value>::Mut<'_>) {
                guard.rollback();
            }

            fn copy(&self) -> Result<$value> {
                Ok(self.$copy()?.into_iter().collect())
            }

            fn is_lent(&self, $twin: &$value) -> Result<bool> {
                let $guard = self.read()?;
                Ok($guard.len() == $twin.len() && $same)
            }
        }
    };
}
root!([] SharedVec<Event>, Vec<Event>, to_vec, |guard, twin| {
    guard.iter().zip(twin).all(|(lent, twin)| Event::is_lent(lent, twin))
});
root!([] SharedVecDeque<Job>, VecDeque<Job>, to_vec, |guard, twin| {
    guard.iter().zip(twin).all(|(lent, twin)| Job::is_lent(lent, twin))
});
root!([V: Grown] SharedHashMap<String, V>, HashMap<String, V>, to_map, |guard, twin| {
    twin.iter().all(|(key, value)| guard.get(key).is_some_and(|lent| V::is_lent(lent, value)))
});
root!([V: Grown] SharedBTreeMap<(u32, u64), V>, BTreeMap<(u32, u64), V>, to_map, |guard, twin| {
    guard.iter().zip(twin).all(|((key, value), (a, b))| key == a && V::is_lent(value, b))
});

fn open<H: Container>(region: &Region) -> H {
    region.object("object").expect("the object")
}

fn run<V: Grown, H: Root<V>>() -> Result<()> {
    let seed = seeded::seed();
    println!("COMMY_SEED={seed}");
    let mut random = Random::new(seed);
    let temporary = Temporary::new();
    let path = temporary.region();
    let (mut region, mut second) = (quiet().create(&path)?, quiet().own_attachment().open(&path)?);
    let at_first = {
        open::<H>(&region);
        region.check()?.allocated_bytes
    };
    let mut twin = V::default();
    let mut done = 0;
    while done < seeded::thorough(OPERATIONS) {
        let handle: H = open(if random.below(2) == 0 { &region } else { &second });
        let mut changed = twin.clone();
        let mut guard = handle.write()?;
        for _ in 0..1 + random.below(25) {
            V::change(&mut guard, &mut changed, &mut random)?;
            done += 1;
        }
        match random.below(8) {
            0 => H::roll_back(guard),
            1 => {
                let unwound = catch_unwind(AssertUnwindSafe(|| {
                    let _guard = guard;
                    unwind()
                }));
                unwound.unwrap_err();
            }
            _ => {
                drop(guard);
                twin = changed;
            }
        }
        if random.below(u64::from(BATCH) / 12) == 0 {
            for region in [&region, &second, &open_to_read(&path)?] {
                assert_eq!(open::<H>(region).copy()?, twin, "seed {seed}, after {done} operations");
            }
            assert!(open::<H>(&second).is_lent(&twin)?, "seed {seed}, after {done} operations");
            let report = region.check()?;
            assert!(report.is_clean(), "seed {seed}, after {done} operations: {report}");
        }
        if random.below(100) == 0 {
            drop((handle, region, second));
            region = quiet().open(&path)?;
            second = quiet().own_attachment().open(&path)?;
        }
    }
    region.remove_object("object")?;
    open::<H>(&region);
    let report = region.check()?;
    assert!(report.is_clean(), "seed {seed}: {report}");
    assert_eq!(report.allocated_bytes, at_first, "seed {seed}");
    Ok(())
}

#[test]
fn vectors_of_enums_do_what_their_twins_do() -> Result<()> {
    run::<Vec<Event>, SharedVec<Event>>()
}

#[test]
fn queues_of_structs_do_what_their_twins_do() -> Result<()> {
    run::<VecDeque<Job>, SharedVecDeque<Job>>()
}

#[test]
fn tables_of_vectors_of_strings_do_what_their_twins_do() -> Result<()> {
    run::<HashMap<String, Vec<String>>, SharedHashMap<String, Vec<String>>>()
}

#[test]
fn tables_of_tables_do_what_their_twins_do() -> Result<()> {
    run::<HashMap<String, HashMap<String, i64>>, SharedHashMap<String, HashMap<String, i64>>>()
}

#[test]
fn tables_of_sets_do_what_their_twins_do() -> Result<()> {
    run::<HashMap<String, HashSet<String>>, SharedHashMap<String, HashSet<String>>>()
}

#[test]
fn trees_of_trees_do_what_their_twins_do() -> Result<()> {
    type Inner = BTreeMap<String, VecDeque<Vec<u64>>>;
    run::<BTreeMap<(u32, u64), Inner>, SharedBTreeMap<(u32, u64), Inner>>()
}

#[test]
fn trees_of_options_of_sets_do_what_their_twins_do() -> Result<()> {
    type Inner = Option<BTreeSet<String>>;
    run::<BTreeMap<(u32, u64), Inner>, SharedBTreeMap<(u32, u64), Inner>>()
}

/// A box has no guard of its value's kind: it lends it.
#[test]
fn boxes_of_structs_do_what_their_twins_do() -> Result<()> {
    let seed = seeded::seed();
    println!("COMMY_SEED={seed}");
    let (mut random, temporary) = (Random::new(seed), Temporary::new());
    let region = quiet().create(temporary.region())?;
    let cell: SharedBox<Job> = region.object("object")?;
    let mut twin = Job::default();
    for _ in 0..500 {
        let mut changed = twin.clone();
        let mut guard = cell.write()?;
        for _ in 0..1 + random.below(8) {
            Job::change(&mut guard.get_mut()?, &mut changed, &mut random)?;
        }
        assert!(Job::is_lent(guard.get()?, &changed), "seed {seed}");
        if random.below(4) == 0 {
            guard.rollback();
        } else {
            drop(guard);
            twin = changed;
        }
        assert_eq!(cell.get()?, twin, "seed {seed}");
    }
    assert!(region.check()?.is_clean(), "seed {seed}");
    Ok(())
}
