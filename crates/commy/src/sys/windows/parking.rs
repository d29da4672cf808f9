//! Parking places: where threads of all processes that share a file say what they wait for.
//!
//! There is no call that sleeps on a word of shared memory across processes. So each file has a named section, a table
//! of places. A thread that wants to sleep takes a place, writes into its cell which word it waits for and for what
//! class of wakes, looks at the word once more and sleeps on the event of that place. Whoever wakes goes through the
//! cells, turns those that match into `WOKEN` and sets their events.
//!
//! * W2: a wake that comes after a store to the word finds the cell of whoever has not seen that store: cell and word are
//!   written and read in opposite orders, sequentially consistent.
//! * W3: who leaves a cell takes it back by a swap, so it knows whether somebody counts it as woken. An event may be set
//!   late and meet the next one who uses the place, who looks at its cell and sleeps on.
//! * W4: no sleep is longer than [`LONGEST`]. A waker that is killed between cell and event costs that much, and so does
//!   a process that lives in another session of the machine, which has names of its own.
//!
//! Of a killed sleeper the place stays taken until others run out of places below the high-water mark. All bytes of the
//! table are zero when it is new, and any bytes are a valid table: what others write there can only wake too many or too
//! few.

use std::cell::Cell;
use std::ffi::{OsStr, c_void};
use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MEM_COMMIT, MEMORY_BASIC_INFORMATION,
    MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, PAGE_READWRITE, UnmapViewOfFile, VirtualQuery,
};
use windows_sys::Win32::System::Threading::{CreateEventW, SetEvent};

use super::super::common::{FileIdentity, ProcessIdentity};
use super::handle::{owned, wide};
use super::identity::process_is_gone;
use super::security::{Descriptor, user};

/// W4.
pub(super) const LONGEST: Duration = Duration::from_millis(50);
const PLACES: usize = 4096;
/// How many owners of places are asked about before a place is taken that nobody has had.
const QUESTIONS: usize = 8;
/// Stands in a cell that a waker has claimed; no word is that far from anything.
const WOKEN: u64 = u64::MAX;
/// Part of the names: a table of another form is another table.
const FORM: &str = "1";

/// A place: who has it, and what that one waits for.
#[repr(C, align(64))]
struct Place {
    /// {low half of the start time:32 | pid:32}; 0: free.
    owner: AtomicU64,
    /// {word / 4:56 | class:8}; 0: nothing.
    cell: AtomicU64,
}

impl Place {
    const NEW: Place = Place { owner: AtomicU64::new(0), cell: AtomicU64::new(0) };
}

#[repr(C, align(64))]
struct Table {
    /// No place from this one on has ever been used.
    high: AtomicU64,
    places: [Place; PLACES],
}
const _: () = assert!(size_of::<Place>() == 64 && size_of::<Table>() == 64 * (1 + PLACES));

/// The parking places of one file; or of this process, for words that lie in none.
pub(super) struct Parking {
    table: NonNull<Table>,
    /// `None`: the events have no names, and the table is memory of ours.
    name: Option<String>,
    /// The section has its name as long as somebody has a handle: a view alone would not keep it.
    _section: Option<OwnedHandle>,
    events: Box<[OnceLock<OwnedHandle>]>,
}

// SAFETY: the table consists of atomics and stays where it is as long as this.
unsafe impl Send for Parking {}
// SAFETY: as above.
unsafe impl Sync for Parking {}

impl Parking {
    fn of_file(identity: FileIdentity) -> io::Result<Parking> {
        // Of this user: the objects of others cannot be opened.
        let FileIdentity { device, inode } = identity;
        let name = format!(r"Local\commy-park-{FORM}-{}-{device:x}-{inode:x}", user());
        let (wide, descriptor) = (wide(OsStr::new(&name))?, Descriptor::for_objects()?);
        // SAFETY: name and descriptor live across the call; the result is owned by nobody else. Of those who come at
        // once one creates the section, full of zeros, and the others open it.
        let section = unsafe {
            let (attributes, size) = (descriptor.attributes(), size_of::<Table>() as u32);
            owned(CreateFileMappingW(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE, 0, size, wide.as_ptr()))
        }?;
        // SAFETY: an open section; a smaller one than we want is an error.
        let view =
            unsafe { MapViewOfFile(section.as_raw_handle(), FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, size_of::<Table>()) };
        let table = NonNull::new(view.Value.cast()).ok_or_else(io::Error::last_os_error)?;
        if !is_committed(view.Value) {
            // Somebody else's section of our name, whose pages cannot be touched.
            // SAFETY: the view just made.
            unsafe { UnmapViewOfFile(view) };
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Parking { table, name: Some(name), _section: Some(section), events: no_events() })
    }

    fn of_process() -> Parking {
        static TABLE: Table = Table { high: AtomicU64::new(0), places: [const { Place::NEW }; PLACES] };
        Parking { table: NonNull::from(&TABLE), name: None, _section: None, events: no_events() }
    }

    fn table(&self) -> &Table {
        // SAFETY: mapped or owned as long as `self`, and atomics only.
        unsafe { self.table.as_ref() }
    }

    fn high(&self) -> usize {
        usize::try_from(self.table().high.load(Ordering::SeqCst)).unwrap_or(PLACES).min(PLACES)
    }

    /// The event of a place: created or opened when it is first needed, kept for later. After a failure it is tried again.
    fn event(&self, place: usize) -> Option<&OwnedHandle> {
        if let Some(event) = self.events[place].get() {
            return Some(event);
        }
        let make = || {
            let name = self.name.as_ref().map(|name| wide(OsStr::new(&format!("{name}-{place}"))));
            let (name, descriptor) = (name.transpose()?, Descriptor::for_objects()?);
            let name = name.as_ref().map_or(ptr::null(), |name| name.as_ptr());
            // SAFETY: name and descriptor live across the call; the result is owned by nobody else.
            unsafe { owned(CreateEventW(&descriptor.attributes(), 0, 0, name)) }
        };
        let event = make().ok()?;
        Some(self.events[place].get_or_init(|| event))
    }

    /// Takes a place: the last one of this thread if that is free, else another; `None` if there is none.
    pub(super) fn take_place(&self) -> Option<Parked<'_>> {
        let (high, me) = (self.high(), own_word());
        let last = LAST.try_with(Cell::get).unwrap_or(0);
        let below = || std::iter::once(last).chain(0..high).filter(|&place| place < high);
        let free = || below().find(|&place| self.claim(place, 0, me));
        // Only when nothing is free below the mark, and a few at a time: asking about processes takes time.
        let first = FIRST.fetch_add(QUESTIONS as u32, Ordering::Relaxed) as usize % high.max(1);
        let abandoned = || (first..high).chain(0..first).take(QUESTIONS).find(|&place| self.reclaim(place, me));
        let place = free().or_else(abandoned).or_else(|| (high..PLACES).find(|&place| self.claim(place, 0, me)))?;
        self.table().high.fetch_max(place as u64 + 1, Ordering::SeqCst);
        let _ = LAST.try_with(|last| last.set(place));
        // From here on the place is given back whatever happens.
        let parked = Parked { parking: self, place };
        self.event(place).is_some().then_some(parked)
    }

    fn claim(&self, place: usize, from: u64, me: u64) -> bool {
        let owner = &self.table().places[place].owner;
        owner.load(Ordering::Relaxed) == from
            && owner.compare_exchange(from, me, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// Takes over the place of a process that is gone.
    fn reclaim(&self, place: usize, me: u64) -> bool {
        let owner = self.table().places[place].owner.load(Ordering::Relaxed);
        owner as u32 != me as u32 && process_is_gone(owner as u32, (owner >> 32) as u32) && self.claim(place, owner, me)
    }

    /// How many cells say that somebody waits for the word `key`.
    #[cfg(test)]
    pub(super) fn sleepers(&self, key: u64) -> usize {
        let waits = |cell: u64| cell as u8 != 0 && cell >> 8 == key;
        self.table().places.iter().filter(|place| waits(place.cell.load(Ordering::SeqCst))).count()
    }

    /// Wakes up to `count` of those who wait for the word `key` in a class of `class`; how many there were.
    pub(super) fn wake(&self, key: u64, count: u32, class: u32) -> u32 {
        // W2: after the caller's store.
        fence(Ordering::SeqCst);
        let high = self.high();
        let mut woken = 0;
        // Not always the same first: each its turn.
        let first = FIRST.fetch_add(1, Ordering::Relaxed) as usize % high.max(1);
        for place in (first..high).chain(0..first) {
            if woken == count {
                break;
            }
            let cell = &self.table().places[place].cell;
            let seen = cell.load(Ordering::SeqCst);
            let matches = seen >> 8 == key && seen as u8 & class as u8 != 0;
            // Whose event cannot be had sleeps on (W4); the wake is for somebody else.
            if matches
                && let Some(event) = self.event(place)
                && cell.compare_exchange(seen, WOKEN, Ordering::SeqCst, Ordering::Relaxed).is_ok()
            {
                woken += 1;
                // SAFETY: an open event.
                unsafe { SetEvent(event.as_raw_handle()) };
            }
        }
        woken
    }
}

impl Drop for Parking {
    fn drop(&mut self) {
        if self.name.is_some() {
            // SAFETY: the view made in `of_file`; nobody is parked any more, for they hold an `Arc` of this.
            unsafe { UnmapViewOfFile(MEMORY_MAPPED_VIEW_ADDRESS { Value: self.table.as_ptr().cast::<c_void>() }) };
        }
    }
}

thread_local! {
    /// The place this thread had last: its event is open already.
    static LAST: Cell<usize> = const { Cell::new(0) };
}
static FIRST: AtomicU32 = AtomicU32::new(0);

/// A place of this thread, for one sleep.
pub(super) struct Parked<'a> {
    parking: &'a Parking,
    place: usize,
}

impl Parked<'_> {
    fn cell(&self) -> &AtomicU64 {
        &self.parking.table().places[self.place].cell
    }

    #[cfg(test)]
    pub(super) fn number(&self) -> usize {
        self.place
    }

    /// Says what this thread waits for. Look at the word after that.
    pub(super) fn announce(&self, key: u64, class: u32) {
        self.cell().store(key << 8 | u64::from(class as u8), Ordering::SeqCst);
    }

    /// Takes it back; was somebody faster and counts this thread as woken?
    pub(super) fn withdraw(&self) -> bool {
        self.cell().swap(0, Ordering::SeqCst) == WOKEN
    }

    pub(super) fn is_woken(&self) -> bool {
        self.cell().load(Ordering::SeqCst) == WOKEN
    }

    pub(super) fn event(&self) -> &OwnedHandle {
        self.parking.event(self.place).expect("made when the place was taken")
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.cell().store(0, Ordering::SeqCst);
        self.parking.table().places[self.place].owner.store(0, Ordering::SeqCst);
    }
}

/// This process in a place's owner word.
fn own_word() -> u64 {
    static WORD: OnceLock<u64> = OnceLock::new();
    *WORD.get_or_init(|| {
        let process = ProcessIdentity::current();
        process.start_time << 32 | u64::from(process.pid)
    })
}

/// Can the memory of a view be touched? A section may have pages that nobody has committed.
fn is_committed(view: *mut c_void) -> bool {
    let mut found = MEMORY_BASIC_INFORMATION::default();
    let size = size_of::<MEMORY_BASIC_INFORMATION>();
    // SAFETY: writes one structure of that size.
    let told = unsafe { VirtualQuery(view, &mut found, size) };
    told == size && found.State == MEM_COMMIT && found.RegionSize >= size_of::<Table>()
}

fn no_events() -> Box<[OnceLock<OwnedHandle>]> {
    (0..PLACES).map(|_| OnceLock::new()).collect()
}

/// A mapping of this process, and the parking places of its file once they are needed.
struct Mapped {
    base: usize,
    len: usize,
    identity: FileIdentity,
    parking: OnceLock<Option<Arc<Parking>>>,
}

static MAPPED: RwLock<Vec<Mapped>> = RwLock::new(Vec::new());

/// From now on words in this range are words of that file.
pub(super) fn register(base: usize, len: usize, identity: FileIdentity) {
    let mut mapped = MAPPED.write().unwrap_or_else(PoisonError::into_inner);
    mapped.push(Mapped { base, len, identity, parking: OnceLock::new() });
}

/// The range is about to be unmapped.
pub(super) fn unregister(base: usize) {
    let mut mapped = MAPPED.write().unwrap_or_else(PoisonError::into_inner);
    let gone: Vec<Mapped> = mapped.extract_if(.., |one| one.base == base).collect();
    drop(mapped);
    drop(gone);
}

#[cfg(test)]
pub(super) fn of_file(identity: FileIdentity) -> io::Result<Parking> {
    Parking::of_file(identity)
}

/// Where a word is waited for, and what it is called there; `None` if there are no places to be had.
pub(super) fn find(word: usize) -> Option<(Arc<Parking>, u64)> {
    static OWN: OnceLock<Arc<Parking>> = OnceLock::new();
    let mapped = MAPPED.read().unwrap_or_else(PoisonError::into_inner);
    match mapped.iter().find(|one| (one.base..one.base + one.len).contains(&word)) {
        Some(one) => {
            let parking = one.parking.get_or_init(|| Parking::of_file(one.identity).ok().map(Arc::new)).clone()?;
            Some((parking, (word - one.base) as u64 / 4))
        }
        None => Some((OWN.get_or_init(|| Arc::new(Parking::of_process())).clone(), word as u64 / 4)),
    }
}
