//! An allocator that notes pieces of memory which are too large: what a damaged number asks for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest piece that is no fault; everything unless a mutant is under way.
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);
static FOUND: Mutex<Option<String>> = Mutex::new(None);

/// The system's allocator, with an eye on the size of what is asked for.
pub struct Watched;

impl Watched {
    #[cold]
    fn note(size: usize) {
        // Once for each mutant, and what the note itself needs is not looked at.
        LIMIT.store(usize::MAX, Ordering::Relaxed);
        let text = format!("{size} bytes at once; {}", Backtrace::force_capture());
        *FOUND.lock().expect("nobody panics with it") = Some(text);
    }

    fn look(size: usize) {
        if size > LIMIT.load(Ordering::Relaxed) {
            Watched::note(size);
        }
    }
}

// SAFETY: everything is handed to the system's allocator as it comes.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Watched::look(layout.size());
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Watched::look(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Watched::look(size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// From now on a piece larger than this is noted.
pub fn watch(limit: usize) {
    LIMIT.store(limit, Ordering::Relaxed);
}

/// No longer; what was noted meanwhile.
pub fn end_watch() -> Option<String> {
    LIMIT.store(usize::MAX, Ordering::Relaxed);
    FOUND.lock().expect("nobody panics with it").take()
}
