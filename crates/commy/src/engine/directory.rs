//! Named objects. The directory is an ordinary object: a table from names to header offsets, under an ordinary lock.

use crate::sys::atomic::Ordering;
use std::sync::Arc;

use super::attachment::Attachment;
use super::channel;
use super::object::{Object, Operation, enter, must_be_sound, read_descriptor, retire};
use crate::crash::crash_point;
use crate::heap::rounded;
use crate::journal::{Context, HEAD_SIZE, OBJECT_CLASS, object_at};
use crate::process::Identity;
use crate::raw::{
    Channel, ContainerKind, Content, Descriptor, Owned, Shape, SlotMut, Table, TableView, TreeLayout, copy_out_content,
    hash_bytes, messages, same_content,
};
use crate::region::layout::*;
use crate::region::{Space, load_u64};
use crate::{Error, Result};

/// {name: 16 bytes, header offset: u64}
const ENTRY: u64 = 24;
const MAX_NAME: usize = 255;

fn directory_descriptor() -> Descriptor {
    let shape = Shape { kind: ContainerKind::HashMap, text_key: true, key_size: 16, slot_size: ENTRY };
    Descriptor {
        shape,
        owned: Owned::words(&[Owned::Text { at: 0 }]),
        order: Vec::new(),
        text: "SharedHashMap<String, u64>".into(),
    }
}

/// The directory of a region.
pub(super) fn root(attachment: &Attachment) -> Result<&ObjectHeader> {
    object_at(attachment.space(), attachment.space().geometry.root_header)
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(Error::InvalidArgument("an object's name has 1 to 255 bytes"));
    }
    Ok(())
}

/// Makes the directory of a new region, which nobody else sees yet.
pub(super) fn found(attachment: &Attachment) -> Result<()> {
    let lane = attachment.lane()?;
    let operation = Operation::begin(attachment, lane)?;
    enter(attachment, lane, operation.context)?;
    let header = new_object(operation.context, &directory_descriptor(), 0, attachment.space())?;
    let root = attachment.space().geometry.root_header;
    if attachment.space().offset_of(header) != root {
        return Err(Error::corrupt(root, "the first object of a region is not where the directory belongs"));
    }
    operation.commit()
}

/// Takes a header from the heap and makes it an object of `descriptor`'s shape, empty; its word stays held.
fn new_object<'a>(
    context: &mut Context,
    descriptor: &Descriptor,
    owner: u64,
    space: &'a Space,
) -> Result<&'a ObjectHeader> {
    must_be_sound(space)?;
    context.reserve_log(512)?;
    let offset = context.allocate_class(OBJECT_CLASS)?;
    let header = object_at(space, offset)?;
    // A stale handle may hold the word of a pooled header for a moment.
    context.lock(header)?;
    let bytes = descriptor.encode();
    let block = context.allocate(bytes.len() as u64)?;
    let target = space.resolve(block, rounded(bytes.len() as u64))?;
    // SAFETY: R1; the block is fresh.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
    // The header must be a free one again before anybody else sees it, should we die.
    context.save(offset + OBJECT_LOCK_PART, OBJECT_LINK_AT - OBJECT_LOCK_PART)?;
    crash_point!("object: header saved");
    let raw = &header.raw;
    for word in [&raw.stamp, &raw.low_water, &raw.data, &raw.len, &raw.capacity, &raw.aux0, &raw.aux1] {
        word.put(0);
    }
    raw.shape.put(descriptor.shape.pack());
    header.owner.put(owner);
    header.descriptor_len.put(bytes.len() as u64);
    header.validated_epoch.put(space.words().epoch.peek());
    crash_point!("object: filled, without descriptor");
    header.descriptor.put(block);
    crash_point!("object: made");
    Ok(header)
}

/// Looks a name up in the directory's table; the words may be changing meanwhile.
fn find(space: &Space, raw: &RawHeader, name: &str) -> Result<Option<(TableView, crate::raw::FoundSlot)>> {
    let Some(view) = TableView::read(space, raw, ENTRY)? else { return Ok(None) };
    let hash = hash_bytes(raw.aux1.peek(), name.as_bytes());
    // SAFETY: R1: slots lie inside the table that was just resolved.
    let found = view.find(hash, |slot| unsafe { same_content(space, slot, name.as_bytes()) });
    Ok(found.map(|found| (view, found)))
}

fn header_offset(slot: *const u8) -> u64 {
    // SAFETY: R1: an entry has 24 bytes.
    unsafe { load_u64(slot.add(16)) }
}

/// What `object` and its kin do when there is, or is not, such an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Either,
    New,
    Existing,
}

/// Opens or creates a named object. `init` fills a new one, under its word.
pub(super) fn open(
    attachment: &Arc<Attachment>,
    name: &str,
    want: Want,
    descriptor: &Descriptor,
    init: impl Fn(&mut Context, &RawHeader) -> Result<()> + Copy,
) -> Result<Object> {
    check_name(name)?;
    loop {
        if let Some(object) = lookup(attachment, name)? {
            if want == Want::New {
                return Err(Error::AlreadyExists);
            }
            match expect(&object, descriptor) {
                // Removed between the two looks: there may be another one, or none.
                Err(Error::Removed) => continue,
                other => return other.map(|()| object),
            }
        }
        if want == Want::Existing || !attachment.space().writable {
            return Err(Error::NotFound);
        }
        match create(attachment, name, descriptor, init) {
            // Somebody was faster.
            Err(Error::AlreadyExists) if want == Want::Either => {}
            other => return other,
        }
    }
}

fn expect(object: &Object, wanted: &Descriptor) -> Result<()> {
    let found = object.descriptor()?;
    if found == *wanted {
        return match object.peek(|_, raw| Some(Ok(raw.shape.peek())))? == wanted.shape.pack() {
            true => Ok(()),
            false => Err(Error::corrupt(object.offset(), "an object's shape contradicts its descriptor")),
        };
    }
    let difference = crate::containers::schema::difference(&wanted.text, &found.text);
    Err(Error::TypeMismatch {
        expected: wanted.text.clone().into(),
        found: found.text.into(),
        difference: difference.into(),
    })
}

/// The handle of the directory itself.
fn root_object(attachment: &Arc<Attachment>) -> Result<Object> {
    let header = root(attachment)?;
    Ok(Object::new(attachment.clone(), header, 0))
}

/// Finds a named object without taking a lock.
pub(super) fn lookup(attachment: &Arc<Attachment>, name: &str) -> Result<Option<Object>> {
    let space = attachment.space();
    root_object(attachment)?.peek(|attempt, raw| {
        let found = find(space, raw, name).map(|found| found.map(|(_, found)| header_offset(found.slot)));
        let offset = match found {
            Ok(Some(offset)) => offset,
            Ok(None) => return Some(Ok(None)),
            Err(error) => return Some(Err(error)),
        };
        if !attempt.holds() {
            return None;
        }
        // Read before the last look at the directory's version: the generation is that of the object of this name.
        Some(object_at(space, offset).map(|header| {
            let generation = header.generation.load(Ordering::Acquire);
            Some(Object::new(attachment.clone(), header, generation))
        }))
    })
}

fn create(
    attachment: &Arc<Attachment>,
    name: &str,
    descriptor: &Descriptor,
    init: impl Fn(&mut Context, &RawHeader) -> Result<()>,
) -> Result<Object> {
    let space = attachment.space();
    let lane = attachment.lane()?;
    let mut operation = Operation::begin(attachment, lane)?;
    let directory = root(attachment)?;
    operation.lock(directory)?;
    if find(space, &directory.raw, name)?.is_some() {
        return Err(Error::AlreadyExists);
    }
    let context = &mut *operation.context;
    let header = new_object(context, descriptor, 0, space)?;
    init(context, &header.raw)?;
    insert(context, space, &directory.raw, name, space.offset_of(header))?;
    let generation = header.generation.load(Ordering::Acquire);
    operation.commit()?;
    Ok(Object::new(attachment.clone(), header, generation))
}

fn insert(context: &mut Context, space: &Space, raw: &RawHeader, name: &str, header: u64) -> Result<()> {
    let table = Table::new(space, raw, ENTRY);
    if raw.capacity.peek() == 0 {
        // The first growth chooses the seed that the hash depends on.
        table.grow(context, 1)?;
    }
    let hash = hash_bytes(raw.aux1.peek(), name.as_bytes());
    let found = table.claim(context, hash)?;
    // SAFETY: W1: a claimed slot of 24 bytes.
    let slot = unsafe { SlotMut::new(found.slot) };
    slot.put_bytes(context, name.as_bytes())?;
    slot.part(16).put_word(header);
    crash_point!("directory: entry written");
    table.publish(hash, found);
    Ok(())
}

/// Takes a name out of the directory, which is locked; the header offset that it had.
fn erase(context: &mut Context, space: &Space, raw: &RawHeader, name: &str) -> Result<u64> {
    let (_, found) = find(space, raw, name)?.ok_or(Error::NotFound)?;
    let table = Table::new(space, raw, ENTRY);
    // SAFETY: R1: an entry of the table.
    let content = Content::of(unsafe { [load_u64(found.slot), load_u64(found.slot.add(8))] })?;
    let offset = header_offset(found.slot);
    table.open_erase(context, &found)?;
    context.reserve_log(HEAD_SIZE)?;
    if let Some((block, len)) = content.block() {
        context.release(len, block);
    }
    table.erase(found);
    Ok(offset)
}

/// Removes a named object. See `Region::remove_object`.
pub(super) fn remove(attachment: &Arc<Attachment>, name: &str) -> Result<()> {
    let space = attachment.space();
    let lane = attachment.lane()?;
    let directory = root(attachment)?;
    loop {
        let object = lookup(attachment, name)?.ok_or(Error::NotFound)?;
        let mut operation = Operation::begin(attachment, lane)?;
        // The object first: the directory is not kept from others while somebody works on the object.
        operation.lock(object.header())?;
        if object.check_generation().is_err() {
            // Removed meanwhile: the header is in the pool, or in the hands of somebody who has the directory and waits
            // for its word. Waiting for the directory with it would be a deadlock.
            continue;
        }
        // Also before the directory: a channel's ends may be in use for long.
        let closed = channel::close(lane.actor, object.header())?;
        let context = &mut *operation.context;
        context.reserve_log(HEAD_SIZE)?;
        context.lock(directory)?;
        let named = find(space, &directory.raw, name)?.map(|(_, found)| header_offset(found.slot));
        if named != Some(object.offset()) {
            // The name came to mean something else, or nothing.
            continue;
        }
        erase(context, space, &directory.raw, name)?;
        crash_point!("remove: name gone");
        retire(context, object.header())?;
        crash_point!("remove: retired, not committed");
        let closed = closed.map(channel::Closed::keep);
        return operation.commit().inspect(|()| closed.iter().for_each(Channel::wake_all));
    }
}

/// Gives a named object another name.
pub(super) fn rename(attachment: &Arc<Attachment>, from: &str, to: &str) -> Result<()> {
    check_name(to)?;
    let space = attachment.space();
    let lane = attachment.lane()?;
    let mut operation = Operation::begin(attachment, lane)?;
    let directory = root(attachment)?;
    operation.lock(directory)?;
    if find(space, &directory.raw, to)?.is_some() {
        return Err(Error::AlreadyExists);
    }
    let context = &mut *operation.context;
    let offset = erase(context, space, &directory.raw, from)?;
    insert(context, space, &directory.raw, to, offset)?;
    operation.commit()
}

/// Makes an anonymous object that belongs to this process.
pub(super) fn anonymous(
    attachment: &Arc<Attachment>,
    descriptor: &Descriptor,
    init: impl Fn(&mut Context, &RawHeader) -> Result<()>,
) -> Result<Object> {
    let Identity { slot, incarnation, .. } = attachment.identity()?;
    let owner = pack::owner(slot, incarnation, 1);
    let lane = attachment.lane()?;
    let operation = Operation::begin(attachment, lane)?;
    // No object is locked before blocks move, so ask here whether they may.
    enter(attachment, lane, operation.context)?;
    let header = new_object(operation.context, descriptor, owner, attachment.space())?;
    init(operation.context, &header.raw)?;
    let generation = header.generation.load(Ordering::Acquire);
    operation.commit()?;
    Ok(Object::new(attachment.clone(), header, generation).with_anonymous_owner(owner))
}

/// Names and headers of all named objects.
pub(super) fn entries(attachment: &Arc<Attachment>) -> Result<Vec<(String, Object)>> {
    let space = attachment.space();
    root_object(attachment)?.peek(|attempt, raw| {
        let view = match TableView::read(space, raw, ENTRY) {
            Ok(Some(view)) => view,
            Ok(None) => return Some(Ok(Vec::new())),
            Err(error) => return Some(Err(error)),
        };
        let mut found = Vec::new();
        for group in 0..view.groups() {
            let mut left = view.full_slots(group);
            while left != 0 {
                let slot = view.slot_at(group, left.trailing_zeros());
                left &= left - 1;
                // SAFETY: R1: an entry of the table.
                let words = unsafe { [load_u64(slot), load_u64(slot.add(8))] };
                let offset = header_offset(slot);
                if !attempt.holds() {
                    return None;
                }
                let entry = copy_out_content(space, words).and_then(|name| {
                    let header = object_at(space, offset)?;
                    let generation = header.generation.load(Ordering::Acquire);
                    let name = String::from_utf8_lossy(&name).into_owned();
                    Ok((name, Object::new(attachment.clone(), header, generation)))
                });
                match entry {
                    Ok(entry) => found.push(entry),
                    Err(error) => return Some(Err(error)),
                }
            }
        }
        Some(Ok(found))
    })
}

/// Descriptor, length and bytes of an object, as they are at one moment.
pub(super) fn describe(object: &Object) -> Result<(Descriptor, u64, u64)> {
    object.peek(|attempt, raw| {
        let descriptor = read_descriptor(attempt, object.space(), object.header())?;
        let (len, capacity) = (raw.len.peek(), raw.capacity.peek());
        let (leaves, inners) = (raw.aux0.peek(), raw.aux1.peek());
        Some(descriptor.map(|descriptor| {
            if descriptor.shape.kind.is_tree() {
                let bytes = TreeLayout::of(&descriptor.shape).bytes(leaves, inners);
                return (descriptor, len, bytes);
            }
            if descriptor.shape.kind == ContainerKind::Channel {
                let len = messages(object.space(), raw);
                let slots = capacity.saturating_mul(descriptor.shape.slot_size.max(1));
                return (descriptor, len, slots.saturating_add(CONTROL_SIZE));
            }
            let stride = match descriptor.shape.kind {
                kind if kind.is_table() => 16 + 16 * descriptor.shape.slot_size,
                _ => descriptor.shape.slot_size.max(1),
            };
            (descriptor, len, capacity.saturating_mul(stride))
        }))
    })
}
