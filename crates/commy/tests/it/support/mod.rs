//! What the tests of this binary share: child processes, temporary regions, and the machinery that kills a child at
//! every point of an operation and looks at what it left. The operations themselves are the laboratory's.

pub mod child;
pub mod killer;
pub mod sources;
pub mod stop;

pub use commy_lab::{catalogue, judge, scenario, temporary, world};
