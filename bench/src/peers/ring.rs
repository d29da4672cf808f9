//! What a channel can be at best: a bare ring in shared memory, and two futexes by which two processes wake each other.
//! Neither survives the death of an end, knows who is at one, or lets a second one in.

use super::line::{End, Message, ROOM, until};
use crate::Outcome;
use std::cell::UnsafeCell;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A word on a line of its own, and not on neighbours, which are fetched in pairs.
#[repr(C, align(128))]
struct Line<T>(T);

/// One direction of a ring. Invariant B: slots from `taken` up to `sent` are the receiver's, the others the sender's.
#[repr(C)]
struct Way<M> {
    sent: Line<AtomicU64>,
    taken: Line<AtomicU64>,
    slots: [UnsafeCell<M>; ROOM],
}

/// Maps a file as a pair of `T`, of which any bytes are one; all 0 at first. It stays until this process ends.
fn map<T>(path: &Path) -> Outcome<&'static [T; 2]> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    file.set_len(size_of::<[T; 2]>() as u64)?;
    let (rights, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
    // SAFETY: a new mapping at an address that the kernel chooses; nobody shortens the file.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<[T; 2]>(), rights, shared, file.as_raw_fd(), 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: mapped, for ever; atomics and cells, for which any bytes will do.
    Ok(unsafe { &*page.cast() })
}

/// Both ends of this process. Each remembers its own count, and how far it may go without a look at the other one's.
pub(super) struct Ring<M: 'static> {
    send: &'static Way<M>,
    receive: &'static Way<M>,
    sent: u64,
    send_limit: u64,
    taken: u64,
    receive_limit: u64,
}

impl<M: Message> Ring<M> {
    pub(super) fn open(path: &Path, there: bool) -> Outcome<Ring<M>> {
        let [one, other] = map(&path.join("ring"))?;
        let (send, receive) = if there { (one, other) } else { (other, one) };
        Ok(Ring { send, receive, sent: 0, send_limit: ROOM as u64, taken: 0, receive_limit: 0 })
    }
}

impl<M: Message> End for Ring<M> {
    #[inline(always)]
    fn send(&mut self, value: u64) -> Outcome {
        if self.sent == self.send_limit {
            until(|| {
                self.send_limit = self.send.taken.0.load(Ordering::Acquire) + ROOM as u64;
                Ok((self.sent != self.send_limit).then_some(()))
            })?;
        }
        // SAFETY: B.
        unsafe { *self.send.slots[self.sent as usize % ROOM].get() = M::of(value) };
        self.sent += 1;
        self.send.sent.0.store(self.sent, Ordering::Release);
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self) -> Outcome<u64> {
        if self.taken == self.receive_limit {
            until(|| {
                self.receive_limit = self.receive.sent.0.load(Ordering::Acquire);
                Ok((self.taken != self.receive_limit).then_some(()))
            })?;
        }
        // SAFETY: B.
        let message = unsafe { *self.receive.slots[self.taken as usize % ROOM].get() };
        self.taken += 1;
        self.receive.taken.0.store(self.taken, Ordering::Release);
        Ok(message.number())
    }
}

/// A place for one message, and a futex that counts them.
#[repr(C)]
struct Seat<M> {
    count: Line<AtomicU32>,
    message: UnsafeCell<M>,
}

/// Two of them: for messages that go there and back.
pub(super) struct Futexes<M: 'static> {
    send: &'static Seat<M>,
    receive: &'static Seat<M>,
    taken: u32,
    /// After this time it looks by itself, as one must whose waker may have been killed.
    longest: Option<libc::timespec>,
}

impl<M: Message> Futexes<M> {
    pub(super) fn open(path: &Path, there: bool, with_timer: bool) -> Outcome<Futexes<M>> {
        let [one, other] = map(&path.join("futexes"))?;
        let (send, receive) = if there { (one, other) } else { (other, one) };
        let longest = with_timer.then_some(libc::timespec { tv_sec: 0, tv_nsec: 10_000_000 });
        Ok(Futexes { send, receive, taken: 0, longest })
    }
}

impl<M: Message> End for Futexes<M> {
    fn send(&mut self, value: u64) -> Outcome {
        // SAFETY: the other end waits for the count that follows.
        unsafe { *self.send.message.get() = M::of(value) };
        let count = &self.send.count.0;
        count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        // SAFETY: a word in a mapping that stays.
        unsafe { libc::syscall(libc::SYS_futex, count.as_ptr(), libc::FUTEX_WAKE, 1) };
        Ok(())
    }

    fn receive(&mut self) -> Outcome<u64> {
        let count = &self.receive.count.0;
        while count.load(Ordering::Acquire) == self.taken {
            let longest = self.longest.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
            // SAFETY: as above; the time lives across the call.
            unsafe { libc::syscall(libc::SYS_futex, count.as_ptr(), libc::FUTEX_WAIT, self.taken, longest) };
        }
        self.taken = self.taken.wrapping_add(1);
        // SAFETY: counted, and the other end writes no more before it has an answer.
        Ok(unsafe { *self.receive.message.get() }.number())
    }
}
