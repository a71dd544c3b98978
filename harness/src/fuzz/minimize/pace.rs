//! Removes delays, cuts and explicit endings that do not matter.

use super::search::Search;
use crate::fuzz::{Case, Step};

/// Removes all of them at once, then by type, then one by one.
pub(super) fn plain(search: &mut Search<'_>) {
    let kinds: [fn(&mut Case); 3] = [without_delays, without_cuts, without_endings];
    let mut candidate = search.best.clone();
    for case in &mut candidate {
        kinds.iter().for_each(|kind| kind(case));
    }
    if search.attempt(candidate) {
        return;
    }
    for kind in kinds {
        let mut candidate = search.best.clone();
        candidate.iter_mut().for_each(kind);
        search.attempt(candidate);
    }
    for case in (0..search.best.len()).rev() {
        for step in (0..search.best[case].steps.len()).rev() {
            one_step(search, case, step);
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
fn one_step(search: &mut Search<'_>, at: usize, step: usize) {
    match search.best[at].steps.get(step).cloned() {
        Some(Step::DelayMs(ms)) => shorter(search, at, step, ms),
        Some(Step::Send(send)) if !send.cuts.is_empty() => {
            let without = move |search: &mut Search<'_>, range: std::ops::Range<usize>| {
                let mut case = search.best[at].clone();
                if let Some(Step::Send(send)) = case.steps.get_mut(step) {
                    send.cuts.drain(range);
                }
                search.attempt_case(at, case)
            };
            let len = move |search: &Search<'_>| match search.best[at].steps.get(step) {
                Some(Step::Send(send)) => send.cuts.len(),
                _ => 0,
            };
            let cuts = send.cuts.len();
            search.drop_chunks(1..cuts, &len, &without);
        }
        _ => {}
    }
}

/// Bisects the shortest delay that still shows the bug.
fn shorter(search: &mut Search<'_>, at: usize, step: usize, ms: u32) {
    let (mut low, mut high) = (0, ms);
    while high - low > 1 && !search.stopped {
        let middle = low + (high - low) / 2;
        let mut case = search.best[at].clone();
        case.steps[step] = Step::DelayMs(middle);
        match search.attempt_case(at, case) {
            true => high = middle,
            false => low = middle,
        }
    }
}
