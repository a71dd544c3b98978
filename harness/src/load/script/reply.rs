//! How the reply of a turn is recognized and judged.

use std::sync::Arc;

use memchr::memmem;

use crate::load::patched::{ANY_TOKEN, Patched};
use crate::talk::{Expectation, Frame, Judgement, TOKEN_LEN, write_token};

/// How the reply of a turn is recognized.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Known byte for byte: compared as it arrives.
    Exact(Exact),
    /// Delimited by its frame, then judged.
    Framed(Framed),
    /// Without a frame: complete once the expectation holds.
    Unframed(Framed),
    /// Everything up to the end of the stream.
    ToEof(Framed),
    /// There is none: the request is complete once it is sent.
    None,
}

/// A reply that is known byte for byte.
#[derive(Debug, Clone)]
pub(crate) struct Exact {
    pub(super) bytes: Patched,
    /// Number of bytes at its start and at its end that belong to the frame.
    frame_bytes: (usize, usize),
}

/// A reply that is judged as a whole.
#[derive(Debug, Clone)]
pub(crate) struct Framed {
    pub frame: Arc<Frame>,
    pub(super) expect: Expectation,
    with_token: bool,
    scratch: Vec<u8>,
}

impl Reply {
    /// `only_replies`: the server sends nothing but replies, all known beforehand, so that an exact reply needs no
    /// decoder.
    pub(super) fn new(
        frame: Frame,
        expect: Expectation,
        only_replies: bool,
        with_token: bool,
    ) -> Self {
        let exact = match only_replies && frame != Frame::Eof {
            true => expect.exact_message(&frame),
            false => None,
        };
        match (&frame, expect, exact) {
            (_, Expectation::NoReply, _) => Self::None,
            (Frame::Eof, expect, _) | (_, expect @ Expectation::Eof, _) => {
                Self::ToEof(Framed::new(frame, expect, with_token))
            }
            (_, _, Some(message)) if !message.is_empty() => {
                Self::Exact(Exact::new(&frame, &message))
            }
            (Frame::None, expect, _) => Self::Unframed(Framed::new(frame, expect, with_token)),
            (_, expect, _) => Self::Framed(Framed::new(frame, expect, with_token)),
        }
    }

    /// Length in bytes on the wire if the reply is exact, else 0.
    pub(crate) fn exact_len(&self) -> usize {
        match self {
            Self::Exact(exact) => exact.len(),
            _ => 0,
        }
    }
}

impl Exact {
    /// Length in bytes on the wire.
    pub(crate) fn len(&self) -> usize {
        self.bytes.bytes().len()
    }

    fn new(frame: &Frame, message: &[u8]) -> Self {
        let frame_bytes = match frame {
            Frame::Len(len) => (frame.header_len(message), len.after.len()),
            Frame::Until(delimiters) => (0, delimiters.of(message).len()),
            Frame::Lines(_) | Frame::LastLine(_) => (0, 1),
            Frame::Resp => (1, 2),
            _ => (0, 0),
        };
        Self {
            bytes: Patched::new(message),
            frame_bytes,
        }
    }

    /// Compares only the bytes of `piece` that belong to the frame.
    pub(super) fn frame_agrees(&self, offset: usize, piece: &[u8]) -> bool {
        let expected = self.bytes.bytes();
        let end = offset + piece.len();
        let (head, tail) = self.frame_bytes;
        let same = |from: usize, to: usize| {
            let (from, to) = (from.max(offset), to.min(end));
            from >= to || expected[from..to] == piece[from - offset..to - offset]
        };
        same(0, head) && same(expected.len() - tail.min(expected.len()), expected.len())
    }
}

impl Framed {
    fn new(frame: Frame, expect: Expectation, with_token: bool) -> Self {
        Self {
            frame: Arc::new(frame),
            expect,
            with_token,
            scratch: Vec::new(),
        }
    }

    pub(super) fn judge(&mut self, seed: u64, number: u64, message: &[u8]) -> Result<(), String> {
        let exchanged = self.any_token(seed, number, message);
        let text = exchanged.as_deref().unwrap_or(message);
        let judgement = if self.expect.needs_eof() {
            self.expect.judge(text, true)
        } else {
            self.expect.judge_framed(&self.frame, text)
        };
        if let Some(text) = exchanged {
            self.scratch = text;
        }
        match judgement {
            Judgement::Mismatch(mismatch) => Err(mismatch.to_string()),
            Judgement::Match(_) | Judgement::Partial => Ok(()),
        }
    }

    /// The message with the request's token replaced by the placeholder; `None` if the reply contains no token.
    pub(super) fn any_token(&mut self, seed: u64, number: u64, message: &[u8]) -> Option<Vec<u8>> {
        if !self.with_token {
            return None;
        }
        let mut token = [0; TOKEN_LEN];
        write_token(seed, number, &mut token);
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        text.extend_from_slice(message);
        let mut from = 0;
        while let Some(at) = memmem::find(&text[from..], &token) {
            text[from + at..from + at + TOKEN_LEN].copy_from_slice(ANY_TOKEN.as_bytes());
            from += at + TOKEN_LEN;
        }
        Some(text)
    }
}
