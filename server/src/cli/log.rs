//! Structured logs on stderr.

use std::fmt::{self, Display, Formatter};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::NonBlocking;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
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

/// Sends what is logged in this process to the output. A subscriber that is there already stays.
pub(super) fn install(level: LevelFilter, format: LogFormat, output: NonBlocking) {
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(output);
    // It fails only if there is a subscriber, and then the logs are taken care of.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}
