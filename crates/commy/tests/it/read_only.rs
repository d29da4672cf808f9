//! Who may only read sees whole states of every container, whatever happens to those who write; and where nobody is left who
//! could finish or undo a change, it is told so in time.

mod watched;

use crate::seeded::{Random, seed, thorough};
use crate::support::child::{self, Child, End, text};
use crate::support::temporary::{LOCK_TIMEOUT, QUICK, Temporary, quiet};
use commy::{Error, Region, RegionOptions, Result, SharedBox, SharedGauge, SharedVec, crash};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use watched::{STANDING, watched};

/// How long a reader waits that is to wait in vain.
const SHORT: Duration = Duration::from_millis(60);

fn reading(timeout: Duration) -> RegionOptions {
    quiet().read_only(true).lock_timeout(timeout)
}

/// The object that tells the reader when to stop.
const STOP: &str = "stop";

/// The entry point of the reader: looks at everything until it is told to stop, and tells how often it has.
#[test]
fn reader() {
    child::entry(|arguments| {
        let region = quiet().read_only(true).open(arguments[0]).expect("a region");
        let all = watched(&region).expect("objects");
        let stop: SharedBox<bool> = region.open_object(STOP).expect("an object");
        let gauge: SharedGauge = region.open_object("gauge").expect("an object");
        let mut generations = vec![0; all.len()];
        let mut looks = 0;
        child::tell("looking");
        while !stop.get().expect("a read") {
            for (one, before) in all.iter().zip(&mut generations) {
                let seen = one.look().unwrap_or_else(|error| panic!("{}: {error}", one.name));
                assert!(seen >= *before, "{} goes back from {before} to {seen}", one.name);
                *before = seen;
            }
            assert!(gauge.get().expect("a read") >= STANDING, "somebody who lives contributes nothing");
            looks += 1;
        }
        child::tell(&format!("{looks} {}", generations.iter().min().expect("a generation")));
    });
}

/// The entry point of writers: goes on and on, until it is killed from outside or at a crash point.
#[test]
fn writer() {
    child::entry(|arguments| {
        let [path, points, log] = arguments else { panic!("wrong arguments") };
        let region = quiet().open(path).expect("a region");
        let all = watched(&region).expect("objects");
        let mut random = Random::new(u64::from(std::process::id()));
        // One whole round first, so that each life leaves something.
        all.iter().for_each(|one| one.step().expect("a change"));
        child::tell("writing");
        match points.parse::<u64>().expect("a number") {
            0 => {}
            points => crash::arm(points, Path::new(log)),
        }
        loop {
            let one = &all[random.below(all.len() as u64) as usize];
            one.step().unwrap_or_else(|error| panic!("{}: {error}", one.name));
        }
    });
}

#[test]
fn a_reader_sees_whole_states_while_writers_are_killed() {
    let temporary = Temporary::new();
    let (path, log) = (text(&temporary.region()), text(&temporary.file("deaths")));
    let region = quiet().create(&path).unwrap();
    let all = watched(&region).unwrap();
    all.iter().for_each(|one| one.step().unwrap());
    watched::contribute(&region, STANDING).unwrap();
    let stop: SharedBox<bool> = region.object(STOP).unwrap();
    let mut reader = Child::spawn("read_only::reader", std::slice::from_ref(&path));
    assert_eq!(reader.hear().as_deref(), Some("looking"));
    let seed = seed();
    println!("COMMY_SEED={seed}");
    let mut random = Random::new(seed);
    for round in 0..thorough(30) {
        // Every other one dies at a point of some protocol, the others wherever they are.
        let points = if round % 2 == 0 { 1 + random.below(4000) } else { 0 };
        let mut writer = Child::spawn("read_only::writer", &[path.clone(), points.to_string(), log.clone()]);
        assert_eq!(writer.hear().as_deref(), Some("writing"));
        if points == 0 {
            let end = Instant::now() + Duration::from_micros(random.below(20_000));
            while Instant::now() < end {
                // The living change things, too.
                all[random.below(all.len() as u64) as usize].step().unwrap();
            }
            writer.kill();
        }
        assert_eq!(writer.wait(), End::Killed, "round {round}");
        // Each other death is left to the next writer.
        if round % 4 < 2 {
            all.iter().for_each(|one| one.step().unwrap());
        }
    }
    all.iter().for_each(|one| one.step().unwrap());
    stop.set(true).unwrap();
    let told = reader.hear().expect("the reader has seen whole states");
    println!("looks and least generation: {told}");
    let (looks, generation) = told.split_once(' ').unwrap();
    assert!(looks.parse::<u64>().unwrap() > 30 && generation.parse::<u64>().unwrap() > 30, "{told}");
    assert_eq!(reader.wait(), End::Finished);
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

/// The entry point of one who dies while it changes one object: its version is odd.
#[test]
fn dying() {
    child::entry(|arguments| {
        let [path, name, log] = arguments else { panic!("wrong arguments") };
        let region = quiet().open(path).expect("a region");
        let all = watched(&region).expect("objects");
        let one = all.iter().find(|one| one.name == *name);
        crash::arm_at("lock: version odd", 1, Path::new(log));
        match one {
            Some(one) => one.step().expect("a change"),
            None => region.create_object::<SharedVec<u64>>(name).map(drop).expect("an object"),
        }
        crash::disarm();
    });
}

/// Lets a process die inside a change of `name`; nobody is left who may write. Its process id.
fn leave_dead(path: &Path, name: &str) -> u32 {
    let log = path.with_file_name("deaths");
    let dying = Child::spawn("read_only::dying", &[text(path), name.into(), text(&log)]);
    let pid = dying.pid();
    assert_eq!(dying.wait(), End::Killed);
    pid
}

/// Is it the answer to who waits in vain for the dead?
fn is_told_of(result: Result<()>, dead: u32, what: &str) {
    match result {
        Err(Error::Timeout { holder, waited }) => {
            assert!(holder.dead && holder.pid == dead, "{what}: {holder:?}");
            assert!(waited >= SHORT && waited < QUICK, "{what}: {waited:?}");
            let text = Error::Timeout { holder, waited }.to_string();
            assert!(text.contains("which is dead"), "{text}");
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn a_reader_alone_with_a_dead_writer_is_told_so() {
    let temporary = Temporary::new();
    let path = temporary.region();
    let region = quiet().create(&path).unwrap();
    let names: Vec<&str> = watched(&region).unwrap().iter().map(|one| one.name).collect();
    watched(&region).unwrap().iter().for_each(|one| one.step().unwrap());
    drop(region);
    for name in names {
        // Who is there already, and who comes later.
        let early = reading(SHORT).open(&path).unwrap();
        let seen = watched(&early).unwrap();
        let pid = leave_dead(&path, name);
        let late = reading(SHORT).own_attachment().open(&path).unwrap();
        let mut seen_late = Vec::new();
        for (other, find) in watched::ALL {
            match find(&late, other) {
                Ok(one) => seen_late.push(one),
                Err(error) => is_told_of(Err(error), pid, &format!("{other} beside {name}: open")),
            }
        }
        assert!(seen_late.iter().all(|one| one.name != name) && seen_late.len() + 1 == seen.len());
        for one in seen.iter().chain(&seen_late) {
            if one.name == name {
                one.reads.iter().for_each(|(call, read)| is_told_of(read(), pid, &format!("{name}: {call}")));
            } else {
                one.look().unwrap_or_else(|error| panic!("{} beside {name}: {error}", one.name));
            }
        }
        // Whoever may write comes, and the reader goes on where it was.
        let region = quiet().open(&path).unwrap();
        let one = watched(&region).unwrap().into_iter().find(|one| one.name == name).unwrap();
        let before = one.look().unwrap();
        one.step().unwrap();
        for one in seen.iter().chain(&watched(&late).unwrap()).filter(|one| one.name == name) {
            assert!(one.look().unwrap() >= before, "{name}");
            one.reads.iter().for_each(|(call, read)| read().unwrap_or_else(|error| panic!("{name}: {call}: {error}")));
        }
        assert!(region.check().unwrap().is_clean());
    }
}

#[test]
fn a_reader_alone_with_the_dead_maker_of_an_object_is_told_so() {
    let temporary = Temporary::new();
    let path = temporary.region();
    quiet().create(&path).unwrap().object::<SharedVec<u64>>("there").unwrap().push(7).unwrap();
    let early = reading(SHORT).open(&path).unwrap();
    let there: SharedVec<u64> = early.open_object("there").unwrap();
    let pid = leave_dead(&path, "a new one");
    is_told_of(early.open_object::<SharedVec<u64>>("there").map(drop), pid, "open_object");
    is_told_of(early.objects().map(drop), pid, "objects");
    // Who has a handle needs no name.
    assert_eq!(there.get(0).unwrap(), Some(7));
    let region = quiet().open(&path).unwrap();
    region.object::<SharedVec<u64>>("a new one").unwrap();
    assert_eq!(early.open_object::<SharedVec<u64>>("there").unwrap().to_vec().unwrap(), [7]);
    assert!(early.objects().unwrap().iter().any(|object| object.name == "a new one"));
}

/// A copy that takes longer than the pause between two changes never succeeds; it ends in time, and others go on.
#[test]
fn a_reader_of_an_object_that_always_changes_is_told_so() {
    const LEN: u64 = 1 << 20;
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let (large, small) =
        (region.object::<SharedVec<u64>>("large").unwrap(), region.object::<SharedVec<u64>>("small").unwrap());
    large.extend(0..LEN).unwrap();
    small.push(7).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let saturate = || {
            for number in 0.. {
                large.set((number % LEN) as usize, number % LEN).unwrap();
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        };
        // Before anybody changes it: what follows is about reading.
        let reader: Region = reading(SHORT).open(temporary.region()).unwrap();
        let seen: SharedVec<u64> = reader.open_object("large").unwrap();
        scope.spawn(saturate);
        let stop = Stop(&done);
        // Short reads find a pause, if the writer has a processor.
        let patient = reading(LOCK_TIMEOUT).own_attachment().open(temporary.region()).unwrap();
        let item: SharedVec<u64> = patient.open_object("large").unwrap();
        let beside: SharedVec<u64> = patient.open_object("small").unwrap();
        let mut refused = 0;
        for _ in 0..1000 {
            let start = Instant::now();
            match seen.to_vec() {
                // The writer has not had a processor meanwhile.
                Ok(all) => assert!(all.len() as u64 == LEN && (0..LEN).eq(all)),
                Err(Error::Timeout { holder, waited }) => {
                    assert!(!holder.dead && waited >= SHORT, "{holder:?}");
                    assert!(
                        holder.pid == std::process::id() || holder.to_string() == "one after the other",
                        "{holder:?}"
                    );
                    refused += 1;
                }
                Err(error) => panic!("{error}"),
            }
            assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
            assert_eq!(
                (item.get(5).unwrap(), item.len().unwrap(), beside.to_vec().unwrap()),
                (Some(5), LEN as usize, vec![7])
            );
            if refused == 3 {
                break;
            }
        }
        drop(stop);
        assert!(refused == 3, "{refused} refused");
    });
    let reader = reading(SHORT).own_attachment().open(temporary.region()).unwrap();
    assert!((0..LEN).eq(reader.open_object::<SharedVec<u64>>("large").unwrap().to_vec().unwrap()));
}

/// Ends the writer also when an assertion fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
