//! One client of a server, for a test that holds its own conversation.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::apart::apart;
use super::error::{ProveError, Result};
use super::words::Words;
use crate::process::Server;
use crate::session::{Arrived, BlockingLink};
use crate::subject::block_on;
use crate::talk::{Frame, Talk};
use crate::text::escape;

/// Time limit for a connection, and for each thing that is expected, unless another is set.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time that a server gets to end after its connection has ended.
const ENDS: Duration = Duration::from_millis(50);
/// Bytes requested per read.
const READ_BYTES: usize = 16 * 1024;
/// Maximum bytes and lines shown in an error.
const SHOWN_BYTES: usize = 400;
const SHOWN_LINES: usize = 20;

/// A client with one connection, which it opens when it first needs it. Its methods return the client, so that they can be
/// chained: `client.say("hello\n")?.expect("ok, hello\n")?`.
pub struct Client {
    pub(super) server: Arc<Server>,
    pub(super) talk: Arc<Talk>,
    pub(super) words: Words,
    link: Option<BlockingLink>,
    patience: Duration,
    /// What was received and not yet expected.
    pub(super) received: Vec<u8>,
    /// How the server has ended the connection.
    pub(super) end: Option<&'static str>,
}

impl Client {
    pub(super) fn new(server: Arc<Server>, talk: Arc<Talk>, words: Words) -> Self {
        Self {
            server,
            talk,
            words,
            link: None,
            patience: PATIENCE,
            received: Vec::new(),
            end: None,
        }
    }

    /// Sets how long it waits for a connection and for each thing that it expects, instead of 5 seconds.
    #[must_use]
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// Connects now, with the PROXY header and the TLS handshake that the description asks for.
    ///
    /// # Errors
    /// The server does not accept the connection.
    pub fn connect(&mut self) -> Result<&mut Self> {
        self.link()?;
        Ok(self)
    }

    /// Sends these bytes.
    ///
    /// # Errors
    /// The server does not accept the connection, or has ended it.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> Result<&mut Self> {
        let bytes = bytes.as_ref();
        if let Err(error) = self.link()?.send(bytes) {
            let expected = format!("it reads {}", escape(bytes, SHOWN_BYTES));
            return Err(self.wrong(expected, format!("the connection is broken: {error}")));
        }
        Ok(self)
    }

    /// Expects exactly these bytes next.
    ///
    /// # Errors
    /// Others come, or fewer before the time limit or the end of the connection.
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) -> Result<&mut Self> {
        let wanted = bytes.as_ref();
        self.receive_until(|received| {
            received.len() >= wanted.len() || !wanted.starts_with(received)
        })?;
        if !self.received.starts_with(wanted) {
            return Err(self.wrong(escape(wanted, SHOWN_BYTES), self.got()));
        }
        self.received.drain(..wanted.len());
        Ok(self)
    }

    /// The next reply, as the conversation's frame delimits it.
    ///
    /// # Errors
    /// None comes before the time limit, the connection ends before it is whole, or it is not in this frame.
    pub fn reply(&mut self) -> Result<Vec<u8>> {
        let frame = self.talk.reply.clone();
        self.message(&frame)
    }

    /// The next message in this frame.
    pub(super) fn message(&mut self, frame: &Frame) -> Result<Vec<u8>> {
        let mut decoder = frame.decoder();
        let mut found = Ok(None);
        self.receive_until(|received| {
            found = decoder.next(received);
            !matches!(found, Ok(None))
        })?;
        if matches!(found, Ok(None)) && self.end.is_some() {
            found = decoder.finish(&self.received);
        }
        let expected = || format!("a reply ({})", frame.describe());
        match found {
            Ok(Some(len)) => Ok(self.received.drain(..len).collect()),
            Ok(None) => Err(self.wrong(expected(), self.got())),
            Err(error) => Err(self.wrong(expected(), format!("{error}: {}", self.got()))),
        }
    }

    /// Sends FIN: the server sees the end of what this client says, and can still reply.
    ///
    /// # Errors
    /// The server does not accept the connection, or has ended it.
    pub fn finish(&mut self) -> Result<&mut Self> {
        if let Err(error) = self.link()?.half_close() {
            return Err(self.wrong(
                "the connection is open".into(),
                format!("it is broken: {error}"),
            ));
        }
        Ok(self)
    }

    /// Expects that the server closes the connection, with a FIN, and sends nothing more.
    ///
    /// # Errors
    /// It sends something, resets the connection, or leaves it open until the time limit.
    pub fn expect_close(&mut self) -> Result<&mut Self> {
        self.receive_until(|received| !received.is_empty())?;
        match self.end {
            Some(FIN) if self.received.is_empty() => Ok(self),
            _ => Err(self.wrong("it closes the connection".into(), self.got())),
        }
    }

    pub(super) fn link(&mut self) -> Result<&mut BlockingLink> {
        if self.link.is_none() {
            let endpoint = self.server.endpoint();
            match BlockingLink::connect(endpoint, self.patience) {
                Ok(link) => self.link = Some(link),
                Err(error) => {
                    let expected = format!("{endpoint} accepts a connection");
                    return Err(self.wrong(expected, error.to_string()));
                }
            }
        }
        match &mut self.link {
            Some(link) => Ok(link),
            None => Err(ProveError::Machine("there is no connection".into())),
        }
    }

    /// Receives until `is_enough` of what was received, the end of the connection, or the time limit.
    pub(super) fn receive_until(&mut self, mut is_enough: impl FnMut(&[u8]) -> bool) -> Result {
        let until = Instant::now() + self.patience;
        let mut buffer = [0; READ_BYTES];
        while !is_enough(&self.received) && self.end.is_none() {
            match self.link()?.receive_until(until, &mut buffer) {
                Arrived::Bytes(count) => self.received.extend_from_slice(&buffer[..count]),
                Arrived::Nothing => break,
                Arrived::Fin => self.end = Some(FIN),
                Arrived::Reset => self.end = Some(RESET),
                Arrived::Broken => self.end = Some(BROKEN),
            }
        }
        Ok(())
    }

    /// What came instead.
    fn got(&self) -> String {
        let received = match self.received.is_empty() {
            true => "nothing came".to_owned(),
            false => format!("received {}", escape(&self.received, SHOWN_BYTES)),
        };
        let end = self.end.map_or_else(
            || format!("the connection is still open after {:?}", self.patience),
            str::to_owned,
        );
        format!("{received}; {end}")
    }

    pub(super) fn wrong(&self, expected: String, actual: String) -> ProveError {
        if self.end.is_some() {
            // It may be about to end, and then what it prints belongs to this.
            let server = &self.server;
            apart(|| block_on(server.wait_exit(ENDS)));
        }
        let exit = self.server.exit();
        let exit = exit.map_or(String::new(), |exit| format!("; the server {exit}"));
        let printed = self.server.output().stderr_tail;
        let lines: Vec<&str> = printed.lines().collect();
        let from = lines.len().saturating_sub(SHOWN_LINES);
        ProveError::Reply {
            expected,
            actual: actual + &exit,
            stderr: lines[from..].join("\n"),
        }
    }
}

/// How a connection ends.
const FIN: &str = "the server closed the connection (FIN)";
const RESET: &str = "the server reset the connection (RST)";
const BROKEN: &str = "the connection is broken";

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.server.endpoint())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
