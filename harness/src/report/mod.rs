//! What a run came to, and one pure function per format that turns it into text.
//!
//! To add a format: one new file with a `render(&Report) -> String`, one line here.

pub mod annotations;
mod environment;
mod fuzz;
mod gate;
pub mod history;
#[cfg(feature = "cli")]
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
mod number;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod snapshots;
pub mod terminal;
#[cfg(test)]
mod tests;
mod wrap;

use serde::Serialize;

use crate::bench::SweepResult;
use crate::check::Outcome;
use crate::check::run::Counts;
use crate::load::{LoadResult, OverloadReport, SloReport, Workload};
use crate::plan::OnInconclusive;
use crate::talk::escape_text;

pub use environment::Environment;
pub(crate) use fuzz::printed;
pub use fuzz::{FuzzReport, ReplayItem, ReplayReport};
pub use gate::{GateReport, Stored};

/// The schema of the JSON.
pub const SCHEMA: &str = "tcprove/1";

/// The verdict of a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunVerdict {
    /// Everything that ran passed.
    Pass,
    /// Something failed.
    Fail,
    /// Nothing failed, and something could not be seen.
    Inconclusive,
    /// The run could not be made.
    Error,
}

/// Exit codes: an interface for scripts. The first that applies is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// A bug in tcprove.
    Bug = 70,
    /// Interrupted; what was measured is still written.
    Interrupted = 130,
    /// Usage or configuration.
    Usage = 2,
    /// The target could not start, be reached, or hold its own conversation.
    Target = 3,
    /// Findings, failed checks, a failed gate.
    Failed = 1,
    /// Inconclusive or invalid.
    Inconclusive = 5,
    /// Nothing ran.
    Nothing = 4,
    /// Pass.
    Pass = 0,
}

/// Why a run could not be made.
#[derive(Clone, Debug, Serialize)]
pub struct RunError {
    /// A stable word: `usage`, `config`, `target`, `internal`.
    pub code: &'static str,
    /// What happened, and what to do next.
    pub message: String,
    /// File, line and column, where there is one.
    pub location: Option<String>,
}

/// The target of a run, as it is reported.
#[derive(Clone, Debug, Serialize)]
pub struct TargetReport {
    /// Its name.
    pub name: String,
    /// Its command or address, as a reader would write it.
    pub command: String,
    /// Whether it is the built-in reference server.
    pub embedded: bool,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The command that was run.
    pub command: &'static str,
    /// Names this run.
    pub run_id: String,
    /// The seed of everything random.
    pub seed: u64,
    /// The plan, if one could be made.
    pub plan: Option<serde_json::Value>,
    /// Its hash.
    pub plan_hash: Option<String>,
    /// The machine.
    pub environment: Environment,
    /// The target.
    pub target: Option<TargetReport>,
    /// The verdict.
    pub verdict: RunVerdict,
    /// Why the run could not be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// Seconds of wall time.
    pub duration_s: f64,
    /// What the command came to.
    #[serde(flatten)]
    pub body: Body,
}

/// What a command came to.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// It came to nothing: it could not begin, or was interrupted before anything was measured.
    Nothing {},
    /// A battery.
    Check(Checked),
    /// Everything in one go.
    Run(Box<Whole>),
    /// A load.
    Load(Box<LoadReport>),
    /// A sweep.
    Sweep(Box<SweepReport>),
    /// A campaign.
    Fuzz(Box<FuzzReport>),
    /// Findings that were replayed.
    Replay(ReplayReport),
    /// A gate.
    Gate(Box<GateReport>),
}

/// Everything in one go: the battery, then what else was done, each a report of its own.
#[derive(Clone, Debug, Serialize)]
pub struct Whole {
    /// The battery.
    #[serde(flatten)]
    pub checked: Checked,
    /// A short campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuzz: Option<Report>,
    /// A quick sweep. It is for reading: no verdict depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bench: Option<Report>,
}

impl Whole {
    /// What was done after the battery.
    pub fn parts(&self) -> impl Iterator<Item = &Report> {
        self.fuzz.iter().chain(&self.bench)
    }
}

/// What a battery came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Checked {
    /// Counts of verdicts.
    pub counts: Counts,
    /// What stands in the way of a pass besides failed checks: stale waivers, required checks that
    /// did not come to a verdict.
    pub blockers: Vec<String>,
    /// The checks.
    pub outcomes: Vec<Outcome>,
}

/// What a sweep came to.
#[derive(Clone, Debug, Serialize)]
pub struct SweepReport {
    /// The cells and the answer.
    #[serde(flatten)]
    pub result: SweepResult,
}

/// What a load came to.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    /// What was put on the server; it is in the plan.
    #[serde(skip)]
    pub workload: Workload,
    /// What was measured.
    #[serde(flatten)]
    pub result: LoadResult,
    /// The highest rate that meets an objective, where that was asked for.
    pub slo: Option<SloReport>,
    /// What happens beyond the capacity, where that was asked for.
    pub overload: Option<OverloadReport>,
}

impl LoadReport {
    /// An objective was given and no rate meets it; or there are figures that cannot be trusted.
    fn verdict(&self) -> RunVerdict {
        let slo = self.slo.as_ref();
        let open = slo.is_some_and(|slo| slo.inconclusive.is_some())
            || self
                .overload
                .as_ref()
                .is_some_and(|over| over.inconclusive.is_some());
        match slo {
            Some(slo) if !open && slo.highest_passing_per_s.is_none() => RunVerdict::Fail,
            _ if open || !self.result.validity.valid => RunVerdict::Inconclusive,
            _ => RunVerdict::Pass,
        }
    }
}

impl Report {
    /// A report of a run that is about to begin.
    pub fn new(command: &'static str, seed: u64) -> Self {
        Self {
            schema: SCHEMA,
            command,
            run_id: run_id(seed),
            seed,
            plan: None,
            plan_hash: None,
            environment: Environment::read(),
            target: None,
            verdict: RunVerdict::Error,
            error: None,
            interrupted: false,
            duration_s: 0.0,
            body: Body::Check(Checked::default()),
        }
    }

    /// Takes the outcomes in and comes to a verdict.
    pub fn conclude(&mut self, outcomes: Vec<Outcome>, blockers: Vec<String>) {
        let counts = Counts::of(&outcomes);
        self.verdict = if counts.fail > 0 || !blockers.is_empty() {
            RunVerdict::Fail
        } else if counts.inconclusive > 0 || counts.ran() == 0 || self.interrupted {
            RunVerdict::Inconclusive
        } else {
            RunVerdict::Pass
        };
        self.body = Body::Check(Checked {
            counts,
            blockers,
            outcomes,
        });
    }

    /// Takes a load in and comes to a verdict.
    pub fn measured(&mut self, load: LoadReport) {
        self.verdict = match self.interrupted {
            true => RunVerdict::Inconclusive,
            false => load.verdict(),
        };
        self.body = Body::Load(Box::new(load));
    }

    /// Takes in what was done after the battery. A campaign that could not be held, because the server
    /// serves one client only, takes nothing away from the battery.
    pub fn completed(&mut self, fuzz: Option<Report>, bench: Option<Report>) {
        let checked = match std::mem::replace(&mut self.body, Body::Nothing {}) {
            Body::Check(checked) => checked,
            other => {
                self.body = other;
                return;
            }
        };
        let parts = || fuzz.iter().chain(&bench);
        self.interrupted |= parts().any(|part| part.interrupted);
        let fuzzed = fuzz.as_ref().map(|fuzz| fuzz.verdict);
        self.verdict = match (self.verdict, fuzzed) {
            (RunVerdict::Fail, _) | (_, Some(RunVerdict::Fail)) => RunVerdict::Fail,
            (RunVerdict::Pass, Some(RunVerdict::Inconclusive)) => RunVerdict::Inconclusive,
            (RunVerdict::Pass, _) if self.interrupted => RunVerdict::Inconclusive,
            (verdict, _) => verdict,
        };
        self.body = Body::Run(Box::new(Whole {
            checked,
            fuzz,
            bench,
        }));
    }

    /// Takes a sweep in and comes to a verdict: an answer needs cells that can be trusted.
    pub fn swept(&mut self, sweep: SweepReport) {
        let valid = sweep.result.cells.iter().any(|cell| cell.valid);
        self.verdict = match valid && !self.interrupted {
            true => RunVerdict::Pass,
            false => RunVerdict::Inconclusive,
        };
        self.body = Body::Sweep(Box::new(sweep));
    }

    /// Takes a campaign in and comes to a verdict. Whether it was interrupted must be known before.
    pub fn fuzzed(&mut self, fuzz: FuzzReport) {
        self.verdict = fuzz.verdict(self.interrupted);
        self.body = Body::Fuzz(Box::new(fuzz));
    }

    /// Takes replayed findings in and comes to a verdict. Whether it was interrupted must be known before.
    pub fn replayed(&mut self, replay: ReplayReport) {
        self.verdict = replay.verdict(self.interrupted);
        self.body = Body::Replay(replay);
    }

    /// Takes a gate in and comes to a verdict. Whether it was interrupted must be known before.
    pub fn gated(&mut self, gate: GateReport) {
        self.verdict = gate.verdict(self.interrupted);
        self.body = Body::Gate(Box::new(gate));
    }

    /// Takes the plan in, and its hash.
    pub fn planned(&mut self, plan: &impl Serialize, hash: String) {
        // A plan is plain data: it cannot fail to be written.
        self.plan = serde_json::to_value(plan).ok();
        self.plan_hash = Some(hash);
    }

    /// Whether nothing at all was looked at.
    fn nothing_ran(&self) -> bool {
        match &self.body {
            Body::Nothing {} => true,
            Body::Check(checked) => checked.counts.ran() == 0,
            Body::Run(whole) => whole.checked.counts.ran() == 0,
            Body::Load(_) | Body::Sweep(_) => false,
            Body::Fuzz(fuzz) => fuzz.result.executions == 0,
            Body::Replay(replay) => replay.items.is_empty(),
            Body::Gate(gate) => gate.is_empty(),
        }
    }

    /// The exit code, in the contract's order.
    pub fn exit_code(&self, on_inconclusive: OnInconclusive) -> ExitCode {
        let error = self.error.as_ref().map(|error| error.code);
        match self.verdict {
            _ if error == Some("internal") => ExitCode::Bug,
            _ if self.interrupted => ExitCode::Interrupted,
            _ if error == Some("target") => ExitCode::Target,
            _ if error.is_some() => ExitCode::Usage,
            RunVerdict::Error => ExitCode::Bug,
            RunVerdict::Fail => ExitCode::Failed,
            RunVerdict::Inconclusive if self.nothing_ran() => ExitCode::Nothing,
            RunVerdict::Inconclusive => match on_inconclusive {
                OnInconclusive::Pass => ExitCode::Pass,
                OnInconclusive::Fail => ExitCode::Failed,
                OnInconclusive::Exit5 => ExitCode::Inconclusive,
            },
            RunVerdict::Pass => ExitCode::Pass,
        }
    }
}

/// Lines of an error that are shown: what a server printed last may be a part of it.
const ERROR_LINES_MAX: usize = 40;

/// The message of an error, safe to show, line by line: parts of it come from the server.
fn safe_lines(message: &str) -> String {
    let lines = message.lines().take(ERROR_LINES_MAX);
    let lines: Vec<String> = lines.map(|line| escape_text(line, 400)).collect();
    lines.join("\n")
}

/// Sortable by time, unique for practical purposes.
fn run_id(seed: u64) -> String {
    let now = jiff::Timestamp::now();
    format!(
        "{}-{:04x}",
        now.strftime("%Y%m%dT%H%M%SZ"),
        (seed ^ u64::from(std::process::id())) & 0xffff
    )
}
