//! What may stand in a container, how it is lent, copied out and stored.

use crate::journal::Context;
use crate::raw::{Image, Place, Slot, SlotMut, Tail};
use crate::region::layout::RawHeader;
use crate::{Error, Plain, Result};

/// Fetches the content of a string slot during a copy. `None`: the copy was torn, try again.
#[doc(hidden)]
pub type Fetch<'f> = &'f mut dyn FnMut([u64; 2]) -> Option<Result<Vec<u8>>>;

/// A type whose values live in shared containers: every [`Plain`] type, `String`, `Vec<u8>`, and `Option`s of them.
///
/// Sealed: user types become values by `#[derive(Plain)]`.
pub trait Value: Sized + 'static {
    /// How a guard lends it: `&T` for plain types, `&str` for `String`, `&[u8]` for `Vec<u8>`.
    type Ref<'a>;

    /// What stands in the slot.
    #[doc(hidden)]
    type Repr: Copy + 'static;
    /// Where in the slot strings are that own blocks.
    #[doc(hidden)]
    const OWNED: &'static [u32];
    /// May every bit pattern stand in the slot?
    #[doc(hidden)]
    const ANY_BYTES: bool;
    #[doc(hidden)]
    fn schema() -> String;
    #[doc(hidden)]
    fn lend<'a>(slot: Slot<'a>) -> Self::Ref<'a>;
    /// `None`: torn.
    #[doc(hidden)]
    fn take(slot: Slot<'_>, fetch: Fetch<'_>) -> Option<Result<Self>>;
    #[doc(hidden)]
    fn is_valid(slot: Slot<'_>) -> bool;
}

/// A value in any of the forms in which it may be handed in: `&str` for a `String`, `3` for an `Option<u32>` as
/// `Some(3)`, a `&[u8]` for a `Vec<u8>`, each value as itself.
pub trait Store<V: Value> {
    /// Writes it to a slot; blocks come first, so a failure leaves the slot as it was.
    #[doc(hidden)]
    fn store(&self, context: &mut Context, slot: &SlotMut) -> Result<()>;
    /// Appends it to a vector that has room, if that needs nothing but a copy.
    #[doc(hidden)]
    #[inline(always)]
    fn append(&self, _tail: &mut Tail<'_>, _raw: &RawHeader) -> bool {
        false
    }
}

fn invalid() -> Error {
    Error::corrupt(0, "a value's bytes are not a value of its type")
}

impl<T: Plain> Value for T {
    type Ref<'a> = &'a T;
    type Repr = std::mem::MaybeUninit<T>;
    const OWNED: &'static [u32] = &[];
    const ANY_BYTES: bool = T::ANY_BYTES;

    fn schema() -> String {
        T::SCHEMA.to_string()
    }

    #[inline(always)]
    fn lend<'a>(slot: Slot<'a>) -> &'a T {
        slot.lend_plain()
    }

    #[inline(always)]
    fn take(slot: Slot<'_>, _fetch: Fetch<'_>) -> Option<Result<T>> {
        Some(slot.read_plain().ok_or_else(invalid))
    }

    fn is_valid(slot: Slot<'_>) -> bool {
        slot.is_plain::<T>()
    }
}

impl<T: Plain> Store<T> for T {
    #[inline(always)]
    fn store(&self, _context: &mut Context, slot: &SlotMut) -> Result<()> {
        slot.put_plain(self);
        Ok(())
    }

    #[inline(always)]
    fn append(&self, tail: &mut Tail<'_>, raw: &RawHeader) -> bool {
        tail.push(raw, self)
    }
}

impl Value for String {
    type Ref<'a> = &'a str;
    type Repr = [u64; 2];
    const OWNED: &'static [u32] = &[0];
    const ANY_BYTES: bool = false;

    fn schema() -> String {
        "String".into()
    }

    #[inline]
    fn lend<'a>(slot: Slot<'a>) -> &'a str {
        // Cannot fail on an object that was validated; a damaged one shows as empty rather than as a panic.
        slot.lend_text().unwrap_or_default()
    }

    fn take(slot: Slot<'_>, fetch: Fetch<'_>) -> Option<Result<String>> {
        let bytes = fetch(slot.bytes_slot())?;
        Some(bytes.and_then(|bytes| String::from_utf8(bytes).map_err(|_| invalid())))
    }

    fn is_valid(slot: Slot<'_>) -> bool {
        slot.lend_bytes().is_ok_and(|bytes| std::str::from_utf8(bytes).is_ok())
    }
}

impl Value for Vec<u8> {
    type Ref<'a> = &'a [u8];
    type Repr = [u64; 2];
    const OWNED: &'static [u32] = &[0];
    const ANY_BYTES: bool = false;

    fn schema() -> String {
        "Vec<u8>".into()
    }

    #[inline]
    fn lend<'a>(slot: Slot<'a>) -> &'a [u8] {
        slot.lend_bytes().unwrap_or_default()
    }

    fn take(slot: Slot<'_>, fetch: Fetch<'_>) -> Option<Result<Vec<u8>>> {
        fetch(slot.bytes_slot())
    }

    fn is_valid(slot: Slot<'_>) -> bool {
        slot.lend_bytes().is_ok()
    }
}

macro_rules! store_bytes {
    ($($form:ty => $value:ty, $bytes:ident;)*) => {$(
        impl Store<$value> for $form {
            #[inline]
            fn store(&self, context: &mut Context, slot: &SlotMut) -> Result<()> {
                slot.put_bytes(context, self.$bytes())
            }
        }
    )*};
}
store_bytes! {
    String => String, as_bytes;
    &String => String, as_bytes;
    &str => String, as_bytes;
    std::borrow::Cow<'_, str> => String, as_bytes;
    Box<str> => String, as_bytes;
    Vec<u8> => Vec<u8>, as_slice;
    &Vec<u8> => Vec<u8>, as_slice;
    &[u8] => Vec<u8>, as_ref;
}

impl<const N: usize> Store<Vec<u8>> for &[u8; N] {
    fn store(&self, context: &mut Context, slot: &SlotMut) -> Result<()> {
        slot.put_bytes(context, self.as_slice())
    }
}

/// `None` is all zero and owns nothing.
#[doc(hidden)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct OptionRepr<R> {
    tag: u64,
    value: R,
}

impl<V: Value> Value for Option<V> {
    type Ref<'a> = Option<V::Ref<'a>>;
    type Repr = OptionRepr<V::Repr>;
    const OWNED: &'static [u32] = shifted::<V>();
    const ANY_BYTES: bool = false;

    fn schema() -> String {
        format!("Option<{}>", V::schema())
    }

    fn lend<'a>(slot: Slot<'a>) -> Option<V::Ref<'a>> {
        (slot.word() == 1).then(|| V::lend(slot.part(value_at::<V>())))
    }

    fn take(slot: Slot<'_>, fetch: Fetch<'_>) -> Option<Result<Self>> {
        match slot.word() {
            0 => Some(Ok(None)),
            1 => Some(V::take(slot.part(value_at::<V>()), fetch)?.map(Some)),
            _ => Some(Err(invalid())),
        }
    }

    fn is_valid(slot: Slot<'_>) -> bool {
        match slot.word() {
            0 => true,
            1 => V::is_valid(slot.part(value_at::<V>())),
            _ => false,
        }
    }
}

const fn value_at<V: Value>() -> usize {
    std::mem::offset_of!(OptionRepr<V::Repr>, value)
}

/// At most this many owning fields in one option.
const MAX_SHIFTED: usize = 16;

/// `V`'s owning fields, behind the tag.
const fn shifted<V: Value>() -> &'static [u32] {
    struct Shifted<V>(std::marker::PhantomData<V>);
    impl<V: Value> Shifted<V> {
        const ALL: [u32; MAX_SHIFTED] = {
            assert!(V::OWNED.len() <= MAX_SHIFTED, "too many owning fields in an option");
            let mut all = [0; MAX_SHIFTED];
            let mut at = 0;
            while at < V::OWNED.len() {
                all[at] = V::OWNED[at] + value_at::<V>() as u32;
                at += 1;
            }
            all
        };
        const SLICE: &'static [u32] = Self::ALL.split_at(V::OWNED.len()).0;
    }
    Shifted::<V>::SLICE
}

impl<V: Value, U: Store<V>> Store<Option<V>> for Option<U> {
    fn store(&self, context: &mut Context, slot: &SlotMut) -> Result<()> {
        match self {
            None => slot.zero(size_of::<OptionRepr<V::Repr>>()),
            Some(value) => {
                value.store(context, &slot.part(value_at::<V>()))?;
                slot.put_word(1);
            }
        }
        Ok(())
    }
}

/// Copies a value out of its place while others may write it.
#[inline(always)]
pub(super) fn take_torn<V: Value>(
    attempt: &crate::engine::Attempt,
    space: &crate::region::Space,
    place: Place,
) -> Option<Result<V>> {
    let image: Image<V::Repr> = place.image();
    let mut fetch = |words| {
        // The length is believed, and memory taken for it, only if nothing was written meanwhile.
        if !attempt.holds() {
            return None;
        }
        let bytes = crate::raw::copy_out_content(space, words);
        attempt.holds().then_some(bytes)
    };
    V::take(image.slot(space), &mut fetch)
}

/// Copies a value out of its place under a guard.
#[inline(always)]
pub(super) fn take_locked<V: Value>(space: &crate::region::Space, place: Place) -> Result<V> {
    let mut fetch = |words| Some(crate::raw::copy_out_content(space, words));
    V::take(place.lend(space), &mut fetch).unwrap_or_else(|| Err(invalid()))
}
