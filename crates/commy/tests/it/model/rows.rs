//! What vectors and queues can do alike.

use super::vectors::{Element, answer, every};
use commy::{Result, SharedVec, SharedVecDeque, VecDequeWriteGuard, VecWriteGuard};
use proptest::prelude::*;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[derive(Clone, Debug)]
pub enum RowOp<T> {
    Append(Vec<T>),
    ExtendFromSlice(Vec<T>),
    ExtendFromWithin(usize, usize),
    Resize(usize, T),
    ResizeWith(usize, T),
    SplitOff(usize),
    Take,
    Drain(usize, usize),
    Splice(usize, usize, Vec<T>),
    Replace(usize, T),
    ReplaceIf(usize, T, bool),
    Swap(usize, usize),
    Rotate(usize, bool),
    Fill(T),
    FillWith(Vec<T>),
    ExtractIf(usize, usize, usize),
    DedupByKey,
    SortByKey,
    SortBy,
    Reverse,
    ShrinkTo(usize),
    /// A panic in code of the user at this value.
    Panic(usize),
}

pub fn ops<T: Element>() -> BoxedStrategy<RowOp<T>> {
    let value = T::any_value;
    let index = || 0..64usize;
    let many = || {
        let count = prop_oneof![6 => 0..6usize, 1 => 100..300usize];
        count.prop_flat_map(move |count| prop::collection::vec(value(), count..count + 1))
    };
    prop_oneof![
        2 => many().prop_map(RowOp::Append),
        2 => many().prop_map(RowOp::ExtendFromSlice),
        2 => (index(), index()).prop_map(|(from, count)| RowOp::ExtendFromWithin(from, count)),
        2 => (index(), value()).prop_map(|(len, value)| RowOp::Resize(len, value)),
        1 => (index(), value()).prop_map(|(len, value)| RowOp::ResizeWith(len, value)),
        2 => index().prop_map(RowOp::SplitOff),
        1 => Just(RowOp::Take),
        2 => (index(), 0..9usize).prop_map(|(from, count)| RowOp::Drain(from, count)),
        4 => (index(), 0..9usize, many()).prop_map(|(from, count, values)| RowOp::Splice(from, count, values)),
        2 => (index(), value()).prop_map(|(index, value)| RowOp::Replace(index, value)),
        1 => (index(), value(), any::<bool>()).prop_map(|(index, value, yes)| RowOp::ReplaceIf(index, value, yes)),
        2 => (index(), index()).prop_map(|(first, second)| RowOp::Swap(first, second)),
        2 => (index(), any::<bool>()).prop_map(|(count, left)| RowOp::Rotate(count, left)),
        1 => value().prop_map(RowOp::Fill),
        1 => prop::collection::vec(value(), 1..5).prop_map(RowOp::FillWith),
        2 => (index(), 0..64usize, 1..4usize).prop_map(|(from, count, of)| RowOp::ExtractIf(from, count, of)),
        1 => Just(RowOp::DedupByKey),
        1 => Just(RowOp::SortByKey),
        1 => Just(RowOp::SortBy),
        1 => Just(RowOp::Reverse),
        1 => (0..600usize).prop_map(RowOp::ShrinkTo),
        1 => index().prop_map(RowOp::Panic),
    ]
    .boxed()
}

fn range(from: usize, count: usize, len: usize) -> Range<usize> {
    let from = from.min(len);
    from..from.saturating_add(count).min(len)
}

pub fn on_twin<T: Element>(twin: &mut Vec<T>, op: &RowOp<T>) -> String {
    let len = twin.len();
    let rank = |value: &T| T::rank(T::lent_of(value));
    match op {
        RowOp::Append(values) | RowOp::ExtendFromSlice(values) => twin.extend_from_slice(values),
        RowOp::ExtendFromWithin(from, count) => twin.extend_from_within(range(*from, *count, len)),
        RowOp::Resize(len, value) | RowOp::ResizeWith(len, value) => twin.resize(*len, value.clone()),
        RowOp::SplitOff(at) => return answer(twin.split_off((*at).min(len))),
        RowOp::Take => return answer(std::mem::take(twin)),
        RowOp::Drain(from, count) => return answer(twin.drain(range(*from, *count, len)).collect::<Vec<T>>()),
        RowOp::Splice(from, count, values) => {
            let old = twin.splice(range(*from, *count, len), values.iter().cloned());
            return answer(old.collect::<Vec<T>>());
        }
        RowOp::ReplaceIf(_, _, false) => return answer(None::<T>),
        RowOp::Replace(index, value) | RowOp::ReplaceIf(index, value, true) => {
            return answer(twin.get_mut(*index).map(|slot| std::mem::replace(slot, value.clone())));
        }
        RowOp::Swap(first, second) if len > 0 => twin.swap(first % len, second % len),
        RowOp::Rotate(count, true) => twin.rotate_left((*count).min(len)),
        RowOp::Rotate(count, false) => twin.rotate_right((*count).min(len)),
        RowOp::Fill(value) => twin.fill(value.clone()),
        RowOp::FillWith(values) => {
            let mut values = values.iter().cycle();
            twin.fill_with(|| values.next().expect("some").clone());
        }
        RowOp::ExtractIf(from, count, of) => {
            let (mut number, range) = (0, range(*from, *count, len));
            return answer(twin.extract_if(range, |_| every(&mut number, *of)).collect::<Vec<T>>());
        }
        RowOp::DedupByKey => twin.dedup_by_key(|value| rank(value)),
        RowOp::SortByKey => twin.sort_by_key(rank),
        RowOp::SortBy => twin.sort_by_key(|value| std::cmp::Reverse(rank(value))),
        RowOp::Reverse => twin.reverse(),
        RowOp::Swap(..) | RowOp::ShrinkTo(_) | RowOp::Panic(_) => {}
    }
    answer(())
}

/// A predicate that unwinds at a call, and has said yes and no before.
fn unwinding(at: usize) -> impl FnMut() -> bool {
    let mut number = 0;
    move || {
        number += 1;
        if number > at {
            super::unwind();
        }
        number.is_multiple_of(2)
    }
}

/// What slices can do, with methods that may fail.
macro_rules! order {
    ($type:ty, $object:expr, $op:expr, $len:expr) => {{
        let (object, op, len) = ($object, $op, $len);
        let done: Result<String> = Ok(match op {
            RowOp::Swap(first, second) if len > 0 => answer(object.swap(first % len, second % len)?),
            RowOp::Swap(..) => answer(assert!(object.swap(0, 0).is_err())),
            RowOp::Rotate(count, true) => answer(object.rotate_left((*count).min(len))?),
            RowOp::Rotate(count, false) => answer(object.rotate_right((*count).min(len))?),
            RowOp::Fill(value) => answer(object.fill(value.clone())?),
            RowOp::FillWith(values) => {
                let mut values = values.iter().cycle();
                answer(object.fill_with(|| values.next().expect("some").clone())?)
            }
            RowOp::SortByKey => answer(object.sort_by_key(|value| <$type>::rank(value))?),
            RowOp::SortBy => answer(object.sort_by(|one, other| <$type>::rank(other).cmp(&<$type>::rank(one)))?),
            RowOp::Reverse => answer(object.reverse()?),
            _ => unreachable!("each has its own"),
        });
        done
    }};
}
pub(super) use order;

/// What slices do themselves.
pub fn order_slice(slice: &mut [u64], op: &RowOp<u64>) -> String {
    let len = slice.len();
    match op {
        RowOp::Swap(first, second) if len > 0 => slice.swap(first % len, second % len),
        RowOp::Swap(..) => {}
        RowOp::Rotate(count, true) => slice.rotate_left((*count).min(len)),
        RowOp::Rotate(count, false) => slice.rotate_right((*count).min(len)),
        RowOp::Fill(value) => slice.fill(*value),
        RowOp::FillWith(values) => {
            let mut values = values.iter().cycle();
            slice.fill_with(|| *values.next().expect("some"));
        }
        RowOp::SortByKey => slice.sort_by_key(u64::rank),
        RowOp::SortBy => slice.sort_by_key(|value| std::cmp::Reverse(u64::rank(value))),
        RowOp::Reverse => slice.reverse(),
        _ => unreachable!("each has its own"),
    }
    answer(())
}

macro_rules! row {
    ($name:ident, $object:ty) => {
        pub fn $name<T: Element>(object: $object, op: &RowOp<T>) -> Result<String> {
            let len = row!(len $name object);
            Ok(match op {
                RowOp::Append(values) => {
                    let mut values = values.clone();
                    object.append(&mut values)?;
                    assert!(values.is_empty());
                    answer(())
                }
                RowOp::ExtendFromSlice(values) => answer(object.extend_from_slice(values)?),
                RowOp::ExtendFromWithin(from, count) => {
                    answer(object.extend_from_within(range(*from, *count, len))?)
                }
                RowOp::Resize(len, value) => answer(object.resize(*len, value.clone())?),
                RowOp::ResizeWith(len, value) => answer(object.resize_with(*len, || value.clone())?),
                RowOp::SplitOff(at) => answer(object.split_off((*at).min(len))?),
                RowOp::Take => answer(object.take()?),
                RowOp::Drain(from, count) => answer(object.drain(range(*from, *count, len))?),
                RowOp::Splice(from, count, values) => {
                    answer(object.splice(range(*from, *count, len), values.iter().cloned())?)
                }
                RowOp::Replace(index, value) => answer(object.replace(*index, value.clone())?),
                RowOp::ReplaceIf(index, value, yes) => answer(object.replace_if(*index, value.clone(), |_| *yes)?),
                RowOp::ExtractIf(from, count, of) => {
                    let mut number = 0;
                    answer(object.extract_if(range(*from, *count, len), |_| every(&mut number, *of))?)
                }
                RowOp::DedupByKey => answer(object.dedup_by_key(|value| T::rank(value))?),
                RowOp::ShrinkTo(least) => answer(object.shrink_to(*least)?),
                RowOp::Panic(at) => {
                    // Whatever the predicate had said before, nothing has changed, and the object is of use.
                    let mut says = unwinding((*at).min(len.saturating_sub(1)));
                    let call = AssertUnwindSafe(|| match at % 3 {
                        0 => object.retain(|_| says()),
                        1 => object.extract_if(.., |_| says()).map(drop),
                        _ => object.dedup_by(|_, _| super::unwind()),
                    });
                    let _ = catch_unwind(call);
                    answer(())
                }
                op => row!(order $name object, op, len)?,
            })
        }
    };
    (len on_vec $object:ident) => { $object.len()? };
    (len on_deque $object:ident) => { $object.len()? };
    (len $other:ident $object:ident) => { $object.len() };
    (order on_vec_guard $object:ident, $op:ident, $len:ident) => { T::order($object, $op) };
    (order $other:ident $object:ident, $op:ident, $len:ident) => { crate::model::rows::order!(T, $object, $op, $len) };
}

row!(on_vec, &SharedVec<T>);
row!(on_deque, &SharedVecDeque<T>);
row!(on_vec_guard, &mut VecWriteGuard<'_, T>);
row!(on_deque_guard, &mut VecDequeWriteGuard<'_, T>);

/// Compares what is lent of a few ranges.
pub fn see<'g, T: Element + 'g, I: Iterator<Item = T::Ref<'g>>>(twin: &[T], lent: impl Fn(Range<usize>) -> I) {
    let len = twin.len();
    for range in [0..len, len / 3..len, len / 2..len - len / 4, len..len] {
        let values = &twin[range.clone()];
        assert_eq!(lent(range.clone()).count(), values.len());
        assert!(lent(range).zip(values).all(|(lent, value)| T::is_lent(lent, value)));
    }
}
