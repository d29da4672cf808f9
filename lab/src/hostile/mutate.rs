//! Damage with a plan: what is changed in the image of a region, and to what.

use super::anatomy::Anatomy;
use super::bases::Base;
use crate::places::{checksum, word};
use crate::random::Random;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

/// One change of a file.
pub enum Edit {
    Bytes {
        part: &'static str,
        at: u64,
        bytes: Vec<u8>,
    },
    /// Cut off, or longer.
    Length(u64),
    Hole {
        at: u64,
        len: u64,
    },
}

impl Edit {
    pub fn apply(&self, file: &File) -> io::Result<()> {
        match self {
            Edit::Bytes { at, bytes, .. } => file.write_all_at(bytes, *at),
            Edit::Length(len) => file.set_len(*len),
            Edit::Hole { at, len } => {
                let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
                // SAFETY: a call with numbers alone.
                match unsafe { libc::fallocate(file.as_raw_fd(), mode, *at as i64, *len as i64) } {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            }
        }
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edit::Bytes { part, at, bytes } if bytes.len() == 8 => {
                write!(to, "{part} at {at} = {:#x}", u64::from_le_bytes(bytes[..].try_into().expect("eight bytes")))
            }
            Edit::Bytes { part, at, bytes } if bytes.len() < 9 => write!(to, "{part} at {at} = {bytes:x?}"),
            Edit::Bytes { part, at, bytes } => write!(to, "{part} at {at}: {} bytes", bytes.len()),
            Edit::Length(len) => write!(to, "length {len}"),
            Edit::Hole { at, len } => write!(to, "{len} bytes of zeros at {at}"),
        }
    }
}

/// One to eight changes of a base.
pub fn mutate(base: &Base, anatomy: &Anatomy, random: &mut Random) -> Vec<Edit> {
    let count = 1 + random.below(8).min(random.below(8));
    let mut mutation = Mutation { bytes: &base.bytes, anatomy, random, edits: Vec::new() };
    let all: u64 = Mutation::KINDS.iter().map(|(weight, _)| weight).sum();
    for _ in 0..count {
        let mut chosen = mutation.random.below(all);
        let kind = Mutation::KINDS.iter().find(|(weight, _)| match chosen.checked_sub(*weight) {
            Some(rest) => {
                chosen = rest;
                false
            }
            None => true,
        });
        kind.expect("below the sum of all").1(&mut mutation);
    }
    // What was taken for the place of something may be no place in a file.
    let end = base.bytes.len() as u64;
    mutation.edits.retain(|edit| !matches!(edit, Edit::Bytes { at, .. } if *at >= end));
    mutation.edits
}

struct Mutation<'a> {
    bytes: &'a [u8],
    anatomy: &'a Anatomy,
    random: &'a mut Random,
    edits: Vec<Edit>,
}

/// A kind of damage, and how often it is chosen.
type Kind<'a> = (u64, fn(&mut Mutation<'a>));

impl<'a> Mutation<'a> {
    const KINDS: &'a [Kind<'a>] = &[
        (4, Self::header_word),
        (2, Self::geometry),
        (4, Self::arena_or_supply),
        (3, Self::slot),
        (2, Self::reader),
        (5, Self::lane_owner),
        (4, Self::inflight),
        (5, Self::heap_log),
        (5, Self::lane_list),
        (6, Self::context),
        (6, Self::logged),
        (7, Self::crafted_log),
        (8, Self::page_entry),
        (6, Self::object_lock),
        (7, Self::object_body),
        (14, Self::raw_header),
        (6, Self::descriptor),
        (10, Self::pointer),
        (8, Self::behind_a_pointer),
        (8, Self::block_head),
        (5, Self::copied_block),
        (4, Self::swapped),
        (8, Self::noise),
        (4, Self::bit),
        (1, Self::length),
        (1, Self::hole),
    ];
}

impl Mutation<'_> {
    fn below(&mut self, end: u64) -> u64 {
        self.random.below(end.max(1))
    }

    fn one_of(&mut self, all: &[u64]) -> Option<u64> {
        (!all.is_empty()).then(|| all[self.below(all.len() as u64) as usize])
    }

    fn old(&self, at: u64) -> u64 {
        if at + 8 <= self.bytes.len() as u64 { word(self.bytes, at) } else { 0 }
    }

    fn put(&mut self, part: &'static str, at: u64, value: u64) {
        self.edits.push(Edit::Bytes { part, at, bytes: value.to_le_bytes().to_vec() });
    }

    /// A word that is now and then right, seldom harmless, and always looks like something.
    fn some(&mut self, at: u64) -> u64 {
        let old = self.old(at);
        let (heap, end) = (self.anatomy.places.heap_at, self.anatomy.supplied_end);
        match self.below(20) {
            0 => 0,
            1 => 1,
            2 => u64::MAX,
            3 => 1 << self.below(64),
            4 => (1 << self.below(64)) - 1,
            5 => old.wrapping_add(1 << self.below(64)),
            6 => old.wrapping_sub(1 << self.below(64)),
            7 => old.wrapping_add(self.below(40)).wrapping_sub(20),
            8 => old ^ 1 << self.below(64),
            9 | 10 => self.block(),
            11 => self.block() + 16 * self.below(300),
            12 => at & !15,
            13 => (heap + self.below(end - heap)) & !15,
            14 => heap + self.below((end - heap) / 4096 + 2) * 4096,
            15 => self.anatomy.places.committed_end - 16 * self.below(3),
            16 => self.below(300),
            17 => self.below(1 << 20),
            18 => {
                let from = (heap + self.below(end - heap)) & !7;
                self.old(from)
            }
            _ => self.random.number(),
        }
    }

    /// The offset of a block.
    fn block(&mut self) -> u64 {
        let blocks = &self.anatomy.blocks;
        self.one_of(blocks).unwrap_or(self.anatomy.places.heap_at)
    }

    fn put_some(&mut self, part: &'static str, at: u64) {
        let value = self.some(at);
        self.put(part, at, value);
    }

    /// One of the words of a structure at `at`.
    fn one_word(&mut self, part: &'static str, at: u64, words: &[u64]) {
        let word = words[self.below(words.len() as u64) as usize];
        self.put_some(part, at + word);
    }

    fn lane(&mut self) -> u64 {
        let number = self.below(10).min(self.random.below(10));
        self.anatomy.places.lanes_at + number * 4096
    }

    /// What a lock word may look like.
    fn lock_word(&mut self) -> u64 {
        let lane = self.below(20);
        lane | self.below(16) << 16 | if self.below(4) == 0 { self.below(4096) << 20 } else { 0 }
    }

    fn header_word(&mut self) {
        self.one_word("header word", 192, &[0, 8, 16, 24, 32, 40, 48, 56, 64]);
    }

    /// A field of the upper half, with a checksum that fits.
    fn geometry(&mut self) {
        let mut header = self.bytes[..192].to_vec();
        let at = self.below(24) as usize * 8;
        if at == 56 {
            return self.put_some("checksum", 56);
        }
        let value = match self.below(3) {
            0 => self.old(at as u64).wrapping_add(self.below(5) * 65536),
            _ => self.some(at as u64),
        };
        header[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let sum = checksum(&header);
        header[56..64].copy_from_slice(&sum.to_le_bytes());
        self.edits.push(Edit::Bytes { part: "geometry", at: 0, bytes: header });
    }

    fn arena_or_supply(&mut self) {
        let word = |at: u64, value: u64| (at, value);
        let pages = self.below((self.anatomy.supplied_end - self.anatomy.places.heap_at) / 4096 + 3);
        let (at, value) = match self.below(6) {
            0 => word(4096 + 512 * self.below(8), self.lock_word()),
            1 => word(8192, self.lock_word()),
            2 => word(8192 + 8, pages),
            3 => word(8192 + 16, pages),
            4 => word(4096 + 512 * self.below(8) + 64 + 8 * self.below(48), pages),
            _ => word(8192 + 64 + 8 * self.below(128), pages),
        };
        let value = if self.below(3) == 0 { self.some(at) } else { value };
        self.put("arena or supply", at, value);
    }

    fn slot(&mut self) {
        let at = self.anatomy.places.slots_at + 128 * self.below(4);
        if self.below(3) == 0 {
            let state = self.below(4) << 8 | self.below(3);
            return self.put("slot state", at, state);
        }
        self.one_word("slot", at, &[0, 8, 16, 24, 32, 40, 48, 56, 64, 96]);
    }

    fn reader(&mut self) {
        let at = self.anatomy.places.readers_at + 64 * self.below(6) + 8 * self.below(8);
        let objects = &self.anatomy.objects;
        let value = match self.one_of(objects) {
            Some(object) if self.below(2) == 0 => object >> 4 << 16 | self.below(3),
            _ => self.some(at),
        };
        self.put("reader cell", at, value);
    }

    fn owner(&mut self) -> u64 {
        self.below(4) << 24 | self.below(4) << 8 | self.below(6)
    }

    fn lane_owner(&mut self) {
        let at = self.lane();
        if self.below(2) == 0 {
            let owner = self.owner();
            return self.put("lane owner", at, owner);
        }
        self.one_word("lane", at, &[0, 8, 16, 24, 32, 40]);
    }

    fn inflight(&mut self) {
        let at = self.lane() + 8;
        let value = self.below(6) | self.below(4) << 4 | self.below(48) << 9 | self.block() >> 4 << 16;
        self.put("word in flight", at, value);
        if self.below(2) == 0 {
            self.put("lane owner", at - 8, 1 << 24 | 1);
        }
    }

    fn heap_log(&mut self) {
        let lane = self.lane();
        let count = self.below(48).min(self.random.below(48));
        self.put("heap state", lane + 64, 1 << 63 | count);
        for number in 0..count.min(3) {
            let at = lane + 96 + 16 * number;
            let offset = match self.below(5) {
                0 => 8192 + 8 * self.below(140),
                1 => 4096 + 8 * self.below(512),
                2 => lane + 832 + 8 * self.below(48),
                3 => self.page_word(),
                _ => self.some(at),
            };
            self.put("heap log", at, offset);
            self.put_some("heap log", at + 8);
        }
        for at in [lane + 72, lane + 80] {
            let held = [0, 4096 + 512 * self.below(8), 8192, self.some(at)][self.below(4) as usize];
            self.put("held by the heap", at, held);
        }
    }

    fn page_word(&mut self) -> u64 {
        let entries = &self.anatomy.entries;
        let at = self.one_of(entries).unwrap_or(self.anatomy.places.page_map_at);
        at + 8 * self.below(2)
    }

    fn lane_list(&mut self) {
        let at = self.lane() + 832 + 8 * self.below(48);
        let value = match self.below(3) {
            0 => self.some(at),
            _ => self.below(40) << 44 | self.block() >> 4,
        };
        self.put("lane list", at, value);
    }

    fn context(&mut self) {
        let at = self.lane() + 1216 + 48 * self.below(16).min(self.random.below(16));
        match self.below(4) {
            0 => {
                let phase = self.below(5);
                let old = self.old(at);
                self.put("phase", at, old & !0xff | phase);
            }
            1 => {
                let state = (self.below(600) * 8) << 8 | self.below(4);
                self.put("context", at, state);
            }
            2 => {
                let chunk = self.block();
                self.put("first chunk", at + 8, chunk);
            }
            _ => self.one_word("context", at, &[0, 8, 16]),
        }
    }

    /// A record that is there: its head, its payload; or a link of a spilled log.
    fn logged(&mut self) {
        let records = &self.anatomy.records;
        let Some(head) = self.one_of(records) else { return self.context() };
        match self.below(5) {
            0 => {
                let value = self.old(head) & !0xff | self.below(8);
                self.put("kind of a record", head, value);
            }
            1 => self.put_some("head of a record", head),
            2 => self.put_some("place of a record", head + 8),
            3 => {
                let value = self.old(head) & 0xffff_ffff | self.below(5000) << 32;
                self.put("length of a record", head, value);
            }
            _ => {
                let at = head - 8 * (1 + self.below(8));
                self.put_some("payload", at);
            }
        }
    }

    /// The log of a dead process that was never there.
    fn crafted_log(&mut self) {
        let lane = self.lane();
        let mut bytes = Vec::new();
        for _ in 0..1 + self.below(4) {
            let kind = self.below(8);
            let flags = if kind == 4 { self.below(48) } else { 0 };
            let payload: Vec<u64> = match kind {
                2 => (0..1 + self.below(8)).map(|_| self.some(lane)).collect(),
                5 => self.razed(),
                6 => vec![self.below(1000)],
                _ => Vec::new(),
            };
            let offset = match kind {
                1 | 6 => {
                    let objects = &self.anatomy.objects;
                    self.one_of(objects).unwrap_or(lane)
                }
                2 => {
                    let pointers = &self.anatomy.pointers;
                    self.one_of(pointers).unwrap_or(lane)
                }
                _ => self.block(),
            };
            let offset = if self.below(6) == 0 { self.some(lane) } else { offset };
            bytes.extend(payload.iter().flat_map(|word| word.to_le_bytes()));
            let head = kind | flags << 8 | (payload.len() as u64 * 8) << 32;
            bytes.extend([head, offset].iter().flat_map(|word| word.to_le_bytes()));
            if kind == 1 && self.below(2) == 0 {
                let number = (lane - self.anatomy.places.lanes_at) / 4096;
                self.put("lock of a crafted log", offset & !7, number + 1);
            }
        }
        bytes.truncate(2048);
        let state = (bytes.len() as u64) << 8 | (1 + self.below(3));
        self.edits.push(Edit::Bytes { part: "crafted log", at: lane + 2048, bytes });
        self.put("crafted context", lane + 1216, state);
        let owner = if self.below(3) == 0 { self.owner() } else { 1 << 24 | 1 };
        self.put("crafted owner", lane, owner);
    }

    /// A container that is to be taken apart: its raw header, and words that tell what a slot owns.
    fn razed(&mut self) -> Vec<u64> {
        let headers = &self.anatomy.raw_headers;
        let Some(at) = self.one_of(headers) else { return Vec::new() };
        let mut words: Vec<u64> = (0..8).map(|number| self.old(at + 8 * number)).collect();
        if self.below(2) == 0 {
            let changed = self.below(8) as usize;
            words[changed] = self.some(at);
        }
        for _ in 0..self.below(4) {
            let owned = self.below(8) << 3 | (1 + self.below(3)) << 24;
            words.push(owned | self.below(6) << 32);
        }
        words
    }

    fn page_entry(&mut self) {
        let entries = &self.anatomy.entries;
        let Some(entry) = self.one_of(entries) else { return };
        let pages = (self.anatomy.supplied_end - self.anatomy.places.heap_at) / 4096 + 3;
        match self.below(6) {
            0 => {
                let value = self.old(entry) & !0xff | self.below(7);
                self.put("kind of a page", entry, value);
            }
            1 => {
                let value = self.old(entry) & !0xff00 | self.below(49) << 8;
                self.put("class of a page", entry, value);
            }
            2 => {
                let value = self.old(entry) & 0xffff_ffff | self.below(pages) << 32;
                self.put("value of a page", entry, value);
            }
            3 => {
                let value = self.below(pages) | self.below(pages) << 32;
                self.put("links of a page", entry + 8, value);
            }
            4 => {
                let value = self.below(40) << 44 | self.block() >> 4;
                self.put("free list of a span", entry + 8, value);
            }
            _ => self.one_word("page", entry, &[0, 8]),
        }
    }

    fn object_lock(&mut self) {
        let objects = &self.anatomy.objects;
        let Some(object) = self.one_of(objects) else { return };
        match self.below(6) {
            0 => {
                let value = self.lock_word();
                self.put("lock", object, value);
            }
            1 | 2 => {
                let value = self.old(object + 8) | 1;
                self.put("version", object + 8, value);
            }
            3 => {
                let value = self.owner();
                self.put("owner of an object", object + 32, value);
            }
            _ => self.one_word("lock of an object", object, &[0, 8, 16, 24, 32]),
        }
    }

    fn object_body(&mut self) {
        let objects = &self.anatomy.objects;
        let Some(object) = self.one_of(objects) else { return };
        self.one_word("object", object, &[40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128]);
    }

    fn raw_header(&mut self) {
        let headers = &self.anatomy.raw_headers;
        let Some(at) = self.one_of(headers) else { return };
        match self.below(8) {
            0 => {
                let value = self.old(at + 16) & !0xff | self.below(12);
                self.put("kind of a container", at + 16, value);
            }
            1 => {
                let value = self.old(at + 16) & 0xffff_ffff | self.below(200) << 32;
                self.put("slot size of a container", at + 16, value);
            }
            2 => {
                let other = self.one_of(headers).unwrap_or(at);
                let value = self.old(other + 24);
                self.put("body of another container", at + 24, value);
            }
            3 => {
                let value = (self.old(at + 32) + self.below(20)).saturating_sub(self.below(20));
                self.put("length of a container", at + 32, value);
            }
            4 => {
                let value = self.old(at + 40) << self.below(3) >> self.below(3);
                self.put("capacity of a container", at + 40, value);
            }
            _ => self.one_word("raw header", at, &[0, 8, 16, 24, 32, 40, 48, 56]),
        }
    }

    fn descriptor(&mut self) {
        if self.anatomy.descriptors.is_empty() {
            return;
        }
        let chosen = self.below(self.anatomy.descriptors.len() as u64) as usize;
        let (at, len) = self.anatomy.descriptors[chosen];
        match self.below(4) {
            0 => {
                let byte = at + self.below(len);
                let value = self.random.number() as u8;
                self.edits.push(Edit::Bytes { part: "descriptor", at: byte, bytes: vec![value] });
            }
            1 => {
                let owned = self.below(16) << 3 | self.below(5) << 24;
                let word = at + 16 + 4 * self.below(4);
                let bytes = (owned as u32).to_le_bytes().to_vec();
                self.edits.push(Edit::Bytes { part: "owned words", at: word, bytes });
            }
            _ => {
                let word = at + 8 * self.below(len / 8);
                self.put_some("descriptor", word);
            }
        }
    }

    fn pointer(&mut self) {
        let pointers = &self.anatomy.pointers;
        let Some(at) = self.one_of(pointers) else { return };
        let value = match self.below(4) {
            // A circle, or near to one.
            0 => self.anatomy.blocks.iter().copied().filter(|block| *block <= at).max().unwrap_or(at),
            1 => {
                let other = self.one_of(pointers).unwrap_or(at);
                self.old(other)
            }
            2 => self.block() + 16 * self.below(8),
            _ => self.some(at),
        };
        self.put("pointer", at, value);
    }

    /// What stands beside a pointer is a length or a count.
    fn behind_a_pointer(&mut self) {
        let pointers = &self.anatomy.pointers;
        let Some(at) = self.one_of(pointers) else { return };
        match self.below(3) {
            0 => {
                let value = self.old(at + 8).wrapping_add(self.below(64));
                self.put("beside a pointer", at + 8, value);
            }
            1 => {
                let word = self.old(at) + 8 * self.below(3);
                self.put_some("head of what is pointed to", word);
            }
            _ => self.put_some("beside a pointer", at + 8),
        }
    }

    /// A link of a free block, the head of a node, or content.
    fn block_head(&mut self) {
        let at = self.block();
        match self.below(4) {
            0 => {
                let value = self.block();
                self.put("link of a block", at, value);
            }
            1 => {
                let value = self.below(80) | self.below(14) << 16 | self.below(3) << 24;
                self.put("head of a node", at + 8, value);
            }
            _ => self.one_word("block", at, &[0, 8, 16, 24]),
        }
    }

    fn copied_block(&mut self) {
        let (from, at) = (self.block(), self.block());
        let len = [16, 64, 192, 512, 1024][self.below(5) as usize];
        let from = from.min(self.bytes.len() as u64 - len) as usize;
        let bytes = self.bytes[from..from + len as usize].to_vec();
        self.edits.push(Edit::Bytes { part: "copy of another block", at, bytes });
    }

    fn swapped(&mut self) {
        let pointers = &self.anatomy.pointers;
        let (Some(one), Some(other)) = (self.one_of(pointers), self.one_of(pointers)) else { return };
        let (first, second) = (self.old(one), self.old(other));
        self.put("swapped pointer", one, second);
        self.put("swapped pointer", other, first);
    }

    /// Random bytes anywhere that matters.
    fn noise(&mut self) {
        let places = &self.anatomy.places;
        let (from, to) = match self.random.below(8) {
            0 => (0, 12288),
            1 => (places.lanes_at, places.lanes_at + 4 * 4096),
            2 => (places.page_map_at, places.page_map_at + (self.anatomy.supplied_end - places.heap_at) / 256),
            3 => (places.slots_at, places.slots_at + 512),
            _ => (places.heap_at, self.anatomy.supplied_end),
        };
        let at = from + self.below(to - from);
        let len = [1, 1, 2, 4, 8, 8, 16, 64, 300][self.below(9) as usize];
        let bytes = (0..len).map(|_| self.random.number() as u8).collect();
        self.edits.push(Edit::Bytes { part: "noise", at, bytes });
    }

    fn bit(&mut self) {
        let (heap, end) = (self.anatomy.places.heap_at, self.anatomy.supplied_end);
        let at = heap + self.below(end - heap);
        let byte = self.bytes.get(at as usize).copied().unwrap_or(0) ^ 1 << self.below(8);
        self.edits.push(Edit::Bytes { part: "bit", at, bytes: vec![byte] });
    }

    fn length(&mut self) {
        let len = self.bytes.len() as u64;
        let new = match self.below(6) {
            0 => self.below(len),
            1 => len - 4096 * self.below(20),
            2 => self.anatomy.supplied_end - self.below(3) * 4096,
            3 => len + self.below(1 << 22),
            4 => self.anatomy.places.heap_at + 4096 * self.below(3),
            _ => len - 1,
        };
        self.edits.push(Edit::Length(new));
    }

    fn hole(&mut self) {
        let at = match self.below(3) {
            0 => self.block(),
            1 => 4096 * self.below(3 + 16),
            _ => self.anatomy.places.lanes_at + 4096 * self.below(16),
        };
        let len = 4096 * (1 + self.below(4));
        self.edits.push(Edit::Hole { at: at & !4095, len });
    }
}
