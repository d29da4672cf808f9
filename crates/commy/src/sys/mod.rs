//! The only layer that names an operating system. Everything above sees files that can be created without a name,
//! mappings, kernel locks on single bytes, futexes, the probe for dying processes, fork hooks and clocks.
//!
//! Another system comes as another folder with the same items; no `cfg` on the system is allowed outside `sys`.

pub(crate) mod atomic;
mod common;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(loom)]
pub(crate) mod model;
#[cfg(test)]
mod testing;
#[cfg(windows)]
mod windows;

#[cfg(loom)]
pub(crate) use common::WaitResult;
pub(crate) use common::{EVERY_CLASS, FileIdentity, FileSystemKind, Paging, ProcessIdentity, random_id};
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(windows)]
pub(crate) use windows::*;
// In a build for the model checker these stand in the place of the system's.
#[cfg(loom)]
pub(crate) use model::{ByteLock, Instant, byte_is_held, futex_wait, futex_wake, monotonic_ns};
#[cfg(not(loom))]
pub(crate) use std::time::Instant;

#[cfg(not(any(target_os = "linux", windows)))]
compile_error!("commy runs on Linux and Windows only for now");
