//! Files of the first release of the format: read, checked, written by whatever comes later; and files of a later one.
//!
//! `tests/fixtures/version-1-{linux,windows}.region` are regions that their last process was killed in, in the middle of a
//! transaction, on either system. They are stored as `{offset: u64, len: u64, bytes}`, little-endian, for each stretch that
//! is not zero; the last stretch, empty, tells the length. `COMMY_WRITE_FIXTURE=path cargo test -p commy --test it
//! edges::fixture` writes such a file: for here only when the format has a new version, beside the old ones.
//! `COMMY_FIXTURE=path` reads another file than these.

use super::{is_clean, spawn};
use crate::damaged::{checksum, content, overwrite};
use crate::refused;
use crate::support::child;
use crate::support::temporary::{Temporary, quiet};
use commy::{
    Error, Plain, Region, SharedBTreeMap, SharedBTreeSet, SharedBox, SharedCounter, SharedGauge, SharedHashMap,
    SharedHashSet, SharedString, SharedVec, SharedVecDeque, Value,
};
use commy_lab::files::write_all_at;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, Default, PartialEq, Plain)]
#[repr(C)]
struct Task {
    id: u64,
    weight: f32,
    urgent: bool,
}

#[derive(Clone, Debug, PartialEq, Value)]
enum Event {
    Idle,
    Said(String),
    Sorted { names: Vec<String>, counts: BTreeMap<u32, Vec<String>> },
}

fn task(id: u64) -> Task {
    Task { id, weight: id as f32 / 2.0, urgent: id.is_multiple_of(3) }
}

fn long(number: u64) -> String {
    format!("text {number} is longer than what a slot has room for: {}", "abc".repeat(number as usize % 20))
}

fn events() -> Vec<Event> {
    let counts = BTreeMap::from([(3, vec![long(3), String::new()]), (9, vec![])]);
    vec![Event::Idle, Event::Said(long(5)), Event::Sorted { names: vec![long(1), "short".into()], counts }]
}

/// An object of each kind.
struct Objects {
    tasks: SharedVec<Task>,
    events: SharedVec<Event>,
    queue: SharedVecDeque<u32>,
    one: SharedBox<Option<String>>,
    text: SharedString,
    map: SharedHashMap<String, Vec<u8>>,
    set: SharedHashSet<u64>,
    nested: SharedHashMap<u32, HashMap<String, Vec<u64>>>,
    tree: SharedBTreeMap<String, u64>,
    keys: SharedBTreeSet<(u32, i16)>,
    counter: SharedCounter,
    gauge: SharedGauge,
}

impl Objects {
    fn of(region: &Region) -> Objects {
        Objects {
            tasks: region.object("tasks").unwrap(),
            events: region.object("events").unwrap(),
            queue: region.object("queue").unwrap(),
            one: region.object("one").unwrap(),
            text: region.object("text").unwrap(),
            map: region.object("map").unwrap(),
            set: region.object("set").unwrap(),
            nested: region.object("nested").unwrap(),
            tree: region.object("tree").unwrap(),
            keys: region.object("keys").unwrap(),
            counter: region.object("counter").unwrap(),
            gauge: region.object("gauge").unwrap(),
        }
    }

    fn fill(&self) {
        self.tasks.extend((0..50).map(task)).unwrap();
        events().iter().for_each(|event| self.events.push(event).unwrap());
        // A ring that goes round its end.
        self.queue.extend(0..14).unwrap();
        (0..10).for_each(|number| assert_eq!(self.queue.pop_front().unwrap(), Some(number)));
        self.queue.extend(14..20).unwrap();
        self.one.set(Some(long(7))).unwrap();
        self.text.set("gr\u{fc}\u{df} dich").unwrap();
        for number in 0..40 {
            self.map.insert(&*long(number), vec![number as u8; number as usize]).unwrap();
            self.set.insert(number * number).unwrap();
            self.tree.insert(&*long(number), number).unwrap();
            self.keys.insert((number as u32 % 7, 20 - number as i16)).unwrap();
        }
        (0..20).for_each(|number| drop(self.map.remove(&*long(number * 2)).unwrap()));
        (0..3).for_each(|number| drop(self.nested.insert(number, nested(number)).unwrap()));
        self.counter.add(41).unwrap();
    }

    fn are_as_expected(&self) {
        assert_eq!(self.tasks.to_vec().unwrap(), (0..50).map(task).collect::<Vec<_>>());
        assert_eq!(self.events.to_vec().unwrap(), events());
        assert_eq!(self.queue.to_vec().unwrap(), (10..20).collect::<Vec<_>>());
        assert_eq!(self.one.get().unwrap(), Some(long(7)));
        assert_eq!(self.text.get().unwrap(), "gr\u{fc}\u{df} dich");
        let map =
            (0..40).filter(|number| number % 2 == 1).map(|number| (long(number), vec![number as u8; number as usize]));
        assert_eq!(self.map.to_map().unwrap(), map.collect::<HashMap<_, _>>());
        assert_eq!(self.set.to_set().unwrap(), (0..40).map(|number| number * number).collect());
        let nested = (0..3).map(|number| (number, nested(number)));
        assert_eq!(self.nested.to_map().unwrap(), nested.collect::<HashMap<_, _>>());
        assert_eq!(
            self.tree.to_map().unwrap(),
            (0..40).map(|number| (long(number), number)).collect::<BTreeMap<_, _>>()
        );
        let keys = (0..40u64).map(|number| (number as u32 % 7, 20 - number as i16));
        assert_eq!(self.keys.to_set().unwrap(), keys.collect());
        assert_eq!(self.counter.get().unwrap(), 41);
        assert_eq!(self.gauge.get().unwrap(), 0, "of processes that are gone nothing counts");
    }
}

fn nested(number: u32) -> HashMap<String, Vec<u64>> {
    (0..number).map(|inner| (long(u64::from(inner)), (0..u64::from(inner) * 3).collect())).collect()
}

#[test]
fn entry() {
    child::entry(|arguments| {
        let [path] = arguments else { panic!("{arguments:?}") };
        let region = quiet().capacity(4 << 20).create(path).unwrap();
        let objects = Objects::of(&region);
        objects.fill();
        objects.gauge.set(5).unwrap();
        let _ = region.transaction(|tx| {
            let mut tasks = tx.write(&objects.tasks)?;
            tasks.set(7, task(1000))?;
            tasks.truncate(20)?;
            let mut map = tx.write(&objects.map)?;
            map.insert("unfinished", vec![1, 2, 3])?;
            map.remove(&*long(1))?;
            child::tell("in the middle");
            child::listen();
            Ok(())
        });
    });
}

fn fixtures() -> Vec<PathBuf> {
    if let Some(path) = std::env::var_os("COMMY_FIXTURE") {
        return vec![path.into()];
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    ["linux", "windows"].map(|system| directory.join(format!("version-1-{system}.region"))).into()
}

/// Stretches that are not zero, with less than 16 zeros between two of their bytes.
fn write_fixture(path: &Path) {
    let temporary = Temporary::new();
    let mut child = spawn("fixture", &[temporary.region().to_str().unwrap()]);
    assert_eq!(child.hear().as_deref(), Some("in the middle"));
    child.kill();
    drop(child);
    let bytes = content(&temporary.region());
    let mut stored = Vec::new();
    let mut stretch = |at: usize, part: &[u8]| {
        stored.extend_from_slice(&(at as u64).to_le_bytes());
        stored.extend_from_slice(&(part.len() as u64).to_le_bytes());
        stored.extend_from_slice(part);
    };
    let mut at = 0;
    while let Some(first) = bytes[at..].iter().position(|byte| *byte != 0).map(|first| at + first) {
        let end = (first..bytes.len()).find(|end| bytes[*end..].iter().take(16).all(|byte| *byte == 0));
        let end = end.unwrap_or(bytes.len());
        stretch(first, &bytes[first..end]);
        at = end;
    }
    stretch(bytes.len(), &[]);
    fs::write(path, stored).unwrap();
}

/// The region of a fixture as it was, at `path`.
fn restore(fixture: &Path, path: &Path) {
    let stored = fs::read(fixture).unwrap();
    let file = File::create(path).unwrap();
    let mut rest = &stored[..];
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(16);
        let [at, len] = [0, 8].map(|field| u64::from_le_bytes(head[field..field + 8].try_into().unwrap()));
        write_all_at(&file, &tail[..len as usize], at).unwrap();
        if len == 0 {
            file.set_len(at).unwrap();
        }
        rest = &tail[len as usize..];
    }
}

#[test]
fn a_file_of_format_version_1_is_read_checked_and_written() {
    if let Some(path) = std::env::var_os("COMMY_WRITE_FIXTURE") {
        write_fixture(Path::new(&path));
    }
    fixtures().iter().for_each(|fixture| is_read_checked_and_written(fixture));
}

fn is_read_checked_and_written(fixture: &Path) {
    assert!(fs::metadata(fixture).unwrap().len() < 100_000);
    let temporary = Temporary::new();
    restore(fixture, &temporary.region());
    {
        let region = Region::open(temporary.region()).unwrap();
        assert_eq!(region.objects().unwrap().len(), 12);
        // What the killed one had not finished is undone.
        let objects = Objects::of(&region);
        objects.are_as_expected();
        is_clean(&region);
        let reader = quiet().read_only(true).open(temporary.region()).unwrap();
        assert_eq!(reader.open_object::<SharedVec<Event>>("events").unwrap().to_vec().unwrap(), events());
        // Everything can be written; written back it is as it was.
        objects.tasks.push(task(50)).unwrap();
        objects.events.push(&events()[2]).unwrap();
        objects.queue.push_front(9).unwrap();
        objects.one.set(None::<String>).unwrap();
        objects.text.push_str(&long(1)).unwrap();
        objects.map.extend((0..200).map(|number| (number.to_string(), vec![1]))).unwrap();
        objects.set.extend(5000..5200).unwrap();
        objects.tree.extend((0..200).map(|number| (number.to_string(), 1))).unwrap();
        objects.keys.extend((0..200).map(|number| (100, number))).unwrap();
        objects.nested.insert(1, HashMap::new()).unwrap();
        objects.counter.add(1).unwrap();
        is_clean(&region);
        assert_eq!((objects.map.len().unwrap(), objects.tree.len().unwrap()), (220, 240));
        for name in region.objects().unwrap().into_iter().map(|object| object.name) {
            region.remove_object(&name).unwrap();
        }
        Objects::of(&region).fill();
        is_clean(&region);
    }
    let region = Region::open(temporary.region()).unwrap();
    Objects::of(&region).are_as_expected();
}

/// Changes the header as a later version would, checksum and all.
fn rewrite(path: &Path, at: usize, value: &[u8]) {
    let mut header = content(path)[..192].to_vec();
    header[at..at + value.len()].copy_from_slice(value);
    let sum = checksum(&header);
    header[56..64].copy_from_slice(&sum.to_le_bytes());
    overwrite(path, &header, 0);
}

fn says_no(result: commy::Result<Region>, parts: [&str; 2]) {
    match result {
        Err(Error::NotARegion { reason, .. }) => {
            assert!(parts.iter().all(|part| reason.contains(part)), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_of_a_later_format_says_what_it_asks_for() {
    let temporary = Temporary::new();
    let path = temporary.region();
    let open = |read_only| quiet().read_only(read_only).open(&path);
    let is_read = || {
        let texts: SharedString = open(true).unwrap().open_object("text").unwrap();
        assert_eq!(texts.get().unwrap(), "gr\u{fc}\u{df} dich");
    };
    // The version.
    restore(&fixtures()[0], &path);
    drop(Region::open(&path).unwrap());
    rewrite(&path, 8, &2u32.to_le_bytes());
    for read_only in [true, false] {
        says_no(open(read_only), ["version 2", "knows 1"]);
    }
    rewrite(&path, 8, &1u32.to_le_bytes());
    // What everybody must know.
    rewrite(&path, 16, &(1u64 << 40).to_le_bytes());
    for read_only in [true, false] {
        says_no(open(read_only), ["must_know", "0x10000000000"]);
    }
    rewrite(&path, 16, &[0; 8]);
    // What writers must know.
    rewrite(&path, 24, &6u64.to_le_bytes());
    let before = content(&path);
    says_no(open(false), ["must_know_to_write", "0x6"]);
    says_no(quiet().open_or_create(&path), ["must_know_to_write", "read-only"]);
    is_read();
    assert!(content(&path) == before, "who may not write has written nothing");
    rewrite(&path, 24, &[0; 8]);
    // What nobody needs to know stays as it is.
    rewrite(&path, 32, &u64::MAX.to_le_bytes());
    is_read();
    let region = open(false).unwrap();
    Objects::of(&region).are_as_expected();
    Objects::of(&region).tasks.push(task(1)).unwrap();
    is_clean(&region);
    drop(region);
    assert_eq!(content(&path)[32..40], [0xff; 8]);
    refused!(quiet().create(&path), Error::AlreadyExists);
}
