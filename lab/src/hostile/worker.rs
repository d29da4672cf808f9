//! A process that uses one mutant after the other. It tells which before it begins, and what went wrong unless it dies
//! of it.

use super::allocation;
use super::anatomy::Anatomy;
use super::bases::{self, Base};
use super::canary::Canary;
use super::mutate::mutate;
use crate::Verdict;
use crate::objects;
use crate::random::Random;
use crate::temporary::quiet;
use std::backtrace::Backtrace;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a worker is told.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Where the base regions are
    #[arg(long)]
    pub bases: PathBuf,
    /// An empty directory of its own
    #[arg(long)]
    pub place: PathBuf,
    #[arg(long)]
    pub seed: u64,
    #[arg(long)]
    pub from: u64,
    #[arg(long)]
    pub to: u64,
    #[arg(long)]
    pub step: u64,
    /// Processor time for one mutant
    #[arg(long)]
    pub limit_ms: u64,
    #[arg(long)]
    pub canary: Option<Canary>,
}

/// {mutant, processor time when it began, opened, refused}: one write for each mutant.
pub const PROGRESS: &str = "progress";

/// The random numbers of one mutant; those of another seed have nothing to do with them.
pub fn random_of(seed: u64, number: u64) -> Random {
    let start = Random::new(seed).number();
    Random::new(start.wrapping_add(number.wrapping_mul(0xd134_2543_de82_ef95)))
}

static PANIC: Mutex<Option<String>> = Mutex::new(None);
static CURRENT: AtomicU64 = AtomicU64::new(0);

/// One base with the file that its mutants live in.
struct Subject {
    base: Base,
    anatomy: Anatomy,
    path: PathBuf,
    file: File,
}

impl Subject {
    fn new(mut base: Base, place: &Path) -> std::io::Result<Subject> {
        let path = place.join(&base.name);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        let metadata = file.metadata()?;
        // Otherwise it would be a copy, which is treated with more care than is wanted for most.
        base.bytes[248..256].copy_from_slice(&metadata.dev().to_le_bytes());
        base.bytes[256..264].copy_from_slice(&metadata.ino().to_le_bytes());
        let anatomy = Anatomy::of(&base.bytes);
        Ok(Subject { base, anatomy, path, file })
    }
}

/// Which base a mutant is made of.
pub fn choose(random: &mut Random, names: &[&str]) -> usize {
    let weight = |name: &&str| match name.as_bytes()[0] {
        b'0' => 1,
        b'1' => 8,
        b'2' => 2,
        _ => 2,
    };
    let mut chosen = random.below(names.iter().map(weight).sum());
    for (number, name) in names.iter().enumerate() {
        match chosen.checked_sub(weight(name)) {
            Some(rest) => chosen = rest,
            None => return number,
        }
    }
    0
}

pub fn run(arguments: &Arguments) -> Verdict {
    let told = |error: std::io::Error| error.to_string();
    let bases = bases::load(&arguments.bases).map_err(told)?;
    let subjects = bases.into_iter().map(|base| Subject::new(base, &arguments.place));
    let mut subjects = subjects.collect::<std::io::Result<Vec<_>>>().map_err(told)?;
    let progress = File::create(arguments.place.join(PROGRESS)).map_err(told)?;
    limit_memory();
    note_panics();
    note_signals();
    let mut counts = [0; 2];
    let mut number = arguments.from;
    while number < arguments.to {
        CURRENT.store(number, Ordering::Relaxed);
        let start = processor_time();
        let record = [number, start.as_nanos() as u64, counts[0], counts[1]];
        let bytes: Vec<u8> = record.iter().flat_map(|word| word.to_le_bytes()).collect();
        progress.write_all_at(&bytes, 0).map_err(told)?;
        let mut random = random_of(arguments.seed, number);
        let names: Vec<&str> = subjects.iter().map(|subject| &*subject.base.name).collect();
        let chosen = choose(&mut random, &names);
        let opened = one(&mut subjects[chosen], &mut random, arguments.canary).map_err(told)?;
        counts[usize::from(!opened)] += 1;
        let took = processor_time() - start;
        if took > Duration::from_millis(arguments.limit_ms) {
            println!("hang {number} took {took:?}");
        }
        number += arguments.step;
    }
    let record = [u64::MAX, 0, counts[0], counts[1]];
    let bytes: Vec<u8> = record.iter().flat_map(|word| word.to_le_bytes()).collect();
    progress.write_all_at(&bytes, 0).map_err(told)?;
    Ok(String::new())
}

/// Makes a mutant and asks everything of it; could it be opened?
fn one(subject: &mut Subject, random: &mut Random, canary: Option<Canary>) -> std::io::Result<bool> {
    subject.base.write(&subject.file)?;
    for edit in mutate(&subject.base, &subject.anatomy, random) {
        edit.apply(&subject.file)?;
    }
    let len = subject.file.metadata()?.len().max(subject.base.bytes.len() as u64);
    let choices = random.number();
    let mut opened = false;
    if let Some(canary) = canary {
        let mut file = File::open(&subject.path)?;
        let limit = len.max(1 << 20) as usize + 1;
        guarded(limit, || drop(canary.read(&mut file, &subject.anatomy)));
        return Ok(true);
    }
    guarded(len.max(1 << 20) as usize, || opened = exercise(&subject.path, choices));
    Ok(opened)
}

/// Runs it, and tells of a panic in any thread and of an allocation beyond the limit.
fn guarded(limit: usize, body: impl FnOnce()) {
    let number = CURRENT.load(Ordering::Relaxed);
    allocation::watch(limit);
    let _ = catch_unwind(AssertUnwindSafe(body));
    if let Some(text) = allocation::end_watch() {
        println!("allocation {number} {}", text.replace('\n', " "));
    }
    if let Some(text) = PANIC.lock().expect("nobody panics with it").take() {
        println!("panic {number} {}", text.replace('\n', " "));
    }
}

/// Opens it to read and to write, and does what `choices` says. Could it be opened to be written?
fn exercise(path: &Path, choices: u64) -> bool {
    let chosen = |bit: u64| choices >> bit & 1 == 1;
    // Who waits for the dead recovers them; who never waits tries more mutants in the same time.
    let waits = chosen(6) && chosen(7) && chosen(40);
    let options = quiet().own_attachment().lock_timeout(Duration::from_millis(u64::from(waits)));
    let part = |bit: u64, region: &commy::Region| {
        objects::PARTS
            .iter()
            .enumerate()
            .filter(|(number, _)| chosen(bit + *number as u64))
            .for_each(|(_, part)| part(region));
    };
    if chosen(0) {
        let _ = options.clone().read_only(true).open(path).map(|region| {
            part(8, &region);
        });
    }
    let Ok(region) = options.open(path) else { return false };
    // A check takes its time if it finds a lock that stays.
    if chosen(1) && chosen(2) && chosen(3) {
        let _ = region.check().map(|report| report.to_string());
    }
    part(24, &region);
    if chosen(4) {
        objects::finish(&region);
    }
    if chosen(5) && chosen(41) && chosen(42) && chosen(43) {
        let _ = region.check().map(|report| report.to_string());
    }
    true
}

/// Of all threads of this process.
fn processor_time() -> Duration {
    // SAFETY: all zero is a value of this structure.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: writes one structure.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Many pieces of memory that are each within bounds end the process, too. The address sanitizer needs more than that.
fn limit_memory() {
    if std::env::var_os("ASAN_OPTIONS").is_some() {
        return;
    }
    let limit = libc::rlimit { rlim_cur: 4 << 30, rlim_max: 4 << 30 };
    // SAFETY: reads one structure.
    unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
}

fn note_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = format!("{info} {}", Backtrace::force_capture());
        PANIC.lock().expect("nobody panics with it").get_or_insert(text);
    }));
}

const DEADLY: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];

/// Tells where a signal came from before it ends the process. Not by the rules for handlers: there is nothing to lose.
fn note_signals() {
    if std::env::var_os("ASAN_OPTIONS").is_some() {
        return;
    }
    let stack = Box::leak(vec![0u8; 1 << 20].into_boxed_slice());
    let stack = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
    // SAFETY: the stack is never freed.
    unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) };
    for signal in DEADLY {
        // SAFETY: all zero is a value of this structure.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = tell_signal as extern "C" fn(i32) as libc::sighandler_t;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND | libc::SA_NODEFER;
        // SAFETY: the handler takes a number and returns.
        unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    }
}

extern "C" fn tell_signal(signal: i32) {
    let number = CURRENT.load(Ordering::Relaxed);
    println!("signal {number} {signal}");
    println!("trace {number} {}", Backtrace::force_capture().to_string().replace('\n', " "));
    // SAFETY: the action is the default by now; `SIGABRT` would go on otherwise.
    unsafe { libc::raise(signal) };
}
