//! A campaign: lanes that run case after case, each on an instance of the server of its own, and what
//! becomes of everything suspicious they meet.
//!
//! A life of a server is an epoch. When something is wrong the epoch ends, `blame` finds the cases that
//! do it, `settle` confirms and minimizes them and writes them down, and the campaign goes on.

mod blame;
mod epoch;
mod lane;
mod settle;
mod shared;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::feedback::Guide;
use super::ground::Ground;
use super::life::Life;
use super::material::Material;
use super::reproducer::Recipe;
use super::{Case, Finding, Fuzzed, corpus, log};
use crate::event::{Event, Sink};
pub use crate::subject::runtime;
use crate::subject::{Interrupt, RehearsalError, Subject, Waiver, rehearse};
use shared::Shared;

/// A campaign ends after this, where nothing else was said.
pub const DURATION: Duration = Duration::from_secs(30);
/// Between two looks at how far a campaign has come.
const TICK: Duration = Duration::from_millis(200);
/// A second client beside a silent one is served within this, or clients wait for each other.
const SEQUENTIAL: Duration = Duration::from_millis(500);

/// What a campaign is to do; plain data, part of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct Orders {
    /// Instances of the server beside each other.
    pub jobs: usize,
    /// It ends after this; `None` where only cases count.
    pub duration: Option<Duration>,
    /// It ends after so many cases.
    pub cases: Option<u64>,
    /// It ends with the first finding.
    pub stop_on_first: bool,
    /// What guides it.
    pub feedback: Guide,
    /// Where the corpus is kept; `None`: nowhere.
    #[serde(skip)]
    pub corpus: Option<PathBuf>,
    /// Where the logs of epochs under way are kept.
    #[serde(skip)]
    pub logs: PathBuf,
    /// Where findings are kept.
    #[serde(skip)]
    pub out: PathBuf,
}

/// A campaign on one server.
pub struct Campaign {
    /// The server and its conversation.
    pub subject: Subject,
    /// What to do.
    pub orders: Orders,
    /// More words for the dictionary.
    pub strings: Vec<Vec<u8>>,
    /// Waivers of the file.
    pub waivers: Vec<Waiver>,
    /// What reproducers need to know.
    pub recipe: Recipe,
    /// Ends it early.
    pub interrupt: Interrupt,
}

/// Why a campaign could not be held.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The target does not start, or does not hold its own conversation.
    #[error("{0}")]
    Trial(Box<RehearsalError>),
    /// It serves one client and no more.
    #[error("the server serves one client only: {0}")]
    SingleClient(String),
    /// The corpus is none.
    #[error(transparent)]
    Corpus(#[from] corpus::CorpusError),
    /// A folder cannot be written.
    #[error("{0}: {1}")]
    Folder(PathBuf, std::io::Error),
}

impl From<RehearsalError> for CampaignError {
    fn from(error: RehearsalError) -> Self {
        Self::Trial(Box::new(error))
    }
}

impl Orders {
    fn findings(&self) -> PathBuf {
        self.out.join("findings")
    }
}

impl Campaign {
    /// Holds the campaign.
    ///
    /// # Errors
    /// It cannot begin. Once it has begun, whatever happens is in the result.
    pub fn run(&self, sink: Sink<'_>) -> Result<Fuzzed, CampaignError> {
        self.hold(sink, None)
    }

    /// Puts one and the same case over and over, looked after like any other: what the campaign itself costs.
    ///
    /// # Errors
    /// As [`Campaign::run`].
    pub fn repeat(&self, case: &Case, sink: Sink<'_>) -> Result<Fuzzed, CampaignError> {
        self.hold(sink, Some(case))
    }

    fn hold(&self, sink: Sink<'_>, only: Option<&Case>) -> Result<Fuzzed, CampaignError> {
        sink(Event::Rehearsing);
        let trial = rehearse(&self.subject, &self.interrupt)?;
        if let Some(why) = trial.single_client {
            return Err(CampaignError::SingleClient(why));
        }
        let mut ground = Ground::new(self.subject.clone(), &trial);
        std::fs::create_dir_all(&self.orders.logs)
            .map_err(|error| CampaignError::Folder(self.orders.logs.clone(), error))?;
        let kept = match &self.orders.corpus {
            Some(folder) => corpus::read(folder)?,
            None => Vec::new(),
        };
        let left = log::left_behind(&self.orders.logs);
        ground.sequential = is_sequential(&ground);
        let material = Arc::new(Material::of(
            &self.subject.talk,
            &self.subject.promise,
            self.subject.seed,
            &self.strings,
            self.subject.values(),
        ));
        let shared = Shared::new(self, sink);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for number in 0..self.orders.jobs.max(1) {
                let work = lane::Work {
                    number,
                    campaign: self,
                    ground: &ground,
                    shared: &shared,
                    // In CI: the corpus first, then new cases.
                    queue: share(&kept, number, self.orders.jobs),
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
            self.watch(&shared, begun);
        });
        shared.finish(&ground);
        log::clear(&self.orders.logs);
        Ok(self.result(shared, ground.sequential))
    }

    /// Tells how far it is, until all lanes have ended.
    fn watch(&self, shared: &Shared<'_>, begun: Instant) {
        let mut last = (begun, 0);
        while shared.lanes_left() > 0 {
            std::thread::sleep(TICK);
            let (now, executions) = (Instant::now(), shared.executions());
            let per_s = (executions - last.1) as f64 / (now - last.0).as_secs_f64();
            last = (now, executions);
            shared.tell(begun.elapsed(), per_s);
        }
    }

    fn result(&self, shared: Shared<'_>, sequential: bool) -> Fuzzed {
        let mut fuzzed = shared.result();
        fuzzed.jobs = self.orders.jobs;
        fuzzed.coverage.feedback = self.orders.feedback.name().into();
        if sequential {
            fuzzed.notes.push(
                "the server serves one connection at a time: starvation was not judged".into(),
            );
        }
        if self.subject.launch().is_none() {
            fuzzed.notes.push(
                "tcprove did not start this server: nothing could be confirmed on a fresh one, and its crash ends the campaign".into(),
            );
        }
        fuzzed
    }
}

/// This lane's part of the corpus.
fn share(cases: &[Case], lane: usize, lanes: usize) -> Vec<Case> {
    cases
        .iter()
        .skip(lane)
        .step_by(lanes.max(1))
        .cloned()
        .collect()
}

/// Whether a client that says nothing keeps others waiting.
fn is_sequential(ground: &Ground) -> bool {
    let runtime = runtime();
    let Ok(mut life) = Life::start(ground, &runtime) else {
        return false;
    };
    let silent = Case::default();
    let beside = life.run_beside_canary(&silent, SEQUENTIAL.max(ground.pace.exchange * 20));
    matches!(beside, Ok((_, Err(_))))
}

/// What is known of a waiver: its reason, if it is about this finding.
fn waived(waivers: &[Waiver], finding: &Finding) -> Option<String> {
    let about = |waiver: &&Waiver| {
        waiver
            .finding
            .as_ref()
            .is_some_and(|id| glob_match::glob_match(id, &finding.id))
    };
    waivers
        .iter()
        .find(about)
        .map(|waiver| waiver.reason.clone())
}

/// Evidence by name.
type Evidence = BTreeMap<String, serde_json::Value>;
