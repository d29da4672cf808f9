//! What ordered maps and sets share: changes of a tree under its lock, copies and walks. A set is a map to `()`.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};

use crate::containers::values::key::Lookup;
use crate::containers::values::nested::no_value;
use crate::containers::values::ordered_key::OrderedKey;
use crate::containers::values::reader::Reader;
use crate::containers::values::value::{Store, Value, store_over, take_locked, take_torn};
use crate::engine::{Attempt, Object};
use crate::journal::Context;
use crate::raw::{
    BLOCKS_ROOM, ContainerKind, Descriptor, Ends, Image, Owned, Place, Position, Search, Shape, Tree, TreeLayout,
    TreeView, prove, release_blocks, release_room,
};
use crate::region::Space;
use crate::region::layout::RawHeader;
use crate::{Error, Result};

/// Numbers of a tree type.
pub(in crate::containers) struct Layout<K, V>(PhantomData<(K, V)>);

impl<K: OrderedKey, V: Value> Layout<K, V> {
    const KEY: u64 = size_of::<K::Repr>() as u64;
    const VALUE: u64 = size_of::<V::Repr>() as u64;
    pub(in crate::containers) const TREE: TreeLayout = TreeLayout::new(K::TEXT, Self::KEY, Self::VALUE);

    /// What a slot (the key, then, 8-aligned, the value) owns.
    pub(in crate::containers) const OWNED: &'static [Owned] = &[
        Owned::Part { at: 0, fields: K::OWNED },
        Owned::Part { at: TreeLayout::value_at(Self::KEY) as u32, fields: V::OWNED },
    ];

    /// The shape of such a tree.
    pub(in crate::containers) const fn shape(kind: ContainerKind) -> Shape {
        let slot_size = TreeLayout::value_at(Self::KEY) + Self::VALUE;
        Shape { kind, text_key: K::TEXT, key_size: Self::KEY, slot_size }
    }

    pub(in crate::containers) fn descriptor(kind: ContainerKind, text: String) -> Descriptor {
        const { assert!(size_of::<K::Repr>() <= 0xffff, "a key is too large") };
        const { assert!(Owned::fits(Self::OWNED), "a value owns too much") }
        Descriptor { shape: Self::shape(kind), owned: Owned::words(Self::OWNED), order: K::order(), text }
    }

    #[inline(always)]
    pub(in crate::containers) fn tree<'a>(space: &'a Space, raw: &'a RawHeader) -> Tree<'a> {
        Tree::new(space, raw, Self::TREE)
    }

    #[inline(always)]
    pub(in crate::containers) fn key(position: &Position) -> Place {
        Place::fresh(position.key(&Self::TREE))
    }

    #[inline(always)]
    pub(in crate::containers) fn value(position: &Position) -> Place {
        Place::fresh(position.value(&Self::TREE))
    }
}

/// How stored keys relate to the one with these canonical bytes.
#[inline(always)]
pub(in crate::containers) fn to<'s, K: OrderedKey>(
    space: &'s Space,
    bytes: &'s [u8],
) -> impl Fn(*const u8) -> Ordering + Copy + 's {
    let probe = K::probe(bytes);
    move |key| K::compare(space, Place::fresh(key.cast_mut()), probe)
}

/// Where a key is or would be, in a tree that nobody changes.
#[inline(always)]
pub(in crate::containers) fn find_in<K: OrderedKey, V: Value>(
    space: &Space,
    raw: &RawHeader,
    bytes: &[u8],
) -> Result<Search> {
    Layout::<K, V>::tree(space, raw).find(to::<K>(space, bytes))
}

pub(in crate::containers) fn damaged(raw: &RawHeader) -> Error {
    Error::corrupt(raw.data_offset(), "a tree's nodes are damaged")
}

/// Overwrites the value at a position.
pub(in crate::containers) fn set_value_in<K: OrderedKey, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    position: &Position,
    value: &impl Store<V>,
) -> Result<()> {
    Layout::<K, V>::tree(context.actor.space, raw).open_value(context, position)?;
    let place = Layout::<K, V>::value(position);
    let blocks = place.owned_blocks(V::OWNED)?;
    store_over::<V>(context, value, place, &blocks)
}

/// Adds a key that is not there.
#[inline(always)]
pub(in crate::containers) fn add_in<K: OrderedKey, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    search: &Search,
    bytes: &[u8],
    key: &impl Store<K>,
    value: &impl Store<V>,
) -> Result<Position> {
    let space = context.actor.space;
    let tree = Layout::<K, V>::tree(space, raw);
    let splits = match search {
        Search::Empty => {
            tree.touch(context)?;
            false
        }
        Search::Absent(position) => tree.open_insert(context, position, to::<K>(space, bytes))?,
        Search::Found(_) => return Err(damaged(raw)),
    };
    if splits {
        context.reserve_log(BLOCKS_ROOM)?;
    } else if !K::OWNED.is_empty() || !V::OWNED.is_empty() || matches!(search, Search::Empty) {
        // Room to take blocks back, should there be none for the rest.
        context.reserve_log(512)?;
    }
    let add = |context: &mut Context| {
        let (mut key_slot, mut value_slot) = (Image::<K::Repr>::zeroed(), Image::<V::Repr>::zeroed());
        key.store(context, &key_slot.target())?;
        value.store(context, &value_slot.target())?;
        let slots = (key_slot.address(), value_slot.address());
        match search {
            Search::Absent(position) if !splits => {
                tree.insert(position, slots.0, slots.1);
                Ok(*position)
            }
            Search::Absent(position) => tree.insert_with_split(context, position, to::<K>(space, bytes), bytes, slots),
            _ => tree.plant(context, slots),
        }
    };
    if const { K::OWNED.is_empty() && V::OWNED.is_empty() } { add(context) } else { context.whole(add) }
}

/// Inserts or overwrites; the old value.
#[inline(always)]
pub(in crate::containers) fn insert_in<K: OrderedKey, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    bytes: &[u8],
    key: &impl Store<K>,
    value: &impl Store<V>,
) -> Result<Option<V>> {
    let space = context.actor.space;
    let search = find_in::<K, V>(space, raw, bytes)?;
    let Search::Found(position) = search else {
        return add_in::<K, V>(context, raw, &search, bytes, key, value).map(|_| None);
    };
    let old = take_locked(space, Layout::<K, V>::value(&position))?;
    set_value_in::<K, V>(context, raw, &position, value)?;
    Ok(Some(old))
}

/// Takes the entry at a position out; `bytes` is its key.
pub(in crate::containers) fn erase_in<K: OrderedKey, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    position: &Position,
    bytes: &[u8],
) -> Result<()> {
    let space = context.actor.space;
    let tree = Layout::<K, V>::tree(space, raw);
    let compare = to::<K>(space, bytes);
    let mut blocks = Layout::<K, V>::key(position).owned_blocks(K::OWNED)?;
    blocks.extend(Layout::<K, V>::value(position).owned_blocks(V::OWNED)?);
    let balances = tree.open_remove(context, position, compare)?;
    let room = release_room(&blocks);
    context.reserve_log(if balances { BLOCKS_ROOM + room } else { room })?;
    if balances {
        tree.remove_and_balance(context, position, compare)?;
    } else {
        tree.remove(position);
    }
    release_blocks(context, &blocks)
}

/// Takes a key out; its value.
pub(in crate::containers) fn remove_in<K: OrderedKey, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    bytes: &[u8],
) -> Result<Option<V>> {
    let space = context.actor.space;
    let Search::Found(position) = find_in::<K, V>(space, raw, bytes)? else { return Ok(None) };
    let value = take_locked(space, Layout::<K, V>::value(&position))?;
    erase_in::<K, V>(context, raw, &position, bytes)?;
    Ok(Some(value))
}

/// The first or the last entry of a tree that nobody changes.
pub(in crate::containers) fn outermost_in<K: OrderedKey, V: Value>(
    space: &Space,
    raw: &RawHeader,
    last: bool,
) -> Result<Option<Position>> {
    let view = Layout::<K, V>::tree(space, raw).view()?;
    match view.outermost(last).ok_or_else(|| damaged(raw))? {
        Search::Found(position) => Ok(Some(position)),
        _ => Ok(None),
    }
}

/// Takes the first or the last entry out.
pub(in crate::containers) fn pop_in<K: OrderedKey, V: Value>(
    context: &mut Context,
    raw: &RawHeader,
    last: bool,
) -> Result<Option<(K, V)>> {
    let space = context.actor.space;
    let Some(position) = outermost_in::<K, V>(space, raw, last)? else { return Ok(None) };
    let place = Layout::<K, V>::key(&position);
    let entry = (take_locked(space, place)?, take_locked(space, Layout::<K, V>::value(&position))?);
    K::with_stored(space, place, |bytes| erase_in::<K, V>(context, raw, &position, bytes))??;
    Ok(Some(entry))
}

/// Bounds of a range by canonical bytes.
pub(in crate::containers) type Bounds<'b> = (Bound<&'b [u8]>, Bound<&'b [u8]>);

/// Everything.
pub(in crate::containers) const ALL: Bounds<'static> = (Bound::Unbounded, Bound::Unbounded);

/// Runs `f` with the bounds of a range.
pub(in crate::containers) fn with_bounds<K: OrderedKey, Q: Lookup<K> + ?Sized, R>(
    range: &impl RangeBounds<Q>,
    f: impl FnOnce(Bounds<'_>) -> R,
) -> R {
    with_bound(range.start_bound(), |start| with_bound(range.end_bound(), |end| f((start, end))))
}

fn with_bound<K: OrderedKey, Q: Lookup<K> + ?Sized, R>(bound: Bound<&Q>, f: impl FnOnce(Bound<&[u8]>) -> R) -> R {
    match bound {
        Bound::Included(key) => key.with_bytes(|bytes| f(Bound::Included(bytes))),
        Bound::Excluded(key) => key.with_bytes(|bytes| f(Bound::Excluded(bytes))),
        Bound::Unbounded => f(Bound::Unbounded),
    }
}

/// A walk through a range; the tree may be changing. `None`: torn or damaged. A range that ends before it begins is
/// empty.
pub(in crate::containers) fn walk<'s, K: OrderedKey, V: Value>(
    space: &'s Space,
    raw: &RawHeader,
    (start, end): Bounds<'_>,
) -> Option<Ends<'s>> {
    let view = TreeView::read(space, raw, Layout::<K, V>::TREE)?;
    if matches!((start, end), ALL) {
        return Ends::of_all(view);
    }
    let before_start = match start {
        Bound::Included(bytes) => Some((K::probe(bytes), false)),
        Bound::Excluded(bytes) => Some((K::probe(bytes), true)),
        Bound::Unbounded => None,
    };
    let before_end = match end {
        Bound::Included(bytes) => Some((K::probe(bytes), true)),
        Bound::Excluded(bytes) => Some((K::probe(bytes), false)),
        Bound::Unbounded => None,
    };
    let before = |key: *const u8, (probe, or_equal): (K::Probe<'_>, bool)| match K::compare(
        space,
        Place::fresh(key.cast_mut()),
        probe,
    ) {
        Ordering::Less => true,
        Ordering::Equal => or_equal,
        Ordering::Greater => false,
    };
    Ends::of_range(
        view,
        before_start.map(|bound| move |key: *const u8| before(key, bound)),
        before_end.map(|bound| move |key: *const u8| before(key, bound)),
    )
}

/// Copies a range out, also while others may write it; `None`: torn.
pub(in crate::containers) fn copy_torn<K: OrderedKey, V: Value>(
    reader: &Reader<'_>,
    raw: &RawHeader,
    bounds: Bounds<'_>,
) -> Option<Result<Vec<(K, V)>>> {
    let space = reader.space;
    let view = TreeView::read(space, raw, Layout::<K, V>::TREE);
    let Some(mut ends) = view.filter(TreeView::has_possible_size).and_then(|_| walk::<K, V>(space, raw, bounds)) else {
        return Some(Err(damaged(raw)));
    };
    let mut entries = Vec::new();
    while let Some(leaf) = ends.next_leaf() {
        let count = entries.len();
        for (key, value) in leaf.entries(Layout::<K, V>::TREE) {
            match (reader.value::<K>(key)?, reader.value::<V>(value)?) {
                (Ok(key), Ok(value)) => entries.push((key, value)),
                (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
            }
        }
        // Whoever goes on has seen whole nodes only, and each key once.
        if !reader.holds() {
            return None;
        }
        let in_order = |pair: &[(K, V)]| pair[0].0 < pair[1].0;
        if count > 0 && !entries[count - 1..].windows(2).next().is_none_or(in_order) {
            return Some(Err(damaged(raw)));
        }
    }
    Some(Ok(entries))
}

/// Copies all entries of a range of a tree that nobody changes.
pub(in crate::containers) fn copy_locked<K: OrderedKey, V: Value>(
    space: &Space,
    raw: &RawHeader,
    bounds: Bounds<'_>,
    mut each: impl FnMut(K, V),
) -> Result<()> {
    let mut ends = walk::<K, V>(space, raw, bounds).ok_or_else(|| damaged(raw))?;
    while let Some((key, value)) = ends.next(Layout::<K, V>::TREE) {
        each(take_locked(space, key)?, take_locked(space, value)?);
    }
    Ok(())
}

/// What the handle of a map or set does without a lock.
pub(in crate::containers) struct Peek<'o, K, V>(
    pub(in crate::containers) &'o Object,
    pub(in crate::containers) PhantomData<(K, V)>,
);

impl<K: OrderedKey, V: Value> Peek<'_, K, V> {
    /// A copy of what is at the place that `seek` finds. `seek` returns `None` for damage or a torn read.
    #[inline(always)]
    pub(in crate::containers) fn at<R>(
        &self,
        seek: impl Fn(&TreeView<'_>) -> Option<Search>,
        copy: impl Fn(&Attempt<'_>, &Space, &Position) -> Option<Result<R>>,
    ) -> Result<Option<R>> {
        let space = self.0.space();
        self.0.peek(|attempt, raw| {
            let view = TreeView::read(space, raw, Layout::<K, V>::TREE);
            match view.as_ref().and_then(&seek) {
                Some(Search::Found(position)) => Some(copy(attempt, space, &position)?.map(Some)),
                Some(_) => Some(Ok(None)),
                None => Some(Err(damaged(raw))),
            }
        })
    }

    /// A copy of something of the entry of a key; `None`: the key is not there.
    #[inline(always)]
    pub(in crate::containers) fn find<R>(
        &self,
        key: &[u8],
        copy: impl Fn(&Attempt<'_>, &Space, &Position) -> Option<Result<R>>,
    ) -> Result<Option<R>> {
        let space = self.0.space();
        // (The layout of the view that comes in is a constant no more: a closure is not always inlined.)
        self.at(|view| view.with_layout(Layout::<K, V>::TREE).find(to::<K>(space, key)), copy)
    }

    /// A copy of the key and the value at a position.
    pub(in crate::containers) fn entry(
        attempt: &Attempt<'_>,
        space: &Space,
        position: &Position,
    ) -> Option<Result<(K, V)>> {
        let key = take_torn::<K>(attempt, space, Layout::<K, V>::key(position))?;
        let value = take_torn::<V>(attempt, space, Layout::<K, V>::value(position))?;
        Some(key.and_then(|key| Ok((key, value?))))
    }

    /// The first or the last entry.
    pub(in crate::containers) fn outermost(&self, last: bool) -> Result<Option<(K, V)>> {
        self.at(|view| view.outermost(last), Self::entry)
    }

    /// Copies of a range.
    pub(in crate::containers) fn range(&self, bounds: Bounds<'_>) -> Result<Vec<(K, V)>> {
        let space = self.0.space();
        self.0.peek(|attempt, raw| copy_torn(&Reader::torn(space, attempt), raw, bounds))
    }

    /// Number of entries.
    pub(in crate::containers) fn len(&self) -> Result<usize> {
        self.0.peek(|_, raw| Some(Ok(raw.length() as usize)))
    }
}

/// Proves that everything in a tree that came from a file may be lent as its type.
pub(in crate::containers) fn validate<K: OrderedKey, V: Value>(object: &Object) -> Result<()> {
    Reader::prove(object, prove_in::<K, V>)
}

/// Proves that a tree may be lent.
pub(in crate::containers) fn prove_in<K: OrderedKey, V: Value>(raw: &RawHeader, reader: &Reader<'_>) -> Result<()> {
    let space = reader.space;
    for (offset, size) in prove(space, raw, Layout::<K, V>::TREE)? {
        reader.claim(offset, size);
        reader.spend(size)?;
    }
    if K::ANY_BYTES && V::ANY_BYTES {
        return Ok(());
    }
    let mut ends = walk::<K, V>(space, raw, ALL).ok_or_else(|| damaged(raw))?;
    while let Some((key, value)) = ends.next(Layout::<K, V>::TREE) {
        if !K::is_valid(key.lend(space), reader) || !V::is_valid(value.lend(space), reader) {
            return Err(no_value(raw));
        }
    }
    Ok(())
}
