//! Triage: turns a symptom into a finding. Reproduces it, minimizes its cases, confirms them on fresh servers and
//! writes the finding to disk.
//!
//! All of it has a deadline (see `clock`). What is not settled by then is kept and reported as such.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::blame;
use super::candidates::Candidates;
use super::clock::Weight;
use super::confirm::{self, CONFIRMATIONS, Looks};
use super::membership::seen_here;
use super::publish::publish;
use super::state::CampaignState;
use super::suspect::{Suspect, id, identity};
use super::unsettled::{NOT_AGAIN_YET, NOT_CONFIRMED_YET, NOT_REPRODUCED_YET};
use crate::fuzz::fleet::Standing;
use crate::fuzz::minimize::{CandidateOutcome, minimize};
use crate::fuzz::oracle::{Claim, crash};
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::fuzz::target::FuzzTarget;
use crate::fuzz::{Case, Confirmed, Finding};

/// Maximum time to minimize one finding.
const MINIMIZING: Duration = Duration::from_secs(20);
/// Share of the time of a finding that minimizing it may take, in percent; the rest is for confirming it.
const MINIMIZING_PERCENT: u32 = 60;
/// The same share where servers have to be asked one after the other, or each of them is waited for.
const MINIMIZING_TIMED_PERCENT: u32 = 30;

/// Settles a suspect, if there is time for that now.
pub(super) fn suspect(
    state: &CampaignState<'_>,
    target: &FuzzTarget,
    runtime: &Runtime,
    suspect: Suspect,
) {
    match state.clock.claim(Weight::of(suspect.kind())) {
        Some(claim) => settle(
            state,
            &target.until(claim.deadline.clone()),
            runtime,
            suspect,
        ),
        None => postpone(state, suspect),
    }
}

/// Settles a suspect before the deadline of the target.
pub(super) fn settle(
    state: &CampaignState<'_>,
    target: &FuzzTarget,
    runtime: &Runtime,
    suspect: Suspect,
) {
    if !is_ours(state, &suspect) {
        return;
    }
    state.busy(Some(format!(
        "looking for the case: {}",
        suspect.symptom.title
    )));
    let found = match target.is_fresh() {
        true if suspect.blamed => Some((suspect.cases.clone(), suspect.symptom.clone())),
        true => blame::find(target, runtime, &suspect),
        false => None,
    };
    match found {
        Some((cases, symptom)) => {
            let known = suspect.identity();
            let triage = Triage::of(&suspect, symptom);
            // A fresh server may show a bug that is already known.
            let other = identity(&triage.symptom, triage.turn.as_deref());
            if other != known {
                state.withdraw(&suspect.id());
                state.forget(&suspect);
            }
            let is_ours = || is_ours(state, &triage.shown(&suspect, &cases));
            if other == known || state.is_first(&other) && is_ours() {
                triage.finish(state, target, runtime, cases);
            }
        }
        None if target.is_fresh() && target.deadline.is_over() => postpone(state, suspect),
        None => not_reproduced(state, target.is_fresh(), &suspect),
    }
    state.busy(None);
}

/// Whether this campaign settles a suspect. If another member of its fleet does or did, the finding is reported as that one's.
fn is_ours(state: &CampaignState<'_>, suspect: &Suspect) -> bool {
    let Some(membership) = &state.membership else {
        return true;
    };
    match membership.claim(suspect) {
        Ok(Standing::Ours) => return true,
        Ok(Standing::Settled(finding)) => {
            publish(state, seen_here(*finding, suspect.first_seen));
        }
        Ok(Standing::Theirs(member)) => {
            let left = format!("the member {member} of the fleet settles it");
            publish(state, unsettled(suspect, &left));
        }
        Ok(Standing::Tried) => state.note(&format!(
            "seen again, but members of the fleet could not show it again: {}",
            suspect.symptom.title
        )),
        // Settling it twice is better than not at all.
        Err(error) => {
            state.fleet_trouble(&error.to_string());
            return true;
        }
    }
    false
}

/// How long before the end of a campaign its server may have been asked to end as well.
const ENDS_WITH_IT: Duration = Duration::from_secs(2);

/// Keeps a suspect that there is no time for.
fn postpone(state: &CampaignState<'_>, suspect: Suspect) {
    let ago = state
        .clock
        .begun
        .elapsed()
        .saturating_sub(suspect.first_seen);
    let is_interrupted = state.campaign.interrupt.is_set() && ago < ENDS_WITH_IT;
    if is_interrupted && crash::may_be_asked_for(&suspect.symptom) {
        return state.note(&format!(
            "when the campaign was interrupted: {}",
            suspect.symptom.title
        ));
    }
    publish(state, unsettled(&suspect, NOT_REPRODUCED_YET));
    state.later(suspect);
}

/// The finding that a suspect may become, and what is left to do.
fn unsettled(suspect: &Suspect, what: &str) -> Finding {
    let triage = Triage::of(suspect, suspect.symptom.clone());
    Finding {
        unsettled: Some(what.into()),
        ..triage.finding(&suspect.cases, Confirmed::default(), false)
    }
}

/// Handles a symptom that did not recur. A server that ended is a fact, however rarely it happens, and is kept
/// with all cases of its epoch. Anything else becomes a note: workers may end for reasons of their own.
fn not_reproduced(state: &CampaignState<'_>, was_repeated: bool, suspect: &Suspect) {
    let confirmed = Confirmed {
        seen: 0,
        of: if was_repeated { CONFIRMATIONS } else { 0 },
    };
    if !crash::is_of_main_process(&suspect.symptom) {
        state.note(&format!(
            "seen once, but not again when the same cases were repeated: {}: {}",
            suspect.kind().name(),
            suspect.symptom.title
        ));
        if was_repeated {
            state.withdraw(&suspect.id());
            return state.forget(suspect);
        }
    }
    let triage = Triage::of(suspect, suspect.symptom.clone());
    publish(state, triage.finding(&suspect.cases, confirmed, false));
    if was_repeated {
        state.forget(suspect);
    }
}

/// A symptom on its way to a finding.
pub(super) struct Triage {
    pub(super) claim: Claim,
    symptom: Symptom,
    turn: Option<String>,
    first_seen: Duration,
}

impl Triage {
    /// The symptom of a suspect, as a fresh server showed it.
    fn of(suspect: &Suspect, symptom: Symptom) -> Self {
        let claim = match suspect.blamed {
            true => suspect.claim.clone(),
            false => Claim::of(&symptom),
        };
        Self {
            turn: suspect.turn.clone().filter(|_| claim.kind.is_of_a_turn()),
            claim,
            symptom,
            first_seen: suspect.first_seen,
        }
    }

    /// What a fresh server has shown instead of the symptom of the suspect.
    fn shown(&self, suspect: &Suspect, cases: &[Case]) -> Suspect {
        Suspect {
            claim: self.claim.clone(),
            symptom: self.symptom.clone(),
            good: 0,
            cases: cases.to_vec(),
            blamed: true,
            turn: self.turn.clone(),
            first_seen: suspect.first_seen,
        }
    }

    /// A finding that was published before.
    pub(super) fn resumed(finding: &Finding) -> Self {
        Self {
            claim: Claim::of(&finding.symptom),
            symptom: finding.symptom.clone(),
            turn: finding.turn.clone(),
            first_seen: Duration::from_secs_f64(finding.first_seen_s),
        }
    }

    /// Publishes the finding at once, then minimizes and confirms it and publishes the result.
    pub(super) fn finish(
        self,
        state: &CampaignState<'_>,
        target: &FuzzTarget,
        runtime: &Runtime,
        cases: Vec<Case>,
    ) {
        let unsettled = |finding| Finding {
            unsettled: Some(NOT_CONFIRMED_YET.into()),
            ..finding
        };
        let seen_once = Confirmed { seen: 1, of: 1 };
        publish(state, unsettled(self.finding(&cases, seen_once, false)));
        state.busy(Some(format!("minimizing: {}", self.symptom.title)));
        let (smaller, complete) = self.minimized(state, target, runtime, cases.clone());
        state.busy(Some(format!("confirming: {}", self.symptom.title)));
        let mut looks = confirm::fresh(&self.claim, target, runtime, &smaller);
        if looks.seen.of < CONFIRMATIONS {
            // Whatever was seen so far counts: the minimizer has seen it too.
            publish(
                state,
                unsettled(self.finding(&smaller, seen_once, complete)),
            );
            return state.later(self.suspect(smaller));
        }
        let mut kept = (smaller, complete);
        // The minimized cases may show another bug, or show it less often. One server more or less is chance.
        if looks.seen.seen + 1 < looks.seen.of && kept.0 != cases {
            let whole = confirm::fresh(&self.claim, target, runtime, &cases);
            let more = whole.seen.seen.saturating_sub(looks.seen.seen);
            if whole.seen.of == CONFIRMATIONS && (more > 1 || more == 1 && looks.seen.seen == 0) {
                (looks, kept) = (whole, (cases, false));
            }
        }
        self.confirmed(state, looks, &kept.0, kept.1);
    }

    /// Publishes the finding as these looks confirmed it.
    fn confirmed(
        mut self,
        state: &CampaignState<'_>,
        mut looks: Looks,
        cases: &[Case],
        complete: bool,
    ) {
        // Measured symptoms count only if they recur every time.
        if !looks.seen.is_every() && self.claim.kind.is_measured() {
            let seen = looks.seen;
            state.note(&format!(
                "shown by {seen} fresh servers, so it does not count: {}",
                self.symptom.title
            ));
            looks.seen.seen = 0;
        }
        state.clock.keep(looks.each * confirm::AGAIN);
        // Report what the final cases do, not what led to them.
        let same = |shown: &Symptom| shown.kind == self.symptom.kind;
        if self.claim.wrong_reply.is_none()
            && let Some(shown) = looks.shown.filter(same)
        {
            (self.symptom.title, self.symptom.evidence) = (shown.title, shown.evidence);
        }
        let unsettled = (looks.seen.seen > 0).then(|| NOT_AGAIN_YET.to_owned());
        let finding = self.finding(cases, looks.seen, complete);
        publish(
            state,
            Finding {
                unsettled,
                ..finding
            },
        );
        if looks.seen.seen == 0 {
            state.forget(&self.suspect(cases.to_vec()));
        }
    }

    fn suspect(self, cases: Vec<Case>) -> Suspect {
        Suspect {
            claim: self.claim,
            symptom: self.symptom,
            good: 0,
            cases,
            blamed: true,
            turn: self.turn,
            first_seen: self.first_seen,
        }
    }

    /// The smallest cases that still show the bug, and whether minimization completed.
    fn minimized(
        &self,
        state: &CampaignState<'_>,
        target: &FuzzTarget,
        runtime: &Runtime,
        cases: Vec<Case>,
    ) -> (Vec<Case>, bool) {
        // A probe is a single turn of the talk: there is nothing to minimize.
        if self.claim.wrong_reply.is_some() {
            return (cases, true);
        }
        let is_slow = confirm::is_timed(&self.claim) || self.claim.kind == FindingKind::Hang;
        let percent = if is_slow {
            MINIMIZING_TIMED_PERCENT
        } else {
            MINIMIZING_PERCENT
        };
        let left = target.deadline.left(MINIMIZING * 100 / percent);
        let time = left * percent / 100;
        let hasty = target.hasty().until(target.deadline.or_after(time));
        let hasty = hasty.filtered_for(&cases);
        let mut candidates = Candidates::new(&self.claim, &self.symptom, &hasty, runtime);
        let frame = &target.talk().request;
        let minimized = minimize(cases, frame, &mut |candidate| match state
            .campaign
            .interrupt
            .is_set()
        {
            true => CandidateOutcome::Stop,
            false => candidates.outcome(candidate),
        });
        (minimized.cases, minimized.complete)
    }

    fn finding(&self, cases: &[Case], confirmed: Confirmed, minimal: bool) -> Finding {
        Finding {
            id: id(&self.claim, &identity(&self.symptom, self.turn.as_deref())),
            symptom: Symptom {
                kind: self.claim.kind,
                ..self.symptom.clone()
            },
            confirmed,
            again: Confirmed::default(),
            rate: None,
            unsettled: None,
            found_by: None,
            turn: self.turn.clone(),
            steps: cases.iter().map(|case| case.steps.len()).sum(),
            bytes: cases.iter().map(Case::bytes).sum(),
            reproducer: None,
            reproduce: String::new(),
            first_seen_s: self.first_seen.as_secs_f64(),
            minimal,
            waived: None,
            cases: cases.to_vec(),
        }
    }
}
