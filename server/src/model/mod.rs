//! The concurrency models: which thread or process carries a connection.

mod accept;
mod admission;
#[cfg(feature = "cli")]
mod lifeline;
mod prefork;
mod sequential;
mod threads;
mod tokio_current;
mod tokio_multi;
mod tokio_server;

use std::fmt::{self, Display, Formatter};
use std::net::TcpListener;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::delay::Delays;
use crate::{Config, ServerError, Shutdown};

pub(crate) use accept::retry;
#[cfg(feature = "cli")]
pub(crate) use lifeline::watch_lifeline;

/// What [`Model::Sequential`] cannot pass by nature: ids of the checks in which one client has to
/// wait for another.
pub const SEQUENTIAL_CANNOT_PASS: &[&str] = &["hol-idle", "hol-partial", "never-read"];

/// The concurrency models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// One connection after the other, as in the tutorial.
    Sequential,
    /// A thread for each connection.
    Threads,
    /// Processes that share the listener, each an event loop.
    Prefork,
    /// One event loop on one thread.
    TokioCurrent,
    /// An event loop over several threads.
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

    /// The name on the command line.
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
            ServerError::Setting(format!("no model `{name}` ({})", names.join(", ")))
        })
    }
}

/// Serves the listener until the shutdown is triggered and the requests in flight have been
/// answered, or [`Config::drain`] is over.
///
/// # Errors
/// When the server cannot start: threads, a runtime or descriptors are missing, the log of the
/// delays cannot be opened, or the prefork model does not know its program.
pub fn run(listener: TcpListener, config: Config, shutdown: Shutdown) -> Result<(), ServerError> {
    let config = config.effective();
    listener
        .set_nonblocking(true)
        .map_err(ServerError::start("make the listener non-blocking"))?;
    let delays = Delays::new(&config)?;
    match config.model {
        Model::Sequential => sequential::run(listener, &config, &delays, &shutdown),
        Model::Threads => threads::run(listener, config, delays, shutdown),
        // Each worker has delays of its own.
        Model::Prefork => prefork::run(listener, &config, &shutdown),
        Model::TokioCurrent => tokio_current::run(listener, config, delays, &shutdown),
        Model::TokioMulti => tokio_multi::run(listener, config, delays, &shutdown),
    }
}
