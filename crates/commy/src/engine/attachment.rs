//! A process's share in one region: mapping, slot, lanes, the background thread.

use crate::sys::atomic::{AtomicU64, Ordering};
use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::options::RegionOptions;
use super::reaper;
use super::registry;
use super::thread_lane::{Registered, ThreadLane};
use crate::journal::{self, settle_lane};
use crate::process::{Actor, Identity, SlotClaim, anybody_there, claim_lane, claim_slot, release_lane};
use crate::region::layout::*;
use crate::region::{self, Space};
use crate::sys::{self, ByteLock, FileIdentity};
use crate::{Error, Result};

/// See the module.
pub(crate) struct Attachment {
    /// Never reused in this process.
    pub(crate) id: u64,
    space: Space,
    pub(super) identity_on_disk: FileIdentity,
    pub(super) timeout: Duration,
    pub(super) heartbeat: Duration,
    pub(super) state: Mutex<State>,
    /// Held by whoever does stage 2 of recovery for lanes that this process has adopted.
    pub(super) salvage: Mutex<()>,
    /// Ends the background thread's pause.
    pub(super) alarm: Arc<(Mutex<bool>, Condvar)>,
    /// The number of the background thread while it runs; else 0.
    pub(super) background: Arc<AtomicU32>,
    myself: Weak<Attachment>,
}

/// What changes about an attachment.
pub(super) struct State {
    claim: Option<SlotClaim>,
    lanes: Vec<Registered>,
    fork_epoch: u64,
}

impl State {
    /// In a forked child: guards and transactions that came with it are the parent's, and refuse each further call.
    pub(super) fn doom_lanes(&self) {
        self.lanes.iter().for_each(|lane| lane.0.doom());
    }

    /// Takes out the lanes of threads that could not say that they end, and have ended without a guard.
    fn take_orphans(&mut self) -> Vec<Registered> {
        let ended = |lane: &mut Registered| {
            // In this order: what a living thread does with its lane is its own business.
            lane.0.orphan.get() && sys::thread_is_gone(lane.0.thread_id) && lane.0.live.get() == 0
        };
        self.lanes.extract_if(.., ended).collect()
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Attachment {
    /// The region's bytes.
    #[inline(always)]
    pub(crate) fn space(&self) -> &Space {
        &self.space
    }

    /// How long locks are waited for.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn weak(&self) -> Weak<Attachment> {
        self.myself.clone()
    }

    /// Have the other threads of this process been ended, in the middle of whatever they did? Windows does so before the
    /// destructors of the last thread run. What the others held stays held: nothing here may be waited for any more, and the
    /// end of the process gives everything back.
    pub(super) fn process_is_ending(&self) -> bool {
        let background = self.background.load(Ordering::Acquire);
        // One that ends by itself takes its number away before it is gone.
        background != 0 && sys::thread_is_gone(background) && self.background.load(Ordering::Acquire) == background
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn build(space: Space, options: &RegionOptions, claim: Option<SlotClaim>) -> Result<Arc<Attachment>> {
        let identity_on_disk = space.with_file(|file| Ok(file.identity()))?;
        let attachment = Arc::new_cyclic(|myself| Attachment {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            space,
            identity_on_disk,
            timeout: options.lock_timeout,
            heartbeat: options.heartbeat,
            state: Mutex::new(State { claim, lanes: Vec::new(), fork_epoch: sys::fork_epoch() }),
            salvage: Mutex::new(()),
            alarm: Arc::new((Mutex::new(false), Condvar::new())),
            background: Arc::new(AtomicU32::new(0)),
            myself: myself.clone(),
        });
        if attachment.space.writable {
            reaper::start(&attachment);
        }
        Ok(attachment)
    }

    /// Makes a region; `found` builds its first objects before anybody can see it.
    pub(super) fn create(
        path: &Path,
        options: &RegionOptions,
        found: impl FnOnce(&Attachment) -> Result<()>,
    ) -> Result<Arc<Attachment>> {
        if options.read_only {
            return Err(Error::ReadOnly);
        }
        let create = region::CreateOptions { capacity: options.capacity, mode: options.mode, paging: options.paging };
        let space = region::create_unnamed(path, create)?;
        renew_epoch(&space, true);
        let claim = claim_slot(&space, options.heartbeat, |_, _| Ok(()))?;
        let attachment = Self::build(space, options, Some(claim))?;
        attachment.space.page_ahead();
        found(&attachment)?;
        crate::crash::crash_point!("create: complete, without a name");
        attachment.space.with_file(|file| file.link_to(path)).map_err(|error| match error {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => Error::AlreadyExists,
            other => other,
        })?;
        crate::crash::crash_point!("create: named");
        registry::add(&attachment);
        Ok(attachment)
    }

    /// Attaches to the region that `path` names.
    pub(super) fn open(path: &Path, options: &RegionOptions) -> Result<Arc<Attachment>> {
        loop {
            let space = match region::open_existing(path, !options.read_only, options.paging) {
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Error::NotFound);
                }
                other => other?,
            };
            let identity = space.with_file(|file| Ok(file.identity()))?;
            let make = || Self::attach(space, options);
            let attached = match options.shared_attachment {
                true => registry::attach_once(identity, !options.read_only, make),
                false => make().inspect(registry::add),
            };
            match attached {
                // The name came to mean another file meanwhile: open that one.
                Err(Error::Removed) => {}
                other => return other.inspect(|attachment| attachment.space.page_ahead()),
            }
        }
    }

    fn attach(space: Space, options: &RegionOptions) -> Result<Arc<Attachment>> {
        if options.read_only {
            return Self::build(space, options, None);
        }
        let is_named = || space.with_file(|file| file.path_names_this(space.path()));
        let opening = match hold_open_byte(&space, options.lock_timeout) {
            // Not each system locks what has lost its name.
            Err(_) if !is_named()? => return Err(Error::Removed),
            opening => opening?,
        };
        crate::crash::crash_point!("open: open byte held");
        if !is_named()? {
            return Err(Error::Removed);
        }
        let alone = !anybody_there(&space)?;
        let foreign = alone && !region::same_origin(&space)?;
        if alone {
            settle_everything(&space, foreign)?;
        }
        let claim = claim_slot(&space, options.heartbeat, |slot, incarnation| {
            reaper::reap_before_claim(&space, Identity { slot, incarnation, timeout: options.lock_timeout })
        })?;
        crate::crash::crash_point!("open: slot claimed, open byte held");
        let attachment = Self::build(space, options, Some(claim))?;
        if alone {
            // Objects without a name belong to processes that are all gone.
            reaper::reap_anonymous(&attachment)?;
        }
        if foreign {
            // A copy, or a file from before a crash of the machine: its bytes may be any mixture.
            let report = super::check::check(&attachment.space);
            if let Some(finding) = report.findings.first() {
                return Err(Error::corrupt(finding.offset, finding.rule));
            }
            region::stamp_origin(&attachment.space)?;
        }
        drop(opening);
        Ok(attachment)
    }

    /// Who this process is, in this region. After a fork the child claims a slot of its own here.
    pub(crate) fn identity(&self) -> Result<Identity> {
        let mut state = self.state();
        self.identity_in(&mut state)
    }

    fn identity_in(&self, state: &mut State) -> Result<Identity> {
        if !self.space.writable {
            return Err(Error::ReadOnly);
        }
        if state.fork_epoch != sys::fork_epoch() {
            // The slot, the lanes and the thread that they belong to are the parent's.
            state.claim = None;
            std::mem::take(&mut state.lanes).into_iter().for_each(std::mem::forget);
            // As an opener: nobody who finds no slot held may settle lanes while we claim ours.
            let opening = hold_open_byte(&self.space, self.timeout)?;
            let claim = claim_slot(&self.space, self.heartbeat, |slot, incarnation| {
                reaper::reap_before_claim(&self.space, Identity { slot, incarnation, timeout: self.timeout })
            })?;
            drop(opening);
            state.claim = Some(claim);
            state.fork_epoch = sys::fork_epoch();
            self.space.page_anew();
            if let Some(myself) = self.myself.upgrade() {
                reaper::start(&myself);
            }
        }
        let claim = state.claim.as_ref().ok_or(Error::ReadOnly)?;
        Ok(claim.identity(self.timeout))
    }

    /// The lane of the calling thread.
    #[inline(always)]
    pub(crate) fn lane(&self) -> Result<&ThreadLane> {
        ThreadLane::current(self)
    }

    /// As [`lane`](Self::lane), if it is one of those that the thread used last.
    #[inline(always)]
    pub(crate) fn current_lane(&self) -> Option<&ThreadLane> {
        ThreadLane::cached(self)
    }

    /// Claims a lane for the calling thread and keeps it in the list. `orphan`: nobody will say when the thread ends.
    pub(super) fn claim_thread_lane(&self, orphan: bool) -> Result<*const ThreadLane> {
        let mut state = self.state();
        let me = self.identity_in(&mut state)?;
        state.take_orphans().iter().for_each(|lane| self.give_up(lane.0.actor));
        let thread_id = sys::current_thread_id();
        let id = claim_lane(&self.space, me, thread_id)?;
        // SAFETY: T1: the lane is dropped before the space: at the latest in `Attachment::drop`.
        let space: &'static Space = unsafe { &*std::ptr::from_ref(&self.space) };
        let lane = Box::new(ThreadLane::new(Actor::new(space, me, id)?, thread_id, orphan));
        let address: *const ThreadLane = &raw const *lane;
        state.lanes.push(Registered(lane));
        Ok(address)
    }

    /// A thread has ended: its lane goes back, unless guards of it were leaked and are still alive.
    pub(super) fn thread_ended(&self, lane: *const ThreadLane) {
        let mut state = self.state();
        let Some(place) = state.lanes.iter().position(|one| std::ptr::eq(&raw const *one.0, lane)) else { return };
        if state.lanes[place].0.live.get() > 0 {
            // Until the last guard is gone (a later destructor of this thread may drop it), or the region is closed.
            state.lanes[place].0.orphan.set(true);
            return;
        }
        let lane = state.lanes.swap_remove(place);
        drop(state);
        self.give_up(lane.0.actor);
    }

    /// Empties the caches of a lane at rest and frees it.
    fn give_up(&self, actor: &Actor) {
        if reaper::maintain(actor, crate::heap::flush_all).is_ok() && journal::is_idle(actor.lane) {
            release_lane(actor);
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let is_copy = self.state.get_mut().unwrap_or_else(PoisonError::into_inner).fork_epoch != sys::fork_epoch();
        // (A forked child has no background thread.)
        if !is_copy && self.process_is_ending() {
            let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget((std::mem::take(&mut state.lanes), state.claim.take()));
            return;
        }
        let (stop, wake) = &*self.alarm;
        *stop.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let lanes = std::mem::take(&mut state.lanes);
        let claim = state.claim.take();
        if is_copy {
            lanes.into_iter().for_each(std::mem::forget);
            return;
        }
        // No borrow outlives the region, so guards that were leaked end here: what they changed is undone.
        for Registered(lane) in lanes {
            if lane.live.get() > 0 {
                let _ = settle_lane(lane.actor).and_then(|()| reaper::stage_two(lane.actor));
            } else {
                self.give_up(lane.actor);
            }
        }
        let Some(claim) = claim else { return };
        reaper::release_adopted(&self.space, claim.identity(self.timeout));
        claim.release(&self.space);
    }
}

/// Waits for the byte that serialises opening.
fn hold_open_byte(space: &Space, timeout: Duration) -> Result<ByteLock> {
    let held = space.with_file(|file| ByteLock::hold(file, space.geometry.lock_byte_base, timeout))?;
    held.ok_or_else(|| Error::Timeout {
        holder: Box::new(crate::Holder { pid: 0, thread: 0, name: "an opener of the region".into(), dead: false }),
        waited: timeout,
    })
}

/// Nobody is there: whatever the lanes and slots hold was left by the dead, in this boot or an earlier one.
fn settle_everything(space: &Space, foreign: bool) -> Result<()> {
    if foreign {
        space.back_again()?;
    }
    let nobody = Identity { slot: u32::from(u16::MAX), incarnation: 0, timeout: Duration::ZERO };
    let lanes = space.words().lanes_high.load(Ordering::Acquire) as u32;
    let actors = || (0..lanes).map(|id| Actor::new(space, nobody, id));
    // First all words of all lanes are released, then blocks may move.
    for actor in actors() {
        let actor = actor?;
        actor.lane.owner.store(1, Ordering::Release);
        settle_lane(&actor)?;
    }
    crate::crash::crash_point!("open: all lanes settled");
    for actor in actors() {
        reaper::stage_two(&actor?)?;
    }
    for actor in actors() {
        // Nobody can know the next stamps, so no crafted one suppresses a record.
        let counter = &actor?.lane.stamp_counter;
        counter.put(counter.peek().wrapping_add(sys::random_u64() & 0xffff_ffff) & ((1 << 48) - 1));
    }
    for slot in 0..space.geometry.slot_count {
        let (state, free) = (&space.slot(slot).state, space.slot(slot).state.peek() & !0xff);
        // (Most are, and a store takes a page fault for each page of them.)
        if state.peek() != free {
            state.put(free);
        }
    }
    space.words().freeze.store(0, Ordering::Release);
    // Of two owners of a block one could change what the other lends.
    renew_epoch(space, super::check::blocks_have_one_owner(space));
    Ok(())
}

/// Makes a crafted file's claims about the epoch void.
fn renew_epoch(space: &Space, is_sound: bool) {
    let words = space.words();
    let epoch = sys::random_u64() | 1;
    words.epoch.store(epoch, Ordering::Release);
    words.sound_epoch.store(if is_sound { epoch } else { 0 }, Ordering::Release);
}
