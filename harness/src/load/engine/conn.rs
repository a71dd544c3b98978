//! One connection, as the engine keeps it: small, since there may be twenty thousand.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use crate::load::script::Script;
use crate::talk::{Bindings, Decoder, Turn};

/// A request that waits for its reply.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    /// When it was due, in nanoseconds of the monotonic clock.
    pub(super) intended: u64,
    /// When the write of its last byte returned; [`UNSENT`] before.
    pub(super) sent: u64,
    /// Its token is the one of this number.
    pub(super) number: u64,
    /// Which line of the script it is.
    pub(super) turn: usize,
}

/// Stands for the moment of a write that has not returned yet.
pub(super) const UNSENT: u64 = u64::MAX;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There is none.
    Closed,
    /// SYN sent.
    Connecting,
    /// Greeting and login.
    Opening,
    /// Requests and replies.
    Serving,
    /// The last reply came; the server is to close.
    Ending,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) socket: Option<OwnedFd>,
    pub(super) state: State,
    /// Its place in line among those with room for a request is taken.
    pub(super) queued: bool,
    /// The socket is watched for room to write.
    pub(super) watched_for_room: bool,
    /// Tells events of this socket from events of one that was here before.
    pub(super) generation: u32,
    /// Requests said since it was opened.
    pub(super) requests_sent: u32,
    /// When there was room for its next request first.
    pub(super) free_since: u64,
    /// Bytes of the current reply that have come, where each is known beforehand.
    pub(super) matched: usize,
    /// Requests that wait for their replies, oldest first.
    pub(super) flights: VecDeque<Flight>,
    /// What most connections never need, or not for long.
    pub(super) cold: Option<Box<Cold>>,
}

/// What only some connections need.
#[derive(Debug, Default)]
pub(super) struct Cold {
    /// Bytes that the kernel did not take yet.
    pub(super) unsent: Vec<u8>,
    pub(super) unsent_from: usize,
    /// Bytes of a message that has not come in whole.
    pub(super) partial: Vec<u8>,
    /// Where its frame stopped looking.
    pub(super) decoder: Option<Decoder>,
    /// The line whose frame that is.
    pub(super) decoder_turn: usize,
    /// The exchange of the opening that goes on.
    pub(super) opening: Option<Opening>,
    /// The script with values that this connection's opening captured.
    pub(super) script: Option<Script>,
}

/// A greeting or login on its way.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) place: usize,
    pub(super) bindings: Bindings,
    pub(super) turn: Turn,
    pub(super) decoder: Decoder,
}

impl Conn {
    pub(super) fn new() -> Self {
        Self {
            socket: None,
            state: State::Closed,
            queued: false,
            watched_for_room: false,
            generation: 0,
            requests_sent: 0,
            free_since: 0,
            matched: 0,
            flights: VecDeque::new(),
            cold: None,
        }
    }

    /// The rarely needed part, made when it is.
    pub(super) fn cold(&mut self) -> &mut Cold {
        self.cold.get_or_insert_default()
    }

    /// Whether bytes wait that the kernel did not take.
    pub(super) fn has_unsent(&self) -> bool {
        self.cold
            .as_ref()
            .is_some_and(|cold| cold.unsent_from < cold.unsent.len())
    }

    /// How many more requests it can carry now.
    pub(super) fn room(&self, depth: usize, churn: Option<u32>) -> usize {
        if self.state != State::Serving || self.has_unsent() {
            return 0;
        }
        let left = churn.map_or(u32::MAX, |churn| churn.saturating_sub(self.requests_sent));
        depth.saturating_sub(self.flights.len()).min(left as usize)
    }

    /// Forgets everything of the connection that was; its requests were taken off before.
    pub(super) fn close(&mut self) {
        self.socket = None;
        self.state = State::Closed;
        self.watched_for_room = false;
        self.generation = self.generation.wrapping_add(1);
        self.requests_sent = 0;
        self.matched = 0;
        self.cold = None;
    }
}
