//! The talk's opening (greeting, login), once per connection.

use super::Engine;
use super::conn::{Opening, State};
use crate::talk::{self, Bindings, Judgement, Turn};

impl Engine<'_> {
    /// Begins the talk's opening on a new connection.
    pub(super) fn begin_opening(&mut self, at: usize) {
        self.connections[at].state = State::Opening;
        let bindings = Bindings {
            tok: String::new(),
            payload: self.context.payload.clone(),
            values: self.context.values.clone(),
        };
        self.next_exchange(at, 0, bindings);
    }

    /// Sends the request of the opening's exchange `place`, or starts the load after the last one.
    pub(super) fn next_exchange(&mut self, at: usize, place: usize, mut bindings: Bindings) {
        let exchange = match self.context.talk.open.get(place) {
            None => return self.opened(at, &bindings),
            Some(talk::Opening::Exchange(exchange)) => exchange,
            Some(talk::Opening::Exec(exec)) => {
                bindings.tok = talk::token(self.context.workload.seed, self.requests.next_number());
                return self.begin_login(at, place, exec, bindings);
            }
        };
        bindings.tok = talk::token(self.context.workload.seed, self.requests.next_number());
        let turn = match exchange.render(self.context.talk, &bindings) {
            Ok(turn) => turn,
            Err(why) => return self.lose(at, || format!("{}: {why}", exchange.label)),
        };
        let cold = self.connections[at].cold();
        cold.unsent.clone_from(&turn.request);
        cold.unsent_from = 0;
        cold.opening = Some(Opening {
            place,
            bindings,
            decoder: turn.frame.decoder(),
            turn,
        });
        if self.connections[at].has_unsent() {
            self.flush(at);
        }
    }

    /// Handles bytes that arrive during the opening.
    pub(super) fn continue_opening(&mut self, at: usize, count: usize) {
        let cold = self.connections[at].cold.get_or_insert_default();
        cold.partial.extend_from_slice(self.input.read(count));
        while self.connections[at].state == State::Opening {
            let cold = self.connections[at].cold();
            let Some(opening) = &mut cold.opening else {
                return;
            };
            let bytes = cold.partial.as_slice();
            let (len, judgement) = match reply(opening, bytes) {
                Ok(Some(reply)) => reply,
                Ok(None) => return,
                Err(why) => return self.opening_failed(at, &why),
            };
            let Some(mut opening) = cold.opening.take() else {
                return;
            };
            cold.partial.drain(..len);
            match judgement {
                Judgement::Mismatch(why) => {
                    return self.opening_failed(at, &format!("{}: {why}", opening.turn.label));
                }
                Judgement::Match(groups) => opening.bindings.values.extend(groups),
                Judgement::Partial => {}
            }
            self.next_exchange(at, opening.place + 1, opening.bindings);
        }
    }

    pub(super) fn opening_failed(&mut self, at: usize, why: &str) {
        self.tally.wrong += 1;
        self.lose(at, || format!("wrong reply: {why}"));
    }

    fn opened(&mut self, at: usize, bindings: &Bindings) {
        if bindings.values.len() > self.context.values.len() {
            match self.context.script(&bindings.values) {
                Ok(script) => self.connections[at].cold().script = Some(script),
                Err(why) => return self.lose(at, || why.to_string()),
            }
        }
        self.serve(at);
    }
}

/// The length and the judgement of the reply at the start of `bytes`, if the reply is complete.
fn reply(opening: &mut Opening, bytes: &[u8]) -> Result<Option<(usize, Judgement)>, String> {
    let turn: &Turn = &opening.turn;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !turn.frame.is_delimited() {
        return Ok(match turn.expect.judge(bytes, false) {
            Judgement::Partial => None,
            whole => Some((bytes.len(), whole)),
        });
    }
    match opening.decoder.next(bytes) {
        Ok(Some(len)) => Ok(Some((len, turn.judge_message(&bytes[..len])))),
        Ok(None) => Ok(None),
        Err(error) => Err(format!("{}: {error}", turn.label)),
    }
}
