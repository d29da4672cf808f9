//! The version of an object: even = stable, odd = being written. It only grows, also through rollback and recovery.

use crate::sys::atomic::{Ordering, compiler_fence, fence};

use crate::crash::is_variant;
use crate::region::layout::*;

/// Makes the version odd; under the word. The odd version.
#[inline(always)]
pub(crate) fn open_version(header: &ObjectHeader) -> u64 {
    let odd = header.version.load(Ordering::Relaxed) | u64::from(!is_variant!(VersionStaysEven));
    header.version.store(odd, Ordering::Relaxed);
    // Readers that see a later store see the odd version too.
    fence(Ordering::Release);
    compiler_fence(Ordering::SeqCst);
    odd
}

/// Makes the version even and higher; under the word. Does nothing if it is even.
#[inline(always)]
pub(crate) fn close_version(header: &ObjectHeader) {
    let version = header.version.load(Ordering::Relaxed);
    if version & 1 == 1 {
        header.version.put(version.wrapping_add(1));
    }
}

/// Is nobody writing?
#[inline(always)]
pub(crate) fn is_stable(version: u64) -> bool {
    version & 1 == 0
}
