//! Time and chance.

use std::sync::OnceLock;

use windows_sys::Win32::Security::Cryptography::{BCRYPT_USE_SYSTEM_PREFERRED_RNG, BCryptGenRandom};
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};

use super::super::common::makeshift_random;

/// Nanoseconds of the performance counter: comparable between processes of one running system, meaningless after a
/// reboot.
pub(crate) fn monotonic_ns() -> u64 {
    static FREQUENCY: OnceLock<u64> = OnceLock::new();
    let frequency = *FREQUENCY.get_or_init(|| {
        let mut per_second = 0_i64;
        // SAFETY: writes one integer; never fails on systems that this library runs on.
        unsafe { QueryPerformanceFrequency(&mut per_second) };
        u64::try_from(per_second).unwrap_or(0).max(1)
    });
    let mut count = 0_i64;
    // SAFETY: as above.
    unsafe { QueryPerformanceCounter(&mut count) };
    let ns = u128::from(count.cast_unsigned()) * 1_000_000_000 / u128::from(frequency);
    ns as u64
}

/// A random number that no other process can have drawn or can foresee.
///
/// Where the system refuses (a sandbox), what differs between processes and moments stands in: unique, not secret.
pub(crate) fn random_u64() -> u64 {
    let mut bytes = [0_u8; 8];
    // SAFETY: writes 8 bytes into room for 8; with this flag there is no algorithm handle.
    let status = unsafe {
        BCryptGenRandom(std::ptr::null_mut(), bytes.as_mut_ptr(), bytes.len() as u32, BCRYPT_USE_SYSTEM_PREFERRED_RNG)
    };
    if status >= 0 {
        return u64::from_ne_bytes(bytes);
    }
    makeshift_random(super::current_thread_id(), monotonic_ns())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_differ() {
        assert_ne!(random_u64(), random_u64());
    }

    #[test]
    fn the_clock_does_not_go_back_and_keeps_pace() {
        let (first, start) = (monotonic_ns(), std::time::Instant::now());
        while start.elapsed().as_millis() < 20 {
            assert!(monotonic_ns() >= first);
        }
        assert!((15_000_000..10_000_000_000).contains(&(monotonic_ns() - first)));
    }
}
