//! The promises of the library, one module for each.

mod layers;
