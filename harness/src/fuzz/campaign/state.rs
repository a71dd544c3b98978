//! The state that the lanes of a campaign share.

mod kept;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::block_growth::BlockGrowth;
use super::clock::{CampaignClock, Weight};
use super::guidance::Guidance;
use super::membership::Membership;
use super::place::{Places, Turns, Waiting};
use super::pool::Member;
use super::setup::Campaign;
use super::suspect::Suspect;
use crate::event::{Event, Sink};
use crate::fuzz::coverage::Coverage;
use crate::fuzz::epoch::CaseRun;
use crate::fuzz::feedback::Feedback;
use crate::fuzz::kept::KeptCase;
use crate::fuzz::symptom::FindingKind;
use crate::fuzz::wire::{ConnectionEnd, Observed, Received};
use crate::fuzz::{Case, Finding, FuzzResult};

/// Maximum notes kept; a repeated note is kept once.
const NOTES_MAX: usize = 40;
/// Maximum attempts to reproduce a bug that did not recur.
const ATTEMPTS_MAX: u32 = 5;
/// Maximum cases of the corpus in memory.
const CORPUS_MAX: usize = 4096;

/// Counters, observations and findings of a campaign.
pub(super) struct CampaignState<'a> {
    pub(super) campaign: &'a Campaign,
    /// What guides the campaign, and what is seen of the server's code if that does.
    guidance: &'a Guidance,
    pub(super) coverage: Option<&'a Coverage>,
    sink: Sink<'a>,
    pub(super) clock: CampaignClock,
    /// The fleet that the campaign belongs to.
    pub(super) membership: Option<Membership>,
    /// Tells the turns of the talk apart.
    turns: Turns,
    executions: AtomicU64,
    /// Total time of all epochs, in nanoseconds.
    fuzzing_ns: AtomicU64,
    restarts: AtomicU64,
    canaries: AtomicU64,
    lanes: AtomicUsize,
    /// Cases of the corpus.
    members: AtomicUsize,
    /// Connections that the server did not close after the client's FIN, and all connections.
    left_open: AtomicU64,
    connections: AtomicU64,
    /// The number of blocks over time.
    growth: BlockGrowth,
    ledger: Mutex<Ledger>,
}

/// The part of the state that needs a lock.
struct Ledger {
    feedback: Feedback,
    corpus: Vec<Member>,
    /// What its cases were the first to reach, by the names of their files.
    kept: BTreeMap<String, KeptCase>,
    /// How often each bug was met, by key.
    known: BTreeMap<String, u64>,
    /// Failed attempts to reproduce a bug, by key.
    attempts: BTreeMap<String, u32>,
    findings: Vec<Finding>,
    /// Suspects that there was no time for.
    later: VecDeque<Suspect>,
    places: Places,
    notes: Vec<String>,
    busy: Option<String>,
}

impl<'a> CampaignState<'a> {
    pub(super) fn new(
        campaign: &'a Campaign,
        guidance: &'a Guidance,
        clock: CampaignClock,
        membership: Option<Membership>,
        sink: Sink<'a>,
    ) -> Self {
        Self {
            clock,
            membership,
            turns: Turns::of(&campaign.subject.talk),
            campaign,
            guidance,
            coverage: guidance.coverage.as_ref(),
            members: AtomicUsize::new(0),
            sink,
            executions: AtomicU64::new(0),
            fuzzing_ns: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            canaries: AtomicU64::new(0),
            lanes: AtomicUsize::new(0),
            left_open: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            growth: BlockGrowth::default(),
            ledger: Mutex::new(Ledger {
                feedback: Feedback::default(),
                corpus: Vec::new(),
                kept: BTreeMap::new(),
                known: BTreeMap::new(),
                attempts: BTreeMap::new(),
                findings: Vec::new(),
                later: VecDeque::new(),
                places: Places::default(),
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
        self.clock.is_over()
    }

    /// Sets the number of lanes that run, and returns it.
    pub(super) fn begin_lanes(&self) -> usize {
        let lanes = self.campaign.plan.jobs.max(1);
        self.lanes.store(lanes, Ordering::Relaxed);
        lanes
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

    pub(super) fn executed(&self, observed: &Observed) {
        self.executions.fetch_add(1, Ordering::Relaxed);
        let left_open = |received: &&Received| received.end == ConnectionEnd::StillOpen;
        let count = observed.connections.iter().filter(left_open).count();
        self.left_open.fetch_add(count as u64, Ordering::Relaxed);
        let all = observed.connections.len() as u64;
        self.connections.fetch_add(all, Ordering::Relaxed);
    }

    /// Whether a hint of this kind at the turn of this case is followed now.
    pub(super) fn may_test(&self, kind: FindingKind, case: &Case) -> bool {
        let turn = self.turns.of_case(case);
        self.ledger().places.may_test(kind, &turn, case)
    }

    /// Records the outcome of a test that followed a hint, and where the suspect is.
    pub(super) fn tested(
        &self,
        kind: FindingKind,
        case: &Case,
        suspect: Option<Suspect>,
    ) -> Option<Suspect> {
        // A test that was cut short says nothing.
        let turn = self.turns.of_case(case);
        self.record(turn, suspect, |places, turn, found| {
            places.tested(kind, turn, found);
        })
    }

    /// Records the outcome of a test, and where its suspect is. A test that found nothing when the time was over says nothing.
    fn record(
        &self,
        turn: String,
        suspect: Option<Suspect>,
        note: impl FnOnce(&mut Places, &str, bool),
    ) -> Option<Suspect> {
        if suspect.is_none() && self.is_over() {
            return None;
        }
        note(&mut self.ledger().places, &turn, suspect.is_some());
        suspect.map(|suspect| Suspect {
            turn: Some(turn).filter(|_| suspect.kind().is_of_a_turn()),
            ..suspect
        })
    }

    /// Whether a case that costs this much CPU time is tested for growth now.
    pub(super) fn may_test_cost(&self, case: &Case, cpu: Duration) -> bool {
        let place = self.turns.of_cost(case);
        self.ledger().places.may_test_cost(&place, case, cpu)
    }

    /// [`CampaignState::tested`] for growth, of a case that costs this much.
    pub(super) fn tested_cost(
        &self,
        case: &Case,
        cpu: Duration,
        suspect: Option<Suspect>,
    ) -> Option<Suspect> {
        let place = self.turns.of_cost(case);
        self.record(place, suspect, |places, place, found| {
            places.tested_cost(place, case, cpu, found);
        })
    }

    /// The hints that were not followed because of another finding of their kind at the same turn.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        self.ledger().places.waiting()
    }

    /// Notes that a finding of this kind at this turn is settled.
    pub(super) fn found_at(&self, kind: FindingKind, turn: &str) {
        self.ledger().places.tested(kind, turn, true);
    }

    /// Keeps a suspect that there is no time for now.
    pub(super) fn later(&self, suspect: Suspect) {
        self.ledger().later.push_back(suspect);
    }

    /// The gravest suspect that there was no time for, the oldest of several.
    pub(super) fn postponed(&self) -> Option<Suspect> {
        let later = &mut self.ledger().later;
        let weights = later.iter().map(weight).enumerate();
        let (at, _) = weights.min_by_key(|(_, weight)| *weight)?;
        later.remove(at)
    }

    /// The weight of that suspect.
    pub(super) fn postponed_weight(&self) -> Option<Weight> {
        self.ledger().later.iter().map(weight).min()
    }

    /// Takes a finding back that turned out to be another one, or none.
    pub(super) fn withdraw(&self, id: &str) {
        let mut ledger = self.ledger();
        let Some(at) = ledger.findings.iter().position(|known| known.id == id) else {
            return;
        };
        let finding = ledger.findings.remove(at);
        drop(ledger);
        if let Some(folder) = finding.reproducer {
            // If it cannot be removed, a replay tells that nothing reproduces.
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    /// All findings so far.
    pub(super) fn findings(&self) -> Vec<Finding> {
        self.ledger().findings.clone()
    }

    /// The observations that are new.
    pub(super) fn fresh(&self, shown: &[u64]) -> Vec<u64> {
        self.ledger().feedback.fresh(shown)
    }

    /// The observations that the run shows.
    pub(super) fn observations(&self, case: &Case, run: &CaseRun) -> Vec<u64> {
        let plan = &self.campaign.plan;
        // With a fixed number of cases, runs must be repeatable.
        let latency = plan.cases.is_none();
        self.guidance.feedback.observations(case, run, latency)
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
    pub(super) fn forget(&self, suspect: &Suspect) {
        let mut ledger = self.ledger();
        let key = &suspect.identity();
        if let Some(turn) = &suspect.turn {
            ledger.places.not_found(suspect.kind(), turn);
        }
        let attempts = ledger.attempts.entry(key.to_owned()).or_default();
        *attempts += 1;
        if *attempts < ATTEMPTS_MAX {
            ledger.known.remove(key);
        }
        drop(ledger);
        if let Some(fleet) = &self.membership
            && let Err(error) = fleet.give_up(suspect)
        {
            self.fleet_trouble(&error.to_string());
        }
    }

    /// Adds a finding, or replaces its earlier version.
    pub(super) fn found(&self, finding: Finding) {
        let is_sure = finding.is_sure();
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
        if self.campaign.plan.stop_on_first && is_sure {
            self.clock.stop();
        }
    }

    pub(super) fn note(&self, note: &str) {
        let mut ledger = self.ledger();
        if ledger.notes.len() < NOTES_MAX && !ledger.notes.iter().any(|known| known == note) {
            ledger.notes.push(note.to_owned());
        }
    }

    pub(super) fn fleet_trouble(&self, trouble: &str) {
        self.note(&format!("the shared corpus: {trouble}"));
    }

    pub(super) fn busy(&self, with: Option<String>) {
        self.ledger().busy = with;
    }

    /// Sends a progress event.
    pub(super) fn progress(&self, elapsed: Duration, per_s: f64) {
        self.note_growth(elapsed);
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

    /// Notes how many blocks have been reached by now.
    fn note_growth(&self, elapsed: Duration) {
        let seen = self.guidance.coverage.as_ref();
        if let Some(blocks) = seen.and_then(Coverage::blocks) {
            self.growth.note(elapsed, blocks);
        }
    }

    /// The share of connections that the server left open after the client's FIN.
    pub(super) fn left_open(&self) -> f64 {
        let all = self.connections.load(Ordering::Relaxed).max(1);
        self.left_open.load(Ordering::Relaxed) as f64 / all as f64
    }

    pub(super) fn result(self) -> FuzzResult {
        self.note_growth(self.clock.begun.elapsed());
        let executions = self.executions();
        let seconds = self.fuzzing_ns.load(Ordering::Relaxed) as f64 / 1e9;
        let jobs = self.campaign.plan.jobs.max(1) as f64;
        let restarts = self.restarts.load(Ordering::Relaxed);
        let canaries = self.canaries.load(Ordering::Relaxed);
        let ledger = self
            .ledger
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
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
            kept: ledger.kept,
            canaries,
            time: self.clock.spent(),
            notes: ledger.notes,
            ..FuzzResult::default()
        };
        fuzzed.sort();
        fuzzed.coverage = self.guidance.result(ledger.feedback.count());
        fuzzed.coverage.over_time = self.growth.all();
        if self.campaign.plan.code {
            fuzzed.coverage.code = self.guidance.coverage.as_ref().and_then(Coverage::code);
        }
        fuzzed
    }
}

fn weight(suspect: &Suspect) -> Weight {
    Weight::of(suspect.kind())
}
