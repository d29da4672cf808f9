//! Blocks and page runs: size classes in spans, lane caches, the supply.
//!
//! Invariant H1: every block is in exactly one place: a span's free list or uncarved end, a lane's list, a context's
//! records, or a reachable container; every page in one run. `engine::check` proves it.

mod cache;
mod class;
mod context;
mod run;
mod span;

pub(crate) use cache::{flush_all, trim, trim_scattered};
pub(crate) use class::{block_size, class_for, is_list, rounded, span_pages};
pub(crate) use context::MAX_ITEMS;
#[cfg(test)]
pub(crate) use run::bin_of;

/// What a page map entry says of its page.
pub(crate) mod page_kind {
    pub(crate) const FREE_HEAD: u64 = 1;
    pub(crate) const FREE_TAIL: u64 = 2;
    pub(crate) const RUN_HEAD: u64 = 3;
    pub(crate) const RUN_TAIL: u64 = 4;
    pub(crate) const SPAN: u64 = crate::journal::SPAN_PAGE;
}
