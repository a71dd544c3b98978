//! The errors of the server as a whole.

use std::io;

/// Why the server could not start, or ended before its shutdown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The host name does not resolve.
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        /// The host as given.
        host: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// No address of the host can be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The host and port.
        address: String,
        /// The error of the last address.
        source: io::Error,
    },
    /// A resource that the server needs is missing (a descriptor, a thread, the runtime).
    #[error("cannot {what}: {source}")]
    Start {
        /// The operation that failed, as a verb phrase.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// [`Config::worker_exe`](crate::Config::worker_exe) is not set.
    #[error("the prefork model needs `worker_exe`, the program that its workers execute")]
    NoWorkerProgram,
    /// The value of a setting is invalid.
    #[error("{0}")]
    Setting(String),
}

impl ServerError {
    /// For `map_err`: the operation `what` failed.
    pub(crate) fn start(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Start { what, source }
    }
}
