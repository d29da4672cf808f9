//! The promises of the library, one module for each.

mod channels;
mod closures;
mod counters;
mod damaged;
mod edges;
mod failing;
#[cfg(target_os = "linux")]
mod guide;
mod kill_points;
mod kill_random;
mod kill_recovery;
mod layers;
mod liveness;
mod model;
mod nested;
mod paging;
mod pitfalls;
mod read_only;
mod room;
mod seeded;
mod serialize;
mod support;
mod trees;
mod waits;
