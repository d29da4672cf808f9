//! The laboratory: what proves, on the library as it is built for users, that a death, a storm of deaths and a damaged
//! file do no harm. What it shares with the tests of the library: operations to be killed in with the states that they
//! may leave, temporary regions, random numbers.

#![allow(missing_docs)]

pub mod catalogue;
pub mod hostile;
#[cfg(target_os = "linux")]
pub mod instructions;
pub mod judge;
pub mod random;
pub mod scenario;
pub mod storm;
pub mod temporary;
pub mod world;

/// What a part of the laboratory ends with: a line for people, or what went wrong.
pub type Verdict = Result<String, String>;
