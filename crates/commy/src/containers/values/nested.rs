//! Collections as values: a raw header stands in the parent's slot, is lent as a view under the parent's guard, logged by
//! the same journal and freed with its parent. The lock stays at the root.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;

use super::key::{Key, StoreKey};
use super::ordered_key::OrderedKey;
use super::reader::Reader;
use super::value::{Opened, Row, Store, Value};
use crate::containers::rows::vec::{self, slot_size};
use crate::containers::rows::vec_deque::{self, Side};
use crate::containers::rows::vec_deque_guard::{VecDequeRef, VecDequeWriteGuard};
use crate::containers::rows::vec_guard::{VecRef, VecWriteGuard};
use crate::containers::tables::hash_map::{self, add_in};
use crate::containers::tables::hash_map_guard::{HashMapRef, HashMapWriteGuard};
use crate::containers::tables::hash_set_guard::{HashSetRef, HashSetWriteGuard};
use crate::containers::trees::btree::{self, copy_torn};
use crate::containers::trees::btree_map_guard::{BTreeMapRef, BTreeMapWriteGuard};
use crate::containers::trees::btree_set_guard::{BTreeSetRef, BTreeSetWriteGuard};
use crate::journal::Context;
use crate::raw::{ContainerKind, Deque, Owned, Place, Slot, SlotMut, Table, TableView, Vector, place_in_vector};
use crate::region::Space;
use crate::region::layout::RawHeader;
use crate::{Error, Result};

/// A container in a slot of another one, as a guard of the root lends it.
#[derive(Clone, Copy)]
pub(in crate::containers) struct Lent<'a> {
    space: &'a Space,
    raw: &'a RawHeader,
}

impl<'a> Lent<'a> {
    fn of(slot: Slot<'a>) -> Lent<'a> {
        Lent { space: slot.space(), raw: slot.header() }
    }

    #[inline(always)]
    pub(in crate::containers) fn space(&self) -> &'a Space {
        self.space
    }

    #[inline(always)]
    pub(in crate::containers) fn raw(&self) -> &'a RawHeader {
        self.raw
    }
}

/// A view of a collection that stands in a slot, and its iteration by value.
macro_rules! view {
    ($(#[$doc:meta])* $name:ident, [$($parameter:ident: $bound:path),*], $iter:ident, $item:ty) => {
        $(#[$doc])*
        pub struct $name<'a, $($parameter),*> {
            lock: $crate::containers::values::nested::Lent<'a>,
            marker: std::marker::PhantomData<(*mut (), $($parameter),*)>,
        }

        impl<'a, $($parameter),*> $name<'a, $($parameter),*> {
            pub(in crate::containers) fn new(lock: $crate::containers::values::nested::Lent<'a>) -> Self {
                $name { lock, marker: std::marker::PhantomData }
            }
        }

        impl<$($parameter),*> Clone for $name<'_, $($parameter),*> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($parameter),*> Copy for $name<'_, $($parameter),*> {}

        impl<'a, $($parameter: $bound),*> IntoIterator for $name<'a, $($parameter),*> {
            type Item = $item;
            type IntoIter = $iter<'a, $($parameter),*>;

            fn into_iter(self) -> Self::IntoIter {
                self.iter()
            }
        }
    };
}
pub(in crate::containers) use view;

/// A collection that stands in a slot as a raw header.
#[doc(hidden)]
pub struct Nested;

/// What the collections differ in.
trait Nest: Sized {
    /// The shape word of its raw header.
    const SHAPE: u64;
    /// What each of its slots owns.
    const FIELDS: &'static [Owned];

    fn name() -> String;
    /// Copies all of it; `None`: torn. The header was whole.
    fn copy(raw: &RawHeader, reader: &Reader<'_>) -> Option<Result<Self>>;
    /// Proves that it may be lent.
    fn prove(raw: &RawHeader, reader: &Reader<'_>) -> Result<()>;
}

/// Copies a collection whose header this slot holds.
fn take<C: Nest>(slot: Slot<'_>, reader: &Reader<'_>) -> Option<Result<C>> {
    let raw = RawHeader::of_words(slot.header_words());
    if reader.holds() { C::copy(&raw, reader) } else { None }
}

fn is_valid<C: Nest>(slot: Slot<'_>, reader: &Reader<'_>) -> bool {
    let raw = RawHeader::of_words(slot.header_words());
    raw.shape_word() == C::SHAPE && C::prove(&raw, reader).is_ok()
}

/// What `Value` and `Row` ask of all of them.
macro_rules! nested {
    ($life:lifetime, $type:ty, $view:ty, $guard:ty) => {
        type Ref<$life> = $view;
        type Mut<$life> = $guard;
        type Repr = [u64; 8];
        const OWNED: &'static [Owned] =
            &[Owned::Nested { at: 0, shape: <$type as Nest>::SHAPE, fields: <$type as Nest>::FIELDS }];
        const LOGS_ITSELF: bool = true;

        fn schema() -> String {
            <$type as Nest>::name()
        }

        fn lend<$life>(slot: Slot<$life>) -> $view {
            <$view>::new(Lent::of(slot))
        }

        fn lend_mut<$life>(slot: Opened<$life>) -> $guard {
            <$guard>::new(slot.nested())
        }

        fn take(slot: Slot<'_>, reader: &Reader<'_>) -> Option<Result<$type>> {
            take::<$type>(slot, reader)
        }

        fn is_valid(slot: Slot<'_>, reader: &Reader<'_>) -> bool {
            is_valid::<$type>(slot, reader)
        }
    };
}

/// `Ok(value)`, or the error as what a copy has come to.
macro_rules! unless_error {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return Some(Err(error)),
        }
    };
}

impl<T: Value> Nest for Vec<T> {
    const SHAPE: u64 = vec::shape::<T>(ContainerKind::Vec).pack();
    const FIELDS: &'static [Owned] = T::OWNED;

    fn name() -> String {
        format!("Vec<{}>", T::schema())
    }

    fn copy(raw: &RawHeader, reader: &Reader<'_>) -> Option<Result<Self>> {
        unless_error!(vec::measure::<T>(raw, reader));
        let mut values = Vec::new();
        for index in 0..raw.length() {
            let place = unless_error!(place_in_vector(reader.space, raw, slot_size::<T>(), index))?;
            values.push(unless_error!(reader.value(place)?));
        }
        Some(Ok(values))
    }

    fn prove(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
        vec::prove_in::<T>(raw, reader)
    }
}

impl<T: Value> Row<T> for Nested {
    nested!('a, Vec<T>, VecRef<'a, T>, VecWriteGuard<'a, T>);

    fn store<U: Store<T>>(items: &[U], context: &mut Context, slot: &SlotMut) -> Result<()> {
        let raw = slot.put_header(context, <Vec<T> as Nest>::SHAPE);
        if items.is_empty() {
            return Ok(());
        }
        let vector = Vector::new(context.space, raw, slot_size::<T>());
        vector.move_to(context, items.len() as u64)?;
        match U::as_slots(items) {
            Some(bytes) => vector.fill(bytes, items.len() as u64),
            None => items.iter().try_for_each(|item| vec::push_in::<T>(context, raw, item)),
        }
    }
}

impl<T: Value> Nest for VecDeque<T> {
    const SHAPE: u64 = vec::shape::<T>(ContainerKind::VecDeque).pack();
    const FIELDS: &'static [Owned] = T::OWNED;

    fn name() -> String {
        format!("VecDeque<{}>", T::schema())
    }

    fn copy(raw: &RawHeader, reader: &Reader<'_>) -> Option<Result<Self>> {
        unless_error!(vec_deque::measure::<T>(raw, reader));
        let queue = Deque::new(reader.space, raw, slot_size::<T>());
        let mut values = VecDeque::new();
        for index in 0..raw.length() {
            values.push_back(unless_error!(reader.value(unless_error!(queue.place(index)))?));
        }
        Some(Ok(values))
    }

    fn prove(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
        vec_deque::prove_in::<T>(raw, reader)
    }
}

impl<T: Value> Value for VecDeque<T> {
    type Row = Nested;
    const ANY_BYTES: bool = false;
    nested!('a, VecDeque<T>, VecDequeRef<'a, T>, VecDequeWriteGuard<'a, T>);
}

impl<K: Key + Eq + Hash, V: Value> Nest for HashMap<K, V> {
    const SHAPE: u64 = hash_map::Layout::<K, V>::shape(ContainerKind::HashMap).pack();
    const FIELDS: &'static [Owned] = hash_map::Layout::<K, V>::OWNED;

    fn name() -> String {
        format!("HashMap<{}, {}>", K::schema(), V::schema())
    }

    fn copy(raw: &RawHeader, reader: &Reader<'_>) -> Option<Result<Self>> {
        let mut map = HashMap::new();
        let copied = copy_table(raw, reader, hash_map::Layout::<K, V>::SLOT, |place| {
            let key = unless_error!(reader.value(place)?);
            let value = unless_error!(reader.value(place.part(hash_map::Layout::<K, V>::VALUE_AT))?);
            map.insert(key, value);
            Some(Ok(()))
        });
        Some(copied?.map(|()| map))
    }

    fn prove(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
        hash_map::prove_in::<K, V>(raw, reader)
    }
}

/// Hands the full slots of a table, which may be changing, to `copy`.
fn copy_table(
    raw: &RawHeader,
    reader: &Reader<'_>,
    slot_size: u64,
    mut copy: impl FnMut(Place) -> Option<Result<()>>,
) -> Option<Result<()>> {
    let Some(view) = unless_error!(TableView::read(reader.space, raw, slot_size)) else { return Some(Ok(())) };
    unless_error!(reader.spend(view.slots().saturating_mul(slot_size)));
    for group in 0..view.groups() {
        let mut left = view.full_slots(group);
        while left != 0 {
            unless_error!(copy(Place::in_table(&view, group, left.trailing_zeros()))?);
            left &= left - 1;
        }
    }
    Some(Ok(()))
}

impl<K: Key + Eq + Hash, V: Value> Value for HashMap<K, V> {
    type Row = Nested;
    const ANY_BYTES: bool = false;
    nested!('a, HashMap<K, V>, HashMapRef<'a, K, V>, HashMapWriteGuard<'a, K, V>);
}

impl<K: Key + Eq + Hash> Nest for HashSet<K> {
    const SHAPE: u64 = hash_map::Layout::<K, ()>::shape(ContainerKind::HashSet).pack();
    const FIELDS: &'static [Owned] = K::OWNED;

    fn name() -> String {
        format!("HashSet<{}>", K::schema())
    }

    fn copy(raw: &RawHeader, reader: &Reader<'_>) -> Option<Result<Self>> {
        let mut set = HashSet::new();
        let copied = copy_table(raw, reader, hash_map::Layout::<K, ()>::SLOT, |place| {
            set.insert(unless_error!(reader.value(place)?));
            Some(Ok(()))
        });
        Some(copied?.map(|()| set))
    }

    fn prove(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
        hash_map::prove_in::<K, ()>(raw, reader)
    }
}

impl<K: Key + Eq + Hash> Value for HashSet<K> {
    type Row = Nested;
    const ANY_BYTES: bool = false;
    nested!('a, HashSet<K>, HashSetRef<'a, K>, HashSetWriteGuard<'a, K>);
}

impl<K: OrderedKey, V: Value> Nest for BTreeMap<K, V> {
    const SHAPE: u64 = btree::Layout::<K, V>::shape(ContainerKind::BTreeMap).pack();
    const FIELDS: &'static [Owned] = btree::Layout::<K, V>::OWNED;

    fn name() -> String {
        format!("BTreeMap<{}, {}>", K::schema(), V::schema())
    }

    fn copy(raw: &RawHeader, reader: &Reader<'_>) -> Option<Result<Self>> {
        let entries = copy_torn::<K, V>(reader, raw, btree::ALL)?;
        Some(entries.map(BTreeMap::from_iter))
    }

    fn prove(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
        btree::prove_in::<K, V>(raw, reader)
    }
}

impl<K: OrderedKey, V: Value> Value for BTreeMap<K, V> {
    type Row = Nested;
    const ANY_BYTES: bool = false;
    nested!('a, BTreeMap<K, V>, BTreeMapRef<'a, K, V>, BTreeMapWriteGuard<'a, K, V>);
}

impl<K: OrderedKey> Nest for BTreeSet<K> {
    const SHAPE: u64 = btree::Layout::<K, ()>::shape(ContainerKind::BTreeSet).pack();
    const FIELDS: &'static [Owned] = K::OWNED;

    fn name() -> String {
        format!("BTreeSet<{}>", K::schema())
    }

    fn copy(raw: &RawHeader, reader: &Reader<'_>) -> Option<Result<Self>> {
        let entries = copy_torn::<K, ()>(reader, raw, btree::ALL)?;
        Some(entries.map(|entries| entries.into_iter().map(|(key, ())| key).collect()))
    }

    fn prove(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
        btree::prove_in::<K, ()>(raw, reader)
    }
}

impl<K: OrderedKey> Value for BTreeSet<K> {
    type Row = Nested;
    const ANY_BYTES: bool = false;
    nested!('a, BTreeSet<K>, BTreeSetRef<'a, K>, BTreeSetWriteGuard<'a, K>);
}

/// A collection of this process can be stored as it is, and by reference.
macro_rules! store {
    ([$($generics:tt)*] $from:ty => $value:ty, $fill:ident) => {
        impl<$($generics)*> Store<$value> for $from {
            fn store(&self, context: &mut Context, slot: &SlotMut) -> Result<()> {
                let raw = slot.put_header(context, <$value as Nest>::SHAPE);
                $fill(self, context, raw)
            }
        }

        impl<$($generics)*> Store<$value> for &$from {
            fn store(&self, context: &mut Context, slot: &SlotMut) -> Result<()> {
                (**self).store(context, slot)
            }
        }
    };
}
store!([T: Value + Store<T>] VecDeque<T> => VecDeque<T>, fill_deque);
store!([K: StoreKey<K> + Key + Eq + Hash, V: Value + Store<V>, S: 'static] HashMap<K, V, S> => HashMap<K, V>, fill_map);
store!([K: StoreKey<K> + Key + Eq + Hash, S: 'static] HashSet<K, S> => HashSet<K>, fill_set);
store!([K: StoreKey<K> + OrderedKey, V: Value + Store<V>] BTreeMap<K, V> => BTreeMap<K, V>, fill_tree);
store!([K: StoreKey<K> + OrderedKey] BTreeSet<K> => BTreeSet<K>, fill_tree_set);

fn fill_deque<T: Value + Store<T>>(from: &VecDeque<T>, context: &mut Context, raw: &RawHeader) -> Result<()> {
    Deque::new(context.space, raw, slot_size::<T>()).reserve(context, from.len() as u64)?;
    from.iter().try_for_each(|item| vec_deque::push_in::<T>(context, raw, Side::Back, item))
}

fn fill_table<'i, K, V>(
    entries: impl ExactSizeIterator<Item = (&'i K, &'i V)>,
    context: &mut Context,
    raw: &RawHeader,
) -> Result<()>
where
    K: Key + StoreKey<K>,
    V: Value + Store<V>,
{
    if entries.len() > 0 {
        Table::new(context.space, raw, hash_map::Layout::<K, V>::SLOT).grow(context, entries.len() as u64)?;
    }
    for (key, value) in entries {
        StoreKey::with_bytes(key, |bytes| add_in::<K, V>(context, raw, bytes, key, value))?;
    }
    Ok(())
}

fn fill_map<K, V, S>(from: &HashMap<K, V, S>, context: &mut Context, raw: &RawHeader) -> Result<()>
where
    K: Key + StoreKey<K>,
    V: Value + Store<V>,
{
    fill_table(from.iter(), context, raw)
}

fn fill_set<K: Key + StoreKey<K>, S>(from: &HashSet<K, S>, context: &mut Context, raw: &RawHeader) -> Result<()> {
    fill_table(from.iter().map(|key| (key, &())), context, raw)
}

fn fill_tree<K, V>(from: &BTreeMap<K, V>, context: &mut Context, raw: &RawHeader) -> Result<()>
where
    K: OrderedKey + StoreKey<K>,
    V: Value + Store<V>,
{
    fill_ordered(from.iter(), context, raw)
}

fn fill_tree_set<K: OrderedKey + StoreKey<K>>(
    from: &BTreeSet<K>,
    context: &mut Context,
    raw: &RawHeader,
) -> Result<()> {
    fill_ordered(from.iter().map(|key| (key, &())), context, raw)
}

fn fill_ordered<'i, K, V>(
    mut entries: impl Iterator<Item = (&'i K, &'i V)>,
    context: &mut Context,
    raw: &RawHeader,
) -> Result<()>
where
    K: OrderedKey + StoreKey<K>,
    V: Value + Store<V>,
{
    entries.try_for_each(|(key, value)| {
        let insert = |bytes: &[u8]| btree::insert_in::<K, V>(context, raw, bytes, key, value);
        StoreKey::with_bytes(key, insert).map(drop)
    })
}

/// Something in a container that came from a file is no value of its type.
pub(in crate::containers) fn no_value(raw: &RawHeader) -> Error {
    Error::corrupt(raw.data_offset(), "an element is not a value of its type")
}
