//! Channels: the handle, and the two guards that keep an end of one.

pub(super) mod channel;
pub(super) mod receiver;
pub(super) mod sender;
