//! A battery whose checks ran in several parts.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Incomplete, Kind, MergeError, PartReport};
use crate::check::{self, FailureKind, Outcome, PlannedWaiver, Selection, Verdict, blockers};
use crate::data::Actions;
use crate::report::{Body, CheckReport};

/// Batteries.
pub(super) const KIND: Kind = Kind {
    command: "check",
    name: "battery",
    how: "`tcprove check --shard I/N --json FILE`",
    number: "/selection/shard",
    incomplete: Incomplete::Refused,
    whole,
};

/// The outcome of a check, as the JSON of a report has it.
#[derive(Deserialize)]
struct StoredOutcome {
    id: String,
    outcome: Verdict,
    kind: Option<FailureKind>,
    expected: Option<String>,
    actual: Option<String>,
    reason: Option<String>,
    #[serde(default)]
    enable: Vec<String>,
    evidence: Map<String, Value>,
    #[serde(default)]
    transcript: Actions,
    stimulus_proof: Option<String>,
    attempts: u32,
    control: Option<String>,
    waived: Option<String>,
    duration_ms: u64,
    reproduce: String,
    by_hand: String,
    next: Option<String>,
}

/// What of the plan decides what prevents a pass.
#[derive(Deserialize)]
struct StoredPlan {
    selection: StoredSelection,
    waivers: Vec<PlannedWaiver>,
}

#[derive(Deserialize)]
struct StoredSelection {
    only: Vec<String>,
    skip: Vec<String>,
    require: Vec<String>,
}

/// The battery of which these are the parts. Waivers and required checks are judged on the union, as in a run of the whole.
///
/// # Errors
/// A check is in two parts, or an outcome is not one of this version.
fn whole(parts: &[PartReport], _missing: &[usize]) -> Result<Body, MergeError> {
    let mut outcomes: Vec<(usize, Outcome, &PartReport)> = Vec::new();
    for part in parts {
        for stored in part.json["outcomes"].as_array().into_iter().flatten() {
            let outcome = outcome(stored).map_err(|why| part.unfit(why))?;
            let place = check::all().position(|check| check.id == outcome.id);
            outcomes.push((place.unwrap_or(usize::MAX), outcome, part));
        }
    }
    outcomes.sort_by_key(|(place, ..)| *place);
    let twice = outcomes.windows(2).find(|pair| pair[0].0 == pair[1].0);
    if let Some([(_, outcome, one), (_, _, other)]) = twice {
        return Err(MergeError::Apart(format!(
            "{} ran in two parts, {} and {}: were they divided by different --durations?",
            outcome.id,
            one.name(),
            other.name()
        )));
    }
    let outcomes: Vec<_> = outcomes
        .into_iter()
        .map(|(_, outcome, _)| outcome)
        .collect();
    let blockers = what_prevents(&parts[0], &outcomes)?;
    Ok(Body::Check(CheckReport::new(outcomes, blockers, None)))
}

/// What prevents a pass of the whole.
fn what_prevents(part: &PartReport, outcomes: &[Outcome]) -> Result<Vec<String>, MergeError> {
    let plan = StoredPlan::deserialize(&part.head.plan)
        .map_err(|error| part.unfit(format!("its plan is not that of a battery: {error}")))?;
    let selection = Selection {
        only: plan.selection.only,
        skip: plan.selection.skip,
        require: plan.selection.require,
        ..Selection::default()
    };
    let waivers: Vec<_> = plan
        .waivers
        .into_iter()
        .map(PlannedWaiver::waiver)
        .collect();
    Ok(blockers::of(outcomes, &waivers, &selection))
}

/// The outcomes in the JSON of a report, without those that this version cannot read: checks that it does not have.
pub(crate) fn stored_outcomes(json: &Value) -> Vec<Outcome> {
    let stored = json["outcomes"].as_array().into_iter().flatten();
    stored.filter_map(|stored| outcome(stored).ok()).collect()
}

fn outcome(stored: &Value) -> Result<Outcome, String> {
    let stored = StoredOutcome::deserialize(stored)
        .map_err(|error| format!("an outcome in it cannot be read: {error}"))?;
    let Some(check) = check::all().find(|check| check.id == stored.id) else {
        return Err(format!(
            "it has a check `{}`, which is not known",
            stored.id
        ));
    };
    let enable = stored.enable.iter().map(|text| {
        check
            .enabling(text)
            .ok_or_else(|| format!("`{text}` does not enable the check `{}`", check.id))
    });
    Ok(Outcome {
        id: check.id,
        group: check.group,
        outcome: stored.outcome,
        kind: stored.kind,
        requirement: check.requirement,
        expected: stored.expected,
        actual: stored.actual,
        reason: stored.reason,
        enable: enable.collect::<Result<_, _>>()?,
        evidence: stored.evidence,
        transcript: stored.transcript,
        stimulus_proof: stored.stimulus_proof,
        attempts: stored.attempts,
        control: stored.control,
        waived: stored.waived,
        duration: Duration::from_millis(stored.duration_ms),
        ran: Vec::new(),
        reproduce: stored.reproduce,
        by_hand: stored.by_hand,
        next: stored.next,
        // Inferred from all outcomes together.
        cause: None,
    })
}
