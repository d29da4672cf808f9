//! Where the parts of a region's image are, found by the documented format alone.

use crate::places::{Places, word};
use std::collections::HashSet;

/// The words that a damage may be aimed at, and the blocks that it may point to.
pub struct Anatomy {
    pub places: Places,
    /// The end of the pages that were ever handed out.
    pub supplied_end: u64,
    /// All blocks, used and free.
    pub blocks: Vec<u64>,
    /// Headers of objects in use.
    pub objects: Vec<u64>,
    /// Raw headers: of objects, and nested ones.
    pub raw_headers: Vec<u64>,
    /// Words that hold the offset of a block.
    pub pointers: Vec<u64>,
    /// {offset, length} of descriptors.
    pub descriptors: Vec<(u64, u64)>,
    /// Entries of the page map that begin a span or a run.
    pub entries: Vec<u64>,
    /// Heads of records in logs.
    pub records: Vec<u64>,
}

/// Bytes of a block of a size class.
fn class_size(class: u64) -> Option<u64> {
    match class {
        0..=7 => Some(16 * (class + 1)),
        8..=39 => {
            let base = 128u64 << ((class - 8) / 4);
            Some(base + (class % 4 + 1) * base / 4)
        }
        40 => Some(192),
        41 => Some(1024),
        _ => None,
    }
}

fn span_pages(block_size: u64) -> u64 {
    match block_size {
        0..=1024 => 4,
        1025..=4096 => 16,
        _ => 64,
    }
}

impl Anatomy {
    pub fn of(bytes: &[u8]) -> Anatomy {
        let places = Places::of(bytes);
        let supplied_end = places.heap_at + word(bytes, 8192 + 8) * 4096;
        let (mut blocks, mut objects, mut entries) = (Vec::new(), Vec::new(), Vec::new());
        for page in 0..word(bytes, 8192 + 8) {
            let entry = places.page_map_at + page * 16;
            let a = word(bytes, entry);
            let (kind, class, value) = (a & 0xff, a >> 8 & 0xff, a >> 32);
            let at = places.heap_at + page * 4096;
            match (kind, class_size(class)) {
                (5, Some(size)) if value == 0 => {
                    let carved = word(bytes, entry + 2 * 16 + 8) & 0xffff_ffff;
                    let count = carved.min(span_pages(size) * 4096 / size);
                    blocks.extend((0..count).map(|number| at + number * size));
                    if class == 40 {
                        let headers = (0..count).map(|number| at + number * size);
                        objects.extend(headers.filter(|header| word(bytes, header + 40) != 0));
                    }
                }
                (3, _) => blocks.push(at),
                _ => {}
            }
            if kind != 5 || value < 4 {
                entries.push(entry);
            }
        }
        let known: HashSet<u64> = blocks.iter().copied().collect();
        let pointers: Vec<u64> =
            (places.heap_at..supplied_end).step_by(8).filter(|at| known.contains(&word(bytes, *at))).collect();
        let is_raw_header = |pointer: u64| {
            let [shape, len, capacity] = [pointer - 8, pointer + 8, pointer + 16].map(|at| word(bytes, at));
            (1..=10).contains(&(shape & 0xff)) && shape >> 32 != 0 && len < 1 << 20 && capacity < 1 << 20
        };
        let nested = pointers.iter().filter(|at| **at >= places.heap_at + 24 && **at + 24 < supplied_end);
        let raw_headers = nested.filter(|at| is_raw_header(**at)).map(|at| at - 24).collect();
        let descriptors = objects.iter().map(|header| (word(bytes, header + 40), word(bytes, header + 48))).collect();
        let records = (0..16).flat_map(|lane| records(bytes, places.lanes_at + lane * 4096)).collect();
        Anatomy { places, supplied_end, blocks, objects, raw_headers, pointers, descriptors, entries, records }
    }
}

/// The heads of the records of a lane's contexts, as far as they stand in their first stretch.
fn records(bytes: &[u8], lane: u64) -> Vec<u64> {
    let mut heads = Vec::new();
    for context in 0..16 {
        let words = lane + 1216 + context * 48;
        let (state, chunk) = (word(bytes, words), word(bytes, words + 8));
        let cursor = state >> 8;
        let start = if context == 0 { lane + 2048 } else { chunk + 32 };
        let Some(end) = start.checked_add(cursor.min(8160)) else { continue };
        if state & 0xff == 0 || end as usize > bytes.len() || start % 8 != 0 {
            continue;
        }
        let mut top = end;
        while top >= start + 16 {
            let head = top - 16;
            heads.push(head);
            let Some(next) = head.checked_sub((word(bytes, head) >> 32).next_multiple_of(8)) else { break };
            top = next;
        }
    }
    heads
}
