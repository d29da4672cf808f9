//! The descriptor block of an object: what any process needs to show, check and free it without its Rust type.
//!
//! ```text
//! 0 text_len:u32  4 owned_count:u16  6 order_count:u16  8 shape:u64
//! 16.. owned[owned_count]:u32 (see `owned`), order[order_count]:u32 {offset:16 | width:8 | kind:8}, padded to 8
//! then the schema, UTF-8
//! ```
//! `order` tells of a tree how its keys are compared: field by field, the first that differs decides.

use super::owned;
use super::shape::Shape;
use crate::region::{Space, copy_out};
use crate::{Error, Result};

/// A schema is at most this long.
const MAX_TEXT: usize = 1 << 20;
/// At most this many fields that a key is compared by.
pub(crate) const MAX_ORDER: usize = 256;

/// A descriptor, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(hidden)]
pub struct Descriptor {
    pub(crate) shape: Shape,
    /// What a slot owns (`Owned::words`).
    pub(crate) owned: Vec<u32>,
    /// How keys are ordered (`OrderField::pack`); empty unless the keys are.
    pub(crate) order: Vec<u32>,
    pub(crate) text: String,
}

/// A part of an ordered key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub enum OrderField {
    /// An unsigned integer of so many bytes.
    Unsigned(u8),
    /// A signed integer of so many bytes.
    Signed(u8),
    /// A string slot, compared byte by byte.
    Text,
}

impl OrderField {
    /// Appends the entry of this field, which lies at `offset` of a key; bytes in a row become one entry. What has no
    /// room is left out: nobody but a check compares by entries, and it then believes that such keys are in order.
    pub(crate) fn append(self, offset: usize, order: &mut Vec<u32>) {
        let (width, kind) = match self {
            OrderField::Unsigned(1) => (1, 4),
            OrderField::Unsigned(width) => (u32::from(width), 1),
            OrderField::Signed(width) => (u32::from(width), 2),
            OrderField::Text => (16, 3),
        };
        if let Some(last) = order.last_mut() {
            let (at, row, last_kind) = (*last >> 16, *last >> 8 & 0xff, *last & 0xff);
            if kind == 4 && last_kind == 4 && (at + row) as usize == offset && row < 255 {
                *last += 1 << 8;
                return;
            }
        }
        if order.len() < MAX_ORDER && offset <= 0xffff {
            order.push((offset as u32) << 16 | width << 8 | kind);
        }
    }
}

impl Descriptor {
    /// The bytes of the block.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(self.text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.owned.len() as u32 | (self.order.len() as u32) << 16).to_le_bytes());
        bytes.extend_from_slice(&self.shape.pack().to_le_bytes());
        self.owned.iter().chain(&self.order).for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend_from_slice(self.text.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8], offset: u64) -> Result<Descriptor> {
        let wrong = || Error::corrupt(offset, "an object's descriptor is malformed");
        let half = |at: usize| {
            let bytes = bytes.get(at..at + 4).ok_or_else(wrong)?;
            Ok::<u32, Error>(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
        };
        let (text_len, counts) = (half(0)? as usize, half(4)? as usize);
        let (owned_count, order_count) = (counts & 0xffff, counts >> 16);
        let shape = u64::from(half(8)?) | u64::from(half(12)?) << 32;
        let shape = Shape::unpack(shape, offset)?;
        if owned_count > owned::MAX_WORDS || order_count > MAX_ORDER || text_len > MAX_TEXT {
            return Err(wrong());
        }
        let words = |from: usize, to: usize| (from..to).map(|index| half(16 + index * 4)).collect::<Result<Vec<u32>>>();
        let owned = words(0, owned_count)?;
        owned::check(&owned, shape.slot_size, offset)?;
        let order = words(owned_count, owned_count + order_count)?;
        let start = (16 + (owned_count + order_count) * 4).next_multiple_of(8);
        let text = bytes.get(start..start + text_len).ok_or_else(wrong)?;
        let text = std::str::from_utf8(text).map_err(|_| wrong())?;
        Ok(Descriptor { shape, owned, order, text: text.to_string() })
    }
}

/// Reads the descriptor block of `len` bytes at `block`; it may be changing meanwhile (the caller validates).
pub(crate) fn read_descriptor(space: &Space, block: u64, len: u64) -> Result<Descriptor> {
    if len > (MAX_TEXT + 4 * owned::MAX_WORDS + 4 * MAX_ORDER) as u64 {
        return Err(Error::corrupt(block, "an object's descriptor is too long"));
    }
    let source = space.resolve(block, len)?;
    let mut bytes = vec![0; len as usize];
    // SAFETY: R1 for the source, the vector for the target.
    unsafe { copy_out(source, bytes.as_mut_ptr(), len as usize) };
    Descriptor::decode(&bytes, block)
}

#[cfg(test)]
mod tests {
    use super::super::ContainerKind;
    use super::*;

    #[test]
    fn descriptors_survive_encoding_and_damage() {
        let shape = Shape { kind: ContainerKind::HashMap, text_key: true, key_size: 16, slot_size: 40 };
        let mut order = Vec::new();
        OrderField::Text.append(0, &mut order);
        (16..19).for_each(|at| OrderField::Unsigned(1).append(at, &mut order));
        assert_eq!(order, [16 << 8 | 3, 16 << 16 | 3 << 8 | 4]);
        let descriptor =
            Descriptor { shape, owned: vec![1, 24 << 8 | 1], order, text: "SharedHashMap<String, …>".into() };
        let bytes = descriptor.encode();
        assert_eq!(Descriptor::decode(&bytes, 0).unwrap(), descriptor);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let _ = Descriptor::decode(&damaged, 0);
        }
        for len in 0..bytes.len() {
            assert!(Descriptor::decode(&bytes[..len], 0).is_err());
        }
    }
}
