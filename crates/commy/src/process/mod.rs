//! Who is attached: process slots, lanes, and who of them is dead.

mod lane;
mod liveness;
mod slot;

pub(crate) use lane::{Actor, LaneState, adopt, claim_free, claim_lane, dead_owner, release_lane};
pub(crate) use liveness::is_dead;
pub(crate) use slot::{SlotClaim, SlotState, anybody_there, claim_slot, slot_byte, slot_name};

use std::time::Duration;

/// This process as the region knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) slot: u32,
    pub(crate) incarnation: u64,
    /// How long a lock is waited for.
    pub(crate) timeout: Duration,
}
