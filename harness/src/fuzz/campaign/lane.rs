//! One lane: a thread with an instance of the server of its own, epoch after epoch.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::epoch::{Epoch, Over};
use super::shared::Shared;
use super::{Campaign, settle};
use crate::fuzz::generate::Generator;
use crate::fuzz::ground::Ground;
use crate::fuzz::life::Life;
use crate::fuzz::log::Log;
use crate::fuzz::material::Material;
use crate::fuzz::oracle::{Rigour, Symptom, conformance, shows};
use crate::fuzz::{Case, Kind};
use crate::subject::runtime;

/// A server that does not start any more is tried so often before the lane gives up.
const STARTS_MAX: u32 = 5;
/// Lanes sleep this precisely between two pieces of a send.
const TIMER_SLACK_NS: u64 = 1;

/// What one lane has to do.
pub(super) struct Work<'a> {
    pub(super) number: usize,
    pub(super) campaign: &'a Campaign,
    pub(super) ground: &'a Ground,
    pub(super) shared: &'a Shared<'a>,
    /// The corpus comes first.
    pub(super) queue: Vec<Case>,
    /// The one case to run, rather than what the generator makes.
    pub(super) only: Option<&'a Case>,
    /// Epochs that an earlier campaign left behind when it was ended.
    pub(super) left: Vec<Vec<Case>>,
}

/// What an epoch takes its cases from.
pub(super) struct Source {
    /// Cases that come first, and belong to the corpus.
    pub(super) queue: VecDeque<Case>,
    /// Comes over and over, where it is given.
    pub(super) only: Option<Case>,
    pub(super) generator: Generator,
    /// The corpus as this lane knows it.
    pub(super) corpus: Vec<Case>,
    /// Cases that this lane may still run.
    pub(super) budget: u64,
}

impl Source {
    /// The next case, and whether it belongs to the corpus already.
    pub(super) fn next(&mut self) -> (Case, bool) {
        if let Some(case) = self.queue.pop_front() {
            return (case, true);
        }
        let case = match &self.only {
            Some(case) => case.clone(),
            None => self.generator.next(&self.corpus).case,
        };
        (case, false)
    }
}

impl Work<'_> {
    pub(super) fn run(mut self, material: Arc<Material>) {
        // Only the precision of short sleeps is lost where this fails.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(TIMER_SLACK_NS));
        self.all_epochs(material);
        self.shared.lane_ended();
    }

    fn all_epochs(&mut self, material: Arc<Material>) {
        let runtime = runtime();
        let lanes = self.campaign.orders.jobs.max(1);
        let lane = |number: usize| u32::try_from(number).unwrap_or(0);
        let seed = self.campaign.subject.seed;
        let mut source = Source {
            queue: std::mem::take(&mut self.queue).into(),
            only: self.only.cloned(),
            generator: Generator::new(material, seed, lane(self.number), lane(lanes)),
            corpus: Vec::new(),
            budget: self.budget(lanes),
        };
        let place = self
            .campaign
            .orders
            .logs
            .join(format!("lane-{}.jsonl", self.number));
        for epoch in std::mem::take(&mut self.left) {
            self.look_again(&runtime, epoch);
        }
        if self.number == 0 && self.only.is_none() {
            self.probe(&runtime);
        }
        let mut log = match Log::begin(place) {
            Ok(log) => log,
            Err(error) => {
                return self
                    .shared
                    .note(&format!("the log cannot be written: {error}"));
            }
        };
        let mut failures = 0;
        while !self.shared.is_over() && source.budget > 0 {
            let life = match Life::start(self.ground, &runtime) {
                Ok(life) => life,
                Err(error) => {
                    failures += 1;
                    self.shared
                        .note(&format!("the server did not start again: {error}"));
                    if failures >= STARTS_MAX || !self.ground.is_fresh() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(100) * failures);
                    continue;
                }
            };
            failures = 0;
            // With a given number of cases two runs do the same: lanes do not learn from each other then.
            if self.campaign.orders.cases.is_none() || lanes == 1 {
                source.corpus = self.shared.corpus();
            }
            let epoch = Epoch::new(self.shared, life, &mut source, &mut log);
            if let Over::Suspect(suspect) = epoch.run() {
                self.blame(&runtime, *suspect);
                if !self.ground.is_fresh() {
                    break;
                }
            }
            if let Err(error) = log.restart() {
                return self
                    .shared
                    .note(&format!("the log cannot be written: {error}"));
            }
        }
        log.done();
    }

    /// Cases of this lane, of those that were asked for.
    fn budget(&self, lanes: usize) -> u64 {
        let Some(cases) = self.campaign.orders.cases else {
            return u64::MAX;
        };
        let (lanes, number) = (lanes as u64, self.number as u64);
        cases / lanes + u64::from(number < cases % lanes)
    }

    /// Puts the talk's own probes to the server.
    fn probe(&self, runtime: &Runtime) {
        let Ok(mut life) = Life::start(self.ground, runtime) else {
            return;
        };
        let breaches = conformance::probe(&mut life, &|| self.shared.is_over());
        // It may not have survived them.
        let broke = life.examine();
        drop(life);
        for breach in breaches {
            if self.shared.is_first(&breach.symptom.key) {
                settle::breach(self.shared, self.ground, runtime, breach);
            }
        }
        if let Some(symptom) = broke {
            self.shared.note(&format!(
                "after the talk's own probes: {} (the campaign looks for the case)",
                symptom.title
            ));
        }
    }

    /// An epoch that was cut off by the end of tcprove: does it still do harm?
    fn look_again(&self, runtime: &Runtime, cases: Vec<Case>) {
        let symptom = shows(
            self.ground,
            runtime,
            &Kind::Crash.into(),
            &cases,
            Rigour::Full,
        );
        let what = match &symptom {
            Some(symptom) => format!("shows it again: {}", symptom.title),
            None => "does no harm".into(),
        };
        self.shared.note(&format!(
            "an earlier campaign was ended in the middle of an epoch; run again it {what} ({} cases)",
            cases.len()
        ));
        if let Some(symptom) = symptom {
            self.blame(
                runtime,
                Suspect {
                    symptom,
                    good: 0,
                    cases,
                },
            );
        }
    }

    fn blame(&self, runtime: &Runtime, suspect: Suspect) {
        if !self.shared.is_first(&suspect.symptom.key) {
            return;
        }
        settle::suspect(self.shared, self.ground, runtime, suspect);
    }
}

/// Something was seen, and one or several of these cases have done it.
pub(super) struct Suspect {
    pub(super) symptom: Symptom,
    /// Cases before this one were followed by a healthy look.
    pub(super) good: usize,
    /// The whole epoch.
    pub(super) cases: Vec<Case>,
}

impl Suspect {
    /// One case, seen alone.
    pub(super) fn alone(symptom: Symptom, case: Case) -> Self {
        Self {
            symptom,
            good: 0,
            cases: vec![case],
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.symptom.kind
    }
}
