//! What comes before and around the conversation: the PROXY header, and TLS.

use rustix::net::{SendFlags, send};

use super::conn::State;
use super::{Engine, now};
use crate::load::recorder::times;
use crate::transport::{TlsChannel, TlsError};

impl Engine<'_> {
    /// Sends what a new connection starts with, and begins the TLS handshake or the talk's opening.
    pub(super) fn begin_conversation(&mut self, at: usize) {
        let endpoint = &self.context.endpoint;
        if endpoint.transport.is_plain() {
            return self.begin_talk(at);
        }
        let local = self.connections.local(at);
        let conn = &mut self.connections[at];
        conn.state = State::Opening;
        conn.cold().unsent = endpoint.prologue(local);
        match endpoint.tls() {
            Some(tls) => self.begin_handshake(at, tls),
            None => {
                self.flush(at);
                if self.connections[at].socket.is_some() {
                    self.begin_talk(at);
                }
            }
        }
    }

    fn begin_talk(&mut self, at: usize) {
        if self.context.has_opening() {
            self.begin_opening(at);
        } else {
            self.serve(at);
        }
    }

    /// Begins the TLS handshake. The opening continues when it is complete.
    pub(super) fn begin_handshake(&mut self, at: usize, tls: Result<TlsChannel, TlsError>) {
        let mut tls = match tls {
            Ok(tls) => tls,
            Err(why) => return self.lose(at, || why.to_string()),
        };
        let conn = &mut self.connections[at];
        conn.state = State::Opening;
        let cold = conn.cold();
        tls.take(&mut cold.unsent);
        cold.tls = Some(tls);
        cold.handshake_since = Some(now());
        self.flush(at);
    }

    /// Ends the handshake, and continues with the opening.
    fn secured(&mut self, at: usize, since: u64) {
        let took = self.now.saturating_sub(since);
        let handshakes = self.tally.handshakes.get_or_insert_with(times);
        // Values beyond the histogram's range count as its maximum.
        handshakes.saturating_record(took);
        if self.connections[at]
            .cold()
            .opening_after_handshake
            .is_some()
        {
            self.resume_opening(at);
        } else {
            self.begin_talk(at);
        }
    }

    /// Reads encrypted bytes once, decrypts them, and processes all complete replies.
    pub(super) fn receive_encrypted(&mut self, at: usize) {
        let Some(count) = self.read(at) else { return };
        let conn = &mut self.connections[at];
        let Some(cold) = &mut conn.cold else { return };
        let Some(tls) = &mut cold.tls else { return };
        let fed = tls.feed(self.input.read(count));
        tls.take(&mut cold.unsent);
        let is_secure = !tls.is_handshaking();
        let since = cold.handshake_since.take_if(|_| is_secure);
        let generation = conn.generation;
        if conn.has_unsent() {
            self.flush(at);
            if self.connections[at].generation != generation {
                return;
            }
        }
        if let Err(why) = fed {
            return self.lose(at, || why.to_string());
        }
        if let Some(since) = since {
            self.secured(at, since);
        }
        while self.connections[at].generation == generation {
            match self.decrypt(at) {
                None => return self.peer_closed(at),
                Some(0) => return,
                Some(count) => self.take_replies(at, count),
            }
        }
    }

    /// Moves plain text into the receive buffer. `None` after close_notify; 0 if there is none.
    fn decrypt(&mut self, at: usize) -> Option<usize> {
        let tls = self.connections[at].cold.as_mut()?.tls.as_mut()?;
        tls.read(&mut self.input.buffer()?.0[..])
    }

    /// Announces the end of a connection over TLS.
    pub(super) fn say_goodbye(&mut self, at: usize) {
        let conn = &mut self.connections[at];
        if let (Some(socket), Some(cold)) = (&conn.socket, &mut conn.cold)
            && let Some(tls) = &mut cold.tls
            && !tls.is_handshaking()
        {
            let alert = tls.close();
            // The server may be gone already.
            let _ = send(socket, &alert, SendFlags::NOSIGNAL);
        }
    }
}
