//! A bounded ring between two ends: the body of channels.
//!
//! ```text
//! body:     `capacity` slots, a power of two; message n stands in slot n % capacity
//! control:  a block of its own {sender's end, receiver's end}: counts, roles, who sleeps (`ChannelControl`)
//! ```
//! Raw header: `capacity` slots at `data`, `aux0` the control block; nothing of it changes until the channel is removed.
//!
//! Invariant CH1: the count of an end is stored to by the owner of its role alone. Between the receiver's count and the
//! sender's lie the messages that wait; their slots are read by the owner of the receiver's role alone, all others are
//! written by the owner of the sender's role alone. One store of a count hands a slot over.
//!
//! Invariant CH2: the owner of an end's role alone stores to its limit, up to which the other end's count has let it go;
//! its own count never passes that. So in a stream of calls whoever has the role next need not look at the other end, whose
//! line is far away, for each message: as little as a kept end does.
//!
//! Control blocks have a class of their own, whose memory never serves anything else: who has a handle of a channel that
//! was removed may still try for a role, and learns then that it is gone (invariant K2).

use crate::sys::atomic::{Ordering, fence};
use std::time::Duration;

use super::place::Place;
use crate::crash::{crash_point, is_variant};
use crate::heap::{page_kind, span_pages};
use crate::journal::{CONTROL_CLASS, Context, HEAD_SIZE};
use crate::region::Space;
use crate::region::layout::*;
use crate::{Error, Result, sys};

/// Most slots: any difference of two counts that is possible is far from half of their range.
const MOST_SLOTS: u64 = 1 << 30;
/// Where counts begin: each channel comes to the end of their range, and not only those that live for years.
const FIRST: u32 = 0u32.wrapping_sub(200);
/// Flags of `ChannelEnd::awaited`: somebody sleeps, or is about to, since it has seen the count in the low half.
const ASLEEP: u64 = 1 << 32;
/// Whoever moves the count looks at the flags *after* others can see the new count, by a fence. Without this one it spares
/// the fence, and who goes to sleep cannot be sure of being seen.
const FENCED: u64 = 1 << 33;
/// After so many slots without a sleep the other end may do without the fence again.
const STREAK: u32 = 64;

/// How long ends look around before they sleep, at first.
const FIRST_HINTS: u32 = 256;

/// An end of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Sender,
    Receiver,
}

/// Where the parts of a channel are, for as long as there is the channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChannelView {
    pub(crate) control: u64,
    pub(crate) slots: u64,
    pub(crate) capacity: u32,
}

impl ChannelView {
    /// Reads a header, whose words may be changing: the caller validates.
    pub(crate) fn read(space: &Space, raw: &RawHeader, slot_size: u64) -> Result<ChannelView> {
        let (slots, capacity, control) = (raw.data.peek(), raw.capacity.peek(), raw.aux0.peek());
        let size = capacity.checked_mul(slot_size.max(1));
        let possible = capacity.is_power_of_two() && capacity <= MOST_SLOTS && slots.is_multiple_of(16);
        let (true, Some(size)) = (possible, size) else {
            return Err(Error::corrupt(space.offset_of(raw), "a channel's ring is impossible"));
        };
        space.resolve(slots, size)?;
        check_control(space, control)?;
        Ok(ChannelView { control, slots, capacity: capacity as u32 })
    }
}

/// Does a control block lie where only such lie?
fn check_control(space: &Space, control: u64) -> Result<()> {
    let wrong = || Error::corrupt(control, "a channel's control block is none");
    let page = control.checked_sub(space.geometry.heap_at).ok_or_else(wrong)? / PAGE;
    let entry = space.page(page)?.a.peek();
    let first = page.checked_sub(pack::page_value(entry)).ok_or_else(wrong)?;
    let is_control = pack::page_kind(entry) == page_kind::SPAN && pack::page_class(entry) == CONTROL_CLASS as u64;
    let fits = page - first < span_pages(CONTROL_CLASS) && control.is_multiple_of(CONTROL_SIZE);
    if is_control && fits { Ok(()) } else { Err(wrong()) }
}

/// Makes an empty object a channel of at least `capacity` slots.
pub(crate) fn found_channel(context: &mut Context, raw: &RawHeader, slot_size: u64, capacity: u64) -> Result<()> {
    let space = context.actor.space;
    let slots = capacity.max(1).checked_next_power_of_two().filter(|slots| *slots <= MOST_SLOTS);
    let size = slots.and_then(|slots| slots.checked_mul(slot_size.max(1)));
    let (Some(slots), Some(size)) = (slots, size) else {
        return Err(Error::OutOfSpace {
            requested: capacity.saturating_mul(slot_size),
            capacity: space.geometry.capacity,
        });
    };
    context.save_header(raw, 0)?;
    context.reserve_log(4 * HEAD_SIZE)?;
    let control = context.allocate_class(CONTROL_CLASS)?;
    let block = context.allocate(size)?;
    let words: &ChannelControl = space.get(control)?;
    words.closing.put(0);
    for end in [&words.sender, &words.receiver] {
        end.count.put(FIRST);
        end.limit.put(FIRST);
        end.awaited.put(0);
        end.hints.put(FIRST_HINTS);
        [&end.streak, &end.misses, &end.processor].iter().for_each(|word| word.put(0));
        end.role.wanted.put(0);
        // Last: who has a handle of a channel that was here before does not get it earlier.
        end.role.owner.put(0);
    }
    raw.data.put(block);
    raw.capacity.put(slots);
    raw.aux0.put(control);
    crash_point!("channel: founded");
    Ok(())
}

/// Lets the control block of a channel go at commit.
pub(super) fn release_control(context: &mut Context, raw: &RawHeader) -> Result<()> {
    let control = raw.aux0.peek();
    check_control(context.actor.space, control)?;
    context.reserve_log(HEAD_SIZE)?;
    context.append_free(CONTROL_CLASS, control);
    Ok(())
}

/// The words of the roles in a header, for those who only look.
pub(crate) fn role_words<'a>(space: &'a Space, raw: &RawHeader) -> Option<[&'a RoleWords; 2]> {
    let control = raw.aux0.peek();
    check_control(space, control).ok()?;
    let words: &ChannelControl = space.get(control).ok()?;
    Some([&words.sender.role, &words.receiver.role])
}

/// How many messages wait, for those who only look.
pub(crate) fn messages(space: &Space, raw: &RawHeader) -> u64 {
    let control = raw.aux0.peek();
    let words = check_control(space, control).and_then(|()| space.get::<ChannelControl>(control));
    words.map_or(0, |words| waiting(words).min(raw.capacity.peek()))
}

/// The difference of the counts. In this order it is never less than nothing.
fn waiting(words: &ChannelControl) -> u64 {
    let taken = words.receiver.count.load(Ordering::SeqCst);
    u64::from(words.sender.count.load(Ordering::SeqCst).wrapping_sub(taken))
}

/// A channel's words and slots.
#[derive(Clone, Copy)]
pub(crate) struct Channel<'a> {
    pub(crate) space: &'a Space,
    pub(crate) control: &'a ChannelControl,
    slots: *mut u8,
    slot_size: u64,
    pub(crate) capacity: u32,
}

impl<'a> Channel<'a> {
    #[inline(always)]
    pub(crate) fn at(space: &'a Space, view: ChannelView, slot_size: u64) -> Result<Channel<'a>> {
        let slots = space.resolve(view.slots, u64::from(view.capacity) * slot_size)?;
        Ok(Channel { space, control: space.get(view.control)?, slots, slot_size, capacity: view.capacity })
    }

    #[inline(always)]
    pub(crate) fn end(&self, side: Side) -> &'a ChannelEnd {
        match side {
            Side::Sender => &self.control.sender,
            Side::Receiver => &self.control.receiver,
        }
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> u64 {
        waiting(self.control).min(u64::from(self.capacity))
    }

    /// The slot of message `count`; slots have `slot_size` bytes.
    #[inline(always)]
    fn place(&self, count: u32, slot_size: u64) -> Place {
        debug_assert_eq!(slot_size, self.slot_size);
        let number = u64::from(count & (self.capacity - 1));
        // SAFETY: R1: `capacity` slots were resolved, and it is a power of two (`ChannelView::read`).
        Place::fresh(unsafe { self.slots.add((number * slot_size) as usize) })
    }

    /// Copies of the messages that wait, first the next one; none that was taken before the last was copied. `copy` may
    /// see torn bytes of such. Nobody's role is needed.
    pub(crate) fn copies<R>(&self, mut copy: impl FnMut(Place) -> R) -> Vec<R> {
        let (sent, taken) = (&self.control.sender.count, &self.control.receiver.count);
        let first = taken.load(Ordering::SeqCst);
        let count = sent.load(Ordering::SeqCst).wrapping_sub(first).min(self.capacity);
        let mut copies: Vec<R> =
            (0..count).map(|index| copy(self.place(first.wrapping_add(index), self.slot_size))).collect();
        // A slot is written anew only after its message was taken.
        fence(Ordering::Acquire);
        let gone = taken.load(Ordering::Relaxed).wrapping_sub(first).min(count);
        copies.drain(..gone as usize);
        copies
    }

    /// Wakes everybody who sleeps at either end.
    pub(crate) fn wake_all(&self) {
        for end in [&self.control.sender, &self.control.receiver] {
            sys::futex_wake(&end.count, i32::MAX, sys::EVERY_CLASS);
        }
    }
}

/// An end of a channel for the owner of its role.
pub(crate) struct End<'a> {
    pub(crate) channel: Channel<'a>,
    pub(crate) own: &'a ChannelEnd,
    pub(crate) other: &'a ChannelEnd,
    /// How far it may go beyond the other end's count.
    lead: u32,
    /// Messages that have gone through.
    pub(crate) count: u32,
    /// How far it may go without another look at the other end.
    limit: u32,
}

impl<'a> End<'a> {
    /// The role was just taken.
    #[inline(always)]
    pub(crate) fn new(channel: Channel<'a>, side: Side) -> End<'a> {
        let ChannelControl { sender, receiver, .. } = channel.control;
        let (own, other, lead) = match side {
            Side::Sender => (sender, receiver, channel.capacity),
            Side::Receiver => (receiver, sender, 0),
        };
        let mut end = End { channel, own, other, lead, count: 0, limit: 0 };
        end.renew();
        end
    }

    /// Begins where whoever had the role before has left off.
    #[inline(always)]
    pub(crate) fn renew(&mut self) {
        self.count = self.own.count.load(Ordering::Acquire);
        self.limit = self.own.limit.load(Ordering::Relaxed);
        let in_stream = self.own.streak.load(Ordering::Relaxed) == STREAK;
        // (A limit that is none is a damaged file's: a look at the counts says so.)
        if !in_stream || self.limit.wrapping_sub(self.count) > self.channel.capacity {
            self.forget_limit();
        }
    }

    /// Looks at the other end before it goes on.
    #[inline(always)]
    pub(crate) fn forget_limit(&mut self) {
        self.limit = self.count;
    }

    /// Is there a slot for it, as far as it knows?
    #[inline(always)]
    pub(crate) fn is_ready(&self) -> bool {
        self.count != self.limit
    }

    /// Looks at the other end: is there a slot for this one?
    #[inline(always)]
    pub(crate) fn look(&mut self) -> Result<bool> {
        let order = if is_variant!(LooksWithoutOrder) { Ordering::Relaxed } else { Ordering::Acquire };
        let limit = self.other.count.load(order).wrapping_add(self.lead);
        if limit.wrapping_sub(self.count) > self.channel.capacity {
            return Err(self.misshapen());
        }
        if limit == self.count {
            return Ok(false);
        }
        self.limit = limit;
        self.own.limit.put(limit);
        crash_point!("channel: limit moved");
        Ok(true)
    }

    #[cold]
    fn misshapen(&self) -> Error {
        Error::corrupt(self.channel.space.offset_of(self.channel.control), "a channel's counts contradict each other")
    }

    /// The slot that it has, being ready; slots have `slot_size` bytes.
    #[inline(always)]
    pub(crate) fn place(&self, slot_size: u64) -> Place {
        debug_assert!(self.is_ready(), "no slot of an end that is not ready");
        self.channel.place(self.count, slot_size)
    }

    /// Hands its slot over to the other end, and wakes who sleeps there.
    #[inline(always)]
    pub(crate) fn advance(&mut self) {
        crash_point!("channel: slot done, not counted");
        self.count = self.count.wrapping_add(1);
        // As by a processor that looks before others see the count.
        let early = is_variant!(EarlyLook).then(|| self.look_early());
        self.own.count.put(self.count);
        crash_point!("channel: counted, nobody woken");
        let flags = early.unwrap_or_else(|| self.own.awaited.load(Ordering::Relaxed));
        if flags != 0 {
            wake(self.own, self.count, flags);
        }
    }

    #[cold]
    fn look_early(&self) -> u64 {
        let flags = self.own.awaited.load(Ordering::SeqCst);
        #[cfg(loom)]
        sys::model::reached("channel: looked early");
        flags
    }

    /// It had a slot at the first look. After enough of these the other end spares its fence.
    pub(crate) fn count_streak(&self) {
        let own = self.own;
        let streak = own.streak.load(Ordering::Relaxed);
        if streak == STREAK {
            return;
        }
        own.streak.store(streak + 1, Ordering::Relaxed);
        if streak + 1 == STREAK {
            let flags = &self.other.awaited;
            let _ = flags.compare_exchange(FENCED, 0, Ordering::SeqCst, Ordering::Relaxed);
        }
    }

    /// Sleeps until the other end moves: for `length` at most, or for `first` if it may not see that we sleep. Needs no
    /// role: then it may return too early.
    pub(crate) fn sleep(&self, length: Duration, first: Duration) {
        let (own, other) = (self.own, self.other);
        own.streak.store(0, Ordering::Relaxed);
        let mut seen = other.count.load(Ordering::SeqCst);
        let mut is_fenced = true;
        loop {
            // What stood there may have been another sleeper's, of a later count: whoever leaves the flag up leaves one
            // of a count that it has seen since.
            let raised = |flags: u64| Some(flags & FENCED | ASLEEP | u64::from(seen));
            let flags = other.awaited.fetch_update(Ordering::SeqCst, Ordering::SeqCst, raised).unwrap_or(0);
            is_fenced &= flags & FENCED != 0;
            // (Both are accesses of the one order that all such have, and the second comes later in it.)
            crash_point!("channel: flag up");
            let now = other.count.load(Ordering::SeqCst);
            if now == seen {
                break;
            }
            seen = now;
        }
        if !self.is_at_a_stand(own.count.load(Ordering::SeqCst), seen) {
            return;
        }
        let length = if is_fenced || is_variant!(SleepsUnseen) { length } else { length.min(first) };
        sys::futex_wait(&other.count, seen, sys::EVERY_CLASS, Some(length));
    }

    /// Has this end no slot, as far as anybody can see without the role?
    pub(crate) fn seems_at_a_stand(&self) -> bool {
        let (own, other) = (self.own, self.other);
        self.is_at_a_stand(own.count.load(Ordering::SeqCst), other.count.load(Ordering::SeqCst))
    }

    fn is_at_a_stand(&self, own: u32, other: u32) -> bool {
        other.wrapping_add(self.lead) == own
    }
}

/// Wakes who sleeps until `end`'s count is not what they have seen; `flags` is what stood there at a first look. A flag of
/// this very count stays: it is of somebody who has seen it and waits for the next one.
#[cold]
fn wake(end: &ChannelEnd, count: u32, mut flags: u64) {
    if flags & ASLEEP == 0 {
        // Nobody slept as far as could be seen before others could see the count. (Where somebody did, taking the flag
        // down is as good as a fence.)
        if is_variant!(BelievesFirstLook) {
            return;
        }
        fence(Ordering::SeqCst);
        flags = end.awaited.load(Ordering::SeqCst);
    }
    if flags & ASLEEP == 0 || flags as u32 == count && !is_variant!(ClearsFlagOfThisCount) {
        return;
    }
    // From now on we look behind a fence, and whoever sleeps next knows.
    let _ = end.awaited.compare_exchange(flags, FENCED, Ordering::SeqCst, Ordering::SeqCst);
    crash_point!("channel: flag down, nobody woken");
    if is_variant!(CountWakesNobody) {
        return;
    }
    sys::futex_wake(&end.count, i32::MAX, sys::EVERY_CLASS);
}
