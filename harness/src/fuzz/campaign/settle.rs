//! From a suspicion to a finding: reproduced, minimized, confirmed on fresh servers, written down.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::lane::Suspect;
use super::shared::Shared;
use super::{Evidence, blame, waived};
use crate::data::hash::fnv1a;
use crate::fuzz::ground::Ground;
use crate::fuzz::life::Life;
use crate::fuzz::minimize::{Verdict, minimize};
use crate::fuzz::oracle::conformance::Breach;
use crate::fuzz::oracle::{Claim, Rigour, Symptom, shows, shows_on};
use crate::fuzz::{Case, Confirmed, Finding, Kind, reproducer};
use crate::subject::runtime;

/// Fresh servers on which a finding is confirmed.
const CONFIRMATIONS: u32 = 5;
/// Time for the minimization of one finding while the campaign runs, and again after it.
const MINIMIZING: Duration = Duration::from_secs(20);
/// Servers that the minimization of one finding may start.
const RESTARTS_MAX: u32 = 300;
/// Candidates that did no harm, after which a server is replaced all the same.
const CANDIDATES_PER_LIFE: u32 = 50;

/// Something was seen in a campaign.
pub(super) fn suspect(shared: &Shared<'_>, ground: &Ground, runtime: &Runtime, suspect: Suspect) {
    let first_seen = shared.begun.elapsed();
    shared.busy(Some(format!(
        "looking for the case: {}",
        suspect.symptom.title
    )));
    let settled = match ground.is_fresh() {
        true => blame::find(ground, runtime, &suspect),
        false => None,
    };
    match settled {
        Some((cases, symptom)) => {
            // On a fresh server it may turn out to be one that is known.
            let known = symptom.key != suspect.symptom.key && !shared.is_first(&symptom.key);
            if !known {
                let claim = Claim::from(symptom.kind);
                let case = Settled {
                    claim,
                    symptom,
                    first_seen,
                };
                case.finish(shared, ground, runtime, cases);
            }
        }
        None => unconfirmed(shared, !ground.is_fresh(), suspect, first_seen),
    }
    shared.busy(None);
}

/// The talk's own probes have shown something.
pub(super) fn breach(shared: &Shared<'_>, ground: &Ground, runtime: &Runtime, breach: Breach) {
    let settled = Settled {
        claim: breach.claim,
        symptom: breach.symptom,
        first_seen: shared.begun.elapsed(),
    };
    let cases = vec![breach.case];
    let (confirmed, _) = settled.confirm(ground, runtime, &cases);
    // A probe is as small as it gets: it is a turn of the talk.
    let finding = settled.finding(&cases, confirmed, true);
    publish(shared, finding);
}

/// Minimizes further what the campaign had no time for.
///
/// Where every question takes seconds it would take minutes: such a finding stays as it is.
pub(super) fn go_on(shared: &Shared<'_>, ground: &Ground, finding: Finding) {
    let settled = Settled {
        claim: Claim::from(finding.kind),
        symptom: Symptom {
            kind: finding.kind,
            key: finding.key.clone(),
            title: finding.title.clone(),
            evidence: finding.evidence.clone(),
        },
        first_seen: Duration::from_secs_f64(finding.first_seen_s),
    };
    if finding.confirmed.seen == 0 || settled.is_timed() {
        return;
    }
    shared.busy(Some(format!("minimizing {}", finding.id)));
    settled.finish(shared, ground, &runtime(), finding.cases);
    shared.busy(None);
}

/// It was seen once and cannot be shown again: kept with everything that could have done it.
fn unconfirmed(shared: &Shared<'_>, alone: bool, suspect: Suspect, first_seen: Duration) {
    let confirmed = Confirmed {
        seen: 0,
        of: if alone { 0 } else { CONFIRMATIONS },
    };
    // A server that ended is a fact, however rarely it happens. What else was seen once is a note: workers
    // end for reasons of their own.
    if !suspect.symptom.is_the_end() {
        shared.note(&format!(
            "seen once, and not again when the same cases were repeated: {}: {}",
            suspect.kind().name(),
            suspect.symptom.title
        ));
        if !alone {
            return shared.forget(&suspect.symptom.key);
        }
    }
    let settled = Settled {
        claim: Claim::from(suspect.kind()),
        symptom: suspect.symptom,
        first_seen,
    };
    let finding = settled.finding(&suspect.cases, confirmed, false);
    publish(shared, finding);
}

fn publish(shared: &Shared<'_>, mut finding: Finding) {
    let campaign = shared.campaign;
    finding.waived = waived(&campaign.waivers, &finding);
    let folder = campaign.orders.findings();
    match reproducer::write(&folder, &finding, &campaign.recipe) {
        Ok(place) => {
            let place_text = place.display().to_string();
            finding.reproduce = campaign.recipe.replay.replace("{folder}", &place_text);
            finding.reproducer = Some(place);
        }
        Err(error) => shared.note(&format!(
            "{} cannot be written to {}: {error}",
            finding.id,
            folder.display()
        )),
    }
    shared.found(finding);
}

/// A symptom that fresh servers show.
struct Settled {
    claim: Claim,
    symptom: Symptom,
    first_seen: Duration,
}

impl Settled {
    /// Written down at once, then made smaller, confirmed, and written down again.
    fn finish(mut self, shared: &Shared<'_>, ground: &Ground, runtime: &Runtime, cases: Vec<Case>) {
        let seen_once = Confirmed { seen: 1, of: 1 };
        publish(shared, self.finding(&cases, seen_once, false));
        shared.busy(Some(format!("minimizing: {}", self.symptom.title)));
        let (smaller, complete) = self.smaller(shared, ground, runtime, cases.clone());
        shared.busy(Some(format!("confirming: {}", self.symptom.title)));
        let (mut confirmed, mut shown) = self.confirm(ground, runtime, &smaller);
        let mut kept = (smaller, complete);
        // What the minimizer took for the same was not, or not every time.
        if confirmed.seen < confirmed.of {
            let whole = self.confirm(ground, runtime, &cases);
            if whole.0.seen > confirmed.seen {
                ((confirmed, shown), kept) = (whole, (cases, false));
            }
        }
        // What depends on time and growth is a finding only if it is so every time.
        if confirmed.seen < confirmed.of && self.is_measured() {
            shared.note(&format!(
                "seen {confirmed} times on fresh servers, so it does not count: {}",
                self.symptom.title
            ));
            confirmed.seen = 0;
        }
        // What is told is what these cases do, not what led to them.
        if let Some(shown) = shown.filter(|shown| shown.kind == self.symptom.kind) {
            (self.symptom.title, self.symptom.evidence) = (shown.title, shown.evidence);
        }
        publish(shared, self.finding(&kept.0, confirmed, kept.1));
    }

    fn is_measured(&self) -> bool {
        matches!(
            self.claim.kind,
            Kind::Leak | Kind::Starvation | Kind::Complexity | Kind::Divergence
        )
    }

    /// Whether fresh servers show the same, each on a disk of its own; and what one of them showed.
    fn confirm(
        &self,
        ground: &Ground,
        runtime: &Runtime,
        cases: &[Case],
    ) -> (Confirmed, Option<Symptom>) {
        let seen: Vec<Symptom> = match self.is_timed() {
            true => (0..CONFIRMATIONS)
                // A look at time that others have disturbed is taken again, once.
                .filter_map(|_| {
                    self.seen(ground, runtime, cases)
                        .or_else(|| self.seen(ground, runtime, cases))
                })
                .collect(),
            // Most of it is waiting: at the same time, then.
            false => std::thread::scope(|scope| {
                let look = || self.seen(ground, &crate::subject::runtime(), cases);
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

    fn seen(&self, ground: &Ground, runtime: &Runtime, cases: &[Case]) -> Option<Symptom> {
        let seen = shows(ground, runtime, &self.claim, cases, Rigour::Full);
        seen.filter(|seen| blame::is_alike(self.claim.kind, seen.kind))
    }

    /// Judged by the time that something takes: others beside it would disturb.
    fn is_timed(&self) -> bool {
        matches!(self.claim.kind, Kind::Starvation | Kind::Complexity)
    }

    /// The smallest cases that still show it, and whether the minimizer came to its end.
    fn smaller(
        &self,
        shared: &Shared<'_>,
        ground: &Ground,
        runtime: &Runtime,
        cases: Vec<Case>,
    ) -> (Vec<Case>, bool) {
        let hasty = ground.hasty();
        let mut tries = Tries {
            settled: self,
            ground: &hasty,
            runtime,
            life: None,
            used: 0,
            starts: 0,
            until: Instant::now() + MINIMIZING,
        };
        let frame = &ground.talk().request;
        let minimized = minimize(cases, frame, &mut |candidate| match shared
            .campaign
            .interrupt
            .is_set()
        {
            true => Verdict::Stop,
            false => tries.still(candidate),
        });
        (minimized.cases, minimized.complete)
    }

    fn finding(&self, cases: &[Case], confirmed: Confirmed, minimal: bool) -> Finding {
        let kind = self.claim.kind;
        let evidence: Evidence = self.symptom.evidence.clone();
        Finding {
            id: format!(
                "{}-{:08x}",
                kind.name(),
                fnv1a(self.symptom.key.as_bytes()) >> 32
            ),
            kind,
            title: self.symptom.title.clone(),
            confirmed,
            steps: cases.iter().map(|case| case.steps.len()).sum(),
            bytes: cases.iter().map(Case::bytes).sum(),
            reproducer: None,
            reproduce: String::new(),
            first_seen_s: self.first_seen.as_secs_f64(),
            minimal,
            key: self.symptom.key.clone(),
            evidence,
            waived: None,
            cases: cases.to_vec(),
        }
    }
}

/// The minimizer's questions. A server that a candidate did no harm serves for the next one.
struct Tries<'a> {
    settled: &'a Settled,
    ground: &'a Ground,
    runtime: &'a Runtime,
    life: Option<Life<'a>>,
    /// Candidates that this life has met.
    used: u32,
    starts: u32,
    until: Instant,
}

impl<'a> Tries<'a> {
    fn still(&mut self, cases: &[Case]) -> Verdict {
        if Instant::now() >= self.until || self.starts >= RESTARTS_MAX {
            return Verdict::Stop;
        }
        let was_fresh = self.life.is_none() || self.used == 0;
        match self.try_once(cases) {
            None => Verdict::Stop,
            Some(false) => Verdict::Other,
            Some(true) if was_fresh => Verdict::Same,
            // What other candidates left behind may have taken part.
            Some(true) => match self.try_once(cases) {
                None => Verdict::Stop,
                Some(true) => Verdict::Same,
                Some(false) => Verdict::Other,
            },
        }
    }

    /// `None`: no server could be started.
    fn try_once(&mut self, cases: &[Case]) -> Option<bool> {
        if self.life.is_none() {
            self.life = Some(Life::start(self.ground, self.runtime).ok()?);
            (self.used, self.starts) = (0, self.starts + 1);
        }
        let life = self.life.as_mut()?;
        let seen = shows_on(life, &self.settled.claim, cases, Rigour::Quick);
        self.used += 1;
        if seen.is_some() || self.used >= CANDIDATES_PER_LIFE {
            self.life = None;
        }
        let same = |seen: Symptom| {
            seen.kind == self.settled.symptom.kind && seen.key == self.settled.symptom.key
        };
        Some(seen.is_some_and(same))
    }
}
