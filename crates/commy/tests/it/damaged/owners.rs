//! Blocks with two owners. One of them may change what the other lends, so nothing is lent that not every byte is.

use super::{content, overwrite};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedBox, SharedHashMap, SharedString, SharedVec};
use std::path::Path;

const TEXT: &str = "a text that has a block of its own";
const NUMBERS: [u64; 4] = [0x1111_1111_1111_1111, 2, 3, 4];

fn region_with(path: &Path) -> Region {
    let region = quiet().capacity(1 << 20).create(path).unwrap();
    region.object::<SharedVec<String>>("texts").unwrap().push(TEXT).unwrap();
    region.object::<SharedHashMap<u32, String>>("more texts").unwrap().insert(1, "short").unwrap();
    region.object::<SharedVec<u64>>("numbers").unwrap().extend(NUMBERS).unwrap();
    region
}

/// The block that begins with these bytes.
fn block_of(bytes: &[u8], wanted: &[u8]) -> u64 {
    (0..bytes.len()).step_by(16).find(|at| bytes[*at..].starts_with(wanted)).unwrap() as u64
}

/// The word that leads to `block`.
fn link_to(bytes: &[u8], block: u64) -> u64 {
    bytes.chunks_exact(8).position(|word| word == block.to_le_bytes()).unwrap() as u64 * 8
}

#[test]
fn a_text_in_a_block_of_numbers_is_not_lent() {
    let temporary = Temporary::new();
    let path = temporary.region();
    drop(region_with(&path));
    let bytes = content(&path);
    let numbers = block_of(&bytes, &NUMBERS[0].to_le_bytes());
    overwrite(&path, &numbers.to_le_bytes(), link_to(&bytes, block_of(&bytes, TEXT.as_bytes())));

    let region = quiet().open(&path).unwrap();
    assert!(!region.check().unwrap().is_clean());
    let refused = |error: Error| assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    refused(region.open_object::<SharedVec<String>>("texts").map(drop).unwrap_err());
    refused(region.open_object::<SharedHashMap<u32, String>>("more texts").map(drop).unwrap_err());
    // Blocks for new objects would come from the same heap.
    refused(region.object::<SharedString>("new").map(drop).unwrap_err());
    refused(SharedBox::<bool>::new_in(&region).map(drop).unwrap_err());
    assert_eq!(region.objects().unwrap().len(), 3);
    // Numbers are numbers, whoever else may change them.
    let numbers = region.open_object::<SharedVec<u64>>("numbers").unwrap();
    assert_eq!(numbers.to_vec().unwrap(), NUMBERS);
    drop((numbers, region));
    // Copies can be had, to rescue what is left.
    let region = Region::options().read_only(true).open(&path).unwrap();
    let texts = region.open_object::<SharedHashMap<u32, String>>("more texts").unwrap();
    assert_eq!(texts.get(&1).unwrap().as_deref(), Some("short"));
}

#[test]
fn a_text_in_a_free_block_is_not_lent() {
    let temporary = Temporary::new();
    let path = temporary.region();
    let region = region_with(&path);
    let texts = region.open_object::<SharedVec<String>>("texts").unwrap();
    const FREED: &str = "a text whose block is free again ..";
    texts.push(FREED).unwrap();
    let freed = block_of(&content(&path), FREED.as_bytes());
    texts.pop().unwrap();
    drop((texts, region));
    let bytes = content(&path);
    overwrite(&path, &freed.to_le_bytes(), link_to(&bytes, block_of(&bytes, TEXT.as_bytes())));
    let region = quiet().open(&path).unwrap();
    assert!(matches!(region.open_object::<SharedVec<String>>("texts").unwrap_err(), Error::Corrupt { .. }));
}

#[test]
fn a_lost_block_keeps_nobody_out() {
    let temporary = Temporary::new();
    let path = temporary.region();
    drop(region_with(&path));
    let bytes = content(&path);
    // The slot becomes the empty text.
    overwrite(&path, &[0; 16], link_to(&bytes, block_of(&bytes, TEXT.as_bytes())));
    let region = quiet().open(&path).unwrap();
    assert!(!region.check().unwrap().is_clean());
    assert_eq!(region.object::<SharedVec<String>>("texts").unwrap().to_vec().unwrap(), [""]);
}
