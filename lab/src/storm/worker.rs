//! A process at work until it is killed, and one that only reads.

use super::notes::{Kind, Notes};
use super::shared::{Message, PASSING, PLACES, Shared, message_of, number_of};
use super::{Canary, Job};
use crate::Verdict;
use crate::random::Random;
use commy::{Error, Region, RegionOptions, Result, SharedVec};
use std::time::{Duration, Instant};

/// Tokens are told apart by their seat and the number of their note.
pub const SEAT_SHIFT: u32 = 40;

/// The longest pause between two operations.
const MOST_PAUSE_US: u64 = 1_500;

/// How long a call waits for something that may not come.
const MOMENT: Duration = Duration::from_micros(300);

/// Long enough for the slowest machine; a wait as long as this is a hang.
pub fn options(job: &Job) -> RegionOptions {
    Region::options().lock_timeout(Duration::from_millis(job.timeout_ms))
}

struct Worker<'j> {
    job: &'j Job,
    shared: Shared,
    notes: Notes,
    random: Random,
    tokens: u64,
}

/// Works for ever.
pub fn work(job: &Job) -> Verdict {
    let failed = |error: &dyn std::fmt::Display, what: &str| format!("seat {}: {what}: {error}", job.seat);
    let opened = Instant::now();
    let shared = options(job).open(&job.region).and_then(Shared::new);
    let shared = shared.map_err(|error| failed(&error, &format!("open, after {:?}", opened.elapsed())))?;
    let notes = Notes::open(&job.notes()).map_err(|error| failed(&error, "notes"))?;
    let tokens = Notes::count(&job.notes());
    let random = Random::new(job.seed);
    let mut worker = Worker { job, shared, notes, random, tokens };
    if job.canary == Some(Canary::Keeps) && job.seat == 0 {
        let _kept = worker.shared.row.write().map_err(|error| failed(&error, "write"))?;
        loop {
            std::thread::park();
        }
    }
    loop {
        let start = Instant::now();
        worker.act().map_err(|error| failed(&error, &format!("after {:?}", start.elapsed())))?;
        // Who never pauses waits for a processor, not for locks.
        std::thread::sleep(Duration::from_micros(worker.random.below(MOST_PAUSE_US)));
    }
}

impl Worker<'_> {
    fn act(&mut self) -> Result<()> {
        match self.random.below(46) {
            0..8 => self.put(),
            8..18 => self.transfer(),
            18..22 => self.end(),
            22..24 => self.count(),
            24..26 => self.write(),
            26..29 => self.send(),
            29..32 => self.receive(),
            _ => {
                self.note(Kind::Other, 0, false);
                self.other()?;
                self.note(Kind::Other, 0, true);
                Ok(())
            }
        }
    }

    fn note(&mut self, kind: Kind, value: u64, done: bool) {
        let noted = if done { self.notes.acknowledge(kind, value) } else { self.notes.announce(kind, value) };
        noted.expect("room for notes");
    }

    fn put(&mut self) -> Result<()> {
        self.tokens += 1;
        let token = (self.job.seat + 1) << SEAT_SHIFT | self.tokens;
        let place = self.random.below(PLACES);
        if self.job.canary == Some(Canary::Early) {
            self.note(Kind::Put, token, true);
            return self.shared.put(place, token);
        }
        self.note(Kind::Put, token, false);
        self.shared.put(place, token)?;
        self.note(Kind::Put, token, true);
        Ok(())
    }

    fn transfer(&mut self) -> Result<()> {
        let (from, to, chance) = (self.random.below(PLACES), self.random.below(PLACES), self.random.number());
        self.note(Kind::Move, 0, false);
        let moved = match self.job.canary {
            Some(Canary::Half) => self.shared.transfer_in_halves(from, to, chance)?,
            _ => self.shared.transfer(from, to, chance)?,
        };
        self.note(Kind::Move, moved.unwrap_or(0), true);
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let (place, chance) = (self.random.below(PLACES), self.random.number());
        self.note(Kind::End, 0, false);
        let sum = self.shared.end(place, chance)?;
        self.note(Kind::End, sum, true);
        Ok(())
    }

    fn count(&mut self) -> Result<()> {
        let more = self.random.below(5);
        self.note(Kind::Count, more, false);
        self.shared.counter.add(more)?;
        self.note(Kind::Count, more, true);
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        let line = self.random.number();
        let list = format!("of seat {}", self.job.seat);
        self.note(Kind::Write, line, false);
        let mut lists = self.shared.lists.write()?;
        lists.entry(&list).or_default()?.push(line)?;
        drop(lists);
        self.note(Kind::Write, line, true);
        Ok(())
    }

    /// One message by a call, or some by a kept end.
    fn send(&mut self) -> Result<()> {
        let channel = self.shared.channel.clone();
        if self.random.below(3) > 0 {
            return self.send_by(|message| channel.send_timeout(message, MOMENT));
        }
        let mut sender = channel.sender()?;
        for _ in 0..1 + self.random.below(4) {
            if self.random.below(3) > 0 {
                self.send_by(|message| sender.send_timeout(message, MOMENT))?;
                continue;
            }
            self.send_by(|message| {
                let mut place = sender.try_reserve()?.ok_or(Error::Full { limit: 0 })?;
                *place = message;
                place.commit()
            })?;
        }
        Ok(())
    }

    fn send_by(&mut self, send: impl FnOnce(Message) -> Result<()>) -> Result<()> {
        self.tokens += 1;
        let number = (self.job.seat + 1) << SEAT_SHIFT | self.tokens;
        if self.job.canary == Some(Canary::Early) {
            self.note(Kind::Send, number, true);
            return match send(message_of(number)) {
                Err(error) if !is_over(&error) => Err(error),
                _ => Ok(()),
            };
        }
        self.note(Kind::Send, number, false);
        let kind = match send(message_of(number)) {
            Ok(()) => Kind::Send,
            Err(error) if is_over(&error) => Kind::Other,
            Err(error) => return Err(error),
        };
        self.note(kind, number, true);
        Ok(())
    }

    /// As [`send`](Self::send).
    fn receive(&mut self) -> Result<()> {
        let channel = self.shared.channel.clone();
        if self.random.below(3) > 0 {
            return self.receive_by(|| channel.recv_timeout(MOMENT));
        }
        let mut receiver = channel.receiver()?;
        for _ in 0..1 + self.random.below(4) {
            if self.random.below(3) > 0 {
                self.receive_by(|| receiver.recv_timeout(MOMENT))?;
            } else {
                self.receive_by(|| Ok(receiver.try_recv_ref()?.map(|message| *message)))?;
            }
        }
        Ok(())
    }

    fn receive_by(&mut self, receive: impl FnOnce() -> Result<Option<Message>>) -> Result<()> {
        self.note(Kind::Receive, 0, false);
        match receive() {
            Ok(Some(message)) => self.note(Kind::Receive, number_of(message), true),
            Ok(None) => self.note(Kind::Other, 0, true),
            Err(error) if is_over(&error) => self.note(Kind::Other, 0, true),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn other(&mut self) -> Result<()> {
        let Shared { line, text, row, long, gauge, .. } = &self.shared;
        match self.random.below(16) {
            0 => self.shared.change_mind(),
            1 => line.pop_front_wait(MOMENT).map(drop),
            2 => {
                let mut line = line.write()?;
                let next = line.back().map_or(0, |last| last + 1);
                line.try_push_back(next).map(drop)
            }
            3 => line.pop_front_many_wait(5, MOMENT).map(drop),
            4 => {
                let seen = row.version()?;
                row.wait_changed(seen, MOMENT).map(drop)
            }
            5 => {
                let now = row.get()?[0];
                row.wait_while(|row| row[0] == now, MOMENT).map(drop)
            }
            6 | 7 => row.update(|row| row.iter_mut().for_each(|number| *number += 1)),
            8 => {
                let number = self.random.below(1_000_000);
                let mut text = text.write()?;
                if text.len() > 1500 { text.clear() } else { text.push_str(&format!("[{number}]")) }
            }
            9 => {
                let (more, less) = (self.random.below(20_000), self.random.below(4) == 0);
                let mut long = long.write()?;
                let len = long.len() as u64;
                match len > 60_000 || less {
                    true => long.truncate((len / 3) as usize).and_then(|()| long.shrink_to_fit()),
                    false => long.extend(len..len + more),
                }
            }
            10 => gauge.set(self.random.below(4) as i64).map(drop),
            11 | 12 => self.make_objects(),
            13 if self.random.below(4) == 0 => {
                let again = options(self.job).own_attachment().open(&self.job.region).and_then(Shared::new)?;
                again.text.push_str("[again]")
            }
            _ => self.shared.look(),
        }
    }

    /// Objects with a name, which others may remove, and without; in a thread of its own, too.
    fn make_objects(&mut self) -> Result<()> {
        let (region, name) = (&self.shared.region, format!("passing {}", self.random.below(PASSING)));
        let values: Vec<String> = (0..self.random.below(30)).map(super::shared::text_of).collect();
        if self.job.canary == Some(Canary::Leak) {
            let name = format!("nobody knows of {}", std::process::id());
            return region.object::<SharedVec<String>>(&name)?.extend(&values);
        }
        let made = match self.random.below(4) {
            0 => SharedVec::<String>::new_in(region)?.extend(&values),
            1 => region.remove_object(&name),
            2 => region.object::<SharedVec<String>>(&name)?.extend(&values),
            _ => std::thread::scope(|scope| {
                let work = || region.open_object::<SharedVec<String>>(&name)?.extend(&values);
                scope.spawn(work).join().expect("a thread")
            }),
        };
        match made {
            Err(Error::NotFound | Error::Removed) => Ok(()),
            other => other,
        }
    }
}

/// Has a call waited as long as it was to, for room or for an end that another one keeps? A wait of any other length is a
/// hang.
fn is_over(error: &Error) -> bool {
    match error {
        Error::Full { .. } => true,
        Error::Timeout { waited, .. } => *waited < Duration::from_secs(1),
        _ => false,
    }
}

/// Reads for ever, by a mapping that cannot be written to.
pub fn read(job: &Job) -> Verdict {
    loop {
        let shared = options(job).read_only(true).open(&job.region).and_then(Shared::open);
        let shared = shared.map_err(|error| format!("reader {}: open: {error}", job.seat))?;
        for _ in 0..200 {
            match shared.look() {
                Ok(()) => {}
                // Nobody but writers repairs what a dead one has left, and they may all be dead for a moment.
                Err(Error::Timeout { holder, .. }) if holder.dead => {}
                Err(error) => return Err(format!("reader {}: {error}", job.seat)),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
