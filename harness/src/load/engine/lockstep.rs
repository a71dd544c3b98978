//! One connection in lockstep: a request, its reply, the next request. Who drives it says when to ask, so
//! that two servers can be asked in turn, and a server can be asked exactly so often.

use std::time::Duration;

use super::{Engine, EngineContext, EngineError, now};

/// Longest wait for a connection, and for a reply, of a server at its usual speed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a reply is looked for without sleeping: a client that sleeps is woken by the server, on
/// the server's account.
const NO_WAIT: Option<Duration> = None;
/// The same where the server's account does not matter.
const SLEEP: Duration = Duration::from_millis(20);

/// A client of one server with one connection, which it opens anew where the talk asks for that.
pub struct Lockstep<'a> {
    engine: Engine<'a>,
    /// Longest wait for a connection, and for a reply.
    patience: Duration,
    /// How long it sleeps at most while it waits for a reply.
    wait: Option<Duration>,
    /// Whether waiting has become useless.
    is_hopeless: Option<&'a dyn Fn() -> bool>,
}

impl<'a> Lockstep<'a> {
    /// A client that is not connected yet. The load in the context is to have one connection; its pace
    /// does not matter.
    ///
    /// # Errors
    /// As a load.
    pub fn new(context: &'a EngineContext<'a>) -> Result<Self, EngineError> {
        Ok(Self {
            engine: Engine::new(context, 0)?,
            patience: PATIENCE,
            wait: NO_WAIT,
            is_hopeless: None,
        })
    }

    /// For a server that is slowed down: waits so long for a connection or a reply, unless `is_hopeless` says
    /// that this has become useless, and sleeps meanwhile, to leave the processor to the server.
    pub fn patient(mut self, patience: Duration, is_hopeless: &'a dyn Fn() -> bool) -> Self {
        self.patience = patience;
        self.wait = Some(SLEEP);
        self.is_hopeless = Some(is_hopeless);
        self
    }

    /// How many connections it has opened so far.
    pub fn connections(&self) -> usize {
        self.engine.connections.begun()
    }

    /// Waits until a request can be said: connects, holds the opening.
    ///
    /// # Errors
    /// It came to nothing; why, in words.
    pub fn ready(&mut self) -> Result<(), String> {
        let engine = &mut self.engine;
        if engine.connections.begun() == 0 {
            engine.connections.want_first();
        }
        let give_up = now() + self.patience.as_nanos() as u64;
        while !engine.has_room() {
            engine.now = now();
            if engine.now >= give_up || self.is_hopeless.is_some_and(|is_hopeless| is_hopeless()) {
                return Err(self.trouble("the server took no connection"));
            }
            engine.open_more();
            engine.pump(Some(Duration::from_millis(1)));
        }
        Ok(())
    }

    /// Says the next request of the talk.
    pub fn ask(&mut self) {
        let engine = &mut self.engine;
        engine.now = now();
        engine.send_one(0, engine.now);
    }

    /// Waits for the reply to what was asked, and compares it. Gives the moment at which it was there,
    /// in nanoseconds of the monotonic clock.
    ///
    /// # Errors
    /// None came, or a wrong one; why, in words.
    pub fn answered(&mut self) -> Result<u64, String> {
        let give_up = now() + self.patience.as_nanos() as u64;
        while self.engine.progress.is_waiting() {
            self.engine.pump(self.wait);
            if self.engine.now >= give_up
                || self.is_hopeless.is_some_and(|is_hopeless| is_hopeless())
            {
                return Err(self.trouble("no reply came"));
            }
        }
        match self.engine.tally.trouble_count() {
            0 => Ok(self.engine.now),
            _ => Err(self.trouble("the exchange failed")),
        }
    }

    /// What went wrong first, or what is said instead.
    fn trouble(&self, otherwise: &str) -> String {
        let first = self.engine.tally.troubles.first();
        first.cloned().unwrap_or_else(|| otherwise.to_owned())
    }
}

impl Engine<'_> {
    fn has_room(&self) -> bool {
        self.connections.len() > 0 && self.requests.room(&self.connections[0]) > 0
    }
}
