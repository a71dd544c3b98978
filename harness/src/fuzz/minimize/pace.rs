//! Removes delays, cuts, explicit endings and injections that do not matter.

use super::minimizer::Minimizer;
use crate::fuzz::{Case, Step};

/// Removes all of them at once, then by type, then one by one.
pub(super) fn plain(minimizer: &mut Minimizer<'_>) {
    let kinds: [fn(&mut Case); 3] = [without_delays, without_cuts, without_endings];
    let mut candidate = minimizer.best.clone();
    for case in &mut candidate {
        kinds.iter().for_each(|kind| kind(case));
    }
    if minimizer.attempt(candidate) {
        return;
    }
    for kind in kinds {
        let mut candidate = minimizer.best.clone();
        candidate.iter_mut().for_each(kind);
        minimizer.attempt(candidate);
    }
    for case in (0..minimizer.best.len()).rev() {
        for step in (0..minimizer.best[case].steps.len()).rev() {
            one_step(minimizer, case, step);
        }
    }
}

fn without_delays(case: &mut Case) {
    let is_delay = |step: &Step| matches!(step, Step::DelayMs(_));
    case.steps.retain(|step| !is_delay(step));
}

fn without_cuts(case: &mut Case) {
    case.sends_mut().for_each(|send| send.cuts.clear());
}

fn without_endings(case: &mut Case) {
    let is_ending = |step: &Step| matches!(step, Step::HalfClose | Step::Reset | Step::Close);
    case.steps.retain(|step| !is_ending(step));
}

/// Shortens one delay, or reduces the cuts of one send. Single endings are removed with the steps.
fn one_step(minimizer: &mut Minimizer<'_>, at: usize, step: usize) {
    match minimizer.best[at].steps.get(step).cloned() {
        Some(Step::DelayMs(ms)) => shorter(minimizer, at, step, ms),
        Some(Step::Send(send)) if !send.cuts.is_empty() => {
            let without = move |minimizer: &mut Minimizer<'_>, range: std::ops::Range<usize>| {
                let mut case = minimizer.best[at].clone();
                if let Some(Step::Send(send)) = case.steps.get_mut(step) {
                    send.cuts.drain(range);
                }
                minimizer.attempt_case(at, case)
            };
            let len = move |minimizer: &Minimizer<'_>| match minimizer.best[at].steps.get(step) {
                Some(Step::Send(send)) => send.cuts.len(),
                _ => 0,
            };
            let cuts = send.cuts.len();
            minimizer.drop_chunks(1..cuts, &len, &without);
        }
        Some(Step::Inject(inject)) if inject.times() > 1 => {
            let mut case = minimizer.best[at].clone();
            case.steps[step] = Step::Inject(inject.repeated(1));
            minimizer.attempt_case(at, case);
        }
        _ => {}
    }
}

/// Bisects the shortest delay that still shows the bug.
fn shorter(minimizer: &mut Minimizer<'_>, at: usize, step: usize, ms: u32) {
    let (mut low, mut high) = (0, ms);
    while high - low > 1 && !minimizer.stopped {
        let middle = low + (high - low) / 2;
        let mut case = minimizer.best[at].clone();
        case.steps[step] = Step::DelayMs(middle);
        match minimizer.attempt_case(at, case) {
            true => high = middle,
            false => low = middle,
        }
    }
}
