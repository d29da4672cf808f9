//! What slots own: strings, and containers of which a slot holds the raw header. Decoded here anew, from the description
//! of the format.

use std::rc::Rc;

use super::Checker;
use super::objects::{Object, STRING_SLOT, StringSlot, has_possible_shape, unpack, word};

/// Bytes of a raw header.
const HEADER: usize = 64;
/// At most this many words about one slot, containers in containers so deep.
const MAX_WORDS: usize = 256;
const MAX_DEPTH: usize = 8;
/// Kinds of containers that stand in slots: vector, table, queue, set, tree, ordered set.
const NESTING: [u64; 6] = [1, 4, 5, 6, 7, 8];

/// Something that a slot owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owns {
    String(usize),
    Container {
        at: usize,
        shape: u64,
        owns: Rc<[Owns]>,
    },
    /// Only while the u32 at `at` is `value`.
    While {
        at: usize,
        value: u32,
        owns: Rc<[Owns]>,
    },
}

/// What the words of a descriptor say about slots of `slot_size` bytes; `None`: nothing possible.
pub(super) fn decode(words: &[u32], slot_size: u64) -> Option<Rc<[Owns]>> {
    if words.len() > MAX_WORDS { None } else { decode_to(words, slot_size as usize, MAX_DEPTH) }
}

fn decode_to(mut words: &[u32], slot_size: usize, depth: usize) -> Option<Rc<[Owns]>> {
    let mut all = Vec::new();
    while let [head, rest @ ..] = words {
        let (at, kind) = ((head >> 8) as usize, head & 0xff);
        let size = [STRING_SLOT, HEADER, 4][(kind as usize).checked_sub(1)?.min(2)];
        if at % 8 != 0 || at + size > slot_size {
            return None;
        }
        words = match (kind, rest) {
            (1, rest) => {
                all.push(Owns::String(at));
                rest
            }
            (2, [count, low, high, rest @ ..]) => {
                let shape = u64::from(*low) | u64::from(*high) << 32;
                let (words, rest) = rest.split_at_checked(*count as usize)?;
                let owns = decode_to(words, unpack(shape).3 as usize, depth.checked_sub(1)?)?;
                if !NESTING.contains(&unpack(shape).0) || !has_possible_shape(shape, &owns) {
                    return None;
                }
                all.push(Owns::Container { at, shape, owns });
                rest
            }
            (3, [count, value, rest @ ..]) => {
                let (words, rest) = rest.split_at_checked(*count as usize)?;
                let owns = decode_to(words, slot_size, depth.checked_sub(1)?)?;
                all.push(Owns::While { at, value: *value, owns });
                rest
            }
            _ => return None,
        };
    }
    are_apart(&all).then(|| all.into())
}

/// Does each byte belong to one possession only? (Those of different variants of an enum may lie upon each other.)
fn are_apart(all: &[Owns]) -> bool {
    let mut places: Vec<(usize, usize)> = all
        .iter()
        .filter_map(|owns| match owns {
            Owns::String(at) => Some((*at, STRING_SLOT)),
            Owns::Container { at, .. } => Some((*at, HEADER)),
            Owns::While { .. } => None,
        })
        .collect();
    places.sort_unstable();
    places.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0)
}

impl<'a> Checker<'a> {
    /// What a live slot of an object owns.
    pub(super) fn possessions(&mut self, object: &Object, slot: &[u8]) {
        self.possessions_of(object, &object.owns.clone(), slot);
    }

    fn possessions_of(&mut self, object: &Object, all: &[Owns], slot: &[u8]) {
        for owns in all {
            match owns {
                Owns::String(at) => {
                    if let Some(string) = slot.get(*at..*at + STRING_SLOT) {
                        self.string(object, string);
                    }
                }
                Owns::Container { at, shape, owns } => {
                    if let Some(header) = slot.get(*at..*at + HEADER) {
                        self.nested(object, header, *shape, owns);
                    }
                }
                Owns::While { at, value, owns } => {
                    let tag = word(slot, at & !7).map(|tag| (tag >> (at % 8 * 8)) as u32);
                    if tag == Some(*value) {
                        self.possessions_of(object, owns, slot);
                    }
                }
            }
        }
    }

    /// One string that an object owns.
    pub(super) fn string(&mut self, object: &Object, string: &[u8]) {
        let owner = format_args!("string of object {}", object.at);
        match StringSlot::of(string) {
            Some(StringSlot::Inline(len)) if string[len..STRING_SLOT - 1].iter().all(|byte| *byte == 0) => {}
            Some(StringSlot::Block { block, len }) => {
                self.claim_bytes(block, len, owner);
            }
            _ => self.add(object.data, "a string is malformed", format_args!("{owner}: {string:02x?}")),
        }
    }

    /// A container whose raw header stands in a slot of `parent`. What is not there yet, an absent option, is all zero.
    fn nested(&mut self, parent: &Object, header: &[u8], shape: u64, owns: &Rc<[Owns]>) {
        if header.iter().all(|byte| *byte == 0) {
            return;
        }
        let word = |index: usize| word(header, index * 8).unwrap_or_default();
        self.node_stamp(parent.data, word(0));
        if word(2) != shape {
            let detail = format_args!("in object {}: shape {:#x}, not {shape:#x}", parent.at, word(2));
            return self.add(parent.data, "a nested container is of another kind than its type says", detail);
        }
        let (kind, flags, key_size, slot_size) = unpack(shape);
        self.contents(&Object {
            at: parent.at,
            kind,
            text_key: flags != 0,
            key_size,
            slot_size,
            owns: owns.clone(),
            order: None,
            data: word(3),
            len: word(4),
            capacity: word(5),
            aux0: word(6),
            seed: word(7),
        });
    }
}
