//! Lengths that lie.

use super::{content, overwrite};
use crate::pitfalls::recovery::header_of;
use crate::support::temporary::{Temporary, quiet};
use commy::{SharedBTreeMap, SharedHashMap, SharedHashSet};

const LEN_AT: u64 = 64 + 32;

#[test]
fn a_copy_takes_no_more_memory_for_a_length_than_the_region_has() {
    let temporary = Temporary::new();
    let region = quiet().capacity(1 << 20).create(temporary.region()).unwrap();
    region.object::<SharedHashSet<String>>("set").unwrap().insert("key").unwrap();
    region.object::<SharedHashMap<u64, [u64; 20]>>("map").unwrap().insert(1, [1; 20]).unwrap();
    region.object::<SharedBTreeMap<u64, [u64; 20]>>("tree").unwrap().insert(1, [1; 20]).unwrap();
    drop(region);
    let bytes = content(&temporary.region());
    for schema in ["SharedHashSet<String>", "SharedHashMap<u64, [u64; 20]>", "SharedBTreeMap<u64, [u64; 20]>"] {
        overwrite(&temporary.region(), &u64::to_le_bytes(1 << 40), header_of(&bytes, schema) + LEN_AT);
    }
    let region = quiet().read_only(true).open(temporary.region()).unwrap();
    let most = |taken: usize| assert!(taken <= bytes.len(), "{taken} bytes for a file of {}", bytes.len());
    if let Ok(set) = region.open_object::<SharedHashSet<String>>("set").and_then(|it| it.to_set()) {
        most(set.capacity() * size_of::<String>());
    }
    if let Ok(map) = region.open_object::<SharedHashMap<u64, [u64; 20]>>("map").and_then(|it| it.to_map()) {
        most(map.capacity() * size_of::<[u64; 21]>());
    }
    if let Ok(entries) = region.open_object::<SharedBTreeMap<u64, [u64; 20]>>("tree").and_then(|it| it.to_vec()) {
        most(entries.capacity() * size_of::<[u64; 21]>());
    }
}
