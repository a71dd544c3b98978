//! A conversation of one connection, as a value.

use std::fmt;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{PAYLOAD_BYTES_MAX, payloads};
use crate::talk::{Bindings, Exchange, Talk, Walk};
use crate::text::escape;

/// Maximum pieces of a request are one more than this.
const CUTS_MAX: usize = 4;
/// Maximum characters of a piece that are shown.
const SHOWN_CHARS: usize = 200;
/// A token, where the real one is not known.
const ANY_TOKEN: &str = "tttttttttttt";

/// The turns that one connection carries, which the server must hold.
#[derive(Clone)]
pub struct Dialogue {
    talk: Arc<Talk>,
    turns: Vec<Spoken>,
}

/// One turn of a [`Dialogue`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Its index in the description.
    pub turn: usize,
    /// What takes the place of `{payload}`.
    pub payload: Vec<u8>,
    /// Where the request is cut, in parts of 65,536 of its length.
    pub cuts: Vec<u16>,
}

/// A turn of the talk. It shrinks to the first one, without a payload, in one piece.
pub(super) fn spoken(talk: &Arc<Talk>) -> impl Strategy<Value = Spoken> + use<> {
    let cuts = vec(any::<u16>(), 0..=CUTS_MAX);
    let parts = (0..talk.turns.len(), payloads(PAYLOAD_BYTES_MAX), cuts);
    parts.prop_map(|(turn, payload, cuts)| Spoken {
        turn,
        payload,
        cuts,
    })
}

impl Dialogue {
    /// These turns, as far as one connection can carry them, and those that have to come before them.
    pub(super) fn of(talk: &Arc<Talk>, wanted: Vec<Spoken>) -> Self {
        let mut walk = Walk::default();
        let mut turns = Vec::new();
        for mut spoken in wanted {
            let Some(steps) = walk.steps_to(talk, spoken.turn) else {
                continue;
            };
            for step in steps {
                walk.said(talk, step);
                if step != spoken.turn {
                    turns.push(Spoken {
                        turn: step,
                        payload: b"a".to_vec(),
                        cuts: Vec::new(),
                    });
                }
            }
            let exchange = &talk.turns[spoken.turn];
            if !exchange.uses_payload() {
                spoken.payload.clear();
            } else if !exchange.payload_is_safe(talk, &spoken.payload) {
                // It would end the message early, or is not allowed in its form.
                spoken.payload.retain(u8::is_ascii_alphanumeric);
            }
            turns.push(spoken);
        }
        Self {
            talk: talk.clone(),
            turns,
        }
    }

    /// The turns.
    pub fn turns(&self) -> &[Spoken] {
        &self.turns
    }

    pub(super) fn exchanges(&self) -> impl Iterator<Item = (&Exchange, &Spoken)> {
        self.turns
            .iter()
            .map(|spoken| (&self.talk.turns[spoken.turn], spoken))
    }

    /// The request of a turn with a token that stands for any. Empty if an earlier reply decides on it.
    pub(super) fn request(&self, exchange: &Exchange, payload: &[u8], token: &str) -> Vec<u8> {
        let bindings = Bindings {
            tok: token.to_owned(),
            payload: payload.to_vec(),
            seq: 1,
            n: 1,
            ..Bindings::default()
        };
        let mut request = Vec::new();
        let rendered = exchange.render_request(&self.talk, &bindings, &mut request);
        rendered.map_or(Vec::new(), |()| request)
    }

    /// The offsets at which the request is cut.
    pub(super) fn cuts(&self, exchange: &Exchange, spoken: &Spoken) -> Vec<usize> {
        let len = self.request(exchange, &spoken.payload, ANY_TOKEN).len();
        let mut cuts: Vec<usize> = spoken
            .cuts
            .iter()
            .map(|cut| (usize::from(*cut) * len) >> 16)
            .collect();
        cuts.retain(|cut| *cut > 0);
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }
}

/// The requests in their pieces.
impl fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for (exchange, spoken) in self.exchanges() {
            let request = self.request(exchange, &spoken.payload, ANY_TOKEN);
            let mut pieces = Vec::new();
            let mut begin = 0;
            for end in self
                .cuts(exchange, spoken)
                .into_iter()
                .chain([request.len()])
            {
                pieces.push(escape(&request[begin..end], SHOWN_CHARS));
                begin = end;
            }
            list.entry(&pieces);
        }
        list.finish()
    }
}
