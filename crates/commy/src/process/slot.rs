//! Process slots. Invariant P1: a slot's state is `claimed` only between the moments at which its byte was taken and
//! will be let go; whoever finds it claimed with a free byte has found a dead process.

use crate::sys::atomic::Ordering;
use std::time::Duration;

use super::Identity;
use crate::crash::{crash_point, is_variant};
use crate::region::Space;
use crate::region::layout::*;
use crate::sys::{self, ByteLock, ProcessIdentity};
use crate::{Error, Result};

/// State of a process slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotState {
    Free,
    Claimed,
}

impl SlotState {
    /// Takes the packed word apart.
    pub(crate) fn of(word: u64) -> (SlotState, u64) {
        (if word & 0xff == 0 { SlotState::Free } else { SlotState::Claimed }, word >> 8)
    }
}

/// Incarnations are kept to the 40 bits that a lane's owner word has for them.
const INCARNATION_MASK: u64 = (1 << 40) - 1;

/// The kernel lock byte of a slot.
pub(crate) fn slot_byte(space: &Space, slot: u32) -> u64 {
    space.geometry.lock_byte_base + 1 + u64::from(slot)
}

/// Is any process attached? (Asked under the open byte, before one's own slot is claimed.)
pub(crate) fn anybody_there(space: &Space) -> Result<bool> {
    space.with_file(|file| sys::bytes_are_held(file, slot_byte(space, 0), u64::from(space.geometry.slot_count)))
}

/// A slot of ours; the byte goes with it.
pub(crate) struct SlotClaim {
    pub(crate) index: u32,
    pub(crate) incarnation: u64,
    _byte: ByteLock,
}

impl SlotClaim {
    /// The identity that this claim gives.
    pub(crate) fn identity(&self, timeout: Duration) -> Identity {
        Identity { slot: self.index, incarnation: self.incarnation, timeout }
    }

    /// Frees the slot: first the state, then (by dropping the claim) the byte.
    pub(crate) fn release(self, space: &Space) {
        if is_variant!(ByteFirst) {
            let SlotClaim { index, incarnation, _byte } = self;
            drop(_byte);
            return space.slot(index).state.store(incarnation << 8, Ordering::Release);
        }
        space.slot(self.index).state.store(self.incarnation << 8, Ordering::Release);
        crash_point!("slot: state free, byte still held");
    }
}

/// Claims a slot that nobody uses and that needs no reaping. When no other is left, a dead one is claimed and `reap`,
/// given {slot, incarnation} to act under, settles what earlier incarnations left.
pub(crate) fn claim_slot(
    space: &Space,
    heartbeat: Duration,
    mut reap: impl FnMut(u32, u64) -> Result<()>,
) -> Result<SlotClaim> {
    for may_reap in [false, true] {
        for index in 0..space.geometry.slot_count {
            let (state, _) = SlotState::of(space.slot(index).state.load(Ordering::Acquire));
            if state == SlotState::Claimed && !may_reap {
                continue;
            }
            let Some(byte) = space.with_file(|file| ByteLock::try_hold(file, slot_byte(space, index)))? else {
                continue;
            };
            crash_point!("slot: byte taken");
            // Only now: the state may have changed before the byte was ours.
            let (state, incarnation) = SlotState::of(space.slot(index).state.load(Ordering::Acquire));
            if state == SlotState::Claimed {
                if !may_reap {
                    continue;
                }
                // Our holding the byte makes the dead look alive, so its incarnation ends before anything else.
                let next = (incarnation + 1) & INCARNATION_MASK;
                // And nobody may take us for who left his number here: that one is dying, if not somebody else.
                space.slot(index).pid_namespace.put(0);
                crash_point!("slot: the dead one's number void");
                space.slot(index).state.put((next << 8) | 1);
                crash_point!("slot: dead incarnation ended, not reaped");
                reap(index, next)?;
                return Ok(fill(space, index, next, byte, heartbeat));
            }
            return Ok(fill(space, index, incarnation, byte, heartbeat));
        }
    }
    Err(Error::Exhausted { what: "process slots", limit: u64::from(space.geometry.slot_count) })
}

fn fill(space: &Space, index: u32, last: u64, byte: ByteLock, heartbeat: Duration) -> SlotClaim {
    let slot = space.slot(index);
    let incarnation = (last + 1) & INCARNATION_MASK;
    // The incarnation moves before anything else: what the last owner left under the old one is a dead process's.
    slot.state.put(incarnation << 8);
    crash_point!("slot: incarnation moved");
    let process = ProcessIdentity::current();
    slot.pid.put(u64::from(process.pid));
    slot.start_time.put(process.start_time);
    slot.pid_namespace.put(process.pid_namespace);
    slot.heartbeat_ns.put(sys::monotonic_ns());
    slot.attached_ns.put(sys::monotonic_ns());
    slot.heartbeat_interval_ns.put(heartbeat.as_nanos() as u64);
    let mut name = [0u8; 32];
    let text = sys::process_name();
    let len = text.len().min(32);
    name[..len].copy_from_slice(&text.as_bytes()[..len]);
    for (word, bytes) in slot.name.iter().zip(name.chunks_exact(8)) {
        word.put(u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
    }
    crash_point!("slot: filled");
    slot.state.store((incarnation << 8) | 1, Ordering::Release);
    crash_point!("slot: claimed");
    SlotClaim { index, incarnation, _byte: byte }
}

/// The name a slot's process gave itself; any bytes are fine.
pub(crate) fn slot_name(slot: &Slot) -> String {
    let bytes: Vec<u8> = slot.name.iter().flat_map(|word| word.peek().to_le_bytes()).collect();
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end_matches('\0').chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
