//! Numbers that go from one process to another through a queue: how fast they flow, and how long one takes there and
//! back.

use super::talker::{Talker, ends_with_us};
use super::{boost, python};
use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Runner, Samples};
use crate::scratch::{Scratch, ScratchFolder};
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
const PATIENCE: Duration = Duration::from_secs(10);

/// One of two ends of a line. The next kind of queue is another implementation, and a name in [`Ends::open`].
pub(super) trait End {
    fn send(&mut self, value: u64) -> Outcome;

    /// Waits for a value.
    fn receive(&mut self) -> Outcome<u64>;
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
        let sent = if self.spins {
            until(|| Ok(self.send.try_push_back(value)?.then_some(())))?.is_some()
        } else {
            self.send.push_back_wait(value, PATIENCE)?
        };
        if sent { Ok(()) } else { Err("nobody takes".into()) }
    }

    fn receive(&mut self) -> Outcome<u64> {
        let value = if self.spins {
            until(|| Ok(self.receive.pop_front()?))?
        } else {
            self.receive.pop_front_wait(PATIENCE)?
        };
        Ok(value.ok_or("nobody gives")?)
    }
}

/// Tries until there is something.
pub(super) fn until<T>(mut attempt: impl FnMut() -> Outcome<Option<T>>) -> Outcome<Option<T>> {
    for number in 1u32.. {
        if let Some(found) = attempt()? {
            return Ok(Some(found));
        }
        std::hint::spin_loop();
        // The other end may want this core.
        if number.is_multiple_of(1 << 12) {
            std::thread::yield_now();
        }
    }
    Ok(None)
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
    Ok(match kind {
        "commy-spinning" => Box::new(Queues::open(path, there, true)?),
        "commy" => Box::new(Queues::open(path, there, false)?),
        "pipe" => Box::new(Pipes::open(path, there)?),
        #[cfg(feature = "peers")]
        "iceoryx2" => Box::new(super::iceoryx::Ports::open(path, there)?),
        _ => return Err(format!("no line `{kind}`").into()),
    })
}

/// The other process: gives numbers, or gives back what it gets.
pub(crate) fn play(words: &[String]) -> Outcome {
    let [kind, path] = words else { return Err("a kind and a path".into()) };
    let mut end = open(kind, Path::new(path), false)?;
    for line in stdin().lock().lines() {
        let line = line?;
        let (verb, count) = line.split_once(' ').ok_or("a verb and a number")?;
        let count: u64 = count.parse()?;
        if verb == "ready" {
            writeln!(stdout(), "{count}")?;
        } else if verb == "give" {
            (0..count).try_for_each(|value| end.send(value))?;
        } else {
            for _ in 0..count {
                let value = end.receive()?;
                end.send(value)?;
            }
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
        let mut there =
            Talker::start(ends_with_us(Command::new(std::env::current_exe()?).args([COMMAND, kind]).arg(path)))?;
        let [_] = there.ask("ready 1")?;
        Ok(Between { here, there, _keep: Box::new(keep) })
    }
}

impl Way for Between {
    fn flow(&mut self, count: u64) -> Outcome<f64> {
        self.there.say(&format!("give {}", count + 1))?;
        // From the first on: by then the other one is on its way.
        let mut right = self.here.receive()? == 0;
        let start = Instant::now();
        for number in 1..=count {
            right &= self.here.receive()? == number;
        }
        let time = start.elapsed().as_nanos() as f64 / count as f64;
        if right { Ok(time) } else { Err("numbers were lost, or came in another order".into()) }
    }

    fn trips(&mut self, count: u64) -> Outcome<[f64; 2]> {
        self.there.say(&format!("echo {count}"))?;
        let mut times = Vec::with_capacity(count as usize);
        for number in 0..count {
            let start = Instant::now();
            self.here.send(number)?;
            if self.here.receive()? != number {
                return Err("another number came back".into());
            }
            times.push(start.elapsed());
        }
        let times = Samples::of_times(times);
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
    let made = Command::new("mkfifo").args([path.join("there"), path.join("back")]).status()?;
    if !made.success() {
        return Err(format!("mkfifo: {made}").into());
    }
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
