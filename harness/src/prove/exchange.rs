//! Exchanges of the conversation, held by a [`Client`] of a test.

use std::time::{Duration, Instant};

use super::client::Client;
use super::error::{ProveError, Result};
use crate::process::socket_table;
use crate::talk::{Exchange, Frame, Judgement, Opening, Turn};
use crate::text::escape;

/// Time that the server gets to read a piece before the next one is sent.
const READ_WITHIN: Duration = Duration::from_millis(200);
/// Pause between two looks whether it has.
const LOOK: Duration = Duration::from_micros(20);
/// The payload of turns whose payload does not matter.
const PAYLOAD: &[u8] = b"ping";
/// Maximum bytes shown in an error.
const SHOWN_BYTES: usize = 400;

impl Client {
    /// Performs the opening of the conversation, if it has one and this connection has not done so.
    ///
    /// # Errors
    /// The server does not hold it, or it is one that only a session of tcprove can perform: STARTTLS, a program that logs in.
    pub fn open(&mut self) -> Result<&mut Self> {
        if !self.words.opens() {
            return Ok(self);
        }
        let talk = self.talk.clone();
        for opening in &talk.open {
            let Opening::Exchange(exchange) = opening else {
                return Err(ProveError::Description(
                    "a client of a test performs no STARTTLS and runs no program that logs in: use Prove::check or Prove::fuzz"
                        .into(),
                ));
            };
            self.hold(exchange, PAYLOAD, &[])?;
        }
        Ok(self)
    }

    /// Holds the plain exchange of the conversation: its first turn, with a new `{tok}`. The reply must be the expected one. The
    /// opening comes before the first one.
    ///
    /// # Errors
    /// The reply is another one, or there is none.
    pub fn exchange(&mut self) -> Result<&mut Self> {
        self.open()?;
        let talk = self.talk.clone();
        self.hold(talk.plain(), PAYLOAD, &[])?;
        Ok(self)
    }

    /// How long so many plain exchanges take, one after the other, from a request to its whole reply. Replies are compared outside
    /// this time. For criterion: `bencher.iter_custom(|count| client.time_exchanges(count).unwrap())`.
    ///
    /// # Errors
    /// A reply is not the expected one, or there is none. The connection must carry as many exchanges as the bench makes.
    pub fn time_exchanges(&mut self, count: u64) -> Result<Duration> {
        self.open()?;
        let talk = self.talk.clone();
        let mut took = Duration::ZERO;
        for _ in 0..count {
            took += self.hold(talk.plain(), PAYLOAD, &[])?;
        }
        Ok(took)
    }

    /// Sends these bytes in pieces that end at these offsets: the server has read a piece before the next one is sent.
    ///
    /// # Errors
    /// The server does not accept the connection, or has ended it.
    pub fn say_in_pieces(&mut self, bytes: impl AsRef<[u8]>, cuts: &[usize]) -> Result<&mut Self> {
        let mut rest = bytes.as_ref();
        let mut done = 0;
        for cut in cuts {
            let Some((piece, after)) = cut
                .checked_sub(done)
                .and_then(|len| rest.split_at_checked(len))
            else {
                continue;
            };
            if piece.is_empty() {
                continue;
            }
            self.say(piece)?;
            self.wait_until_read()?;
            (done, rest) = (*cut, after);
        }
        self.say(rest)
    }

    /// Waits until the receive queue of the server is empty, for a limited time.
    fn wait_until_read(&mut self) -> Result {
        let Some(server) = self.server.addr() else {
            return Ok(());
        };
        let Some(local) = self.link()?.local() else {
            return Ok(());
        };
        let until = Instant::now() + READ_WITHIN;
        while Instant::now() < until {
            match socket_table::find(server, local) {
                Ok(Some(socket)) if socket.recv_q > 0 => std::thread::sleep(LOOK),
                _ => break,
            }
        }
        Ok(())
    }

    /// Holds this exchange, with the request in pieces. Returns how long the reply took.
    pub(super) fn hold(
        &mut self,
        exchange: &Exchange,
        payload: &[u8],
        cuts: &[usize],
    ) -> Result<Duration> {
        let turn = self.words.rendered(&self.talk, exchange, payload)?;
        self.link()?;
        let begun = Instant::now();
        if !turn.request.is_empty() {
            self.say_in_pieces(&turn.request, cuts)?;
        }
        if turn.ends_stream {
            self.finish()?;
        }
        if !exchange.expect.has_reply() {
            return Ok(begun.elapsed());
        }
        let reply = match turn.frame {
            // Complete when the expectation is met.
            Frame::None => self.until_judged(&turn)?,
            _ if turn.expect.needs_eof() && turn.frame != Frame::Eof => {
                self.expect_close()?;
                return Ok(begun.elapsed());
            }
            _ => self.message(&turn.frame)?,
        };
        let took = begun.elapsed();
        match turn.judge_message(&reply) {
            Judgement::Match(found) => self.words.learn(found),
            Judgement::Partial => {
                return Err(self.wrong(
                    format!("the whole reply of {}", turn.label),
                    shown(&turn, &reply),
                ));
            }
            Judgement::Mismatch(mismatch) => {
                let actual = format!("got {} ({})", mismatch.actual, shown(&turn, &reply));
                return Err(self.wrong(mismatch.expected, actual));
            }
        }
        Ok(took)
    }

    fn until_judged(&mut self, turn: &Turn) -> Result<Vec<u8>> {
        self.receive_until(|received| {
            !received.is_empty() && turn.judge_message(received) != Judgement::Partial
        })?;
        Ok(std::mem::take(&mut self.received))
    }
}

fn shown(turn: &Turn, reply: &[u8]) -> String {
    format!(
        "{}: sent {}, received {}",
        turn.label,
        escape(&turn.request, SHOWN_BYTES),
        escape(reply, SHOWN_BYTES)
    )
}
