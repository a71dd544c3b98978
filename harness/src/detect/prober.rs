//! The live part of a detection: a server to ask, and bounded questions.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::{JoinSet, LocalSet};

use super::heard::Heard;
use super::line::{self, CONNECTING, Example, Line, RawAnswer};
use super::{DetectError, Missed, SETTLED};
use crate::file::File;
use crate::process::{Launch, Ready, Server, StartOptions};
use crate::session::{ConnectionEnd, PeerError, Voice};
use crate::subject::{Interrupt, Origin, Subject, runtime};
use crate::talk::{Exchange, Tokens};

/// A server that starts faster is started anew for every candidate, so that no probe disturbs the next one.
const FAST_START: Duration = Duration::from_millis(400);
/// How long an unknown server may take to be ready.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// A start that takes more than this fraction of the time-out is slow: on a busy machine it would take longer.
const SLOW_START: u32 = 3;
/// The time-out that is written for a server with a slow start.
const SLOW_READY_TIMEOUT: Duration = Duration::from_secs(60);
/// As [`FAST_START`], for a server that a probe may have hung.
const BEARABLE_START: Duration = Duration::from_secs(3);

/// Asks a server, which it starts, and starts again if a probe ended it.
pub(super) struct Prober<'a> {
    origin: Origin,
    port0: bool,
    seed: u64,
    interrupt: &'a Interrupt,
    runtime: Runtime,
    tokens: Tokens,
    /// The server, and whether a probe has used it.
    server: Option<(Rc<Server>, bool)>,
    questions: u64,
    slowest_start: Duration,
    /// Whether the server left a probe without an answer: it may hang.
    suspect: bool,
    /// Whether a new server is left alone for a while before it is asked.
    settles: bool,
    /// Lines that servers before this one printed on stderr.
    printed: Vec<String>,
}

/// Number of lines that are kept of what servers print.
const PRINTED_MAX: usize = 8;

/// A client of a candidate's talk. Its connections have different numbers and tokens.
pub(super) struct Client {
    subject: Subject,
    voice: Voice,
}

impl Client {
    fn voice_for(&self, server: &Server) -> Voice {
        self.voice.with_values(self.subject.values_of(server))
    }
}

impl<'a> Prober<'a> {
    pub(super) fn new(origin: &Origin, port0: bool, seed: u64, interrupt: &'a Interrupt) -> Self {
        let mut origin = origin.clone();
        if let Origin::Spawn(launch) = &mut origin {
            launch.ready_timeout = launch.ready_timeout.max(START_PATIENCE);
        }
        Self {
            origin,
            port0,
            seed,
            interrupt,
            runtime: runtime(),
            tokens: Tokens::stream(seed, 1),
            server: None,
            questions: 0,
            slowest_start: Duration::ZERO,
            suspect: false,
            settles: false,
            printed: Vec::new(),
        }
    }

    /// How long the server may take to be ready.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        if let Origin::Spawn(launch) = &mut self.origin {
            launch.ready_timeout = patience;
        }
    }

    /// A word that has never been sent.
    pub(super) fn token(&mut self) -> String {
        self.tokens.next()
    }

    /// Changes when the server counts as ready, in every later start. Returns what it was before; `None` if it is
    /// attached.
    pub(super) fn set_ready(&mut self, ready: Ready) -> Option<Ready> {
        match &mut self.origin {
            Origin::Spawn(launch) => Some(std::mem::replace(&mut launch.ready, ready)),
            Origin::Attach { .. } => None,
        }
    }

    /// How the server is to be started from now on, given how `launch` was started here.
    pub(super) fn learned_launch(&self, launch: &Launch) -> Launch {
        let Origin::Spawn(learned) = &self.origin else {
            return launch.clone();
        };
        Launch {
            ready: learned.ready.clone(),
            ready_timeout: if self.slowest_start > launch.ready_timeout / SLOW_START {
                launch.ready_timeout.max(SLOW_READY_TIMEOUT)
            } else {
                launch.ready_timeout
            },
            ..launch.clone()
        }
    }

    /// The subject of a candidate.
    pub(super) fn subject(&mut self, file: &File) -> Subject {
        self.questions += 1;
        Subject {
            origin: self.origin.clone(),
            talk: Arc::new(file.talk.clone()),
            promise: file.promise.clone(),
            seed: self.seed ^ self.questions,
        }
    }

    /// A client of the candidate's talk.
    pub(super) fn client(&mut self, file: &File) -> Client {
        let subject = self.subject(file);
        let voice = Voice::new(subject.talk.clone(), subject.values(), subject.seed);
        Client { subject, voice }
    }

    /// The running server, or a new one if there is none.
    ///
    /// # Errors
    /// It does not start, or the user interrupted.
    pub(super) fn server(&mut self) -> Result<Rc<Server>, DetectError> {
        let kept = self.server.as_ref().filter(|(server, _)| !server.is_gone());
        if let Some((server, _)) = kept {
            return Ok(server.clone());
        }
        self.forget();
        let options = StartOptions {
            port0: self.port0,
            ..StartOptions::default()
        };
        let origin = &self.origin;
        let started = self.wait(async move {
            match origin {
                Origin::Spawn(launch) => Server::start(launch, options).await,
                Origin::Attach { endpoint, pid } => Server::attach(endpoint.clone(), *pid),
            }
        })?;
        let server = Rc::new(started.map_err(|failure| DetectError::Start(Box::new(failure)))?);
        self.slowest_start = self.slowest_start.max(server.started_in());
        self.server = Some((server.clone(), false));
        self.suspect = false;
        if self.settles {
            self.settle()?;
        }
        Ok(server)
    }

    /// Leaves the server alone for a while.
    pub(super) fn settle(&self) -> Result<(), DetectError> {
        self.wait(async { tokio::time::sleep(SETTLED).await })
    }

    /// Whether every new server is left alone before it is asked.
    pub(super) fn settles(&self) -> bool {
        self.settles
    }

    /// Leaves every new server alone for a while before it is asked.
    pub(super) fn settle_always(&mut self) {
        self.settles = true;
        self.renew();
    }

    /// A server that no probe has used, unless its start takes long or it is attached.
    pub(super) fn fresh(&mut self) -> Result<Rc<Server>, DetectError> {
        let longest = if self.suspect {
            BEARABLE_START
        } else {
            FAST_START
        };
        let is_stale =
            |(server, used): &(Rc<Server>, bool)| *used && server.started_in() <= longest;
        if self.server.as_ref().is_some_and(is_stale) {
            self.renew();
        }
        self.server()
    }

    /// Ends the server. The next probe gets a new one, unless it is attached.
    pub(super) fn renew(&mut self) {
        if matches!(self.origin, Origin::Spawn(_)) {
            self.forget();
        }
    }

    /// Lets go of the server, but not of what it printed.
    fn forget(&mut self) {
        self.printed = self.printed();
        self.server = None;
    }

    /// The last different lines that all servers have printed on stderr, without those that are indented, such as the places of a
    /// traceback, and its head.
    pub(super) fn printed(&self) -> Vec<String> {
        let output = self.server.as_ref().map(|(server, _)| server.output());
        let last = output.map_or(String::new(), |output| output.stderr_tail);
        let says = |line: &&str| {
            let is_head = line.starts_with("Traceback ") || line.starts_with("Exception in thread");
            line.starts_with(|first: char| !first.is_whitespace()) && !is_head
        };
        let mut lines = self.printed.clone();
        for line in last.lines().filter(says) {
            lines.retain(|before| before != line);
            lines.push(line.to_owned());
        }
        let rest = lines.len().saturating_sub(PRINTED_MAX);
        lines.split_off(rest)
    }

    /// Sends `sent` on a new connection, after the opening of `talk`, and reads what comes back.
    ///
    /// # Errors
    /// The server does not start or cannot be reached, or the user interrupted.
    pub(super) fn hear(
        &mut self,
        talk: &File,
        token: &str,
        sent: &[u8],
        first: Duration,
    ) -> Result<Heard, DetectError> {
        let client = self.client(talk);
        let mut heard = self.raw(&client, sent, first)?;
        // A server that serves a single client is started anew for each.
        if heard.as_ref().is_err_and(PeerError::is_refusal) && self.is_spawned() {
            self.renew();
            heard = self.raw(&client, sent, first)?;
        }
        let (answer, failed) = match heard {
            Ok(answer) => (answer, None),
            // Nothing can be asked at an address where nobody listens.
            Err(error) if error.is_refusal() => return Err(DetectError::Failed(error.to_string())),
            Err(error) => (Default::default(), Some(error.to_string())),
        };
        self.suspect |= !sent.is_empty() && answer.got.is_empty();
        Ok(Heard {
            sent: sent.to_vec(),
            token: token.to_owned(),
            got: answer.got,
            end: answer.end,
            waited: first,
            took: answer.took,
            died: answer.died,
            failed,
        })
    }

    fn raw(
        &mut self,
        client: &Client,
        sent: &[u8],
        first: Duration,
    ) -> Result<Result<RawAnswer, PeerError>, DetectError> {
        let server = self.server()?;
        self.used();
        let voice = client.voice_for(&server);
        self.wait(line::raw(server, voice, sent, first))
    }

    /// Holds the plain exchange of each talk, all at the same time on one server. A talk that nobody holds gets what was
    /// missed.
    ///
    /// # Errors
    /// The server does not start, or the user interrupted.
    pub(super) fn hold_all(
        &mut self,
        files: &[&File],
        limit: Duration,
    ) -> Result<Vec<Result<(), Missed>>, DetectError> {
        self.fresh()?;
        let server = self.server()?;
        self.used();
        let mut attempts = JoinSet::new();
        let mut lines = Vec::new();
        for (place, file) in files.iter().enumerate() {
            let voice = self.client(file).voice_for(&server);
            lines.push((place, voice, file.talk.plain().clone()));
        }
        let all = async {
            for (place, voice, exchange) in lines {
                let server = server.clone();
                attempts.spawn_local(async move {
                    (place, line::plain(server, voice, exchange, limit).await)
                });
            }
            let unknown = || Err(Missed::unknown("the attempt ended early"));
            let mut results: Vec<Result<(), Missed>> = files.iter().map(|_| unknown()).collect();
            while let Some(attempt) = attempts.join_next().await {
                if let Ok((place, result)) = attempt {
                    results[place] = result;
                }
            }
            results
        };
        let results = self.wait(all)?;
        self.suspect |= results.iter().any(Result::is_err);
        Ok(results)
    }

    /// Opens a connection and performs the talk's opening.
    ///
    /// # Errors
    /// The server does not start, or the user interrupted.
    pub(super) fn open(
        &mut self,
        client: &Client,
        limit: Duration,
    ) -> Result<Result<Line, Missed>, DetectError> {
        let mut again = self.is_spawned();
        loop {
            let server = self.server()?;
            self.used();
            let voice = client.voice_for(&server);
            match self.wait(Line::open(server, voice, limit))? {
                // A server that serves a single client is started anew for each.
                Err(missed) if missed.label == CONNECTING && std::mem::take(&mut again) => {
                    self.renew();
                }
                Err(missed) => {
                    self.suspect = true;
                    return Ok(Err(missed));
                }
                Ok(line) => return Ok(Ok(line)),
            }
        }
    }

    /// Whether the server reads these bytes within this time.
    pub(super) fn is_read(
        &mut self,
        line: &mut Line,
        sent: &[u8],
        within: Duration,
    ) -> Result<bool, DetectError> {
        self.wait(line.is_read(sent, within))
    }

    /// Holds one exchange. Returns the request and the whole reply.
    pub(super) fn hold(
        &mut self,
        line: &mut Line,
        exchange: &Exchange,
    ) -> Result<Result<Example, Missed>, DetectError> {
        let held = self.wait(line.hold(exchange))?;
        self.suspect |= held.is_err();
        Ok(held)
    }

    /// Sends these bytes, and reads until the server is quiet after something that `is_whole` accepts.
    pub(super) fn say(
        &mut self,
        line: &mut Line,
        sent: &[u8],
        first: Duration,
        is_whole: &dyn Fn(&[u8]) -> bool,
    ) -> Result<(Vec<u8>, ConnectionEnd), DetectError> {
        self.wait(line.say(sent, first, is_whole))
    }

    /// What comes after the last reply, within `first`.
    pub(super) fn rest(
        &mut self,
        line: &mut Line,
        first: Duration,
    ) -> Result<(Vec<u8>, ConnectionEnd), DetectError> {
        self.wait(line.rest(first))
    }

    pub(super) fn interrupt(&self) -> &'a Interrupt {
        self.interrupt
    }

    fn is_spawned(&self) -> bool {
        matches!(self.origin, Origin::Spawn(_))
    }

    fn used(&mut self) {
        if let Some((_, used)) = &mut self.server {
            *used = true;
        }
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, DetectError> {
        LocalSet::new().block_on(&self.runtime, async {
            tokio::select! {
                done = future => Ok(done),
                () = self.interrupt.wait() => Err(DetectError::Interrupted),
            }
        })
    }
}
