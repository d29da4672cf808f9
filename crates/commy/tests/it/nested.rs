//! Values that own memory: collections in collections, derived structs and enums.

mod derived;
mod grown;
mod model;
