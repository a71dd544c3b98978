//! Reading and comparing replies. Skips messages that the server may send without a request.

use tokio::time::Instant;

use super::{After, PeerError, Reply, Session};
use crate::data::Actor;
use crate::talk::{
    Arrival, Frame, FrameError, Judgement, Mismatch, More, PushReader, Reader, Turn,
};
use crate::text::escape;

impl Session {
    /// Reads one reply and compares it. Later bytes are kept for the next reply.
    pub(crate) async fn expect(&mut self, turn: &Turn) -> Result<Reply, PeerError> {
        let deadline = Instant::now() + self.limit;
        self.finishing |= turn.ends_stream;
        let bytes = match turn.expect.has_reply() {
            true => {
                let bytes = self.reply(turn, deadline).await?;
                self.step(Actor::Server, format!("got {}", escape(&bytes, 60)));
                bytes
            }
            false => self.unanswered(deadline).await?,
        };
        let after = match turn.closes {
            true => self.closed_after_reply(deadline).await?,
            false if self.eof => After::Closed,
            false => After::Open,
        };
        Ok(Reply { bytes, after })
    }

    /// Reads one reply without comparing it, for requests that the server may refuse in its own
    /// way. Without a frame, it returns the first bytes that arrive.
    pub(crate) async fn any_reply(&mut self, turn: &Turn) -> Result<Vec<u8>, PeerError> {
        let deadline = Instant::now() + self.limit;
        self.finishing |= turn.ends_stream;
        let mut decoder = turn.frame.decoder();
        let mut pushes = PushReader::new(self.voice.talk());
        loop {
            if let Ok((push, len)) = pushes.next(self.voice.talk(), &self.buffer) {
                self.pushed(push, len, deadline).await?;
                pushes.reset();
                decoder.reset();
                continue;
            }
            let whole = match &turn.frame {
                Frame::None => (!self.buffer.is_empty()).then_some(self.buffer.len()),
                _ if self.eof => decoder.finish(&self.buffer).ok().flatten(),
                _ => decoder.next(&self.buffer).ok().flatten(),
            };
            if let Some(length) = whole {
                let message: Vec<u8> = self.buffer.drain(..length).collect();
                self.step(Actor::Server, format!("got {}", escape(&message, 60)));
                return Ok(message);
            }
            self.more(deadline).await?;
        }
    }

    async fn reply(&mut self, turn: &Turn, deadline: Instant) -> Result<Vec<u8>, PeerError> {
        let mut reader = Reader::new(self.voice.talk(), turn);
        loop {
            let more = if self.eof { More::End } else { More::Bytes };
            let failed = match self.arrival(&mut reader, turn, more)? {
                Arrival::Push { push, len } => {
                    self.pushed(push, len, deadline).await?;
                    reader.reset();
                    continue;
                }
                Arrival::Reply { len, judgement } => return self.judged(turn, len, judgement),
                Arrival::Partial => match self.more(deadline).await {
                    Ok(()) => continue,
                    Err(failed) => failed,
                },
            };
            // A wrong reply that might have been the beginning of a push.
            return match self.arrival(&mut reader, turn, More::Nothing)? {
                Arrival::Reply { len, judgement } => self.judged(turn, len, judgement),
                Arrival::Push { .. } | Arrival::Partial => Err(failed),
            };
        }
    }

    /// What has arrived.
    fn arrival(&self, reader: &mut Reader, turn: &Turn, more: More) -> Result<Arrival, PeerError> {
        let arrival = reader.next(self.voice.talk(), turn, &self.buffer, more);
        arrival.map_err(|error| self.malformed(turn, &error))
    }

    fn malformed(&self, turn: &Turn, error: &FrameError) -> PeerError {
        PeerError::Wrong {
            mismatch: Mismatch::new(turn.frame.describe(), error.to_string()),
            reply: escape(&self.buffer, 200),
        }
    }

    /// Takes a reply out of the buffer: returns it if it is the expected one.
    fn judged(
        &mut self,
        turn: &Turn,
        len: usize,
        judgement: Judgement,
    ) -> Result<Vec<u8>, PeerError> {
        let message: Vec<u8> = self.buffer.drain(..len).collect();
        let mismatch = match judgement {
            Judgement::Match(captured) => {
                self.voice.capture(captured);
                return Ok(message);
            }
            Judgement::Mismatch(mismatch) => mismatch,
            Judgement::Partial => {
                Mismatch::new(turn.expect.describe(), "a reply that ends too early")
            }
        };
        self.step(Actor::Server, format!("got {}", escape(&message, 60)));
        Err(PeerError::Wrong {
            mismatch,
            reply: escape(&message, 200),
        })
    }

    /// Reads more of an incomplete reply; fails at the end of the stream.
    async fn more(&mut self, deadline: Instant) -> Result<(), PeerError> {
        if self.eof {
            return Err(PeerError::Eof {
                after: self.buffer.len(),
                got: escape(&self.buffer, 200),
            });
        }
        self.fill(deadline).await
    }

    /// For a request that has no reply: waits until the server has read it, as far as the kernel shows that. Then only
    /// a reset is wrong, and a close if the connection should stay open.
    async fn unanswered(&mut self, deadline: Instant) -> Result<Vec<u8>, PeerError> {
        let owed = std::mem::take(&mut self.owed);
        if !owed.is_empty() {
            self.send(&owed).await?;
        }
        self.finish().map_err(|error| self.failed(error))?;
        match self.until_read_or_gone().await {
            Ok(()) => Ok(Vec::new()),
            // Its end of the connection is gone, or on another machine.
            Err(PeerError::Unproven(_)) => self.still_there(deadline).await,
            Err(error) => Err(error),
        }
    }

    /// Looks whether the connection has ended, without waiting for anything.
    async fn still_there(&mut self, deadline: Instant) -> Result<Vec<u8>, PeerError> {
        let ready = tokio::time::timeout(
            std::time::Duration::ZERO,
            self.link.ready(tokio::io::Interest::READABLE),
        );
        if ready.await.is_ok() {
            self.fill(deadline).await?;
        }
        Ok(Vec::new())
    }

    /// Removes a push from the buffer and answers it, if the talk says so.
    async fn pushed(
        &mut self,
        push: usize,
        len: usize,
        deadline: Instant,
    ) -> Result<(), PeerError> {
        let message: Vec<u8> = self.buffer.drain(..len).collect();
        if let Some(answer) = self.voice.answer(push, &message)? {
            self.answers.add(&answer);
        }
        self.answer(deadline).await
    }

    /// Sends the answers that are due. Behind a request that is still being sent they wait with it; once the client has
    /// closed its side there are none.
    pub(super) async fn answer(&mut self, deadline: Instant) -> Result<(), PeerError> {
        let answers = self.answers.due();
        if answers.is_empty() || self.finished {
            return Ok(());
        }
        if !self.owed.is_empty() {
            self.owed.extend(answers);
            return Ok(());
        }
        self.write(&answers, deadline).await
    }

    async fn closed_after_reply(&mut self, deadline: Instant) -> Result<After, PeerError> {
        while !self.eof {
            match self.fill(deadline).await {
                Ok(()) => {}
                Err(PeerError::Reset { .. }) => return Ok(After::Reset),
                Err(PeerError::Silent { limit, .. }) => return Err(PeerError::NotClosed { limit }),
                Err(error) => return Err(error),
            }
        }
        Ok(After::Closed)
    }
}
