//! Inserts, appends, removes, repeats, swaps, merges and splits turns, and takes turns from other cases.

use super::Mutator;
use super::mutating::Mutating;
use crate::fuzz::{SendStep, Step};

pub(super) const ENTRY: Mutator = Mutator {
    name: "turns",
    weight: 12,
    run,
};

/// Maximum steps of a case to which turns are added.
const STEPS_MAX: usize = 48;

fn run(mutating: &mut Mutating<'_>) -> bool {
    match mutating.random.below(10) {
        0..=2 => append(mutating),
        3 => insert(mutating),
        4 => splice(mutating),
        5 => again(mutating),
        6 => swap(mutating),
        7 => merge(mutating),
        8 => split(mutating),
        _ => remove(mutating),
    }
}

/// Appends a turn, after a wait for the previous reply if one is certain to come.
fn append(mutating: &mut Mutating<'_>) -> bool {
    if !mutating.material.carries_many_turns() || mutating.case.steps.len() >= STEPS_MAX {
        return false;
    }
    let ends = |step: &Step| matches!(step, Step::HalfClose | Step::Reset | Step::Close);
    if mutating.case.steps.last().is_some_and(ends) {
        return false;
    }
    let Some(step) = turn_of_a_donor(mutating) else {
        return false;
    };
    let untouched = mutating.touched >= mutating.case.steps.len();
    let follows = matches!(mutating.case.steps.last(), Some(Step::Send(_)));
    if untouched && follows && (mutating.answered || mutating.random.one_in(8)) {
        mutating.case.steps.push(Step::Receive);
    }
    mutating.touch(mutating.case.steps.len());
    mutating.case.steps.push(step);
    true
}

fn turn_of_a_donor(mutating: &mut Mutating<'_>) -> Option<Step> {
    let donor = mutating.donor()?;
    let mut sends = donor.steps.iter().rev();
    sends.find(|step| matches!(step, Step::Send(_))).cloned()
}

fn insert(mutating: &mut Mutating<'_>) -> bool {
    if mutating.case.steps.len() >= STEPS_MAX {
        return false;
    }
    let at = mutating.pick_gap();
    let Some(step) = turn_of_a_donor(mutating) else {
        return false;
    };
    mutating.case.steps.insert(at, step);
    mutating.touch(at);
    true
}

/// Joins the beginning of this case and the end of another one.
fn splice(mutating: &mut Mutating<'_>) -> bool {
    let at = mutating.pick_gap();
    let from = mutating.random.below(8);
    let Some(donor) = mutating.donor() else {
        return false;
    };
    let from = from % donor.steps.len().max(1);
    let end: Vec<Step> = donor
        .steps
        .iter()
        .skip(from)
        .take(STEPS_MAX)
        .cloned()
        .collect();
    let changed = mutating.case.steps[at..] != end[..];
    mutating.case.steps.truncate(at);
    mutating.case.steps.extend(end);
    mutating.touch(at);
    changed && mutating.case.sends().next().is_some()
}

/// Repeats a turn.
fn again(mutating: &mut Mutating<'_>) -> bool {
    let Some(at) = mutating.pick_send() else {
        return false;
    };
    let step = mutating.case.steps[at].clone();
    let len = mutating.send_at(at).map_or(0, |send| send.data.len());
    let times = mutating.random.size(16);
    if len > 1024 || mutating.case.steps.len() + times > STEPS_MAX {
        return false;
    }
    let copies = std::iter::repeat_n(step, times);
    mutating.case.steps.splice(at..at, copies);
    mutating.touch(at);
    true
}

fn swap(mutating: &mut Mutating<'_>) -> bool {
    let (Some(one), Some(other)) = (mutating.pick_send(), mutating.pick_send()) else {
        return false;
    };
    if mutating.case.steps[one] == mutating.case.steps[other] {
        return false;
    }
    mutating.case.steps.swap(one, other);
    mutating.touch(one.min(other));
    true
}

/// Merges two turns into one send, so that the second arrives before the first is answered.
fn merge(mutating: &mut Mutating<'_>) -> bool {
    let Some(at) = mutating.pick_send() else {
        return false;
    };
    let after = &mutating.case.steps[at + 1..];
    let next = after.iter().position(|step| *step != Step::Receive);
    let Some(next) = next.map(|place| at + 1 + place) else {
        return false;
    };
    let Step::Send(second) = mutating.case.steps[next].clone() else {
        return false;
    };
    let Some(first) = mutating.send_at(at) else {
        return false;
    };
    let parts = second.data.parts().iter().cloned();
    parts.for_each(|part| first.data.push(part));
    mutating.case.steps.drain(at + 1..=next);
    mutating.touch(at);
    true
}

/// Splits a message into two sends.
fn split(mutating: &mut Mutating<'_>) -> bool {
    let Some(at) = mutating.pick_send() else {
        return false;
    };
    let Some(send) = mutating.send_at(at) else {
        return false;
    };
    let len = send.data.len();
    if !(2..=4096).contains(&len) {
        return false;
    }
    let bytes = send.data.to_bytes();
    let middle = mutating.random.between(1, len - 1);
    let halves = [&bytes[..middle], &bytes[middle..]];
    let halves = halves.map(|half| Step::Send(SendStep::whole(half)));
    mutating.case.steps.splice(at..=at, halves);
    mutating.touch(at);
    true
}

/// Removes a step, unless it is the only send.
fn remove(mutating: &mut Mutating<'_>) -> bool {
    let steps = &mutating.case.steps;
    if steps.len() <= mutating.from {
        return false;
    }
    let at = mutating.random.between(mutating.from, steps.len() - 1);
    let removed = mutating.case.steps.remove(at);
    if mutating.case.sends().next().is_none() {
        mutating.case.steps.insert(at, removed);
        return false;
    }
    mutating.touch(at);
    true
}
