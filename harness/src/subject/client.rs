//! The client that learns a server.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Subject;
use crate::process::Server;
use crate::session::{Dial, PeerError, Session, Transcript, Voice};
use crate::talk::{Exchange, Talk};

/// A clean server and the client that talks to it.
pub(crate) struct RehearsalClient {
    server: Rc<Server>,
    voice: Voice,
    /// Time limit of each operation.
    limit: Duration,
}

impl RehearsalClient {
    pub(crate) fn new(subject: &Subject, server: Rc<Server>, limit: Duration) -> Self {
        Self {
            voice: subject.voice(&server, 1),
            server,
            limit,
        }
    }

    /// The same client with another conversation.
    pub(super) fn speaking(&self, subject: &Subject, talk: &Talk) -> Self {
        let mut subject = subject.clone();
        subject.talk = Arc::new(talk.clone());
        Self {
            voice: subject.voice(&self.server, 2),
            server: self.server.clone(),
            limit: self.limit,
        }
    }

    pub(super) fn talk(&self) -> &Talk {
        self.voice.talk()
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    async fn connect(&self) -> Result<Session, PeerError> {
        Session::connect(Dial {
            server: self.server.clone(),
            voice: self.voice.clone(),
            transcript: Transcript::default(),
            limit: self.limit,
            receive_buffer: None,
            bare: false,
        })
        .await
    }

    /// A new connection after its opening.
    pub(super) async fn open(&self) -> Result<Session, PeerError> {
        let mut session = self.connect().await?;
        session.opening().await?;
        Ok(session)
    }

    /// A new connection on which this exchange can follow.
    pub(super) async fn open_for(&self, exchange: &Exchange) -> Result<Session, PeerError> {
        let mut session = self.connect().await?;
        session.opening_for(exchange).await?;
        Ok(session)
    }

    /// Holds these turns on a new connection, after its greeting and login.
    pub(super) async fn hold(&self, turns: &[Exchange]) -> Result<(), FailedTurn> {
        let mut session = self
            .connect()
            .await
            .map_err(|error| FailedTurn::new("connect", b"", error))?;
        session
            .opening_only()
            .await
            .map_err(|opening| FailedTurn::new(&opening.label, &opening.sent, opening.error))?;
        for exchange in turns {
            let turn = session
                .voice()
                .render(exchange, b"ping")
                .map_err(|error| FailedTurn::new(&exchange.label, b"", error))?;
            session
                .exchange(&turn)
                .await
                .map_err(|error| FailedTurn::new(&turn.label, &turn.request, error))?;
        }
        Ok(())
    }

    /// Whether the server answers this turn on a new connection, and closes instead of answering it again.
    pub(super) async fn ends_after(&self, exchange: &Exchange) -> bool {
        let again = async {
            let mut session = self.open_for(exchange).await?;
            let first = session.voice().render(exchange, b"ping")?;
            session.exchange(&first).await?;
            let second = session.voice().render(exchange, b"ping")?;
            Ok::<_, PeerError>(session.exchange(&second).await.err())
        };
        matches!(
            again.await,
            Ok(Some(
                PeerError::Eof { after: 0, .. } | PeerError::Reset { after: 0, .. }
            ))
        )
    }

    /// The plain exchange on a new connection.
    pub(super) async fn exchange(&self) -> Result<(), PeerError> {
        let mut session = self.open().await?;
        let turn = session.turn()?;
        session.exchange(&turn).await?;
        session.close();
        Ok(())
    }
}

/// A failed exchange.
pub(super) struct FailedTurn {
    pub(super) label: String,
    pub(super) sent: Vec<u8>,
    pub(super) error: PeerError,
}

impl FailedTurn {
    pub(super) fn new(label: &str, sent: &[u8], error: PeerError) -> Self {
        Self {
            label: label.to_owned(),
            sent: sent.to_owned(),
            error,
        }
    }
}
