//! Cuts the next reply out of a stream, past the messages that the server may push before it.

use super::Talk;
use super::exchange::Turn;
use super::frame::{Decoder, Frame, FrameError};
use super::judgement::Judgement;

/// Reads the reply of one turn.
///
/// Like a [`Decoder`] it stores no bytes: the caller keeps them in a buffer, removes a message once its length is
/// known, and calls [`Reader::reset`].
#[derive(Debug, Clone)]
pub struct Reader {
    decoder: Decoder,
    /// The pushes that end otherwise than this reply, by their index, and their decoders.
    apart: Vec<(usize, Decoder)>,
}

/// What the bytes received so far are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// No whole message.
    Partial,
    /// A message that the server may send without a request, of this length.
    Push {
        /// Its index in the talk.
        push: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// The reply, of this length.
    Reply {
        /// Its length in bytes.
        len: usize,
        /// A match or a mismatch.
        judgement: Judgement,
    },
}

/// What more can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// More bytes.
    Bytes,
    /// Nothing within the time limit.
    Nothing,
    /// Nothing: the stream has ended.
    End,
}

impl Reader {
    /// A reader of the reply of `turn`.
    pub fn new(talk: &Talk, turn: &Turn) -> Self {
        // A reply without a frame of its own shares it with pushes, if it has one at all.
        let shares = turn.frame == talk.reply && is_framed(turn);
        let apart = talk.push.iter().enumerate();
        let apart = apart.filter(|(_, push)| push.frame.is_some() || !shares);
        Self {
            decoder: turn.frame.decoder(),
            apart: apart
                .map(|(index, push)| (index, push.frame(talk).decoder()))
                .collect(),
        }
    }

    /// Starts a new message: the buffer now starts with its first byte.
    pub fn reset(&mut self) {
        self.decoder.reset();
        self.apart
            .iter_mut()
            .for_each(|(_, decoder)| decoder.reset());
    }

    /// What is at the start of `buffer`.
    ///
    /// # Errors
    /// The bytes are not a message of the reply's frame.
    pub fn next(
        &mut self,
        talk: &Talk,
        turn: &Turn,
        buffer: &[u8],
        more: More,
    ) -> Result<Arrival, FrameError> {
        let mut undecided = false;
        for (index, decoder) in &mut self.apart {
            let push = &talk.push[*index];
            match decoder.next(buffer) {
                Ok(Some(len)) if push.is_match(decoder.frame(), &buffer[..len]) => {
                    return Ok(Arrival::Push { push: *index, len });
                }
                Ok(None) if more == More::Bytes => undecided |= push.may_begin_with(buffer),
                _ => {}
            }
        }
        let found = if is_framed(turn) {
            self.framed(talk, turn, buffer, more)
        } else {
            Ok(unframed(turn, buffer, more))
        };
        let is_wrong = match &found {
            Ok(Arrival::Reply { judgement, .. }) => matches!(judgement, Judgement::Mismatch(_)),
            Ok(_) => false,
            Err(_) => true,
        };
        // It may be the beginning of a push.
        match is_wrong && undecided {
            true => Ok(Arrival::Partial),
            false => found,
        }
    }

    fn framed(
        &mut self,
        talk: &Talk,
        turn: &Turn,
        buffer: &[u8],
        more: More,
    ) -> Result<Arrival, FrameError> {
        let found = match more {
            More::End => self.decoder.finish(buffer),
            More::Bytes | More::Nothing => self.decoder.next(buffer),
        };
        let len = match found {
            Ok(Some(len)) => len,
            // The stream ended too early, which the caller reports.
            Ok(None) | Err(FrameError::Truncated { .. }) => return Ok(Arrival::Partial),
            Err(error) => return Err(error),
        };
        let message = &buffer[..len];
        let judgement = turn.judge_message(message);
        if matches!(judgement, Judgement::Mismatch(_)) {
            let shares = |index: &usize| self.apart.iter().all(|(apart, _)| apart != index);
            let mut pushes = (0..talk.push.len()).filter(shares);
            let push = pushes.find(|index| talk.push[*index].is_match(&turn.frame, message));
            if let Some(push) = push {
                return Ok(Arrival::Push { push, len });
            }
        }
        Ok(Arrival::Reply { len, judgement })
    }
}

/// Whether the frame tells where the reply ends. Otherwise it ends once its expectation is met.
fn is_framed(turn: &Turn) -> bool {
    turn.frame != Frame::None && !turn.expect.needs_eof()
}

fn unframed(turn: &Turn, buffer: &[u8], more: More) -> Arrival {
    let at_eof = more == More::End;
    if at_eof && buffer.is_empty() && !turn.expect.needs_eof() {
        return Arrival::Partial;
    }
    match turn.expect.judge(buffer, at_eof) {
        Judgement::Partial => Arrival::Partial,
        judgement => Arrival::Reply {
            len: buffer.len(),
            judgement,
        },
    }
}

/// Reads the messages that the server sends without a request.
#[derive(Debug, Clone)]
pub struct PushReader {
    /// A decoder for each frame that pushes have, and the indices of those pushes.
    frames: Vec<(Decoder, Vec<usize>)>,
}

impl PushReader {
    /// A reader of the talk's pushes.
    pub fn new(talk: &Talk) -> Self {
        let mut frames: Vec<(Decoder, Vec<usize>)> = Vec::new();
        for (index, push) in talk.push.iter().enumerate() {
            let frame = push.frame(talk);
            match frames
                .iter_mut()
                .find(|(decoder, _)| decoder.frame() == frame)
            {
                Some((_, pushes)) => pushes.push(index),
                None => frames.push((frame.decoder(), vec![index])),
            }
        }
        Self { frames }
    }

    /// Starts a new message.
    pub fn reset(&mut self) {
        self.frames
            .iter_mut()
            .for_each(|(decoder, _)| decoder.reset());
    }

    /// The push at the start of `buffer`: its index and its length.
    ///
    /// # Errors
    /// There is none; the error tells whether there may be one once more bytes have come.
    pub fn next(&mut self, talk: &Talk, buffer: &[u8]) -> Result<(usize, usize), bool> {
        let mut undecided = false;
        for (decoder, pushes) in &mut self.frames {
            match decoder.next(buffer) {
                Ok(Some(len)) => {
                    let message = &buffer[..len];
                    let is_it =
                        |index: &&usize| talk.push[**index].is_match(decoder.frame(), message);
                    if let Some(push) = pushes.iter().find(is_it) {
                        return Ok((*push, len));
                    }
                }
                Ok(None) => {
                    let may = |index: &usize| talk.push[*index].may_begin_with(buffer);
                    undecided |= pushes.iter().any(may);
                }
                Err(_) => {}
            }
        }
        Err(undecided)
    }
}
