//! Saying requests.

use rustix::event::epoll::{self, EventFlags};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::conn::{Conn, Flight, UNSENT};
use super::{Engine, event_data, now};
use crate::load::script::Script;

impl Engine<'_> {
    /// A connection may have room: in a closed loop that is filled at once, in an open one the
    /// connection gets in line.
    #[inline(always)]
    pub(super) fn make_use_of(&mut self, at: usize) {
        if !self.issuing {
            return;
        }
        let conn = &mut self.conns[at];
        let room = conn.room(self.depth, self.churn);
        if room == 0 {
            return;
        }
        if self.pacer.is_none() {
            let intended = conn.free_since;
            if intended >= self.recorder.period().to {
                return;
            }
            return match room {
                1 => self.say(at, intended),
                _ => self.say_many(at, room, intended),
            };
        }
        if !conn.queued {
            conn.queued = true;
            if self.ready.is_empty() {
                self.blocked_until = self.now;
            }
            self.ready.push_back(at);
        }
    }

    /// Says the requests that are due, as far as connections have room for them.
    pub(super) fn issue_due(&mut self) {
        while let Some(due) = self.due.filter(|due| *due <= self.now) {
            let Some(at) = self.ready.pop_front() else {
                return;
            };
            self.conns[at].queued = false;
            if self.conns[at].room(self.depth, self.churn) == 0 {
                continue;
            }
            if due >= self.blocked_until {
                self.recorder.sent(due, self.now);
            }
            self.tally.due += u64::from(self.recorder.period().has(due));
            self.due = self.next_due();
            self.say(at, due);
            let conn = &mut self.conns[at];
            if conn.room(self.depth, self.churn) > 0 && !conn.queued {
                conn.queued = true;
                self.ready.push_back(at);
            }
        }
    }

    /// Says one request, which was due at `intended`.
    #[inline(always)]
    pub(super) fn say(&mut self, at: usize, intended: u64) {
        let flight = self.next_flight(intended);
        let conn = &mut self.conns[at];
        let Some(socket) = &conn.socket else { return };
        let script = script_of(&mut conn.cold, &mut self.script);
        let request = script.request(flight.line, flight.number);
        let written = send(socket, request, SendFlags::NOSIGNAL);
        let rest = match written {
            Ok(count) if count == request.len() => None,
            Ok(count) => Some(request[count..].to_vec()),
            Err(_) => Some(request.to_vec()),
        };
        conn.flights.push_back(flight);
        self.said(at, 1, written, rest);
    }

    /// Says `count` requests in one write.
    fn say_many(&mut self, at: usize, count: usize, intended: u64) {
        self.batch.clear();
        for _ in 0..count {
            let flight = self.next_flight(intended);
            let conn = &mut self.conns[at];
            let script = script_of(&mut conn.cold, &mut self.script);
            self.batch
                .extend_from_slice(script.request(flight.line, flight.number));
            conn.flights.push_back(flight);
        }
        let Some(socket) = &self.conns[at].socket else {
            return;
        };
        let written = send(socket, &self.batch, SendFlags::NOSIGNAL);
        let taken = written.unwrap_or(0);
        let rest = (taken < self.batch.len()).then(|| self.batch[taken..].to_vec());
        self.said(at, count, written, rest);
    }

    /// What came of a write. `rest` is what the kernel did not take of it.
    #[inline(always)]
    fn said(
        &mut self,
        at: usize,
        count: usize,
        written: Result<usize, Errno>,
        rest: Option<Vec<u8>>,
    ) {
        self.in_flight += count;
        self.tally.requests += count as u64;
        let conn = &mut self.conns[at];
        conn.said += count as u32;
        match (written, rest) {
            (Ok(taken), None) => {
                self.bytes.0 += taken as u64;
                self.now = now();
                stamp(conn, self.now);
            }
            (Ok(_) | Err(Errno::AGAIN | Errno::INTR), Some(rest)) => {
                self.bytes.0 += written.unwrap_or(0) as u64;
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

    /// There is room for what the kernel did not take before.
    pub(super) fn flush(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        let (Some(socket), Some(cold)) = (&conn.socket, &mut conn.cold) else {
            return;
        };
        while cold.unsent_from < cold.unsent.len() {
            match send(
                socket,
                &cold.unsent[cold.unsent_from..],
                SendFlags::NOSIGNAL,
            ) {
                Ok(taken) => {
                    cold.unsent_from += taken;
                    self.bytes.0 += taken as u64;
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
        self.make_use_of(at);
    }

    fn watch_for_room(&mut self, at: usize, wanted: bool) {
        let conn = &mut self.conns[at];
        if conn.watched_for_room == wanted {
            return;
        }
        let Some(socket) = &conn.socket else { return };
        let flags = if wanted {
            EventFlags::IN | EventFlags::OUT
        } else {
            EventFlags::IN
        };
        conn.watched_for_room = wanted;
        let data = event_data(at, conn.generation);
        if let Err(error) = epoll::modify(&self.epoll, socket, data, flags) {
            self.lose(at, || format!("epoll does not take a connection: {error}"));
        }
    }

    #[inline(always)]
    fn next_flight(&mut self, intended: u64) -> Flight {
        let flight = Flight {
            intended,
            sent: UNSENT,
            number: self.number,
            line: self.line,
        };
        self.number += 1;
        self.line += 1;
        if self.line == self.orders.workload.turns.len() {
            self.line = 0;
        }
        flight
    }
}

/// The script of a connection: its own, if its opening captured something, or the common one.
#[inline(always)]
pub(super) fn script_of<'s>(
    cold: &'s mut Option<Box<super::conn::Cold>>,
    common: &'s mut Script,
) -> &'s mut Script {
    match cold.as_mut().and_then(|cold| cold.script.as_mut()) {
        Some(own) => own,
        None => common,
    }
}

/// The write of the last byte of everything said so far returned now.
#[inline(always)]
fn stamp(conn: &mut Conn, now: u64) {
    for flight in conn.flights.iter_mut().rev() {
        if flight.sent != UNSENT {
            break;
        }
        flight.sent = now;
    }
}
