//! The engine's record of one connection. It is small, because there may be twenty thousand.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use crate::load::script::Script;
use crate::talk::{Bindings, Decoder, PushReader, Reader, Turn};
use crate::transport::TlsChannel;

/// A request in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    /// The intended start: when it was due, in nanoseconds of the monotonic clock.
    pub(super) intended: u64,
    /// When the write of its last byte returned; [`UNSENT`] until then.
    pub(super) sent: u64,
    /// Number of its token.
    pub(super) number: u64,
    /// Index of its turn in the script.
    pub(super) turn: usize,
}

/// Time of a write that has not completed.
pub(super) const UNSENT: u64 = u64::MAX;

/// Phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Not connected.
    Closed,
    /// Connect in progress.
    Connecting,
    /// In its TLS handshake or the talk's opening.
    Opening,
    /// Carrying requests and replies.
    Serving,
    /// The last reply has arrived; the server closes next.
    Ending,
}

/// State of one connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) socket: Option<OwnedFd>,
    pub(super) state: State,
    /// Whether it is in the queue of connections with room for a request.
    pub(super) queued: bool,
    /// Whether epoll reports that the socket is writable.
    pub(super) watched_for_room: bool,
    /// Distinguishes events of this socket from those of an earlier socket in the same place.
    pub(super) generation: u32,
    /// Requests sent since it was opened.
    pub(super) requests_sent: u32,
    /// Since when it has had room for its next request.
    pub(super) free_since: u64,
    /// Bytes of the current reply received so far, if the reply is exact.
    pub(super) matched: usize,
    /// Requests in flight, oldest first.
    pub(super) flights: VecDeque<Flight>,
    /// State that most connections need never, or only briefly.
    pub(super) cold: Option<Box<Cold>>,
}

/// Rarely needed state of a connection, allocated on first use.
#[derive(Debug, Default)]
pub(super) struct Cold {
    /// Buffer of bytes to send, and the index of the first that the kernel has not accepted yet.
    pub(super) unsent: Vec<u8>,
    pub(super) unsent_from: usize,
    /// Received bytes of an incomplete message.
    pub(super) partial: Vec<u8>,
    /// Decoder of its frame, with the progress so far.
    pub(super) decoder: Option<Decoder>,
    /// Index of the turn that the decoder belongs to.
    pub(super) decoder_turn: usize,
    /// Decoders of the messages that the server may push.
    pub(super) pushes: Option<PushReader>,
    /// The value of `{n}`.
    pub(super) number: u64,
    /// Which of the courses it takes.
    pub(super) course: usize,
    /// The current exchange of the opening.
    pub(super) opening: Option<Opening>,
    /// The script with the values that this connection's opening captured.
    pub(super) script: Option<Script>,
    /// The TLS layer, once the handshake has begun.
    pub(super) tls: Option<TlsChannel>,
    /// When the handshake began, until it is complete.
    pub(super) handshake_since: Option<u64>,
    /// Where the opening continues after STARTTLS, and the values captured so far.
    pub(super) opening_after_handshake: Option<(usize, Bindings)>,
}

/// An exchange of the opening in progress.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) place: usize,
    pub(super) bindings: Bindings,
    pub(super) turn: Turn,
    pub(super) reader: Reader,
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

    /// The rarely needed state, allocated if necessary.
    pub(super) fn cold(&mut self) -> &mut Cold {
        self.cold.get_or_insert_default()
    }

    /// Queues bytes of the conversation behind those that the kernel has not accepted yet, encrypted if necessary.
    pub(super) fn queue(&mut self, bytes: &[u8]) {
        let cold = self.cold();
        if cold.unsent_from == cold.unsent.len() {
            cold.unsent.clear();
            cold.unsent_from = 0;
        }
        match &mut cold.tls {
            Some(tls) => tls.seal(bytes, &mut cold.unsent),
            None => cold.unsent.extend_from_slice(bytes),
        }
    }

    /// Whether the conversation is encrypted.
    #[inline(always)]
    pub(super) fn is_tls(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| cold.tls.is_some())
    }

    /// Whether there are bytes that the kernel has not accepted yet.
    pub(super) fn has_unsent(&self) -> bool {
        self.cold
            .as_ref()
            .is_some_and(|cold| cold.unsent_from < cold.unsent.len())
    }

    /// Number of requests that can be sent now.
    pub(super) fn room(&self, depth: usize, churn: Option<u32>) -> usize {
        if self.state != State::Serving || self.has_unsent() {
            return 0;
        }
        let left = churn.map_or(u32::MAX, |churn| churn.saturating_sub(self.requests_sent));
        depth.saturating_sub(self.flights.len()).min(left as usize)
    }

    /// Closes the socket and resets the state. The requests in flight have been removed before.
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
