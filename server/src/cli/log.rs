//! Structured logs on stderr.

use std::fmt::{self, Display, Formatter};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::NonBlocking;

/// The format of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Human-readable text
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

impl Display for LogFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Logs to the output. A subscriber that is already installed is kept.
pub(super) fn install(level: LevelFilter, format: LogFormat, output: NonBlocking) {
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(output);
    // Fails only if a subscriber is installed already.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}
