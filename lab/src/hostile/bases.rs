//! Regions as the library leaves them: what mutants are made of.

use crate::objects;
use crate::places::{Places, word};
use crate::random::Random;
use crate::temporary::{Temporary, quiet};
use commy::{Region, Result, SharedBTreeMap, SharedHashMap, SharedString, SharedVec, SharedVecDeque};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Images of regions that were left by the dead.
const KILLED: usize = 8;
/// Children that are killed for them at most.
const DEATHS: usize = 80;

/// A name, a capacity, what is put in.
type Maker = (&'static str, u64, fn(&Region) -> Result<()>);

/// The content of a region's file.
pub struct Base {
    pub name: String,
    pub bytes: Vec<u8>,
    /// Its runs of pages with something in them.
    stretches: Vec<(usize, usize)>,
}

impl Base {
    fn read(path: &Path, name: &str) -> io::Result<Base> {
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        let stretches = stretches(&bytes);
        Ok(Base { name: name.into(), bytes, stretches })
    }

    /// Writes it to an empty file; pages of zeros stay holes.
    pub fn write(&self, file: &File) -> io::Result<()> {
        file.set_len(0)?;
        file.set_len(self.bytes.len() as u64)?;
        for (from, to) in &self.stretches {
            file.write_all_at(&self.bytes[*from..*to], *from as u64)?;
        }
        Ok(())
    }
}

/// The runs of pages with something in them.
fn stretches(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut stretches: Vec<(usize, usize)> = Vec::new();
    for (number, page) in bytes.chunks(4096).enumerate() {
        if page.iter().all(|byte| *byte == 0) {
            continue;
        }
        let (from, to) = (number * 4096, number * 4096 + page.len());
        match stretches.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => stretches.push((from, to)),
        }
    }
    stretches
}

/// Those of a directory, in the order of their names.
pub fn load(directory: &Path) -> io::Result<Vec<Base>> {
    let mut names = fs::read_dir(directory)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    names.iter().map(|name| Base::read(&directory.join(name), name)).collect()
}

/// Makes them and puts them into an empty directory.
pub fn build(directory: &Path, program: &Path, seed: u64) -> std::result::Result<(), String> {
    let told = |error: commy::Error| format!("a base region: {error}");
    let temporary = Temporary::new();
    let path = temporary.region();
    let keep = |name: &str| -> std::result::Result<(), String> {
        let save = || Base::read(&path, name)?.write(&File::create(directory.join(name))?);
        save().map_err(|error| format!("{name}: {error}"))
    };
    let makers: [Maker; 3] =
        [("0-fresh", 1 << 20, |_| Ok(())), ("1-full", 2 << 20, objects::fill), ("2-runs", 4 << 20, runs)];
    for (name, capacity, fill) in makers {
        let region = quiet().capacity(capacity).create(&path).map_err(told)?;
        fill(&region).map_err(told)?;
        let report = region.check().map_err(told)?;
        if !report.is_clean() {
            return Err(format!("{name}: {report}"));
        }
        drop(region);
        keep(name)?;
        fs::remove_file(&path).map_err(|error| error.to_string())?;
    }
    killed(directory, program, seed, &path).map_err(|error| format!("a killed child: {error}"))
}

/// Runs of pages, used and free ones of many lengths.
fn runs(region: &Region) -> Result<()> {
    objects::fill(region)?;
    region.object::<SharedVec<u64>>("numbers")?.extend(0..9000)?;
    region.object::<SharedString>("text")?.set(&"ä long text, ".repeat(9000))?;
    region.object::<SharedVecDeque<u64>>("queue")?.extend(0..5000)?;
    region.object::<SharedHashMap<u64, u64>>("map")?.extend((0..2500).map(|n| (n, n)))?;
    for pages in [9, 12, 17, 25, 40] {
        region.object::<SharedVec<u64>>(&format!("gone {pages}"))?.extend(0..pages * 512)?;
        region.object::<SharedVec<u64>>(&format!("between {pages}"))?.extend(0..4600)?;
    }
    [9, 12, 17, 25, 40].iter().try_for_each(|pages| region.remove_object(&format!("gone {pages}")))
}

/// Regions whose process was killed at work, as different from each other as there are.
fn killed(directory: &Path, program: &Path, seed: u64, path: &Path) -> io::Result<()> {
    let full = Base::read(&directory.join("1-full"), "1-full")?;
    let mut random = Random::new(seed);
    let mut seen = BTreeSet::new();
    for death in 0..DEATHS {
        full.write(&File::create(path)?)?;
        let mut child = Command::new(program)
            .arg("hostile-victim")
            .arg(path)
            .arg(random.number().to_string())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = [0];
        child.stdout.take().expect("a pipe").read_exact(&mut ready)?;
        std::thread::sleep(Duration::from_micros(200 + random.below(15_000)));
        child.kill()?;
        child.wait()?;
        let image = Base::read(path, "")?;
        fs::remove_file(path)?;
        let left = traces(&image.bytes);
        if left != 0 && (seen.insert(left) || DEATHS - death < KILLED) {
            let name = format!("3-killed-{}", seen.len());
            image.write(&File::create(directory.join(name))?)?;
        }
        if seen.len() == KILLED {
            break;
        }
    }
    Ok(())
}

/// What the dead left in their lanes: a bit for each phase of a context, a spilled log, a word in flight, a step of
/// the heap.
fn traces(bytes: &[u8]) -> u32 {
    let places = Places::of(bytes);
    let mut traces = 0;
    for lane in (0..16).map(|number| places.lanes_at + number * 4096) {
        for context in (0..16).map(|number| lane + 1216 + number * 48) {
            traces |= match word(bytes, context) & 0xff {
                0 => 0,
                phase => 1 << (phase & 3) | u32::from(word(bytes, context + 8) != 0),
            };
        }
        traces |= u32::from(word(bytes, lane + 8) != 0) << 4 | u32::from(word(bytes, lane + 64) != 0) << 5;
    }
    traces
}

/// Works on all kinds of objects in three threads until it is killed.
pub fn victim(path: &Path, seed: u64) -> std::result::Result<(), String> {
    let region = quiet().own_attachment().open(path).map_err(|error| error.to_string())?;
    println!("ready");
    let end = Instant::now() + Duration::from_secs(20);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let region = &region;
            scope.spawn(move || {
                let mut random = Random::new(seed ^ thread);
                while Instant::now() < end {
                    // What has no room or finds a deadlock is done again.
                    let _ = work(region, &mut random);
                }
            });
        }
    });
    Ok(())
}

fn work(region: &Region, random: &mut Random) -> Result<()> {
    let some = random.below(60);
    let numbers: SharedVec<u64> = region.object("numbers")?;
    let texts: SharedVec<String> = region.object("texts")?;
    let names: SharedHashMap<String, String> = region.object("names")?;
    let sorted: SharedBTreeMap<String, String> = region.object("sorted")?;
    match random.below(7) {
        0 => region.transaction(|tx| {
            tx.write(&texts)?.push("t".repeat(some as usize))?;
            tx.write(&names)?.insert(format!("{some:>20}"), "n".repeat(some as usize)).map(drop)?;
            tx.write(&numbers)?.extend(0..some)
        }),
        1 => sorted.extend((0..some).map(|n| (format!("{n:>25}"), "s".repeat(some as usize)))),
        2 => {
            let mut guard = texts.write()?;
            (0..some).try_for_each(|n| guard.push("u".repeat(n as usize)))?;
            if some.is_multiple_of(2) {
                guard.rollback();
            }
            Ok(())
        }
        3 => {
            let mut guard = names.write()?;
            guard.retain(|key, _| key.len() as u64 % 7 != some % 7)?;
            (0..some * 2).try_for_each(|n| guard.insert(format!("{n:>22}"), "m".repeat(30)).map(drop))
        }
        4 => {
            sorted.clear()?;
            texts.truncate(some as usize)
        }
        5 => {
            let mut guard = numbers.write()?;
            guard.truncate(some as usize)?;
            guard.extend(0..500)
        }
        _ => {
            region.object::<SharedVec<String>>("another")?.extend((0..some).map(|n| "a".repeat(n as usize)))?;
            region.remove_object("another")
        }
    }
}
