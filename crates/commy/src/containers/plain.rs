//! `Plain`: values that are their bytes, so that a region can hold them as they are.
//!
//! Owns the rule what may lie in a slot: a fixed layout, no address, alignment of at most 16, padding always written
//! as zeros, and bytes of a file become a value only after [`Plain::is_valid`].

use super::schema::{Field, Schema, SchemaKind};
use super::values::nested::Nested;
use super::values::value::{Bytes, Row};
use std::mem::{offset_of, size_of};
use std::num::NonZero;
use std::ptr;

/// The largest alignment a region serves.
const MAX_ALIGN: usize = 16;

/// A value that is its bytes: it means the same in every process, and a copy of the bytes is a copy of the value.
///
/// Integers of fixed width, floats, `bool`, `char`, `NonZero`, and arrays and tuples (up to 8 elements) of those are
/// `Plain`. Structs and enums without fields become so by the derive, which needs no `unsafe`:
/// ```
/// use commy::Plain;
///
/// #[derive(Clone, Copy, Plain)]
/// #[repr(u8)]
/// enum Kind { Low = 1, High = 2 }
///
/// #[derive(Clone, Copy, Plain)]
/// #[repr(C)]
/// struct Task { id: u64, kind: Kind, weights: [f32; 3] }
///
/// assert_eq!(
///     Task::SCHEMA.to_string(),
///     "Task { id: u64 @0, kind: Kind: u8 { Low = 1, High = 2 } @8, weights: [f32; 3] @12 } #24",
/// );
/// assert!(!Task::is_valid(&[0; 24])); // 0 is no `Kind`
/// ```
///
/// What has a meaning in one process only does not compile. Not `&'static str`, nor any other reference:
/// ```compile_fail,E0277
/// # use commy::Plain;
/// #[derive(Clone, Copy, Plain)]
/// #[repr(C)]
/// struct Task { id: u64, name: &'static str }
/// ```
/// ```compile_fail,E0277
/// # use commy::Plain;
/// #[derive(Clone, Copy, Plain)]
/// #[repr(C)]
/// struct Task { id: u64, parent: &'static u64 }
/// ```
/// ```compile_fail
/// # use commy::Plain;
/// #[derive(Clone, Copy, Plain)]
/// #[repr(C)]
/// struct Task<'a> { id: u64, parent: &'a u64 }
/// ```
/// Not a pointer or a function:
/// ```compile_fail,E0277
/// # use commy::Plain;
/// #[derive(Clone, Copy, Plain)]
/// #[repr(C)]
/// struct Task { id: u64, parent: *const u64 }
/// ```
/// ```compile_fail,E0277
/// # use commy::Plain;
/// #[derive(Clone, Copy, Plain)]
/// #[repr(C)]
/// struct Task { id: u64, run: fn() }
/// ```
/// Not what owns memory of this process (`String` is a type of its own in a region):
/// ```compile_fail
/// # use commy::Plain;
/// #[derive(Clone, Plain)]
/// #[repr(C)]
/// struct Task { id: u64, name: String }
/// ```
/// Not `usize`, whose width differs between builds:
/// ```compile_fail,E0277
/// # use commy::Plain;
/// #[derive(Clone, Copy, Plain)]
/// #[repr(C)]
/// struct Task { id: usize }
/// ```
/// Not a layout that the compiler may choose anew each time:
/// ```compile_fail
/// # use commy::Plain;
/// #[derive(Clone, Copy, Plain)]
/// struct Task { id: u64, kind: u32 }
/// ```
/// ```compile_fail
/// # use commy::Plain;
/// #[derive(Clone, Copy, Plain)]
/// enum Kind { Low, High }
/// ```
/// Not a union, and nothing aligned to more than 16 bytes:
/// ```compile_fail
/// # use commy::Plain;
/// #[derive(Clone, Copy, Plain)]
/// #[repr(C)]
/// union Either { number: u32, float: f32 }
/// ```
/// ```compile_fail,E0080
/// # use commy::Plain;
/// #[derive(Clone, Copy, Plain)]
/// #[repr(C, align(32))]
/// struct Wide { id: u64 }
/// ```
///
/// # Safety
/// Whoever implements `Plain` by hand promises:
/// - *PL1* No bit of a value is an address, handle or reference: it keeps its meaning in every process, at any time.
/// - *PL2* The layout is fixed (`repr`), `SCHEMA` tells it truthfully, and the alignment is at most 16.
/// - *PL3* `is_valid(bytes)` implies that there are `size_of::<Self>()` bytes and that, whatever padding holds, they
///   are a valid value. It looks at nothing else.
/// - *PL4* `ANY_BYTES` implies that every pattern of initialised bytes is a valid value.
/// - *PL5* `!HAS_PADDING` implies that every byte of every value is initialised.
/// - *PL6* `write_to` writes the bytes of all fields where `Self` has them, and no byte of padding.
/// - *PL7* `Self` has no interior mutability and is `Send + Sync`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot lie in a region as it is: it is not `Plain`",
    label = "not `Plain`",
    note = "`Plain` are integers of fixed width (u64, not usize: its width differs between builds), floats, `bool`, \
            `char`, `NonZero`, arrays and tuples of those (up to 8 elements), and types with `#[derive(Plain)]`",
    note = "references, pointers, and what owns memory of this process mean nothing to another process"
)]
pub unsafe trait Plain: Copy + 'static {
    /// How the type lies in memory; its text is stored beside each object and compared when one is opened.
    const SCHEMA: Schema;

    /// Whether every pattern of bytes is a value: no `bool`, `char`, `NonZero` or enum inside.
    const ANY_BYTES: bool;

    /// Whether some byte belongs to no field. If not, copying the value as a whole writes what [`Plain::write_to`] does.
    #[doc(hidden)]
    const HAS_PADDING: bool;

    /// How a `Vec` of it stands in a slot.
    #[doc(hidden)]
    type Row: Row<Self>;

    /// Whether these bytes are a value; `false` if there are not `size_of::<Self>()` of them.
    fn is_valid(bytes: &[u8]) -> bool;

    /// Writes the value field by field into zeroed bytes, so that padding never carries this process' memory along.
    ///
    /// # Panics
    /// If there are not `size_of::<Self>()` bytes.
    fn write_to(&self, bytes: &mut [u8]);
}

/// `align_of::<T>()`; does not compile if it is more than a region serves.
#[doc(hidden)]
pub const fn checked_align<T>() -> usize {
    assert!(align_of::<T>() <= MAX_ALIGN, "a region aligns values to at most 16 bytes");
    align_of::<T>()
}

/// The bytes of some values, if they are nothing but what a region would hold.
#[inline(always)]
pub(crate) fn plain_bytes<T: Plain>(values: &[T]) -> Option<&[u8]> {
    // SAFETY: without padding every byte of a plain value is initialised.
    let bytes = || unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) };
    (!T::HAS_PADDING).then(bytes)
}

/// Runs `f` with the value's bytes, padding zero.
#[inline(always)]
pub(crate) fn with_canonical_bytes<T: Plain, R>(value: &T, f: impl FnOnce(&[u8]) -> R) -> R {
    if !T::HAS_PADDING {
        // SAFETY: without padding every byte of a plain value is initialised.
        return f(unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) });
    }
    let mut small = [0u8; 64];
    match small.get_mut(..size_of::<T>()) {
        Some(bytes) => {
            value.write_to(bytes);
            f(bytes)
        }
        None => {
            let mut bytes = vec![0u8; size_of::<T>()];
            value.write_to(&mut bytes);
            f(&bytes)
        }
    }
}

/// [`Plain::write_to`] for a type without padding.
#[doc(hidden)]
#[inline]
pub fn copy_bytes<T: Plain>(value: &T, bytes: &mut [u8]) {
    assert!(!T::HAS_PADDING);
    assert_eq!(bytes.len(), size_of::<T>());
    // SAFETY: PL5, all bytes of `value` are initialised; both sides have `size_of::<T>()` bytes, and a `&mut` is apart.
    unsafe { ptr::copy_nonoverlapping(ptr::from_ref(value).cast(), bytes.as_mut_ptr(), bytes.len()) }
}

/// The bytes of a field of type `T`.
#[doc(hidden)]
#[inline]
pub fn field_mut<T>(bytes: &mut [u8], offset: usize) -> &mut [u8] {
    &mut bytes[offset..][..size_of::<T>()]
}

/// [`Plain::is_valid`] for a field of type `T`.
#[doc(hidden)]
#[inline]
pub fn field_is_valid<T: Plain>(bytes: &[u8], offset: usize) -> bool {
    let field = bytes.get(offset..).and_then(|rest| rest.get(..size_of::<T>()));
    field.is_some_and(T::is_valid)
}

/// Implements `Plain` for types without padding: `type, name, any bytes, check of an array of their size`.
macro_rules! primitive {
    ($($type:ty, $name:expr, $any:expr, $check:expr, $row:ty;)*) => {$(
        // SAFETY: PL1, a number, `bool` or `char`. PL2, its layout is defined by the language, alignment is checked.
        // PL3, PL4, `$check` is the type's validity; numbers have none. PL5, no padding. PL6, one copy. PL7, a scalar.
        unsafe impl Plain for $type {
            const SCHEMA: Schema = Schema {
                name: $name,
                size: size_of::<Self>(),
                align: checked_align::<Self>(),
                kind: SchemaKind::Primitive,
            };
            const ANY_BYTES: bool = $any;
            const HAS_PADDING: bool = false;
            type Row = $row;

            #[inline]
            fn is_valid(bytes: &[u8]) -> bool {
                let check: fn([u8; size_of::<$type>()]) -> bool = $check;
                bytes.try_into().is_ok_and(check)
            }

            #[inline]
            fn write_to(&self, bytes: &mut [u8]) {
                copy_bytes(self, bytes);
            }
        }
    )*};
}

macro_rules! integer {
    ($($type:ident $non_zero:literal $row:ident)*) => {
        primitive! {$(
            $type, stringify!($type), true, |_| true, $row;
            NonZero<$type>, $non_zero, false, |bytes| $type::from_le_bytes(bytes) != 0, Nested;
        )*}
    };
}

integer! {
    u8 "NonZeroU8" Bytes u16 "NonZeroU16" Nested u32 "NonZeroU32" Nested u64 "NonZeroU64" Nested
    u128 "NonZeroU128" Nested i8 "NonZeroI8" Nested i16 "NonZeroI16" Nested i32 "NonZeroI32" Nested
    i64 "NonZeroI64" Nested i128 "NonZeroI128" Nested
}

primitive! {
    f32, "f32", true, |_| true, Nested;
    f64, "f64", true, |_| true, Nested;
    bool, "bool", false, |[byte]| byte <= 1, Nested;
    char, "char", false, |bytes| char::from_u32(u32::from_le_bytes(bytes)).is_some(), Nested;
}

// SAFETY: PL1 to PL5 and PL7 as the element, an array adds no bytes. PL6, each element is written in its place.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {
    const SCHEMA: Schema = Schema {
        name: "",
        size: size_of::<Self>(),
        align: checked_align::<Self>(),
        kind: SchemaKind::Array(&T::SCHEMA, N),
    };
    const ANY_BYTES: bool = T::ANY_BYTES;
    const HAS_PADDING: bool = T::HAS_PADDING;
    type Row = Nested;

    fn is_valid(bytes: &[u8]) -> bool {
        if bytes.len() != size_of::<Self>() {
            return false;
        }
        if size_of::<T>() == 0 {
            return N == 0 || T::is_valid(bytes);
        }
        T::ANY_BYTES || bytes.chunks_exact(size_of::<T>()).all(T::is_valid)
    }

    #[inline]
    fn write_to(&self, bytes: &mut [u8]) {
        if !Self::HAS_PADDING {
            return copy_bytes(self, bytes);
        }
        assert_eq!(bytes.len(), size_of::<Self>());
        for (index, element) in self.iter().enumerate() {
            element.write_to(field_mut::<T>(bytes, index * size_of::<T>()));
        }
    }
}

macro_rules! tuple {
    ($($type:ident $index:tt),*) => {
        // SAFETY: PL1, PL7 as the elements. PL2, `offset_of!` tells the real layout, which may differ between builds,
        // so the schema is compared. PL3, PL4, all elements are looked at. PL5, padding is what the elements' sizes
        // leave. PL6, each element is written in its place.
        unsafe impl<$($type: Plain),*> Plain for ($($type,)*) {
            const SCHEMA: Schema = Schema {
                name: "",
                size: size_of::<Self>(),
                align: checked_align::<Self>(),
                kind: SchemaKind::Tuple(const { &[$(
                    Field {
                        name: stringify!($index),
                        offset: offset_of!(Self, $index),
                        schema: &$type::SCHEMA,
                    },
                )*] }),
            };
            const ANY_BYTES: bool = true $(&& $type::ANY_BYTES)*;
            const HAS_PADDING: bool =
                false $(|| $type::HAS_PADDING)* || 0 $(+ size_of::<$type>())* != size_of::<Self>();
            type Row = Nested;

            #[inline]
            fn is_valid(bytes: &[u8]) -> bool {
                bytes.len() == size_of::<Self>()
                    && (Self::ANY_BYTES || (true $(&& field_is_valid::<$type>(bytes, offset_of!(Self, $index)))*))
            }

            #[inline]
            fn write_to(&self, bytes: &mut [u8]) {
                if !Self::HAS_PADDING {
                    return copy_bytes(self, bytes);
                }
                assert_eq!(bytes.len(), size_of::<Self>());
                $(self.$index.write_to(field_mut::<$type>(bytes, offset_of!(Self, $index)));)*
            }
        }
    };
}

tuple!();
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Debug;

    /// Writes `value` over zeros, checks the bytes, reads it back.
    #[track_caller]
    fn round_trip<T: Plain + PartialEq + Debug>(value: T) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<T>()];
        value.write_to(&mut bytes);
        assert!(T::is_valid(&bytes), "{value:?}");
        assert!(!T::is_valid(&[&bytes[..], &[0]].concat()), "a byte too many");
        assert!(bytes.is_empty() || !T::is_valid(&bytes[1..]), "a byte too few");
        // SAFETY: PL3, the bytes are valid and as many as `T` has.
        let read = unsafe { bytes.as_ptr().cast::<T>().read_unaligned() };
        assert_eq!(read, value);
        assert_eq!((T::SCHEMA.size, T::SCHEMA.align), (size_of::<T>(), align_of::<T>()));
        bytes
    }

    #[test]
    fn a_value_written_is_the_value_read() {
        assert_eq!(round_trip(0x0102_0304_u32), [4, 3, 2, 1]);
        round_trip(-5_i128);
        round_trip(u128::MAX);
        round_trip(f64::INFINITY);
        round_trip(true);
        round_trip('\u{10ffff}');
        round_trip(NonZero::<i16>::MIN);
        round_trip([1_u16; 0]);
        round_trip([[(); 3]; 2]);
        round_trip([[false; 0]; 3]);
        round_trip([(1_u8, 'x'), (2, 'y')]);
        round_trip(());
        round_trip((7_u8,));
        round_trip((1_u8, 2_u16, 3_u32, 4_u64, true, 'c', [1.5_f32; 3], ((1_i8, 2_i64), 3_u8)));
    }

    #[test]
    fn invalid_bytes_are_refused() {
        assert!(!bool::is_valid(&[2]));
        assert!(!char::is_valid(&0xd800_u32.to_le_bytes()));
        assert!(!char::is_valid(&[0xff; 4]));
        assert!(!NonZero::<u64>::is_valid(&[0; 8]));
        assert!(!<[bool; 3]>::is_valid(&[0, 1, 2]));
        for at in 0..size_of::<(u8, bool, u32)>() {
            let mut bytes = [0; size_of::<(u8, bool, u32)>()];
            bytes[at] = 0x80;
            let is_the_bool = at == offset_of!((u8, bool, u32), 1);
            assert_eq!(<(u8, bool, u32)>::is_valid(&bytes), !is_the_bool, "byte {at}");
        }
    }

    #[test]
    fn padding_is_known_and_stays_zero() {
        const { assert!(<(u8, u64, u8)>::HAS_PADDING && <[(u8, u16); 2]>::HAS_PADDING && <((u8, u16),)>::HAS_PADDING) }
        const { assert!(!<(u32, u16, u16)>::HAS_PADDING && !<[u128; 3]>::HAS_PADDING && !<()>::HAS_PADDING) }
        let bytes = round_trip([(0xff_u8, u64::MAX, 0xff_u8); 2]);
        assert_eq!(bytes.iter().filter(|byte| **byte == 0).count(), 2 * 6);
        assert_eq!(bytes.iter().filter(|byte| **byte == 0xff).count(), 2 * 10);
    }

    #[test]
    fn any_bytes_means_that_nothing_is_refused() {
        const { assert!(<(u8, [f64; 2])>::ANY_BYTES && <()>::ANY_BYTES) }
        const { assert!(!<(u8, [bool; 2])>::ANY_BYTES && !char::ANY_BYTES && !NonZero::<u8>::ANY_BYTES) }
        assert!(<(u8, [f64; 2])>::is_valid(&[0xff; 24]));
    }

    #[test]
    fn a_schema_reads_as_the_type() {
        let offsets = (offset_of!((u32, u64), 0), offset_of!((u32, u64), 1));
        let expected = [
            (u64::SCHEMA, "u64".to_owned()),
            (NonZero::<u32>::SCHEMA, "NonZeroU32".to_owned()),
            (<[[u64; 4]; 2]>::SCHEMA, "[[u64; 4]; 2]".to_owned()),
            (<(u32, u64)>::SCHEMA, format!("(u32 @{}, u64 @{})#16", offsets.0, offsets.1)),
            (<(bool,)>::SCHEMA, "(bool @0)#1".to_owned()),
            (<()>::SCHEMA, "()#0".to_owned()),
        ];
        for (schema, text) in expected {
            assert_eq!(schema.to_string(), text);
        }
    }

    #[test]
    #[should_panic]
    fn a_value_is_not_written_past_its_slot() {
        1_u64.write_to(&mut [0; 7]);
    }
}
