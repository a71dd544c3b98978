//! Generates cases: first everything that is worth trying once, then random mutations. Pure.

mod fields;
mod injecting;
mod planned;
mod stages;

#[cfg(test)]
mod field_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use planned::PlannedCase;

use super::material::Material;
use super::mutator::{HINTED, MUTATORS, Mutating, Mutator, hinted};
use super::random::Random;
use super::{Case, Step};

/// Maximum attempts to find mutators that can change the case.
const TRIES_MAX: usize = 12;

/// One in this many cases of the first stage is a changed one.
const CHANGED_ONE_IN: usize = 3;

/// Maximum bytes and connections of a cheap case. Other cases of the corpus, and those with delays, are chosen less
/// often.
const CHEAP_BYTES_MAX: usize = 8 << 10;
const CHEAP_CONNECTIONS_MAX: usize = 2;

/// Generates cases; the same seed, lane and corpus yield the same cases.
#[derive(Debug)]
pub(crate) struct Generator {
    material: Arc<Material>,
    random: Random,
    /// The rest of the first stage of this lane, in reverse order.
    stage: Vec<PlannedCase>,
    /// The number of cases at the end of the stage between which there are changed cases.
    mixed: usize,
    /// Each mutator, as many times as its weight.
    wheel: Vec<&'static Mutator>,
}

/// What is known of a good next case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guide<'a> {
    /// A case of the corpus to change.
    pub base: Option<&'a Case>,
    /// Whether the server replies to all of its turns.
    pub answered: bool,
    /// What the server's code compares with what it reads, the most promising first.
    pub hints: &'a [Vec<u8>],
}

/// A generated case and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generated {
    /// The case, within all limits.
    pub case: Case,
    /// The mutators in the order in which they were applied, or the family of the first stage.
    pub mutators: Vec<&'static str>,
}

impl Generator {
    /// A generator for one of several lanes with the same seed. The lanes divide the first stage among them.
    pub(crate) fn new(material: Arc<Material>, seed: u64, lane: u32, lanes: u32) -> Self {
        let lanes = lanes.max(1) as usize;
        let lane_of_all = lane as usize % lanes;
        let (all, first) = stages::plan(&material, &mut Random::new(seed, 0));
        let mixed = (all.len() - first) / lanes;
        let share = all.into_iter().skip(lane_of_all).step_by(lanes);
        let mut stage: Vec<PlannedCase> = share.collect();
        stage.reverse();
        let times =
            |mutator: &&'static Mutator| std::iter::repeat_n(*mutator, mutator.weight as usize);
        Self {
            stage,
            mixed,
            random: Random::new(seed, lane.wrapping_add(1)),
            wheel: MUTATORS.iter().flat_map(times).collect(),
            material,
        }
    }

    /// Adds words to the dictionary, unless it is full.
    pub(crate) fn learn(&mut self, words: impl Iterator<Item = Vec<u8>>) {
        for word in words {
            if !self.material.knows(&word) {
                Arc::make_mut(&mut self.material).learn(word);
            }
        }
    }

    /// Number of cases of the first stage that are left for this lane.
    #[cfg(test)]
    pub(crate) fn planned(&self) -> usize {
        self.stage.len()
    }

    /// The next case. `corpus` may change between calls.
    pub(crate) fn next(&mut self, corpus: &[Case]) -> Generated {
        // On a slow server the stage takes most of a campaign, but not all of it.
        let mixes =
            (1..=self.mixed).contains(&self.stage.len()) && self.random.one_in(CHANGED_ONE_IN);
        let planned = if mixes { None } else { self.next_planned() };
        match planned {
            Some(planned) => planned,
            None => {
                let (case, answered) = self.base(corpus);
                self.mutated(corpus, case, answered, &[])
            }
        }
    }

    /// The next case of a campaign that knows what its cases reach.
    pub(crate) fn guided(&mut self, corpus: &[Case], guide: &Guide<'_>) -> Generated {
        // What was reached is not left alone until the end of the first stage.
        if (guide.base.is_none() && guide.hints.is_empty() || self.random.one_in(2))
            && let Some(planned) = self.next_planned()
        {
            return planned;
        }
        let (case, answered) = match guide.base {
            Some(base) => (base.clone(), guide.answered),
            None => self.base(corpus),
        };
        self.mutated(corpus, case, answered, guide.hints)
    }

    fn next_planned(&mut self) -> Option<Generated> {
        while let Some(item) = self.stage.pop() {
            if let Some(mut case) = item.case(&self.material) {
                self.linger(&mut case);
                injecting::inject(&self.material, &mut self.random, &mut case);
                return Some(Generated {
                    case,
                    mutators: vec![item.name()],
                });
            }
        }
        None
    }

    fn mutated(
        &mut self,
        corpus: &[Case],
        mut case: Case,
        answered: bool,
        hints: &[Vec<u8>],
    ) -> Generated {
        let from = self.first_to_change(&case);
        let mut wanted = match self.random.below(10) {
            0..=5 => 1,
            6..=7 => 2,
            8 => 3,
            _ => 4,
        };
        let mut mutating = Mutating {
            touched: usize::MAX,
            case: &mut case,
            material: &self.material,
            corpus,
            random: &mut self.random,
            from,
            answered,
        };
        let mut mutators = Vec::with_capacity(wanted);
        // Another change could undo what the hint achieves.
        if !hints.is_empty() && mutating.random.one_in(2) && hinted(&mut mutating, hints) {
            mutators.push(HINTED);
            wanted = if mutating.random.one_in(8) { 2 } else { 1 };
        }
        for _ in 0..TRIES_MAX {
            if mutators.len() == wanted {
                break;
            }
            if let Some(mutator) = mutating.random.pick(&self.wheel)
                && (mutator.run)(&mut mutating)
            {
                mutators.push(mutator.name);
            }
        }
        let touched = mutating.touched;
        self.tidy(&mut case, touched);
        self.linger(&mut case);
        injecting::inject(&self.material, &mut self.random, &mut case);
        Generated { case, mutators }
    }

    /// A seed or a case of the corpus, and whether the server replies to all its turns.
    fn base(&mut self, corpus: &[Case]) -> (Case, bool) {
        if !corpus.is_empty() && self.random.one_in(2) {
            for _ in 0..4 {
                if let Some(case) = self.random.pick(corpus)
                    && (is_cheap(case) || self.random.one_in(16))
                {
                    return (case.clone(), false);
                }
            }
        }
        let seed = self.material.pick_seed(&mut self.random);
        (seed.map(|seed| seed.case.clone()).unwrap_or_default(), true)
    }

    /// The first step that may change. Usually everything before the last turn is kept: this reaches deep states.
    fn first_to_change(&mut self, case: &Case) -> usize {
        let opening = &self.material.opening;
        let last = case
            .steps
            .iter()
            .rposition(|step| matches!(step, Step::Send(_)));
        if !self.random.one_in(5) {
            return last.unwrap_or(0);
        }
        // The opening rarely changes: without it, the server ignores the rest.
        match case.steps.starts_with(opening) && !self.random.one_in(8) {
            true => opening.len().min(last.unwrap_or(0)),
            false => 0,
        }
    }

    /// Lets half of the cases wait for the last reply, if the server may drop the request otherwise.
    fn linger(&mut self, case: &mut Case) {
        let sends_last = matches!(case.steps.last(), Some(Step::Send(_)));
        if self.material.lingers && sends_last && self.random.one_in(2) {
            case.steps.push(Step::Receive);
            case.limit();
        }
    }

    /// Removes steps that only cost time, and truncates the case to the limits.
    fn tidy(&mut self, case: &mut Case, touched: usize) {
        // A changed turn often gets no reply, and a wait for one would last until the time limit.
        if !self.random.one_in(16) {
            let mut at = 0;
            case.steps.retain(|step| {
                at += 1;
                at <= touched || *step != Step::Receive
            });
        }
        while case.steps.last() == Some(&Step::Receive) {
            case.steps.pop();
        }
        let bytes_max = self.material.bytes_max();
        case.sends_mut()
            .for_each(|send| send.data.truncate(bytes_max));
        case.limit_connections(self.material.connections_max());
        case.limit();
    }
}

fn is_cheap(case: &Case) -> bool {
    let pauses = |step: &Step| matches!(step, Step::DelayMs(_));
    case.bytes() <= CHEAP_BYTES_MAX
        && case.connections() <= CHEAP_CONNECTIONS_MAX
        && !case.steps.iter().any(pauses)
}
