//! A small region with some of everything, made by the real heap and containers; what is done to it elsewhere.

mod claims;
mod damage;
mod random;

use crate::sys::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::check;
use crate::journal::{Context, HEAD_SIZE, OBJECT_CLASS};
use crate::process::{Actor, Identity, claim_lane};
use crate::raw::{
    BLOCKS_ROOM, ContainerKind, Counter, Deque, Descriptor, Owned, Search, Shape, SlotMut, Table, Tree, TreeLayout,
    Vector, detach, finish, found_channel, hash_bytes, release_blocks,
};
use crate::region::layout::*;
use crate::region::{CreateOptions, Space, create_unnamed};

const ME: Identity = Identity { slot: 0, incarnation: 1, timeout: Duration::from_secs(1) };
const SEED: u64 = 4711;
/// An owner word of an anonymous object.
const SOMEBODY: u64 = 1 << 24 | 1;

const VEC: Shape = Shape { kind: ContainerKind::Vec, text_key: false, key_size: 0, slot_size: 8 };
const STRINGS: Shape = Shape { slot_size: 24, ..VEC };
const BOX: Shape = Shape { kind: ContainerKind::Box, slot_size: 40, ..VEC };
const TEXT: Shape = Shape { kind: ContainerKind::String, slot_size: 1, ..VEC };
const MAP: Shape = Shape { kind: ContainerKind::HashMap, text_key: false, key_size: 8, slot_size: 24 };
const RING: Shape = Shape { kind: ContainerKind::VecDeque, slot_size: 16, ..VEC };
const COUNTER: Shape = Shape { kind: ContainerKind::Counter, ..VEC };
const TREE: Shape = Shape { kind: ContainerKind::BTreeMap, ..MAP };
const CHANNEL: Shape = Shape { kind: ContainerKind::Channel, ..VEC };
const DIRECTORY: Shape = Shape { kind: ContainerKind::HashMap, text_key: true, key_size: 16, slot_size: 24 };

/// A region and the lanes that work on it.
struct World {
    space: Space,
    lanes: [u32; 2],
    /// vector of u64, vector of strings, box, text; anonymous: map from u64 to strings, queue of strings, counter, tree from
    /// u64 to strings, channel
    objects: Vec<u64>,
}

/// What a descriptor says of slots with strings at these places.
fn strings_at(places: &[u32]) -> Vec<u32> {
    places.iter().flat_map(|at| Owned::words(&[Owned::Text { at: *at }])).collect()
}

impl World {
    /// A region in which nothing has happened yet.
    fn empty() -> World {
        let path = std::env::temp_dir().join(format!("commy-check-{}", std::process::id()));
        let space =
            create_unnamed(&path, CreateOptions { capacity: 256 << 20, mode: 0o600, paging: Default::default() })
                .unwrap();
        World { space, lanes: [0, 1], objects: Vec::new() }
    }

    /// A region with a directory and nine objects, in which blocks and runs of many sizes came and went.
    fn full() -> World {
        let mut world = World::empty();
        world.lanes = [0, 1].map(|_| claim_lane(&world.space, ME, 1).unwrap());
        let root = world.act(0, |context| world.create(context, DIRECTORY, &[0], 0));
        assert_eq!(root, world.space.geometry.root_header);
        let shapes = [(VEC, vec![]), (STRINGS, vec![8]), (BOX, vec![24, 8]), (TEXT, vec![]), (MAP, vec![8])];
        let shapes = shapes.into_iter().chain([(RING, vec![0]), (COUNTER, vec![]), (TREE, vec![8]), (CHANNEL, vec![])]);
        for (number, (shape, owned)) in shapes.enumerate() {
            let is_named = number < 4;
            let owner = if is_named { 0 } else { SOMEBODY };
            let name = ["a", "strings of different lengths", "box", "text"].get(number);
            let at = world.act(0, |context| {
                let at = world.create(context, shape, &owned, owner);
                if let Some(name) = name {
                    world.insert_name(context, name.as_bytes(), at);
                }
                at
            });
            world.objects.push(at);
        }
        let [numbers, strings, cell, text, map, ring, counter, tree, channel] = world.objects[..] else {
            unreachable!()
        };
        world.act(3, |context| {
            (0..200).for_each(|number| world.push(context, numbers, |slot, _| slot.put_word(number)));
            for len in [0, 7, 15, 16, 100, 3000, 20_000, 40_000] {
                world.push_string(context, strings, &vec![b'x'; len]);
            }
            world.push(context, cell, |slot, context| {
                slot.zero(40);
                slot.part(24).put_bytes(context, "a text of the box itself".as_bytes()).unwrap();
            });
            for byte in "text with umlauts: äöü".bytes() {
                world.push(context, text, |slot, _| slot.put_byte(byte));
            }
        });
        world.act(0, |context| (0..40).for_each(|key| world.insert(context, map, key, &[b'y'; 30])));
        world.act(0, |context| {
            (0..6).for_each(|len| world.add_back(context, ring, &vec![b'q'; len * 2]));
            world.ring(ring).drop_front(4);
            // The ring of eight begins at number 4 and ends behind its end.
            (0..5).for_each(|len| world.add_back(context, ring, &vec![b'r'; 10 + len * 20]));
            let counter = Counter::new(&world.space, &world.header(counter).raw);
            counter.found(context).unwrap();
            [0, 40].iter().for_each(|lane| counter.make_segment(context, *lane).unwrap());
            found_channel(context, &world.header(channel).raw, 8, 100).unwrap();
        });
        world.act(0, |context| (0..200).for_each(|key| world.insert_in_tree(context, tree, key, &[b't'; 25])));
        // Room is left everywhere: in lists, spans, free runs.
        let scratch: Vec<u64> = world.act(1, |context| {
            let sizes = (1..60).flat_map(|step| [step * 16, step * 700, 5000 * step]);
            sizes.map(|size| context.allocate(size).unwrap()).collect()
        });
        for (number, block) in scratch.iter().enumerate() {
            let step = (number / 3 + 1) as u64;
            let size = [step * 16, step * 700, 5000 * step][number % 3];
            world.act_on(1 - number % 2, 0, true, |context| {
                context.reserve_log(HEAD_SIZE).unwrap();
                context.release(size, *block);
            });
        }
        crate::heap::flush_all(&world.actor(1)).unwrap();
        (10..25).for_each(|key| world.act(0, |context| world.erase(context, map, key, 30)));
        world
    }

    fn actor(&self, lane: usize) -> Actor<'_> {
        Actor::new(&self.space, ME, self.lanes[lane]).unwrap()
    }

    /// One committed context of lane 0.
    fn act<R>(&self, index: usize, work: impl FnOnce(&mut Context) -> R) -> R {
        self.act_on(0, index, true, work)
    }

    fn act_on<R>(&self, lane: usize, index: usize, commit: bool, work: impl FnOnce(&mut Context) -> R) -> R {
        let actor = self.actor(lane);
        // SAFETY: neither the context nor `work`'s result outlives this function, which has the actor and the region.
        let lasting = unsafe { std::mem::transmute::<&Actor<'_>, &'static Actor<'static>>(&actor) };
        let mut context = Context::at_rest(lasting, index);
        context.begin();
        context.reserve_log(HEAD_SIZE).unwrap();
        let result = work(&mut context);
        let has_work = if commit { context.commit() } else { context.roll_back() };
        if has_work.unwrap() {
            finish(&actor, index).unwrap();
        }
        result
    }

    fn header(&self, at: u64) -> &ObjectHeader {
        self.space.get(at).unwrap()
    }

    fn create(&self, context: &mut Context, shape: Shape, owned: &[u32], owner: u64) -> u64 {
        let at = context.allocate_class(OBJECT_CLASS).unwrap();
        let is_tree = shape.kind.is_tree();
        // One unsigned word.
        let order = if is_tree { vec![8 << 8 | 1] } else { Vec::new() };
        let bytes = Descriptor { shape, owned: strings_at(owned), order, text: "a schema: ä".into() }.encode();
        let block = context.allocate(bytes.len() as u64).unwrap();
        let header = self.header(at);
        bytes.iter().zip(block..).for_each(|(byte, at)| self.poke_byte(at, *byte));
        header.raw.shape.put(shape.pack());
        for word in [&header.raw.stamp, &header.raw.data, &header.raw.len, &header.raw.capacity, &header.raw.aux0] {
            word.put(0);
        }
        header.raw.aux1.put(if is_tree { 0 } else { SEED });
        header.owner.put(owner);
        header.descriptor_len.put(bytes.len() as u64);
        header.descriptor.put(block);
        at
    }

    fn push(&self, context: &mut Context, at: u64, put: impl FnOnce(Place, &mut Context)) {
        let raw = &self.header(at).raw;
        let vector = Vector::new(&self.space, raw, raw.shape.peek() >> 32);
        let place = vector.prepare_push(context).unwrap();
        put(Place(place), context);
        vector.publish_push(1);
    }

    fn push_string(&self, context: &mut Context, at: u64, content: &[u8]) {
        self.push(context, at, |slot, context| {
            slot.zero(24);
            slot.part(8).put_bytes(context, content).unwrap();
        });
    }

    /// Empties a container of whatever kind.
    fn empty_out(&self, context: &mut Context, at: u64, owned: &[u32]) {
        detach(context, &self.header(at).raw, &strings_at(owned)).unwrap();
    }

    fn table(&self, at: u64) -> Table<'_> {
        Table::new(&self.space, &self.header(at).raw, 24)
    }

    fn ring(&self, at: u64) -> Deque<'_> {
        Deque::new(&self.space, &self.header(at).raw, 16)
    }

    fn add_back(&self, context: &mut Context, at: u64, content: &[u8]) {
        let ring = self.ring(at);
        ring.next_back(context).unwrap().target().put_bytes(context, content).unwrap();
        ring.publish_back();
    }

    fn add_front(&self, context: &mut Context, at: u64, content: &[u8]) {
        let ring = self.ring(at);
        ring.next_front(context).unwrap().target().put_bytes(context, content).unwrap();
        ring.publish_front();
    }

    /// Takes the first item of the queue of strings.
    fn take_front(&self, context: &mut Context, at: u64) {
        let ring = self.ring(at);
        ring.touch(context).unwrap();
        let parts = ring.place(0).unwrap().owned_blocks(&[Owned::Text { at: 0 }]).unwrap();
        release_blocks(context, &parts).unwrap();
        ring.drop_front(1);
    }

    fn insert(&self, context: &mut Context, at: u64, key: u64, value: &[u8]) {
        let (table, hash) = (self.table(at), hash_bytes(SEED, &key.to_le_bytes()));
        let found = table.claim(context, hash).unwrap();
        let slot = Place(found.slot);
        table.open_slot(context, &found, 0, 24).unwrap();
        slot.put_word(key);
        slot.part(8).put_bytes(context, value).unwrap();
        table.publish(hash, found);
    }

    fn insert_in_tree(&self, context: &mut Context, at: u64, key: u64, value: &[u8]) {
        let tree = Tree::new(&self.space, &self.header(at).raw, TreeLayout::of(&TREE));
        // SAFETY: a key of the tree.
        let compare = |place: *const u8| unsafe { place.cast::<u64>().read() }.cmp(&key);
        let search = tree.find(compare).unwrap();
        let splits =
            matches!(&search, Search::Absent(position) if tree.open_insert(context, position, compare).unwrap());
        context.reserve_log(BLOCKS_ROOM).unwrap();
        let mut slot = [0u64; 2];
        Place(slot.as_mut_ptr().cast()).put_bytes(context, value).unwrap();
        let slots = (std::ptr::from_ref(&key).cast(), slot.as_ptr().cast());
        match search {
            Search::Empty => {
                tree.touch(context).unwrap();
                tree.plant(context, slots).unwrap();
            }
            Search::Absent(position) if splits => {
                tree.insert_with_split(context, &position, compare, &[], slots).unwrap();
            }
            Search::Absent(position) => tree.insert(&position, slots.0, slots.1),
            Search::Found(_) => panic!("the key is there"),
        }
    }

    fn insert_name(&self, context: &mut Context, name: &[u8], object: u64) {
        let (table, hash) = (self.table(self.space.geometry.root_header), hash_bytes(SEED, name));
        let found = table.claim(context, hash).unwrap();
        let slot = Place(found.slot);
        slot.put_bytes(context, name).unwrap();
        slot.part(16).put_word(object);
        table.publish(hash, found);
    }

    /// Takes a key of the map from numbers to strings out, whose value has `len` bytes.
    fn erase(&self, context: &mut Context, at: u64, key: u64, len: u64) {
        let (table, hash) = (self.table(at), hash_bytes(SEED, &key.to_le_bytes()));
        let view = table.view().unwrap().unwrap();
        // SAFETY: a slot of the table.
        let same = |slot: *const u8| unsafe { slot.cast::<u64>().read() == key };
        let found = view.find(hash, same).unwrap();
        table.open_erase(context, &found).unwrap();
        if len > 15 {
            context.reserve_log(HEAD_SIZE).unwrap();
            // SAFETY: as above.
            context.release(len, unsafe { found.slot.add(8).cast::<u64>().read() });
        }
        table.erase(found);
    }

    /// Any word of the file.
    fn word(&self, offset: u64) -> &AtomicU64 {
        let words = std::ptr::from_ref(self.space.words()).cast::<AtomicU64>();
        let index = offset as isize / 8 - HEADER_WORDS_AT as isize / 8;
        // SAFETY: R1: the tests name offsets inside the mapping; atomics only.
        unsafe { &*words.offset(index) }
    }

    fn poke_byte(&self, offset: u64, byte: u8) {
        let (word, shift) = (self.word(offset & !7), offset % 8 * 8);
        word.put(word.peek() & !(0xff << shift) | u64::from(byte) << shift);
    }

    fn byte(&self, offset: u64) -> u8 {
        (self.word(offset & !7).peek() >> (offset % 8 * 8)) as u8
    }

    /// The report must be clean and account for every byte.
    fn assert_clean(&self) {
        let report = check(&self.space);
        assert!(report.is_clean(), "{report}");
        let sum = report.allocated_bytes + report.cached_bytes + report.free_bytes + report.slack_bytes;
        assert_eq!(sum, report.committed_bytes, "{report:?}");
    }
}

/// A place to write at.
#[derive(Clone, Copy)]
struct Place(*mut u8);

impl Place {
    fn slot(self) -> SlotMut {
        // SAFETY: the places above are slots that were just claimed.
        unsafe { SlotMut::new(self.0) }
    }
    fn part(self, bytes: usize) -> Place {
        Place(self.0.wrapping_add(bytes))
    }
    fn put_word(self, word: u64) {
        self.slot().put_word(word);
    }
    fn put_byte(self, byte: u8) {
        self.slot().put_plain(&byte);
    }
    fn put_bytes(self, context: &mut Context, content: &[u8]) -> crate::Result<()> {
        self.slot().put_bytes(context, content)
    }
    fn zero(self, len: usize) {
        self.slot().zero(len);
    }
}

#[test]
fn a_region_without_objects_is_clean() {
    let world = World::empty();
    world.assert_clean();
    let report = check(&world.space);
    assert_eq!((report.objects, report.allocated_bytes, report.free_bytes), (0, 0, UNIT));
}

#[test]
fn a_region_with_everything_is_clean() {
    let world = World::full();
    world.assert_clean();
    let report = check(&world.space);
    assert_eq!(report.objects, 9);
    assert!(report.cached_bytes > 0 && report.free_bytes > 0 && report.to_string().starts_with("clean: 9 objects, "));
    for (object, owned) in world.objects.iter().zip([&[][..], &[8], &[8, 24], &[], &[8], &[0]]) {
        world.act(2, |context| world.empty_out(context, *object, owned));
        world.assert_clean();
    }
}
