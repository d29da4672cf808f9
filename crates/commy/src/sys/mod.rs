//! The only layer that names an operating system. Everything above sees files that can be created without a name,
//! mappings, kernel locks on single bytes, futexes, the probe for dying processes, fork hooks and clocks.
//!
//! Another system comes as another folder with the same items; no `cfg` on the system is allowed outside `sys`.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
compile_error!("commy runs on Linux only for now");
