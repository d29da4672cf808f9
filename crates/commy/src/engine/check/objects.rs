//! Objects: from every header to all that it owns, and the directory against the named ones.

use std::fmt::Arguments;
use std::rc::Rc;

use super::Checker;
use super::map::{Content, Use, size_of_class};
use super::owned::{self, Owns};
use crate::journal::{CELL_CLASS, CONTROL_CLASS, OBJECT_CLASS};
use crate::lock::OWNER;
use crate::raw::ContainerKind;
use crate::region::layout::*;

const DEQUE: u64 = ContainerKind::VecDeque as u64;
const COUNTER: u64 = ContainerKind::Counter as u64;
const CHANNEL: u64 = ContainerKind::Channel as u64;
/// Lanes whose cells lie in one segment of a counter.
const SEGMENT_LANES: u64 = 16;
/// Flag of a shape: the key of a table is a text.
const TEXT_KEY: u64 = 1;
/// Bytes of a string's slot; up to 15 of them are content.
pub(super) const STRING_SLOT: usize = 16;
const INLINE: usize = 15;
/// The tag, in the last byte, of a string that has a block.
const HEAP_TAG: u8 = 0x80;
/// A schema is at most this long.
const MAX_TEXT: usize = 1 << 20;
/// At most this many fields that a key is ordered by.
pub(super) const MAX_ORDER: usize = 256;

/// A live object's words, read once.
pub(super) struct Object {
    pub(super) at: u64,
    pub(super) kind: u64,
    pub(super) text_key: bool,
    pub(super) key_size: u64,
    pub(super) slot_size: u64,
    /// What a slot owns.
    pub(super) owns: Rc<[Owns]>,
    /// What keys are ordered by: {offset:16 | width:8 | kind:8}, kinds 1 unsigned, 2 signed, 3 text, 4 bytes. Nobody
    /// tells it of a nested tree.
    pub(super) order: Option<Vec<u32>>,
    pub(super) data: u64,
    pub(super) len: u64,
    pub(super) capacity: u64,
    pub(super) aux0: u64,
    /// Of a table its seed, of a tree the number of its inner nodes.
    pub(super) seed: u64,
}

impl<'a> Checker<'a> {
    /// All headers, in the order of their offsets.
    pub(super) fn objects(&mut self) {
        // Outer: is it there? Inner: is it in order?
        let (mut named, mut directory) = (Vec::new(), None);
        let root = self.space.geometry.root_header;
        for number in 0..self.map.parts.len() {
            let part = &self.map.parts[number];
            let (start, count) = match &part.content {
                Content::Span(span) if span.class == OBJECT_CLASS => (self.space.page_offset(part.page), span.carved),
                _ => continue,
            };
            for at in (0..count).map(|index| start + index * size_of_class(OBJECT_CLASS)) {
                let Ok(header) = self.space.get::<ObjectHeader>(at) else { continue };
                self.locks(at, header);
                if header.descriptor.peek() == 0 {
                    continue;
                }
                self.claim(at, OBJECT_CLASS, Use::Reachable, format_args!("a live object"));
                let is_named = header.owner.peek() == 0;
                if at == root && is_named {
                    directory = Some(self.object(at, header));
                    continue;
                }
                self.report.objects += 1;
                if is_named {
                    named.push(at);
                }
                self.object(at, header);
            }
        }
        match directory {
            Some(Some(directory)) => self.directory(&directory, &named),
            Some(None) => {}
            // Before the first page is handed out there is none.
            None if self.map.parts.is_empty() => {}
            None => self.add(root, "the directory of names is missing", format_args!("")),
        }
    }

    /// The part of a header that outlives its object.
    fn locks(&mut self, at: u64, header: &ObjectHeader) {
        if !self.calms(|| header.word.peek() & OWNER == 0) {
            let rule = "an object is locked though nobody works";
            self.add(at, rule, format_args!("word {:#x}", header.word.peek()));
        }
        if !self.calms(|| header.version.peek().is_multiple_of(2)) {
            let rule = "an object is being written though nobody works";
            self.add(at, rule, format_args!("version {}", header.version.peek()));
        }
    }

    /// A live object and all that it owns. The object, if everything about it is in order.
    fn object(&mut self, at: u64, header: &ObjectHeader) -> Option<Object> {
        let before = self.report.count();
        self.stamp(at, header.raw.stamp.peek());
        let object = self.describe(at, header)?;
        self.contents(&object);
        (self.report.count() == before).then_some(object)
    }

    /// Everything that a container holds.
    pub(super) fn contents(&mut self, object: &Object) {
        match object.kind {
            kind if is_table(kind) => self.table(object),
            kind if is_tree(kind) => self.tree(object),
            DEQUE => self.ring(object),
            COUNTER => self.counter(object),
            CHANNEL => self.channel(object),
            _ => self.array(object),
        }
    }

    /// As [`stamp`](Self::stamp), for a node of a tree.
    pub(super) fn node_stamp(&mut self, at: u64, stamp: u64) {
        self.stamp(at.wrapping_sub(OBJECT_RAW_AT), stamp);
    }

    /// "Saved by this context" must not be said of a context that is still to come: it would save nothing.
    fn stamp(&mut self, at: u64, stamp: u64) {
        let (lane, counter) = (stamp >> 48, stamp & ((1 << 48) - 1));
        let reached = self.space.lane(lane as u32).map_or(0, |lane| lane.stamp_counter.peek());
        if counter > reached {
            let detail = format_args!("lane {lane}, {counter}, but it has come to {reached} only");
            self.add(at + OBJECT_RAW_AT, "a stamp is from the future", detail);
        }
    }

    /// The descriptor, which must agree with the raw header's shape.
    fn describe(&mut self, at: u64, header: &ObjectHeader) -> Option<Object> {
        let (block, len) = (header.descriptor.peek(), header.descriptor_len.peek());
        self.claim_bytes(block, len, format_args!("descriptor of object {at}"))?;
        let bytes = self.bytes(block, len)?;
        let raw = &header.raw;
        let shape = raw.shape.peek();
        let mut wrong = |rule, detail: Arguments<'_>| {
            self.add(block, rule, format_args!("object {at}: {detail}"));
            None
        };
        let Some((said, owns, order, text)) = decode(bytes) else {
            return wrong("a descriptor is malformed", format_args!("{len} bytes"));
        };
        if said != shape {
            return wrong("a descriptor contradicts its object", format_args!("shape {said:#x}, not {shape:#x}"));
        }
        if let Err(error) = std::str::from_utf8(text) {
            return wrong("a schema is no UTF-8", format_args!("{error}"));
        }
        let (kind, flags, key_size, slot_size) = unpack(shape);
        if !has_possible_shape(shape, &owns) || !is_order(shape, &order) {
            return wrong("a shape is impossible", format_args!("shape {shape:#x}, slots own {owns:?}"));
        }
        Some(Object {
            at,
            kind,
            text_key: flags == TEXT_KEY,
            key_size,
            slot_size,
            owns,
            order: Some(order),
            data: raw.data.peek(),
            len: raw.len.peek(),
            capacity: raw.capacity.peek(),
            aux0: raw.aux0.peek(),
            seed: raw.aux1.peek(),
        })
    }

    /// The block of an object's content: there is one exactly if there is a capacity.
    pub(super) fn content(&mut self, object: &Object, size: Option<u64>) -> Option<&'a [u8]> {
        let Object { at, data, len, capacity, .. } = object;
        if *data == 0 || *capacity == 0 {
            if *data != 0 || *capacity != 0 || *len != 0 {
                let detail = format_args!("object {at}: {len} of {capacity} slots at {data}");
                self.add(at + OBJECT_RAW_AT, "an empty container has a content", detail);
            }
            return None;
        }
        let Some(size) = size else {
            let detail = format_args!("object {at}: {capacity}");
            self.add(at + OBJECT_RAW_AT, "a capacity is impossible", detail);
            return None;
        };
        self.claim_bytes(*data, size, format_args!("content of object {at}"))?;
        self.bytes(*data, size)
    }

    /// A vector, a string or a box.
    fn array(&mut self, object: &Object) {
        let size = object.capacity.checked_mul(object.slot_size.max(1));
        let Some(content) = self.content(object, size) else { return };
        let (at, len, capacity) = (object.at, object.len, object.capacity);
        if len > capacity {
            let detail = format_args!("object {at}: {len} of {capacity}");
            return self.add(at + OBJECT_RAW_AT, "a container is longer than its capacity", detail);
        }
        // Inside the content, because len <= capacity.
        let live = &content[..(len * object.slot_size) as usize];
        if object.kind == ContainerKind::String as u64
            && !self.skips_contents(object)
            && let Err(error) = std::str::from_utf8(live)
        {
            self.add(object.data, "a text is no UTF-8", format_args!("object {at}: {error}"));
        }
        if !object.owns.is_empty() {
            for slot in live.chunks_exact(object.slot_size as usize) {
                self.possessions(object, slot);
            }
        }
    }

    /// A double-ended queue: a ring of slots, a power of two of them, of which `len` from number `aux0` on are live.
    fn ring(&mut self, object: &Object) {
        let (at, len, capacity, head) = (object.at, object.len, object.capacity, object.aux0);
        if capacity == 0 && head != 0 {
            let detail = format_args!("object {at}: slot {head} of none");
            self.add(at + OBJECT_RAW_AT, "a queue begins outside of its ring", detail);
        }
        let size = Some(capacity).filter(|slots| slots.is_power_of_two());
        let size = size.and_then(|slots| slots.checked_mul(object.slot_size.max(1)));
        let Some(content) = self.content(object, size) else { return };
        if len > capacity || head >= capacity {
            let detail = format_args!("object {at}: {len} from slot {head} of {capacity}");
            return self.add(at + OBJECT_RAW_AT, "a queue is longer than its ring or begins outside of it", detail);
        }
        if !object.owns.is_empty() {
            for number in (0..len).map(|index| (head + index) % capacity) {
                // Inside the content, because number < capacity.
                let start = (number * object.slot_size) as usize;
                self.possessions(object, &content[start..start + object.slot_size as usize]);
            }
        }
    }

    /// A counter: the offsets of its segments, 0 for those that are not there.
    fn counter(&mut self, object: &Object) {
        let (at, lanes) = (object.at, u64::from(self.space.geometry.lane_count));
        if object.capacity != lanes.div_ceil(SEGMENT_LANES) {
            let detail = format_args!("object {at}: {} for {lanes} lanes", object.capacity);
            self.add(at + OBJECT_RAW_AT, "a counter has not one place for each segment", detail);
        }
        let Some(content) = self.content(object, object.capacity.checked_mul(8)) else { return };
        let mut count = 0;
        for segment in (0..content.len()).step_by(8).filter_map(|place| word(content, place)) {
            if segment != 0 {
                count += 1;
                self.claim(segment, CELL_CLASS, Use::Reachable, format_args!("segment of object {at}"));
            }
        }
        if count != object.len {
            let detail = format_args!("object {at}: {}, but there are {count}", object.len);
            self.add(at + OBJECT_RAW_AT, "a counter's segments are miscounted", detail);
        }
    }

    /// A channel: a ring, and the words of its ends. It may be in use: nobody at an end has the object's word.
    fn channel(&mut self, object: &Object) {
        let (at, capacity) = (object.at, object.capacity);
        let size = Some(capacity).filter(|slots| slots.is_power_of_two() && *slots <= 1 << 30);
        let size = size.and_then(|slots| slots.checked_mul(object.slot_size.max(1)));
        if capacity == 0 || object.len != 0 {
            let detail = format_args!("object {at}: {capacity} slots, length {}", object.len);
            self.add(at + OBJECT_RAW_AT, "a channel has no ring", detail);
        }
        self.content(object, size);
        let control = object.aux0;
        if self.claim(control, CONTROL_CLASS, Use::Reachable, format_args!("ends of object {at}")).is_none() {
            return;
        }
        let Ok(words) = self.space.get::<ChannelControl>(control) else { return };
        let waiting = || {
            // One may move between the two looks.
            let taken = words.receiver.count.peek();
            (words.sender.count.peek().wrapping_sub(taken), words.receiver.count.peek() == taken)
        };
        if !self.calms(|| matches!(waiting(), (count, true) if u64::from(count) <= capacity)) && waiting().1 {
            let detail = format_args!("object {at}: {} of {capacity}", waiting().0);
            self.add(control, "a channel holds more messages than it has slots", detail);
        }
        let lanes = self.space.words().lanes_high.peek().max(1);
        for owner in [&words.sender.role.owner, &words.receiver.role.owner, &words.closing] {
            let (owner, place) = (owner.peek(), self.space.offset_of(owner));
            let (lane, slot) = (u64::from(pack::role_lock_id(owner)), pack::role_slot(owner));
            let exists = (1..=lanes).contains(&lane) && slot < self.space.geometry.slot_count;
            if owner != 0 && !exists {
                self.add(place, "a role names nobody", format_args!("object {at}: {owner:#x}"));
            }
        }
    }

    /// What a string holds; `None` if it cannot be read.
    pub(super) fn text<'s>(&self, slot: &'s [u8]) -> Option<&'s [u8]>
    where
        'a: 's,
    {
        match StringSlot::of(slot)? {
            StringSlot::Inline(len) => slot.get(..len),
            StringSlot::Block { block, len } => self.bytes(block, len),
        }
    }
}

/// {slot_size:32 | key_size:16 | flags:8 | kind:8}, from the low end.
pub(super) fn unpack(shape: u64) -> (u64, u64, u64, u64) {
    (shape & 0xff, shape >> 8 & 0xff, shape >> 16 & 0xffff, shape >> 32)
}

/// Is the body a hash table?
fn is_table(kind: u64) -> bool {
    kind == ContainerKind::HashMap as u64 || kind == ContainerKind::HashSet as u64
}

/// Is there such a container?
pub(super) fn has_possible_shape(shape: u64, owns: &[Owns]) -> bool {
    const VEC: u64 = ContainerKind::Vec as u64;
    const BOX: u64 = ContainerKind::Box as u64;
    const STRING: u64 = ContainerKind::String as u64;
    const GAUGE: u64 = ContainerKind::Gauge as u64;
    const TREE: u64 = ContainerKind::BTreeMap as u64;
    const TREE_SET: u64 = ContainerKind::BTreeSet as u64;
    let (kind, flags, key_size, slot_size) = unpack(shape);
    let has_text_key = owns.first() == Some(&Owns::String(0));
    match (kind, flags) {
        (table, 0) if is_table(table) => key_size <= slot_size,
        (table, TEXT_KEY) if is_table(table) => key_size == STRING_SLOT as u64 && has_text_key,
        (TREE | TREE_SET, 0) => key_size.next_multiple_of(8) <= slot_size,
        (TREE | TREE_SET, TEXT_KEY) => key_size == STRING_SLOT as u64 && slot_size >= key_size && has_text_key,
        (VEC | BOX | DEQUE, 0) => key_size == 0,
        // A contribution is {process, value}, a segment of a counter one offset.
        (GAUGE, 0) => key_size == 0 && slot_size == 16 && owns.is_empty(),
        (COUNTER, 0) => key_size == 0 && slot_size == 8 && owns.is_empty(),
        (CHANNEL, 0) => key_size == 0 && owns.is_empty(),
        (STRING, 0) => key_size == 0 && slot_size == 1,
        _ => false,
    }
}

fn is_tree(kind: u64) -> bool {
    kind == ContainerKind::BTreeMap as u64 || kind == ContainerKind::BTreeSet as u64
}

/// Do the fields lie in the key, and has nothing but a tree such?
fn is_order(shape: u64, order: &[u32]) -> bool {
    let (kind, flags, key_size, _) = unpack(shape);
    let fits = |field: &u32| {
        let (at, width, kind) = (u64::from(field >> 16), u64::from(field >> 8 & 0xff), field & 0xff);
        let known = match kind {
            1 | 2 => matches!(width, 1 | 2 | 4 | 8 | 16),
            3 => width == STRING_SLOT as u64 && flags == TEXT_KEY,
            4 => width > 0,
            _ => false,
        };
        known && at + width <= key_size
    };
    let has_key = key_size > 0;
    if is_tree(kind) { order.iter().all(fits) && (!has_key || !order.is_empty()) } else { order.is_empty() }
}

/// A string's slot, taken apart.
pub(super) enum StringSlot {
    Inline(usize),
    Block { block: u64, len: u64 },
}

impl StringSlot {
    pub(super) fn of(slot: &[u8]) -> Option<StringSlot> {
        let tag = *slot.get(INLINE)?;
        if usize::from(tag) <= INLINE {
            return Some(StringSlot::Inline(tag.into()));
        }
        let (block, len) = (word(slot, 0)?, word(slot, 8)? & !(0xff << 56));
        (tag == HEAP_TAG && len > INLINE as u64).then_some(StringSlot::Block { block, len })
    }
}

/// The word at `at`.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Shape, what a slot owns, fields that keys are ordered by, schema.
type Parts<'b> = (u64, Rc<[Owns]>, Vec<u32>, &'b [u8]);

/// The parts of a descriptor.
fn decode(bytes: &[u8]) -> Option<Parts<'_>> {
    let head = word(bytes, 0)?;
    let (text_len, counts) = (pack::low(head) as usize, pack::high(head) as usize);
    let (owned_count, order_count) = (counts & 0xffff, counts >> 16);
    let shape = word(bytes, 8)?;
    if order_count > MAX_ORDER || text_len > MAX_TEXT {
        return None;
    }
    let entries = bytes.get(16..16 + owned_count * 4)?;
    let fields = bytes.get(16 + entries.len()..16 + entries.len() + order_count * 4)?;
    let words = |bytes: &[u8]| -> Vec<u32> {
        bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
    };
    let start = (16 + entries.len() + fields.len()).next_multiple_of(8);
    let text = bytes.get(start..).filter(|text| text.len() == text_len)?;
    Some((shape, owned::decode(&words(entries), unpack(shape).3)?, words(fields), text))
}
