//! Members that work at once: a map that they share, and blocks that they allocate, write, verify and free. Commy's and
//! those of the peers that can are processes; what only threads can share has threads.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Runner, Samples, Standings};
use crate::peers::crew::{Crew, MAP, Task, Team, Threads, Yard};
use crate::peers::memory::{LIVE, Malloc};
use crate::peers::{boost, crew};
use crate::random::Random;
use crate::report::{Line, Report, Target};
use crate::scratch::{Scratch, ScratchFolder};
use commy::SharedHashMap;

/// A team in a race.
struct Entrant {
    name: &'static str,
    team: Box<dyn Team>,
    /// Cannot change what it looks at.
    looks: bool,
}

impl Entrant {
    fn new(name: &'static str, team: impl Team + 'static) -> Entrant {
        Entrant { name, team: Box::new(team), looks: false }
    }
}

impl Runner for Entrant {
    fn name(&self) -> &str {
        self.name
    }
}

/// How many work at once.
const SIZES: [usize; 4] = [1, 2, 4, 8];

pub(super) fn map(arguments: &Arguments, report: &mut Report) -> Outcome {
    let mut random = Random::new(arguments.seed);
    let keys = random.distinct(arguments.scaled(1_000_000));
    let mut alone = [Vec::new(), Vec::new()];
    for members in SIZES {
        let mut entrants = map_entrants(arguments, members, &keys)?;
        let count = arguments.scaled(400_000 / members) as u64;
        for (every, what, series) in [(0, "get", 0), (20, "95 % get, 5 % insert", 1)] {
            let targets: &[(&str, Target)] = match (members, every) {
                (2, 0) => &[("DashMap, threads", Target::Faster(1.4)), ("LMDB", Target::Faster(10.0))],
                (2, _) => &[("DashMap, threads", Target::Faster(1.2)), ("Boost", Target::Faster(8.0))],
                _ => &[],
            };
            let task = Task::Map { every, count };
            entrants.retain(|entrant| every == 0 || !entrant.looks);
            let round = |entrant: &mut Entrant| Ok(entrant.team.work(task)?.each());
            let standings = Standings::take(arguments.rounds(7), 1, &mut entrants, round)?;
            report.add_race(&format!("{what}, {members} at once"), &standings, 0, targets);
            alone[series].push(standings.samples(0));
        }
    }
    // Not taken in turns: the sizes come one after the other.
    for (series, what) in alone.iter().zip(["get", "95 % get, 5 % insert"]) {
        let [_, two, _, eight] = series.as_slice() else { continue };
        let beside = Some(("Commy, 2 at once", two, eight.median() / two.median()));
        report.add(Line::of_samples(format!("{what}, 8 beside 2"), eight, beside, Target::Ratio(1.25)));
    }
    Ok(())
}

fn map_entrants(arguments: &Arguments, members: usize, keys: &[u64]) -> Outcome<Vec<Entrant>> {
    let mut entrants = vec![Entrant::new("Commy", commy(members, keys)?)];
    if arguments.has("boost") {
        entrants.push(Entrant::new("Boost", boost(members, keys)?));
    }
    #[cfg(feature = "peers")]
    {
        if arguments.has("lmdb") {
            entrants.push(Entrant::new("LMDB", in_lmdb(members, keys)?));
        }
        if arguments.has("iceoryx2") {
            let team = on_a_blackboard(members, &keys[..keys.len().min(2_000)])?;
            entrants.push(Entrant { looks: true, ..Entrant::new("iceoryx2 blackboard, 2000 entries", team) });
        }
        if arguments.has("dashmap") {
            entrants.push(Entrant::new("DashMap, threads", Sharded::new(members, keys)));
        }
    }
    entrants.push(Entrant::new("RwLock<HashMap>, threads", Locked::new(members, keys)));
    Ok(entrants)
}

/// Processes with a region and a map of these keys in it.
fn commy(members: usize, keys: &[u64]) -> Outcome<Crew> {
    let (scratch, folder) = (Scratch::new()?, ScratchFolder::new()?);
    let map: SharedHashMap<u64, u64> = scratch.region.object(MAP)?;
    map.extend(keys.iter().map(|key| (*key, *key)))?;
    let (path, yard) = (scratch.path().to_path_buf(), Yard::create(&folder, keys)?);
    Crew::start(members, keys.len(), (map, scratch, folder), || Crew::member("commy", &path, &yard))
}

fn boost(members: usize, keys: &[u64]) -> Outcome<Crew> {
    let folder = ScratchFolder::new()?;
    let (path, yard) = (folder.path().join("segment"), Yard::create(&folder, keys)?);
    let mut crew = Crew::start(members, keys.len(), folder, || boost::start(&path, "unordered", Some(&yard)))?;
    let [_] = crew.first().ok_or("nobody works")?.ask("fill")?;
    Ok(crew)
}

#[cfg(feature = "peers")]
fn in_lmdb(members: usize, keys: &[u64]) -> Outcome<Crew> {
    let folder = ScratchFolder::new()?;
    {
        let (environment, map) = crate::peers::lmdb::open(folder.path())?;
        let mut change = environment.write_txn()?;
        keys.iter().try_for_each(|key| map.put(&mut change, key, key))?;
        change.commit()?;
        environment.prepare_for_closing().wait();
    }
    let (path, yard) = (folder.path().to_path_buf(), Yard::create(&folder, keys)?);
    Crew::start(members, keys.len(), folder, || Crew::member("lmdb", &path, &yard))
}

#[cfg(feature = "peers")]
fn on_a_blackboard(members: usize, keys: &[u64]) -> Outcome<Crew> {
    let folder = ScratchFolder::new()?;
    let board = crate::peers::blackboard::Board::create(folder.path(), keys)?;
    let (path, yard) = (folder.path().to_path_buf(), Yard::create(&folder, keys)?);
    Crew::start(members, keys.len(), (board, folder), || Crew::member("blackboard", &path, &yard))
}

/// Threads with the map that was made for them.
#[cfg(feature = "peers")]
struct Sharded {
    members: usize,
    keys: Vec<u64>,
    map: dashmap::DashMap<u64, u64, foldhash::fast::RandomState>,
}

#[cfg(feature = "peers")]
impl Sharded {
    fn new(members: usize, keys: &[u64]) -> Sharded {
        Sharded { members, keys: keys.to_vec(), map: keys.iter().map(|key| (*key, *key)).collect() }
    }
}

#[cfg(feature = "peers")]
impl Team for Sharded {
    fn work(&mut self, task: Task) -> Outcome<crew::Shift> {
        let Task::Map { every, count } = task else { return Err("a map has no blocks".into()) };
        let Sharded { members, keys, map } = self;
        crew::threads(*members, task, |number| {
            let first = number * keys.len() as u64 / *members as u64;
            crew::look_up(
                (keys, first, every, count),
                |key| Ok(map.get(key).map(|entry| *entry)),
                |key| Ok(map.insert(*key, *key).is_some()),
            )
        })
    }
}

/// Threads with a map of the standard library.
struct Locked {
    members: usize,
    keys: Vec<u64>,
    map: std::sync::RwLock<std::collections::HashMap<u64, u64, foldhash::fast::RandomState>>,
}

impl Locked {
    fn new(members: usize, keys: &[u64]) -> Locked {
        let map = keys.iter().map(|key| (*key, *key)).collect();
        Locked { members, keys: keys.to_vec(), map: std::sync::RwLock::new(map) }
    }
}

impl Team for Locked {
    fn work(&mut self, task: Task) -> Outcome<crew::Shift> {
        let Task::Map { every, count } = task else { return Err("a map has no blocks".into()) };
        let Locked { members, keys, map } = self;
        crew::threads(*members, task, |number| {
            let first = number * keys.len() as u64 / *members as u64;
            crew::look_up(
                (keys, first, every, count),
                |key| Ok(map.read().unwrap().get(key).copied()),
                |key| Ok(map.write().unwrap().insert(*key, *key).is_some()),
            )
        })
    }
}

/// Those who allocate.
fn block_entrants(arguments: &Arguments, members: usize) -> Outcome<Vec<Entrant>> {
    let mut entrants = vec![Entrant::new("Commy", commy(members, &[])?)];
    if arguments.has("boost") {
        entrants.push(Entrant::new("Boost", boost(members, &[])?));
    }
    let malloc = Threads { count: members, blocks: Malloc::default };
    entrants.push(Entrant::new("malloc, threads", malloc));
    #[cfg(feature = "peers")]
    if arguments.has("mimalloc") {
        let mimalloc = Threads { count: members, blocks: crate::peers::memory::Mimalloc::default };
        entrants.push(Entrant::new("mimalloc, threads", mimalloc));
    }
    Ok(entrants)
}

pub(super) fn stress(arguments: &Arguments, report: &mut Report) -> Outcome {
    for (members, count, targets) in
        [(4, 50, [].as_slice()), (8, 200, &[("", Target::PerSecond(5e6)), ("Boost", Target::Faster(5.0))])]
    {
        let mut entrants = block_entrants(arguments, members)?;
        let task = Task::Stress { count, size: 128 };
        let by_work = |entrant: &mut Entrant| Ok(entrant.team.work(task)?.each_of_work());
        let standings = Standings::take(arguments.rounds(51), 1, &mut entrants, by_work)?;
        report.add_race(&format!("P={members} N={count}, time of work"), &standings, 0, targets);
        let by_clock = |entrant: &mut Entrant| Ok(entrant.team.work(task)?.each());
        let standings = Standings::take(arguments.rounds(51), 1, &mut entrants, by_clock)?;
        report.add_race(&format!("P={members} N={count}, first start to last end"), &standings, 0, &[]);
    }
    Ok(())
}

pub(super) fn mixed(arguments: &Arguments, report: &mut Report) -> Outcome {
    for members in SIZES {
        let mut entrants = block_entrants(arguments, members)?;
        for (random, what) in [(false, "in order"), (true, "at random")] {
            let rounds = arguments.scaled(200_000 / members / LIVE) as u64;
            let round = |entrant: &mut Entrant| Ok(entrant.team.work(Task::Mixed { rounds, random })?.each());
            let standings = Standings::take(arguments.rounds(11), 1, &mut entrants, round)?;
            let targets: &[_] = if random { &[("mimalloc, threads", Target::Ratio(1.5))] } else { &[] };
            report.add_race(&format!("16 to 1024 bytes, freed {what}, {members} at once"), &standings, 0, targets);
        }
    }
    Ok(())
}

/// One process looks up and changes while others are attached, and all do.
pub(in crate::workloads) fn scale(arguments: &Arguments, report: &mut Report) -> Outcome {
    let keys = Random::new(arguments.seed).distinct(arguments.scaled(100_000));
    for members in [1, 2, 4, 8, 16, 32, 64] {
        if arguments.quick && members > 8 {
            break;
        }
        let mut team = commy(members, &keys)?;
        // So much that starting together does not matter.
        let count = arguments.scaled(3_200_000 / members) as u64;
        for (every, what) in [(0, "get"), (20, "95 % get, 5 % insert")] {
            let task = Task::Map { every, count };
            let times = (0..arguments.rounds(5)).map(|_| Ok(team.work(task)?.each()));
            let times = Samples::new(times.collect::<Outcome<Vec<f64>>>()?);
            report.add(Line::of_samples(format!("{what}, {members} processes"), &times, None, Target::None));
        }
    }
    Ok(())
}
