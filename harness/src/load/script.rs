//! The talk, compiled for the engine: bytes to send and bytes to compare, with places for tokens.
//!
//! Each turn is rendered once, with a token that stands for all others. Where it occurs in the request
//! is where a request's own token is written before it is sent. A reply that has to be exactly
//! something is compared byte for byte as it arrives, without being kept; any other reply is cut out by
//! its frame and judged with its own token exchanged for the one that stands for all.

use std::collections::BTreeMap;
use std::sync::Arc;

use memchr::memmem;

use super::patched::{ANY_TOKEN, Patched};
use super::workload::{Verify, Workload};
use crate::talk::template::Name;
use crate::talk::{
    Bindings, Expectation, Frame, Judgement, RenderError, TOKEN_LEN, Talk, write_token,
};
use crate::text::escape;

/// With [`Verify::Sample`] longer replies than this are compared in full only once in so many times.
const SHORT_BYTES: usize = 4096;
const SAMPLED: u64 = 16;

/// What one connection says and expects, over and over.
#[derive(Debug, Clone)]
pub struct Script {
    /// The turns, in the order in which they are said.
    pub turns: Vec<ScriptTurn>,
    verify: Verify,
    seed: u64,
}

/// One turn.
#[derive(Debug, Clone)]
pub struct ScriptTurn {
    /// Where it stands in the file: `talk.turn[0]`.
    pub label: String,
    /// The request on the wire.
    request: Patched,
    /// How its reply is recognized.
    pub reply: Reply,
}

/// How the reply of a turn is recognized.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Exactly these bytes: compared as they arrive.
    Exact(Exact),
    /// Cut out of the stream by its frame, then judged.
    Framed(Framed),
    /// Nothing says where it ends: complete when the expectation holds.
    Unframed(Framed),
    /// Everything up to the end of the stream.
    ToEof(Framed),
}

/// A reply of which every byte is known.
#[derive(Debug, Clone)]
pub struct Exact {
    bytes: Patched,
    /// Bytes at its begin and at its end that belong to the frame.
    frame_bytes: (usize, usize),
}

/// A reply that is judged as a whole.
#[derive(Debug, Clone)]
pub struct Framed {
    /// How it ends.
    pub frame: Arc<Frame>,
    expect: Expectation,
    with_token: bool,
    scratch: Vec<u8>,
}

/// What cannot be said over and over.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// A name that nothing is bound to, or a length that does not fit.
    #[error("{label}: {why}")]
    Render {
        /// The turn.
        label: String,
        /// What is wrong.
        why: RenderError,
    },
}

impl Script {
    /// Compiles these turns of the talk. `values` are what openings captured, the port and parameters.
    ///
    /// # Errors
    /// A turn needs a value that is not there: only openings and the target give any.
    pub fn compile(
        talk: &Talk,
        turns: &[usize],
        payload: &[u8],
        values: &BTreeMap<String, Vec<u8>>,
        verify: Verify,
        seed: u64,
    ) -> Result<Self, ScriptError> {
        let bindings = Bindings {
            tok: ANY_TOKEN.to_owned(),
            payload: payload.to_vec(),
            values: values.clone(),
        };
        let exchanges = turns.iter().filter_map(|place| talk.turns.get(*place));
        let turns: Result<Vec<ScriptTurn>, ScriptError> = exchanges
            .map(|exchange| {
                let turn = exchange.render(talk, &bindings);
                let turn = turn.map_err(|why| ScriptError::Render {
                    label: exchange.label.clone(),
                    why,
                })?;
                let only_replies = talk.push.is_empty() && talk.close_when.is_none();
                let slots = exchange.expect.slots();
                let with_token = slots.iter().any(|slot| slot.name == Name::Tok);
                Ok(ScriptTurn {
                    label: turn.label,
                    request: Patched::new(&turn.request),
                    reply: Reply::new(turn.frame, turn.expect, only_replies, with_token),
                })
            })
            .collect();
        Ok(Self {
            turns: turns?,
            verify,
            seed,
        })
    }

    /// Nothing to say: for a talk that has to be opened before its turns can be compiled.
    pub fn empty(workload: &Workload) -> Self {
        Self {
            turns: Vec::new(),
            verify: workload.verify,
            seed: workload.seed,
        }
    }

    /// The request of the turn, with the token of that number.
    #[inline(always)]
    pub fn request(&mut self, turn: usize, number: u64) -> &[u8] {
        self.turns[turn].request.with(self.seed, number)
    }

    /// Whether every reply has a length that is known beforehand.
    pub fn is_exact(&self) -> bool {
        let exact = |turn: &ScriptTurn| matches!(turn.reply, Reply::Exact(_));
        self.turns.iter().all(exact)
    }

    /// Whether `piece`, which arrived behind `offset` bytes of the reply, is what belongs there.
    ///
    /// Only for turns whose reply is exact; `piece` does not reach beyond its end.
    #[inline(always)]
    pub fn agrees(&mut self, turn: usize, number: u64, offset: usize, piece: &[u8]) -> bool {
        let Reply::Exact(exact) = &mut self.turns[turn].reply else {
            return false;
        };
        let in_full = match self.verify {
            Verify::All => true,
            Verify::Sample => exact.len() <= SHORT_BYTES || number.is_multiple_of(SAMPLED),
            Verify::None => false,
        };
        if in_full {
            return exact.bytes.with(self.seed, number)[offset..offset + piece.len()] == *piece;
        }
        let has_token = self.verify == Verify::None
            || exact.bytes.token_agrees(self.seed, number, offset, piece);
        has_token && exact.frame_agrees(offset, piece)
    }

    /// Whether what of `piece` belongs to the frame is right: then the stream is still in step.
    pub fn frame_agrees(&self, turn: usize, offset: usize, piece: &[u8]) -> bool {
        match &self.turns[turn].reply {
            Reply::Exact(exact) => exact.frame_agrees(offset, piece),
            _ => false,
        }
    }

    /// Whether this whole message is the reply of the turn, and why not.
    ///
    /// # Errors
    /// It is not; why, in a few words.
    pub fn judge(&mut self, turn: usize, number: u64, message: &[u8]) -> Result<(), String> {
        if matches!(self.turns[turn].reply, Reply::Exact(_)) {
            if self.agrees(turn, number, 0, message) {
                return Ok(());
            }
            let expected = self.describe(turn);
            return Err(format!(
                "expected {expected}, got \"{}\"",
                escape(message, 80)
            ));
        }
        let full = self.verify != Verify::None;
        match &mut self.turns[turn].reply {
            Reply::Framed(framed) | Reply::Unframed(framed) | Reply::ToEof(framed) if full => {
                framed.judge(self.seed, number, message)
            }
            _ => Ok(()),
        }
    }

    /// Where nothing says how a reply ends: whether these bytes are a whole one.
    pub fn is_whole(&mut self, turn: usize, number: u64, bytes: &[u8]) -> Judgement {
        match &mut self.turns[turn].reply {
            Reply::Unframed(framed) => {
                let text = framed.any_token(self.seed, number, bytes);
                match text {
                    Some(text) => framed.expect.judge(&text, false),
                    None => framed.expect.judge(bytes, false),
                }
            }
            _ => Judgement::Partial,
        }
    }

    /// What is expected, in a few words.
    pub fn describe(&self, turn: usize) -> String {
        match &self.turns[turn].reply {
            Reply::Exact(exact) => Expectation::Exact(exact.bytes.bytes().to_vec()).describe(),
            Reply::Framed(framed) | Reply::Unframed(framed) | Reply::ToEof(framed) => {
                framed.expect.describe()
            }
        }
    }
}

impl Reply {
    /// `only_replies`: nothing else can come, so that an exact one need not be cut out first.
    fn new(frame: Frame, expect: Expectation, only_replies: bool, with_token: bool) -> Self {
        let whole_header = match &frame {
            Frame::Len(len) => len.header == len.field.width,
            _ => true,
        };
        match (&frame, expect) {
            (Frame::Eof, expect) | (_, expect @ Expectation::Eof) => {
                Self::ToEof(Framed::new(frame, expect, with_token))
            }
            (_, Expectation::Exact(body)) if only_replies && whole_header && !body.is_empty() => {
                Self::Exact(Exact::new(&frame, &body))
            }
            (Frame::None, expect) => Self::Unframed(Framed::new(frame, expect, with_token)),
            (_, expect) => Self::Framed(Framed::new(frame, expect, with_token)),
        }
    }

    /// The length on the wire, where it is known.
    pub fn exact_len(&self) -> usize {
        match self {
            Self::Exact(exact) => exact.len(),
            _ => 0,
        }
    }
}

impl Exact {
    /// Its length on the wire.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.bytes().len()
    }

    fn new(frame: &Frame, body: &[u8]) -> Self {
        let bytes = frame.wrap(body);
        let frame_bytes = match frame {
            Frame::Len(len) => (len.header, 0),
            Frame::Until(delimiter) => (0, delimiter.len()),
            Frame::Lines(_) | Frame::LastLine(_) => (0, 1),
            Frame::Resp => (1, 2),
            _ => (0, 0),
        };
        Self {
            bytes: Patched::new(&bytes),
            frame_bytes,
        }
    }

    /// Compares only what of `piece` belongs to the frame.
    fn frame_agrees(&self, offset: usize, piece: &[u8]) -> bool {
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

    fn judge(&mut self, seed: u64, number: u64, message: &[u8]) -> Result<(), String> {
        let exchanged = self.any_token(seed, number, message);
        let text = exchanged.as_deref().unwrap_or(message);
        let judgement = if self.expect.needs_eof() {
            self.expect.judge(text, true)
        } else {
            self.expect.judge_message(self.frame.body(text))
        };
        if let Some(text) = exchanged {
            self.scratch = text;
        }
        match judgement {
            Judgement::Mismatch(mismatch) => Err(mismatch.to_string()),
            Judgement::Match(_) | Judgement::Partial => Ok(()),
        }
    }

    /// The message with the request's own token exchanged for the one that stands for all.
    fn any_token(&mut self, seed: u64, number: u64, message: &[u8]) -> Option<Vec<u8>> {
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

/// Text of that length: letters and digits, the same for the same seed. No frame's delimiter is in it,
/// and not the token that stands for all.
pub fn payload(bytes: usize, seed: u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes + TOKEN_LEN);
    let mut token = [0; TOKEN_LEN];
    let mut number = 0;
    while text.len() < bytes {
        write_token(!seed, number, &mut token);
        text.extend(
            token
                .iter()
                .map(|byte| if *byte == b'z' { b'y' } else { *byte }),
        );
        number += 1;
    }
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(verify: Verify, payload_bytes: usize) -> Script {
        let talk = crate::file::builtin("line").unwrap().talk;
        let payload = payload(payload_bytes, 3);
        Script::compile(&talk, &[1], &payload, &BTreeMap::new(), verify, 3).unwrap()
    }

    /// The turns come back as they were sent.
    fn reply(script: &mut Script, number: u64) -> Vec<u8> {
        script.request(0, number).to_vec()
    }

    #[test]
    fn the_own_reply_agrees_in_whatever_pieces_it_comes() {
        for verify in [Verify::All, Verify::Sample, Verify::None] {
            let mut script = script(verify, 6000);
            for number in [16, 17] {
                let whole = reply(&mut script, number);
                for cut in [1, 5, 12, 4096, whole.len() - 1] {
                    let (head, tail) = whole.split_at(cut);
                    assert!(script.agrees(0, number, 0, head));
                    assert!(script.agrees(0, number, cut, tail));
                }
            }
        }
    }

    #[test]
    fn the_reply_to_another_request_never_agrees_where_tokens_are_compared() {
        for (verify, bytes) in [
            (Verify::All, 6000),
            (Verify::Sample, 6000),
            (Verify::Sample, 10),
        ] {
            let mut script = script(verify, bytes);
            let other = reply(&mut script, 18);
            assert!(!script.agrees(0, 17, 0, &other), "{verify:?} {bytes}");
        }
    }

    #[test]
    fn a_wrong_byte_is_seen_as_often_as_it_is_said() {
        let seen = |verify, bytes: usize| {
            let mut script = script(verify, bytes);
            let wrong = (0..32).filter(|number| {
                let mut wrong = reply(&mut script, *number);
                wrong[bytes / 2 + 13] ^= 1;
                !script.agrees(0, *number, 0, &wrong)
            });
            wrong.count()
        };
        assert_eq!(
            (seen(Verify::All, 6000), seen(Verify::Sample, 100)),
            (32, 32)
        );
        assert_eq!(
            (seen(Verify::Sample, 6000), seen(Verify::None, 100)),
            (2, 0)
        );
    }

    #[test]
    fn a_frame_that_does_not_end_is_always_seen() {
        let mut script = script(Verify::None, 100);
        let mut wrong = reply(&mut script, 1);
        *wrong.last_mut().unwrap() = b'x';
        assert!(!script.agrees(0, 1, 0, &wrong));
    }
}
