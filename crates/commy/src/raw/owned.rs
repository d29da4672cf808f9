//! What a slot owns: strings and nested containers, as types tell it (`Owned`, a tree known at compile time) and as a
//! descriptor and a record say it (words, so that a process that does not know the types can check and free).
//!
//! ```text
//! text    {at:24 | 1:8}
//! nested  {at:24 | 2:8}  count  shape:u64 (low half first)  then `count` words about each of its slots
//! when    {at:24 | 3:8}  count  value                       then `count` words that hold while the u32 at `at` is `value`
//! ```
//! Offsets count from the beginning of the slot that the words are about.

use super::shape::Shape;
use crate::region::layout::RAW_SIZE;
use crate::{Error, Result};

/// At most this many words about one slot, containers in containers so deep.
pub(crate) const MAX_WORDS: usize = 256;
const MAX_DEPTH: u32 = 8;
/// Most log bytes that letting one slot's possessions go may take.
const MAX_ROOM: u64 = 4096;
/// Bytes of a string's slot.
const TEXT_SIZE: u64 = 16;

const TEXT: u32 = 1;
const NESTED: u32 = 2;
const WHEN: u32 = 3;

/// Something that a slot owns.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub enum Owned {
    /// A string slot.
    Text { at: u32 },
    /// A raw header; `shape` is its shape word, `fields` what each of its slots owns.
    Nested { at: u32, shape: u64, fields: &'static [Owned] },
    /// What a field at `at` owns.
    Part { at: u32, fields: &'static [Owned] },
    /// What is owned while the u32 at `at` is `value`.
    When { at: u32, value: u32, fields: &'static [Owned] },
}

impl Owned {
    /// The words for a descriptor.
    pub(crate) fn words(fields: &[Owned]) -> Vec<u32> {
        let mut words = Vec::new();
        Owned::append(fields, 0, &mut words);
        words
    }

    fn append(fields: &[Owned], base: u32, words: &mut Vec<u32>) {
        for field in fields {
            match *field {
                Owned::Text { at } => words.push((base + at) << 8 | TEXT),
                Owned::Part { at, fields } => Owned::append(fields, base + at, words),
                Owned::Nested { at, shape, fields } => {
                    words.extend([(base + at) << 8 | NESTED, 0, shape as u32, (shape >> 32) as u32]);
                    Owned::append_counted(fields, 0, 3, words);
                }
                Owned::When { at, value, fields } => {
                    words.extend([(base + at) << 8 | WHEN, 0, value]);
                    Owned::append_counted(fields, base, 2, words);
                }
            }
        }
    }

    /// Appends `fields` and counts them in the word that lies `back` words before them.
    fn append_counted(fields: &[Owned], base: u32, back: usize, words: &mut Vec<u32>) {
        let start = words.len();
        Owned::append(fields, base, words);
        words[start - back] = (words.len() - start) as u32;
    }

    /// How many words there will be.
    pub(crate) const fn count(fields: &[Owned]) -> usize {
        let (mut count, mut index) = (0, 0);
        while index < fields.len() {
            count += match fields[index] {
                Owned::Text { .. } => 1,
                Owned::Part { fields, .. } => Owned::count(fields),
                Owned::Nested { fields, .. } => 4 + Owned::count(fields),
                Owned::When { fields, .. } => 3 + Owned::count(fields),
            };
            index += 1;
        }
        count
    }

    /// Can a descriptor say all that, and a record hold what it takes to let it go?
    pub(crate) const fn fits(fields: &[Owned]) -> bool {
        Owned::count(fields) <= MAX_WORDS && Owned::release_room(fields) <= MAX_ROOM
    }

    /// At most how many log bytes it takes to let go what one slot owns.
    const fn release_room(fields: &[Owned]) -> u64 {
        let (mut room, mut index) = (0, 0);
        while index < fields.len() {
            room += match fields[index] {
                Owned::Text { .. } => 16,
                Owned::Part { fields, .. } | Owned::When { fields, .. } => Owned::release_room(fields),
                Owned::Nested { fields, .. } => 16 + RAW_SIZE + Owned::count(fields) as u64 * 4 + 4,
            };
            index += 1;
        }
        room
    }
}

/// One entry of the words about a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'w> {
    Text { at: u64 },
    Nested { at: u64, shape: Shape, fields: &'w [u32] },
    When { at: u64, value: u32, fields: &'w [u32] },
}

/// The entries of words that were found possible.
pub(crate) fn fields(words: &[u32]) -> impl Iterator<Item = Field<'_>> {
    let mut left = words;
    std::iter::from_fn(move || {
        let (field, rest) = split(left)?;
        left = rest;
        Some(field)
    })
}

fn split(words: &[u32]) -> Option<(Field<'_>, &[u32])> {
    let (head, rest) = words.split_first()?;
    let at = u64::from(head >> 8);
    match head & 0xff {
        TEXT => Some((Field::Text { at }, rest)),
        NESTED => {
            let ([count, low, high], rest) = rest.split_first_chunk()?;
            let shape = Shape::unpack(u64::from(*low) | u64::from(*high) << 32, 0).ok()?;
            let (fields, rest) = rest.split_at_checked(*count as usize)?;
            Some((Field::Nested { at, shape, fields }, rest))
        }
        WHEN => {
            let ([count, value], rest) = rest.split_first_chunk()?;
            let (fields, rest) = rest.split_at_checked(*count as usize)?;
            Some((Field::When { at, value: *value, fields }, rest))
        }
        _ => None,
    }
}

/// Are these words about slots of `slot_size` bytes? Asked of all words that come from a file.
pub(crate) fn check(words: &[u32], slot_size: u64, offset: u64) -> Result<()> {
    if words.len() <= MAX_WORDS && is_possible(words, slot_size, MAX_DEPTH) {
        return Ok(());
    }
    Err(Error::corrupt(offset, "what a container's slots own is impossible"))
}

fn is_possible(words: &[u32], slot_size: u64, depth: u32) -> bool {
    let mut left = words;
    while !left.is_empty() {
        let Some((field, rest)) = split(left) else { return false };
        let fits = |at: u64, size: u64| at.is_multiple_of(8) && at + size <= slot_size;
        let possible = match field {
            Field::Text { at } => fits(at, TEXT_SIZE),
            Field::Nested { at, shape, fields } => {
                let (inner, can_nest) = (shape.slot_size, shape.kind.can_nest());
                fits(at, RAW_SIZE) && can_nest && depth > 0 && is_possible(fields, inner, depth - 1)
            }
            Field::When { at, fields, .. } => fits(at, 4) && depth > 0 && is_possible(fields, slot_size, depth - 1),
        };
        if !possible {
            return false;
        }
        left = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::ContainerKind;
    use super::*;

    const STRINGS: Shape = Shape { kind: ContainerKind::Vec, text_key: false, key_size: 0, slot_size: 16 };
    const FIELDS: &[Owned] = &[
        Owned::Text { at: 0 },
        Owned::Part {
            at: 16,
            fields: &[
                Owned::Text { at: 8 },
                Owned::Nested { at: 24, shape: STRINGS.pack(), fields: &[Owned::Text { at: 0 }] },
            ],
        },
        Owned::When { at: 104, value: 3, fields: &[Owned::Text { at: 112 }] },
    ];

    #[test]
    fn what_a_type_owns_survives_as_words() {
        let words = Owned::words(FIELDS);
        assert_eq!(words.len(), Owned::count(FIELDS));
        check(&words, 128, 0).unwrap();
        let text = Owned::words(&[Owned::Text { at: 0 }]);
        let late = Owned::words(&[Owned::Text { at: 112 }]);
        let expected = [
            Field::Text { at: 0 },
            Field::Text { at: 24 },
            Field::Nested { at: 40, shape: STRINGS, fields: &text },
            Field::When { at: 104, value: 3, fields: &late },
        ];
        assert_eq!(fields(&words).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn impossible_words_are_refused_and_never_read_beyond() {
        let words = Owned::words(FIELDS);
        assert!(check(&words, 127, 0).is_err(), "a field that sticks out of its slot");
        for bit in 0..words.len() * 32 {
            let mut damaged = words.clone();
            damaged[bit / 32] ^= 1 << (bit % 32);
            let _ = check(&damaged, 128, 0);
            assert!(fields(&damaged).count() <= words.len());
        }
        let deep: Vec<u32> = (0..20u32).rev().flat_map(|below| [WHEN, below * 3, 0]).collect();
        assert!(check(&deep, 128, 0).is_err(), "deeper than anything is taken apart");
    }
}
