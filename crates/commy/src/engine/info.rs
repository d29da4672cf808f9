//! What one may want to know about a region without knowing its types.

use crate::sys::atomic::Ordering;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::attachment::Attachment;
use super::directory;
use crate::heap::{block_size, page_kind};
use crate::journal::{RUN_CLASS, link_offset};
use crate::lock::OWNER;
use crate::process::{LaneState, SlotState, is_dead, slot_name};
use crate::raw::{ContainerKind, role_words};
use crate::region::Space;
use crate::region::layout::*;
use crate::{Result, sys};

/// A named object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its name.
    pub name: String,
    /// `SharedVec`, `SharedHashMap`, ...
    pub kind: &'static str,
    /// Its type, readable.
    pub schema: String,
    /// Number of items (bytes, for a string; groups of threads that have counted, for a counter; processes, for a
    /// gauge; messages that wait, for a channel).
    pub len: u64,
    /// Bytes of its body (without the blocks of strings inside).
    pub bytes: u64,
}

/// How a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// Its heartbeat is recent.
    Alive,
    /// It exists, but its heartbeat is old: stopped, or starved.
    Unresponsive,
    /// It is dead and not yet reaped.
    Dead,
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ProcessState::Alive => "alive",
            ProcessState::Unresponsive => "unresponsive",
            ProcessState::Dead => "dead",
        })
    }
}

/// An attached process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Process id, in the process's own pid namespace.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// How long ago it attached.
    pub attached: Duration,
    /// How old its last heartbeat is.
    pub heartbeat_age: Duration,
    /// Whether it lives.
    pub state: ProcessState,
    /// Names of the objects that its threads hold locked.
    pub holds: Vec<String>,
    /// Name of an object that one of its threads waits for.
    pub waits_for: Option<String>,
}

/// Sizes, in bytes, and counts. Taken without a lock: parts may be from different moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// The most that the heap may grow to.
    pub capacity: u64,
    /// What of it is backed by the file now.
    pub committed: u64,
    /// Blocks and runs in use.
    pub allocated: u64,
    /// Free blocks in the lists of threads.
    pub cached: u64,
    /// The rest of what is committed.
    pub free: u64,
    /// Attached processes.
    pub processes: u32,
    /// Threads that have a lane.
    pub lanes: u32,
}

pub(super) fn objects(attachment: &Arc<Attachment>) -> Result<Vec<ObjectInfo>> {
    let mut infos = Vec::new();
    for (name, object) in directory::entries(attachment)? {
        match directory::describe(&object) {
            Ok((descriptor, len, bytes)) => {
                let kind = descriptor.shape.kind.name();
                infos.push(ObjectInfo { name, kind, schema: descriptor.text, len, bytes });
            }
            // Removed between the two looks.
            Err(crate::Error::Removed) => {}
            Err(error) => return Err(error),
        }
    }
    infos.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(infos)
}

pub(super) fn processes(attachment: &Arc<Attachment>) -> Result<Vec<ProcessInfo>> {
    let space = attachment.space();
    let me = if space.writable { Some(attachment.identity()?) } else { None };
    let names = directory::entries(attachment)?;
    let now = sys::monotonic_ns();
    let age = |then: u64| Duration::from_nanos(now.saturating_sub(then));
    let mut infos = Vec::new();
    for index in 0..space.geometry.slot_count {
        let slot = space.slot(index);
        let (state, incarnation) = SlotState::of(slot.state.load(Ordering::Acquire));
        if state != SlotState::Claimed {
            continue;
        }
        let heartbeat_age = age(slot.heartbeat_ns.peek());
        let late = heartbeat_age > Duration::from_nanos(slot.heartbeat_interval_ns.peek().saturating_mul(4));
        let dead = is_dead(space, me, index, incarnation)?;
        let state = match (dead, late) {
            (true, _) => ProcessState::Dead,
            (false, true) => ProcessState::Unresponsive,
            (false, false) => ProcessState::Alive,
        };
        let mut info = ProcessInfo {
            pid: slot.pid.peek() as u32,
            name: slot_name(slot),
            attached: age(slot.attached_ns.peek()),
            heartbeat_age,
            state,
            holds: Vec::new(),
            waits_for: None,
        };
        for lane in lanes_of(attachment, index, incarnation) {
            let held_by = |header: &ObjectHeader| header.word.load(Ordering::Relaxed) & OWNER == lane + 1;
            let waits = space.lane(lane).map_or(0, |lane| lane.waiting_for.peek());
            for (name, object) in &names {
                if held_by(object.header()) || has_role(space, object.header(), lane, index) {
                    info.holds.push(name.clone());
                }
                if waits != 0 && space.offset_of(object.header()) == waits {
                    info.waits_for = Some(name.clone());
                }
            }
        }
        infos.push(info);
    }
    Ok(infos)
}

/// Does the thread of this lane keep an end of the channel?
fn has_role(space: &Space, header: &ObjectHeader, lane: u32, slot: u32) -> bool {
    let is_channel = header.raw.shape.peek() & 0xff == ContainerKind::Channel as u64;
    let roles = if is_channel { role_words(space, &header.raw) } else { None };
    roles.into_iter().flatten().any(|role| {
        let owner = role.owner.load(Ordering::Relaxed);
        pack::role_is_kept(owner) && pack::role_lock_id(owner) == lane + 1 && pack::role_slot(owner) == slot
    })
}

/// Lanes owned by {slot, incarnation}.
fn lanes_of(attachment: &Attachment, slot: u32, incarnation: u64) -> impl Iterator<Item = u32> {
    let space = attachment.space();
    let high = space.words().lanes_high.load(Ordering::Acquire) as u32;
    (0..high).filter(move |id| {
        let owner = space.lane(*id).map_or(0, |lane| lane.owner.load(Ordering::Acquire));
        let same = pack::owner_slot(owner) == slot && pack::owner_incarnation(owner) == incarnation;
        same && LaneState::of(owner) != LaneState::Free
    })
}

pub(super) fn stats(attachment: &Arc<Attachment>) -> Result<Stats> {
    let space = attachment.space();
    let (mut blocks, mut runs) = (0, 0);
    let supplied = space.supply().supplied.peek().min(space.committed_pages()?);
    let mut page = 0;
    while page < supplied {
        let entry = space.page(page)?.a.peek();
        let (kind, value) = (pack::page_kind(entry), pack::page_value(entry));
        let class = pack::page_class(entry) as usize;
        page += match kind {
            page_kind::SPAN if value == 0 && block_size(class) != 0 => {
                let free = pack::list_count(space.page(page)?.b.peek());
                let carved = pack::low(space.page(page + 2)?.b.peek());
                blocks += carved.saturating_sub(free) * block_size(class);
                crate::heap::span_pages(class)
            }
            page_kind::RUN_HEAD => {
                runs += value * PAGE;
                value.max(1)
            }
            page_kind::FREE_HEAD => value.max(1),
            _ => 1,
        };
    }
    let mut cached = 0;
    let high = space.words().lanes_high.load(Ordering::Acquire) as u32;
    let mut lanes = 0;
    for id in 0..high {
        let Some(lane) = space.lane(id) else { continue };
        lanes += u32::from(lane.owner.load(Ordering::Acquire) != 0);
        for (class, list) in lane.lists.iter().enumerate() {
            cached += pack::list_count(list.peek()) * block_size(class);
        }
        debug_assert!(link_offset(RUN_CLASS) == 0);
    }
    let slots = (0..space.geometry.slot_count).map(|slot| SlotState::of(space.slot(slot).state.peek()).0);
    let committed = space.committed_pages()? * PAGE;
    let allocated = (blocks + runs).saturating_sub(cached);
    Ok(Stats {
        capacity: space.geometry.capacity,
        committed,
        allocated,
        cached,
        free: committed.saturating_sub(allocated + cached),
        processes: slots.filter(|state| *state == SlotState::Claimed).count() as u32,
        lanes,
    })
}
