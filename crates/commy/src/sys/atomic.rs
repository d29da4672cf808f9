//! The atomics that shared words are made of, and the fence that goes with them: the standard library's.
//!
//! A build for the model checker (`cfg(loom)`) has stand-ins of the same layout in their place, which hand each access to
//! a word that a model tracks to the checker; so a whole mapped region, and every function that works on one, runs there
//! as it is.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, fence};

#[cfg(loom)]
pub(crate) use super::model::words::{AtomicU32, AtomicU64, fence};

// Of no shared word; compiler fences cost a model nothing.
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering, compiler_fence};
