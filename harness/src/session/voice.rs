//! Renders a session's requests: the talk's exchanges with fresh tokens and captured values.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::PeerError;
use crate::process::LoginCommand;
use crate::talk::{Bindings, Exchange, Exec, Opening, Talk, Tokens, Turn};

/// Renders the talk for one connection. Clones share the source of tokens and of numbers of connections, but not captured
/// values.
#[derive(Clone)]
pub struct Voice {
    talk: Arc<Talk>,
    values: BTreeMap<String, Vec<u8>>,
    tokens: Rc<RefCell<Tokens>>,
    /// Number of connections so far.
    connections: Rc<Cell<u64>>,
    /// Number of this connection; 0 outside any.
    connection: u64,
    /// Number of requests rendered for this connection.
    requests: Cell<u64>,
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
            connections: Rc::default(),
            connection: 0,
            requests: Cell::new(0),
        }
    }

    /// The same voice for a new connection.
    pub(super) fn for_connection(self) -> Self {
        let number = self.connections.get() + 1;
        self.connections.set(number);
        Self {
            connection: number,
            requests: Cell::new(0),
            ..self
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

    /// What a client says first on a connection: the first opening step with a request, or the plain turn. A step that
    /// needs what the greeting says is not rendered.
    pub fn first_request(&self) -> Result<Vec<u8>, PeerError> {
        let first = self.talk.open.iter().find_map(|step| match step {
            Opening::Exchange(exchange) => exchange.send.is_some().then_some(exchange),
            Opening::StartTls | Opening::Exec(_) => None,
        });
        match first.map(|exchange| self.plain(exchange)) {
            Some(Ok(turn)) => Ok(turn.request),
            Some(Err(_)) | None => Ok(self.turn()?.request),
        }
    }

    /// Any exchange of the talk whose payload does not matter, with a fresh token.
    pub(crate) fn plain(&self, exchange: &Exchange) -> Result<Turn, PeerError> {
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
        self.render_with(&self.token(), exchange, payload)
    }

    /// A fresh token.
    pub(crate) fn token(&self) -> String {
        self.tokens.borrow_mut().next()
    }

    /// Renders an exchange with this payload and this token.
    pub(crate) fn render_with(
        &self,
        token: &str,
        exchange: &Exchange,
        payload: &[u8],
    ) -> Result<Turn, PeerError> {
        if exchange.send.is_some() {
            self.requests.set(self.requests.get() + 1);
        }
        let numbers = (self.requests.get(), self.connection);
        self.rendered(exchange, payload, token.to_owned(), numbers)
    }

    /// Renders an exchange with the token and the numbers of `turn`, which varies a request that was rendered before.
    pub fn render_like(
        &self,
        turn: &Turn,
        exchange: &Exchange,
        payload: &[u8],
    ) -> Result<Turn, PeerError> {
        self.rendered(exchange, payload, turn.token.clone(), turn.numbers)
    }

    fn rendered(
        &self,
        exchange: &Exchange,
        payload: &[u8],
        tok: String,
        (seq, n): (u64, u64),
    ) -> Result<Turn, PeerError> {
        let bindings = Bindings {
            mask: mask(&tok),
            tok,
            payload: payload.to_vec(),
            seq,
            n,
            values: self.values.clone(),
        };
        Ok(exchange.render(&self.talk, &bindings)?)
    }

    /// The steps of the opening. Each is rendered when its turn comes, since it may use values that an
    /// earlier one captured.
    pub(super) fn opening(&self) -> Vec<Opening> {
        self.talk.open.clone()
    }

    /// The turns that come before this exchange.
    pub(super) fn before(&self, exchange: &Exchange) -> Vec<Exchange> {
        let before = self.talk.before(exchange).into_iter();
        before
            .filter_map(|index| self.talk.turns.get(index).cloned())
            .collect()
    }

    /// The command of a program that logs in.
    pub fn login(&self, exec: &Exec) -> Result<LoginCommand, PeerError> {
        let bindings = Bindings {
            tok: self.token(),
            payload: PLAIN_PAYLOAD.to_vec(),
            values: self.values.clone(),
            ..Bindings::default()
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
            Opening::Exchange(_) | Opening::StartTls => None,
        });
        programs.collect()
    }

    pub(super) fn capture(&mut self, values: BTreeMap<String, Vec<u8>>) {
        self.values.extend(values);
    }

    /// The answer to a message that the server sent without a request, if one is expected.
    pub(super) fn answer(&self, push: usize, message: &[u8]) -> Result<Option<Vec<u8>>, PeerError> {
        let bindings = Bindings {
            seq: self.requests.get(),
            n: self.connection,
            values: self.values.clone(),
            ..Bindings::default()
        };
        match self.talk.push.get(push) {
            Some(push) => Ok(push.answer(&self.talk, message, bindings)?),
            None => Ok(None),
        }
    }
}

/// The masking key of a WebSocket frame with this token: never zero, so that a server has to apply it.
fn mask(token: &str) -> [u8; 4] {
    let mut mask = *b"mask";
    for (place, byte) in token.bytes().enumerate() {
        mask[place % 4] = mask[place % 4].rotate_left(3) ^ byte;
    }
    mask.map(|byte| byte | 0x80)
}
