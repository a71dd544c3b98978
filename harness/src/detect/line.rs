//! One connection of a probe.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{LIKELY, Missed};
use crate::process::Server;
use crate::session::{ConnectionEnd, Dial, PeerError, Session, Transcript, Voice};
use crate::talk::Exchange;

/// Silence after which a reply is complete.
const QUIET: Duration = Duration::from_millis(120);
/// How long a server that closed the connection may take to be seen dying.
const DYING: Duration = Duration::from_millis(150);
/// Time limit of a connect.
const CONNECT: Duration = Duration::from_secs(5);
/// The label of an attempt that failed before anything was sent.
pub(super) const CONNECTING: &str = "connect";
/// The most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// One connection on which a talk's exchanges are held.
pub(super) struct Line {
    session: Session,
    server: Rc<Server>,
    limit: Duration,
}

pub(super) async fn plain(
    server: Rc<Server>,
    voice: Voice,
    exchange: Exchange,
    limit: Duration,
) -> Result<(), Missed> {
    let mut line = Line::open(server, voice, limit).await?;
    line.hold(&exchange).await.map(drop)
}

async fn connect(server: Rc<Server>, voice: Voice, limit: Duration) -> Result<Session, PeerError> {
    let mut session = Session::connect(Dial {
        server,
        voice,
        transcript: Transcript::default(),
        limit: CONNECT,
        receive_buffer: None,
        bare: false,
    })
    .await?;
    session.set_limit(limit);
    Ok(session)
}

/// A request and the whole reply to it.
pub(super) type Example = (Vec<u8>, Vec<u8>);

/// What came back in a raw probe.
pub(super) struct RawAnswer {
    pub(super) got: Vec<u8>,
    pub(super) end: ConnectionEnd,
    /// How the server ended, if it did.
    pub(super) died: Option<String>,
    /// How long the server took to answer or to close.
    pub(super) took: Duration,
}

impl Default for RawAnswer {
    fn default() -> Self {
        Self {
            got: Vec::new(),
            end: ConnectionEnd::StillOpen,
            died: None,
            took: Duration::ZERO,
        }
    }
}

pub(super) async fn raw(
    server: Rc<Server>,
    voice: Voice,
    sent: &[u8],
    first: Duration,
) -> Result<RawAnswer, PeerError> {
    let mut session = connect(server.clone(), voice, LIKELY).await?;
    session.opening().await?;
    session.set_limit(first);
    let reset = match session.send(sent).await {
        Ok(()) => false,
        Err(PeerError::Reset { .. }) => true,
        Err(error) => return Err(error),
    };
    let asked = Instant::now();
    let (got, end) = session.hear(first, QUIET, ANSWER_BYTES_MAX).await;
    let took = match end {
        ConnectionEnd::StillOpen => asked.elapsed().saturating_sub(QUIET),
        _ => asked.elapsed(),
    };
    let end = if reset { ConnectionEnd::Reset } else { end };
    let died = match end {
        ConnectionEnd::StillOpen => server.exit(),
        _ => server.wait_exit(DYING).await,
    };
    Ok(RawAnswer {
        got,
        end,
        died: died.map(|exit| exit.to_string()),
        took,
    })
}

impl Line {
    pub(super) async fn open(
        server: Rc<Server>,
        voice: Voice,
        limit: Duration,
    ) -> Result<Self, Missed> {
        let missed = |label: &str, sent: &[u8], error: &PeerError| Missed::of(label, sent, error);
        let mut session = connect(server.clone(), voice, limit)
            .await
            .map_err(|error| missed(CONNECTING, b"", &error))?;
        session
            .opening()
            .await
            .map_err(|opening| missed(&opening.label, &opening.sent, &opening.error))?;
        Ok(Self {
            session,
            server,
            limit,
        })
    }

    /// What comes after the last reply: waits up to `first` for it.
    pub(super) async fn rest(&mut self, first: Duration) -> (Vec<u8>, ConnectionEnd) {
        self.session.hear(first, QUIET, ANSWER_BYTES_MAX).await
    }

    /// Sends these bytes, and reads until the server is quiet after something that `is_whole` accepts.
    pub(super) async fn say(
        &mut self,
        sent: &[u8],
        first: Duration,
        is_whole: &dyn Fn(&[u8]) -> bool,
    ) -> (Vec<u8>, ConnectionEnd) {
        let mut got = Vec::new();
        if self.session.send(sent).await.is_err() {
            return (got, ConnectionEnd::Reset);
        }
        loop {
            let (more, end) = self.session.hear(first, QUIET, ANSWER_BYTES_MAX).await;
            let is_silent = more.is_empty();
            got.extend(more);
            let is_enough = is_whole(&got) || got.len() >= ANSWER_BYTES_MAX;
            if is_silent || is_enough || end != ConnectionEnd::StillOpen {
                return (got, end);
            }
        }
    }

    /// Whether the server reads these bytes within this time. `false` also where its end of the connection is not to be seen.
    pub(super) async fn is_read(&mut self, sent: &[u8], within: Duration) -> bool {
        self.session.set_limit(within);
        self.session.send(sent).await.is_ok() && self.session.until_read().await.is_ok()
    }

    /// The port of the server; 0 for a Unix socket.
    pub(super) fn port(&self) -> u16 {
        self.server.addr().map_or(0, |addr| addr.port())
    }

    /// Changes the time limit of later exchanges.
    pub(super) fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    pub(super) async fn hold(&mut self, exchange: &Exchange) -> Result<Example, Missed> {
        self.session.set_limit(self.limit);
        let turn = self
            .session
            .voice()
            .render(exchange, b"ping")
            .map_err(|error| Missed::of(&exchange.label, b"", &error))?;
        match self.session.exchange(&turn).await {
            Ok(reply) => Ok((turn.request, reply.bytes)),
            Err(error) => {
                let mut missed = Missed::of(&turn.label, &turn.request, &error);
                let died = match error {
                    PeerError::Eof { .. } | PeerError::Reset { .. } => {
                        self.server.wait_exit(DYING).await
                    }
                    _ => self.server.exit(),
                };
                missed.died = died.map(|exit| exit.to_string());
                Err(missed)
            }
        }
    }
}
