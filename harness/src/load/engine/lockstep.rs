//! A client that sends one request at a time. The caller decides when, so that it can alternate between two servers,
//! or send an exact number of requests.

use std::time::Duration;

use super::{Engine, EngineContext, EngineError, now};

/// Maximum wait for a connection or a reply of a server at normal speed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Polls without sleeping: the server's CPU time would include the cost of waking a sleeping client.
const NO_WAIT: Option<Duration> = None;
/// Maximum sleep per poll where the server's CPU time is not measured.
const SLEEP: Duration = Duration::from_millis(20);

/// A client of one server with one connection, which it reopens if the talk requires that.
pub(crate) struct Lockstep<'a> {
    engine: Engine<'a>,
    /// Maximum wait for a connection or a reply.
    patience: Duration,
    /// When waiting ends in any case, in nanoseconds of the monotonic clock.
    until: u64,
    /// Maximum sleep per poll while waiting for a reply; `None`: no sleep.
    wait: Option<Duration>,
    /// Whether waiting is useless, for example because the server has ended.
    is_hopeless: Option<&'a dyn Fn() -> bool>,
}

impl<'a> Lockstep<'a> {
    /// A client that is not connected yet. The workload in the context must have one connection; its pacing is
    /// ignored.
    ///
    /// # Errors
    /// The same as [`Engine::new`].
    pub(crate) fn new(context: &'a EngineContext<'a>) -> Result<Self, EngineError> {
        Ok(Self {
            engine: Engine::new(context, 0)?,
            patience: PATIENCE,
            until: u64::MAX,
            wait: NO_WAIT,
            is_hopeless: None,
        })
    }

    /// For a server that is slowed down: waits up to `patience` for a connection or a reply, or until `is_hopeless`
    /// returns true. It sleeps while it waits, to leave the CPU to the server.
    pub(crate) fn patient(mut self, patience: Duration, is_hopeless: &'a dyn Fn() -> bool) -> Self {
        self.patience = patience;
        self.wait = Some(SLEEP);
        self.is_hopeless = Some(is_hopeless);
        self
    }

    /// Waits at most this long for a connection or a reply, and not beyond a moment of the monotonic clock in
    /// nanoseconds. It does not sleep while it waits.
    pub(crate) fn within(mut self, patience: Duration, until: u64) -> Self {
        self.patience = patience;
        self.until = until;
        self
    }

    /// Number of connections begun so far.
    pub(crate) fn connections(&self) -> usize {
        self.engine.connections.begun()
    }

    /// Number of bytes sent and received so far.
    pub(crate) fn bytes(&self) -> u64 {
        let (sent, received) = self.engine.progress.bytes();
        sent + received
    }

    /// Connects and completes the opening, if necessary, so that a request can be sent.
    ///
    /// # Errors
    /// That failed or took too long.
    pub(crate) fn ready(&mut self) -> Result<(), String> {
        let give_up = self.give_up();
        let engine = &mut self.engine;
        if engine.connections.begun() == 0 {
            engine.connections.want_first();
        }
        while !engine.has_room() {
            engine.now = now();
            if engine.now >= give_up || self.is_hopeless.is_some_and(|is_hopeless| is_hopeless()) {
                return Err(self.trouble("the server accepted no connection"));
            }
            engine.open_more();
            engine.pump(Some(Duration::from_millis(1)));
        }
        Ok(())
    }

    /// Sends the next request.
    pub(crate) fn ask(&mut self) {
        let engine = &mut self.engine;
        engine.now = now();
        engine.send_one(0, engine.now);
    }

    /// Waits for the reply and verifies it. Returns when it arrived, in nanoseconds of the monotonic clock.
    ///
    /// # Errors
    /// No reply arrived, or a wrong one.
    pub(crate) fn answered(&mut self) -> Result<u64, String> {
        let give_up = self.give_up();
        loop {
            if let Some(arrived) = self.poll(give_up)? {
                return Ok(arrived);
            }
        }
    }

    /// Looks once for the reply. `None`: it has not arrived yet.
    ///
    /// # Errors
    /// It did not arrive until `give_up`, or it is a wrong one.
    pub(crate) fn poll(&mut self, give_up: u64) -> Result<Option<u64>, String> {
        if self.engine.progress.is_waiting() {
            self.engine.pump(self.wait);
        }
        if self.engine.progress.is_waiting() {
            let is_hopeless = self.is_hopeless.is_some_and(|is_hopeless| is_hopeless());
            if is_hopeless || self.engine.now >= give_up {
                let limit = self.patience;
                return Err(self.trouble(&format!("no reply arrived within {limit:.1?}")));
            }
            return Ok(None);
        }
        match self.engine.tally.trouble_count() {
            0 => Ok(Some(self.engine.now)),
            _ => Err(self.trouble("the exchange failed")),
        }
    }

    /// When a wait that begins now ends.
    pub(crate) fn give_up(&self) -> u64 {
        (now() + self.patience.as_nanos() as u64).min(self.until)
    }

    /// The first failure that was recorded, or `otherwise`.
    fn trouble(&self, otherwise: &str) -> String {
        let first = self.engine.tally.troubles.first();
        first.cloned().unwrap_or_else(|| otherwise.to_owned())
    }
}

impl Engine<'_> {
    fn has_room(&self) -> bool {
        self.connections.len() > 0
            && self
                .requests
                .room(&self.connections[0], &self.context.courses)
                > 0
    }
}
