//! Every persisted structure, as ARCHITECTURE.md draws it. Fixed width, no address, no `usize`.
//!
//! The structures consist of atomics, so a `&` to one of them is sound while other processes write it.

use crate::sys::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence};

pub(crate) const MAGIC: [u8; 8] = *b"\x89COMMY\r\n";
pub(crate) const FORMAT_VERSION: u32 = 1;
pub(crate) const HEADER_SIZE: u64 = 4096;
pub(crate) const PAGE: u64 = 4096;
/// Growth is counted in units of this size.
pub(crate) const UNIT: u64 = 65536;
pub(crate) const ARENAS_AT: u64 = 4096;
pub(crate) const SUPPLY_AT: u64 = 8192;
pub(crate) const SLOTS_AT: u64 = 12288;
pub(crate) const ARENA_COUNT: u64 = 8;
pub(crate) const SLOT_COUNT: u32 = 1024;
pub(crate) const LANE_COUNT: u32 = 2048;
/// Lanes are committed this many at a time.
pub(crate) const LANE_STEP: u32 = 16;
pub(crate) const LOCK_BYTE_BASE: u64 = 1 << 62;
pub(crate) const CONTEXT_COUNT: usize = 16;
pub(crate) const LIST_COUNT: usize = 48;
pub(crate) const HEAP_LOG_LEN: usize = 44;
pub(crate) const READER_CELLS: usize = 8;
pub(crate) const INLINE_LOG_AT: u64 = 2048;
pub(crate) const INLINE_LOG_SIZE: u64 = 2048;
pub(crate) const BIN_COUNT: usize = 128;

#[cfg(not(all(target_endian = "little", target_pointer_width = "64")))]
compile_error!("commy regions need a 64-bit little-endian machine");

/// A shared word that a crash protocol moves: each store stays where the source has it.
pub(crate) trait Word {
    type Value;
    /// A store that no other store passes in program order; it is all that order against death needs.
    fn put(&self, value: Self::Value);
    /// A plain load.
    fn peek(&self) -> Self::Value;
}

impl Word for AtomicU64 {
    type Value = u64;
    #[inline(always)]
    fn put(&self, value: u64) {
        self.store(value, Ordering::Release);
        compiler_fence(Ordering::SeqCst);
    }
    #[inline(always)]
    fn peek(&self) -> u64 {
        self.load(Ordering::Relaxed)
    }
}

impl Word for AtomicU32 {
    type Value = u32;
    #[inline(always)]
    fn put(&self, value: u32) {
        self.store(value, Ordering::Release);
        compiler_fence(Ordering::SeqCst);
    }
    #[inline(always)]
    fn peek(&self) -> u32 {
        self.load(Ordering::Relaxed)
    }
}

/// The words of the header that move; the part before them is parsed by `Geometry` alone.
#[repr(C)]
pub(crate) struct HeaderWords {
    /// End of the bytes that are backed by the file; only grows.
    pub(crate) committed_end: AtomicU64,
    /// Random, renewed by each opener that finds nobody there.
    pub(crate) epoch: AtomicU64,
    /// {slot, incarnation} of the process that wants the heap to stand still, as in `Lane::owner`; 0 = nobody.
    pub(crate) freeze: AtomicU64,
    /// Lanes whose memory is backed.
    pub(crate) lanes_ready: AtomicU64,
    /// One more than the highest lane ever claimed.
    pub(crate) lanes_high: AtomicU64,
    pub(crate) boot_id: [AtomicU64; 2],
    pub(crate) device: AtomicU64,
    pub(crate) inode: AtomicU64,
    /// The epoch whose first opener found that each block has one owner.
    pub(crate) sound_epoch: AtomicU64,
}
pub(crate) const HEADER_WORDS_AT: u64 = 192;

/// One process.
#[repr(C)]
pub(crate) struct Slot {
    /// {incarnation:56 | state:8}
    pub(crate) state: AtomicU64,
    pub(crate) pid: AtomicU64,
    pub(crate) start_time: AtomicU64,
    pub(crate) pid_namespace: AtomicU64,
    pub(crate) heartbeat_ns: AtomicU64,
    pub(crate) attached_ns: AtomicU64,
    pub(crate) heartbeat_interval_ns: AtomicU64,
    /// When a waiter last looked whether the process lives.
    pub(crate) probed_ns: AtomicU64,
    pub(crate) name: [AtomicU64; 4],
    reserved2: [AtomicU64; 4],
}

/// One context of a lane.
#[repr(C)]
pub(crate) struct ContextWords {
    /// {cursor:56 | phase:8}
    pub(crate) state: AtomicU64,
    /// First spill chunk, 0 if none.
    pub(crate) first_chunk: AtomicU64,
    /// {lane:16 | counter:48}
    pub(crate) stamp: AtomicU64,
    reserved: [AtomicU64; 3],
}

/// One entry of the heap's inner log.
#[repr(C)]
pub(crate) struct LoggedWord {
    pub(crate) offset: AtomicU64,
    pub(crate) old: AtomicU64,
}

/// The heap's inner transaction.
#[repr(C)]
pub(crate) struct HeapWords {
    /// {active:1 | count:63}
    pub(crate) state: AtomicU64,
    /// Offset of the arena word that is wanted or held; 0 = none.
    pub(crate) held_arena: AtomicU64,
    /// Offset of the supply word that is wanted or held; 0 = none.
    pub(crate) held_supply: AtomicU64,
    /// Bytes that the lane's lists may take before they are counted again; a hint.
    pub(crate) allowance: AtomicU64,
    pub(crate) log: [LoggedWord; HEAP_LOG_LEN],
}
pub(crate) const HEAP_ACTIVE: u64 = 1 << 63;

/// One writing thread.
#[repr(C)]
pub(crate) struct Lane {
    /// {incarnation:40 | slot:16 | state:8}
    pub(crate) owner: AtomicU64,
    /// {operation:4 | context:5 | class:7 | block/16:48}
    pub(crate) inflight: AtomicU64,
    pub(crate) waiting_for: AtomicU64,
    pub(crate) wait_sequence: AtomicU64,
    /// 48-bit counter; never goes back.
    pub(crate) stamp_counter: AtomicU64,
    pub(crate) thread_id: AtomicU64,
    /// Counts changes that take no stamp; a hint.
    pub(crate) single_counter: AtomicU64,
    reserved: AtomicU64,
    pub(crate) heap: HeapWords,
    reserved2: [AtomicU64; 4],
    /// Free blocks of each class: {count:20 | head/16:44}
    pub(crate) lists: [AtomicU64; LIST_COUNT],
    pub(crate) contexts: [ContextWords; CONTEXT_COUNT],
    reserved3: [AtomicU64; 8],
    pub(crate) inline_log: [AtomicU64; (INLINE_LOG_SIZE / 8) as usize],
}

/// The objects that a lane reads under guards.
#[repr(C, align(64))]
pub(crate) struct ReaderLine {
    /// {object/16:48 | count:16}
    pub(crate) cells: [AtomicU64; READER_CELLS],
}

/// One object. The memory is type-stable: `word`, `version`, `generation` are never in an undo image.
#[repr(C, align(64))]
pub(crate) struct ObjectHeader {
    pub(crate) word: AtomicU32,
    /// Counts committed changes that waiters asked for; the futex of change waiters.
    pub(crate) change: AtomicU32,
    /// Even = stable, odd = being written; only grows.
    pub(crate) version: AtomicU64,
    /// Bit n: a lane with id % 64 == n may read this object under a guard.
    pub(crate) hint: AtomicU64,
    pub(crate) generation: AtomicU64,
    /// {slot, incarnation} of the process that owns an anonymous object, as in `Lane::owner`; 0 = named.
    pub(crate) owner: AtomicU64,
    pub(crate) descriptor: AtomicU64,
    pub(crate) descriptor_len: AtomicU64,
    pub(crate) validated_epoch: AtomicU64,
    pub(crate) raw: RawHeader,
    /// Next free header, only while this one is free.
    pub(crate) link: AtomicU64,
    /// Counts how often whoever took the word ended claims of readers to it, their own or others'; stored to under the word.
    /// (One that is withdrawn after a time-out is not counted: it costs the next claim its turn at most.)
    pub(crate) claims_ended: AtomicU64,
    spare: [AtomicU64; 6],
}
/// Bytes of an object header that no undo image may touch: word, version, hint, generation.
pub(crate) const OBJECT_LOCK_PART: u64 = 32;
pub(crate) const OBJECT_LINK_AT: u64 = 128;
pub(crate) const OBJECT_SIZE: u64 = 192;
pub(crate) const OBJECT_RAW_AT: u64 = 64;

/// The relocatable header of a container; one form for all kinds.
#[repr(C)]
#[doc(hidden)]
pub struct RawHeader {
    /// Context that saved this header: {lane:16 | counter:48}
    pub(crate) stamp: AtomicU64,
    /// How much of `data` was live when that context began and is not yet in its log.
    pub(crate) low_water: AtomicU64,
    /// {slot_size:32 | reserved:16 | flags:8 | kind:8}
    pub(crate) shape: AtomicU64,
    pub(crate) data: AtomicU64,
    pub(crate) len: AtomicU64,
    pub(crate) capacity: AtomicU64,
    pub(crate) aux0: AtomicU64,
    pub(crate) aux1: AtomicU64,
}
pub(crate) const RAW_SIZE: u64 = 64;

impl RawHeader {
    /// A private copy of a header.
    pub(crate) fn of_words(words: [u64; 8]) -> RawHeader {
        let [stamp, low_water, shape, data, len, capacity, aux0, aux1] = words.map(AtomicU64::new);
        RawHeader { stamp, low_water, shape, data, len, capacity, aux0, aux1 }
    }

    /// All of it, as it lies in memory.
    pub(crate) fn words(&self) -> [u64; 8] {
        let RawHeader { stamp, low_water, shape, data, len, capacity, aux0, aux1 } = self;
        [stamp, low_water, shape, data, len, capacity, aux0, aux1].map(|word| word.peek())
    }

    /// Number of items.
    #[inline(always)]
    pub(crate) fn length(&self) -> u64 {
        self.len.peek()
    }

    /// Its shape, packed.
    pub(crate) fn shape_word(&self) -> u64 {
        self.shape.peek()
    }

    /// Seed of a table's hash; 0 before its first growth.
    #[inline(always)]
    pub(crate) fn seed(&self) -> u64 {
        self.aux1.peek()
    }

    /// Can a table take one more key without growing?
    #[inline(always)]
    pub(crate) fn can_add(&self) -> bool {
        self.aux0.peek() != 0
    }

    /// Keys that a table holds without growing.
    pub(crate) fn table_room(&self) -> u64 {
        self.len.peek().saturating_add(self.aux0.peek())
    }

    /// Offset of the body.
    #[inline(always)]
    pub(crate) fn data_offset(&self) -> u64 {
        self.data.peek()
    }
}

/// Who may act at one end of a channel, whoever has the object's word.
#[repr(C)]
pub(crate) struct RoleWords {
    /// {incarnation:31 | kept:1 | slot:16 | lane + 1:16}; 0 = nobody.
    pub(crate) owner: AtomicU64,
    /// Not 0: somebody sleeps until the role is free.
    pub(crate) wanted: AtomicU32,
    /// Counts the wakes of those who want the role; their futex.
    pub(crate) turn: AtomicU32,
}

/// One end of a channel; all words of a line are stored to by the role's owner, but for those that waiters set.
#[repr(C)]
pub(crate) struct ChannelEnd {
    /// Messages that have gone through this end, modulo 2^32; the futex of those at the other end.
    pub(crate) count: AtomicU32,
    /// How long it is worth while to look around here before a sleep, in processor hints.
    pub(crate) hints: AtomicU32,
    /// {flags:32 | count:32}: whether somebody at the other end sleeps until `count` is another one (`raw/channel.rs`).
    pub(crate) awaited: AtomicU64,
    pub(crate) role: RoleWords,
    /// How often this end has had a slot at once since it last slept.
    pub(crate) streak: AtomicU32,
    /// Sleeps without a look around before them.
    pub(crate) misses: AtomicU32,
    /// One more than the number of the processor on which it last had to wait; 0: it never had.
    pub(crate) processor: AtomicU32,
    /// How far this end may go, as far as it has seen the other one's count: never behind its own count.
    pub(crate) limit: AtomicU32,
    reserved: [AtomicU64; 2],
}

/// The words of a channel that move: each end on a line of its own, and not on neighbours, which are fetched in pairs.
/// The memory is type-stable: a handle of a removed channel may still try for a role.
#[repr(C, align(256))]
pub(crate) struct ChannelControl {
    pub(crate) sender: ChannelEnd,
    /// Next free block, only while this one is free.
    link: AtomicU64,
    /// Who wants both roles to remove the channel, as a role's owner; 0 = nobody.
    pub(crate) closing: AtomicU64,
    reserved: [AtomicU64; 6],
    pub(crate) receiver: ChannelEnd,
    reserved2: [AtomicU64; 8],
}
pub(crate) const CONTROL_SIZE: u64 = 256;
pub(crate) const CONTROL_LINK_AT: u64 = 64;

/// One page of the heap.
#[repr(C)]
pub(crate) struct PageEntry {
    /// {value:32 | flags:8 | arena:8 | class:8 | kind:8}
    pub(crate) a: AtomicU64,
    pub(crate) b: AtomicU64,
}

/// Spans that can give blocks, by class.
#[repr(C)]
pub(crate) struct Arena {
    pub(crate) word: AtomicU32,
    pad: AtomicU32,
    reserved: [AtomicU64; 7],
    /// page + 1 of the first such span
    pub(crate) partial: [AtomicU64; LIST_COUNT],
    reserved2: [AtomicU64; 8],
}

/// Page runs.
#[repr(C)]
pub(crate) struct Supply {
    pub(crate) word: AtomicU32,
    pad: AtomicU32,
    /// Pages ever handed out; what follows is wilderness.
    pub(crate) supplied: AtomicU64,
    /// page + 1 of the newest header span
    pub(crate) header_spans: AtomicU64,
    reserved: [AtomicU64; 5],
    /// page + 1 of the first free run of each size bin
    pub(crate) bins: [AtomicU64; BIN_COUNT],
}

const _: () = {
    assert!(size_of::<Slot>() == 128);
    assert!(size_of::<Lane>() == 4096);
    assert!(std::mem::offset_of!(Lane, heap) == 64);
    assert!(std::mem::offset_of!(Lane, lists) == 832);
    assert!(std::mem::offset_of!(Lane, contexts) == 1216);
    assert!(std::mem::offset_of!(Lane, inline_log) == INLINE_LOG_AT as usize);
    assert!(size_of::<ContextWords>() == 48);
    assert!(size_of::<ReaderLine>() == 64);
    assert!(size_of::<ObjectHeader>() == OBJECT_SIZE as usize);
    assert!(std::mem::offset_of!(ObjectHeader, raw) == OBJECT_RAW_AT as usize);
    assert!(std::mem::offset_of!(ObjectHeader, link) == OBJECT_LINK_AT as usize);
    assert!(std::mem::offset_of!(ObjectHeader, owner) == OBJECT_LOCK_PART as usize);
    // Who waits for a word names what it belongs to by the word's own place.
    assert!(std::mem::offset_of!(ObjectHeader, word) == 0);
    assert!(std::mem::offset_of!(Arena, word) == 0);
    assert!(std::mem::offset_of!(Supply, word) == 0);
    assert!(size_of::<RawHeader>() == RAW_SIZE as usize);
    assert!(size_of::<ChannelEnd>() == 64);
    assert!(size_of::<ChannelControl>() == CONTROL_SIZE as usize);
    assert!(std::mem::offset_of!(ChannelControl, link) == CONTROL_LINK_AT as usize);
    assert!(std::mem::offset_of!(ChannelControl, receiver) == 128);
    assert!(size_of::<PageEntry>() == 16);
    assert!(size_of::<Arena>() == 512);
    assert!(size_of::<Supply>() <= PAGE as usize);
    assert!(size_of::<HeaderWords>() + HEADER_WORDS_AT as usize <= HEADER_SIZE as usize);
};

/// Packed forms of the words above; each is a pair of inverse functions.
pub(crate) mod pack {
    /// One more in a list's count, whose bits are above it.
    const LIST_ONE: u64 = 1 << 44;
    const LIST_COUNT: u64 = !(LIST_ONE - 1);

    /// {count:20 | value/16:44}: a list head with its length, moved by one store. The count is modulo 2^20: it steers
    /// batches; walks end on link 0.
    #[inline(always)]
    pub(crate) fn list(head: u64, count: u64) -> u64 {
        (count << 44) | (head >> 4)
    }
    #[inline(always)]
    pub(crate) fn list_head(word: u64) -> u64 {
        word << 20 >> 16
    }
    /// A list whose head was taken off; `next` is the one behind it.
    #[inline(always)]
    pub(crate) fn list_popped(word: u64, next: u64) -> u64 {
        (word & LIST_COUNT).wrapping_sub(LIST_ONE) | (next >> 4)
    }
    /// A list with a new head.
    #[inline(always)]
    pub(crate) fn list_pushed(word: u64, block: u64) -> u64 {
        (word & LIST_COUNT).wrapping_add(LIST_ONE) | (block >> 4)
    }
    #[inline(always)]
    pub(crate) fn list_count(word: u64) -> u64 {
        word >> 44
    }
    /// {cursor:56 | phase:8}
    #[inline(always)]
    pub(crate) fn context(cursor: u64, phase: u64) -> u64 {
        (cursor << 8) | phase
    }
    #[inline(always)]
    pub(crate) fn cursor(word: u64) -> u64 {
        word >> 8
    }
    #[inline(always)]
    pub(crate) fn phase(word: u64) -> u64 {
        word & 0xff
    }
    /// {incarnation:40 | slot:16 | state:8}
    #[inline(always)]
    pub(crate) fn owner(slot: u32, incarnation: u64, state: u64) -> u64 {
        (incarnation << 24) | ((slot as u64 & 0xffff) << 8) | state
    }
    #[inline(always)]
    pub(crate) fn owner_state(word: u64) -> u64 {
        word & 0xff
    }
    #[inline(always)]
    pub(crate) fn owner_slot(word: u64) -> u32 {
        ((word >> 8) & 0xffff) as u32
    }
    #[inline(always)]
    pub(crate) fn owner_incarnation(word: u64) -> u64 {
        word >> 24
    }
    /// {incarnation:31 | kept:1 | slot:16 | lane + 1:16}
    #[inline(always)]
    pub(crate) fn role(lane: u32, slot: u32, incarnation: u64, kept: bool) -> u64 {
        ((incarnation & ROLE_INCARNATION) << 33)
            | (kept as u64) << 32
            | (slot as u64 & 0xffff) << 16
            | (lane as u64 + 1)
    }
    /// As much of an incarnation as a role's word has room for.
    pub(crate) const ROLE_INCARNATION: u64 = (1 << 31) - 1;
    #[inline(always)]
    pub(crate) fn role_lock_id(word: u64) -> u32 {
        word as u32 & 0xffff
    }
    #[inline(always)]
    pub(crate) fn role_slot(word: u64) -> u32 {
        (word >> 16) as u32 & 0xffff
    }
    #[inline(always)]
    pub(crate) fn role_is_kept(word: u64) -> bool {
        word >> 32 & 1 != 0
    }
    #[inline(always)]
    pub(crate) fn role_incarnation(word: u64) -> u64 {
        word >> 33
    }
    /// {value:32 | flags:8 | arena:8 | class:8 | kind:8}
    #[inline(always)]
    pub(crate) fn page(kind: u64, class: u64, arena: u64, value: u64) -> u64 {
        kind | (class << 8) | (arena << 16) | (value << 32)
    }
    #[inline(always)]
    pub(crate) fn page_kind(word: u64) -> u64 {
        word & 0xff
    }
    #[inline(always)]
    pub(crate) fn page_class(word: u64) -> u64 {
        (word >> 8) & 0xff
    }
    #[inline(always)]
    pub(crate) fn page_arena(word: u64) -> u64 {
        (word >> 16) & 0xff
    }
    #[inline(always)]
    pub(crate) fn page_value(word: u64) -> u64 {
        word >> 32
    }
    /// {next:32 | prev:32} and {carved:32 | listed:32}
    #[inline(always)]
    pub(crate) fn pair(low: u64, high: u64) -> u64 {
        low | (high << 32)
    }
    #[inline(always)]
    pub(crate) fn low(word: u64) -> u64 {
        word & 0xffff_ffff
    }
    #[inline(always)]
    pub(crate) fn high(word: u64) -> u64 {
        word >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::pack::*;

    #[test]
    fn a_lists_count_comes_back_from_beyond_its_range() {
        let most = (1 << 20) - 1;
        let (first, second) = (list(4096, most), list(8192, 0));
        assert_eq!(list_pushed(first, 8192), second);
        assert_eq!(list_popped(second, 4096), first);
        assert_eq!([list_head(second), list_count(second)], [8192, 0]);
        assert_eq!(list(4096, list_count(second).wrapping_sub(1)), first);
    }

    #[test]
    fn a_push_and_a_pop_are_each_others_reverse() {
        let empty = list(0, 0);
        let one = list_pushed(empty, 1 << 47);
        assert_eq!([list_head(one), list_count(one)], [1 << 47, 1]);
        assert_eq!(list_popped(one, 0), empty);
    }
}
