//! The sequence of numbered requests: the script's turns, repeated.

use super::EngineError;
use super::conn::{Cold, Conn, Flight, UNSENT};
use super::context::EngineContext;
use super::courses::Courses;
use crate::load::script::{Numbers, Script};
use crate::talk::Frame;

/// The requests of one engine thread.
pub(super) struct Requests {
    script: Script,
    exact: bool,
    /// Requests need more than to be sent: some have no reply, or end the client's stream.
    needs_care: bool,
    /// The client closes its side after each request.
    ends_stream: bool,
    /// Number of requests that an opening sends.
    opening_requests: u64,
    /// Whether turns have an order, and whether that ends connections.
    has_courses: bool,
    ends: bool,
    /// Number of the next connection, and the distance to the one after it: all threads of all parts together use every number.
    connection: u64,
    threads: u64,
    depth: usize,
    churn: Option<u32>,
    /// Number of the next token, and index of the next turn.
    number: u64,
    turn: usize,
    turns: usize,
}

impl Requests {
    /// The requests of thread `thread`.
    ///
    /// # Errors
    /// The talk cannot be compiled.
    pub(super) fn new(context: &EngineContext, thread: usize) -> Result<Self, EngineError> {
        let workload = context.workload;
        let talk = context.talk;
        let turns = || {
            let turns = context.courses.turns.iter();
            turns.filter_map(|turn| talk.turns.get(*turn))
        };
        // A course ends a connection in its own time.
        let has_courses = !context.courses.are_free();
        let many = has_courses || turns().all(|turn| talk.goes_on_after(turn));
        let script = match context.script(&context.values) {
            // The opening of each connection may capture the missing values.
            Err(_) if context.has_opening() => Script::empty(workload),
            compiled => compiled?,
        };
        let ends_stream = talk.request == Frame::Eof;
        let has_unanswered = turns().any(|turn| !turn.expect.has_reply());
        let opening = context.courses.opening(talk);
        Ok(Self {
            exact: script.is_exact() && many && !context.one_by_one,
            needs_care: ends_stream || has_unanswered,
            ends_stream,
            opening_requests: opening.filter(|step| step.send.is_some()).count() as u64,
            has_courses,
            ends: context.courses.end(),
            connection: workload.number_of(thread) as u64 + 1,
            threads: workload.threads_of_all_parts() as u64,
            script,
            depth: if many { workload.pipeline.max(1) } else { 1 },
            churn: if many { workload.churn } else { Some(1) },
            number: crate::talk::token::first_of(workload.number_of(thread) as u32 + 1),
            turn: 0,
            turns: context.courses.turns.len(),
        })
    }

    /// Whether connections are closed and reopened during the load.
    pub(super) fn reopens(&self) -> bool {
        self.churn.is_some() || self.ends
    }

    /// Whether every reply is known byte for byte.
    #[inline(always)]
    pub(super) fn are_exact(&self) -> bool {
        self.exact
    }

    /// Whether requests need more than to be sent.
    #[inline(always)]
    pub(super) fn need_care(&self) -> bool {
        self.needs_care
    }

    /// Whether the client closes its side after each request.
    pub(super) fn end_stream(&self) -> bool {
        self.ends_stream
    }

    /// A number that no other connection of the load has, and the number among those of this thread.
    pub(super) fn next_connection(&mut self) -> (u64, usize) {
        let number = self.connection;
        self.connection += self.threads;
        (number, (number / self.threads) as usize)
    }

    /// The values of `{seq}` and `{n}` for the request that is sent after all in flight.
    pub(super) fn next_numbers(&self, conn: &Conn) -> Numbers {
        self.numbers(conn, u64::from(conn.requests_sent) + 1)
    }

    /// The same for the oldest request in flight.
    pub(super) fn oldest_numbers(&self, conn: &Conn) -> Numbers {
        let later = conn.flights.len() as u64;
        self.numbers(
            conn,
            (u64::from(conn.requests_sent) + 1).saturating_sub(later),
        )
    }

    fn numbers(&self, conn: &Conn, request: u64) -> Numbers {
        Numbers {
            seq: self.opening_requests + request,
            n: conn.cold.as_ref().map_or(1, |cold| cold.number),
        }
    }

    /// Number of requests that can be sent on this connection now.
    #[inline(always)]
    pub(super) fn room(&self, conn: &Conn, courses: &Courses) -> usize {
        conn.room(self.depth, self.requests_max(conn, courses))
    }

    /// The number of requests after which this connection is closed.
    #[inline(always)]
    fn requests_max(&self, conn: &Conn, courses: &Courses) -> Option<u32> {
        if !self.has_courses {
            return self.churn;
        }
        let course = courses.length(conn);
        self.churn.into_iter().chain(course).min()
    }

    /// Whether the connection has its maximum of requests in flight.
    #[inline(always)]
    pub(super) fn is_full(&self, conn: &Conn) -> bool {
        conn.flights.len() == self.depth
    }

    /// Whether the connection has completed all its requests and must be closed.
    #[inline(always)]
    pub(super) fn are_used_up(&self, conn: &Conn, courses: &Courses) -> bool {
        let most = self.requests_max(conn, courses);
        conn.flights.is_empty() && most.is_some_and(|most| conn.requests_sent >= most)
    }

    /// Creates the next request, due at `intended`.
    #[inline(always)]
    pub(super) fn next(&mut self, intended: u64) -> Flight {
        let flight = Flight {
            intended,
            sent: UNSENT,
            number: self.number,
            turn: self.turn,
        };
        self.number += 1;
        self.turn += 1;
        if self.turn == self.turns {
            self.turn = 0;
        }
        flight
    }

    /// A token number that no request uses.
    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number - 1
    }

    /// The script of a connection: its own if its opening captured values, else the one of all connections.
    #[inline(always)]
    pub(super) fn script_of<'s>(&'s mut self, cold: &'s mut Option<Box<Cold>>) -> &'s mut Script {
        match cold.as_mut().and_then(|cold| cold.script.as_mut()) {
            Some(own) => own,
            None => &mut self.script,
        }
    }
}
