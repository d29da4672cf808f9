//! What a raw header holds: {slot_size:32 | key_size:16 | flags:8 | kind:8}.

use crate::region::layout::*;
use crate::{Error, Result};

/// Kind of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ContainerKind {
    Vec = 1,
    Box = 2,
    String = 3,
    HashMap = 4,
    VecDeque = 5,
    HashSet = 6,
    Counter = 9,
    Gauge = 10,
    Channel = 11,
    BTreeMap = 7,
    BTreeSet = 8,
}

impl ContainerKind {
    /// The kind with this number.
    pub(crate) fn of(number: u64) -> Option<ContainerKind> {
        Some(match number {
            1 => ContainerKind::Vec,
            2 => ContainerKind::Box,
            3 => ContainerKind::String,
            4 => ContainerKind::HashMap,
            5 => ContainerKind::VecDeque,
            6 => ContainerKind::HashSet,
            9 => ContainerKind::Counter,
            10 => ContainerKind::Gauge,
            11 => ContainerKind::Channel,
            7 => ContainerKind::BTreeMap,
            8 => ContainerKind::BTreeSet,
            _ => return None,
        })
    }

    /// The type's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ContainerKind::Vec => "SharedVec",
            ContainerKind::Box => "SharedBox",
            ContainerKind::String => "SharedString",
            ContainerKind::HashMap => "SharedHashMap",
            ContainerKind::VecDeque => "SharedVecDeque",
            ContainerKind::HashSet => "SharedHashSet",
            ContainerKind::Counter => "SharedCounter",
            ContainerKind::Gauge => "SharedGauge",
            ContainerKind::Channel => "SharedChannel",
            ContainerKind::BTreeMap => "SharedBTreeMap",
            ContainerKind::BTreeSet => "SharedBTreeSet",
        }
    }

    /// Is its body a hash table?
    #[inline(always)]
    pub(crate) fn is_table(self) -> bool {
        matches!(self, ContainerKind::HashMap | ContainerKind::HashSet)
    }

    /// Can it stand in a slot of another one?
    pub(crate) fn can_nest(self) -> bool {
        use ContainerKind::{Box, Channel, Counter, Gauge, String};
        !matches!(self, Box | String | Counter | Gauge | Channel)
    }

    /// Is it a tree?
    pub(crate) fn is_tree(self) -> bool {
        matches!(self, ContainerKind::BTreeMap | ContainerKind::BTreeSet)
    }
}

/// Flag: the key is a text slot (else `key_size` plain bytes).
const TEXT_KEY: u64 = 1;

/// The unpacked shape word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) kind: ContainerKind,
    pub(crate) text_key: bool,
    pub(crate) key_size: u64,
    pub(crate) slot_size: u64,
}

impl Shape {
    /// Packs for a raw header.
    pub(crate) const fn pack(&self) -> u64 {
        let flags = if self.text_key { TEXT_KEY } else { 0 };
        self.kind as u64 | (flags << 8) | (self.key_size << 16) | (self.slot_size << 32)
    }

    /// Unpacks what a raw header says.
    pub(crate) fn unpack(word: u64, offset: u64) -> Result<Shape> {
        let wrong = || Error::corrupt(offset, "a container has an impossible shape");
        let kind = ContainerKind::of(word & 0xff).ok_or_else(wrong)?;
        let shape = Shape {
            kind,
            text_key: (word >> 8) & 0xff == TEXT_KEY,
            key_size: (word >> 16) & 0xffff,
            slot_size: word >> 32,
        };
        let has_key = kind.is_table() || kind.is_tree();
        let key_fits = if has_key { shape.key_size <= shape.slot_size } else { shape.key_size == 0 };
        if shape.pack() == word && key_fits { Ok(shape) } else { Err(wrong()) }
    }

    /// Is the key eight plain bytes?
    #[inline(always)]
    pub(crate) fn is_word_key(&self) -> bool {
        !self.text_key && self.key_size == 8
    }

    /// Of the container whose raw header this is.
    pub(crate) fn of(raw: &RawHeader, offset: u64) -> Result<Shape> {
        Shape::unpack(raw.shape.peek(), offset)
    }
}
