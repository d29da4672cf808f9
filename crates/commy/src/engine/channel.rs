//! The ends of channels: taking their roles, also from the dead, waiting for the other end, and closing both for a removal.
//!
//! Invariant R1 of roles: a role of an object whose generation was the handle's after the role was had keeps the object from
//! being removed, because a remover has both roles when it commits, and lets them go only if it does not.

use crate::sys::atomic::Ordering;
use std::time::Duration;

use super::object::{GuardContext, Object, RESERVE, enter};
use super::thread_lane::ThreadLane;
use crate::crash::crash_point;
use crate::lock::{self, Limit, Patience, Pauses, Waiting};
use crate::process::Actor;
use crate::raw::{Channel, ChannelView, ContainerKind, End, Shape, Side};
use crate::region::Space;
use crate::region::layout::*;
use crate::sys::Instant;
use crate::{Error, Result, sys};

/// A sleeper looks again after this time whatever happens. A wake is lost only if whoever owes it dies before.
pub(super) const RECHECK: Duration = Duration::from_millis(10);
/// The first sleep after a time without any: the other end may have looked for sleepers just before its new count could be
/// seen, because it spared the fence in between. (The timer for a time as short as this costs as much as the sleep.)
pub(super) const FIRST_SLEEP: Duration = Duration::from_millis(1);
/// How often somebody who has stepped aside for a remover looks at its life.
const ASIDE: Duration = Duration::from_micros(300);

/// Processor hints before a sleep, as far as they have been worth while; fewer than the least are none.
const LEAST_HINTS: u32 = 32;
const MOST_HINTS: u32 = 1024;
/// Where they were not worth while they are tried again after so many sleeps, twice as many, ..., and from time to time.
const FIRST_TRIAL: u32 = 32;
const LAST_TRIAL: u32 = 1024;

/// One end of a channel, which nobody else uses while this lives. For a call, or kept by a guard.
pub(crate) struct EndLock<'a> {
    object: &'a Object,
    lane: &'a ThreadLane,
    pub(crate) end: End<'a>,
    /// The role's word while we have it.
    mine: u64,
    /// What is left of the patience with which a call came.
    pub(crate) patience: Patience,
    kept: bool,
    /// Not while it sleeps for the length of a call, or after a remover was let by.
    has_role: bool,
}

impl Object {
    /// Takes the role of an end.
    ///
    /// # Errors
    /// As [`lock::take_role`]; `Removed`, `ReadOnly`, `Corrupt`.
    #[inline(always)]
    pub(crate) fn lock_end(
        &self,
        view: ChannelView,
        slot_size: u64,
        side: Side,
        kept: bool,
        mut patience: Patience,
    ) -> Result<EndLock<'_>> {
        let lane = self.attachment().lane()?;
        let channel = Channel::at(self.space(), view, slot_size)?;
        let mine = lock::role_of(lane.actor, kept);
        let role = &channel.end(side).role;
        if !lock::try_take_role(role, mine) {
            patience = self.wait_for_role(lane, role, mine, Limit::of(patience))?;
        }
        crash_point!("role: taken");
        if let Err(error) = self.check_generation() {
            lock::withdraw_from_role(role, mine);
            return Err(error);
        }
        if kept {
            lane.live.set(lane.live.get() + 1);
        }
        Ok(EndLock { object: self, lane, end: End::new(channel, side), mine, patience, kept, has_role: true })
    }

    /// Takes a role that somebody has, or has left; what is left of the patience.
    #[cold]
    fn wait_for_role(&self, lane: &ThreadLane, role: &RoleWords, mine: u64, mut limit: Limit) -> Result<Patience> {
        loop {
            match lock::take_role(lane.actor, role, mine, &mut limit, || self.check_generation())? {
                None => return Ok(limit.rest()),
                Some(dead) => self.free_role_of_the_dead(lane, role, dead)?,
            }
        }
    }

    /// Frees a role that a dead process has left, under the object's word (L4): a remover that died after its commit has
    /// removed the object by then, and one that died before it has not.
    fn free_role_of_the_dead(&self, lane: &ThreadLane, role: &RoleWords, dead: u64) -> Result<()> {
        let header = self.header();
        let free = || {
            self.check_generation()?;
            crash_point!("role: dead owner found, word held");
            let freed = role.owner.compare_exchange(dead, 0, Ordering::SeqCst, Ordering::Relaxed);
            crash_point!("role: freed, word held");
            freed.map_or(Ok(()), |_| Ok(()))
        };
        if lane.actor.holds(&header.word) {
            return free();
        }
        let guard = GuardContext::begin(lane)?;
        guard.with(|context| {
            if !context.has_room(RESERVE) {
                enter(self.attachment(), lane, context)?;
            }
            context.lock_word(header, Waiting::reader)?;
            let freed = free();
            context.unlock_last(header);
            freed
        })
    }

    /// How many messages wait. Takes nothing.
    pub(crate) fn channel_len(&self, view: ChannelView, slot_size: u64) -> Result<u64> {
        let len = Channel::at(self.space(), view, slot_size)?.len();
        self.check_generation().map(|()| len)
    }

    /// Copies of the messages that wait.
    pub(crate) fn channel_copies<R>(
        &self,
        view: ChannelView,
        slot_size: u64,
        copy: impl FnMut(crate::raw::Place) -> R,
    ) -> Result<Vec<R>> {
        self.check_generation()?;
        let copies = Channel::at(self.space(), view, slot_size)?.copies(copy);
        // The memory may have served something else meanwhile; then the object was gone before.
        crate::sys::atomic::fence(Ordering::Acquire);
        self.check_generation().map(|()| copies)
    }
}

impl EndLock<'_> {
    pub(crate) fn object(&self) -> &Object {
        self.object
    }

    #[inline(always)]
    pub(crate) fn space(&self) -> &Space {
        self.end.channel.space
    }

    /// Is this the process that took the role, and not a child forked meanwhile?
    #[inline(always)]
    pub(crate) fn is_ours(&self) -> bool {
        self.lane.is_ours()
    }

    /// Waits until the end has a slot: to write to, or with a message. `false`: it had none in time.
    ///
    /// # Errors
    /// `Removed`; `Corrupt`; `Deadlock` if this thread keeps the other end and would wait for itself; `RolledBack` in a
    /// forked child. A guard that has let a remover by may get what taking its role says.
    #[inline(always)]
    pub(crate) fn ready(&mut self, patience: Patience) -> Result<bool> {
        if !self.is_ours() {
            return Err(Error::RolledBack);
        }
        if self.end.is_ready() { Ok(true) } else { self.ready_later(patience) }
    }

    #[inline(never)]
    fn ready_later(&mut self, patience: Patience) -> Result<bool> {
        let limit = &mut Limit::of(patience);
        if !self.has_role {
            self.take_again(limit)?;
        }
        if self.end.look()? {
            self.end.count_streak();
            return Ok(true);
        }
        if limit.is_at_once() { Ok(false) } else { self.wait(limit) }
    }

    #[cold]
    fn wait(&mut self, limit: &mut Limit) -> Result<bool> {
        let other = self.end.other.role.owner.load(Ordering::Relaxed);
        if lock::is_same_thread(other, self.mine) {
            return Err(Error::Deadlock);
        }
        if self.look_around()? {
            return Ok(true);
        }
        let closing = &self.end.channel.control.closing;
        let mut first = FIRST_SLEEP;
        loop {
            if self.kept && closing.load(Ordering::SeqCst) != 0 && self.step_aside(limit)? {
                return Ok(true);
            }
            if !self.kept && self.has_role {
                self.let_go();
            }
            let left = limit.left();
            if left.is_zero() {
                return Ok(false);
            }
            self.end.sleep(RECHECK.min(left), first);
            // The flag has been up for long by now.
            first = RECHECK;
            if !self.has_role {
                self.object.check_generation()?;
                if self.end.seems_at_a_stand() {
                    continue;
                }
                self.take_again(limit)?;
            }
            if self.end.look()? {
                return Ok(true);
            }
        }
    }

    /// Looks for a while whether the other end moves: as long as that has been worth while here lately.
    fn look_around(&mut self) -> Result<bool> {
        let (own, other) = (self.end.own, self.end.other);
        let here = sys::current_processor().wrapping_add(1);
        own.processor.store(here, Ordering::Relaxed);
        if other.processor.load(Ordering::Relaxed) == here {
            // It gets no processor while we look.
            return Ok(false);
        }
        let mut hints = own.hints.load(Ordering::Relaxed).min(MOST_HINTS);
        if hints == 0 {
            let misses = own.misses.load(Ordering::Relaxed).wrapping_add(1);
            own.misses.store(misses, Ordering::Relaxed);
            if misses < FIRST_TRIAL || !misses.is_power_of_two() && !misses.is_multiple_of(LAST_TRIAL) {
                return Ok(false);
            }
            hints = MOST_HINTS;
        }
        let mut pauses = Pauses::from_one_to_one(hints);
        let mut moved = false;
        while !moved && pauses.pause() {
            moved = self.end.look()?;
        }
        let worth = if moved { (hints * 2).min(MOST_HINTS) } else { hints / 2 };
        own.hints.store(if worth < LEAST_HINTS { 0 } else { worth }, Ordering::Relaxed);
        if moved {
            own.misses.store(0, Ordering::Relaxed);
        }
        Ok(moved)
    }

    fn let_go(&mut self) {
        lock::release_role(&self.end.own.role);
        self.has_role = false;
        self.end.forget_limit();
    }

    /// Takes the role once more, after somebody else may have had it.
    fn take_again(&mut self, limit: &mut Limit) -> Result<()> {
        let role = &self.end.own.role;
        if !lock::try_take_role(role, self.mine) {
            self.object.wait_for_role(self.lane, role, self.mine, Limit::of(limit.rest()))?;
        }
        if let Err(error) = self.object.check_generation() {
            lock::withdraw_from_role(role, self.mine);
            return Err(error);
        }
        self.has_role = true;
        self.end.renew();
        Ok(())
    }

    /// Somebody wants to remove the channel while we sleep: lets it have the role, and takes it back if the channel is
    /// still there then. Has the end a slot meanwhile?
    fn step_aside(&mut self, limit: &mut Limit) -> Result<bool> {
        self.let_go();
        let (control, role) = (self.end.channel.control, &self.end.own.role);
        loop {
            let turn = role.turn.load(Ordering::SeqCst);
            self.object.check_generation()?;
            let closer = control.closing.load(Ordering::SeqCst);
            if closer == 0 {
                break;
            }
            if lock::is_dead_owner(self.lane.actor, closer)? {
                let _ = control.closing.compare_exchange(closer, 0, Ordering::SeqCst, Ordering::Relaxed);
                break;
            }
            let left = limit.left();
            if left.is_zero() {
                return Ok(false);
            }
            sys::futex_wait(&role.turn, turn, lock::lock_class::LOCK, Some(ASIDE.min(left)));
        }
        self.take_again(limit)?;
        self.end.look()
    }
}

impl Drop for EndLock<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.lane.is_ours() {
            return;
        }
        if self.has_role {
            lock::release_role(&self.end.own.role);
        }
        if self.kept {
            self.lane.live.set(self.lane.live.get() - 1);
        }
    }
}

/// Both roles of a channel that is about to be removed. Dropped before the commit it lets them go.
pub(super) struct Closed<'a> {
    channel: Channel<'a>,
    mine: u64,
}

/// Takes both roles of a channel whose word is held, so that nobody is at work on it; other objects have none.
///
/// # Errors
/// `Deadlock` if the calling thread keeps one; `Timeout` while somebody else does and is not asleep in it.
///
/// # Crash
/// The roles of the dead are freed by whoever wants them.
pub(super) fn close<'a>(actor: &Actor<'a>, header: &'a ObjectHeader) -> Result<Option<Closed<'a>>> {
    let space = actor.space;
    let shape = Shape::of(&header.raw, space.offset_of(header))?;
    if shape.kind != ContainerKind::Channel {
        return Ok(None);
    }
    let view = ChannelView::read(space, &header.raw, shape.slot_size)?;
    let channel = Channel::at(space, view, shape.slot_size)?;
    let mine = lock::role_of(actor, false);
    channel.control.closing.store(mine, Ordering::SeqCst);
    crash_point!("close: announced");
    // Whoever sleeps with a role steps aside.
    channel.wake_all();
    let taken = take_both(actor, &channel, mine);
    if taken.is_err() {
        reopen(&channel);
    }
    crash_point!("close: both roles taken");
    taken.map(|()| Some(Closed { channel, mine }))
}

/// Takes both roles; sleeps with none, so that it keeps nobody from one for want of the other.
fn take_both(actor: &Actor, channel: &Channel, mine: u64) -> Result<()> {
    let started = Instant::now();
    let (mut first, mut second) = (&channel.control.sender.role, &channel.control.receiver.role);
    loop {
        let left = actor.me.timeout.saturating_sub(started.elapsed()).max(Duration::from_nanos(1));
        while let Some(dead) = lock::take_role(actor, first, mine, &mut Limit::of(Patience::Limited(left)), || Ok(()))?
        {
            // Under the object's word, whose holder we are (L4).
            let _ = first.owner.compare_exchange(dead, 0, Ordering::SeqCst, Ordering::Relaxed);
        }
        crash_point!("close: one role taken");
        if lock::try_take_role(second, mine) {
            return Ok(());
        }
        lock::release_role(first);
        std::mem::swap(&mut first, &mut second);
    }
}

fn reopen(channel: &Channel) {
    channel.control.closing.store(0, Ordering::SeqCst);
}

impl<'a> Closed<'a> {
    /// The removal is about to be committed: from here on the words may become another channel's. What is to be woken then.
    pub(super) fn keep(self) -> Channel<'a> {
        let channel = self.channel;
        std::mem::forget(self);
        channel
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        reopen(&self.channel);
        for end in [&self.channel.control.sender, &self.channel.control.receiver] {
            debug_assert_eq!(end.role.owner.load(Ordering::Relaxed), self.mine);
            lock::release_role(&end.role);
        }
    }
}
