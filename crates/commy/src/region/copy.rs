//! Copies out of memory that others may be writing at this moment (optimistic reads).
//!
//! In inline assembly, so that the compiler sees no racing access, cannot read a word twice, and cannot move the
//! copy across the version checks around it (an `asm!` that may touch memory is a compiler barrier).

/// Copies `len` bytes from `source`, which others may write meanwhile, to private memory.
///
/// # Safety
/// `source` must be readable and `target` writable for `len` bytes; `target` must be private.
#[inline(always)]
pub(crate) unsafe fn copy_out(source: *const u8, target: *mut u8, len: usize) {
    // SAFETY: the caller's contract, handed on piece by piece; each piece lies inside 0..len.
    unsafe {
        if len <= 64 && len.is_multiple_of(8) {
            let mut at = 0;
            while at < len {
                target.add(at).cast::<u64>().write_unaligned(load_u64(source.add(at)));
                at += 8;
            }
        } else if len == 4 {
            target.cast::<u32>().write_unaligned(load_u32(source));
        } else {
            copy_bytes(source, target, len);
        }
    }
}

/// # Safety
/// As for [`copy_out`].
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
unsafe fn copy_bytes(source: *const u8, target: *mut u8, len: usize) {
    // Up to here a few moves take less time than `rep movsb` needs to begin, and let what follows begin, too.
    const SHORT: usize = 512;
    if len <= SHORT {
        // SAFETY: the caller's contract; the last move of each size ends at `len` and may copy some bytes once more.
        unsafe {
            if len >= 16 {
                let mut at = 0;
                while at + 16 < len {
                    target.add(at).cast::<[u8; 16]>().write_unaligned(load_16(source, at));
                    at += 16;
                }
                target.add(len - 16).cast::<[u8; 16]>().write_unaligned(load_16(source, len - 16));
            } else if len >= 8 {
                target.cast::<u64>().write_unaligned(load_u64(source));
                target.add(len - 8).cast::<u64>().write_unaligned(load_u64(source.add(len - 8)));
            } else {
                (0..len).for_each(|at| *target.add(at) = load_u8(source.add(at)));
            }
        }
        return;
    }
    // SAFETY: the caller's contract; `rep movsb` touches nothing else and the direction flag is clear by the ABI.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rcx") len => _, inout("rsi") source => _, inout("rdi") target => _,
            options(nostack, preserves_flags)
        );
    }
}

/// # Safety
/// As for [`copy_out`].
#[cfg(any(not(target_arch = "x86_64"), miri))]
#[inline(always)]
unsafe fn copy_bytes(source: *const u8, target: *mut u8, len: usize) {
    for at in 0..len {
        // SAFETY: the caller's contract.
        unsafe { *target.add(at) = load_u8(source.add(at)) };
    }
}

/// Asks for a line that will be needed soon. A hint: any address will do, none is touched.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: it faults nowhere, and SSE belongs to every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    let _ = at;
}

/// Loads one word at any alignment.
///
/// # Safety
/// `source` must be readable for 8 bytes.
#[inline(always)]
pub(crate) unsafe fn load_u64(source: *const u8) -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let value: u64;
        // SAFETY: the caller's contract.
        unsafe {
            std::arch::asm!("mov {0}, qword ptr [{1}]", out(reg) value, in(reg) source,
                options(nostack, preserves_flags, readonly));
        }
        value
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    {
        let value: u64;
        // SAFETY: the caller's contract.
        unsafe {
            std::arch::asm!("ldr {0}, [{1}]", out(reg) value, in(reg) source,
                options(nostack, preserves_flags, readonly));
        }
        value
    }
    #[cfg(any(not(any(target_arch = "x86_64", target_arch = "aarch64")), miri))]
    {
        let mut bytes = [0u8; 8];
        for (at, byte) in bytes.iter_mut().enumerate() {
            // SAFETY: the caller's contract.
            *byte = unsafe { load_u8(source.add(at)) };
        }
        u64::from_ne_bytes(bytes)
    }
}

/// Loads half a word at any alignment.
///
/// # Safety
/// `source` must be readable for 4 bytes.
#[inline(always)]
unsafe fn load_u32(source: *const u8) -> u32 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let value: u32;
        // SAFETY: the caller's contract.
        unsafe {
            std::arch::asm!("mov {0:e}, dword ptr [{1}]", out(reg) value, in(reg) source,
                options(nostack, preserves_flags, readonly));
        }
        value
    }
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    {
        // SAFETY: the caller's contract.
        u32::from_ne_bytes(std::array::from_fn(|at| unsafe { load_u8(source.add(at)) }))
    }
}

/// Loads one byte.
///
/// # Safety
/// `source` must be readable.
#[inline(always)]
pub(crate) unsafe fn load_u8(source: *const u8) -> u8 {
    use std::sync::atomic::{AtomicU8, Ordering};
    // SAFETY: the caller's contract; an atomic access never races.
    unsafe { AtomicU8::from_ptr(source.cast_mut()) }.load(Ordering::Relaxed)
}

/// Loads the 16 bytes at `base + at` at once (a group of control bytes).
///
/// # Safety
/// They must be readable.
#[inline(always)]
pub(crate) unsafe fn load_16(base: *const u8, at: usize) -> [u8; 16] {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let value: std::arch::x86_64::__m128i;
        // SAFETY: the caller's contract; SSE2 belongs to every x86-64.
        unsafe {
            std::arch::asm!("movdqu {0}, xmmword ptr [{1} + {2}]", out(xmm_reg) value, in(reg) base, in(reg) at,
                options(nostack, preserves_flags, readonly));
        }
        // SAFETY: both are 16 plain bytes.
        unsafe { std::mem::transmute(value) }
    }
    #[cfg(any(not(target_arch = "x86_64"), miri))]
    {
        let mut bytes = [0u8; 16];
        // SAFETY: the caller's contract.
        unsafe {
            let source = base.add(at);
            bytes[..8].copy_from_slice(&load_u64(source).to_ne_bytes());
            bytes[8..].copy_from_slice(&load_u64(source.add(8)).to_ne_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_alignment_arrives_whole() {
        let source: Vec<u8> = (0..=255).cycle().take(700).collect();
        for at in 0..9 {
            for len in (0..150).chain([255, 511, 600]) {
                let mut target = vec![0xee; len + 1];
                // SAFETY: both ranges lie inside their vectors.
                unsafe { copy_out(source.as_ptr().add(at), target.as_mut_ptr(), len) };
                assert_eq!(target[..len], source[at..at + len]);
                assert_eq!(target[len], 0xee);
            }
        }
    }
}
