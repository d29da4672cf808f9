//! The record stream of one context: a stack of records, each with its head behind its payload, in an inline part
//! (context 0) and a chain of spill chunks. Positions are logical byte counts over the chain.
//!
//! ```text
//! record: payload (padded to 8) | {length:32 | reserved:16 | flags:8 | kind:8} {offset}
//! chunk:  0 next   8 prev   16 base   24 prev_used   32.. records
//! ```

use crate::sys::atomic::AtomicU64;

use crate::process::Actor;
use crate::region::layout::*;
use crate::{Error, Result};

pub(crate) const HEAD_SIZE: u64 = 16;
pub(crate) const CHUNK_HEAD: u64 = 32;
pub(crate) const CHUNK_SIZE: u64 = 8192;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The context wants or holds this object's word.
    Held = 1,
    /// The payload stood here when the context began.
    Save = 2,
    /// The context owns this block; given back on rollback.
    Alloc = 3,
    /// The context has let this block go; given back on commit.
    Free = 4,
    /// A container was detached (payload: all that is needed to take it apart after the commit).
    Raze = 5,
    /// The object is removed: its generation moves at commit.
    Retire = 6,
}

impl Kind {
    fn of(word: u64) -> Option<Kind> {
        Some(match word & 0xff {
            1 => Kind::Held,
            2 => Kind::Save,
            3 => Kind::Alloc,
            4 => Kind::Free,
            5 => Kind::Raze,
            6 => Kind::Retire,
            _ => return None,
        })
    }
}

/// The first word of a record head.
#[inline(always)]
pub(crate) const fn head_word(kind: Kind, flags: u8, payload: u32) -> u64 {
    kind as u64 | ((flags as u64) << 8) | ((payload as u64) << 32)
}

/// A record without payload that names a block, but for its class.
const ALLOC: u64 = head_word(Kind::Alloc, 0, 0);
const FREE: u64 = head_word(Kind::Free, 0, 0);

/// One record, as read back.
#[derive(Clone, Copy)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    pub(crate) len: u32,
    pub(crate) offset: u64,
    pub(crate) payload: *mut u8,
    /// The cursor that takes this record off the stack.
    pub(crate) below: u64,
}

/// A stretch of a log.
#[derive(Clone, Copy)]
pub(crate) struct Chunk {
    /// Offset of the block; 0 is the inline part.
    pub(crate) block: u64,
    /// Position of its first record.
    pub(crate) base: u64,
    pub(crate) records: *mut u8,
    pub(crate) size: u64,
    /// Position at which the chunk before it was left.
    prev_used: u64,
}

impl Chunk {
    /// The head of the record that ends behind `used` bytes: at least 16, a multiple of 8, not more than `size`. The lane is
    /// ours.
    #[inline(always)]
    fn head(&self, used: u64) -> (u64, u64) {
        debug_assert!((HEAD_SIZE..=self.size).contains(&used) && used.is_multiple_of(8));
        // SAFETY: R1, J: used - 16 .. used lies inside the chunk, 8-aligned.
        unsafe {
            let head = self.records.add((used - HEAD_SIZE) as usize).cast::<u64>();
            (head.read(), head.add(1).read())
        }
    }
}

/// The log of context `index` of a lane, for walking.
#[derive(Clone, Copy)]
pub(crate) struct Log<'a> {
    actor: Actor<'a>,
    index: usize,
}

impl<'a> Log<'a> {
    pub(crate) fn new(actor: Actor<'a>, index: usize) -> Log<'a> {
        Log { actor, index }
    }

    /// The first stretch, if there is any.
    pub(crate) fn first(&self) -> Result<Option<Chunk>> {
        if self.index == 0 {
            let records = self.actor.lane.inline_log.as_ptr().cast::<u8>().cast_mut();
            return Ok(Some(Chunk { block: 0, base: 0, records, size: INLINE_LOG_SIZE, prev_used: 0 }));
        }
        let first = self.actor.lane.contexts[self.index].first_chunk.peek();
        if first == 0 { Ok(None) } else { self.chunk_at(first).map(Some) }
    }

    /// The stretch in `block`, or the inline part.
    pub(crate) fn stretch(&self, block: u64) -> Result<Option<Chunk>> {
        if block == 0 { self.first() } else { self.chunk_at(block).map(Some) }
    }

    fn chunk_at(&self, block: u64) -> Result<Chunk> {
        let head = self.actor.space.get::<ChunkHead>(block)?;
        let start = self.actor.space.resolve(block, CHUNK_SIZE)?;
        // SAFETY: R1: CHUNK_HEAD < CHUNK_SIZE bytes were resolved.
        let records = unsafe { start.add(CHUNK_HEAD as usize) };
        let (base, prev_used) = (head.base.peek(), head.prev_used.peek());
        Ok(Chunk { block, base, records, size: CHUNK_SIZE - CHUNK_HEAD, prev_used })
    }

    /// The stretch after `chunk`.
    pub(crate) fn next(&self, chunk: &Chunk) -> Result<Option<Chunk>> {
        let next = self.next_word(chunk)?.peek();
        if next == 0 {
            return Ok(None);
        }
        let next = self.chunk_at(next)?;
        if next.base != chunk.base + chunk.size {
            return Err(Error::corrupt(next.block, "a log chunk does not follow its predecessor"));
        }
        Ok(Some(next))
    }

    /// The word that names the chunk after `chunk`.
    pub(crate) fn next_word(&self, chunk: &Chunk) -> Result<&'a AtomicU64> {
        match chunk.block {
            0 => Ok(&self.actor.lane.contexts[self.index].first_chunk),
            block => Ok(&self.actor.space.get::<ChunkHead>(block)?.next),
        }
    }

    /// All stretches in order. Bases rise strictly, so a chain that loops ends in an error.
    pub(crate) fn chunks(&self) -> Result<Vec<Chunk>> {
        let mut chunks: Vec<Chunk> = self.first()?.into_iter().collect();
        if let Some(first) = chunks.first()
            && first.base != 0
        {
            return Err(Error::corrupt(first.block, "a log does not begin at 0"));
        }
        while let Some(last) = chunks.last() {
            match self.next(last)? {
                Some(next) => chunks.push(next),
                None => break,
            }
        }
        Ok(chunks)
    }

    /// Visits the records from the newest to the oldest, as the context's cursor has them now.
    pub(crate) fn walk(&self, mut visit: impl FnMut(Record) -> Result<()>) -> Result<()> {
        let mut cursor = pack::cursor(self.actor.lane.contexts[self.index].state.peek());
        if cursor == 0 {
            return Ok(());
        }
        let chunks = self.chunks()?;
        while let Some(record) = self.below(&chunks, cursor)? {
            cursor = record.below;
            visit(record)?;
        }
        Ok(())
    }

    /// The stretch that the record below `cursor`, which is not 0, lies in: its number, and how many of its bytes lie below.
    #[inline(always)]
    fn place(&self, chunks: &[Chunk], cursor: u64) -> Result<(usize, u64)> {
        // All chunks but the first are of one size, and each begins where the one before it ends.
        let first = chunks.first().ok_or_else(|| self.damaged())?;
        let behind = cursor.checked_sub(first.size + 1);
        let number = behind.map_or(0, |behind| 1 + (behind / (CHUNK_SIZE - CHUNK_HEAD)) as usize);
        let chunk = chunks.get(number).ok_or_else(|| self.damaged())?;
        let used = cursor - chunk.base;
        let fits = used <= chunk.size && used >= HEAD_SIZE && used.is_multiple_of(8);
        if fits { Ok((number, used)) } else { Err(self.damaged()) }
    }

    #[cold]
    fn damaged(&self) -> Error {
        Error::corrupt(self.actor.space.offset_of(self.actor.lane), "a log record is malformed")
    }

    /// Visits what records of `kind`, Alloc or Free, name (class, block) from `cursor` down, as long as there are records of
    /// these two kinds in this stretch and `visit` takes them. Says where what it has not taken begins.
    #[inline(always)]
    pub(crate) fn blocks(
        &self,
        chunks: &[Chunk],
        cursor: u64,
        kind: Kind,
        mut visit: impl FnMut(usize, u64) -> bool,
    ) -> Result<u64> {
        let wanted = head_word(kind, 0, 0);
        let (number, mut used) = self.place(chunks, cursor)?;
        let chunk = chunks[number];
        // What the first record of a stretch lies upon is in another one.
        while used > HEAD_SIZE {
            let (head, block) = chunk.head(used);
            let bare = head & !0xff00;
            if bare == wanted {
                if !visit((head >> 8) as u8 as usize, block) {
                    break;
                }
            } else if bare != ALLOC && bare != FREE {
                break;
            }
            used -= HEAD_SIZE;
        }
        Ok(chunk.base + used)
    }

    /// Are the newest `count` records below `cursor`, all in one stretch, probably such as name a block? (What the log is
    /// made of does not show before it is read; this looks at the ends.)
    pub(crate) fn are_blocks(&self, chunks: &[Chunk], cursor: u64, count: u64, kind: Kind) -> Result<bool> {
        if cursor < count * HEAD_SIZE {
            return Ok(false);
        }
        let (number, used) = self.place(chunks, cursor)?;
        let first = used.saturating_sub((count - 1) * HEAD_SIZE);
        let is_block = |used| chunks[number].head(used).0 & !0xff00 == head_word(kind, 0, 0);
        Ok(first > HEAD_SIZE && is_block(used) && is_block(first))
    }

    /// The record that ends at `cursor`.
    pub(crate) fn below(&self, chunks: &[Chunk], cursor: u64) -> Result<Option<Record>> {
        if cursor == 0 {
            return Ok(None);
        }
        let (number, used) = self.place(chunks, cursor)?;
        let (chunk, damaged) = (&chunks[number], || self.damaged());
        let (head, offset) = chunk.head(used);
        let kind = Kind::of(head).ok_or_else(damaged)?;
        let len = (head >> 32) as u32;
        let size = u64::from(len).next_multiple_of(8) + HEAD_SIZE;
        let start = used.checked_sub(size).ok_or_else(damaged)?;
        // SAFETY: start lies inside the chunk.
        let payload = unsafe { chunk.records.add(start as usize) };
        // The first record of a chunk lies upon whatever the chunk before it was left with.
        let below = if start == 0 { chunk.prev_used } else { chunk.base + start };
        if below > chunk.base + start || (start == 0 && number > 0 && below < chunks[number - 1].base) {
            return Err(damaged());
        }
        Ok(Some(Record { kind, flags: (head >> 8) as u8, len, offset, payload, below }))
    }

    /// The newest record.
    pub(crate) fn top(&self) -> Result<Option<Record>> {
        let cursor = pack::cursor(self.actor.lane.contexts[self.index].state.peek());
        self.below(&self.chunks()?, cursor)
    }
}

/// Head of a spill chunk.
#[repr(C)]
pub(crate) struct ChunkHead {
    pub(crate) next: AtomicU64,
    pub(crate) prev: AtomicU64,
    pub(crate) base: AtomicU64,
    pub(crate) prev_used: AtomicU64,
}
// SAFETY: atomics only.
unsafe impl crate::region::Persisted for ChunkHead {}
