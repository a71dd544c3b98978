//! What a client of a test fills into the requests of the conversation.

use std::collections::BTreeMap;

use super::error::{ProveError, Result};
use crate::talk::{Bindings, Exchange, Talk, Tokens, Turn};

/// What a client fills into the requests of the conversation.
pub(super) struct Words {
    tokens: Tokens,
    values: BTreeMap<String, Vec<u8>>,
    /// The number of the client among all of its server.
    number: u64,
    /// Number of requests so far.
    requests: u64,
    has_opened: bool,
}

impl Words {
    pub(super) fn new(values: BTreeMap<String, Vec<u8>>, seed: u64, number: u32) -> Self {
        Self {
            tokens: Tokens::stream(seed, number),
            values,
            number: u64::from(number) + 1,
            requests: 0,
            has_opened: false,
        }
    }
    /// Whether the opening is still to come. It counts as performed from now on.
    pub(super) fn opens(&mut self) -> bool {
        !std::mem::replace(&mut self.has_opened, true)
    }

    /// Keeps what a reply has said, for later requests.
    pub(super) fn learn(&mut self, found: BTreeMap<String, Vec<u8>>) {
        self.values.extend(found);
    }

    /// The exchange with a new token and this payload.
    ///
    /// # Errors
    /// A placeholder has no value.
    pub(super) fn rendered(
        &mut self,
        talk: &Talk,
        exchange: &Exchange,
        payload: &[u8],
    ) -> Result<Turn> {
        self.requests += u64::from(exchange.send.is_some());
        let bindings = Bindings {
            tok: self.tokens.next(),
            payload: payload.to_vec(),
            seq: self.requests,
            n: self.number,
            values: self.values.clone(),
            ..Bindings::default()
        };
        let turn = exchange.render(talk, &bindings);
        turn.map_err(|error| ProveError::Description(format!("{}: {error}", exchange.label)))
    }
}
