//! What the laboratory and the tests of the library share: operations to be killed in with the states that they may
//! leave, temporary regions, random numbers.

#![allow(missing_docs)]

pub mod catalogue;
pub mod random;
pub mod scenario;
pub mod temporary;
pub mod world;
