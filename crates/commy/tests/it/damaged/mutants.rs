//! Some thousand variants of one region, each with a few bytes changed, in a child process: whatever is asked of them
//! is answered by a value or an error.

use super::{Places, content, word};
use crate::seeded::{Random, fewer, seed, thorough};
use crate::support::child::{self, Child};
use crate::support::temporary::{Temporary, quiet};
use commy::RegionOptions;
use commy_lab::files::write_all_at;
use commy_lab::objects::{exercise, fill};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The region's file, and how it is brought back to what it was.
struct Template {
    file: File,
    bytes: Vec<u8>,
    /// The parts that are no holes.
    parts: Vec<(u64, u64)>,
    places: Places,
}

impl Template {
    /// `original` is a copy of the region at `path`, which may be damaged by now.
    fn of(path: &Path, original: &Path) -> Template {
        let bytes = content(original);
        let places = Places::of(&bytes);
        let pages = (places.committed_end - places.heap_at) / 4096;
        let parts = vec![
            (0, places.lanes_at + 16 * 4096),
            (places.page_map_at, places.page_map_at + pages * 16),
            (places.heap_at, places.committed_end),
        ];
        Template { file: File::options().write(true).open(path).unwrap(), bytes, parts, places }
    }

    fn restore(&self) {
        self.file.set_len(self.bytes.len() as u64).unwrap();
        for (from, to) in &self.parts {
            write_all_at(&self.file, &self.bytes[*from as usize..*to as usize], *from).unwrap();
        }
    }

    /// Changes some bytes or words; what they were and are.
    fn mutate(&self, random: &mut Random) -> String {
        let mut changes = Vec::new();
        let supplied = word(&self.bytes, 8192 + 8) * 4096;
        for _ in 0..1 + random.below(4) {
            let (from, to) = match random.below(20) {
                // Object headers, each 192 bytes, from the beginning of the heap on.
                0..=6 => (self.places.heap_at, self.places.heap_at + 21 * 192),
                7..=13 => (self.places.heap_at, self.places.heap_at + supplied),
                // Header words, arenas, supply.
                14 => (200, 12288),
                15 | 16 => (self.places.page_map_at, self.places.page_map_at + supplied / 256),
                17 => (self.places.lanes_at, self.places.lanes_at + 2 * 4096),
                18 => (self.places.readers_at, self.places.readers_at + 1024),
                _ => (self.places.slots_at, self.places.slots_at + 1024),
            };
            let mut at = from + random.below(to - from);
            let old = word(&self.bytes, at & !7);
            let heap = self.places.heap_at;
            let new = match random.below(3) {
                0 => vec![self.bytes[at as usize] ^ 1 << random.below(8)],
                1 => vec![random.number() as u8],
                // A whole word that looks like something.
                _ => {
                    at &= !7;
                    let word = match random.below(10) {
                        0 => 0,
                        1 => 1,
                        2 => u64::MAX,
                        3 => 1 << 63,
                        4 => old.wrapping_add(1 << random.below(64)),
                        5 => (heap + random.below(supplied)) & !15,
                        6 => heap + random.below(supplied / 4096) * 4096,
                        7 => random.below(200),
                        8 => word(&self.bytes, (heap + random.below(supplied)) & !7),
                        _ => random.number(),
                    };
                    word.to_le_bytes().to_vec()
                }
            };
            write_all_at(&self.file, &new, at).unwrap();
            changes.push(format!("{at} (heap + {}): {new:x?}", at as i64 - heap as i64));
        }
        changes.join(", ")
    }
}

static PANIC: Mutex<String> = Mutex::new(String::new());

#[test]
fn entry() {
    child::entry(|arguments| {
        let [path, original, seed, from, to] = arguments else { panic!("{arguments:?}") };
        let numbers = [seed, from, to].map(|number| number.parse::<u64>().unwrap());
        #[cfg(target_os = "linux")]
        limit_memory();
        std::panic::set_hook(Box::new(|info| {
            let trace = std::backtrace::Backtrace::capture().to_string();
            *PANIC.lock().unwrap() = format!("{info} {trace}").replace('\n', " ");
        }));
        let path = Path::new(path);
        let template = Template::of(path, Path::new(original));
        for number in numbers[1]..numbers[2] {
            one(path, &template, numbers[0], number);
        }
        template.restore();
    });
}

/// A huge allocation fails, and that ends the process.
#[cfg(target_os = "linux")]
fn limit_memory() {
    let limit = libc::rlimit { rlim_cur: 3 << 30, rlim_max: 3 << 30 };
    // SAFETY: reads one structure.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

fn one(path: &Path, template: &Template, seed: u64, number: u64) {
    let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
    template.restore();
    let changes = template.mutate(&mut random);
    child::tell(&format!("{number} {changes}"));
    let hasty: RegionOptions = quiet().lock_timeout(Duration::from_millis(2));
    let start = Instant::now();
    for read_only in [true, false] {
        let tried = catch_unwind(AssertUnwindSafe(|| {
            if let Ok(region) = hasty.clone().read_only(read_only).open(path) {
                if !read_only && random.below(3) == 0 {
                    let _ = region.check().map(|report| report.to_string());
                }
                exercise(&region, !read_only);
            }
        }));
        if tried.is_err() {
            child::tell(&format!("panic {}", PANIC.lock().unwrap()));
        }
    }
    if start.elapsed() > Duration::from_secs(8) {
        child::tell(&format!("panic took {:?}", start.elapsed()));
    }
}

#[test]
fn changed_bytes_give_values_or_errors() {
    let seed = seed();
    println!("COMMY_SEED={seed}");
    let temporary = Temporary::new();
    let region = quiet().capacity(2 << 20).create(temporary.region()).unwrap();
    fill(&region).unwrap();
    assert!(region.check().unwrap().is_clean());
    drop(region);
    // One of them again: COMMY_MUTANT=811.
    let one: Option<u64> = std::env::var("COMMY_MUTANT").ok().map(|number| number.parse().expect("a number"));
    let mut from = one.unwrap_or(0);
    let count = one.map_or(fewer(thorough(2000).into()), |number| number + 1);
    let (path, original) = (child::text(&temporary.region()), child::text(&temporary.file("original")));
    std::fs::copy(&path, &original).unwrap();
    let mut failures = Vec::new();
    while from < count && failures.len() < 40 {
        let arguments = [path.clone(), original.clone(), seed.to_string(), from.to_string(), count.to_string()];
        let mut child = Child::spawn("damaged::mutants::entry", &arguments);
        let mut last = String::new();
        while let Some(line) = child.hear() {
            match line.strip_prefix("panic ") {
                Some(panic) => failures.push(format!("{panic}\n    mutant {last}")),
                None => last = line,
            }
        }
        let number: u64 = last.split(' ').next().unwrap().parse().unwrap_or(count);
        match child.wait() {
            child::End::Finished => break,
            end => failures.push(format!("{end:?}\n    mutant {last}")),
        }
        from = number + 1;
    }
    assert!(failures.is_empty(), "COMMY_SEED={seed}\n{}", failures.join("\n"));
}
