//! What trees promise beyond the model: failures that change nothing, reads beside a writer, odd keys.

use crate::seeded::{Random, seed};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedBTreeMap, SharedBTreeSet, SharedVec};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroI16;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

type Wide = [u64; 64];

/// Takes nearly all memory, in pieces from which some can be given back.
fn fill_up(texts: &SharedVec<String>) {
    for len in [30_000, 4000, 2000, 900, 400, 100, 30] {
        while texts.push("f".repeat(len)).is_ok() {}
    }
}

/// Whichever allocation of an operation fails, the tree is as before, and the guard goes on.
#[test]
fn a_failed_operation_changes_nothing() {
    let (temporary, seed) = (Temporary::new(), seed());
    println!("COMMY_SEED={seed}");
    let mut random = Random::new(seed);
    let region = quiet().capacity(8 << 20).create(temporary.region()).unwrap();
    let tree: SharedBTreeMap<String, Wide> = region.object("tree").unwrap();
    let filler: SharedVec<String> = region.object("filler").unwrap();
    let key =
        |number: u64| if number.is_multiple_of(2) { format!("{number}") } else { format!("a long key: {number:>20}") };
    let mut twin: BTreeMap<String, Wide> = (0..300).map(|number| (key(number), [number; 64])).collect();
    tree.extend(twin.clone()).unwrap();
    fill_up(&filler);
    let (mut refused, mut done) = (0, 0);
    for round in 0..400 {
        // Room for some allocations, of one kind or another.
        for _ in 0..random.below(4) {
            let index = random.below(filler.len().unwrap() as u64) as usize;
            filler.set(index, "").unwrap_or_default();
        }
        let mut guard = tree.write().unwrap();
        for _ in 0..1 + random.below(8) {
            let (number, new) = (random.below(4000), random.number());
            let key = key(number);
            let result = match random.below(5) {
                0 if twin.len() > 250 => guard.remove(&key).map(|old| assert_eq!(old, twin.remove(&key))),
                1 if twin.len() > 250 => guard.pop_first().map(|old| assert_eq!(old, twin.pop_first())),
                _ => guard.insert(&key, [new; 64]).map(|old| assert_eq!(old, twin.insert(key.clone(), [new; 64]))),
            };
            match result {
                Ok(()) => done += 1,
                Err(Error::OutOfSpace { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(guard.iter().map(|(key, value)| (key.to_owned(), *value)).eq(twin.clone()), "round {round}");
        drop(guard);
        if round % 16 == 0 {
            assert_eq!(tree.to_map().unwrap(), twin);
            let report = region.check().unwrap();
            assert!(report.is_clean(), "round {round}: {report}");
            fill_up(&filler);
        }
    }
    println!("{refused} refused, {done} done");
    assert!(refused > 20 && done > 200, "{refused} refused, {done} done");
    tree.clear().unwrap();
    filler.clear().unwrap();
    assert!(region.check().unwrap().is_clean());
}

/// Entries come and go in pairs; whoever reads sees pairs, through a mapping that cannot be written as well.
#[test]
fn readers_without_a_lock_see_whole_states() {
    const FAR: u64 = 1 << 32;
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let tree: SharedBTreeMap<u64, String> = region.object("tree").unwrap();
    let text = |number: u64| format!("the text of {number}");
    let done = AtomicBool::new(false);
    let looks = [AtomicU64::new(0), AtomicU64::new(0)];
    std::thread::scope(|scope| {
        for read_only in [false, true] {
            let (done, looks, path) = (&done, &looks[usize::from(read_only)], temporary.region());
            scope.spawn(move || {
                let region = quiet().own_attachment().read_only(read_only).open(path).unwrap();
                let tree: SharedBTreeMap<u64, String> = region.open_object("tree").unwrap();
                while !done.load(Ordering::Relaxed) || looks.load(Ordering::Relaxed) == 0 {
                    let all: Vec<(u64, String)> = tree.range::<u64>(..).unwrap();
                    let (near, far) = all.split_at(all.len() / 2);
                    assert!(near.iter().zip(far).all(|(a, b)| a.0 + FAR == b.0), "half a pair");
                    assert!(all.is_sorted() && all.iter().all(|(key, value)| *value == text(*key % FAR)));
                    if let Some((key, value)) = tree.last_key_value().unwrap() {
                        assert!(key >= FAR && value == text(key % FAR));
                    }
                    if let Some((key, value)) = tree.first_key_value().unwrap() {
                        assert!(key < FAR && value == text(key));
                    }
                    for key in [3, 40, FAR + 41] {
                        assert!(tree.get(&key).unwrap().is_none_or(|value| value == text(key % FAR)));
                    }
                    assert!(tree.to_map().unwrap().len().is_multiple_of(2));
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut random = Random::new(seed());
        let mut rounds = 0;
        // Readers may be slow; they get their looks.
        while rounds < 4000 || looks.iter().any(|looks| looks.load(Ordering::Relaxed) < 20) {
            rounds += 1;
            let mut guard = tree.write().unwrap();
            for _ in 0..random.below(40) {
                let number = random.below(400);
                if guard.len() > 500 || random.below(3) == 0 {
                    assert_eq!(guard.remove(&number).unwrap(), guard.remove(&(FAR + number)).unwrap());
                } else {
                    guard.insert(number, text(number)).unwrap();
                    guard.insert(FAR + number, text(number)).unwrap();
                }
            }
            if random.below(200) == 0 {
                guard.clear().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(region.check().unwrap().is_clean());
}

fn sets_agree<K>(region: &Region, values: &[K])
where
    K: commy::OrderedKey + commy::StoreKey<K> + commy::Lookup<K> + Copy + std::fmt::Debug + 'static,
{
    let set = SharedBTreeSet::<K>::new_in(region).unwrap();
    let twin: BTreeSet<K> = values.iter().copied().collect();
    set.extend(values.iter().copied()).unwrap();
    assert_eq!(set.to_set().unwrap(), twin);
    assert_eq!(set.range::<K>(values[0]..).unwrap_or_default(), twin.range(values[0]..).copied().collect::<Vec<_>>());
    assert!(region.check().unwrap().is_clean(), "{twin:?}");
}

#[test]
fn keys_of_every_kind_are_in_the_order_of_their_type() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    sets_agree(&region, &[false, true]);
    sets_agree(&region, &['z', 'a', '\u{10ffff}', 'é']);
    sets_agree(&region, &[5i8, -5, 0, i8::MIN, i8::MAX]);
    sets_agree(&region, &[1u128 << 100, 0, u128::MAX]);
    sets_agree(&region, &[i128::MIN, -1, 1, i128::MAX]);
    sets_agree(&region, &[NonZeroI16::MIN, NonZeroI16::MAX]);
    sets_agree(&region, &[[0u8; 300], [255; 300], [7; 300]]);
    sets_agree(&region, &[((1u8, -1i64), [true, false]), ((1, -2), [false; 2]), ((0, 9), [true; 2])]);
    sets_agree(&region, &[()]);
    sets_agree(&region, &(0..3000u32).map(|number| number.wrapping_mul(0x9e37_79b9)).collect::<Vec<_>>());
    sets_agree(&region, &(0..2000u16).rev().map(|number| (number % 7, number as u8, number)).collect::<Vec<_>>());
}

#[test]
fn a_range_may_end_before_it_begins() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let tree: SharedBTreeMap<u64, u64> = region.object("tree").unwrap();
    tree.extend((0..1000).map(|number| (number, number))).unwrap();
    let guard = tree.read().unwrap();
    for (from, to) in [(500, 100), (900, 899), (70, 60), (500, 500)] {
        assert_eq!((guard.range(from..to).count(), guard.range(from..to).rev().count()), (0, 0));
        assert!(tree.range(from..to).unwrap().is_empty());
    }
    assert_eq!(guard.range(990..2000).next_back().map(|(key, _)| *key), Some(999));
}

#[test]
fn entries_move_from_one_tree_to_another() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let (a, b): (SharedBTreeMap<u64, String>, SharedBTreeMap<u64, String>) =
        (region.object("a").unwrap(), region.object("b").unwrap());
    a.extend((0..100).map(|number| (number, "from a"))).unwrap();
    b.extend((50..300).map(|number| (number, "from b, in a block"))).unwrap();
    region
        .transaction(|tx| {
            let (mut a, mut b) = (tx.write(&a)?, tx.write(&b)?);
            a.append(&mut b)
        })
        .unwrap();
    assert_eq!((a.len().unwrap(), b.len().unwrap()), (300, 0));
    assert_eq!(
        (a.get(&49).unwrap().as_deref(), a.get(&50).unwrap().as_deref()),
        (Some("from a"), Some("from b, in a block"))
    );
    assert!(region.check().unwrap().is_clean());
}

#[test]
fn a_guard_that_changes_a_tree_again_and_again_logs_each_node_twice_at_most() {
    let temporary = Temporary::new();
    let region = quiet().capacity(8 << 20).create(temporary.region()).unwrap();
    let tree: SharedBTreeMap<u64, u64> = region.object("tree").unwrap();
    tree.extend((0..1000).map(|number| (number, 0))).unwrap();
    let before = region.stats().unwrap();
    let mut random = Random::new(seed());
    let mut guard = tree.write().unwrap();
    // One by one these would fill the region.
    for round in 0..400_000 {
        *guard.try_get_mut(&random.below(1000)).unwrap().unwrap() += 1;
        if round % 100 == 0 {
            guard.remove(&(round / 100 % 1000)).unwrap();
            guard.insert(round / 100 % 1000, 5).unwrap();
        }
    }
    guard.rollback();
    assert!(tree.read().unwrap().values().all(|value| *value == 0));
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(region.stats().unwrap().allocated, before.allocated);
}

#[test]
fn a_tree_tells_what_it_is() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let tree: SharedBTreeMap<u64, String> = region.object("tree").unwrap();
    tree.extend((0..1000).map(|number| (number, "text"))).unwrap();
    region.object::<SharedBTreeSet<i8>>("set").unwrap().extend([-1i8, 1]).unwrap();
    let seen: BTreeMap<String, _> =
        region.objects().unwrap().into_iter().map(|object| (object.name.clone(), object)).collect();
    let (tree, set) = (&seen["tree"], &seen["set"]);
    assert_eq!((tree.kind, tree.schema.as_str(), tree.len), ("SharedBTreeMap", "SharedBTreeMap<u64, String>", 1000));
    assert_eq!((set.kind, set.schema.as_str(), set.len), ("SharedBTreeSet", "SharedBTreeSet<i8>", 2));
    assert!((24_000..48_000).contains(&tree.bytes) && set.bytes == 512, "{} and {} bytes", tree.bytes, set.bytes);
    let other = region.open_object::<SharedBTreeMap<i64, String>>("tree");
    assert!(matches!(other, Err(Error::TypeMismatch { .. })), "{other:?}");
    let other = region.open_object::<SharedBTreeMap<i8, ()>>("set");
    assert!(matches!(other, Err(Error::TypeMismatch { .. })), "{other:?}");
    region.remove_object("tree").unwrap();
    region.remove_object("set").unwrap();
    assert!(region.check().unwrap().is_clean());
}
