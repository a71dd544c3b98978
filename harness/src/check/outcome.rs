//! What a check comes to. An outcome is data: nothing here is an error of tcprove.

use crate::process::StartFailure;
use crate::session::{OpeningError, PeerError};
use crate::talk::Mismatch;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// The verdict of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The requirement holds, and the stimulus is proved to have happened.
    Pass,
    /// The requirement does not hold, twice.
    Fail,
    /// As `Fail`, for something the server has not promised.
    Warn,
    /// The check does not apply; the reason is in the outcome.
    Skip,
    /// The check could not see; the reason is in the outcome.
    Inconclusive,
}

/// In which way the server fell short. A planted fault counts as caught only if the kind matches:
/// a crash must not "catch" everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The server's process ended.
    Died,
    /// It did not listen in time.
    NotReady,
    /// A second instance started on the same port.
    DoubleStart,
    /// It did not come back after a restart.
    NoRestart,
    /// It did not end after its stop signal.
    IgnoredStop,
    /// A reply that was due did not come (silence, or an early end of the stream).
    LostReply,
    /// Processes were left behind.
    Orphans,
    /// A reply came, and was not the one expected.
    WrongReply,
    /// A reset where none is due.
    Reset,
    /// Memory grew with what was sent.
    Growth,
    /// Others were not served meanwhile.
    Blocked,
    /// It used the processor with nothing to do.
    Spin,
    /// Descriptors, threads or processes were not given back.
    Leak,
    /// It ended without a word.
    Silent,
    /// A reply came too late.
    Slow,
    /// Connections were refused that should have been accepted.
    Refused,
    /// What should have been refused was accepted.
    Accepted,
    /// It wrote without measure.
    LogFlood,
}

impl Kind {
    /// In which way a server falls short that makes its client meet this error.
    fn of(error: &PeerError) -> Self {
        match error {
            PeerError::Refused { .. } | PeerError::ConnectTimedOut { .. } => Self::Refused,
            PeerError::Reset { .. } => Self::Reset,
            PeerError::NotTaken { .. } | PeerError::NotRead { .. } => Self::Blocked,
            PeerError::Endless { .. } | PeerError::Wrong { .. } => Self::WrongReply,
            PeerError::Eof { .. }
            | PeerError::Silent { .. }
            | PeerError::Unproven(_)
            | PeerError::Render(_)
            | PeerError::Harness(_) => Self::LostReply,
        }
    }

    /// The stable kebab-case name, as in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Died => "died",
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
        }
    }
}

/// The server fell short of a requirement.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// In which way.
    pub kind: Kind,
    /// What should have been.
    pub expected: String,
    /// What was.
    pub actual: String,
}

/// Why a check did not pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Shortfall {
    /// The requirement does not hold.
    Failed(Failure),
    /// It does not hold in a way that only deserves a warning.
    Warned(Failure),
    /// The check does not apply.
    Skip(String),
    /// The check could not see.
    Inconclusive(String),
}

/// What the body of a check returns.
pub type Checked<T = ()> = Result<T, Shortfall>;

/// A failure, ready to be returned.
pub fn failed<T>(kind: Kind, expected: impl Into<String>, actual: impl Into<String>) -> Checked<T> {
    Err(Shortfall::Failed(Failure {
        kind,
        expected: expected.into(),
        actual: actual.into(),
    }))
}

/// A warning, ready to be returned.
pub fn warned<T>(kind: Kind, expected: impl Into<String>, actual: impl Into<String>) -> Checked<T> {
    Err(Shortfall::Warned(Failure {
        kind,
        expected: expected.into(),
        actual: actual.into(),
    }))
}

/// A skip with its reason.
pub fn skip<T>(reason: impl Into<String>) -> Checked<T> {
    Err(Shortfall::Skip(reason.into()))
}

/// An inconclusive result with its reason.
pub fn inconclusive<T>(reason: impl Into<String>) -> Checked<T> {
    Err(Shortfall::Inconclusive(reason.into()))
}

/// Gives the failure of a step the kind and the expectation of the check it is a part of.
pub trait Ascribe<T> {
    /// Replaces kind and expectation of a failure; everything else is left as it is.
    fn ascribe(self, kind: Kind, expected: &str) -> Checked<T>;

    /// Says where in the check a failure happened; everything else is left as it is.
    fn at(self, place: impl FnOnce() -> String) -> Checked<T>;
}

impl<T, E: Into<Shortfall>> Ascribe<T> for Result<T, E> {
    fn ascribe(self, kind: Kind, expected: &str) -> Checked<T> {
        self.map_err(|error| match error.into() {
            Shortfall::Failed(failure) => Shortfall::Failed(Failure {
                kind,
                expected: expected.into(),
                actual: failure.actual,
            }),
            other => other,
        })
    }

    fn at(self, place: impl FnOnce() -> String) -> Checked<T> {
        self.map_err(|error| match error.into() {
            Shortfall::Failed(failure) => Shortfall::Failed(Failure {
                actual: format!("{}: {}", place(), failure.actual),
                ..failure
            }),
            other => other,
        })
    }
}

/// What the peer did counts against it; what failed on our side, or could not be proved, does not.
impl From<PeerError> for Shortfall {
    fn from(error: PeerError) -> Self {
        let Some(Mismatch { expected, actual }) = error.mismatch() else {
            return match error {
                PeerError::Render(_) => Self::Skip(error.to_string()),
                _ => Self::Inconclusive(error.to_string()),
            };
        };
        Self::Failed(Failure {
            kind: Kind::of(&error),
            expected,
            actual,
        })
    }
}

/// As for any other exchange, with the place in the talk.
impl From<OpeningError> for Shortfall {
    fn from(opening: OpeningError) -> Self {
        match Self::from(opening.error) {
            Self::Failed(failure) => Self::Failed(Failure {
                actual: format!("{}: {}", opening.label, failure.actual),
                ..failure
            }),
            other => other,
        }
    }
}

/// A server that does not start counts against it, unless our side failed.
impl From<StartFailure> for Shortfall {
    fn from(failure: StartFailure) -> Self {
        match failure {
            StartFailure::Harness { .. } => Self::Inconclusive(failure.to_string()),
            _ => Self::Failed(Failure {
                kind: Kind::NotReady,
                expected: "the server starts and listens".into(),
                actual: failure.to_string(),
            }),
        }
    }
}

/// What is reported of one check.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The check's stable id.
    pub id: &'static str,
    /// Its group.
    pub group: &'static str,
    /// The verdict.
    pub outcome: Verdict,
    /// In which way the server fell short.
    pub kind: Option<Kind>,
    /// The requirement, with its source.
    pub requirement: &'static str,
    /// What should have been.
    pub expected: Option<String>,
    /// What was.
    pub actual: Option<String>,
    /// Why the check was skipped or could not see.
    pub reason: Option<String>,
    /// Measured values and the steps that were taken.
    pub evidence: Map<String, Value>,
    /// How it is known that the stimulus really happened.
    pub stimulus_proof: Option<String>,
    /// How often the check was run.
    pub attempts: u32,
    /// What the built-in sound server came to under the same stimulus, where that was asked.
    pub control: Option<String>,
    /// The waiver that covers this failure.
    pub waived: Option<String>,
    /// Milliseconds, all attempts together.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// A command that repeats the check.
    pub reproduce: String,
    /// The same by hand, without tcprove.
    pub by_hand: String,
}

fn milliseconds<S: serde::Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

impl Outcome {
    /// The verdict as one word; a waiver outweighs what it covers.
    pub fn word(&self) -> &'static str {
        match self.outcome {
            _ if self.waived.is_some() => "waived",
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Warn => "warn",
            Verdict::Skip => "skip",
            Verdict::Inconclusive => "inconclusive",
        }
    }

    /// Whether it says that the server fell short.
    pub fn is_about_the_server(&self) -> bool {
        matches!(self.outcome, Verdict::Fail | Verdict::Warn)
    }

    /// Whether a reader should see more than one line of it.
    pub fn is_worth_telling(&self) -> bool {
        match self.outcome {
            Verdict::Fail | Verdict::Warn => true,
            Verdict::Inconclusive => self.kind.is_some() || !self.evidence.is_empty(),
            Verdict::Pass | Verdict::Skip => false,
        }
    }
}
