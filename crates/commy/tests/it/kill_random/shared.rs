//! What the processes share, and what must hold of it at every moment.

use commy::{
    Region, Result, SharedBTreeMap, SharedBox, SharedCounter, SharedGauge, SharedHashMap, SharedHashSet, SharedString,
    SharedVec, SharedVecDeque,
};
use std::collections::BTreeSet;

/// Most numbers in the line.
pub const LINE: usize = 100;
pub const ACCOUNTS: u64 = 24;
/// Objects that come and go.
pub const OBJECTS: u64 = 6;
const MONEY: u64 = 1000;

/// See the module.
pub struct Shared {
    pub region: Region,
    /// Texts on their way, and the set of them.
    pub queue: SharedVecDeque<String>,
    pub queued: SharedHashSet<String>,
    /// Numbers, each one more than the one before it; no more than its limit.
    pub line: SharedVecDeque<u64>,
    /// Only grows.
    pub counter: SharedCounter,
    /// Each process contributes at most 3 for a while.
    pub gauge: SharedGauge,
    /// Money goes between these two; none is lost.
    pub purses: SharedVec<u64>,
    pub ledger: SharedHashMap<u64, u64>,
    /// The keys of `items`, in the order in which they came.
    pub keys: SharedVec<String>,
    pub items: SharedHashMap<String, Vec<u8>>,
    /// The same as `items`, in order.
    pub sorted: SharedBTreeMap<String, Vec<u8>>,
    /// Words in brackets.
    pub text: SharedString,
    /// Eight times the same number.
    pub row: SharedBox<[u64; 8]>,
    /// 0, 1, 2, ...; long enough for page runs.
    pub long: SharedVec<u64>,
}

impl Shared {
    pub fn new(region: Region) -> Result<Shared> {
        Ok(Shared {
            queue: region.object("queue")?,
            queued: region.object("queued")?,
            line: region.object::<SharedVecDeque<u64>>("line")?.with_limit(LINE)?,
            counter: region.object("counter")?,
            gauge: region.object("gauge")?,
            purses: region.object("purses")?,
            ledger: region.object("ledger")?,
            keys: region.object("keys")?,
            items: region.object("items")?,
            sorted: region.object("sorted")?,
            text: region.object("text")?,
            row: region.object("row")?,
            long: region.object("long")?,
            region,
        })
    }

    pub fn fill(&self) -> Result<()> {
        self.purses.extend((0..ACCOUNTS).map(|_| MONEY))?;
        self.ledger.extend((0..ACCOUNTS).map(|account| (account, MONEY)))
    }

    pub fn clear(&self) -> Result<()> {
        self.queue.clear()?;
        self.queued.clear()?;
        self.line.clear()?;
        // These two keep what they have once taken.
        self.region.remove_object("counter")?;
        self.region.remove_object("gauge")?;
        self.region.object::<SharedCounter>("counter")?;
        self.region.object::<SharedGauge>("gauge")?;
        self.purses.clear()?;
        self.ledger.clear()?;
        self.keys.clear()?;
        self.items.clear()?;
        self.sorted.clear()?;
        self.long.clear()?;
        self.text.clear()
    }

    /// Looks at everything at one moment.
    pub fn verify(&self) -> Result<()> {
        self.region.transaction(|tx| {
            let (purses, ledger) = (tx.read(&self.purses)?, tx.read(&self.ledger)?);
            assert_eq!(purses.len() as u64, ACCOUNTS);
            assert_eq!(ledger.len() as u64, ACCOUNTS);
            let sum = purses.iter().sum::<u64>() + ledger.values().sum::<u64>();
            assert_eq!(sum, 2 * ACCOUNTS * MONEY, "money was lost or made");
            let (keys, items) = (tx.read(&self.keys)?, tx.read(&self.items)?);
            assert_eq!(keys.len(), items.len());
            let listed: BTreeSet<&str> = keys.iter().collect();
            assert_eq!(listed, items.keys().collect::<BTreeSet<&str>>(), "a vector and a map tell different stories");
            for (key, value) in &items {
                assert!(value == content(key), "the content of {key} is another's");
            }
            let (queue, queued) = (tx.read(&self.queue)?, tx.read(&self.queued)?);
            assert_eq!(queue.len(), queued.len());
            assert!(queue.iter().all(|text| queued.contains(text)), "a queue and a set tell different stories");
            let line = tx.read(&self.line)?;
            assert!(line.len() <= LINE, "{} numbers in the line", line.len());
            let first = line.front().copied().unwrap_or_default();
            assert!(line.iter().zip(first..).all(|(value, number)| *value == number), "a broken line: {line:?}");
            let sorted = tx.read(&self.sorted)?;
            assert!(sorted.keys().eq(listed), "a tree and a vector tell different stories");
            assert!(sorted.iter().all(|(key, value)| items.get(key) == Some(value)), "a tree and a map disagree");
            assert_words(&tx.read(&self.text)?);
            let row = *tx.read(&self.row)?;
            assert!(row.iter().all(|number| *number == row[0]), "a torn row: {row:?}");
            let long = tx.read(&self.long)?;
            assert!(
                long.iter().zip(0..).all(|(value, index)| *value == index),
                "a long vector is not as it was written"
            );
            Ok(())
        })
    }
}

/// A text for the queue.
pub fn token(number: u64) -> String {
    if number.is_multiple_of(2) { format!("{:x}", number % 4096) } else { format!("a text on its way: {number:x}") }
}

/// The content of an item: all of it follows from its key.
pub fn content(key: &str) -> Vec<u8> {
    let number = key.bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let len = if number.is_multiple_of(3) { number % 15 } else { number % 3000 };
    (0..len).map(|index| (number + index) as u8).collect()
}

/// Nothing but words in brackets may be there.
pub fn assert_words(text: &str) {
    let whole = |word: &str| word.starts_with('[') && word.ends_with(']');
    assert!(text.split_inclusive(']').all(whole), "a torn text: {text}");
}
