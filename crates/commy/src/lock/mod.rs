//! The object lock: word, version, reader cells, waiting.

mod change;
mod deadlock;
mod pauses;
mod readers;
mod role;
mod version;
mod wait;
mod word;

pub(crate) use change::{Pause, look_and_sleep, probe};
pub(crate) use pauses::Pauses;
pub(crate) use readers::{Published, clear_line, drain, own_reads, publish, publish_again, unpublish};
pub(crate) use role::{
    Limit, Patience, is_dead_owner, is_same_thread, release_role, role_of, take_role, try_take_role, withdraw_from_role,
};
pub(crate) use version::{close_version, is_stable, open_version};
pub(crate) use wait::{Blocked, Waiting, wait_for_word};
pub(crate) use word::{
    CHANGE, Flags, OWNER, change_class, holder, lock_class, owner_of, release, try_lock, try_lock_past_claims,
    try_release, wake,
};
