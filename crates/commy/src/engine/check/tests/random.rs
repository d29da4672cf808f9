//! Random work leaves a clean region; random bytes never stop the check.

use std::collections::BTreeMap;

use super::*;

/// Xorshift; its seed is printed, and taken from `COMMY_SEED` if that is set.
struct Random(u64);

impl Random {
    fn new() -> Random {
        let given = std::env::var("COMMY_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(crate::sys::random_u64) | 1;
        println!("COMMY_SEED={seed}");
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 8) % limit
    }

    /// Mostly short, sometimes longer than a block.
    fn len(&mut self) -> u64 {
        let power = self.below(17);
        self.below(1 << power)
    }
}

#[test]
fn random_work_keeps_a_region_clean() {
    let mut random = Random::new();
    let world = World::full();
    let [numbers, strings, _, _, map, ring, _, ..] = world.objects[..] else { unreachable!() };
    let mut twin: BTreeMap<u64, u64> = (0..10).chain(25..40).map(|key| (key, 30)).collect();
    for round in 0..600 {
        let (lane, index, commit) = (random.below(2) as usize, random.below(4) as usize, random.below(3) != 0);
        let mut after = twin.clone();
        world.act_on(lane, index, commit, |context| match random.below(8) {
            0 if world.header(numbers).raw.len.peek() > 50_000 => world.empty_out(context, numbers, &[]),
            0 => (0..random.len()).for_each(|number| world.push(context, numbers, |slot, _| slot.put_word(number))),
            1 => (0..20).for_each(|_| world.push_string(context, strings, &vec![b'z'; random.len() as usize])),
            2 if random.below(2) == 0 => world.empty_out(context, strings, &[8]),
            3 if random.below(3) == 0 => {
                world.empty_out(context, map, &[8]);
                after.clear();
            }
            6 if world.header(ring).raw.len.peek() > 3000 => world.empty_out(context, ring, &[0]),
            6 => {
                for _ in 0..random.below(60) {
                    match random.below(5) {
                        0 | 1 => world.add_back(context, ring, &vec![b's'; random.len() as usize % 500]),
                        2 => world.add_front(context, ring, &vec![b't'; random.len() as usize % 500]),
                        _ if world.header(ring).raw.len.peek() > 0 => world.take_front(context, ring),
                        _ => {}
                    }
                }
            }
            4 | 5 => {
                let from = after.keys().copied().filter(|_| random.below(3) != 0).collect::<Vec<_>>();
                for key in from {
                    world.erase(context, map, key, after.remove(&key).unwrap());
                }
            }
            _ => {
                for _ in 0..random.below(100) {
                    let (key, len) = (random.below(1000), random.len());
                    if after.insert(key, len).is_none() {
                        world.insert(context, map, key, &vec![b'v'; len as usize]);
                    } else {
                        world.erase(context, map, key, twin_len(&world, map, key));
                        world.insert(context, map, key, &vec![b'v'; len as usize]);
                    }
                }
            }
        });
        if commit {
            twin = after;
        }
        if round % 5 == 0 {
            world.assert_clean();
            assert_eq!(world.header(map).raw.len.peek(), twin.len() as u64);
        }
    }
    world.assert_clean();
    for lane in 0..2 {
        crate::heap::flush_all(&world.actor(lane)).unwrap();
    }
    world.assert_clean();
}

/// Length of the value that a key has now.
fn twin_len(world: &World, map: u64, key: u64) -> u64 {
    let view = world.table(map).view().unwrap().unwrap();
    // SAFETY: a slot of the table.
    let same = |slot: *const u8| unsafe { slot.cast::<u64>().read() == key };
    let found = view.find(hash_bytes(SEED, &key.to_le_bytes()), same).unwrap();
    // SAFETY: as above.
    let word = unsafe { found.slot.add(16).cast::<u64>().read() };
    if word >> 56 == 0x80 { word & !(0xff << 56) } else { word >> 56 }
}

#[test]
fn any_bytes_end_in_a_report() {
    let mut random = Random::new();
    let world = World::full();
    let geometry = world.space.geometry;
    let supplied = world.space.supply().supplied.peek();
    // Where metadata lies; of the heap, headers and the blocks after them.
    let areas = [
        (0, 256),
        (ARENAS_AT, SLOTS_AT),
        (geometry.lanes_at, geometry.lanes_at + 3 * PAGE),
        (geometry.page_map_at, geometry.page_map_at + (supplied + 4) * 16),
        (geometry.page_map_at, geometry.page_map_at + 400 * 16),
        (geometry.heap_at, geometry.heap_at + 20 * OBJECT_SIZE),
        (geometry.heap_at, geometry.heap_at + 400 * PAGE),
        (geometry.heap_at, geometry.heap_at + supplied * PAGE),
    ];
    let mut damaged = 0;
    for round in 0..2000 {
        let mut undo = Vec::new();
        for _ in 0..if round % 20 == 0 { 500 } else { 1 + random.below(8) } {
            let (start, end) = areas[random.below(areas.len() as u64) as usize];
            let mut at = || (start + random.below(end - start)) & !7;
            let (place, other) = (world.word(at()), world.word(at()).peek());
            undo.push((place, place.peek()));
            let heap = geometry.heap_at;
            place.put(match random.below(9) {
                0..3 => place.peek() ^ 1 << random.below(64),
                3 => random.next(),
                4 => random.next() >> random.below(64),
                5 => other,
                6 => heap + random.below(400 * PAGE / 16) * 16,
                7 => pack::list(heap + random.below(400 * PAGE / 16) * 16, random.below(100)),
                _ => [0, u64::MAX, 1 << 63, 1 << 48][random.below(4) as usize],
            });
        }
        let report = check(&world.space);
        damaged += u64::from(!report.is_clean());
        assert!(report.to_string().lines().count() <= 50, "round {round}");
        undo.iter().rev().for_each(|(place, old)| place.put(*old));
    }
    assert!(damaged > 500, "{damaged}");
    world.assert_clean();
}
