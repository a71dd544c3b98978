//! The end of a campaign: every finding is confirmed once more, and what was not settled is settled if that was asked for.

use tokio::runtime::Runtime;

use super::confirm;
use super::news::hear;
use super::place::Waiting;
use super::publish::publish;
use super::state::CampaignState;
use super::suspect::Suspect;
use super::triage::{self, Triage};
use super::unsettled::NOT_AGAIN_YET;
use crate::fuzz::Finding;
use crate::fuzz::deadline::Deadline;
use crate::fuzz::oracle::{Claim, Rigour, shows};
use crate::fuzz::target::FuzzTarget;
use crate::subject::runtime;

/// Uses the time that was kept: confirms the findings again, and settles what is left of them.
pub(super) fn in_time(state: &CampaignState<'_>, target: &FuzzTarget) {
    hear(state);
    if !target.is_fresh() {
        return;
    }
    let runtime = runtime();
    let target = target.until(state.clock.end());
    confirm_again(state, &target, &runtime);
    while state.clock.is_worth_it()
        && let Some(suspect) = state.postponed()
    {
        triage::settle(state, &target, &runtime, suspect);
        confirm_again(state, &target, &runtime);
    }
}

/// Ends the campaign; with `--settle`, and without a duration, takes the time that settling needs.
pub(super) fn finish(state: &CampaignState<'_>, target: &FuzzTarget) {
    if !target.is_fresh() {
        return;
    }
    let runtime = runtime();
    let plan = &state.campaign.plan;
    if plan.settle || plan.duration.is_none() {
        let interrupt = state.campaign.interrupt.clone();
        let open = target.until(Deadline::at(None, interrupt));
        settle_all(state, &open, &runtime);
        confirm_again(state, &open, &runtime);
    }
    for waiting in state.waiting() {
        state.note(&told(&waiting));
    }
}

/// Confirms the findings once more, with nothing else going on.
fn confirm_again(state: &CampaignState<'_>, target: &FuzzTarget, runtime: &Runtime) {
    let open = |finding: &Finding| finding.unsettled.as_deref() == Some(NOT_AGAIN_YET);
    for mut finding in state.findings().into_iter().filter(open) {
        if target.deadline.is_over() {
            return;
        }
        state.busy(Some(format!("confirming {} again", finding.id)));
        let claim = Claim::of(&finding.symptom);
        let looks = confirm::again(&claim, target, runtime, &finding.cases);
        finding.again = looks.seen;
        if looks.seen.of == confirm::AGAIN {
            finding.unsettled = None;
        }
        if looks.seen.seen < looks.seen.of && claim.kind.is_measured() {
            state.note(&format!(
                "shown by {} fresh servers at the end of the run, so it does not count: {}",
                looks.seen, finding.symptom.title
            ));
            (finding.confirmed.seen, finding.again.seen) = (0, 0);
        }
        publish(state, finding);
        state.busy(None);
    }
}

/// Settles what there was no time for.
fn settle_all(state: &CampaignState<'_>, target: &FuzzTarget, runtime: &Runtime) {
    while let Some(suspect) = state.postponed() {
        if target.deadline.is_over() {
            return;
        }
        triage::settle(state, target, runtime, suspect);
    }
    for finding in state.findings() {
        // Tests that take seconds each would take minutes here: these findings stay as they are.
        let timed = confirm::is_timed(&Claim::of(&finding.symptom));
        let is_open = !finding.minimal && finding.confirmed.seen > 0 && finding.found_by.is_none();
        if is_open && !timed && !target.deadline.is_over() {
            state.busy(Some(format!("minimizing {}", finding.id)));
            Triage::resumed(&finding).finish(state, target, runtime, finding.cases);
            state.busy(None);
        }
    }
    for waiting in state.waiting() {
        follow(state, target, runtime, waiting);
    }
}

/// Follows a hint that waited for another finding of its kind at the same turn. A symptom of that finding is none of its own.
fn follow(state: &CampaignState<'_>, target: &FuzzTarget, runtime: &Runtime, waiting: Waiting) {
    let claim = Claim::from(waiting.kind);
    let cases = vec![waiting.case];
    if let Some(symptom) = shows(target, runtime, &claim, &cases, Rigour::Full) {
        let suspect = Suspect {
            turn: Some(waiting.turn),
            first_seen: state.clock.begun.elapsed(),
            ..Suspect::of(symptom, cases, 0)
        };
        if state.is_first(&suspect.identity()) {
            triage::settle(state, target, runtime, suspect);
        }
    }
}

fn told(waiting: &Waiting) -> String {
    let hints = match waiting.count {
        1 => "1 more hint".to_owned(),
        count => format!("{count} more hints"),
    };
    format!(
        "{hints} at {} in {} waited, since one is settled per turn; `--settle` follows one of them",
        waiting.kind.name(),
        waiting.turn
    )
}
