//! Changes how and when a connection ends: with FIN, RST or close; after a message or within one.

use super::Mutator;
use super::mutating::Mutating;
use crate::fuzz::Step;

pub(super) const ENTRY: Mutator = Mutator {
    name: "closing",
    weight: 7,
    run,
};

fn run(mutating: &mut Mutating<'_>) -> bool {
    let Some(at) = mutating.pick_send() else {
        return false;
    };
    let before = mutating.case.steps.len();
    // Nothing sent on a closed connection arrives.
    mutating.case.steps.truncate(at + 1);
    let mut changed = mutating.case.steps.len() < before;
    if mutating.random.one_in(2) {
        changed |= cut_off(mutating, at);
    }
    let end = match mutating.random.below(5) {
        0 => Some(Step::HalfClose),
        1 => Some(Step::Close),
        2 | 3 => Some(Step::Reset),
        _ => None,
    };
    let waits = end == Some(Step::Reset) && mutating.random.one_in(16);
    changed |= end.is_some();
    if waits {
        // A reset immediately after the bytes may make the kernel drop them before they are read.
        mutating.case.steps.push(Step::DelayMs(1));
    }
    mutating.case.steps.extend(end);
    mutating.touch(at + 1);
    changed
}

fn cut_off(mutating: &mut Mutating<'_>, at: usize) -> bool {
    let Some(len) = mutating.send_at(at).map(|send| send.data.len()) else {
        return false;
    };
    if len < 2 {
        return false;
    }
    let keep = mutating.random.between(1, len - 1);
    if let Some(send) = mutating.send_at(at) {
        send.data.truncate(keep);
    }
    mutating.touch(at);
    true
}
