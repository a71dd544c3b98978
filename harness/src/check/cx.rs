//! What a check works with: the server, the talk, connections, and a place for evidence.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::task::JoinSet;

use super::outcome::{Ascribe, Checked, FailureKind, Shortfall, failed, inconclusive, skip};
use crate::process::{Launch, Listening, PeerSocket, Server, StartFailure, StartOptions, Usage};
use crate::session::{Dial, PeerError, Reply, Session, Transcript, Voice, pause};
use crate::subject::{Pace, Promise, Subject};
use crate::talk::{Exchange, Talk, Turn};

/// Size of a small `SO_RCVBUF`, in bytes. The server fills it quickly, but the window does not fall
/// below one segment of the loopback interface.
const SMALL_RECEIVE_BUFFER: u32 = 128 * 1024;

/// Number of clients of [`Cx::others_are_served_during`].
const SILENT: usize = 3;

/// The context of one attempt at one check. Clones share all state; not thread-safe.
#[derive(Clone)]
pub(crate) struct Cx {
    shared: Rc<CxState>,
    server: Rc<Server>,
    voice: Voice,
}

struct CxState {
    subject: Subject,
    pace: Pace,
    transcript: Transcript,
    evidence: RefCell<Map<String, Value>>,
    proof: RefCell<Option<String>>,
    /// The first server was ended to make room for another instance.
    replaced: Cell<bool>,
}

impl Cx {
    /// Creates a context on `server`, an instance of the subject. `salt` varies its tokens.
    pub(crate) fn new(server: Rc<Server>, subject: &Subject, salt: u64, pace: Pace) -> Self {
        let shared = CxState {
            subject: subject.clone(),
            pace,
            transcript: Transcript::default(),
            evidence: RefCell::default(),
            proof: RefCell::default(),
            replaced: Cell::new(false),
        };
        Self {
            shared: Rc::new(shared),
            voice: subject.voice(&server, salt),
            server,
        }
    }

    /// The server under test.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) fn talk(&self) -> &Talk {
        self.voice.talk()
    }

    /// Renders turns outside any session: tokens are fresh, and values captured by an opening are
    /// unknown.
    pub(crate) fn voice(&self) -> &Voice {
        &self.voice
    }

    pub(crate) fn promise(&self) -> &Promise {
        &self.shared.subject.promise
    }

    /// How fast the server responds on this machine.
    pub(crate) fn pace(&self) -> Pace {
        self.shared.pace
    }

    /// Number of connections that a check may open at once: `wanted`, or fewer if the server
    /// promises a maximum. One connection is left for a well-behaved client. Where a process is started for each
    /// connection, by the server or to log in, all of them must be able to start within half the time limit of a reply.
    pub(crate) fn connections(&self, wanted: usize) -> usize {
        /// Fewest processes at once.
        const PROCESSES_MIN: usize = 4;
        let most = match self.shared.subject.promise.max_connections {
            Some(most) => most.saturating_sub(2).max(1),
            None => usize::MAX,
        };
        let pace = self.pace();
        let starts_processes =
            *self.server.listening() == Listening::PerConnection || self.talk().has_login();
        let in_time = if starts_processes {
            let each = 2.0 * pace.exchange.as_secs_f64();
            let processes = pace.reply_limit().as_secs_f64() / each;
            (processes as usize).max(PROCESSES_MIN)
        } else {
            usize::MAX
        };
        wanted.min(most).min(in_time)
    }

    /// Records a measured value as evidence.
    pub(crate) fn note(&self, key: &str, value: impl Into<Value>) {
        self.shared
            .evidence
            .borrow_mut()
            .insert(key.into(), value.into());
    }

    /// Records how tcprove knows that the stimulus happened. A check that never calls this cannot
    /// pass.
    pub(crate) fn proved(&self, how: impl Into<String>) {
        *self.shared.proof.borrow_mut() = Some(how.into());
    }

    /// The recorded proof of the stimulus, if any.
    pub(crate) fn proof(&self) -> Option<String> {
        self.shared.proof.borrow().clone()
    }

    /// The recorded evidence, including the steps taken.
    pub(crate) fn evidence(&self) -> Map<String, Value> {
        let mut evidence = self.shared.evidence.borrow().clone();
        let steps = self.shared.transcript.lines();
        if !steps.is_empty() {
            evidence.insert("steps".into(), steps.into());
        }
        evidence
    }

    /// Adds a line to the steps shown in the evidence.
    pub(crate) fn step(&self, what: impl Into<String>) {
        self.shared.transcript.add(0, what.into());
    }

    // Servers.

    /// How to start the server. Skips for an attached server.
    pub(crate) fn launch(&self) -> Checked<&Launch> {
        match self.shared.subject.launch() {
            Some(launch) => Ok(launch),
            None => Err(Shortfall::Skip("tcprove did not start this server".into())),
        }
    }

    /// Options that start another instance on the port of this one, beside the same helpers. Skips if the server chooses
    /// its own port.
    pub(crate) fn again(&self) -> Checked<StartOptions> {
        match self.server.lease() {
            Some(lease) if lease.number() == self.server.port() => Ok(StartOptions {
                port: Some(lease),
                surroundings: self.server.surroundings(),
                ..StartOptions::default()
            }),
            _ => skip(
                "the server chooses its own port, so a second instance cannot be given the same one",
            ),
        }
    }

    /// Starts another instance of the server; it is stopped when the last reference is dropped.
    pub(crate) async fn start(&self, options: StartOptions) -> Checked<Rc<Server>> {
        Ok(Rc::new(self.try_start(options).await??))
    }

    /// Like [`Self::start`], for checks that examine how the start failed.
    pub(crate) async fn try_start(
        &self,
        options: StartOptions,
    ) -> Checked<Result<Server, StartFailure>> {
        if self.launch()?.singleton {
            self.step("end the server, since only one instance can run at a time");
            self.server.end();
            self.shared.replaced.set(true);
        }
        Ok(self.shared.subject.server(options).await)
    }

    /// Whether this server was ended because a check started another instance of a server that allows only one.
    pub(crate) fn is_replaced(&self) -> bool {
        self.shared.replaced.get()
    }

    /// The same check on another server.
    pub(crate) fn on(&self, server: Rc<Server>) -> Self {
        let values = self.shared.subject.values_of(&server);
        Self {
            shared: self.shared.clone(),
            voice: self.voice.with_values(values),
            server,
        }
    }

    /// Resource usage of the server's processes. Inconclusive if it cannot be read.
    pub(crate) fn usage(&self) -> Checked<Usage> {
        self.server.usage().map_or_else(
            || inconclusive("the server's resource usage cannot be read"),
            Ok,
        )
    }

    /// Polls until `shows` returns true. Returns false if it does not within `limit`.
    pub(crate) async fn eventually(
        &self,
        limit: Duration,
        mut shows: impl FnMut() -> bool,
    ) -> bool {
        let deadline = tokio::time::Instant::now() + limit;
        let mut round = 0;
        while !shows() {
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            pause(round).await;
            round += 1;
        }
        true
    }

    /// The server's end of this connection in the kernel's socket table. `None` if it is not there
    /// (any more), or on another machine.
    pub(crate) fn peer(&self, session: &Session) -> Option<PeerSocket> {
        self.server.peer_socket(session.local())
    }

    // Connections.

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
        let mut session = Session::connect(Dial {
            receive_buffer: Some(SMALL_RECEIVE_BUFFER),
            ..self.dial()
        })
        .await?;
        session.opening_for(exchange).await?;
        Ok(session)
    }

    fn dial(&self) -> Dial {
        Dial {
            server: self.server.clone(),
            voice: self.voice.clone(),
            transcript: self.shared.transcript.clone(),
            limit: self.shared.pace.reply_limit(),
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
        let mut session = self.open().await?;
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
        if !self.talk().payload_is_safe(payload) {
            return Err(Shortfall::Skip(
                "no message of the talk can contain the payload".into(),
            ));
        }
        match session.payload_turn(payload)? {
            Some(turn) => Ok(turn),
            None => Err(Shortfall::Skip("no [[talk.turn]] sends {payload}".into())),
        }
    }
}
