//! What a campaign has found.

use std::time::{Duration, Instant};

use super::Prove;
use super::apart::alone;
use super::error::{ProveError, Result};
use crate::check::blockers;
use crate::fuzz::campaign::{Campaign, CampaignError};
use crate::fuzz::feedback::FeedbackMode;
use crate::fuzz::plan::usual_jobs;
use crate::fuzz::reproducer::Recipe;
use crate::fuzz::{Finding, FuzzPlan};
use crate::process::Tmp;
use crate::report::{FuzzReport, terminal};
use crate::subject::Interrupt;

/// A campaign that was run, or why it could not be.
#[must_use = "the findings are in it: call assert_no_findings()"]
pub struct Fuzzed {
    result: Result<FuzzReport>,
    seed: u64,
}

impl Fuzzed {
    pub(super) fn run(prove: &Prove, duration: Duration) -> Self {
        Self {
            result: alone(|| fuzzed(prove, duration)),
            seed: prove.seed,
        }
    }

    /// Panics if a fresh server has shown a bug again. The message has, for each finding, what was seen, the smallest case
    /// that shows it, the folder with a program that repeats it, and what the server printed.
    ///
    /// # Panics
    /// There is such a finding, or the campaign could not be run or ran no case.
    #[track_caller]
    pub fn assert_no_findings(&self) {
        match &self.result {
            Err(error) => panic!("{error}"),
            Ok(report) if report.result.executions == 0 => {
                panic!("the campaign was too short to run a case")
            }
            Ok(report) if certain(report).next().is_some() => {
                panic!("{}\n(seed {})", terminal::campaign(report), self.seed)
            }
            Ok(_) => {}
        }
    }

    /// The findings that fresh servers have shown again.
    ///
    /// # Errors
    /// The campaign could not be run.
    pub fn findings(&self) -> Result<Vec<&Finding>> {
        let report = self.result.as_ref().map_err(Clone::clone)?;
        Ok(certain(report).collect())
    }

    /// Number of cases that were sent.
    ///
    /// # Errors
    /// The campaign could not be run.
    pub fn cases(&self) -> Result<u64> {
        let report = self.result.as_ref().map_err(Clone::clone)?;
        Ok(report.result.executions)
    }
}

fn certain(report: &FuzzReport) -> impl Iterator<Item = &Finding> {
    let findings = report.result.findings.iter();
    findings.filter(|finding| finding.counts() && finding.waived.is_none())
}

fn fuzzed(prove: &Prove, duration: Duration) -> Result<FuzzReport> {
    let begun = Instant::now();
    let prepared = prove.prepared()?;
    let scratch = Tmp::new().map_err(|error| {
        ProveError::Machine(format!("a temporary folder cannot be created: {error}"))
    })?;
    let several = prepared.subject.runs_beside_itself();
    let plan = FuzzPlan {
        jobs: if several { usual_jobs() } else { 1 },
        duration: Some(duration),
        cases: None,
        settle: false,
        inject: false,
        code: false,
        watch: false,
        stop_on_first: false,
        feedback: FeedbackMode::Auto,
        libraries: Vec::new(),
        member: None,
        sync: None,
        corpus: Some(scratch.path().join("corpus")),
        logs: scratch.path().to_owned(),
        out: prove.out.clone(),
    };
    let replay = format!("tcprove replay {{folder}} {}", prepared.words);
    let campaign = Campaign {
        recipe: Recipe::of(&prepared.subject, replay.trim_end().to_owned()),
        subject: prepared.subject,
        against: None,
        plan,
        strings: Vec::new(),
        waivers: blockers::in_force(&prepared.file.waive),
        interrupt: Interrupt::default(),
        begun,
    };
    let result = campaign.run(&|_| {}).map_err(refused)?;
    Ok(FuzzReport { result })
}

fn refused(error: CampaignError) -> ProveError {
    match error {
        CampaignError::Folder(..) | CampaignError::Corpus(_) => {
            ProveError::Machine(error.to_string())
        }
        _ => ProveError::Server(error.to_string()),
    }
}
