//! The file: layout, checked geometry, bounds-checked access, creation and growth.

mod copy;
mod create;
mod geometry;
pub(crate) mod layout;
mod space;

pub(crate) use copy::{copy_out, load_16, load_u8, load_u64, prefetch};
pub(crate) use create::{CreateOptions, create_unnamed, open_existing, same_origin, stamp_origin};
pub(crate) use geometry::Geometry;
pub(crate) use space::Persisted;
pub use space::Space;
