//! One server that runs for a test.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::Prove;
use super::apart::apart;
use super::client::Client;
use super::error::{ProveError, Result};
use super::words::Words;
use crate::fuzz::Case;
use crate::fuzz::wire::{Limits, Wire};
use crate::process::{self, StartOptions, StopReport};
use crate::subject::block_on;
use crate::talk::Talk;

/// Usual duration of an exchange, of which the time limits of a case are multiples. A server that is not given a CPU for that long
/// would lose what it has not read: the client resets the connection then.
const USUAL: Duration = Duration::from_millis(15);

/// A running server. It and all its processes end when this is dropped, and also if the test is killed.
pub struct Server {
    server: Arc<process::Server>,
    talk: Arc<Talk>,
    /// The values of placeholders other than the token.
    values: BTreeMap<String, Vec<u8>>,
    seed: u64,
    clients: AtomicU32,
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
            values: subject.values_of(&server),
            seed: subject.seed,
            clients: AtomicU32::new(0),
            server: Arc::new(server),
            talk,
        })
    }

    /// A new client. It connects when it sends or expects something for the first time.
    pub fn client(&self) -> Client {
        let number = self.clients.fetch_add(1, Ordering::Relaxed);
        let words = Words::new(self.values.clone(), self.seed, number);
        Client::new(self.server.clone(), self.talk.clone(), words)
    }

    /// Sends a case, and then asks whether the server still holds its conversation with another client. Whatever it replies to the
    /// case is right.
    ///
    /// # Errors
    /// It does not: it has ended, or a client that comes next gets something else than the conversation says, or nothing.
    pub fn survives(&self, case: &Case) -> Result {
        let endpoint = self.server.endpoint();
        let mut wire = Wire::new(endpoint, self.talk.reply.clone(), Limits::of(USUAL));
        // What became of its connection is no concern: the server may refuse what it was sent.
        let _ = wire.run(case);
        self.client().exchange().map(drop)
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
