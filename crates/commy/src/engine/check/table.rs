//! Tables: control bytes, counts, and each key where a look-up finds it; the directory of names is one of them.

use super::objects::{Object, STRING_SLOT, word};
use super::owned::Owns;
use super::{Checker, Depth};
use crate::raw::hash_bytes;
use crate::region::layout::OBJECT_RAW_AT;

/// Slots in a group. All control bytes come first, 16 a group, then all slots.
const GROUP: usize = 16;
/// Seven eighths of the slots may be taken.
const FILLABLE: u64 = 14;
const EMPTY: u8 = 0xff;
const DELETED: u8 = 0x80;
/// Steps that the searches in one table may take for each 16 bytes of its keys. A step is a look at a group, or at 16
/// bytes of another key.
const STEPS: u64 = 64;
/// Steps in all that may be taken beyond that.
pub(super) const SPARE_STEPS: u64 = if cfg!(test) { 1 << 12 } else { 1 << 28 };

/// A table's groups.
#[derive(Clone, Copy)]
struct Groups<'a> {
    bytes: &'a [u8],
    slot_size: usize,
}

impl<'a> Groups<'a> {
    /// Bytes of one group.
    fn size(slot_size: u64) -> Option<u64> {
        slot_size.checked_mul(GROUP as u64)?.checked_add(GROUP as u64)
    }

    fn count(&self) -> usize {
        self.bytes.len() / (GROUP + GROUP * self.slot_size)
    }

    fn controls(&self, index: usize) -> &'a [u8] {
        &self.bytes[index * GROUP..][..GROUP]
    }

    fn slot(&self, (group, index): (usize, usize)) -> &'a [u8] {
        let slots = &self.bytes[self.count() * GROUP..];
        &slots[(group * GROUP + index) * self.slot_size..][..self.slot_size]
    }

    /// Where values stand.
    fn full(self) -> impl Iterator<Item = (usize, usize)> {
        let places = move |group| (0..GROUP).map(move |index| (group, index));
        (0..self.count()).flat_map(places).filter(move |(group, index)| self.controls(*group)[*index] < DELETED)
    }
}

impl<'a> Checker<'a> {
    fn groups(&mut self, object: &Object) -> Option<Groups<'a>> {
        let power = |groups: &u64| groups.is_power_of_two() || *groups == 0;
        let groups = Some(object.capacity).filter(power);
        let size = groups.zip(Groups::size(object.slot_size)).and_then(|(count, size)| count.checked_mul(size));
        let bytes = self.content(object, size)?;
        Some(Groups { bytes, slot_size: object.slot_size as usize })
    }

    /// A table and what it owns.
    pub(super) fn table(&mut self, object: &Object) {
        let before = self.report.count();
        let raw = object.at + OBJECT_RAW_AT;
        let Some(groups) = self.groups(object) else {
            if object.capacity == 0 && object.aux0 != 0 {
                self.add(
                    raw,
                    "a table's room is miscounted",
                    format_args!("object {}: {}, but no group", object.at, object.aux0),
                );
            }
            return;
        };
        if self.skips_contents(object) {
            return;
        }
        let controls = || (0..groups.count()).flat_map(|index| groups.controls(index));
        let count = |is: fn(u8) -> bool| controls().filter(|control| is(**control)).count() as u64;
        let (full, deleted) = (count(|control| control < DELETED), count(|control| control == DELETED));
        let unknown = count(|control| control > DELETED && control != EMPTY);
        if unknown != 0 {
            let detail = format_args!("{unknown} in object {}", object.at);
            self.add(object.data, "a control byte has no meaning", detail);
        }
        if full != object.len {
            let detail = format_args!("object {}: {}, but {full} values", object.at, object.len);
            self.add(raw, "a table's length is miscounted", detail);
        }
        let room = (groups.count() as u64 * FILLABLE).checked_sub(full + deleted);
        if room != Some(object.aux0) {
            let detail = format_args!("object {}: {}, but {full} full, {deleted} deleted", object.at, object.aux0);
            self.add(raw, "a table's room is miscounted", detail);
        }
        for place in groups.full() {
            self.possessions(object, groups.slot(place));
        }
        // Keys are compared once it is certain that each string has a block of its own.
        if self.depth == Depth::Everything && self.report.count() == before {
            self.keys(object, groups);
        }
    }

    fn key<'s>(&self, object: &Object, slot: &'s [u8]) -> Option<&'s [u8]>
    where
        'a: 's,
    {
        if object.text_key { self.text(slot.get(..STRING_SLOT)?) } else { slot.get(..object.key_size as usize) }
    }

    /// A look-up finds every key, and no other one that is equal.
    fn keys(&mut self, object: &Object, groups: Groups<'a>) {
        let weight = |key: &[u8]| 1 + key.len() as u64 / 16;
        let total = groups.full().filter_map(|place| self.key(object, groups.slot(place))).map(weight).sum::<u64>();
        // Long searches are slow, not wrong; but a table made for it could take for ever.
        let mut steps = total.saturating_mul(STEPS).saturating_add(self.spare_steps);
        for place in groups.full() {
            let Some(key) = self.key(object, groups.slot(place)) else { continue };
            let hash = hash_bytes(object.seed, key);
            let tag = groups.controls(place.0)[place.1];
            let mut rule = if u64::from(tag) == hash >> 57 { "" } else { "a control byte contradicts its key" };
            let mask = groups.count() - 1;
            let (mut group, mut step) = ((hash / 16) as usize & mask, 0);
            'way: while rule.is_empty() {
                let controls = groups.controls(group);
                for index in (0..GROUP).filter(|index| controls[*index] == tag) {
                    if (group, index) == place {
                        break 'way;
                    }
                    let other = self.key(object, groups.slot((group, index)));
                    steps = steps.saturating_sub(weight(key));
                    if other == Some(key) {
                        rule = "a table has two equal keys";
                    }
                }
                steps = steps.saturating_sub(1);
                if rule.is_empty() && (controls.contains(&EMPTY) || step >= mask) {
                    rule = "a key is where no look-up comes by";
                } else if rule.is_empty() && steps == 0 {
                    rule = "keys are too far from their places to check them all";
                }
                step += 1;
                group = (group + step) & mask;
            }
            if !rule.is_empty() {
                let detail = format_args!("object {}, group {}, slot {}", object.at, place.0, place.1);
                self.add(object.data, rule, detail);
            }
            if steps == 0 {
                break;
            }
        }
        self.spare_steps = self.spare_steps.min(steps);
    }

    /// The directory: a table of texts and offsets of headers, which are those of the named objects, each once.
    pub(super) fn directory(&mut self, object: &Object, named: &[u64]) {
        let is_one = object.text_key
            && object.slot_size == STRING_SLOT as u64 + 8
            && matches!(&object.owns[..], [Owns::String(0)]);
        if !is_one {
            return self.add(object.at, "the directory is no table from names to objects", format_args!(""));
        }
        let mut met = vec![false; named.len()];
        let size = Groups::size(object.slot_size).and_then(|size| size.checked_mul(object.capacity));
        let bytes = size.filter(|size| *size != 0).and_then(|size| self.bytes(object.data, size));
        let groups = bytes.map(|bytes| Groups { bytes, slot_size: object.slot_size as usize });
        for slot in groups.iter().flat_map(|groups| groups.full().map(|place| groups.slot(place))) {
            let name = self.key(object, slot).unwrap_or_default();
            let target = word(slot, STRING_SLOT).unwrap_or_default();
            let rule = match (std::str::from_utf8(name), named.binary_search(&target)) {
                (Err(_), _) => "a name is no UTF-8",
                (_, Err(_)) => "a name leads to no named object",
                (_, Ok(number)) if std::mem::replace(&mut met[number], true) => "an object has two names",
                _ => continue,
            };
            let name = String::from_utf8_lossy(&name[..name.len().min(64)]);
            self.add(target, rule, format_args!("{name:?}"));
        }
        for (at, _) in named.iter().zip(met).filter(|(_, met)| !met) {
            self.add(*at, "a named object is not in the directory", format_args!(""));
        }
    }
}
