//! What a check works with: the server, the talk, connections, and a place for evidence.

mod clients;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Effort;
use super::needs::{SLOW, SOAK};
use super::outcome::{Checked, Shortfall, inconclusive, skip};
use crate::data::{Actions, Actor};
use crate::process::{
    Launch, PeerSocket, Printout, Server, StartFailure, StartOptions, TcpState, Usage,
};
use crate::session::{Session, Transcript, Voice, pause};
use crate::subject::{Pace, Promise, Rehearsal, Subject};
use crate::talk::{Exchange, Talk};
use crate::transport::{Address, Endpoint};

/// Time for the server to start the last of its processes and come to rest.
const STARTS: Duration = Duration::from_secs(2);

/// The context of one attempt at one check. Clones share all state; not thread-safe.
#[derive(Clone)]
pub(crate) struct Cx {
    pub(super) shared: Rc<CxState>,
    pub(super) server: Rc<Server>,
    voice: Voice,
}

pub(super) struct CxState {
    pub(super) subject: Subject,
    pub(super) rehearsal: Rehearsal,
    /// How long the check may take.
    effort: Effort,
    transcript: Transcript,
    evidence: RefCell<Map<String, Value>>,
    proof: RefCell<Option<String>>,
    /// The label of the turn that the check is about, if it is not the plain one.
    about: RefCell<Option<String>>,
    /// What would enable the check, if it is skipped.
    enable: Cell<Option<&'static str>>,
    /// The first server was ended to make room for another instance.
    replaced: Cell<bool>,
    /// What the last other server of this check has printed.
    printed_elsewhere: RefCell<Option<Printout>>,
}

impl Cx {
    /// Creates a context on `server`, an instance of the subject. `salt` varies its tokens; `effort` says how long the check may take.
    pub(crate) fn new(
        server: Rc<Server>,
        subject: &Subject,
        salt: u64,
        rehearsal: &Rehearsal,
        effort: Effort,
    ) -> Self {
        let shared = CxState {
            subject: subject.clone(),
            rehearsal: rehearsal.clone(),
            effort,
            transcript: Transcript::default(),
            evidence: RefCell::default(),
            proof: RefCell::default(),
            about: RefCell::default(),
            enable: Cell::new(None),
            replaced: Cell::new(false),
            printed_elsewhere: RefCell::default(),
        };
        Self {
            shared: Rc::new(shared),
            voice: subject.voice(&server, salt),
            server,
        }
    }

    /// Whether the check may take minutes (`--slow`).
    pub(crate) fn is_slow(&self) -> bool {
        self.shared.effort.slow
    }

    /// Skips a check that takes too long without `--slow`, which enables it.
    pub(crate) fn skip_as_slow<T>(&self, reason: String) -> Checked<T> {
        self.shared.enable.set(Some(SLOW));
        skip(reason)
    }

    /// How long `--soak` wants traffic to last. Skips a check that only runs with it.
    pub(crate) fn soak(&self) -> Checked<Duration> {
        self.shared.effort.soak.map_or_else(
            || {
                self.shared.enable.set(Some(SOAK));
                skip("sends traffic for a minute, only with --soak")
            },
            Ok,
        )
    }

    /// What would enable the check, if it was skipped.
    pub(crate) fn enable(&self) -> Option<&'static str> {
        self.shared.enable.get()
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
        self.shared.rehearsal.pace
    }

    /// Whether the server serves another client after the first one.
    pub(crate) fn serves_again(&self) -> bool {
        self.shared.rehearsal.single_client.is_none()
    }

    /// Whether the server keeps the connection of every client that has left.
    pub(crate) fn keeps_connections(&self) -> bool {
        self.shared.rehearsal.keeps_connections
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

    /// Records which turn, or step of the opening, the server is asked now. The command by hand does the same.
    pub(crate) fn about(&self, exchange: &Exchange) {
        *self.shared.about.borrow_mut() = Some(exchange.label.clone());
    }

    /// The label of what [`Self::about`] recorded last.
    pub(crate) fn asked(&self) -> Option<String> {
        self.shared.about.borrow().clone()
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

    /// The steps taken so far.
    pub(crate) fn actions(&self) -> Actions {
        self.shared.transcript.actions()
    }

    /// Number of connections made so far.
    pub(super) fn connections_made(&self) -> usize {
        self.shared.transcript.connections() as usize
    }

    /// Adds a line to the steps shown in the evidence.
    pub(crate) fn step(&self, what: impl Into<String>) {
        self.shared.transcript.add(0, Actor::Check, what.into());
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
        self.shared.printed_elsewhere.replace(server.printout());
        Self {
            shared: self.shared.clone(),
            voice: self.voice.with_values(values),
            server,
        }
    }

    /// What the last other server of this check, which may have ended, has printed on stderr: see [`Printout::stderr`].
    pub(crate) fn stderr_elsewhere(&self) -> Option<(Vec<u8>, u64)> {
        let printout = self.shared.printed_elsewhere.borrow();
        printout.as_ref().map(Printout::stderr)
    }

    /// The same check on the same server, reached at another address.
    pub(crate) fn reached_at(&self, addr: SocketAddr) -> Checked<Self> {
        let endpoint = Endpoint {
            address: Address::Tcp(addr),
            transport: self.server.endpoint().transport.clone(),
        };
        Ok(Self {
            server: Rc::new(Server::attach(endpoint, None)?),
            ..self.clone()
        })
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

    /// Waits until the server has started all the processes that it had at rest in the rehearsal, and computes nothing, or
    /// [`STARTS`] is over: it may listen before the last of its workers exists.
    pub(crate) async fn started_whole(&self) {
        let at_rest = &self.shared.rehearsal.at_rest;
        let processes: usize = at_rest.iter().map(|known| known.processes).sum();
        self.eventually(STARTS, || {
            self.server.tree().len() >= processes && !self.server.is_computing()
        })
        .await;
    }

    /// The server's end of this connection in the kernel's socket table. `None` if it is not there
    /// (any more), or on another machine.
    pub(crate) fn peer(&self, session: &Session) -> Option<PeerSocket> {
        self.server.peer_socket(session.local())
    }

    /// Skips where the kernel keeps a connection from the server until data arrives (`TCP_DEFER_ACCEPT` of tcp(7)): this one is
    /// established for the client and not yet for the server, so what a silent client does never reaches that.
    pub(crate) fn is_handed_over(&self, session: &Session) -> Checked {
        let peer = self.peer(session).map(|peer| peer.state);
        match peer {
            Some(TcpState::SynRecv | TcpState::NewSynRecv) => skip(
                "the kernel hands a connection to the server only once data has arrived on it (TCP_DEFER_ACCEPT)",
            ),
            _ => Ok(()),
        }
    }

    /// Whether the server has ended this connection. Always true over Unix sockets, which nothing tells.
    ///
    /// The socket table lacks a connection that has ended at both ends, and for a moment also one whose handshake the
    /// server's kernel has not completed yet: then the client's end decides.
    pub(crate) fn is_over(&self, session: &Session) -> bool {
        match self.peer(session) {
            Some(peer) => peer.has_sent_fin(),
            None => session.knows_its_end(),
        }
    }
}
