//! Runs a campaign: rehearses the conversation, starts the lanes, and completes the findings at the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::setup::{Campaign, CampaignError};
use super::state::CampaignState;
use super::{lane, triage};
use crate::event::{Event, Sink};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::material::Material;
use crate::fuzz::target::FuzzTarget;
use crate::fuzz::{Case, FuzzResult, corpus, log};
use crate::subject::{rehearse, runtime};

/// Interval between two progress events.
const TICK: Duration = Duration::from_millis(200);
/// Minimum time limit of a second client beside a silent one; a server that exceeds it serves one client at a time.
const SEQUENTIAL: Duration = Duration::from_millis(500);
/// The same limit as a multiple of the usual exchange.
const SEQUENTIAL_EXCHANGES: u32 = 20;

impl Campaign {
    /// Runs the campaign.
    ///
    /// # Errors
    /// The campaign cannot start. Everything that happens later is part of the result.
    pub fn run(&self, sink: Sink<'_>) -> Result<FuzzResult, CampaignError> {
        self.hold(sink, None)
    }

    /// Runs the same case again and again, with all the checks of a campaign: measures the campaign's own cost.
    ///
    /// # Errors
    /// As [`Campaign::run`].
    pub fn repeat(&self, case: &Case, sink: Sink<'_>) -> Result<FuzzResult, CampaignError> {
        self.hold(sink, Some(case))
    }

    fn hold(&self, sink: Sink<'_>, only: Option<&Case>) -> Result<FuzzResult, CampaignError> {
        sink(Event::Rehearsing);
        let rehearsal = rehearse(&self.subject, &self.interrupt)?;
        if let Some(why) = rehearsal.single_client {
            return Err(CampaignError::SingleClient(why));
        }
        let mut target = FuzzTarget::new(self.subject.clone(), &rehearsal);
        std::fs::create_dir_all(&self.plan.logs)
            .map_err(|error| CampaignError::Folder(self.plan.logs.clone(), error))?;
        let kept = match &self.plan.corpus {
            Some(folder) => corpus::read(folder)?,
            None => Vec::new(),
        };
        let left = log::left_behind(&self.plan.logs);
        target.sequential = is_sequential(&target);
        let material = Arc::new(Material::of(
            &self.subject.talk,
            &self.subject.promise,
            self.subject.seed,
            &self.strings,
            self.subject.values(),
        ));
        let state = CampaignState::new(self, sink);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for number in 0..self.plan.jobs.max(1) {
                let work = lane::Work {
                    number,
                    campaign: self,
                    target: &target,
                    state: &state,
                    queue: share(&kept, number, self.plan.jobs),
                    only,
                    left: if number == 0 {
                        left.clone()
                    } else {
                        Vec::new()
                    },
                };
                let material = material.clone();
                scope.spawn(move || work.run(material));
            }
            watch(&state, begun);
        });
        triage::finish_all(&state, &target);
        log::clear(&self.plan.logs);
        Ok(self.result(state, target.sequential))
    }

    fn result(&self, state: CampaignState<'_>, sequential: bool) -> FuzzResult {
        let mut result = state.result();
        result.jobs = self.plan.jobs;
        result.coverage.feedback = self.plan.feedback.name().into();
        if sequential {
            result.notes.push(
                "the server serves one connection at a time, so starvation was not judged".into(),
            );
        }
        if self.subject.launch().is_none() {
            result.notes.push(
                "tcprove did not start this server, so nothing was confirmed on a fresh one, and a crash ends the campaign".into(),
            );
        }
        result
    }
}

/// Sends progress events until all lanes have ended.
fn watch(state: &CampaignState<'_>, begun: Instant) {
    let mut last = (begun, 0);
    while state.lanes_left() > 0 {
        std::thread::sleep(TICK);
        let (now, executions) = (Instant::now(), state.executions());
        let per_s = (executions - last.1) as f64 / (now - last.0).as_secs_f64();
        last = (now, executions);
        state.progress(begun.elapsed(), per_s);
    }
}

/// One lane's share of the corpus.
fn share(cases: &[Case], lane: usize, lanes: usize) -> Vec<Case> {
    cases
        .iter()
        .skip(lane)
        .step_by(lanes.max(1))
        .cloned()
        .collect()
}

/// Whether a silent client keeps other clients waiting.
fn is_sequential(target: &FuzzTarget) -> bool {
    let runtime = runtime();
    let Ok(mut epoch) = Epoch::start(target, &runtime) else {
        return false;
    };
    let silent = Case::default();
    let limit = SEQUENTIAL.max(target.pace.exchange * SEQUENTIAL_EXCHANGES);
    matches!(epoch.run_beside_canary(&silent, limit), Ok((_, Err(_))))
}
