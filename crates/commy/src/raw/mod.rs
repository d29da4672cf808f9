//! Type-erased containers over (offset, size): relocatable headers, no lock inside.
//!
//! Invariant W1: every function here that changes something is called under the object's word with the context that
//! holds it; every pointer it hands out is valid until that context ends or the container changes.

mod arrange;
mod body_cache;
mod bytes;
mod channel;
mod counter;
mod deque;
mod descriptor;
mod finish;
mod gauge;
mod hash;
mod owned;
mod place;
mod remembered;
mod shape;
mod slot;
mod table;
mod tree;
mod vector;
mod view_cache;

pub(crate) use body_cache::BodyCache;
pub(crate) use bytes::{Content, copy_out_content, room_ahead, same_content};
pub(crate) use channel::{Channel, ChannelView, End, Side, found_channel, messages, role_words};
pub(crate) use counter::Counter;
pub(crate) use deque::{Deque, place_in_deque};
pub(crate) use descriptor::read_descriptor;
pub(crate) use finish::{detach, finish};
pub(crate) use gauge::{Contribution, GAUGE_SLOT, change_share, contribution, own_share, total};
pub(crate) use hash::hash_bytes;
pub use owned::Owned;
pub use place::Place;
pub(crate) use place::{
    Image, OwnedPart, copy_bytes_out, place_in_vector, release_blocks, release_room, reserve_release,
};
pub(crate) use shape::{ContainerKind, Shape};
pub(crate) use table::{FoundSlot, InRow, Spot, Table, TableView};
pub(crate) use tree::{BLOCKS_ROOM, Ends, Position, Search, Tree, TreeLayout, TreeView, prove};
pub use vector::Tail;
pub(crate) use vector::Vector;
pub(crate) use view_cache::ViewCache;

pub use descriptor::{Descriptor, OrderField};
pub use slot::{Slot, SlotMut};
