//! Where the tables and the heap of a region are, as ARCHITECTURE.md has it: read from the bytes, by no code of the
//! library.

/// A file's content without its holes' cost: where the tables and the heap of a region are, as ARCHITECTURE.md has it.
pub struct Places {
    pub capacity: u64,
    pub slots_at: u64,
    pub readers_at: u64,
    pub lanes_at: u64,
    pub page_map_at: u64,
    pub heap_at: u64,
    pub committed_end: u64,
}

pub fn word(bytes: &[u8], at: u64) -> u64 {
    u64::from_le_bytes(bytes[at as usize..at as usize + 8].try_into().unwrap())
}

impl Places {
    pub fn of(header: &[u8]) -> Places {
        let [capacity, slots_at, readers_at, lanes_at, page_map_at, heap_at] =
            [64, 72, 80, 88, 96, 104].map(|at| word(header, at));
        Places { capacity, slots_at, readers_at, lanes_at, page_map_at, heap_at, committed_end: word(header, 192) }
    }
}

/// The header's checksum: FNV-1a of bytes 0..56 and 64..192.
pub fn checksum(header: &[u8]) -> u64 {
    let covered = header[..56].iter().chain(&header[64..192]);
    covered.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
