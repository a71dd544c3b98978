//! Opens another connection in between.

use super::Mutator;
use super::mutating::Mutating;
use crate::fuzz::Step;

pub(super) const ENTRY: Mutator = Mutator {
    name: "connections",
    weight: 2,
    run,
};

fn run(mutating: &mut Mutating<'_>) -> bool {
    if mutating.case.connections() >= mutating.material.connections_max() {
        return false;
    }
    let at = mutating.pick_gap();
    let Some(seed) = mutating.material.pick_seed(mutating.random) else {
        return false;
    };
    let (before, after) = mutating.case.steps.split_at(at);
    let back = current(before);
    // Connections that are opened later get a higher number.
    let new = 1 + before.iter().filter(|step| **step == Step::Connect).count();
    let mut steps = before.to_vec();
    steps.push(Step::Connect);
    if !mutating.random.one_in(4) {
        // Only up to its first turn: a server that serves one connection at a time would not reply here.
        steps.extend(seed.case.steps.iter().take(seed.step + 1).cloned());
    }
    let returns = !mutating.random.one_in(4);
    if returns {
        steps.push(Step::Switch(back));
    }
    steps.extend(after.iter().cloned().map(|step| match step {
        Step::Switch(to) if usize::from(to) >= new => Step::Switch(to.saturating_add(1)),
        step => step,
    }));
    mutating.case.steps = steps;
    // After a return to the previous connection, later waits still get their replies.
    if !returns {
        mutating.touch(at);
    }
    true
}

/// The current connection after these steps.
fn current(steps: &[Step]) -> u8 {
    let mut opened = 0;
    let mut current = 0;
    for step in steps {
        match step {
            Step::Connect => {
                opened += 1;
                current = opened;
            }
            Step::Switch(to) => current = *to,
            _ => {}
        }
    }
    current
}
