//! `SharedVecDeque` beside `VecDeque`.

use super::harness::{self, Model};
use super::rows::{self, RowOp};
use super::vectors::{Element, answer, every};
use commy::{Error, Result, SharedVecDeque, VecDequeReadGuard, VecDequeWriteGuard};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::marker::PhantomData;

/// What only plain values can do.
trait Item: Element {
    /// Changes a value in place, where the type can.
    fn change_in(guard: &mut VecDequeWriteGuard<'_, Self>, index: usize, value: &Self) -> Result<()> {
        guard.set(index, value.clone()).map(drop)
    }
    /// Brings the values into one row, where the type can.
    fn line_up(_guard: &mut VecDequeWriteGuard<'_, Self>) -> Result<()> {
        Ok(())
    }
    fn compare_slices(_guard: &VecDequeReadGuard<'_, Self>, _twin: &VecDeque<Self>) {}
}

impl Item for u64 {
    fn change_in(guard: &mut VecDequeWriteGuard<'_, u64>, index: usize, value: &u64) -> Result<()> {
        match value % 4 {
            0 => guard[index] = *value,
            1 => *guard.get_mut(index)?.expect("inside") = *value,
            2 => *guard.iter_mut()?.nth(index).expect("inside") = *value,
            _ => {
                let (first, second) = guard.as_mut_slices();
                let split = first.len();
                if index < split { first[index] = *value } else { second[index - split] = *value }
            }
        }
        Ok(())
    }

    fn line_up(guard: &mut VecDequeWriteGuard<'_, u64>) -> Result<()> {
        let values = guard.to_vec()?;
        assert_eq!(guard.make_contiguous()?, values);
        assert!(guard.as_slices().1.is_empty());
        Ok(())
    }

    fn compare_slices(guard: &VecDequeReadGuard<'_, u64>, twin: &VecDeque<u64>) {
        let (first, second) = guard.as_slices();
        assert!(first.iter().chain(second).eq(twin));
        assert!(twin.iter().enumerate().all(|(index, value)| guard[index] == *value));
        assert_eq!(format!("{guard:?}"), format!("{twin:?}"));
    }
}

impl Item for String {}
impl Item for Option<String> {}

#[derive(Clone, Debug)]
enum Op<T> {
    PushBack(T),
    PushFront(T),
    PopBack,
    PopFront,
    PopMany(usize),
    Set(usize, T),
    Overwrite(usize, T),
    Insert(usize, T),
    Remove(usize),
    Swap(usize, usize),
    Rotate(usize, bool),
    Drain(usize, usize),
    Truncate(usize),
    Resize(usize, T),
    Clear,
    Extend(Vec<T>),
    Reserve(usize),
    LineUp,
    Limit(usize),
    /// Keeps one of so many.
    Retain(usize),
    SwapRemove(usize, bool),
    PopIf(bool, bool),
    Row(RowOp<T>),
}

/// A queue and its limit.
#[derive(Clone, Debug)]
struct Twin<T> {
    items: VecDeque<T>,
    limit: usize,
}

impl<T> Default for Twin<T> {
    fn default() -> Self {
        Twin { items: VecDeque::new(), limit: usize::MAX }
    }
}

impl<T> Twin<T> {
    fn has_room(&self, more: usize) -> bool {
        more == 0 || self.items.len() + more <= self.limit
    }
}

struct Deques<T>(PhantomData<T>);

/// What a push that may meet the limit answers.
fn full<R>(result: Result<R>) -> Result<String> {
    match result {
        Ok(_) => Ok("added".into()),
        Err(Error::Full { .. }) => Ok("full".into()),
        Err(error) => Err(error),
    }
}

/// What an operation answers that may meet the limit.
fn unless_full(result: Result<String>) -> Result<String> {
    match result {
        Err(Error::Full { .. }) => Ok("full".into()),
        other => other,
    }
}

pub fn range(from: usize, count: usize, len: usize) -> std::ops::Range<usize> {
    let from = from.min(len);
    from..from.saturating_add(count).min(len)
}

impl<T: Item> Model for Deques<T> {
    type Handle = SharedVecDeque<T>;
    type Twin = Twin<T>;
    type Op = Op<T>;

    fn ops() -> BoxedStrategy<Op<T>> {
        let value = T::any_value;
        let index = || 0..64usize;
        let many = prop_oneof![4 => 0..6usize, 1 => 100..400usize];
        let many = many.prop_flat_map(move |count| prop::collection::vec(value(), count..count + 1));
        prop_oneof![
            6 => value().prop_map(Op::PushBack),
            6 => value().prop_map(Op::PushFront),
            4 => Just(Op::PopBack),
            6 => Just(Op::PopFront),
            1 => (0..12usize).prop_map(Op::PopMany),
            3 => (index(), value()).prop_map(|(index, value)| Op::Set(index, value)),
            3 => (index(), value()).prop_map(|(index, value)| Op::Overwrite(index, value)),
            4 => (index(), value()).prop_map(|(index, value)| Op::Insert(index, value)),
            4 => index().prop_map(Op::Remove),
            2 => (index(), index()).prop_map(|(first, second)| Op::Swap(first, second)),
            2 => (index(), any::<bool>()).prop_map(|(count, left)| Op::Rotate(count, left)),
            1 => (index(), index()).prop_map(|(from, count)| Op::Drain(from, count)),
            1 => index().prop_map(Op::Truncate),
            1 => (index(), value()).prop_map(|(len, value)| Op::Resize(len, value)),
            1 => Just(Op::Clear),
            3 => many.prop_map(Op::Extend),
            1 => (0..3000usize).prop_map(Op::Reserve),
            1 => Just(Op::LineUp),
            1 => (0..40usize).prop_map(Op::Limit),
            1 => (1..4usize).prop_map(Op::Retain),
            2 => (index(), any::<bool>()).prop_map(|(index, back)| Op::SwapRemove(index, back)),
            1 => (any::<bool>(), any::<bool>()).prop_map(|(back, yes)| Op::PopIf(back, yes)),
            24 => rows::ops().prop_map(Op::Row),
        ]
        .boxed()
    }

    fn on_twin(twin: &mut Twin<T>, op: &Op<T>) -> String {
        let len = twin.items.len();
        let added = |added: bool| String::from(if added { "added" } else { "full" });
        match op {
            Op::PushBack(value) | Op::PushFront(value) | Op::Insert(_, value) => {
                if !twin.has_room(1) {
                    return added(false);
                }
                match op {
                    Op::PushBack(_) => twin.items.push_back(value.clone()),
                    Op::PushFront(_) => twin.items.push_front(value.clone()),
                    Op::Insert(index, _) => twin.items.insert((*index).min(len), value.clone()),
                    _ => {}
                }
                return added(true);
            }
            Op::PopBack => return answer(twin.items.pop_back()),
            Op::PopFront => return answer(twin.items.pop_front()),
            Op::PopMany(count) => return answer(twin.items.drain(..(*count).min(len)).collect::<Vec<T>>()),
            Op::Set(index, value) => {
                if let Some(slot) = twin.items.get_mut(*index) {
                    slot.clone_from(value);
                }
                return answer(*index < len);
            }
            Op::Overwrite(index, value) if len > 0 => twin.items[index % len] = value.clone(),
            Op::Remove(index) => return answer(twin.items.remove(*index)),
            Op::Swap(first, second) if len > 0 => twin.items.swap(first % len, second % len),
            Op::Rotate(count, true) => twin.items.rotate_left((*count).min(len)),
            Op::Rotate(count, false) => twin.items.rotate_right((*count).min(len)),
            Op::Drain(from, count) => {
                return answer(twin.items.drain(range(*from, *count, len)).collect::<Vec<T>>());
            }
            Op::Truncate(new) => twin.items.truncate(*new),
            Op::Resize(new, value) => twin.items.resize((*new).min(twin.limit.max(len)), value.clone()),
            Op::Clear => twin.items.clear(),
            Op::Extend(values) => {
                if !twin.has_room(values.len()) {
                    return added(false);
                }
                twin.items.extend(values.iter().cloned());
                return added(true);
            }
            Op::Retain(of) => {
                let mut number = 0;
                twin.items.retain(|_| every(&mut number, *of));
            }
            Op::SwapRemove(index, true) => return answer(twin.items.swap_remove_back(*index)),
            Op::SwapRemove(index, false) => return answer(twin.items.swap_remove_front(*index)),
            Op::PopIf(back, yes) => {
                let mut pop = || if *back { twin.items.pop_back() } else { twin.items.pop_front() };
                return answer(if *yes { pop() } else { None });
            }
            Op::Row(op) => {
                let mut items: Vec<T> = twin.items.iter().cloned().collect();
                let answer = rows::on_twin(&mut items, op);
                if items.len() > len && items.len() > twin.limit {
                    return added(false);
                }
                twin.items = items.into();
                return answer;
            }
            Op::Limit(limit) => {
                twin.limit = if *limit == 0 { usize::MAX } else { *limit };
            }
            Op::Overwrite(..) | Op::Swap(..) | Op::Reserve(_) | Op::LineUp => {}
        }
        answer(())
    }

    fn on_handle(handle: &SharedVecDeque<T>, op: &Op<T>) -> Result<String> {
        let len = handle.len()?;
        Ok(match op {
            Op::PushBack(value) if len.is_multiple_of(2) => full(handle.push_back(value.clone()))?,
            Op::PushBack(value) => (if handle.try_push_back(value.clone())? { "added" } else { "full" }).into(),
            Op::PushFront(value) if len.is_multiple_of(2) => full(handle.push_front(value.clone()))?,
            Op::PushFront(value) => (if handle.try_push_front(value.clone())? { "added" } else { "full" }).into(),
            Op::PopBack => answer(handle.pop_back()?),
            Op::PopFront => answer(handle.pop_front()?),
            Op::PopMany(count) => answer(handle.pop_front_many(*count)?),
            Op::Set(index, value) => answer(handle.set(*index, value.clone())?),
            Op::Insert(index, value) => full(handle.insert((*index).min(len), value.clone()))?,
            Op::Remove(index) => answer(handle.remove(*index)?),
            Op::Truncate(len) => answer(handle.truncate(*len)?),
            Op::Clear => answer(handle.clear()?),
            Op::Extend(values) => full(handle.extend(values.iter().cloned()))?,
            Op::Reserve(more) => answer(handle.reserve(*more)?),
            Op::Overwrite(index, value) if len > 0 => {
                let changed = handle.update(index % len, |slot| *slot = value.clone())?;
                assert!(changed.is_some());
                answer(())
            }
            Op::Limit(limit) => answer(handle.set_limit((*limit != 0).then_some(*limit))?),
            Op::SwapRemove(index, true) => answer(handle.swap_remove_back(*index)?),
            Op::SwapRemove(index, false) => answer(handle.swap_remove_front(*index)?),
            Op::PopIf(true, yes) => answer(handle.pop_back_if(|_| *yes)?),
            Op::PopIf(false, yes) => answer(handle.pop_front_if(|_| *yes)?),
            Op::Rotate(count, true) => answer(handle.rotate_left((*count).min(len))?),
            Op::Rotate(count, false) => answer(handle.rotate_right((*count).min(len))?),
            Op::Drain(from, count) => answer(handle.drain(range(*from, *count, len))?),
            Op::Retain(of) => {
                let mut number = 0;
                answer(handle.retain(|_| every(&mut number, *of))?)
            }
            Op::Row(op) => return unless_full(rows::on_deque(handle, op)),
            _ => return Self::on_guard(&mut handle.write()?, op),
        })
    }

    fn on_guard(guard: &mut VecDequeWriteGuard<'_, T>, op: &Op<T>) -> Result<String> {
        let len = guard.len();
        Ok(match op {
            Op::PushBack(value) if len.is_multiple_of(2) => full(guard.push_back(value.clone()))?,
            Op::PushBack(value) => (if guard.try_push_back(value.clone())? { "added" } else { "full" }).into(),
            Op::PushFront(value) => full(guard.push_front(value.clone()))?,
            Op::PopBack => answer(guard.pop_back()?),
            Op::PopFront => answer(guard.pop_front()?),
            Op::PopMany(count) => answer(guard.drain(..(*count).min(len))?),
            Op::Set(index, value) => answer(guard.set(*index, value.clone())?),
            Op::Overwrite(index, value) if len > 0 => answer(T::change_in(guard, index % len, value)?),
            Op::Insert(index, value) => full(guard.insert((*index).min(len), value.clone()))?,
            Op::Remove(index) => answer(guard.remove(*index)?),
            Op::Swap(first, second) if len > 0 => answer(guard.swap(first % len, second % len)?),
            Op::Rotate(count, true) => answer(guard.rotate_left((*count).min(len))?),
            Op::Rotate(count, false) => answer(guard.rotate_right((*count).min(len))?),
            Op::Drain(from, count) => answer(guard.drain(range(*from, *count, len))?),
            Op::Truncate(len) => answer(guard.truncate(*len)?),
            Op::Resize(new, value) => {
                let most = guard.limit().unwrap_or(usize::MAX).max(len);
                answer(guard.resize((*new).min(most), value.clone())?)
            }
            Op::Clear => answer(guard.clear()?),
            Op::Extend(values) => full(guard.extend(values.iter().cloned()))?,
            Op::Reserve(more) => answer(guard.reserve(*more)?),
            Op::LineUp => answer(T::line_up(guard)?),
            Op::Limit(limit) => answer(guard.set_limit((*limit != 0).then_some(*limit))?),
            Op::Retain(of) => {
                let mut number = 0;
                answer(guard.retain(|_| every(&mut number, *of))?)
            }
            Op::SwapRemove(index, true) => answer(guard.swap_remove_back(*index)?),
            Op::SwapRemove(index, false) => answer(guard.swap_remove_front(*index)?),
            Op::PopIf(true, yes) => answer(guard.pop_back_if(|_| *yes)?),
            Op::PopIf(false, yes) => answer(guard.pop_front_if(|_| *yes)?),
            Op::Row(op) => return unless_full(rows::on_deque_guard(guard, op)),
            Op::Overwrite(..) | Op::Swap(..) => answer(()),
        })
    }

    fn roll_back(guard: VecDequeWriteGuard<'_, T>) {
        guard.rollback();
    }

    fn write(handle: &SharedVecDeque<T>) -> Result<VecDequeWriteGuard<'_, T>> {
        handle.write()
    }

    fn see_write_guard(guard: &VecDequeWriteGuard<'_, T>, twin: &Twin<T>) {
        let twin = &twin.items;
        assert_eq!((guard.len(), guard.is_empty()), (twin.len(), twin.is_empty()));
        assert!(guard.iter().zip(twin).all(|(lent, value)| T::is_lent(lent, value)));
        assert!(guard.to_vec().unwrap().iter().eq(twin));
    }

    fn see_read_guard(guard: &VecDequeReadGuard<'_, T>, twin: &Twin<T>) {
        let twin = &twin.items;
        assert_eq!((guard.len(), guard.iter().len(), guard.is_empty()), (twin.len(), twin.len(), twin.is_empty()));
        assert!(guard.into_iter().zip(twin).all(|(lent, value)| T::is_lent(lent, value)));
        assert!(guard.iter().rev().zip(twin.iter().rev()).all(|(lent, value)| T::is_lent(lent, value)));
        assert_eq!(guard.front().map(|lent| T::is_lent(lent, &twin[0])), twin.front().map(|_| true));
        assert_eq!(guard.back().map(|lent| T::is_lent(lent, &twin[twin.len() - 1])), twin.back().map(|_| true));
        assert!(guard.get(twin.len()).is_none());
        let row: Vec<T> = twin.iter().cloned().collect();
        rows::see(&row, |range| guard.range(range).unwrap());
        assert!(guard.capacity() >= twin.len() && &guard.to_vec_deque().unwrap() == twin);
        T::compare_slices(guard, twin);
    }

    fn see(handle: &SharedVecDeque<T>, twin: &Twin<T>) {
        assert_eq!(handle.limit().unwrap().unwrap_or(usize::MAX), twin.limit);
        let twin = &twin.items;
        assert_eq!((handle.len().unwrap(), handle.is_empty().unwrap()), (twin.len(), twin.is_empty()));
        assert!(handle.to_vec().unwrap().iter().eq(twin));
        assert_eq!(&handle.to_vec_deque().unwrap(), twin);
        assert_eq!(handle.front().unwrap().as_ref(), twin.front());
        assert_eq!(handle.back().unwrap().as_ref(), twin.back());
        for index in (0..twin.len() + 2).step_by(1 + twin.len() / 16) {
            assert_eq!(handle.get(index).unwrap().as_ref(), twin.get(index));
        }
        if let Some(value) = twin.back() {
            assert!(handle.contains(value).unwrap());
        }
    }

    fn see_by_guard(handle: &SharedVecDeque<T>, twin: &Twin<T>) {
        Self::see_read_guard(&handle.read().unwrap(), twin);
    }
}

#[test]
fn a_queue_of_numbers_is_a_deque() {
    harness::run::<Deques<u64>>(64);
}

#[test]
fn a_queue_of_texts_is_a_deque() {
    harness::run::<Deques<String>>(48);
}

#[test]
fn a_queue_of_optional_texts_is_a_deque() {
    harness::run::<Deques<Option<String>>>(32);
}

/// Whichever allocation of an operation fails, the queue stays as it was; and it is of use afterwards.
#[test]
fn without_room_a_queue_stays_as_it_was() {
    let temporary = crate::support::temporary::Temporary::new();
    let region = crate::support::temporary::quiet().capacity(1 << 20).create(temporary.region()).unwrap();
    let queue: SharedVecDeque<String> = region.object("queue").unwrap();
    let ballast: commy::SharedVec<String> = region.object("ballast").unwrap();
    let seed = crate::seeded::seed();
    println!("COMMY_SEED={seed}");
    let mut random = crate::seeded::Random::new(seed);
    let (mut twin, mut refused) = (VecDeque::new(), 0);
    for round in 0..3000u64 {
        let text = "t".repeat(random.below(9) as usize * random.below(4000) as usize);
        let index = random.below(twin.len() as u64 + 1) as usize;
        let mut next: VecDeque<String> = twin.clone();
        let by_guard = random.below(2) == 0;
        let many = || (0..1 + round % 5).map(|_| text.clone());
        // Once in a while what is left is taken, down to small blocks.
        let size = 60_000 >> random.below(12);
        while round.is_multiple_of(40) && ballast.push("b".repeat(size)).is_ok() {}
        let way = random.below(6);
        let done = match (way, by_guard) {
            (0, false) => queue.push_back(&text),
            (0, true) => queue.write().and_then(|mut guard| guard.push_back(&text)),
            (1, false) => queue.push_front(&text),
            (1, true) => queue.write().and_then(|mut guard| guard.push_front(&text)),
            (2, false) => queue.insert(index, &text),
            (2, true) => queue.write().and_then(|mut guard| guard.insert(index, &text)),
            (3, false) => queue.set(index, &text).map(drop),
            (3, true) => queue.write().and_then(|mut guard| guard.set(index, &text).map(drop)),
            (4, false) => queue.extend(many()),
            (4, true) => queue.write().and_then(|mut guard| guard.extend(many())),
            (_, false) => queue.remove(index).map(drop),
            (_, true) => queue.write().and_then(|mut guard| guard.remove(index).map(drop)),
        };
        match way {
            0 => next.push_back(text.clone()),
            1 => next.push_front(text.clone()),
            2 => next.insert(index, text.clone()),
            3 => next.iter_mut().skip(index).take(1).for_each(|slot| slot.clone_from(&text)),
            4 => next.extend(many()),
            _ => drop(next.remove(index)),
        }
        match done {
            Ok(()) => twin = next,
            Err(Error::OutOfSpace { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(queue.to_vec().unwrap().iter().eq(&twin), "round {round}");
        if random.below(10) == 0 {
            ballast.clear().unwrap();
            let report = region.check().unwrap();
            assert!(report.is_clean(), "{report:#?}");
        }
        if twin.len() > 100 {
            queue.clear().unwrap();
            twin.clear();
        }
    }
    assert!(refused > 50, "only {refused} calls found no room");
}
