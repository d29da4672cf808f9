//! Members that work at once: processes that share a region, or threads that share what a process has. They start
//! together, and each takes the time of its own work.

use super::memory::{Blocks, Probe, mixed, stress};
use super::talker::{Talker, ends_with_us};
use crate::Outcome;
use crate::scratch::ScratchFolder;
use commy::{Region, SharedHashMap};
use std::fs::File;
use std::io::{BufRead, Write, stdin, stdout};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The hidden command.
pub(crate) const COMMAND: &str = "play-member";

/// What each member does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task {
    /// Looks up `count` of the yard's keys; each `every`th time writes one instead (0: never).
    Map { every: u64, count: u64 },
    /// Allocates, writes, verifies and frees so many blocks.
    Stress { count: u64, size: u64 },
    /// As many thousands of blocks of 16 to 1024 bytes; freed in order or at random.
    Mixed { rounds: u64, random: bool },
}

impl Task {
    /// Operations of one member, all of which must be verified.
    pub(crate) fn operations(self) -> u64 {
        match self {
            Task::Map { count, .. } | Task::Stress { count, .. } => count,
            Task::Mixed { rounds, .. } => rounds * super::memory::LIVE as u64,
        }
    }

    /// As a line for a member, which goes `first` steps into the keys and meets the others.
    fn line(self, first: u64, meeting: u64) -> String {
        match self {
            Task::Map { every, count } => format!("map {every} {count} {first} {meeting}"),
            Task::Stress { count, size } => format!("stress {count} {size} {meeting}"),
            Task::Mixed { rounds, random } => format!("mixed {rounds} {} {first} {meeting}", u64::from(random)),
        }
    }
}

/// When a member's work began and ended, in nanoseconds of the machine's clock, and how much of it was right.
type Work = [u64; 3];

/// What all members did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shift {
    operations: u64,
    /// From the first start to the last end.
    whole: u64,
    /// The longest that one of them worked.
    longest: u64,
}

impl Shift {
    fn of(task: Task, works: &[Work]) -> Outcome<Shift> {
        let operations = task.operations() * works.len() as u64;
        let verified: u64 = works.iter().map(|[.., verified]| verified).sum();
        if verified != operations {
            return Err(format!("{verified} of {operations} operations were right").into());
        }
        let (start, end) = (works.iter().map(|work| work[0]).min(), works.iter().map(|work| work[1]).max());
        let (start, end) = start.zip(end).ok_or("nobody worked")?;
        let longest = works.iter().map(|[start, end, _]| end - start).max().unwrap_or(0);
        Ok(Shift { operations, whole: end - start, longest })
    }

    /// Nanoseconds of the clock for each operation of all.
    pub(crate) fn each(self) -> f64 {
        self.whole as f64 / self.operations as f64
    }

    /// The same by the time that members worked: without what a member waited for its turn on a core before it began.
    pub(crate) fn each_of_work(self) -> f64 {
        self.longest as f64 / self.operations as f64
    }
}

/// Those who work together.
pub(crate) trait Team {
    fn work(&mut self, task: Task) -> Outcome<Shift>;
}

/// Processes.
pub(crate) struct Crew {
    // Dropped first: the members leave before the yard goes.
    members: Vec<Talker>,
    meetings: u64,
    keys: u64,
    _keep: Box<dyn std::any::Any>,
}

impl Crew {
    /// `keep` is what the members share, `start` starts one of them.
    pub(crate) fn start(
        count: usize,
        keys: usize,
        keep: impl std::any::Any,
        mut start: impl FnMut() -> Outcome<Talker>,
    ) -> Outcome<Crew> {
        let members = (0..count).map(|_| start()).collect::<Outcome<Vec<Talker>>>()?;
        Ok(Crew { members, meetings: 0, keys: keys as u64, _keep: Box::new(keep) })
    }

    /// One of this program's own members.
    pub(crate) fn member(kind: &str, path: &Path, yard: &Path) -> Outcome<Talker> {
        Talker::start(ends_with_us(Command::new(std::env::current_exe()?).args([COMMAND, kind]).arg(path).arg(yard)))
    }

    pub(crate) fn first(&mut self) -> Option<&mut Talker> {
        self.members.first_mut()
    }
}

impl Team for Crew {
    fn work(&mut self, task: Task) -> Outcome<Shift> {
        let count = self.members.len() as u64;
        self.meetings += 1;
        for (member, number) in self.members.iter_mut().zip(0u64..) {
            member.say(&task.line(number * self.keys / count, self.meetings * count))?;
        }
        let works = self.members.iter_mut().map(Talker::hear).collect::<Outcome<Vec<Work>>>()?;
        Shift::of(task, &works)
    }
}

/// Threads: each calls `work` with its number.
pub(crate) fn threads(count: usize, task: Task, work: impl Fn(u64) -> Outcome<u64> + Sync) -> Outcome<Shift> {
    let arrived = AtomicU64::new(0);
    let works = std::thread::scope(|scope| {
        let member = |number| {
            arrived.fetch_add(1, Ordering::SeqCst);
            wait_until(&arrived, count as u64);
            let start = now();
            let verified = work(number).map_err(|error| error.to_string())?;
            Ok([start, now(), verified])
        };
        let threads: Vec<_> = (0..count as u64).map(|number| scope.spawn(move || member(number))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).collect()
    });
    let works: Result<Vec<Work>, String> = works;
    Shift::of(task, &works?)
}

/// Nanoseconds of the clock that all processes share.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is room for one timespec; every Linux knows the clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32).as_nanos() as u64
}

fn wait_until(arrived: &AtomicU64, meeting: u64) {
    while arrived.load(Ordering::SeqCst) < meeting {
        // More members than cores: whoever is missing may need this one.
        std::thread::yield_now();
    }
}

/// Words before the keys, so that they begin on a cache line of their own.
const HEAD: usize = 8;

/// A mapped file: where members meet, and the keys of all. Invariant Y: `words` is a whole mapping of `len` words that
/// is never unmapped; the first is used atomically, the others are not written once it is mapped.
pub(crate) struct Yard {
    words: NonNull<u64>,
    len: usize,
}

impl Yard {
    /// Makes the file.
    pub(crate) fn create(folder: &ScratchFolder, keys: &[u64]) -> Outcome<PathBuf> {
        let path = folder.path().join("yard");
        super::talker::write_words(&path, &[&[0; HEAD], keys].concat())?;
        Ok(path)
    }

    fn open(path: &Path) -> Outcome<Yard> {
        let file = File::options().read(true).write(true).open(path)?;
        let bytes = file.metadata()?.len() as usize;
        let (rights, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping at an address that the kernel chooses; nobody shortens the file.
        let words = unsafe { libc::mmap(std::ptr::null_mut(), bytes, rights, shared, file.as_raw_fd(), 0) };
        if words == libc::MAP_FAILED || bytes < HEAD * 8 {
            return Err(std::io::Error::last_os_error().into());
        }
        let words = NonNull::new(words.cast()).ok_or("a mapping at address 0")?;
        Ok(Yard { words, len: bytes / 8 })
    }

    fn keys(&self) -> &[u64] {
        // SAFETY: Y.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().add(HEAD), self.len - HEAD) }
    }

    fn meet(&self, meeting: u64) {
        // SAFETY: Y.
        let arrived = unsafe { AtomicU64::from_ptr(self.words.as_ptr()) };
        arrived.fetch_add(1, Ordering::SeqCst);
        wait_until(arrived, meeting);
    }
}

/// What is said of a blackboard's members.
#[cfg(feature = "peers")]
const ONLY_LOOKS: &str = "it only looks";

/// A member's side.
pub(crate) fn play(words: &[String]) -> Outcome {
    let [kind, path, yard] = words else { return Err("a kind, a path and a yard".into()) };
    let (path, yard) = (Path::new(path), Yard::open(Path::new(yard))?);
    match kind.as_str() {
        "commy" => play_commy(path, &yard),
        #[cfg(feature = "peers")]
        "lmdb" => play_lmdb(path, &yard),
        #[cfg(feature = "peers")]
        "blackboard" => {
            let glance = super::blackboard::Glance::open(path, yard.keys())?;
            serve(&yard, |task, first| match task {
                Task::Map { every: 0, count } => {
                    look_up((yard.keys(), first, 0, count), |key| Ok(glance.get(key)), |_| Err(ONLY_LOOKS.into()))
                }
                _ => Err(ONLY_LOOKS.into()),
            })
        }
        _ => Err(format!("no member `{kind}`").into()),
    }
}

/// The object that members share.
pub(crate) const MAP: &str = "map";

fn play_commy(path: &Path, yard: &Yard) -> Outcome {
    let region = Region::open(path)?;
    let map: SharedHashMap<u64, u64> = region.object(MAP)?;
    // Made for each task that wants it: while there is one, this thread is inside a change.
    let probe = || Probe::new(&region);
    serve(yard, |task, first| match task {
        Task::Map { every, count } => look_up(
            (yard.keys(), first, every, count),
            |key| Ok(map.get(key)?),
            |key| Ok(map.insert(*key, *key)?.is_some()),
        ),
        Task::Stress { count, size } => stress(&mut probe()?, count as usize, size as usize),
        Task::Mixed { rounds, random } => mixed(&mut probe()?, rounds, random, first),
    })
}

#[cfg(feature = "peers")]
fn play_lmdb(path: &Path, yard: &Yard) -> Outcome {
    let (environment, map) = super::lmdb::open(path)?;
    let get = |key: &u64| {
        let view = environment.read_txn()?;
        Ok(map.get(&view, key)?)
    };
    let set = |key: &u64| {
        let mut change = environment.write_txn()?;
        map.put(&mut change, key, key)?;
        change.commit()?;
        Ok(true)
    };
    serve(yard, |task, first| match task {
        Task::Map { every, count } => look_up((yard.keys(), first, every, count), get, set),
        _ => Err("LMDB has no blocks".into()),
    })
}

/// Steps through the keys, which are their own values; how many values were right.
#[inline(always)]
pub(crate) fn look_up(
    (keys, first, every, count): (&[u64], u64, u64, u64),
    get: impl Fn(&u64) -> Outcome<Option<u64>>,
    set: impl Fn(&u64) -> Outcome<bool>,
) -> Outcome<u64> {
    let (mut verified, mut at) = (0, first as usize);
    for number in 0..count {
        let key = &keys[at];
        at = if at + 1 == keys.len() { 0 } else { at + 1 };
        let write = every != 0 && number % every == 0;
        verified += u64::from(if write { set(key)? } else { get(key)? == Some(*key) });
    }
    Ok(verified)
}

/// Does what the lines of the standard input say.
fn serve(yard: &Yard, mut work: impl FnMut(Task, u64) -> Outcome<u64>) -> Outcome {
    for line in stdin().lock().lines() {
        let line = line?;
        let (verb, numbers) = line.split_once(' ').ok_or("a verb and numbers")?;
        let numbers = numbers.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        let (task, first, meeting) = match (verb, numbers.as_slice()) {
            ("map", &[every, count, first, meeting]) => (Task::Map { every, count }, first, meeting),
            ("stress", &[count, size, meeting]) => (Task::Stress { count, size }, 0, meeting),
            ("mixed", &[rounds, random, first, meeting]) => {
                (Task::Mixed { rounds, random: random != 0 }, first, meeting)
            }
            _ => return Err(format!("no such task: {line}").into()),
        };
        yard.meet(meeting);
        let start = now();
        let verified = work(task, first)?;
        let mut out = stdout();
        writeln!(out, "{start} {} {verified}", now())?;
        out.flush()?;
    }
    Ok(())
}

/// Threads that allocate by means of a process of its own.
pub(crate) struct Threads<B> {
    pub(crate) count: usize,
    pub(crate) blocks: fn() -> B,
}

impl<B: Blocks> Team for Threads<B> {
    fn work(&mut self, task: Task) -> Outcome<Shift> {
        threads(self.count, task, |number| match task {
            Task::Stress { count, size } => stress(&mut (self.blocks)(), count as usize, size as usize),
            Task::Mixed { rounds, random } => mixed(&mut (self.blocks)(), rounds, random, number),
            Task::Map { .. } => Err("an allocator is no map".into()),
        })
    }
}
