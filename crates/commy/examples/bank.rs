//! Transactions across containers, and what a kill leaves behind: eight tellers move money, each is killed
//! and replaced again and again; no cent is lost and nobody waits.
use commy::{Error, Region, Result, SharedBTreeMap, SharedHashMap, SharedVec};
use std::{
    process::{Child, Command},
    time::{Duration, Instant},
};

const ACCOUNTS: u64 = 64;
const START: i64 = 1_000;

fn teller(path: &str, seed: u64) -> Result<()> {
    let region = Region::open(path)?;
    let balance: SharedHashMap<u64, i64> = region.object("balance")?;
    let journal: SharedVec<(u64, u64, i64)> = region.object("journal")?;
    let by_volume: SharedBTreeMap<u64, u64> = region.object("volume")?;
    let mut state = seed;
    let mut random = move |n: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % n
    };
    loop {
        let (from, to, amount) = (random(ACCOUNTS), random(ACCOUNTS), random(50) as i64);
        region.transaction(|tx| {
            let mut balance = tx.write(&balance)?;
            let mut journal = tx.write(&journal)?;
            let mut volume = tx.write(&by_volume)?;
            *balance.get_mut(&from).ok_or(Error::NotFound)? -= amount;
            *balance.get_mut(&to).ok_or(Error::NotFound)? += amount;
            *volume.entry(from).or_insert(0)? += amount as u64;
            journal.push((from, to, amount))?;
            Ok(())
        })?;
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, path, seed] = &arguments[..] {
        return teller(path, seed.parse().unwrap());
    }
    let path = std::env::temp_dir().join(format!("commy-bank-{}", std::process::id()));
    let region = Region::create(&path)?;
    let balance: SharedHashMap<u64, i64> = region.object("balance")?;
    let journal: SharedVec<(u64, u64, i64)> = region.object("journal")?;
    let by_volume: SharedBTreeMap<u64, u64> = region.object("volume")?;
    for account in 0..ACCOUNTS {
        balance.insert(account, START)?;
    }
    let spawn = |seed: u64| Command::new(&arguments[0]).arg(&path).arg(seed.to_string()).spawn().unwrap();
    let mut tellers: Vec<Child> = (1..=8).map(spawn).collect();
    let mut slowest = Duration::ZERO;
    for round in 0..200 {
        std::thread::sleep(Duration::from_millis(5));
        let victim = round % tellers.len();
        tellers[victim].kill().unwrap();
        let start = Instant::now();
        let (total, entries, volume) = region.transaction(|tx| {
            let total: i64 = tx.read(&balance)?.iter().map(|(_, cents)| *cents).sum();
            let volume: u64 = tx.read(&by_volume)?.iter().map(|(_, cents)| *cents).sum();
            let entries: i64 = tx.read(&journal)?.iter().map(|(_, _, amount)| *amount).sum();
            Ok((total, entries, volume))
        })?;
        slowest = slowest.max(start.elapsed());
        assert_eq!(total, ACCOUNTS as i64 * START, "money appeared or vanished after kill {round}");
        assert_eq!(entries as u64, volume, "the journal and the volumes disagree after kill {round}");
        tellers[victim].wait().unwrap();
        tellers[victim] = spawn(1_000 + round as u64);
    }
    for mut teller in tellers {
        teller.kill().unwrap();
        teller.wait().unwrap();
    }
    let report = region.check()?;
    assert!(report.is_clean(), "{report}");
    println!("200 kills, {} transfers, slowest audit {slowest:?}", journal.len()?);
    drop(region);
    Region::remove(&path)
}
