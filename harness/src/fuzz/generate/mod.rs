//! Generates cases: first everything that is worth trying once, then random mutations. Pure.

mod stages;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use stages::PlannedCase;

use super::material::Material;
use super::mutator::{MUTATORS, Mutating, Mutator};
use super::random::Random;
use super::{Case, Step};

/// Maximum attempts to find mutators that can change the case.
const TRIES_MAX: usize = 12;

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
    /// Each mutator, as many times as its weight.
    wheel: Vec<&'static Mutator>,
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
        let all = stages::plan(&material, &mut Random::new(seed, 0));
        let share = all.into_iter().skip(lane_of_all).step_by(lanes);
        let mut stage: Vec<PlannedCase> = share.collect();
        stage.reverse();
        let times =
            |mutator: &&'static Mutator| std::iter::repeat_n(*mutator, mutator.weight as usize);
        Self {
            stage,
            random: Random::new(seed, lane.wrapping_add(1)),
            wheel: MUTATORS.iter().flat_map(times).collect(),
            material,
        }
    }

    /// Maximum bytes of a generated message.
    pub(crate) fn bytes_max(&self) -> usize {
        self.material.bytes_max()
    }

    /// Number of cases of the first stage that are left for this lane.
    #[cfg(test)]
    pub(crate) fn planned(&self) -> usize {
        self.stage.len()
    }

    /// The next case. `corpus` may change between calls.
    pub(crate) fn next(&mut self, corpus: &[Case]) -> Generated {
        while let Some(item) = self.stage.pop() {
            if let Some(case) = item.case(&self.material) {
                return Generated {
                    case,
                    mutators: vec![item.name()],
                };
            }
        }
        self.mutated(corpus)
    }

    fn mutated(&mut self, corpus: &[Case]) -> Generated {
        let (mut case, answered) = self.base(corpus);
        let from = self.first_to_change(&case);
        let wanted = match self.random.below(10) {
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
        case.limit();
    }
}

fn is_cheap(case: &Case) -> bool {
    let pauses = |step: &Step| matches!(step, Step::DelayMs(_));
    case.bytes() <= CHEAP_BYTES_MAX
        && case.connections() <= CHEAP_CONNECTIONS_MAX
        && !case.steps.iter().any(pauses)
}
