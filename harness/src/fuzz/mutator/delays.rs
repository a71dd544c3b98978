//! Inserts a short delay. Rare, because it costs as much as fifty cases without one.

use super::Mutator;
use super::mutating::Mutating;
use crate::fuzz::Step;

pub(super) const ENTRY: Mutator = Mutator {
    name: "delays",
    weight: 1,
    run,
};

/// Maximum delay in milliseconds.
const MS_MAX: usize = 20;
/// Further reduces the frequency: with the lowest weight alone, delays took a fifth of the time of a campaign.
const ONE_IN: usize = 8;

fn run(mutating: &mut Mutating<'_>) -> bool {
    if !mutating.random.one_in(ONE_IN) {
        return false;
    }
    let at = mutating.pick_gap();
    let ms = mutating.random.size(MS_MAX) as u32;
    mutating.case.steps.insert(at, Step::DelayMs(ms));
    true
}
