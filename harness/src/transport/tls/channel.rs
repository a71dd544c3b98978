//! The TLS layer of one connection. Sans-IO: the caller moves bytes between it and a socket.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::TlsError;

/// Maximum bytes of plain text per record (RFC 8446, section 5.1).
pub(crate) const RECORD_BYTES_MAX: usize = 16 * 1024;

/// The TLS layer of one connection.
pub(crate) struct TlsChannel {
    connection: Box<ClientConnection>,
    /// Received plain text, and the number of bytes of it that have been read.
    received: Vec<u8>,
    read: usize,
    /// Whether the server has sent close_notify.
    ended: bool,
}

impl std::fmt::Debug for TlsChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsChannel")
    }
}

impl TlsChannel {
    pub(super) fn new(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, TlsError> {
        let mut connection = ClientConnection::new(config, name)
            .map_err(|why| TlsError::Settings(why.to_string()))?;
        connection.set_buffer_limit(None);
        Ok(Self {
            connection: Box::new(connection),
            received: Vec::new(),
            read: 0,
            ended: false,
        })
    }

    /// Whether the handshake is not complete yet.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Encrypts `plain` in records of its own and appends them to `wire`, after anything else that is due. During the
    /// handshake the records follow once it is complete.
    pub(crate) fn seal(&mut self, plain: &[u8], wire: &mut Vec<u8>) {
        // The writer has no limit, so it takes everything and does not fail.
        let _ = self.connection.writer().write_all(plain);
        self.take(wire);
    }

    /// The records of `plain`; see [`TlsChannel::seal`].
    pub(crate) fn sealed(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        self.seal(plain, &mut wire);
        wire
    }

    /// Appends what the layer itself has to send: handshake messages, alerts, key updates.
    pub(crate) fn take(&mut self, wire: &mut Vec<u8>) {
        while self.connection.wants_write() {
            if self.connection.write_tls(wire).is_err() {
                return;
            }
        }
    }

    /// What the layer itself has to send; see [`TlsChannel::take`].
    pub(crate) fn due(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        self.take(&mut wire);
        wire
    }

    /// Processes bytes received from the socket. [`TlsChannel::read`] then returns the plain text, and
    /// [`TlsChannel::take`] the answers that are due.
    ///
    /// # Errors
    /// The server violated the protocol, sent a fatal alert, or has the wrong certificate. The alert that is due is
    /// still to be taken.
    pub(crate) fn feed(&mut self, mut wire: &[u8]) -> Result<(), TlsError> {
        while !wire.is_empty() {
            let taken = self.connection.read_tls(&mut wire);
            let taken = taken.map_err(|why| TlsError::Peer(why.to_string()))?;
            let state = self.connection.process_new_packets();
            let state = state.map_err(|why| TlsError::Peer(why.to_string()))?;
            // The connection stops reading while its own buffer is full.
            self.collect(state.plaintext_bytes_to_read());
            self.ended |= state.peer_has_closed();
            if taken == 0 {
                // After close_notify nothing is read any more.
                return Ok(());
            }
        }
        Ok(())
    }

    fn collect(&mut self, count: usize) {
        if self.read == self.received.len() {
            self.received.clear();
            self.read = 0;
        }
        let from = self.received.len();
        self.received.resize(from + count, 0);
        // As many bytes are there, so that reading does not fail.
        let read = self.connection.reader().read(&mut self.received[from..]);
        self.received.truncate(from + read.unwrap_or(0));
    }

    /// Moves received plain text into `buffer`. `None` after the server has ended the connection with close_notify;
    /// 0 if there is nothing yet.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let unread = &self.received[self.read..];
        if unread.is_empty() {
            return if self.ended { None } else { Some(0) };
        }
        let count = unread.len().min(buffer.len());
        buffer[..count].copy_from_slice(&unread[..count]);
        self.read += count;
        Some(count)
    }

    /// A close_notify alert, after which nothing may be sent, and what else is due.
    pub(crate) fn close(&mut self) -> Vec<u8> {
        self.connection.send_close_notify();
        self.due()
    }
}
