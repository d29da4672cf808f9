//! Hash maps and sets.

mod finder;
pub(in crate::containers) mod hash_map;
pub(in crate::containers) mod hash_map_entry;
pub(in crate::containers) mod hash_map_guard;
pub(in crate::containers) mod hash_map_keyed;
pub(in crate::containers) mod hash_map_whole;
pub(in crate::containers) mod hash_set;
pub(in crate::containers) mod hash_set_guard;
pub(in crate::containers) mod hash_set_whole;
