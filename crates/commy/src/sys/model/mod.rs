//! The world in which the model checker runs the protocols: words that it tracks, sleep without a time-out, lock bytes,
//! clocks, deaths. Compiled for `cfg(loom)` only; without a model that has begun, everything goes to the real system.
//!
//! All threads of a model are coroutines of one thread of the system, so its state is thread-local, and no borrow of it
//! is held across a step that the checker may interleave.

mod futex;
pub(crate) mod words;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::ops::Sub;
use std::rc::Rc;
use std::time::Duration;

use super::linux::{self, File};
use futex::Sleepers;
pub(crate) use futex::{futex_wait, futex_wake};
use words::{AtomicU32, AtomicU64};

/// What a model changes about the code: one of the mistakes that it must notice, or the release of x86-64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// The owner's half is cleared by a store that others see after the flags were looked at.
    EarlyLook,
    /// Wrong: a release wakes nobody.
    WakesNobody,
    /// Wrong: a release that wakes only those who may come clears the bit of the others, too.
    ClearsForAll,
    /// Wrong: who waits for a change looks first and announces itself then.
    AnnouncesLate,
    /// Wrong: who waits for a change sleeps although the word has an owner.
    SleepsBesideOwner,
    /// Wrong: adoption looks at the state alone and not at the incarnation.
    AdoptsAnyone,
    /// Wrong: a writer leaves the version even.
    VersionStaysEven,
    /// Wrong: a writer does not wait for readers.
    DrainsNobody,
    /// Wrong: a committer wakes before it counts the change.
    CountsLate,
    /// Wrong: recovery wakes nobody.
    RecoversQuietly,
    /// Wrong: a slot's byte is let go before its state says free.
    ByteFirst,
    /// Wrong: newcomers take a word that is reserved or claimed by reads.
    IgnoresClaims,
    /// Wrong: an end of a channel sleeps for long though the other one looks without a fence.
    SleepsUnseen,
    /// Wrong: an end that was told to look behind a fence does not.
    BelievesFirstLook,
    /// Wrong: an end takes down the flag of somebody who has seen its count and waits for the next one.
    ClearsFlagOfThisCount,
    /// Wrong: an end takes a flag down and wakes nobody.
    CountWakesNobody,
    /// Wrong: the other end's count is looked at without an order to what stands in the slots.
    LooksWithoutOrder,
}

/// One run of a model.
#[derive(Default)]
struct World {
    words32: RefCell<BTreeMap<usize, Rc<loom::sync::atomic::AtomicU32>>>,
    words64: RefCell<BTreeMap<usize, Rc<loom::sync::atomic::AtomicU64>>>,
    sleepers: RefCell<BTreeMap<usize, Rc<Sleepers>>>,
    bytes: RefCell<BTreeMap<u64, Rc<loom::sync::atomic::AtomicU32>>>,
    /// Sleeps of at most this length may end by themselves; longer ones never do.
    times_out: Cell<Duration>,
    /// One clock for each thread: it moves by the sleeps that have ended by themselves.
    clocks: RefCell<BTreeMap<String, Duration>>,
    /// The point at which a thread dies.
    deaths: RefCell<BTreeMap<String, &'static str>>,
    /// Points that were reached, by name.
    reached: RefCell<BTreeMap<&'static str, u32>>,
    drawn: Cell<u64>,
}

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
    static VARIANTS: Cell<&'static [Variant]> = const { Cell::new(&[]) };
}

fn world() -> Option<Rc<World>> {
    WORLD.with_borrow(Clone::clone)
}

fn begun() -> Rc<World> {
    world().expect("a model has begun")
}

fn thread() -> String {
    format!("{:?}", loom::thread::current().id())
}

/// Begins a run; what the last one left is gone.
pub(crate) fn begin(variants: &'static [Variant], times_out: Duration) {
    let world = World { times_out: Cell::new(times_out), ..World::default() };
    VARIANTS.set(variants);
    WORLD.set(Some(Rc::new(world)));
}

/// Ends a run.
pub(crate) fn end() {
    WORLD.set(None);
    VARIANTS.set(&[]);
}

/// Is a model running on this thread?
pub(crate) fn is_running() -> bool {
    WORLD.with_borrow(Option::is_some)
}

/// Is this variant of the code wanted?
pub(crate) fn is(variant: Variant) -> bool {
    VARIANTS.get().contains(&variant)
}

/// The checker tracks this word from now on; by the model's first thread, before the others begin.
pub(crate) fn track_u64(word: &AtomicU64, value: u64) {
    let tracked = Rc::new(loom::sync::atomic::AtomicU64::new(value));
    begun().words64.borrow_mut().insert(std::ptr::from_ref(word).addr(), tracked);
}

/// As [`track_u64`]; the word is a futex, too.
pub(crate) fn track_u32(word: &AtomicU32, value: u32) {
    let (world, address) = (begun(), std::ptr::from_ref(word).addr());
    world.words32.borrow_mut().insert(address, Rc::new(loom::sync::atomic::AtomicU32::new(value)));
    world.sleepers.borrow_mut().insert(address, Rc::new(Sleepers::new()));
}

/// A lock byte that the model knows.
pub(crate) fn track_byte(offset: u64, held: bool) {
    let byte = Rc::new(loom::sync::atomic::AtomicU32::new(u32::from(held)));
    begun().bytes.borrow_mut().insert(offset, byte);
}

fn byte(offset: u64) -> Option<Rc<loom::sync::atomic::AtomicU32>> {
    world()?.bytes.borrow().get(&offset).cloned()
}

/// The kernel lets a byte go.
pub(crate) fn free_byte(offset: u64) {
    if let Some(byte) = byte(offset) {
        byte.swap(0, loom::sync::atomic::Ordering::AcqRel);
    }
}

/// As on a system.
pub(crate) fn byte_is_held(file: &File, offset: u64) -> io::Result<bool> {
    match byte(offset) {
        // A lock of the kernel orders what comes before and after it; a load would not.
        Some(byte) => Ok(byte.fetch_add(0, loom::sync::atomic::Ordering::AcqRel) != 0),
        None => linux::byte_is_held(file, offset),
    }
}

/// As on a system.
#[derive(Debug)]
pub(crate) enum ByteLock {
    Real { _lock: linux::ByteLock },
    Model { offset: u64 },
}

impl ByteLock {
    pub(crate) fn try_hold(file: &File, offset: u64) -> io::Result<Option<ByteLock>> {
        use loom::sync::atomic::Ordering::AcqRel;
        match byte(offset) {
            Some(byte) => Ok((byte.swap(1, AcqRel) == 0).then(|| ByteLock::Model { offset })),
            None => Ok(linux::ByteLock::try_hold(file, offset)?.map(|_lock| ByteLock::Real { _lock })),
        }
    }

    pub(crate) fn hold(file: &File, offset: u64, timeout: Duration) -> io::Result<Option<ByteLock>> {
        Ok(linux::ByteLock::hold(file, offset, timeout)?.map(|_lock| ByteLock::Real { _lock }))
    }
}

impl Drop for ByteLock {
    fn drop(&mut self) {
        if let ByteLock::Model { offset } = self {
            free_byte(*offset);
        }
    }
}

/// Where the clocks of a model begin.
const BEGIN: Duration = Duration::from_secs(1);

/// The time of the calling thread.
fn time() -> Duration {
    match world() {
        Some(world) => BEGIN + world.clocks.borrow().get(&thread()).copied().unwrap_or_default(),
        None => Duration::from_nanos(linux::monotonic_ns()),
    }
}

/// Time passes for the calling thread.
fn advance(by: Duration) {
    *begun().clocks.borrow_mut().entry(thread()).or_default() += by;
}

/// As on a system, by the thread's clock.
pub(crate) fn monotonic_ns() -> u64 {
    time().as_nanos() as u64
}

/// As the standard library's, by the thread's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Instant {
        Instant(time())
    }
    #[cfg(test)]
    pub(crate) fn long_ago() -> Instant {
        Instant(BEGIN - Duration::from_millis(1))
    }
    pub(crate) fn elapsed(&self) -> Duration {
        time().saturating_sub(self.0)
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What ends a thread at its point of death.
struct Death;

/// Runs `work` as a process that dies at the point called `name`; true: it died.
pub(crate) fn dies_at(name: &'static str, work: impl FnOnce()) -> bool {
    begun().deaths.borrow_mut().insert(thread(), name);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    begun().deaths.borrow_mut().remove(&thread());
    match outcome {
        Ok(()) => false,
        Err(panic) if panic.is::<Death>() => true,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A named point of a protocol. A death is an unwinding here: nothing that is killed in a model undoes anything by a drop.
pub(crate) fn reached(name: &'static str) {
    let Some(world) = world() else { return };
    *world.reached.borrow_mut().entry(name).or_default() += 1;
    let dies = world.deaths.borrow().get(&thread()).is_some_and(|wanted| *wanted == name);
    if dies {
        std::panic::resume_unwind(Box::new(Death));
    }
}

/// How often a point was reached in this run.
pub(crate) fn count_of(name: &str) -> u32 {
    begun().reached.borrow().get(name).copied().unwrap_or(0)
}
