//! One connection in lockstep: a request, its reply, the next request. Who drives it says when to ask, so
//! that two servers can be asked in turn, and a server can be asked exactly so often.

use std::time::Duration;

use super::{Engine, EngineError, Orders, now};

/// Longest wait for a connection, and for a reply.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a reply is looked for without sleeping: a client that sleeps is woken by the server, on
/// the server's account.
const NO_WAIT: Option<Duration> = None;

/// A client of one server with one connection, which it opens anew where the talk asks for that.
pub struct Lockstep<'a>(Engine<'a>);

impl<'a> Lockstep<'a> {
    /// A client that is not connected yet. The load in the orders is to have one connection; its pace
    /// does not matter.
    ///
    /// # Errors
    /// As a load.
    pub fn new(orders: &'a Orders<'a>) -> Result<Self, EngineError> {
        Engine::new(orders, 0).map(Self)
    }

    /// Waits until a request can be said: connects, holds the opening.
    ///
    /// # Errors
    /// It came to nothing; why, in words.
    pub fn ready(&mut self) -> Result<(), String> {
        let engine = &mut self.0;
        if engine.serving == 0 && engine.opened == 0 {
            engine.to_open.push_back(0);
        }
        let give_up = now() + PATIENCE.as_nanos() as u64;
        while !engine.can_say() {
            engine.now = now();
            if engine.now >= give_up {
                return Err(self.trouble("the server took no connection"));
            }
            engine.open_more();
            engine.pump(Some(Duration::from_millis(1)));
        }
        Ok(())
    }

    /// Says the next request of the talk.
    pub fn ask(&mut self) {
        let engine = &mut self.0;
        engine.now = now();
        engine.say(0, engine.now);
    }

    /// Waits for the reply to what was asked, and compares it. Gives the moment at which it was there,
    /// in nanoseconds of the monotonic clock.
    ///
    /// # Errors
    /// None came, or a wrong one; why, in words.
    pub fn answered(&mut self) -> Result<u64, String> {
        let give_up = now() + PATIENCE.as_nanos() as u64;
        while self.0.in_flight > 0 {
            self.0.pump(NO_WAIT);
            if self.0.now >= give_up {
                return Err(self.trouble("no reply came"));
            }
        }
        match self.0.tally.trouble_count() {
            0 => Ok(self.0.now),
            _ => Err(self.trouble("the exchange failed")),
        }
    }

    /// What went wrong first, or what is said instead.
    fn trouble(&self, otherwise: &str) -> String {
        let first = self.0.tally.troubles.first();
        first.cloned().unwrap_or_else(|| otherwise.to_owned())
    }
}

impl Engine<'_> {
    fn can_say(&self) -> bool {
        self.conns
            .first()
            .is_some_and(|conn| conn.room(self.depth, self.churn) > 0)
    }
}
