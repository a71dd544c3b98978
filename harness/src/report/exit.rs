//! Exit codes: an interface for scripts.

use schemars::JsonSchema;
use serde::Serialize;

/// The exit code of a run. Listed in the order in which they apply: the first that fits is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// A bug in tcprove.
    Bug = 70,
    /// Interrupted; what was measured is still written.
    Interrupted = 130,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The target could not start, be reached, or hold its own conversation.
    Target = 3,
    /// Findings, failed checks, or a failed gate.
    Failed = 1,
    /// Inconclusive or invalid.
    Inconclusive = 5,
    /// Nothing ran.
    Nothing = 4,
    /// Pass.
    Pass = 0,
}

/// What becomes of a run that is inconclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnInconclusive {
    /// It counts as passed.
    Pass,
    /// It counts as failed.
    Fail,
    /// It ends with exit code 5.
    #[default]
    Exit5,
}

impl OnInconclusive {
    /// The exit code of an inconclusive run.
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Pass => ExitCode::Pass,
            Self::Fail => ExitCode::Failed,
            Self::Exit5 => ExitCode::Inconclusive,
        }
    }
}
