//! Turns that are filled in anew for each request or connection: they contain `{seq}`, `{n}` or an encoded token. This
//! is the slow path.

use std::sync::Arc;

use crate::talk::{Bindings, Exchange, Judgement, Mismatch, RenderError, Talk, Turn, token};

/// The values of `{seq}` and `{n}` for one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) seq: u64,
    pub(crate) n: u64,
}

/// A turn that is filled in for each request.
#[derive(Debug, Clone)]
pub(super) struct Personal {
    exchange: Exchange,
    /// Only the frames of the talk are used.
    talk: Arc<Talk>,
    bindings: Bindings,
}

impl Personal {
    /// Whether an exchange contains more than the token that differs between requests.
    pub(super) fn is(exchange: &Exchange) -> bool {
        exchange.slots().any(|slot| slot.is_personal())
    }

    /// The turn, if it has to be filled in.
    pub(super) fn of(talk: &Talk, exchange: &Exchange, bindings: &Bindings) -> Option<Box<Self>> {
        Self::is(exchange).then(|| {
            Box::new(Self {
                exchange: exchange.clone(),
                talk: Arc::new(talk.only_frames()),
                bindings: bindings.clone(),
            })
        })
    }

    /// The turn with the token of that number.
    pub(super) fn turn(
        &self,
        seed: u64,
        number: u64,
        numbers: Numbers,
    ) -> Result<Turn, RenderError> {
        let bindings = Bindings {
            tok: token(seed, number),
            seq: numbers.seq,
            n: numbers.n,
            ..self.bindings.clone()
        };
        self.exchange.render(&self.talk, &bindings)
    }

    pub(super) fn judge(
        &self,
        seed: u64,
        number: u64,
        numbers: Numbers,
        message: &[u8],
    ) -> Judgement {
        match self.turn(seed, number, numbers) {
            Ok(turn) if turn.expect.needs_eof() => turn.expect.judge(message, true),
            Ok(turn) => turn.judge_message(message),
            Err(why) => Judgement::Mismatch(Mismatch::new("a reply", why.to_string())),
        }
    }

    pub(super) fn is_whole(
        &self,
        seed: u64,
        number: u64,
        numbers: Numbers,
        bytes: &[u8],
    ) -> Judgement {
        match self.turn(seed, number, numbers) {
            Ok(turn) => turn.expect.judge(bytes, false),
            Err(why) => Judgement::Mismatch(Mismatch::new("a reply", why.to_string())),
        }
    }
}
