//! Sends messages of the protocol that the talk does not contain: among its turns, or on another connection after another
//! beginning of the session.

use super::mutating::Mutating;
use super::{Mutator, values};
use crate::fuzz::{SendStep, Step};

pub(super) const ENTRY: Mutator = Mutator {
    name: "messages",
    weight: 6,
    run,
};

/// Maximum steps of a case to which messages are added.
const STEPS_MAX: usize = 32;

/// Maximum messages that are added.
const MESSAGES_MAX: usize = 4;

fn run(mutating: &mut Mutating<'_>) -> bool {
    if mutating.case.steps.len() + MESSAGES_MAX + 2 > STEPS_MAX {
        return false;
    }
    let dictionary = &mutating.material.dictionary;
    let mut steps = Vec::new();
    let may_connect = mutating.case.connections() < mutating.material.connections_max();
    let opening = mutating.random.pick(&dictionary.openings);
    let at = match opening.filter(|_| may_connect && mutating.random.one_in(2)) {
        Some(opening) => {
            steps.push(Step::Connect);
            steps.push(Step::Send(SendStep::whole(opening.clone())));
            mutating.case.steps.len()
        }
        None => mutating.pick_gap(),
    };
    for _ in 0..mutating.random.size(MESSAGES_MAX) {
        let Some(mut message) = mutating.random.pick(&dictionary.messages).cloned() else {
            return false;
        };
        if mutating.random.one_in(2) {
            values::replace(&mut message, mutating.random, mutating.material);
        }
        if !message.is_empty() {
            steps.push(Step::Send(SendStep::whole(message)));
        }
    }
    if steps.is_empty() {
        return false;
    }
    mutating.case.steps.splice(at..at, steps);
    mutating.touch(at);
    true
}
