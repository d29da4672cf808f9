//! `Option` as a value.

use std::marker::PhantomData;

use super::nested::Nested;
use super::reader::Reader;
use super::value::{Opened, Store, Value, invalid};
use crate::Result;
use crate::journal::Context;
use crate::raw::{Owned, Slot, SlotMut};

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
    type Mut<'a> = OptionMut<'a, V>;
    type Repr = OptionRepr<V::Repr>;
    type Row = Nested;
    const OWNED: &'static [Owned] = if V::OWNED.is_empty() { &[] } else { Shifted::<V>::OWNED };
    const ANY_BYTES: bool = false;

    fn schema() -> String {
        format!("Option<{}>", V::schema())
    }

    fn lend<'a>(slot: Slot<'a>) -> Option<V::Ref<'a>> {
        (slot.word() == 1).then(|| V::lend(slot.part(value_at::<V>())))
    }

    fn lend_mut<'a>(slot: Opened<'a>) -> OptionMut<'a, V> {
        OptionMut { slot, marker: PhantomData }
    }

    fn take(slot: Slot<'_>, reader: &Reader<'_>) -> Option<Result<Self>> {
        match slot.word() {
            0 => Some(Ok(None)),
            1 => Some(V::take(slot.part(value_at::<V>()), reader)?.map(Some)),
            _ => Some(Err(invalid())),
        }
    }

    fn is_valid(slot: Slot<'_>, reader: &Reader<'_>) -> bool {
        match slot.word() {
            0 => true,
            1 => V::is_valid(slot.part(value_at::<V>()), reader),
            _ => false,
        }
    }
}

/// What the value owns, behind the tag.
struct Shifted<V>(PhantomData<V>);

impl<V: Value> Shifted<V> {
    const OWNED: &'static [Owned] = &[Owned::Part { at: value_at::<V>() as u32, fields: V::OWNED }];
}

const fn value_at<V: Value>() -> usize {
    std::mem::offset_of!(OptionRepr<V::Repr>, value)
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

/// An option under a write guard, to be changed in place.
pub struct OptionMut<'a, V> {
    slot: Opened<'a>,
    marker: PhantomData<V>,
}

impl<V: Value> OptionMut<'_, V> {
    /// The value as it is now.
    #[must_use]
    pub fn get(&self) -> Option<V::Ref<'_>> {
        Option::<V>::lend(self.slot.slot())
    }

    /// Is there a value?
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.slot.slot().word() == 1
    }

    /// The value, to be changed in place.
    #[must_use]
    pub fn as_mut(&mut self) -> Option<V::Mut<'_>> {
        self.is_some().then(|| V::lend_mut(self.slot.part(value_at::<V>())))
    }

    /// Overwrites it, by `Some(..)` or `None`.
    ///
    /// # Errors
    /// `OutOfSpace` (nothing has changed then), `RolledBack`.
    pub fn set(&mut self, value: impl Store<Option<V>>) -> Result<()> {
        self.slot.set::<Option<V>>(&value)
    }

    /// Takes the value out and leaves `None`.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn take(&mut self) -> Result<Option<V>> {
        let taken = self.slot.take_out::<Option<V>>()?;
        self.slot.set::<Option<V>>(&Nothing)?;
        Ok(taken)
    }
}

/// `None`, whatever it is that is not there.
struct Nothing;

impl<V: Value> Store<Option<V>> for Nothing {
    fn store(&self, _context: &mut Context, slot: &SlotMut) -> Result<()> {
        slot.zero(size_of::<OptionRepr<V::Repr>>());
        Ok(())
    }
}
