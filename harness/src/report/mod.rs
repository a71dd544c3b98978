//! The report of a run, and one pure function per format that turns it into text.
//!
//! To add a format: one new file with a `render(&Report) -> String`, one line here.

pub(crate) mod annotations;
mod behaviour;
mod body;
mod check;
mod decided;
mod environment;
mod error;
mod exit;
mod functions;
mod fuzz;
mod gate;
pub(crate) mod history;
#[cfg(feature = "cli")]
pub(crate) mod html;
pub(crate) mod json;
#[cfg(feature = "cli")]
pub(crate) mod junit;
#[cfg(feature = "cli")]
pub(crate) mod lcov;
mod learned;
pub(crate) mod markdown;
mod number;
mod parts;
mod plan;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
#[cfg(feature = "cli")]
mod sample_check;
#[cfg(feature = "cli")]
pub(crate) mod sarif;
#[cfg(feature = "cli")]
pub(crate) mod schema;
mod since;
#[cfg(test)]
mod snapshots;
pub(crate) mod terminal;
#[cfg(test)]
mod tests;
#[cfg(feature = "cli")]
pub(crate) mod trace;
mod trends;
mod wrap;

pub(crate) use behaviour::{Behaviour, BehaviourChange, ChangeKind, compare};
pub(crate) use body::{Body, CallSweepReport, LoadReport, ObserverReport, SweepReport, Whole};
pub(crate) use check::CheckReport;
pub(crate) use environment::Environment;
pub(crate) use error::{ErrorCode, RunError};
pub(crate) use exit::{ExitCode, OnInconclusive};
use fuzz::Standing;
pub(crate) use fuzz::{FuzzReport, ReplayItem, ReplayReport};
pub(crate) use gate::{Contents, GateReport, Stored};
pub(crate) use learned::Learned;
pub(crate) use plan::{RunPlan, Servers};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub(crate) use since::Since;
pub(crate) use trends::HistoryReport;

use crate::text::{ends, escape_text, left_out_mark};

/// The schema of the JSON.
pub(crate) const SCHEMA: &str = "tcprove/1";

/// The verdict of a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RunVerdict {
    /// Everything that ran passed.
    Pass,
    /// Something failed.
    Fail,
    /// Nothing failed, and something could not be examined.
    Inconclusive,
    /// The run could not be made.
    Error,
}

impl RunVerdict {
    /// The word in the JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
        }
    }
}

/// The target of a run, as it is reported.
#[derive(Clone, Debug, JsonSchema, Serialize, Deserialize)]
pub(crate) struct TargetReport {
    /// Its name.
    pub name: String,
    /// Its command or address, as a reader would write it.
    pub command: String,
    /// The commands of its helpers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
    /// Whether it is the built-in reference server.
    pub embedded: bool,
}

impl TargetReport {
    /// Its command, and those of its helpers.
    pub(crate) fn commands(&self) -> String {
        let beside = self
            .beside
            .iter()
            .map(|command| format!(", beside {command}"));
        self.command.clone() + &beside.collect::<String>()
    }
}

/// What is known about a run besides its result.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Header {
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
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// Seconds of wall time.
    pub duration_s: f64,
}

/// The report of a run. Made once, when the run is over.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Report {
    /// The version of this format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// What is known about the run besides its result.
    #[serde(flatten)]
    pub header: Header,
    /// The verdict.
    pub verdict: RunVerdict,
    /// Why the run could not be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// The result.
    #[serde(flatten)]
    pub body: Body,
}

impl Report {
    /// The report of a run that ended with this result.
    pub(crate) fn new(header: Header, result: Result<Body, RunError>) -> Self {
        let (body, error) = match result {
            Ok(body) => {
                let error = body.error();
                (body, error)
            }
            Err(error) => (Body::empty(header.command), Some(error)),
        };
        let verdict = if error.is_some() && body.is_empty() {
            RunVerdict::Error
        } else {
            body.verdict(header.interrupted)
        };
        Self {
            schema: SCHEMA,
            header,
            verdict,
            error,
            body,
        }
    }

    /// Whether nothing at all was examined.
    pub(crate) fn has_no_result(&self) -> bool {
        self.body.is_empty()
    }

    /// The exit code: the first that applies, in the order of [`ExitCode`].
    pub(crate) fn exit_code(&self, on_inconclusive: OnInconclusive) -> ExitCode {
        let error = self.error.as_ref().map(RunError::exit_code);
        match (error, self.verdict) {
            (Some(ExitCode::Bug), _) => ExitCode::Bug,
            _ if self.header.interrupted => ExitCode::Interrupted,
            (Some(code), _) => code,
            (None, RunVerdict::Error) => ExitCode::Bug,
            (None, RunVerdict::Fail) => ExitCode::Failed,
            (None, RunVerdict::Inconclusive) if self.body.is_empty() => ExitCode::Nothing,
            (None, RunVerdict::Inconclusive) => on_inconclusive.exit_code(),
            (None, RunVerdict::Pass) => ExitCode::Pass,
        }
    }
}

/// Lines of an error that are shown: the last output of a server may be part of it.
const ERROR_LINES_MAX: usize = 40;

/// The message of an error, safe to show, line by line: parts of it come from the server.
fn safe_lines(message: &str) -> String {
    let lines: Vec<&str> = message.lines().collect();
    let (first, left_out, last) = ends(&lines, ERROR_LINES_MAX);
    let show = |line: &&str| escape_text(line, 400);
    let mut shown: Vec<String> = first.iter().map(show).collect();
    shown.extend(left_out_mark(left_out));
    shown.extend(last.iter().map(show));
    shown.join("\n")
}
