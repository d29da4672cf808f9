//! Ordered maps and sets.

pub(in crate::containers) mod btree;
pub(in crate::containers) mod btree_map;
pub(in crate::containers) mod btree_map_entry;
pub(in crate::containers) mod btree_map_guard;
pub(in crate::containers) mod btree_map_iter;
pub(in crate::containers) mod btree_map_keyed;
pub(in crate::containers) mod btree_map_whole;
pub(in crate::containers) mod btree_set;
pub(in crate::containers) mod btree_set_guard;
pub(in crate::containers) mod btree_set_whole;
