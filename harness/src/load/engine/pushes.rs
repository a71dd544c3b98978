//! Messages that the server may send without a request.

use super::Engine;
use crate::load::script::Reply;
use crate::talk::{Bindings, PushReader};

impl Engine<'_> {
    /// The push at the start of `bytes` (its index and its length), unless it is what the oldest request expects; and
    /// whether it may become one once more bytes have arrived.
    pub(super) fn push_at(&mut self, at: usize, bytes: &[u8]) -> (Option<(usize, usize)>, bool) {
        let talk = self.context.talk;
        if talk.push.is_empty() {
            return (None, false);
        }
        let cold = self.connections[at].cold();
        let reader = cold.pushes.get_or_insert_with(|| PushReader::new(talk));
        match reader.next(talk, bytes) {
            Ok((_, len)) if self.is_right(at, &bytes[..len]) => (None, false),
            Ok(push) => (Some(push), false),
            Err(undecided) => (None, undecided),
        }
    }

    /// Whether this message is what the oldest request expects.
    pub(super) fn is_right(&mut self, at: usize, message: &[u8]) -> bool {
        let conn = &mut self.connections[at];
        let numbers = self.requests.oldest_numbers(conn);
        let Some(flight) = conn.flights.front().copied() else {
            return false;
        };
        let script = self.requests.script_of(&mut conn.cold);
        let has_reply = !matches!(script.turns[flight.turn].reply, Reply::None);
        let judged = script.judge_in_full(flight.turn, flight.number, numbers, message);
        has_reply && judged.is_ok()
    }

    /// Answers a push, if the talk defines an answer. More requests are sent later.
    pub(super) fn answer_push(&mut self, at: usize, push: usize, message: &[u8]) {
        let talk = self.context.talk;
        let numbers = self.requests.next_numbers(&self.connections[at]);
        let bindings = Bindings {
            seq: numbers.seq,
            n: numbers.n,
            values: self.context.values.clone(),
            ..Bindings::default()
        };
        match talk.push[push].answer(talk, message, bindings) {
            Ok(None) => {}
            Ok(Some(answer)) => {
                self.connections[at]
                    .cold()
                    .unsent
                    .extend_from_slice(&answer);
                self.write_unsent(at);
            }
            Err(why) => self.lose(at, || format!("cannot answer a push: {why}")),
        }
    }
}
