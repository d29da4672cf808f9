//! What a worker says that it is about to do, and that it has done: a file of its own beside the region, of records that
//! survive its death. The model of what must be in the region is made of these alone.

use std::fs::File;
use std::io::Result;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What may be said of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A new token goes into a container.
    Put = 1,
    /// A token goes from one container to another.
    Move = 2,
    /// Tokens end, which the book of the ended counts.
    End = 3,
    /// The counter grows.
    Count = 4,
    /// A line is added to the worker's own list.
    Write = 5,
    /// Anything that the model does not follow.
    Other = 6,
    /// A message goes into the channel.
    Send = 7,
    /// A message is taken off it: which one, when it has been.
    Receive = 8,
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    pub kind: Kind,
    pub value: u64,
    pub acknowledged: bool,
}

const SIZE: u64 = 16;

/// A worker's notes; the next worker on its seat goes on in the same file.
pub struct Notes {
    file: File,
    next: u64,
}

impl Notes {
    pub fn open(path: &Path) -> Result<Notes> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let next = file.metadata()?.len() / SIZE;
        Ok(Notes { file, next })
    }

    /// Says what comes.
    pub fn announce(&mut self, kind: Kind, value: u64) -> Result<()> {
        self.write(kind, value, false)
    }

    /// Says that it has come, with this outcome.
    pub fn acknowledge(&mut self, kind: Kind, value: u64) -> Result<()> {
        self.write(kind, value, true)?;
        self.next += 1;
        Ok(())
    }

    fn write(&mut self, kind: Kind, value: u64, acknowledged: bool) -> Result<()> {
        let head = kind as u64 | u64::from(acknowledged) << 8;
        let bytes = [head.to_le_bytes(), value.to_le_bytes()].concat();
        self.file.write_all_at(&bytes, self.next * SIZE)
    }

    /// All of a file.
    pub fn read(path: &Path) -> Result<Vec<Note>> {
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        Ok(bytes.chunks_exact(SIZE as usize).filter_map(parse).collect())
    }

    /// How many operations a file tells of.
    pub fn count(path: &Path) -> u64 {
        std::fs::metadata(path).map_or(0, |metadata| metadata.len() / SIZE)
    }
}

fn parse(bytes: &[u8]) -> Option<Note> {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let kind = match word(0) & 0xff {
        1 => Kind::Put,
        2 => Kind::Move,
        3 => Kind::End,
        4 => Kind::Count,
        5 => Kind::Write,
        6 => Kind::Other,
        7 => Kind::Send,
        8 => Kind::Receive,
        _ => return None,
    };
    Some(Note { kind, value: word(8), acknowledged: word(0) >> 8 & 1 == 1 })
}
