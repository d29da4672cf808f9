//! Numbers that go from one process to another through a queue: how fast they flow, and how long one takes there and
//! back.

use super::channel::{Ends, Handles};
use super::ring::{Futexes, Ring};
use super::talker::{Talker, ends_with_us};
use super::{boost, python};
use crate::arguments::Arguments;
use crate::measure::{Runner, Samples};
use crate::scratch::{Scratch, ScratchFolder};
use crate::{Outcome, machine};
use commy::{Region, SharedVecDeque};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, Read, Write, stdin, stdout};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The hidden command.
pub(crate) const COMMAND: &str = "play-end";
/// Most values in a queue.
pub(super) const ROOM: usize = 1024;
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What goes through a line: a number, as often as it fits.
pub(super) trait Message: commy::Plain {
    fn of(number: u64) -> Self;

    /// The number; of torn ones, none that was sent.
    fn number(self) -> u64;
}

impl Message for u64 {
    #[inline(always)]
    fn of(number: u64) -> u64 {
        number
    }

    #[inline(always)]
    fn number(self) -> u64 {
        self
    }
}

impl<const WORDS: usize> Message for [u64; WORDS] {
    #[inline(always)]
    fn of(number: u64) -> [u64; WORDS] {
        [number; WORDS]
    }

    #[inline(always)]
    fn number(self) -> u64 {
        let differing = self.iter().fold(0, |differing, word| differing | (word ^ self[0]));
        if differing == 0 { self[0] } else { u64::MAX }
    }
}

/// One of two ends of a line. The next kind of queue is another implementation, and a name in [`open`].
pub(super) trait End {
    fn send(&mut self, value: u64) -> Outcome;

    /// Waits for a value.
    fn receive(&mut self) -> Outcome<u64>;

    /// Sends so many numbers.
    fn give(&mut self, count: u64) -> Outcome {
        (0..count).try_for_each(|value| self.send(value))
    }

    /// How many of so many numbers, of which `first` comes next, are right.
    fn take(&mut self, first: u64, count: u64) -> Outcome<u64> {
        let mut right = 0;
        for number in first..first + count {
            right += u64::from(self.receive()? == number);
        }
        Ok(right)
    }

    /// Gives back what it gets.
    fn echo(&mut self, count: u64) -> Outcome {
        for _ in 0..count {
            let value = self.receive()?;
            self.send(value)?;
        }
        Ok(())
    }

    /// How many of so many numbers come back.
    fn bounce(&mut self, count: u64) -> Outcome<u64> {
        let mut right = 0;
        for number in 0..count {
            self.send(number)?;
            right += u64::from(self.receive()? == number);
        }
        Ok(right)
    }

    /// The time of each trip.
    fn trips(&mut self, count: u64) -> Outcome<Samples> {
        let mut times = Vec::with_capacity(count as usize);
        for number in 0..count {
            let start = Instant::now();
            self.send(number)?;
            if self.receive()? != number {
                return Err("another number came back".into());
            }
            times.push(start.elapsed());
        }
        Ok(Samples::of_times(times))
    }
}

/// Two queues of Commy.
struct Queues {
    send: SharedVecDeque<u64>,
    receive: SharedVecDeque<u64>,
    /// Looks again and again instead of going to sleep.
    spins: bool,
    _region: Region,
}

impl Queues {
    fn open(path: &Path, there: bool, spins: bool) -> Outcome<Queues> {
        let region = Region::open(path)?;
        let names = if there { ["there", "back"] } else { ["back", "there"] };
        let queue = |name| region.object::<SharedVecDeque<u64>>(name)?.with_limit(ROOM);
        Ok(Queues { send: queue(names[0])?, receive: queue(names[1])?, spins, _region: region })
    }
}

impl End for Queues {
    fn send(&mut self, value: u64) -> Outcome {
        if self.spins {
            return until(|| Ok(self.send.try_push_back(value)?.then_some(())));
        }
        if self.send.push_back_wait(value, PATIENCE)? { Ok(()) } else { Err("nobody takes".into()) }
    }

    fn receive(&mut self) -> Outcome<u64> {
        if self.spins {
            return until(|| Ok(self.receive.pop_front()?));
        }
        Ok(self.receive.pop_front_wait(PATIENCE)?.ok_or("nobody gives")?)
    }
}

/// Tries until there is something.
///
/// # Errors
/// Patience is at an end: a message was lost, or the other end is.
#[inline(always)]
pub(super) fn until<T>(mut attempt: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    match attempt()? {
        Some(found) => Ok(found),
        None => again(attempt),
    }
}

#[cold]
fn again<T>(mut attempt: impl FnMut() -> Outcome<Option<T>>) -> Outcome<T> {
    let mut start = None;
    for number in 1u64.. {
        if let Some(found) = attempt()? {
            return Ok(found);
        }
        std::hint::spin_loop();
        // The other end may want this core. The clock is not looked at before.
        if number.is_multiple_of(1 << 12) {
            std::thread::yield_now();
            if start.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                break;
            }
        }
    }
    Err(format!("nothing moved for {} s", PATIENCE.as_secs()).into())
}

/// Two named pipes: what the kernel has.
struct Pipes {
    send: File,
    receive: File,
}

impl Pipes {
    fn open(path: &Path, there: bool) -> Outcome<Pipes> {
        // Opened for both: neither end waits for the other.
        let open = |name: &str| OpenOptions::new().read(true).write(true).open(path.join(name));
        let [there, back] = if there { ["there", "back"] } else { ["back", "there"] };
        Ok(Pipes { send: open(there)?, receive: open(back)? })
    }
}

impl End for Pipes {
    fn send(&mut self, value: u64) -> Outcome {
        Ok(self.send.write_all(&value.to_ne_bytes())?)
    }

    fn receive(&mut self) -> Outcome<u64> {
        let mut bytes = [0; 8];
        self.receive.read_exact(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }
}

/// An end of a kind.
fn open(kind: &str, path: &Path, there: bool) -> Outcome<Box<dyn End>> {
    let (kind, size) = kind.split_once('/').unwrap_or((kind, "8"));
    match size {
        "8" => open_of::<u64>(kind, path, there),
        "64" => open_of::<[u64; 8]>(kind, path, there),
        _ => Err(format!("no messages of {size} bytes").into()),
    }
}

fn open_of<M: Message>(kind: &str, path: &Path, there: bool) -> Outcome<Box<dyn End>> {
    Ok(match kind {
        "commy-spinning" => Box::new(Queues::open(path, there, true)?),
        "commy" => Box::new(Queues::open(path, there, false)?),
        "channel-spinning" => Box::new(Ends::<M>::open(path, there, true)?),
        "channel" => Box::new(Ends::<M>::open(path, there, false)?),
        "channel-handle" => Box::new(Handles::<M>::open(path, there)?),
        "pipe" => Box::new(Pipes::open(path, there)?),
        "ring" => Box::new(Ring::<M>::open(path, there)?),
        "futexes" => Box::new(Futexes::<M>::open(path, there, false)?),
        "futexes-with-timer" => Box::new(Futexes::<M>::open(path, there, true)?),
        #[cfg(feature = "peers")]
        "iceoryx2" => Box::new(super::iceoryx::Ports::open(path, there)?),
        _ => return Err(format!("no line `{kind}`").into()),
    })
}

/// The side that measures, of two that are processes of their own.
pub(super) const FIRST: &str = "first";
pub(super) const SECOND: &str = "second";

/// Another process: does at its end what it is told.
pub(crate) fn play(words: &[String]) -> Outcome {
    let [kind, path, side] = words else { return Err("a kind, a path and a side".into()) };
    let mut end = open(kind, Path::new(path), side == FIRST)?;
    for line in stdin().lock().lines() {
        let line = line?;
        let (verb, count) = line.split_once(' ').ok_or("a verb and a number")?;
        let count: u64 = count.parse()?;
        let start = Instant::now();
        match verb {
            "ready" => writeln!(stdout(), "{count}")?,
            "stay" => {
                machine::stay_on(count as usize)?;
                writeln!(stdout(), "{count}")?;
            }
            "give" => end.give(count)?,
            "echo" => end.echo(count)?,
            "flow" => {
                let right = end.take(0, count)?;
                writeln!(stdout(), "{} {right}", start.elapsed().as_nanos())?;
            }
            "bounce" => {
                let right = end.bounce(count)?;
                writeln!(stdout(), "{} {right}", start.elapsed().as_nanos())?;
            }
            _ => return Err(format!("no verb `{verb}`").into()),
        }
    }
    Ok(())
}

/// A line between two processes, in a race.
pub(crate) struct Line {
    name: &'static str,
    way: Box<dyn Way>,
}

impl Line {
    pub(crate) fn flow(&mut self, count: u64) -> Outcome<f64> {
        self.way.flow(count)
    }

    pub(crate) fn trips(&mut self, count: u64) -> Outcome<[f64; 2]> {
        self.way.trips(count)
    }
}

impl Runner for Line {
    fn name(&self) -> &str {
        self.name
    }
}

trait Way {
    /// Nanoseconds of each of so many numbers, which come in order.
    fn flow(&mut self, count: u64) -> Outcome<f64>;

    /// Nanoseconds there and back: the median, and what 99 of 100 are below.
    fn trips(&mut self, count: u64) -> Outcome<[f64; 2]>;
}

/// An end here and one in another process of this program.
struct Between {
    here: Box<dyn End>,
    // Dropped before what it uses.
    there: Talker,
    _keep: Box<dyn std::any::Any>,
}

impl Between {
    fn start(kind: &str, path: &Path, keep: impl std::any::Any) -> Outcome<Between> {
        let here = open(kind, path, true)?;
        let mut there = start(kind, path, SECOND)?;
        let [_] = there.ask("ready 1")?;
        Ok(Between { here, there, _keep: Box::new(keep) })
    }
}

/// An end in a process of its own.
pub(super) fn start(kind: &str, path: &Path, side: &str) -> Outcome<Talker> {
    Talker::start(ends_with_us(Command::new(std::env::current_exe()?).args([COMMAND, kind]).arg(path).arg(side)))
}

impl Way for Between {
    fn flow(&mut self, count: u64) -> Outcome<f64> {
        self.there.say(&format!("give {}", count + 1))?;
        // From the first on: by then the other one is on its way.
        let first = self.here.take(0, 1)?;
        let start = Instant::now();
        let right = first + self.here.take(1, count)?;
        let time = start.elapsed().as_nanos() as f64 / count as f64;
        if right == count + 1 { Ok(time) } else { Err("numbers were lost, or came in another order".into()) }
    }

    fn trips(&mut self, count: u64) -> Outcome<[f64; 2]> {
        self.there.say(&format!("echo {count}"))?;
        let times = self.here.trips(count)?;
        Ok([times.median(), times.quantile(0.99)])
    }
}

/// Two processes that measure by themselves.
struct Apart {
    measures: Talker,
    /// None if the first has a second of its own.
    helps: Option<Talker>,
    _folder: ScratchFolder,
}

impl Apart {
    fn help(&mut self, line: String) -> Outcome {
        self.helps.as_mut().map_or(Ok(()), |helper| helper.say(&line))
    }
}

impl Way for Apart {
    fn flow(&mut self, count: u64) -> Outcome<f64> {
        self.help(format!("give {count}"))?;
        let [time, right] = self.measures.ask(&format!("flow {count}"))?;
        if right != count {
            return Err(format!("{right} of {count} numbers were right").into());
        }
        Ok(time as f64 / count as f64)
    }

    fn trips(&mut self, count: u64) -> Outcome<[f64; 2]> {
        self.help(format!("echo {count}"))?;
        let [median, most, right] = self.measures.ask(&format!("trips {count}"))?;
        if right != count {
            return Err(format!("{right} of {count} numbers came back").into());
        }
        Ok([median as f64, most as f64])
    }
}

/// Lines whose ends go to sleep when there is nothing, Commy's first; or those that look again and again.
pub(crate) fn lines(arguments: &Arguments, spinning: bool) -> Outcome<Vec<Line>> {
    let scratch = Scratch::new()?;
    let path = scratch.path().to_path_buf();
    let kind = if spinning { "commy-spinning" } else { "commy" };
    let mut lines = vec![Line { name: "Commy", way: Box::new(Between::start(kind, &path, scratch)?) }];
    if spinning {
        #[cfg(feature = "peers")]
        if arguments.has("iceoryx2") {
            let folder = ScratchFolder::new()?;
            let path = folder.path().to_path_buf();
            lines.push(Line { name: "iceoryx2", way: Box::new(Between::start("iceoryx2", &path, folder)?) });
        }
        return Ok(lines);
    }
    let folder = ScratchFolder::new()?;
    let path = folder.path().to_path_buf();
    make_pipes(&path)?;
    lines.push(Line { name: "pipe", way: Box::new(Between::start("pipe", &path, folder)?) });
    if arguments.has("boost") {
        let folder = ScratchFolder::new()?;
        let path = folder.path().join("queue");
        let mut measures = boost::start(&path, "queue", None)?;
        let [_] = measures.ask("ready")?;
        let helps = Some(boost::start(&path, "queue", None)?);
        lines.push(Line { name: "Boost", way: Box::new(Apart { measures, helps, _folder: folder }) });
    }
    if arguments.has("python") {
        let folder = ScratchFolder::new()?;
        let measures = python::start("queue", &folder)?;
        lines.push(Line { name: "Python Queue", way: Box::new(Apart { measures, helps: None, _folder: folder }) });
    }
    Ok(lines)
}

pub(super) fn make_pipes(folder: &Path) -> Outcome {
    let made = Command::new("mkfifo").args([folder.join("there"), folder.join("back")]).status()?;
    if made.success() { Ok(()) } else { Err(format!("mkfifo: {made}").into()) }
}
