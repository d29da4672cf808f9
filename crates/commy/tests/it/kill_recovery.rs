//! Recovery is crash-safe itself: a recoverer may be killed anywhere, a survivor may write what is free again, and the
//! next recoverer brings everything to one of the states that were allowed.

use crate::seeded::{every, sampled};
use crate::support::catalogue;
use crate::support::child::{self, Child, End, text};
use crate::support::killer::{Failure, Fate, Ground, Summary, last_death};
use crate::support::scenario::Scenario;
use crate::support::temporary::{self, Temporary};
use commy::{Error, Region, SharedVec};
use std::collections::BTreeSet;
use std::path::Path;

/// What a recoverer has to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is attached, others are too; it wants the objects, then reaps.
    Live,
    /// Nobody is attached; it opens the region.
    Open,
}

/// The entry point of recoverers.
#[test]
fn recover() {
    child::entry(|arguments| {
        let [name, path, way, fate, log] = arguments else { panic!("wrong arguments") };
        let scenario = catalogue::find(name);
        Fate::live(fate, Path::new(log), |arm| {
            if *way == "Open" {
                arm();
            }
            let region = temporary::open(Path::new(path)).expect("a region");
            if *way == "Live" {
                arm();
            }
            scenario.case.touch(&region).expect("the locks of the dead");
            assert!(region.check().expect("a check").is_clean());
            commy::crash::disarm();
        });
    });
}

impl Way {
    /// Lets a child recover, which may be killed at it. `None`: it came to its end.
    pub fn recover(self, ground: &Ground, scenario: &Scenario, fate: &Fate) -> Result<Option<String>, Failure> {
        let (path, log, way) = (text(&ground.path()), text(&ground.log(fate)), format!("{self:?}"));
        let arguments = [scenario.name.clone(), path, way, fate.encode(), log];
        match Child::spawn("kill_recovery::recover", &arguments).wait() {
            End::Killed => Ok(Some(last_death(&ground.log(fate)).unwrap_or_default())),
            End::Finished => Ok(None),
            End::Failed(code) => Err(format!("{}: a recoverer failed with {code}", scenario.name)),
        }
    }
}

/// Who dies first: in which scenario, at which point of it.
pub type Victim = (&'static str, &'static str, u64);

/// What dies before a recoverer comes: every kind of thing that it may find.
pub const VICTIMS: &[&[Victim]] = &[
    &[
        ("transaction: a text from a vector to a map", "append: counted", 6),
        ("transaction: a text from a vector to a map", "pop: off the list, not recorded", 1),
        ("transaction: a text from a vector to a map", "table: control set, not counted", 1),
        ("transaction: a text from a vector to a map", "commit: committed, words held", 1),
        ("transaction: a text from a vector to a map", "close: version even", 1),
        ("transaction: a text from a vector to a map", "close: word free", 1),
        ("transaction: a text from a vector to a map", "push: in flight", 1),
        ("transaction: a text from a vector to a map", "push: on the list", 1),
        ("transaction: a text from a vector to a map", "push: record gone", 1),
    ],
    &[
        ("transaction: three objects", "vector: moved", 2),
        ("transaction: three objects", "close: word free", 1),
        ("transaction: a log that spills", "spill: off the list, not linked", 1),
        ("transaction: a log that spills", "unspill: in flight", 1),
        ("transaction: a log that spills", "unspill: unlinked", 1),
        ("transaction: a log that spills", "vector: slots shifted", 1),
        ("transaction: fails", "undo: a record restored", 1),
        ("transaction: fails", "rollback: undone, words held", 1),
        ("transaction: fails", "close: word free", 1),
    ],
    &[
        ("SharedVec<String>: clear", "detach: done", 1),
        ("SharedVec<String>: clear", "raze: a string returned", 2),
        ("SharedHashMap<String, Vec<u8>>: insert with growth", "table: data switched, size not", 1),
        ("SharedHashMap<String, Vec<u8>>: insert with growth", "inner: changed", 3),
        ("SharedHashMap<String, Vec<u8>>: insert with growth", "inner: counted, not changed", 7),
        ("objects: remove", "remove: retired, not committed", 1),
        ("objects: remove", "close: generation moved", 1),
        ("objects: create a box", "object: filled, without descriptor", 1),
        ("objects: create a box", "directory: entry written", 1),
    ],
    &[
        ("objects: a map without a name", "table: counted", 1),
        ("objects: a map without a name", "close: generation moved", 1),
        ("two guards: the first ends first", "commit: committed, words held", 1),
        ("two guards: the second ends first", "commit: committed, words held", 2),
        ("two guards: blocks of one size", "push: on the list", 2),
        ("two guards: one rolled back", "rollback: undone, words held", 1),
        ("a call beside a read", "vector: slot live", 1),
        ("regions: close", "maintain: marked", 1),
        ("regions: check", "freeze: set", 1),
        ("threads: exit", "inner: changed", 2),
    ],
    &[
        ("SharedVecDeque<String>: push_front with growth", "deque: data moved, capacity not", 1),
        ("SharedVecDeque<String>: clear", "raze: a string returned", 2),
        ("SharedVecDeque<String>: popped slots are filled again", "deque: front live", 3),
        ("SharedVecDeque<String>: insert near the front", "deque: gap open, not counted", 1),
        ("SharedVecDeque<String>: push_back for which somebody has waited", "wake: flag cleared, nobody woken", 1),
        ("SharedHashSet<String>: guard of many calls", "commit: committed, words held", 1),
    ],
    // By the short way: nothing recorded, or some words.
    &[
        ("SharedVec<u64>: push", "vector: length about to change", 1),
        ("SharedVec<u64>: push", "vector: length changed", 1),
        ("SharedVec<u64>: set", "value: overwritten", 1),
        ("SharedVec<Record>: set", "value: overwritten", 1),
        ("SharedVecDeque<u64>: pop_front", "append: words counted", 1),
        ("SharedVecDeque<u64>: pop_front", "deque: head moved on, not counted", 1),
        ("SharedHashMap<u64, u64>: insert", "table: control set, not counted", 1),
        ("SharedHashMap<u64, u64>: remove", "commit: committed, words held", 1),
        ("a call inside another", "vector: slot live", 1),
    ],
];

/// What came of a victim and its recoverers.
struct Struck {
    /// Where the recoverers died; `None`: one came to its end.
    deaths: Vec<Option<String>>,
    /// Objects that a survivor has written to between the first and the second recoverer, because they were free.
    marked: Vec<bool>,
}

/// Lets a victim die, and after it recoverers as `fates` say.
fn strike(
    ground: &mut Ground,
    scenario: &Scenario,
    victim: Victim,
    way: Way,
    fates: &[Fate],
) -> Result<Struck, Failure> {
    let (name, point, nth) = victim;
    ground.renew()?;
    match way {
        Way::Live => ground.let_impatient_in()?,
        Way::Open => ground.close(),
    }
    if ground.kill(&Fate::AtName(point.into(), nth))?.as_deref() != Some(point) {
        return Err(format!("{name}: `{point}` was reached less than {nth} times"));
    }
    let (first, others) = fates.split_first().ok_or("no fate")?;
    let mut deaths = vec![way.recover(ground, scenario, first)?];
    let marked = ground.mark_what_is_free()?;
    for fate in others {
        deaths.push(way.recover(ground, scenario, fate)?);
    }
    if way == Way::Open {
        ground.reopen()?;
    }
    Ok(Struck { deaths, marked })
}

/// Lets a victim die, and a recoverer at its first point, its second, ... until one comes to its end; see also [`every`].
fn kill_recoverers(victim: Victim, way: Way) -> Result<(Summary, bool), Failure> {
    let scenario = catalogue::find(victim.0);
    let mut ground = Ground::new(&scenario)?;
    let (mut summary, mut some_were_free) = (Summary::default(), false);
    for step in sampled(&format!("{victim:?} {way:?}"), steps()) {
        // Each other time a second one dies at the recovery of the first.
        let both = [Fate::At(step), Fate::At(step / 2)];
        let Struck { deaths, marked } =
            strike(&mut ground, &scenario, victim, way, &both[..1 + usize::from(step % 2 == 0)])?;
        some_were_free |= marked.contains(&true) && marked.contains(&false);
        summary.slowest = summary.slowest.max(ground.mark_and_verify(&marked).map_err(|failure| {
            format!("{failure}\n    victim {victim:?}, then {way:?} recoverers at point {step}: {deaths:?}, {marked:?}")
        })?);
        summary.kills += 1;
        if deaths[0].is_none() {
            return Ok((summary, some_were_free));
        }
        for point in deaths.into_iter().flatten() {
            summary.kills += 1;
            *summary.points.entry(point).or_default() += 1;
        }
    }
    Err(format!("{}: recovery never ends", victim.0))
}

/// Kills recoverers at those of the points `wanted` that they reach, and takes them off.
pub fn kill_recoverers_at_names(wanted: &mut BTreeSet<String>) -> Result<(), Failure> {
    for (victim, way) in
        VICTIMS.iter().copied().flatten().flat_map(|victim| [(*victim, Way::Live), (*victim, Way::Open)])
    {
        if wanted.is_empty() {
            break;
        }
        let scenario = catalogue::find(victim.0);
        let mut ground = Ground::new(&scenario)?;
        strike(&mut ground, &scenario, victim, way, &[Fate::Recorded])?;
        let reached = ground.recorded();
        for name in reached.intersection(&wanted.clone()) {
            let struck = strike(&mut ground, &scenario, victim, way, &[Fate::AtName(name.clone(), 1)])?;
            if struck.deaths[0].as_ref() != Some(name) {
                continue;
            }
            ground
                .mark_and_verify(&struck.marked)
                .map_err(|failure| format!("{failure}\n    after a death at `{name}`"))?;
            wanted.remove(name);
        }
    }
    Ok(())
}

/// The points to die at. Stage 1 is visited step by step; the thousand steps by which stage 2 returns block after block are
/// all alike, so most of them are skipped unless COMMY_THOROUGH is set.
fn steps() -> impl Iterator<Item = u64> {
    let thorough = std::env::var_os("COMMY_THOROUGH").is_some();
    let after = move |step: &u64| Some(if thorough || *step < 40 { step + 1 } else { step + step / 4 });
    std::iter::successors(Some(1), after).take_while(|step| *step < 1 << 40)
}

/// `halves`: so many victims at least must leave, at one point of their recovery, some of their objects free and others
/// not, so that a survivor writes to these while others are still to be recovered.
fn kill_recoverers_of(victims: &[Victim], way: Way, halves: usize) {
    let (mut summary, mut failures, mut halved) = (Summary::default(), Vec::new(), 0);
    for victim in victims {
        match kill_recoverers(*victim, way) {
            Ok((one, some_were_free)) => {
                summary.add(one);
                halved += usize::from(some_were_free);
            }
            Err(failure) => failures.push(failure),
        }
    }
    println!("{} kills, {} points, slowest survivor {:?}", summary.kills, summary.points.len(), summary.slowest);
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), victims.len(), failures.join("\n"));
    assert!(halved >= halves || every() > 1, "only {halved} victims left some objects free and others not");
}

macro_rules! recoverers_are_killed {
    ($($test:ident: $victims:expr, $way:expr, $halves:expr;)*) => {$(
        #[test]
        fn $test() {
            kill_recoverers_of(VICTIMS[$victims], $way, $halves);
        }
    )*};
}
recoverers_are_killed! {
    a_recoverer_of_a_transaction_may_die_anywhere: 0, Way::Live, 9;
    a_recoverer_of_logs_and_rollbacks_may_die_anywhere: 1, Way::Live, 9;
    a_recoverer_of_the_heap_and_of_objects_may_die_anywhere: 2, Way::Live, 0;
    a_recoverer_of_guards_and_threads_may_die_anywhere: 3, Way::Live, 3;
    a_recoverer_of_queues_may_die_anywhere: 4, Way::Live, 0;
    a_recoverer_of_short_changes_may_die_anywhere: 5, Way::Live, 0;
    an_opener_who_finds_a_transaction_may_die_anywhere: 0, Way::Open, 0;
    an_opener_who_finds_logs_and_rollbacks_may_die_anywhere: 1, Way::Open, 0;
    an_opener_who_finds_the_heap_and_objects_may_die_anywhere: 2, Way::Open, 0;
    an_opener_who_finds_guards_and_threads_may_die_anywhere: 3, Way::Open, 0;
    an_opener_who_finds_queues_may_die_anywhere: 4, Way::Open, 0;
    an_opener_who_finds_short_changes_may_die_anywhere: 5, Way::Open, 0;
}

/// The entry point of a crowd: takes all process slots, and goes with locks held and objects without a name.
#[test]
fn crowd() {
    child::entry(|arguments| {
        let [path] = arguments else { panic!("wrong arguments") };
        let mut all: Vec<Region> = Vec::new();
        loop {
            match temporary::quiet().own_attachment().open(path) {
                Ok(region) => all.push(region),
                Err(Error::Exhausted { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        for (number, region) in all.iter().enumerate().step_by(200) {
            let vector: SharedVec<String> = region.object(&format!("object {number}")).expect("an object");
            let nameless = SharedVec::<String>::new_in(region).expect("an object");
            nameless.extend(["another text that needs a block", "short"]).expect("room");
            let mut guard = vector.write().expect("a lock");
            guard.push("a text that needs a block").expect("room");
            std::mem::forget((guard, nameless.clone(), nameless));
        }
        child::tell(&all.len().to_string());
        child::listen();
    });
}

/// The entry point of an opener who finds no slot free.
#[test]
fn squeeze_in() {
    child::entry(|arguments| {
        let [path, fate, log] = arguments else { panic!("wrong arguments") };
        Fate::live(fate, Path::new(log), |arm| {
            arm();
            temporary::open(Path::new(path)).expect("a slot of the dead");
        });
    });
}

/// The dead have all slots but one; an opener reaps one of them, and dies at it as `fate` says. Then the survivor finds
/// everything as it was. Returns where it died.
pub fn kill_in_a_crowd(fate: &Fate) -> Option<String> {
    let temporary = Temporary::new();
    let (path, log) = (temporary.region(), temporary.file("deaths"));
    let region = temporary::quiet().create(&path).expect("a region");
    let vectors: Vec<SharedVec<String>> =
        (0..1023).step_by(200).map(|number| region.object(&format!("object {number}")).expect("an object")).collect();
    let in_use = |region: &Region| {
        let report = region.check().expect("a check");
        assert!(report.is_clean(), "{report:#?}");
        region.stats().expect("numbers").allocated
    };
    let before = in_use(&region);
    let mut crowd = Child::spawn("kill_recovery::crowd", &[text(&path)]);
    assert_eq!(crowd.hear().as_deref(), Some("1023"));
    crowd.kill();
    assert_eq!(crowd.wait(), End::Killed);
    let squeeze =
        |fate: &Fate| Child::spawn("kill_recovery::squeeze_in", &[text(&path), fate.encode(), text(&log)]).wait();
    let end = squeeze(fate);
    assert_eq!(squeeze(&Fate::At(u64::MAX / 4)), End::Finished);
    for vector in &vectors {
        vector.push("x").expect("a lock");
        assert_eq!(vector.to_vec().expect("a read"), ["x"]);
        vector.clear().expect("a lock");
    }
    assert_eq!(in_use(&region), before);
    assert_eq!(region.processes().expect("processes").len(), 1);
    match end {
        End::Killed => last_death(&log),
        End::Finished => None,
        End::Failed(code) => panic!("an opener failed with {code}"),
    }
}

#[test]
fn what_the_last_owner_of_a_slot_left_goes_while_the_next_one_lives() {
    let temporary = Temporary::new();
    let region = temporary::quiet().create(temporary.region()).expect("a region");
    let mut crowd = Child::spawn("kill_recovery::crowd", &[text(&temporary.region())]);
    assert_eq!(crowd.hear().as_deref(), Some("1023"));
    crowd.kill();
    assert_eq!(crowd.wait(), End::Killed);
    // All slots are claimed by the dead, so this one is somebody's who left objects without a name.
    let next = temporary::quiet().own_attachment().open(temporary.region()).expect("a slot of the dead");
    let own = SharedVec::<String>::new_in(&next).expect("an object");
    let report = region.check().expect("a check");
    assert!(report.is_clean(), "{report:#?}");
    let named = region.objects().expect("names").len() as u64;
    assert_eq!((named, report.objects), (6, 6 + 1), "the named ones, and the one of the living");
    own.push("still there").expect("a lock");
}

#[test]
fn slots_of_the_dead_are_reaped_by_an_opener_who_may_die_at_it() {
    let points = [("slot: dead incarnation ended, not reaped", 1), ("stage 1: undone, phases not moved", 2)];
    let more = [("slot: the dead one's number void", 1), ("stage 2: lane free", 1), ("slot: incarnation moved", 1)];
    for (point, nth) in points.into_iter().chain(more) {
        assert_eq!(kill_in_a_crowd(&Fate::AtName(point.into(), nth)).as_deref(), Some(point));
    }
}
