//! Runs the cases of one epoch: at most 10,000 cases or 5 s on one server.

mod admission;
mod leaks;
mod tests_of_hints;

use std::time::{Duration, Instant};

use crate::fuzz::Case;
use crate::fuzz::campaign::clock::{Activity, Weight};
use crate::fuzz::campaign::source::{Origin, Source};
use crate::fuzz::campaign::state::CampaignState;
use crate::fuzz::campaign::suspect::Suspect;
use crate::fuzz::coverage::Pace;
use crate::fuzz::epoch::{CaseRun, Epoch};
use crate::fuzz::log::Log;
use crate::fuzz::oracle::alarm::alarm;
use crate::fuzz::oracle::{Rigour, complexity, difference, injected, starvation, watch};
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::fuzz::wire::ConnectionEnd;
use crate::process::Mark;
use crate::session::PeerError;

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
/// Maximum complexity tests per epoch: on a slow server every long case looks costly.
const COMPLEXITY_TESTS_MAX: u32 = 3;
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
    /// The other server of a differential campaign, which runs the same cases.
    other: Option<Epoch<'b>>,
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
    /// What the server had printed before the newest case.
    printed: Mark,
    /// Cases since the last look of a source that does not look after each of them, and the number of its looks.
    unseen: Vec<Case>,
    looks: usize,
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
            other: None,
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
            unseen: Vec::new(),
            looks: epoch.looks().unwrap_or_default(),
            printed: epoch.server().printed(),
            epoch,
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
                "a server was replaced because {trouble}; what it did without that was not judged"
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
        let (begun, before) = (Instant::now(), self.source.effort.search);
        let (case, origin) = self.source.next(self.state, self.cases.is_empty());
        let is_search = origin.is_search();
        let suspect = self.run_case(case, origin);
        let effort = &mut self.source.effort;
        match is_search {
            true => effort.search = before + begun.elapsed(),
            // What was spent on a search meanwhile is counted already.
            false => {
                effort.others += begun.elapsed().saturating_sub(effort.search - before);
            }
        }
        suspect
    }

    fn run_case(&mut self, case: Case, origin: Origin) -> Option<Suspect> {
        self.elsewhere(&origin);
        if let Err(error) = self.log.append(&case) {
            self.state
                .note(&format!("the case log cannot be written: {error}"));
        }
        // Where each connection takes long, most of the time is still for cases.
        let canary_time = CANARY_TIME.max(self.epoch.target.pace.exchange * CANARY_EXCHANGES);
        let canary_due =
            self.since_canary >= CANARY_CASES || self.last_canary.elapsed() >= canary_time;
        self.printed = self.epoch.server().printed();
        let begun = Instant::now();
        let (run, served) =
            if canary_due && self.beside && !self.epoch.target.sequential && !case.injects() {
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
        if let Origin::Generated(Some(place)) = origin {
            let (took, limit) = (begun.elapsed(), self.epoch.target.limits.wait);
            self.source.corpus.took(place, took);
            if run.observed.in_vain > 0 || took >= limit {
                self.source.corpus.is_slow(place);
            }
        }
        self.source.budget -= 1;
        self.state.executed(&run.observed);
        self.state.clock.spend(Activity::Cases, begun.elapsed());
        self.cases.push(case);
        let begun = Instant::now();
        let suspect = self.look(&run, origin, canary_due, served);
        self.state.clock.spend(Activity::Looking, begun.elapsed());
        suspect
    }

    /// Everything that follows a case.
    fn look(
        &mut self,
        run: &CaseRun,
        origin: Origin,
        canary_due: bool,
        served: Option<Result<Duration, PeerError>>,
    ) -> Option<Suspect> {
        if let Some(symptom) = alarm(&mut self.epoch)
            // The epoch continues if the server survives a known bug.
            && !(symptom.kind == FindingKind::Panic && self.state.is_known(&symptom.key))
        {
            return Some(self.suspect(symptom));
        }
        if let Some(symptom) = injected::examine(&mut self.epoch) {
            return Some(self.suspect(symptom));
        }
        if let Some(Ok(took)) = &served
            && starvation::is_hint(&self.epoch, *took)
            && self.state.clock.may_test(Weight::Grave)
            && let Some(suspect) = self.starves()
        {
            return Some(suspect);
        }
        if let Some(suspect) = self.compares(run).or_else(|| self.floods()) {
            return Some(suspect);
        }
        self.hints(run, origin)
            .or_else(|| self.canary(run, canary_due, served.is_some()))
    }

    /// Lets the other server run the newest case too, and follows a difference between the replies.
    fn compares(&mut self, run: &CaseRun) -> Option<Suspect> {
        let target = self.epoch.target;
        let against = target.against.as_deref()?;
        let case = self.newest();
        if self.other.as_ref().is_none_or(Epoch::has_ended) {
            self.other = Epoch::start(against, self.epoch.runtime()).ok();
        }
        let other = self.other.as_mut()?;
        let kind = FindingKind::Difference;
        if !difference::is_hint(&mut self.epoch, other, &case, &run.observed)
            || !self.state.may_test(kind, &case)
        {
            return None;
        }
        let mut other = self.epoch.another()?;
        let symptom = difference::test(&mut other, &[], &case, Rigour::Full);
        let suspect = symptom.map(|symptom| Suspect::alone(symptom, case.clone()));
        self.state.tested(kind, &case, suspect)
    }

    /// tcprove ran out of ports or descriptors: the epoch continues after a pause.
    fn out_of_resources(&mut self, error: &std::io::Error) -> Option<Suspect> {
        if self.state.is_over() {
            return None;
        }
        self.state
            .note(&format!("a case could not be run: {error}"));
        std::thread::sleep(OUT_OF_RESOURCES_PAUSE);
        None
    }

    fn suspect(&mut self, symptom: Symptom) -> Suspect {
        Suspect::of(symptom, std::mem::take(&mut self.cases), self.good)
    }

    fn newest(&self) -> Case {
        self.cases.last().cloned().unwrap_or_default()
    }

    /// What the server has reached since the last case was none of the next case's doing, but may be that of the case before.
    fn elsewhere(&mut self, origin: &Origin) {
        let begins = match origin {
            Origin::Closely(turn) => turn.is_first || self.cases.is_empty(),
            Origin::Again(_) => true,
            Origin::Corpus { .. } | Origin::Generated(_) => false,
        };
        if self.epoch.looks().is_some() && begins {
            self.epoch.arm_again(&[]);
            self.looked();
        }
        let reached = self.epoch.reached(Pace::Free);
        if let Some(coverage) = self.state.coverage {
            let late = coverage.fresh(&reached);
            match self.cases.last() {
                // The server may have been slower than the client.
                Some(before)
                    if !late.is_empty()
                        && self.source.try_again(admission::patient(before), &late) => {}
                _ => coverage.not_again(&late),
            }
        }
    }

    /// Feeds the run to the feedback, and follows hints at bugs that only a test of their own can show.
    fn hints(&mut self, run: &CaseRun, origin: Origin) -> Option<Suspect> {
        let newest = self.cases.last()?;
        let shown = self.state.observations(newest, run);
        let reached = self.epoch.reached(self.pace(&origin));
        let mut places = match self.state.coverage {
            Some(coverage) => coverage.fresh(&reached),
            None => Vec::new(),
        };
        places = self.of_case_alone(places, &origin);
        let newest = self.cases.last()?;
        if let Origin::Corpus { of_fleet } = origin {
            self.state.take_in(newest, &shown, &places, of_fleet);
            places.clear();
        }
        if let Origin::Again(before) = &origin {
            let again: Vec<u32> = places.extract_if(.., |one| before.contains(one)).collect();
            self.state.keep(newest, &[], &again);
            if let Some(coverage) = self.state.coverage {
                coverage.not_again(before);
            }
        }
        let new = match origin {
            Origin::Corpus { .. } => Vec::new(),
            _ => self.state.fresh(&shown),
        };
        let sampled = self.state.executions().is_multiple_of(DIVERGENCE_ONE_IN);
        let is_new = !new.is_empty() || !places.is_empty();
        if !is_new && !sampled && run.cpu < COSTLY {
            return None;
        }
        let case = newest.clone();
        if is_new {
            let begun = Instant::now();
            let searches = !places.is_empty();
            self.admit(&case, &new, places, matches!(origin, Origin::Again(_)));
            if searches {
                self.source.effort.search += begun.elapsed();
            }
        }
        // What only one of two servers sees would make them differ.
        if self.other.is_some() || case.injects() {
            return None;
        }
        // What costs much is looked at first: the other test takes as long and finds what matters less.
        if run.cpu >= COSTLY
            && self.complexity_tests_left > 0
            && self.state.clock.may_test(Weight::Grave)
            && complexity::is_scalable(&self.epoch, &case)
            && self.state.may_test_cost(&case, run.cpu)
        {
            self.complexity_tests_left -= 1;
            let clock = &self.state.clock;
            if let Some(suspect) = clock.tests(|| self.grows(&case, run.cpu)) {
                return Some(suspect);
            }
        }
        if (!new.is_empty() || sampled)
            && self.state.clock.may_test(Weight::Minor)
            && self.state.may_test(FindingKind::Divergence, &case)
        {
            return self.state.clock.tests(|| self.diverges(&case));
        }
        None
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
            if let Some(other) = &mut self.other {
                // Both serve the same clients; whether this one does is not judged.
                let _ = other.canary(other.target.silence);
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

    /// Checks at the end of the epoch that the server is still healthy.
    fn last_look(&mut self) -> Option<Suspect> {
        watch::examine(&mut self.epoch)
            .map(|symptom| self.suspect(symptom))
            .or_else(|| self.leaks())
    }
}
