//! What the tests of this binary share: child processes, temporary regions, and the machinery that kills a child at
//! every point of an operation and looks at what it left.

pub mod catalogue;
pub mod child;
pub mod killer;
pub mod scenario;
pub mod sources;
pub mod temporary;
pub mod world;
