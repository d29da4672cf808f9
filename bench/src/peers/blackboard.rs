//! iceoryx2's blackboard: values by keys that are all known when it is made, each with a place of its own. A handle to a
//! place reads and writes it without a lock; a key's place is found by walking through all of them.

use super::iceoryx::service_name;
use super::map::{Act, Batch, MISSING, Map, sum};
use crate::Outcome;
use crate::scratch::ScratchFolder;
use foldhash::fast::RandomState;
use iceoryx2::port::reader::{EntryHandle, Reader};
use iceoryx2::port::writer::{EntryHandleMut, Writer};
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::blackboard::PortFactory;
use std::collections::HashMap;
use std::path::Path;

/// Who may look.
const READERS: usize = 16;

/// Makes the blackboard that a path names, each key with itself as its value.
pub(crate) struct Board {
    // Dropped in this order: a node is the last to go.
    service: PortFactory<ipc::Service, u64>,
    _node: Node<ipc::Service>,
}

impl Board {
    pub(crate) fn create(path: &Path, keys: &[u64]) -> Outcome<Board> {
        set_log_level(LogLevel::Fatal);
        let node = NodeBuilder::new().create::<ipc::Service>()?;
        let service = node.service_builder(&service_name(path, "board")?).blackboard_creator::<u64>();
        let service = service.max_readers(READERS).max_nodes(READERS);
        let service = keys.iter().fold(service, |service, key| service.add::<u64>(*key, *key)).create()?;
        Ok(Board { service, _node: node })
    }
}

/// Looks at places through handles that it keeps, found by a table of its own.
pub(crate) struct Glance {
    handles: HashMap<u64, EntryHandle<ipc::Service, u64, u64>, RandomState>,
    reader: Reader<ipc::Service, u64>,
    _node: Option<Node<ipc::Service>>,
}

impl Glance {
    /// In another process than the one that made the blackboard.
    pub(crate) fn open(path: &Path, keys: &[u64]) -> Outcome<Glance> {
        set_log_level(LogLevel::Fatal);
        let node = NodeBuilder::new().create::<ipc::Service>()?;
        let service = node.service_builder(&service_name(path, "board")?).blackboard_opener::<u64>().open()?;
        Ok(Glance { _node: Some(node), ..Glance::of(&service, keys)? })
    }

    fn of(service: &PortFactory<ipc::Service, u64>, keys: &[u64]) -> Outcome<Glance> {
        let reader = service.reader_builder().create()?;
        let handles = keys.iter().map(|key| Ok((*key, reader.entry::<u64>(key)?))).collect::<Outcome<_>>()?;
        Ok(Glance { handles, reader, _node: None })
    }

    pub(crate) fn get(&self, key: &u64) -> Option<u64> {
        self.handles.get(key).map(|handle| *handle.get())
    }
}

/// A blackboard in a race.
pub(super) struct Places {
    /// Kept, or asked for with each look.
    kept: bool,
    glance: Glance,
    writers: HashMap<u64, EntryHandleMut<ipc::Service, u64, u64>, RandomState>,
    _writer: Writer<ipc::Service, u64>,
    _board: Board,
    _folder: ScratchFolder,
}

impl Places {
    pub(super) fn new(keys: &[u64], kept: bool) -> Outcome<Places> {
        let folder = ScratchFolder::new()?;
        let board = Board::create(folder.path(), keys)?;
        let (glance, writer) = (Glance::of(&board.service, keys)?, board.service.writer_builder().create()?);
        let writers = keys.iter().map(|key| Ok((*key, writer.entry::<u64>(key)?))).collect::<Outcome<_>>()?;
        Ok(Places { kept, glance, writers, _writer: writer, _board: board, _folder: folder })
    }
}

impl Map for Places {
    fn clear(&mut self) -> Outcome {
        Err("its keys stay".into())
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        let Places { glance, writers, .. } = self;
        match act {
            Act::Get(keys) if self.kept => Batch::of(|| sum(keys, |key| Ok(glance.get(key).unwrap_or(1)))),
            Act::Get(keys) => {
                Batch::of(|| sum(keys, |key| Ok(glance.reader.entry::<u64>(key).map_or(1, |handle| *handle.get()))))
            }
            Act::Update(keys) => Batch::of(|| {
                sum(keys, |key| {
                    let value = glance.get(key).ok_or(MISSING)?.wrapping_add(1);
                    writers.get(key).ok_or(MISSING)?.update_with_copy(value);
                    Ok(value)
                })
            }),
            _ => Err("its keys stay".into()),
        }
    }

    fn can(&self, act: Act) -> bool {
        matches!(act, Act::Get(_)) || self.kept && matches!(act, Act::Update(_))
    }
}
