//! Hash function 1: folded 64 x 64 -> 128 bit multiply with a per-table seed.
//!
//! The idea (multiply, fold the halves by xor) is that of wyhash and foldhash
//! (Wang Yi, <https://github.com/wangyi-fudan/wyhash>; Orson Peters, <https://github.com/orlp/foldhash>); the byte
//! order and constants are fixed here for ever, because tables live in files.

const P0: u64 = 0x2d35_8dcc_aa6c_78a5;
const P1: u64 = 0xa076_1d64_78bd_642f;
const P2: u64 = 0xe703_7ed1_a0b4_28db;

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ ((wide >> 64) as u64)
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[inline(always)]
fn half(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")))
}

/// The hash of a key's canonical bytes.
#[inline(always)]
pub(crate) fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    match bytes.len() {
        8 => fold(word(bytes, 0) ^ seed, P0),
        4 => fold(half(bytes, 0) ^ seed, P0 ^ 4),
        len => hash_other(seed, bytes, len),
    }
}

#[inline]
fn hash_other(seed: u64, bytes: &[u8], len: usize) -> u64 {
    let start = seed ^ (len as u64).wrapping_mul(P2);
    if len <= 16 {
        let (low, high) = match len {
            9.. => (word(bytes, 0), word(bytes, len - 8)),
            4.. => (half(bytes, 0), half(bytes, len - 4)),
            1.. => {
                let middle = u64::from(bytes[len / 2]);
                (u64::from(bytes[0]) | (middle << 8) | (u64::from(bytes[len - 1]) << 16), 0)
            }
            _ => (0, 0),
        };
        return fold(fold(low ^ start, high ^ P1), P0 ^ seed);
    }
    let mut state = start;
    // The last 16 bytes are hashed by themselves, in part once more.
    let mut rest = bytes;
    while rest.len() > 16
        && let Some((pair, more)) = rest.split_first_chunk::<16>()
    {
        state = fold(word(pair, 0) ^ state, word(pair, 8) ^ P1);
        rest = more;
    }
    if let Some(last) = bytes.last_chunk::<16>() {
        state = fold(word(last, 0) ^ state, word(last, 8) ^ P2);
    }
    fold(state, P0 ^ seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn hashes_never_change() {
        // Tables in files depend on these: a change here is a change of the format.
        let bytes: Vec<u8> = (0..100).collect();
        let all = (0..100).fold(0u64, |sum, len| sum.rotate_left(5) ^ hash_bytes(7, &bytes[..len]));
        assert_eq!(all, FIXED);
    }
    const FIXED: u64 = 13_594_134_541_266_661_647;

    #[test]
    fn low_and_high_bits_spread() {
        for seed in [0, 1, 0x1234_5678_9abc_def0] {
            let hashes =
                |shift: u32| (0..4096u64).map(move |key| hash_bytes(seed, &key.to_le_bytes()) >> shift & 0xfff);
            assert!(hashes(0).collect::<HashSet<_>>().len() > 2300);
            assert!(hashes(52).collect::<HashSet<_>>().len() > 2300);
        }
    }
}
