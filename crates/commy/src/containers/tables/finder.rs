//! How the handle of a map or a set finds an entry without a lock.

use std::marker::PhantomData;

use super::hash_map::{Layout, find_in, is_in};
use crate::Result;
use crate::containers::values::key::Key;
use crate::containers::values::value::Value;
use crate::engine::{Attempt, Object};
use crate::lock::is_stable;
use crate::raw::{InRow, Place, TableView, ViewCache, hash_bytes};
use crate::region::Space;
use crate::region::layout::RawHeader;

/// Finds entries of one object's table, and remembers where that is.
pub(super) struct Finder<K, V> {
    cache: ViewCache,
    marker: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Finder<K, V> {
    pub(super) fn new() -> Self {
        Finder { cache: ViewCache::new(), marker: PhantomData }
    }
}

impl<K: Key, V: Value> Finder<K, V> {
    /// What `take` copies of the entry of `key`; `None`: the key is not there. Others may be writing what it copies: `None`
    /// from it is that it has seen so.
    ///
    /// # Errors
    /// `Timeout`, `Removed`, `Corrupt`.
    #[inline(always)]
    pub(super) fn find<R>(
        &self,
        object: &Object,
        key: &[u8],
        take: impl Fn(&Attempt, &Space, Place) -> Option<Result<R>> + Copy,
    ) -> Result<Option<R>> {
        if let Some(found) = self.find_cached::<true, R>(object, key, take) {
            return Ok(found);
        }
        match self.find_uncached(object, key, take) {
            Some(found) => Ok(found),
            None => Self::find_slowly(object, key, take),
        }
    }

    /// The usual case with the fewest instructions; `None`: anything else. With `FIRST`, only the first group on the key's
    /// way is looked at.
    #[inline(always)]
    fn find_cached<const FIRST: bool, R>(
        &self,
        object: &Object,
        key: &[u8],
        take: impl Fn(&Attempt, &Space, Place) -> Option<Result<R>>,
    ) -> Option<Option<R>> {
        let space = object.space();
        let (attempt, view, seed) =
            self.cache.get(Layout::<K, V>::SLOT, || object.attempt(), |attempt| attempt.version())?;
        let hash = hash_bytes(seed, key);
        let same = |slot: *const u8| is_in::<K, V>(space, slot, key);
        let found = match FIRST {
            true => view.find_in_first(hash, same),
            false => view.find(hash, same).map_or(InRow::Ends, InRow::Found),
        };
        match found {
            InRow::Found(found) => {
                let taken = take(&attempt, space, Place::of(&found))?.ok()?;
                attempt.holds().then_some(Some(taken))
            }
            // An odd version remembers nothing; only a damaged file has the one that says so.
            InRow::Ends => (is_stable(attempt.version()) && attempt.holds()).then_some(None),
            InRow::GoesOn => None,
        }
    }

    /// What is still usual: other groups, a table that changes all the time; `None`: anything else. (A `Result` would be
    /// returned in memory, in other pieces than it is read from there.)
    #[inline(never)]
    fn find_uncached<R>(
        &self,
        object: &Object,
        key: &[u8],
        take: impl Fn(&Attempt, &Space, Place) -> Option<Result<R>> + Copy,
    ) -> Option<Option<R>> {
        if let Some(found) = self.find_cached::<false, R>(object, key, take) {
            return Some(found);
        }
        if self.cache.is_missed_again(object.attempt().version()) {
            self.remember(object);
        }
        object.glance(|attempt, raw| look_up::<K, V, R>(object.space(), attempt, raw, key, take)?.ok())
    }

    #[cold]
    fn find_slowly<R>(
        object: &Object,
        key: &[u8],
        take: impl Fn(&Attempt, &Space, Place) -> Option<Result<R>> + Copy,
    ) -> Result<Option<R>> {
        object.peek(|attempt, raw| look_up::<K, V, R>(object.space(), attempt, raw, key, take))
    }

    /// Asks memory for what a change of `key` will touch, before the lock is taken.
    #[inline(always)]
    pub(super) fn expect(&self, object: &Object, key: &[u8]) {
        if !self.cache.is_of(object.header().raw.data_offset()) {
            self.remember(object);
        }
        self.cache.prefetch(Layout::<K, V>::SLOT, |seed| hash_bytes(seed, key));
    }

    /// Remembers where the table is.
    #[cold]
    fn remember(&self, object: &Object) {
        self.cache.install(|| {
            object.glance(|attempt, raw| {
                let view = TableView::read(object.space(), raw, Layout::<K, V>::SLOT).ok()??;
                Some((attempt.version(), raw.data_offset(), view, raw.seed()))
            })
        });
    }
}

/// Looks a key up in a table whose words may be changing; `None`: they were seen to.
#[inline(always)]
fn look_up<K: Key, V: Value, R>(
    space: &Space,
    attempt: &Attempt,
    raw: &RawHeader,
    key: &[u8],
    take: impl Fn(&Attempt, &Space, Place) -> Option<Result<R>>,
) -> Option<Result<Option<R>>> {
    match find_in::<K, V>(space, raw, key) {
        Ok(Some((_, found))) => Some(take(attempt, space, Place::of(&found))?.map(Some)),
        Ok(None) => Some(Ok(None)),
        Err(error) => Some(Err(error)),
    }
}
