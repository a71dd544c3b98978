//! A short pause. Rare, since it costs more than a hundred cases without one.

use super::Mutator;
use super::mutating::Mutating;
use crate::fuzz::Step;

pub(super) const ENTRY: Mutator = Mutator {
    name: "delays",
    weight: 1,
    run,
};

/// The longest pause.
const MS_MAX: usize = 20;

fn run(mutating: &mut Mutating<'_>) -> bool {
    let at = mutating.pick_gap();
    let ms = mutating.random.size(MS_MAX) as u32;
    mutating.case.steps.insert(at, Step::DelayMs(ms));
    true
}
