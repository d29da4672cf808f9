//! Calls on a hash map that are about all of its entries.

use std::marker::PhantomData;

use super::hash_map::{Layout, SharedHashMap, clear_in, erase_in};
use super::hash_map_guard::HashMapWriteGuard;
use crate::containers::Container;
use crate::containers::rows::vec_guard::Bomb;
use crate::containers::values::key::{Key, StoreKey};
use crate::containers::values::reader::Reader;
use crate::containers::values::value::{Store, Value, take_locked};
use crate::engine::{Object, Region};
use crate::journal::Context;
use crate::raw::{Place, Table, TableView};
use crate::region::Space;
use crate::region::layout::RawHeader;
use crate::{Plain, Result};

/// Where the full slots of a table are; it may be changing.
pub(in crate::containers) struct Slots {
    view: Option<TableView>,
    group: u64,
    left: u32,
}

impl Slots {
    pub(in crate::containers) fn of<K: Key, V: Value>(space: &Space, raw: &RawHeader) -> Result<Slots> {
        let view = TableView::read(space, raw, Layout::<K, V>::SLOT)?;
        Ok(Slots { view, group: 0, left: view.map_or(0, |view| view.full_slots(0)) })
    }
}

impl Iterator for Slots {
    /// A group and a slot of it.
    type Item = (TableView, u64, u32);

    fn next(&mut self) -> Option<Self::Item> {
        let view = self.view?;
        while self.left == 0 {
            self.group += 1;
            if self.group >= view.groups() {
                self.view = None;
                return None;
            }
            self.left = view.full_slots(self.group);
        }
        let index = self.left.trailing_zeros();
        self.left &= self.left - 1;
        Some((view, self.group, index))
    }
}

/// Copies of something of all entries, as they are at one moment.
pub(in crate::containers) fn copies<K: Key, V: Value, R>(
    object: &Object,
    locked: impl Fn(&Space, Place) -> Result<R>,
    torn: impl Fn(&Reader<'_>, Place) -> Option<Result<R>>,
) -> Result<Vec<R>> {
    let space = object.space();
    if space.writable {
        let lock = object.read()?;
        return Slots::of::<K, V>(space, lock.raw())?
            .map(|(view, group, index)| locked(space, Place::in_table(&view, group, index)))
            .collect();
    }
    object.peek(|attempt, raw| {
        let slots = match Slots::of::<K, V>(space, raw) {
            Ok(slots) => slots,
            Err(error) => return Some(Err(error)),
        };
        let (mut copies, reader) = (Vec::new(), Reader::torn(space, attempt));
        for (view, group, index) in slots {
            let copy = torn(&reader, Place::in_table(&view, group, index))?;
            // Memory is taken for what was there, not for what is being written.
            if !attempt.holds() {
                return None;
            }
            match copy {
                Ok(copy) => copies.push(copy),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(copies))
    })
}

/// Gives back what a table has no need for.
pub(in crate::containers) fn shrink_in<K: Key, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    least: usize,
) -> Result<()> {
    if raw.length() == 0 && least == 0 {
        return clear_in::<K, V>(context, raw);
    }
    Table::new(context.actor.space, raw, Layout::<K, V>::SLOT).shrink(context, least as u64)
}

impl<K: Key, V: Value> SharedHashMap<K, V> {
    /// Makes a map without a name that has these entries. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    ///
    /// # Crash
    /// Whoever notices that this process is dead frees it.
    pub fn from_iter_in<A: StoreKey<K>, B: Store<V>>(
        region: &Region,
        entries: impl IntoIterator<Item = (A, B)>,
    ) -> Result<Self> {
        let map = Self::new_in(region)?;
        map.extend(entries)?;
        Ok(map)
    }

    /// Makes a map without a name that has room for `capacity` entries.
    ///
    /// # Errors
    /// As [`from_iter_in`](Self::from_iter_in).
    ///
    /// # Crash
    /// As [`from_iter_in`](Self::from_iter_in).
    pub fn with_capacity_in(region: &Region, capacity: usize) -> Result<Self> {
        let map = Self::new_in(region)?;
        map.reserve(capacity)?;
        Ok(map)
    }

    /// Copies of all keys, as they are at one moment, in no particular order.
    ///
    /// # Errors
    /// As [`to_map`](Self::to_map).
    pub fn keys(&self) -> Result<Vec<K>> {
        copies::<K, V, K>(self.object(), take_locked, |reader, place| reader.value(place))
    }

    /// Copies of all values, as they are at one moment, in no particular order.
    ///
    /// # Errors
    /// As [`to_map`](Self::to_map).
    pub fn values(&self) -> Result<Vec<V>> {
        copies::<K, V, V>(
            self.object(),
            |space, place| take_locked(space, place.part(Layout::<K, V>::VALUE_AT)),
            |reader, place| reader.value(place.part(Layout::<K, V>::VALUE_AT)),
        )
    }

    /// Entries that there is room for without growth. Takes no lock.
    ///
    /// # Errors
    /// `Timeout`, `Removed`.
    pub fn capacity(&self) -> Result<usize> {
        self.object().peek(|_, raw| Some(Ok(raw.table_room() as usize)))
    }

    /// Gives back memory that the present entries do not need.
    ///
    /// # Errors
    /// As [`insert`](Self::insert): entries move to a smaller block, which must be got first.
    ///
    /// # Crash
    /// The entries are the same; the memory is given back or not.
    pub fn shrink_to_fit(&self) -> Result<()> {
        self.shrink_to(0)
    }

    /// As [`shrink_to_fit`](Self::shrink_to_fit), but leaves room for `capacity` entries if there is so much.
    ///
    /// # Errors
    /// As [`shrink_to_fit`](Self::shrink_to_fit).
    ///
    /// # Crash
    /// As [`shrink_to_fit`](Self::shrink_to_fit).
    pub fn shrink_to(&self, capacity: usize) -> Result<()> {
        self.object().change(|context, raw| shrink_in::<K, V>(context, raw, capacity))
    }

    /// Keeps the entries for which `keep` says so, as one atomic step. It runs under the map's lock; a panic in it changes
    /// nothing.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); nothing has changed then.
    ///
    /// # Crash
    /// All that were not kept are gone, or none.
    pub fn retain(&self, keep: impl FnMut(K::Ref<'_>, V::Ref<'_>) -> bool) -> Result<()> {
        self.write()?.retain(keep)
    }

    /// Takes all entries, as one atomic step.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// # Crash
    /// All or none are gone.
    pub fn drain(&self) -> Result<Vec<(K, V)>> {
        self.write()?.drain()
    }

    /// Takes the entries for which `which` says so, as one atomic step. It runs under the map's lock; a panic in it changes
    /// nothing.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); nothing has changed then.
    ///
    /// # Crash
    /// All that were chosen are gone, or none.
    pub fn extract_if(&self, which: impl FnMut(K::Ref<'_>, V::Ref<'_>) -> bool) -> Result<Vec<(K, V)>> {
        self.write()?.extract_if(which)
    }
}

impl<K: Key, V: Value> HashMapWriteGuard<'_, K, V> {
    /// Takes all entries.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn drain(&mut self) -> Result<Vec<(K, V)>> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        let entries = Slots::of::<K, V>(space, raw)?
            .map(|(view, group, index)| {
                let place = Place::in_table(&view, group, index);
                Ok((take_locked(space, place)?, take_locked(space, place.part(Layout::<K, V>::VALUE_AT))?))
            })
            .collect::<Result<Vec<(K, V)>>>()?;
        self.clear()?;
        Ok(entries)
    }

    /// Takes the entries for which `which` says so. A panic in it undoes the whole guard.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end.
    pub fn extract_if(&mut self, mut which: impl FnMut(K::Ref<'_>, V::Ref<'_>) -> bool) -> Result<Vec<(K, V)>> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        let bomb = Bomb(&self.lock);
        let mut entries = Vec::new();
        for (view, group, index) in Slots::of::<K, V>(space, raw)? {
            let place = Place::in_table(&view, group, index);
            let value = place.part(Layout::<K, V>::VALUE_AT);
            if which(K::lend(place.lend(space)), V::lend(value.lend(space))) {
                entries.push((take_locked(space, place)?, take_locked(space, value)?));
                self.lock.with(|context| erase_in::<K, V>(context, raw, view.found_at(group, index)))?;
            }
        }
        std::mem::forget(bomb);
        Ok(entries)
    }

    /// Gives back memory that the present entries do not need.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn shrink_to_fit(&mut self) -> Result<()> {
        self.shrink_to(0)
    }

    /// As [`shrink_to_fit`](Self::shrink_to_fit), but leaves room for `capacity` entries if there is so much.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn shrink_to(&mut self, capacity: usize) -> Result<()> {
        let raw = self.lock.raw();
        self.lock.with(|context| shrink_in::<K, V>(context, raw, capacity))
    }
}

impl<K: Key, V: Plain> HashMapWriteGuard<'_, K, V> {
    /// All entries, their values to be changed in place. The table is copied once for it, so that undoing is sure.
    ///
    /// # Errors
    /// `OutOfSpace`, `RolledBack`.
    pub fn iter_mut(&mut self) -> Result<IterMut<'_, K, V>> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        self.lock.with(|context| Table::new(space, raw, Layout::<K, V>::SLOT).freshen(context))?;
        let slots = Slots::of::<K, V>(space, raw)?;
        Ok(IterMut { space, slots, entries: raw.length() as usize, marker: PhantomData })
    }

    /// All values, to be changed in place.
    ///
    /// # Errors
    /// As [`iter_mut`](Self::iter_mut).
    pub fn values_mut(&mut self) -> Result<impl Iterator<Item = &mut V>> {
        Ok(self.iter_mut()?.map(|(_, value)| value))
    }

    /// Keeps the entries for which `keep` says so, which may change their values. A panic in it undoes the whole guard.
    ///
    /// # Errors
    /// As [`iter_mut`](Self::iter_mut); the guard is then rolled back at its end.
    pub fn retain_mut(&mut self, mut keep: impl FnMut(K::Ref<'_>, &mut V) -> bool) -> Result<()> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        let bomb = Bomb(&self.lock);
        self.lock.with(|context| Table::new(space, raw, Layout::<K, V>::SLOT).freshen(context))?;
        for (view, group, index) in Slots::of::<K, V>(space, raw)? {
            let place = Place::in_table(&view, group, index);
            if !keep(K::lend(place.lend(space)), place.part(Layout::<K, V>::VALUE_AT).lend_mut()) {
                self.lock.with(|context| erase_in::<K, V>(context, raw, view.found_at(group, index)))?;
            }
        }
        std::mem::forget(bomb);
        Ok(())
    }
}

/// Iterator over entries whose values may be changed in place.
pub struct IterMut<'g, K, V> {
    space: &'g Space,
    slots: Slots,
    entries: usize,
    marker: PhantomData<(*mut (), &'g K, &'g mut V)>,
}

impl<'g, K: Key, V: Plain> Iterator for IterMut<'g, K, V> {
    type Item = (K::Ref<'g>, &'g mut V);

    fn next(&mut self) -> Option<Self::Item> {
        let (view, group, index) = self.slots.next()?;
        self.entries = self.entries.saturating_sub(1);
        let place = Place::in_table(&view, group, index);
        Some((K::lend(place.lend(self.space)), place.part(Layout::<K, V>::VALUE_AT).lend_mut()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.entries, Some(self.entries))
    }
}
