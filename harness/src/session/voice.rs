//! What a session says: the talk's exchanges, rendered with fresh tokens and captured values.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::PeerError;
use crate::talk::{self, Bindings, Exchange, Talk, Tokens, Turn};

/// Renders the talk for one connection. Clones share the source of tokens, not what was captured.
#[derive(Clone)]
pub struct Voice {
    talk: Arc<Talk>,
    values: BTreeMap<String, Vec<u8>>,
    tokens: Rc<RefCell<Tokens>>,
}

/// The payload of a turn whose payload does not matter.
const PLAIN_PAYLOAD: &[u8] = b"ping";

/// One exchange of the opening, rendered only when its turn has come: it may use what an earlier
/// one captured.
pub(super) struct Opening(Exchange);

impl Opening {
    pub(super) fn label(&self) -> &str {
        &self.0.label
    }

    pub(super) fn render(&self, voice: &Voice) -> Result<Turn, PeerError> {
        voice.render(&self.0, PLAIN_PAYLOAD)
    }
}

impl Voice {
    /// `values`: what a template may name besides token and payload (port, tmp, parameters).
    pub fn new(talk: Arc<Talk>, values: BTreeMap<String, Vec<u8>>, seed: u64) -> Self {
        Self {
            talk,
            values,
            tokens: Rc::new(RefCell::new(Tokens::new(seed))),
        }
    }

    /// The conversation.
    pub fn talk(&self) -> &Talk {
        &self.talk
    }

    /// The talk's plain turn with a fresh token.
    pub fn turn(&self) -> Result<Turn, PeerError> {
        self.render(&self.talk.turns[0], PLAIN_PAYLOAD)
    }

    /// The first turn that carries a payload, if the talk has one.
    pub fn payload_exchange(&self) -> Option<&Exchange> {
        self.talk
            .turns
            .iter()
            .find(|exchange| exchange.uses_payload())
    }

    /// A turn of the talk that carries this payload; `None` where it has no such turn.
    pub fn payload_turn(&self, payload: &[u8]) -> Result<Option<Turn>, PeerError> {
        self.payload_exchange()
            .map(|exchange| self.render(exchange, payload))
            .transpose()
    }

    /// Any exchange of the talk, with this payload and a fresh token.
    pub fn render(&self, exchange: &Exchange, payload: &[u8]) -> Result<Turn, PeerError> {
        let token = self.tokens.borrow_mut().next();
        self.render_as(exchange, payload, &token)
    }

    /// As [`Self::render`], with a token that was used before: the same request, said otherwise.
    pub fn render_as(
        &self,
        exchange: &Exchange,
        payload: &[u8],
        token: &str,
    ) -> Result<Turn, PeerError> {
        let bindings = Bindings {
            tok: token.into(),
            payload: payload.to_vec(),
            values: self.values.clone(),
        };
        Ok(exchange.render(&self.talk, &bindings)?)
    }

    pub(super) fn opening(&self) -> Vec<Opening> {
        let steps = self.talk.open.iter().filter_map(|step| match step {
            talk::Opening::Exchange(exchange) => Some(Opening(exchange.clone())),
            // Refused when the file is read: it cannot be here.
            talk::Opening::Exec(_) => None,
        });
        steps.collect()
    }

    pub(super) fn capture(&mut self, values: BTreeMap<String, Vec<u8>>) {
        self.values.extend(values);
    }

    /// The answer that is due to what the server sent unasked.
    pub(super) fn answer(&self, message: &[u8]) -> Result<Option<Vec<u8>>, PeerError> {
        let Some(push) = self.talk.pushed(message) else {
            return Ok(None);
        };
        let bindings = Bindings {
            tok: String::new(),
            payload: Vec::new(),
            values: self.values.clone(),
        };
        Ok(push.answer(&self.talk.request, &bindings)?)
    }
}
