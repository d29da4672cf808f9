//! Vectors and queues.

pub(in crate::containers) mod row;
pub(in crate::containers) mod row_guard;
pub(in crate::containers) mod row_handle;
pub(in crate::containers) mod row_read;
pub(in crate::containers) mod vec;
pub(in crate::containers) mod vec_deque;
pub(in crate::containers) mod vec_deque_guard;
pub(in crate::containers) mod vec_deque_slots;
pub(in crate::containers) mod vec_guard;
pub(in crate::containers) mod vec_slots;
