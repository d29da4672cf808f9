//! Sequences of operations beside the std twin of each container: through handles, guards, guards that are rolled
//! back or unwound, transactions; from two attachments of one region, with a third that can only read.

mod deques;
pub mod harness;
mod maps;
mod rows;
mod sets;
mod surface;
mod texts;
mod trees;
mod vectors;

pub use harness::unwind;
