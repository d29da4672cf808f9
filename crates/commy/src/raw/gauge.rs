//! Gauges: a vector of contributions {process, value}, one for each process that has made one. What a dead process
//! contributed counts no more; its place serves the next one.

use crate::sys::atomic::Ordering;

use std::collections::BTreeMap;

use super::place::{Place, place_in_vector};
use super::vector::Vector;
use crate::Result;
use crate::crash::crash_point;
use crate::journal::Context;
use crate::process::{Identity, SlotState, is_dead};
use crate::region::Space;
use crate::region::layout::*;

/// Bytes of a contribution.
pub(crate) const GAUGE_SLOT: u64 = 16;

/// Who contributed, and how much.
pub(crate) type Contribution = [u64; 2];

fn owner_of(me: Identity) -> u64 {
    pack::owner(me.slot, me.incarnation, 1)
}

/// Contribution `index`; the words may be changing. `None`: beyond the end.
pub(crate) fn contribution(space: &Space, raw: &RawHeader, index: u64) -> Result<Option<Contribution>> {
    let place = place_in_vector(space, raw, GAUGE_SLOT, index)?;
    Ok(place.map(|place| place.image::<Contribution>().slot(space).bytes_slot()))
}

/// Has the process detached, or has its slot been given to another one? A dead one that nobody has reaped has not.
fn is_gone(space: &Space, owner: u64) -> bool {
    let slot = pack::owner_slot(owner);
    if slot >= space.geometry.slot_count {
        return true;
    }
    let state = space.slot(slot).state.load(Ordering::Acquire);
    SlotState::of(state) != (SlotState::Claimed, pack::owner_incarnation(owner))
}

/// What `contributions` come to: those of processes that live. Asks the system about each of them.
pub(crate) fn total(space: &Space, me: Option<Identity>, contributions: &[Contribution]) -> Result<i64> {
    let (mut total, mut known) = (0i64, BTreeMap::new());
    for [owner, value] in contributions {
        if is_gone(space, *owner) {
            continue;
        }
        // Once for each process, however often a damaged file names it.
        let lives = match known.get(owner) {
            Some(lives) => *lives,
            None => !is_dead(space, me, pack::owner_slot(*owner), pack::owner_incarnation(*owner))?,
        };
        known.insert(*owner, lives);
        if lives {
            total = total.wrapping_add(value.cast_signed());
        }
    }
    Ok(total)
}

/// What this process has contributed.
pub(crate) fn own_share(me: Identity, contributions: &[Contribution]) -> i64 {
    let own = contributions.iter().find(|[owner, _]| *owner == owner_of(me));
    own.map_or(0, |[_, value]| value.cast_signed())
}

/// Changes this process's contribution; the new one. The gauge's word is held.
pub(crate) fn change_share(context: &mut Context, raw: &RawHeader, change: impl FnOnce(i64) -> i64) -> Result<i64> {
    let space = context.actor.space;
    let owner = owner_of(context.actor.me);
    let vector = Vector::new(space, raw, GAUGE_SLOT);
    let mut vacant = None;
    for index in 0..vector.len() {
        let [found, value] = Place::in_vector(&vector, index)?.lend(space).bytes_slot();
        if found == owner {
            let value = change(value.cast_signed());
            vector.open_one(context, index)?;
            Place::in_vector(&vector, index)?.part(8).target().put_word(value.cast_unsigned());
            crash_point!("gauge: share changed");
            return Ok(value);
        }
        if vacant.is_none() && is_gone(space, found) {
            vacant = Some(index);
        }
    }
    let value = change(0);
    let write = |place: Place| {
        place.target().put_word(owner);
        place.part(8).target().put_word(value.cast_unsigned());
    };
    match vacant {
        Some(index) => {
            vector.open_one(context, index)?;
            write(Place::in_vector(&vector, index)?);
            crash_point!("gauge: place taken over");
        }
        None => {
            write(vector.next_place(context)?);
            crash_point!("gauge: share written, not live");
            vector.publish_push(1);
        }
    }
    Ok(value)
}
