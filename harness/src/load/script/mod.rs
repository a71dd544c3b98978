//! The talk, compiled for the engine: the bytes to send and to compare, with placeholders for tokens.
//!
//! Each turn is rendered once with a placeholder token. Before a request is sent, its own token overwrites the
//! placeholder. A reply that is known byte for byte is compared as it arrives, without being buffered. Any other reply
//! is delimited by its frame and judged after its token has been replaced by the placeholder.

mod personal;
mod reply;

use std::collections::BTreeMap;

pub(crate) use personal::Numbers;
use personal::Personal;
pub(crate) use reply::Reply;

use super::patched::{ANY_TOKEN, Patched};
use super::workload::{Verify, Workload};
use crate::talk::template::Name;
use crate::talk::{Bindings, Expectation, Judgement, RenderError, TOKEN_LEN, Talk, write_token};
use crate::text::escape;

/// Longest reply, in bytes, that [`Verify::Sample`] always compares in full.
const SHORT_BYTES: usize = 4096;
/// With [`Verify::Sample`], one in this many longer replies is compared in full.
const SAMPLED: u64 = 16;

/// The requests that a connection repeats, and the replies it expects.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// The turns, in the order in which they are sent.
    pub turns: Vec<ScriptTurn>,
    verify: Verify,
    seed: u64,
}

/// A turn of the talk, compiled.
#[derive(Debug, Clone)]
pub(crate) struct ScriptTurn {
    /// The request as it is sent.
    request: Patched,
    pub reply: Reply,
    /// What is filled in for each request, if that is more than the token.
    personal: Option<Box<Personal>>,
}

/// Why a talk cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// A name without a value, or a length that does not fit its field.
    #[error("{label}: {why}")]
    Render { label: String, why: RenderError },
}

impl Script {
    /// Compiles these turns of the talk. `values` contains the port, parameters and what the opening captured.
    ///
    /// # Errors
    /// A turn names a value that is missing, or cannot be rendered for another reason.
    pub(crate) fn compile(
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
            seq: 1,
            n: 1,
            values: values.clone(),
            ..Bindings::default()
        };
        let exchanges = turns.iter().filter_map(|place| talk.turns.get(*place));
        let is_personal = exchanges.clone().any(Personal::is);
        let turns: Result<Vec<ScriptTurn>, ScriptError> = exchanges
            .map(|exchange| {
                let turn = exchange.render(talk, &bindings);
                let turn = turn.map_err(|why| ScriptError::Render {
                    label: exchange.label.clone(),
                    why,
                })?;
                let only_replies =
                    talk.push.is_empty() && talk.close_when.is_none() && !is_personal;
                let slots = exchange.expect.slots();
                let with_token = slots.iter().any(|slot| slot.name == Name::Tok);
                Ok(ScriptTurn {
                    request: Patched::new(&turn.request),
                    reply: Reply::new(turn.frame, turn.expect, only_replies, with_token),
                    personal: Personal::of(talk, exchange, &bindings),
                })
            })
            .collect();
        Ok(Self {
            turns: turns?,
            verify,
            seed,
        })
    }

    /// A script without turns, for a talk whose turns need values that its opening captures.
    pub(crate) fn empty(workload: &Workload) -> Self {
        Self {
            turns: Vec::new(),
            verify: workload.verify,
            seed: workload.seed,
        }
    }

    /// The request of the turn, with the token of number `number`.
    #[inline(always)]
    pub(crate) fn request(&mut self, turn: usize, number: u64) -> &[u8] {
        self.turns[turn].request.with(self.seed, number)
    }

    /// The request of a turn that is filled in for each connection or request; `None` if the token is all that differs.
    ///
    /// # Errors
    /// A value does not fit.
    pub(crate) fn personal_request(
        &self,
        turn: usize,
        number: u64,
        numbers: Numbers,
    ) -> Option<Result<Vec<u8>, RenderError>> {
        let personal = self.turns[turn].personal.as_ref()?;
        let turn = personal.turn(self.seed, number, numbers);
        Some(turn.map(|turn| turn.request))
    }

    /// Whether every reply is known byte for byte.
    pub(crate) fn is_exact(&self) -> bool {
        let exact = |turn: &ScriptTurn| matches!(turn.reply, Reply::Exact(_));
        self.turns.iter().all(exact)
    }

    /// Whether `piece`, received at `offset` of the reply, is right.
    ///
    /// Only for turns with an exact reply; `piece` must not extend beyond its end.
    #[inline(always)]
    pub(crate) fn agrees(&mut self, turn: usize, number: u64, offset: usize, piece: &[u8]) -> bool {
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

    /// Whether the bytes of `piece` that belong to the frame are right, so that the stream is still in step.
    pub(crate) fn frame_agrees(&self, turn: usize, offset: usize, piece: &[u8]) -> bool {
        match &self.turns[turn].reply {
            Reply::Exact(exact) => exact.frame_agrees(offset, piece),
            _ => false,
        }
    }

    /// Compares a complete message with the expected reply of the turn.
    ///
    /// # Errors
    /// They differ; the text says how.
    pub(crate) fn judge(
        &mut self,
        turn: usize,
        number: u64,
        numbers: Numbers,
        message: &[u8],
    ) -> Result<(), String> {
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
        match self.verify {
            Verify::None => Ok(()),
            _ => self.judge_in_full(turn, number, numbers, message),
        }
    }

    /// Compares a complete message with the expected reply of the turn, whatever is verified otherwise.
    ///
    /// # Errors
    /// They differ; the text says how.
    pub(crate) fn judge_in_full(
        &mut self,
        turn: usize,
        number: u64,
        numbers: Numbers,
        message: &[u8],
    ) -> Result<(), String> {
        let seed = self.seed;
        let turn = &mut self.turns[turn];
        match (&turn.personal, &mut turn.reply) {
            (_, Reply::None | Reply::Exact(_)) => Ok(()),
            (Some(personal), _) => match personal.judge(seed, number, numbers, message) {
                Judgement::Mismatch(mismatch) => Err(mismatch.to_string()),
                Judgement::Match(_) | Judgement::Partial => Ok(()),
            },
            (None, Reply::Framed(framed) | Reply::Unframed(framed) | Reply::ToEof(framed)) => {
                framed.judge(seed, number, message)
            }
        }
    }

    /// For a reply without a frame: whether these bytes are a complete reply.
    pub(crate) fn is_whole(
        &mut self,
        turn: usize,
        number: u64,
        numbers: Numbers,
        bytes: &[u8],
    ) -> Judgement {
        let seed = self.seed;
        let turn = &mut self.turns[turn];
        match (&turn.personal, &mut turn.reply) {
            (Some(personal), Reply::Unframed(_)) => personal.is_whole(seed, number, numbers, bytes),
            (None, Reply::Unframed(framed)) => {
                let text = framed.any_token(seed, number, bytes);
                match text {
                    Some(text) => framed.expect.judge(&text, false),
                    None => framed.expect.judge(bytes, false),
                }
            }
            _ => Judgement::Partial,
        }
    }

    /// Describes the expected reply.
    pub(crate) fn describe(&self, turn: usize) -> String {
        match &self.turns[turn].reply {
            Reply::Exact(exact) => Expectation::Exact(exact.bytes.bytes().to_vec()).describe(),
            Reply::Framed(framed) | Reply::Unframed(framed) | Reply::ToEof(framed) => {
                framed.expect.describe()
            }
            Reply::None => Expectation::NoReply.describe(),
        }
    }
}

/// A deterministic payload of `bytes` letters and digits. It contains neither a delimiter of a frame nor the
/// placeholder token.
pub(crate) fn payload(bytes: usize, seed: u64) -> Vec<u8> {
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

    /// The reply of a server that echoes the request.
    fn reply(script: &mut Script, number: u64) -> Vec<u8> {
        script.request(0, number).to_vec()
    }

    #[test]
    fn the_right_reply_agrees_in_pieces_of_any_size() {
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
    fn the_reply_to_another_request_never_agrees_if_tokens_are_compared() {
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
    fn a_wrong_byte_is_found_in_the_sampled_replies() {
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
    fn a_frame_without_its_end_is_always_found() {
        let mut script = script(Verify::None, 100);
        let mut wrong = reply(&mut script, 1);
        *wrong.last_mut().unwrap() = b'x';
        assert!(!script.agrees(0, 1, 0, &wrong));
    }
}
