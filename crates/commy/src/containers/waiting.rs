//! What every handle can say and do about changes of its object, and the calls that wait for one.

use std::time::Duration;

use super::rows::vec::slot_size;
use super::rows::vec_deque::{Side, pop_from, push_to, queue, take_range_in, unless_full};
use super::values::key::Key;
use super::values::ordered_key::OrderedKey;
use super::values::value::{Store, Value, take_torn};
use super::{
    Container, SharedBTreeMap, SharedBTreeSet, SharedBox, SharedGauge, SharedHashMap, SharedHashSet, SharedString,
    SharedVec, SharedVecDeque,
};
use crate::Result;
use crate::raw::place_in_vector;

macro_rules! changes {
    ($([$($bounds:tt)*] $handle:ty;)*) => {$(
        impl<$($bounds)*> $handle {
            /// A number that is higher after each change, whoever makes it. (A change that is undone counts, too, and a
            /// call that found nothing to do may.) Takes no lock.
            ///
            /// # Errors
            /// `Timeout`, `Removed`.
            pub fn version(&self) -> Result<u64> {
                Container::object(self).version()
            }

            /// Sleeps until [`version`](Self::version) is not `seen`, and returns it; `None` after `timeout`. Nothing is
            /// missed: what changed since `seen` was read ends the wait at once. In a read-only region it looks every
            /// millisecond.
            ///
            /// # Errors
            /// `Removed`; `Deadlock` if this thread holds a guard of the object.
            ///
            /// # Crash
            /// Whoever dies in the middle of a change or of waking the others delays them by some milliseconds at most.
            pub fn wait_changed(&self, seen: u64, timeout: Duration) -> Result<Option<u64>> {
                Container::object(self).wait_changed(seen, timeout)
            }
        }
    )*};
}
changes! {
    [T: Value] SharedVec<T>;
    [T: Value] SharedVecDeque<T>;
    [T: Value + Store<T> + Default] SharedBox<T>;
    [] SharedString;
    [K: Key, V: Value] SharedHashMap<K, V>;
    [K: Key] SharedHashSet<K>;
    [K: OrderedKey, V: Value] SharedBTreeMap<K, V>;
    [K: OrderedKey] SharedBTreeSet<K>;
    [] SharedGauge;
}

impl<T: Value + Store<T> + Default> SharedBox<T> {
    /// Sleeps while `condition` holds of the value, and returns the first value of which it does not; `None` after
    /// `timeout`. The condition is asked without a lock, about whole values only.
    ///
    /// # Errors
    /// `Removed`, `Corrupt`; `Deadlock` if this thread holds a guard of the box.
    ///
    /// # Crash
    /// Whoever dies in the middle of a change or of waking the others delays them by some milliseconds at most.
    pub fn wait_while(&self, mut condition: impl FnMut(&T) -> bool, timeout: Duration) -> Result<Option<T>> {
        let object = Container::object(self);
        let space = object.space();
        object.wait_until(timeout, || {
            let seen = object.peek_at_once(|attempt, raw| match place_in_vector(space, raw, slot_size::<T>(), 0) {
                Ok(Some(place)) => take_torn(attempt, space, place),
                Ok(None) => None,
                Err(error) => Some(Err(error)),
            });
            match seen {
                Some(value) => value.map(|value: T| (!condition(&value)).then_some(value)),
                None => Ok(None),
            }
        })
    }
}

impl<T: Value> SharedVecDeque<T> {
    /// Takes the first value; if there is none, sleeps until there is one. `None`: there was none in `timeout`.
    ///
    /// # Errors
    /// As [`pop_front`](Self::pop_front); `Deadlock` if this thread holds a guard of the queue.
    ///
    /// # Crash
    /// As [`pop_front`](Self::pop_front). Who dies while it waits takes nothing with it, neither a value nor the news of
    /// one; who dies before it has woken the others delays them by some milliseconds at most.
    pub fn pop_front_wait(&self, timeout: Duration) -> Result<Option<T>> {
        self.pop_wait(Side::Front, timeout)
    }

    /// As [`pop_front_wait`](Self::pop_front_wait), the last value.
    ///
    /// # Errors
    /// As [`pop_front_wait`](Self::pop_front_wait).
    pub fn pop_back_wait(&self, timeout: Duration) -> Result<Option<T>> {
        self.pop_wait(Side::Back, timeout)
    }

    #[inline]
    fn pop_wait(&self, side: Side, timeout: Duration) -> Result<Option<T>> {
        let object = Container::object(self);
        if object.glance(|_, raw| Some(raw.length() != 0)) == Some(true)
            && let Some(value) = pop_from(object, side)?
        {
            return Ok(Some(value));
        }
        self.pop_later(side, timeout)
    }

    #[inline(never)]
    fn pop_later(&self, side: Side, timeout: Duration) -> Result<Option<T>> {
        let object = Container::object(self);
        let has_some = || object.peek_at_once(|_, raw| Some(Ok(raw.length() != 0))).unwrap_or(Ok(false));
        object.wait_until(timeout, || match has_some()? {
            true => pop_from(object, side),
            false => Ok(None),
        })
    }

    /// Takes up to `most` of the first values as one change; if there is none, sleeps until there is one. Empty: there
    /// was none in `timeout`.
    ///
    /// # Errors
    /// As [`pop_front_wait`](Self::pop_front_wait).
    ///
    /// # Crash
    /// All of them are taken or none; else as [`pop_front_wait`](Self::pop_front_wait).
    pub fn pop_front_many_wait(&self, most: usize, timeout: Duration) -> Result<Vec<T>> {
        let object = Container::object(self);
        let has_some = || object.peek_at_once(|_, raw| Some(Ok(raw.length() != 0))).unwrap_or(Ok(false));
        let taken = object.wait_until(timeout, || match has_some()? {
            true => object
                .change(|context, raw| take_range_in::<T>(context, raw, 0, raw.length().min(most as u64)))
                .map(|values| (!values.is_empty()).then_some(values)),
            false => Ok(None),
        })?;
        Ok(taken.unwrap_or_default())
    }

    /// Adds a value at the back; if the queue is full, sleeps until it is not. `Ok(false)`: it was full all through
    /// `timeout`.
    ///
    /// # Errors
    /// As [`push_back`](Self::push_back), but for `Full`; `Deadlock` if this thread holds a guard of the queue.
    ///
    /// # Crash
    /// As [`push_back`](Self::push_back).
    pub fn push_back_wait(&self, value: impl Store<T>, timeout: Duration) -> Result<bool> {
        self.push_wait(Side::Back, &value, timeout)
    }

    /// As [`push_back_wait`](Self::push_back_wait), at the front.
    ///
    /// # Errors
    /// As [`push_back_wait`](Self::push_back_wait).
    pub fn push_front_wait(&self, value: impl Store<T>, timeout: Duration) -> Result<bool> {
        self.push_wait(Side::Front, &value, timeout)
    }

    #[inline]
    fn push_wait(&self, side: Side, value: &impl Store<T>, timeout: Duration) -> Result<bool> {
        let object = Container::object(self);
        let space = object.space();
        if object.glance(|_, raw| Some(queue::<T>(space, raw).is_beyond_limit(1))) == Some(false)
            && unless_full(push_to(object, side, value))?
        {
            return Ok(true);
        }
        self.push_later(side, value, timeout)
    }

    #[inline(never)]
    fn push_later(&self, side: Side, value: &impl Store<T>, timeout: Duration) -> Result<bool> {
        let object = Container::object(self);
        let space = object.space();
        let is_full =
            || object.peek_at_once(|_, raw| Some(Ok(queue::<T>(space, raw).is_beyond_limit(1)))).unwrap_or(Ok(true));
        let pushed = object.wait_until(timeout, || {
            if is_full()? {
                return Ok(None);
            }
            let pushed = push_to(object, side, value);
            Ok(unless_full(pushed)?.then_some(()))
        })?;
        Ok(pushed.is_some())
    }
}
