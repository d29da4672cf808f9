//! The dead predicate. It must never be true for a process that can still execute an instruction; that it is false
//! for a dead one for a while costs only time.

use crate::sys::atomic::Ordering;

use super::{Identity, SlotState, slot_byte};
use crate::Result;
use crate::region::Space;
use crate::sys::{self, ProcessIdentity};

/// Is {slot, incarnation} dead? A process never probes itself.
pub(crate) fn is_dead(space: &Space, me: Option<Identity>, slot: u32, incarnation: u64) -> Result<bool> {
    if slot >= space.geometry.slot_count {
        return Err(crate::Error::corrupt(0, "an owner names a process slot that does not exist"));
    }
    let entry = space.slot(slot);
    let current = || SlotState::of(entry.state.load(Ordering::Acquire));
    if let Some(me) = me
        && me.slot == slot
    {
        return Ok(me.incarnation != incarnation);
    }
    if current().1 != incarnation {
        // The slot serves another process; that takes the byte, so this one has lost it.
        return Ok(true);
    }
    if !space.with_file(|file| sys::byte_is_held(file, slot_byte(space, slot)))? {
        return Ok(true);
    }
    let process = ProcessIdentity {
        pid: entry.pid.load(Ordering::Acquire) as u32,
        start_time: entry.start_time.load(Ordering::Acquire),
        pid_namespace: entry.pid_namespace.load(Ordering::Acquire),
    };
    // The fields belong to this incarnation only if it was, and still is, the published one.
    Ok(current() == (SlotState::Claimed, incarnation) && sys::all_tasks_exiting(&process))
}
