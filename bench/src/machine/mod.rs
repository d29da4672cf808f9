//! What the benches ask of the operating system: each module has the same functions.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub(crate) use linux::{describe, keep_freed_memory, thread_time};
#[cfg(windows)]
pub(crate) use windows::{describe, keep_freed_memory, thread_time};
