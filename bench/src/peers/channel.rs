//! Two channels of Commy between two processes.

use super::line::{End, Message, PATIENCE, ROOM, until};
use crate::Outcome;
use commy::{Error, Receiver, Region, Sender, SharedChannel};
use std::path::Path;

fn channels<M: Message>(path: &Path, there: bool) -> Outcome<[SharedChannel<M>; 2]> {
    let region = Region::open(path)?;
    let names = if there { ["there", "back"] } else { ["back", "there"] };
    let channel = |name: &str| SharedChannel::with_capacity(&region, &format!("{name} {}", size_of::<M>()), ROOM);
    Ok([channel(names[0])?, channel(names[1])?])
}

/// Kept ends.
pub(super) struct Ends<M: 'static> {
    send: Sender<'static, M>,
    receive: Receiver<'static, M>,
    /// Looks again and again instead of going to sleep.
    spins: bool,
}

impl<M: Message> Ends<M> {
    pub(super) fn open(path: &Path, there: bool, spins: bool) -> Outcome<Ends<M>> {
        // They live until this process ends.
        let [send, receive] = Box::leak(Box::new(channels(path, there)?));
        Ok(Ends { send: send.sender()?, receive: receive.receiver()?, spins })
    }
}

impl<M: Message> End for Ends<M> {
    #[inline(always)]
    fn send(&mut self, value: u64) -> Outcome {
        if !self.spins {
            return Ok(self.send.send(M::of(value))?);
        }
        match self.send.try_send(M::of(value)) {
            Ok(()) => Ok(()),
            Err(Error::Full { .. }) => until(|| sent(self.send.try_send(M::of(value)))),
            Err(error) => Err(error.into()),
        }
    }

    #[inline(always)]
    fn receive(&mut self) -> Outcome<u64> {
        if !self.spins {
            return Ok(self.receive.recv()?.number());
        }
        match self.receive.try_recv()? {
            Some(message) => Ok(message.number()),
            None => until(|| Ok(self.receive.try_recv()?.map(M::number))),
        }
    }
}

/// No ends are kept: each call takes one.
pub(super) struct Handles<M> {
    send: SharedChannel<M>,
    receive: SharedChannel<M>,
}

impl<M: Message> Handles<M> {
    pub(super) fn open(path: &Path, there: bool) -> Outcome<Handles<M>> {
        let [send, receive] = channels(path, there)?;
        Ok(Handles { send, receive })
    }
}

impl<M: Message> End for Handles<M> {
    fn send(&mut self, value: u64) -> Outcome {
        Ok(self.send.send_timeout(M::of(value), PATIENCE)?)
    }

    fn receive(&mut self) -> Outcome<u64> {
        Ok(self.receive.recv_timeout(PATIENCE)?.ok_or("nobody gives")?.number())
    }
}

#[inline(always)]
fn sent(outcome: commy::Result<()>) -> Outcome<Option<()>> {
    match outcome {
        Ok(()) => Ok(Some(())),
        Err(Error::Full { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
