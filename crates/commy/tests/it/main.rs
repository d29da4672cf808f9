//! The promises of the library, one module for each.

mod counters;
mod damaged;
mod failing;
mod kill_points;
mod kill_random;
mod kill_recovery;
mod layers;
mod liveness;
mod model;
mod nested;
mod pitfalls;
mod read_only;
mod seeded;
mod support;
mod trees;
mod waits;
