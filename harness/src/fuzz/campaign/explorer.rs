//! Runs the cases of one epoch: at most 10,000 cases or 5 s on one server.

use std::time::{Duration, Instant};

use super::source::Source;
use super::state::CampaignState;
use super::suspect::Suspect;
use crate::fuzz::Case;
use crate::fuzz::epoch::{CaseRun, Epoch};
use crate::fuzz::log::Log;
use crate::fuzz::oracle::alarm::alarm;
use crate::fuzz::oracle::{Rigour, complexity, divergence, leak, starvation, watch};
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::fuzz::wire::ConnectionEnd;

/// Maximum cases of one epoch.
const CASES_MAX: usize = 10_000;
/// Maximum duration of one epoch, unless the server takes long to start.
const TIME: Duration = Duration::from_secs(5);
/// An epoch may last at least this many times as long as the start of the server.
const STARTS_MIN: u32 = 20;
/// Cases between two canaries.
const CANARY_CASES: u32 = 64;
/// Time between two canaries.
const CANARY_TIME: Duration = Duration::from_millis(50);
/// The same time as a multiple of the usual exchange.
const CANARY_EXCHANGES: u32 = 8;
/// A reset connection advances the next canary by this many cases: the server may be dying.
const RESET_CASES: u32 = 16;
/// CPU time of one case that hints at super-linear work.
const COSTLY: Duration = Duration::from_millis(4);
/// Descriptors or threads above the baseline that hint at a leak.
const LEAKED_MIN: u64 = 12;
/// Maximum complexity tests per epoch: on a slow server every long case looks costly.
const COMPLEXITY_TESTS_MAX: u32 = 3;
/// Maximum recent cases that are tried one by one when something leaks.
const LEAK_SUSPECTS_MAX: usize = 96;
/// How often a suspect of a leak is repeated.
const LEAK_RUNS: u32 = 6;
/// Descriptors or threads that these repetitions must leave behind.
const LEAK_GROWTH_MIN: u64 = 3;
/// How long a server may take to release descriptors and threads after the last connection closed.
const RELEASE: Duration = Duration::from_millis(100);
/// The same limit between the runs of leak suspects.
const RELEASE_QUICK: Duration = Duration::from_millis(10);
/// One in this many cases without anything new is tested for divergence, besides every case with something new.
const DIVERGENCE_ONE_IN: u64 = 512;
/// Pause after tcprove ran out of ports or descriptors.
const OUT_OF_RESOURCES_PAUSE: Duration = Duration::from_millis(20);

/// How an epoch ended.
pub(super) enum EpochEnd {
    /// Nothing suspicious happened.
    Calm,
    /// A symptom needs triage.
    Suspect(Box<Suspect>),
}

/// A running epoch.
pub(super) struct Explorer<'a, 'b> {
    state: &'a CampaignState<'a>,
    epoch: Epoch<'b>,
    source: &'a mut Source,
    log: &'a mut Log,
    cases: Vec<Case>,
    /// Number of leading cases after which the server was still healthy.
    good: usize,
    since_canary: u32,
    last_canary: Instant,
    /// Whether the next canary runs during a case; every second one does.
    beside: bool,
    leak_tried: bool,
    complexity_tests_left: u32,
    begun: Instant,
}

impl<'a, 'b> Explorer<'a, 'b> {
    pub(super) fn new(
        state: &'a CampaignState<'a>,
        epoch: Epoch<'b>,
        source: &'a mut Source,
        log: &'a mut Log,
    ) -> Self {
        Self {
            state,
            epoch,
            source,
            log,
            cases: Vec::new(),
            good: 0,
            since_canary: 0,
            last_canary: Instant::now(),
            beside: false,
            leak_tried: false,
            complexity_tests_left: COMPLEXITY_TESTS_MAX,
            begun: Instant::now(),
        }
    }

    /// Runs cases until one of them is suspicious or the epoch is over.
    pub(super) fn run(mut self) -> EpochEnd {
        let time = TIME.max(self.epoch.target.pace.start * STARTS_MIN);
        let mut suspect = None;
        while suspect.is_none()
            && !self.state.is_over()
            && self.source.budget > 0
            && self.cases.len() < CASES_MAX
            && !self.log.is_full()
            && self.begun.elapsed() < time
        {
            suspect = self.case();
        }
        if suspect.is_none() {
            suspect = self.last_look();
        }
        if suspect.is_some()
            && let Some(trouble) = self.epoch.server().helper_trouble()
        {
            self.state.note(&format!(
                "an epoch ended because {trouble}; what the server did without it was not judged"
            ));
            suspect = None;
        }
        self.state
            .epoch_over(self.epoch.canaries, self.begun.elapsed());
        match suspect {
            Some(suspect) => EpochEnd::Suspect(Box::new(suspect)),
            None => EpochEnd::Calm,
        }
    }

    /// Runs one case and everything that follows it.
    fn case(&mut self) -> Option<Suspect> {
        let (case, in_corpus) = self.source.next();
        if let Err(error) = self.log.append(&case) {
            self.state
                .note(&format!("the case log cannot be written: {error}"));
        }
        // Where each connection takes long, most of the time is still for cases.
        let canary_time = CANARY_TIME.max(self.epoch.target.pace.exchange * CANARY_EXCHANGES);
        let canary_due =
            self.since_canary >= CANARY_CASES || self.last_canary.elapsed() >= canary_time;
        let (run, served) = if canary_due && self.beside && !self.epoch.target.sequential {
            let silence = self.epoch.target.silence;
            match self.epoch.run_beside_canary(&case, silence) {
                Ok((run, served)) => (run, Some(served)),
                Err(error) => return self.out_of_resources(&error),
            }
        } else {
            match self.epoch.run(&case) {
                Ok(run) => (run, None),
                Err(error) => return self.out_of_resources(&error),
            }
        };
        self.source.budget -= 1;
        self.state.executed();
        self.cases.push(case);
        if let Some(symptom) = alarm(&mut self.epoch)
            // The epoch continues if the server survives a known bug.
            && !(symptom.kind == FindingKind::Panic && self.state.is_known(&symptom.key))
        {
            return Some(self.suspect(symptom));
        }
        if let Some(Ok(took)) = &served
            && starvation::is_hint(&self.epoch, *took)
            && let Some(suspect) = self.starves()
        {
            return Some(suspect);
        }
        self.hints(&run, in_corpus)
            .or_else(|| self.canary(&run, canary_due, served.is_some()))
    }

    /// tcprove ran out of ports or descriptors: the epoch continues after a pause.
    fn out_of_resources(&mut self, error: &std::io::Error) -> Option<Suspect> {
        self.state
            .note(&format!("a case could not be run: {error}"));
        std::thread::sleep(OUT_OF_RESOURCES_PAUSE);
        None
    }

    fn suspect(&mut self, symptom: Symptom) -> Suspect {
        Suspect {
            symptom,
            good: self.good,
            cases: std::mem::take(&mut self.cases),
        }
    }

    fn newest(&self) -> Case {
        self.cases.last().cloned().unwrap_or_default()
    }

    /// Feeds the run to the feedback, and follows hints at bugs that only a test of their own can show.
    fn hints(&mut self, run: &CaseRun, in_corpus: bool) -> Option<Suspect> {
        let newest = self.cases.last()?;
        let shown = self.state.observations(newest, run);
        if in_corpus {
            self.state.take_in(newest, &shown);
        }
        let new = match in_corpus {
            true => Vec::new(),
            false => self.state.fresh(&shown),
        };
        let sampled = self.state.executions().is_multiple_of(DIVERGENCE_ONE_IN);
        if new.is_empty() && !sampled && run.cpu < COSTLY {
            return None;
        }
        let case = newest.clone();
        if !new.is_empty() {
            self.admit(&case, &new);
        }
        if (!new.is_empty() || sampled)
            && let Some(cut) = divergence::hint(&mut self.epoch, &case)
            && let Some(suspect) = self.diverges(cut)
        {
            return Some(suspect);
        }
        if run.cpu >= COSTLY && self.complexity_tests_left > 0 && complexity::is_scalable(&case) {
            self.complexity_tests_left -= 1;
            return self.grows(&case);
        }
        None
    }

    /// Adds a case to the corpus if its new observations recur when it runs again.
    fn admit(&mut self, case: &Case, new: &[u64]) {
        let Ok(again) = self.epoch.run(case) else {
            return;
        };
        let shown = self.state.observations(case, &again);
        let stable: Vec<u64> = new
            .iter()
            .copied()
            .filter(|one| shown.contains(one))
            .collect();
        if !stable.is_empty() {
            self.state.keep(case, &stable);
            if self.state.campaign.plan.cases.is_some() {
                self.source.corpus.push(case.clone());
            }
        }
    }

    fn diverges(&mut self, case: Case) -> Option<Suspect> {
        let mut other = self.epoch.another()?;
        let symptom = divergence::test(&mut other, &[], &case, Rigour::Full)?;
        Some(Suspect::alone(symptom, case))
    }

    fn grows(&mut self, case: &Case) -> Option<Suspect> {
        let mut other = self.epoch.another()?;
        let bytes_max = self.source.generator.bytes_max();
        let grown = complexity::grown(&mut other, case, bytes_max);
        let symptom = complexity::test(&mut other, &grown, Rigour::Quick)?;
        Some(Suspect::alone(symptom, grown))
    }

    fn starves(&mut self) -> Option<Suspect> {
        let case = self.newest();
        let mut other = self.epoch.another()?;
        let symptom = starvation::test(&mut other, &case, Rigour::Quick)?;
        Some(Suspect::alone(symptom, case))
    }

    /// Holds a canary every 64 cases or 50 ms, and earlier after connections that ended abnormally.
    fn canary(&mut self, run: &CaseRun, due: bool, held: bool) -> Option<Suspect> {
        self.since_canary += 1;
        for received in &run.observed.connections {
            match received.end {
                ConnectionEnd::Refused => self.since_canary = CANARY_CASES,
                ConnectionEnd::Reset => self.since_canary += RESET_CASES,
                ConnectionEnd::Eof | ConnectionEnd::Ours | ConnectionEnd::StillOpen => {}
            }
        }
        if held {
            self.healthy();
        } else if due || self.since_canary >= CANARY_CASES * 2 {
            let served = self.epoch.canary(self.epoch.target.silence);
            if let Some(symptom) = watch::judge_canary(&mut self.epoch, served) {
                return Some(self.suspect(symptom));
            }
            self.healthy();
            return self.leaks();
        }
        None
    }

    fn healthy(&mut self) {
        self.good = self.cases.len();
        self.since_canary = 0;
        self.last_canary = Instant::now();
        self.beside = !self.beside;
    }

    /// Looks for the leaking case if there are more descriptors or threads than at the beginning although all
    /// connections are closed.
    fn leaks(&mut self) -> Option<Suspect> {
        let baseline = self.epoch.baseline;
        let more = |epoch: &Epoch<'_>| {
            let now = epoch.vitals();
            let descriptors = now.descriptors.saturating_sub(baseline.descriptors);
            descriptors.max(now.threads.saturating_sub(baseline.threads)) >= LEAKED_MIN
        };
        if self.leak_tried || !more(&self.epoch) || self.epoch.until(RELEASE, |epoch| !more(epoch))
        {
            return None;
        }
        self.leak_tried = true;
        let recent = self.cases.iter().rev().take(LEAK_SUSPECTS_MAX).cloned();
        for case in recent.collect::<Vec<Case>>() {
            if self.state.is_over() {
                return None;
            }
            let before = self.epoch.vitals();
            for _ in 0..LEAK_RUNS {
                self.epoch.run(&case).ok()?;
            }
            self.epoch.until(RELEASE_QUICK, |epoch| {
                let now = epoch.vitals();
                now.descriptors <= before.descriptors && now.threads <= before.threads
            });
            let now = self.epoch.vitals();
            if now.ended.is_some() {
                return None;
            }
            let grown = now.descriptors >= before.descriptors + LEAK_GROWTH_MIN
                || now.threads >= before.threads + LEAK_GROWTH_MIN;
            if grown
                && let Some(mut other) = self.epoch.another()
                && let Some(symptom) = leak::test(&mut other, &case, Rigour::Quick)
            {
                return Some(Suspect::alone(symptom, case));
            }
        }
        None
    }

    /// Checks at the end of the epoch that the server is still healthy.
    fn last_look(&mut self) -> Option<Suspect> {
        watch::examine(&mut self.epoch)
            .map(|symptom| self.suspect(symptom))
            .or_else(|| self.leaks())
    }
}
