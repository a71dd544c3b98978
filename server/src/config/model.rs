//! The names of the concurrency models.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ServerError;

/// The ids of the checks that [`Model::Sequential`] fails by design: in each of them one client has
/// to wait for another.
pub const SEQUENTIAL_CANNOT_PASS: &[&str] = &[
    "hol-idle",
    "hol-partial",
    "never-read",
    "tls-stalled-handshake",
    "proxy-late",
];

/// A concurrency model: which thread or process serves a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// One connection at a time, as in the tutorial.
    Sequential,
    /// One thread per connection.
    Threads,
    /// Several processes that share the listener, each with its own event loop.
    Prefork,
    /// One event loop on one thread.
    TokioCurrent,
    /// One event loop on several threads.
    #[default]
    TokioMulti,
}

impl Model {
    /// All models.
    pub const fn all() -> &'static [Self] {
        &[
            Self::Sequential,
            Self::Threads,
            Self::Prefork,
            Self::TokioCurrent,
            Self::TokioMulti,
        ]
    }

    /// The name used on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::Threads => "threads",
            Self::Prefork => "prefork",
            Self::TokioCurrent => "tokio-current",
            Self::TokioMulti => "tokio-multi",
        }
    }
}

impl Display for Model {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Model {
    type Err = ServerError;

    fn from_str(name: &str) -> Result<Self, ServerError> {
        let found = Self::all().iter().find(|model| model.name() == name);
        found.copied().ok_or_else(|| {
            let names = Self::all()
                .iter()
                .map(|model| model.name())
                .collect::<Vec<_>>();
            ServerError::Setting(format!(
                "unknown model `{name}`: expected one of {}",
                names.join(", ")
            ))
        })
    }
}
