//! Receives and verifies replies.

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::conn::{Conn, State};
use super::tally::mismatch_text;
use super::{Engine, now};
use crate::load::script::Reply;
use crate::talk::{Close, Decoder, Frame, Judgement, PushReader};

/// Replies can no longer be assigned to requests on this connection; contains the reason.
pub(super) struct OutOfStep(pub(super) String);

impl Engine<'_> {
    /// Reads once, and processes all complete replies.
    #[inline(always)]
    pub(super) fn receive(&mut self, at: usize) {
        if self.connections[at].is_tls() {
            return self.receive_encrypted(at);
        }
        if let Some(count) = self.read(at) {
            self.take_replies(at, count);
        }
    }

    /// Reads once into the receive buffer. `None` if nothing has arrived, or the connection has ended, which is handled.
    #[inline(always)]
    pub(super) fn read(&mut self, at: usize) -> Option<usize> {
        let socket = self.connections[at].socket.as_ref()?;
        let input = self.input.buffer()?;
        let count = match recv(socket, &mut input.0[..], RecvFlags::empty()) {
            Ok((count, _)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return None,
            Err(error) => {
                self.failed(at, error);
                return None;
            }
        };
        self.now = now();
        if count == 0 {
            self.peer_closed(at);
            return None;
        }
        self.progress.received(count);
        Some(count)
    }

    /// Handles the failure of a read.
    fn failed(&mut self, at: usize, error: Errno) {
        self.now = now();
        let waiting = self.connections[at].flights.len();
        self.lose(at, || {
            format!("a connection failed with {waiting} requests waiting: {error}")
        });
    }

    /// Processes all complete replies in the receive buffer, to which `count` bytes were read.
    #[inline(always)]
    pub(super) fn take_replies(&mut self, at: usize, count: usize) {
        let taken = match self.connections[at].state {
            State::Opening => return self.continue_opening(at, count),
            State::Serving if self.requests.are_exact() => {
                let before = self.connections[at].flights.len();
                let taken = self.take_exact(at, count);
                let replies = before - self.connections[at].flights.len();
                self.count_replies(at, replies);
                taken
            }
            State::Serving => self.take_framed(at, count),
            // The only event expected is the end of the stream.
            State::Ending | State::Closed | State::Connecting => Ok(()),
        };
        self.after_taking(at, taken);
    }

    #[inline(always)]
    fn after_taking(&mut self, at: usize, taken: Result<(), OutOfStep>) {
        match taken {
            Ok(()) => self.after_replies(at),
            Err(OutOfStep(why)) => {
                self.tally.wrong += 1;
                self.lose(at, || why);
            }
        }
    }

    #[inline(always)]
    pub(super) fn count_replies(&mut self, at: usize, replies: usize) {
        if replies > 0 {
            self.progress.answered(replies);
            self.connections[at].free_since = self.now;
        }
    }

    /// Compares received bytes with the expected replies in the receive buffer.
    #[inline(always)]
    fn take_exact(&mut self, at: usize, count: usize) -> Result<(), OutOfStep> {
        let conn = &mut self.connections[at];
        let script = self.requests.script_of(&mut conn.cold);
        let mut data = self.input.read(count);
        while !data.is_empty() {
            let Some(flight) = conn.flights.front().copied() else {
                return Err(unasked(data));
            };
            let left = script.turns[flight.turn].reply.exact_len() - conn.matched;
            let (piece, rest) = data.split_at(left.min(data.len()));
            if !script.agrees(flight.turn, flight.number, conn.matched, piece) {
                let why = mismatch_text(&script.describe(flight.turn), piece);
                let whole = conn.matched == 0 && piece.len() == left;
                if !whole || !script.frame_agrees(flight.turn, 0, piece) {
                    return Err(OutOfStep(format!("wrong reply: {why}")));
                }
                self.tally.wrong += 1;
                self.tally.note(|| format!("wrong reply: {why}"));
            }
            data = rest;
            if piece.len() < left {
                conn.matched += piece.len();
                return Ok(());
            }
            conn.matched = 0;
            conn.flights.pop_front();
            self.recorder.reply(flight.intended, flight.sent, self.now);
        }
        Ok(())
    }

    /// Splits the stream into messages and processes each.
    fn take_framed(&mut self, at: usize, count: usize) -> Result<(), OutOfStep> {
        let mut partial = std::mem::take(&mut self.connections[at].cold().partial);
        let Some(input) = self.input.take() else {
            return Ok(());
        };
        let fresh = &input.0[..count];
        let taken = if partial.is_empty() {
            self.take_messages(at, fresh)
        } else {
            partial.extend_from_slice(fresh);
            self.take_messages(at, &partial)
        };
        let used = *taken.as_ref().unwrap_or(&0);
        if partial.is_empty() {
            if used < count {
                partial = self.input.partial(&fresh[used..]);
            }
        } else {
            partial.drain(..used);
        }
        // What is left of a connection that was lost meanwhile does not belong to the next one in its place.
        let is_gone = self.connections[at].socket.is_none();
        if partial.is_empty() || is_gone {
            self.input.keep(partial);
        } else {
            self.connections[at].cold().partial = partial;
        }
        self.input.put_back(input);
        taken.map(drop)
    }

    /// Processes what arrived behind the last reply of the opening.
    pub(super) fn take_rest_of_opening(&mut self, at: usize) {
        let mut rest = std::mem::take(&mut self.connections[at].cold().partial);
        if rest.is_empty() {
            return;
        }
        let taken = match self.requests.are_exact() {
            true => Err(unasked(&rest)),
            false => self.take_messages(at, &rest),
        };
        if let Ok(used) = taken
            && self.connections[at].socket.is_some()
        {
            rest.drain(..used);
            self.connections[at].cold().partial = rest;
        }
        self.after_taking(at, taken.map(drop));
    }

    /// Processes the complete messages at the start of `data`, and returns their total length.
    fn take_messages(&mut self, at: usize, data: &[u8]) -> Result<usize, OutOfStep> {
        let mut taken = 0;
        while taken < data.len() && self.connections[at].state == State::Serving {
            let rest = &data[taken..];
            let (push, undecided) = self.push_at(at, rest);
            if let Some((push, len)) = push {
                self.answer_push(at, push, &rest[..len]);
                taken += len;
            } else {
                let len = match self.message_len(at, rest) {
                    Ok(Some(len)) => len,
                    Ok(None) => break,
                    // It may be the beginning of a push.
                    Err(_) if undecided => break,
                    Err(wrong) => return Err(wrong),
                };
                if undecided && !self.is_right(at, &rest[..len]) {
                    break;
                }
                self.take_reply(at, &rest[..len])?;
                taken += len;
            }
            if let Some(cold) = &mut self.connections[at].cold {
                cold.decoder.iter_mut().for_each(Decoder::reset);
                cold.pushes.iter_mut().for_each(PushReader::reset);
            }
        }
        Ok(taken)
    }

    /// The length of the reply at the start of `bytes`, if it is complete.
    fn message_len(&mut self, at: usize, bytes: &[u8]) -> Result<Option<usize>, OutOfStep> {
        let conn = &mut self.connections[at];
        let Some(flight) = conn.flights.front().copied() else {
            return Err(unasked(bytes));
        };
        let numbers = self.requests.oldest_numbers(conn);
        let script = self.requests.script_of(&mut conn.cold);
        let frame = match &script.turns[flight.turn].reply {
            Reply::ToEof(_) => return Ok(None),
            Reply::None => return Err(unasked(bytes)),
            Reply::Exact(exact) => return Ok(Some(exact.len()).filter(|len| *len <= bytes.len())),
            Reply::Unframed(_) => {
                return match script.is_whole(flight.turn, flight.number, numbers, bytes) {
                    Judgement::Match(_) => Ok(Some(bytes.len())),
                    Judgement::Partial => Ok(None),
                    Judgement::Mismatch(why) => Err(OutOfStep(format!("wrong reply: {why}"))),
                };
            }
            Reply::Framed(framed) => std::sync::Arc::clone(&framed.frame),
        };
        framed_len(conn, flight.turn, &frame, bytes)
    }

    /// Processes a complete reply.
    fn take_reply(&mut self, at: usize, message: &[u8]) -> Result<(), OutOfStep> {
        let conn = &mut self.connections[at];
        let numbers = self.requests.oldest_numbers(conn);
        let Some(flight) = conn.flights.pop_front() else {
            return Err(unasked(message));
        };
        let script = self.requests.script_of(&mut conn.cold);
        if let Err(why) = script.judge(flight.turn, flight.number, numbers, message) {
            self.tally.wrong += 1;
            self.tally.note(|| format!("wrong reply: {why}"));
        }
        self.recorder.reply(flight.intended, flight.sent, self.now);
        self.count_replies(at, 1);
        if self.context.talk.announces_close(message) {
            self.tally.announced_closes += 1;
            self.connections[at].state = State::Ending;
        }
        if self.context.is_last(flight.turn) {
            self.connections[at].state = State::Ending;
        }
        if self.requests.need_care() {
            self.complete_unanswered(at);
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn after_replies(&mut self, at: usize) {
        let conn = &mut self.connections[at];
        if conn.state != State::Serving || self.requests.is_full(conn) {
            return;
        }
        let one_each = self.context.talk.close == Close::ServerAfterReply;
        if one_each && conn.requests_sent > 0 && conn.flights.is_empty() {
            conn.state = State::Ending;
            return;
        }
        if self.requests.are_used_up(conn, &self.context.courses) {
            return self.close_planned(at);
        }
        self.use_room(at);
    }

    /// Handles the end of the stream: the server closed its side.
    pub(super) fn peer_closed(&mut self, at: usize) {
        if self.connections[at].state == State::Ending {
            return self.close_planned(at);
        }
        match self.reply_that_ends_here(at) {
            Some(Ok(())) => self.close_planned(at),
            Some(Err(why)) => {
                self.tally.wrong += 1;
                self.tally.note(|| format!("wrong reply: {why}"));
                self.close_planned(at);
            }
            None => {
                let waiting = self.connections[at].flights.len();
                self.lose(at, || {
                    format!("the server closed a connection with {waiting} requests waiting")
                });
            }
        }
    }

    /// Verifies the reply that the end of the stream completes; `None` if it completes no reply.
    fn reply_that_ends_here(&mut self, at: usize) -> Option<Result<(), String>> {
        let conn = &mut self.connections[at];
        let flight = conn.flights.front().copied()?;
        let message = std::mem::take(&mut conn.cold().partial);
        let ends_here = match &self.requests.script_of(&mut conn.cold).turns[flight.turn].reply {
            Reply::ToEof(_) => true,
            Reply::Exact(_) | Reply::None => false,
            Reply::Unframed(_) => !message.is_empty(),
            Reply::Framed(framed) => {
                let whole = framed.frame.decoder().finish(&message);
                whole.is_ok_and(|len| len == Some(message.len()))
            }
        };
        if !ends_here {
            return None;
        }
        let numbers = self.requests.oldest_numbers(conn);
        conn.flights.pop_front();
        let script = self.requests.script_of(&mut conn.cold);
        let judged = script.judge(flight.turn, flight.number, numbers, &message);
        self.recorder.reply(flight.intended, flight.sent, self.now);
        self.count_replies(at, 1);
        Some(judged)
    }
}

/// The length of the message at the start of `bytes` by its frame, if it is complete. Keeps the decoder of the turn for
/// the next call.
fn framed_len(
    conn: &mut Conn,
    turn: usize,
    frame: &Frame,
    bytes: &[u8],
) -> Result<Option<usize>, OutOfStep> {
    let cold = conn.cold();
    if cold.decoder_turn != turn {
        cold.decoder = None;
        cold.decoder_turn = turn;
    }
    let decoder = cold.decoder.get_or_insert_with(|| frame.decoder());
    decoder
        .next(bytes)
        .map_err(|error| OutOfStep(format!("wrong reply: {error}")))
}

pub(super) fn unasked(bytes: &[u8]) -> OutOfStep {
    OutOfStep(mismatch_text(
        "no message, because no request was in flight",
        bytes,
    ))
}
