//! What may stand in a container, how it is lent, copied out and stored.

use super::nested::Nested;
use super::reader::Reader;
use super::text_mut::{BytesMut, StringMut};
use crate::containers::plain::plain_bytes;
use crate::crash::crash_point;
use crate::engine::WriteLock;
use crate::journal::{Context, MOST_BYTES, Single};
use crate::raw::{Image, Owned, OwnedPart, Place, Slot, SlotMut, Tail, release_blocks, reserve_release};
use crate::region::Space;
use crate::region::layout::RawHeader;
use crate::{Error, Plain, Result};

/// A type whose values live in shared containers: every [`Plain`] type, `String`, `Vec<u8>`, `Option`s of values,
/// collections of values at any depth (`Vec`, `VecDeque`, `HashMap`, `HashSet`, `BTreeMap`, `BTreeSet`), and structs and
/// enums of values by `#[derive(Value)]`.
///
/// Sealed: user types become values by `#[derive(Plain)]` or `#[derive(Value)]`.
pub trait Value: Sized + 'static {
    /// How a guard lends it: `&T` for plain types, `&str` for `String`, `&[u8]` for `Vec<u8>`, a view such as
    /// [`VecRef`](crate::VecRef) for a collection.
    type Ref<'a>: Copy;
    /// How a write guard lends it to be changed in place: `&mut T` for plain types, [`StringMut`](crate::StringMut) for
    /// `String`, the write guard of the matching shared collection for a collection.
    type Mut<'a>;

    /// What stands in the slot.
    #[doc(hidden)]
    type Repr: Copy + 'static;
    /// How a `Vec` of it stands in a slot.
    #[doc(hidden)]
    type Row: Row<Self>;
    /// What of the slot owns blocks.
    #[doc(hidden)]
    const OWNED: &'static [Owned];
    /// May every bit pattern stand in the slot?
    #[doc(hidden)]
    const ANY_BYTES: bool;
    /// Does what `lend_mut` lends put into the log what it changes? If not, the slot is there before it is lent.
    #[doc(hidden)]
    const LOGS_ITSELF: bool = false;
    #[doc(hidden)]
    fn schema() -> String;
    #[doc(hidden)]
    fn lend<'a>(slot: Slot<'a>) -> Self::Ref<'a>;
    #[doc(hidden)]
    fn lend_mut<'a>(slot: Opened<'a>) -> Self::Mut<'a>;
    /// `None`: torn.
    #[doc(hidden)]
    fn take(slot: Slot<'_>, reader: &Reader<'_>) -> Option<Result<Self>>;
    #[doc(hidden)]
    fn is_valid(slot: Slot<'_>, reader: &Reader<'_>) -> bool;
}

/// How a `Vec` of a type stands in a slot: as a string slot (`u8`), or as a raw header.
#[doc(hidden)]
pub trait Row<T>: 'static {
    type Ref<'a>: Copy;
    type Mut<'a>;
    type Repr: Copy + 'static;
    const OWNED: &'static [Owned];
    const LOGS_ITSELF: bool;
    fn schema() -> String;
    fn lend<'a>(slot: Slot<'a>) -> Self::Ref<'a>;
    fn lend_mut<'a>(slot: Opened<'a>) -> Self::Mut<'a>;
    fn take(slot: Slot<'_>, reader: &Reader<'_>) -> Option<Result<Vec<T>>>;
    fn is_valid(slot: Slot<'_>, reader: &Reader<'_>) -> bool;
    fn store<U: Store<T>>(items: &[U], context: &mut Context, slot: &SlotMut) -> Result<()>
    where
        T: Value;
}

/// A slot under a write guard that may be changed in place.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Opened<'a> {
    lock: &'a WriteLock<'a>,
    place: Place,
}

impl<'a> Opened<'a> {
    #[inline(always)]
    pub(in crate::containers) fn new(lock: &'a WriteLock<'a>, place: Place) -> Opened<'a> {
        Opened { lock, place }
    }

    /// The slot `bytes` further on, inside the same value.
    #[doc(hidden)]
    #[inline(always)]
    pub fn part(self, bytes: usize) -> Opened<'a> {
        Opened { place: self.place.part(bytes), ..self }
    }

    /// The value as it is now.
    #[doc(hidden)]
    #[inline(always)]
    pub fn slot(self) -> Slot<'a> {
        self.place.lend(self.lock.space())
    }

    /// The nested container that stands here.
    pub(in crate::containers) fn nested(self) -> WriteLock<'a> {
        self.lock.nested(self.place.header())
    }

    /// A copy of the value.
    pub(in crate::containers) fn take_out<V: Value>(self) -> Result<V> {
        take_locked(self.lock.space(), self.place)
    }

    /// Overwrites the value.
    pub(in crate::containers) fn set<V: Value>(self, value: &impl Store<V>) -> Result<()> {
        let parts = self.place.owned_blocks(V::OWNED)?;
        self.lock.with(|context| store_over::<V>(context, value, self.place, &parts))
    }
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
    /// The slots of all items, if they are nothing but the items' bytes.
    #[doc(hidden)]
    #[inline(always)]
    fn as_slots(_items: &[Self]) -> Option<&[u8]>
    where
        Self: Sized,
    {
        None
    }
}

/// Bytes that are no value of their type.
#[doc(hidden)]
#[must_use]
pub fn invalid() -> Error {
    Error::corrupt(0, "a value's bytes are not a value of its type")
}

impl<T: Plain> Value for T {
    type Ref<'a> = &'a T;
    type Mut<'a> = &'a mut T;
    type Repr = std::mem::MaybeUninit<T>;
    type Row = T::Row;
    const OWNED: &'static [Owned] = &[];
    const ANY_BYTES: bool = T::ANY_BYTES;

    fn schema() -> String {
        T::SCHEMA.to_string()
    }

    #[inline(always)]
    fn lend<'a>(slot: Slot<'a>) -> &'a T {
        slot.lend_plain()
    }

    #[inline(always)]
    fn lend_mut<'a>(slot: Opened<'a>) -> &'a mut T {
        slot.place.lend_mut()
    }

    #[inline(always)]
    fn take(slot: Slot<'_>, _reader: &Reader<'_>) -> Option<Result<T>> {
        Some(slot.read_plain().ok_or_else(invalid))
    }

    fn is_valid(slot: Slot<'_>, _reader: &Reader<'_>) -> bool {
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

    #[inline(always)]
    fn as_slots(items: &[T]) -> Option<&[u8]> {
        plain_bytes(items)
    }
}

impl Value for String {
    type Ref<'a> = &'a str;
    type Mut<'a> = StringMut<'a>;
    type Repr = [u64; 2];
    type Row = Nested;
    const OWNED: &'static [Owned] = &[Owned::Text { at: 0 }];
    const ANY_BYTES: bool = false;

    fn schema() -> String {
        "String".into()
    }

    #[inline]
    fn lend<'a>(slot: Slot<'a>) -> &'a str {
        // Cannot fail on an object that was validated; a damaged one shows as empty rather than as a panic.
        slot.lend_text().unwrap_or_default()
    }

    fn lend_mut<'a>(slot: Opened<'a>) -> StringMut<'a> {
        StringMut::new(slot)
    }

    fn take(slot: Slot<'_>, reader: &Reader<'_>) -> Option<Result<String>> {
        let bytes = reader.text(slot.bytes_slot())?;
        Some(bytes.and_then(|bytes| String::from_utf8(bytes).map_err(|_| invalid())))
    }

    fn is_valid(slot: Slot<'_>, reader: &Reader<'_>) -> bool {
        let text = slot.lend_bytes().and_then(|bytes| reader.spend(bytes.len() as u64).map(|()| bytes));
        text.is_ok_and(|bytes| std::str::from_utf8(bytes).is_ok())
    }
}

/// A `Vec<u8>`: a string slot.
#[doc(hidden)]
pub struct Bytes;

impl Row<u8> for Bytes {
    type Ref<'a> = &'a [u8];
    type Mut<'a> = BytesMut<'a>;
    type Repr = [u64; 2];
    const OWNED: &'static [Owned] = &[Owned::Text { at: 0 }];
    const LOGS_ITSELF: bool = false;

    fn schema() -> String {
        "Vec<u8>".into()
    }

    #[inline]
    fn lend<'a>(slot: Slot<'a>) -> &'a [u8] {
        slot.lend_bytes().unwrap_or_default()
    }

    fn lend_mut<'a>(slot: Opened<'a>) -> BytesMut<'a> {
        BytesMut::new(slot)
    }

    fn take(slot: Slot<'_>, reader: &Reader<'_>) -> Option<Result<Vec<u8>>> {
        reader.text(slot.bytes_slot())
    }

    fn is_valid(slot: Slot<'_>, _reader: &Reader<'_>) -> bool {
        slot.lend_bytes().is_ok()
    }

    fn store<U: Store<u8>>(items: &[U], context: &mut Context, slot: &SlotMut) -> Result<()> {
        // Nothing but a `u8` can be stored as one.
        slot.put_bytes(context, U::as_slots(items).ok_or_else(invalid)?)
    }
}

impl<T: Value> Value for Vec<T> {
    type Ref<'a> = <T::Row as Row<T>>::Ref<'a>;
    type Mut<'a> = <T::Row as Row<T>>::Mut<'a>;
    type Repr = <T::Row as Row<T>>::Repr;
    type Row = Nested;
    const OWNED: &'static [Owned] = <T::Row as Row<T>>::OWNED;
    const ANY_BYTES: bool = false;
    const LOGS_ITSELF: bool = <T::Row as Row<T>>::LOGS_ITSELF;

    fn schema() -> String {
        T::Row::schema()
    }

    fn lend<'a>(slot: Slot<'a>) -> Self::Ref<'a> {
        T::Row::lend(slot)
    }

    fn lend_mut<'a>(slot: Opened<'a>) -> Self::Mut<'a> {
        T::Row::lend_mut(slot)
    }

    fn take(slot: Slot<'_>, reader: &Reader<'_>) -> Option<Result<Vec<T>>> {
        T::Row::take(slot, reader)
    }

    fn is_valid(slot: Slot<'_>, reader: &Reader<'_>) -> bool {
        T::Row::is_valid(slot, reader)
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
}

/// What a `Vec` in a slot may be stored from.
macro_rules! store_row {
    ($($form:ty, $item:ident $(, $count:ident)?;)*) => {$(
        impl<T: Value, $item: Store<T>, $(const $count: usize)?> Store<Vec<T>> for $form {
            #[inline]
            fn store(&self, context: &mut Context, slot: &SlotMut) -> Result<()> {
                T::Row::store::<$item>(&self[..], context, slot)
            }
        }
    )*};
}
store_row! {
    &[U], U;
    [U; N], U, N;
    &[U; N], U, N;
}

// Exactly the value's type, so that `Vec::new()` needs no annotation.
impl<T: Value + Store<T>> Store<Vec<T>> for Vec<T> {
    #[inline]
    fn store(&self, context: &mut Context, slot: &SlotMut) -> Result<()> {
        T::Row::store::<T>(self, context, slot)
    }
}

impl<T: Value + Store<T>> Store<Vec<T>> for &Vec<T> {
    #[inline]
    fn store(&self, context: &mut Context, slot: &SlotMut) -> Result<()> {
        T::Row::store::<T>(self, context, slot)
    }
}

/// Writes a value to a slot that is not live. If that fails nothing has been taken from the heap.
#[inline(always)]
pub(in crate::containers) fn store_whole<V: Value>(
    context: &mut Context,
    value: &impl Store<V>,
    slot: &SlotMut,
) -> Result<()> {
    if const { Owned::count(V::OWNED) <= 1 } {
        return value.store(context, slot);
    }
    context.whole(|context| value.store(context, slot))
}

/// Writes a value over another one, which owned `parts` and is in the log. If that fails the slot is as it was.
#[inline(always)]
pub(in crate::containers) fn store_over<V: Value>(
    context: &mut Context,
    value: &impl Store<V>,
    place: Place,
    parts: &[OwnedPart],
) -> Result<()> {
    if const { V::OWNED.is_empty() } {
        return value.store(context, &place.target());
    }
    let mut image = Image::<V::Repr>::zeroed();
    context.whole(|context| {
        value.store(context, &image.target())?;
        // From here on nothing can fail.
        reserve_release(context, parts)
    })?;
    release_blocks(context, parts)?;
    place.fill(&image);
    Ok(())
}

/// May a value be stored over another one by the short way of a change?
pub(in crate::containers) const fn is_short<V: Value>() -> bool {
    V::OWNED.is_empty() && size_of::<V::Repr>() <= MOST_BYTES
}

/// Writes a value over another one by the short way. A word in a place for words is one store, which leaves nothing to be
/// undone; anything else is recorded. False: the value cannot be stored, and nothing has changed.
#[inline(always)]
pub(in crate::containers) fn store_over_shortly<V: Value>(
    single: &mut Single,
    value: &impl Store<V>,
    place: Place,
    aligned: bool,
) -> bool {
    debug_assert!(is_short::<V>());
    let mut image = Image::<V::Repr>::zeroed();
    if value.store(single.context(), &image.target()).is_err() {
        return false;
    }
    if size_of::<V::Repr>() == 8 && aligned {
        crash_point!("value: a word not yet overwritten");
        place.fill_word(&image);
    } else if size_of::<V::Repr>() != 0 {
        place.record::<V::Repr>(single);
        place.fill(&image);
    }
    crash_point!("value: overwritten");
    true
}

/// Copies a value out of its place while others may write it.
#[inline(always)]
pub(in crate::containers) fn take_torn<V: Value>(
    attempt: &crate::engine::Attempt,
    space: &Space,
    place: Place,
) -> Option<Result<V>> {
    let image: Image<V::Repr> = place.image();
    V::take(image.slot(space), &Reader::torn(space, attempt))
}

/// Copies a value out of its place under a guard.
#[inline(always)]
pub(in crate::containers) fn take_locked<V: Value>(space: &Space, place: Place) -> Result<V> {
    V::take(place.lend(space), &Reader::locked(space)).unwrap_or_else(|| Err(invalid()))
}
