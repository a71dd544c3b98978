//! The talk's opening (greeting, login), once per connection.

use super::Engine;
use super::conn::{Opening, State};
use crate::talk::{Arrival, Bindings, Exchange, Judgement, More, Reader, token};

impl Engine<'_> {
    /// Begins the talk's opening on a new connection.
    pub(super) fn begin_opening(&mut self, at: usize) {
        self.connections[at].state = State::Opening;
        let bindings = Bindings {
            payload: self.context.payload.clone(),
            values: self.context.values.clone(),
            n: self.connections[at].cold().number.max(1),
            ..Bindings::default()
        };
        self.next_exchange(at, 0, bindings);
    }

    /// Sends the request of the opening's exchange `place`, or starts the load after the last one.
    fn next_exchange(&mut self, at: usize, place: usize, mut bindings: Bindings) {
        let context = self.context;
        let Some(exchange) = context.courses.opening(context.talk).nth(place) else {
            return self.opened(at, &bindings);
        };
        bindings.tok = token(self.context.workload.seed, self.requests.next_number());
        bindings.seq += u64::from(exchange.send.is_some());
        if !self.send_step(at, place, exchange, &bindings) || exchange.expect.has_reply() {
            return;
        }
        self.next_exchange(at, place + 1, bindings);
    }

    /// Sends the request of an exchange; returns whether the connection is still open.
    fn send_step(
        &mut self,
        at: usize,
        place: usize,
        exchange: &Exchange,
        bindings: &Bindings,
    ) -> bool {
        let turn = match exchange.render(self.context.talk, bindings) {
            Ok(turn) => turn,
            Err(why) => {
                self.lose(at, || format!("{}: {why}", exchange.label));
                return false;
            }
        };
        let cold = self.connections[at].cold();
        // The kernel may not have accepted the step before, if that had no reply.
        cold.unsent.extend_from_slice(&turn.request);
        cold.opening = Some(Opening {
            place,
            bindings: bindings.clone(),
            reader: Reader::new(self.context.talk, &turn),
            turn,
        });
        if self.connections[at].has_unsent() {
            self.write_unsent(at);
        }
        self.connections[at].state == State::Opening
    }

    /// Handles bytes that arrive during the opening.
    pub(super) fn continue_opening(&mut self, at: usize, count: usize) {
        let cold = self.connections[at].cold.get_or_insert_default();
        cold.partial.extend_from_slice(self.input.read(count));
        while self.connections[at].state == State::Opening {
            let cold = self.connections[at].cold();
            let Some(opening) = cold.opening.as_mut().filter(|_| !cold.partial.is_empty()) else {
                return;
            };
            let talk = self.context.talk;
            let arrival = opening
                .reader
                .next(talk, &opening.turn, &cold.partial, More::Bytes);
            match arrival {
                Ok(Arrival::Partial) => return,
                Ok(Arrival::Push { push, len }) => {
                    opening.reader.reset();
                    let message: Vec<u8> = cold.partial.drain(..len).collect();
                    self.answer_push(at, push, &message);
                }
                Ok(Arrival::Reply { len, judgement }) => {
                    cold.partial.drain(..len);
                    self.step_answered(at, judgement);
                }
                Err(error) => {
                    let why = format!("{}: {error}", opening.turn.label);
                    return self.opening_failed(at, &why);
                }
            }
        }
    }

    fn step_answered(&mut self, at: usize, judgement: Judgement) {
        let Some(mut opening) = self.connections[at].cold().opening.take() else {
            return;
        };
        match judgement {
            Judgement::Mismatch(why) => {
                return self.opening_failed(at, &format!("{}: {why}", opening.turn.label));
            }
            Judgement::Match(groups) => opening.bindings.values.extend(groups),
            Judgement::Partial => {}
        }
        self.next_exchange(at, opening.place + 1, opening.bindings);
    }

    fn opening_failed(&mut self, at: usize, why: &str) {
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
        self.connections[at].cold().opening = None;
        self.serve(at);
        self.take_rest_of_opening(at);
    }
}
