//! LMDB through heed: an ordered map in a mapped file, one writer at a time. Nothing waits for a disk.

use super::map::{Act, Batch, MISSING, Map, SCAN, sum};
use crate::Outcome;
use crate::scratch::ScratchFolder;
use heed::types::U64;
use heed::{Database, Env, EnvFlags, EnvOpenOptions, IntegerComparator};
use std::path::Path;

type Native = U64<heed::byteorder::NativeEndian>;
pub(crate) type Numbers = Database<Native, Native, IntegerComparator>;

/// Opens the environment in a folder, and its map.
pub(crate) fn open(folder: &Path) -> Outcome<(Env, Numbers)> {
    let mut options = EnvOpenOptions::new();
    options.map_size(4 << 30).max_readers(256);
    // SAFETY: the folder is in memory and goes with this run, so nothing is lost that a crash could want; nobody else
    // touches its files.
    let environment = unsafe {
        options.flags(EnvFlags::WRITE_MAP | EnvFlags::NO_SYNC | EnvFlags::NO_META_SYNC | EnvFlags::NO_READ_AHEAD);
        options.open(folder)?
    };
    let mut change = environment.write_txn()?;
    let map = environment
        .database_options()
        .types::<Native, Native>()
        .key_comparator::<IntegerComparator>()
        .create(&mut change)?;
    change.commit()?;
    Ok((environment, map))
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
