//! Random numbers that can be had again.

use std::time::{SystemTime, UNIX_EPOCH};

/// The seed of this run: a new one each time. Under CI always the same, so that a red run speaks of the change in hand.
pub fn seed() -> u64 {
    match std::env::var("COMMY_SEED") {
        Ok(text) => text.parse().expect("COMMY_SEED is a number"),
        Err(_) if std::env::var_os("CI").is_some() => 20_261_124,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_nanos() as u64 % 1_000_000_007,
    }
}

/// A small generator (splitmix64) for what needs no shrinking.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }
}
