//! A block allocated and freed, beside the allocators of processes (the C library's is glibc's on Linux, msvcrt's on
//! Windows) and beside Boost's segment.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::measure::{Runner, Standings, each};
use crate::peers::memory::{Blocks, Malloc, Probe, pairs, stacks};
use crate::report::{Report, Target};
use crate::scratch::Scratch;

const SIZE: usize = 64;
/// Blocks that live at once in the second figure.
const STACK: usize = 32;

/// How an allocator does so many pairs.
struct Allocator<'a> {
    name: &'static str,
    one: Box<dyn FnMut(usize) -> Outcome<f64> + 'a>,
    /// The same, [`STACK`] at a time, if it can.
    stack: Option<Box<dyn FnMut(usize) -> Outcome<f64> + 'a>>,
}

impl Runner for Allocator<'_> {
    fn name(&self) -> &str {
        self.name
    }
}

/// One in this process.
fn here<'a, B: Blocks + Clone + 'a>(name: &'static str, blocks: B) -> Allocator<'a> {
    let mut blocks = (blocks.clone(), blocks);
    Allocator {
        name,
        one: Box::new(move |count| each(count, || pairs(&mut blocks.0, count, SIZE))),
        stack: Some(Box::new(move |count| each(count, || stacks::<_, STACK>(&mut blocks.1, count / STACK, SIZE)))),
    }
}

pub(crate) fn run(arguments: &Arguments, report: &mut Report) -> Outcome {
    let scratch = Scratch::new()?;
    let probe = std::cell::RefCell::new(Probe::new(&scratch.region)?);
    let mut allocators = vec![Allocator {
        name: "Commy",
        one: Box::new(|count| {
            let probe = &mut *probe.borrow_mut();
            each(count, || probe.pairs(count, SIZE))
        }),
        stack: Some(Box::new(|count| {
            let probe = &mut *probe.borrow_mut();
            each(count, || probe.stacks::<STACK>(count / STACK, SIZE))
        })),
    }];
    allocators.push(here("malloc", Malloc));
    #[cfg(feature = "peers")]
    if arguments.has("mimalloc") {
        allocators.push(here("mimalloc", crate::peers::memory::Mimalloc));
    }
    #[cfg(target_os = "linux")]
    let folder = crate::scratch::ScratchFolder::new()?;
    #[cfg(target_os = "linux")]
    if arguments.has("boost") {
        for (name, verb) in [("Boost", "pairs"), ("Boost, pool of nodes", "nodes")] {
            let mut talker = crate::peers::boost::start(&folder.path().join(verb), "unordered", None)?;
            let one = move |count: usize| {
                let [time, done] = talker.ask(&format!("{verb} {count} {SIZE}"))?;
                if done == count as u64 { Ok(time as f64 / count as f64) } else { Err("it did not do all".into()) }
            };
            allocators.push(Allocator { name, one: Box::new(one), stack: None });
        }
    }
    let count = arguments.scaled(200_000) / STACK * STACK;
    let standings = Standings::take(arguments.rounds(51), 1, &mut allocators, |allocator| (allocator.one)(count))?;
    let targets = [("malloc", Target::Ratio(1.0)), ("Boost", Target::Faster(15.0))];
    report.add_race("allocate and free 64 bytes", &standings, 0, &targets);

    allocators.retain(|allocator| allocator.stack.is_some());
    let stack = |allocator: &mut Allocator| allocator.stack.as_mut().map_or(Ok(0.0), |stack| stack(count));
    let standings = Standings::take(arguments.rounds(51), 1, &mut allocators, stack)?;
    report.add_race("the same, 32 blocks at a time", &standings, 0, &[]);
    Ok(())
}
