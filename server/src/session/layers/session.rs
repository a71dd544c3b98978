//! What the layers ask of the session above them.

use std::time::Instant;

use crate::peer::Peer;
use crate::session::{Phase, Session};

impl Session<'_> {
    /// Replaces the address of the peer with the one that a proxy has stated.
    pub(super) fn set_peer(&mut self, peer: Peer) {
        tracing::info!(peer = %self.peer, client = %peer, "connected through a proxy");
        self.peer = peer;
    }

    /// The layers below are complete: requests may follow.
    pub(super) fn open(&mut self) {
        if matches!(self.phase, Phase::Upgrading) {
            self.phase = Phase::Open;
        }
        self.note_progress();
    }

    /// Sends nothing more and ends the connection.
    pub(super) fn end(&mut self) {
        self.out.clear();
        self.sent = 0;
        self.held = None;
        self.phase = Phase::Ending;
    }

    /// Whether the session waits for a TLS handshake.
    pub(super) fn awaits_tls(&self) -> bool {
        matches!(self.phase, Phase::Upgrading) && self.pending() == 0
    }

    /// The peer has taken bytes, so it is not idle.
    pub(super) fn note_progress(&mut self) {
        self.active = Instant::now();
    }

    /// When the peer has been idle for too long.
    pub(super) fn idle_until(&self) -> Instant {
        self.active + self.config.idle_timeout
    }
}
