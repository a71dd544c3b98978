//! Raw operations below the level of replies: floods, draining, leftover bytes.

use std::io;
use std::time::Duration;

use tokio::io::Interest;
use tokio::time::{Instant, timeout_at};

use super::{ConnectionEnd, Flood, FloodEnd, PeerError, Session};
use crate::text::escape;

/// Maximum size of a reply, in bytes.
const REPLY_BYTES_MAX: usize = 80 * 1024 * 1024;

impl Session {
    /// Sends `piece` repeatedly, up to `total` bytes, without reading. Ends early if the server
    /// reads nothing for `pause`, or closes.
    pub(crate) async fn flood(&mut self, piece: &[u8], total: u64, pause: Duration) -> Flood {
        self.transcript.add(
            self.number,
            format!("send {} repeatedly, up to {total} bytes", escape(piece, 40)),
        );
        let mut bytes = 0;
        let mut offset = 0;
        if self.secure_first().await.is_err() {
            return Flood {
                bytes,
                end: FloodEnd::Closed,
            };
        }
        while bytes < total {
            match tokio::time::timeout(pause, self.link.write(&piece[offset..])).await {
                Ok(Ok(count)) => {
                    bytes += count as u64;
                    self.sent += count as u64;
                    offset = (offset + count) % piece.len();
                }
                Ok(Err(_)) => {
                    return Flood {
                        bytes,
                        end: FloodEnd::Closed,
                    };
                }
                Err(_) => {
                    return Flood {
                        bytes,
                        end: FloodEnd::Blocked,
                    };
                }
            }
        }
        Flood {
            bytes,
            end: FloodEnd::Sent,
        }
    }

    /// Queues bytes that are sent while replies are read. A client that sends everything before it
    /// reads would deadlock with a server that does the same.
    pub(crate) fn owe(&mut self, bytes: Vec<u8>) {
        self.answers.sent(&bytes);
        self.owed.extend(bytes);
    }

    async fn read_while_writing(&mut self) -> io::Result<usize> {
        loop {
            if self.owed.is_empty() {
                self.finish()?;
                return self.link.read(&mut self.buffer).await;
            }
            let either = Interest::READABLE | Interest::WRITABLE;
            let ready = self.link.ready(either).await?;
            if ready.is_writable()
                && let Ok(count) = self.link.try_write(&self.owed)
            {
                self.sent += count as u64;
                self.owed.drain(..count);
            }
            match self.link.try_read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    /// Closes the client's side if it is due.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.finishing) {
            true => {
                self.finished = true;
                self.link.shutdown()
            }
            false => Ok(()),
        }
    }

    /// Reads more into the buffer, or records the end of the stream.
    pub(super) async fn fill(&mut self, deadline: Instant) -> Result<(), PeerError> {
        if self.buffer.len() > REPLY_BYTES_MAX {
            return Err(PeerError::Endless {
                bytes: self.buffer.len(),
            });
        }
        match timeout_at(deadline, self.read_while_writing()).await {
            Ok(Ok(0)) => {
                self.transcript
                    .add(self.number, "received the end of the stream (FIN)".into());
                self.eof = true;
                Ok(())
            }
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.failed(error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Reads and discards everything until the connection ends or `limit` is over.
    pub(crate) async fn drained(&mut self, limit: Duration) -> ConnectionEnd {
        let deadline = Instant::now() + limit;
        while !self.eof {
            self.buffer.clear();
            match self.fill(deadline).await {
                Ok(()) => {}
                Err(PeerError::Reset { .. }) => return ConnectionEnd::Reset,
                Err(_) => return ConnectionEnd::StillOpen,
            }
        }
        ConnectionEnd::Eof
    }

    /// Reads whatever arrives, without judging it: waits up to `first` for the first bytes and then until nothing
    /// arrives for `quiet`. Returns at most about `bytes_max` bytes, and how the connection ended.
    pub(crate) async fn hear(
        &mut self,
        first: Duration,
        quiet: Duration,
        bytes_max: usize,
    ) -> (Vec<u8>, ConnectionEnd) {
        let mut patience = first;
        while !self.eof && self.buffer.len() < bytes_max {
            match self.fill(Instant::now() + patience).await {
                Ok(()) => patience = quiet,
                Err(PeerError::Reset { .. }) => {
                    return (std::mem::take(&mut self.buffer), ConnectionEnd::Reset);
                }
                Err(_) => break,
            }
        }
        let end = if self.eof {
            ConnectionEnd::Eof
        } else {
            ConnectionEnd::StillOpen
        };
        (std::mem::take(&mut self.buffer), end)
    }

    /// Returns bytes received but not yet consumed, including those that arrive within `wait`.
    pub(crate) async fn leftover(&mut self, wait: Duration) -> Vec<u8> {
        let deadline = Instant::now() + wait;
        while !self.eof && self.fill(deadline).await.is_ok() {}
        std::mem::take(&mut self.buffer)
    }
}
