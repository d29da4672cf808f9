//! The canary: every rule is broken by hand once, and must be the one that is reported.

use super::*;
use crate::heap::page_kind::{FREE_HEAD, FREE_TAIL, RUN_HEAD, SPAN};

impl World {
    fn raw(&self, number: usize) -> &RawHeader {
        &self.header(self.objects[number]).raw
    }

    fn root(&self) -> &ObjectHeader {
        self.header(self.space.geometry.root_header)
    }

    fn entry(&self, page: u64) -> &PageEntry {
        self.space.page(page).unwrap()
    }

    /// The first page whose entry has this in its low 16 bits, and its value.
    fn find_page(&self, kind_and_class: u64, value: impl Fn(u64) -> bool) -> u64 {
        let is = |word: u64| word & 0xffff == kind_and_class && value(pack::page_value(word));
        (0..self.space.supply().supplied.peek()).find(|page| is(self.entry(*page).a.peek())).unwrap()
    }

    /// A free run of at least two pages, and its length.
    fn free_run(&self) -> (u64, u64) {
        let page = self.find_page(FREE_HEAD, |len| len > 1);
        (page, pack::page_value(self.entry(page).a.peek()))
    }

    fn bin(&self, pages: u64) -> &AtomicU64 {
        &self.space.supply().bins[crate::heap::bin_of(pages)]
    }

    /// The span of a class that its arena lists first.
    fn listed_span(&self, class: usize) -> u64 {
        (0..ARENA_COUNT).find_map(|arena| self.space.arena(arena).partial[class].peek().checked_sub(1)).unwrap()
    }

    fn lane(&self) -> &Lane {
        self.space.lane(0).unwrap()
    }

    fn lane_list(&self) -> &AtomicU64 {
        self.lane().lists.iter().find(|list| pack::list_head(list.peek()) != 0).unwrap()
    }

    /// Offset of the string in slot `index` of the vector of strings.
    fn string(&self, index: u64) -> u64 {
        self.raw(1).data.peek() + index * 24 + 8
    }

    fn set_shape(&self, header: &ObjectHeader, shape: u64) {
        header.raw.shape.put(shape);
        self.word(header.descriptor.peek() + 8).put(shape);
    }

    /// The words of the channel's ends.
    fn ends(&self) -> &ChannelControl {
        self.space.get(self.raw(8).aux0.peek()).unwrap()
    }

    /// Offset of the tree's root, and of its first leaf.
    fn tree_nodes(&self) -> (u64, u64) {
        let root = self.raw(7).data.peek();
        (root, self.word(root + 512).peek())
    }

    /// Offsets of control byte and slot of the table of numbers.
    fn place(&self, (group, index): (u64, u64)) -> (u64, u64) {
        let (controls, number) = (self.raw(4).data.peek(), group * 16 + index);
        (controls + number, controls + self.raw(4).capacity.peek() * 16 + number * 24)
    }

    /// The first place of group `group` whose control byte is, or is not, full.
    fn first(&self, group: u64, full: bool) -> (u64, u64) {
        (0..16)
            .map(|index| self.place((group, index)))
            .find(|(control, _)| (self.byte(*control) < 128) == full)
            .unwrap()
    }

    fn copy_slot(&self, from: (u64, u64), to: (u64, u64), words: u64) {
        self.poke_byte(to.0, self.byte(from.0));
        (0..words).for_each(|word| self.word(to.1 + word * 8).put(self.word(from.1 + word * 8).peek()));
    }
}

/// Adds to a word.
fn add(word: &AtomicU64, value: u64) {
    word.put(word.peek().wrapping_add(value));
}

type Damage = (&'static str, fn(&World));

const HEAP: &[Damage] = &[
    ("the header is damaged", |w| w.poke_byte(70, 1)),
    ("the number of lanes is out of range", |w| w.space.words().lanes_high.put(5000)),
    ("the heap is locked though nobody works", |w| w.space.arena(3).word.put(1)),
    ("the heap is locked though nobody works", |w| w.space.supply().word.put(2)),
    ("the heap has no end", |w| w.space.words().committed_end.put(17)),
    ("more pages are handed out than there are", |w| w.space.supply().supplied.put(1 << 40)),
    ("a page run is of another length than its content", |w| w.word(w.string(7) + 8).put(33_000 | 0x80 << 56)),
    ("an offset points at no block", |w| w.raw(0).data.put(8)),
    ("an offset points at no block", |w| add(&w.raw(0).data, 16)),
    ("an offset points at no block", |w| w.raw(0).data.put(w.space.page_offset(w.free_run().0))),
    ("an offset points at no block", |w| w.raw(0).data.put(u64::MAX)),
    ("an offset points at no block", |w| add(w.word(w.string(7)), PAGE)),
    ("a block is of another class than its place", |w| w.raw(0).capacity.put(1)),
    ("a block is in two places", |w| w.header(w.objects[0]).descriptor.put(w.header(w.objects[3]).descriptor.peek())),
    ("a block is in two places", |w| w.word(w.string(3)).put(pack::list_head(w.lane().lists[0].peek()))),
    ("a block is in two places", |w| w.lane().lists[2].put(pack::list(w.root().descriptor.peek(), 1))),
    ("a block is in two places", |w| {
        let block = pack::list_head(w.lane_list().peek());
        w.word(block).put(block);
    }),
    ("a block is used that was never given out", |w| w.entry(w.listed_span(1) + 2).b.put(pack::pair(1, 1))),
    ("two free runs touch", |w| {
        let (page, len) = w.free_run();
        w.entry(page).a.put(pack::page(FREE_HEAD, 0, 0, 1));
        w.entry(page + 1).a.put(pack::page(FREE_HEAD, 0, 0, len - 1));
        if len > 2 {
            w.entry(page + len - 1).a.put(pack::page(FREE_TAIL, 0, 0, len - 1));
        }
    }),
    ("a free run touches the wilderness", |w| w.space.supply().supplied.put(w.free_run().0 + w.free_run().1)),
    ("pages are neither free nor handed out", |w| w.entry(w.find_page(RUN_HEAD, |_| true)).a.put(0)),
    ("pages are neither free nor handed out", |w| add(&w.entry(w.find_page(RUN_HEAD, |_| true)).a, 1 << 60)),
    ("pages are neither free nor handed out", |w| add(&w.entry(w.listed_span(1)).a, 1 << 32)),
    ("the two ends of a run disagree", |w| w.entry(w.free_run().0 + w.free_run().1 - 1).a.put(0)),
    ("the two ends of a run disagree", |w| add(&w.entry(w.find_page(RUN_HEAD, |len| len > 2)).a, 1 << 24)),
    ("a page does not belong to the span that it lies in", |w| add(&w.entry(w.listed_span(1) + 2).a, 1 << 32)),
    ("a span has given out more blocks than it has", |w| w.entry(w.listed_span(1) + 2).b.put(pack::pair(100_000, 1))),
    ("a bin names a page that begins no free run", |w| w.space.supply().bins[5].put(1)),
    ("a free run is in two places of the bins", |w| w.space.supply().bins[127].put(w.free_run().0 + 1)),
    ("a free run is in two places of the bins", |w| w.entry(w.free_run().0).b.put(w.free_run().0 + 1)),
    ("a free run is in a wrong bin", |w| {
        w.bin(w.free_run().1).put(0);
        w.space.supply().bins[127].put(w.free_run().0 + 1);
    }),
    ("a free run's way back leads elsewhere", |w| add(&w.entry(w.free_run().0).b, 1 << 32)),
    ("a free run is in no bin", |w| w.bin(w.free_run().1).put(0)),
    ("a span's free list leaves the span", |w| w.entry(w.listed_span(1)).b.put(pack::list(w.raw(0).data.peek(), 1))),
    ("a span's free list leaves the span", |w| w.entry(w.listed_span(1)).b.put(u64::MAX)),
    ("a list's count is wrong", |w| {
        let is_span = |entry: &&PageEntry| entry.a.peek() & 0xff == SPAN && pack::page_value(entry.a.peek()) == 0;
        let mut spans = (0..w.space.supply().supplied.peek()).map(|page| w.entry(page)).filter(is_span);
        add(&spans.find(|entry| entry.b.peek() != 0).unwrap().b, 1 << 44);
    }),
    ("a list's count is wrong", |w| add(w.lane_list(), 1 << 44)),
    ("an arena's list names a page that begins no span", |w| w.space.arena(0).partial[5].put(2)),
    ("a span is in two places of the arenas' lists", |w| w.entry(w.listed_span(3) + 1).b.put(w.listed_span(3) + 1)),
    ("a span is in the list of others", |w| w.space.arena(0).partial[0].put(1)),
    ("a span's way back leads elsewhere", |w| add(&w.entry(w.listed_span(3) + 1).b, 1 << 32)),
    ("a header span is in its chain twice", |w| w.entry(3).b.put(1)),
    ("the chain of header spans leads elsewhere", |w| w.space.supply().header_spans.put(1 << 50)),
    ("the chain of header spans leads elsewhere", |w| w.entry(3).b.put(w.listed_span(3) + 1)),
    ("a header span is not in the chain", |w| w.space.supply().header_spans.put(0)),
    ("a span's flag contradicts its arena's list", |w| add(&w.entry(w.listed_span(3) + 2).b, 1 << 32)),
    ("a span without blocks to give is listed", |w| {
        w.entry(w.listed_span(3)).b.put(0);
        w.entry(w.listed_span(3) + 2).b.put(pack::pair(256, 1));
    }),
    ("a span is not listed", |w| (0..ARENA_COUNT).for_each(|arena| w.space.arena(arena).partial[3].put(0))),
    ("a page run belongs to nobody", |w| (0..2).for_each(|word| w.word(w.string(7) + word * 8).put(0))),
    ("blocks belong to nobody", |w| {
        [&w.raw(0).data, &w.raw(0).capacity, &w.raw(0).len].iter().for_each(|word| word.put(0))
    }),
    ("blocks belong to nobody", |w| w.lane_list().put(0)),
    ("blocks belong to nobody", |w| w.lane().contexts[3].first_chunk.put(0)),
    ("a lane is marked as damaged", |w| w.lane().owner.put(pack::owner(0, 1, 4))),
    ("a lane belongs to a slot that does not exist", |w| w.lane().owner.put(pack::owner(5000, 1, 1))),
    ("a lane is not at rest", |w| w.lane().heap.state.put(HEAP_ACTIVE)),
    ("a lane is not at rest", |w| w.lane().heap.held_supply.put(SUPPLY_AT)),
    ("a lane is not at rest", |w| w.lane().inflight.put(1)),
    ("a lane is not at rest", |w| w.lane().contexts[15].state.put(2)),
    ("a list has no class", |w| w.lane().lists[44].put(1)),
    ("a log's chunk does not follow its predecessor", |w| add(w.word(w.lane().contexts[3].first_chunk.peek() + 16), 8)),
    ("a log's chunk does not follow its predecessor", |w| add(w.word(w.lane().contexts[3].first_chunk.peek() + 8), 8)),
];

const OBJECTS: &[Damage] = &[
    ("the directory of names is missing", |w| w.root().descriptor.put(0)),
    ("an object is locked though nobody works", |w| w.root().word.put(2)),
    ("an object is being written though nobody works", |w| w.root().version.put(3)),
    ("a stamp is from the future", |w| w.raw(0).stamp.put(1 << 40)),
    ("a stamp is from the future", |w| w.raw(0).stamp.put(5000 << 48 | 1)),
    ("a block is of another class than its place", |w| add(&w.root().descriptor_len, 16)),
    ("a descriptor is malformed", |w| add(w.word(w.root().descriptor.peek()), 1)),
    ("a descriptor is malformed", |w| add(w.word(w.root().descriptor.peek()), 1 << 40)),
    ("a descriptor contradicts its object", |w| w.raw(0).shape.put(STRINGS.pack())),
    ("a schema is no UTF-8", |w| w.poke_byte(w.root().descriptor.peek() + 24, 0xff)),
    ("a shape is impossible", |w| w.set_shape(w.root(), 9 | 24 << 32)),
    ("a shape is impossible", |w| w.set_shape(w.root(), Shape { key_size: 8, ..DIRECTORY }.pack())),
    ("a descriptor is malformed", |w| w.set_shape(w.root(), Shape { slot_size: 8, ..VEC }.pack())),
    ("a shape is impossible", |w| w.set_shape(w.header(w.objects[3]), Shape { slot_size: 2, ..TEXT }.pack())),
    ("an empty container has a content", |w| w.raw(0).capacity.put(0)),
    ("an empty container has a content", |w| w.raw(0).data.put(0)),
    ("a capacity is impossible", |w| w.raw(0).capacity.put(u64::MAX / 2)),
    ("a capacity is impossible", |w| w.raw(4).capacity.put(3)),
    ("a container is longer than its capacity", |w| w.raw(0).len.put(1 << 40)),
    ("a capacity is impossible", |w| w.raw(5).capacity.put(6)),
    ("a queue begins outside of its ring", |w| {
        w.act(0, |context| w.empty_out(context, w.objects[5], &[0]));
        w.raw(5).aux0.put(1);
    }),
    ("a queue is longer than its ring or begins outside of it", |w| w.raw(5).aux0.put(8)),
    ("a queue is longer than its ring or begins outside of it", |w| w.raw(5).len.put(9)),
    // The seventh item, behind the ring's end.
    ("a string is malformed", |w| w.poke_byte(w.raw(5).data.peek() + 2 * 16 + 15, 0x40)),
    ("blocks belong to nobody", |w| add(&w.raw(5).len, u64::MAX)),
    ("a counter has not one place for each segment", |w| w.raw(6).capacity.put(120)),
    ("a counter's segments are miscounted", |w| add(&w.raw(6).len, 1)),
    ("a block is of another class than its place", |w| w.word(w.raw(6).data.peek()).put(w.root().descriptor.peek())),
    ("a block is in two places", |w| {
        let [first, second] = [0, 2].map(|number| w.word(w.raw(6).data.peek() + number * 8));
        first.put(second.peek());
    }),
    ("a channel has no ring", |w| w.raw(8).len.put(1)),
    ("a capacity is impossible", |w| w.raw(8).capacity.put(96)),
    ("a channel holds more messages than it has slots", |w| w.ends().receiver.count.put(0)),
    ("a role names nobody", |w| w.ends().sender.role.owner.put(u64::MAX)),
    ("a role names nobody", |w| w.ends().receiver.role.owner.put(1 << 16)),
    ("a role names nobody", |w| w.ends().closing.put(700)),
    ("a block is of another class than its place", |w| w.raw(8).aux0.put(w.root().descriptor.peek())),
    ("a text is no UTF-8", |w| w.poke_byte(w.raw(3).data.peek() + 3, 0xff)),
    ("a text is no UTF-8", |w| add(&w.raw(3).len, u64::MAX)),
    ("a string is malformed", |w| w.poke_byte(w.string(1) + 15, 0x40)),
    ("a string is malformed", |w| w.poke_byte(w.string(1) + 14, 1)),
    ("a string is malformed", |w| w.word(w.string(4) + 8).put(15 | 0x80 << 56)),
    ("a table's room is miscounted", |w| add(&w.raw(4).aux0, 1)),
    ("a table's room is miscounted", |w| {
        w.act(0, |context| w.empty_out(context, w.objects[4], &[8]));
        w.raw(4).aux0.put(1);
    }),
    ("a control byte has no meaning", |w| w.poke_byte(w.first(0, false).0, 0x81)),
    ("a table's length is miscounted", |w| add(&w.raw(4).len, 1)),
    ("a control byte contradicts its key", |w| add(w.word(w.first(1, true).1), 1)),
    ("a table has two equal keys", |w| {
        let (from, to) = (w.first(0, true), w.first(0, false));
        w.copy_slot(from, to, 1);
        // The second one's value is the empty string; counts fit.
        (1..3).for_each(|word| w.word(to.1 + word * 8).put(0));
        add(&w.raw(4).len, 1);
        add(&w.raw(4).aux0, u64::MAX);
    }),
    ("a key is where no look-up comes by", |w| {
        w.copy_slot(w.first(0, true), w.first(1, false), 3);
        w.poke_byte(w.first(0, true).0, 0xff);
    }),
    ("keys are too far from their places to check them all", |w| {
        let far = (0..).filter(|key: &u64| hash_bytes(SEED, &key.to_le_bytes()) & 0xff0 == 0).skip(40);
        far.take(3500).for_each(|key| w.act(0, |context| w.insert(context, w.objects[4], key, &[])));
    }),
    ("an empty tree has a content", |w| w.raw(7).capacity.put(0)),
    ("an empty tree has a content", |w| w.raw(7).data.put(0)),
    ("a tree has too many levels", |w| w.raw(7).capacity.put(13)),
    ("a tree's entries, leaves and inner nodes are miscounted", |w| add(&w.raw(7).len, 1)),
    ("a tree's entries, leaves and inner nodes are miscounted", |w| add(&w.raw(7).aux0, 1)),
    ("a tree's entries, leaves and inner nodes are miscounted", |w| add(&w.raw(7).aux1, 1)),
    ("a node is on a wrong level", |w| add(w.word(w.tree_nodes().0 + 8), 1 << 16)),
    ("a node is on a wrong level", |w| add(w.word(w.tree_nodes().1 + 8), 1 << 40)),
    ("a node is too full or too empty", |w| add(w.word(w.tree_nodes().1 + 8), 1)),
    ("a node is too full or too empty", |w| add(w.word(w.tree_nodes().1 + 8), u64::MAX - 49)),
    ("keys of a tree are out of order", |w| w.word(w.tree_nodes().1 + 16).put(5)),
    ("keys of a tree are out of order", |w| w.word(w.tree_nodes().1 + 24).put(0)),
    ("keys of a tree are out of order", |w| w.word(w.tree_nodes().0 + 16).put(20)),
    ("a block is in two places", |w| w.word(w.tree_nodes().0 + 520).put(w.tree_nodes().1)),
    ("a stamp is from the future", |w| w.word(w.tree_nodes().1).put(1 << 40)),
    ("a shape is impossible", |w| add(w.word(w.header(w.objects[7]).descriptor.peek() + 16), 8 << 32)),
    ("the directory is no table from names to objects", |w| {
        w.act(0, |context| w.empty_out(context, w.space.geometry.root_header, &[0]));
        w.set_shape(w.root(), MAP.pack());
    }),
    ("a name is no UTF-8", |w| w.act(0, |context| w.insert_name(context, b"\xff", w.objects[4]))),
    ("a name leads to no named object", |w| w.act(0, |context| w.insert_name(context, b"b", w.objects[4]))),
    ("a name leads to no named object", |w| w.act(0, |context| w.insert_name(context, b"b", 5))),
    ("an object has two names", |w| w.act(0, |context| w.insert_name(context, b"b", w.objects[0]))),
    ("a named object is not in the directory", |w| w.header(w.objects[4]).owner.put(0)),
];

#[test]
fn each_broken_rule_is_named() {
    for (number, (rule, damage)) in HEAP.iter().chain(OBJECTS).enumerate() {
        let world = World::full();
        damage(&world);
        let report = check(&world.space);
        assert!(report.findings.iter().any(|finding| finding.rule == *rule), "{number}: {rule}: {report}");
    }
}

#[test]
fn each_rule_is_broken_once() {
    // Owners and details; and what needs another valid header.
    let others = [
        "the free list of a span",
        "inside a page run",
        "the pages are free",
        "the header has changed since the region was opened",
    ];
    let sources = [
        include_str!("../mod.rs"),
        include_str!("../map.rs"),
        include_str!("../heap.rs"),
        include_str!("../lanes.rs"),
        include_str!("../objects.rs"),
        include_str!("../table.rs"),
        include_str!("../tree.rs"),
    ];
    let lines = sources.iter().flat_map(|source| source.lines()).filter(|line| !line.trim_start().starts_with("//"));
    let texts = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    for text in texts.filter(|text| text.matches(' ').count() >= 3 && !text.contains('{') && !others.contains(text)) {
        assert!(HEAP.iter().chain(OBJECTS).any(|(rule, _)| *rule == text), "{text}");
    }
}
