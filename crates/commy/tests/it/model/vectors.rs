//! `SharedVec` beside `Vec`.

use super::harness::{self, Model};
use super::rows::{self, RowOp};
use crate::support::temporary::{Temporary, quiet};
use commy::{Result, SharedVec, Store, Value, VecReadGuard, VecWriteGuard};
use proptest::prelude::*;
use std::fmt::Debug;
use std::marker::PhantomData;

/// Values, how they are made and how what is lent compares with them.
pub trait Element: Value + Store<Self> + Clone + PartialEq + Debug + 'static {
    fn any_value() -> BoxedStrategy<Self>;
    fn is_lent(lent: Self::Ref<'_>, value: &Self) -> bool;
    /// Changes a slot in place, where the type can.
    fn overwrite(guard: &mut VecWriteGuard<'_, Self>, index: usize, value: &Self) -> Result<()> {
        guard.set(index, value.clone()).map(drop)
    }
    fn compare_slice(_guard: &VecReadGuard<'_, Self>, _twin: &[Self]) {}
    /// How a guard would lend it.
    fn lent_of(value: &Self) -> Self::Ref<'_>;
    /// One of a few numbers, so that different values have the same.
    fn rank(lent: Self::Ref<'_>) -> u64;
    /// Does what slices can do.
    fn order(guard: &mut VecWriteGuard<'_, Self>, op: &RowOp<Self>) -> Result<String>;
}

/// Texts around every border: inline, blocks of several classes, page runs.
pub fn any_text() -> impl Strategy<Value = String> {
    let len = prop_oneof![8 => 0..40usize, 3 => 40..600usize, 1 => 600..6000usize, 1 => 33_000..40_000usize];
    (len, "[a-zäß€𝄞]{1,4}").prop_map(|(len, piece)| piece.chars().cycle().take(len / piece.len() + 1).collect())
}

impl Element for u64 {
    fn any_value() -> BoxedStrategy<u64> {
        any::<u64>().boxed()
    }

    fn is_lent(lent: &u64, value: &u64) -> bool {
        lent == value
    }

    fn overwrite(guard: &mut VecWriteGuard<'_, u64>, index: usize, value: &u64) -> Result<()> {
        match value % 3 {
            0 => guard[index] = *value,
            1 => *guard.get_mut(index)?.expect("inside") = *value,
            _ => {
                let slice = guard.try_as_mut_slice()?;
                slice[index] = *value;
                slice.reverse();
                slice.reverse();
            }
        }
        Ok(())
    }

    fn compare_slice(guard: &VecReadGuard<'_, u64>, twin: &[u64]) {
        assert_eq!(&**guard, twin);
    }

    fn lent_of(value: &u64) -> &u64 {
        value
    }

    fn rank(lent: &u64) -> u64 {
        lent % 5
    }

    fn order(guard: &mut VecWriteGuard<'_, u64>, op: &RowOp<u64>) -> Result<String> {
        Ok(rows::order_slice(guard.try_as_mut_slice()?, op))
    }
}

impl Element for String {
    fn any_value() -> BoxedStrategy<String> {
        any_text().boxed()
    }

    fn is_lent(lent: &str, value: &String) -> bool {
        lent == value
    }

    fn lent_of(value: &String) -> &str {
        value
    }

    fn rank(lent: &str) -> u64 {
        lent.len() as u64 % 5
    }

    fn order(guard: &mut VecWriteGuard<'_, String>, op: &RowOp<String>) -> Result<String> {
        let len = guard.len();
        rows::order!(String, guard, op, len)
    }
}

impl Element for Option<String> {
    fn any_value() -> BoxedStrategy<Option<String>> {
        prop::option::of(any_text()).boxed()
    }

    fn is_lent(lent: Option<&str>, value: &Option<String>) -> bool {
        lent == value.as_deref()
    }

    fn lent_of(value: &Option<String>) -> Option<&str> {
        value.as_deref()
    }

    fn rank(lent: Option<&str>) -> u64 {
        lent.map_or(7, |text| text.len() as u64 % 5)
    }

    fn order(guard: &mut VecWriteGuard<'_, Self>, op: &RowOp<Self>) -> Result<String> {
        let len = guard.len();
        rows::order!(Option<String>, guard, op, len)
    }
}

#[derive(Clone, Debug)]
pub enum Op<T> {
    Push(T),
    Pop,
    Set(usize, T),
    Overwrite(usize, T),
    Insert(usize, T),
    Remove(usize),
    SwapRemove(usize),
    Truncate(usize),
    Clear,
    Extend(Vec<T>),
    Reserve(usize),
    /// Keeps one of so many.
    Retain(usize),
    Row(RowOp<T>),
}

struct Vectors<T>(PhantomData<T>);

impl<T: Element> Model for Vectors<T> {
    type Handle = SharedVec<T>;
    type Twin = Vec<T>;
    type Op = Op<T>;

    fn ops() -> BoxedStrategy<Op<T>> {
        let value = T::any_value;
        let index = || 0..64usize;
        let many = prop_oneof![4 => 0..6usize, 1 => 100..400usize];
        let many = many.prop_flat_map(move |count| prop::collection::vec(value(), count..count + 1));
        prop_oneof![
            6 => value().prop_map(Op::Push),
            3 => Just(Op::Pop),
            3 => (index(), value()).prop_map(|(index, value)| Op::Set(index, value)),
            3 => (index(), value()).prop_map(|(index, value)| Op::Overwrite(index, value)),
            3 => (index(), value()).prop_map(|(index, value)| Op::Insert(index, value)),
            3 => index().prop_map(Op::Remove),
            2 => index().prop_map(Op::SwapRemove),
            2 => index().prop_map(Op::Truncate),
            1 => Just(Op::Clear),
            2 => many.prop_map(Op::Extend),
            1 => (0..3000usize).prop_map(Op::Reserve),
            1 => (1..4usize).prop_map(Op::Retain),
            24 => rows::ops().prop_map(Op::Row),
        ]
        .boxed()
    }

    fn on_twin(twin: &mut Vec<T>, op: &Op<T>) -> String {
        let len = twin.len();
        match op {
            Op::Push(value) => twin.push(value.clone()),
            Op::Pop => return answer(twin.pop()),
            Op::Set(index, value) => {
                if let Some(slot) = twin.get_mut(*index) {
                    slot.clone_from(value);
                }
                return answer(*index < len);
            }
            Op::Overwrite(index, value) if len > 0 => twin[index % len] = value.clone(),
            Op::Insert(index, value) => twin.insert((*index).min(len), value.clone()),
            Op::Remove(index) => return answer((*index < len).then(|| twin.remove(*index))),
            Op::SwapRemove(index) => return answer((*index < len).then(|| twin.swap_remove(*index))),
            Op::Truncate(new) => twin.truncate(*new),
            Op::Clear => twin.clear(),
            Op::Extend(values) => twin.extend(values.iter().cloned()),
            Op::Retain(of) => {
                let mut number = 0;
                twin.retain(|_| every(&mut number, *of));
            }
            Op::Row(op) => return rows::on_twin(twin, op),
            Op::Overwrite(..) | Op::Reserve(_) => {}
        }
        answer(())
    }

    fn on_handle(handle: &SharedVec<T>, op: &Op<T>) -> Result<String> {
        Ok(match op {
            Op::Push(value) => answer(handle.push(value.clone())?),
            Op::Pop => answer(handle.pop()?),
            Op::Set(index, value) => answer(handle.set(*index, value.clone())?),
            Op::Truncate(len) => answer(handle.truncate(*len)?),
            Op::Clear => answer(handle.clear()?),
            Op::Extend(values) => answer(handle.extend(values.iter().cloned())?),
            Op::Reserve(more) => answer(handle.reserve(*more)?),
            Op::Insert(index, value) => answer(handle.insert((*index).min(handle.len()?), value.clone())?),
            Op::Remove(index) => answer(handle.remove(*index)?),
            Op::SwapRemove(index) => answer(handle.swap_remove(*index)?),
            Op::Overwrite(index, value) if !handle.is_empty()? => {
                let changed = handle.update(index % handle.len()?, |slot| *slot = value.clone())?;
                assert!(changed.is_some());
                answer(())
            }
            Op::Retain(of) => {
                let mut number = 0;
                answer(handle.retain(|_| every(&mut number, *of))?)
            }
            Op::Row(op) => return rows::on_vec(handle, op),
            _ => return Self::on_guard(&mut handle.write()?, op),
        })
    }

    fn on_guard(guard: &mut VecWriteGuard<'_, T>, op: &Op<T>) -> Result<String> {
        let len = guard.len();
        Ok(match op {
            Op::Push(value) => answer(guard.push(value.clone())?),
            Op::Pop => answer(guard.pop()?),
            Op::Set(index, value) => answer(guard.set(*index, value.clone())?),
            Op::Overwrite(index, value) if len > 0 => answer(T::overwrite(guard, index % len, value)?),
            Op::Insert(index, value) => answer(guard.insert((*index).min(len), value.clone())?),
            Op::Remove(index) => answer(guard.remove(*index)?),
            Op::SwapRemove(index) => answer(guard.swap_remove(*index)?),
            Op::Truncate(len) => answer(guard.truncate(*len)?),
            Op::Clear => answer(guard.clear()?),
            Op::Extend(values) => answer(guard.extend(values.iter().cloned())?),
            Op::Reserve(more) => answer(guard.reserve(*more)?),
            Op::Retain(of) => {
                let mut number = 0;
                answer(guard.retain(|_| every(&mut number, *of))?)
            }
            Op::Row(op) => return rows::on_vec_guard(guard, op),
            Op::Overwrite(..) => answer(()),
        })
    }

    fn roll_back(guard: VecWriteGuard<'_, T>) {
        guard.rollback();
    }

    fn write(handle: &SharedVec<T>) -> Result<VecWriteGuard<'_, T>> {
        handle.write()
    }

    fn see_write_guard(guard: &VecWriteGuard<'_, T>, twin: &Vec<T>) {
        assert_eq!((guard.len(), guard.is_empty()), (twin.len(), twin.is_empty()));
        assert!(guard.iter().zip(twin).all(|(lent, value)| T::is_lent(lent, value)));
        assert_eq!(&guard.to_vec().unwrap(), twin);
    }

    fn see_read_guard(guard: &VecReadGuard<'_, T>, twin: &Vec<T>) {
        assert_eq!((guard.len(), guard.iter().len(), guard.is_empty()), (twin.len(), twin.len(), twin.is_empty()));
        assert!(guard.into_iter().zip(twin).all(|(lent, value)| T::is_lent(lent, value)));
        assert!(guard.iter().rev().zip(twin.iter().rev()).all(|(lent, value)| T::is_lent(lent, value)));
        assert_eq!(guard.first().map(|lent| T::is_lent(lent, &twin[0])), twin.first().map(|_| true));
        assert_eq!(guard.last().map(|lent| T::is_lent(lent, &twin[twin.len() - 1])), twin.last().map(|_| true));
        assert!(guard.get(twin.len()).is_none() && guard.capacity() >= twin.len());
        rows::see(twin, |range| guard.range(range).unwrap());
        let point = |value: T::Ref<'_>| T::rank(value) < 3;
        if twin.is_sorted_by_key(|value| T::rank(T::lent_of(value))) {
            let wanted = twin.partition_point(|value| point(T::lent_of(value)));
            assert_eq!(guard.partition_point(point), wanted);
            let found = guard.binary_search_by_key(&3, |value| T::rank(value));
            assert_eq!(found.is_ok(), twin.binary_search_by_key(&3, |value| T::rank(T::lent_of(value))).is_ok());
        }
        T::compare_slice(guard, twin);
    }

    fn see(handle: &SharedVec<T>, twin: &Vec<T>) {
        assert_eq!((handle.len().unwrap(), handle.is_empty().unwrap()), (twin.len(), twin.is_empty()));
        assert_eq!(&handle.to_vec().unwrap(), twin);
        for index in (0..twin.len() + 2).step_by(1 + twin.len() / 16) {
            assert_eq!(handle.get(index).unwrap().as_ref(), twin.get(index));
        }
        assert_eq!(handle.first().unwrap().as_ref(), twin.first());
        assert_eq!(handle.last().unwrap().as_ref(), twin.last());
        assert!(twin.last().is_none_or(|value| handle.contains(value).unwrap()));
        assert!(handle.capacity().unwrap() >= twin.len());
    }

    fn see_by_guard(handle: &SharedVec<T>, twin: &Vec<T>) {
        Self::see_read_guard(&handle.read().unwrap(), twin);
    }
}

/// An answer as text.
pub fn answer(value: impl Debug) -> String {
    format!("{value:?}")
}

/// True for each `of`th call.
pub fn every(number: &mut usize, of: usize) -> bool {
    *number += 1;
    number.is_multiple_of(of)
}

#[test]
fn a_vector_of_numbers_is_a_vec() {
    harness::run::<Vectors<u64>>(48);
}

#[test]
fn a_vector_of_texts_is_a_vec() {
    harness::run::<Vectors<String>>(32);
}

#[test]
fn a_vector_of_optional_texts_is_a_vec() {
    harness::run::<Vectors<Option<String>>>(32);
}

#[test]
fn guards_are_indexed_as_slices_are() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers: SharedVec<u32> = region.object("numbers").unwrap();
    numbers.extend(0..10).unwrap();
    let guard = numbers.read().unwrap();
    assert_eq!((&guard[..3], &guard[7..], &guard[2..=3]), (&[0, 1, 2][..], &[7, 8, 9][..], &[2, 3][..]));
    assert_eq!((guard[4], guard[..].len()), (4, 10));
    drop(guard);
    let mut guard = numbers.write().unwrap();
    guard[1..4].fill(77);
    guard[0] = 5;
    assert_eq!(guard[..=4], [5, 77, 77, 77, 4]);
    guard.rollback();
    assert_eq!(numbers.to_vec().unwrap(), (0..10).collect::<Vec<_>>());
}
