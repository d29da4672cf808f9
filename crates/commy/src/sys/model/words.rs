//! Atomics that lie in shared memory as the standard library's do. One that a model tracks is looked up by its address,
//! and the access goes to the checker's word; the bytes in memory then stay what they were.
//!
//! The checker takes `SeqCst` accesses for `AcqRel` ones. So each has a fence beside it: before a load, after a store and
//! after a read-modify-write. That is what compilers make of them on x86-64 and on machines that have nothing better.

use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{self, Ordering};

use super::world;

/// A fence, for the checker, too.
#[inline]
pub(crate) fn fence(order: Ordering) {
    if world().is_some() {
        loom::sync::atomic::fence(order);
    }
    atomic::fence(order);
}

fn fence_if_total(order: Ordering) {
    if order == Ordering::SeqCst {
        loom::sync::atomic::fence(order);
    }
}

macro_rules! words {
    ($name:ident, $value:ty, $map:ident) => {
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub(crate) struct $name(atomic::$name);

        impl $name {
            pub(crate) const fn new(value: $value) -> $name {
                $name(atomic::$name::new(value))
            }

            /// # Safety
            /// As for the standard library's.
            pub(crate) unsafe fn from_ptr<'a>(place: *mut $value) -> &'a $name {
                // SAFETY: the caller's; the layout is the same.
                unsafe { &*place.cast::<$name>() }
            }

            fn tracked(&self) -> Option<Rc<loom::sync::atomic::$name>> {
                world()?.$map.borrow().get(&ptr::from_ref(self).addr()).cloned()
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                let Some(word) = self.tracked() else { return self.0.load(order) };
                fence_if_total(order);
                word.load(order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                let Some(word) = self.tracked() else { return self.0.store(value, order) };
                word.store(value, order);
                fence_if_total(order);
            }

            pub(crate) fn compare_exchange(
                &self,
                expected: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let Some(word) = self.tracked() else {
                    return self.0.compare_exchange(expected, new, success, failure);
                };
                let result = word.compare_exchange(expected, new, success, failure);
                fence_if_total(success);
                result
            }

            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                mut change: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut seen = self.load(failure);
                while let Some(next) = change(seen) {
                    match self.compare_exchange(seen, next, success, failure) {
                        Ok(before) => return Ok(before),
                        Err(now) => seen = now,
                    }
                }
                Err(seen)
            }

            words!(change $value: swap fetch_add fetch_sub fetch_or fetch_and fetch_max);
        }
    };
    (change $value:ty: $($operation:ident)*) => {
        $(
            #[allow(dead_code)]
            pub(crate) fn $operation(&self, operand: $value, order: Ordering) -> $value {
                let Some(word) = self.tracked() else { return self.0.$operation(operand, order) };
                let before = word.$operation(operand, order);
                fence_if_total(order);
                before
            }
        )*
    };
}

words!(AtomicU32, u32, words32);
words!(AtomicU64, u64, words64);

impl AtomicU32 {
    pub(crate) fn as_ptr(&self) -> *mut u32 {
        self.0.as_ptr()
    }
}
