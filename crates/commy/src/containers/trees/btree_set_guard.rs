//! Guards of `SharedBTreeSet`, and what two sets have in common.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::iter::Peekable;
use std::marker::PhantomData;
use std::ops::RangeBounds;

use super::btree_map_guard::{BTreeMapReadGuard, BTreeMapRef, BTreeMapWriteGuard};
use super::btree_map_iter::{BTreeMapIter, BTreeMapRange};
use crate::Result;
use crate::containers::values::key::{Lookup, StoreKey};
use crate::containers::values::nested::Lent;
use crate::containers::values::ordered_key::OrderedKey;
use crate::engine::{ReadLock, WriteLock};

/// Keys lent by a read guard.
pub struct BTreeSetReadGuard<'a, K> {
    map: BTreeMapReadGuard<'a, K, ()>,
}

/// An ordered set that only the holder may change.
pub struct BTreeSetWriteGuard<'a, K> {
    pub(in crate::containers) map: BTreeMapWriteGuard<'a, K, ()>,
}

/// A `BTreeSet` in a container, lent by a guard of that container.
pub struct BTreeSetRef<'a, K> {
    map: BTreeMapRef<'a, K, ()>,
}

impl<'a, K> BTreeSetRef<'a, K> {
    pub(in crate::containers) fn new(lock: Lent<'a>) -> Self {
        BTreeSetRef { map: BTreeMapRef::new(lock) }
    }
}

impl<K> Clone for BTreeSetRef<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for BTreeSetRef<'_, K> {}

impl<'a, K: OrderedKey> IntoIterator for BTreeSetRef<'a, K> {
    type Item = K::Ref<'a>;
    type IntoIter = BTreeSetIter<'a, K>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over lent keys, in order, from both ends.
pub struct BTreeSetIter<'g, K>(BTreeMapIter<'g, K, ()>);

/// Iterator over a range of lent keys, from both ends.
pub struct BTreeSetRange<'g, K>(BTreeMapRange<'g, K, ()>);

macro_rules! keys_of {
    ($iterator:ident) => {
        impl<'g, K: OrderedKey> Iterator for $iterator<'g, K> {
            type Item = K::Ref<'g>;

            #[inline(always)]
            fn next(&mut self) -> Option<K::Ref<'g>> {
                self.0.next().map(|(key, _)| key)
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.0.size_hint()
            }
        }

        impl<K: OrderedKey> DoubleEndedIterator for $iterator<'_, K> {
            #[inline(always)]
            fn next_back(&mut self) -> Option<Self::Item> {
                self.0.next_back().map(|(key, _)| key)
            }
        }
    };
}
keys_of!(BTreeSetIter);
keys_of!(BTreeSetRange);
impl<K: OrderedKey> ExactSizeIterator for BTreeSetIter<'_, K> {}

/// Keys in order: what a guard of a set lends, and a `std::collections::BTreeSet`.
pub trait OrderedKeys<K: OrderedKey> {
    /// The keys, in order.
    fn ordered_keys<'g>(&'g self) -> impl Iterator<Item = K::Ref<'g>>
    where
        K: 'g;
}

impl<K: OrderedKey> OrderedKeys<K> for BTreeSet<K> {
    fn ordered_keys<'g>(&'g self) -> impl Iterator<Item = K::Ref<'g>>
    where
        K: 'g,
    {
        self.iter().map(OrderedKey::as_lent)
    }
}

/// Keys of two sets side by side, in order.
struct Pairs<'g, A: Iterator, B: Iterator, K> {
    a: Peekable<A>,
    b: Peekable<B>,
    marker: PhantomData<&'g K>,
}

impl<'g, K, A, B> Iterator for Pairs<'g, A, B, K>
where
    K: OrderedKey,
    A: Iterator<Item = K::Ref<'g>>,
    B: Iterator<Item = K::Ref<'g>>,
{
    type Item = (Option<K::Ref<'g>>, Option<K::Ref<'g>>);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.a.peek(), self.b.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => K::compare_lent(a, b),
        };
        let a = if order == Ordering::Greater { None } else { self.a.next() };
        let b = if order == Ordering::Less { None } else { self.b.next() };
        Some((a, b))
    }
}

/// What guards and views can do.
macro_rules! lend {
    ($guard:ident, $life:lifetime) => {
        impl<'a, K: OrderedKey> $guard<'a, K> {
            /// Number of keys.
            #[must_use]
            pub fn len(&self) -> usize {
                self.map.len()
            }

            /// Has it no keys?
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.map.is_empty()
            }

            /// The key that is equal to `key`.
            #[must_use]
            pub fn get<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> Option<K::Ref<$life>> {
                self.map.get_key_value(key).map(|(key, _)| key)
            }

            /// Is the key there?
            #[must_use]
            pub fn contains<Q: Lookup<K> + ?Sized>(&self, key: &Q) -> bool {
                self.map.contains_key(key)
            }

            /// The least key.
            #[must_use]
            pub fn first(&self) -> Option<K::Ref<$life>> {
                self.map.first_key_value().map(|(key, _)| key)
            }

            /// The greatest key.
            #[must_use]
            pub fn last(&self) -> Option<K::Ref<$life>> {
                self.map.last_key_value().map(|(key, _)| key)
            }

            /// All keys, in order.
            #[must_use]
            pub fn iter(&self) -> BTreeSetIter<$life, K> {
                BTreeSetIter(self.map.iter())
            }

            /// The keys in a range. A range that ends before it begins has none.
            #[must_use]
            pub fn range<Q: Lookup<K> + ?Sized>(&self, range: impl RangeBounds<Q>) -> BTreeSetRange<$life, K> {
                BTreeSetRange(self.map.range(range))
            }

            fn pairs<'g>(
                &'g self,
                other: &'g impl OrderedKeys<K>,
            ) -> impl Iterator<Item = (Option<K::Ref<'g>>, Option<K::Ref<'g>>)> {
                let (a, b) = (self.iter().peekable(), other.ordered_keys().peekable());
                Pairs::<'g, _, _, K> { a, b, marker: PhantomData }
            }

            /// Keys that are in this set or in the other one (a guard of a set or a `BTreeSet`), in order.
            pub fn union<'g>(&'g self, other: &'g impl OrderedKeys<K>) -> impl Iterator<Item = K::Ref<'g>> {
                self.pairs(other).filter_map(|(a, b)| a.or(b))
            }

            /// Keys that are in both sets, in order.
            pub fn intersection<'g>(&'g self, other: &'g impl OrderedKeys<K>) -> impl Iterator<Item = K::Ref<'g>> {
                self.pairs(other).filter_map(|(a, b)| if b.is_some() { a } else { None })
            }

            /// Keys that are in this set and not in the other one, in order.
            pub fn difference<'g>(&'g self, other: &'g impl OrderedKeys<K>) -> impl Iterator<Item = K::Ref<'g>> {
                self.pairs(other).filter_map(|(a, b)| if b.is_none() { a } else { None })
            }

            /// Keys that are in one of the sets and not in both, in order.
            pub fn symmetric_difference<'g>(
                &'g self,
                other: &'g impl OrderedKeys<K>,
            ) -> impl Iterator<Item = K::Ref<'g>> {
                self.pairs(other).filter_map(|(a, b)| a.xor(b))
            }

            /// Are all keys in the other set, too?
            #[must_use]
            pub fn is_subset(&self, other: &impl OrderedKeys<K>) -> bool {
                self.pairs(other).all(|(_, b)| b.is_some())
            }

            /// Are all keys of the other set here, too?
            #[must_use]
            pub fn is_superset(&self, other: &impl OrderedKeys<K>) -> bool {
                self.pairs(other).all(|(a, _)| a.is_some())
            }

            /// Have the sets no key in common?
            #[must_use]
            pub fn is_disjoint(&self, other: &impl OrderedKeys<K>) -> bool {
                self.intersection(other).next().is_none()
            }

            /// A copy of all keys, in order.
            ///
            /// # Errors
            /// `Corrupt`.
            pub fn to_vec(&self) -> Result<Vec<K>> {
                Ok(self.map.to_vec()?.into_iter().map(|(key, ())| key).collect())
            }

            /// A copy of all keys.
            ///
            /// # Errors
            /// `Corrupt`.
            pub fn to_set(&self) -> Result<BTreeSet<K>> {
                Ok(self.map.to_map()?.into_keys().collect())
            }
        }

        impl<K: OrderedKey> OrderedKeys<K> for $guard<'_, K> {
            fn ordered_keys<'g>(&'g self) -> impl Iterator<Item = K::Ref<'g>>
            where
                K: 'g,
            {
                self.iter()
            }
        }

        impl<'g, K: OrderedKey> IntoIterator for &'g $guard<'_, K> {
            type Item = K::Ref<'g>;
            type IntoIter = BTreeSetIter<'g, K>;

            fn into_iter(self) -> BTreeSetIter<'g, K> {
                self.iter()
            }
        }

        impl<K: OrderedKey, S: OrderedKeys<K>> PartialEq<S> for $guard<'_, K> {
            fn eq(&self, other: &S) -> bool {
                self.pairs(other).all(|(a, b)| a.is_some() && b.is_some())
            }
        }

        impl<K: OrderedKey> std::fmt::Debug for $guard<'_, K>
        where
            for<'r> K::Ref<'r>: std::fmt::Debug,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_set().entries(self.iter()).finish()
            }
        }
    };
}
lend!(BTreeSetReadGuard, '_);
lend!(BTreeSetWriteGuard, '_);
lend!(BTreeSetRef, 'a);

impl<'a, K: OrderedKey> BTreeSetReadGuard<'a, K> {
    pub(in crate::containers) fn new(lock: ReadLock<'a>) -> Self {
        BTreeSetReadGuard { map: BTreeMapReadGuard::new(lock) }
    }
}

impl<'a, K: OrderedKey> BTreeSetWriteGuard<'a, K> {
    pub(in crate::containers) fn new(lock: WriteLock<'a>) -> Self {
        BTreeSetWriteGuard { map: BTreeMapWriteGuard::new(lock) }
    }

    /// Inserts a key; `Ok(false)` if it is there.
    ///
    /// # Errors
    /// `OutOfSpace` (nothing has changed then), `RolledBack`.
    #[inline]
    pub fn insert(&mut self, key: impl StoreKey<K>) -> Result<bool> {
        self.map.add_key(&key)
    }

    /// Takes a key out; `Ok(false)` if it was not there.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Result<bool> {
        Ok(self.map.remove(key)?.is_some())
    }

    /// Takes the least key out.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn pop_first(&mut self) -> Result<Option<K>> {
        Ok(self.map.pop_first()?.map(|(key, ())| key))
    }

    /// Takes the greatest key out.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn pop_last(&mut self) -> Result<Option<K>> {
        Ok(self.map.pop_last()?.map(|(key, ())| key))
    }

    /// Removes all keys.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn clear(&mut self) -> Result<()> {
        self.map.clear()
    }

    /// Inserts all keys.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end, because some are there and some are not.
    pub fn extend<A: StoreKey<K>>(&mut self, keys: impl IntoIterator<Item = A>) -> Result<()> {
        self.map.extend(keys.into_iter().map(|key| (key, ())))
    }

    /// Keeps the keys for which `keep` says so, asked in order. A panic in it undoes the whole guard.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end.
    pub fn retain(&mut self, mut keep: impl FnMut(K::Ref<'_>) -> bool) -> Result<()> {
        self.map.retain(|key, _| keep(key))
    }

    /// Takes the keys from `key` on out and returns them.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); the guard is then rolled back at its end.
    pub fn split_off<Q: Lookup<K> + ?Sized>(&mut self, key: &Q) -> Result<BTreeSet<K>> {
        Ok(self.map.split_off(key)?.into_keys().collect())
    }

    /// Moves all keys of another set here. Each of the two guards is a change of its own, unless both belong to one
    /// transaction.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); both guards are then rolled back at their end.
    pub fn append(&mut self, other: &mut BTreeSetWriteGuard<'_, K>) -> Result<()>
    where
        K: StoreKey<K>,
    {
        self.map.append(&mut other.map)
    }

    /// Undoes everything that was done through this guard.
    pub fn rollback(self) {
        self.map.rollback();
    }
}
