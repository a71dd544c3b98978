//! One lane: a thread with a server of its own that runs epoch after epoch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::clock::Activity;
use super::explorer::{EpochEnd, Explorer};
use super::news::hear;
use super::setup::Campaign;
use super::source::Source;
use super::state::CampaignState;
use super::suspect::Suspect;
use super::{growth, triage};
use crate::fuzz::Case;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::generate::Generator;
use crate::fuzz::log::Log;
use crate::fuzz::material::Material;
use crate::fuzz::oracle::{Rigour, conformance, pipeline, shows, watch};
use crate::fuzz::random::Random;
use crate::fuzz::symptom::FindingKind;
use crate::fuzz::target::FuzzTarget;
use crate::subject::runtime;

/// Maximum consecutive failed starts of the server before the lane gives up.
const FAILED_STARTS_MAX: u32 = 5;
/// Pause after a failed start, multiplied by the number of failures in a row.
const FAILED_START_PAUSE: Duration = Duration::from_millis(100);
/// The conformance probes take at most one in this many parts of the duration.
const PROBES_SHARE: u32 = 4;
/// Stands for the duration of a campaign with a number of cases instead. A probe too long for it is very slow, since
/// campaigns of this kind are to be repeatable.
const PROBES_UNTIMED: Duration = Duration::from_secs(240);
/// Timer slack of a lane, in nanoseconds, for precise pauses between the pieces of a send.
const TIMER_SLACK_NS: u64 = 1;

/// The work of one lane.
pub(super) struct Work<'a> {
    pub(super) number: usize,
    pub(super) campaign: &'a Campaign,
    pub(super) target: &'a FuzzTarget,
    pub(super) state: &'a CampaignState<'a>,
    /// Cases of the corpus, which come first.
    pub(super) queue: Vec<Case>,
    /// A case to repeat instead of generating new ones.
    pub(super) only: Option<&'a Case>,
    /// The lane goes on after the findings were confirmed again: it has run its probes before.
    pub(super) resumed: bool,
    /// Epochs that an earlier campaign did not finish because tcprove was killed.
    pub(super) left: Vec<Vec<Case>>,
}

impl Work<'_> {
    pub(super) fn run(mut self, material: Arc<Material>) {
        // If this fails, short sleeps are merely less precise.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(TIMER_SLACK_NS));
        self.all_epochs(material);
        self.state.lane_ended();
    }

    fn all_epochs(&mut self, material: Arc<Material>) {
        let runtime = runtime();
        let mut source = self.source(material.clone());
        for epoch in std::mem::take(&mut self.left) {
            self.look_again(&runtime, epoch);
        }
        if self.number == 0 && self.only.is_none() && !self.resumed {
            self.probe(&runtime);
        }
        if self.number + 1 == self.lanes() && self.only.is_none() && !self.resumed {
            self.probe_growth(&runtime, &material);
        }
        let logs = &self.campaign.plan.logs;
        let log = Log::begin(logs.join(format!("lane-{}.jsonl", self.number)));
        let finished = log.and_then(|mut log| {
            self.epochs(&runtime, &mut source, &mut log)?;
            log.done();
            Ok(())
        });
        if let Err(error) = finished {
            self.state
                .note(&format!("the case log cannot be written: {error}"));
        }
    }

    fn source(&mut self, material: Arc<Material>) -> Source {
        let lanes = self.lanes();
        let lane = |number: usize| u32::try_from(number).unwrap_or(0);
        let seed = self.campaign.subject.seed;
        let generator = Generator::new(material, seed, lane(self.number), lane(lanes));
        let random = Random::new(seed, !lane(self.number));
        let mut source = Source::new(generator, random, self.budget(lanes));
        source.queue = std::mem::take(&mut self.queue).into();
        source.only = self.only.cloned();
        source
    }

    fn epochs(&self, runtime: &Runtime, source: &mut Source, log: &mut Log) -> std::io::Result<()> {
        let mut failures = 0;
        while !self.state.is_over() && source.budget > 0 {
            hear(self.state);
            self.catch_up(runtime);
            let target = self.target.until(self.state.clock.exploring());
            let started = self.state.clock.timed(Activity::Starting, || {
                Epoch::begin(&target, runtime, self.state.coverage)
            });
            let mut epoch = match started {
                Ok(epoch) => epoch,
                Err(_) if self.state.is_over() => break,
                Err(error) => {
                    failures += 1;
                    self.state
                        .note(&format!("the server did not start again: {error}"));
                    if failures >= FAILED_STARTS_MAX || !self.target.is_fresh() {
                        return Ok(());
                    }
                    std::thread::sleep(FAILED_START_PAUSE * failures);
                    continue;
                }
            };
            failures = 0;
            // With a fixed number of cases, runs must be repeatable: lanes do not share their corpus then.
            if self.campaign.plan.cases.is_none() || self.lanes() == 1 {
                self.state.share(&mut source.corpus);
            }
            if self.waits_briefly() {
                epoch.waits_while_it_computes();
            }
            let explorer = Explorer::new(self.state, epoch, source, log);
            if let EpochEnd::Suspect(suspect) = explorer.run() {
                let first_seen = self.state.clock.begun.elapsed();
                self.triage(
                    runtime,
                    Suspect {
                        first_seen,
                        ..*suspect
                    },
                );
                if !self.target.is_fresh() {
                    return Ok(());
                }
            }
            log.restart()?;
        }
        Ok(())
    }

    fn lanes(&self) -> usize {
        self.campaign.plan.jobs.max(1)
    }

    /// Whether a case waits no longer than its server computes. Repeatable campaigns do not depend on when it does, two servers
    /// may rest at different times, and what is injected may come from a wait.
    fn waits_briefly(&self) -> bool {
        self.campaign.plan.cases.is_none() && self.target.against.is_none() && !self.target.inject
    }

    /// This lane's share of the requested number of cases.
    fn budget(&self, lanes: usize) -> u64 {
        let Some(cases) = self.campaign.plan.cases else {
            return u64::MAX;
        };
        let (lanes, number) = (lanes as u64, self.number as u64);
        cases / lanes + u64::from(number < cases % lanes)
    }

    /// Runs the conformance probes. With a server or a login that takes long for each connection, they could take all
    /// of the time.
    fn probe(&self, runtime: &Runtime) {
        let begun = Instant::now();
        let duration = self.campaign.plan.duration.unwrap_or(PROBES_UNTIMED);
        let most = duration / PROBES_SHARE;
        let is_over = || self.state.is_over() || begun.elapsed() >= most;
        // A filter would only cost time here.
        let target = self.target.filtered_for(&[]);
        let target = target.until(self.state.clock.exploring());
        let Ok(mut epoch) = Epoch::start(&target, runtime) else {
            return;
        };
        let mut breaches = pipeline::probe(&mut epoch, &is_over);
        breaches.extend(conformance::probe(&mut epoch, &is_over));
        let broke = watch::examine(&mut epoch);
        drop(epoch);
        let first_seen = self.state.clock.begun.elapsed();
        for breach in breaches {
            let suspect = Suspect {
                first_seen,
                ..Suspect::breach(breach)
            };
            self.triage(runtime, suspect);
        }
        if let Some(symptom) = broke {
            self.state.note(&format!(
                "after the conformance probes: {} (the campaign looks for the case)",
                symptom.title
            ));
        }
    }

    /// Looks for work that grows much faster than a request.
    fn probe_growth(&self, runtime: &Runtime, material: &Material) {
        let begun = Instant::now();
        // A filter would only cost time here.
        let target = self.target.filtered_for(&[]);
        let target = target.until(self.state.clock.exploring());
        let Ok(mut epoch) = Epoch::start(&target, runtime) else {
            return;
        };
        let is_enough = || growth::is_enough(self.state, begun);
        let suspects = growth::probe(self.state, &mut epoch, material, &is_enough);
        drop(epoch);
        for suspect in suspects {
            self.triage(runtime, suspect);
        }
    }

    /// Runs an epoch again that ended because tcprove was killed.
    fn look_again(&self, runtime: &Runtime, cases: Vec<Case>) {
        let target = self.target.until(self.state.clock.exploring());
        let symptom = shows(
            &target,
            runtime,
            &FindingKind::Crash.into(),
            &cases,
            Rigour::Full,
        );
        let outcome = match &symptom {
            Some(symptom) => format!("show a bug: {}", symptom.title),
            None => "show nothing".into(),
        };
        self.state.note(&format!(
            "an earlier campaign was killed; the {} cases that its server had seen, run again, {outcome}",
            cases.len()
        ));
        if let Some(symptom) = symptom {
            self.triage(runtime, Suspect::of(symptom, cases, 0));
        }
    }

    /// Settles what there was no time for, if there is now.
    fn catch_up(&self, runtime: &Runtime) {
        if let Some(weight) = self.state.postponed_weight()
            && let Some(claim) = self.state.clock.claim(weight)
            && let Some(suspect) = self.state.postponed()
        {
            let target = self.target.until(claim.deadline.clone());
            triage::settle(self.state, &target, runtime, suspect);
        }
    }

    fn triage(&self, runtime: &Runtime, suspect: Suspect) {
        if !self.state.is_first(&suspect.identity()) {
            return;
        }
        triage::suspect(self.state, self.target, runtime, suspect);
    }
}
