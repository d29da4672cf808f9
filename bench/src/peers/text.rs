//! Maps from texts to texts, as the races between them see them.

use super::map::{Act, Batch, MISSING};
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

/// The text of a number: a key of 32 bytes and a value of 100.
pub(crate) fn text_of(number: u64) -> Text {
    (format!("{number:032x}"), format!("{number:0100x}"))
}

/// A map in a process that makes the texts of numbers by itself.
#[cfg(target_os = "linux")]
pub(super) struct Spelled {
    actor: super::talker::Actor,
    /// The numbers of the texts that it was given, and of the keys.
    numbers: [Vec<u64>; 2],
}

#[cfg(target_os = "linux")]
impl Spelled {
    pub(super) fn new(actor: super::talker::Actor) -> Spelled {
        Spelled { actor, numbers: Default::default() }
    }

    /// They are the same each time, so they are made once.
    fn number<'a>(&mut self, place: usize, keys: impl Iterator<Item = &'a str>) -> Outcome {
        if self.numbers[place].is_empty() {
            self.numbers[place] = keys.map(|key| Ok(u64::from_str_radix(key, 16)?)).collect::<Outcome<_>>()?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
impl Texts for Spelled {
    fn insert(&mut self, texts: &[Text]) -> Outcome<Batch> {
        self.actor.clear()?;
        self.number(0, texts.iter().map(|(key, _)| key.as_str()))?;
        self.actor.act(Act::Insert(&self.numbers[0]))
    }

    fn get(&mut self, keys: &[&str]) -> Outcome<Batch> {
        self.number(1, keys.iter().copied())?;
        self.actor.act(Act::Get(&self.numbers[1]))
    }
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
    slow: bool,
    /// How many texts it can be asked for.
    pub(crate) most: usize,
}

impl Reader {
    fn new(name: &'static str, map: impl Texts + 'static) -> Reader {
        Reader { name, map: Box::new(map), slow: false, most: usize::MAX }
    }

    /// One that takes part in few rounds.
    #[cfg(target_os = "linux")]
    fn slow(self) -> Reader {
        Reader { slow: true, ..self }
    }
}

impl Runner for Reader {
    fn name(&self) -> &str {
        self.name
    }

    fn is_slow(&self) -> bool {
        self.slow
    }
}

/// Commy through the handle and under a guard, then the others.
pub(crate) fn texts(arguments: &Arguments) -> Outcome<Vec<Reader>> {
    let mut readers = vec![
        Reader::new("Commy", Shared::new(false)?),
        Reader::new("Commy, guard", Shared::new(true)?),
        Reader::new("HashMap, malloc", Bare::default()),
        Reader::new("Mutex<HashMap>, malloc", Locked::default()),
    ];
    #[cfg(feature = "peers")]
    {
        if arguments.has("lmdb") {
            readers.push(Reader::new("LMDB", super::lmdb::Written::new()?).slow());
        }
        if arguments.has("redb") {
            readers.push(Reader::new("redb", super::redb::Written::new()?).slow());
        }
    }
    #[cfg(target_os = "linux")]
    {
        use super::{boost, python, redis};
        if arguments.has("boost") {
            readers.push(Reader::new("Boost", boost::spelled()?).slow());
        }
        if arguments.has("redis") {
            readers.push(Reader::new("Redis", redis::Served::new()?).slow());
        }
        if arguments.has("python") {
            let most = arguments.scaled(2_000);
            readers.push(Reader { most, ..Reader::new("Python Manager", python::spelled()?).slow() });
        }
    }
    Ok(readers)
}
