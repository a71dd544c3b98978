//! The state that the lanes of a campaign share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::setup::Campaign;
use crate::event::{Event, Sink};
use crate::fuzz::epoch::CaseRun;
use crate::fuzz::feedback::Feedback;
use crate::fuzz::{Case, Finding, FuzzResult, corpus};

/// Maximum notes kept; a repeated note is kept once.
const NOTES_MAX: usize = 40;
/// Maximum attempts to reproduce a bug that did not recur.
const ATTEMPTS_MAX: u32 = 5;
/// Maximum cases of the corpus in memory.
const CORPUS_MAX: usize = 4096;

/// Counters, observations and findings of a campaign.
pub(super) struct CampaignState<'a> {
    pub(super) campaign: &'a Campaign,
    sink: Sink<'a>,
    pub(super) begun: Instant,
    executions: AtomicU64,
    /// Total time of all epochs, in nanoseconds.
    fuzzing_ns: AtomicU64,
    restarts: AtomicU64,
    canaries: AtomicU64,
    lanes: AtomicUsize,
    stop: AtomicBool,
    ledger: Mutex<Ledger>,
}

/// The part of the state that needs a lock.
struct Ledger {
    feedback: Feedback,
    corpus: Vec<Case>,
    /// How often each bug was met, by key.
    known: BTreeMap<String, u64>,
    /// Failed attempts to reproduce a bug, by key.
    attempts: BTreeMap<String, u32>,
    findings: Vec<Finding>,
    notes: Vec<String>,
    busy: Option<String>,
}

impl<'a> CampaignState<'a> {
    pub(super) fn new(campaign: &'a Campaign, sink: Sink<'a>) -> Self {
        Self {
            campaign,
            sink,
            begun: Instant::now(),
            executions: AtomicU64::new(0),
            fuzzing_ns: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            canaries: AtomicU64::new(0),
            lanes: AtomicUsize::new(campaign.plan.jobs.max(1)),
            stop: AtomicBool::new(false),
            ledger: Mutex::new(Ledger {
                feedback: Feedback::default(),
                corpus: Vec::new(),
                known: BTreeMap::new(),
                attempts: BTreeMap::new(),
                findings: Vec::new(),
                notes: Vec::new(),
                busy: None,
            }),
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether lanes must end.
    pub(super) fn is_over(&self) -> bool {
        let late = self
            .campaign
            .plan
            .duration
            .is_some_and(|duration| self.begun.elapsed() >= duration);
        late || self.is_stopped()
    }

    /// Whether the campaign was stopped or interrupted.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.campaign.interrupt.is_set()
    }

    /// Stops the campaign.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn lane_ended(&self) {
        self.lanes.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn lanes_left(&self) -> usize {
        self.lanes.load(Ordering::Relaxed)
    }

    pub(super) fn executions(&self) -> u64 {
        self.executions.load(Ordering::Relaxed)
    }

    /// Counts an epoch that has ended.
    pub(super) fn epoch_over(&self, canaries: u64, took: Duration) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.canaries.fetch_add(canaries, Ordering::Relaxed);
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.fuzzing_ns.fetch_add(ns, Ordering::Relaxed);
    }

    pub(super) fn executed(&self) {
        self.executions.fetch_add(1, Ordering::Relaxed);
    }

    /// The observations that are new.
    pub(super) fn fresh(&self, shown: &[u64]) -> Vec<u64> {
        self.ledger().feedback.fresh(shown)
    }

    /// Adds a case with new observations to the corpus.
    pub(super) fn keep(&self, case: &Case, shown: &[u64]) {
        let mut ledger = self.ledger();
        if ledger.feedback.fresh(shown).is_empty() {
            return;
        }
        ledger.feedback.keep(shown);
        if ledger.corpus.len() < CORPUS_MAX {
            ledger.corpus.push(case.clone());
        }
        drop(ledger);
        if let Some(folder) = &self.campaign.plan.corpus
            && let Err(error) = corpus::add(folder, case)
        {
            self.note(&format!("the corpus cannot be kept: {error}"));
        }
    }

    /// Adds a case of an earlier campaign to the corpus, whatever it shows.
    pub(super) fn take_in(&self, case: &Case, shown: &[u64]) {
        let mut ledger = self.ledger();
        ledger.feedback.keep(shown);
        if ledger.corpus.len() < CORPUS_MAX {
            ledger.corpus.push(case.clone());
        }
    }

    /// The observations that the run shows.
    pub(super) fn observations(&self, case: &Case, run: &CaseRun) -> Vec<u64> {
        let plan = &self.campaign.plan;
        // With a fixed number of cases, runs must be repeatable.
        let latency = plan.cases.is_none();
        plan.feedback.observations(case, run, latency)
    }

    /// A copy of the corpus.
    pub(super) fn corpus(&self) -> Vec<Case> {
        self.ledger().corpus.clone()
    }

    /// Counts a bug; returns whether it is new.
    pub(super) fn is_first(&self, key: &str) -> bool {
        let mut ledger = self.ledger();
        let count = ledger.known.entry(key.to_owned()).or_default();
        *count += 1;
        *count == 1
    }

    /// Whether a bug is known or in triage; counts it if so.
    pub(super) fn is_known(&self, key: &str) -> bool {
        match self.ledger().known.get_mut(key) {
            Some(count) => {
                *count += 1;
                true
            }
            None => false,
        }
    }

    /// Forgets a bug that did not recur, so that another case may trigger it; at most [`ATTEMPTS_MAX`] times.
    pub(super) fn forget(&self, key: &str) {
        let mut ledger = self.ledger();
        let attempts = ledger.attempts.entry(key.to_owned()).or_default();
        *attempts += 1;
        if *attempts < ATTEMPTS_MAX {
            ledger.known.remove(key);
        }
    }

    /// Adds a finding, or replaces its earlier version.
    pub(super) fn found(&self, finding: Finding) {
        let mut ledger = self.ledger();
        match ledger
            .findings
            .iter_mut()
            .find(|known| known.id == finding.id)
        {
            Some(known) => *known = finding,
            None => {
                let symptom = &finding.symptom;
                let what = format!("{} {}: {}", symptom.kind.name(), finding.id, symptom.title);
                ledger.findings.push(finding);
                drop(ledger);
                (self.sink)(Event::Found { what });
            }
        }
        if self.campaign.plan.stop_on_first {
            self.stop();
        }
    }

    pub(super) fn note(&self, note: &str) {
        let mut ledger = self.ledger();
        if ledger.notes.len() < NOTES_MAX && !ledger.notes.iter().any(|known| known == note) {
            ledger.notes.push(note.to_owned());
        }
    }

    pub(super) fn busy(&self, with: Option<String>) {
        self.ledger().busy = with;
    }

    /// Sends a progress event.
    pub(super) fn progress(&self, elapsed: Duration, per_s: f64) {
        let ledger = self.ledger();
        let event = Event::Fuzz {
            elapsed,
            executions: self.executions(),
            per_s,
            findings: ledger.findings.len(),
            restarts: self.restarts.load(Ordering::Relaxed),
            corpus: ledger.corpus.len(),
            busy: ledger.busy.clone(),
        };
        drop(ledger);
        (self.sink)(event);
    }

    /// Findings whose minimization did not complete.
    pub(super) fn unfinished(&self) -> Vec<Finding> {
        let ledger = self.ledger();
        let open = ledger.findings.iter().filter(|finding| !finding.minimal);
        open.cloned().collect()
    }

    pub(super) fn result(self) -> FuzzResult {
        let executions = self.executions();
        let seconds = self.fuzzing_ns.load(Ordering::Relaxed) as f64 / 1e9;
        let jobs = self.campaign.plan.jobs.max(1) as f64;
        let restarts = self.restarts.load(Ordering::Relaxed);
        let canaries = self.canaries.load(Ordering::Relaxed);
        let mut ledger = self
            .ledger
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        ledger.findings.sort_by(|one, other| {
            let sure = |finding: &Finding| (finding.counts(), finding.confirmed.seen);
            let (one_kind, other_kind) = (one.symptom.kind, other.symptom.kind);
            (sure(other), one_kind, &one.id).cmp(&(sure(one), other_kind, &other.id))
        });
        let mut fuzzed = FuzzResult {
            executions,
            executions_per_s: if seconds > 0.0 {
                executions as f64 * jobs / seconds
            } else {
                0.0
            },
            findings: ledger.findings,
            restarts,
            corpus: ledger.corpus.len(),
            canaries,
            notes: ledger.notes,
            ..FuzzResult::default()
        };
        fuzzed.coverage.edges = ledger.feedback.count();
        fuzzed
    }
}
