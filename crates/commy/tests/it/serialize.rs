//! What a guard lends serializes as its std twin does.

use crate::support::temporary::{Temporary, quiet};
use commy::{
    Region, SharedBTreeMap, SharedBTreeSet, SharedBox, SharedHashMap, SharedHashSet, SharedString, SharedVec,
    SharedVecDeque,
};
use serde::Serialize;
use serde_json::{Value, json, to_value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Both guards of a handle.
macro_rules! both {
    ($handle:expr) => {{
        let handle = $handle;
        let read = to_value(&handle.read().unwrap()).unwrap();
        assert_eq!(to_value(&handle.write().unwrap()).unwrap(), read);
        read
    }};
}

fn of(twin: impl Serialize) -> Value {
    to_value(twin).unwrap()
}

/// The elements of a sequence without an order.
fn sorted(mut value: Value) -> Value {
    value.as_array_mut().unwrap().sort_by_key(Value::to_string);
    value
}

fn region(temporary: &Temporary) -> Region {
    quiet().create(temporary.region()).unwrap()
}

#[test]
fn sequences_serialize_as_sequences() {
    let temporary = Temporary::new();
    let region = region(&temporary);
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    assert_eq!(both!(&numbers), json!([]));
    numbers.extend([3, 1, 2]).unwrap();
    assert_eq!(both!(&numbers), of([3, 1, 2]));
    let texts: SharedVec<Option<String>> = region.object("texts").unwrap();
    texts.extend([Some("a"), None, Some("a text that needs a block")]).unwrap();
    assert_eq!(both!(&texts), of([Some("a"), None, Some("a text that needs a block")]));
    let queue: SharedVecDeque<Vec<u8>> = region.object("queue").unwrap();
    queue.push_back(&[1, 2][..]).unwrap();
    queue.push_front(&[3][..]).unwrap();
    assert_eq!(both!(&queue), json!([[3], [1, 2]]));
}

#[test]
fn sets_serialize_as_sequences() {
    let temporary = Temporary::new();
    let region = region(&temporary);
    let words = ["b", "a", "a text that needs a block"];
    let hashed: SharedHashSet<String> = region.object("hashed").unwrap();
    hashed.extend(words).unwrap();
    assert_eq!(sorted(both!(&hashed)), sorted(of(words)));
    let ordered: SharedBTreeSet<(u32, u8)> = region.object("ordered").unwrap();
    ordered.extend([(2, 1), (1, 2), (1, 1)]).unwrap();
    assert_eq!(both!(&ordered), of(BTreeSet::from([(2, 1), (1, 2), (1, 1)])));
}

#[test]
fn maps_serialize_as_maps() {
    let temporary = Temporary::new();
    let region = region(&temporary);
    let twin: HashMap<String, u64> = (0..100).map(|number| (format!("key {number}"), number)).collect();
    let hashed: SharedHashMap<String, u64> = region.object("hashed").unwrap();
    hashed.extend(twin.iter().map(|(key, value)| (key, *value))).unwrap();
    assert_eq!(both!(&hashed), of(&twin));
    let twin: BTreeMap<u64, String> = (0..100).map(|number| (number, format!("value {number}"))).collect();
    let ordered: SharedBTreeMap<u64, String> = region.object("ordered").unwrap();
    ordered.extend(twin.iter().map(|(key, value)| (*key, value))).unwrap();
    assert_eq!(both!(&ordered), of(&twin));
    // In order, which a parsed value would not show.
    assert_eq!(serde_json::to_string(&ordered.read().unwrap()).unwrap(), serde_json::to_string(&twin).unwrap(),);
}

#[test]
fn texts_and_boxes_serialize_as_what_is_in_them() {
    let temporary = Temporary::new();
    let region = region(&temporary);
    let text: SharedString = region.object("text").unwrap();
    text.push_str("with \"quotes\"").unwrap();
    assert_eq!(both!(&text), of("with \"quotes\""));
    let number = SharedBox::<f64>::new_in(&region).unwrap();
    number.set(1.5).unwrap();
    assert_eq!(both!(&number), of(1.5));
    let words = SharedBox::<Option<String>>::new_in(&region).unwrap();
    assert_eq!(both!(&words), Value::Null);
    words.set(Some("words")).unwrap();
    assert_eq!(both!(&words), of("words"));
}
