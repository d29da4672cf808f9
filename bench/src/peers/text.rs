//! Maps from texts to texts, as the races between them see them.

use super::map::{Batch, MISSING};
use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::Runner;
use crate::scratch::Scratch;
use commy::SharedHashMap;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Mutex;

/// A key and a value.
pub(crate) type Text = (String, String);

/// A map in a race.
pub(crate) trait Texts {
    /// Fills it anew; the sum counts what was new.
    fn insert(&mut self, texts: &[Text]) -> Outcome<Batch>;

    /// The sum of the last bytes of the values, which are looked at where they are or copied, as the map has it.
    fn get(&mut self, keys: &[&str]) -> Outcome<Batch>;
}

/// The last byte of a value: to look at it is to have it.
pub(super) fn last_byte(text: &str) -> u64 {
    text.as_bytes().last().map_or(0, |byte| u64::from(*byte))
}

/// Of a batch of keys.
#[inline(always)]
pub(super) fn sum(keys: &[&str], mut value: impl FnMut(&str) -> Outcome<u64>) -> Outcome<u64> {
    keys.iter().try_fold(0, |sum, key| Ok(sum + value(key)?))
}

/// Of a batch of texts.
#[inline(always)]
pub(super) fn count(texts: &[Text], mut insert: impl FnMut(&str, &str) -> Outcome<bool>) -> Outcome<u64> {
    texts.iter().try_fold(0, |sum, (key, value)| Ok(sum + u64::from(insert(key, value)?)))
}

/// Commy: through the handle, which copies values, or under a guard, which shows them.
struct Shared {
    map: SharedHashMap<String, String>,
    guarded: bool,
    _scratch: Scratch,
}

impl Shared {
    fn new(guarded: bool) -> Outcome<Shared> {
        let scratch = Scratch::new()?;
        Ok(Shared { map: scratch.region.object("texts")?, guarded, _scratch: scratch })
    }
}

impl Texts for Shared {
    fn insert(&mut self, texts: &[Text]) -> Outcome<Batch> {
        self.map.clear()?;
        match self.guarded {
            true => Batch::of(|| {
                let mut guard = self.map.write()?;
                count(texts, |key, value| Ok(guard.insert(key, value)?.is_none()))
            }),
            false => Batch::of(|| count(texts, |key, value| Ok(self.map.insert(key, value)?.is_none()))),
        }
    }

    fn get(&mut self, keys: &[&str]) -> Outcome<Batch> {
        match self.guarded {
            true => Batch::of(|| {
                let guard = self.map.read()?;
                sum(keys, |key| Ok(last_byte(guard.get(key).ok_or(MISSING)?)))
            }),
            false => Batch::of(|| sum(keys, |key| Ok(last_byte(&self.map.get(key)?.ok_or(MISSING)?)))),
        }
    }
}

type Table = HashMap<String, String, RandomState>;

/// The standard library's: values are looked at where they are.
#[derive(Default)]
struct Bare(Table);

impl Texts for Bare {
    fn insert(&mut self, texts: &[Text]) -> Outcome<Batch> {
        self.0 = Table::default();
        let map = black_box(&mut self.0);
        Batch::of(|| count(texts, |key, value| Ok(map.insert(key.into(), value.into()).is_none())))
    }

    fn get(&mut self, keys: &[&str]) -> Outcome<Batch> {
        let map = black_box(&self.0);
        Batch::of(|| sum(keys, |key| Ok(last_byte(map.get(key).ok_or(MISSING)?))))
    }
}

/// In a mutex: a value is copied, to outlive the lock.
#[derive(Default)]
struct Locked(Mutex<Table>);

impl Texts for Locked {
    fn insert(&mut self, texts: &[Text]) -> Outcome<Batch> {
        self.0 = Mutex::default();
        let map = black_box(&self.0);
        Batch::of(|| count(texts, |key, value| Ok(map.lock().unwrap().insert(key.into(), value.into()).is_none())))
    }

    fn get(&mut self, keys: &[&str]) -> Outcome<Batch> {
        let map = black_box(&self.0);
        let copy = |key: &str| map.lock().unwrap().get(key).cloned();
        Batch::of(|| sum(keys, |key| Ok(last_byte(&copy(key).ok_or(MISSING)?))))
    }
}

/// A map of texts in a race.
pub(crate) struct Reader {
    name: &'static str,
    pub(crate) map: Box<dyn Texts>,
}

impl Runner for Reader {
    fn name(&self) -> &str {
        self.name
    }
}

/// Commy through the handle and under a guard, then the others.
pub(crate) fn texts(arguments: &Arguments) -> Outcome<Vec<Reader>> {
    let mut readers = vec![
        Reader { name: "Commy", map: Box::new(Shared::new(false)?) },
        Reader { name: "Commy, guard", map: Box::new(Shared::new(true)?) },
        Reader { name: "HashMap, malloc", map: Box::new(Bare::default()) },
        Reader { name: "Mutex<HashMap>, malloc", map: Box::new(Locked::default()) },
    ];
    #[cfg(feature = "peers")]
    {
        if arguments.has("lmdb") {
            readers.push(Reader { name: "LMDB", map: Box::new(super::lmdb::Written::new()?) });
        }
        if arguments.has("redb") {
            readers.push(Reader { name: "redb", map: Box::new(super::redb::Written::new()?) });
        }
    }
    #[cfg(not(feature = "peers"))]
    let _ = (arguments, &mut readers);
    Ok(readers)
}
