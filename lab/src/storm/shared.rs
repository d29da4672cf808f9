//! What the processes of a storm share.
//!
//! Tokens lie in six containers and go from one to another; each is in one place until it ends, and then it is counted
//! in the book of the ended, in the same transaction.

use commy::{
    Error, Region, Result, SharedBTreeMap, SharedBTreeSet, SharedBox, SharedChannel, SharedCounter, SharedGauge,
    SharedHashMap, SharedHashSet, SharedString, SharedVec, SharedVecDeque, Transaction,
};

/// Most numbers in the line.
const LINE: usize = 100;
/// Most messages in the channel.
const MESSAGES: usize = 64;
/// Objects that come and go.
pub const PASSING: u64 = 12;
/// Containers of tokens.
pub const PLACES: u64 = 6;

/// See the module.
pub struct Shared {
    pub region: Region,
    vector: SharedVec<u64>,
    queue: SharedVecDeque<String>,
    map: SharedHashMap<u64, Vec<String>>,
    set: SharedHashSet<String>,
    tree: SharedBTreeMap<u64, String>,
    ranks: SharedBTreeSet<u64>,
    /// {tokens that have ended, their sum}.
    pub ended: SharedBox<[u64; 2]>,
    pub counter: SharedCounter,
    pub gauge: SharedGauge,
    /// Numbers, each one more than the one before it.
    pub line: SharedVecDeque<u64>,
    /// Words in brackets.
    pub text: SharedString,
    /// Eight times the same number.
    pub row: SharedBox<[u64; 8]>,
    /// 0, 1, 2, ...; grows to page runs and shrinks.
    pub long: SharedVec<u64>,
    /// What each worker has written, line by line.
    pub lists: SharedHashMap<String, Vec<u64>>,
    /// Messages of which each reaches one.
    pub channel: SharedChannel<Message>,
}

/// A number that nobody else sends, in ways that show a torn message.
pub type Message = [u64; 4];

pub fn message_of(number: u64) -> Message {
    [number, !number, number.rotate_left(17), number]
}

/// The number of a message.
pub fn number_of(message: Message) -> u64 {
    assert_eq!(message, message_of(message[0]), "a torn message");
    message[0]
}

/// One of so many transfers takes its locks in any order.
const OUT_OF_ORDER: u64 = 50_000;

/// Names of all objects that stay.
pub const NAMES: &[&str] = &[
    "vector", "queue", "map", "set", "tree", "ranks", "ended", "counter", "gauge", "line", "text", "row", "long",
    "lists", "channel",
];

/// A token as a text, long enough for a block of its own for two of three.
pub fn text_of(token: u64) -> String {
    format!("{token:016x}{}", ["", " in a block of its own", " and in a longer one"][token as usize % 3])
}

fn token_of(text: &str) -> u64 {
    u64::from_str_radix(text.get(..16).unwrap_or(""), 16).ok().filter(|token| text_of(*token) == text).unwrap_or(0)
}

fn texts_of(token: u64) -> Vec<String> {
    (0..1 + token % 3).map(|more| text_of(token + more)).collect()
}

impl Shared {
    pub fn new(region: Region) -> Result<Shared> {
        Ok(Shared {
            vector: region.object("vector")?,
            queue: region.object("queue")?,
            map: region.object("map")?,
            set: region.object("set")?,
            tree: region.object("tree")?,
            ranks: region.object("ranks")?,
            ended: region.object("ended")?,
            counter: region.object("counter")?,
            gauge: region.object("gauge")?,
            line: region.object::<SharedVecDeque<u64>>("line")?.with_limit(LINE)?,
            text: region.object("text")?,
            row: region.object("row")?,
            long: region.object("long")?,
            lists: region.object("lists")?,
            channel: SharedChannel::with_capacity(&region, "channel", MESSAGES)?,
            region,
        })
    }

    /// As `new`, for somebody who can only read.
    pub fn open(region: Region) -> Result<Shared> {
        Ok(Shared {
            vector: region.open_object("vector")?,
            queue: region.open_object("queue")?,
            map: region.open_object("map")?,
            set: region.open_object("set")?,
            tree: region.open_object("tree")?,
            ranks: region.open_object("ranks")?,
            ended: region.open_object("ended")?,
            counter: region.open_object("counter")?,
            gauge: region.open_object("gauge")?,
            line: region.open_object("line")?,
            text: region.open_object("text")?,
            row: region.open_object("row")?,
            long: region.open_object("long")?,
            lists: region.open_object("lists")?,
            channel: region.open_object("channel")?,
            region,
        })
    }

    /// Puts a token into one of the places, by one call.
    pub fn put(&self, place: u64, token: u64) -> Result<()> {
        match place % PLACES {
            0 => self.vector.push(token),
            1 => self.queue.push_back(text_of(token)),
            2 => self.map.insert(token, texts_of(token)).map(drop),
            3 => self.set.insert(text_of(token)).map(drop),
            4 => self.tree.insert(token, text_of(token)).map(drop),
            _ => self.ranks.insert(token).map(drop),
        }
    }

    fn lock_in(&self, tx: &Transaction, place: u64) -> Result<()> {
        match place % PLACES {
            0 => tx.write(&self.vector).map(drop),
            1 => tx.write(&self.queue).map(drop),
            2 => tx.write(&self.map).map(drop),
            3 => tx.write(&self.set).map(drop),
            4 => tx.write(&self.tree).map(drop),
            _ => tx.write(&self.ranks).map(drop),
        }
    }

    fn put_in(&self, tx: &Transaction, place: u64, token: u64) -> Result<()> {
        let first = match place % PLACES {
            0 => tx.write(&self.vector)?.push(token).map(|()| true)?,
            1 if token.is_multiple_of(2) => tx.write(&self.queue)?.push_front(text_of(token)).map(|()| true)?,
            1 => tx.write(&self.queue)?.push_back(text_of(token)).map(|()| true)?,
            2 => tx.write(&self.map)?.insert(token, texts_of(token))?.is_none(),
            3 => tx.write(&self.set)?.insert(text_of(token))?,
            4 => tx.write(&self.tree)?.insert(token, text_of(token))?.is_none(),
            _ => tx.write(&self.ranks)?.insert(token)?,
        };
        assert!(first, "token {token:x} was there twice");
        Ok(())
    }

    fn take_in(&self, tx: &Transaction, place: u64, chance: u64) -> Result<Option<u64>> {
        let index = |len: usize| if len == 0 { 0 } else { chance as usize % len };
        let taken = match place % PLACES {
            0 => {
                let mut vector = tx.write(&self.vector)?;
                let index = index(vector.len());
                if vector.is_empty() { None } else { Some(vector.swap_remove(index)?) }.flatten()
            }
            1 if chance.is_multiple_of(3) => tx.write(&self.queue)?.pop_back()?.map(|text| token_of(&text)),
            1 => tx.write(&self.queue)?.pop_front()?.map(|text| token_of(&text)),
            2 => {
                let mut map = tx.write(&self.map)?;
                let key = map.keys().nth(index(map.len().min(20))).copied();
                if let Some(key) = key {
                    let texts = map.remove(&key)?;
                    assert_eq!(texts, Some(texts_of(key)), "another value than that of token {key:x}");
                }
                key
            }
            3 => {
                let mut set = tx.write(&self.set)?;
                let key = set.iter().nth(index(set.len().min(20))).map(String::from);
                match key {
                    Some(key) => set.take(&key)?.map(|text| token_of(&text)),
                    None => None,
                }
            }
            4 => tx.write(&self.tree)?.pop_first()?.map(|(key, text)| {
                assert_eq!(text, text_of(key), "another value than that of token {key:x}");
                key
            }),
            _ => tx.write(&self.ranks)?.pop_last()?,
        };
        assert!(taken != Some(0), "a torn token in place {place}");
        Ok(taken)
    }

    /// Moves a token, if the first place has one. Which one?
    pub fn transfer(&self, from: u64, to: u64, chance: u64) -> Result<Option<u64>> {
        self.region.transaction(|tx| {
            // In one order, as programs should. Seldom in any: a circle is found after 50 ms, and stalls all the others.
            if !chance.is_multiple_of(OUT_OF_ORDER) {
                self.lock_in(tx, from.min(to))?;
                self.lock_in(tx, from.max(to))?;
            }
            let Some(token) = self.take_in(tx, from, chance)? else { return Ok(None) };
            self.put_in(tx, to, token)?;
            Ok(Some(token))
        })
    }

    /// The same, wrongly: as two operations.
    pub fn transfer_in_halves(&self, from: u64, to: u64, chance: u64) -> Result<Option<u64>> {
        let taken = self.region.transaction(|tx| self.take_in(tx, from, chance))?;
        // So that deaths fall in between.
        std::thread::sleep(std::time::Duration::from_micros(200));
        if let Some(token) = taken {
            self.put(to, token)?;
        }
        Ok(taken)
    }

    /// Ends up to three tokens of a place; their sum.
    pub fn end(&self, place: u64, chance: u64) -> Result<u64> {
        self.region.transaction(|tx| {
            let (mut count, mut sum) = (0, 0u64);
            for _ in 0..1 + chance % 3 {
                if let Some(token) = self.take_in(tx, place, chance)? {
                    (count, sum) = (count + 1, sum.wrapping_add(token));
                }
            }
            let mut ended = tx.write(&self.ended)?;
            let book = ended.get_mut()?;
            *book = [book[0] + count, book[1].wrapping_add(sum)];
            Ok(sum)
        })
    }

    /// Thinks better of many changes.
    pub fn change_mind(&self) -> Result<()> {
        let result: Result<()> = self.region.transaction(|tx| {
            tx.write(&self.vector)?.clear()?;
            tx.write(&self.queue)?.extend((0..50).map(text_of))?;
            tx.write(&self.map)?.clear()?;
            tx.write(&self.tree)?.extend((1..90).map(|number| (number, text_of(number))))?;
            Err(Error::NotFound)
        });
        match result {
            Err(Error::NotFound) => Ok(()),
            other => other,
        }
    }

    /// Every token that lies somewhere, as often as it does.
    pub fn tokens(&self) -> Result<Vec<u64>> {
        let mut all = self.vector.to_vec()?;
        all.extend(self.queue.to_vec()?.iter().map(|text| token_of(text)));
        for (key, texts) in self.map.to_map()? {
            assert_eq!(texts, texts_of(key), "another value than that of token {key:x}");
            all.push(key);
        }
        all.extend(self.set.to_vec()?.iter().map(|text| token_of(text)));
        for (key, text) in self.tree.to_vec()? {
            assert_eq!(text, text_of(key), "another value than that of token {key:x}");
            all.push(key);
        }
        all.extend(self.ranks.to_vec()?);
        Ok(all)
    }

    /// The numbers of the messages that wait, the next one first.
    pub fn messages(&self) -> Result<Vec<u64>> {
        Ok(self.channel.to_vec()?.into_iter().map(number_of).collect())
    }

    /// Takes every lock that somebody may have died with, and both ends of the channel.
    pub fn touch(&self) -> Result<()> {
        drop(self.vector.write()?);
        drop(self.queue.write()?);
        drop(self.map.write()?);
        drop(self.set.write()?);
        drop(self.tree.write()?);
        drop(self.ranks.write()?);
        drop(self.ended.write()?);
        drop(self.line.write()?);
        drop(self.text.write()?);
        drop(self.row.write()?);
        drop(self.long.write()?);
        drop(self.lists.write()?);
        drop(self.channel.sender()?);
        drop(self.channel.receiver()?);
        Ok(())
    }

    /// What must hold at every moment, also for those who cannot lock.
    pub fn look(&self) -> Result<()> {
        let row = self.row.get()?;
        assert!(row.iter().all(|number| *number == row[0]), "a torn row: {row:?}");
        let line = self.line.to_vec()?;
        assert!(line.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "a torn line: {line:?}");
        let text = self.text.get()?;
        let whole = |word: &str| word.starts_with('[') && word.ends_with(']');
        assert!(text.split_inclusive(']').all(whole), "a torn text: {text}");
        if let Some((key, text)) = self.tree.last_key_value()? {
            assert_eq!(text, text_of(key), "another value than that of token {key:x}");
        }
        self.messages()?;
        let total = self.gauge.get()?;
        assert!((0..=1024).contains(&total), "a gauge of {total}");
        Ok(())
    }
}
