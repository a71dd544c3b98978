//! What the lanes of a campaign share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Campaign, settle};
use crate::event::{Event, Sink};
use crate::fuzz::feedback::Feedback;
use crate::fuzz::ground::Ground;
use crate::fuzz::{Case, Finding, Fuzzed, corpus};

/// Notes that are kept: what happens all the time is told once.
const NOTES_MAX: usize = 40;
/// A bug that could not be shown again is looked into so often.
const ATTEMPTS_MAX: u32 = 5;
/// The corpus in memory.
const CORPUS_MAX: usize = 4096;

/// Counters, what was seen, what was found.
pub(super) struct Shared<'a> {
    pub(super) campaign: &'a Campaign,
    sink: Sink<'a>,
    pub(super) begun: Instant,
    executions: AtomicU64,
    /// Nanoseconds that lanes spent with fuzzing, all together.
    fuzzing_ns: AtomicU64,
    restarts: AtomicU64,
    canaries: AtomicU64,
    lanes: AtomicUsize,
    stop: AtomicBool,
    state: Mutex<State>,
}

struct State {
    feedback: Feedback,
    corpus: Vec<Case>,
    /// Every bug that was met, by its key: how often.
    known: BTreeMap<String, u64>,
    /// How often one was looked for in vain.
    attempts: BTreeMap<String, u32>,
    findings: Vec<Finding>,
    notes: Vec<String>,
    busy: Option<String>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(campaign: &'a Campaign, sink: Sink<'a>) -> Self {
        Self {
            campaign,
            sink,
            begun: Instant::now(),
            executions: AtomicU64::new(0),
            fuzzing_ns: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            canaries: AtomicU64::new(0),
            lanes: AtomicUsize::new(campaign.orders.jobs.max(1)),
            stop: AtomicBool::new(false),
            state: Mutex::new(State {
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether lanes are to end.
    pub(super) fn is_over(&self) -> bool {
        let late = self
            .campaign
            .orders
            .duration
            .is_some_and(|duration| self.begun.elapsed() >= duration);
        late || self.is_stopped()
    }

    /// Whether somebody asked for the end: then nothing new is begun.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.campaign.interrupt.is_set()
    }

    /// Ends the campaign.
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

    /// An epoch is over: its cases, canaries, and the time it took.
    pub(super) fn epoch_over(&self, canaries: u64, took: Duration) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
        self.canaries.fetch_add(canaries, Ordering::Relaxed);
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.fuzzing_ns.fetch_add(ns, Ordering::Relaxed);
    }

    pub(super) fn executed(&self) {
        self.executions.fetch_add(1, Ordering::Relaxed);
    }

    /// What of this was never seen before.
    pub(super) fn fresh(&self, shown: &[u64]) -> Vec<u64> {
        self.state().feedback.fresh(shown)
    }

    /// Keeps a case that shows something new.
    pub(super) fn keep(&self, case: &Case, shown: &[u64]) {
        let mut state = self.state();
        if state.feedback.fresh(shown).is_empty() {
            return;
        }
        state.feedback.keep(shown);
        if state.corpus.len() < CORPUS_MAX {
            state.corpus.push(case.clone());
        }
        drop(state);
        if let Some(folder) = &self.campaign.orders.corpus
            && let Err(error) = corpus::add(folder, case)
        {
            self.note(&format!("the corpus cannot be kept: {error}"));
        }
    }

    /// A case of an earlier campaign: it is in the corpus whatever it shows.
    pub(super) fn take_in(&self, case: &Case, shown: &[u64]) {
        let mut state = self.state();
        state.feedback.keep(shown);
        if state.corpus.len() < CORPUS_MAX {
            state.corpus.push(case.clone());
        }
    }

    /// What the run shows, in the feedback's terms.
    pub(super) fn sees(&self, case: &Case, ran: &crate::fuzz::life::Ran) -> Vec<u64> {
        let orders = &self.campaign.orders;
        // Where a number of cases is asked for, two runs are to do the same.
        let latency = orders.cases.is_none();
        orders.feedback.sees(case, ran, latency)
    }

    /// The corpus as it is now.
    pub(super) fn corpus(&self) -> Vec<Case> {
        self.state().corpus.clone()
    }

    /// Takes note of a bug. False if it is known already.
    pub(super) fn is_first(&self, key: &str) -> bool {
        let mut state = self.state();
        let count = state.known.entry(key.to_owned()).or_default();
        *count += 1;
        *count == 1
    }

    /// Whether a bug was met before, and is being looked into or known; it is counted.
    pub(super) fn is_known(&self, key: &str) -> bool {
        match self.state().known.get_mut(key) {
            Some(count) => {
                *count += 1;
                true
            }
            None => false,
        }
    }

    /// It could not be shown again: another case may show it better. After a few of them it rests.
    pub(super) fn forget(&self, key: &str) {
        let mut state = self.state();
        let attempts = state.attempts.entry(key.to_owned()).or_default();
        *attempts += 1;
        if *attempts < ATTEMPTS_MAX {
            state.known.remove(key);
        }
    }

    /// Adds a finding, or replaces the same one by a smaller case.
    pub(super) fn found(&self, finding: Finding) {
        let mut state = self.state();
        match state
            .findings
            .iter_mut()
            .find(|known| known.id == finding.id)
        {
            Some(known) => *known = finding,
            None => {
                let what = format!("{} {}: {}", finding.kind.name(), finding.id, finding.title);
                state.findings.push(finding);
                drop(state);
                (self.sink)(Event::Found { what });
            }
        }
        if self.campaign.orders.stop_on_first {
            self.stop();
        }
    }

    pub(super) fn note(&self, note: &str) {
        let mut state = self.state();
        if state.notes.len() < NOTES_MAX && !state.notes.iter().any(|known| known == note) {
            state.notes.push(note.to_owned());
        }
    }

    pub(super) fn busy(&self, with: Option<String>) {
        self.state().busy = with;
    }

    /// Tells how far the campaign is.
    pub(super) fn tell(&self, elapsed: Duration, per_s: f64) {
        let state = self.state();
        let event = Event::Fuzz {
            elapsed,
            executions: self.executions(),
            per_s,
            findings: state.findings.len(),
            restarts: self.restarts.load(Ordering::Relaxed),
            corpus: state.corpus.len(),
            busy: state.busy.clone(),
        };
        drop(state);
        (self.sink)(event);
    }

    /// What the campaign had no time for: findings that can be made smaller.
    pub(super) fn finish(&self, ground: &Ground) {
        let unfinished: Vec<Finding> = {
            let state = self.state();
            let open = state.findings.iter().filter(|finding| !finding.minimal);
            open.cloned().collect()
        };
        for finding in unfinished {
            if !self.campaign.interrupt.is_set() {
                settle::go_on(self, ground, finding);
            }
        }
    }

    pub(super) fn result(self) -> Fuzzed {
        let executions = self.executions();
        let seconds = self.fuzzing_ns.load(Ordering::Relaxed) as f64 / 1e9;
        let jobs = self.campaign.orders.jobs.max(1) as f64;
        let restarts = self.restarts.load(Ordering::Relaxed);
        let canaries = self.canaries.load(Ordering::Relaxed);
        let mut state = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        state.findings.sort_by(|one, other| {
            let sure = |finding: &Finding| (finding.counts(), finding.confirmed.seen);
            (sure(other), one.kind, &one.id).cmp(&(sure(one), other.kind, &other.id))
        });
        let mut fuzzed = Fuzzed {
            executions,
            executions_per_s: if seconds > 0.0 {
                executions as f64 * jobs / seconds
            } else {
                0.0
            },
            findings: state.findings,
            restarts,
            corpus: state.corpus.len(),
            canaries,
            notes: state.notes,
            ..Fuzzed::default()
        };
        fuzzed.coverage.edges = state.feedback.count();
        fuzzed
    }
}
