//! TLS and the PROXY header of a session, and what a check sends in their place.

use tokio::time::{Instant, timeout_at};

use super::{PeerError, Session};
use crate::data::Actor;
use crate::talk::Mismatch;
use crate::text::escape;
use crate::transport::{TlsChannel, TlsError};

impl Session {
    /// Performs the TLS handshake before the first byte of the conversation. It is not part of the
    /// connect, so that a check can leave a connection without one.
    pub(super) async fn secure_first(&mut self) -> Result<(), PeerError> {
        if self.bare || self.link.is_tls() {
            return Ok(());
        }
        self.secure(self.server.endpoint().tls()).await
    }

    /// Performs the TLS handshake now, and not before the first byte of the conversation.
    pub(crate) async fn handshake(&mut self) -> Result<(), PeerError> {
        self.bare = false;
        self.secure_first().await
    }

    /// The PROXY header of this connection.
    pub(crate) fn proxy_header(&self) -> Vec<u8> {
        self.server.endpoint().prologue(self.local)
    }

    /// The first message of a TLS handshake, of a connection of its own.
    pub(crate) fn client_hello(&self) -> Result<Vec<u8>, PeerError> {
        match self.server.endpoint().tls() {
            Some(tls) => Ok(tls?.due()),
            None => Ok(Vec::new()),
        }
    }

    /// Encrypts `bytes` in records of their own, for [`Session::send_raw`].
    pub(crate) fn sealed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.link.sealed(bytes)
    }

    /// Keeps bytes that are sent together with the next ones.
    pub(crate) fn hold(&mut self, bytes: &[u8]) {
        self.link.hold(bytes);
    }

    /// Sends bytes as they are, even on a connection with TLS.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), PeerError> {
        self.step(
            Actor::Client,
            format!("send on the socket {}", escape(bytes, 60)),
        );
        let deadline = Instant::now() + self.limit;
        match timeout_at(deadline, self.link.write_raw(bytes)).await {
            Ok(sent) => sent.map_err(|error| self.failed(error)),
            Err(_) => Err(PeerError::NotTaken {
                sent: 0,
                of: bytes.len(),
                limit: self.limit,
            }),
        }
    }

    /// Performs the TLS handshake that the server has agreed to.
    pub(crate) async fn start_tls(&mut self) -> Result<(), PeerError> {
        if !self.buffer.is_empty() {
            return Err(PeerError::Wrong {
                mismatch: Mismatch::new(
                    "nothing in plain text after the agreement on TLS",
                    format!("{} bytes", self.buffer.len()),
                ),
                reply: escape(&self.buffer, 200),
            });
        }
        self.secure(self.server.endpoint().starttls()).await
    }

    /// Performs the TLS handshake, if the file asks for TLS.
    async fn secure(&mut self, tls: Option<Result<TlsChannel, TlsError>>) -> Result<(), PeerError> {
        let Some(tls) = tls else {
            return Ok(());
        };
        self.step(Actor::Client, "TLS handshake".into());
        match tokio::time::timeout(self.limit, self.link.handshake(tls?)).await {
            Ok(done) => done.map_err(|error| self.failed(error)),
            Err(_) => Err(PeerError::NoHandshake { limit: self.limit }),
        }
    }
}
