//! Keys in order. They are compared by fields of fixed width and by bytes, so that no code of a user meets bytes that
//! may be torn, and a process that does not know the type can check the order.

use std::cmp::Ordering;
use std::mem::{MaybeUninit, offset_of, size_of};
use std::num::NonZero;

use super::key::Key;
use crate::raw::{OrderField, Place};
use crate::region::Space;
use crate::{Plain, Result};

/// A [`Key`] of an ordered map or set: integers, `bool`, `char`, `NonZero`, arrays and tuples (up to 8 elements) of
/// those, `String`, `Vec<u8>`. The order is that of the type's `Ord`: numbers by value, texts by bytes, arrays and
/// tuples by their first element that differs.
///
/// ```compile_fail,E0277
/// # use commy::{Plain, SharedBTreeMap};
/// #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Plain)]
/// #[repr(C)]
/// struct Mine { id: u64 } // may be ordered in any way: as a key, use a tuple
/// fn f(map: &SharedBTreeMap<Mine, u64>) -> commy::Result<usize> { map.len() }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key of an ordered map or set",
    label = "has no order that all processes know",
    note = "integers, `bool`, `char`, `NonZero`, arrays and tuples of those (up to 8 elements), `String` and `Vec<u8>` have one"
)]
pub trait OrderedKey: Key + Ord {
    /// What a stored key is compared with.
    #[doc(hidden)]
    type Probe<'b>: Copy;
    /// Of a key's canonical bytes.
    #[doc(hidden)]
    fn probe(bytes: &[u8]) -> Self::Probe<'_>;
    /// How the key at a place, which may be changing, relates to the probe.
    #[doc(hidden)]
    fn compare(space: &Space, place: Place, probe: Self::Probe<'_>) -> Ordering;
    /// Runs `f` with the canonical bytes of the key at a place that nobody changes.
    #[doc(hidden)]
    fn with_stored<R>(space: &Space, place: Place, f: impl FnOnce(&[u8]) -> R) -> Result<R>;
    /// The key as a guard lends it.
    #[doc(hidden)]
    fn as_lent(&self) -> Self::Ref<'_>;
    /// The order of two keys that are lent.
    #[doc(hidden)]
    fn compare_lent(a: &Self::Ref<'_>, b: &Self::Ref<'_>) -> Ordering;
    /// The entries of a descriptor.
    #[doc(hidden)]
    fn order() -> Vec<u32>;
}

/// A plain type whose order follows from its bytes alone.
#[doc(hidden)]
pub trait Ranked: Plain {
    /// Ordered as the type is, but any bytes make one.
    type Rank: Ord + Copy;

    fn rank(bytes: &[u8]) -> Self::Rank;
    fn append_order(at: usize, order: &mut Vec<u32>);
}

macro_rules! ranked {
    ($($type:ty, $rank:ident, $field:ident;)*) => {$(
        impl Ranked for $type {
            type Rank = $rank;

            #[inline(always)]
            fn rank(bytes: &[u8]) -> $rank {
                bytes.first_chunk().map_or(0, |bytes| $rank::from_le_bytes(*bytes))
            }

            fn append_order(at: usize, order: &mut Vec<u32>) {
                OrderField::$field(size_of::<$rank>() as u8).append(at, order);
            }
        }
    )*};
}
ranked! {
    u8, u8, Unsigned; u16, u16, Unsigned; u32, u32, Unsigned; u64, u64, Unsigned; u128, u128, Unsigned;
    i8, i8, Signed; i16, i16, Signed; i32, i32, Signed; i64, i64, Signed; i128, i128, Signed;
    NonZero<u8>, u8, Unsigned; NonZero<u16>, u16, Unsigned; NonZero<u32>, u32, Unsigned; NonZero<u64>, u64, Unsigned;
    NonZero<u128>, u128, Unsigned;
    NonZero<i8>, i8, Signed; NonZero<i16>, i16, Signed; NonZero<i32>, i32, Signed; NonZero<i64>, i64, Signed;
    NonZero<i128>, i128, Signed;
    bool, u8, Unsigned; char, u32, Unsigned;
}

impl<T: Ranked, const N: usize> Ranked for [T; N] {
    type Rank = [T::Rank; N];

    #[inline(always)]
    fn rank(bytes: &[u8]) -> [T::Rank; N] {
        std::array::from_fn(|index| T::rank(bytes.get(index * size_of::<T>()..).unwrap_or_default()))
    }

    fn append_order(at: usize, order: &mut Vec<u32>) {
        (0..N).for_each(|index| T::append_order(at + index * size_of::<T>(), order));
    }
}

macro_rules! ranked_tuple {
    ($($type:ident $index:tt),*) => {
        impl<$($type: Ranked),*> Ranked for ($($type,)*) {
            type Rank = ($($type::Rank,)*);

            #[inline(always)]
            #[allow(clippy::unused_unit)]
            fn rank(_bytes: &[u8]) -> Self::Rank {
                ($($type::rank(_bytes.get(offset_of!(Self, $index)..).unwrap_or_default()),)*)
            }

            fn append_order(_at: usize, _order: &mut Vec<u32>) {
                $($type::append_order(_at + offset_of!(Self, $index), _order);)*
            }
        }
    };
}
ranked_tuple!();
ranked_tuple!(A 0);
ranked_tuple!(A 0, B 1);
ranked_tuple!(A 0, B 1, C 2);
ranked_tuple!(A 0, B 1, C 2, D 3);
ranked_tuple!(A 0, B 1, C 2, D 3, E 4);
ranked_tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
ranked_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
ranked_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

impl<T: Ranked + Ord> OrderedKey for T {
    type Probe<'b> = T::Rank;

    #[inline(always)]
    fn probe(bytes: &[u8]) -> T::Rank {
        T::rank(bytes)
    }

    #[inline(always)]
    fn compare(_space: &Space, place: Place, probe: T::Rank) -> Ordering {
        T::rank(place.image::<MaybeUninit<T>>().bytes()).cmp(&probe)
    }

    #[inline(always)]
    fn with_stored<R>(_space: &Space, place: Place, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
        Ok(f(place.image::<MaybeUninit<T>>().bytes()))
    }

    fn as_lent(&self) -> &T {
        self
    }

    fn compare_lent(a: &&T, b: &&T) -> Ordering {
        a.cmp(b)
    }

    fn order() -> Vec<u32> {
        let mut order = Vec::new();
        T::append_order(0, &mut order);
        order
    }
}

macro_rules! text_order {
    ($($key:ty)*) => {$(
        impl OrderedKey for $key {
            type Probe<'b> = &'b [u8];

            #[inline(always)]
            fn probe(bytes: &[u8]) -> &[u8] {
                bytes
            }

            #[inline(always)]
            fn compare(space: &Space, place: Place, probe: &[u8]) -> Ordering {
                place.compare_text(space, probe)
            }

            fn with_stored<R>(space: &Space, place: Place, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
                Ok(f(place.lend(space).lend_bytes()?))
            }

            fn as_lent(&self) -> Self::Ref<'_> {
                self
            }

            fn compare_lent(a: &Self::Ref<'_>, b: &Self::Ref<'_>) -> Ordering {
                a.cmp(b)
            }

            fn order() -> Vec<u32> {
                let mut order = Vec::new();
                OrderField::Text.append(0, &mut order);
                order
            }
        }
    )*};
}
text_order!(String Vec<u8>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::plain::with_canonical_bytes;

    fn check<T: Ranked + Ord + std::fmt::Debug>(values: &[T]) {
        for a in values {
            for b in values {
                let rank = |value: &T| with_canonical_bytes(value, T::rank);
                assert_eq!(rank(a).cmp(&rank(b)), a.cmp(b), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn ranks_are_ordered_as_the_values_are() {
        check(&[0u8, 1, 0x7f, 0x80, 255]);
        check(&[i64::MIN, -256, -1, 0, 1, 255, 256, i64::MAX]);
        check(&[u128::MAX, 1 << 64, 1 << 63, 0]);
        check(&[false, true]);
        check(&['\0', 'a', 'é', '\u{d7ff}', '\u{e000}', '\u{10ffff}']);
        check(&[NonZero::new(-5i16).unwrap(), NonZero::new(3).unwrap()]);
        check(&[[1u16, 256, 2], [1, 2, 256], [256, 0, 0], [0, 255, 255]]);
        check(&[(1u8, -1i64, 'x'), (1, -2, 'y'), (0, 5, 'a'), (1, -1, 'a')]);
        check(&[()]);
    }

    #[test]
    fn the_order_of_a_tuple_is_that_of_its_fields() {
        let at = |index| [offset_of!((u32, u64), 0), offset_of!((u32, u64), 1)][index] as u32;
        assert_eq!(<(u32, u64)>::order(), [at(0) << 16 | 4 << 8 | 1, at(1) << 16 | 8 << 8 | 1]);
        assert_eq!(<[u8; 20]>::order(), [20 << 8 | 4]);
        assert_eq!(i32::order(), [4 << 8 | 2]);
        assert_eq!(String::order(), [16 << 8 | 3]);
    }
}
