//! The clients of a check, and what they show about the server.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Cx;
use crate::check::outcome::{Ascribe, Checked, FailureKind, Shortfall, failed, inconclusive, skip};
use crate::session::{Dial, PeerError, Reply, Session};
use crate::subject::RehearsalClient;
use crate::talk::{Exchange, Turn};
use crate::text::escape;

/// Maximum length of a payload in a reason, in characters.
const SHOWN_CHARS: usize = 40;

/// Size of a small `SO_RCVBUF`, in bytes. The server fills it quickly, but the window does not fall
/// below one segment of the loopback interface.
const SMALL_RECEIVE_BUFFER: u32 = 128 * 1024;
/// Receive buffer in bytes of a client that reads nothing.
const TIGHT_RECEIVE_BUFFER: u32 = 8 * 1024;

/// Number of clients of [`Cx::others_are_served_during`].
const SILENT: usize = 3;

impl Cx {
    /// Connects without sending anything.
    pub(crate) async fn connect(&self) -> Checked<Session> {
        Ok(self.try_connect().await?)
    }

    /// Like [`Self::connect`], for checks that examine how the connection failed.
    pub(crate) async fn try_connect(&self) -> Result<Session, PeerError> {
        Session::connect(self.dial()).await
    }

    /// Like [`Self::try_connect`], with another limit for this and all later operations of the
    /// session. While the accept queue is full, the kernel repeats the SYN after 1, 3 and 7
    /// seconds.
    pub(crate) async fn try_connect_within(&self, limit: Duration) -> Result<Session, PeerError> {
        Session::connect(Dial {
            limit,
            ..self.dial()
        })
        .await
    }

    /// Connects without PROXY header and TLS, which the check sends itself.
    pub(crate) async fn connect_bare(&self) -> Checked<Session> {
        let dial = Dial {
            bare: true,
            ..self.dial()
        };
        Ok(Session::connect(dial).await?)
    }

    /// Like [`Self::open_for`], with a small receive buffer, which the server's replies soon fill.
    pub(crate) async fn open_small(&self, exchange: &Exchange) -> Checked<Session> {
        self.open_with(exchange, SMALL_RECEIVE_BUFFER).await
    }

    /// Like [`Self::open_small`], for a client that reads nothing: the kernels of both ends take some hundred KB of replies, and not
    /// 4 MB as with [`Self::open_small`], which a slow server does not send within the time of a check.
    pub(crate) async fn open_tight(&self, exchange: &Exchange) -> Checked<Session> {
        self.open_with(exchange, TIGHT_RECEIVE_BUFFER).await
    }

    async fn open_with(&self, exchange: &Exchange, receive_buffer: u32) -> Checked<Session> {
        let mut session = Session::connect(Dial {
            receive_buffer: Some(receive_buffer),
            ..self.dial()
        })
        .await?;
        session.opening_for(exchange).await?;
        Ok(session)
    }

    /// A client that looks for limits.
    pub(crate) fn rehearsal_client(&self) -> RehearsalClient {
        let limit = self.pace().reply_limit();
        RehearsalClient::new(&self.shared.subject, self.server.clone(), limit)
    }

    fn dial(&self) -> Dial {
        Dial {
            server: self.server.clone(),
            voice: self.voice.clone(),
            transcript: self.shared.transcript.clone(),
            limit: self.shared.rehearsal.pace.reply_limit(),
            receive_buffer: None,
            bare: false,
        }
    }

    /// Connects and performs the talk's opening, so that the plain turn can follow.
    pub(crate) async fn open(&self) -> Checked<Session> {
        let mut session = self.connect().await?;
        session.opening().await?;
        Ok(session)
    }

    /// Like [`Self::open`], so that this exchange can follow.
    pub(crate) async fn open_for(&self, exchange: &Exchange) -> Checked<Session> {
        let mut session = self.connect().await?;
        session.opening_for(exchange).await?;
        Ok(session)
    }

    /// Like [`Self::open`], so that the turn with the payload can follow.
    pub(crate) async fn open_for_payload(&self) -> Checked<Session> {
        match self.voice().payload_exchange() {
            Some(exchange) => self.open_for(exchange).await,
            None => self.open().await,
        }
    }

    /// One exchange on a new connection.
    pub(crate) async fn exchange(&self) -> Checked<Reply> {
        self.exchange_within(self.pace().reply_limit()).await
    }

    /// Like [`Self::exchange`], with another time limit of each operation.
    pub(crate) async fn exchange_within(&self, limit: Duration) -> Checked<Reply> {
        let mut session = self.try_connect_within(limit).await?;
        session.opening().await?;
        let turn = session.turn()?;
        let reply = session.exchange(&turn).await?;
        session.close();
        Ok(reply)
    }

    /// Fails unless a second, well-behaved client is served.
    pub(crate) async fn others_are_served(&self) -> Checked {
        self.exchange().await.ascribe(
            FailureKind::Blocked,
            "another client is served at the same time",
        )?;
        Ok(())
    }

    /// Fails unless another client is served while [`SILENT`] clients have sent `start` and stay silent. `what` names
    /// it, for the proof.
    pub(crate) async fn others_are_served_during(
        &self,
        what: &str,
        start: impl Fn(&Session) -> Result<Vec<u8>, PeerError>,
    ) -> Checked {
        let mut silent = Vec::with_capacity(SILENT);
        let mut read = 0;
        for _ in 0..SILENT {
            let mut client = self.connect_bare().await?;
            let start = start(&client)?;
            client.send_raw(&start).await?;
            // A server that takes up its clients one after the other does not read the later ones.
            read += usize::from(client.until_read().await.is_ok());
            silent.push(client);
        }
        self.proved(format!(
            "the server has read {what} on {read} of {SILENT} connections"
        ));
        self.others_are_served().await
    }

    /// Fails unless the server's process is running and a new client is served.
    pub(crate) async fn is_alive(&self) -> Checked {
        if let Some(exit) = self.server.exit() {
            let actual = format!("the server {exit}");
            return failed(FailureKind::Died, "the server keeps running", actual);
        }
        self.exchange()
            .await
            .ascribe(FailureKind::Blocked, "the server keeps serving new clients")?;
        Ok(())
    }

    /// Skips if the turn with the payload has no reply.
    pub(crate) fn payload_is_answered(&self) -> Checked {
        match self.voice().payload_exchange() {
            Some(exchange) if !exchange.expect.has_reply() => skip(format!(
                "{}, which sends {{payload}}, has no reply",
                exchange.label
            )),
            _ => Ok(()),
        }
    }

    /// Where the turn with the payload has no reply, the server alone is judged: it keeps running and serving.
    pub(crate) async fn is_alive_if_unanswered(&self) -> Checked {
        match self.payload_is_answered() {
            Ok(()) => Ok(()),
            Err(_) => self.is_alive().await,
        }
    }

    /// Runs `count` clients concurrently and waits for all of them. Results are in order of start.
    pub(crate) async fn crowd<T, F, Fut>(&self, count: usize, client: F) -> Vec<Checked<T>>
    where
        T: 'static,
        F: Fn(Self, usize) -> Fut,
        Fut: Future<Output = Checked<T>> + 'static,
    {
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let task = client(self.clone(), number);
            tasks.spawn_local(async move { (number, task.await) });
        }
        let mut results: Vec<Option<Checked<T>>> = (0..count).map(|_| None).collect();
        while let Some(done) = tasks.join_next().await {
            if let Ok((number, result)) = done {
                results[number] = Some(result);
            }
        }
        results
            .into_iter()
            .map(|result| result.unwrap_or_else(|| inconclusive("a client task ended early")))
            .collect()
    }

    /// The turn that carries `payload`. Skips if the talk has none.
    pub(crate) fn payload_turn(&self, session: &mut Session, payload: &[u8]) -> Checked<Turn> {
        if let Some(trouble) = self.talk().payload_trouble(payload) {
            let sent = escape(payload, SHOWN_CHARS);
            return Err(Shortfall::Skip(format!("to send \"{sent}\": {trouble}")));
        }
        match session.payload_turn(payload)? {
            Some(turn) => Ok(turn),
            None => Err(Shortfall::Skip("no [[talk.turn]] sends {payload}".into())),
        }
    }
}
