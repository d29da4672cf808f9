//! Time, the identity of the running system, and chance.

use std::fs;
use std::io;
use std::sync::OnceLock;

use super::super::common::{makeshift_random, random_id};

/// Nanoseconds of the monotonic clock: comparable between processes of one running system, meaningless after a reboot.
pub(crate) fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is writable room for one `timespec`; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What the kernel drew at boot to tell this run of the machine from others. If it does not say, a number of this process
/// alone: then a region that nobody has open always counts as one from before.
pub(crate) fn boot_id() -> [u8; 16] {
    static FOUND: OnceLock<[u8; 16]> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let told = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        told.and_then(|text| parse_uuid(text.trim())).unwrap_or_else(random_id)
    })
}

/// A random number that no other process can have drawn or can foresee.
///
/// Where the system refuses (a sandbox), what differs between processes and moments stands in: unique, not secret.
pub(crate) fn random_u64() -> u64 {
    let mut bytes = [0_u8; 8];
    loop {
        // SAFETY: writes at most 8 bytes into room for 8.
        let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        if got == 8 {
            return u64::from_ne_bytes(bytes);
        }
        if got >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return makeshift_random(super::current_thread_id(), monotonic_ns());
        }
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let mut digits = text.bytes().filter(|&byte| byte != b'-');
    let mut id = [0; 16];
    for byte in &mut id {
        let mut digit = || digits.next().and_then(|byte| char::from(byte).to_digit(16));
        *byte = (digit()? << 4 | digit()?) as u8;
    }
    digits.next().is_none().then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_id_is_known_and_stays() {
        assert_ne!(boot_id(), [0; 16]);
        assert_eq!(boot_id(), boot_id());
        let parsed = parse_uuid("00ff10ee-0000-0000-0000-0000000000a1").unwrap();
        assert_eq!((parsed[1], parsed[2], parsed[3], parsed[15]), (0xff, 0x10, 0xee, 0xa1));
        assert_eq!(parse_uuid("00ff"), None);
        assert_eq!(parse_uuid("00ff10ee-0000-0000-0000-0000000000a1b"), None);
    }

    #[test]
    fn random_numbers_differ() {
        assert_ne!(random_u64(), random_u64());
        assert_ne!(makeshift_random(1, 2), makeshift_random(1, 2));
    }

    #[test]
    fn the_clock_does_not_go_back() {
        let first = monotonic_ns();
        assert!(first > 0 && monotonic_ns() >= first);
    }
}
