//! The laboratory: what proves, on the library as it is built for users, that a death, a storm of deaths and a damaged
//! file do no harm. What it shares with the tests of the library: operations to be killed in with the states that they
//! may leave, objects of all kinds and what may be asked of them, temporary regions, random numbers. The programs that
//! kill and damage run on Linux; what they share with the tests runs everywhere.

#![allow(missing_docs)]

pub mod catalogue;
pub mod files;
#[cfg(target_os = "linux")]
pub mod hostile;
#[cfg(target_os = "linux")]
pub mod instructions;
pub mod judge;
pub mod objects;
pub mod places;
pub mod random;
pub mod scenario;
#[cfg(target_os = "linux")]
pub mod storm;
pub mod temporary;
pub mod world;

/// What a part of the laboratory ends with: a line for people, or what went wrong.
pub type Verdict = Result<String, String>;
