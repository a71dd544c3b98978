//! TLS on one connection, sans-IO: rustls between a session and the transport below.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use super::raw::RawInput;
use crate::config::hooks::LayerHooks;
use crate::transport::Transport;

/// Maximum bytes that are encrypted before the transport has taken them: one record.
const PIECE_BYTES_MAX: usize = 16_384;

/// The server's end of TLS.
pub(super) struct TlsStream {
    connection: ServerConnection,
    /// Encrypted bytes. The transport has taken those before `sent`.
    outgoing: Vec<u8>,
    sent: usize,
    state: TlsState,
    hooks: LayerHooks,
    /// What the hook `decrypted` has left for the session.
    plaintext: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TlsState {
    Open,
    /// The peer has violated the protocol. An alert is in `outgoing`, and nothing follows it.
    Failed,
    /// Nothing follows what is in `outgoing`, which ends with a close_notify if one is sent.
    Finished,
    /// The transport has failed.
    Broken,
}

impl TlsStream {
    pub(super) fn new(config: Arc<ServerConfig>, hooks: LayerHooks) -> Result<Self, rustls::Error> {
        Ok(Self {
            connection: ServerConnection::new(config)?,
            outgoing: Vec::new(),
            sent: 0,
            state: TlsState::Open,
            hooks,
            plaintext: Vec::new(),
        })
    }

    pub(super) fn connection(&self) -> &ServerConnection {
        &self.connection
    }

    /// Whether the peer has violated the protocol.
    pub(super) fn has_failed(&self) -> bool {
        self.state == TlsState::Failed
    }

    /// Whether bytes from the transport are decrypted.
    fn is_open(&self) -> bool {
        self.state == TlsState::Open
    }

    /// Whether encrypted bytes wait for the transport.
    pub(super) fn has_outgoing(&self) -> bool {
        self.sent < self.outgoing.len()
    }

    /// Sends encrypted bytes until none are left. Returns their number, and `WouldBlock` only if it
    /// is 0.
    pub(super) fn flush(&mut self, below: &mut dyn Transport) -> io::Result<usize> {
        let mut count = 0;
        while self.has_outgoing() {
            match below.try_write(&self.outgoing[self.sent..]) {
                Ok(taken) => {
                    self.sent += taken;
                    count += taken;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && count > 0 => break,
                Err(error) => return Err(self.note_error(error)),
            }
        }
        if !self.has_outgoing() {
            self.outgoing.clear();
            self.sent = 0;
        }
        Ok(count)
    }

    /// Reads plaintext. A peer that ends the stream without a close_notify has ended it all the same.
    pub(super) fn read(
        &mut self,
        raw: &mut RawInput,
        below: &mut dyn Transport,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        while self.is_open() {
            if !self.plaintext.is_empty() {
                let count = self.plaintext.len().min(buffer.len());
                buffer[..count].copy_from_slice(&self.plaintext[..count]);
                self.plaintext.drain(..count);
                return Ok(count);
            }
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            self.receive(raw, below)?;
        }
        // What arrives after the last record of the server is not decrypted, only discarded.
        raw.read(below, buffer)
    }

    /// Decrypts the next bytes, and sends what they require. Returns their number, 0 at the end of
    /// the stream.
    ///
    /// # Errors
    /// The transport fails, or the bytes violate the protocol: then [`has_failed`](Self::has_failed).
    pub(super) fn receive(
        &mut self,
        raw: &mut RawInput,
        below: &mut dyn Transport,
    ) -> io::Result<usize> {
        if raw.is_empty() {
            let filled = raw.fill(below);
            if filled.map_err(|error| self.note_error(error))? == 0 {
                // rustls takes a read of 0 bytes for the end of the stream.
                return self.connection.read_tls(&mut io::empty());
            }
        }
        let result = self.decrypt(raw);
        self.encrypt();
        match self.flush(below) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            Ok(_) | Err(_) => result,
        }
    }

    fn decrypt(&mut self, raw: &mut RawInput) -> io::Result<usize> {
        let taken = self.connection.read_tls(&mut raw.unused());
        let processed = taken.and_then(|count| {
            raw.consume(count);
            let processed = self.connection.process_new_packets();
            processed.map_err(io::Error::other)?;
            Ok(count)
        });
        if let Err(error) = &processed {
            self.state = TlsState::Failed;
            if let Some(tls_failed) = self.hooks.tls_failed {
                tls_failed(error);
            }
        }
        if let Some(decrypted) = self.hooks.decrypted {
            decrypted(self.connection.reader(), &mut self.plaintext);
        }
        processed
    }

    /// Encrypts and sends bytes. Returns the number of those that were encrypted.
    pub(super) fn write(&mut self, below: &mut dyn Transport, bytes: &[u8]) -> io::Result<usize> {
        if self.has_outgoing() {
            self.flush(below)?;
        }
        if self.has_outgoing() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if !self.is_open() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let piece = &bytes[..bytes.len().min(PIECE_BYTES_MAX)];
        let count = self.connection.writer().write(piece)?;
        self.encrypt();
        match self.flush(below) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            Ok(_) | Err(_) => Ok(count),
        }
    }

    /// Sends nothing after this but a close_notify.
    pub(super) fn finish(&mut self) {
        if self.is_open() {
            if self.hooks.sends_close_notify {
                self.connection.send_close_notify();
                self.encrypt();
            }
            self.state = TlsState::Finished;
        }
    }

    /// Moves the records that rustls has made to `outgoing`.
    fn encrypt(&mut self) {
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut self.outgoing).is_err() {
                unreachable!("a vector takes all bytes");
            }
        }
    }

    /// After a failure of the transport, nothing can be sent.
    fn note_error(&mut self, error: io::Error) -> io::Error {
        let is_temporary = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted);
        if !is_temporary {
            self.state = TlsState::Broken;
            self.outgoing.clear();
            self.sent = 0;
        }
        error
    }
}
