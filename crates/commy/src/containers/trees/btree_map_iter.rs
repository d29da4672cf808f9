//! Iterators over ordered maps.

use std::marker::PhantomData;

use super::btree::{ALL, Bounds, Layout, walk};
use crate::Plain;
use crate::containers::values::ordered_key::OrderedKey;
use crate::containers::values::value::Value;
use crate::raw::{Ends, Place};
use crate::region::Space;
use crate::region::layout::RawHeader;

/// Iterator over lent entries, in the order of their keys, from both ends.
pub struct BTreeMapIter<'g, K, V> {
    range: BTreeMapRange<'g, K, V>,
    left: usize,
}

/// Iterator over a range of lent entries, from both ends.
pub struct BTreeMapRange<'g, K, V> {
    space: &'g Space,
    ends: Option<Ends<'g>>,
    marker: PhantomData<(*mut (), &'g K, V)>,
}

/// Iterator over a range of entries whose values may be changed in place.
pub struct BTreeMapRangeMut<'g, K, V> {
    space: &'g Space,
    ends: Option<Ends<'g>>,
    marker: PhantomData<(*mut (), &'g K, &'g mut V)>,
}

impl<'g, K: OrderedKey, V: Value> BTreeMapRange<'g, K, V> {
    pub(in crate::containers) fn new(space: &'g Space, raw: &'g RawHeader, bounds: Bounds<'_>) -> Self {
        // A damaged tree shows as an empty one rather than as a wild read.
        BTreeMapRange { space, ends: walk::<K, V>(space, raw, bounds), marker: PhantomData }
    }

    #[inline(always)]
    fn lend(&self, (key, value): (Place, Place)) -> (K::Ref<'g>, V::Ref<'g>) {
        (K::lend(key.lend(self.space)), V::lend(value.lend(self.space)))
    }
}

impl<'g, K: OrderedKey, V: Value> Iterator for BTreeMapRange<'g, K, V> {
    type Item = (K::Ref<'g>, V::Ref<'g>);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.ends.as_mut()?.next(Layout::<K, V>::TREE)?;
        Some(self.lend(entry))
    }
}

impl<K: OrderedKey, V: Value> DoubleEndedIterator for BTreeMapRange<'_, K, V> {
    #[inline(always)]
    fn next_back(&mut self) -> Option<Self::Item> {
        let entry = self.ends.as_mut()?.next_back(Layout::<K, V>::TREE)?;
        Some(self.lend(entry))
    }
}

impl<'g, K: OrderedKey, V: Value> BTreeMapIter<'g, K, V> {
    pub(in crate::containers) fn new(space: &'g Space, raw: &'g RawHeader) -> Self {
        BTreeMapIter { range: BTreeMapRange::new(space, raw, ALL), left: raw.length() as usize }
    }
}

impl<'g, K: OrderedKey, V: Value> Iterator for BTreeMapIter<'g, K, V> {
    type Item = (K::Ref<'g>, V::Ref<'g>);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.saturating_sub(1);
        self.range.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<K: OrderedKey, V: Value> DoubleEndedIterator for BTreeMapIter<'_, K, V> {
    #[inline(always)]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.saturating_sub(1);
        self.range.next_back()
    }
}

impl<K: OrderedKey, V: Value> ExactSizeIterator for BTreeMapIter<'_, K, V> {}

impl<'g, K, V> BTreeMapRangeMut<'g, K, V> {
    /// Over leaves that are logged.
    pub(in crate::containers) fn new(space: &'g Space, ends: Option<Ends<'g>>) -> Self {
        BTreeMapRangeMut { space, ends, marker: PhantomData }
    }
}

impl<'g, K: OrderedKey, V: Plain> Iterator for BTreeMapRangeMut<'g, K, V> {
    type Item = (K::Ref<'g>, &'g mut V);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.ends.as_mut()?.next(Layout::<K, V>::TREE)?;
        Some((K::lend(key.lend(self.space)), value.lend_mut()))
    }
}

impl<K: OrderedKey, V: Plain> DoubleEndedIterator for BTreeMapRangeMut<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (key, value) = self.ends.as_mut()?.next_back(Layout::<K, V>::TREE)?;
        Some((K::lend(key.lend(self.space)), value.lend_mut()))
    }
}
