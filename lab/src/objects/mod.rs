//! One object of each kind, and questions and changes that try all that they can do.

mod nested;

use commy::{
    Plain, Region, Result, SharedBTreeMap, SharedBTreeSet, SharedBox, SharedChannel, SharedCounter, SharedGauge,
    SharedHashMap, SharedHashSet, SharedString, SharedVec, SharedVecDeque,
};
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Plain)]
#[repr(u8)]
enum Color {
    #[default]
    Red = 1,
    Green = 2,
}

type Colors = SharedVec<(Color, bool)>;

/// One object of each kind, some of them with blocks of their own, page runs and erased entries.
pub fn fill(region: &Region) -> Result<()> {
    region.object::<SharedVec<u64>>("numbers")?.extend(0..600)?;
    region.object::<SharedVec<String>>("texts")?.extend((0..60).map(|n| "text ".repeat(n)))?;
    region
        .object::<SharedVec<Option<String>>>("options")?
        .extend((0..40).map(|n| (n % 3 > 0).then(|| "o".repeat(n))))?;
    region.object::<Colors>("colors")?.extend([(Color::Red, true), (Color::Green, false)])?;
    region.object::<SharedString>("text")?.set(&"ä long text, ".repeat(400))?;
    region.object::<SharedBox<[u32; 5]>>("box")?.set([1, 2, 3, 4, 5])?;
    let map: SharedHashMap<u64, u64> = region.object("map")?;
    map.extend((0..200).map(|n| (n, n * n)))?;
    (0..50).try_for_each(|n| map.remove(&(n * 3)).map(drop))?;
    let names: SharedHashMap<String, String> = region.object("names")?;
    names.extend((0..80).map(|n| (format!("{n:>20}"), "v".repeat(n))))?;
    region
        .object::<SharedHashMap<(u32, u64), Vec<u8>>>("padded")?
        .extend((0..20).map(|n| ((n, 7u64), vec![n as u8; 30])))?;
    let queue: SharedVecDeque<u64> = region.object("queue")?;
    queue.extend(0..100)?;
    queue.pop_front_many(60)?;
    queue.extend(0..70)?;
    let waiting: SharedVecDeque<String> = region.object("waiting")?;
    waiting.extend((0..20).map(|n| "w".repeat(n * 3)))?;
    (0..8).try_for_each(|n| waiting.push_front("f".repeat(n * 5)))?;
    region.object::<SharedHashSet<String>>("set")?.extend((0..40).map(|n| "s".repeat(n)))?;
    region.object::<SharedCounter>("counter")?.add(5)?;
    region.object::<SharedGauge>("gauge")?.add(5)?;
    let ticks = SharedChannel::<u64>::with_capacity(region, "ticks", 32)?;
    (0..40).try_for_each(|n| ticks.send(n).and_then(|()| if n > 20 { ticks.recv().map(drop) } else { Ok(()) }))?;
    let marks: SharedChannel<(Color, bool)> = region.object("marks")?;
    (0..10).try_for_each(|n| marks.send((Color::Green, n % 2 == 0)))?;
    let tree: SharedBTreeMap<u64, u64> = region.object("tree")?;
    tree.extend((0..400).map(|n| (n * 7 % 400, n)))?;
    (0..50).try_for_each(|n| tree.remove(&(n * 3)).map(drop))?;
    let sorted: SharedBTreeMap<String, String> = region.object("sorted")?;
    sorted.extend((0..150).map(|n| (format!("{n:>20}"), "s".repeat(n / 4))))?;
    region.object::<SharedBTreeMap<[u64; 64], bool>>("wide")?.extend((0..130).map(|n| ([n; 64], n % 2 == 0)))?;
    region.object::<SharedBTreeSet<(u8, bool)>>("ranks")?.extend((0..90).map(|n| (n, n % 2 == 0)))?;
    nested::fill(region)?;
    region.object::<SharedVec<u64>>("gone")?.extend(0..5000)?;
    region.remove_object("gone")
}

/// Each asks everything of some of the objects; whatever comes back is fine.
pub const PARTS: [fn(&Region); 8] = [overview, rows, tables, trees, queues, sets_and_counters, nested::exercise, whole];

/// Asks everything of every object; what removes them at the end is left out if they are only read.
pub fn exercise(region: &Region, writable: bool) {
    PARTS.iter().for_each(|part| part(region));
    if writable {
        finish(region);
        let _ = region.check().map(|report| report.to_string());
    }
}

fn overview(region: &Region) {
    let _ = (region.objects(), region.processes(), region.stats());
}

/// Vectors, texts and boxes.
fn rows(region: &Region) {
    let _ = region.open_object::<SharedVec<u64>>("numbers").map(|it| {
        let _ = (it.len(), it.get(0), it.get(300), it.get(usize::MAX), it.to_vec());
        let _ = it.read().map(|guard| (guard.iter().count(), guard.last().copied(), guard.to_vec()));
        let _ = (it.set(3, 1), it.push(1), it.pop(), it.extend(0..50), it.reserve(10), it.truncate(500));
        let _ =
            (it.insert(5, 1), it.remove(9), it.drain(3..20), it.splice(3..9, 0..4), it.replace(1, 5), it.swap(0, 7));
        let _ = (it.sort(), it.reverse(), it.dedup(), it.rotate_left(5), it.retain(|n| n % 3 == 0), it.shrink_to_fit());
        let _ = it.write().map(|mut guard| {
            let _ = (guard.push(1), guard.insert(5, 1), guard.remove(9), guard.swap_remove(2), guard.pop());
            let _ = (guard.get_mut(1).map(drop), guard.try_as_mut_slice().map(drop), guard.retain(|n| n % 2 == 0));
            guard.rollback();
        });
    });
    let _ = region.open_object::<SharedVec<String>>("texts").map(|it| {
        let _ = (it.len(), it.get(0), it.get(50), it.to_vec());
        let _ = it.read().map(|guard| guard.iter().map(str::len).sum::<usize>());
        let _ = (it.set(3, "x".repeat(90)), it.push("another text that has a block"), it.pop(), it.truncate(40));
        let _ = (it.reverse(), it.splice(1..3, ["s"]), it.swap(0, 2), it.fill_with(|| "f"), it.extend_from_within(..2));
        let _ = (it.resize(9, "r"), it.extract_if(2.., |text| text.len() > 20), it.update(1, |text| text.push('u')));
        let _ = it.write().map(|mut guard| {
            let _ = (guard.insert(5, "i"), guard.remove(9), guard.swap_remove(2), guard.retain(|text| text.len() > 20));
        });
    });
    let _ = region.open_object::<SharedVec<Option<String>>>("options").map(|it| {
        let _ =
            (it.get(1), it.to_vec(), it.read().map(|guard| guard.iter().flatten().count()), it.set(1, None::<String>));
        let _ = (it.pop(), it.clear());
    });
    let _ = region.open_object::<Colors>("colors").map(|it| {
        let _ = (it.get(0), it.get(1), it.to_vec(), it.push((Color::Red, false)), it.pop());
        let _ = it.read().map(|guard| guard.iter().filter(|color| color.1).count());
    });
    let _ = region.open_object::<SharedString>("text").map(|it| {
        let _ = (it.len(), it.get(), it.push_str("more"), it.read().map(|guard| guard.chars().count()));
        let _ = it.write().map(|mut guard| (guard.pop(), guard.insert_str(0, "ü"), guard.truncate(2)));
        let _ = (it.set("new"), it.clear());
    });
    let _ = region.open_object::<SharedBox<[u32; 5]>>("box").map(|it| {
        let _ = (
            it.get(),
            it.set([0; 5]),
            it.update(|five| five[0] += 1),
            it.read().map(|guard| guard.get().map(|five| five[1])),
        );
    });
}

/// Maps.
fn tables(region: &Region) {
    let _ = region.open_object::<SharedHashMap<u64, u64>>("map").map(|it| {
        let _ = (it.len(), it.get(&5), it.get(&6), it.contains_key(&100_000), it.to_map());
        let _ = it.read().map(|guard| (guard.iter().count(), guard.get(&7).copied(), guard.to_map()));
        let _ = (it.insert(7, 7), it.insert(100_001, 1), it.remove(&5), it.update(&7, |n| *n += 1), it.reserve(100));
        let _ = it.extend((0..200).map(|n| (n * 1000, n)));
        let _ = it.write().map(|mut guard| {
            let _ = (guard.entry(8).or_insert(1).map(drop), guard.retain(|key, _| key % 2 == 0), guard.remove(&2));
        });
    });
    let _ = region.open_object::<SharedHashMap<String, String>>("names").map(|it| {
        let key = format!("{:>20}", 50);
        let _ = (it.len(), it.get(&key), it.contains_key("missing"), it.to_map());
        let _ = it.read().map(|guard| guard.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>());
        let _ = (it.insert(&key, "w".repeat(50)), it.remove(&key), it.insert("new key that has a block", "x"));
        let _ = it.write().map(|mut guard| guard.retain(|_, value| value.len() > 30));
    });
    let _ = region.open_object::<SharedHashMap<(u32, u64), Vec<u8>>>("padded").map(|it| {
        let _ = (it.get(&(3, 7)), it.insert((99, 7), vec![1; 300]), it.to_map(), it.remove(&(4, 7)), it.clear());
    });
}

/// Ordered maps and sets.
fn trees(region: &Region) {
    let _ = region.open_object::<SharedBTreeMap<u64, u64>>("tree").map(|it| {
        let _ = (it.len(), it.get(&5), it.contains_key(&100_000), it.first_key_value(), it.last_key_value());
        let _ = (it.range(10..50), it.range(200..), it.to_map());
        let _ = it.read().map(|guard| {
            let _ = (guard.iter().count(), guard.iter().rev().count(), guard.range(30..300).count(), guard.to_map());
        });
        let _ = (it.insert(7, 7), it.insert(100_001, 1), it.remove(&5), it.update(&7, |n| *n ^= 1), it.pop_first());
        let _ = it.extend((0..300).map(|n| (n * 10, n)));
        let _ = it.write().map(|mut guard| {
            let _ = (guard.entry(8).or_insert(1).map(drop), guard.retain(|key, _| key % 3 == 0), guard.remove(&3));
            let _ = guard.values_mut().map(|values| values.for_each(|value| *value ^= 1));
            let _ = (0..150).try_for_each(|_| guard.pop_last().map(drop));
        });
    });
    let _ = region.open_object::<SharedBTreeMap<String, String>>("sorted").map(|it| {
        let key = format!("{:>20}", 50);
        let _ = (it.len(), it.get(&key), it.range::<String>(key.clone()..), it.to_map(), it.last_key_value());
        let _ = it.read().map(|guard| guard.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>());
        let _ = (it.insert(&key, "w".repeat(50)), it.remove(&key), it.insert("new key that has a block", "x"));
        let _ = it.write().map(|mut guard| (guard.retain(|_, value| value.len() > 20), guard.split_off(&key)));
    });
    let _ = region.open_object::<SharedBTreeMap<[u64; 64], bool>>("wide").map(|it| {
        let _ = (it.get(&[5; 64]), it.to_map(), it.read().map(|guard| guard.values().filter(|yes| **yes).count()));
        let _ = (0..40).try_for_each(|n| it.insert([n * 5; 64], true).map(drop));
        let _ = (0..80).try_for_each(|_| it.pop_first().map(drop));
    });
    let _ = region.open_object::<SharedBTreeSet<(u8, bool)>>("ranks").map(|it| {
        let _ = (it.contains(&(3, false)), it.to_set(), it.first(), it.read().map(|guard| guard.iter().rev().count()));
        let _ = (it.insert((200, true)), it.remove(&(4, true)), it.pop_last(), it.clear());
    });
}

/// Queues.
fn queues(region: &Region) {
    let moment = Duration::from_micros(50);
    let _ = region.open_object::<SharedVecDeque<u64>>("queue").map(|it| {
        let _ = (it.len(), it.front(), it.back(), it.get(50), it.get(usize::MAX), it.to_vec(), it.contains(&9));
        let _ = it.read().map(|guard| {
            let (first, second) = guard.as_slices();
            let sum = first.iter().chain(second).fold(0, |sum: u64, value| sum.wrapping_add(*value));
            (guard.iter().rev().count(), guard.back().copied(), guard.to_vec(), sum)
        });
        let _ = (it.push_back(1), it.push_front(2), it.pop_front(), it.pop_back(), it.pop_front_wait(moment));
        let _ = (it.insert(20, 1), it.remove(30), it.set(3, 1), it.extend(0..90), it.pop_front_many(50), it.reserve(9));
        let _ = it.wait_changed(it.version().unwrap_or(0), moment);
        let _ = (it.sort(), it.reverse(), it.dedup(), it.splice(3..9, 0..4), it.rotate_left(5), it.shrink_to_fit());
        let _ = (it.swap_remove_back(3), it.fill(7), it.retain(|n| n % 3 == 0), it.binary_search(&7), it.take());
        let _ = it.write().map(|mut guard| {
            let _ = (guard.rotate_left(guard.len() / 3), guard.swap(1, 2), guard.drain(..5), guard.resize(70, 4));
            let _ = (guard.iter_mut().map(drop), guard.retain(|n| n % 2 == 0), guard.make_contiguous().map(drop));
            guard.rollback();
        });
    });
    let _ = region.open_object::<SharedVecDeque<String>>("waiting").map(|it| {
        let _ = (it.len(), it.front(), it.back(), it.get(15), it.to_vec());
        let _ = it.read().map(|guard| guard.iter().map(str::len).sum::<usize>());
        let _ = (it.push_back("x".repeat(90)), it.pop_front(), it.pop_back(), it.insert(5, "i"), it.remove(9));
        let _ = (it.set(3, "y".repeat(90)), it.truncate(12), it.pop_back_wait(moment), it.set_limit(Some(3)));
        let _ = it.write().map(|mut guard| (guard.retain(|text| text.len() > 9), guard.drain(1..3)));
        let _ = (it.reverse(), it.splice(1..3, ["s"]), it.swap(0, 2), it.fill_with(|| "f"), it.extend_from_within(..2));
        let _ = it.clear();
    });
}

/// The set, and what counts.
fn sets_and_counters(region: &Region) {
    let _ = region.open_object::<SharedHashSet<String>>("set").map(|it| {
        let _ = (it.len(), it.contains("sss"), it.get("ssss"), it.to_set(), it.is_subset(&it));
        let _ = it.read().map(|guard| (guard.iter().map(str::len).sum::<usize>(), guard.to_set()));
        let _ = (it.insert("new key that has a block"), it.remove("ss"), it.take(&"s".repeat(30)), it.replace("s"));
        let _ = it.write().map(|mut guard| (guard.retain(|key| key.len() > 20), guard.drain()));
    });
    let _ = region.open_object::<SharedCounter>("counter").map(|it| {
        let _ = (it.get(), it.add(3), it.reset(), it.increment(), it.read().and_then(|guard| guard.get()));
    });
    let _ = region.open_object::<SharedGauge>("gauge").map(|it| (it.get(), it.own(), it.add(3), it.set(1), it.get()));
    let moment = Duration::from_micros(50);
    let _ = region.open_object::<SharedChannel<u64>>("ticks").map(|it| {
        let _ = (it.len(), it.capacity(), it.to_vec(), it.try_send(1), it.try_recv(), it.send_timeout(2, moment));
        let _ = it.sender().map(|mut end| (end.try_send(3), end.try_reserve().map(|place| place.map(|p| p.commit()))));
        let _ = it.receiver().map(|mut end| {
            let _ = (end.peek().map(|message| message.copied()), end.try_recv_ref().map(|message| message.map(|m| *m)));
            (end.drain(), end.recv_timeout(moment))
        });
    });
    let _ = region.open_object::<SharedChannel<(Color, bool)>>("marks").map(|it| {
        let _ = (it.len(), it.to_vec(), it.recv_timeout(moment), it.try_send((Color::Red, true)));
        let _ = it.receiver().map(|mut end| (end.peek().map(|message| message.copied()), end.drain()));
    });
}

/// Calls of maps and sets that look first, and those about all entries.
fn whole(region: &Region) {
    let _ = region.open_object::<SharedHashMap<u64, u64>>("map").map(|it| {
        let _ = (it.get_many([&1, &2, &100_000]), it.get_key_value(&7), it.keys(), it.values(), it.capacity());
        let _ = (it.get_or_insert_with(3, || 4), it.replace_if(&3, 5, |_| true), it.remove_if(&3, |_| true));
        let _ = (it.extract_if(|key, _| key % 5 == 1), it.shrink_to_fit(), it.remove_entry(&8));
        let _ = it.write().map(|mut guard| {
            let _ = guard.iter_mut().map(|entries| entries.for_each(|(_, value)| *value ^= 1));
            let _ = (guard.retain_mut(|key, _| key % 7 != 1), guard.shrink_to_fit(), guard.drain());
        });
    });
    let _ = region.open_object::<SharedHashMap<String, String>>("names").map(|it| {
        let _ = (it.get_many(["missing"]), it.keys(), it.values(), it.insert_if_absent("missing", "value"));
        let _ = (it.update("missing", |value| value.push('!')), it.shrink_to_fit());
        let _ = it.write().map(|mut guard| (guard.extract_if(|key, _| key.len() % 2 == 0), guard.drain()));
    });
    let _ = region.open_object::<SharedHashSet<String>>("set").map(|it| {
        let _ = (it.to_vec(), it.capacity(), it.shrink_to_fit(), it.extract_if(|key| key.len() % 2 == 0));
    });
    let _ = region.open_object::<SharedBTreeMap<u64, u64>>("tree").map(|it| {
        let _ = (it.get_many([&1, &2, &100_000]), it.get_key_value(&7), it.keys(), it.values(), it.to_vec());
        let _ = (it.get_or_insert_with(3, || 4), it.replace_if(&3, 5, |_| true), it.remove_if(&3, |_| true));
        let _ = (it.extract_if(|key, _| key % 5 == 1), it.remove_entry(&8));
        let _ = it.write().map(|mut guard| (guard.retain_mut(|key, _| key % 7 != 1), guard.drain()));
    });
    let _ = region.open_object::<SharedBTreeMap<String, String>>("sorted").map(|it| {
        let _ = (it.get_many(["missing"]), it.keys(), it.values(), it.insert_if_absent("missing", "value"));
        let _ = it.update("missing", |value| value.push('!'));
        let _ = it.write().map(|mut guard| (guard.extract_if(|key, _| key.len() % 2 == 0), guard.drain()));
    });
    let _ = region.open_object::<SharedBTreeSet<(u8, bool)>>("ranks").map(|it| {
        let _ = (it.to_vec(), it.get(&(3, false)), it.take(&(3, false)), it.extract_if(|key| key.0 % 2 == 0));
    });
}

/// Changes several objects together, and takes all of them apart.
pub fn finish(region: &Region) {
    let numbers = region.open_object::<SharedVec<u64>>("numbers");
    let map = region.open_object::<SharedHashMap<u64, u64>>("map");
    if let (Ok(numbers), Ok(map)) = (&numbers, &map) {
        let _ = region.transaction(|tx| {
            tx.write(numbers)?.push(tx.read(map)?.len() as u64)?;
            tx.write(map)?.insert(1, 1).map(drop)
        });
    }
    let _ = region.object::<SharedVec<u64>>("new").map(|it| it.extend(0..2000));
    let _ =
        (SharedVec::<String>::new_in(region).map(|it| it.push("anonymous")), region.rename_object("new", "renamed"));
    let _ = (
        region.open_object::<SharedBTreeMap<u64, u64>>("tree").map(|it| it.clear()),
        region.open_object::<SharedBTreeMap<String, String>>("sorted").map(|it| it.clear()),
    );
    let _ = (
        region.open_object::<SharedVec<String>>("texts").map(|it| it.clear()),
        region.open_object::<SharedHashMap<String, String>>("names").map(|it| it.clear()),
        map.map(|it| it.clear()),
    );
    for name in [
        "numbers", "texts", "options", "colors", "text", "box", "map", "names", "padded", "renamed", "queue",
        "waiting", "set", "counter", "gauge", "ticks", "marks", "tree", "sorted", "wide",
    ]
    .into_iter()
    .chain(nested::NAMES)
    {
        let _ = region.remove_object(name);
    }
}
