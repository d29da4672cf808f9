//! Stores that change two of their tables in one transaction.

use super::{lmdb, redb};
use crate::Outcome;
use crate::arguments::Arguments;

/// Two tables, the second of one entry.
pub(crate) trait Store {
    /// In one transaction: the key's value in the first, and the only one in the second.
    fn change(&self, key: u64, value: u64) -> Outcome;

    /// The sum of the values in the first, and the value in the second.
    fn state(&self) -> Outcome<[u64; 2]>;
}

/// Those that are there.
pub(crate) struct Stores(Vec<(&'static str, Box<dyn Store>)>);

impl Stores {
    pub(crate) fn new(arguments: &Arguments) -> Outcome<Stores> {
        let mut stores: Vec<(&str, Box<dyn Store>)> = Vec::new();
        if arguments.has("lmdb") {
            stores.push(("LMDB", Box::new(lmdb::Pair::new()?)));
        }
        if arguments.has("redb") {
            stores.push(("redb", Box::new(redb::Pair::new()?)));
        }
        Ok(Stores(stores))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &dyn Store)> {
        self.0.iter().map(|(name, store)| (*name, &**store))
    }
}
