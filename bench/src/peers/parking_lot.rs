//! parking_lot's mutex around the map of the standard library.

use super::map::{Act, Batch, MISSING, Map, sum};
use super::std::{Table, act, bump};
use crate::Outcome;
use parking_lot::Mutex;
use std::hint::black_box;

#[derive(Default)]
pub(super) struct Locked(Mutex<Table>);

impl Map for Locked {
    fn clear(&mut self) -> Outcome {
        self.0 = Mutex::default();
        Ok(())
    }

    fn act(&mut self, act: Act) -> Outcome<Batch> {
        let map = black_box(&self.0);
        act!(act, map.lock(), |_| Err("a hash map has no order".into()))
    }
}
