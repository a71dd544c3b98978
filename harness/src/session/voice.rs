//! Renders a session's requests: the talk's exchanges with fresh tokens and captured values.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::PeerError;
use crate::process::LoginCommand;
use crate::talk::{Bindings, Exchange, Exec, Opening, Talk, Tokens, Turn};

/// Renders the talk for one connection. Clones share the source of tokens, but not captured values.
#[derive(Clone)]
pub struct Voice {
    talk: Arc<Talk>,
    values: BTreeMap<String, Vec<u8>>,
    tokens: Rc<RefCell<Tokens>>,
}

/// The payload of turns whose payload does not matter.
const PLAIN_PAYLOAD: &[u8] = b"ping";

impl Voice {
    /// `values` are the values of placeholders other than token and payload: port, tmp, parameters.
    pub fn new(talk: Arc<Talk>, values: BTreeMap<String, Vec<u8>>, seed: u64) -> Self {
        Self {
            talk,
            values,
            tokens: Rc::new(RefCell::new(Tokens::new(seed))),
        }
    }

    /// The same source of tokens with other values, for another server.
    pub(crate) fn with_values(&self, values: BTreeMap<String, Vec<u8>>) -> Self {
        Self {
            values,
            ..self.clone()
        }
    }

    pub fn talk(&self) -> &Talk {
        &self.talk
    }

    /// The talk's plain turn, with a fresh token.
    pub fn turn(&self) -> Result<Turn, PeerError> {
        self.plain(&self.talk.turns[0])
    }

    /// Any exchange of the talk whose payload does not matter, with a fresh token.
    pub(super) fn plain(&self, exchange: &Exchange) -> Result<Turn, PeerError> {
        self.render(exchange, PLAIN_PAYLOAD)
    }

    /// The first turn with a payload, if the talk has one.
    pub fn payload_exchange(&self) -> Option<&Exchange> {
        self.talk
            .turns
            .iter()
            .find(|exchange| exchange.uses_payload())
    }

    /// A turn that carries `payload`; `None` if the talk has no such turn.
    pub fn payload_turn(&self, payload: &[u8]) -> Result<Option<Turn>, PeerError> {
        self.payload_exchange()
            .map(|exchange| self.render(exchange, payload))
            .transpose()
    }

    /// Renders an exchange with this payload and a fresh token.
    pub fn render(&self, exchange: &Exchange, payload: &[u8]) -> Result<Turn, PeerError> {
        let token = self.tokens.borrow_mut().next();
        self.render_as(exchange, payload, &token)
    }

    /// Like [`Self::render`], with a given token, to vary a request that was rendered before.
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

    /// The steps of the opening. Each is rendered when its turn comes, since it may use values that an
    /// earlier one captured.
    pub(super) fn opening(&self) -> Vec<Opening> {
        self.talk.open.clone()
    }

    /// The command of a program that logs in.
    pub fn login(&self, exec: &Exec) -> Result<LoginCommand, PeerError> {
        let bindings = Bindings {
            tok: self.tokens.borrow_mut().next(),
            payload: PLAIN_PAYLOAD.to_vec(),
            values: self.values.clone(),
        };
        Ok(LoginCommand {
            words: exec.render(&bindings)?,
            dir: exec.dir.clone(),
        })
    }

    /// The commands of all programs that log in; `None` for one that needs a value from an earlier reply.
    pub(crate) fn logins(&self) -> Vec<Option<LoginCommand>> {
        let programs = self.talk.open.iter().filter_map(|step| match step {
            Opening::Exec(exec) => Some(self.login(exec).ok()),
            Opening::Exchange(_) => None,
        });
        programs.collect()
    }

    pub(super) fn capture(&mut self, values: BTreeMap<String, Vec<u8>>) {
        self.values.extend(values);
    }

    /// The answer to a message that the server sent without a request, if one is expected.
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
