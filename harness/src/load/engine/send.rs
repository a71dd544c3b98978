//! Sends requests.

use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown, send, shutdown};

use super::conn::{Conn, State, UNSENT};
use super::{Engine, now};
use crate::load::script::Reply;

impl Engine<'_> {
    /// Uses the room that a connection may have: a closed loop fills it with requests, an open loop adds the
    /// connection to the queue.
    #[inline(always)]
    pub(super) fn use_room(&mut self, at: usize) {
        if !self.issuing {
            return;
        }
        let conn = &mut self.connections[at];
        let room = self.requests.room(conn);
        if room == 0 {
            return;
        }
        if self.pacing.is_open() {
            return self.pacing.line_up(at, conn, self.now);
        }
        let intended = conn.free_since;
        if intended >= self.recorder.period().to {
            return;
        }
        match room {
            1 => self.send_one(at, intended),
            _ => self.send_batch(at, room, intended),
        }
    }

    /// Sends the due requests, as far as connections have room.
    pub(super) fn issue_due(&mut self) {
        while let Some(due) = self.pacing.due_by(self.now) {
            let Some(at) = self.pacing.take_turn() else {
                return;
            };
            let conn = &mut self.connections[at];
            conn.queued = false;
            if self.requests.room(conn) == 0 {
                continue;
            }
            if self.pacing.had_room_at(due) {
                self.recorder.sent(due, self.now);
            }
            self.tally.due += u64::from(self.recorder.period().has(due));
            self.pacing.advance();
            self.send_one(at, due);
            let conn = &mut self.connections[at];
            if self.requests.room(conn) > 0 {
                self.pacing.line_up_again(at, conn);
            }
        }
    }

    /// Sends one request, due at `intended`.
    #[inline(always)]
    pub(super) fn send_one(&mut self, at: usize, intended: u64) {
        if self.context.is_personal {
            return self.send_personal(at, 1, intended);
        }
        let flight = self.requests.next(intended);
        let conn = &mut self.connections[at];
        let Some(socket) = &conn.socket else { return };
        let script = self.requests.script_of(&mut conn.cold);
        let request = script.request(flight.turn, flight.number);
        let written = send(socket, request, SendFlags::NOSIGNAL);
        let rest = match written {
            Ok(count) if count == request.len() => None,
            Ok(count) => Some(request[count..].to_vec()),
            Err(_) => Some(request.to_vec()),
        };
        conn.flights.push_back(flight);
        self.after_write(at, 1, written, rest);
    }

    /// Sends `count` requests in one write.
    fn send_batch(&mut self, at: usize, count: usize, intended: u64) {
        if self.context.is_personal {
            return self.send_personal(at, count, intended);
        }
        self.batch.clear();
        for _ in 0..count {
            let flight = self.requests.next(intended);
            let conn = &mut self.connections[at];
            let script = self.requests.script_of(&mut conn.cold);
            self.batch
                .extend_from_slice(script.request(flight.turn, flight.number));
            conn.flights.push_back(flight);
        }
        self.write_batch(at, count);
    }

    /// Sends `count` requests, each with its number on the connection.
    fn send_personal(&mut self, at: usize, count: usize, intended: u64) {
        self.batch.clear();
        for index in 0..count {
            let flight = self.requests.next(intended);
            let conn = &mut self.connections[at];
            let mut numbers = self.requests.next_numbers(conn);
            numbers.seq += index as u64;
            let script = self.requests.script_of(&mut conn.cold);
            match script.personal_request(flight.turn, flight.number, numbers) {
                None => {
                    let request = script.request(flight.turn, flight.number);
                    self.batch.extend_from_slice(request);
                }
                Some(Ok(request)) => self.batch.extend_from_slice(&request),
                Some(Err(why)) => {
                    // None of them has been sent or counted.
                    conn.flights.truncate(conn.flights.len() - index);
                    return self.lose(at, || why.to_string());
                }
            }
            conn.flights.push_back(flight);
        }
        self.write_batch(at, count);
    }

    fn write_batch(&mut self, at: usize, count: usize) {
        let Some(socket) = &self.connections[at].socket else {
            return;
        };
        let written = send(socket, &self.batch, SendFlags::NOSIGNAL);
        let taken = written.unwrap_or(0);
        let rest = (taken < self.batch.len()).then(|| self.batch[taken..].to_vec());
        self.after_write(at, count, written, rest);
    }

    /// Handles the result of a write of `count` requests. `rest` contains the bytes that the kernel did not accept.
    #[inline(always)]
    fn after_write(
        &mut self,
        at: usize,
        count: usize,
        written: Result<usize, Errno>,
        rest: Option<Vec<u8>>,
    ) {
        self.progress.asked(count);
        self.tally.requests += count as u64;
        let conn = &mut self.connections[at];
        conn.requests_sent += count as u32;
        match (written, rest) {
            (Ok(taken), None) => {
                self.progress.sent(taken);
                self.now = now();
                stamp(conn, self.now);
                if self.requests.need_care() {
                    self.all_sent(at);
                }
            }
            (Ok(_) | Err(Errno::AGAIN | Errno::INTR), Some(rest)) => {
                self.progress.sent(written.unwrap_or(0));
                let cold = conn.cold();
                cold.unsent = rest;
                cold.unsent_from = 0;
                self.watch_for_room(at, true);
            }
            (Err(error), _) => {
                self.lose(at, || format!("a request could not be sent: {error}"));
            }
        }
    }

    /// Writes the bytes that the kernel did not accept before, and goes on.
    pub(super) fn flush(&mut self, at: usize) {
        self.write_unsent(at);
        if !self.connections[at].has_unsent() {
            self.after_replies(at);
        }
    }

    /// Writes the bytes that the kernel did not accept before.
    pub(super) fn write_unsent(&mut self, at: usize) {
        let conn = &mut self.connections[at];
        let Some(socket) = &conn.socket else { return };
        let cold = conn.cold.get_or_insert_default();
        while cold.unsent_from < cold.unsent.len() {
            match send(
                socket,
                &cold.unsent[cold.unsent_from..],
                SendFlags::NOSIGNAL,
            ) {
                Ok(taken) => {
                    cold.unsent_from += taken;
                    self.progress.sent(taken);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return self.watch_for_room(at, true),
                Err(error) => {
                    return self.lose(at, || format!("a request could not be sent: {error}"));
                }
            }
        }
        cold.unsent = Vec::new();
        cold.unsent_from = 0;
        self.now = now();
        stamp(conn, self.now);
        self.watch_for_room(at, false);
        if self.requests.need_care() {
            self.all_sent(at);
        }
    }

    /// The kernel has accepted all requests: ends the stream if the talk wants it, and completes the requests that have
    /// no reply.
    fn all_sent(&mut self, at: usize) {
        let conn = &mut self.connections[at];
        if conn.state != State::Serving {
            return;
        }
        if self.requests.end_stream()
            && conn.requests_sent > 0
            && let Some(socket) = &conn.socket
        {
            // Fails if the server has closed already, which the next read reports.
            let _ = shutdown(socket, Shutdown::Write);
        }
        if self.complete_unanswered(at) > 0 {
            // The next request is sent in the next round: sending from here would never return.
            self.watch_for_room(at, true);
        }
    }

    /// Completes the oldest requests as far as they have no reply; returns their number.
    pub(super) fn complete_unanswered(&mut self, at: usize) -> usize {
        let conn = &mut self.connections[at];
        let script = self.requests.script_of(&mut conn.cold);
        let mut completed = 0;
        while let Some(flight) = conn.flights.front()
            && flight.sent != UNSENT
            && matches!(script.turns[flight.turn].reply, Reply::None)
        {
            self.recorder.reply(flight.intended, flight.sent, self.now);
            conn.flights.pop_front();
            completed += 1;
        }
        self.count_replies(at, completed);
        completed
    }

    fn watch_for_room(&mut self, at: usize, wanted: bool) {
        if let Err(error) = self.connections.watch_for_room(at, wanted) {
            self.lose(at, || format!("epoll_ctl failed for a connection: {error}"));
        }
    }
}

/// Sets the send time of all requests that have none yet: the write of the last byte has just returned.
#[inline(always)]
fn stamp(conn: &mut Conn, now: u64) {
    for flight in conn.flights.iter_mut().rev() {
        if flight.sent != UNSENT {
            break;
        }
        flight.sent = now;
    }
}
