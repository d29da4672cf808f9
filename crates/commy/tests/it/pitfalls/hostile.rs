//! Files that somebody has written to deceive.

use super::is_clean;
use super::recovery::header_of;
use crate::damaged::{Places, content, overwrite, word};
use crate::refused;
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Plain, Region, SharedHashMap, SharedString, SharedVec};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Plain)]
#[repr(u8)]
enum Color {
    Red = 1,
    Green = 2,
}

/// Where the body of an object begins.
fn body(bytes: &[u8], schema: &str) -> u64 {
    word(bytes, header_of(bytes, schema) + 64 + 24)
}

/// A closed region with one text in it, `text`.
fn with_text(temporary: &Temporary) -> Vec<u8> {
    let region = quiet().create(temporary.region()).unwrap();
    region.object::<SharedString>("text").unwrap().set("plain text").unwrap();
    drop(region);
    content(&temporary.region())
}

#[test]
fn a_crafted_file_lends_no_invalid_text_bool_or_enum() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    region.object::<SharedString>("text").unwrap().set("plain text").unwrap();
    region.object::<SharedVec<String>>("texts").unwrap().extend(["one", "a text that has a block of its own"]).unwrap();
    region.object::<SharedVec<Color>>("colors").unwrap().extend([Color::Red, Color::Green]).unwrap();
    region.object::<SharedVec<bool>>("bools").unwrap().extend([true, false]).unwrap();
    region.object::<SharedHashMap<u64, char>>("chars").unwrap().insert(7, 'x').unwrap();
    drop(region);
    let bytes = content(&temporary.region());
    let chars = header_of(&bytes, "SharedHashMap<u64, char>");
    let table = word(&bytes, chars + 88)..word(&bytes, chars + 88) + 16 + 16 * 16;
    let full = (table.start..table.start + 16).position(|at| bytes[at as usize] < 0x80).unwrap() as u64;
    let changes = [
        ("text", body(&bytes, "SharedString"), vec![0xff]),
        ("texts", body(&bytes, "SharedVec<String>"), vec![0xff]),
        ("texts", word(&bytes, body(&bytes, "SharedVec<String>") + 16), vec![0xc0]),
        ("colors", body(&bytes, "SharedVec<Color: u8 { Red = 1, Green = 2 }>") + 1, vec![3]),
        ("bools", body(&bytes, "SharedVec<bool>"), vec![2]),
        ("chars", table.start + 16 + full * 16 + 8, 0xd800u32.to_le_bytes().to_vec()),
    ];
    let opened = |name: &str, region: &Region| match name {
        "text" => region.object::<SharedString>(name).map(|it| it.read().unwrap().len()).map(|_| ()),
        "texts" => region.object::<SharedVec<String>>(name).map(|it| it.read().unwrap().iter().count()).map(|_| ()),
        "colors" => region.object::<SharedVec<Color>>(name).map(|it| it.read().unwrap().iter().count()).map(|_| ()),
        "bools" => region.object::<SharedVec<bool>>(name).map(|it| it.read().unwrap().iter().count()).map(|_| ()),
        _ => region.object::<SharedHashMap<u64, char>>(name).map(|it| it.read().unwrap().iter().count()).map(|_| ()),
    };
    let copied = |name: &str, region: &Region| match name {
        "text" => region.object::<SharedString>(name)?.get().map(drop),
        "texts" => region.object::<SharedVec<String>>(name)?.to_vec().map(drop),
        "colors" => region.object::<SharedVec<Color>>(name)?.get(1).map(drop),
        "bools" => region.object::<SharedVec<bool>>(name)?.to_vec().map(drop),
        _ => region.object::<SharedHashMap<u64, char>>(name)?.get(&7).map(drop),
    };
    for (name, at, bad) in changes {
        let header = ["text", "texts", "colors", "bools", "chars"];
        let schemas = [
            "SharedString",
            "SharedVec<String>",
            "SharedVec<Color: u8 { Red = 1, Green = 2 }>",
            "SharedVec<bool>",
            "SharedHashMap<u64, char>",
        ];
        let schema = schemas[header.iter().position(|it| *it == name).unwrap()];
        std::fs::write(temporary.region(), &bytes).unwrap();
        overwrite(&temporary.region(), &bad, at);
        // The file says that it has been validated in the present epoch.
        overwrite(&temporary.region(), &word(&bytes, 200).to_le_bytes(), header_of(&bytes, schema) + 56);
        let reader = quiet().read_only(true).open(temporary.region()).unwrap();
        refused!(copied(name, &reader), Error::Corrupt { .. });
        let region = quiet().open(temporary.region()).unwrap();
        for _ in 0..2 {
            refused!(opened(name, &region), Error::Corrupt { .. });
        }
        refused!(copied(name, &reader), Error::Corrupt { .. });
        // The others are as good as ever.
        for other in header.into_iter().filter(|other| *other != name) {
            opened(other, &region).unwrap();
        }
    }
    std::fs::write(temporary.region(), &bytes).unwrap();
    let region = quiet().open(temporary.region()).unwrap();
    for name in ["text", "texts", "colors", "bools", "chars"] {
        opened(name, &region).unwrap();
    }
}

#[test]
fn a_crafted_log_is_settled_before_anything_is_lent() {
    let temporary = Temporary::new();
    let bytes = with_text(&temporary);
    let places = Places::of(&bytes);
    let text = body(&bytes, "SharedString");
    // Lane 5 belongs to process slot 9, incarnation 3, which is dead, and wants to put back what is no text.
    let lane = places.lanes_at + 5 * 4096;
    let slot = places.slots_at + 9 * 128;
    overwrite(&temporary.region(), &(3u64 << 8 | 1).to_le_bytes(), slot);
    overwrite(&temporary.region(), &(3u64 << 24 | 9 << 8 | 1).to_le_bytes(), lane);
    overwrite(&temporary.region(), &(24u64 << 8 | 1).to_le_bytes(), lane + 1216);
    let mut record = vec![0xff; 8];
    record.extend_from_slice(&(2u64 | 8 << 32).to_le_bytes());
    record.extend_from_slice(&text.to_le_bytes());
    overwrite(&temporary.region(), &record, lane + 2048);
    overwrite(&temporary.region(), &6u64.to_le_bytes(), 224);
    let crafted = content(&temporary.region());
    for _ in 0..2 {
        std::fs::write(temporary.region(), &crafted).unwrap();
        // A background thread that recovers as soon as it can.
        let region = quiet().heartbeat(Duration::from_millis(1)).open(temporary.region()).unwrap();
        refused!(region.object::<SharedString>("text").map(drop), Error::Corrupt { .. });
    }
}

#[test]
fn a_crafted_log_lets_nothing_go_that_is_no_lock() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    // As bytes these are lock words which name lane 5.
    region.object::<SharedVec<u64>>("numbers").unwrap().extend([6; 100]).unwrap();
    drop(region);
    let bytes = content(&temporary.region());
    let (lane, inside) = (Places::of(&bytes).lanes_at + 5 * 4096, body(&bytes, "SharedVec<u64>") + 64);
    let header = header_of(&bytes, "SharedVec<u64>");
    // A committed context says that it holds a lock: in the body of the vector; in the middle of an object header.
    for offset in [inside, header + 64, header + 128] {
        std::fs::write(temporary.region(), &bytes).unwrap();
        overwrite(&temporary.region(), &6u32.to_le_bytes(), offset);
        let crafted = word(&content(&temporary.region()), offset);
        overwrite(&temporary.region(), &1u64.to_le_bytes(), lane);
        overwrite(&temporary.region(), &(16u64 << 8 | 3).to_le_bytes(), lane + 1216);
        overwrite(&temporary.region(), &[1u64.to_le_bytes(), offset.to_le_bytes()].concat(), lane + 2048);
        overwrite(&temporary.region(), &6u64.to_le_bytes(), 224);
        refused!(quiet().open(temporary.region()), Error::Corrupt { .. });
        assert_eq!(word(&content(&temporary.region()), offset), crafted, "what is no lock is not let go");
    }
}

#[test]
fn a_crafted_stamp_suppresses_no_record() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    numbers.extend(0..100).unwrap();
    drop((numbers, region));
    let bytes = content(&temporary.region());
    let raw = header_of(&bytes, "SharedVec<u64>") + 64;
    let counter = word(&bytes, Places::of(&bytes).lanes_at + 32);
    for ahead in 0..24 {
        std::fs::write(temporary.region(), &bytes).unwrap();
        // "The context with this stamp has saved this header, and nothing of the body is live."
        overwrite(&temporary.region(), &(counter + ahead).to_le_bytes(), raw);
        overwrite(&temporary.region(), &0u64.to_le_bytes(), raw + 8);
        let region = quiet().open(temporary.region()).unwrap();
        let numbers: SharedVec<u64> = region.object("numbers").unwrap();
        let mut guard = numbers.write().unwrap();
        guard.set(3, 1_000_000).unwrap();
        guard.push(5).unwrap();
        guard.rollback();
        assert_eq!(numbers.to_vec().unwrap(), (0..100).collect::<Vec<_>>(), "{ahead} ahead");
        is_clean(&region);
    }
}

#[test]
fn two_openers_at_once_settle_a_crafted_file_before_either_trusts_it() {
    let temporary = Temporary::new();
    let bytes = with_text(&temporary);
    for _ in 0..30 {
        std::fs::write(temporary.region(), &bytes).unwrap();
        overwrite(&temporary.region(), &[0xff], body(&bytes, "SharedString"));
        overwrite(&temporary.region(), &word(&bytes, 200).to_le_bytes(), header_of(&bytes, "SharedString") + 56);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let region = quiet().own_attachment().open(temporary.region()).unwrap();
                    refused!(region.object::<SharedString>("text").map(drop), Error::Corrupt { .. });
                });
            }
        });
    }
}
