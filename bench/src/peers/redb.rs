//! redb: an ordered map in a file, for one process at a time. Nothing waits for a disk.

use super::map::{Act, Batch, MISSING, Map, SCAN, sum};
use super::store::Store;
use super::text::{self, Text, Texts};
use crate::Outcome;
use crate::scratch::ScratchFolder;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};

const NUMBERS: TableDefinition<u64, u64> = TableDefinition::new("numbers");
const LAST: TableDefinition<u64, u64> = TableDefinition::new("last");

pub(super) struct Tree {
    database: Database,
    _folder: ScratchFolder,
}

impl Tree {
    pub(super) fn new() -> Outcome<Tree> {
        let folder = ScratchFolder::new()?;
        let database = Database::builder().set_cache_size(1 << 30).create(folder.path().join("redb"))?;
        Ok(Tree { database, _folder: folder })
    }

    fn begin(&self) -> Outcome<WriteTransaction> {
        let mut change = self.database.begin_write()?;
        change.set_durability(Durability::None)?;
        Ok(change)
    }

    /// All in one transaction.
    fn change(&self, work: impl FnOnce(&mut Table<u64, u64>) -> Outcome<u64>) -> Outcome<Batch> {
        Batch::of(|| {
            let change = self.begin()?;
            let sum = work(&mut change.open_table(NUMBERS)?)?;
            change.commit()?;
            Ok(sum)
        })
    }
}

impl Map for Tree {
    fn clear(&mut self) -> Outcome {
        let change = self.begin()?;
        change.delete_table(NUMBERS)?;
        change.open_table(NUMBERS)?;
        Ok(change.commit()?)
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        match act {
            Act::Insert(keys) => self.change(|table| sum(keys, |key| Ok(table.insert(key, key)?.map_or(1, |_| 0)))),
            Act::Update(keys) => self.change(|table| {
                sum(keys, |key| {
                    let mut value = table.get_mut(key)?.ok_or(MISSING)?;
                    let new = value.value().wrapping_add(1);
                    value.insert(new)?;
                    Ok(new)
                })
            }),
            Act::Remove(keys) => self.change(|table| sum(keys, |key| Ok(table.remove(key)?.ok_or(MISSING)?.value()))),
            Act::Get(keys) => Batch::of(|| {
                let table = self.database.begin_read()?.open_table(NUMBERS)?;
                sum(keys, |key| Ok(table.get(key)?.map_or(1, |value| value.value())))
            }),
            Act::Scan(starts) => Batch::of(|| {
                let table = self.database.begin_read()?.open_table(NUMBERS)?;
                sum(starts, |start| {
                    let mut entries = table.range(*start..)?.take(SCAN);
                    entries.try_fold(0u64, |sum, entry| Ok(sum.wrapping_add(entry?.1.value())))
                })
            }),
            Act::Iterate => Batch::of(|| {
                let table = self.database.begin_read()?.open_table(NUMBERS)?;
                let mut entries = table.iter()?;
                entries.try_fold(0u64, |sum, entry| Ok(sum.wrapping_add(entry?.1.value())))
            }),
        }
    }
}

/// Two tables of one database.
pub(super) struct Pair(Tree);

impl Pair {
    pub(super) fn new() -> Outcome<Pair> {
        Ok(Pair(Tree::new()?))
    }
}

impl Store for Pair {
    fn change(&self, key: u64, value: u64) -> Outcome {
        let change = self.0.begin()?;
        change.open_table(NUMBERS)?.insert(key, value)?;
        change.open_table(LAST)?.insert(0, value)?;
        Ok(change.commit()?)
    }

    fn state(&self) -> Outcome<[u64; 2]> {
        let view = self.0.database.begin_read()?;
        let (map, last) = (view.open_table(NUMBERS)?, view.open_table(LAST)?);
        let sum = map.iter()?.try_fold(0u64, |sum, entry| Outcome::Ok(sum.wrapping_add(entry?.1.value())))?;
        Ok([sum, last.get(0)?.map_or(0, |value| value.value())])
    }
}

const TEXTS: TableDefinition<&str, &str> = TableDefinition::new("texts");

/// Texts by texts; values are looked at where they are.
pub(super) struct Written(Tree);

impl Written {
    pub(super) fn new() -> Outcome<Written> {
        Ok(Written(Tree::new()?))
    }
}

impl Texts for Written {
    fn insert(&mut self, texts: &[Text]) -> Outcome<Batch> {
        let change = self.0.begin()?;
        change.delete_table(TEXTS)?;
        change.commit()?;
        Batch::of(|| {
            let change = self.0.begin()?;
            let sum = {
                let mut table = change.open_table(TEXTS)?;
                text::count(texts, |key, value| Ok(table.insert(key, value)?.is_none()))?
            };
            change.commit()?;
            Ok(sum)
        })
    }

    fn get(&mut self, keys: &[&str]) -> Outcome<Batch> {
        Batch::of(|| {
            let table = self.0.database.begin_read()?.open_table(TEXTS)?;
            text::sum(keys, |key| Ok(text::last_byte(table.get(key)?.ok_or(MISSING)?.value())))
        })
    }
}
