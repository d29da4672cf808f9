//! Random tests that print their seed and take one: `COMMY_SEED=17 cargo test ...` repeats a run.

pub use commy_lab::random::{Random, seed};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// How much more than usual is tried: `COMMY_THOROUGH=20` for a long run.
pub fn thorough(cases: u32) -> u32 {
    std::env::var("COMMY_THOROUGH").map_or(cases, |text| cases * text.parse::<u32>().expect("a number"))
}

/// One point in so many is died or refused memory at: each one, unless `COMMY_EVERY` says otherwise (where processes take
/// long to start, as under Wine). What is no row of points is [`fewer`] then.
pub fn every() -> u64 {
    std::env::var("COMMY_EVERY").map_or(1, |text| text.parse().expect("COMMY_EVERY is a number"))
}

/// `count`, or an eighth of it where not [`every`] point is tried.
pub fn fewer(count: u64) -> u64 {
    count / every().min(8)
}

/// All `points`, or each [`every`]th of them: others for each `what` and seed.
pub fn sampled<I: Iterator<Item = u64>>(what: &str, points: I) -> impl Iterator<Item = u64> + use<I> {
    each(every(), &mut random(what), points)
}

/// As [`sampled`] for the points of one of many scenarios, each of which takes its time to begin with: most have none then.
pub fn sampled_in_scenario<I: Iterator<Item = u64>>(
    what: &str,
    points: I,
) -> Option<impl Iterator<Item = u64> + use<I>> {
    let (scenarios, random) = (every().min(16), &mut random(what));
    (random.below(scenarios) == 0).then(|| each(every() / scenarios, random, points))
}

fn each<I: Iterator<Item = u64>>(every: u64, random: &mut Random, points: I) -> impl Iterator<Item = u64> + use<I> {
    points.skip(random.below(every) as usize).step_by(every as usize)
}

fn random(what: &str) -> Random {
    Random::new(what.bytes().fold(seed(), |salt, byte| salt.wrapping_mul(31).wrapping_add(byte.into())))
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
