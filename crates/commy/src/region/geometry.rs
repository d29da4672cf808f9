//! The upper half of the header, parsed once into numbers that are known to fit each other.
//! Invariant G1: a `Geometry` describes tables that lie in order, do not overlap and start below the heap.

use super::layout::*;

/// Where everything is. Nothing else reads that part of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) uuid: [u8; 16],
    pub(crate) capacity: u64,
    pub(crate) readers_at: u64,
    pub(crate) lanes_at: u64,
    pub(crate) page_map_at: u64,
    pub(crate) heap_at: u64,
    pub(crate) slot_count: u32,
    pub(crate) lane_count: u32,
    pub(crate) root_header: u64,
    pub(crate) lock_byte_base: u64,
    /// Features of the file that writers must know and this library does not: it may be read and no more.
    pub(crate) unknown_to_writers: u64,
}

const KNOWN_MUST: u64 = 0;
const KNOWN_WRITE: u64 = 0;
/// Identifies the size classes of `heap::class`.
const CLASS_TABLE: u32 = 1;
const MAX_CAPACITY: u64 = 1 << 44;

impl Geometry {
    /// Places the tables for a heap of `capacity` bytes (rounded up to 64 KiB).
    pub(crate) fn plan(capacity: u64, uuid: [u8; 16]) -> Option<Geometry> {
        if capacity == 0 || capacity > MAX_CAPACITY {
            return None;
        }
        let capacity = capacity.next_multiple_of(UNIT);
        let readers_at = SLOTS_AT + u64::from(SLOT_COUNT) * size_of::<Slot>() as u64;
        let lanes_at = (readers_at + u64::from(LANE_COUNT) * size_of::<ReaderLine>() as u64).next_multiple_of(PAGE);
        let page_map_at = lanes_at + u64::from(LANE_COUNT) * size_of::<Lane>() as u64;
        let heap_at = (page_map_at + capacity / PAGE * size_of::<PageEntry>() as u64).next_multiple_of(UNIT);
        Some(Geometry {
            uuid,
            capacity,
            readers_at,
            lanes_at,
            page_map_at,
            heap_at,
            slot_count: SLOT_COUNT,
            lane_count: LANE_COUNT,
            root_header: heap_at,
            lock_byte_base: LOCK_BYTE_BASE,
            unknown_to_writers: 0,
        })
    }

    /// The end of the file at full size.
    pub(crate) fn end(&self) -> u64 {
        self.heap_at + self.capacity
    }

    /// Number of pages the heap may have.
    pub(crate) fn pages(&self) -> u64 {
        self.capacity / PAGE
    }

    /// The bytes of the upper half of the header.
    pub(crate) fn encode(&self) -> [u8; HEADER_WORDS_AT as usize] {
        let mut bytes = [0u8; HEADER_WORDS_AT as usize];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC);
        put(8, &FORMAT_VERSION.to_le_bytes());
        put(12, &(HEADER_SIZE as u32).to_le_bytes());
        put(16, &KNOWN_MUST.to_le_bytes());
        put(24, &KNOWN_WRITE.to_le_bytes());
        put(40, &self.uuid);
        put(64, &self.capacity.to_le_bytes());
        put(72, &SLOTS_AT.to_le_bytes());
        put(80, &self.readers_at.to_le_bytes());
        put(88, &self.lanes_at.to_le_bytes());
        put(96, &self.page_map_at.to_le_bytes());
        put(104, &self.heap_at.to_le_bytes());
        put(112, &self.slot_count.to_le_bytes());
        put(116, &self.lane_count.to_le_bytes());
        put(120, &(ARENA_COUNT as u32).to_le_bytes());
        put(124, &CLASS_TABLE.to_le_bytes());
        put(128, &self.root_header.to_le_bytes());
        put(136, &self.lock_byte_base.to_le_bytes());
        let sum = checksum(&bytes);
        bytes[56..64].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads the upper half of a header of a file of `file_len` bytes.
    ///
    /// # Errors
    /// A sentence that names the field that is wrong.
    pub(crate) fn parse(bytes: &[u8], file_len: u64) -> Result<Geometry, String> {
        let Some(bytes) = bytes.get(..HEADER_WORDS_AT as usize) else {
            return Err("the file is shorter than a header".into());
        };
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let half = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        if bytes[..8] != MAGIC {
            return Err("the magic number is missing: not a commy region".into());
        }
        if half(8) != FORMAT_VERSION {
            return Err(format!("format version {} (this library knows {FORMAT_VERSION})", half(8)));
        }
        if word(56) != checksum(bytes) {
            return Err("the header's checksum does not match".into());
        }
        if half(12) != HEADER_SIZE as u32 {
            return Err(format!("header size {}", half(12)));
        }
        if word(16) & !KNOWN_MUST != 0 {
            return Err(format!("features {:#x} must be known (must_know), and are not", word(16) & !KNOWN_MUST));
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&bytes[40..56]);
        let planned = Geometry::plan(word(64), uuid).ok_or_else(|| format!("capacity {}", word(64)))?;
        let found = Geometry {
            uuid,
            capacity: word(64),
            readers_at: word(80),
            lanes_at: word(88),
            page_map_at: word(96),
            heap_at: word(104),
            slot_count: half(112),
            lane_count: half(116),
            root_header: word(128),
            lock_byte_base: word(136),
            unknown_to_writers: word(24) & !KNOWN_WRITE,
        };
        // Version 1 knows one way to place the tables; a later version that knows more sets a feature bit.
        let fixed = (word(72), half(120), half(124)) == (SLOTS_AT, ARENA_COUNT as u32, CLASS_TABLE);
        if found != (Geometry { unknown_to_writers: found.unknown_to_writers, ..planned }) || !fixed {
            return Err("the geometry contradicts itself".into());
        }
        if file_len < found.heap_at + PAGE {
            return Err(format!("the file is truncated: {file_len} bytes, the tables alone need {}", found.heap_at));
        }
        Ok(found)
    }
}

/// FNV-1a, 64 bits, of bytes 0..56 and 64..192
/// (Fowler, Noll, Vo: <https://datatracker.ietf.org/doc/draft-eastlake-fnv/>).
fn checksum(bytes: &[u8]) -> u64 {
    let covered = bytes[..56].iter().chain(&bytes[64..HEADER_WORDS_AT as usize]);
    covered.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry_survives_encoding() {
        for capacity in [1, 65_536, 1 << 20, 1 << 30, (1 << 40) + 5] {
            let geometry = Geometry::plan(capacity, [7; 16]).unwrap();
            assert_eq!(Geometry::parse(&geometry.encode(), geometry.end()), Ok(geometry));
        }
        assert_eq!(Geometry::plan(0, [0; 16]), None);
        assert_eq!(Geometry::plan(u64::MAX, [0; 16]), None);
    }

    #[test]
    fn each_flipped_bit_of_the_header_is_refused() {
        let geometry = Geometry::plan(1 << 20, [7; 16]).unwrap();
        for bit in 0..HEADER_WORDS_AT as usize * 8 {
            let mut bytes = geometry.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Geometry::parse(&bytes, geometry.end()).is_err(), "bit {bit}");
        }
    }
}
