//! Random tests that print their seed and take one: `COMMY_SEED=17 cargo test ...` repeats a run.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::time::{SystemTime, UNIX_EPOCH};

/// The seed of this run: a new one each time. Under CI always the same, so that a red run speaks of the change in hand.
pub fn seed() -> u64 {
    match std::env::var("COMMY_SEED") {
        Ok(text) => text.parse().expect("COMMY_SEED is a number"),
        Err(_) if std::env::var_os("CI").is_some() => 20_261_124,
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_nanos() as u64 % 1_000_000_007,
    }
}

/// How much more than usual is tried: `COMMY_THOROUGH=20` for a long run.
pub fn thorough(cases: u32) -> u32 {
    std::env::var("COMMY_THOROUGH").map_or(cases, |text| cases * text.parse::<u32>().expect("a number"))
}

/// Tries `cases` values of `strategy`; a failure is shrunk and shown with the seed.
pub fn check<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value))
where
    S::Value: std::fmt::Debug,
{
    let seed = seed();
    println!("COMMY_SEED={seed}");
    let config =
        Config { cases: thorough(cases), failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(strategy, |value| {
        test(value);
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = result {
        panic!("{error}\nCOMMY_SEED={seed}");
    }
}

/// A small generator (splitmix64) for what needs no shrinking.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
