//! The instructions that a child executes, one after the other, and how to come to one of them again.

use super::tracee::Tracee;
use std::collections::HashMap;

/// See the module. Children of one process have their code at the same addresses.
#[derive(Debug, Default)]
pub struct Trace {
    steps: Vec<Step>,
    counts: HashMap<u64, Count>,
    /// Where breakpoints count from, and how often each address was met since.
    anchor: Option<usize>,
    since: HashMap<u64, u64>,
}

#[derive(Debug)]
struct Step {
    address: u64,
    visible: bool,
    /// The n-th repetition of a string instruction.
    repetition: u64,
    /// The cheapest way here, and its price in stops of the child.
    way: Way,
    price: u64,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    /// From the instruction before it, by a step; from the beginning, if it is the first.
    Step,
    /// From that earlier one, or the beginning: by a breakpoint, the n-th time that it is met.
    Breakpoint { from: Option<usize>, nth: u64 },
}

#[derive(Debug, Default)]
struct Count {
    times: u64,
    /// A string instruction, which is executed again and again: breakpoints do not count it well.
    repeats: bool,
}

/// What another anchor may cost more than the last one, so that breakpoints inside of loops count from near by.
const WORTH: u64 = 16;

impl Trace {
    pub fn push(&mut self, address: u64, visible: bool) {
        let index = self.steps.len();
        let count = self.counts.entry(address).or_default();
        let again = self.steps.last().filter(|last| last.address == address);
        let repetition = again.map_or(0, |last| last.repetition + 1);
        count.repeats |= repetition > 0;
        count.times += 1;
        let since = self.since.entry(address).or_default();
        *since += 1;
        let mut best = (self.steps.last().map_or(0, |last| last.price + 1), Way::Step);
        if !count.repeats {
            let anchored = self.anchor.map(|anchor| {
                let price = self.steps[anchor].price + *since;
                (price, Way::Breakpoint { from: Some(anchor), nth: *since })
            });
            let direct = (count.times, Way::Breakpoint { from: None, nth: count.times });
            for other in anchored.into_iter().chain([direct]) {
                best = if other.0 < best.0 { other } else { best };
            }
        }
        let (price, way) = best;
        let worth = self.anchor.is_none_or(|anchor| price <= self.steps[anchor].price + WORTH);
        if index > 0 && worth && matches!(way, Way::Breakpoint { from: None, .. }) {
            self.anchor = Some(index);
            self.since.clear();
        }
        self.steps.push(Step { address, visible, repetition, way, price });
    }

    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// After how many instructions to kill: `whole`: after each; otherwise after those only that somebody else can see. Of
    /// the repetitions of a string instruction, which the processor counts as one, a few stand for all.
    pub fn candidates(&self, whole: bool) -> Vec<usize> {
        let stands = |index: usize| {
            let Step { address, repetition, .. } = self.steps[index];
            let last = self.steps.get(index + 1).is_none_or(|next| next.address != address);
            repetition == 0 || repetition.is_power_of_two() || last
        };
        (0..self.len())
            .filter(|index| (whole || self.steps[*index].visible) && stands(*index))
            .map(|index| index + 1)
            .collect()
    }

    /// Lets a child that stands at the beginning execute so many instructions. `false`: it took another way (random
    /// numbers differ) and stands somewhere else, or is gone.
    pub fn follow(&self, tracee: &mut Tracee, instructions: usize) -> bool {
        let mut ways = Vec::new();
        let mut at = Some(instructions.min(self.len() - 1));
        while let Some(index) = at {
            ways.push(index);
            at = match self.steps[index].way {
                Way::Step => index.checked_sub(1),
                Way::Breakpoint { from, .. } => from,
            };
        }
        for index in ways.into_iter().rev() {
            let there = match self.steps[index].way {
                Way::Step => index == 0 || tracee.step(),
                Way::Breakpoint { nth, .. } => tracee.run_to(self.steps[index].address, nth),
            };
            if !there {
                return false;
            }
        }
        match self.steps.get(instructions) {
            Some(step) => tracee.address() == step.address,
            // Behind the last one.
            None => {
                tracee.step();
                true
            }
        }
    }
}
