//! The instructions that a child executes, one after the other, and how to come to one of them again.

use super::tracee::Tracee;
use std::collections::HashMap;

/// See the module. Children of one process have their code at the same addresses.
#[derive(Debug, Default)]
pub struct Trace {
    steps: Vec<Step>,
    counts: HashMap<u64, Count>,
}

#[derive(Debug)]
struct Step {
    address: u64,
    visible: bool,
    /// It is the n-th one at its address; 0: one that repeats itself, at which no breakpoint counts well.
    nth: u64,
}

#[derive(Debug, Default)]
struct Count {
    times: u64,
    repeats: bool,
}

/// How far before an instruction a breakpoint for it is looked for.
const NEAR: usize = 200;

impl Trace {
    pub fn push(&mut self, address: u64, visible: bool) {
        let count = self.counts.entry(address).or_default();
        // A string instruction, which is executed again and again.
        count.repeats |= self.steps.last().is_some_and(|last| last.address == address);
        count.times += 1;
        let nth = if count.repeats { 0 } else { count.times };
        self.steps.push(Step { address, visible, nth });
    }

    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// After how many instructions somebody else could see the last one: all such counts.
    pub fn visible(&self) -> Vec<usize> {
        (1..=self.len()).filter(|count| self.steps[count - 1].visible).collect()
    }

    /// Lets a child that stands at the beginning execute so many instructions. (One that takes another way is stopped
    /// somewhere else, or nowhere.)
    pub fn follow(&self, tracee: &mut Tracee, instructions: usize) {
        // The cheapest way: to one of the last instructions by a breakpoint, and on from there step by step.
        let price = |index: usize| self.steps[index].nth + (instructions - index) as u64;
        let near = instructions.saturating_sub(NEAR)..instructions.min(self.len() - 1) + 1;
        let usable = |index: &usize| self.steps[*index].nth > 0 && !self.counts[&self.steps[*index].address].repeats;
        let best = near.filter(usable).min_by_key(|index| price(*index));
        let mut left = instructions;
        if let Some(index) = best.filter(|index| price(*index) < instructions as u64) {
            if !tracee.run_to(self.steps[index].address, self.steps[index].nth) {
                return;
            }
            left = instructions - index;
        }
        (0..left).all(|_| tracee.step());
    }
}
