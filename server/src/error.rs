//! What can keep the server from starting or from running on.

use std::io;

/// Why the server could not start, or ended other than by its shutdown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The host has no usable address.
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        /// The host as it was given.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No listening socket could be had on the address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address as it was tried, with its port.
        address: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A resource needed to serve is missing (a descriptor, a thread, a runtime).
    #[error("cannot {what}: {source}")]
    Start {
        /// What was being done.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The prefork model needs to know which program its workers are.
    #[error("the prefork model needs `worker_exe`, the program that its workers execute")]
    NoWorkerProgram,
    /// A setting has no meaning.
    #[error("{0}")]
    Setting(String),
}

impl ServerError {
    /// For `map_err`: an error while doing `what`.
    pub(crate) fn start(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Start { what, source }
    }
}
