//! Triage: turns a symptom into a finding. Reproduces it, minimizes its cases, confirms them on fresh servers and
//! writes the finding to disk.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::blame;
use super::state::CampaignState;
use super::suspect::Suspect;
use crate::data::hash::fnv1a;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::minimize::{CandidateOutcome, minimize};
use crate::fuzz::oracle::conformance::Breach;
use crate::fuzz::oracle::{Claim, Rigour, crash, shows, shows_on};
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::fuzz::target::FuzzTarget;
use crate::fuzz::{Case, Confirmed, Finding, reproducer};
use crate::subject::{Waiver, runtime};

/// Number of fresh servers on which a finding is confirmed.
const CONFIRMATIONS: u32 = 5;
/// Maximum time to minimize one finding during the campaign, and again after it.
const MINIMIZING: Duration = Duration::from_secs(20);
/// Maximum servers that the minimization of one finding may start.
const RESTARTS_MAX: u32 = 300;
/// Maximum candidates on one server before the minimizer replaces it.
const CANDIDATES_PER_EPOCH: u32 = 50;

/// Handles a symptom that the campaign met.
pub(super) fn suspect(
    state: &CampaignState<'_>,
    target: &FuzzTarget,
    runtime: &Runtime,
    suspect: Suspect,
) {
    let first_seen = state.begun.elapsed();
    state.busy(Some(format!(
        "looking for the case: {}",
        suspect.symptom.title
    )));
    let found = match target.is_fresh() {
        true => blame::find(target, runtime, &suspect),
        false => None,
    };
    match found {
        Some((cases, symptom)) => {
            // A fresh server may show a bug that is already known.
            let known = symptom.key != suspect.symptom.key && !state.is_first(&symptom.key);
            if !known {
                let triage = Triage {
                    claim: Claim::from(symptom.kind),
                    symptom,
                    first_seen,
                };
                triage.finish(state, target, runtime, cases);
            }
        }
        None => not_reproduced(state, target.is_fresh(), suspect, first_seen),
    }
    state.busy(None);
}

/// Handles a breach that a conformance probe showed.
pub(super) fn breach(
    state: &CampaignState<'_>,
    target: &FuzzTarget,
    runtime: &Runtime,
    breach: Breach,
) {
    let triage = Triage {
        claim: breach.claim,
        symptom: breach.symptom,
        first_seen: state.begun.elapsed(),
    };
    let cases = vec![breach.case];
    let (confirmed, _) = triage.confirm(target, runtime, &cases);
    // A probe is a single turn of the talk: there is nothing to minimize.
    let finding = triage.finding(&cases, confirmed, true);
    publish(state, finding);
}

/// Continues the minimizations that the campaign had no time for.
pub(super) fn finish_all(state: &CampaignState<'_>, target: &FuzzTarget) {
    for finding in state.unfinished() {
        if !state.campaign.interrupt.is_set() {
            resume(state, target, finding);
        }
    }
}

fn resume(state: &CampaignState<'_>, target: &FuzzTarget, finding: Finding) {
    let triage = Triage {
        claim: Claim::from(finding.symptom.kind),
        symptom: finding.symptom,
        first_seen: Duration::from_secs_f64(finding.first_seen_s),
    };
    // Tests that take seconds each would take minutes here: these findings stay as they are.
    if finding.confirmed.seen == 0 || triage.is_timed() {
        return;
    }
    state.busy(Some(format!("minimizing {}", finding.id)));
    triage.finish(state, target, &runtime(), finding.cases);
    state.busy(None);
}

/// Handles a symptom that did not recur. A server that ended is a fact, however rarely it happens, and is kept
/// with all cases of its epoch. Anything else becomes a note: workers may end for reasons of their own.
fn not_reproduced(
    state: &CampaignState<'_>,
    was_repeated: bool,
    suspect: Suspect,
    first_seen: Duration,
) {
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
            return state.forget(&suspect.symptom.key);
        }
    }
    let triage = Triage {
        claim: Claim::from(suspect.kind()),
        symptom: suspect.symptom,
        first_seen,
    };
    let finding = triage.finding(&suspect.cases, confirmed, false);
    publish(state, finding);
}

fn publish(state: &CampaignState<'_>, mut finding: Finding) {
    let campaign = state.campaign;
    finding.waived = waived(&campaign.waivers, &finding);
    let folder = campaign.plan.findings();
    match reproducer::write(&folder, &finding, &campaign.recipe) {
        Ok(place) => {
            finding.reproduce = campaign.recipe.replay_command(&place);
            finding.reproducer = Some(place);
        }
        Err(error) => state.note(&format!(
            "{} cannot be written to {}: {error}",
            finding.id,
            folder.display()
        )),
    }
    state.found(finding);
}

/// The reason of the waiver that covers the finding.
fn waived(waivers: &[Waiver], finding: &Finding) -> Option<String> {
    let covers = |waiver: &&Waiver| {
        let pattern = waiver.finding.as_ref();
        pattern.is_some_and(|pattern| glob_match::glob_match(pattern, &finding.id))
    };
    let waiver = waivers.iter().find(covers)?;
    Some(waiver.reason.clone())
}

/// A symptom on its way to a finding.
struct Triage {
    claim: Claim,
    symptom: Symptom,
    first_seen: Duration,
}

impl Triage {
    /// Publishes the finding at once, then minimizes and confirms it and publishes the result.
    fn finish(
        mut self,
        state: &CampaignState<'_>,
        target: &FuzzTarget,
        runtime: &Runtime,
        cases: Vec<Case>,
    ) {
        let seen_once = Confirmed { seen: 1, of: 1 };
        publish(state, self.finding(&cases, seen_once, false));
        state.busy(Some(format!("minimizing: {}", self.symptom.title)));
        let (smaller, complete) = self.minimized(state, target, runtime, cases.clone());
        state.busy(Some(format!("confirming: {}", self.symptom.title)));
        let (mut confirmed, mut shown) = self.confirm(target, runtime, &smaller);
        let mut kept = (smaller, complete);
        // The minimized cases may show another bug, or show it less often.
        if confirmed.seen < confirmed.of {
            let whole = self.confirm(target, runtime, &cases);
            if whole.0.seen > confirmed.seen {
                ((confirmed, shown), kept) = (whole, (cases, false));
            }
        }
        // Measured symptoms count only if they recur every time.
        if confirmed.seen < confirmed.of && self.is_measured() {
            state.note(&format!(
                "shown by {confirmed} fresh servers, so it does not count: {}",
                self.symptom.title
            ));
            confirmed.seen = 0;
        }
        // Report what the final cases do, not what led to them.
        if let Some(shown) = shown.filter(|shown| shown.kind == self.symptom.kind) {
            (self.symptom.title, self.symptom.evidence) = (shown.title, shown.evidence);
        }
        publish(state, self.finding(&kept.0, confirmed, kept.1));
    }

    fn is_measured(&self) -> bool {
        matches!(
            self.claim.kind,
            FindingKind::Leak
                | FindingKind::Starvation
                | FindingKind::Complexity
                | FindingKind::Divergence
        )
    }

    /// Runs the cases on fresh servers, each with a folder of its own. Returns how many showed the bug, and what
    /// the first of them showed.
    fn confirm(
        &self,
        target: &FuzzTarget,
        runtime: &Runtime,
        cases: &[Case],
    ) -> (Confirmed, Option<Symptom>) {
        let seen: Vec<Symptom> = match self.is_timed() {
            true => (0..CONFIRMATIONS)
                // A time measurement may be disturbed by other processes: it is repeated once.
                .filter_map(|_| {
                    self.seen(target, runtime, cases)
                        .or_else(|| self.seen(target, runtime, cases))
                })
                .collect(),
            // Most of the time is waiting, so these run in parallel.
            false => std::thread::scope(|scope| {
                let look = || self.seen(target, &crate::subject::runtime(), cases);
                let looks: Vec<_> = (0..CONFIRMATIONS).map(|_| scope.spawn(look)).collect();
                let seen = looks.into_iter().map(|look| look.join().ok().flatten());
                seen.flatten().collect()
            }),
        };
        let confirmed = Confirmed {
            seen: u32::try_from(seen.len()).unwrap_or(0),
            of: CONFIRMATIONS,
        };
        (confirmed, seen.into_iter().next())
    }

    fn seen(&self, target: &FuzzTarget, runtime: &Runtime, cases: &[Case]) -> Option<Symptom> {
        let seen = shows(target, runtime, &self.claim, cases, Rigour::Full);
        seen.filter(|seen| blame::is_alike(self.claim.kind, seen.kind))
    }

    /// Whether the oracle measures time, which parallel servers would disturb.
    fn is_timed(&self) -> bool {
        matches!(
            self.claim.kind,
            FindingKind::Starvation | FindingKind::Complexity
        )
    }

    /// The smallest cases that still show the bug, and whether minimization completed.
    fn minimized(
        &self,
        state: &CampaignState<'_>,
        target: &FuzzTarget,
        runtime: &Runtime,
        cases: Vec<Case>,
    ) -> (Vec<Case>, bool) {
        let hasty = target.hasty();
        let mut candidates = Candidates {
            triage: self,
            target: &hasty,
            runtime,
            epoch: None,
            used: 0,
            starts: 0,
            until: Instant::now() + MINIMIZING,
        };
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
        let kind = self.claim.kind;
        Finding {
            id: format!(
                "{}-{:08x}",
                kind.name(),
                fnv1a(self.symptom.key.as_bytes()) >> 32
            ),
            symptom: Symptom {
                kind,
                ..self.symptom.clone()
            },
            confirmed,
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

/// Runs the minimizer's candidates. A server that a candidate left unharmed is used for the next one.
struct Candidates<'a> {
    triage: &'a Triage,
    target: &'a FuzzTarget,
    runtime: &'a Runtime,
    epoch: Option<Epoch<'a>>,
    /// Candidates that ran on this server.
    used: u32,
    starts: u32,
    until: Instant,
}

impl<'a> Candidates<'a> {
    fn outcome(&mut self, cases: &[Case]) -> CandidateOutcome {
        if Instant::now() >= self.until || self.starts >= RESTARTS_MAX {
            return CandidateOutcome::Stop;
        }
        let was_fresh = self.epoch.is_none() || self.used == 0;
        match self.try_once(cases) {
            None => CandidateOutcome::Stop,
            Some(false) => CandidateOutcome::Other,
            Some(true) if was_fresh => CandidateOutcome::Same,
            // Earlier candidates on this server may have contributed.
            Some(true) => match self.try_once(cases) {
                None => CandidateOutcome::Stop,
                Some(true) => CandidateOutcome::Same,
                Some(false) => CandidateOutcome::Other,
            },
        }
    }

    /// Whether the cases show the same bug. `None` if no server could be started.
    fn try_once(&mut self, cases: &[Case]) -> Option<bool> {
        if self.epoch.is_none() {
            self.epoch = Some(Epoch::start(self.target, self.runtime).ok()?);
            (self.used, self.starts) = (0, self.starts + 1);
        }
        let epoch = self.epoch.as_mut()?;
        let seen = shows_on(epoch, &self.triage.claim, cases, Rigour::Quick);
        self.used += 1;
        if seen.is_some() || self.used >= CANDIDATES_PER_EPOCH {
            self.epoch = None;
        }
        let wanted = &self.triage.symptom;
        Some(seen.is_some_and(|seen| seen.kind == wanted.kind && seen.key == wanted.key))
    }
}
