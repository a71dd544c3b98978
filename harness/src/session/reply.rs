//! Reading and comparing replies. Skips messages that the server may send without a request.

use tokio::time::Instant;

use super::{After, PeerError, Reply, Session};
use crate::talk::{Close, Decoder, Frame, FrameError, Judgement, Mismatch, Turn};
use crate::text::escape;

impl Session {
    /// Reads one reply and compares it. Later bytes are kept for the next reply.
    pub(crate) async fn expect(&mut self, turn: &Turn) -> Result<Reply, PeerError> {
        let deadline = Instant::now() + self.limit;
        let bytes = self.reply(turn, deadline).await?;
        self.transcript
            .add(self.number, format!("got {}", escape(&bytes, 60)));
        let after = match self.voice.talk().close {
            Close::Client => After::Open,
            Close::ServerAfterReply => self.closed_after_reply(deadline).await?,
        };
        Ok(Reply { bytes, after })
    }

    /// Reads one reply without comparing it, for requests that the server may refuse in its own
    /// way. Without a frame, it returns the first bytes that arrive.
    pub(crate) async fn any_reply(&mut self, turn: &Turn) -> Result<Vec<u8>, PeerError> {
        let deadline = Instant::now() + self.limit;
        let mut decoder = turn.frame.decoder();
        loop {
            let whole = match &turn.frame {
                Frame::None => (!self.buffer.is_empty()).then_some(self.buffer.len()),
                _ => self.framed(&mut decoder).ok().flatten(),
            };
            if let Some(length) = whole {
                let message: Vec<u8> = self.buffer.drain(..length).collect();
                self.transcript
                    .add(self.number, format!("got {}", escape(&message, 60)));
                return Ok(turn.frame.body(&message).to_vec());
            }
            self.more(deadline).await?;
        }
    }

    async fn reply(&mut self, turn: &Turn, deadline: Instant) -> Result<Vec<u8>, PeerError> {
        let mut decoder = turn.frame.decoder();
        loop {
            let whole = if turn.frame == Frame::None || turn.expect.needs_eof() {
                self.unframed(turn)?
            } else {
                self.framed(&mut decoder)
                    .map_err(|error| PeerError::Wrong {
                        mismatch: Mismatch::new(turn.frame.describe(), error.to_string()),
                        reply: escape(&self.buffer, 200),
                    })?
            };
            let Some(length) = whole else {
                self.more(deadline).await?;
                continue;
            };
            if let Some(bytes) = self.judged(turn, length, deadline).await? {
                return Ok(bytes);
            }
            decoder.reset();
        }
    }

    /// The end of the first message. The end of the stream may end it (HTTP without a length).
    fn framed(&self, decoder: &mut Decoder) -> Result<Option<usize>, FrameError> {
        let found = if self.eof {
            decoder.finish(&self.buffer)
        } else {
            decoder.next(&self.buffer)
        };
        match found {
            // The stream ended too early, which the caller reports.
            Err(FrameError::Truncated { .. }) => Ok(None),
            found => found,
        }
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

    /// Without a frame, a reply is complete when its expectation is met.
    fn unframed(&self, turn: &Turn) -> Result<Option<usize>, PeerError> {
        if self.eof && self.buffer.is_empty() && !turn.expect.needs_eof() {
            return Ok(None);
        }
        match turn.expect.judge(&self.buffer, self.eof) {
            Judgement::Match(_) => Ok(Some(self.buffer.len())),
            Judgement::Partial => Ok(None),
            Judgement::Mismatch(mismatch) => Err(PeerError::Wrong {
                mismatch,
                reply: escape(&self.buffer, 200),
            }),
        }
    }

    /// The reply if it is the expected one; `None` if it is a push, which is answered if the talk
    /// says so.
    async fn judged(
        &mut self,
        turn: &Turn,
        length: usize,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, PeerError> {
        let message: Vec<u8> = self.buffer.drain(..length).collect();
        let judgement = if turn.expect.needs_eof() {
            turn.expect.judge(&message, self.eof)
        } else {
            turn.judge_message(&message)
        };
        match judgement {
            Judgement::Match(captured) => {
                self.voice.capture(captured);
                Ok(Some(message))
            }
            _ if self
                .voice
                .talk()
                .pushed(turn.frame.body(&message))
                .is_some() =>
            {
                self.answer_push(turn.frame.body(&message), deadline)
                    .await?;
                Ok(None)
            }
            Judgement::Partial => Err(PeerError::Wrong {
                mismatch: Mismatch::new(turn.expect.describe(), "a reply that ends too early"),
                reply: escape(&message, 200),
            }),
            Judgement::Mismatch(mismatch) => Err(PeerError::Wrong {
                mismatch,
                reply: escape(&message, 200),
            }),
        }
    }

    async fn answer_push(&mut self, message: &[u8], deadline: Instant) -> Result<(), PeerError> {
        let Some(answer) = self.voice.answer(message)? else {
            return Ok(());
        };
        self.send_by(&answer, deadline).await
    }

    async fn closed_after_reply(&mut self, deadline: Instant) -> Result<After, PeerError> {
        while !self.eof {
            match self.fill(deadline).await {
                Ok(()) => {}
                Err(PeerError::Reset { .. }) => return Ok(After::Reset),
                Err(error) => return Err(error),
            }
        }
        Ok(After::Closed)
    }
}
