//! One server that runs for a test.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Prove;
use super::apart::apart;
use super::client::Client;
use super::error::{ProveError, Result};
use crate::process::{self, StartOptions, StopReport};
use crate::subject::block_on;
use crate::talk::Talk;

/// A running server. It and all its processes end when this is dropped, and also if the test is killed.
pub struct Server {
    server: Arc<process::Server>,
    talk: Arc<Talk>,
}

impl Server {
    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// The description is not valid, or the server does not start in time; then the error has what it printed.
    pub fn spawn(prove: &Prove) -> Result<Self> {
        let subject = prove.prepared()?.subject;
        let talk = subject.talk.clone();
        let started = apart(|| block_on(subject.server(StartOptions::default())));
        let server = started.map_err(|failure| ProveError::Server(failure.to_string()))?;
        Ok(Self {
            server: Arc::new(server),
            talk,
        })
    }

    /// A new client. It connects when it sends or expects something for the first time.
    pub fn client(&self) -> Client {
        Client::new(self.server.clone(), self.talk.clone())
    }

    /// The address on which it listens; `None` for a Unix socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.addr()
    }

    /// The pid of its main process; `None` for a server that was running already.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// Whether its main process has not ended.
    pub fn is_running(&self) -> bool {
        self.server.exit().is_none()
    }

    /// The end of what it has printed on stderr, at most 64 KiB.
    pub fn stderr(&self) -> String {
        self.server.output().stderr_tail
    }

    /// The end of what it has printed on stdout, at most 64 KiB.
    pub fn stdout(&self) -> String {
        self.server.output().stdout_tail
    }

    /// Sends its stop signal and waits until it has ended, at most this long; then it is killed. The report says how it
    /// ended, and which processes it left behind.
    pub fn stop(self, limit: Duration) -> StopReport {
        let server = &self.server;
        apart(|| block_on(server.stop(limit)))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("endpoint", &self.server.endpoint())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}
