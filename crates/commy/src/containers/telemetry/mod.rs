//! Counters and gauges.

pub(in crate::containers) mod counter;
pub(in crate::containers) mod gauge;
