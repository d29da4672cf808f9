//! What guards of vectors and queues lend alike: searches, and comparisons with std collections.

/// Methods of a guard that has `len`, `get` and `iter`, and `raw` of its lock.
macro_rules! row_read {
    ($guard:ident, $life:lifetime) => {
        impl<'a, T: Value> $guard<'a, T> {
            /// For how many values there is room without another block.
            #[must_use]
            pub fn capacity(&self) -> usize {
                crate::region::layout::Word::peek(&self.lock.raw().capacity) as usize
            }

            /// Is a value equal to `value` there?
            #[must_use]
            pub fn contains<'g>(&'g self, value: T::Ref<'g>) -> bool
            where
                T::Ref<'g>: PartialEq,
            {
                self.iter().any(|lent| lent == value)
            }

            /// Looks for a value in values that are sorted: where it is, or where it would be.
            ///
            /// # Errors
            /// The place where it would be, if it is not there.
            pub fn binary_search<'g>(&'g self, value: T::Ref<'g>) -> Result<usize, usize>
            where
                T::Ref<'g>: Ord,
            {
                self.binary_search_by(|lent| lent.cmp(&value))
            }

            /// As [`binary_search`](Self::binary_search), by how values compare with what is looked for.
            ///
            /// # Errors
            /// The place where it would be, if it is not there.
            pub fn binary_search_by<'g>(
                &'g self,
                mut compare: impl FnMut(T::Ref<'g>) -> std::cmp::Ordering,
            ) -> Result<usize, usize> {
                let (mut from, mut end) = (0, self.len());
                while from < end {
                    let middle = from + (end - from) / 2;
                    // A damaged slot ends the search; there is none in an object that was opened.
                    let Some(lent) = self.get(middle) else { return Err(from) };
                    match compare(lent) {
                        std::cmp::Ordering::Equal => return Ok(middle),
                        std::cmp::Ordering::Less => from = middle + 1,
                        std::cmp::Ordering::Greater => end = middle,
                    }
                }
                Err(from)
            }

            /// As [`binary_search`](Self::binary_search), by a key.
            ///
            /// # Errors
            /// The place where it would be, if it is not there.
            pub fn binary_search_by_key<'g, K: Ord>(
                &'g self,
                wanted: &K,
                mut key: impl FnMut(T::Ref<'g>) -> K,
            ) -> Result<usize, usize> {
                self.binary_search_by(|lent| key(lent).cmp(wanted))
            }

            /// How many values stand before the first one of which `first_part` does not hold; those of which it holds come
            /// first.
            #[must_use]
            pub fn partition_point<'g>(&'g self, mut first_part: impl FnMut(T::Ref<'g>) -> bool) -> usize {
                use std::cmp::Ordering;
                let compare = |lent| if first_part(lent) { Ordering::Less } else { Ordering::Greater };
                match self.binary_search_by(compare) {
                    Ok(index) | Err(index) => index,
                }
            }

            fn is_same<'g, U: 'g>(&'g self, others: impl ExactSizeIterator<Item = &'g U>) -> bool
            where
                T::Ref<'g>: PartialEq<&'g U>,
            {
                self.len() == others.len() && self.iter().zip(others).all(|(lent, other)| lent == other)
            }
        }

        impl<T: Value> std::fmt::Debug for $guard<'_, T>
        where
            for<'r> T::Ref<'r>: std::fmt::Debug,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_list().entries(self.iter()).finish()
            }
        }

        impl<T: Value> PartialEq for $guard<'_, T>
        where
            for<'r> T::Ref<'r>: PartialEq,
        {
            fn eq(&self, other: &Self) -> bool {
                self.len() == other.len() && self.iter().zip(other.iter()).all(|(one, other)| one == other)
            }
        }

        impl<T: Value> Eq for $guard<'_, T> where for<'r> T::Ref<'r>: Eq {}

        super::row_read::equal_to!($guard, [T, U], [U]);
        super::row_read::equal_to!($guard, [T, U], &[U]);
        super::row_read::equal_to!($guard, [T, U], Vec<U>);
        super::row_read::equal_to!($guard, [T, U], std::collections::VecDeque<U>);
        super::row_read::equal_to!($guard, [T, U, const N: usize], [U; N]);
        super::row_read::equal_to!($guard, [T, U, const N: usize], &[U; N]);

        impl<T: Value, U> PartialEq<$guard<'_, T>> for Vec<U>
        where
            for<'r> T::Ref<'r>: PartialEq<&'r U>,
        {
            fn eq(&self, guard: &$guard<'_, T>) -> bool {
                guard.is_same(self.iter())
            }
        }
    };
}
pub(in crate::containers) use row_read;

/// Comparison of a guard with a collection of values.
macro_rules! equal_to {
    ($guard:ident, [$t:ident, $u:ident $(, $($more:tt)*)?], $other:ty) => {
        impl<$t: Value, $u $(, $($more)*)?> PartialEq<$other> for $guard<'_, $t>
        where
            for<'r> $t::Ref<'r>: PartialEq<&'r $u>,
        {
            fn eq(&self, others: &$other) -> bool {
                self.is_same(others.iter())
            }
        }
    };
}
pub(in crate::containers) use equal_to;
