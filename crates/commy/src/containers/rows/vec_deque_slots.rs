//! More of `SharedVecDeque`: values in the middle, turns, copies.

use std::collections::VecDeque;
use std::ops::RangeBounds;

use super::row::{look, resolve};
use super::vec_deque::SharedVecDeque;
use super::vec_deque::{Side, pop_in, queue, rotate_in, swap_remove_in, take_range_in};
use crate::containers::values::value::Value;
use crate::{Error, Result};

impl<T: Value> SharedVecDeque<T> {
    /// Takes the values of a range; those of the nearer end move up.
    ///
    /// # Errors
    /// `InvalidArgument` if the range is not inside of the queue; as [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// All of them are taken or none.
    pub fn drain(&self, range: impl RangeBounds<usize>) -> Result<Vec<T>> {
        self.object.change(|context, raw| {
            let range = resolve(&range, raw.length())?;
            take_range_in(context, raw, range.start, range.end - range.start)
        })
    }

    /// Takes the value at `index`, `None` beyond the end; the last one comes to its place.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// As [`pop_front`](Self::pop_front).
    pub fn swap_remove_back(&self, index: usize) -> Result<Option<T>> {
        self.object.change(|context, raw| swap_remove_in(context, raw, index as u64, Side::Back))
    }

    /// Takes the value at `index`, `None` beyond the end; the first one comes to its place.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// As [`pop_front`](Self::pop_front).
    pub fn swap_remove_front(&self, index: usize) -> Result<Option<T>> {
        self.object.change(|context, raw| swap_remove_in(context, raw, index as u64, Side::Front))
    }

    /// Takes the first value if `condition` holds of it, which runs under the lock: it must be short and must not touch the
    /// queue itself.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// As [`pop_front`](Self::pop_front).
    pub fn pop_front_if(&self, condition: impl FnOnce(T::Ref<'_>) -> bool) -> Result<Option<T>> {
        self.pop_if(Side::Front, condition)
    }

    /// Takes the last value if `condition` holds of it, which runs under the lock: it must be short and must not touch the
    /// queue itself.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// As [`pop_front`](Self::pop_front).
    pub fn pop_back_if(&self, condition: impl FnOnce(T::Ref<'_>) -> bool) -> Result<Option<T>> {
        self.pop_if(Side::Back, condition)
    }

    fn pop_if(&self, side: Side, condition: impl FnOnce(T::Ref<'_>) -> bool) -> Result<Option<T>> {
        self.object.change(|context, raw| {
            let queue = queue::<T>(context.actor.space, raw);
            queue.check_shape()?;
            let Some(last) = queue.len().checked_sub(1) else { return Ok(None) };
            match look::<T, bool>(queue, if side == Side::Front { 0 } else { last }, condition)? {
                true => pop_in(context, raw, side),
                false => Ok(None),
            }
        })
    }

    /// Turns the queue so that the first `count` values come to stand last.
    ///
    /// # Errors
    /// `InvalidArgument` if there are fewer; as [`push_back`](Self::push_back).
    ///
    /// # Crash
    /// All of it has happened or nothing.
    pub fn rotate_left(&self, count: usize) -> Result<()> {
        self.object.change(|context, raw| rotate_in::<T>(context, raw, count))
    }

    /// Turns the queue so that the last `count` values come to stand first.
    ///
    /// # Errors
    /// As [`rotate_left`](Self::rotate_left).
    ///
    /// # Crash
    /// As [`rotate_left`](Self::rotate_left).
    pub fn rotate_right(&self, count: usize) -> Result<()> {
        self.object.change(|context, raw| {
            let rest = (raw.length() as usize).checked_sub(count).ok_or(Error::InvalidArgument("too far to turn"))?;
            rotate_in::<T>(context, raw, rest)
        })
    }

    /// A copy of all values, as they are at one moment.
    ///
    /// # Errors
    /// As [`to_vec`](Self::to_vec).
    pub fn to_vec_deque(&self) -> Result<VecDeque<T>> {
        self.to_vec().map(VecDeque::from)
    }
}
