//! What vectors and queues have in common: changes of many slots at once.
//!
//! Whatever asks code of a user (which values go, in which order they come) is asked first, about values that nobody has
//! touched; the change itself comes afterwards. It takes its blocks and its log room before it changes a slot, so a
//! failure leaves everything as it was.

use std::cmp::Ordering;
use std::ops::{Bound, Range, RangeBounds};

use super::vec::slot_size;
use crate::containers::values::value::{Store, Value, store_over, take_locked};
use crate::journal::Context;
use crate::raw::{Deque, Image, Owned, OwnedPart, Place, Vector, detach, release_blocks, reserve_release};
use crate::region::Space;
use crate::region::layout::RawHeader;
use crate::{Error, Result};

/// Slots in a row, under the object's lock.
pub(in crate::containers) trait Row: Copy {
    fn raw(&self) -> &RawHeader;
    fn space(&self) -> &Space;
    fn len(&self) -> u64;
    /// Do the words of the header belong together?
    fn check(&self) -> Result<()>;
    /// Slot `index`, inside the capacity.
    fn place(&self, index: u64) -> Result<Place>;
    /// Makes room for `more` slots and logs what is needed so that all slots from `from` on may be written.
    fn prepare(&self, context: &mut Context, from: u64, more: u64) -> Result<()>;
    /// As `prepare` for slot `index` alone.
    fn prepare_one(&self, context: &mut Context, index: u64) -> Result<()>;
    /// Moves slots; both ends are inside the capacity and prepared. Cannot fail then.
    fn shift(&self, from: u64, to: u64, count: u64) -> Result<()>;
    fn permute(&self, order: &[u64]) -> Result<()>;
    fn put(&self, index: u64, image: Place) -> Result<()>;
    /// Writes bytes over `count` slots from `index` on, which are inside the capacity and prepared.
    fn write(&self, index: u64, count: u64, bytes: &[u8]) -> Result<()>;
    fn swap(&self, context: &mut Context, first: u64, second: u64) -> Result<()>;
    /// Sets the number of live slots; prepared. Cannot fail then.
    fn set_len(&self, context: &mut Context, len: u64) -> Result<()>;
}

impl Row for Vector<'_> {
    fn raw(&self) -> &RawHeader {
        self.raw
    }

    fn space(&self) -> &Space {
        self.space
    }

    #[inline(always)]
    fn len(&self) -> u64 {
        Vector::len(self)
    }

    fn check(&self) -> Result<()> {
        self.slots(0, Vector::len(self)).map(drop)
    }

    #[inline(always)]
    fn place(&self, index: u64) -> Result<Place> {
        Place::in_vector(self, index)
    }

    fn prepare(&self, context: &mut Context, from: u64, more: u64) -> Result<()> {
        // In this order: opening may move the content to a block that has no room for more.
        self.open_from(context, from)?;
        self.reserve(context, more)
    }

    fn prepare_one(&self, context: &mut Context, index: u64) -> Result<()> {
        self.open_one(context, index)
    }

    fn shift(&self, from: u64, to: u64, count: u64) -> Result<()> {
        if count == 0 { Ok(()) } else { Vector::shift(self, from, to, count) }
    }

    fn permute(&self, order: &[u64]) -> Result<()> {
        Vector::permute(self, order)
    }

    fn put(&self, index: u64, image: Place) -> Result<()> {
        Vector::put(self, index, image)
    }

    fn write(&self, index: u64, count: u64, bytes: &[u8]) -> Result<()> {
        Vector::write(self, index, count, bytes)
    }

    fn swap(&self, context: &mut Context, first: u64, second: u64) -> Result<()> {
        Vector::swap(self, context, first, second)
    }

    #[inline(always)]
    fn set_len(&self, context: &mut Context, len: u64) -> Result<()> {
        Vector::set_len(self, context, len)
    }
}

impl Row for Deque<'_> {
    fn raw(&self) -> &RawHeader {
        self.raw
    }

    fn space(&self) -> &Space {
        self.space
    }

    #[inline(always)]
    fn len(&self) -> u64 {
        Deque::len(self)
    }

    fn check(&self) -> Result<()> {
        self.check_shape()
    }

    #[inline(always)]
    fn place(&self, index: u64) -> Result<Place> {
        Deque::place(self, index)
    }

    fn prepare(&self, context: &mut Context, from: u64, more: u64) -> Result<()> {
        if more > 0 && self.is_beyond_limit(more) {
            return Err(Error::Full { limit: self.limit() });
        }
        self.reserve(context, more)?;
        self.open(context, from, Deque::len(self) - from + more)
    }

    fn prepare_one(&self, context: &mut Context, index: u64) -> Result<()> {
        self.open(context, index, 1)
    }

    fn shift(&self, from: u64, to: u64, count: u64) -> Result<()> {
        if count == 0 { Ok(()) } else { Deque::shift(self, from, to, count) }
    }

    fn permute(&self, order: &[u64]) -> Result<()> {
        Deque::permute(self, order)
    }

    fn put(&self, index: u64, image: Place) -> Result<()> {
        Deque::put(self, index, image)
    }

    fn write(&self, index: u64, count: u64, bytes: &[u8]) -> Result<()> {
        Deque::write(self, index, count, bytes)
    }

    fn swap(&self, context: &mut Context, first: u64, second: u64) -> Result<()> {
        Deque::swap(self, context, first, second)
    }

    #[inline(always)]
    fn set_len(&self, context: &mut Context, len: u64) -> Result<()> {
        self.touch(context)?;
        self.shorten(len);
        Ok(())
    }
}

/// The vector of `raw`.
pub(in crate::containers) fn vector<'a, T: Value>(space: &'a Space, raw: &'a RawHeader) -> Vector<'a> {
    Vector::new(space, raw, slot_size::<T>())
}

/// A range of std, inside of `len` values.
pub(in crate::containers) fn resolve(range: &impl RangeBounds<usize>, len: u64) -> Result<Range<u64>> {
    let from = match range.start_bound() {
        Bound::Included(from) => *from as u64,
        Bound::Excluded(before) => (*before as u64).saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => (*last as u64).saturating_add(1),
        Bound::Excluded(end) => *end as u64,
        Bound::Unbounded => len,
    };
    if from > end || end > len {
        return Err(Error::InvalidArgument("a range beyond the end"));
    }
    Ok(from..end)
}

/// The value in a slot, lent.
fn lent<'a, T: Value>(space: &'a Space, place: Place) -> T::Ref<'a> {
    T::lend(place.lend(space))
}

/// All slots.
fn places(row: &impl Row) -> Result<Vec<Place>> {
    row.check()?;
    (0..row.len()).map(|index| row.place(index)).collect()
}

/// Slots that go, as runs in ascending order.
pub(in crate::containers) type Runs = Vec<Range<u64>>;

pub(in crate::containers) fn add_to_runs(runs: &mut Runs, index: u64) {
    match runs.last_mut() {
        Some(run) if run.end == index => run.end += 1,
        _ => runs.push(index..index + 1),
    }
}

/// The values of `range` for which `goes` says so.
pub(in crate::containers) fn runs_of<T: Value>(
    row: impl Row,
    range: &impl RangeBounds<usize>,
    mut goes: impl FnMut(T::Ref<'_>) -> bool,
) -> Result<Runs> {
    row.check()?;
    let mut runs = Runs::new();
    for index in resolve(range, row.len())? {
        if goes(lent::<T>(row.space(), row.place(index)?)) {
            add_to_runs(&mut runs, index);
        }
    }
    Ok(runs)
}

/// The values that are the same as the last one before them that stays.
pub(in crate::containers) fn runs_of_repeated<T: Value>(
    row: impl Row,
    mut same: impl for<'r> FnMut(T::Ref<'r>, T::Ref<'r>) -> bool,
) -> Result<Runs> {
    let places = places(&row)?;
    let (mut runs, mut kept) = (Runs::new(), 0);
    for index in 1..places.len() {
        if same(lent::<T>(row.space(), places[index]), lent::<T>(row.space(), places[kept])) {
            add_to_runs(&mut runs, index as u64);
        } else {
            kept = index;
        }
    }
    Ok(runs)
}

/// Where each value comes from when they are in order.
pub(in crate::containers) fn order_by<T: Value>(
    row: impl Row,
    mut compare: impl for<'r> FnMut(T::Ref<'r>, T::Ref<'r>) -> Ordering,
) -> Result<Vec<u64>> {
    let places = places(&row)?;
    let mut order: Vec<u64> = (0..row.len()).collect();
    let at = |index: u64| lent::<T>(row.space(), places[index as usize]);
    order.sort_by(|one, other| compare(at(*one), at(*other)));
    Ok(order)
}

/// As `order_by`, by keys that are made once.
pub(in crate::containers) fn order_by_keys<T: Value, K: Ord>(
    row: impl Row,
    mut key: impl FnMut(T::Ref<'_>) -> K,
) -> Result<Vec<u64>> {
    let keys: Vec<K> = places(&row)?.into_iter().map(|place| key(lent::<T>(row.space(), place))).collect();
    let mut order: Vec<u64> = (0..row.len()).collect();
    order.sort_by(|one, other| keys[*one as usize].cmp(&keys[*other as usize]));
    Ok(order)
}

/// Copies of values.
pub(in crate::containers) fn copies<T: Value>(row: impl Row, range: Range<u64>) -> Result<Vec<T>> {
    row.check()?;
    range.map(|index| take_locked(row.space(), row.place(index)?)).collect()
}

/// Copies of values that are in runs.
pub(in crate::containers) fn copies_of_runs<T: Value>(row: impl Row, runs: &[Range<u64>]) -> Result<Vec<T>> {
    row.check()?;
    runs.iter().cloned().flatten().map(|index| take_locked(row.space(), row.place(index)?)).collect()
}

/// What slots own.
fn owned_by<T: Value>(places: impl Iterator<Item = Result<Place>>) -> Result<Vec<OwnedPart>> {
    let mut parts = Vec::new();
    if !T::OWNED.is_empty() {
        for place in places {
            parts.extend(place?.owned_blocks(T::OWNED)?);
        }
    }
    Ok(parts)
}

/// Appends values, or changes nothing.
pub(in crate::containers) fn append_in<'v, T: Value, S: Store<T> + 'v>(
    context: &mut Context,
    row: impl Row,
    values: impl ExactSizeIterator<Item = &'v S>,
) -> Result<()> {
    let (len, count) = (row.len(), values.len() as u64);
    if count == 0 {
        return Ok(());
    }
    row.prepare(context, len, count)?;
    context.whole(|context| {
        let mut places = (len..).map(|index| row.place(index));
        values.zip(&mut places).try_for_each(|(value, place)| value.store(context, &place?.target()))
    })?;
    row.set_len(context, len + count)
}

/// As [`append_in`] for a slice: what is nothing but bytes is copied as such.
pub(in crate::containers) fn append_slice_in<T: Value, S: Store<T>>(
    context: &mut Context,
    row: impl Row,
    values: &[S],
) -> Result<()> {
    let bytes = match S::as_slots(values) {
        Some(bytes) if !values.is_empty() => bytes,
        _ => return append_in::<T, S>(context, row, values.iter()),
    };
    let (len, count) = (row.len(), values.len() as u64);
    row.prepare(context, len, count)?;
    row.write(len, count, bytes)?;
    row.set_len(context, len + count)
}

/// Takes values out, what is behind them moves up; or changes nothing.
pub(in crate::containers) fn sieve_in<T: Value>(
    context: &mut Context,
    row: impl Row,
    runs: &[Range<u64>],
) -> Result<()> {
    let (Some(first), len) = (runs.first(), row.len()) else { return Ok(()) };
    if *first == (0..len) && !T::OWNED.is_empty() {
        row.prepare(context, len, 0)?;
        return detach(context, row.raw(), &Owned::words(T::OWNED));
    }
    row.prepare(context, first.start, 0)?;
    let parts = owned_by::<T>(runs.iter().cloned().flatten().map(|index| row.place(index)))?;
    release_blocks(context, &parts)?;
    // From here on nothing fails.
    let mut to = first.start;
    for (number, run) in runs.iter().enumerate() {
        let end = runs.get(number + 1).map_or(len, |next| next.start);
        row.shift(run.end, to, end - run.end)?;
        to += end - run.end;
    }
    row.set_len(context, to)
}

/// Puts values in the place of those in `range`, or changes nothing.
pub(in crate::containers) fn splice_in<'v, T: Value, S: Store<T> + 'v>(
    context: &mut Context,
    row: impl Row,
    range: Range<u64>,
    values: impl ExactSizeIterator<Item = &'v S>,
) -> Result<()> {
    let (len, old, new) = (row.len(), range.end - range.start, values.len() as u64);
    row.check()?;
    row.prepare(context, range.start, new.saturating_sub(old))?;
    let parts = owned_by::<T>(range.clone().map(|index| row.place(index)))?;
    let images = context.whole(|context| {
        let mut images = Vec::with_capacity(values.len());
        for value in values {
            let mut image = Image::<T::Repr>::zeroed();
            value.store(context, &image.target())?;
            images.push(image);
        }
        reserve_release(context, &parts)?;
        Ok(images)
    })?;
    release_blocks(context, &parts)?;
    // From here on nothing fails.
    row.shift(range.end, range.start + new, len - range.end)?;
    for (index, image) in (range.start..).zip(&images) {
        row.put(index, image.place())?;
    }
    row.set_len(context, len - old + new)
}

/// Brings the values into another order, or changes nothing.
pub(in crate::containers) fn permute_in(context: &mut Context, row: impl Row, order: &[u64]) -> Result<()> {
    if order.iter().zip(0..).all(|(index, number)| *index == number) {
        return Ok(());
    }
    row.prepare(context, 0, 0)?;
    row.permute(order)
}

/// Exchanges two values.
pub(in crate::containers) fn swap_in(context: &mut Context, row: impl Row, first: usize, second: usize) -> Result<()> {
    if first.max(second) as u64 >= row.len() {
        return Err(Error::InvalidArgument("swap beyond the end"));
    }
    row.swap(context, first as u64, second as u64)
}

/// The order after a turn to the left.
pub(in crate::containers) fn turned(row: impl Row, count: usize) -> Result<Vec<u64>> {
    row.check()?;
    let len = row.len();
    if count as u64 > len {
        return Err(Error::InvalidArgument("too far to turn"));
    }
    Ok((count as u64..len).chain(0..count as u64).collect())
}

/// The order turned round.
pub(in crate::containers) fn reversed(row: impl Row) -> Result<Vec<u64>> {
    row.check()?;
    Ok((0..row.len()).rev().collect())
}

/// As many values as there are, from code of a user.
pub(in crate::containers) fn as_many<S>(row: impl Row, make: impl FnMut() -> S) -> Result<Vec<S>> {
    row.check()?;
    Ok(std::iter::repeat_with(make).take(row.len() as usize).collect())
}

/// Overwrites value `index`, which is there, and returns the old one.
pub(in crate::containers) fn replace_in<T: Value>(
    context: &mut Context,
    row: impl Row,
    index: u64,
    value: &impl Store<T>,
) -> Result<T> {
    row.prepare_one(context, index)?;
    let place = row.place(index)?;
    let old = take_locked(row.space(), place)?;
    let parts = place.owned_blocks(T::OWNED)?;
    store_over::<T>(context, value, place, &parts)?;
    Ok(old)
}

/// Value `index` as code of a user may look at it.
pub(in crate::containers) fn look<T: Value, R>(
    row: impl Row,
    index: u64,
    see: impl FnOnce(T::Ref<'_>) -> R,
) -> Result<R> {
    Ok(see(lent::<T>(row.space(), row.place(index)?)))
}
