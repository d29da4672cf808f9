//! LMDB through heed: an ordered map in a mapped file, one writer at a time. Nothing waits for a disk.

use super::map::{Act, Batch, MISSING, Map, SCAN, sum};
use super::store::Store;
use super::text::{self, Text, Texts};
use crate::Outcome;
use crate::scratch::ScratchFolder;
use heed::types::{Str, U64};
use heed::{Database, Env, EnvFlags, EnvOpenOptions, IntegerComparator};
use std::path::Path;

type Native = U64<heed::byteorder::NativeEndian>;
pub(crate) type Numbers = Database<Native, Native, IntegerComparator>;

/// Opens the environment in a folder, and its map.
pub(crate) fn open(folder: &Path) -> Outcome<(Env, Numbers)> {
    let environment = environment(folder)?;
    let map = numbers(&environment, None)?;
    Ok((environment, map))
}

fn environment(folder: &Path) -> Outcome<Env> {
    let mut options = EnvOpenOptions::new();
    options.map_size(4 << 30).max_readers(256).max_dbs(2);
    // SAFETY: the folder is in memory and goes with this run, so nothing is lost that a crash could want; nobody else
    // touches its files.
    unsafe {
        options.flags(EnvFlags::WRITE_MAP | EnvFlags::NO_SYNC | EnvFlags::NO_META_SYNC | EnvFlags::NO_READ_AHEAD);
        Ok(options.open(folder)?)
    }
}

fn numbers(environment: &Env, name: Option<&str>) -> Outcome<Numbers> {
    let mut change = environment.write_txn()?;
    let mut options = environment.database_options().types::<Native, Native>().key_comparator::<IntegerComparator>();
    if let Some(name) = name {
        options.name(name);
    }
    let map = options.create(&mut change)?;
    change.commit()?;
    Ok(map)
}

pub(super) struct Tree {
    environment: Env,
    map: Numbers,
    _folder: ScratchFolder,
}

impl Tree {
    pub(super) fn new() -> Outcome<Tree> {
        let folder = ScratchFolder::new()?;
        let (environment, map) = open(folder.path())?;
        Ok(Tree { environment, map, _folder: folder })
    }
}

impl Map for Tree {
    fn clear(&mut self) -> Outcome {
        let mut change = self.environment.write_txn()?;
        self.map.clear(&mut change)?;
        Ok(change.commit()?)
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        let Tree { environment, map, .. } = self;
        match act {
            Act::Insert(keys) => Batch::of(|| {
                let mut change = environment.write_txn()?;
                for key in keys {
                    map.put(&mut change, key, key)?;
                }
                change.commit()?;
                Ok(keys.len() as u64)
            }),
            Act::Get(keys) => Batch::of(|| {
                let view = environment.read_txn()?;
                sum(keys, |key| Ok(map.get(&view, key)?.unwrap_or(1)))
            }),
            Act::Update(keys) => Batch::of(|| {
                let mut change = environment.write_txn()?;
                let found = sum(keys, |key| {
                    let value = map.get(&change, key)?.ok_or(MISSING)?.wrapping_add(1);
                    map.put(&mut change, key, &value)?;
                    Ok(value)
                })?;
                change.commit()?;
                Ok(found)
            }),
            Act::Remove(keys) => Batch::of(|| {
                let mut change = environment.write_txn()?;
                let found = sum(keys, |key| {
                    let value = map.get(&change, key)?.ok_or(MISSING)?;
                    map.delete(&mut change, key)?;
                    Ok(value)
                })?;
                change.commit()?;
                Ok(found)
            }),
            Act::Scan(starts) => Batch::of(|| {
                let view = environment.read_txn()?;
                sum(starts, |start| {
                    let mut entries = map.range(&view, &(*start..))?.take(SCAN);
                    entries.try_fold(0u64, |sum, entry| Ok(sum.wrapping_add(entry?.1)))
                })
            }),
            Act::Iterate => Batch::of(|| {
                let view = environment.read_txn()?;
                let mut entries = map.iter(&view)?;
                entries.try_fold(0u64, |sum, entry| Ok(sum.wrapping_add(entry?.1)))
            }),
        }
    }
}

/// Two databases of one environment.
pub(super) struct Pair {
    environment: Env,
    map: Numbers,
    last: Numbers,
    _folder: ScratchFolder,
}

impl Pair {
    pub(super) fn new() -> Outcome<Pair> {
        let folder = ScratchFolder::new()?;
        let environment = environment(folder.path())?;
        let (map, last) = (numbers(&environment, Some("map"))?, numbers(&environment, Some("last"))?);
        Ok(Pair { environment, map, last, _folder: folder })
    }
}

impl Store for Pair {
    fn change(&self, key: u64, value: u64) -> Outcome {
        let mut change = self.environment.write_txn()?;
        self.map.put(&mut change, &key, &value)?;
        self.last.put(&mut change, &0, &value)?;
        Ok(change.commit()?)
    }

    fn state(&self) -> Outcome<[u64; 2]> {
        let view = self.environment.read_txn()?;
        let sum = self.map.iter(&view)?.try_fold(0u64, |sum, entry| Outcome::Ok(sum.wrapping_add(entry?.1)))?;
        Ok([sum, self.last.get(&view, &0)?.unwrap_or(0)])
    }
}

/// Texts by texts; values are looked at where they are.
pub(super) struct Written {
    environment: Env,
    map: Database<Str, Str>,
    _folder: ScratchFolder,
}

impl Written {
    pub(super) fn new() -> Outcome<Written> {
        let folder = ScratchFolder::new()?;
        let environment = environment(folder.path())?;
        let mut change = environment.write_txn()?;
        let map = environment.create_database(&mut change, None)?;
        change.commit()?;
        Ok(Written { environment, map, _folder: folder })
    }
}

impl Texts for Written {
    fn insert(&mut self, texts: &[Text]) -> Outcome<Batch> {
        let mut change = self.environment.write_txn()?;
        self.map.clear(&mut change)?;
        change.commit()?;
        Batch::of(|| {
            let mut change = self.environment.write_txn()?;
            let sum = text::count(texts, |key, value| {
                self.map.put(&mut change, key, value)?;
                Ok(true)
            })?;
            change.commit()?;
            Ok(sum)
        })
    }

    fn get(&mut self, keys: &[&str]) -> Outcome<Batch> {
        Batch::of(|| {
            let view = self.environment.read_txn()?;
            text::sum(keys, |key| Ok(text::last_byte(self.map.get(&view, key)?.ok_or(MISSING)?)))
        })
    }
}
