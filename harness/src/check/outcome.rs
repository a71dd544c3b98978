//! Outcomes of checks. An outcome is data, never an error of tcprove.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::data::Actions;
use crate::process::StartFailure;
use crate::session::{OpeningError, PeerError};
use crate::talk::{Mismatch, RenderError};

/// The verdict of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// The requirement holds, and the stimulus is proved to have happened.
    Pass,
    /// The requirement does not hold, confirmed by a second attempt.
    Fail,
    /// Like `Fail`, for something that the server does not promise.
    Warn,
    /// The check does not apply; see the reason.
    Skip,
    /// The check reached no verdict; see the reason.
    Inconclusive,
}

/// How a server violates a requirement. A planted fault counts as caught only if the kind matches,
/// so that a crash does not satisfy every check.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FailureKind {
    /// The server's process ended.
    Died,
    /// A process of the server crashed, though the main process goes on.
    WorkerDied,
    /// The server did not listen in time.
    NotReady,
    /// A second instance started on the same port.
    DoubleStart,
    /// The server did not serve again after a restart.
    NoRestart,
    /// The server did not exit after its stop signal.
    IgnoredStop,
    /// An expected reply did not arrive (silence, or an early end of stream).
    LostReply,
    /// Processes were left behind.
    Orphans,
    /// A reply arrived, but not the expected one.
    WrongReply,
    /// An unexpected connection reset.
    Reset,
    /// Memory grew with the amount of data sent.
    Growth,
    /// Other clients were not served at the same time.
    Blocked,
    /// The server used CPU time while idle.
    Spin,
    /// Descriptors, threads or processes were not released.
    Leak,
    /// The server exited without an error message.
    Silent,
    /// A reply arrived too late.
    Slow,
    /// Connections were refused that should have been accepted.
    Refused,
    /// A request was accepted that should have been refused.
    Accepted,
    /// The server printed an excessive amount of log output.
    LogFlood,
    /// CPU time grew faster than the size of a request.
    Complexity,
    /// A connection stayed open longer than promised.
    NotClosed,
    /// The server did not say on which port it listens.
    Unannounced,
}

impl FailureKind {
    /// The kind of failure that this client error indicates.
    fn of(error: &PeerError) -> Self {
        match error {
            PeerError::Refused { .. } | PeerError::ConnectTimedOut { .. } => Self::Refused,
            PeerError::Reset { .. } => Self::Reset,
            PeerError::NotTaken { .. } | PeerError::NotRead { .. } => Self::Blocked,
            PeerError::Endless { .. }
            | PeerError::Wrong { .. }
            | PeerError::Tls(_)
            | PeerError::BeforeLogin { .. }
            | PeerError::Login(_) => Self::WrongReply,
            PeerError::Eof { .. }
            | PeerError::NoHandshake { .. }
            | PeerError::Silent { .. }
            | PeerError::NotClosed { .. }
            | PeerError::Unproven(_)
            | PeerError::Render(_)
            | PeerError::Harness(_) => Self::LostReply,
        }
    }

    /// The stable kebab-case name used in the JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Died => "died",
            Self::WorkerDied => "worker-died",
            Self::NotReady => "not-ready",
            Self::DoubleStart => "double-start",
            Self::NoRestart => "no-restart",
            Self::IgnoredStop => "ignored-stop",
            Self::LostReply => "lost-reply",
            Self::Orphans => "orphans",
            Self::WrongReply => "wrong-reply",
            Self::Reset => "reset",
            Self::Growth => "growth",
            Self::Blocked => "blocked",
            Self::Spin => "spin",
            Self::Leak => "leak",
            Self::Silent => "silent",
            Self::Slow => "slow",
            Self::Refused => "refused",
            Self::Accepted => "accepted",
            Self::LogFlood => "log-flood",
            Self::Complexity => "complexity",
            Self::NotClosed => "not-closed",
            Self::Unannounced => "unannounced",
        }
    }
}

/// A violated requirement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    /// How the requirement was violated.
    pub kind: FailureKind,
    /// What the server should have done, and what it did instead.
    pub mismatch: Mismatch,
    /// Where it was seen.
    pub seen: Seen,
}

/// Where a failure was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// By the check, which judged what followed its stimulus.
    ByCheck,
    /// In a step of the conversation, perhaps one that prepares the stimulus: the server refused, answered something else, or
    /// ended the connection.
    InStep,
    /// In a step for which the server took longer than the time limit.
    AsDelay,
}

impl Seen {
    fn of(error: &PeerError) -> Self {
        match error {
            PeerError::ConnectTimedOut { .. }
            | PeerError::NoHandshake { .. }
            | PeerError::Silent { .. }
            | PeerError::NotTaken { .. }
            | PeerError::NotRead { .. } => Self::AsDelay,
            _ => Self::InStep,
        }
    }
}

impl Failure {
    /// A failure of this kind.
    pub(crate) fn new(
        kind: FailureKind,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            mismatch: Mismatch::new(expected, actual),
            seen: Seen::ByCheck,
        }
    }
}

/// Why a check did not pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shortfall {
    /// The requirement does not hold.
    Failed(Failure),
    /// The requirement does not hold, in a way that is only worth a warning.
    Warned(Failure),
    /// The check does not apply.
    Skip(String),
    /// The check reached no verdict.
    Inconclusive(String),
}

/// The result of a step of a check.
pub(crate) type Checked<T = ()> = Result<T, Shortfall>;

/// Returns a failure.
pub(crate) fn failed<T>(
    kind: FailureKind,
    expected: impl Into<String>,
    actual: impl Into<String>,
) -> Checked<T> {
    Err(Shortfall::Failed(Failure::new(kind, expected, actual)))
}

/// Returns a warning.
pub(crate) fn warned<T>(
    kind: FailureKind,
    expected: impl Into<String>,
    actual: impl Into<String>,
) -> Checked<T> {
    Err(Shortfall::Warned(Failure::new(kind, expected, actual)))
}

/// Returns a skip with its reason.
pub(crate) fn skip<T>(reason: impl Into<String>) -> Checked<T> {
    Err(Shortfall::Skip(reason.into()))
}

/// Returns an inconclusive result with its reason.
pub(crate) fn inconclusive<T>(reason: impl Into<String>) -> Checked<T> {
    Err(Shortfall::Inconclusive(reason.into()))
}

/// Adds context to the failure of a step.
pub(crate) trait Ascribe<T> {
    /// Replaces kind and expectation of a failure; leaves other results unchanged.
    fn ascribe(self, kind: FailureKind, expected: &str) -> Checked<T>;

    /// Prefixes what happened with the place in the check; leaves other results unchanged.
    fn at(self, place: impl FnOnce() -> String) -> Checked<T>;
}

impl<T, E: Into<Shortfall>> Ascribe<T> for Result<T, E> {
    fn ascribe(self, kind: FailureKind, expected: &str) -> Checked<T> {
        self.map_err(|error| match error.into() {
            Shortfall::Failed(failure) => Shortfall::Failed(Failure {
                seen: failure.seen,
                ..Failure::new(kind, expected, failure.mismatch.actual)
            }),
            other => other,
        })
    }

    fn at(self, place: impl FnOnce() -> String) -> Checked<T> {
        self.map_err(|error| error.into().at(&place()))
    }
}

/// Errors caused by the server are failures; errors on the client's side and unproven stimuli are
/// not.
impl From<PeerError> for Shortfall {
    fn from(error: PeerError) -> Self {
        match (error.mismatch(), &error) {
            (Some(mismatch), _) => Self::Failed(Failure {
                kind: FailureKind::of(&error),
                mismatch,
                seen: Seen::of(&error),
            }),
            (None, PeerError::Render(unsayable)) => Self::Skip(told(unsayable)),
            (None, _) => Self::Inconclusive(error.to_string()),
        }
    }
}

/// Why a check cannot send what it wants to, for the user.
fn told(unsayable: &RenderError) -> String {
    match unsayable {
        RenderError::Json(why) => format!(
            "`expect` is JSON, and is none any more with the bytes that this check sends in it ({why}); {{json:payload}} in `send` and \
             `expect` writes them with escapes, as far as JSON can contain them"
        ),
        RenderError::NotText(name) => format!(
            "{{json:{name}}} writes JSON, which is UTF-8 text and cannot contain the bytes that this check sends"
        ),
        other => other.to_string(),
    }
}

/// A failed exchange of the opening names its place in the talk.
impl From<OpeningError> for Shortfall {
    fn from(opening: OpeningError) -> Self {
        Self::from(opening.error).at(&opening.label)
    }
}

impl Shortfall {
    /// Prefixes what happened in a failure with its place; leaves other shortfalls unchanged.
    fn at(self, place: &str) -> Self {
        match self {
            Self::Failed(mut failure) => {
                let actual = &mut failure.mismatch.actual;
                *actual = format!("{place}: {actual}");
                Self::Failed(failure)
            }
            other => other,
        }
    }
}

/// A server that does not start fails the check, unless the client's side is at fault.
impl From<StartFailure> for Shortfall {
    fn from(failure: StartFailure) -> Self {
        if failure.is_harness() {
            return Self::Inconclusive(failure.to_string());
        }
        Self::Failed(Failure::new(
            FailureKind::NotReady,
            "the server starts and listens",
            failure.to_string(),
        ))
    }
}

/// The reported result of one check.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Outcome {
    /// The id of the check.
    pub id: &'static str,
    /// The group of the check.
    pub group: &'static str,
    /// The verdict.
    pub outcome: Verdict,
    /// How the server violated the requirement.
    pub kind: Option<FailureKind>,
    /// What must hold, and the source of the requirement.
    pub requirement: &'static str,
    /// What should have happened, of a check that fell short.
    pub expected: Option<String>,
    /// What happened, of a check that fell short.
    pub actual: Option<String>,
    /// Why the check was skipped or reached no verdict.
    pub reason: Option<String>,
    /// What would enable the check, if it was skipped: lines of the file, or arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub enable: Vec<&'static str>,
    /// Measured values and the steps taken.
    pub evidence: Map<String, Value>,
    /// Who did what when in the attempt that fell short; empty if none did.
    #[serde(skip_serializing_if = "Actions::is_empty")]
    pub transcript: Actions,
    /// How tcprove knows that the stimulus happened.
    pub stimulus_proof: Option<String>,
    /// Number of attempts.
    pub attempts: u32,
    /// Result of the same check on the reference server, if it was run there.
    pub control: Option<String>,
    /// The reason of the waiver that covers this failure.
    pub waived: Option<String>,
    /// Total duration of all attempts; milliseconds in the JSON.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    #[schemars(with = "u64")]
    pub duration: Duration,
    /// When each attempt ran. Empty if the outcome was merged from parts, whose clocks differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ran: Vec<Ran>,
    /// A command that repeats the check.
    pub reproduce: String,
    /// A shell command that repeats the stimulus without tcprove. Empty if there is none for this server.
    pub by_hand: String,
    /// What to look at, and which promise or waiver applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The id of the cause that this failure probably shares with others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
}

/// When an attempt ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct Ran {
    /// Time from the start of the first check of the battery.
    #[serde(rename = "begin_ms", serialize_with = "milliseconds")]
    #[schemars(with = "u64")]
    pub begin: Duration,
    /// Its duration.
    #[serde(rename = "took_ms", serialize_with = "milliseconds")]
    #[schemars(with = "u64")]
    pub took: Duration,
}

fn milliseconds<S: serde::Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

impl Outcome {
    /// The verdict as one word. A waived failure is "waived".
    pub(crate) fn word(&self) -> &'static str {
        match self.outcome {
            _ if self.waived.is_some() => "waived",
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Warn => "warn",
            Verdict::Skip => "skip",
            Verdict::Inconclusive => "inconclusive",
        }
    }

    /// Whether the check failed and no waiver covers it.
    pub(crate) fn fails(&self) -> bool {
        self.outcome == Verdict::Fail && self.waived.is_none()
    }

    /// Whether the outcome is a statement about the server.
    pub(crate) fn is_about_the_server(&self) -> bool {
        matches!(self.outcome, Verdict::Fail | Verdict::Warn)
    }

    /// Whether what happened contains this.
    pub(crate) fn says(&self, part: &str) -> bool {
        let actual = self.actual.as_deref();
        actual.is_some_and(|actual| actual.contains(part))
    }

    /// Whether reports show the outcome in detail rather than on one line.
    pub(crate) fn needs_details(&self) -> bool {
        match self.outcome {
            Verdict::Fail | Verdict::Warn => true,
            Verdict::Inconclusive => self.kind.is_some() || !self.evidence.is_empty(),
            Verdict::Pass | Verdict::Skip => false,
        }
    }
}
