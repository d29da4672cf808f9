//! Copying values out of containers, and proving that what came from a file is a value.

use std::cell::{Cell, RefCell};

use super::value::Value;
use crate::engine::{Attempt, Object};
use crate::raw::{Image, Place, copy_out_content};
use crate::region::Space;
use crate::region::layout::RawHeader;
use crate::{Error, Result};

/// How something is read: under a guard, or while others may be writing. It bounds what a damaged region can make a
/// reader collect: no more than the region can hold.
#[doc(hidden)]
pub struct Reader<'r> {
    pub(in crate::containers) space: &'r Space,
    attempt: Option<&'r Attempt<'r>>,
    left: Cell<u64>,
    /// Where the bodies of containers lie, when it must be proved that they lie apart.
    bodies: Option<RefCell<Vec<(u64, u64)>>>,
}

impl<'r> Reader<'r> {
    #[inline(always)]
    pub(in crate::containers) fn locked(space: &'r Space) -> Reader<'r> {
        Reader { space, attempt: None, left: Cell::new(space.geometry.capacity), bodies: None }
    }

    #[inline(always)]
    pub(in crate::containers) fn torn(space: &'r Space, attempt: &'r Attempt<'r>) -> Reader<'r> {
        Reader { attempt: Some(attempt), ..Reader::locked(space) }
    }

    /// For a proof.
    fn proving(space: &'r Space) -> Reader<'r> {
        Reader { bodies: Some(RefCell::default()), ..Reader::locked(space) }
    }

    /// Has nothing been written since the read began? Asked before a length is believed.
    #[inline(always)]
    pub(in crate::containers) fn holds(&self) -> bool {
        self.attempt.is_none_or(Attempt::holds)
    }

    /// So many bytes more are read.
    pub(in crate::containers) fn spend(&self, bytes: u64) -> Result<()> {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.ok_or(Error::corrupt(0, "containers hold more than the region"))?);
        Ok(())
    }

    /// A container's body lies here; [`are_apart`](Self::are_apart) asks whether all of them lie apart.
    pub(in crate::containers) fn claim(&self, offset: u64, len: u64) {
        if let Some(bodies) = &self.bodies
            && len > 0
        {
            bodies.borrow_mut().push((offset, len));
        }
    }

    /// Proves that what is in an object that came from a file may be lent.
    pub(in crate::containers) fn prove(
        object: &Object,
        proof: impl Fn(&RawHeader, &Reader<'_>) -> Result<()>,
    ) -> Result<()> {
        object.validate_once(|space, raw| {
            let reader = Reader::proving(space);
            proof(raw, &reader)?;
            if reader.are_apart() {
                return Ok(());
            }
            Err(Error::corrupt(raw.data_offset(), "containers in a container share their memory"))
        })
    }

    /// Do all bodies lie apart from each other? Two that do not would be lent twice.
    fn are_apart(&self) -> bool {
        let Some(bodies) = &self.bodies else { return true };
        let mut bodies = bodies.borrow_mut();
        bodies.sort_unstable();
        bodies.windows(2).all(|pair| pair[0].0.saturating_add(pair[0].1) <= pair[1].0)
    }

    /// A copy of the value at a place. `None`: it was torn, try again.
    #[inline(always)]
    pub(in crate::containers) fn value<V: Value>(&self, place: Place) -> Option<Result<V>> {
        let image: Image<V::Repr> = place.image();
        V::take(image.slot(self.space), self)
    }

    /// The content of a string slot of which this is a copy. `None`: it was torn, try again.
    pub(in crate::containers) fn text(&self, words: [u64; 2]) -> Option<Result<Vec<u8>>> {
        // The length is believed, and memory taken for it, only if nothing was written meanwhile.
        if !self.holds() {
            return None;
        }
        let bytes = copy_out_content(self.space, words);
        let bytes = bytes.and_then(|bytes| self.spend(bytes.len() as u64).map(|()| bytes));
        self.holds().then_some(bytes)
    }
}
