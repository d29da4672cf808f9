//! The laboratory.

fn main() {}
