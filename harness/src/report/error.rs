//! Why a run could not be made.

use schemars::JsonSchema;
use serde::Serialize;

use super::ExitCode;

/// What kind of error ended a run before it had a result. A stable word in the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ErrorCode {
    /// The arguments are wrong.
    Usage,
    /// The conversation file is wrong.
    Config,
    /// The target could not start, be reached, or hold its own conversation.
    Target,
    /// A bug in tcprove, or a system call that failed on its side.
    Internal,
}

impl ErrorCode {
    /// The exit code of a run that ended with this error.
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Usage | Self::Config => ExitCode::Usage,
            Self::Target => ExitCode::Target,
            Self::Internal => ExitCode::Bug,
        }
    }

    /// The stable word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Config => "config",
            Self::Target => "target",
            Self::Internal => "internal",
        }
    }
}

/// Why a run could not be made.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct RunError {
    /// The kind of error.
    pub code: ErrorCode,
    /// What happened, and what to do next.
    pub message: String,
    /// File, line and column, where there is one.
    pub location: Option<String>,
}

impl RunError {
    /// Wrong arguments.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Usage, message)
    }

    /// A target that could not start, be reached, or hold its own conversation.
    pub(crate) fn target(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Target, message)
    }

    /// A failure on tcprove's own side.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, message)
    }

    /// An error without a location.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            location: None,
        }
    }

    /// The exit code of a run that ended with this error.
    pub(crate) fn exit_code(&self) -> ExitCode {
        self.code.exit_code()
    }
}
